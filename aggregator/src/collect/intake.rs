//! Where bytes from a source become a believed attestation, or a fault with a name.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::mpsc;
use touchstone_types::{Digest, Round, sha256};

use super::Sources;
use crate::{
    config::unix_ms,
    network::Network,
    store::Entry,
    verify::{Refusal, verify},
};

/// How many of the last believed attestations are recognised by their bytes.
const RECENT: usize = 1_024;

/// What came of an offer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Verified and handed to the writer.
    Accepted(Round),
    /// Byte for byte what was verified a moment ago.
    Seen,
    /// Not believed; whoever offered it is at fault.
    Refused(Refusal),
    /// The aggregator is shutting down.
    Closed,
}

/// The one way into the writer's queue.
pub struct Intake {
    network: Arc<Network>,
    queue: mpsc::Sender<Entry>,
    sources: Arc<Sources>,
    recent: Mutex<VecDeque<Digest>>,
}

impl Intake {
    /// An intake into the writer's queue.
    pub fn new(network: Arc<Network>, queue: mpsc::Sender<Entry>, sources: Arc<Sources>) -> Self {
        Self {
            network,
            queue,
            sources,
            recent: Mutex::new(VecDeque::with_capacity(RECENT)),
        }
    }

    /// Verifies what a source offers and queues it for the writer; waits while the queue is full.
    ///
    /// Only bytes that were verified before are let by without a check. A node that repeats a known statement with other
    /// leaves or signatures gains nothing by it, but it is caught.
    pub async fn offer(&self, source: &Arc<str>, bytes: &[u8]) -> Verdict {
        let digest = sha256(&[bytes]);
        if self.has_seen(&digest) {
            metrics::counter!("aggregator_attestations_total", "outcome" => "seen").increment(1);
            return Verdict::Seen;
        }
        let attestation = match verify(&self.network, bytes) {
            Ok(attestation) => attestation,
            Err(refusal) => {
                self.blame(source, &refusal);
                return Verdict::Refused(refusal);
            }
        };
        let round = attestation.round();
        let entry = Entry {
            attestation,
            source: Arc::clone(source),
            seen_at_ms: unix_ms(),
        };
        if self.queue.send(entry).await.is_err() {
            return Verdict::Closed;
        }
        self.remember(digest);
        Verdict::Accepted(round)
    }

    fn blame(&self, source: &Arc<str>, refusal: &Refusal) {
        self.sources
            .update(source, |s| s.refused = s.refused.saturating_add(1));
        metrics::counter!("aggregator_refused_total", "source" => source.to_string(), "reason" => refusal.code())
            .increment(1);
        tracing::warn!(%source, reason = refusal.code(), %refusal, "refused an attestation; nothing of it is stored");
    }

    fn has_seen(&self, digest: &Digest) -> bool {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.iter().rev().any(|d| d == digest)
    }

    fn remember(&self, digest: Digest) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.len() >= RECENT {
            recent.pop_front();
        }
        recent.push_back(digest);
    }
}
