use std::{
    net::{Ipv4Addr, UdpSocket},
    time::{Duration, Instant},
};

use super::*;

/// Longer than anything may take, so that a failure ends.
const PATIENCE: Duration = Duration::from_secs(10);
const MS: Duration = Duration::from_millis(1);

/// Members that are bare sockets, and the relay between them.
struct World {
    sockets: Vec<UdpSocket>,
    relay: Relay,
}

fn world(members: usize) -> World {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let bind = |_| UdpSocket::bind(any).expect("a socket");
    let sockets: Vec<_> = (0..members).map(bind).collect();
    let seat = |socket: &UdpSocket| Seat {
        front: any,
        real: socket.local_addr().expect("an address"),
    };
    let seats: Vec<_> = sockets.iter().map(seat).collect();
    let relay = Relay::start(&seats, 1).expect("a relay");
    World { sockets, relay }
}

impl World {
    fn send(&self, from: usize, to: usize, bytes: &[u8]) {
        let sent = self.sockets[from].send_to(bytes, self.relay.fronts()[to]);
        assert_eq!(sent.expect("sent"), bytes.len());
    }

    /// The next datagram and the address that it comes from; none within `patience`.
    fn receive(&self, at: usize, patience: Duration) -> Option<(Vec<u8>, SocketAddr)> {
        let socket = &self.sockets[at];
        socket.set_read_timeout(Some(patience)).expect("a timeout");
        let mut buffer = vec![0; 70_000];
        let (length, from) = socket.recv_from(&mut buffer).ok()?;
        Some((buffer[..length].to_vec(), from))
    }

    /// Waits until the relay has taken in so many datagrams of a link.
    fn taken(&self, from: usize, to: usize, count: u64) -> Counters {
        let since = Instant::now();
        loop {
            let seen = self.relay.counters(from, to).expect("a link");
            if seen.forwarded + seen.dropped() >= count + seen.duplicated {
                return seen;
            }
            assert!(since.elapsed() < PATIENCE, "{seen:?}");
            thread::sleep(MS);
        }
    }
}

#[test]
fn everybody_is_seen_at_the_own_front() {
    let world = world(3);
    for (from, to) in [(0, 1), (1, 0), (2, 1), (0, 2)] {
        let text = format!("{from} to {to}");
        world.send(from, to, text.as_bytes());
        let (bytes, seen) = world.receive(to, PATIENCE).expect("it arrives");
        assert_eq!(bytes, text.as_bytes());
        assert_eq!(seen, world.relay.fronts()[from]);
    }
    // The largest datagram there is on IPv4.
    world.send(1, 2, &[7; 65_507]);
    assert_eq!(
        world.receive(2, PATIENCE).expect("it arrives").0,
        [7; 65_507]
    );
    assert_eq!(world.relay.total().forwarded, 5);
}

#[test]
fn a_delay_is_kept_and_jitter_reorders() {
    let world = world(2);
    let slow = Impairment {
        delay: 60 * MS,
        jitter: 40 * MS,
        ..Impairment::default()
    };
    world.relay.impair(0, 1, slow).expect("a link");
    let since = Instant::now();
    for number in 0..100u8 {
        world.send(0, 1, &[number]);
    }
    let mut order = Vec::new();
    while order.len() < 100 {
        let (bytes, _) = world.receive(1, PATIENCE).expect("all arrive");
        assert!(since.elapsed() >= 20 * MS, "too early");
        order.push(bytes[0]);
    }
    assert!(!order.is_sorted(), "nothing was overtaken");
    assert!(world.relay.counters(0, 1).expect("a link").reordered > 10);
    // The other direction is as quick as ever.
    let since = Instant::now();
    world.send(1, 0, b"back");
    assert!(world.receive(0, PATIENCE).is_some());
    assert!(since.elapsed() < 20 * MS, "{:?}", since.elapsed());
}

#[test]
fn loss_and_duplication() {
    let world = world(2);
    let with = |loss, duplication| Impairment {
        loss,
        duplication,
        ..Impairment::default()
    };
    world.relay.impair_all(with(Chance::ALWAYS, Chance::NEVER));
    world.send(0, 1, b"lost");
    assert_eq!(world.taken(0, 1, 1).lost, 1);
    world.relay.impair_all(with(Chance::NEVER, Chance::ALWAYS));
    world.send(0, 1, b"twice");
    for _ in 0..2 {
        assert_eq!(world.receive(1, PATIENCE).expect("a copy").0, b"twice");
    }
    assert!(world.receive(1, 20 * MS).is_none(), "no third one");
    assert_eq!(world.taken(0, 1, 2).duplicated, 1);
}

#[test]
fn cuts_have_a_direction_and_partitions_heal() {
    let world = world(4);
    world.relay.cut(0, 1).expect("a link");
    world.send(0, 1, b"cut");
    assert_eq!(world.taken(0, 1, 1).cut, 1);
    world.send(1, 0, b"back");
    assert_eq!(world.receive(0, PATIENCE).expect("it arrives").0, b"back");
    world.relay.mend(0, 1).expect("a link");
    world.send(0, 1, b"mended");
    assert_eq!(world.receive(1, PATIENCE).expect("it arrives").0, b"mended");

    // Members 2 and 3 are not named: they are together, and apart from the others.
    world.relay.partition(&[&[0], &[1]]);
    for (from, to) in [(0, 1), (1, 0), (0, 2), (3, 1)] {
        let before = world.relay.counters(from, to).expect("a link");
        world.send(from, to, b"cut");
        let after = world.taken(from, to, before.forwarded + before.dropped() + 1);
        assert_eq!(after.cut, before.cut + 1, "{from} -> {to}");
    }
    world.send(2, 3, b"within");
    assert_eq!(world.receive(3, PATIENCE).expect("it arrives").0, b"within");
    world.relay.heal();
    world.send(0, 2, b"healed");
    assert_eq!(world.receive(2, PATIENCE).expect("it arrives").0, b"healed");
}

#[test]
fn strangers_are_not_relayed_and_errors_name_the_link() {
    let world = world(2);
    let stranger = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    stranger
        .send_to(b"hello", world.relay.fronts()[1])
        .expect("sent");
    assert!(world.receive(1, 50 * MS).is_none());
    assert_eq!(world.relay.strangers(), 1);
    for (from, to) in [(0, 0), (0, 2), (5, 1)] {
        let error = world
            .relay
            .cut(from, to)
            .expect_err("no such link")
            .to_string();
        assert!(
            error.contains(&format!("{from} -> {to}")) && error.contains("0 to 1"),
            "{error}"
        );
    }
    let seat = Seat {
        front: (Ipv4Addr::LOCALHOST, 0).into(),
        real: (Ipv4Addr::LOCALHOST, 9).into(),
    };
    let error = Relay::start(&[seat, seat], 1)
        .expect_err("one address")
        .to_string();
    assert!(error.contains("members 0 and 1"), "{error}");
}

#[test]
fn its_threads_end_with_it() {
    let World { relay, .. } = world(4);
    let since = Instant::now();
    drop(relay);
    assert!(
        since.elapsed() < Duration::from_secs(1),
        "{:?}",
        since.elapsed()
    );
}
