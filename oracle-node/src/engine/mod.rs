//! The engine: one task owns the core and carries out its effects in order.
//!
//! ```text
//! mesh --frames--> verify pool --checked--> engine(core) --drafts--> vault --sealed--> engine --> mesh, and the core again
//!                                             |-- fence (disk)   |-- history, evidence --> disk, observers
//! ```
//!
//! Nothing of a step leaves the node before the fence that precedes it is on the disk: the engine waits for it, and only then
//! asks the vault for what follows.

pub(crate) mod bad;
mod clock;
mod faults;
pub(crate) mod frames;
pub(crate) mod verify;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use thiserror::Error;
use tokio::{
    sync::mpsc::{Receiver, UnboundedReceiver},
    task::spawn_blocking,
    time::sleep_until,
};
use tokio_util::sync::CancellationToken;
use touchstone_consensus::{
    Closing, Content, Core, Draft, Effect, Fault, Input, Message, Now, ParamsError, Reply, Setup,
    Sound, Step, To,
};
use touchstone_feeds::{Priced, SourceHealth};
use touchstone_transport::{Mesh, Outgoing};
use touchstone_types::{Attestation, Committee, MemberId, Round, RoundClock};

use crate::{
    evidence::EvidenceStore,
    fence::{FenceError, FenceFile},
    history::History,
    telemetry::Metrics,
    vault::{IN_FLIGHT_MAX, Sealed, Vault, VaultGone},
};
use clock::ClockGuard;
pub(crate) use faults::FaultLog;
use frames::kind_of;
use verify::Checked;

/// The engine looks at the clocks at least this often.
const LOOK_PERIOD: Duration = Duration::from_secs(1);
/// Marks the round under which a certificate's frame is retained: certificates outlive their rounds.
const CERTIFICATE_MARK: u64 = 1 << 63;

/// Where a node's prices come from.
pub trait Prices: Send + Sync + 'static {
    /// Every feed of the manifest, in its order, priced at this Unix time in milliseconds.
    fn price(&self, now_ms: u64) -> Vec<Priced>;

    /// How the sources have been answering.
    fn health(&self, now_ms: u64) -> Vec<SourceHealth>;
}

impl Prices for touchstone_feeds::Handle {
    fn price(&self, now_ms: u64) -> Vec<Priced> {
        Self::price(self, now_ms)
    }

    fn health(&self, now_ms: u64) -> Vec<SourceHealth> {
        Self::health(self, now_ms)
    }
}

/// Why the engine cannot go on.
#[derive(Debug, Error)]
pub(crate) enum EngineError {
    #[error(transparent)]
    Params(#[from] ParamsError),
    #[error(transparent)]
    Vault(#[from] VaultGone),
    #[error(transparent)]
    Fence(#[from] FenceError),
    #[error("the threads that check messages have ended")]
    VerifyGone,
}

/// The node's two clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clocks {
    start: Instant,
}

impl Clocks {
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
        }
    }

    pub(crate) fn now(&self) -> Now {
        Now {
            mono_us: u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX),
            unix_ms: unix_ms(),
        }
    }

    fn instant(&self, mono_us: u64) -> Instant {
        self.start + Duration::from_micros(mono_us)
    }
}

/// The wall clock in Unix milliseconds.
pub(crate) fn unix_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// What the engine lets others see.
#[derive(Clone, Debug, Default)]
pub(crate) struct View {
    pub(crate) head: Round,
    pub(crate) newest: Option<Round>,
    /// When the newest attestation came, in Unix milliseconds.
    pub(crate) newest_at_ms: Option<u64>,
    pub(crate) attested: u64,
    pub(crate) fence: Round,
    pub(crate) alive: usize,
    pub(crate) vault_waiting: usize,
    pub(crate) clock_trusted: bool,
    pub(crate) clock_offset_ms: Option<i64>,
    pub(crate) observed: Option<Observed>,
}

/// The node's last observation.
#[derive(Clone, Debug)]
pub(crate) struct Observed {
    pub(crate) round: Round,
    pub(crate) at_ms: u64,
    pub(crate) feeds: Arc<[Priced]>,
}

/// A [`View`] that the engine writes and others read.
#[derive(Default)]
pub(crate) struct SharedView(Mutex<View>);

