//! How fast the network is, as far as this member has seen. It decides how long the member prefers to wait for something
//! better, never what it says.

use std::collections::BTreeMap;

use touchstone_types::{MemberId, Round, View};

use crate::params::Params;

/// The timer of view 0 in message delays: three are needed, the rest is room for the unevenness of real ones.
const TIMER_DELAYS: u64 = 8;
/// How many message delays late shares are waited for before they are asked for.
const PATIENCE_DELAYS: u64 = 3;
/// A sample weighs one part in this many.
const SAMPLE_WEIGHT: u64 = 8;
/// While view 0 keeps failing, one round in this many tries it.
const PROBE_ROUNDS: u64 = 8;
/// How many rounds a member whose share was wrong is left out of signer sets.
const BAD_SHARE_ROUNDS: u64 = 1_024;
/// The same for one whose share did not come in time.
const LATE_SHARE_ROUNDS: u64 = 32;

/// What a member remembers from round to round to be quick.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// A message delay in microseconds, smoothed; none before the first sample.
    delay_us: Option<u64>,
    /// Rounds in a row that view 0 did not decide.
    fallbacks: u32,
    /// Members that are left out of signer sets, and until which round.
    suspects: BTreeMap<MemberId, Round>,
}

impl Pace {
    /// A message took this long, or so it seems.
    pub(crate) fn sample(&mut self, delay_us: u64) {
        let smoothed = match self.delay_us {
            None => delay_us,
            Some(old) => {
                let kept = old.saturating_mul(SAMPLE_WEIGHT.saturating_sub(1));
                kept.saturating_add(delay_us) / SAMPLE_WEIGHT
            }
        };
        self.delay_us = Some(smoothed);
    }

    /// A round was decided in this view.
    pub(crate) fn decided(&mut self, view: View) {
        self.fallbacks = match view {
            View(0) => 0,
            _ => self.fallbacks.saturating_add(1),
        };
    }

    /// Whether a round leaves view 0 out. All members that have seen the same try it in the same rounds.
    pub(crate) fn skips_view_0(&self, params: &Params, round: Round) -> bool {
        self.fallbacks >= params.fallbacks_max && !round.0.is_multiple_of(PROBE_ROUNDS)
    }

    /// How long view 0 may take from a quorum of observations on.
    pub(crate) fn timer_us(&self, params: &Params) -> u64 {
        let Some(delay) = self.delay_us else {
            return params.timer_max_us;
        };
        delay
            .saturating_mul(TIMER_DELAYS)
            .saturating_add(params.grace_us)
            .clamp(params.timer_min_us, params.timer_max_us)
    }

    /// How long shares that come by themselves are waited for after the decision. As with the timer of view 0, a fast network is no
    /// reason to take a moment's delay of a machine for a fault.
    pub(crate) fn patience_us(&self, params: &Params) -> u64 {
        let delay = self.delay_us.unwrap_or(params.stagger_us);
        let patience = delay.saturating_mul(PATIENCE_DELAYS);
        patience.max(params.timer_min_us).min(params.stagger_us)
    }

    /// A member's share was wrong, or did not come.
    pub(crate) fn suspect(&mut self, member: MemberId, round: Round, wrong: bool) {
        let rounds = if wrong {
            BAD_SHARE_ROUNDS
        } else {
            LATE_SHARE_ROUNDS
        };
        let until = self.suspects.entry(member).or_default();
        *until = round.saturating_add(rounds).max(*until);
    }

    /// Whether the member had better not be a signer in this round.
    pub(crate) fn is_suspect(&self, member: MemberId, round: Round) -> bool {
        self.suspects
            .get(&member)
            .is_some_and(|until| *until > round)
    }
}
