//! What many runs tell together.

use std::collections::BTreeMap;

use touchstone_consensus::{Coverage, Rule};

use super::{
    plan::{Plan, UNIT_US},
    world::{Outcome, Verdict},
};

/// How many failures a report lists.
const FAILURES_KEPT: usize = 10;

/// Smallest, mean and largest of many.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Spread {
    /// How many.
    pub count: u64,
    /// The smallest.
    pub min: u64,
    /// The largest.
    pub max: u64,
    sum: u64,
}

impl Spread {
    pub(super) fn add(&mut self, value: u64) {
        self.min = if self.count == 0 {
            value
        } else {
            self.min.min(value)
        };
        self.max = self.max.max(value);
        self.count += 1;
        self.sum += value;
    }

    fn join(&mut self, other: &Self) {
        if other.count > 0 {
            self.min = if self.count == 0 {
                other.min
            } else {
                self.min.min(other.min)
            };
            self.max = self.max.max(other.max);
            self.count += other.count;
            self.sum += other.sum;
        }
    }

    /// The mean; 0 of none.
    pub fn mean(&self) -> f64 {
        if self.count == 0 {
            0.0
        } else {
            self.sum as f64 / self.count as f64
        }
    }
}

/// A run that did not pass.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// How many members it had.
    pub nodes: u16,
    /// Its seed.
    pub seed: u64,
    /// What went wrong.
    pub verdict: Verdict,
}

/// How often one thing went wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kind {
    /// In how many runs.
    pub runs: u64,
    /// The first of their seeds.
    pub first_seed: u64,
}

/// What a campaign tells.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Runs that were made.
    pub runs: u64,
    /// Runs that passed.
    pub passed: u64,
    /// Runs that stood still.
    pub no_progress: u64,
    /// Runs in which a property broke.
    pub diverged: u64,
    /// The first failures, by seed.
    pub failures: Vec<Failure>,
    /// What failed, by name: a run counts for everything that broke in it.
    pub kinds: BTreeMap<String, Kind>,
    /// How often each fault, schedule and role was drawn.
    pub mix: BTreeMap<(&'static str, &'static str), u64>,
    /// Pieces of evidence that honest members gave.
    pub evidence: u64,
    /// Rounds that were signed.
    pub rounds: u64,
    /// Rounds that were signed with a feed unavailable.
    pub unpriced: u64,
    /// How often each rule fired.
    pub coverage: Coverage,
    /// The highest view of each round.
    pub views: Spread,
    /// From observation to certificate, in microseconds.
    pub delays_us: Spread,
    /// Signing sessions of an honest coordinator in a round in which it opened any.
    pub sessions: Spread,
    /// Letters, each receiver counted.
    pub messages: u64,
    /// The most that an honest member kept.
    pub kept_max: usize,
}

impl Report {
    /// The rules that never fired.
    pub fn silent_rules(&self) -> Vec<Rule> {
        self.coverage
            .iter()
            .filter(|(_, count)| *count == 0)
            .map(|(rule, _)| rule)
            .collect()
    }

    /// The share of signed rounds in which every feed was priced; 1 of none.
    pub fn priced_share(&self) -> f64 {
        if self.rounds == 0 {
            1.0
        } else {
            1.0 - self.unpriced as f64 / self.rounds as f64
        }
    }

    /// A number of microseconds in units of one message delay.
    pub fn in_delays(us: f64) -> f64 {
        us / UNIT_US as f64
    }

    fn add_kind(&mut self, name: String, kind: Kind) {
        let known = self.kinds.entry(name).or_insert(Kind { runs: 0, ..kind });
        known.runs += kind.runs;
        known.first_seed = known.first_seed.min(kind.first_seed);
    }

    pub(super) fn add(&mut self, seed: u64, plan: &Plan, outcome: Outcome) {
        self.runs += 1;
        for feature in plan.features() {
            *self.mix.entry(feature).or_default() += 1;
        }
        self.evidence += outcome.evidence;
        self.rounds += outcome.rounds;
        self.unpriced += outcome.unpriced;
        for name in outcome.verdict.names() {
            let kind = Kind {
                runs: 1,
                first_seed: seed,
            };
            self.add_kind(name, kind);
        }
        match &outcome.verdict {
            Verdict::Pass => self.passed += 1,
            Verdict::NoProgress(_) => self.no_progress += 1,
            Verdict::Diverged(_) => self.diverged += 1,
        }
        if outcome.verdict != Verdict::Pass {
            self.failures.push(Failure {
                nodes: plan.committee.n(),
                seed,
                verdict: outcome.verdict,
            });
            self.failures.sort_by_key(|f| f.seed);
            self.failures.truncate(FAILURES_KEPT);
        }
        self.coverage.add(&outcome.coverage);
        outcome
            .views
            .iter()
            .for_each(|v| self.views.add(u64::from(*v)));
        outcome
            .delays_us
            .iter()
            .for_each(|d| self.delays_us.add(*d));
        outcome.sessions.iter().for_each(|s| self.sessions.add(*s));
        self.messages += outcome.messages;
        self.kept_max = self.kept_max.max(outcome.kept_max);
    }

    /// Adds another campaign up.
    pub fn join(&mut self, other: Self) {
        self.runs += other.runs;
        self.passed += other.passed;
        self.no_progress += other.no_progress;
        self.diverged += other.diverged;
        self.failures.extend(other.failures);
        self.failures.sort_by_key(|f| f.seed);
        self.failures.truncate(FAILURES_KEPT);
        for (name, kind) in other.kinds {
            self.add_kind(name, kind);
        }
        for (feature, count) in other.mix {
            *self.mix.entry(feature).or_default() += count;
        }
        self.evidence += other.evidence;
        self.rounds += other.rounds;
        self.unpriced += other.unpriced;
        self.coverage.add(&other.coverage);
        self.views.join(&other.views);
        self.delays_us.join(&other.delays_us);
        self.sessions.join(&other.sessions);
        self.messages += other.messages;
        self.kept_max = self.kept_max.max(other.kept_max);
    }
}
