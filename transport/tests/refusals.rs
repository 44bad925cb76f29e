//! Who is not let in, who is thrown out, and that nobody else notices.

mod common;

use std::time::Duration;

use common::*;
use quinn::{Connection, ConnectionError};
use rand_core::{OsRng, RngCore};
use touchstone_transport::{CloseCode, MEMBER_ALPN, MeshEvent, Outgoing, PublicKey, Violation};
use touchstone_types::{MemberId, Round};

/// How a caller that greets with these bytes is refused.
async fn refusal(connection: &Connection, greeting: &[u8]) -> ConnectionError {
    soon("a refusal", raw_greet(connection, greeting))
        .await
        .expect_err("the caller must be refused")
}

/// The handshake seems to succeed for the client; the refusal is the alert at the first read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_identities_and_callers_without_one_are_refused() {
    let committee = Committee::new(2);
    let node = committee.start(0);
    let stranger = Key::generate();
    for key in [Some(&stranger), None] {
        let endpoint = raw_endpoint(key, MEMBER_ALPN);
        let connection = raw_connect(&endpoint, node.address).await;
        let error = refusal(&connection, &[0; 8]).await;
        let ConnectionError::ConnectionClosed(close) = &error else {
            panic!("{error:?}");
        };
        let alert = u64::from(close.error_code);
        assert!((0x100..=0x1ff).contains(&alert), "a TLS alert: {error:?}");
    }
    until("both are counted", || {
        node.mesh.metrics().handshakes_failed == 2
    })
    .await;
}

/// A member does not count as another member, and not as itself from elsewhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_own_key_of_a_member_is_no_peers_key() {
    let committee = Committee::new(2);
    let node = committee.start(0);
    let endpoint = raw_member_endpoint(&committee.keys[0]);
    let connection = raw_connect(&endpoint, node.address).await;
    let error = refusal(&connection, &[0; 8]).await;
    assert!(
        matches!(error, ConnectionError::ConnectionClosed(_)),
        "{error:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_with_another_key_than_the_pinned_is_not_spoken_to() {
    let committee = Committee::new(3);
    let mut config = committee.config(0);
    config.members[1].key = PublicKey(Key::generate().identity.public().0);
    let mut deceived = Node::start(config);
    let impostor = committee.start(1);
    let honest = committee.start(2);
    for node in [&impostor, &honest] {
        deceived.mesh.set_address(node.id, node.address).unwrap();
    }
    let secret = Outgoing::retained(SMALL, Round(1), &b"for the real member"[..]);
    deceived.mesh.send(MemberId(1), secret).unwrap();
    deceived.all_up(1).await;
    until("attempts fail", || {
        deceived.mesh.metrics().peers[0].connect_failures >= 3
    })
    .await;
    let peers = deceived.mesh.metrics().peers;
    assert_eq!((peers[0].connects, peers[0].frames_out), (0, 0));
    assert!(peers[1].outbound_up);
    assert_eq!(impostor.mesh.metrics().peers[0].frames_in, 0);
}

