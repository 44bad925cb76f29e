//! One round of one member.
//!
//! | module | part of the round | rules of docs/protocol.md |
//! |---|---|---|
//! | [`observe`] | observations | O1 to O4 |
//! | [`optimistic`] | view 0 | Z1 to Z10, V1 |
//! | [`view`] | the asynchronous views | V2 to V16 |
//! | [`session`] | values, reports and the sessions that belong to them | |
//! | [`decide`] | the decision, and what others are told of it | D1 to D8 |
//! | [`sign`] | signing the decided report | S1 to S11 |

mod decide;
mod observe;
mod optimistic;
mod session;
mod sign;
mod view;

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    sync::Arc,
};

use touchstone_types::{
    Attestation, Digest, Evidence, Header, MemberId, MemberSet, MemberSignature, MessageKind,
    Observation, Report, Round, SignedHeader, SignedObservation, Status, Terms, View,
};

use self::{
    decide::Decided, optimistic::View0, session::Candidate, sign::Signing, view::ViewState,
};
use crate::{
    coverage::{Coverage, Rule},
    message::{Content, Reply, Signed},
    pace::Pace,
    params::{Params, Rules},
    proof::{LockProof, Qc, Standing, Tc, Value},
    scheme::Scheme,
    step::{Draft, Effect, Fault, FaultKind, Now, Position, Step, To},
};

/// What a round needs from the core while it handles one input.
pub(crate) struct Ctx<'a> {
    pub(crate) now: Now,
    pub(crate) me: MemberId,
    pub(crate) params: &'a Params,
    pub(crate) scheme: &'a Arc<dyn Scheme>,
    pub(crate) terms: &'a Terms,
    pub(crate) tag: Digest,
    /// Who leads view 0 of this round, as far as this member knows.
    pub(crate) leader: MemberId,
    /// The last round that priced each feed, by index.
    pub(crate) priced: &'a BTreeMap<u16, Round>,
    /// The highest round that each member has observed in, in member order.
    pub(crate) heard: &'a [Round],
    pub(crate) pace: &'a mut Pace,
    pub(crate) step: &'a mut Step,
    pub(crate) coverage: &'a mut Coverage,
}

impl Ctx<'_> {
    pub(crate) fn fire(&mut self, rule: Rule) {
        self.coverage.fire(rule);
    }

    fn send(&mut self, to: To, round: Round, draft: Draft) {
        self.step.effects.push(Effect::Send { to, round, draft });
    }

    fn reply(&mut self, to: To, round: Round, reply: Reply) {
        self.step.effects.push(Effect::Reply { to, round, reply });
    }

    fn fault(&mut self, member: Option<MemberId>, round: Round, kind: FaultKind) {
        self.step.faults.push(Fault {
            member,
            round,
            kind,
        });
    }
}

/// An observation that is held, decoded.
#[derive(Clone, Debug)]
struct Held {
    signed: SignedObservation,
    observation: Arc<Observation>,
}

impl Held {
    fn carries(&self, feed: u16) -> bool {
        let feeds = &self.observation.feeds;
        feeds.binary_search_by(|f| f.feed_index.cmp(&feed)).is_ok()
    }
}

/// A place for one message of one member.
type Slot = (MessageKind, View, u16, MemberId);

fn slot(header: &Header) -> Slot {
    (header.kind, header.view, header.instance, header.member)
}

