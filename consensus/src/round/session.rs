//! Values, their reports, and the signing session that each value brings along.

use std::sync::Arc;

use touchstone_types::{
    Digest, MemberId, MemberSet, NonceCommitments, Report, SessionSigner, SigningSession, Terms,
    View,
};

use super::{Ctx, RoundState};
use crate::{
    params::Rules,
    proof::{Tc, Value, ValueSession},
};

/// How long a feed that was priced is waited for, in rounds: with every leader in turn it comes up again meanwhile.
const PRICED_ROUNDS: u64 = 64;
/// A feed that was not priced lately is waited for in one of this many rounds, if an honest member observes it.
const UNPRICED_ROUNDS: u64 = 8;
/// A member that has observed in none of so many rounds is not waited for.
const ABSENT_ROUNDS: u64 = 8;

/// A value that was proposed and may be decided yet.
#[derive(Debug)]
pub(super) struct Candidate {
    /// The last view in which it was proposed.
    view: View,
    pub(super) list: Arc<Value>,
    /// The signers of its session, above view 0: their nonces are in the statements that came with the proposal.
    signers: Option<Arc<[SessionSigner]>>,
    report: Option<Arc<Report>>,
    session: Option<Arc<SigningSession>>,
}

/// The signers that a value names, with the nonces of their statements.
pub(super) fn signers_in(tc: &Tc, list: &Value) -> Option<Arc<[SessionSigner]>> {
    let named = list.session?;
    let entry = |member: MemberId| {
        let at = tc
            .standings
            .binary_search_by(|(m, ..)| m.cmp(&member))
            .ok()?;
        let (_, standing, _) = tc.standings.get(at)?;
        Some(SessionSigner {
            member,
            nonces: standing.nonces.clone(),
        })
    };
    named.signers.iter().map(entry).collect()
}

impl<R: Rules> RoundState<R> {
    /// Keeps a value that may be decided. It is not forgotten when its proposer is not elected: the elected member may have
    /// proposed the same, unseen by this member. What goes, if there are too many, are those that were proposed longest ago;
    /// that takes four views in which everybody proposes something new, each against odds of two in three.
    pub(super) fn keep_value(
        &mut self,
        ctx: &Ctx<'_>,
        hash: Digest,
        list: &Arc<Value>,
        signers: Option<Arc<[SessionSigner]>>,
    ) {
        let view = self.view;
        let candidate = self.values.entry(hash).or_insert_with(|| Candidate {
            view,
            list: Arc::clone(list),
            signers: None,
            report: None,
            session: None,
        });
        candidate.view = view;
        if candidate.signers.is_none() {
            candidate.signers = signers;
        }
        let most = usize::from(ctx.terms.committee.n()).saturating_mul(4);
        while self.values.len() > most {
            let oldest = self.values.iter().min_by_key(|(_, c)| c.view);
            let Some(oldest) = oldest.map(|(h, _)| *h) else {
                return;
            };
            self.values.remove(&oldest);
        }
    }

    /// A value is proposed again.
    pub(super) fn renew_value(&mut self, hash: Digest) {
        let view = self.view;
        if let Some(candidate) = self.values.get_mut(&hash) {
            candidate.view = view;
        }
    }

    /// The report over a value, if its observations are held; computed once.
    pub(super) fn report_of(&mut self, terms: &Terms, hash: Digest) -> Option<Arc<Report>> {
        let candidate = self.values.get(&hash)?;
        if let Some(report) = &candidate.report {
            return Some(Arc::clone(report));
        }
        let report = Arc::new(self.report(terms, &candidate.list)?);
        if let Some(candidate) = self.values.get_mut(&hash) {
            candidate.report = Some(Arc::clone(&report));
        }
        Some(report)
    }

    /// The session that a value names, if this member knows all of it and it is the one that the value says.
    pub(super) fn session_of(
        &mut self,
        terms: &Terms,
        hash: Digest,
    ) -> Option<Arc<SigningSession>> {
        let report = self.report_of(terms, hash)?;
        let candidate = self.values.get(&hash)?;
        if let Some(session) = &candidate.session {
            return Some(Arc::clone(session));
        }
        let named = candidate.list.session?;
        let signers = match (named.view, &candidate.signers) {
            (View(0), _) => self.observers(&candidate.list, named.signers)?,
            (_, signers) => signers.as_ref()?.to_vec(),
        };
        let session = SigningSession {
            statement: report.statement,
            signers,
        };
        if session.digest() != named.digest {
            return None;
        }
        let session = Arc::new(session);
        if let Some(candidate) = self.values.get_mut(&hash) {
            candidate.session = Some(Arc::clone(&session));
        }
        Some(session)
    }

