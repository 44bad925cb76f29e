//! All rounds of one member: which are alive, what is answered for those that are over, and the restart fence.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    sync::Arc,
};

use touchstone_crypto::Verified;
use touchstone_types::{Attestation, MemberId, MemberSet, Round, RoundClock, Status, View};

use crate::{
    coverage::{Coverage, Rule},
    message::{Content, Message, Reply, Signed},
    pace::Pace,
    params::{Params, ParamsError, Rules, Sound},
    round::{Ctx, RoundState},
    step::{Closing, Effect, Fault, FaultKind, Input, Now, Position, Step, To},
    verify::Verifier,
};

/// Messages beyond the horizon that are kept of each member, for when the own clock or the others' rounds get there.
const BEYOND_KEPT: usize = 32;
/// The leader of a round is one of those who contributed to a certificate this many rounds before it: a newer one might not be
/// known to all.
const LEADERS_AFTER: u64 = 2;
/// How many rounds the contributors of a certificate are kept for that.
const LEADERS_KEPT: u64 = 16;
/// How many rounds after a signed one the stored fence has to reach.
const FENCE_AHEAD: u64 = 2;

/// What a member is set up with.
pub struct Setup<R: Rules = Sound> {
    /// The member.
    pub me: MemberId,
    /// What messages are checked against; the core uses its public keys and its terms.
    pub verifier: Verifier<R>,
    /// How rounds are numbered.
    pub clock: RoundClock,
    /// Settings.
    pub params: Params,
    /// The highest round that the member may have joined before it was started, as [`Effect::PersistFence`] stored it; round 0
    /// for a member that never ran.
    pub fence: Round,
}

/// A certificate that is kept for members that lag behind.
struct Kept {
    /// Without observations, as it is handed on.
    certificate: Arc<Attestation>,
    served: MemberSet,
}

/// One member's part in all rounds. It is called, never run: see [`Core::handle`].
pub struct Core<R: Rules = Sound> {
    me: MemberId,
    verifier: Verifier<R>,
    clock: RoundClock,
    params: Params,
    rounds: BTreeMap<Round, RoundState<R>>,
    kept: BTreeMap<Round, Kept>,
    newest: Option<Round>,
    /// The last round that priced each feed, by index.
    priced: BTreeMap<u16, Round>,
    /// Who may lead rounds after a certificate.
    leaders: BTreeMap<Round, Vec<MemberId>>,
    pace: Pace,
    /// The highest round that each member observed in.
    claims: Vec<Round>,
    beyond: BTreeMap<MemberId, VecDeque<Verified<Message>>>,
    /// The highest round that has started by a believed clock or by `f + 1` members; never goes back.
    head: Round,
    clock_trusted: bool,
    /// The round of the own clock when it was looked at last, if it was believed.
    by_clock: Option<Round>,
    fence: Round,
    persisted: Round,
    coverage: Coverage,
}

impl<R: Rules> Core<R> {
    /// A member that has seen nothing yet.
    ///
    /// # Errors
    /// A setting outside its range.
    pub fn new(setup: Setup<R>) -> Result<Self, ParamsError> {
        setup.params.validate()?;
        let n = setup.verifier.terms().committee.n();
        Ok(Self {
            me: setup.me,
            clock: setup.clock,
            params: setup.params,
            rounds: BTreeMap::new(),
            kept: BTreeMap::new(),
            newest: None,
            priced: BTreeMap::new(),
            leaders: BTreeMap::new(),
            pace: Pace::default(),
            claims: vec![Round(0); usize::from(n)],
            beyond: BTreeMap::new(),
            head: Round(0),
            clock_trusted: true,
            by_clock: None,
            fence: if setup.verifier.rules().fence() {
                setup.fence
            } else {
                Round(0)
            },
            persisted: setup.fence,
            coverage: Coverage::default(),
            verifier: setup.verifier,
        })
    }

    /// Takes one input and says what to do about it. Effects must be carried out in their order.
    pub fn handle(&mut self, now: Now, input: Input) -> Step {
        let mut step = Step::default();
        self.advance(now, &mut step);
        match input {
            Input::Message(message) => self.on_message(now, *message, &mut step),
            Input::Own(signed) => self.on_own(now, *signed, &mut step),
            Input::ClockTrusted(trusted) => self.clock_trusted = trusted,
            Input::Tick => {}
        }
        self.tick(now, &mut step);
        step
    }

    /// When to call [`Core::handle`] with [`Input::Tick`], in monotonic microseconds; ask again after every call.
    pub fn deadline(&self, now: Now) -> Option<u64> {
        let next = self
            .clock
            .round_at(now.unix_ms)
            .map_or(self.clock.first_round, |r| r.saturating_add(1));
        let wait_ms = self.clock.start_ms(next).saturating_sub(now.unix_ms);
        let next_us = now
            .mono_us
            .saturating_add(wait_ms.max(1).saturating_mul(1_000));
        let rounds = self
            .rounds
            .values()
            .filter_map(|r| r.deadline_us(&self.params));
        rounds.chain(std::iter::once(next_us)).min()
    }

