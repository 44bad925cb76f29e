//! The books on missing rounds. Rounds are numbered by the clock, so that a hole between two stored ones is a fact.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use touchstone_types::Round;

use crate::store::{RoundRange, Store, StoreError};

/// More holes than this are not kept apart: the oldest ones are given up.
const GAPS_MAX: usize = 4_096;
const SCAN_ROUNDS: u32 = 10_000;

/// Missing rounds in a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gap {
    /// The rounds.
    pub range: RoundRange,
    /// When they were found missing.
    pub since: Instant,
    /// When a source is asked next.
    pub retry_at: Instant,
    /// How often every source has been asked.
    pub attempts: u32,
}

#[derive(Debug, Default)]
struct State {
    newest: Option<Round>,
    gaps: BTreeMap<Round, Gap>,
}

/// Which rounds are missing.
#[derive(Debug)]
pub struct Tracker {
    state: Mutex<State>,
    /// How long after it was noticed a hole is first asked for: rounds may overtake each other.
    grace: Duration,
}

impl Tracker {
    /// Knows nothing yet.
    pub fn new(grace: Duration) -> Self {
        Self {
            state: Mutex::default(),
            grace,
        }
    }

    /// Reads from the store which rounds of a range are missing and not known to be missed.
    ///
    /// # Errors
    /// What the database says.
    pub async fn load(
        &self,
        store: &Store,
        range: RoundRange,
        now: Instant,
    ) -> Result<(), StoreError> {
        let missed = store.missed(range).await?;
        let mut next = range.first;
        while next <= range.last {
            let rest = RoundRange {
                first: next,
                last: range.last,
            };
            let present = store.present(rest, SCAN_ROUNDS).await?;
            for round in &present {
                self.note_missing(next, *round, &missed, now);
                next = round.saturating_add(1);
            }
            if present.len() < usize::try_from(SCAN_ROUNDS).unwrap_or(usize::MAX) {
                break;
            }
        }
        let mut state = self.lock();
        if next > range.first {
            state.newest = state.newest.max(Some(next.saturating_sub(1)));
        }
        Ok(())
    }

    /// Notes `from..to` without what is known to be missed.
    fn note_missing(&self, from: Round, to: Round, missed: &[RoundRange], now: Instant) {
        let mut next = from;
        for range in missed {
            if range.last < next || range.first >= to {
                continue;
            }
            self.insert(next, range.first, now);
            next = next.max(range.last.saturating_add(1));
        }
        self.insert(next, to, now);
    }

    /// Inserts `from..to`.
    fn insert(&self, from: Round, to: Round, now: Instant) {
        if from >= to {
            return;
        }
        let mut state = self.lock();
        let gap = self.gap(from, to.saturating_sub(1), now);
        state.gaps.insert(from, gap);
        while state.gaps.len() > GAPS_MAX {
            state.gaps.pop_first();
        }
    }

    fn gap(&self, first: Round, last: Round, now: Instant) -> Gap {
        Gap {
            range: RoundRange { first, last },
            since: now,
            retry_at: now.checked_add(self.grace).unwrap_or(now),
            attempts: 0,
        }
    }

    /// A round was stored.
    pub fn stored(&self, round: Round, now: Instant) {
        let newest = self.lock().newest;
        match newest {
            Some(newest) if round > newest => {
                self.insert(newest.saturating_add(1), round, now);
                self.lock().newest = Some(round);
            }
            None => self.lock().newest = Some(round),
            Some(_) => self.fill(round),
        }
        let missing = self.missing();
        metrics::gauge!("aggregator_missing_rounds")
            .set(f64::from(u32::try_from(missing).unwrap_or(u32::MAX)));
    }

    fn fill(&self, round: Round) {
        let mut state = self.lock();
        let held = state.gaps.range(..=round).next_back().map(|(_, gap)| *gap);
        let Some(gap) = held.filter(|gap| round <= gap.range.last) else {
            return;
        };
        state.gaps.remove(&gap.range.first);
        let halves = [
            (gap.range.first, round.0.checked_sub(1).map(Round)),
            (round.saturating_add(1), Some(gap.range.last)),
        ];
        for (first, last) in halves {
            if let Some(last) = last.filter(|last| first <= *last) {
                let range = RoundRange { first, last };
                state.gaps.insert(first, Gap { range, ..gap });
            }
        }
    }

    /// The next hole to ask for, at most `limit` rounds of it: the newest of those that are due.
    pub fn due(&self, limit: u64, now: Instant) -> Option<Gap> {
        let state = self.lock();
        let gap = state.gaps.values().rev().find(|gap| gap.retry_at <= now)?;
        let last = gap.range.first.saturating_add(limit.saturating_sub(1));
        let range = RoundRange {
            first: gap.range.first,
            last: gap.range.last.min(last),
        };
        Some(Gap { range, ..*gap })
    }