impl SharedView {
    pub(crate) fn read(&self) -> View {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, View> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Everything that the engine works with.
pub(crate) struct Parts {
    pub(crate) setup: Setup,
    pub(crate) mesh: Mesh,
    pub(crate) vault: Vault,
    pub(crate) sealed: UnboundedReceiver<Sealed>,
    pub(crate) checked: Receiver<Checked>,
    pub(crate) prices: Arc<dyn Prices>,
    pub(crate) history: Arc<History>,
    pub(crate) fence: FenceFile,
    pub(crate) evidence: Arc<EvidenceStore>,
    pub(crate) faults: FaultLog,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) view: Arc<SharedView>,
    pub(crate) clocks: Clocks,
    pub(crate) max_offset_ms: u64,
}

/// The engine's task.
pub(crate) struct Engine {
    core: Core<Sound>,
    me: MemberId,
    committee: Committee,
    clock: RoundClock,
    /// How many rounds behind the newest a certificate is still offered to absent members.
    certificate_life: u64,
    mesh: Mesh,
    vault: Vault,
    sealed: UnboundedReceiver<Sealed>,
    checked: Receiver<Checked>,
    prices: Arc<dyn Prices>,
    history: Arc<History>,
    fence: FenceFile,
    evidence: Arc<EvidenceStore>,
    faults: FaultLog,
    metrics: Arc<Metrics>,
    view: Arc<SharedView>,
    clocks: Clocks,
    guard: ClockGuard,
    /// Round trips of the links, as of the last look at the clocks.
    rtts_ms: BTreeMap<MemberId, u64>,
    clock_trusted: bool,
    looked: Option<Instant>,
    certificates: BTreeSet<Round>,
    attested: u64,
    newest_at_ms: Option<u64>,
}

impl Engine {
    pub(crate) fn new(parts: Parts) -> Result<Self, EngineError> {
        let committee = parts.setup.verifier.terms().committee;
        let (me, clock, fence) = (parts.setup.me, parts.setup.clock, parts.setup.fence);
        let certificate_life = parts.setup.params.life_rounds.saturating_mul(2);
        {
            let mut view = parts.view.lock();
            view.fence = fence;
            view.clock_trusted = true;
        }
        Ok(Self {
            core: Core::new(parts.setup)?,
            me,
            committee,
            clock,
            certificate_life,
            mesh: parts.mesh,
            vault: parts.vault,
            sealed: parts.sealed,
            checked: parts.checked,
            prices: parts.prices,
            history: parts.history,
            fence: parts.fence,
            evidence: parts.evidence,
            faults: parts.faults,
            metrics: parts.metrics,
            view: parts.view,
            clocks: parts.clocks,
            guard: ClockGuard::new(parts.max_offset_ms, committee),
            rtts_ms: BTreeMap::new(),
            clock_trusted: true,
            looked: None,
            certificates: BTreeSet::new(),
            attested: 0,
            newest_at_ms: None,
        })
    }

    /// Runs until `stop`; the step under way is finished.
    pub(crate) async fn run(mut self, stop: CancellationToken) -> Result<(), EngineError> {
        let result = self.serve(&stop).await;
        self.vault.close();
        result
    }

    async fn serve(&mut self, stop: &CancellationToken) -> Result<(), EngineError> {
        loop {
            self.look_at_clocks().await?;
            let wake = self.wake();
            let room = self.vault.in_flight() < IN_FLIGHT_MAX;
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                Some(sealed) = self.sealed.recv() => self.on_sealed(sealed).await?,
                message = self.checked.recv(), if room => match message {
                    Some(message) => self.on_checked(message).await?,
                    None => return Err(EngineError::VerifyGone),
                },
                () = sleep_until(wake.into()) => {
                    let now = self.clocks.now();
                    self.step(now, Input::Tick).await?;
                }
            }
        }
    }

    /// When to wake up if nothing happens.
    fn wake(&self) -> Instant {
        let now = self.clocks.now();
        let latest = self.clocks.instant(now.mono_us) + LOOK_PERIOD;
        let deadline = self.core.deadline(now).map(|us| self.clocks.instant(us));
        deadline.map_or(latest, |deadline| deadline.min(latest))
    }

