//! One run: members, network and time.

use std::{
    cell::RefCell,
    collections::{BTreeMap, VecDeque},
    rc::Rc,
};

use anyhow::Result;
use touchstone_consensus::{
    Closing, Coverage, Draft, Effect, Input, Message, Now, Rules, Signed, Step, To, keys,
    keys::ShareError,
};
use touchstone_crypto::{Unverified, Verified};
use touchstone_types::{FeedObservation, MemberId, MemberSet, Round, Status, View};

use super::{
    adversary::{Emission, Puppet, Shown},
    check::{Finding, Ledger, Property, SharedLedger},
    committee::{FEEDS, Network, START_MS},
    dice::Dice,
    letter::{Letter, Posted, Wire, gist},
    node::Node,
    plan::{Plan, Role, Swift, UNIT_US},
    post::{Event, Post, Views},
};

/// A view that a sound protocol gets beyond with odds of one in 3^24.
const VIEWS_MAX: u32 = 24;
/// How long after the last adversarial delay, or the last round's start, everything must be over.
const PATIENCE_US: u64 = 60_000 * UNIT_US;
/// What each letter adds to that.
const LETTER_US: u64 = 100 * UNIT_US;
/// A run with this many events is going round in circles.
const EVENTS_MAX: u64 = 3_000_000;
/// How often Byzantine members act of their own accord, together.
const ACTS_MAX: u64 = 150;

/// How a run ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Everything held, and every round that lived was certified at every running honest member.
    Pass,
    /// Nothing wrong was done, but something right was not.
    NoProgress(String),
    /// A property broke.
    Diverged(Vec<Finding>),
}

impl Verdict {
    /// What went wrong, in a word.
    pub fn name(&self) -> Option<String> {
        match self {
            Self::Pass => None,
            Self::NoProgress(_) => Some("Termination".to_owned()),
            Self::Diverged(findings) => findings.first().map(|f| format!("{:?}", f.property)),
        }
    }
}

/// What a run tells.
pub(super) struct Outcome {
    pub(super) verdict: Verdict,
    pub(super) coverage: Coverage,
    /// The highest view that an honest member entered, for each round that got that far.
    pub(super) views: Vec<u32>,
    /// From an honest member's observation to its certificate, in microseconds.
    pub(super) delays_us: Vec<u64>,
    pub(super) messages: u64,
    pub(super) kept_max: usize,
    /// Pieces of evidence that honest members gave.
    pub(super) evidence: u64,
    /// Rounds that were signed, and how many of them with a feed unavailable.
    pub(super) rounds: u64,
    pub(super) unpriced: u64,
}

impl Outcome {
    /// What is left of a run that panicked.
    pub(super) fn broken(finding: Finding) -> Self {
        Self {
            verdict: Verdict::Diverged(vec![finding]),
            coverage: Coverage::default(),
            views: Vec::new(),
            delays_us: Vec::new(),
            messages: 0,
            kept_max: 0,
            evidence: 0,
            rounds: 0,
            unpriced: 0,
        }
    }
}

/// One run.
pub(super) struct World<'a, R: Rules> {
    plan: &'a Plan,
    network: &'a Network,
    nodes: Vec<Node<R>>,
    post: Post,
    ledger: SharedLedger,
    views: Views,
    highest_view: BTreeMap<Round, View>,
    prices: Dice,
    stuck: Option<String>,
    events: u64,
    acts: u64,
    trace: bool,
}

impl<'a, R: Rules> World<'a, R> {
    pub(super) fn new(plan: &'a Plan, network: &'a Network, trace: bool) -> Result<Self> {
        let ledger: SharedLedger = Rc::new(RefCell::new(Ledger::new(
            R::signing_threshold(plan.committee),
            plan.byzantine(),
        )));
        let members = plan.committee.members().zip(&plan.roles);
        let nodes = members
            .map(|(me, role)| Node::new(network, plan, me, role, &ledger))
            .collect::<Result<Vec<_>>>()?;
        let mut world = Self {
            plan,
            network,
            views: vec![BTreeMap::new(); nodes.len()],
            nodes,
            post: Post::new(plan.seed, plan.byzantine()),
            ledger,
            highest_view: BTreeMap::new(),
            prices: Dice::new(plan.seed, 2),
            stuck: None,
            events: 0,
            acts: 0,
            trace,
        };
        world.set_up();
        Ok(world)
    }

