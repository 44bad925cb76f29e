//! The asynchronous views: everybody leads in parallel, and the coin says afterwards whose lead counts.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
};

use touchstone_crypto::CoinShare;
use touchstone_types::{Digest, MemberId, MemberSet, MemberSignature, MessageKind, View};

use super::{Ctx, RoundState, session::signers_in};
use crate::{
    coverage::Rule,
    message::{Content, Decision, Reply, Signed},
    params::{Params, Rules},
    proof::{LockProof, Qc, Standing, Tc, Value},
    scheme::Election,
    step::{Draft, To},
};

/// How many views above the own one messages are kept of. Apart from COIN they cannot be made before a quorum got that far,
/// and each view ends the round with odds of two in three, so that nothing is ever lost by this bound but in theory.
const FAR_VIEWS: u32 = 64;

/// A member's proposal in the current view.
#[derive(Debug)]
struct Proposal {
    value: Digest,
    /// The value, where the proposal is not about a locked one: then the observations must be held before the vote.
    list: Option<Arc<Value>>,
    voted: bool,
    fetched: bool,
}

/// What is known of the current view.
#[derive(Debug, Default)]
pub(super) struct ViewState {
    tc: Option<Arc<Tc>>,
    proof: Option<LockProof>,
    mine: Option<Digest>,
    waited: bool,
    proposals: BTreeMap<MemberId, Proposal>,
    votes: BTreeMap<MemberId, MemberSignature>,
    locked: bool,
    qc1: BTreeMap<MemberId, Arc<Qc>>,
    acks: BTreeMap<MemberId, MemberSignature>,
    done: bool,
    qc2: BTreeMap<MemberId, Arc<Qc>>,
    coin: BTreeMap<MemberId, CoinShare>,
    coin_sent: bool,
    election: Option<Election>,
    statuses: BTreeMap<MemberId, (Standing, MemberSignature)>,
    highest: Option<LockProof>,
}

impl ViewState {
    pub(super) fn coin_known(&self) -> bool {
        self.election.is_some()
    }
}

pub(super) fn certificate(
    kind: MessageKind,
    view: View,
    instance: MemberId,
    value: Digest,
    votes: &BTreeMap<MemberId, MemberSignature>,
) -> Arc<Qc> {
    Arc::new(Qc {
        kind,
        view,
        instance: instance.0,
        value,
        signers: votes.keys().copied().collect(),
        signatures: votes.values().copied().collect(),
        extras: Vec::new(),
    })
}

impl<R: Rules> RoundState<R> {
    fn say(&self, ctx: &mut Ctx<'_>, to: To, instance: MemberId, content: Content) {
        let draft = Draft::Complete {
            view: self.view,
            instance: instance.0,
            content,
        };
        ctx.send(to, self.round, draft);
    }

    /// V5, V15: enters a view by right of the statements of the one before it.
    pub(super) fn enter(
        &mut self,
        ctx: &mut Ctx<'_>,
        view: View,
        tc: Arc<Tc>,
        proof: Option<LockProof>,
    ) {
        if view <= self.view {
            return;
        }
        let proof = proof.map(|p| self.with_known_coin(ctx, p));
        self.timed_out = true;
        self.view = view;
        self.in_view = ViewState {
            tc: Some(tc),
            proof,
            ..ViewState::default()
        };
        self.slots.retain(|(kind, v, ..), _| {
            let of_views = matches!(
                kind,
                MessageKind::Propose
                    | MessageKind::Vote
                    | MessageKind::Lock
                    | MessageKind::Ack
                    | MessageKind::Done
                    | MessageKind::Coin
                    | MessageKind::Status
            );
            !of_views || *v >= view
        });
        if !self.rules.coin_after_done() {
            self.open_coin(ctx, Rule::CoinByDone);
        }
        self.propose(ctx);
        self.replay_far(ctx);
    }

    /// The same proof with shares that this member checked itself. Those in a message were not looked at where the coin was
    /// known already, so they must not be handed on.
    fn with_known_coin(&self, ctx: &Ctx<'_>, proof: LockProof) -> LockProof {
        let view = proof.qc.view;
        let election = (view > View(0)).then(|| ctx.scheme.elect(self.round, view, &proof.coin));
        match election.flatten() {
            Some(election) => LockProof {
                coin: election.shares,
                ..proof
            },
            None => proof,
        }
    }

    fn replay_far(&mut self, ctx: &mut Ctx<'_>) {
        let mut now = Vec::new();
        for views in self.far.values_mut() {
            views.retain(|v, messages| {
                if *v == self.view {
                    now.append(messages);
                }
                *v > self.view
            });
        }
        for message in now {
            self.on_view_message(ctx, message);
        }
    }

