//! Signing the decided report.
//!
//! First by the value's own session: its signers release their shares to everybody, in view 0 with COMMIT, later when they have
//! decided. If a share is wrong or does not come in time, by ROAST with several coordinators, none of which is trusted and
//! none waited for: `f + 1` contributors of the decided value, so that members which are known to be down are none. The
//! nonces that rode on COMMIT belong to the first coordinator; everything else is offered in READY.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use touchstone_crypto::{Blame, Roast, RoastOutput, SessionId};
use touchstone_types::{
    Attestation, Digest, Evidence, MemberId, MemberSet, MessageKind, Report, Round, SessionShare,
    SignedObservation, SigningSession, View,
};

use super::{Ctx, RoundState, slot};
use crate::{
    coverage::Rule,
    message::{Content, NO_COORDINATOR, Reply, Signed, Signer},
    params::{Params, Rules},
    scheme::{GroupSignatures, Offer, StatementShares, session_of, signers_of},
    step::{Draft, FaultKind, NonceUse, To},
    wire::commit_extra,
};

type Outputs = Vec<RoastOutput<Offer, GroupSignatures>>;

/// How many views ahead shares in a value's session are kept of, of one member.
const FAR_SHARES: u32 = 64;

/// The value's own session.
#[derive(Debug)]
struct Own {
    session: Arc<SigningSession>,
    digest: Digest,
    /// COMMIT or SHARE of each signer that released a share in it.
    shares: BTreeMap<MemberId, Signed>,
    failed: bool,
}

/// The own sessions as a coordinator.
#[derive(Debug)]
struct Coordination {
    roast: Roast<StatementShares>,
    sessions: Vec<Arc<SigningSession>>,
    /// SHARE of each signer in each session, for evidence.
    answers: BTreeMap<(u16, MemberId), Signed>,
}

/// The signing of one decided report.
#[derive(Debug)]
pub(super) struct Signing {
    value: Digest,
    report: Arc<Report>,
    observations: Vec<SignedObservation>,
    own: Option<Own>,
    coordinators: Vec<MemberId>,
    /// When the first coordinator is turned to.
    since_us: u64,
    /// How many coordinators were offered nonces; one more than all once everybody was asked for the certificate.
    turned_to: usize,
    /// The last offer to each coordinator.
    offered: BTreeMap<MemberId, u32>,
    /// When a coordinator is offered fresh nonces because its session did not end well.
    offer_again: BTreeMap<MemberId, u64>,
    used: BTreeSet<(MemberId, u32)>,
    answered: BTreeSet<(MemberId, u32)>,
    /// The last offer of each member to this one as coordinator. One that overtakes the member's answer in a session waits here
    /// for that answer, because links do not keep order and nothing is offered twice.
    offers: BTreeMap<MemberId, Offer>,
    coordination: Option<Coordination>,
    /// Members whose share was wrong.
    bad: MemberSet,
}

fn share_of(message: &Signed) -> Option<&SessionShare> {
    match &message.content {
        Content::Commit { share, .. } => share.as_ref(),
        Content::Share(share) => Some(share),
        _ => None,
    }
}

impl Signing {
    fn new(
        ctx: &Ctx<'_>,
        round: Round,
        value: Digest,
        report: &Arc<Report>,
        observations: Vec<SignedObservation>,
        threshold: usize,
    ) -> Self {
        let count = u64::try_from(observations.len()).unwrap_or(1).max(1);
        let first = usize::try_from(round.0 % count).unwrap_or_default();
        let rotated = observations.iter().cycle().skip(first);
        let coordinators: Vec<_> = rotated
            .take(ctx.terms.committee.one_honest())
            .map(|o| o.header.member)
            .collect();
        let coordination = coordinators.contains(&ctx.me).then(|| {
            let scheme = StatementShares {
                scheme: Arc::clone(ctx.scheme),
                statement: report.statement,
            };
            Coordination {
                roast: Roast::new(scheme, threshold),
                sessions: Vec::new(),
                answers: BTreeMap::new(),
            }
        });
        Self {
            value,
            report: Arc::clone(report),
            observations,
            own: None,
            coordinators,
            since_us: ctx.now.mono_us,
            turned_to: 0,
            offered: BTreeMap::new(),
            offer_again: BTreeMap::new(),
            used: BTreeSet::new(),
            answered: BTreeSet::new(),
            offers: BTreeMap::new(),
            coordination,
            bad: MemberSet::default(),
        }
    }

    pub(super) fn report(&self) -> &Report {
        &self.report
    }

