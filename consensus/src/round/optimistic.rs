//! View 0: one leader, three steps, and the share of the signature beside the vote that commits.
//!
//! A share that leaves here is speculative: it is released on a lock, before the decision is known. That is sound because it
//! happens in view 0 only, for the value of view 0's one certificate, and never after the member's own TIMEOUT
//! (docs/protocol.md, "Why two reports of one round are never signed").

use std::{collections::BTreeMap, sync::Arc};

use touchstone_types::{Digest, MemberId, MemberSet, MemberSignature, MessageKind, View, sha256};

use super::{Ctx, RoundState, view::certificate};
use crate::{
    coverage::Rule,
    message::{Content, Decision, Reply, Signed},
    params::{Params, Rules},
    proof::{LockProof, Qc, Standing, Tc, Value},
    step::{Draft, FaultKind, To},
    wire::commit_extra,
};

/// A proposal for view 0. Only that of the leader is looked at, but who leads may become clear later.
#[derive(Debug)]
struct Proposal0 {
    value: Digest,
    list: Arc<Value>,
    fetched: bool,
    refused: bool,
}

/// A COMMIT as it was received.
#[derive(Debug)]
pub(super) struct CommitVote {
    pub(super) value: Digest,
    pub(super) signed: Signed,
}

/// What is known of view 0.
#[derive(Debug, Default)]
pub(super) struct View0 {
    proposals: BTreeMap<MemberId, Proposal0>,
    proposed: bool,
    waited: bool,
    prepared: Option<Digest>,
    prepares: BTreeMap<MemberId, (Digest, MemberSignature)>,
    locked: bool,
    /// Whether the member's COMMIT has left.
    pub(super) committed: bool,
    /// Whether the member's share in view 0's session has left.
    pub(super) shared: bool,
    pub(super) commits: BTreeMap<MemberId, CommitVote>,
    /// When the member leaves the view, in monotonic microseconds.
    ends_at_us: Option<u64>,
}

impl View0 {
    /// The values that were proposed.
    pub(super) fn values(&self) -> impl Iterator<Item = Digest> + '_ {
        self.proposals.values().map(|p| p.value)
    }

    pub(super) fn kept(&self) -> usize {
        self.proposals
            .len()
            .saturating_add(self.prepares.len())
            .saturating_add(self.commits.len())
    }
}

impl<R: Rules> RoundState<R> {
    /// Z8, Z10: with a quorum of observations the clock of view 0 starts to run.
    pub(super) fn start_timer(&mut self, ctx: &mut Ctx<'_>) {
        if ctx.pace.skips_view_0(ctx.params, self.round) {
            self.leave_view_0(ctx, Rule::SkipView0);
        } else {
            let timer_us = ctx.pace.timer_us(ctx.params);
            self.view_0.ends_at_us = Some(ctx.now.mono_us.saturating_add(timer_us));
        }
    }

    /// When view 0 wants to be looked at.
    pub(super) fn view_0_deadline_us(&self, params: &Params) -> Option<u64> {
        if self.timed_out || self.decided.is_some() {
            return None;
        }
        let waits = self.view_0.waited && !self.view_0.proposed;
        let grace = self.quorum_at_us.filter(|_| waits);
        let grace = grace.map(|at| at.saturating_add(params.grace_us));
        self.view_0.ends_at_us.into_iter().chain(grace).min()
    }

    pub(super) fn tick_view_0(&mut self, ctx: &mut Ctx<'_>) {
        self.propose_0(ctx);
        let over = |at: u64| at <= ctx.now.mono_us;
        if self.view_0.ends_at_us.is_some_and(over) {
            self.leave_view_0(ctx, Rule::Timeout);
        }
    }

    /// Z1, Z2.
    pub(super) fn propose_0(&mut self, ctx: &mut Ctx<'_>) {
        let idle = self.view_0.proposed || self.timed_out || self.decided.is_some();
        if idle || ctx.leader != ctx.me || self.quorum_at_us.is_none() {
            // Whoever has lost the lead meanwhile waits for nothing.
            self.view_0.waited = false;
            return;
        }
        if !self.may_propose(ctx) {
            if !self.view_0.waited {
                self.view_0.waited = true;
                ctx.fire(Rule::Propose0Grace);
            }
            return;
        }
        self.view_0.proposed = true;
        ctx.fire(Rule::Propose0);
        let nonces = self.observations.iter();
        let nonces = nonces.map(|(m, h)| (*m, h.observation.nonces.clone()));
        let (value, list) = self.new_value(ctx, View(0), nonces.collect());
        let draft = Draft::Complete {
            view: View(0),
            instance: 0,
            content: Content::Propose0 { value, list },
        };
        ctx.send(To::All, self.round, draft);
    }