    /// V2, V3, V4.
    pub(super) fn propose(&mut self, ctx: &mut Ctx<'_>) {
        let Some(tc) = self.in_view.tc.clone() else {
            return;
        };
        if self.in_view.mine.is_some() || self.decided.is_some() || self.in_view.election.is_some()
        {
            return;
        }
        let (value, list) = if let Some(lock) = tc.highest_lock() {
            ctx.fire(Rule::ProposeLocked);
            (lock.value, None)
        } else {
            if !self.may_propose(ctx) {
                if !self.in_view.waited && self.quorum_at_us.is_some() {
                    self.in_view.waited = true;
                    ctx.fire(Rule::ProposeGrace);
                }
                return;
            }
            ctx.fire(Rule::ProposeOwn);
            let nonces = tc.standings.iter();
            let nonces = nonces.map(|(m, s, _)| (*m, s.nonces.clone())).collect();
            let (value, list) = self.new_value(ctx, self.view, nonces);
            (value, Some(list))
        };
        self.in_view.mine = Some(value);
        let proof = self.in_view.proof.clone();
        let content = Content::Propose {
            value,
            list,
            tc,
            proof,
        };
        self.say(ctx, To::All, ctx.me, content);
    }

    pub(super) fn grace_deadline_us(&self, params: &Params) -> Option<u64> {
        let waiting = self.in_view.waited && self.in_view.mine.is_none() && self.decided.is_none();
        let waiting = waiting && self.in_view.election.is_none();
        self.quorum_at_us
            .filter(|_| waiting)
            .map(|at| at.saturating_add(params.grace_us))
    }

    /// PROPOSE, LOCK, DONE, COIN and STATUS, in whatever view they come from.
    pub(super) fn on_view_message(&mut self, ctx: &mut Ctx<'_>, message: Signed) {
        let h = message.header;
        if matches!(h.kind, MessageKind::Propose | MessageKind::Status) {
            self.ask(ctx, h.member);
        }
        if let Content::Status {
            decided: Some(qc),
            coin,
            ..
        } = &message.content
            && self.decided.is_none()
            && let Some(election) = ctx.scheme.elect(self.round, h.view, coin)
        {
            let decision = Decision {
                qc: Arc::clone(qc),
                coin: election.shares.to_vec(),
            };
            self.decide(ctx, decision, Rule::DecideByStatus);
        }
        if self.decided.is_some() || h.view < self.view {
            return;
        }
        if h.view > self.view {
            self.keep_far(ctx, message);
            self.try_jump(ctx);
            return;
        }
        let again = !self.rules.vote_once() && h.kind == MessageKind::Propose;
        if !self.first(ctx, &message) && !again {
            return;
        }
        match message.content {
            Content::Propose {
                value,
                list,
                tc,
                proof,
            } => {
                self.witness_tc(ctx, &tc);
                if let Some(proof) = proof {
                    self.witness_qc(ctx, &proof.qc);
                }
                self.on_propose(ctx, h.member, value, list, &tc);
            }
            Content::Lock(qc) => {
                self.witness_qc(ctx, &qc);
                self.on_lock(ctx, h.member, qc);
            }
            Content::Done(qc) => {
                self.witness_qc(ctx, &qc);
                self.on_done(ctx, h.member, qc);
            }
            Content::Coin(share) => self.on_coin(ctx, h.member, share),
            Content::Status {
                standing,
                proof,
                coin,
                ..
            } => {
                if let Some(election) = ctx.scheme.elect(self.round, h.view, &coin) {
                    self.elect(ctx, election, Rule::ElectByStatus);
                }
                // Learning the leader may have led into a later view.
                if h.view == self.view {
                    self.on_status(ctx, h.member, (standing, message.signature), proof);
                }
            }
            _ => {}
        }
    }

    /// V16.
    fn keep_far(&mut self, ctx: &mut Ctx<'_>, message: Signed) {
        let h = message.header;
        let ahead = h.view.0.saturating_sub(self.view.0);
        if ahead > FAR_VIEWS
            || (!self.rules.keep_far_views() && h.kind != MessageKind::Propose && ahead > 1)
        {
            return;
        }
        let kept = self
            .far
            .entry(h.member)
            .or_default()
            .entry(h.view)
            .or_default();
        if kept.iter().all(|m| m.header.kind != h.kind) {
            kept.push(message);
            ctx.fire(Rule::KeepFarView);
        }
    }

