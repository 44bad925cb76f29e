//! Many runs, one seed after the other, and what they tell together.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
};

use anyhow::{Context as _, Result};
use touchstone_consensus::{Coverage, Rule, Rules};
use touchstone_types::Committee;

use super::{
    adversary::Behaviour,
    check::{Finding, Property},
    committee::Network,
    concert::Concert,
    plan::{Plan, UNIT_US},
    world::{Outcome, Verdict, World},
};

/// How many failures a report lists.
const FAILURES_KEPT: usize = 10;

/// What to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Members, from 4 to 100.
    pub nodes: u16,
    /// How many runs; run `i` has the seed `seed + i`.
    pub runs: u64,
    /// The first run's seed.
    pub seed: u64,
    /// Rounds in each run; none: drawn.
    pub rounds: Option<u64>,
    /// Real signatures in place of symbols.
    pub real_crypto: bool,
    /// What Byzantine members do; empty: drawn, with crashes and restarts beside.
    pub faults: Vec<Behaviour>,
    /// The one attack that all runs are; none: drawn.
    pub concert: Option<Concert>,
    /// No faults, and every letter takes one unit.
    pub good_case: bool,
    /// Print every message.
    pub trace: bool,
    /// Stop at the first failure.
    pub stop_early: bool,
    /// Threads.
    pub threads: usize,
    /// Progress on stderr.
    pub progress: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            nodes: 4,
            runs: 1_000,
            seed: 1,
            rounds: None,
            real_crypto: false,
            faults: Vec::new(),
            concert: None,
            good_case: false,
            trace: false,
            stop_early: false,
            threads: thread::available_parallelism().map_or(1, usize::from),
            progress: false,
        }
    }
}

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
    fn add(&mut self, value: u64) {
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
    /// What failed, by name: a run counts for what broke in it first.
    pub kinds: BTreeMap<String, Kind>,
    /// How often each fault, schedule and role was drawn.
    pub mix: BTreeMap<(&'static str, &'static str), u64>,
    /// Pieces of evidence that honest members gave.
    pub evidence: u64,
    /// How often each rule fired.
    pub coverage: Coverage,
    /// The highest view of each round.
    pub views: Spread,
    /// From observation to certificate, in microseconds.
    pub delays_us: Spread,
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

    /// A number of microseconds in units of one message delay.
    pub fn in_delays(us: f64) -> f64 {
        us / UNIT_US as f64
    }

    fn add_kind(&mut self, name: String, kind: Kind) {
        let known = self.kinds.entry(name).or_insert(Kind { runs: 0, ..kind });
        known.runs += kind.runs;
        known.first_seed = known.first_seed.min(kind.first_seed);
    }

    fn add(&mut self, seed: u64, plan: &Plan, outcome: Outcome) {
        self.runs += 1;
        for feature in plan.features() {
            *self.mix.entry(feature).or_default() += 1;
        }
        self.evidence += outcome.evidence;
        if let Some(name) = outcome.verdict.name() {
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
        self.messages += outcome.messages;
        self.kept_max = self.kept_max.max(outcome.kept_max);
    }

    fn join(&mut self, other: Self) {
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
        self.coverage.add(&other.coverage);
        self.views.join(&other.views);
        self.delays_us.join(&other.delays_us);
        self.messages += other.messages;
        self.kept_max = self.kept_max.max(other.kept_max);
    }
}

/// Many runs.
pub struct Campaign;

impl Campaign {
    /// Runs a core with these rules many times.
    ///
    /// # Errors
    /// A committee that cannot be set up.
    pub fn run<R: Rules>(options: &Options) -> Result<Report> {
        let committee = Committee::new(
            usize::from(options.nodes),
            Committee::max_faults(options.nodes),
        )?;
        let network = if options.real_crypto {
            Network::real(options.nodes, options.seed)?
        } else {
            Network::symbolic(options.nodes, options.seed)?
        };
        let next = AtomicU64::new(0);
        let stop = AtomicBool::new(false);
        let work = || -> Result<Report> {
            let mut report = Report::default();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= options.runs || stop.load(Ordering::Relaxed) {
                    return Ok(report);
                }
                let seed = options.seed.wrapping_add(index);
                let (plan, outcome) = one::<R>(options, committee, &network, seed)?;
                if outcome.verdict != Verdict::Pass && options.stop_early {
                    stop.store(true, Ordering::Relaxed);
                }
                report.add(seed, &plan, outcome);
                if options.progress && index % 1_000 == 999 {
                    eprintln!("{} of {} runs", index + 1, options.runs);
                }
            }
        };
        let reports = thread::scope(|scope| {
            let threads: Vec<_> = (0..options.threads.max(1))
                .map(|_| scope.spawn(work))
                .collect();
            let joined = threads
                .into_iter()
                .map(|t| t.join().ok().context("a simulator thread died")?);
            joined.collect::<Result<Vec<_>>>()
        })?;
        let mut total = Report::default();
        reports.into_iter().for_each(|r| total.join(r));
        Ok(total)
    }
}

fn one<R: Rules>(
    options: &Options,
    committee: Committee,
    network: &Network,
    seed: u64,
) -> Result<(Plan, Outcome)> {
    let network = network.for_run(seed);
    let plan = if options.good_case {
        Plan::good_case(seed, committee, options.rounds.unwrap_or(1))
    } else {
        Plan::draw(
            seed,
            committee,
            options.rounds,
            &options.faults,
            options.concert,
        )
    };
    if options.trace {
        println!("{plan:#?}");
    }
    let run = || -> Result<Outcome> { Ok(World::<R>::new(&plan, &network, options.trace)?.run()) };
    let outcome = catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
        let what = text.unwrap_or_else(|| "a panic without text".to_owned());
        Ok(Outcome::broken(Finding {
            property: Property::NoPanic,
            what,
        }))
    })?;
    Ok((plan, outcome))
}
