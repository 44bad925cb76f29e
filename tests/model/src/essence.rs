//! What later views depend on at the end of a view, up to the names of values and of honest members, and, if wanted, of views.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use touchstone_consensus::Rules;
use touchstone_types::{Digest, MessageKind, View};

use crate::{
    letter::{Letter, LetterId},
    world::{HONEST, State, World},
};

/// The orders that three honest members can be put in.
const ORDERS: [[usize; HONEST]; 6] = [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
];

/// The same for two states that nobody can tell apart in later views.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Essence(Vec<u32>);

/// A value, as it stands for a report.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Named {
    value: Digest,
    report: Option<Digest>,
}

/// What is known of one honest member.
struct Place {
    /// Its view, and whether it knows the coin and has left view 0; none once its round is closed.
    position: Option<(View, bool, bool)>,
    lock: Option<(View, Named)>,
    decided: Option<Named>,
    /// What it stated at the end of the view, and whether that shows a decision.
    statement: Option<(Option<(View, Named)>, bool)>,
    shared: Vec<Digest>,
}

/// Numbers values and reports in the order in which they come up.
#[derive(Default)]
struct Writer {
    out: Vec<u32>,
    /// What stands for the view of a lock: itself, or how many views with locks are below it.
    ranks: BTreeMap<View, u32>,
    numbers: BTreeMap<Digest, u32>,
}

impl Writer {
    fn number(&mut self, digest: Digest) {
        let next = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX);
        let number = *self.numbers.entry(digest).or_insert(next);
        self.out.push(number);
    }

    fn flag(&mut self, flag: bool) {
        self.out.push(u32::from(flag));
    }

    fn value(&mut self, named: Option<Named>) {
        self.flag(named.is_some());
        if let Some(named) = named {
            self.number(named.value);
            // A report may be that of several values.
            self.number(named.report.unwrap_or_default());
        }
    }

    fn lock(&mut self, lock: Option<(View, Named)>) {
        let rank = |view: View| self.ranks.get(&view).copied().unwrap_or(view.0);
        self.out.push(lock.map_or(0, |(view, _)| rank(view) + 1));
        self.value(lock.map(|(_, named)| named));
    }

    /// A set: what was numbered already comes first, by its number.
    fn set(&mut self, mut all: Vec<(View, Named)>) {
        let numbers = &self.numbers;
        all.sort_by_key(|(view, named)| {
            let number = numbers.get(&named.value).copied();
            (number.unwrap_or(u32::MAX), *view, named.value)
        });
        self.out.push(u32::try_from(all.len()).unwrap_or(u32::MAX));
        for lock in all {
            self.lock(Some(lock));
        }
    }
}

impl<R: Rules> World<R> {
    /// What matters of a state at the end of a view; with `any_view`, also up to which view it is.
    pub(crate) fn essence(&mut self, state: State, view: View, any_view: bool) -> Essence {
        let letters = self.letters(state);
        let places = self.places(state, view, &letters);
        let judged = self.judged(state);
        let floor = any_view.then(|| self.floor(state)).flatten();
        let locks = judged.locks.iter().filter(|lock| Some(**lock) > floor);
        let locks: Vec<_> = locks.map(|(v, d)| (*v, self.named(state, *d))).collect();
        let ranks = if any_view {
            ranks(&places, &locks)
        } else {
            BTreeMap::new()
        };
        let decidable = judged.decidable.iter();
        let decidable: Vec<_> = decidable
            .map(|d| (View(0), self.named(state, *d)))
            .collect();
        let open = self.coin_is_open(&letters, view);
        let form = |order: &[usize; HONEST]| {
            let mut writer = Writer {
                ranks: ranks.clone(),
                ..Writer::default()
            };
            writer.flag(open);
            for at in order {
                if let Some(place) = places.get(*at) {
                    write_position(&mut writer, place, any_view.then_some(view));
                    write_place(&mut writer, place);
                }
            }
            writer.set(locks.clone());
            writer.set(decidable.clone());
            Essence(writer.out)
        };
        let forms = ORDERS.iter().map(form);
        forms.min().unwrap_or_else(|| Essence(Vec::new()))
    }

    /// What is known of each honest member.
    fn places(
        &mut self,
        state: State,
        view: View,
        letters: &[(LetterId, Arc<Letter>)],
    ) -> Vec<Place> {
        let kind = if view == View(0) {
            MessageKind::Timeout
        } else {
            MessageKind::Status
        };
        let statements = Self::of_kind(letters, kind, view);
        let mut places = Vec::new();
        for at in 0..HONEST {
            let local = self.local(state, at).clone();
            let lock = local.position.and_then(|p| p.lock);
            let decided = local.position.and_then(|p| p.decided);
            let statement = statements.iter().find(|(_, l)| usize::from(l.from.0) == at);
            let stated = statement.map(|(_, l)| (l.lock(), l.decides()));
            places.push(Place {
                position: local.position.map(|p| (p.view, p.coin_known, p.timed_out)),
                lock: lock.map(|l| (l.view, self.named(state, l.value))),
                decided: decided.map(|v| self.named(state, v)),
                statement: stated.map(|(lock, decides)| {
                    (lock.map(|l| (l.view, self.named(state, l.value))), decides)
                }),
                shared: local
                    .shared
                    .iter()
                    .chain(&local.published)
                    .copied()
                    .collect(),
            });
        }
        places
    }

    /// The lock that every right to enter a view reaches at least: two honest members stand behind it, and their locks only
    /// grow. That the Byzantine member can prove one up to here gives it nothing more than to report none.
    fn floor(&self, state: State) -> Option<(View, Digest)> {
        let locks = (0..HONEST).map(|at| self.local(state, at).position.and_then(|p| p.lock));
        let mut locks: Vec<_> = locks.map(|l| l.map(|l| (l.view, l.value))).collect();
        locks.sort_unstable();
        locks.get(1).copied().flatten()
    }

    fn named(&mut self, state: State, value: Digest) -> Named {
        let report = self.statement_of(state, value);
        Named { value, report }
    }
}

/// How many views with locks are below each.
fn ranks(places: &[Place], locks: &[(View, Named)]) -> BTreeMap<View, u32> {
    let held = places.iter().filter_map(|p| p.lock);
    let stated = places.iter().filter_map(|p| p.statement?.0);
    let all = locks.iter().copied().chain(held).chain(stated);
    let all: BTreeSet<_> = all.map(|(view, _)| view).collect();
    all.into_iter().zip(0..).collect()
}

/// Where a member is: its view, or whether that is the current one and whether it may leave it.
fn write_position(writer: &mut Writer, place: &Place, current: Option<View>) {
    let (view, coin_known, timed_out) = place.position.unwrap_or_default();
    writer.flag(place.position.is_some());
    match current {
        None => {
            writer.out.push(view.0);
            writer.flag(coin_known);
            writer.flag(timed_out);
        }
        Some(current) => {
            writer.flag(view == current);
            writer.flag(coin_known || view == View(0));
        }
    }
}

fn write_place(writer: &mut Writer, place: &Place) {
    writer.lock(place.lock);
    writer.value(place.decided);
    writer.flag(place.statement.is_some());
    if let Some((lock, decides)) = place.statement {
        writer.lock(lock);
        writer.flag(decides);
    }
    let shared = u32::try_from(place.shared.len()).unwrap_or(u32::MAX);
    writer.out.push(shared);
    for report in &place.shared {
        writer.number(*report);
    }
}