    async fn look_at_clocks(&mut self) -> Result<(), EngineError> {
        let due = self.looked.is_none_or(|at| at.elapsed() >= LOOK_PERIOD / 4);
        if !due {
            return Ok(());
        }
        self.looked = Some(Instant::now());
        let now = self.clocks.now();
        let verdict = self.guard.look(now);
        if verdict.jumped_ms.is_some() || verdict.asleep_ms.is_some() {
            tracing::error!(
                jumped_ms = verdict.jumped_ms,
                asleep_ms = verdict.asleep_ms,
                "the wall clock has jumped, or the machine was asleep; all nonces are destroyed"
            );
            self.vault.forget_all()?;
        }
        let peers = self.mesh.metrics().peers;
        let rtt_ms = |d: Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX);
        self.rtts_ms = peers.iter().map(|p| (p.peer, rtt_ms(p.rtt))).collect();
        self.metrics
            .clock_offset
            .set(verdict.offset_ms.map_or(0.0, seconds));
        {
            let mut view = self.view.lock();
            view.clock_trusted = verdict.trusted;
            view.clock_offset_ms = verdict.offset_ms;
        }
        if verdict.trusted != self.clock_trusted {
            self.clock_trusted = verdict.trusted;
            self.metrics
                .clock_trusted
                .set(if verdict.trusted { 1.0 } else { 0.0 });
            if verdict.trusted {
                tracing::info!(
                    offset_ms = verdict.offset_ms,
                    "the own clock is trusted again"
                );
            } else {
                self.metrics.clock_alarms.increment(1);
                tracing::error!(
                    offset_ms = verdict.offset_ms,
                    "the own clock is not trusted; this node makes no observation"
                );
            }
            self.step(now, Input::ClockTrusted(verdict.trusted)).await?;
        }
        Ok(())
    }

    async fn on_checked(&mut self, message: Checked) -> Result<(), EngineError> {
        let now = self.clocks.now();
        if let Message::Signed(signed) = &**message
            && let Content::Obs { observation, .. } = &signed.content
        {
            let member = signed.header.member;
            let rtt_ms = self.rtts_ms.get(&member).copied().unwrap_or_default();
            self.guard
                .sample(now, member, observation.timestamp_ms, rtt_ms);
        }
        self.step(now, Input::Message(message)).await
    }

    /// The vault has signed: the message leaves, and comes back to the core if it is for this member, too.
    async fn on_sealed(&mut self, sealed: Sealed) -> Result<(), EngineError> {
        self.vault.answered();
        let signed = match sealed.result {
            Ok(signed) => signed,
            Err(error) => {
                self.metrics.shares_refused.increment(1);
                tracing::debug!(round = %sealed.round, %error, "no signature share");
                return Ok(());
            }
        };
        // Frames of a round that has closed meanwhile would be retained for ever.
        if !self.core.alive().any(|(round, _)| round == sealed.round) {
            return Ok(());
        }
        self.send(sealed.to, sealed.round, signed.to_bytes());
        if sealed.to.includes(self.me) {
            let now = self.clocks.now();
            self.step(now, Input::Own(signed)).await?;
        }
        Ok(())
    }

    /// Hands one input to the core and carries out what follows.
    async fn step(&mut self, now: Now, input: Input) -> Result<(), EngineError> {
        let Step { effects, faults } = self.core.handle(now, input);
        for fault in faults {
            self.on_fault(now, &fault);
        }
        for effect in effects {
            self.carry_out(now, effect).await?;
        }
        let mut view = self.view.lock();
        view.head = self.core.head();
        view.newest = self.core.newest();
        view.newest_at_ms = self.newest_at_ms;
        view.attested = self.attested;
        view.alive = self.core.alive().count();
        view.vault_waiting = self.vault.in_flight();
        Ok(())
    }

    async fn carry_out(&mut self, now: Now, effect: Effect) -> Result<(), EngineError> {
        match effect {
            Effect::PersistFence(round) => {
                let fence = self.fence.clone();
                let stored = spawn_blocking(move || fence.store(round)).await;
                // A panic there is one here: nothing may leave without the fence.
                stored.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
            }
            Effect::Observe(round) => self.observe(now, round)?,
            Effect::Send { to, round, draft } => {
                if let Draft::Complete {
                    content: Content::Propose { .. },
                    ..
                } = &draft
                {
                    self.metrics.views.increment(1);
                }
                self.vault.seal(to, round, draft)?;
            }
            Effect::Reply { to, round, reply } => self.reply(to, round, &reply),
            Effect::Publish(attestation) => self.publish(now, &attestation),
            Effect::Closed(round, closing) => self.close(round, closing)?,
        }
        Ok(())
    }

    fn observe(&mut self, now: Now, round: Round) -> Result<(), EngineError> {
        if !self.clock_trusted {
            self.metrics.withheld.increment(1);
            return Ok(());
        }
        let feeds: Arc<[Priced]> = self.prices.price(now.unix_ms).into();
        let observations = feeds.iter().filter_map(|f| f.observation).collect();
        self.view.lock().observed = Some(Observed {
            round,
            at_ms: now.unix_ms,
            feeds,
        });
        self.metrics.observations.increment(1);
        self.vault.observe(round, now.unix_ms, observations)?;
        Ok(())
    }

    fn reply(&mut self, to: To, round: Round, reply: &Reply) {
        let bytes = reply.to_bytes(round);
        let Reply::Cert(_) = reply else {
            return self.send(to, round, bytes);
        };
        self.certificates.insert(round);
        self.send(to, Round(round.0 | CERTIFICATE_MARK), bytes);
    }

    /// Queues a message for the others among its receivers, to be sent again until `retain` is released.
    fn send(&self, to: To, retain: Round, bytes: Vec<u8>) {
        let frame = Outgoing::retained(kind_of(&bytes), retain, bytes);
        let sent = match to {
            To::All => self.mesh.broadcast(&frame),
            To::One(member) if member == self.me => Ok(()),
            To::One(member) => self.mesh.send(member, frame),
            To::Set(members) => {
                let mut others = self
                    .committee
                    .members()
                    .filter(|m| *m != self.me && members.contains(*m));
                others.try_for_each(|m| self.mesh.send(m, frame.clone()))
            }
        };
        if let Err(error) = sent {
            // A message of this member that breaks its own table of limits.
            tracing::error!(%error, "a message was not sent");
        }
    }

    fn publish(&mut self, now: Now, attestation: &Attestation) {
        let round = attestation.statement.round;
        let start = UNIX_EPOCH + Duration::from_millis(self.clock.start_ms(round));
        let latency = SystemTime::now().duration_since(start).unwrap_or_default();
        if self.history.add(attestation) {
            self.attested = self.attested.saturating_add(1);
            self.newest_at_ms = Some(now.unix_ms);
            self.metrics.latency.record(latency);
            tracing::debug!(%round, ?latency, contributors = attestation.observations.len(), "attested");
        }
    }

    fn close(&mut self, round: Round, closing: Closing) -> Result<(), EngineError> {
        self.mesh.release(round);
        self.vault.forget(round)?;
        self.metrics.round_closed(closing);
        if closing != Closing::Signed {
            tracing::warn!(%round, ?closing, "a round ended without an attestation");
        }
        let newest = self.core.newest().unwrap_or_default();
        let kept = self
            .certificates
            .split_off(&newest.saturating_sub(self.certificate_life.saturating_sub(1)));
        for round in std::mem::replace(&mut self.certificates, kept) {
            self.mesh.release(Round(round.0 | CERTIFICATE_MARK));
        }
        Ok(())
    }

    fn on_fault(&mut self, now: Now, fault: &Fault) {
        let kind = faults::name(&fault.kind);
        self.metrics.fault(kind);
        if let Some(evidence) = faults::portable(fault) {
            return self.evidence.add(evidence);
        }
        let Some(untold) = self.faults.may_tell(fault.member, Instant::now()) else {
            return;
        };
        tracing::warn!(member = fault.member.map(|m| m.0), round = %fault.round, kind, untold, "misbehaviour");
        if let Err(error) = self.faults.write(now.unix_ms, fault) {
            tracing::error!(%error, "a fault is not written down");
        }
    }
}

fn seconds(ms: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a metric")]
    let seconds = ms as f64 / 1_000.0;
    seconds
}
