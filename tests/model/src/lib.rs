//! A model checker for the shipped consensus core: four members, one of them Byzantine, one round.
//!
//! The honest members are three [`touchstone_consensus::Core`]s as they ship, with symbolic keys; messages are checked by the
//! shipped `Verifier`. The Byzantine member is every program at once: it sees all letters, and whatever its key and those letters
//! allow it to say may be said to anybody at any time (`byzantine`). So may what honest members sent be delivered, or never. In every
//! state it is checked that
//!
//! * one value only has been decided, or can be shown to be decided (agreement);
//! * one report only can be signed, where the Byzantine member gives a share for everything, shares of all sessions add up,
//!   and every honest member signs what can be shown to be decided;
//! * no honest member signs two bodies for one slot, or refuses what another one sends.
//!
//! [`explore`] is the reduced search, [`cross_check`] compares it with the search that has no reductions, and [`walk`] samples what is
//! too large for that. A violation comes with a schedule that [`repeat`] plays again.
//!
//! # Reductions
//!
//! A state is what each honest member knows, sent and signed, and how the coins fall; what was sent is never forgotten, so
//! there is no network in it, and no state of the Byzantine member. Deliveries to different members commute, for each changes one
//! member only and adds letters. The shortcuts that the reduced search takes beyond that are named and justified in
//! docs/protocol.md, "What is proved, exhausted, sampled"; each stands in `reduced::stages`, or in `essence`, which says
//! what later views depend on. None rests on a rule that a mutant drops, or it is not taken where that rule is dropped.

mod byzantine;
pub mod cli;
mod essence;
mod full;
mod judge;
mod letter;
mod member;
mod reduced;
mod schedule;
mod symbols;
mod world;

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use touchstone_consensus::{Rules, Sound};
use touchstone_sim::mutants::{self, Mutant};
use touchstone_types::MemberId;

use crate::{reduced::Reduced, world::World};

pub use crate::{
    full::{Limits, Seen},
    judge::{Commitment, NamedLock, Outcome, Property, Violation},
    reduced::{Count, Found, Merge},
    world::Config,
};

/// How the reduced search is done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// Which states at the end of a view count as one.
    pub merge: Merge,
    /// How many states are kept at most; about four kilobytes each.
    pub states: usize,
    /// Goes on after each view with so many states only, those with the most locks and shares about: a guided search.
    pub beam: Option<usize>,
    /// Says on standard error how far it is.
    pub progress: bool,
    /// Keeps what every state amounts to.
    pub outcomes: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            merge: Merge::View,
            states: 2_000_000,
            beam: None,
            progress: false,
            outcomes: false,
        }
    }
}

/// What a reduced search came to.
pub struct Explored {
    /// How much there was.
    pub count: Count,
    /// How long it took.
    pub time: Duration,
    /// The first violation, with a schedule from which nothing can be left out.
    pub found: Option<Found>,
    /// What the states amount to, if that was asked for.
    pub outcomes: BTreeSet<Outcome>,
}

/// Something to do with rules that are known by name only.
trait Visitor {
    /// What comes of it.
    type Output;

    /// Does it.
    fn visit<R: Rules>(self, rules: R) -> Self::Output;
}

/// Does something with the rules of what ships or, by name, of a mutant.
fn with_rules<T, V: Visitor<Output = Result<T>>>(mutant: Option<&str>, visitor: V) -> Result<T> {
    match mutant {
        None => visitor.visit(Sound),
        Some(name) => {
            let known = mutants::NAMES.join(", ");
            let mutant = Mutant::of(name)
                .with_context(|| format!("no mutant {name:?}; there are {known}"))?;
            visitor.visit(mutant)
        }
    }
}

/// The reduced search, exhaustive up to the reductions above unless it ends with a violation.
///
/// # Errors
/// More states than may be kept, or a core that accuses an honest member.
pub fn explore(mutant: Option<&str>, config: &Config, options: Options) -> Result<Explored> {
    with_rules(mutant, Explore { config, options })
}

struct Explore<'a> {
    config: &'a Config,
    options: Options,
}

