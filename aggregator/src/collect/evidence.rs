//! Where evidence from a source is believed, or is a fault with a name.
//!
//! A node holds a bounded number of records and sends each once in a session, all of which it has judged itself. So a
//! record that proves nothing, or more of them than a node can hold, is the source's fault, and it is left alone for a
//! while: what a liar can make the aggregator compute is one judgement for each of its penalties. Records for which there is
//! no room are let go before they are judged. One record is looked at at a time, whatever the number of sources.

use std::{collections::VecDeque, sync::Arc};

use tokio::sync::Mutex;
use touchstone_crypto::{EvidenceRefusal, Guilt};
use touchstone_types::{Digest, Evidence, sha256};

use super::Sources;
use crate::{
    config::unix_ms,
    network::Network,
    store::{EvidenceEntry, Store, StoreError},
};

/// How many of the last records are recognised by their bytes: what reconnecting nodes send again.
const RECENT: usize = 4_096;

/// What came of an offer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum EvidenceVerdict {
    /// Proved and stored.
    Stored(Guilt),
    /// One for the same slot is stored, or there is no room for more of this member.
    Superfluous,
    /// It proves nothing; whoever offered it is at fault.
    Refused(EvidenceRefusal),
    /// The database failed. It will come again when the source reconnects.
    Failed,
}

/// The one way into the table of evidence.
pub struct EvidenceIntake {
    network: Arc<Network>,
    store: Arc<Store>,
    sources: Arc<Sources>,
    /// Digests of the last records, and the turn to look at the next one.
    recent: Mutex<VecDeque<Digest>>,
}

impl EvidenceIntake {
    /// An intake into a store.
    pub fn new(network: Arc<Network>, store: Arc<Store>, sources: Arc<Sources>) -> Self {
        Self {
            network,
            store,
            sources,
            recent: Mutex::default(),
        }
    }

    /// How many records a source may send in one session.
    pub fn session_max(&self) -> usize {
        self.network.evidence_max()
    }

    /// Judges what a source offers, and stores it if it proves something that is not proved yet.
    pub async fn offer(&self, source: &Arc<str>, bytes: &[u8]) -> EvidenceVerdict {
        let digest = sha256(&[bytes]);
        let mut recent = self.recent.lock().await;
        if recent.iter().rev().any(|d| *d == digest) {
            return EvidenceVerdict::Superfluous;
        }
        let verdict = match self.admit(source, bytes).await {
            Ok(Ok(Some(guilt))) => EvidenceVerdict::Stored(guilt),
            Ok(Ok(None)) => EvidenceVerdict::Superfluous,
            Ok(Err(refusal)) => {
                self.blame(source, &refusal);
                return EvidenceVerdict::Refused(refusal);
            }
            Err(error) => {
                tracing::error!(%source, %error, "evidence cannot be stored");
                return EvidenceVerdict::Failed;
            }
        };
        if recent.len() >= RECENT {
            recent.pop_front();
        }
        recent.push_back(digest);
        verdict
    }

    async fn admit(
        &self,
        source: &Arc<str>,
        bytes: &[u8],
    ) -> Result<Result<Option<Guilt>, EvidenceRefusal>, StoreError> {
        let evidence = match Evidence::from_bytes(bytes) {
            Ok(evidence) => evidence,
            Err(error) => return Ok(Err(error.into())),
        };
        let Some(epoch) = self.network.epoch_of_tag(evidence.header().tag) else {
            return Ok(Err(EvidenceRefusal::Elsewhere {
                network: self.network.id(),
                epoch: self.network.manifest().epoch,
            }));
        };
        if !self
            .store
            .has_room_for(&evidence, epoch.judge.epoch())
            .await?
        {
            return Ok(Ok(None));
        }
        let guilt = match epoch.judge.judge(&evidence) {
            Ok(guilt) => guilt,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let entry = EvidenceEntry {
            evidence: &evidence,
            guilt,
            source,
            received_at_ms: unix_ms(),
        };
        if !self.store.put_evidence(&entry).await? {
            return Ok(Ok(None));
        }
        metrics::counter!("aggregator_evidence_total", "member" => guilt.member.to_string(), "kind" => evidence.kind())
            .increment(1);
        tracing::warn!(%source, id = %evidence.id(), "proved: {guilt}");
        Ok(Ok(Some(guilt)))
    }

    fn blame(&self, source: &Arc<str>, refusal: &EvidenceRefusal) {
        self.sources
            .update(source, |s| s.refused = s.refused.saturating_add(1));
        let reason = format!("evidence-{}", refusal.code());
        metrics::counter!("aggregator_refused_total", "source" => source.to_string(), "reason" => reason)
            .increment(1);
        tracing::warn!(%source, %refusal, "refused evidence");
    }
}
