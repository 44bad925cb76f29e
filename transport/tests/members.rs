//! Links between members: frames get through, survive broken connections, and wait for nobody.

mod common;

use std::collections::BTreeSet;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use common::*;
use rand_core::{OsRng, RngCore};
use touchstone_transport::{CloseCode, LinkError, MeshEvent, Outgoing, SendError};
use touchstone_types::{MemberId, Round};

fn small(round: u64, text: &str) -> Outgoing {
    Outgoing::retained(SMALL, Round(round), text.to_owned().into_bytes())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_members_exchange_frames() {
    let committee = Committee::new(2);
    let mut nodes = committee.start_all().await;
    nodes[0].mesh.send(MemberId(1), small(1, "ping")).unwrap();
    let ping = nodes[1].frame().await;
    assert_eq!((ping.from, ping.kind), (MemberId(0), SMALL));
    assert_eq!(ping.bytes.as_ref(), b"ping");
    nodes[1]
        .mesh
        .send(MemberId(0), Outgoing::once(LARGE, vec![]))
        .unwrap();
    let empty = nodes[0].frame().await;
    assert_eq!(
        (empty.from, empty.kind, empty.bytes.len()),
        (MemberId(1), LARGE, 0)
    );

    let metrics = nodes[0].mesh.metrics();
    let peer = &metrics.peers[0];
    assert!(peer.outbound_up && peer.inbound_up);
    assert_eq!((peer.frames_out, peer.bytes_out), (1, 9));
    assert_eq!((peer.frames_in, peer.bytes_in), (1, 5));
    assert_eq!((peer.connects, peer.outbox_frames), (1, 1));
    nodes[0].mesh.release(Round(1));
    assert_eq!(nodes[0].mesh.metrics().peers[0].outbox_frames, 0);
}

/// Frame `number` of a sender: its kind, and content whose length and bytes follow from the seed.
fn random_frame(seed: u64, sender: MemberId, number: u64) -> Outgoing {
    let state = mix(seed ^ (u64::from(sender.0) << 32) ^ number);
    let (kind, max) = if state.is_multiple_of(10) {
        (LARGE, LARGE_MAX)
    } else {
        (SMALL, SMALL_MAX)
    };
    let length = usize::try_from(mix(state) % u64::from(max - 8)).unwrap();
    let mut bytes = number.to_be_bytes().to_vec();
    bytes.resize(8 + length, state.to_le_bytes()[3]);
    Outgoing::retained(kind, Round(number), bytes)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_members_broadcast_small_and_large_frames() {
    const FRAMES: u64 = 60;
    let seed = OsRng.next_u64();
    println!("seed {seed}");
    let committee = Committee::new(4);
    let mut nodes = committee.start_all().await;
    for node in &nodes {
        for number in 0..FRAMES {
            node.mesh
                .broadcast(&random_frame(seed, node.id, number))
                .unwrap();
        }
    }
    for node in &mut nodes {
        let mut seen = BTreeSet::new();
        while seen.len() < 3 * 60 {
            let frame = node.frame().await;
            let number = u64::from_be_bytes(frame.bytes[..8].try_into().unwrap());
            let sent = random_frame(seed, frame.from, number);
            assert_eq!((frame.kind, &frame.bytes), (sent.kind, &sent.bytes));
            assert_ne!(frame.from, node.id);
            assert!(
                seen.insert((frame.from, number)),
                "nothing comes twice on one connection"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mistakes_of_the_sender_are_told_to_the_sender() {
    let committee = Committee::new(2);
    let node = committee.start(0);
    let too_large = Outgoing::once(SMALL, vec![0; 2049]);
    assert!(matches!(
        node.mesh.broadcast(&too_large),
        Err(SendError::TooLarge { bytes: 2049, .. })
    ));
    for stranger in [0, 2] {
        let sent = node.mesh.send(MemberId(stranger), small(1, ""));
        assert_eq!(sent, Err(SendError::UnknownPeer(MemberId(stranger))));
    }
}

/// Frames for a peer that is not there yet wait for it, in order of sending within what is sent at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_starts_late_gets_what_waits() {
    let committee = Committee::new(2);
    let early = committee.start(0);
    for text in ["a", "b", "c"] {
        early.mesh.send(MemberId(1), small(1, text)).unwrap();
    }
    let mut late = committee.start(1);
    early.mesh.set_address(MemberId(1), late.address).unwrap();
    for text in ["a", "b", "c"] {
        assert_eq!(late.frame().await.bytes, text);
    }
}

/// A member and a victim, each of which calls the other through a stretch of network that can be cut.
struct Pair {
    survivor: Node,
    victim: Node,
    to_victim: Relay,
    to_survivor: Relay,
}

impl Pair {
    async fn start(committee: &Committee, idle_timeout: Duration) -> Self {
        let mut config = committee.config(0);
        config.timing.idle_timeout = idle_timeout;
        config.timing.keep_alive = idle_timeout / 3;
        let survivor = Node::start(config.clone());
        config.me = MemberId(1);
        config.identity = committee.keys[1].identity.clone();
        let victim = Node::start(config);
        let to_victim = Relay::to(victim.address).await;
        let to_survivor = Relay::to(survivor.address).await;
        survivor
            .mesh
            .set_address(MemberId(1), to_victim.address)
            .unwrap();
        victim
            .mesh
            .set_address(MemberId(0), to_survivor.address)
            .unwrap();
        survivor.linked(1).await;
        victim.linked(1).await;
        Self {
            survivor,
            victim,
            to_victim,
            to_survivor,
        }
    }

    fn cut(&self) {
        self.to_victim.cut();
        self.to_survivor.cut();
    }

    async fn next_down(&mut self) -> LinkError {
        self.survivor
            .expect("the link goes down", |event| match event {
                MeshEvent::PeerDown { reason, .. } => Some(reason),
                _ => None,
            })
            .await
    }
}

/// A killed process sends no farewell. Its successor must get the frames of live rounds long before the survivor's idle
/// timeout would have noticed the death, and only those.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_and_restarted_peer_gets_the_retained_frames_again() {
    let committee = Committee::new(2);
    let mut pair = Pair::start(&committee, Duration::from_secs(60)).await;
    let to_victim = |frame| pair.survivor.mesh.send(MemberId(1), frame).unwrap();
    to_victim(small(5, "over"));
    to_victim(small(6, "live"));
    to_victim(Outgoing::once(SMALL, &b"once"[..]));
    let mut texts = BTreeSet::new();
    while texts.len() < 3 {
        texts.insert(pair.victim.frame().await.bytes);
    }
    pair.cut();
    pair.victim.mesh.shutdown().await;
    pair.survivor.mesh.release(Round(5));
    pair.survivor
        .mesh
        .send(MemberId(1), small(7, "meanwhile"))
        .unwrap();

    let mut successor = committee.start(1);
    let restarted = Instant::now();
    pair.to_victim.mend(successor.address);
    pair.to_survivor.mend(pair.survivor.address);
    successor
        .mesh
        .set_address(MemberId(0), pair.to_survivor.address)
        .unwrap();
    for text in ["live", "meanwhile"] {
        assert_eq!(successor.frame().await.bytes, text);
    }
    println!(
        "the restarted peer had its frames after {:?}",
        restarted.elapsed()
    );
    assert!(restarted.elapsed() < Duration::from_secs(10));
    assert!(
        successor
            .frames_within(Duration::from_millis(200))
            .await
            .is_empty()
    );
    assert_eq!(pair.next_down().await, LinkError::PeerRestarted);
    assert_eq!(pair.survivor.mesh.metrics().peers[0].connects, 2);
}

/// Both live on, but the network between them is cut for longer than a connection bears. Nothing retained is lost,
/// whether it was sent before the cut or during it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_survive_a_cut_of_the_network() {
    let committee = Committee::new(2);
    let mut pair = Pair::start(&committee, Duration::from_millis(600)).await;
    pair.survivor
        .mesh
        .send(MemberId(1), small(1, "before"))
        .unwrap();
    assert_eq!(pair.victim.frame().await.bytes, "before");
    pair.cut();
    pair.survivor
        .mesh
        .send(MemberId(1), small(1, "during"))
        .unwrap();
    assert_eq!(pair.next_down().await, LinkError::Silent);
    pair.to_victim.mend(pair.victim.address);
    pair.to_survivor.mend(pair.survivor.address);
    for text in ["before", "during"] {
        assert_eq!(pair.victim.frame().await.bytes, text);
    }
}

/// One member's consumer does not take anything, another member is not there at all: the third hears everything at once,
/// and the sender's memory stays within the bound.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stalled_and_an_absent_peer_hold_up_nobody() {
    const FRAMES: usize = 400;
    let committee = Committee::new(4);
    let mut config = committee.config(0);
    config.limits.outbox_frames_max = 100;
    let mut sender = Node::start(config);
    let mut config = committee.config(1);
    config.limits.inbox_frames_max = 4;
    config.limits.window_bytes = 1 << 16;
    let mut stalled = Node::start(config);
    let mut healthy = committee.start(2);
    for node in [&stalled, &healthy] {
        sender.mesh.set_address(node.id, node.address).unwrap();
    }
    sender.all_up(2).await;

    let mut slowest = Duration::ZERO;
    for number in 0..FRAMES {
        let mut bytes = vec![0; 100_000];
        bytes[..8].copy_from_slice(&u64::try_from(number).unwrap().to_be_bytes());
        let sent = Instant::now();
        let round = Round(u64::try_from(number).unwrap());
        sender
            .mesh
            .broadcast(&Outgoing::retained(LARGE, round, bytes))
            .unwrap();
        let frame = healthy.frame().await;
        assert_eq!(frame.bytes[..8], round.0.to_be_bytes());
        slowest = slowest.max(sent.elapsed());
    }
    println!("slowest of {FRAMES} frames of 100 kB past a stalled and an absent peer: {slowest:?}");
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    let metrics = sender.mesh.metrics();
    for peer in &metrics.peers {
        assert!(peer.outbox_frames <= 100, "{peer:?}");
        assert_eq!(peer.frames_dropped, 300, "{peer:?}");
    }
    // What was given to the stalled peer's connection is bounded by what that peer may hold: 4 frames that wait in the
    // queue, 32 streams of one frame each, and the window.
    assert!(metrics.peers[0].frames_out < 50, "{:?}", metrics.peers[0]);
    assert!(metrics.peers[0].outbound_up && !metrics.peers[2].outbound_up);

    // The consumer wakes up: it gets what the outbox kept, the newest frames among it.
    let mut seen = BTreeSet::new();
    while !seen.contains(&(FRAMES as u64 - 1)) {
        let frame = stalled.frame().await;
        seen.insert(u64::from_be_bytes(frame.bytes[..8].try_into().unwrap()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutdown_is_told_to_the_peers_and_ends_everything() {
    let committee = Committee::new(2);
    let mut nodes = committee.start_all().await;
    let leaving = nodes.pop().unwrap();
    let address = leaving.address;
    let mut events = leaving.events;
    soon("shutdown", leaving.mesh.shutdown()).await;
    soon("the events end", async {
        while events.recv().await.is_some() {}
    })
    .await;
    let reason = nodes[0]
        .expect("the peer learns of it", |event| match event {
            MeshEvent::PeerDown { reason, .. } => Some(reason),
            _ => None,
        })
        .await;
    assert_eq!(reason, LinkError::ClosedByPeer(CloseCode::Shutdown));
    // The handle may outlive the mesh; sending is then in vain, but harmless.
    leaving.mesh.send(MemberId(0), small(1, "late")).unwrap();
    drop(leaving.mesh);
    until("the port becomes free", || UdpSocket::bind(address).is_ok()).await;
}
