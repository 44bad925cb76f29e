//! The only task that writes: takes believed attestations from a bounded queue, stores a batch in one transaction, then
//! makes it known; between batches it carries out retention.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval, sleep},
};

use crate::{
    collect::Tracker,
    config::unix_ms,
    live::Live,
    render::SignedRound,
    store::{Entry, Outcome, Policy, Store},
};

/// Attestations that may wait for the writer; beyond that the sources wait.
pub const QUEUE: usize = 1_024;
const BATCH: usize = 128;
const RETRY: Duration = Duration::from_secs(1);

/// What others may know of the writer.
#[derive(Debug, Default)]
pub struct Health {
    failing: AtomicBool,
    equivocations: AtomicU64,
}

impl Health {
    /// Whether the last write failed.
    pub fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }

    /// How many rounds were seen with a second statement.
    pub fn equivocations(&self) -> u64 {
        self.equivocations.load(Ordering::Relaxed)
    }

    /// Starts with what the database holds.
    pub fn set_equivocations(&self, count: u64) {
        self.equivocations.store(count, Ordering::Relaxed);
    }
}

/// The writer and what it works with.
pub struct Writer {
    /// Where to.
    pub store: Arc<Store>,
    /// Who is told.
    pub live: Live,
    /// Who keeps the books on missing rounds.
    pub tracker: Arc<Tracker>,
    /// How it goes.
    pub health: Arc<Health>,
    /// What is kept.
    pub policy: Policy,
    /// How often retention looks.
    pub retention_interval: Duration,
}

impl Writer {
    /// Runs until every sender of the queue is gone; what is queued then is still written.
    pub async fn run(self, mut queue: mpsc::Receiver<Entry>) {
        let mut ticks = interval(self.retention_interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            tokio::select! {
                biased;
                count = queue.recv_many(&mut batch, BATCH) => {
                    if count == 0 {
                        return;
                    }
                    metrics::gauge!("aggregator_write_queue").set(f64::from(u32::try_from(queue.len()).unwrap_or(u32::MAX)));
                    self.write(&batch, &queue).await;
                    batch.clear();
                }
                _ = ticks.tick() => self.retain(&mut ticks).await,
            }
        }
    }

    /// Writes until the database takes it: a believed attestation is not thrown away because a disk is full. While it
    /// waits the queue fills and the sources are made to wait; only when they are gone (shutdown) does it give up.
    async fn write(&self, batch: &[Entry], queue: &mpsc::Receiver<Entry>) {
        let started = Instant::now();
        loop {
            match self.store.write(batch).await {
                Ok(outcomes) => {
                    self.health.failing.store(false, Ordering::Relaxed);
                    metrics::histogram!("aggregator_write_seconds").record(started.elapsed());
                    for (entry, outcome) in batch.iter().zip(outcomes) {
                        self.tell(entry, outcome, started);
                    }
                    return;
                }
                Err(error) => {
                    self.health.failing.store(true, Ordering::Relaxed);
                    metrics::counter!("aggregator_write_failures_total").increment(1);
                    tracing::error!(%error, rounds = batch.len(), "cannot write");
                    if queue.is_closed() || queue.sender_strong_count() == 0 {
                        return;
                    }
                    sleep(RETRY).await;
                }
            }
        }
    }

    fn tell(&self, entry: &Entry, outcome: Outcome, started: Instant) {
        let (round, source) = (entry.attestation.round(), &entry.source);
        metrics::counter!("aggregator_attestations_total", "outcome" => outcome_name(outcome))
            .increment(1);
        match outcome {
            Outcome::Stored => {
                let signed = SignedRound::new((*entry.attestation).clone());
                let age = entry.seen_at_ms.saturating_sub(signed.timestamp_ms());
                metrics::histogram!("aggregator_attestation_age_seconds")
                    .record(Duration::from_millis(age));
                tracing::debug!(%round, %source, "stored");
                self.tracker.stored(round, started);
                self.live.publish(Arc::new(signed));
            }
            Outcome::Equivocation => {
                self.health.equivocations.fetch_add(1, Ordering::Relaxed);
                metrics::counter!("aggregator_equivocations_total", "source" => source.to_string())
                    .increment(1);
                tracing::error!(%round, %source, statement = %entry.attestation.statement.digest(),
                    "ALARM: a second validly signed statement for a stored round; both are kept as evidence, the first one stays");
            }
            Outcome::Repaired => {
                tracing::error!(%round, "the stored row was damaged; it has been written anew");
            }
            Outcome::Duplicate | Outcome::ObservationsAdded => {}
        }
    }

    async fn retain(&self, ticks: &mut tokio::time::Interval) {
        match self.store.retain(self.policy, unix_ms()).await {
            Ok(thinned) => {
                metrics::counter!("aggregator_retention_deleted_total").increment(thinned.deleted);
                if thinned.more {
                    // The next step as soon as the queue has been looked at.
                    ticks.reset_immediately();
                }
            }
            Err(error) => tracing::error!(%error, "retention failed"),
        }
    }
}

fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Stored => "stored",
        Outcome::ObservationsAdded => "observations-added",
        Outcome::Duplicate => "duplicate",
        Outcome::Repaired => "repaired",
        Outcome::Equivocation => "equivocation",
    }
}
