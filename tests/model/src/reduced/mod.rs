//! The reduced search: views and their stages in order, and in each stage only the choices that matter.
//!
//! The frontier is the set of all states at the end of a stage; a stage replaces each of them by what its choices lead to.
//! Which reductions that takes, and why they lose nothing, is in docs/protocol.md.

mod stages;

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    time::Instant,
};

use anyhow::{Result, bail};
use touchstone_consensus::Rules;
use touchstone_types::View;

use crate::{
    Options,
    essence::Essence,
    judge::{Outcome, Violation},
    world::{Action, State, World},
};

/// Which states at the end of a view count as one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Merge {
    /// Those that are the same in everything.
    Exact,
    /// Those that nobody can tell apart in later views.
    View,
    /// Those as well, if they are at the ends of different views above 0: nothing depends on a view's number. The search is over once
    /// a view brings nothing new.
    AnyView,
}

/// A branch of a stage: the state it is in, and what was done.
#[derive(Clone)]
struct Run {
    state: State,
    actions: Vec<Action>,
}

/// How far the search has come.
#[derive(Clone, Debug, Default)]
pub struct Count {
    /// Distinct states at the ends of stages.
    pub states: usize,
    /// Distinct local states of members.
    pub locals: usize,
    /// Letters.
    pub letters: usize,
    /// Inputs that cores were fed.
    pub handled: u64,
    /// The longest schedule, in deliveries.
    pub depth: usize,
    /// States that were left at the end of each view.
    pub ends: Vec<usize>,
    /// How many of them differ for later views.
    pub essences: Vec<usize>,
    /// Whether states were left out.
    pub beam: bool,
    /// Whether the last view brought nothing new, so that no later one does.
    pub closed: bool,
}

/// What a search found.
pub struct Found {
    /// The broken property.
    pub violation: Violation,
    /// The schedule that leads to it.
    pub schedule: Vec<String>,
}

/// The reduced search of one configuration.
pub(crate) struct Reduced<'a, R: Rules> {
    world: &'a mut World<R>,
    options: Options,
    pub(crate) outcomes: BTreeSet<Outcome>,
    pub(crate) count: Count,
    /// How each state of the search was reached: from which, by what, in how many inputs.
    traces: Vec<(u32, Box<[Action]>, u32)>,
    frontier: Vec<(State, u32)>,
    seen: HashSet<State>,
    /// What states at the end of any view above 0 amounted to.
    ever: HashSet<Essence>,
    since: Instant,
}

impl<'a, R: Rules> Reduced<'a, R> {
    pub(crate) fn new(world: &'a mut World<R>, mut options: Options) -> Self {
        // A lock whose proof others refuse would pass for one whose proof they accept.
        if !world.members.rules.verify_prepares() {
            options.merge = Merge::Exact;
        }
        let start = world.start;
        let setup = world.setup.clone();
        Self {
            world,
            options,
            outcomes: BTreeSet::new(),
            count: Count::default(),
            traces: vec![(0, setup.into(), 0)],
            frontier: vec![(start, 0)],
            seen: HashSet::new(),
            ever: HashSet::new(),
            since: Instant::now(),
        }
    }

    /// Explores all views; stops at the first violation.
    ///
    /// # Errors
    /// More states than may be kept, or a core that accuses an honest member.
    pub(crate) fn run(&mut self) -> Result<Option<Found>> {
        let found = self.views()?;
        self.count.locals = self.world.members.told_apart();
        self.count.letters = self.world.post.len();
        self.count.handled = self.world.members.handled;
        self.count.states = self.seen.len();
        Ok(found)
    }

    fn views(&mut self) -> Result<Option<Found>> {
        if let Some(found) = self.view_0()? {
            return Ok(Some(found));
        }
        if let Some(found) = self.end(View(0))? {
            return Ok(Some(found));
        }
        for view in (1..=self.world.config.views).map(View) {
            if let Some(found) = self.view(view)? {
                return Ok(Some(found));
            }
            if let Some(found) = self.end(view)? {
                return Ok(Some(found));
            }
            if self.frontier.is_empty() {
                self.count.closed = !self.count.beam;
                break;
            }
        }
        Ok(None)
    }

