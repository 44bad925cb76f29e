//! Counters that the node exports. All of them start at zero with the process and only grow, unless said otherwise.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use touchstone_types::MemberId;

/// A snapshot of all counters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MeshMetrics {
    /// One entry per peer, in the order of their indices.
    pub peers: Vec<PeerMetrics>,
    /// Connections refused before the handshake because a limit of handshakes was reached.
    pub handshakes_refused: u64,
    /// Callers that were asked to prove their address first.
    pub handshakes_retried: u64,
    /// Handshakes that failed or took too long.
    pub handshakes_failed: u64,
    /// Callers of the member protocol whose key is no member's.
    pub unknown_identities: u64,
    /// The attestation stream for observers.
    pub observers: ObserverMetrics,
}

/// The counters of one peer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerMetrics {
    /// The peer.
    pub peer: MemberId,
    /// Whether the own link to the peer stands now.
    pub outbound_up: bool,
    /// Whether the peer's link to this member stands now.
    pub inbound_up: bool,
    /// Frames given to the connection, repeats included.
    pub frames_out: u64,
    /// Bytes of these frames with their heads.
    pub bytes_out: u64,
    /// Frames that came in, repeats included.
    pub frames_in: u64,
    /// Bytes of these frames with their heads.
    pub bytes_in: u64,
    /// Frames that the bounded outbox had to drop.
    pub frames_dropped: u64,
    /// Links to the peer that stood; all but the first are reconnects.
    pub connects: u64,
    /// Attempts to connect that failed.
    pub connect_failures: u64,
    /// Rules that the peer broke.
    pub violations: u64,
    /// Frames in the outbox now, retained ones included.
    pub outbox_frames: u64,
    /// Bytes in the outbox now.
    pub outbox_bytes: u64,
    /// Round-trip time of the own link as last measured; zero before there was one.
    pub rtt: Duration,
}

/// The counters of the attestation stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ObserverMetrics {
    /// Sessions that are open now.
    pub sessions: u64,
    /// Sessions refused because of a limit.
    pub refused: u64,
    /// Sessions closed because the observer did not read, or sent something else than a request.
    pub expelled: u64,
    /// Items sent.
    pub items_out: u64,
    /// Bytes of these items.
    pub bytes_out: u64,
    /// Times that a subscriber fell behind the live stream and was served from the store again.
    pub lagged: u64,
}

/// A counter that many tasks add to.
#[derive(Default, Debug)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Relaxed);
    }

    pub(crate) fn sub(&self, count: u64) {
        self.0.fetch_sub(count, Relaxed);
    }

    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// What is counted of one peer while it runs.
#[derive(Default, Debug)]
pub(crate) struct PeerCounters {
    pub(crate) outbound_up: AtomicBool,
    pub(crate) inbound_up: AtomicBool,
    pub(crate) frames_out: Counter,
    pub(crate) bytes_out: Counter,
    pub(crate) frames_in: Counter,
    pub(crate) bytes_in: Counter,
    pub(crate) frames_dropped: Counter,
    pub(crate) connects: Counter,
    pub(crate) connect_failures: Counter,
    pub(crate) violations: Counter,
    pub(crate) rtt_us: Counter,
}

impl PeerCounters {
    pub(crate) fn snapshot(&self, peer: MemberId, (frames, bytes): (u64, u64)) -> PeerMetrics {
        PeerMetrics {
            peer,
            outbound_up: self.outbound_up.load(Relaxed),
            inbound_up: self.inbound_up.load(Relaxed),
            frames_out: self.frames_out.get(),
            bytes_out: self.bytes_out.get(),
            frames_in: self.frames_in.get(),
            bytes_in: self.bytes_in.get(),
            frames_dropped: self.frames_dropped.get(),
            connects: self.connects.get(),
            connect_failures: self.connect_failures.get(),
            violations: self.violations.get(),
            outbox_frames: frames,
            outbox_bytes: bytes,
            rtt: Duration::from_micros(self.rtt_us.get()),
        }
    }
}

/// What is counted of the endpoint as a whole.
#[derive(Default, Debug)]
pub(crate) struct EndpointCounters {
    pub(crate) handshakes_refused: Counter,
    pub(crate) handshakes_retried: Counter,
    pub(crate) handshakes_failed: Counter,
    pub(crate) unknown_identities: Counter,
}

/// What is counted of the attestation stream.
#[derive(Default, Debug)]
pub(crate) struct ObserverCounters {
    pub(crate) sessions: Counter,
    pub(crate) refused: Counter,
    pub(crate) expelled: Counter,
    pub(crate) items_out: Counter,
    pub(crate) bytes_out: Counter,
    pub(crate) lagged: Counter,
}

impl ObserverCounters {
    pub(crate) fn snapshot(&self) -> ObserverMetrics {
        ObserverMetrics {
            sessions: self.sessions.get(),
            refused: self.refused.get(),
            expelled: self.expelled.get(),
            items_out: self.items_out.get(),
            bytes_out: self.bytes_out.get(),
            lagged: self.lagged.get(),
        }
    }
}
