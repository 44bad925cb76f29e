//! The reduced search: views and their stages in order, and in each stage only the choices that matter.
//!
//! The frontier is the set of all states at the end of a stage; a stage replaces each of them by what its choices lead to.
//! Which reductions that takes, and why they lose nothing, is in the documentation of the crate.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    time::Instant,
};

use anyhow::{Result, bail};
use touchstone_consensus::Rules;
use touchstone_types::{MemberId, MessageKind, View};

use crate::{
    Options,
    byzantine::Entry,
    judge::{Outcome, Violation},
    letter::{Kind, LetterId},
    member::Feed,
    world::{Action, BYZANTINE, State, World},
};

/// Which states at the end of a view count as one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Merge {
    /// Those that are the same in everything.
    Exact,
    /// Those that nobody can tell apart in later views.
    View,
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
    /// Whether states were left out.
    pub beam: bool,
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
    since: Instant,
}

impl<'a, R: Rules> Reduced<'a, R> {
    pub(crate) fn new(world: &'a mut World<R>, options: Options) -> Self {
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
        }
        Ok(None)
    }

    fn view_0(&mut self) -> Result<Option<Found>> {
        for late in [false, true] {
            for at in 0..self.world.config.active {
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
        type Stage<'a, R> = fn(&mut Reduced<'a, R>, Run, View, usize) -> Result<Vec<Run>>;
        let each: [(&str, Stage<'a, R>, bool); 13] = [
            ("coin", Self::coin, false),
            ("enter", Self::enter, true),
            ("jump", Self::jump, true),
            ("Byzantine PROPOSE", Self::byzantine_proposal, false),
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
        choices: impl Fn(&mut Self, Run) -> Result<Vec<Run>>,
    ) -> Result<Option<Found>> {
        let mut next = Vec::new();
        let mut there = HashMap::new();
        for (state, trace) in std::mem::take(&mut self.frontier) {
            let run = Run {
                state,
                actions: Vec::new(),
            };
            for mut run in choices(self, run)? {
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
        if self.options.merge == Merge::View {
            let mut kept = HashSet::new();
            let mut next = Vec::new();
            for (state, trace) in std::mem::take(&mut self.frontier) {
                if kept.insert(self.world.essence(state, view)) {
                    next.push((state, trace));
                }
            }
            self.frontier = next;
        }
        if let Some(beam) = self.options.beam.filter(|beam| *beam < self.frontier.len()) {
            self.count.beam = true;
            let all = std::mem::take(&mut self.frontier);
            let mut all: Vec<_> = all
                .into_iter()
                .map(|s| (self.world.unrest(s.0), s))
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

    // ---- What a run can do.

    /// Gives a member a letter; whatever it asks for in return is brought at once.
    fn feed(&mut self, run: &mut Run, at: usize, letter: LetterId) -> Result<()> {
        let before = self.world.local(run.state, at).sent.clone();
        self.hand(run, at, letter)?;
        let after = self.world.local(run.state, at).sent.clone();
        if before.len() == after.len() {
            return Ok(());
        }
        for id in after.iter().filter(|id| before.binary_search(id).is_err()) {
            let asked = self.world.post.get(*id);
            if asked.kind != Kind::Fetch {
                continue;
            }
            for to in asked.to.iter().filter(|to| usize::from(to.0) != at) {
                if to == BYZANTINE {
                    let letters = self.world.letters(run.state);
                    if let Some(answer) = self.world.serve(&letters, &asked) {
                        self.hand(run, at, answer)?;
                    }
                } else {
                    self.ask(run, at, usize::from(to.0), *id)?;
                }
            }
        }
        Ok(())
    }

    /// Brings a FETCH to a member and its answer back.
    fn ask(&mut self, run: &mut Run, at: usize, to: usize, letter: LetterId) -> Result<()> {
        let before = self.world.local(run.state, to).sent.clone();
        self.hand(run, to, letter)?;
        let after = self.world.local(run.state, to).sent.clone();
        for id in after.iter().filter(|id| before.binary_search(id).is_err()) {
            if self.world.post.get(*id).kind == Kind::Value {
                self.hand(run, at, *id)?;
            }
        }
        Ok(())
    }

    fn hand(&mut self, run: &mut Run, at: usize, letter: LetterId) -> Result<()> {
        let action = Action::Feed(at, Feed::Letter(letter));
        run.state = self.world.act(run.state, action)?;
        run.actions.push(action);
        Ok(())
    }

    /// The letters of a kind and view that honest members sent.
    fn of(&self, run: &Run, kind: MessageKind, view: View) -> Vec<(LetterId, MemberId)> {
        let letters = self.world.letters(run.state);
        let of_kind = World::<R>::of_kind(&letters, kind, view);
        of_kind.into_iter().map(|(id, l)| (id, l.from)).collect()
    }

    fn is_undecided(&self, run: &Run, at: usize) -> bool {
        let position = self.world.local(run.state, at).position;
        position.is_some_and(|p| p.decided.is_none())
    }

    /// The members that are in a view and have decided nothing.
    fn present(&self, run: &Run, view: View) -> Vec<usize> {
        let here = |at: &usize| {
            let position = self.world.local(run.state, *at).position;
            position.is_some_and(|p| p.view == view && p.decided.is_none())
        };
        (0..self.world.config.active).filter(here).collect()
    }

    /// Whether a member said something since.
    fn has_spoken(&self, before: &Run, after: &Run, at: usize) -> bool {
        let sent = |run: &Run| self.world.local(run.state, at).sent_number;
        sent(before) != sent(after)
    }

    /// The run as it is, and, if the member said something in it, the other one.
    fn perhaps(&self, before: Run, after: Run, at: usize, late: bool) -> Vec<Run> {
        if after.state == before.state || (late && !self.has_spoken(&before, &after, at)) {
            vec![before]
        } else {
            vec![before, after]
        }
    }

    /// Every member that is undecided gets every decision that can be shown.
    fn decide(&mut self, run: Run) -> Result<Vec<Run>> {
        let letters = self.world.letters(run.state);
        let decisions = self.world.decisions(run.state, &letters);
        let mut out = Vec::new();
        for (_, decision) in decisions {
            let id = self.world.show(decision);
            let mut next = run.clone();
            for at in 0..self.world.config.active {
                if self.is_undecided(&next, at) {
                    self.feed(&mut next, at, id)?;
                }
            }
            out.push(next);
        }
        Ok(out)
    }

    // ---- View 0.

    fn propose_0(&mut self, run: Run, at: usize, late: bool) -> Result<Vec<Run>> {
        if !self.is_undecided(&run, at) {
            return Ok(vec![run]);
        }
        let letters = self.world.letters(run.state);
        let proposals = if self.world.config.byzantine_leads {
            self.world.proposals_0(&letters)
        } else {
            let ids = self.of(&run, MessageKind::Propose0, View(0));
            ids.into_iter().map(|(id, _)| id).collect()
        };
        let mut out = vec![run.clone()];
        for id in proposals {
            let mut next = run.clone();
            self.feed(&mut next, at, id)?;
            out.extend(
                self.perhaps(run.clone(), next, at, late)
                    .into_iter()
                    .skip(1),
            );
        }
        Ok(out)
    }

    /// A quorum of PREPARE or nothing.
    fn prepare(&mut self, run: Run, at: usize, late: bool) -> Result<Vec<Run>> {
        let mut out = vec![run.clone()];
        if !self.is_undecided(&run, at) {
            return Ok(out);
        }
        let letters = self.world.letters(run.state);
        for value in self.world.values_0(&letters) {
            let own: Vec<_> = self.world.says(run.state).to_vec();
            let fits = |id: &LetterId| {
                let letter = self.world.post.get(*id);
                letter.is(MessageKind::Prepare, View(0)) && letter.value == Some(value)
            };
            let votes: Vec<_> = own
                .into_iter()
                .chain(letters.iter().map(|(id, _)| *id))
                .filter(fits)
                .collect();
            let quorum = R::quorum(self.world.committee());
            if votes.len() < quorum {
                continue;
            }
            let mut next = run.clone();
            for vote in votes.into_iter().take(quorum) {
                self.feed(&mut next, at, vote)?;
            }
            out.extend(
                self.perhaps(run.clone(), next, at, late)
                    .into_iter()
                    .skip(1),
            );
        }
        Ok(out)
    }

    /// The timers of all members end.
    fn time_out(&mut self, mut run: Run) -> Result<Vec<Run>> {
        for at in 0..self.world.config.active {
            let position = self.world.local(run.state, at).position;
            if position.is_some_and(|p| !p.timed_out) {
                let action = Action::Feed(at, Feed::Timer);
                run.state = self.world.act(run.state, action)?;
                run.actions.push(action);
            }
        }
        Ok(vec![run])
    }

    // ---- Views from 1 on.

    /// The coin falls; that it is decided now and known later only adds to what the adversary can do.
    fn coin(&mut self, run: Run, view: View, _: usize) -> Result<Vec<Run>> {
        let members: Vec<_> = self.world.committee().members().collect();
        let mut out = Vec::new();
        for leader in members {
            let action = Action::Coin(view, leader);
            let mut next = run.clone();
            next.state = self.world.act(run.state, action)?;
            next.actions.push(action);
            out.push(next);
        }
        Ok(out)
    }

    fn entries(&mut self, run: &Run, view: View) -> Vec<Entry> {
        let letters = self.world.letters(run.state);
        self.world.entries(run.state, &letters, View(view.0 - 1))
    }

    /// A member that is in the view before enters by statements, or stays.
    fn enter(&mut self, run: Run, view: View, at: usize) -> Result<Vec<Run>> {
        let mut out = vec![run.clone()];
        let before = View(view.0 - 1);
        if !self.present(&run, before).contains(&at) {
            return Ok(out);
        }
        let kind = if before == View(0) {
            MessageKind::Timeout
        } else {
            MessageKind::Status
        };
        let statements = self.of(&run, kind, before);
        for entry in self.entries(&run, view) {
            let mut next = run.clone();
            for (member, ..) in &entry.tc.standings {
                let honest = statements.iter().find(|(_, from)| from == member);
                let id = honest.map(|(id, _)| *id).or(entry.own);
                if let Some(id) = id {
                    self.feed(&mut next, at, id)?;
                }
            }
            if self.present(&next, view).contains(&at) {
                out.push(next);
            }
        }
        Ok(out)
    }

    /// A member that is further behind, or does not know the coin yet, is drawn along by a proposal, or stays.
    fn jump(&mut self, run: Run, view: View, at: usize) -> Result<Vec<Run>> {
        let mut out = vec![run.clone()];
        let position = self.world.local(run.state, at).position;
        // Whoever knows the coin of the view before, or is in view 0 before view 1, enters by statements as well.
        let drawn = position.is_some_and(|p| {
            let by_statements = p.view.next() == view && (p.coin_known || p.view == View(0));
            p.view < view && p.decided.is_none() && !by_statements
        });
        if !drawn {
            return Ok(out);
        }
        let letters = self.world.letters(run.state);
        let proposals = World::<R>::of_kind(&letters, MessageKind::Propose, view);
        for entry in self.entries(&run, view) {
            let same = proposals
                .iter()
                .find(|(_, l)| l.right() == Some(entry.lock));
            let own = self.world.proposal(&letters, &entry);
            for id in same.map(|(id, _)| *id).into_iter().chain(own) {
                let mut next = run.clone();
                self.feed(&mut next, at, id)?;
                if self.present(&next, view).contains(&at) {
                    out.push(next);
                }
            }
        }
        Ok(out)
    }

    /// The Byzantine member proposes to all: if it will be elected, by any of its rights or nothing; otherwise something.
    fn byzantine_proposal(&mut self, run: Run, view: View, _: usize) -> Result<Vec<Run>> {
        let letters = self.world.letters(run.state);
        let present = self.present(&run, view);
        let leads = run.state.coins.leader(view) == Some(BYZANTINE);
        let mut out = Vec::new();
        if leads {
            out.push(run.clone());
        }
        for entry in self.entries(&run, view) {
            let Some(id) = self.world.proposal(&letters, &entry) else {
                continue;
            };
            let mut next = run.clone();
            for at in &present {
                self.feed(&mut next, *at, id)?;
            }
            out.push(next);
            if !leads {
                break;
            }
        }
        if out.is_empty() {
            out.push(run);
        }
        Ok(out)
    }

    /// Everybody present votes for everybody's proposal, and every proposer gets a quorum.
    fn vote(&mut self, mut run: Run, view: View, _: usize) -> Result<Vec<Run>> {
        let present = self.present(&run, view);
        for (id, _) in self.of(&run, MessageKind::Propose, view) {
            for at in &present {
                self.feed(&mut run, *at, id)?;
            }
        }
        self.count_votes(&mut run, MessageKind::Vote, view)?;
        Ok(vec![run])
    }

    /// The votes or acknowledgements for each honest proposer are brought to it.
    fn count_votes(&mut self, run: &mut Run, kind: MessageKind, view: View) -> Result<()> {
        let of = if kind == MessageKind::Vote {
            MessageKind::Propose
        } else {
            MessageKind::Lock
        };
        let letters = self.world.letters(run.state);
        for at in self.present(run, view) {
            let me = MemberId(u16::try_from(at)?);
            let own = letters.iter().find(|(_, l)| l.is(of, view) && l.from == me);
            let Some(value) = own.and_then(|(_, l)| l.value) else {
                continue;
            };
            let byzantine = self.world.vote(kind, view, me, value);
            self.feed(run, at, byzantine)?;
            for (id, letter) in &letters {
                if letter.is(kind, view) && letter.instance == me.0 {
                    self.feed(run, at, *id)?;
                }
            }
        }
        Ok(())
    }

    /// LOCKs that were shown: by honest members, and by the Byzantine one.
    fn shown(&mut self, run: &Run, kind: MessageKind, view: View) -> Vec<(LetterId, MemberId)> {
        let letters = self.world.letters(run.state);
        let byzantine = self.world.shows(&letters, kind, view);
        let mut all = self.of(run, kind, view);
        all.extend(byzantine.into_iter().map(|id| (id, BYZANTINE)));
        all
    }

    /// Everybody present acknowledges the LOCKs of those who will not be elected.
    fn lock_others(&mut self, mut run: Run, view: View, _: usize) -> Result<Vec<Run>> {
        let leader = run.state.coins.leader(view);
        for (id, from) in self.shown(&run, MessageKind::Lock, view) {
            if Some(from) != leader {
                for at in self.present(&run, view) {
                    self.feed(&mut run, at, id)?;
                }
            }
        }
        Ok(vec![run])
    }

    /// A member gets the LOCK of the one who will be elected, or has been, or does not get it.
    fn lock_leader(&mut self, run: Run, view: View, at: usize) -> Result<Vec<Run>> {
        let leader = run.state.coins.leader(view);
        let mut out = vec![run.clone()];
        if !self.present(&run, view).contains(&at) {
            return Ok(out);
        }
        for (id, from) in self.shown(&run, MessageKind::Lock, view) {
            if Some(from) == leader {
                let mut next = run.clone();
                self.feed(&mut next, at, id)?;
                out.extend(
                    self.perhaps(run.clone(), next, at, true)
                        .into_iter()
                        .skip(1),
                );
            }
        }
        Ok(out)
    }

    fn acknowledge(&mut self, mut run: Run, view: View, _: usize) -> Result<Vec<Run>> {
        self.count_votes(&mut run, MessageKind::Ack, view)?;
        Ok(vec![run])
    }

    /// Everybody present sees the DONEs of those who will not be elected.
    fn done(&mut self, mut run: Run, view: View, _: usize) -> Result<Vec<Run>> {
        let leader = run.state.coins.leader(view);
        for (id, from) in self.shown(&run, MessageKind::Done, view) {
            if Some(from) != leader {
                for at in self.present(&run, view) {
                    self.feed(&mut run, at, id)?;
                }
            }
        }
        Ok(vec![run])
    }

    /// Where the others' DONEs do not open the coin, one member sees the leader's, too; if that does not, the view never ends.
    fn done_leader(&mut self, run: Run, view: View, _: usize) -> Result<Vec<Run>> {
        let letters = self.world.letters(run.state);
        if self.world.coin_is_open(&letters, view) {
            return Ok(vec![run]);
        }
        let leader = run.state.coins.leader(view);
        let mut out = Vec::new();
        for (id, from) in self.shown(&run, MessageKind::Done, view) {
            if Some(from) != leader {
                continue;
            }
            for at in self.present(&run, view) {
                let mut next = run.clone();
                self.feed(&mut next, at, id)?;
                if !self.of(&next, MessageKind::Coin, view).is_empty() {
                    out.push(next);
                }
            }
        }
        Ok(out)
    }

    /// A member learns who was elected, or not.
    fn elect(&mut self, run: Run, view: View, at: usize) -> Result<Vec<Run>> {
        if !self.present(&run, view).contains(&at) {
            return Ok(vec![run]);
        }
        // As long as nobody leaves a view without its coin, one who does not learn it is one whose STATUS nobody gets.
        let mut out = Vec::new();
        if !R::WAIT_FOR_COIN {
            out.push(run.clone());
        }
        let mut next = run;
        let byzantine = self.world.coin_letter(view);
        self.feed(&mut next, at, byzantine)?;
        for (id, _) in self.of(&next, MessageKind::Coin, view) {
            let position = self.world.local(next.state, at).position;
            if position.is_some_and(|p| !p.coin_known && p.view == view) {
                self.feed(&mut next, at, id)?;
            }
        }
        out.push(next);
        Ok(out)
    }
}