    fn view_0(&mut self) -> Result<Option<Found>> {
        for late in [false, true] {
            // What a member that prepares once makes of a second proposal is nothing.
            let times = if self.world.members.rules.prepare_once() {
                1
            } else {
                2
            };
            for at in (0..self.world.config.active)
                .cycle()
                .take(times * self.world.config.active)
            {
                if let Some(found) = self.stage("PROPOSE0", |s, run| s.propose_0(run, at, late))? {
                    return Ok(Some(found));
                }
            }
            for at in 0..self.world.config.active {
                if let Some(found) = self.stage("PREPARE", |s, run| s.prepare(run, at, late))? {
                    return Ok(Some(found));
                }
            }
            if !late && let Some(found) = self.stage("TIMEOUT", Self::time_out)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn view(&mut self, view: View) -> Result<Option<Found>> {
        type Stage<'a, R> = fn(&mut Reduced<'a, R>, &Run, View, usize) -> Result<Vec<Run>>;
        // What a member that votes once makes of a second proposal is nothing.
        let again: Stage<'a, R> = if self.world.members.rules.vote_once() {
            Self::as_it_is
        } else {
            Self::byzantine_proposal
        };
        let each: [(&str, Stage<'a, R>, bool); 14] = [
            ("coin", Self::coin, false),
            ("enter", Self::enter, true),
            ("jump", Self::jump, true),
            ("Byzantine PROPOSE", Self::byzantine_proposal, false),
            ("Byzantine PROPOSE again", again, false),
            ("PROPOSE, VOTE", Self::vote, false),
            ("LOCK", Self::lock_others, false),
            ("LOCK of the leader", Self::lock_leader, true),
            ("ACK", Self::acknowledge, false),
            ("DONE", Self::done, false),
            ("DONE of the leader", Self::done_leader, false),
            ("COIN", Self::elect, true),
            ("late LOCK", Self::lock_leader, true),
            ("late ACK", Self::acknowledge, false),
        ];
        for (name, stage, by_member) in each {
            let times = if by_member {
                self.world.config.active
            } else {
                1
            };
            for at in 0..times {
                let found =
                    self.stage(&format!("{name} {view}"), |s, run| stage(s, run, view, at))?;
                if found.is_some() {
                    return Ok(found);
                }
            }
        }
        Ok(None)
    }

    /// Replaces every state of the frontier by what the choices of a stage lead to.
    fn stage(
        &mut self,
        name: &str,
        choices: impl Fn(&mut Self, &Run) -> Result<Vec<Run>>,
    ) -> Result<Option<Found>> {
        let mut next = Vec::new();
        let mut there = HashMap::new();
        for (state, trace) in std::mem::take(&mut self.frontier) {
            let run = Run {
                state,
                actions: Vec::new(),
            };
            for mut run in choices(self, &run)? {
                run.state = self.world.settle(run.state)?;
                if there.contains_key(&run.state) {
                    continue;
                }
                let trace = if run.actions.is_empty() {
                    trace
                } else {
                    self.traced(trace, run.actions)?
                };
                there.insert(run.state, trace);
                next.push((run.state, trace));
                if self.seen.insert(run.state)
                    && let Some(violation) = self.world.judge(run.state)
                {
                    let schedule = self.schedule(trace);
                    return Ok(Some(Found {
                        violation,
                        schedule,
                    }));
                }
                if self.options.outcomes {
                    let outcome = self.world.outcome(run.state);
                    self.outcomes.insert(outcome);
                }
            }
        }
        self.frontier = next;
        self.world.members.forget();
        if self.options.progress {
            eprintln!(
                "{:7.1} s  {name:<22} {:>9} states, {:>9} in all, {:>8} local",
                self.since.elapsed().as_secs_f64(),
                self.frontier.len(),
                self.seen.len(),
                self.world.members.told_apart(),
            );
        }
        Ok(None)
    }

    fn traced(&mut self, from: u32, actions: Vec<Action>) -> Result<u32> {
        let most = self.options.states;
        if self.traces.len() >= most || self.world.members.told_apart() >= most {
            bail!("more than {most} states: give it more with --states, or explore fewer views");
        }
        let depth = self.traces.get(from as usize).map_or(0, |(.., d)| *d);
        let depth = depth + u32::try_from(actions.len())?;
        self.count.depth = self.count.depth.max(usize::try_from(depth)?);
        self.traces.push((from, actions.into(), depth));
        Ok(u32::try_from(self.traces.len() - 1)?)
    }

    fn schedule(&self, trace: u32) -> Vec<String> {
        let mut parts = Vec::new();
        let mut at = trace;
        while at != 0 {
            let Some((before, actions, _)) = self.traces.get(at as usize) else {
                break;
            };
            parts.push(actions);
            at = *before;
        }
        let actions = parts.into_iter().rev().flatten();
        actions.map(|a| self.world.describe(*a)).collect()
    }

    /// Shows everybody every decision that can be shown; counts the states at the end of a view, and keeps one of those that
    /// nobody can tell apart later.
    fn end(&mut self, view: View) -> Result<Option<Found>> {
        let before = self.frontier.clone();
        if let Some(found) = self.stage(&format!("DECIDE {view}"), Self::decide)? {
            return Ok(Some(found));
        }
        self.frontier = before;
        let mut kept = HashSet::new();
        let mut next = Vec::new();
        for (state, trace) in std::mem::take(&mut self.frontier) {
            let any_view = self.options.merge == Merge::AnyView && view > View(0);
            let essence = self.world.essence(state, view, any_view);
            let fresh = kept.insert(essence.clone());
            let ever = !any_view || self.ever.insert(essence);
            if (fresh && ever) || self.options.merge == Merge::Exact {
                next.push((state, trace));
            }
        }
        self.frontier = next;
        self.count.essences.push(kept.len());
        if let Some(beam) = self.options.beam.filter(|beam| *beam < self.frontier.len()) {
            self.count.beam = true;
            let all = std::mem::take(&mut self.frontier);
            let mut all: Vec<_> = all
                .into_iter()
                .map(|s| (self.world.unrest(s.0, view), s))
                .collect();
            // The sort is stable: of equals the first ones stay.
            all.sort_by_key(|(unrest, _)| std::cmp::Reverse(*unrest));
            self.frontier = all.into_iter().take(beam).map(|(_, s)| s).collect();
        }
        self.count.ends.push(self.frontier.len());
        if self.options.progress {
            eprintln!(
                "            at the end of view {view}: {} states that differ",
                self.frontier.len()
            );
        }
        Ok(None)
    }
}
