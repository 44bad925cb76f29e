//! The decision, and what others are told of it.

use std::sync::Arc;

use touchstone_types::{Digest, MemberId, MemberSet, Observation, SignedObservation, View};

use super::{Ctx, Held, RoundState};
use crate::{
    coverage::Rule,
    message::{Decision, Reply},
    params::Rules,
    proof::Value,
    step::To,
};

/// How often one member is served one value: once for its vote, once for its decision.
const SERVINGS: u8 = 2;

/// What was decided, and the proof.
#[derive(Debug)]
pub(super) struct Decided {
    decision: Decision,
    fetched: bool,
}

impl Decided {
    pub(super) fn value(&self) -> Digest {
        self.decision.qc.value
    }
}

impl<R: Rules> RoundState<R> {
    /// D5, D6: a member that sent TIMEOUT, PROPOSE or STATUS waits for this round's decision.
    pub(super) fn ask(&mut self, ctx: &mut Ctx<'_>, from: MemberId) {
        if from == ctx.me {
            return;
        }
        self.asked.insert(from);
        if let Some(decided) = &self.decided
            && self.rules.answer_askers()
            && self.answered.insert(from)
        {
            ctx.fire(Rule::AnswerLater);
            let reply = Reply::Decide(decided.decision.clone());
            ctx.reply(To::One(from), self.round, reply);
        }
    }

    /// D4.
    pub(super) fn on_decide(&mut self, ctx: &mut Ctx<'_>, decision: &Decision) {
        self.witness_qc(ctx, &decision.qc);
        if self.decided.is_some() {
            return;
        }
        let coin = if decision.qc.view == View(0) {
            Some(Vec::new())
        } else {
            let election = ctx
                .scheme
                .elect(self.round, decision.qc.view, &decision.coin);
            election.map(|e| e.shares.to_vec())
        };
        if let Some(coin) = coin {
            let qc = Arc::clone(&decision.qc);
            self.decide(ctx, Decision { qc, coin }, Rule::DecideByReply);
        }
    }

    /// D1 to D5.
    pub(super) fn decide(&mut self, ctx: &mut Ctx<'_>, decision: Decision, rule: Rule) {
        if self.decided.is_some() {
            return;
        }
        ctx.fire(rule);
        self.timed_out = true;
        ctx.pace.decided(decision.qc.view);
        let (since, delays) = match decision.qc.view {
            // PROPOSE0, PREPARE and COMMIT.
            View(0) => (self.quorum_at_us, 3),
            // TIMEOUT, and six in each view. Without this a timer that is too short would never be found out.
            View(views) => (self.timeout_at_us, u64::from(views).saturating_mul(7)),
        };
        if let Some(since) = since {
            let took_us = ctx.now.mono_us.saturating_sub(since);
            ctx.pace
                .sample(took_us.checked_div(delays).unwrap_or_default());
        }
        self.far.clear();
        let waiting = MemberSet(self.asked.0 & !self.answered.0);
        if self.rules.answer_askers() && !waiting.is_empty() {
            ctx.fire(Rule::AnswerEarlier);
            self.answered = MemberSet(self.answered.0 | waiting.0);
            let reply = Reply::Decide(decision.clone());
            ctx.reply(To::Set(waiting), self.round, reply);
        }
        self.decided = Some(Decided {
            decision,
            fetched: false,
        });
        self.try_report(ctx);
    }

    /// D7: computes the report once all observations of the decided value are held; asks everybody for what is missing. At
    /// least `f + 1` honest members voted for the value, so they hold it, or else the round's certificate.
    pub(super) fn try_report(&mut self, ctx: &mut Ctx<'_>) {
        let Some(decided) = &self.decided else {
            return;
        };
        if self.signing.is_some() {
            return;
        }
        let (hash, fetched) = (decided.value(), decided.fetched);
        if let Some(report) = self.report_of(ctx.terms, hash) {
            self.start_signing(ctx, hash, &report);
        } else if !fetched {
            let list = self.values.get(&hash).map(|c| Arc::clone(&c.list));
            let have = list.map_or(MemberSet::default(), |list| self.held_of(&list));
            if let Some(decided) = &mut self.decided {
                decided.fetched = true;
            }
            ctx.fire(Rule::FetchDecided);
            self.wanted.insert(hash);
            let reply = Reply::Fetch { value: hash, have };
            ctx.reply(To::All, self.round, reply);
        }
    }

    /// D8.
    pub(super) fn on_fetch(
        &mut self,
        ctx: &mut Ctx<'_>,
        from: MemberId,
        hash: Digest,
        have: MemberSet,
    ) {
        let Some(list) = self.values.get(&hash).map(|c| Arc::clone(&c.list)) else {
            return;
        };
        let Some(held) = self.held_all(&list) else {
            return;
        };
        let missing = held
            .into_iter()
            .filter(|h| !have.contains(h.signed.header.member));
        let observations: Vec<SignedObservation> = missing.map(|h| h.signed.clone()).collect();
        let servings = self.served.entry((from, hash)).or_default();
        if *servings < SERVINGS {
            *servings = servings.saturating_add(1);
            ctx.fire(Rule::ServeFetch);
            let reply = Reply::Value { list, observations };
            ctx.reply(To::One(from), self.round, reply);
        }
    }

    /// Takes what was asked for. An observation of a member of which none was held counts from now on as its first.
    pub(super) fn on_value(
        &mut self,
        ctx: &mut Ctx<'_>,
        list: &Arc<Value>,
        observations: &[SignedObservation],
    ) {
        let hash = list.hash(ctx.tag, self.round);
        if !self.wanted.contains(&hash) {
            return;
        }
        self.keep_value(ctx, hash, list, None);
        for signed in observations {
            let key = (signed.header.member, signed.header.body_hash);
            if self.held(key.0, key.1).is_some() {
                continue;
            }
            let Ok(observation) = Observation::from_bytes(&signed.body) else {
                continue;
            };
            let held = Held {
                signed: signed.clone(),
                observation: Arc::new(observation),
            };
            if self.observations.contains_key(&key.0) || key.0 == ctx.me {
                self.other_observations.insert(key, held);
                self.bound_other_observations(ctx);
            } else {
                self.store(ctx, held);
            }
        }
        self.on_new_observations(ctx);
    }

    /// Fetched observations stay although no value may name them at the moment: the next view's proposals will, and nobody
    /// serves one value to one member again and again. Only too many of them, by Byzantine proposers, make room.
    fn bound_other_observations(&mut self, ctx: &Ctx<'_>) {
        let (n, f) = (ctx.terms.committee.n(), ctx.terms.committee.f());
        let most = usize::from(n)
            .saturating_mul(usize::from(f))
            .saturating_mul(4);
        if self.other_observations.len() > most {
            let values = &self.values;
            self.other_observations
                .retain(|key, _| values.values().any(|c| c.list.contributors.contains(key)));
        }
    }
}
