//! The stages: what the choices of each lead to. [`Reduced::view_0`] and [`Reduced::view`] say in which order they come.

use anyhow::Result;
use touchstone_consensus::Rules;
use touchstone_types::{MemberId, MessageKind, View};

use super::{Reduced, Run};
use crate::{
    byzantine::Entry,
    letter::{Kind, LetterId},
    member::Feed,
    world::{Action, BYZANTINE, World},
};

impl<R: Rules> Reduced<'_, R> {
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

    /// Whether what a member got is a choice of its own: it changed the member, and, if it came late, made it speak.
    fn matters(&self, before: &Run, after: &Run, at: usize, late: bool) -> bool {
        after.state != before.state && (!late || self.has_spoken(before, after, at))
    }

    /// Every member that is undecided gets every decision that can be shown.
    pub(super) fn decide(&mut self, run: &Run) -> Result<Vec<Run>> {
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

    pub(super) fn propose_0(&mut self, run: &Run, at: usize, late: bool) -> Result<Vec<Run>> {
        if !self.is_undecided(run, at) {
            return Ok(vec![run.clone()]);
        }
        let letters = self.world.letters(run.state);
        let proposals = if self.world.config.byzantine_leads {
            self.world.proposals_0(&letters)
        } else {
            let ids = self.of(run, MessageKind::Propose0, View(0));
            ids.into_iter().map(|(id, _)| id).collect()
        };
        let mut out = vec![run.clone()];
        for id in proposals {
            let mut next = run.clone();
            self.feed(&mut next, at, id)?;
            if self.matters(run, &next, at, late) {
                out.push(next);
            }
        }
        Ok(out)
    }

    /// A quorum of PREPARE or nothing.
    pub(super) fn prepare(&mut self, run: &Run, at: usize, late: bool) -> Result<Vec<Run>> {
        let mut out = vec![run.clone()];
        if !self.is_undecided(run, at) {
            return Ok(out);
        }
        let letters = self.world.letters(run.state);
        let quorum = self.world.members.rules.quorum(self.world.committee());
        let says = self.world.says(run.state);
        for value in self.world.values_0(&letters) {
            let fits = |id: &LetterId| {
                let letter = self.world.post.get(*id);
                letter.is(MessageKind::Prepare, View(0)) && letter.value == Some(value)
            };
            let honest = letters.iter().map(|(id, _)| *id).filter(fits);
            let honest: Vec<_> = honest.take(quorum - 1).collect();
            if honest.len() + 1 < quorum {
                continue;
            }
            // The Byzantine member's own vote comes with a right signature or with a wrong one.
            for own in says.iter().copied().filter(fits).collect::<Vec<_>>() {
                let mut next = run.clone();
                for vote in [own].into_iter().chain(honest.iter().copied()) {
                    self.feed(&mut next, at, vote)?;
                }
                if self.matters(run, &next, at, late) {
                    out.push(next);
                }
            }
        }
        Ok(out)
    }

    /// The timers of all members end.
    pub(super) fn time_out(&mut self, run: &Run) -> Result<Vec<Run>> {
        let mut next = run.clone();
        for at in 0..self.world.config.active {
            let position = self.world.local(next.state, at).position;
            if position.is_some_and(|p| !p.timed_out) {
                let action = Action::Feed(at, Feed::Timer);
                next.state = self.world.act(next.state, action)?;
                next.actions.push(action);
            }
        }
        Ok(vec![next])
    }

    // ---- Views from 1 on.

    /// The coin falls; that it is decided now and known later only adds to what the adversary can do.
    pub(super) fn coin(&mut self, run: &Run, view: View, _: usize) -> Result<Vec<Run>> {
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
    pub(super) fn enter(&mut self, run: &Run, view: View, at: usize) -> Result<Vec<Run>> {
        let mut out = vec![run.clone()];
        let before = View(view.0 - 1);
        if !self.present(run, before).contains(&at) {
            return Ok(out);
        }
        let kind = if before == View(0) {
            MessageKind::Timeout
        } else {
            MessageKind::Status
        };
        let statements = self.of(run, kind, before);
        for entry in self.entries(run, view) {
            let mut next = run.clone();
            for (member, ..) in &entry.tc.standings {
                let honest = statements.iter().find(|(_, from)| from == member);
                let id = honest.map(|(id, _)| *id).or(entry.own);
                if let Some(id) = id {
                    self.feed(&mut next, at, id)?;
                }
            }
            let refused = self.world.local(next.state, at).refused;
            if refused || self.present(&next, view).contains(&at) {
                out.push(next);
            }
        }
        Ok(out)
    }

    /// A member that is further behind, or does not know the coin yet, is drawn along by a proposal, or stays.
    pub(super) fn jump(&mut self, run: &Run, view: View, at: usize) -> Result<Vec<Run>> {
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
        for entry in self.entries(run, view) {
            let same = proposals
                .iter()
                .find(|(_, l)| l.right() == Some(entry.lock));
            let own = self.world.proposal(&letters, &entry);
            for id in same.map(|(id, _)| *id).into_iter().chain(own) {
                let mut next = run.clone();
                self.feed(&mut next, at, id)?;
                let refused = self.world.local(next.state, at).refused;
                if refused || self.present(&next, view).contains(&at) {
                    out.push(next);
                }
            }
        }
        Ok(out)
    }

    /// The Byzantine member proposes to all: if it will be elected, by any of its rights or nothing; otherwise something.
    pub(super) fn byzantine_proposal(
        &mut self,
        run: &Run,
        view: View,
        _: usize,
    ) -> Result<Vec<Run>> {
        let letters = self.world.letters(run.state);
        let present = self.present(run, view);
        let leads = run.state.coins.leader(view) == Some(BYZANTINE);
        let mut out = Vec::new();
        if leads {
            out.push(run.clone());
        }
        for entry in self.entries(run, view) {
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
            out.push(run.clone());
        }
        Ok(out)
    }

    /// A stage in which nothing can happen.
    pub(super) fn as_it_is(&mut self, run: &Run, _: View, _: usize) -> Result<Vec<Run>> {
        Ok(vec![run.clone()])
    }

    /// Everybody present votes for everybody's proposal, and every proposer gets a quorum.
    pub(super) fn vote(&mut self, run: &Run, view: View, _: usize) -> Result<Vec<Run>> {
        let mut next = run.clone();
        let present = self.present(run, view);
        for (id, _) in self.of(run, MessageKind::Propose, view) {
            for at in &present {
                self.feed(&mut next, *at, id)?;
            }
        }
        self.count_votes(&mut next, MessageKind::Vote, view)?;
        Ok(vec![next])
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
    pub(super) fn lock_others(&mut self, run: &Run, view: View, _: usize) -> Result<Vec<Run>> {
        let mut next = run.clone();
        let leader = next.state.coins.leader(view);
        for (id, from) in self.shown(run, MessageKind::Lock, view) {
            if Some(from) != leader {
                for at in self.present(&next, view) {
                    self.feed(&mut next, at, id)?;
                }
            }
        }
        Ok(vec![next])
    }

    /// A member gets the LOCK of the one who will be elected, or has been, or does not get it.
    pub(super) fn lock_leader(&mut self, run: &Run, view: View, at: usize) -> Result<Vec<Run>> {
        let leader = run.state.coins.leader(view);
        let mut out = vec![run.clone()];
        if !self.present(run, view).contains(&at) {
            return Ok(out);
        }
        for (id, from) in self.shown(run, MessageKind::Lock, view) {
            if Some(from) == leader {
                let mut next = run.clone();
                self.feed(&mut next, at, id)?;
                if self.matters(run, &next, at, true) {
                    out.push(next);
                }
            }
        }
        Ok(out)
    }

    pub(super) fn acknowledge(&mut self, run: &Run, view: View, _: usize) -> Result<Vec<Run>> {
        let mut next = run.clone();
        self.count_votes(&mut next, MessageKind::Ack, view)?;
        Ok(vec![next])
    }

    /// Everybody present sees the DONEs of those who will not be elected.
    pub(super) fn done(&mut self, run: &Run, view: View, _: usize) -> Result<Vec<Run>> {
        let mut next = run.clone();
        let leader = next.state.coins.leader(view);
        for (id, from) in self.shown(run, MessageKind::Done, view) {
            if Some(from) != leader {
                for at in self.present(&next, view) {
                    self.feed(&mut next, at, id)?;
                }
            }
        }
        Ok(vec![next])
    }

    /// Where the others' DONEs do not open the coin, one member sees the leader's, too; if that does not, the view never ends.
    pub(super) fn done_leader(&mut self, run: &Run, view: View, _: usize) -> Result<Vec<Run>> {
        let letters = self.world.letters(run.state);
        if self.world.coin_is_open(&letters, view) {
            return Ok(vec![run.clone()]);
        }
        let leader = run.state.coins.leader(view);
        let mut out = Vec::new();
        for (id, from) in self.shown(run, MessageKind::Done, view) {
            if Some(from) != leader {
                continue;
            }
            for at in self.present(run, view) {
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
    pub(super) fn elect(&mut self, run: &Run, view: View, at: usize) -> Result<Vec<Run>> {
        if !self.present(run, view).contains(&at) {
            return Ok(vec![run.clone()]);
        }
        // As long as nobody leaves a view without its coin, one who does not learn it is one whose STATUS nobody gets.
        let mut out = Vec::new();
        if !self.world.members.rules.wait_for_coin() {
            out.push(run.clone());
        }
        let mut next = run.clone();
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