    pub(super) fn kept(&self) -> usize {
        let own = self.own.as_ref().map_or(0, |own| own.shares.len());
        let answers = self.coordination.as_ref().map_or(0, |c| c.answers.len());
        own.saturating_add(answers)
            .saturating_add(self.offers.len())
    }

    fn first_coordinator(&self) -> Option<MemberId> {
        self.coordinators.first().copied()
    }

    /// When the next coordinator, or after the last one everybody, is turned to.
    fn next_turn_us(&self, params: &Params) -> Option<u64> {
        (self.turned_to <= self.coordinators.len()).then(|| {
            let turns = u64::try_from(self.turned_to).unwrap_or(u64::MAX);
            self.since_us
                .saturating_add(params.stagger_us.saturating_mul(turns))
        })
    }

    pub(super) fn deadline_us(&self, params: &Params) -> Option<u64> {
        let again = self.offer_again.values().copied();
        again.chain(self.next_turn_us(params)).min()
    }

    /// The number of sessions that an honest coordinator may need: at most `f` of them are spoilt.
    fn sessions_max(ctx: &Ctx<'_>) -> u32 {
        u32::from(ctx.terms.committee.f()).saturating_add(1)
    }

    /// Which of its nonces this member may use in the request, if it may answer at all.
    fn nonce_for(
        &self,
        ctx: &Ctx<'_>,
        committed: bool,
        coordinator: MemberId,
        session: u32,
        signers: &[Signer],
    ) -> Option<(u32, NonceUse)> {
        let mine = signers.iter().find(|s| s.member == ctx.me)?;
        let (offered, nonce) = match mine.slot {
            0 => {
                let first = self.first_coordinator() == Some(coordinator);
                (first && committed, NonceUse::Retry)
            }
            slot => {
                let last = self.offered.get(&coordinator);
                let nonce = NonceUse::Offer { coordinator, slot };
                (last.is_some_and(|last| slot <= *last), nonce)
            }
        };
        let fresh = !self.answered.contains(&(coordinator, session))
            && !self.used.contains(&(coordinator, mine.slot));
        let may = offered && fresh && self.coordinators.contains(&coordinator);
        may.then_some((mine.slot, nonce))
    }
}

impl<R: Rules> RoundState<R> {
    /// S1: the report is decided and computed.
    pub(super) fn start_signing(&mut self, ctx: &mut Ctx<'_>, value: Digest, report: &Arc<Report>) {
        let Some(list) = self.values.get(&value).map(|c| Arc::clone(&c.list)) else {
            return;
        };
        let observations = self.signed_observations(&list);
        let threshold = self.rules.signing_threshold(ctx.terms.committee);
        let mut signing = Signing::new(ctx, self.round, value, report, observations, threshold);
        let session = self.session_of(ctx.terms, value);
        if session.is_some() {
            let patience_us = ctx.pace.patience_us(ctx.params);
            signing.since_us = signing.since_us.saturating_add(patience_us);
        }
        signing.own = session.map(|session| Own {
            digest: session.digest(),
            session,
            shares: BTreeMap::new(),
            failed: false,
        });
        self.signing = Some(signing);
        self.speculate(ctx, value);
        for member in self.committed().iter() {
            self.take_commit_share(member);
        }
        for message in std::mem::take(&mut self.early) {
            self.on_signing(ctx, message);
        }
        self.try_session(ctx);
        self.tick_signing(ctx);
    }

    /// S1: releases the share in the value's session to everybody, unless it left with COMMIT. In what ships this is called after
    /// the decision only.
    pub(super) fn speculate(&mut self, ctx: &mut Ctx<'_>, value: Digest) {
        let session = self.session_of(ctx.terms, value);
        let Some(session) = session.filter(|s| s.signer(ctx.me).is_some()) else {
            return;
        };
        let named = self.values.get(&value).and_then(|c| c.list.session);
        let Some(view) = named.map(|s| s.view) else {
            return;
        };
        if view == View(0) && self.view_0.shared {
            return;
        }
        self.view_0.shared |= view == View(0);
        ctx.fire(Rule::ShareDecided);
        let draft = Draft::Share {
            nonce: NonceUse::Session(view),
            view,
            instance: NO_COORDINATOR,
            session,
        };
        ctx.send(To::All, self.round, draft);
    }

    fn take_commit_share(&mut self, member: MemberId) {
        if let Some(vote) = self.view_0.commits.get(&member) {
            let signed = vote.signed.clone();
            self.take_share(signed);
        }
    }

