//! Signing the decided report: ROAST with several coordinators, none of which is trusted and none waited for.
//!
//! The coordinators are `f + 1` contributors of the decided value, so that members which are known to be down are none. The
//! nonces that rode on the observations belong to the first coordinator; every other one is offered fresh ones in READY.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use touchstone_crypto::{Roast, RoastOutput, SessionId};
use touchstone_types::{
    Attestation, Digest, MemberId, MemberSet, NonceCommitments, Report, Round, SignedObservation,
    View, sha256,
};

use super::{Ctx, RoundState};
use crate::{
    coverage::Rule,
    message::{Content, Reply, Shares, Signed, Signer},
    params::{Params, Rules},
    scheme::{GroupSignatures, Offer, StatementShares, signers_of},
    step::{Draft, FaultKind, To},
};

type Outputs = Vec<RoastOutput<Offer, GroupSignatures>>;

/// The signing of one decided report.
pub(super) struct Signing {
    report: Report,
    observations: Vec<SignedObservation>,
    /// The contributors with the nonces of their observations.
    contributors: BTreeMap<MemberId, Vec<NonceCommitments>>,
    coordinators: Vec<MemberId>,
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
    /// The own sessions, if this member is a coordinator, with the hash of each one's request.
    roast: Option<(Roast<StatementShares>, Vec<Digest>)>,
}

impl Signing {
    pub(super) fn new(
        ctx: &Ctx<'_>,
        round: Round,
        report: Report,
        observations: Vec<SignedObservation>,
        contributors: BTreeMap<MemberId, Vec<NonceCommitments>>,
    ) -> Self {
        let count = u64::try_from(contributors.len()).unwrap_or(1).max(1);
        let first = usize::try_from(round.0 % count).unwrap_or_default();
        let rotated = contributors.keys().cycle().skip(first);
        let coordinators: Vec<_> = rotated
            .take(ctx.terms.committee.one_honest())
            .copied()
            .collect();
        let roast = coordinators.contains(&ctx.me).then(|| {
            let scheme = StatementShares {
                scheme: Arc::clone(ctx.scheme),
                statement: report.statement,
            };
            let threshold = ctx.terms.committee.signing_threshold();
            (Roast::new(scheme, threshold), Vec::new())
        });
        Self {
            report,
            observations,
            contributors,
            coordinators,
            since_us: ctx.now.mono_us,
            turned_to: 0,
            offered: BTreeMap::new(),
            offer_again: BTreeMap::new(),
            used: BTreeSet::new(),
            answered: BTreeSet::new(),
            offers: BTreeMap::new(),
            roast,
        }
    }

    pub(super) fn report(&self) -> &Report {
        &self.report
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

    /// Whether this member may answer the request, and with which nonce.
    fn slot_for(
        &self,
        ctx: &Ctx<'_>,
        coordinator: MemberId,
        session: u32,
        signers: &[Signer],
    ) -> Option<u32> {
        let mine = signers.iter().find(|s| s.member == ctx.me)?;
        let offered = match mine.slot {
            0 => {
                self.first_coordinator() == Some(coordinator)
                    && self.contributors.get(&ctx.me) == Some(&mine.nonces)
            }
            slot => self
                .offered
                .get(&coordinator)
                .is_some_and(|last| slot <= *last),
        };
        let fresh = !self.answered.contains(&(coordinator, session))
            && !self.used.contains(&(coordinator, mine.slot));
        (offered && fresh && self.coordinators.contains(&coordinator)).then_some(mine.slot)
    }
}

impl<R: Rules> RoundState<R> {
    /// S1: the first coordinator has all it needs from the observations.
    pub(super) fn begin_signing(&mut self, ctx: &mut Ctx<'_>) {
        let Some(signing) = &mut self.signing else {
            return;
        };
        let mut outputs = Vec::new();
        if signing.first_coordinator() == Some(ctx.me)
            && let Some((roast, _)) = &mut signing.roast
        {
            for (member, nonces) in &signing.contributors {
                let nonces = nonces.clone();
                outputs.extend(roast.ready(*member, Offer { slot: 0, nonces }));
            }
        }
        self.carry_out(ctx, outputs);
        self.tick_signing(ctx);
        for message in std::mem::take(&mut self.early) {
            self.on_signing(ctx, message);
        }
    }

