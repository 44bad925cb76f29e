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
//! member only and adds letters. The reduced search then takes these shortcuts:
//!
//! * **observations**: every member has all of them from the start, that of the Byzantine member in a body of its own, so that
//!   all proposals are different reports. Agreement is about equality of values; equal ones only make fewer violations.
//! * **coins fall early**: the adversary may know the coin when its view begins. That adds to what it can do; properties must
//!   hold however the coin falls.
//! * **views in order**: what a member does in view `v` follows from letters of views up to `v`, except that a later proposal makes it
//!   leave and that a later decision makes it stop, and neither sends a letter of view `v`. So a schedule can be sorted by the view that the
//!   member is in, without any member or letter noticing.
//! * **stages in order**: inside a view, PROPOSE, VOTE, LOCK, ACK and DONE come before the first COIN that opens the coin; to know the
//!   coin only ever disables. What a member shall not get before it knows the coin it gets after it ("late"), or never.
//! * **quorums at once**: fewer than a quorum of PREPARE, TIMEOUT, STATUS or COIN changes nothing that is sent. So a member gets a quorum or none. Of
//!   certificates and sets of statements that say the same there is one edition; sets of statements say the same if their highest lock is.
//! * **enabling letters at once**: votes for an honest proposer, the acknowledgements of its LOCK, FETCH and VALUE only make things possible that may still be
//!   withheld: LOCK, DONE and the vote. Of the members that are not elected nothing but their DONE matters after the coin, so everybody present gets
//!   their LOCK and DONE.
//! * **who is present**: a member enters a view by statements, by a proposal if it is further behind, or not at all; what it does not
//!   get for ever stands for all that comes late.
//! * **the Byzantine proposal**: to propose two values in a view gives neither more than one honest vote too few, since honest members vote once for each
//!   proposer; one value to all is no less. If it is not elected any will do.
//! * **decisions**: who has decided answers with the decision and else falls silent, like a member that gets nothing any more. So nobody
//!   decides on the way; instead, at the end of every view, everybody is shown every decision that can be shown. All that decide
//!   release their share in the count.
//! * **the coin is learned** by everybody present, unless a mutant lets members leave without it: who never learns it says no STATUS, like one
//!   whose STATUS nobody gets.
//! * **late letters that say nothing**: a letter after TIMEOUT or after the coin to which the member says nothing is as good as none.
//! * **merging at the end of a view** ([`Merge::View`]): later views depend on each member's view, lock, decision, shares and its knowledge of the coin, the
//!   statements of the view, the locks and decisions that can be shown, and nothing else; up to the names of values and of the three honest
//!   members. [`Merge::Exact`] leaves that out.
//!
//! What no rule above rests on are the rules that mutants drop: the same search finds their counterexamples.

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
use touchstone_sim::mutants::{self, Visitor};
use touchstone_types::MemberId;

use crate::{reduced::Reduced, world::World};

pub use crate::{
    full::{Limits, Seen},
    judge::{Outcome, Property, Violation},
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

/// Something to do with the rules of what ships or, by name, of a mutant.
fn with_rules<T, V: Visitor<Output = Result<T>>>(mutant: Option<&str>, visitor: V) -> Result<T> {
    match mutant {
        None => visitor.visit::<Sound>(),
        Some(name) => {
            let known = mutants::NAMES.join(", ");
            mutants::visit(name, visitor)
                .with_context(|| format!("no mutant {name:?}; there are {known}"))?
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

    fn visit<R: Rules>(self) -> Self::Output {
        let since = Instant::now();
        let mut world = World::<R>::new(self.config.clone())?;
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

    fn visit<R: Rules>(self) -> Self::Output {
        let mut world = World::<R>::new(self.config.clone())?;
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

    fn visit<R: Rules>(self) -> Self::Output {
        let mut world = World::<R>::new(self.config.clone())?;
        let mut starts = Vec::new();
        for coins in all_coins(self.config.views) {
            starts.push(world.with_coins(&coins)?);
        }
        world.walk(&starts, self.walks, self.seed)
    }
}

/// What the reduced search and another one disagree about: what only the reduced one saw, and what only the other one did.
pub fn cross_check(reduced: &Explored, other: &Seen) -> (Vec<Outcome>, Vec<Outcome>) {
    let only = |a: &BTreeSet<Outcome>, b: &BTreeSet<Outcome>| a.difference(b).cloned().collect();
    (
        only(&reduced.outcomes, &other.outcomes),
        only(&other.outcomes, &reduced.outcomes),
    )
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

    fn visit<R: Rules>(self) -> Self::Output {
        let mut world = World::<R>::new(self.config.clone())?;
        let (state, done) = world.repeat(world.start, self.lines)?;
        let violation = world.judge(state);
        Ok((done, violation))
    }
}
