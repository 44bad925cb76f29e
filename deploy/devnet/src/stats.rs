//! Which rounds were attested, and how soon.

use std::collections::{BTreeSet, VecDeque};

use touchstone_types::Round;

/// Latencies that are kept for the percentiles of a long run: the newest ones.
const SAMPLES_MAX: usize = 100_000;

/// Counts the attested rounds of one start.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    attested: u64,
    first: Option<Round>,
    last: Option<Round>,
    /// Rounds between the first and the last that have not been seen; the newest ones.
    open: BTreeSet<Round>,
    latencies_us: VecDeque<u64>,
}

/// The most rounds that are kept as not seen.
const OPEN_MAX: usize = 10_000;

impl Tally {
    /// Takes note of an attested round and how long after its start it was seen, in microseconds.
    pub(crate) fn add(&mut self, round: Round, latency_us: u64) {
        if self.last.is_some_and(|last| round <= last) {
            return;
        }
        let next = self.last.map_or(round, |last| last.saturating_add(1));
        let oldest = Round(round.0.saturating_sub(OPEN_MAX as u64));
        self.open.extend((next.max(oldest).0..round.0).map(Round));
        while self.open.len() > OPEN_MAX {
            self.open.pop_first();
        }
        self.first.get_or_insert(round);
        self.last = Some(round);
        self.attested = self.attested.saturating_add(1);
        if self.latencies_us.len() == SAMPLES_MAX {
            self.latencies_us.pop_front();
        }
        self.latencies_us.push_back(latency_us);
    }

    /// A round that was overtaken turned out to be attested after all.
    pub(crate) fn add_late(&mut self, round: Round) {
        if self.open.remove(&round) {
            self.attested = self.attested.saturating_add(1);
        }
    }

    /// How many rounds were attested.
    pub(crate) fn attested(&self) -> u64 {
        self.attested
    }

    /// How many rounds there were from the first attested one to the last.
    pub(crate) fn rounds(&self) -> u64 {
        match (self.first, self.last) {
            (Some(first), Some(last)) => last.0.saturating_sub(first.0).saturating_add(1),
            _ => 0,
        }
    }

    /// How many of them were not.
    pub(crate) fn missed(&self) -> u64 {
        self.rounds().saturating_sub(self.attested)
    }

    /// The newest attested round.
    pub(crate) fn last(&self) -> Option<Round> {
        self.last
    }

    /// Rounds that have been overtaken.
    pub(crate) fn open(&self) -> impl Iterator<Item = Round> + '_ {
        self.open.iter().copied()
    }

    /// Percentiles of the latency over the newest `window` rounds, in milliseconds.
    pub(crate) fn latency(&self, window: usize) -> Latency {
        let skip = self.latencies_us.len().saturating_sub(window);
        let mut sorted: Vec<u64> = self.latencies_us.iter().copied().skip(skip).collect();
        sorted.sort_unstable();
        Latency {
            p50: percentile(&sorted, 50).map(millis),
            p99: percentile(&sorted, 99).map(millis),
        }
    }
}

/// Percentiles of a latency in milliseconds; none without a sample.
#[derive(Clone, Copy, PartialEq, Debug, serde::Serialize)]
pub(crate) struct Latency {
    /// Half of the rounds took no longer.
    pub(crate) p50: Option<f64>,
    /// 99 of a hundred rounds took no longer.
    pub(crate) p99: Option<f64>,
}

fn millis(us: u64) -> f64 {
    // A tenth of a millisecond is as much as a clock on a busy machine is good for.
    (us / 100) as f64 / 10.0
}

/// The nearest-rank percentile: the smallest value that at least `percent` of all are not above.
fn percentile(sorted: &[u64], percent: usize) -> Option<u64> {
    let rank = sorted.len().saturating_mul(percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_by_nearest_rank() {
        let values: Vec<u64> = (1..=200).collect();
        assert_eq!(percentile(&values, 50), Some(100));
        assert_eq!(percentile(&values, 99), Some(198));
        assert_eq!(percentile(&[7], 99), Some(7));
        assert_eq!(percentile(&[1, 2, 3], 50), Some(2));
        assert_eq!(percentile(&[], 50), None);
    }

    #[test]
    fn missed_rounds_are_counted_until_they_come_late() {
        let mut tally = Tally::default();
        for round in [10, 11, 14, 14, 13, 15] {
            tally.add(Round(round), 20_000);
        }
        assert_eq!(
            (tally.attested(), tally.rounds(), tally.missed()),
            (4, 6, 2)
        );
        assert_eq!(tally.open().collect::<Vec<_>>(), [Round(12), Round(13)]);
        tally.add_late(Round(12));
        tally.add_late(Round(12));
        tally.add_late(Round(11));
        assert_eq!((tally.attested(), tally.missed()), (5, 1));
        assert_eq!(tally.latency(100).p50, Some(20.0));
    }

    #[test]
    fn memory_stays_bounded() {
        let mut tally = Tally::default();
        tally.add(Round(1), 1);
        tally.add(Round(u64::MAX), 1);
        assert_eq!(tally.open().count(), OPEN_MAX);
        assert_eq!(tally.missed(), u64::MAX - 2);
    }
}