    fn set_up(&mut self) {
        for (member, role) in self.plan.committee.members().zip(&self.plan.roles) {
            match role {
                Role::Honest => {}
                Role::Crash { at_us } => self.post.at(*at_us, Event::Crash { member }),
                Role::Restart { down_us, up_us } => {
                    self.post.at(*down_us, Event::Crash { member });
                    self.post.at(*up_us, Event::Restart { member });
                }
                Role::Byzantine(villain) => {
                    if let Some((down_us, up_us)) = villain.forgets_us {
                        self.post.at(down_us, Event::Crash { member });
                        self.post.at(up_us, Event::Restart { member });
                    }
                    let soon = self.post.soon();
                    self.post.at(soon, Event::Act { member });
                }
            }
            // After the crash, if there is one at once.
            self.post.at(0, Event::Tick { member, life: 0 });
        }
        for b in &self.plan.breaks {
            let (from, to) = (b.from, b.to);
            self.post.at(b.at_us, Event::Break { from, to });
            self.post
                .at(b.at_us + b.down_us, Event::Reconnect { from, to });
        }
    }

    /// Runs until every obligation is met, something breaks, or patience is over.
    pub(super) fn run(mut self) -> Outcome {
        let last_start_us = self.plan.rounds * self.plan.interval_ms * 1_000;
        let heal_us = if self.plan.heal_us == u64::MAX {
            0
        } else {
            self.plan.heal_us
        };
        let limit_us = last_start_us.max(heal_us) + PATIENCE_US;
        while self.ledger.borrow().is_clean() && !self.is_done() {
            let Some(event) = self.post.next(self.plan, &self.views) else {
                break;
            };
            self.events += 1;
            // Letters that are held back go out one after the other.
            let limit_us = limit_us + self.post.posted * LETTER_US;
            if self.post.now_us() > limit_us || self.events > EVENTS_MAX {
                break;
            }
            self.happen(event);
            if self.stuck.is_some() {
                break;
            }
        }
        self.conclude()
    }