/// One stream of bytes that no honest member sends, and what it must be called.
async fn misbehave(bytes: &[u8], expected: Violation) {
    let committee = Committee::new(3);
    let mut config = committee.config(0);
    config.limits.mute = Duration::from_secs(2);
    let mut node = Node::start(config);
    let mut honest = committee.start(2);
    node.mesh.set_address(honest.id, honest.address).unwrap();
    honest.mesh.set_address(node.id, node.address).unwrap();

    let endpoint = raw_member_endpoint(&committee.keys[1]);
    let connection = raw_member(&endpoint, node.address).await;
    let mut good = connection.open_uni().await.unwrap();
    good.write_all(&[SMALL.0, 0, 0, 0, 2, b'h', b'i'])
        .await
        .unwrap();
    good.finish().unwrap();
    assert_eq!(node.frame().await.bytes, "hi");
    let mut bad = connection.open_uni().await.unwrap();
    bad.write_all(bytes).await.unwrap();
    bad.finish().unwrap();

    let closed = soon("the node hangs up", connection.closed()).await;
    assert_eq!(
        close_code(&closed),
        Some(u64::from(CloseCode::Violation.number())),
        "{closed:?}"
    );
    let (peer, violation) = node
        .expect("the violation is told", |event| match event {
            MeshEvent::Violation {
                peer, violation, ..
            } => Some((peer, violation)),
            _ => None,
        })
        .await;
    assert_eq!((peer, violation), (MemberId(1), expected));

    // Muted: the next call is refused, the others go on, and after the time the peer is heard again.
    let again = raw_connect(&endpoint, node.address).await;
    let error = refusal(&again, &[7; 8]).await;
    assert_eq!(
        close_code(&error),
        Some(u64::from(CloseCode::Muted.number())),
        "{error:?}"
    );
    honest.all_up(1).await;
    honest
        .mesh
        .send(MemberId(0), Outgoing::once(SMALL, &b"well"[..]))
        .unwrap();
    assert_eq!(node.frame().await.bytes, "well");
    tokio::time::sleep(Duration::from_secs(2)).await;
    raw_member(&endpoint, node.address).await;
    assert_eq!(node.mesh.metrics().peers[0].violations, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_oversized_frame_is_refused_by_its_head() {
    let head = [SMALL.0, 0, 0, 0x08, 0x01];
    let (kind, limit) = (SMALL.0, SMALL_MAX);
    misbehave(
        &head,
        Violation::Oversized {
            kind,
            bytes: 2049,
            limit,
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_is_refused() {
    let garbage = b"GET / HTTP/1.1\r\nHost: oracle\r\n\r\n";
    misbehave(garbage, Violation::UnknownKind { kind: b'G' }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frame_that_is_cut_off_is_refused() {
    misbehave(&[SMALL.0, 0, 0, 0, 9, 1, 2], Violation::Truncated).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_without_a_frame_is_refused() {
    misbehave(&[], Violation::EmptyStream).await;
}

/// Whatever bytes a member sends, the node stands and the others are heard.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_bytes_harm_nobody() {
    let seed = OsRng.next_u64();
    println!("seed {seed}");
    let mut rng = Random(seed);
    let committee = Committee::new(3);
    let mut config = committee.config(0);
    config.limits.mute = Duration::ZERO;
    let mut node = Node::start(config);
    let honest = committee.start(2);
    honest.mesh.set_address(node.id, node.address).unwrap();
    let endpoint = raw_member_endpoint(&committee.keys[1]);
    for _ in 0..50 {
        let connection = raw_member(&endpoint, node.address).await;
        for _ in 0..rng.below(4) {
            let Ok(mut stream) = connection.open_uni().await else {
                break;
            };
            // A valid kind now and then, so that the bytes get past the first check.
            let mut bytes: Vec<u8> = (0..rng.below(200)).map(|_| rng.byte()).collect();
            if let [kind, length @ ..] = &mut bytes[..] {
                *kind = 1 + *kind % 3;
                length.iter_mut().take(2).for_each(|byte| *byte = 0);
            }
            let _ = stream.write_all(&bytes).await;
        }
        // Time for the node to look at it: what is unread when a connection closes is discarded.
        let _ = tokio::time::timeout(Duration::from_millis(30), connection.closed()).await;
    }
    honest
        .mesh
        .send(MemberId(0), Outgoing::once(SMALL, &b"well"[..]))
        .unwrap();
    loop {
        let frame = node.frame().await;
        if frame.from == MemberId(2) {
            assert_eq!(frame.bytes, "well");
            break;
        }
    }
    assert!(node.mesh.metrics().peers[0].violations > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_malformed_greeting_is_refused() {
    let committee = Committee::new(2);
    for greeting in [&[1; 7][..], &[1; 9], &[]] {
        let node = committee.start(0);
        let endpoint = raw_member_endpoint(&committee.keys[1]);
        let connection = raw_connect(&endpoint, node.address).await;
        let error = refusal(&connection, greeting).await;
        let code = u64::from(CloseCode::Violation.number());
        assert_eq!(close_code(&error), Some(code), "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_connection_of_a_member_replaces_the_older() {
    let committee = Committee::new(2);
    let mut node = committee.start(0);
    let endpoint = raw_member_endpoint(&committee.keys[1]);
    let older = raw_member(&endpoint, node.address).await;
    let newer = raw_member(&endpoint, node.address).await;
    let closed = soon("the older is closed", older.closed()).await;
    assert_eq!(
        close_code(&closed),
        Some(u64::from(CloseCode::Replaced.number()))
    );
    let mut stream = newer.open_uni().await.unwrap();
    stream
        .write_all(&[SMALL.0, 0, 0, 0, 1, b'x'])
        .await
        .unwrap();
    stream.finish().unwrap();
    assert_eq!(node.frame().await.bytes, "x");
}

/// Callers that complete the handshake but do not greet hold a place each; when the places of their address are taken,
/// the next caller from there is turned away, and places come back after the greeting time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_open_connections_are_limited_per_address() {
    let committee = Committee::new(2);
    let mut config = committee.config(0);
    config.limits.handshakes_per_address_max = 3;
    config.timing.handshake_timeout = Duration::from_secs(2);
    let node = Node::start(config);
    let endpoint = raw_member_endpoint(&committee.keys[1]);
    let mut silent = Vec::new();
    for _ in 0..3 {
        silent.push(raw_connect(&endpoint, node.address).await);
    }
    let refused = endpoint
        .connect(node.address, "x")
        .unwrap()
        .await
        .unwrap_err();
    assert!(
        matches!(refused, ConnectionError::ConnectionClosed(_)),
        "{refused:?}"
    );
    let metrics = node.mesh.metrics();
    assert_eq!(metrics.handshakes_refused, 1);
    assert!(
        metrics.handshakes_retried >= 1,
        "addresses are proven when places get scarce"
    );
    let closed = soon("silent callers are dropped", silent[0].closed()).await;
    assert_eq!(
        close_code(&closed),
        Some(u64::from(CloseCode::TooSlow.number()))
    );
    for connection in &silent {
        soon("silent callers are dropped", connection.closed()).await;
    }
    raw_member(&endpoint, node.address).await;
}

/// The handshake of a refused caller succeeds at first; the mesh must not take that for a link.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_member_reports_the_failed_handshake() {
    let committee = Committee::new(2);
    let mut config = committee.config(0);
    config.members[1].key = Key::generate().identity.public();
    let stranger_to_one = Node::start(config);
    let caller = committee.start(1);
    caller
        .mesh
        .set_address(MemberId(0), stranger_to_one.address)
        .unwrap();
    until("attempts fail", || {
        caller.mesh.metrics().peers[0].connect_failures >= 2
    })
    .await;
    assert_eq!(
        caller.mesh.metrics().peers[0].connects,
        0,
        "no link is reported before the greeting"
    );
}