    /// The rounds that are alive, each with its view.
    pub fn alive(&self) -> impl Iterator<Item = (Round, View)> + '_ {
        self.rounds
            .iter()
            .map(|(round, state)| (*round, state.view()))
    }

    /// Where the member stands in a round that is alive.
    pub fn position(&self, round: Round) -> Option<Position> {
        self.rounds.get(&round).map(RoundState::position)
    }

    /// All that the member knows of a living round, for people, and for a model checker that compares states.
    pub fn inspect(&self, round: Round) -> Option<impl fmt::Debug + '_> {
        self.rounds.get(&round)
    }

    /// The newest round whose certificate this member holds.
    pub fn newest(&self) -> Option<Round> {
        self.newest
    }

    /// The highest round that has started.
    pub fn head(&self) -> Round {
        self.head
    }

    /// How many messages, observations, values and certificates the member keeps.
    pub fn kept(&self) -> usize {
        let rounds = self.rounds.values().map(RoundState::kept);
        let beyond = self.beyond.values().map(VecDeque::len);
        rounds
            .chain(beyond)
            .fold(self.kept.len(), usize::saturating_add)
    }

    /// How often each rule fired.
    pub fn coverage(&self) -> &Coverage {
        &self.coverage
    }

    /// How many rounds a round of this number lives.
    fn life(&self, round: Round) -> u64 {
        let doublings = round.0.trailing_zeros().min(self.params.life_doublings);
        self.params.life_rounds.saturating_mul(1 << doublings)
    }

    /// How a round ended, if it is over. The answer never changes back, and needs no memory of the round itself.
    fn over(&self, round: Round) -> Option<Closing> {
        if self.kept.contains_key(&round) {
            return Some(Closing::Signed);
        }
        let overtaken = |newest: &Round| *newest >= round.saturating_add(self.params.life_rounds);
        if self.newest.as_ref().is_some_and(overtaken) {
            return Some(Closing::Missed);
        }
        let age = self.head.0.saturating_sub(round.0);
        (age >= self.life(round)).then_some(Closing::Expired)
    }

    fn horizon(&self) -> Round {
        self.head.saturating_add(self.params.skew_rounds)
    }

    /// O1, L3: moves with the clock.
    fn advance(&mut self, now: Now, step: &mut Step) {
        let by_clock = self
            .clock
            .round_at(now.unix_ms)
            .filter(|_| self.clock_trusted);
        let before = self.head;
        self.head = by_clock.into_iter().fold(self.head, Round::max);
        if self.head != before {
            self.close_finished(step);
            self.replay_beyond(now, step);
        }
        // Whatever others claim about the head: a faulty member and one whose clock is early must not keep this one from
        // observing.
        if by_clock != self.by_clock {
            self.by_clock = by_clock;
            if let Some(round) = by_clock {
                self.with_round(now, round, step, |state, ctx| {
                    state.start(ctx, Rule::StartByClock);
                });
            }
        }
    }

    fn tick(&mut self, now: Now, step: &mut Step) {
        let due = |state: &RoundState<R>| {
            state
                .deadline_us(&self.params)
                .is_some_and(|at| at <= now.mono_us)
        };
        let due = self.rounds.iter().filter(|(_, state)| due(state));
        for round in due.map(|(round, _)| *round).collect::<Vec<_>>() {
            self.with_round(now, round, step, |state, ctx| state.on_tick(ctx));
        }
    }

    fn on_own(&mut self, now: Now, signed: Signed, step: &mut Step) {
        let round = signed.header.round;
        if signed.header.member == self.me && self.rounds.contains_key(&round) {
            self.with_round(now, round, step, |state, ctx| state.on_signed(ctx, signed));
        }
    }

    fn on_message(&mut self, now: Now, message: Verified<Message>, step: &mut Step) {
        let (from, round) = (message.from(), message.round());
        if from == self.me {
            return;
        }
        if let Message::Reply {
            reply: Reply::Cert(certificate),
            ..
        } = &*message
        {
            let certificate = Arc::clone(certificate);
            self.on_certificate(now, &certificate, step);
            return;
        }
        if let Message::Signed(Signed {
            content: Content::Obs { .. },
            ..
        }) = &*message
        {
            self.on_claim(now, from, round, step);
        }
        if self.over(round).is_some() {
            self.answer_closed(from, &message, step);
        } else if round <= self.fence {
            self.coverage.fire(Rule::Fenced);
        } else if round > self.horizon() {
            self.coverage.fire(Rule::BeyondHorizon);
            // VALUE is the largest message, and nobody was asked for one of a round that has not begun.
            let unasked = matches!(
                &*message,
                Message::Reply {
                    reply: Reply::Value { .. },
                    ..
                }
            );
            let kept = self.beyond.entry(from).or_default();
            if kept.len() < BEYOND_KEPT && !unasked {
                kept.push_back(message);
            }
        } else {
            self.with_round(now, round, step, |state, ctx| match message.into_inner() {
                Message::Signed(signed) => state.on_signed(ctx, signed),
                Message::Reply { from, reply, .. } => state.on_reply(ctx, from, &reply),
            });
        }
    }

    /// A member that observes in a round says that the round has started; `f + 1` of them make it true.
    fn on_claim(&mut self, now: Now, from: MemberId, round: Round, step: &mut Step) {
        let Some(claim) = self.claims.get_mut(from.index()) else {
            return;
        };
        if round <= *claim {
            return;
        }
        *claim = round;
        let mut claims = self.claims.clone();
        claims.sort_unstable_by(|a, b| b.cmp(a));
        let f = usize::from(self.verifier.terms().committee.f());
        if let Some(claimed) = claims.get(f).filter(|c| **c > self.head) {
            self.head = *claimed;
            self.close_finished(step);
            self.replay_beyond(now, step);
        }
    }

    fn replay_beyond(&mut self, now: Now, step: &mut Step) {
        let horizon = self.horizon();
        let mut reached = Vec::new();
        for kept in self.beyond.values_mut() {
            let (now, later): (VecDeque<_>, _) = kept.drain(..).partition(|m| m.round() <= horizon);
            reached.extend(now);
            *kept = later;
        }
        for message in reached {
            self.on_message(now, message, step);
        }
    }

    /// L1: whoever is still at work in a round that is over gets its certificate, or the newest one, once.
    fn answer_closed(&mut self, from: MemberId, message: &Message, step: &mut Step) {
        // DECIDE and VALUE are answers themselves. PREPARE and COMMIT come late in every round from whoever is slower than the
        // quorum, and ask for nothing: if their sender does not get as far by itself, it sends TIMEOUT, READY or WANT.
        let asks = match message {
            Message::Reply { reply, .. } => {
                !matches!(reply, Reply::Decide(_) | Reply::Value { .. })
            }
            Message::Signed(signed) => {
                !matches!(signed.content, Content::Prepare(_) | Content::Commit { .. })
            }
        };
        if !asks {
            return;
        }
        let round = message.round();
        let newest = self.newest.filter(|newest| *newest > round);
        let place = if self.kept.contains_key(&round) {
            Some(round)
        } else {
            newest
        };
        let Some((place, kept)) = place.and_then(|p| Some((p, self.kept.get_mut(&p)?))) else {
            return;
        };
        if kept.served.insert(from) {
            self.coverage.fire(Rule::CertAnswer);
            step.effects.push(Effect::Reply {
                to: To::One(from),
                round: place,
                reply: Reply::Cert(Arc::clone(&kept.certificate)),
            });
        }
    }

    /// S9: somebody holds the round's certificate.
    fn on_certificate(&mut self, now: Now, certificate: &Arc<Attestation>, step: &mut Step) {
        let round = certificate.statement.round;
        if self.over(round).is_some() && self.newest.is_some_and(|newest| newest >= round) {
            return;
        }
        self.coverage.fire(Rule::CertReceived);
        let published = match self.rounds.get_mut(&round) {
            Some(state) => {
                if let Some(decided) = state.decided_report().map(|r| r.statement)
                    && decided != certificate.statement
                {
                    step.faults.push(Fault {
                        member: None,
                        round,
                        kind: FaultKind::Divergence {
                            signed: Box::new(certificate.statement),
                            decided: Box::new(decided),
                        },
                    });
                }
                state.close(self.verifier.terms(), certificate)
            }
            None => Arc::clone(certificate),
        };
        self.close_signed(now, &published, step);
        self.replay_beyond(now, step);
    }

    /// Takes in a certificate, of this member's making or not, and closes what it ends.
    fn close_signed(&mut self, now: Now, attestation: &Arc<Attestation>, step: &mut Step) {
        let round = attestation.statement.round;
        let certificate = if attestation.observations.is_empty() {
            Arc::clone(attestation)
        } else {
            let mut certificate = Attestation::clone(attestation);
            certificate.observations.clear();
            Arc::new(certificate)
        };
        let mut served = MemberSet::default();
        if let Some(state) = self.rounds.remove(&round) {
            self.note_leaders(round, state.leaders());
            served = state.to_be_told();
            if !served.is_empty() {
                self.coverage.fire(Rule::AnswerWant);
                step.effects.push(Effect::Reply {
                    to: To::Set(served),
                    round,
                    reply: Reply::Cert(Arc::clone(&certificate)),
                });
            }
        }
        self.kept.insert(
            round,
            Kept {
                certificate,
                served,
            },
        );
        while self.kept.len() > self.params.certificates_kept {
            self.kept.pop_first();
        }
        if self.newest.is_none_or(|newest| newest < round) {
            self.newest = Some(round);
            self.head = self.head.max(round);
            let leaves = attestation.leaves.iter().zip(0u16..);
            let priced = leaves.filter(|(leaf, _)| !leaf.status.contains(Status::UNAVAILABLE));
            self.priced.extend(priced.map(|(_, index)| (index, round)));
        }
        step.effects.push(Effect::Publish(Arc::clone(attestation)));
        step.effects.push(Effect::Closed(round, Closing::Signed));
        self.close_finished(step);
        self.store_fence_early(round, step);
        self.want_earlier(now, round, step);
    }

    /// O4: the others have gone on.
    fn want_earlier(&mut self, now: Now, signed: Round, step: &mut Step) {
        let earlier = self.rounds.range(..signed);
        let lacking = earlier.filter(|(_, state)| state.lacks_observations());
        for round in lacking.map(|(round, _)| *round).collect::<Vec<_>>() {
            self.with_round(now, round, step, |state, ctx| state.want_early(ctx));
        }
    }

    /// L4, ahead of time: when a round is signed nobody waits for this member, so the next rounds need not wait for its disk.
    fn store_fence_early(&mut self, round: Round, step: &mut Step) {
        let soon = round.saturating_add(FENCE_AHEAD);
        if self.persisted < soon {
            self.persisted = soon.saturating_add(self.params.fence_block);
            step.effects.push(Effect::PersistFence(self.persisted));
        }
    }

    fn note_leaders(&mut self, round: Round, leaders: Option<Vec<MemberId>>) {
        if let Some(leaders) = leaders.filter(|l| !l.is_empty()) {
            self.leaders.insert(round, leaders);
        }
        let oldest = self.newest.unwrap_or_default().saturating_sub(LEADERS_KEPT);
        self.leaders = self.leaders.split_off(&oldest);
    }

    /// Who leads view 0: the contributors of an earlier certificate in turn, so that members which are down are left out. Two
    /// members that say differently lose speed only.
    fn leader(&self, round: Round) -> MemberId {
        let n = u64::from(self.verifier.terms().committee.n());
        let turn = |among: u64| round.0.checked_rem(among).unwrap_or_default();
        let before = ..=round.saturating_sub(LEADERS_AFTER);
        let known = self.leaders.range(before).next_back();
        let known = known
            .filter(|_| self.verifier.rules().rotate_leader())
            .and_then(|(_, among)| {
                let at = turn(u64::try_from(among.len()).ok()?);
                among.get(usize::try_from(at).ok()?).copied()
            });
        known.unwrap_or_else(|| MemberId(u16::try_from(turn(n)).unwrap_or_default()))
    }

    /// L2, L3.
    fn close_finished(&mut self, step: &mut Step) {
        let finished = self
            .rounds
            .keys()
            .filter_map(|r| Some((*r, self.over(*r)?)));
        for (round, closing) in finished.collect::<Vec<_>>() {
            self.rounds.remove(&round);
            self.coverage.fire(match closing {
                Closing::Signed => Rule::CertReceived,
                Closing::Missed => Rule::Missed,
                Closing::Expired => Rule::Expired,
            });
            step.effects.push(Effect::Closed(round, closing));
        }
    }

    /// Runs a part of a living round, and closes the round if that got it signed.
    fn with_round(
        &mut self,
        now: Now,
        round: Round,
        step: &mut Step,
        run: impl FnOnce(&mut RoundState<R>, &mut Ctx<'_>),
    ) {
        if round <= self.fence || self.over(round).is_some() {
            return;
        }
        if round > self.persisted {
            // Before the first message of a round leaves: a restarted member must know that it may have sent it.
            self.persisted = round.saturating_add(self.params.fence_block);
            step.effects.push(Effect::PersistFence(self.persisted));
        }
        let leader = self.leader(round);
        let state = self
            .rounds
            .entry(round)
            .or_insert_with(|| RoundState::new(round, self.verifier.rules()));
        let mut ctx = Ctx {
            now,
            me: self.me,
            params: &self.params,
            scheme: self.verifier.scheme(),
            terms: self.verifier.terms(),
            tag: self.verifier.tag(),
            leader,
            priced: &self.priced,
            heard: &self.claims,
            pace: &mut self.pace,
            step,
            coverage: &mut self.coverage,
        };
        run(state, &mut ctx);
        if let Some(attestation) = state.outcome().cloned() {
            self.close_signed(now, &attestation, step);
        }
    }
}