    /// Keeps a share that was made for the value's session.
    fn take_share(&mut self, signed: Signed) {
        let own = self.signing.as_mut().and_then(|s| s.own.as_mut());
        if let (Some(own), Some(share)) = (own, share_of(&signed))
            && share.session == own.digest
            && own.session.signer(signed.header.member).is_some()
        {
            own.shares.entry(signed.header.member).or_insert(signed);
        }
    }

    /// A COMMIT after the decision may bring a share, and nonces for the first coordinator.
    pub(super) fn on_late_commit(&mut self, ctx: &mut Ctx<'_>, member: MemberId) {
        self.take_commit_share(member);
        self.try_session(ctx);
        let turned = self.signing.as_ref().is_some_and(|s| s.turned_to > 0);
        if turned {
            self.offer_committed(ctx, [member].into_iter().collect());
        }
    }

    /// S2, S3: adds up the shares of the value's session once all are there.
    fn try_session(&mut self, ctx: &mut Ctx<'_>) {
        if self.outcome.is_some() {
            return;
        }
        let Some(own) = self.signing.as_mut().and_then(|s| s.own.as_mut()) else {
            return;
        };
        if own.failed || own.shares.len() < own.session.signers.len() {
            return;
        }
        let shares: Vec<_> = own
            .shares
            .iter()
            .filter_map(|(member, signed)| Some((*member, share_of(signed)?.clone())))
            .collect();
        match ctx.scheme.aggregate(&own.session, &shares) {
            Ok(signatures) => self.certify(ctx, signatures, Rule::CertifySession),
            Err(culprits) => {
                own.failed = true;
                let session = Arc::clone(&own.session);
                let guilty: Vec<_> = culprits
                    .iter()
                    .filter_map(|m| own.shares.get(m).cloned())
                    .collect();
                for signed in guilty {
                    self.accuse(ctx, &signed, &session);
                }
                if let Some(signing) = &mut self.signing {
                    signing.since_us = ctx.now.mono_us;
                }
                self.tick_signing(ctx);
            }
        }
    }

    /// S3.
    fn accuse(&mut self, ctx: &mut Ctx<'_>, signed: &Signed, session: &SigningSession) {
        let member = signed.header.member;
        ctx.fire(Rule::BlameShare);
        ctx.pace.suspect(member, self.round, true);
        if let Some(signing) = &mut self.signing {
            signing.bad.insert(member);
        }
        let body = match &signed.content {
            Content::Commit {
                value,
                nonces,
                share,
            } => [&value.0, commit_extra(share.as_ref(), nonces).as_slice()].concat(),
            other => other.body(),
        };
        let evidence = Box::new(Evidence::BadShare {
            share: signed.signed_header(),
            body,
            session: session.clone(),
        });
        ctx.fault(Some(member), self.round, FaultKind::Evidence(evidence));
    }

    /// S4, S5, S9: turns to the coordinators one after the other, and at last to everybody.
    pub(super) fn tick_signing(&mut self, ctx: &mut Ctx<'_>) {
        let now = ctx.now.mono_us;
        while let Some(signing) = &mut self.signing
            && self.outcome.is_none()
            && signing.next_turn_us(ctx.params).is_some_and(|at| at <= now)
        {
            let turn = signing.turned_to;
            signing.turned_to = turn.saturating_add(1);
            match signing.coordinators.get(turn).copied() {
                Some(coordinator) if turn == 0 => self.first_turn(ctx, coordinator),
                Some(coordinator) => {
                    ctx.fire(Rule::NextCoordinator);
                    self.offer(ctx, coordinator);
                }
                None if self.rules.ask_everybody() => {
                    ctx.fire(Rule::Want);
                    ctx.reply(To::All, self.round, Reply::Want);
                }
                None => {}
            }
        }
        let Some(signing) = &mut self.signing else {
            return;
        };
        let due = signing.offer_again.iter().filter(|(_, at)| **at <= now);
        for coordinator in due.map(|(c, _)| *c).collect::<Vec<_>>() {
            if let Some(signing) = &mut self.signing {
                signing.offer_again.remove(&coordinator);
            }
            if self.outcome.is_none() {
                self.offer(ctx, coordinator);
            }
        }
    }

    /// The value's session did not end well: the first coordinator has the nonces of COMMIT, and is asked whether it has the
    /// signature already; who sent no COMMIT offers nonces.
    fn first_turn(&mut self, ctx: &mut Ctx<'_>, coordinator: MemberId) {
        if let Some(own) = self.signing.as_ref().and_then(|s| s.own.as_ref()) {
            let late = own.session.signers.iter().map(|s| s.member);
            for member in late.filter(|m| !own.shares.contains_key(m)) {
                ctx.pace.suspect(member, self.round, false);
            }
        }
        if coordinator == ctx.me {
            self.offer_committed(ctx, self.committed());
        } else if self.rules.ask_everybody() {
            ctx.fire(Rule::Want);
            ctx.reply(To::One(coordinator), self.round, Reply::Want);
        }
        if !self.view_0.committed {
            self.offer(ctx, coordinator);
        }
    }

