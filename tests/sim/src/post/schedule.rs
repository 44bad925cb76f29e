//! Whom an adversary that schedules the network holds back.

use std::{
    cmp::Reverse,
    hash::{DefaultHasher, Hash, Hasher},
};

use touchstone_types::{MemberId, MessageKind, Round, View};

use super::{
    super::{
        letter::{Kind, Letter, Posted},
        plan::{Plan, Schedule},
    },
    Event, Post, Scheduled, Views,
};

impl Post {
    /// Whether a letter is held back.
    pub(super) fn hold(&self, plan: &Plan, views: &Views, posted: &Posted) -> bool {
        let (from, to, letter) = (posted.from, posted.to, &posted.letter);
        if plan.no_view_0 && letter.kind == Kind::Signed(MessageKind::Propose0) {
            return true;
        }
        match &plan.schedule {
            Schedule::Fair | Schedule::Lifo { .. } => false,
            Schedule::Pool { .. } => true,
            Schedule::Starve { victims, inbound } => {
                victims.contains(if *inbound { to } else { from })
            }
            Schedule::Chaos {
                salt,
                held,
                by_view,
                ..
            } => class(*salt, *by_view, posted) < *held,
            Schedule::Kinds { kinds, but } => kinds.contains(&letter.kind) && !but.contains(to),
            Schedule::HuntLeader => self.hunted(from, letter),
            Schedule::Isolate { .. } => self.isolates(plan, views, posted),
            Schedule::Lag {
                member,
                kinds,
                victim,
            } => match letter.kind {
                Kind::Signed(MessageKind::Lock | MessageKind::Done) if from == *victim => true,
                kind => to == *member && kinds.contains(&kind),
            },
            Schedule::Scatter { member } => {
                let spied = self.byzantine.contains(from) || self.byzantine.contains(to);
                match letter.kind {
                    Kind::Signed(MessageKind::Prepare) => {
                        to != *member && !self.byzantine.contains(to)
                    }
                    Kind::Signed(MessageKind::Commit | MessageKind::Timeout) => {
                        from == *member && !spied
                    }
                    _ => false,
                }
            }
            Schedule::Deprive { starved, helper } => match letter.kind {
                Kind::Signed(MessageKind::Done) => starved.iter().next() != Some(to),
                Kind::Signed(MessageKind::Ack) => {
                    !starved.contains(to) && to != *helper && !self.byzantine.contains(to)
                }
                Kind::Signed(MessageKind::Coin | MessageKind::Status) => {
                    starved.contains(to)
                        && view_of(views, to, letter.round).is_none_or(|v| v <= letter.view)
                }
                _ => false,
            },
        }
    }

    fn isolates(&self, plan: &Plan, views: &Views, posted: &Posted) -> bool {
        let Schedule::Isolate {
            member,
            early,
            alone,
            starved,
            ignorant,
            scattered,
        } = &plan.schedule
        else {
            return false;
        };
        let (from, to, letter) = (posted.from, posted.to, &posted.letter);
        let spied = self.byzantine.contains(from) || self.byzantine.contains(to);
        let between = (to == *member || from == *member) && !spied;
        let inside = view_of(views, to, letter.round).is_none_or(|v| v <= letter.view);
        match letter.kind {
            Kind::Signed(MessageKind::Obs) => class(plan.seed, false, posted) < *scattered,
            Kind::Signed(MessageKind::Done) if *alone => {
                to != *member && !self.byzantine.contains(to)
            }
            Kind::Signed(MessageKind::Prepare) if *alone && *early => {
                to != *member && !self.byzantine.contains(to)
            }
            Kind::Signed(MessageKind::Coin) => starved.contains(to) && inside,
            Kind::Signed(MessageKind::Lock) => {
                ignorant.contains(to) && letter.view == View(1) && inside
            }
            Kind::Signed(MessageKind::Status) => between || starved.contains(to) && inside,
            Kind::Signed(MessageKind::Commit | MessageKind::Timeout) => *early && between,
            Kind::Decide | Kind::Cert => between,
            _ => false,
        }
    }

    fn hunted(&self, from: MemberId, letter: &Letter) -> bool {
        matches!(
            letter.kind,
            Kind::Signed(MessageKind::Lock | MessageKind::Done)
        ) && self.elected.get(&(letter.round, letter.view)) == Some(&from)
    }

    /// The scheduler learns who leads, and holds back what it can of that leader's letters.
    pub(in super::super) fn learn_leader(
        &mut self,
        plan: &Plan,
        round: Round,
        view: View,
        leader: MemberId,
    ) {
        if !matches!(plan.schedule, Schedule::HuntLeader)
            || self.elected.insert((round, view), leader).is_some()
        {
            return;
        }
        for Reverse(scheduled) in std::mem::take(&mut self.queue) {
            match scheduled.event {
                Event::Deliver(posted)
                    if self.now_us < plan.heal_us && self.hunted(posted.from, &posted.letter) =>
                {
                    self.under_way -= u64::from(!self.byzantine.contains(posted.from));
                    self.held.push(posted);
                }
                event => self.queue.push(Reverse(Scheduled { event, ..scheduled })),
            }
        }
    }
}

pub(super) fn view_of(views: &Views, member: MemberId, round: Round) -> Option<View> {
    views.get(member.index())?.get(&round).copied()
}

/// Whether a letter is one that an isolated member must not get or send.
pub(super) fn isolated(plan: &Plan, posted: &Posted) -> bool {
    let Schedule::Isolate { member, .. } = plan.schedule else {
        return false;
    };
    let kind = matches!(
        posted.letter.kind,
        Kind::Signed(MessageKind::Status | MessageKind::Commit | MessageKind::Timeout)
            | Kind::Decide
            | Kind::Cert
    );
    kind && (posted.from == member || posted.to == member)
}

/// A number below 1,000 that is the same for all letters of a class.
pub(super) fn class(salt: u64, by_view: bool, posted: &Posted) -> u64 {
    let view = if by_view { posted.letter.view } else { View(0) };
    let mut hasher = DefaultHasher::new();
    (
        salt,
        posted.letter.kind,
        posted.letter.round.0,
        view.0,
        posted.from.0,
        posted.to.0,
    )
        .hash(&mut hasher);
    hasher.finish() % 1_000
}
