//! Observations.

use std::{collections::btree_map::Entry, sync::Arc};

use touchstone_types::{MessageKind, SignedHeader, View};

use super::{Ctx, Held, RoundState};
use crate::{
    coverage::Rule,
    message::{Content, Reply, Signed},
    params::{Params, Rules},
    step::{Effect, To},
};

impl<R: Rules> RoundState<R> {
    /// O1, O2.
    pub(crate) fn start(&mut self, ctx: &mut Ctx<'_>, rule: Rule) {
        if self.started_at_us.is_none() {
            self.started_at_us = Some(ctx.now.mono_us);
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

    /// O2, O3: keeps a member's first observation, whether the member sent it or somebody who was asked for it. A proposal
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
            if let Some(started) = self.started_at_us {
                ctx.pace.sample(ctx.now.mono_us.saturating_sub(started));
            }
            self.start_timer(ctx);
        }
    }

    /// Whether the certificate may yet be asked for because a quorum of observations does not come.
    pub(crate) fn lacks_observations(&self) -> bool {
        self.quorum_at_us.is_none() && !self.wanted_early && self.rules.ask_everybody()
    }

    /// When a member that observed has waited long enough for the others.
    pub(super) fn want_early_us(&self, params: &Params) -> Option<u64> {
        let started = self.started_at_us.filter(|_| self.lacks_observations())?;
        Some(started.saturating_add(params.timer_max_us))
    }

    /// O4: without a quorum of observations no timer runs, so nothing else would ever leave a member whose links broke while the
    /// others finished the round: what a link has lost is sent again only while the round is alive at its sender.
    pub(crate) fn want_early(&mut self, ctx: &mut Ctx<'_>) {
        self.wanted_early = true;
        ctx.fire(Rule::WantEarly);
        ctx.reply(To::All, self.round, Reply::Want);
    }

    /// Whatever waited for observations may go on.
    pub(super) fn on_new_observations(&mut self, ctx: &mut Ctx<'_>) {
        if self.decided.is_some() {
            self.try_report(ctx);
        } else {
            self.propose_0(ctx);
            self.try_prepare(ctx);
            self.propose(ctx);
            self.try_votes(ctx);
        }
    }
}
