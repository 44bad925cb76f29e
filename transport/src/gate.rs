//! Counting connections per address and in total, so that strangers cannot use up the endpoint.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// What connections are counted by: an IPv4 address, or an IPv6 /64 network, the least that one customer is given.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Origin(IpAddr);

impl Origin {
    pub(crate) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(v6) => {
                let network = u128::from(v6) & (u128::from(u64::MAX) << 64);
                Self(IpAddr::V6(Ipv6Addr::from(network)))
            }
            v4 @ IpAddr::V4(_) => Self(v4),
        }
    }
}

/// A shared count with two bounds.
pub(crate) struct Gate {
    total_max: u32,
    per_origin_max: u32,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    total: u32,
    by_origin: BTreeMap<Origin, u32>,
}

/// One place behind a [`Gate`]; dropping it gives the place back.
pub(crate) struct Pass {
    gate: Arc<Gate>,
    origin: Origin,
    in_total: bool,
}

impl Gate {
    pub(crate) fn new(total_max: u32, per_origin_max: u32) -> Arc<Self> {
        Arc::new(Self {
            total_max,
            per_origin_max,
            counts: Mutex::default(),
        })
    }

    /// Whether either bound is more than half used for this origin: time to ask for proof of the address.
    pub(crate) fn is_tight(&self, origin: Origin) -> bool {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let here = counts.by_origin.get(&origin).copied().unwrap_or(0);
        here >= self.per_origin_max.div_ceil(2) || counts.total >= self.total_max.div_ceil(2)
    }

    /// Takes a place. A `reserved` origin has places of its own and is bounded by itself only.
    pub(crate) fn enter(self: &Arc<Self>, origin: Origin, reserved: bool) -> Option<Pass> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let here = counts.by_origin.get(&origin).copied().unwrap_or(0);
        if here >= self.per_origin_max || (!reserved && counts.total >= self.total_max) {
            return None;
        }
        counts.by_origin.insert(origin, here + 1);
        if !reserved {
            counts.total += 1;
        }
        Some(Pass {
            gate: Arc::clone(self),
            origin,
            in_total: !reserved,
        })
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut counts = self
            .gate
            .counts
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if self.in_total {
            counts.total = counts.total.saturating_sub(1);
        }
        if let Some(here) = counts.by_origin.get_mut(&self.origin) {
            *here = here.saturating_sub(1);
            if *here == 0 {
                counts.by_origin.remove(&self.origin);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &str) -> Origin {
        Origin::of(text.parse().unwrap())
    }

    #[test]
    fn both_bounds_hold_and_places_come_back() {
        let gate = Gate::new(3, 2);
        let (a, b) = (origin("192.0.2.1"), origin("192.0.2.2"));
        let first = gate.enter(a, false).unwrap();
        let _second = gate.enter(a, false).unwrap();
        assert!(gate.enter(a, false).is_none(), "per address");
        let _third = gate.enter(b, false).unwrap();
        assert!(gate.enter(b, false).is_none(), "in total");
        assert!(
            gate.enter(b, true).is_some(),
            "a reserved origin is not in the total"
        );
        drop(first);
        assert!(gate.enter(a, false).is_some());
    }

    #[test]
    fn nothing_is_kept_of_an_address_that_left() {
        let gate = Gate::new(3, 2);
        drop(gate.enter(origin("192.0.2.1"), false));
        assert!(gate.counts.lock().unwrap().by_origin.is_empty());
    }

    #[test]
    fn an_ipv6_network_counts_as_one_and_mapped_ipv4_as_ipv4() {
        assert_eq!(origin("2001:db8::1"), origin("2001:db8::ffff:1"));
        assert_ne!(origin("2001:db8::1"), origin("2001:db8:0:1::1"));
        assert_eq!(origin("::ffff:192.0.2.1"), origin("192.0.2.1"));
    }
}