    /// Z3.
    pub(super) fn on_propose_0(&mut self, ctx: &mut Ctx<'_>, message: &Signed) {
        let Content::Propose0 { value, list } = &message.content else {
            return;
        };
        if !self.first(ctx, message) && self.rules.prepare_once() {
            return;
        }
        let proposal = Proposal0 {
            value: *value,
            list: Arc::clone(list),
            fetched: false,
            refused: false,
        };
        self.view_0
            .proposals
            .insert(message.header.member, proposal);
        self.try_prepare(ctx);
    }

    /// Z3 to Z5: votes for the leader's proposal once its observations are held, once in the round whoever asks.
    pub(super) fn try_prepare(&mut self, ctx: &mut Ctx<'_>) {
        let stopped = self.timed_out && self.rules.stop_at_timeout();
        if stopped || self.decided.is_some() {
            return;
        }
        let Some(proposal) = self.view_0.proposals.get(&ctx.leader) else {
            return;
        };
        let prepared = match self.view_0.prepared {
            None => false,
            Some(before) => self.rules.prepare_once() || before == proposal.value,
        };
        if prepared || proposal.refused {
            return;
        }
        let (value, list, fetched) = (proposal.value, Arc::clone(&proposal.list), proposal.fetched);
        self.keep_value(ctx, value, &list, None);
        let have = self.held_of(&list);
        if have.len() < list.contributors.len() {
            if !fetched && ctx.leader != ctx.me {
                ctx.fire(Rule::FetchForPrepare);
                self.mark_0(ctx, |p| p.fetched = true);
                self.wanted.insert(value);
                ctx.reply(
                    To::One(ctx.leader),
                    self.round,
                    Reply::Fetch { value, have },
                );
            }
            return;
        }
        if list.session.is_some() && self.session_of(ctx.terms, value).is_none() {
            ctx.fire(Rule::RefuseProposal0);
            self.mark_0(ctx, |p| p.refused = true);
            ctx.fault(Some(ctx.leader), self.round, FaultKind::BadProposal);
            return;
        }
        self.view_0.prepared = Some(value);
        ctx.fire(Rule::Prepare);
        let draft = Draft::Complete {
            view: View(0),
            instance: 0,
            content: Content::Prepare(value),
        };
        ctx.send(To::All, self.round, draft);
    }

    fn mark_0(&mut self, ctx: &Ctx<'_>, mark: impl FnOnce(&mut Proposal0)) {
        if let Some(proposal) = self.view_0.proposals.get_mut(&ctx.leader) {
            mark(proposal);
        }
    }

    /// Z6, Z7: a quorum of PREPARE is a lock, and releases the share.
    pub(super) fn on_prepare(&mut self, ctx: &mut Ctx<'_>, message: &Signed, value: Digest) {
        if !self.first(ctx, message) && self.rules.prepare_once() {
            return;
        }
        let entry = (value, message.signature);
        self.view_0.prepares.insert(message.header.member, entry);
        let stopped = self.timed_out && self.rules.stop_at_timeout();
        if self.view_0.locked || stopped || self.decided.is_some() {
            return;
        }
        let prepares = self.view_0.prepares.iter();
        let votes: BTreeMap<_, _> = prepares
            .filter(|(_, (v, _))| *v == value)
            .map(|(m, (_, signature))| (*m, *signature))
            .collect();
        if votes.len() < self.rules.quorum(ctx.terms.committee) {
            return;
        }
        self.view_0.locked = true;
        let qc = certificate(MessageKind::Prepare, View(0), MemberId(0), value, &votes);
        if self.lock.is_none() {
            let coin = Arc::from([]);
            self.lock = Some(LockProof { qc, coin });
        }
        let session = self.session_of(ctx.terms, value);
        let session = session.filter(|s| s.signer(ctx.me).is_some());
        self.view_0.shared = session.is_some();
        if session.is_none() && !self.rules.commit_beside_share() {
            return;
        }
        ctx.fire(match session {
            Some(_) => Rule::Commit,
            None => Rule::CommitWithoutShare,
        });
        self.view_0.committed = true;
        ctx.send(To::All, self.round, Draft::Commit { value, session });
    }

