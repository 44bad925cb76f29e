//! Observations, and the end of view 0.

use std::{collections::btree_map::Entry, sync::Arc};

use touchstone_types::{MessageKind, View};

use super::{Ctx, Held, RoundState};
use crate::{
    coverage::Rule,
    message::{Content, Signed},
    params::Rules,
    proof::{Standing, Tc},
    step::{Draft, Effect, SignedHeader, To},
};

impl<R: Rules> RoundState<R> {
    /// O1, O2.
    pub(crate) fn start(&mut self, ctx: &mut Ctx<'_>, rule: Rule) {
        if !self.started {
            self.started = true;
            ctx.fire(rule);
            ctx.step.effects.push(Effect::Observe(self.round));
        }
    }

    /// O2, O3.
    pub(super) fn on_observation(&mut self, ctx: &mut Ctx<'_>, message: &Signed) {
        let (Some(signed), Content::Obs { observation, .. }) =
            (message.observation(), &message.content)
        else {
            return;
        };
        if !self.first(ctx, message) {
            return;
        }
        let held = Held {
            signed,
            observation: Arc::clone(observation),
        };
        self.store(ctx, held);
        self.on_new_observations(ctx);
    }

    /// O2 to O4: keeps a member's first observation, whether the member sent it or somebody who was asked for it. A proposal
    /// may name it from now on, so nothing replaces it.
    pub(super) fn store(&mut self, ctx: &mut Ctx<'_>, held: Held) {
        let (header, signature) = (held.signed.header, held.signed.signature);
        let Entry::Vacant(place) = self.observations.entry(header.member) else {
            return;
        };
        place.insert(held);
        // Another one by the same member is evidence against it, also where this one came from somebody else.
        self.slots
            .entry((MessageKind::Obs, View(0), 0, header.member))
            .or_insert(SignedHeader { header, signature });
        ctx.fire(Rule::StoreObservation);
        if self.observations.len() >= ctx.terms.committee.one_honest() {
            self.start(ctx, Rule::StartByOthers);
        }
        if self.observations.len() >= ctx.terms.committee.quorum() && self.quorum_at_us.is_none() {
            self.quorum_at_us = Some(ctx.now.mono_us);
            // O4: the optimistic view is not part of this version, so there is nothing to wait for in it.
            self.leave_view_0(ctx, Rule::Timeout);
        }
    }

    /// Whatever waited for observations may go on.
    pub(super) fn on_new_observations(&mut self, ctx: &mut Ctx<'_>) {
        if self.decided.is_some() {
            self.try_report(ctx);
        } else {
            self.propose(ctx);
            self.try_votes(ctx);
        }
    }

    fn leave_view_0(&mut self, ctx: &mut Ctx<'_>, rule: Rule) {
        if self.timed_out || self.decided.is_some() {
            return;
        }
        self.timed_out = true;
        ctx.fire(rule);
        let content = Content::Timeout {
            standing: Standing::default(),
            proof: None,
        };
        let draft = Draft::Complete {
            view: View(0),
            instance: 0,
            content,
        };
        ctx.send(To::All, self.round, draft);
    }

    /// O5, V1.
    pub(super) fn on_timeout(&mut self, ctx: &mut Ctx<'_>, message: &Signed) {
        let Content::Timeout { standing, proof } = &message.content else {
            return;
        };
        self.ask(ctx, message.header.member);
        if self.decided.is_some() || self.view > View(0) || !self.first(ctx, message) {
            return;
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
        if self.timeouts.len() >= ctx.terms.committee.quorum() {
            ctx.fire(Rule::EnterFirst);
            let standings = self
                .timeouts
                .iter()
                .map(|(m, (s, sig))| (*m, s.clone(), *sig));
            let tc = Tc {
                view: View(0),
                standings: standings.collect(),
            };
            let proof = self.timeout_proof.clone();
            self.enter(ctx, View(1), Arc::new(tc), proof);
        }
    }
}
