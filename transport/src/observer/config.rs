//! What a node serves to observers, and within which bounds.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, watch};
use touchstone_types::Round;

use super::wire::Item;
use crate::config::ConfigError;

/// Where the served items come from: the node's store, and its live stream.
pub trait AttestationSource: Send + Sync + 'static {
    /// The stored items of the rounds from `from` on, in ascending order of round, at most `limit` rounds of them.
    /// A round has one item. May block on a disk: it is called on a thread that may.
    fn range(&self, from: Round, limit: usize) -> Vec<Item>;

    /// Every item from now on, in the order in which they are completed (rounds may overtake each other). An item must be
    /// in the store before it is sent here.
    fn subscribe(&self) -> broadcast::Receiver<Item>;
}

/// Where the evidence that a node serves comes from. It only ever grows, so that a position in it stays what it is.
pub trait EvidenceSource: Send + Sync + 'static {
    /// What is stored from that position on, in the order in which it came, at most `limit` items. It must not block.
    fn page(&self, from: usize, limit: usize) -> Vec<Item>;

    /// How much is stored; it changes with every item, after the item is in the store.
    fn count(&self) -> watch::Receiver<usize>;
}

/// The streams for observers on a node's endpoint.
#[derive(Clone)]
pub struct ObserverConfig {
    /// Where the items come from.
    pub source: Arc<dyn AttestationSource>,
    /// Where evidence comes from; without it observers that ask for evidence get none.
    pub evidence: Option<Arc<dyn EvidenceSource>>,
    /// Bounds.
    pub limits: ObserverLimits,
}

impl fmt::Debug for ObserverConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObserverConfig")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// Bounds of the stream for observers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ObserverLimits {
    /// Sessions at once (1 to 4,096; default 64).
    pub sessions_max: u32,
    /// Sessions at once from one IPv4 address or IPv6 /64 network (1 to 4,096; default 8).
    pub sessions_per_address_max: u32,
    /// Requests at once in one session (1 to 64; default 4): an aggregator makes three.
    pub requests_max: u32,
    /// Items read from the store at a time, per request (1 to 1,024; default 16).
    pub page_items: u32,
    /// How long an observer may leave one page unread before it is expelled, and how long it may be connected without
    /// asking for anything (100 ms to 600 s; default 30 s).
    pub stall_timeout: Duration,
}

impl Default for ObserverLimits {
    fn default() -> Self {
        Self {
            sessions_max: 64,
            sessions_per_address_max: 8,
            requests_max: 4,
            page_items: 16,
            stall_timeout: Duration::from_secs(30),
        }
    }
}

impl ObserverLimits {
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        let check =
            |name, value: u32, max: u64| ConfigError::check_range(name, u64::from(value), 1, max);
        check("observers.sessions_max", self.sessions_max, 4096)?;
        check(
            "observers.sessions_per_address_max",
            self.sessions_per_address_max,
            4096,
        )?;
        check("observers.requests_max", self.requests_max, 64)?;
        check("observers.page_items", self.page_items, 1024)?;
        ConfigError::check_ms(
            "observers.stall_timeout_ms",
            self.stall_timeout,
            Duration::from_millis(100),
            Duration::from_secs(600),
        )
    }
}
