//! What the machine gives: ports, the time, the memory of a process.

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::Context as _;
use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore as _, SeedableRng as _};

/// Ports from which Linux does not serve outgoing connections by default, so that a member which is down for a while finds
/// its own free when it comes back.
const PORTS: std::ops::Range<u16> = 10_240..32_768;
const ATTEMPTS: u32 = 10_000;

/// Finds ports on loopback that nobody listens on.
#[derive(Debug)]
pub(super) struct Ports {
    rng: ChaCha8Rng,
    given: BTreeSet<u16>,
}

impl Ports {
    pub(super) fn new() -> Self {
        // Two networks that start at once must not look in the same order.
        let seed = unix_us() ^ (u64::from(std::process::id()) << 40);
        Self {
            rng: ChaCha8Rng::seed_from_u64(seed),
            given: BTreeSet::new(),
        }
    }

    /// A port that is free for UDP and TCP, never the same twice.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn next(&mut self) -> anyhow::Result<SocketAddr> {
        let span = u32::from(PORTS.end - PORTS.start);
        let mut draw = || PORTS.start + u16::try_from(self.rng.next_u32() % span).unwrap_or(0);
        let free = (0..ATTEMPTS)
            .map(|_| SocketAddr::from((Ipv4Addr::LOCALHOST, draw())))
            .find(|at| {
                let is_free = UdpSocket::bind(at).is_ok() && TcpListener::bind(at).is_ok();
                is_free && self.given.insert(at.port())
            });
        free.with_context(|| format!("no free port from {} to {}", PORTS.start, PORTS.end))
    }
}

/// The wall clock in Unix microseconds.
pub(super) fn unix_us() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// Resident memory of a process in KiB; `None` where there is no such process or no `/proc`.
pub(super) fn resident_kib(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_free_and_different() {
        let mut ports = Ports::new();
        let given: BTreeSet<_> = (0..50).map(|_| ports.next().expect("a port")).collect();
        assert_eq!(given.len(), 50);
        assert!(given.iter().all(|at| PORTS.contains(&at.port())));
    }

    #[test]
    fn the_own_memory_is_known() {
        let kib = resident_kib(std::process::id());
        assert!(kib.is_some_and(|kib| kib > 100), "{kib:?}");
        assert_eq!(resident_kib(u32::MAX), None);
    }
}