    /// V5: follows the proposal of the highest view that is held. A view above 0 is never left before its coin is known: a
    /// member that holds the leader's acknowledgements must find out that it does, or nobody may.
    fn try_jump(&mut self, ctx: &mut Ctx<'_>) {
        let may_leave =
            self.view == View(0) || self.in_view.election.is_some() || !self.rules.wait_for_coin();
        if !may_leave || self.decided.is_some() {
            return;
        }
        let proposals = self.far.values().flat_map(|views| views.values().flatten());
        let highest = proposals
            .filter_map(|m| match &m.content {
                Content::Propose { tc, proof, .. } => Some((m.header.view, tc, proof)),
                _ => None,
            })
            .max_by_key(|(view, ..)| *view);
        if let Some((view, tc, proof)) = highest {
            let (tc, proof) = (Arc::clone(tc), proof.clone());
            ctx.fire(Rule::JumpToView);
            self.enter(ctx, view, tc, proof);
        }
    }

    fn left(&self) -> bool {
        self.rules.freeze_after_coin() && self.in_view.election.is_some()
    }

    fn on_propose(
        &mut self,
        ctx: &mut Ctx<'_>,
        from: MemberId,
        value: Digest,
        list: Option<Arc<Value>>,
        tc: &Tc,
    ) {
        match &list {
            Some(list) => self.keep_value(ctx, value, list, signers_in(tc, list)),
            None => self.renew_value(value),
        }
        let proposal = Proposal {
            value,
            list,
            voted: false,
            fetched: false,
        };
        match self.in_view.proposals.entry(from) {
            Entry::Vacant(place) => {
                place.insert(proposal);
            }
            Entry::Occupied(mut place) if !self.rules.vote_once() => {
                place.insert(proposal);
            }
            Entry::Occupied(_) => return,
        }
        self.try_votes(ctx);
    }

    /// V6, V7: votes for every proposal whose observations are held, and asks the proposer for those that are not.
    pub(super) fn try_votes(&mut self, ctx: &mut Ctx<'_>) {
        if self.left() || self.decided.is_some() {
            return;
        }
        let open = self.in_view.proposals.iter().filter(|(_, p)| !p.voted);
        for from in open.map(|(from, _)| *from).collect::<Vec<_>>() {
            let Some(proposal) = self.in_view.proposals.get(&from) else {
                continue;
            };
            let (value, fetched) = (proposal.value, proposal.fetched);
            let have = proposal
                .list
                .as_deref()
                .map(|list| (list.contributors.len(), self.held_of(list)));
            let complete = have.is_none_or(|(needed, have)| have.len() == needed);
            if let Some(proposal) = self.in_view.proposals.get_mut(&from) {
                proposal.voted = complete;
                proposal.fetched |= !complete;
            }
            if complete {
                ctx.fire(Rule::Vote);
                self.say(ctx, To::One(from), from, Content::Vote(value));
            } else if !fetched && from != ctx.me {
                ctx.fire(Rule::FetchForVote);
                self.wanted.insert(value);
                let have = have.map_or(MemberSet::default(), |(_, have)| have);
                ctx.reply(To::One(from), self.round, Reply::Fetch { value, have });
            }
        }
    }

    /// V8.
    pub(super) fn on_vote(&mut self, ctx: &mut Ctx<'_>, message: &Signed, value: Digest) {
        let h = message.header;
        let mine =
            h.view == self.view && h.instance == ctx.me.0 && self.in_view.mine == Some(value);
        if !mine || self.decided.is_some() || self.in_view.locked || !self.first(ctx, message) {
            return;
        }
        self.in_view.votes.insert(h.member, message.signature);
        if self.in_view.votes.len() >= self.rules.quorum(ctx.terms.committee) {
            self.in_view.locked = true;
            ctx.fire(Rule::Lock);
            let qc = certificate(
                MessageKind::Vote,
                self.view,
                ctx.me,
                value,
                &self.in_view.votes,
            );
            self.say(ctx, To::All, ctx.me, Content::Lock(qc));
        }
    }

    /// V9.
    fn on_lock(&mut self, ctx: &mut Ctx<'_>, from: MemberId, qc: Arc<Qc>) {
        if self.left() {
            return;
        }
        ctx.fire(Rule::Ack);
        let value = qc.value;
        self.in_view.qc1.insert(from, qc);
        if !self.rules.no_share_before_coin() {
            self.speculate(ctx, value);
        }
        self.say(ctx, To::One(from), from, Content::Ack(value));
    }

    /// V10.
    pub(super) fn on_ack(&mut self, ctx: &mut Ctx<'_>, message: &Signed, value: Digest) {
        let h = message.header;
        let mine =
            h.view == self.view && h.instance == ctx.me.0 && self.in_view.mine == Some(value);
        if !mine || self.decided.is_some() || self.in_view.done || !self.first(ctx, message) {
            return;
        }
        self.in_view.acks.insert(h.member, message.signature);
        if self.in_view.acks.len() >= self.rules.quorum(ctx.terms.committee) {
            self.in_view.done = true;
            ctx.fire(Rule::Done);
            let qc = certificate(
                MessageKind::Ack,
                self.view,
                ctx.me,
                value,
                &self.in_view.acks,
            );
            self.say(ctx, To::All, ctx.me, Content::Done(qc));
        }
    }