    /// Takes the nonces of COMMIT as offers to the first coordinator; those of members that keep their word first.
    fn offer_committed(&mut self, ctx: &mut Ctx<'_>, members: MemberSet) {
        let Some(signing) = &self.signing else {
            return;
        };
        if signing.first_coordinator() != Some(ctx.me) {
            return;
        }
        let mut members: Vec<_> = members.iter().collect();
        members.sort_by_key(|m| ctx.pace.is_suspect(*m, self.round));
        for member in members {
            let Some(vote) = self.view_0.commits.get(&member) else {
                continue;
            };
            if let Content::Commit { nonces, .. } = &vote.signed.content {
                let nonces = nonces.clone();
                self.on_offer(ctx, member, Offer { slot: 0, nonces });
            }
        }
    }

    fn offer(&mut self, ctx: &mut Ctx<'_>, coordinator: MemberId) {
        let Some(signing) = &mut self.signing else {
            return;
        };
        let slot = signing.offered.entry(coordinator).or_default();
        if *slot >= Signing::sessions_max(ctx) {
            return;
        }
        *slot = slot.saturating_add(1);
        let draft = Draft::Ready {
            coordinator,
            slot: *slot,
        };
        ctx.fire(Rule::OfferNonces);
        ctx.send(To::One(coordinator), self.round, draft);
    }

    /// READY, SIGNREQ and SHARE.
    pub(super) fn on_signing(&mut self, ctx: &mut Ctx<'_>, message: Signed) {
        let h = message.header;
        // Slots count from 1 and sessions from 0, and there are never more of them than this.
        let bound = Signing::sessions_max(ctx);
        let for_me = h.instance == ctx.me.0;
        let expected = match &message.content {
            Content::Ready(_) => for_me && h.view.0 <= bound,
            Content::SignReq { .. } => h.view.0 < bound,
            _ if h.instance == NO_COORDINATOR => h.view.0 <= self.view.0.saturating_add(FAR_SHARES),
            _ => for_me && h.view.0 < bound,
        };
        if !expected || self.outcome.is_some() {
            return;
        }
        if self.signing.is_none() {
            self.keep_early(message);
            return;
        }
        if !self.first(ctx, &message) {
            return;
        }
        match &message.content {
            Content::Ready(nonces) => {
                let offer = Offer {
                    slot: h.view.0,
                    nonces: nonces.clone(),
                };
                self.on_offer(ctx, h.member, offer);
            }
            Content::SignReq { session, signers } => {
                self.on_request(ctx, h.member, h.view, *session, signers);
            }
            Content::Share(_) if h.instance == NO_COORDINATOR => {
                self.take_share(message);
                self.try_session(ctx);
            }
            Content::Share(_) => self.on_share(ctx, message),
            _ => {}
        }
    }

    /// Keeps a message of the signing until the decision. Nobody was asked for a share before it, and a coordinator that got no
    /// answer from this member has asked it once.
    fn keep_early(&mut self, message: Signed) {
        let h = message.header;
        let answer = h.kind == MessageKind::Share && h.instance != NO_COORDINATOR;
        let again = |m: &Signed| match h.kind {
            MessageKind::SignReq => m.header.kind == h.kind && m.header.member == h.member,
            _ => slot(&m.header) == slot(&h),
        };
        if !answer && !self.early.iter().any(again) {
            self.early.push(message);
        }
    }

    fn on_offer(&mut self, ctx: &mut Ctx<'_>, from: MemberId, offer: Offer) {
        let Some(signing) = &mut self.signing else {
            return;
        };
        let Some(coordination) = &mut signing.coordination else {
            return;
        };
        let outdated = |last: &Offer| last.slot > offer.slot;
        if signing.offers.get(&from).is_some_and(outdated)
            || signing.bad.contains(from)
            || !ctx.scheme.verify_nonces(from, &offer.nonces)
        {
            return;
        }
        signing.offers.insert(from, offer.clone());
        let outputs = coordination.roast.ready(from, offer);
        self.carry_out(ctx, outputs);
    }