    /// S3, S4, S7: turns to the coordinators one after the other, and at last to everybody.
    pub(super) fn tick_signing(&mut self, ctx: &mut Ctx<'_>) {
        let now = ctx.now.mono_us;
        while let Some(signing) = &mut self.signing
            && self.outcome.is_none()
            && signing.next_turn_us(ctx.params).is_some_and(|at| at <= now)
        {
            let turn = signing.turned_to;
            signing.turned_to = turn.saturating_add(1);
            match signing.coordinators.get(turn).copied() {
                // The nonces of the observations are the first coordinator's.
                Some(_) if turn == 0 && signing.contributors.contains_key(&ctx.me) => {}
                Some(coordinator) => {
                    if turn > 0 {
                        ctx.fire(Rule::NextCoordinator);
                    }
                    self.offer(ctx, coordinator);
                }
                None => {
                    ctx.fire(Rule::Want);
                    ctx.reply(To::All, self.round, Reply::Want);
                }
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
            Content::SignReq(_) => h.view.0 < bound,
            _ => for_me && h.view.0 < bound,
        };
        if !expected || self.outcome.is_some() {
            return;
        }
        if self.signing.is_none() {
            let slot = |m: &Signed| {
                (
                    m.header.kind,
                    m.header.view,
                    m.header.instance,
                    m.header.member,
                )
            };
            if self.early.iter().all(|m| slot(m) != slot(&message)) {
                self.early.push(message);
            }
            return;
        }
        if !self.first(ctx, &message) {
            return;
        }
        match message.content {
            Content::Ready(nonces) => {
                let offer = Offer {
                    slot: h.view.0,
                    nonces,
                };
                self.on_offer(ctx, h.member, offer);
            }
            Content::SignReq(signers) => {
                self.on_request(ctx, h.member, h.view.0, h.body_hash, signers);
            }
            Content::Share { request, shares } => {
                self.on_share(ctx, h.member, h.view, request, shares);
            }
            _ => {}
        }
    }

    fn on_offer(&mut self, ctx: &mut Ctx<'_>, from: MemberId, offer: Offer) {
        let Some(signing) = &mut self.signing else {
            return;
        };
        let Some((roast, _)) = &mut signing.roast else {
            return;
        };
        let outdated = |last: &Offer| last.slot > offer.slot;
        if signing.offers.get(&from).is_some_and(outdated) {
            return;
        }
        signing.offers.insert(from, offer.clone());
        let outputs = roast.ready(from, offer);
        self.carry_out(ctx, outputs);
    }

    /// S2.
    fn on_request(
        &mut self,
        ctx: &mut Ctx<'_>,
        coordinator: MemberId,
        session: u32,
        request: Digest,
        signers: Vec<Signer>,
    ) {
        let Some(signing) = &mut self.signing else {
            return;
        };
        let Some(slot) = signing.slot_for(ctx, coordinator, session, &signers) else {
            ctx.fault(Some(coordinator), self.round, FaultKind::BadRequest);
            return;
        };
        signing.answered.insert((coordinator, session));
        signing.used.insert((coordinator, slot));
        let again = ctx.now.mono_us.saturating_add(ctx.params.stagger_us);
        signing.offer_again.insert(coordinator, again);
        let draft = Draft::Share {
            coordinator,
            session,
            slot,
            signers,
            request,
            statement: Box::new(signing.report.statement),
        };
        ctx.fire(Rule::SignShare);
        ctx.send(To::One(coordinator), self.round, draft);
    }

    fn on_share(
        &mut self,
        ctx: &mut Ctx<'_>,
        from: MemberId,
        session: View,
        request: Digest,
        shares: Shares,
    ) {
        let Some(signing) = &mut self.signing else {
            return;
        };
        let Some((roast, requests)) = &mut signing.roast else {
            return;
        };
        let Ok(id) = u16::try_from(session.0) else {
            return;
        };
        if requests.get(usize::from(id)) != Some(&request) {
            return;
        }
        // An offer that was used already is not taken again.
        let next = signing.offers.get(&from).cloned();
        let outputs = roast.share(SessionId(id), from, shares, next);
        self.carry_out(ctx, outputs);
    }

    fn carry_out(&mut self, ctx: &mut Ctx<'_>, outputs: Outputs) {
        for output in outputs {
            match output {
                RoastOutput::Session { id, signers } => self.request(ctx, id, &signers),
                RoastOutput::Blame(blame) => {
                    ctx.fire(Rule::BlameShare);
                    let session = u32::from(blame.session.0);
                    ctx.fault(
                        Some(blame.member),
                        self.round,
                        FaultKind::BadShare { session },
                    );
                }
                RoastOutput::Done(signatures) => self.certify(ctx, signatures),
            }
        }
    }

    /// S1.
    fn request(&mut self, ctx: &mut Ctx<'_>, id: SessionId, signers: &[(MemberId, Offer)]) {
        let members: MemberSet = signers.iter().map(|(m, _)| *m).collect();
        let content = Content::SignReq(signers_of(signers));
        let hash = sha256(&[&content.body()]);
        if let Some((_, requests)) = self.signing.as_mut().and_then(|s| s.roast.as_mut()) {
            requests.push(hash);
        }
        ctx.fire(Rule::OpenSession);
        let draft = Draft::Complete {
            view: View(u32::from(id.0)),
            instance: ctx.me.0,
            content,
        };
        ctx.send(To::Set(members), self.round, draft);
    }

    /// S5.
    fn certify(&mut self, ctx: &mut Ctx<'_>, signatures: GroupSignatures) {
        let Some(signing) = &self.signing else {
            return;
        };
        if self.outcome.is_some() {
            return;
        }
        ctx.fire(Rule::Certify);
        let mut attestation = Attestation {
            statement: signing.report.statement,
            signatures,
            leaves: signing.report.leaves.clone(),
            observations: Vec::new(),
        };
        let certificate = Reply::Cert(Arc::new(attestation.clone()));
        ctx.reply(To::All, self.round, certificate);
        attestation.observations.clone_from(&signing.observations);
        self.outcome = Some(Arc::new(attestation));
    }
}