/// The state of one round.
#[derive(Debug)]
pub(crate) struct RoundState<R> {
    round: Round,
    /// When the member observed, in monotonic microseconds.
    started_at_us: Option<u64>,
    /// The first body seen in each slot, to drop what is repeated and to report what contradicts it.
    slots: BTreeMap<Slot, SignedHeader>,
    /// Each member's first observation.
    observations: BTreeMap<MemberId, Held>,
    /// Other observations of equivocating members that somebody's value names.
    other_observations: BTreeMap<(MemberId, Digest), Held>,
    /// When a quorum of observations was held, in monotonic microseconds.
    quorum_at_us: Option<u64>,
    /// Whether everybody was asked for the certificate because that quorum did not come.
    wanted_early: bool,
    view_0: View0,
    timed_out: bool,
    /// When the member's TIMEOUT left, in monotonic microseconds.
    timeout_at_us: Option<u64>,
    timeouts: BTreeMap<MemberId, (Standing, MemberSignature)>,
    timeout_proof: Option<LockProof>,
    lock: Option<LockProof>,
    view: View,
    in_view: ViewState,
    /// Messages of views above the own one, for when the member gets there.
    far: BTreeMap<MemberId, BTreeMap<View, Vec<Signed>>>,
    /// Values that were proposed and may be decided yet.
    values: BTreeMap<Digest, Candidate>,
    /// Values whose parts were asked for.
    wanted: BTreeSet<Digest>,
    served: BTreeMap<(MemberId, Digest), u8>,
    asked: MemberSet,
    answered: MemberSet,
    decided: Option<Decided>,
    signing: Option<Signing>,
    /// Messages of the signing that came before the decision.
    early: Vec<Signed>,
    wants: MemberSet,
    outcome: Option<Arc<Attestation>>,
    /// The value behind the outcome, if it is known.
    signed_value: Option<Digest>,
    rules: R,
}

impl<R: Rules> RoundState<R> {
    pub(crate) fn new(round: Round, rules: R) -> Self {
        Self {
            round,
            started_at_us: None,
            slots: BTreeMap::new(),
            observations: BTreeMap::new(),
            other_observations: BTreeMap::new(),
            quorum_at_us: None,
            wanted_early: false,
            view_0: View0::default(),
            timed_out: false,
            timeout_at_us: None,
            timeouts: BTreeMap::new(),
            timeout_proof: None,
            lock: None,
            view: View(0),
            in_view: ViewState::default(),
            far: BTreeMap::new(),
            values: BTreeMap::new(),
            wanted: BTreeSet::new(),
            served: BTreeMap::new(),
            asked: MemberSet::default(),
            answered: MemberSet::default(),
            decided: None,
            signing: None,
            early: Vec::new(),
            wants: MemberSet::default(),
            outcome: None,
            signed_value: None,
            rules,
        }
    }

    /// The view that the member is in, for people.
    pub(crate) fn view(&self) -> View {
        self.view
    }

    pub(crate) fn position(&self) -> Position {
        Position {
            view: self.view,
            timed_out: self.timed_out,
            coin_known: self.in_view.coin_known(),
            lock: self.lock.as_ref().map(LockProof::lock),
            decided: self.decided.as_ref().map(Decided::value),
        }
    }

    /// The signed round, once it is there.
    pub(crate) fn outcome(&self) -> Option<&Arc<Attestation>> {
        self.outcome.as_ref()
    }

    /// Members that must be told of the certificate: those that asked for it, and those that asked before the decision and
    /// were never answered.
    pub(crate) fn to_be_told(&self) -> MemberSet {
        let unanswered = self.asked.0 & !self.answered.0;
        MemberSet(self.wants.0 | unanswered)
    }

    /// How many signed messages, observations and values the round keeps.
    pub(crate) fn kept(&self) -> usize {
        let far: usize = self
            .far
            .values()
            .flat_map(BTreeMap::values)
            .map(Vec::len)
            .sum();
        [
            self.slots.len(),
            self.observations.len(),
            self.other_observations.len(),
            self.values.len(),
            self.early.len(),
            self.served.len(),
            self.view_0.kept(),
            self.signing.as_ref().map_or(0, Signing::kept),
            far,
        ]
        .into_iter()
        .fold(0, usize::saturating_add)
    }