    /// S7.
    fn on_request(
        &mut self,
        ctx: &mut Ctx<'_>,
        coordinator: MemberId,
        number: View,
        named: Digest,
        signers: &[Signer],
    ) {
        // Whether the nonces that the request lists are this member's is seen by the vault.
        let committed = self.view_0.committed;
        let Some(signing) = &mut self.signing else {
            return;
        };
        let nonce = signing.nonce_for(ctx, committed, coordinator, number.0, signers);
        let session = session_of(
            signing.report.statement,
            signers.iter().map(|s| (s.member, &s.nonces)),
        );
        let Some((slot, nonce)) = nonce.filter(|_| session.digest() == named) else {
            ctx.fault(Some(coordinator), self.round, FaultKind::BadRequest);
            return;
        };
        signing.answered.insert((coordinator, number.0));
        signing.used.insert((coordinator, slot));
        let again = ctx.now.mono_us.saturating_add(ctx.params.stagger_us);
        signing.offer_again.insert(coordinator, again);
        let draft = Draft::Share {
            nonce,
            view: number,
            instance: coordinator.0,
            session: Arc::new(session),
        };
        ctx.fire(Rule::SignShare);
        ctx.send(To::One(coordinator), self.round, draft);
    }

    fn on_share(&mut self, ctx: &mut Ctx<'_>, message: Signed) {
        let from = message.header.member;
        let Some(share) = share_of(&message).cloned() else {
            return;
        };
        let Some(signing) = &mut self.signing else {
            return;
        };
        let Some(coordination) = &mut signing.coordination else {
            return;
        };
        let Ok(id) = u16::try_from(message.header.view.0) else {
            return;
        };
        let session = coordination.sessions.get(usize::from(id));
        if session.is_none_or(|s| s.digest() != share.session) {
            return;
        }
        coordination.answers.insert((id, from), message);
        // An offer that was used already is not taken again.
        let next = signing.offers.get(&from).cloned();
        let outputs = coordination.roast.share(SessionId(id), from, share, next);
        self.carry_out(ctx, outputs);
    }

    fn carry_out(&mut self, ctx: &mut Ctx<'_>, outputs: Outputs) {
        for output in outputs {
            match output {
                RoastOutput::Session { id, signers } => self.request(ctx, id, &signers),
                RoastOutput::Blame(blame) => self.on_blame(ctx, blame),
                RoastOutput::Done(signatures) => self.certify(ctx, signatures, Rule::Certify),
            }
        }
    }

    fn on_blame(&mut self, ctx: &mut Ctx<'_>, blame: Blame) {
        let coordination = self.signing.as_ref().and_then(|s| s.coordination.as_ref());
        let Some(coordination) = coordination else {
            return;
        };
        let session = coordination.sessions.get(usize::from(blame.session.0));
        let answer = coordination.answers.get(&(blame.session.0, blame.member));
        if let Some((session, answer)) = session.cloned().zip(answer.cloned()) {
            self.accuse(ctx, &answer, &session);
        }
    }

    /// S6.
    fn request(&mut self, ctx: &mut Ctx<'_>, id: SessionId, signers: &[(MemberId, Offer)]) {
        let members: MemberSet = signers.iter().map(|(m, _)| *m).collect();
        let Some(signing) = &mut self.signing else {
            return;
        };
        let statement = signing.report.statement;
        let session = session_of(statement, signers.iter().map(|(m, o)| (*m, &o.nonces)));
        let content = Content::SignReq {
            session: session.digest(),
            signers: signers_of(signers),
        };
        if let Some(coordination) = &mut signing.coordination {
            coordination.sessions.push(Arc::new(session));
        }
        ctx.fire(Rule::OpenSession);
        let draft = Draft::Complete {
            view: View(u32::from(id.0)),
            instance: ctx.me.0,
            content,
        };
        ctx.send(To::Set(members), self.round, draft);
    }

    /// S2, S8. What came out of the value's session everybody can put together; what came out of a coordinator's it must show.
    fn certify(&mut self, ctx: &mut Ctx<'_>, signatures: GroupSignatures, rule: Rule) {
        let Some(signing) = &self.signing else {
            return;
        };
        if self.outcome.is_some() {
            return;
        }
        ctx.fire(rule);
        let mut attestation = Attestation {
            statement: signing.report.statement,
            signatures,
            leaves: signing.report.leaves.clone(),
            observations: Vec::new(),
        };
        if rule == Rule::Certify {
            let certificate = Reply::Cert(Arc::new(attestation.clone()));
            ctx.reply(To::All, self.round, certificate);
        }
        attestation.observations.clone_from(&signing.observations);
        self.signed_value = Some(signing.value);
        self.outcome = Some(Arc::new(attestation));
    }
}
