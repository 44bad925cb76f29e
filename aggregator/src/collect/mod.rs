//! Getting attestations: from the streams of several nodes at once, and what is missing from nodes and other aggregators; and
//! evidence from the nodes.

mod backfill;
mod evidence;
mod intake;
mod node;
mod tracker;
mod upstream;

use std::sync::Mutex;

pub use backfill::Backfill;
pub use evidence::{EvidenceIntake, EvidenceVerdict};
pub use intake::{Intake, Verdict};
pub use node::{NodeAddress, NodeSource};
pub use tracker::{Gap, Tracker};
pub use upstream::Upstream;

/// What is known of each source, for `/readyz` and for the log.
#[derive(Debug, Default)]
pub struct Sources(Mutex<std::collections::BTreeMap<std::sync::Arc<str>, SourceState>>);

/// What is known of one source.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct SourceState {
    /// Whether its stream is open.
    pub connected: bool,
    /// How much of what it sent was refused.
    pub refused: u64,
}

impl Sources {
    /// Changes what is known of a source.
    pub fn update(&self, name: &std::sync::Arc<str>, change: impl FnOnce(&mut SourceState)) {
        let mut states = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let state = states.entry(std::sync::Arc::clone(name)).or_default();
        change(state);
        let connected = if state.connected { 1.0 } else { 0.0 };
        metrics::gauge!("aggregator_source_connected", "source" => name.to_string()).set(connected);
    }

    /// What is known of every source.
    pub fn snapshot(&self) -> Vec<(std::sync::Arc<str>, SourceState)> {
        let states = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        states.iter().map(|(n, s)| (n.clone(), *s)).collect()
    }
}
