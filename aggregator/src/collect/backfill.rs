//! Asks nodes and other aggregators for what is missing, and gives up what nobody has.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    sync::{mpsc, oneshot},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use touchstone_transport::TlsIdentity;
use touchstone_types::Round;

use super::{
    EvidenceIntake, Intake, NodeAddress, NodeSource, Sources, Tracker, Upstream, Verdict,
    node::FetchRequest,
};
use crate::store::{RoundRange, Store};

const POLL: Duration = Duration::from_millis(500);
const NODE_PATIENCE: Duration = Duration::from_secs(30);
/// Rounds asked for at a time.
const CHUNK: u64 = 64;

/// The back-filling task.
pub struct Backfill {
    store: Arc<Store>,
    tracker: Arc<Tracker>,
    intake: Arc<Intake>,
    nodes: Vec<mpsc::Sender<FetchRequest>>,
    upstreams: Vec<Upstream>,
    give_up_after: Duration,
    turn: usize,
}

impl Backfill {
    /// Back-fills from upstreams, and from the nodes that are added.
    pub fn new(
        store: Arc<Store>,
        tracker: Arc<Tracker>,
        intake: Arc<Intake>,
        upstreams: Vec<Upstream>,
        give_up_after: Duration,
    ) -> Self {
        Self {
            store,
            tracker,
            intake,
            nodes: Vec::new(),
            upstreams,
            give_up_after,
            turn: 0,
        }
    }

    /// Adds a node whose stream starts at `from`; the returned source is to be run.
    pub fn add_node(
        &mut self,
        node: NodeAddress,
        from: Round,
        evidence: Arc<EvidenceIntake>,
        sources: Arc<Sources>,
        identity: Arc<TlsIdentity>,
    ) -> NodeSource {
        let intake = Arc::clone(&self.intake);
        let (source, requests) = NodeSource::new(node, from, intake, evidence, sources, identity);
        self.nodes.push(requests);
        source
    }

    /// Runs until shutdown.
    pub async fn run(mut self, shutdown: CancellationToken) {
        loop {
            let due = self.tracker.due(CHUNK, Instant::now());
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = async {
                    match due {
                        Some(gap) => self.fill(gap.range).await,
                        None => sleep(POLL).await,
                    }
                } => {}
            }
        }
    }

    async fn fill(&mut self, range: RoundRange) {
        tracing::debug!(first = %range.first, last = %range.last, "back-filling");
        let mut everybody = !self.nodes.is_empty() || !self.upstreams.is_empty();
        // Another node first each time, so that no one bears it all.
        self.turn = self.turn.wrapping_add(1);
        let turn = self.turn.checked_rem(self.nodes.len()).unwrap_or_default();
        let (before, from) = self.nodes.split_at(turn);
        for node in from.iter().chain(before) {
            everybody &= ask_node(node, range).await;
            if self.is_filled(range).await {
                return;
            }
        }
        for upstream in &self.upstreams {
            everybody &= self.ask_upstream(upstream, range).await;
            if self.is_filled(range).await {
                return;
            }
        }
        let now = Instant::now();
        let given_up = self
            .tracker
            .asked(range, everybody, self.give_up_after, now);
        for missed in given_up {
            self.give_up(missed).await;
        }
    }

    /// Whether the writer has all of it; it is given a moment, for the queue lies between.
    async fn is_filled(&self, range: RoundRange) -> bool {
        for _ in 0..10 {
            if self.tracker.missing_of(range) == 0 {
                return true;
            }
            sleep(Duration::from_millis(20)).await;
        }
        false
    }

    async fn ask_upstream(&self, upstream: &Upstream, range: RoundRange) -> bool {
        for round in range.first.0..=range.last.0 {
            match upstream.fetch(Round(round), &self.intake).await {
                Ok(None | Some(Verdict::Accepted(_) | Verdict::Seen)) => {}
                Ok(Some(Verdict::Refused(_) | Verdict::Closed)) => return true,
                Err(error) => {
                    tracing::debug!(source = %upstream.name(), %error, "no back-fill");
                    return false;
                }
            }
        }
        true
    }

    async fn give_up(&self, range: RoundRange) {
        let count = range.last.0.saturating_sub(range.first.0).saturating_add(1);
        tracing::warn!(first = %range.first, last = %range.last, "no source has these rounds: missed");
        metrics::counter!("aggregator_missed_rounds_total").increment(count);
        if let Err(error) = self.store.mark_missed(range).await {
            tracing::error!(%error, "cannot note missed rounds");
        }
    }
}

async fn ask_node(node: &mpsc::Sender<FetchRequest>, range: RoundRange) -> bool {
    let (answered, answer) = oneshot::channel();
    if node.try_send(FetchRequest { range, answered }).is_err() {
        return false;
    }
    matches!(timeout(NODE_PATIENCE, answer).await, Ok(Ok(true)))
}