impl Visitor for Explore<'_> {
    type Output = Result<Explored>;

    fn visit<R: Rules>(self, rules: R) -> Self::Output {
        let since = Instant::now();
        let mut world = World::new(self.config.clone(), rules)?;
        let mut search = Reduced::new(&mut world, self.options);
        let mut found = search.run()?;
        let (count, outcomes) = (search.count, search.outcomes);
        let time = since.elapsed();
        if let Some(found) = &mut found {
            found.schedule = world.shorten(&found.schedule, found.violation.property)?;
        }
        Ok(Explored {
            count,
            time,
            found,
            outcomes,
        })
    }
}

/// All ways in which the coins of so many views may fall.
fn all_coins(views: u32) -> Vec<Vec<MemberId>> {
    let mut all = vec![Vec::new()];
    for _ in 0..views {
        all = all
            .into_iter()
            .flat_map(|coins| {
                (0..4).map(move |leader| {
                    let mut coins = coins.clone();
                    coins.push(MemberId(leader));
                    coins
                })
            })
            .collect();
    }
    all
}

/// The search without reductions, for each way in which the coins may fall, from what comes after a schedule.
///
/// # Errors
/// A line that is none, or a core that accuses an honest member.
pub fn unreduced(
    mutant: Option<&str>,
    config: &Config,
    after: &[String],
    limits: Limits,
) -> Result<Seen> {
    let search = Unreduced {
        config,
        after,
        limits,
    };
    with_rules(mutant, search)
}

struct Unreduced<'a> {
    config: &'a Config,
    after: &'a [String],
    limits: Limits,
}

impl Visitor for Unreduced<'_> {
    type Output = Result<Seen>;

    fn visit<R: Rules>(self, rules: R) -> Self::Output {
        let mut world = World::new(self.config.clone(), rules)?;
        let mut all = Seen::default();
        for coins in all_coins(self.config.views) {
            let start = world.with_coins(&coins)?;
            let (start, done) = world.repeat(start, self.after)?;
            if done.len() < self.after.len() {
                bail!("{} of {} lines were possible", done.len(), self.after.len());
            }
            all = all.and(world.search(start, self.limits)?);
            if all.found.is_some() {
                break;
            }
        }
        Ok(all)
    }
}

/// Random schedules without reductions.
///
/// # Errors
/// A core that accuses an honest member.
pub fn walk(mutant: Option<&str>, config: &Config, walks: u64, seed: u64) -> Result<Seen> {
    let walk = Walk {
        config,
        walks,
        seed,
    };
    with_rules(mutant, walk)
}

struct Walk<'a> {
    config: &'a Config,
    walks: u64,
    seed: u64,
}

impl Visitor for Walk<'_> {
    type Output = Result<Seen>;

    fn visit<R: Rules>(self, rules: R) -> Self::Output {
        let mut world = World::new(self.config.clone(), rules)?;
        let mut starts = Vec::new();
        for coins in all_coins(self.config.views) {
            starts.push(world.with_coins(&coins)?);
        }
        world.walk(&starts, self.walks, self.seed)
    }
}

/// What the reduced search and another one disagree about: what only the reduced one saw, and what the other one saw and no outcome
/// of the reduced one covers.
pub fn cross_check(reduced: &Explored, other: &Seen) -> (Vec<Outcome>, Vec<Outcome>) {
    let covered = |o: &&Outcome| {
        reduced.outcomes.contains(*o) || reduced.outcomes.iter().any(|r| r.covers(o))
    };
    let only = reduced.outcomes.difference(&other.outcomes).cloned();
    let missed = other.outcomes.iter().filter(|o| !covered(o)).cloned();
    (only.collect(), missed.collect())
}

/// Plays a schedule again; which lines were possible, and what is broken at its end.
///
/// # Errors
/// A line that is none.
pub fn repeat(
    mutant: Option<&str>,
    config: &Config,
    lines: &[String],
) -> Result<(Vec<String>, Option<Violation>)> {
    with_rules(mutant, Repeat { config, lines })
}

struct Repeat<'a> {
    config: &'a Config,
    lines: &'a [String],
}

impl Visitor for Repeat<'_> {
    type Output = Result<(Vec<String>, Option<Violation>)>;

    fn visit<R: Rules>(self, rules: R) -> Self::Output {
        let mut world = World::new(self.config.clone(), rules)?;
        let (state, done) = world.repeat(world.start, self.lines)?;
        let violation = world.judge(state);
        Ok((done, violation))
    }
}