    pub(crate) fn on_signed(&mut self, ctx: &mut Ctx<'_>, message: Signed) {
        match message.content {
            Content::Obs { .. } => self.on_observation(ctx, &message),
            Content::Propose0 { .. } => self.on_propose_0(ctx, &message),
            Content::Prepare(value) => self.on_prepare(ctx, &message, value),
            Content::Commit { value, .. } => self.on_commit(ctx, message, value),
            Content::Timeout { .. } => self.on_timeout(ctx, &message),
            Content::Vote(value) => self.on_vote(ctx, &message, value),
            Content::Ack(value) => self.on_ack(ctx, &message, value),
            Content::Propose { .. }
            | Content::Lock(_)
            | Content::Done(_)
            | Content::Coin(_)
            | Content::Status { .. } => self.on_view_message(ctx, message),
            Content::Ready(_) | Content::SignReq { .. } | Content::Share(_) => {
                self.on_signing(ctx, message);
            }
        }
    }

    pub(crate) fn on_reply(&mut self, ctx: &mut Ctx<'_>, from: MemberId, reply: &Reply) {
        match reply {
            Reply::Decide(decision) => self.on_decide(ctx, decision),
            Reply::Fetch { value, have } => self.on_fetch(ctx, from, *value, *have),
            Reply::Value { list, observations } => self.on_value(ctx, list, observations),
            Reply::Want => {
                self.wants.insert(from);
            }
            // The core handles certificates itself.
            Reply::Cert(_) => {}
        }
    }

    /// When [`Self::on_tick`] has something to do.
    pub(crate) fn deadline_us(&self, params: &Params) -> Option<u64> {
        let grace = self.grace_deadline_us(params);
        let signing = self.signing.as_ref().and_then(|s| s.deadline_us(params));
        let view_0 = self.view_0_deadline_us(params);
        let want = self.want_early_us(params);
        let all = grace.into_iter().chain(signing).chain(view_0).chain(want);
        all.min()
    }

    pub(crate) fn on_tick(&mut self, ctx: &mut Ctx<'_>) {
        let now_us = ctx.now.mono_us;
        if self
            .want_early_us(ctx.params)
            .is_some_and(|at| at <= now_us)
        {
            self.want_early(ctx);
        }
        self.tick_view_0(ctx);
        self.propose(ctx);
        self.tick_signing(ctx);
    }

    /// Whether the message is the first of its slot. A second body of the same slot is reported.
    fn first(&mut self, ctx: &mut Ctx<'_>, message: &Signed) -> bool {
        let signed = message.signed_header();
        if self.contradicts(ctx, &signed) {
            return false;
        }
        match self.slots.entry(slot(&signed.header)) {
            Entry::Vacant(place) => {
                place.insert(signed);
                true
            }
            Entry::Occupied(_) => false,
        }
    }

    /// E1: whether the slot holds another body.
    fn contradicts(&mut self, ctx: &mut Ctx<'_>, second: &SignedHeader) -> bool {
        let first = match self.slots.get(&slot(&second.header)) {
            Some(first) if first.header.body_hash != second.header.body_hash => *first,
            _ => return false,
        };
        ctx.fire(Rule::Contradiction);
        let member = second.header.member;
        let second = *second;
        let evidence = Box::new(Evidence::Contradiction { first, second });
        ctx.fault(Some(member), self.round, FaultKind::Evidence(evidence));
        true
    }

    /// E1: what stands in a certificate is compared with what its signers said to this member.
    fn witness(
        &mut self,
        ctx: &mut Ctx<'_>,
        signed: impl Iterator<Item = (Header, MemberSignature)>,
    ) {
        for (header, signature) in signed {
            self.contradicts(ctx, &SignedHeader { header, signature });
        }
    }

    fn witness_qc(&mut self, ctx: &mut Ctx<'_>, qc: &Qc) {
        self.witness(ctx, qc.signed(ctx.tag, self.round));
    }

    fn witness_tc(&mut self, ctx: &mut Ctx<'_>, tc: &Tc) {
        self.witness(ctx, tc.signed(ctx.tag, self.round));
    }