    /// V11, D2.
    fn on_done(&mut self, ctx: &mut Ctx<'_>, from: MemberId, qc: Arc<Qc>) {
        self.in_view.qc2.insert(from, Arc::clone(&qc));
        if let Some(election) = &self.in_view.election {
            if election.leader == from {
                let coin = election.shares.to_vec();
                self.decide(ctx, Decision { qc, coin }, Rule::DecideOwn);
            }
        } else if self.in_view.qc2.len() >= self.rules.quorum(ctx.terms.committee) {
            self.open_coin(ctx, Rule::CoinByDone);
        }
    }

    fn open_coin(&mut self, ctx: &mut Ctx<'_>, rule: Rule) {
        if !self.in_view.coin_sent {
            self.in_view.coin_sent = true;
            ctx.fire(rule);
            ctx.send(To::All, self.round, Draft::Coin { view: self.view });
        }
    }

    /// V12, V13.
    fn on_coin(&mut self, ctx: &mut Ctx<'_>, from: MemberId, share: CoinShare) {
        if self.in_view.election.is_some() {
            return;
        }
        self.in_view.coin.insert(from, share);
        if self.in_view.coin.len() < ctx.terms.committee.coin_threshold() {
            return;
        }
        self.open_coin(ctx, Rule::CoinByCoins);
        let shares: Vec<_> = self.in_view.coin.iter().map(|(m, s)| (*m, *s)).collect();
        if let Some(election) = ctx.scheme.elect(self.round, self.view, &shares) {
            self.elect(ctx, election, Rule::Elect);
        }
    }

    /// V13, V14: from here on the member neither votes nor acknowledges in this view, and its STATUS tells what it saw.
    fn elect(&mut self, ctx: &mut Ctx<'_>, election: Election, rule: Rule) {
        if self.in_view.election.is_some() || self.decided.is_some() {
            return;
        }
        ctx.fire(rule);
        self.open_coin(ctx, Rule::CoinByCoins);
        let leader = election.leader;
        let decided = self.in_view.qc2.get(&leader).cloned();
        if let Some(qc) = decided.as_ref().or_else(|| self.in_view.qc1.get(&leader)) {
            self.lock = Some(LockProof {
                qc: Arc::clone(qc),
                coin: Arc::clone(&election.shares),
            });
        }
        if let (false, Some(lock)) = (self.rules.speculate_in_view_0_only(), &self.lock) {
            let value = lock.qc.value;
            self.speculate(ctx, value);
        }
        let reported = self.lock.clone().filter(|_| self.rules.report_lock());
        let coin = election.shares.to_vec();
        self.in_view.election = Some(election);
        let content = Content::Status {
            standing: Standing {
                lock: reported.as_ref().map(LockProof::lock),
                nonces: Vec::new(),
            },
            proof: reported,
            decided: decided.clone(),
            coin: coin.clone(),
        };
        let view = self.view;
        ctx.send(To::All, self.round, Draft::Standing { view, content });
        if let Some(qc) = decided {
            // Everybody gets this STATUS, and it says all that a DECIDE would.
            self.answered = ctx.terms.committee.members().collect();
            self.decide(ctx, Decision { qc, coin }, Rule::DecideOwn);
        }
        self.try_jump(ctx);
    }

    /// V15.
    fn on_status(
        &mut self,
        ctx: &mut Ctx<'_>,
        from: MemberId,
        entry: (Standing, MemberSignature),
        proof: Option<LockProof>,
    ) {
        if self.decided.is_some() {
            return;
        }
        self.in_view.statuses.insert(from, entry);
        if let Some(proof) = proof
            && self
                .in_view
                .highest
                .as_ref()
                .is_none_or(|h| h.lock() < proof.lock())
        {
            self.in_view.highest = Some(proof);
        }
        if self.in_view.statuses.len() >= self.rules.quorum(ctx.terms.committee) {
            ctx.fire(Rule::EnterNext);
            let standings = self.in_view.statuses.iter();
            let tc = Tc {
                view: self.view,
                standings: standings
                    .map(|(m, (s, sig))| (*m, s.clone(), *sig))
                    .collect(),
            };
            let proof = self.in_view.highest.take();
            self.enter(ctx, self.view.next(), Arc::new(tc), proof);
        }
    }
}
