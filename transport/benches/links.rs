//! What a link costs on loopback: connecting a whole committee, one round trip, one broadcast round, bulk throughput.
//!
//! `cargo bench -p touchstone-transport` prints one line per figure; all meshes share this process and its cores.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use touchstone_transport::{
    Frame, FrameKind, FrameLimits, LinkTiming, MemberEndpoint, Mesh, MeshConfig, MeshEvent,
    MeshEvents, MeshLimits, Outgoing, TlsIdentity,
};
use touchstone_types::{MemberId, Round};

const SMALL: FrameKind = FrameKind(1);
const LARGE: FrameKind = FrameKind(2);

type Node = (Mesh, MeshEvents);

fn start(n: u16) -> Vec<Node> {
    let identities: Vec<_> = (0..n)
        .map(|_| Arc::new(TlsIdentity::ephemeral().expect("randomness")))
        .collect();
    // Ports are reserved first, so that every member is called where it will be.
    let sockets: Vec<_> = (0..n)
        .map(|_| std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port"))
        .collect();
    let addresses: Vec<SocketAddr> = sockets
        .iter()
        .map(|socket| socket.local_addr().expect("an address"))
        .collect();
    drop(sockets);
    let members: Vec<_> = (0..n)
        .map(MemberId)
        .zip(identities.iter().zip(&addresses))
        .map(|(id, (identity, &address))| MemberEndpoint {
            id,
            key: identity.public(),
            address,
        })
        .collect();
    (0..n)
        .map(MemberId)
        .zip(identities.iter().zip(&addresses))
        .map(|(me, (identity, &listen))| {
            Mesh::bind(MeshConfig {
                me,
                identity: Arc::clone(identity),
                members: members.clone(),
                listen,
                frames: FrameLimits::new([(SMALL, 4096), (LARGE, 1 << 20)]).expect("limits"),
                limits: MeshLimits::default(),
                timing: LinkTiming::default(),
                observers: None,
            })
            .expect("a mesh")
        })
        .collect()
}

async fn frame(events: &mut MeshEvents) -> Frame {
    loop {
        if let MeshEvent::Frame(frame) = events.recv().await.expect("the mesh runs") {
            return frame;
        }
    }
}

async fn connected(nodes: &[Node]) {
    for (mesh, _) in nodes {
        while mesh.metrics().peers.iter().any(|peer| !peer.outbound_up) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

async fn round_trips(nodes: &mut [Node]) {
    let [(a, a_events), (b, b_events), ..] = nodes else {
        return;
    };
    let mut times = Vec::new();
    for _ in 0..2000 {
        let start = Instant::now();
        let ping = Outgoing::once(SMALL, vec![0; 200]);
        a.send(MemberId(1), ping.clone()).expect("sent");
        frame(b_events).await;
        b.send(MemberId(0), ping).expect("sent");
        frame(a_events).await;
        times.push(start.elapsed());
    }
    println!("round trip of 200 bytes: median {:?}", median(times));
}

async fn bulk(nodes: &mut [Node]) {
    const FRAMES: u32 = 200;
    let [(a, _), (_, b_events), ..] = nodes else {
        return;
    };
    let start = Instant::now();
    let body = bytes::Bytes::from(vec![0; 1 << 20]);
    let mut received = 0;
    // As many in flight as the outbox takes without dropping.
    for sent in 0..FRAMES {
        a.send(MemberId(1), Outgoing::once(LARGE, body.clone()))
            .expect("sent");
        if sent >= 32 {
            frame(b_events).await;
            received += 1;
        }
    }
    for _ in received..FRAMES {
        frame(b_events).await;
    }
    let rate = f64::from(FRAMES) / start.elapsed().as_secs_f64();
    println!("bulk: {rate:.0} MiB/s in frames of 1 MiB");
}

/// Everybody broadcasts 200 bytes and waits for everybody: one step of the protocol, all members on these cores.
async fn steps(nodes: &mut [Node]) {
    const STEPS: u64 = 100;
    let others = nodes.len() - 1;
    let mut times = Vec::new();
    for step in 0..STEPS {
        let start = Instant::now();
        for (mesh, _) in nodes.iter() {
            mesh.broadcast(&Outgoing::retained(SMALL, Round(step), vec![0; 200]))
                .expect("sent");
        }
        for (_, events) in nodes.iter_mut() {
            for _ in 0..others {
                frame(events).await;
            }
        }
        times.push(start.elapsed());
        for (mesh, _) in nodes.iter() {
            mesh.release(Round(step));
        }
    }
    println!(
        "all-to-all step of {} members: median {:?}",
        nodes.len(),
        median(times)
    );
}

fn main() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        for n in [2, 4, 7, 16, 31] {
            let start_time = Instant::now();
            let mut nodes = start(n);
            connected(&nodes).await;
            println!("{n} members connected after {:?}", start_time.elapsed());
            if n == 2 {
                round_trips(&mut nodes).await;
                bulk(&mut nodes).await;
            }
            steps(&mut nodes).await;
            for (mesh, _) in &nodes {
                mesh.shutdown().await;
            }
        }
    });
}