    /// The observation that a value names, if it is held.
    fn held(&self, member: MemberId, hash: Digest) -> Option<&Held> {
        self.observations
            .get(&member)
            .filter(|h| h.signed.header.body_hash == hash)
            .or_else(|| self.other_observations.get(&(member, hash)))
    }

    /// All observations of a value in member order, if they are held.
    fn held_all(&self, value: &Value) -> Option<Vec<&Held>> {
        let held = |(member, hash): &(MemberId, Digest)| self.held(*member, *hash);
        value.contributors.iter().map(held).collect()
    }

    /// The contributors of a value whose observation is held.
    fn held_of(&self, value: &Value) -> MemberSet {
        let held = |(member, hash): &&(MemberId, Digest)| self.held(*member, *hash).is_some();
        value
            .contributors
            .iter()
            .filter(held)
            .map(|(m, _)| *m)
            .collect()
    }

    /// The report over a value's observations, if they are held.
    fn report(&self, terms: &Terms, value: &Value) -> Option<Report> {
        let held = self.held_all(value)?;
        let contributions: Vec<_> = held
            .iter()
            .map(|h| touchstone_types::Contribution {
                header: &h.signed.header,
                body: &h.signed.body,
                observation: &h.observation,
            })
            .collect();
        Report::compute(terms, self.round, &contributions).ok()
    }

    /// Closes the round by a certificate from outside, adding the observations where they are held.
    pub(crate) fn close(&mut self, terms: &Terms, certificate: &Attestation) -> Arc<Attestation> {
        let decided = self.decided.as_ref().map(Decided::value);
        let locked = self.lock.as_ref().map(|l| l.qc.value);
        let candidates = decided.into_iter().chain(locked);
        let candidates: Vec<_> = candidates.chain(self.view_0.values()).collect();
        let fits = |hash: &Digest| {
            let report = self.report_of(terms, *hash);
            report.is_some_and(|r| r.statement == certificate.statement)
        };
        self.signed_value = candidates.into_iter().find(fits);
        let mut attestation = certificate.clone();
        if let Some(list) = self.signed_list() {
            attestation.observations = self.signed_observations(&list);
        }
        let attestation = Arc::new(attestation);
        self.outcome = Some(Arc::clone(&attestation));
        attestation
    }

    fn signed_list(&self) -> Option<Arc<Value>> {
        let candidate = self.values.get(&self.signed_value?)?;
        Some(Arc::clone(&candidate.list))
    }

    /// Who may lead view 0 of a later round: the contributors of the signed value that observed every feed that it prices, or all
    /// contributors if there is none such. Everybody who holds the value says the same.
    pub(crate) fn leaders(&self) -> Option<Vec<MemberId>> {
        let (list, outcome) = (self.signed_list()?, self.outcome.as_ref()?);
        let leaves = outcome.leaves.iter().zip(0u16..);
        let priced = leaves.filter(|(leaf, _)| !leaf.status.contains(Status::UNAVAILABLE));
        let priced: Vec<u16> = priced.map(|(_, feed)| feed).collect();
        let complete = |(member, hash): &&(MemberId, Digest)| {
            let held = self.held(*member, *hash);
            held.is_some_and(|h| priced.iter().all(|feed| h.carries(*feed)))
        };
        let contributors = &list.contributors;
        let leaders: Vec<_> = contributors.iter().filter(complete).collect();
        let leaders = if leaders.is_empty() {
            contributors.iter().collect()
        } else {
            leaders
        };
        Some(leaders.into_iter().map(|(member, _)| *member).collect())
    }

    /// What this member decided, if it got as far as the report.
    pub(crate) fn decided_report(&self) -> Option<&Report> {
        self.signing.as_ref().map(Signing::report)
    }

    fn signed_observations(&self, value: &Value) -> Vec<SignedObservation> {
        let held = self.held_all(value).unwrap_or_default();
        held.into_iter().map(|h| h.signed.clone()).collect()
    }
}