    /// Signers with the nonces of the observations that a value names.
    fn observers(&self, list: &Value, signers: MemberSet) -> Option<Vec<SessionSigner>> {
        let entry = |member: MemberId| {
            let at = list
                .contributors
                .binary_search_by(|(m, _)| m.cmp(&member))
                .ok()?;
            let (_, hash) = list.contributors.get(at)?;
            let nonces = self.held(member, *hash)?.observation.nonces.clone();
            Some(SessionSigner { member, nonces })
        };
        signers.iter().map(entry).collect()
    }

    /// Makes a value of all observations that are held, to be signed with some of these nonces, and keeps it: before the own
    /// proposal comes back from the vault others may have got it and ask for its observations.
    pub(super) fn new_value(
        &mut self,
        ctx: &mut Ctx<'_>,
        view: View,
        nonces: Vec<(MemberId, Vec<NonceCommitments>)>,
    ) -> (Digest, Arc<Value>) {
        let held = self.observations.iter();
        let contributors = held.map(|(m, h)| (*m, h.signed.header.body_hash)).collect();
        let mut list = Value {
            contributors,
            session: None,
        };
        let report = self.report(ctx.terms, &list).map(Arc::new);
        let signers = self.choose_signers(ctx, nonces);
        let session = report.as_ref().zip(signers).map(|(report, signers)| {
            Arc::new(SigningSession {
                statement: report.statement,
                signers,
            })
        });
        list.session = session.as_ref().map(|session| ValueSession {
            view,
            signers: session.signers.iter().map(|s| s.member).collect(),
            digest: session.digest(),
        });
        let hash = list.hash(ctx.tag, self.round);
        let list = Arc::new(list);
        self.keep_value(ctx, hash, &list, None);
        if let Some(candidate) = self.values.get_mut(&hash) {
            candidate.report = report;
            candidate.session = session;
        }
        (hash, list)
    }

    /// As many signers as are needed, in ascending order: those with usable nonces, from the round's own place in the committee
    /// on, and members that spoilt a session lately only if there is nobody else.
    fn choose_signers(
        &self,
        ctx: &Ctx<'_>,
        nonces: Vec<(MemberId, Vec<NonceCommitments>)>,
    ) -> Option<Vec<SessionSigner>> {
        let n = u64::from(ctx.terms.committee.n());
        let place = |member: MemberId| {
            let from = self.round.0.checked_rem(n).unwrap_or_default();
            u64::from(member.0)
                .saturating_add(n)
                .saturating_sub(from)
                .checked_rem(n)
        };
        let mut nonces = nonces;
        nonces.sort_by_key(|(m, _)| (ctx.pace.is_suspect(*m, self.round), place(*m)));
        let threshold = self.rules.signing_threshold(ctx.terms.committee);
        let mut signers: Vec<_> = nonces
            .into_iter()
            .filter(|(member, nonces)| ctx.scheme.verify_nonces(*member, nonces))
            .take(threshold)
            .map(|(member, nonces)| SessionSigner { member, nonces })
            .collect();
        signers.sort_by_key(|s| s.member);
        (signers.len() == threshold).then_some(signers)
    }

    /// Whether a proposal of own observations may go out: a quorum is held, and either nothing that others may still bring is
    /// missed or the grace is over. What is missed is a feed that was priced lately or may be priced again, or signers that may be relied on.
    pub(super) fn may_propose(&self, ctx: &Ctx<'_>) -> bool {
        let Some(since) = self.quorum_at_us else {
            return false;
        };
        let committee = ctx.terms.committee;
        let all = self.observations.len() >= usize::from(committee.n());
        if all
            || ctx.now.mono_us >= since.saturating_add(ctx.params.grace_us)
            || !self.rules.wait_for_feeds()
        {
            return true;
        }
        // Nothing is gained by waiting for members that are down.
        let lately = self.round.saturating_sub(ABSENT_ROUNDS);
        let heard = |m: &MemberId| ctx.heard.get(m.index()).is_some_and(|at| *at >= lately);
        let missing = |m: &MemberId| !self.observations.contains_key(m) && heard(m);
        let missing: Vec<_> = committee.members().filter(missing).collect();
        if missing.is_empty() {
            return true;
        }
        let reliable = |m: &&MemberId| !ctx.pace.is_suspect(**m, self.round);
        let held = self.observations.keys().filter(reliable).count();
        if held < committee.signing_threshold() && missing.iter().any(|m| reliable(&m)) {
            return false;
        }
        let lately = self.round.saturating_sub(PRICED_ROUNDS);
        let probe = self.round.0.is_multiple_of(UNPRICED_ROUNDS);
        let feeds = u16::try_from(ctx.terms.feeds.len()).unwrap_or(u16::MAX);
        (0..feeds).all(|feed| {
            let carry = self
                .observations
                .values()
                .filter(|h| h.carries(feed))
                .count();
            let priced = ctx.priced.get(&feed).is_some_and(|at| *at >= lately);
            let worth = priced || (probe && carry >= committee.one_honest());
            carry >= committee.priceable() || !worth
        })
    }
}
