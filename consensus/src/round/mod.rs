//! One round of one member.
//!
//! | module | part of the round | rules of docs/protocol.md |
//! |---|---|---|
//! | [`observe`] | observations, and the end of view 0 | O1 to O5, E1 |
//! | [`view`] | the asynchronous views | V1 to V17 |
//! | [`decide`] | the decision, and what others are told of it | D1 to D7 |
//! | [`sign`] | signing the decided report | S1 to S9 |

mod decide;
mod observe;
mod sign;
mod view;

use std::{
    collections::{BTreeMap, BTreeSet},
    marker::PhantomData,
    sync::Arc,
};

use touchstone_types::{
    Attestation, Digest, MemberId, MemberSet, MemberSignature, MessageKind, Observation, Report,
    Round, SignedObservation, Terms, View,
};

use self::{decide::Decided, sign::Signing, view::ViewState};
use crate::{
    coverage::{Coverage, Rule},
    message::{Content, Reply, Signed},
    params::{Params, Rules},
    proof::{LockProof, Standing, Value},
    scheme::Scheme,
    step::{Draft, Effect, Fault, FaultKind, Now, SignedHeader, Step, To},
};

/// What a round needs from the core while it handles one input.
pub(crate) struct Ctx<'a> {
    pub(crate) now: Now,
    pub(crate) me: MemberId,
    pub(crate) params: &'a Params,
    pub(crate) scheme: &'a Arc<dyn Scheme>,
    pub(crate) terms: &'a Terms,
    pub(crate) tag: Digest,
    /// Feeds that the newest certificate prices, by index.
    pub(crate) priced: &'a BTreeSet<u16>,
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

/// A place for one message of one member.
type Slot = (MessageKind, View, u16, MemberId);

/// The state of one round.
pub(crate) struct RoundState<R> {
    round: Round,
    started: bool,
    /// The first body seen in each slot, to drop what is repeated and to report what contradicts it.
    slots: BTreeMap<Slot, SignedHeader>,
    /// Each member's first observation.
    observations: BTreeMap<MemberId, Held>,
    /// Other observations of equivocating members that somebody's value names.
    other_observations: BTreeMap<(MemberId, Digest), Held>,
    /// When a quorum of observations was held, in monotonic microseconds.
    quorum_at_us: Option<u64>,
    timed_out: bool,
    timeouts: BTreeMap<MemberId, (Standing, MemberSignature)>,
    timeout_proof: Option<LockProof>,
    lock: Option<LockProof>,
    view: View,
    in_view: ViewState,
    /// Messages of views above the own one, for when the member gets there.
    far: BTreeMap<MemberId, BTreeMap<View, Vec<Signed>>>,
    /// Values that were proposed and may be decided yet, with the view in which they were.
    values: BTreeMap<Digest, (View, Arc<Value>)>,
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
    rules: PhantomData<R>,
}

impl<R: Rules> RoundState<R> {
    pub(crate) fn new(round: Round) -> Self {
        Self {
            round,
            started: false,
            slots: BTreeMap::new(),
            observations: BTreeMap::new(),
            other_observations: BTreeMap::new(),
            quorum_at_us: None,
            timed_out: false,
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
            rules: PhantomData,
        }
    }

    /// The view that the member is in, for people.
    pub(crate) fn view(&self) -> View {
        self.view
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
            far,
        ]
        .into_iter()
        .fold(0, usize::saturating_add)
    }

    pub(crate) fn on_signed(&mut self, ctx: &mut Ctx<'_>, message: Signed) {
        match message.content {
            Content::Obs { .. } => self.on_observation(ctx, &message),
            Content::Timeout { .. } => self.on_timeout(ctx, &message),
            Content::Vote(value) => self.on_vote(ctx, &message, value),
            Content::Ack(value) => self.on_ack(ctx, &message, value),
            Content::Propose { .. }
            | Content::Lock(_)
            | Content::Done(_)
            | Content::Coin(_)
            | Content::Status { .. } => self.on_view_message(ctx, message),
            Content::Ready(_) | Content::SignReq(_) | Content::Share { .. } => {
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
        grace.into_iter().chain(signing).min()
    }

    pub(crate) fn on_tick(&mut self, ctx: &mut Ctx<'_>) {
        self.propose(ctx);
        self.tick_signing(ctx);
    }

    /// Whether the message is the first of its slot. A second body of the same slot is reported.
    fn first(&mut self, ctx: &mut Ctx<'_>, message: &Signed) -> bool {
        let h = message.header;
        let second = SignedHeader {
            header: h,
            signature: message.signature,
        };
        let slot = (h.kind, h.view, h.instance, h.member);
        let Some(first) = self.slots.get(&slot) else {
            self.slots.insert(slot, second);
            return true;
        };
        if first.header.body_hash != h.body_hash {
            ctx.fire(Rule::Equivocation);
            let first = *first;
            let kind = FaultKind::Equivocation { first, second };
            ctx.fault(Some(h.member), self.round, kind);
        }
        false
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
        let mut attestation = certificate.clone();
        let candidates = self.decided.as_ref().map(|d| d.value());
        let candidates = candidates
            .into_iter()
            .chain(self.lock.as_ref().map(|l| l.qc.value));
        for hash in candidates.collect::<Vec<_>>() {
            let Some((_, value)) = self.values.get(&hash) else {
                continue;
            };
            let fits = |r: &Report| r.statement == certificate.statement;
            if self.report(terms, value).as_ref().is_some_and(fits) {
                attestation.observations = self.signed_observations(value);
                break;
            }
        }
        let attestation = Arc::new(attestation);
        self.outcome = Some(Arc::clone(&attestation));
        attestation
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
