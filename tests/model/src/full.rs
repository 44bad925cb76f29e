//! The search without reductions: any letter that was sent or can be said is delivered to anybody at any time, in any order.
//!
//! It is what the reduced search is checked against, exhaustively where that is small and by random walks where it is not.

use std::{
    collections::{BTreeSet, HashMap, HashSet, VecDeque},
    time::{Duration, Instant},
};

use anyhow::Result;
use touchstone_consensus::Rules;
use touchstone_types::{MemberId, MessageKind, View};

use crate::{
    judge::Outcome,
    letter::Kind,
    member::Feed,
    reduced::Found,
    world::{Action, State, World},
};

/// How far an unreduced search goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Inputs after the start.
    pub depth: usize,
    /// States that are kept.
    pub states: usize,
    /// For so long at most.
    pub time: Duration,
}

/// What an unreduced search saw.
pub struct Seen {
    /// Distinct states.
    pub states: usize,
    /// Steps between them.
    pub steps: u64,
    /// The longest shortest way to a state, in inputs.
    pub depth: usize,
    /// Whether there is nothing beyond: neither depth nor states nor time ended the search.
    pub complete: bool,
    /// What the states amount to.
    pub outcomes: BTreeSet<Outcome>,
    /// The first violation.
    pub found: Option<Found>,
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            states: 0,
            steps: 0,
            depth: 0,
            complete: true,
            outcomes: BTreeSet::new(),
            found: None,
        }
    }
}

impl Seen {
    /// This search and another one.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.states += other.states;
        self.steps += other.steps;
        self.depth = self.depth.max(other.depth);
        self.complete &= other.complete;
        self.outcomes.extend(other.outcomes);
        self.found = self.found.or(other.found);
        self
    }
}

impl<R: Rules> World<R> {
    /// The start, with coins that will fall in this way.
    pub(crate) fn with_coins(&mut self, leaders: &[MemberId]) -> Result<State> {
        let mut state = self.start;
        for (view, leader) in (1..).zip(leaders) {
            state = self.act(state, Action::Coin(View(view), *leader))?;
        }
        self.settle(state)
    }

    /// All that can happen next.
    fn enabled(&mut self, state: State) -> Vec<Action> {
        let mut letters = self.sent(state);
        letters.extend(self.says(state).iter());
        letters.dedup();
        let mut out = Vec::new();
        for at in 0..self.config.active {
            let local = self.local(state, at);
            let (member, late) = (local.member, local.late);
            let Some(position) = local.position else {
                continue;
            };
            if !late && !position.timed_out && position.decided.is_none() {
                out.push(Action::Feed(at, Feed::Timer));
            }
            for id in &letters {
                let letter = self.post.get(*id);
                // Observations are with everybody already; what is signed after the decision is counted, not played.
                let played = !matches!(
                    letter.kind,
                    Kind::Signed(
                        MessageKind::Obs
                            | MessageKind::Ready
                            | MessageKind::SignReq
                            | MessageKind::Share
                    ) | Kind::Want
                        | Kind::Cert
                );
                if played && letter.view.0 <= self.config.views && letter.to.contains(member) {
                    out.push(Action::Feed(at, Feed::Letter(*id)));
                }
            }
        }
        out
    }

    /// Everything that is reachable within the limits.
    ///
    /// # Errors
    /// A core that accuses an honest member.
    pub(crate) fn search(&mut self, start: State, limits: Limits) -> Result<Seen> {
        let since = Instant::now();
        let mut seen = Seen::default();
        let mut before: HashMap<State, (State, Action, usize)> = HashMap::new();
        let mut told = HashSet::new();
        let mut queue = VecDeque::from([(start, 0)]);
        while let Some((state, depth)) = queue.pop_front() {
            seen.depth = seen.depth.max(depth);
            let fresh = told.insert((self.soup(state), self.locks_of(state)));
            if fresh {
                let outcome = self.outcome(state);
                seen.outcomes.insert(outcome);
            }
            if let Some(violation) = self.judge(state) {
                seen.complete = false;
                let schedule = self.way(&before, start, state);
                seen.found = Some(Found {
                    violation,
                    schedule,
                });
                break;
            }
            if depth >= limits.depth || since.elapsed() > limits.time {
                seen.complete = false;
                continue;
            }
            for action in self.enabled(state) {
                let next = self.act(state, action)?;
                let next = self.settle(next)?;
                if next == state {
                    continue;
                }
                seen.steps += 1;
                if next == start || before.contains_key(&next) {
                    continue;
                }
                if before.len() >= limits.states {
                    seen.complete = false;
                    continue;
                }
                before.insert(next, (state, action, depth));
                queue.push_back((next, depth + 1));
            }
        }
        seen.states = before.len() + 1;
        Ok(seen)
    }

    fn locks_of(&self, state: State) -> [Option<touchstone_consensus::Lock>; crate::world::HONEST] {
        state
            .locals
            .map(|id| self.members.get(id).position.and_then(|p| p.lock))
    }

    fn way(
        &self,
        before: &HashMap<State, (State, Action, usize)>,
        start: State,
        to: State,
    ) -> Vec<String> {
        let mut lines = Vec::new();
        let mut at = to;
        while at != start {
            let Some((state, action, _)) = before.get(&at) else {
                break;
            };
            lines.push(self.describe(*action));
            at = *state;
        }
        for view in (1..=self.config.views).map(View) {
            if let Some(leader) = start.coins.leader(view) {
                lines.push(self.describe(Action::Coin(view, leader)));
            }
        }
        lines.reverse();
        lines
    }

    /// Random schedules: every input is one that changes something.
    ///
    /// # Errors
    /// See [`Self::search`].
    pub(crate) fn walk(&mut self, starts: &[State], walks: u64, seed: u64) -> Result<Seen> {
        let mut seen = Seen {
            complete: false,
            ..Seen::default()
        };
        let mut visited = HashSet::new();
        let mut told = HashSet::new();
        for walk in 0..walks {
            let mut dice = Dice(seed.wrapping_add(walk).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
            let start = starts[dice.below(starts.len())];
            let (mut state, mut lines) = (start, Vec::new());
            for view in (1..=self.config.views).map(View) {
                if let Some(leader) = start.coins.leader(view) {
                    lines.push(self.describe(Action::Coin(view, leader)));
                }
            }
            let mut actions = self.enabled(state);
            while !actions.is_empty() {
                let action = actions.swap_remove(dice.below(actions.len()));
                // Timers seldom end before anything else has happened.
                if matches!(action, Action::Feed(_, Feed::Timer)) && dice.below(8) > 0 {
                    actions.push(action);
                    if actions.len() > 3 {
                        continue;
                    }
                }
                let next = self.act(state, action)?;
                let next = self.settle(next)?;
                if next == state {
                    continue;
                }
                state = next;
                seen.steps += 1;
                lines.push(self.describe(action));
                visited.insert(state);
                if told.insert((self.soup(state), self.locks_of(state))) {
                    let outcome = self.outcome(state);
                    seen.outcomes.insert(outcome);
                }
                if let Some(violation) = self.judge(state) {
                    seen.found = Some(Found {
                        violation,
                        schedule: lines,
                    });
                    seen.states = visited.len();
                    return Ok(seen);
                }
                actions = self.enabled(state);
            }
            seen.depth = seen.depth.max(lines.len());
        }
        seen.states = visited.len();
        Ok(seen)
    }
}

/// A small generator (xorshift64*); walks need to be repeatable, not unpredictable.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(high).unwrap_or_default() % bound.max(1)
    }
}