    /// D1, S2.
    pub(super) fn on_commit(&mut self, ctx: &mut Ctx<'_>, message: Signed, value: Digest) {
        if !self.first(ctx, &message) {
            return;
        }
        let member = message.header.member;
        let vote = CommitVote {
            value,
            signed: message,
        };
        self.view_0.commits.insert(member, vote);
        if self.decided.is_some() {
            self.on_late_commit(ctx, member);
            return;
        }
        let of_value = |c: &&CommitVote| c.value == value;
        if self.view_0.commits.values().filter(of_value).count()
            >= self.rules.quorum(ctx.terms.committee)
        {
            let qc = self.commit_certificate(value);
            let coin = Vec::new();
            self.decide(ctx, Decision { qc, coin }, Rule::DecideByCommits);
        }
    }

    fn commit_certificate(&self, value: Digest) -> Arc<Qc> {
        let commits = self.view_0.commits.iter();
        let votes: BTreeMap<_, _> = commits.filter(|(_, c)| c.value == value).collect();
        let extra = |vote: &&CommitVote| match &vote.signed.content {
            Content::Commit { share, nonces, .. } => {
                sha256(&[&commit_extra(share.as_ref(), nonces)])
            }
            _ => Digest::default(),
        };
        Arc::new(Qc {
            kind: MessageKind::Commit,
            view: View(0),
            instance: 0,
            value,
            signers: votes.keys().copied().copied().collect(),
            signatures: votes.values().map(|c| c.signed.signature).collect(),
            extras: votes.values().map(extra).collect(),
        })
    }

    /// Z8 to Z10: the end of view 0 for this member. Nothing of view 0 leaves it from here on.
    fn leave_view_0(&mut self, ctx: &mut Ctx<'_>, rule: Rule) {
        if self.timed_out || self.decided.is_some() {
            return;
        }
        self.timed_out = true;
        self.timeout_at_us = Some(ctx.now.mono_us);
        ctx.fire(rule);
        let proof = self.lock.clone().filter(|_| self.rules.report_lock());
        let standing = Standing {
            lock: proof.as_ref().map(LockProof::lock),
            nonces: Vec::new(),
        };
        let draft = Draft::Standing {
            view: View(0),
            content: Content::Timeout { standing, proof },
        };
        ctx.send(To::All, self.round, draft);
    }

    /// Z9, V1.
    pub(super) fn on_timeout(&mut self, ctx: &mut Ctx<'_>, message: &Signed) {
        let Content::Timeout { standing, proof } = &message.content else {
            return;
        };
        self.ask(ctx, message.header.member);
        if !self.first(ctx, message) || self.decided.is_some() || self.view > View(0) {
            return;
        }
        if let Some(proof) = proof {
            self.witness_qc(ctx, &proof.qc);
        }
        let entry = (standing.clone(), message.signature);
        self.timeouts.insert(message.header.member, entry);
        if standing.lock.is_some() && self.timeout_proof.is_none() {
            // Two locks of view 0 would need two quorums of PREPARE, so one proof is the proof of all.
            self.timeout_proof.clone_from(proof);
        }
        if self.timeouts.len() >= ctx.terms.committee.one_honest() {
            self.leave_view_0(ctx, Rule::TimeoutJoined);
        }
        if self.timeouts.len() >= self.rules.quorum(ctx.terms.committee) {
            ctx.fire(Rule::EnterFirst);
            let standings = self.timeouts.iter();
            let standings = standings.map(|(m, (s, sig))| (*m, s.clone(), *sig));
            let tc = Tc {
                view: View(0),
                standings: standings.collect(),
            };
            let proof = self.timeout_proof.clone();
            self.enter(ctx, View(1), Arc::new(tc), proof);
        }
    }

    /// The members whose COMMIT came.
    pub(super) fn committed(&self) -> MemberSet {
        self.view_0.commits.keys().copied().collect()
    }
}
