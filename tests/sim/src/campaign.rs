//! Many runs, one seed after the other, and what they tell together.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::Instant,
};

use anyhow::{Context as _, Result};
use touchstone_consensus::Rules;
use touchstone_types::Committee;

use super::{
    adversary::Behaviour,
    check::{Finding, Property},
    committee::Network,
    concert::Concert,
    machine::{By, Recipe},
    plan::Plan,
    report::Report,
    world::{Outcome, Verdict, World},
};

/// Rounds in each run with a member that leaves a feed out.
const OMITTER_ROUNDS: u64 = 1_000;
/// How often progress is told, in runs.
const TELL_RUNS: u64 = 10_000;

/// What kind of runs to make.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Whatever the seed says.
    Adversarial,
    /// No faults but some crashed members that do not lead, and every letter takes one unit.
    GoodCase {
        /// How many members are crashed.
        crashed: u16,
    },
    /// The good case, but the leader is down. Delays count from the end of the timer.
    DeadLeader {
        /// How many others are down.
        crashed: u16,
    },
    /// One member leaves a feed out; all others are up and honest.
    Omitter,
    /// Nobody is faulty; the network holds back whoever is known to lead, and never lets go.
    Hunt,
}

/// When a campaign ends early.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Stop {
    /// Not at all.
    Never,
    /// After the first run that fails.
    AtFailure,
    /// After the first run in which this broke; see [`Verdict::names`].
    At(String),
}

impl Stop {
    fn is_over(&self, verdict: &Verdict) -> bool {
        match self {
            Self::Never => false,
            Self::AtFailure => *verdict != Verdict::Pass,
            Self::At(name) => verdict.names().contains(name),
        }
    }
}

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
    /// What kind of runs.
    pub mode: Mode,
    /// Print every message.
    pub trace: bool,
    /// When to stop before all runs are made.
    pub stop: Stop,
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
            mode: Mode::Adversarial,
            trace: false,
            stop: Stop::Never,
            threads: thread::available_parallelism().map_or(1, usize::from),
            progress: false,
        }
    }
}

/// Many runs.
pub struct Campaign;

impl Campaign {
    /// Runs a core with these rules many times.
    ///
    /// # Errors
    /// A committee that cannot be set up.
    pub fn run(rules: impl Rules, options: &Options) -> Result<Report> {
        Self::run_by(&By(rules), options)
    }

    fn run_by(recipe: &dyn Recipe, options: &Options) -> Result<Report> {
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
        let started = Instant::now();
        let work = || -> Result<Report> {
            let mut report = Report::default();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= options.runs || stop.load(Ordering::Relaxed) {
                    return Ok(report);
                }
                let seed = options.seed.wrapping_add(index);
                let (plan, outcome) = one(recipe, options, committee, &network, seed)?;
                if options.stop.is_over(&outcome.verdict) {
                    stop.store(true, Ordering::Relaxed);
                }
                report.add(seed, &plan, outcome);
                let done = index + 1;
                if options.progress && (done.is_multiple_of(TELL_RUNS) || done == options.runs) {
                    let rate = done as f64 / started.elapsed().as_secs_f64().max(0.001);
                    let (nodes, runs) = (options.nodes, options.runs);
                    eprintln!("{nodes} members: {done} of {runs} runs, {rate:.0} each second");
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

fn one(
    recipe: &dyn Recipe,
    options: &Options,
    committee: Committee,
    network: &Network,
    seed: u64,
) -> Result<(Plan, Outcome)> {
    let network = network.for_run(seed);
    let rounds = |usually: u64| options.rounds.unwrap_or(usually);
    let plan = match options.mode {
        Mode::GoodCase { crashed } => Plan::crashed(seed, committee, rounds(1), crashed),
        Mode::DeadLeader { crashed } => Plan::dead_leader(seed, committee, crashed),
        Mode::Omitter => Plan::omitter(seed, committee, rounds(OMITTER_ROUNDS)),
        Mode::Hunt => Plan::hunt(seed, committee),
        Mode::Adversarial => Plan::draw(
            seed,
            committee,
            options.rounds,
            &options.faults,
            options.concert,
        ),
    };
    if options.trace {
        println!("{plan:#?}");
    }
    let run =
        || -> Result<Outcome> { Ok(World::new(recipe, &plan, &network, options.trace)?.run()) };
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
