//! Ports of this machine that a network can keep.

use std::{
    collections::BTreeSet,
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    ops::Range,
};

use anyhow::Context as _;
use rand_core::{OsRng, RngCore as _};

/// Below this live well-known services.
const LOWEST: u16 = 10_240;
/// Where the system's own choice usually begins.
const EPHEMERAL: u16 = 32_768;
const ATTEMPTS: u32 = 10_000;

/// Finds ports that nobody listens on.
///
/// They lie below the range from which the system serves outgoing connections: a member that is down for a while must find
/// its port free when it comes back.
#[derive(Debug)]
pub(crate) struct Chooser {
    range: Range<u16>,
    taken: BTreeSet<u16>,
}

impl Chooser {
    pub(crate) fn new() -> Self {
        let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
        let lowest = text.split_whitespace().next().and_then(|n| n.parse().ok());
        let end = lowest.unwrap_or(EPHEMERAL);
        // A system that hands out all ports leaves no better place.
        let range = if end > LOWEST.saturating_add(1_000) {
            LOWEST..end
        } else {
            LOWEST..u16::MAX
        };
        Self {
            range,
            taken: BTreeSet::new(),
        }
    }

    /// A port that is free for TCP and UDP on loopback, never the same twice.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn next(&mut self) -> anyhow::Result<u16> {
        let span = u32::from(self.range.end.saturating_sub(self.range.start)).max(1);
        for _ in 0..ATTEMPTS {
            let offset = u16::try_from(OsRng.next_u32() % span).unwrap_or(0);
            let port = self.range.start.saturating_add(offset);
            if !self.taken.contains(&port) && is_free(port) {
                self.taken.insert(port);
                return Ok(port);
            }
        }
        anyhow::bail!(
            "no free port from {} to {}",
            self.range.start,
            self.range.end
        )
    }
}

/// Whether nobody listens on the port of the loopback address, neither by TCP nor by UDP.
pub(crate) fn is_free(port: u16) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok()
}

/// Checks that a port of an earlier start can be had again.
///
/// # Errors
/// It is taken; says for what it is needed.
pub(crate) fn expect_free(port: u16, what: &str, plan: &std::path::Path) -> anyhow::Result<()> {
    is_free(port).then_some(()).with_context(|| {
        let plan = plan.display();
        format!(
            "port {port} on 127.0.0.1 ({what}, chosen at the first start, see {plan}) is taken by another program: end that \
             program, or start with another --data-dir"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_free_and_different() {
        let mut chooser = Chooser::new();
        let ports: Vec<u16> = (0..50).map(|_| chooser.next().expect("a port")).collect();
        let different: BTreeSet<u16> = ports.iter().copied().collect();
        assert_eq!(different.len(), 50);
        assert!(ports.iter().all(|p| chooser.range.contains(p)));
    }

    #[test]
    fn a_taken_port_is_named_with_its_purpose() {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("socket");
        let port = socket.local_addr().expect("address").port();
        assert!(!is_free(port));
        let plan = std::path::Path::new("/d/devnet.json");
        let error = expect_free(port, "QUIC of member 2", plan)
            .expect_err("taken")
            .to_string();
        assert!(
            error.contains(&port.to_string()) && error.contains("member 2"),
            "{error}"
        );
    }
}
