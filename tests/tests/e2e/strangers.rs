//! Who is no member stays out, and a member that does not keep to the rules harms nobody but itself.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{RngCore as _, SeedableRng as _},
};
use tokio::time::{Instant, timeout_at};
use touchstone_crypto::{IdentityKey, KeyKind, Password, SealedFile};
use touchstone_transport::{
    FrameKind, FrameLimits, LinkError, LinkTiming, MemberEndpoint, Mesh, MeshConfig, MeshEvent,
    MeshEvents, MeshLimits, Outgoing, PublicKey, TlsIdentity,
};
use touchstone_types::{Manifest, MemberId, MessageKind};

use crate::net::{Net, alone, first, is_alive, until};

const CULPRIT: u16 = 3;
/// Larger than the nodes allow for any kind.
const OVERSIZED: u32 = 8 << 20;

/// The members of the manifest as this stranger or culprit calls them.
pub(crate) fn members(manifest: &Manifest) -> Vec<MemberEndpoint> {
    let endpoint = |m: &touchstone_types::Member| MemberEndpoint {
        id: m.id,
        key: PublicKey(m.identity.0),
        address: m.address.parse().expect("an address"),
    };
    manifest.members.iter().map(endpoint).collect()
}

pub(crate) fn bind(
    me: MemberId,
    identity: TlsIdentity,
    members: Vec<MemberEndpoint>,
    listen: SocketAddr,
) -> (Mesh, MeshEvents) {
    // What it sends is limited by nothing but the transport itself, kinds that do not exist included.
    let kinds = (0..=u8::MAX).map(|kind| (FrameKind(kind), OVERSIZED));
    Mesh::bind(MeshConfig {
        me,
        identity: Arc::new(identity),
        members,
        listen,
        frames: FrameLimits::new(kinds).expect("limits"),
        limits: MeshLimits {
            inbox_bytes_max: 64 << 20,
            ..MeshLimits::default()
        },
        timing: LinkTiming {
            backoff_max: Duration::from_millis(200),
            ..LinkTiming::default()
        },
        observers: None,
    })
    .expect("a mesh")
}

/// The sum of a counter's samples on a member's metrics page whose labels contain `label`.
async fn counter(net: &Net, member: u16, name: &str, label: &str) -> u64 {
    let page = net.member_page(member, "/metrics").await;
    let samples = page
        .lines()
        .filter(|l| l.starts_with(name) && l.contains(label));
    samples
        .filter_map(|l| l.rsplit_once(' ')?.1.parse::<u64>().ok())
        .sum()
}

#[tokio::test]
async fn a_fifth_unknown_identity_cannot_join() {
    let _alone = alone().await;
    let folder = tempfile::tempdir().expect("folder");
    let net = Net::start(&folder.path().join("data"), &first(&[])).await;
    let since = net.newest().await.expect("a round");
    let identity = TlsIdentity::ephemeral().expect("a key");
    let mut everybody = members(&net.pin.genesis_manifest);
    let listen: SocketAddr = (Ipv4Addr::LOCALHOST, 0).into();
    everybody.push(MemberEndpoint {
        id: MemberId(4),
        key: identity.public(),
        address: listen,
    });
    let (mesh, mut events) = bind(MemberId(4), identity, everybody, listen);
    let end = Instant::now() + Duration::from_secs(4);
    while let Ok(Some(event)) = timeout_at(end, events.recv()).await {
        match event {
            MeshEvent::PeerUp { peer } => panic!("member {peer} let a stranger in"),
            MeshEvent::Frame(frame) => panic!("member {} talks to a stranger", frame.from),
            MeshEvent::PeerDown { .. } | MeshEvent::Violation { .. } => {}
        }
    }
    for peer in mesh.metrics().peers {
        assert_eq!(peer.connects, 0);
        assert!(
            peer.connect_failures > 0,
            "member {} was not even called",
            peer.peer
        );
    }
    mesh.shutdown().await;
    for member in 0..4 {
        let told = counter(&net, member, "touchstone_unknown_identities_total", "").await;
        assert!(told > 0, "member {member} does not tell of the stranger");
    }
    // Nobody noticed: no round is missed, and each rests on members alone.
    let newest = net.rounds_more(3).await;
    for round in since..newest {
        let contributors = net.contributors(round).await.expect("no round is missed");
        assert!(
            contributors.len() >= 3 && contributors.iter().all(|m| *m < 4),
            "round {round}: {contributors:?}"
        );
    }
    assert!(net.terminate().await.success());
}