    /// Every source has been asked for these rounds: ask again later, or give them up if they have been missing for
    /// `give_up_after` (ten times as long if a source did not answer). Returns what is given up; the caller writes it down.
    pub fn asked(
        &self,
        range: RoundRange,
        every_source_answered: bool,
        give_up_after: Duration,
        now: Instant,
    ) -> Vec<RoundRange> {
        let mut state = self.lock();
        let inside: Vec<Gap> = state
            .gaps
            .range(..=range.last)
            .map(|(_, gap)| *gap)
            .filter(|gap| gap.range.last >= range.first)
            .collect();
        let mut given_up = Vec::new();
        for gap in inside {
            state.gaps.remove(&gap.range.first);
            let asked = RoundRange {
                first: gap.range.first.max(range.first),
                last: gap.range.last.min(range.last),
            };
            if gap.range.last > asked.last {
                let first = asked.last.saturating_add(1);
                let rest = RoundRange {
                    first,
                    last: gap.range.last,
                };
                state.gaps.insert(first, Gap { range: rest, ..gap });
            }
            let missing_for = now.duration_since(gap.since);
            // A source that never answers cannot keep a hole open for ever.
            let patience = give_up_after.saturating_mul(if every_source_answered { 1 } else { 10 });
            if missing_for >= patience {
                given_up.push(asked);
                continue;
            }
            let attempts = gap.attempts.saturating_add(1);
            let wait = Duration::from_secs(1u64 << attempts.min(5));
            let gap = Gap {
                range: asked,
                retry_at: now.checked_add(wait).unwrap_or(now),
                attempts,
                ..gap
            };
            state.gaps.insert(asked.first, gap);
        }
        given_up
    }

    /// How many rounds are missing.
    pub fn missing(&self) -> u64 {
        let state = self.lock();
        state.gaps.values().fold(0, |sum, gap| {
            let rounds = gap.range.last.0.saturating_sub(gap.range.first.0);
            sum.saturating_add(rounds).saturating_add(1)
        })
    }

    /// How many rounds of a range are missing.
    pub fn missing_of(&self, range: RoundRange) -> u64 {
        let state = self.lock();
        let gaps = state.gaps.range(..=range.last).map(|(_, gap)| gap.range);
        gaps.filter(|gap| gap.last >= range.first)
            .fold(0, |sum, gap| {
                let (first, last) = (gap.first.max(range.first), gap.last.min(range.last));
                let rounds = last.0.saturating_sub(first.0).saturating_add(1);
                sum.saturating_add(rounds)
            })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(tracker: &Tracker) -> Vec<(u64, u64)> {
        let state = tracker.lock();
        state
            .gaps
            .values()
            .map(|g| (g.range.first.0, g.range.last.0))
            .collect()
    }

    #[test]
    fn holes_open_split_and_close() {
        let now = Instant::now();
        let tracker = Tracker::new(Duration::ZERO);
        tracker.stored(Round(10), now);
        tracker.stored(Round(20), now);
        assert_eq!(ranges(&tracker), [(11, 19)]);
        assert_eq!(tracker.missing(), 9);
        tracker.stored(Round(15), now);
        assert_eq!(ranges(&tracker), [(11, 14), (16, 19)]);
        let range = RoundRange {
            first: Round(13),
            last: Round(17),
        };
        assert_eq!(tracker.missing_of(range), 4);
        for round in [11, 14, 12, 13, 19, 16] {
            tracker.stored(Round(round), now);
        }
        assert_eq!(ranges(&tracker), [(17, 18)]);
        tracker.stored(Round(15), now);
        assert_eq!(ranges(&tracker), [(17, 18)]);
        tracker.stored(Round(21), now);
        assert_eq!(tracker.missing(), 2);
    }

    #[test]
    fn a_hole_is_asked_for_in_pieces_and_given_up_at_last() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let tracker = Tracker::new(Duration::from_secs(1));
        tracker.stored(Round(1), start);
        tracker.stored(Round(12), start);
        assert_eq!(tracker.due(4, start), None);
        let due = tracker.due(4, after(2)).expect("due");
        assert_eq!((due.range.first, due.range.last), (Round(2), Round(5)));
        let minute = Duration::from_secs(60);
        assert_eq!(tracker.asked(due.range, true, minute, after(2)), []);
        assert_eq!(ranges(&tracker), [(2, 5), (6, 11)]);
        let rest = tracker.due(4, after(2)).expect("the rest");
        assert_eq!(rest.range.first, Round(6));
        let silent = tracker.asked(due.range, false, minute, after(70));
        assert_eq!(silent, [], "a source has not answered");
        let given_up = tracker.asked(due.range, true, minute, after(80));
        assert_eq!(given_up, [due.range]);
        assert_eq!(ranges(&tracker), [(6, 11)]);
        let given_up = tracker.asked(rest.range, false, minute, after(700));
        assert_eq!(
            given_up,
            [rest.range],
            "one silent source is not waited for any longer"
        );
    }

    #[test]
    fn the_number_of_holes_is_bounded() {
        let now = Instant::now();
        let tracker = Tracker::new(Duration::ZERO);
        for round in 0..3 * GAPS_MAX as u64 {
            tracker.stored(Round(round * 2), now);
        }
        assert_eq!(ranges(&tracker).len(), GAPS_MAX);
    }
}