    /// What is owed: the certificate of every round that nothing may overtake or outlive, at every honest member that runs
    /// and did not start after the round may have begun.
    fn owed(&self) -> impl Iterator<Item = (MemberId, Round)> + '_ {
        let plan = self.plan;
        let first = plan.first_round.max(Round(
            (plan.last_round().0 + 1).saturating_sub(plan.params.life_rounds),
        ));
        let running = plan
            .committee
            .members()
            .zip(&plan.roles)
            .filter(|(_, role)| matches!(role, Role::Honest | Role::Restart { .. }));
        running.flat_map(move |(member, role)| {
            let node = &self.nodes[member.index()];
            let from = match role {
                Role::Restart { .. } => first.max(node.fence.saturating_add(1)),
                _ => first,
            };
            (from.0..=plan.last_round().0).map(move |r| (member, Round(r)))
        })
    }

    fn is_owed(&self, member: MemberId, round: Round) -> bool {
        !self.nodes[member.index()].closed.contains_key(&round)
    }

    fn is_done(&self) -> bool {
        let restarts = self.plan.roles.iter().zip(&self.nodes).all(|(role, node)| {
            !matches!(role, Role::Restart { .. })
                || node.life == 2
                || node.core.is_some() && node.life == 1
        });
        restarts
            && self.post.now_us() >= (self.plan.rounds - 1) * self.plan.interval_ms * 1_000
            && !self
                .owed()
                .any(|(member, round)| self.is_owed(member, round))
    }

    /// In a calm network view 0 decides and every feed is priced, once the members know each other.
    fn check_swift(&self, swift: Swift) {
        let from = |rounds| self.plan.first_round.saturating_add(rounds);
        let mut ledger = self.ledger.borrow_mut();
        let late = self.highest_view.iter();
        let late: Vec<_> = late
            .filter(|(round, view)| **round >= from(swift.views_after) && view.0 > 0)
            .map(|(round, view)| format!("round {round} needed view {view}"))
            .collect();
        let unpriced = ledger.unavailable().range(from(swift.feeds_after)..);
        let unpriced = unpriced.map(|round| format!("round {round} leaves a feed unpriced"));
        for what in late.into_iter().chain(unpriced.collect::<Vec<_>>()) {
            ledger.find(Property::Swift, what);
        }
    }

    fn conclude(mut self) -> Outcome {
        for node in &mut self.nodes {
            node.bank();
        }
        if let Some(swift) = self.plan.swift {
            self.check_swift(swift);
        }
        let findings = self.ledger.borrow_mut().take_findings();
        let missed: Vec<_> = self
            .owed()
            .filter(|(m, r)| self.nodes[m.index()].closed.get(r) != Some(&Closing::Signed))
            .collect();
        let verdict = if !findings.is_empty() {
            Verdict::Diverged(findings)
        } else if let Some(what) = self.stuck.take() {
            Verdict::NoProgress(what)
        } else if let Some((member, round)) = missed.first() {
            let how = self.nodes[member.index()]
                .closed
                .get(round)
                .map_or("no certificate".to_owned(), |c| format!("{c:?}"));
            Verdict::NoProgress(format!(
                "round {round} at member {member}: {how} ({} owed, {} events, {} ms)",
                missed.len(),
                self.events,
                self.post.now_us() / 1_000
            ))
        } else {
            Verdict::Pass
        };
        let mut coverage = Coverage::default();
        let mut delays_us = Vec::new();
        for node in &self.nodes {
            coverage.add(&node.coverage);
            if node.is_byzantine() {
                continue;
            }
            let delay = |(round, at): (&Round, &u64)| {
                let from = *node.observed_us.get(round)? + self.plan.delays_from_us;
                Some(at.saturating_sub(from))
            };
            delays_us.extend(node.signed_us.iter().filter_map(delay));
        }
        Outcome {
            verdict,
            coverage,
            views: self.highest_view.values().map(|v| v.0).collect(),
            delays_us,
            messages: self.post.posted,
            evidence: self.ledger.borrow().evidence(),
            rounds: self.ledger.borrow().signed_rounds(),
            unpriced: self.ledger.borrow().unavailable().len() as u64,
            kept_max: self
                .nodes
                .iter()
                .filter(|n| !n.is_byzantine())
                .map(|n| n.kept_max)
                .max()
                .unwrap_or_default(),
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Deliver(posted) => self.deliver(&posted),
            Event::Own {
                member,
                life,
                signed,
            } => {
                if self.nodes[member.index()].life == life {
                    self.feed(member, Input::Own(signed));
                }
            }
            Event::Tick { member, life } => {
                let node = &mut self.nodes[member.index()];
                // A tick that an earlier one made superfluous does nothing.
                if node.life == life && node.tick_at_us.is_none_or(|at| at <= self.post.now_us()) {
                    node.tick_at_us = None;
                    self.feed(member, Input::Tick);
                }
            }
            Event::Act { member } => self.act(member),
            Event::Crash { member } => {
                self.say(member, "goes down");
                self.nodes[member.index()].stop();
                for other in self.plan.committee.members() {
                    // What others have sent is lost with the connections; what the member has sent may arrive or not.
                    self.post.break_link(other, member);
                    if self.post.dice().chance(500) {
                        self.post.break_link(member, other);
                    }
                }
            }
            Event::Restart { member } => self.restart(member),
            Event::Break { from, to } => self.post.break_link(from, to),
            Event::Reconnect { from, to } => {
                if self.nodes[to.index()].core.is_some() {
                    self.reconnect(from, to);
                }
            }
        }
    }

    fn restart(&mut self, member: MemberId) {
        let node = &mut self.nodes[member.index()];
        if node.is_byzantine() {
            node.fence = Round(0);
        }
        if let Err(error) = node.start(self.network, self.plan, &self.ledger) {
            self.stuck = Some(format!("member {member} does not start: {error}"));
            return;
        }
        self.say(member, "is up again");
        for other in self.plan.committee.members().filter(|o| *o != member) {
            self.reconnect(other, member);
            self.reconnect(member, other);
        }
        self.feed(member, Input::Tick);
    }

    /// A new link: what the sender keeps of living rounds goes out again.
    fn reconnect(&mut self, from: MemberId, to: MemberId) {
        self.post.mend_link(from, to);
        let kept = self.nodes[from.index()].outbox.values().flatten();
        let again: Vec<_> = kept
            .filter(|(set, _)| set.contains(to))
            .map(|(_, letter)| letter.clone())
            .collect();
        for letter in again {
            self.post.post(
                self.plan,
                &self.views,
                from,
                [to].into_iter().collect(),
                &letter,
            );
        }
    }

    fn now(&self, member: MemberId) -> Now {
        let now_us = self.post.now_us();
        let plan = self.plan;
        // The clocks stop in the middle of the last round, so that no round begins that nobody looks at.
        let end = START_MS + plan.rounds * plan.interval_ms - plan.interval_ms / 2;
        let local_us = now_us * plan.rates[member.index()] / 1_000;
        let ms = START_MS.saturating_add_signed(plan.clocks_ms[member.index()]) + local_us / 1_000;
        Now {
            mono_us: 1_000_000 + local_us,
            unix_ms: ms.min(end),
        }
    }

    fn deliver(&mut self, posted: &Posted) {
        if self.post.is_lost(posted) || self.nodes[posted.to.index()].core.is_none() {
            return;
        }
        let node = &mut self.nodes[posted.to.index()];
        let verifier = &node.verifier;
        let message = match &posted.letter.wire {
            Wire::Bytes(bytes) => {
                Message::from_bytes(verifier.tag(), posted.from, bytes).map_err(|e| e.to_string())
            }
            Wire::Plain(message) if message.from() == posted.from => Ok(Message::clone(message)),
            Wire::Plain(_) => Err("not from whose link it came on".to_owned()),
        };
        if self.trace {
            let l = &posted.letter;
            let gist = message.as_ref().map_or_else(Clone::clone, gist);
            println!(
                "{:>9} {:>3} -> {:<3} {:<8?} r{} v{} {gist}",
                self.post.now_us(),
                posted.from,
                posted.to,
                l.kind,
                l.round,
                l.view
            );
        }
        let verified = message.and_then(|m| {
            Unverified::new(m)
                .verify(verifier)
                .map_err(|(_, e)| e.to_string())
        });
        match verified {
            Ok(message) => self.take_in(posted.to, message),
            Err(why) => {
                if !self.nodes[posted.from.index()].is_byzantine() {
                    let l = &posted.letter;
                    let what = format!(
                        "member {} refuses {:?} of round {} view {} by honest member {}: {why}",
                        posted.to, l.kind, l.round, l.view, posted.from
                    );
                    self.ledger.borrow_mut().find(Property::Acceptance, what);
                }
            }
        }
    }

    fn take_in(&mut self, member: MemberId, message: Verified<Message>) {
        let mut message = Some(message);
        if self.nodes[member.index()].is_byzantine() {
            let mut shown = None;
            if let Some(whole) = &message {
                self.puppet(member, |program, puppet| {
                    program.receive(puppet, whole);
                    shown = program.bowdlerise(whole);
                });
            }
            match shown {
                Some(Shown::Whole) => {}
                Some(Shown::Part(part)) => {
                    let verifier = &self.nodes[member.index()].verifier;
                    message = Unverified::new(*part).verify(verifier).ok();
                }
                None => message = None,
            }
        }
        if let Some(message) = message {
            self.feed(member, Input::Message(Box::new(message)));
        }
    }

    /// Gives a member an input and carries out what follows, in order.
    fn feed(&mut self, member: MemberId, input: Input) {
        let now = self.now(member);
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let Some(core) = &mut self.nodes[member.index()].core else {
                return;
            };
            let Step { effects, faults } = core.handle(now, input);
            let node = &self.nodes[member.index()];
            if !node.is_byzantine() {
                let mut ledger = self.ledger.borrow_mut();
                for fault in &faults {
                    ledger.fault(member, node.verifier.scheme().as_ref(), fault);
                }
                for effect in &effects {
                    ledger.effect(member, node.verifier.scheme().as_ref(), effect);
                }
            }
            for effect in effects {
                self.carry_out(member, now, effect, &mut inputs);
            }
        }
        self.after(member, now);
    }

    /// Notes what the outside may see of a member, and when it wants to be called again.
    fn after(&mut self, member: MemberId, now: Now) {
        let node = &mut self.nodes[member.index()];
        let Some(core) = &node.core else { return };
        let views = &mut self.views[member.index()];
        for (round, view) in core.alive() {
            let known = views.entry(round).or_default();
            if *known < view {
                *known = view;
                if node.program.is_none() {
                    let highest = self.highest_view.entry(round).or_default();
                    *highest = (*highest).max(view);
                    if view.0 > VIEWS_MAX {
                        self.stuck =
                            Some(format!("round {round}: member {member} is in view {view}"));
                    }
                }
            }
        }
        let kept = core.kept();
        node.kept_max = node.kept_max.max(kept);
        if node.program.is_none() && kept > kept_bound(self.plan, core.alive().count()) {
            self.ledger.borrow_mut().find(
                Property::Memory,
                format!("member {member} keeps {kept} things"),
            );
        }
        if let Some(deadline) = core.deadline(now) {
            let local_us = deadline.saturating_sub(1_000_000);
            let at_us = (local_us * 1_000).div_ceil(self.plan.rates[member.index()]);
            let node = &mut self.nodes[member.index()];
            if node.tick_at_us.is_none_or(|known| at_us < known) {
                node.tick_at_us = Some(at_us);
                let life = node.life;
                self.post.at(at_us, Event::Tick { member, life });
            }
        }
    }

    fn carry_out(
        &mut self,
        member: MemberId,
        now: Now,
        effect: Effect,
        inputs: &mut VecDeque<Input>,
    ) {
        let node = &mut self.nodes[member.index()];
        match effect {
            Effect::PersistFence(round) => node.fence = node.fence.max(round),
            Effect::Observe(round) => self.observe(member, now, round, inputs),
            Effect::Send { to, round, draft } => self.send(member, to, round, draft, inputs),
            Effect::Reply { to, round, reply } => {
                let to = self.expand(to);
                if self.nodes[member.index()].is_byzantine() {
                    self.puppet(member, |program, puppet| {
                        program.reply(puppet, to, round, reply);
                    });
                } else {
                    let message = Message::Reply {
                        from: member,
                        round,
                        reply,
                    };
                    self.post_letter(member, to, message);
                }
            }
            Effect::Publish(attestation) => {
                let at = self.post.now_us();
                node.signed_us
                    .entry(attestation.statement.round)
                    .or_insert(at);
                self.say(member, "publishes");
            }
            Effect::Closed(round, closing) => {
                node.closed.entry(round).or_insert(closing);
                node.release(round);
                node.keys.forget(round);
                let at = self.post.now_us();
                let reached = self.views[member.index()].remove(&round);
                if self.trace {
                    println!(
                        "{at:>9} {member:>3} closes round {round} in view {reached:?}: {closing:?}"
                    );
                }
            }
        }
    }

    fn expand(&self, to: To) -> MemberSet {
        self.plan
            .committee
            .members()
            .filter(|m| to.includes(*m))
            .collect()
    }

    fn send(
        &mut self,
        member: MemberId,
        to: To,
        round: Round,
        draft: Draft,
        inputs: &mut VecDeque<Input>,
    ) {
        let everyone = self.expand(to);
        let coin = matches!(draft, Draft::Coin { .. });
        let signed = if self.nodes[member.index()].is_byzantine() {
            let mut own = None;
            self.puppet(member, |program, puppet| {
                own = program.send(puppet, everyone, round, draft);
            });
            own
        } else {
            let node = &mut self.nodes[member.index()];
            let signed = keys::seal(
                node.keys.as_mut(),
                member,
                node.verifier.tag(),
                round,
                draft,
            );
            match signed {
                Ok(signed) => {
                    self.post_letter(member, everyone, Message::Signed(signed.clone()));
                    Some(signed)
                }
                // A coordinator that lists other nonces than it was offered, or none, gets no share; that is its fault.
                Err(ShareError::OtherNonce | ShareError::NoSession) => None,
                // The share that it asks for has left already: nothing new would be revealed.
                Err(ShareError::NoNonce(key)) if self.ledger.borrow().is_repeated(member, key) => {
                    None
                }
                Err(error) => {
                    let what =
                        format!("round {round}: the vault of member {member} refuses: {error}");
                    self.ledger
                        .borrow_mut()
                        .find_harmless(Property::OneUse, what);
                    None
                }
            }
        };
        let Some(signed) = signed else { return };
        if coin
            && !self.nodes[member.index()].is_byzantine()
            && let Some(leader) = self.network.leader(round, signed.header.view)
        {
            self.post
                .learn_leader(self.plan, round, signed.header.view, leader);
        }
        if everyone.contains(member) {
            self.own(member, signed, inputs);
        }
    }

    fn own(&mut self, member: MemberId, signed: Signed, inputs: &mut VecDeque<Input>) {
        let signed = Box::new(signed);
        if self.plan.own_us == 0 {
            inputs.push_back(Input::Own(signed));
            return;
        }
        let at_us = self.post.now_us() + self.post.own_delay(self.plan);
        let life = self.nodes[member.index()].life;
        self.post.at(
            at_us,
            Event::Own {
                member,
                life,
                signed,
            },
        );
    }

    /// What a member sees of the market: honest members differ, and leave a feed out now and then.
    fn market(&mut self, round: Round, now: Now) -> (u64, Vec<FeedObservation>) {
        let mut feeds = Vec::new();
        for feed_index in 0..FEEDS {
            if self.prices.chance(self.plan.omissions) {
                continue;
            }
            let base = 1_000_000_000 * u64::from(feed_index + 1) + round.0;
            feeds.push(FeedObservation {
                feed_index,
                status: if self.prices.chance(100) {
                    Status::DEGRADED
                } else {
                    Status::OK
                },
                mantissa: i128::from(base + self.prices.below(self.plan.spread)),
                trade_time_ms: now.unix_ms - self.prices.below(1_000),
            });
        }
        (now.unix_ms, feeds)
    }

    fn observe(&mut self, member: MemberId, now: Now, round: Round, inputs: &mut VecDeque<Input>) {
        if round > self.plan.last_round() {
            return;
        }
        let (mut clock_ms, mut feeds) = self.market(round, now);
        let at = self.post.now_us();
        let node = &mut self.nodes[member.index()];
        node.observed_us.entry(round).or_insert(at);
        let tag = node.verifier.tag();
        if let Some(program) = &mut node.program {
            program.observe(&mut clock_ms, &mut feeds);
            let signed = keys::seal_observation(
                node.keys.as_mut(),
                member,
                tag,
                round,
                clock_ms,
                feeds.clone(),
            );
            let mut other = feeds;
            for feed in &mut other {
                feed.mantissa = feed.mantissa.wrapping_add(1);
            }
            let own = signed.clone();
            self.puppet(member, |program, puppet| {
                program.send_observation(puppet, &signed, |keys| {
                    keys::seal_observation(keys, member, tag, round, clock_ms, other.clone())
                });
            });
            self.own(member, own, inputs);
        } else {
            self.ledger.borrow_mut().observed(round, clock_ms, &feeds);
            let signed =
                keys::seal_observation(node.keys.as_mut(), member, tag, round, clock_ms, feeds);
            let everyone = self.expand(To::All);
            self.post_letter(member, everyone, Message::Signed(signed.clone()));
            self.own(member, signed, inputs);
        }
    }

    /// Sends a message and keeps it for as long as its round lives.
    fn post_letter(&mut self, from: MemberId, to: MemberSet, message: Message) {
        let encode = self.post.dice().chance(self.plan.encoded);
        let letter = Letter::new(message, encode);
        self.post.post(self.plan, &self.views, from, to, &letter);
        let node = &mut self.nodes[from.index()];
        if !self.plan.breaks.is_empty()
            || self
                .plan
                .roles
                .iter()
                .any(|r| matches!(r, Role::Restart { .. }))
        {
            node.outbox
                .entry(letter.round)
                .or_default()
                .push((to, letter));
        }
    }

    fn act(&mut self, member: MemberId) {
        let acts = self.nodes[member.index()]
            .program
            .as_ref()
            .is_some_and(super::adversary::Program::acts);
        if !acts || self.acts >= ACTS_MAX {
            return;
        }
        self.acts += 1;
        let round = self
            .plan
            .first_round
            .saturating_add(self.post.now_us() / (self.plan.interval_ms * 1_000))
            .min(self.plan.last_round());
        self.puppet(member, |program, puppet| program.act(puppet, round));
        let soon = self.post.soon();
        self.post.at(soon, Event::Act { member });
    }

    /// Lets a Byzantine member's program at its keys, and sends what comes of it.
    fn puppet(
        &mut self,
        member: MemberId,
        act: impl FnOnce(&mut super::adversary::Program, &mut Puppet<'_>),
    ) {
        let node = &mut self.nodes[member.index()];
        let scheme = node.verifier.scheme().clone();
        let mut puppet = Puppet {
            me: member,
            committee: self.plan.committee,
            tag: node.verifier.tag(),
            keys: node.keys.as_mut(),
            scheme: scheme.as_ref(),
            out: Vec::new(),
        };
        let Some(program) = &mut node.program else {
            return;
        };
        act(program, &mut puppet);
        let out = puppet.out;
        if node
            .silent_from_us
            .is_some_and(|from| self.post.now_us() >= from)
        {
            return;
        }
        for emission in out {
            let (to, letter) = match emission {
                Emission::Signed(to, signed) => (
                    to,
                    Letter::signed(*signed, self.post.dice().chance(self.plan.encoded)),
                ),
                Emission::Own(signed) => {
                    let life = self.nodes[member.index()].life;
                    let event = Event::Own {
                        member,
                        life,
                        signed,
                    };
                    let now_us = self.post.now_us();
                    self.post.at(now_us, event);
                    continue;
                }
                Emission::Reply(to, round, reply) => {
                    let message = Message::Reply {
                        from: member,
                        round,
                        reply,
                    };
                    (
                        to,
                        Letter::new(message, self.post.dice().chance(self.plan.encoded)),
                    )
                }
                Emission::Bytes(to, round, bytes) => (to, Letter::garbage(round, bytes)),
            };
            self.post.post(self.plan, &self.views, member, to, &letter);
        }
    }

    fn say(&self, member: MemberId, what: &str) {
        if self.trace {
            println!("{:>9} {member:>3} {what}", self.post.now_us());
        }
    }
}

/// What a member may keep at most, in signed messages, observations, values and certificates.
fn kept_bound(plan: &Plan, alive: usize) -> usize {
    let n = usize::from(plan.committee.n());
    let f = usize::from(plan.committee.f());
    let slots = n * (9 + 3 * (f + 1));
    let values = 4 * n;
    let observations = n + values * f.max(1);
    // Coin shares of up to 64 views ahead by Byzantine members, other kinds of as many views as honest members are ahead.
    let far = f * 64 + n * 5 * 8;
    let early = 3 * n * (f + 2);
    let served = values * n;
    let beyond = 32 * n;
    let certificates = usize::try_from(plan.rounds).unwrap_or(usize::MAX);
    alive * (slots + values + observations + far + early + served) + beyond + certificates
}