/// The key of a member of a development network, which is not encrypted.
pub(crate) fn identity_of(net: &Net, member: u16) -> IdentityKey {
    let bytes = std::fs::read(net.member_dir(member).join("identity.key")).expect("a key file");
    let file = SealedFile::parse(&bytes).expect("a sealed file");
    let seed = file
        .open(KeyKind::Identity, Password::InsecureNone)
        .expect("it opens");
    IdentityKey::from_secret_bytes(&seed).expect("a seed")
}

#[tokio::test]
async fn a_member_that_sends_garbage_is_refused_and_the_others_go_on() {
    let _alone = alone().await;
    let folder = tempfile::tempdir().expect("folder");
    let kill = format!("{CULPRIT}@2");
    let net = Net::start(&folder.path().join("data"), &first(&["--kill", &kill])).await;
    until("the culprit's node is gone", async || {
        let pid = net.member_pid(CULPRIT);
        pid.is_none_or(|pid| !is_alive(pid)).then_some(())
    })
    .await;
    let since = net.newest().await.expect("a round");

    // The culprit's own program, with its key, at its place.
    let manifest = &net.pin.genesis_manifest;
    let listen = manifest.members[usize::from(CULPRIT)]
        .address
        .parse()
        .expect("an address");
    let identity =
        TlsIdentity::from_pkcs8(&identity_of(&net, CULPRIT).tls_pkcs8()).expect("identity");
    let (mesh, mut events) = bind(MemberId(CULPRIT), identity, members(manifest), listen);

    // It listens for a while, ...
    let mut heard = Vec::new();
    let end = Instant::now() + Duration::from_secs(3);
    while let Ok(Some(event)) = timeout_at(end, events.recv()).await {
        if let MeshEvent::Frame(frame) = event {
            heard.push(frame);
        }
    }
    assert!(
        heard.len() > 20,
        "the members talk to the culprit as to a member"
    );
    // ... sends back what it has heard, to whoever did not say it and to whoever did, ...
    for frame in &heard {
        let replay = Outgoing::once(frame.kind, frame.bytes.clone());
        mesh.broadcast(&replay).expect("queued");
    }
    // ... then garbage of every kind that exists, ...
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    for round in 0..20 {
        for kind in MessageKind::ALL
            .iter()
            .map(|k| k.byte())
            .filter(|b| !(2..=4).contains(b))
            .chain(128..=132)
        {
            let mut bytes = vec![0; 1 + (rng.next_u32() % 60) as usize];
            rng.fill_bytes(&mut bytes);
            // Half of it is told apart from a message only behind its first byte.
            bytes[0] = if round % 2 == 0 { kind } else { bytes[0] };
            mesh.broadcast(&Outgoing::once(FrameKind(kind), bytes))
                .expect("queued");
        }
    }
    until("the garbage is counted against the culprit", async || {
        let mut refused = 0;
        for member in 0..CULPRIT {
            let label = format!("peer=\"{CULPRIT}\"");
            refused +=
                u64::from(counter(&net, member, "touchstone_bad_messages_total", &label).await > 0);
        }
        (refused == u64::from(CULPRIT)).then_some(())
    })
    .await;
    // ... and at last a frame that is too large to be anything.
    let oversized = Outgoing::once(
        FrameKind(MessageKind::Obs.byte()),
        vec![0; OVERSIZED as usize],
    );
    mesh.broadcast(&oversized).expect("queued");
    until("the culprit is not listened to any more", async || {
        let event = events.recv().await.expect("the mesh runs");
        matches!(
            event,
            MeshEvent::PeerDown {
                reason: LinkError::ClosedByPeer(_),
                ..
            }
        )
        .then_some(())
    })
    .await;

    // The others have missed nothing, and nothing of it got into a round.
    let newest = net.rounds_more(4).await;
    for round in since + 2..newest {
        let contributors = net.contributors(round).await.expect("no round is missed");
        assert!(
            contributors.len() == 3 && !contributors.contains(&CULPRIT),
            "round {round}: {contributors:?}"
        );
    }
    mesh.shutdown().await;
    assert!(net.terminate().await.success());
}
