//! How long rounds took, from their start to the attestation at each member.

use std::{fmt::Write as _, ops::Range, time::Duration};

use serde::Serialize;
use touchstone_types::{Round, RoundClock};

use super::Record;

/// Percentiles of a time, in milliseconds and in multiples of the one-way delay (none where there is no delay).
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Percentiles {
    /// Half of the rounds took no longer.
    pub p50_ms: f64,
    /// 99 of a hundred rounds took no longer.
    pub p99_ms: f64,
    /// No round took longer.
    pub max_ms: f64,
    /// The same in delays.
    pub p50_delays: Option<f64>,
    /// The same in delays.
    pub p99_delays: Option<f64>,
}

/// How long the rounds of a span took.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Times {
    /// Rounds in the span.
    pub rounds: u64,
    /// Rounds that every measured member has attested.
    pub attested_by_all: u64,
    /// Rounds that nobody has attested.
    pub missed: u64,
    /// The measured members.
    pub members: Vec<usize>,
    /// Of each of these, over the rounds that it has attested; none without any.
    pub at_member: Vec<Option<Percentiles>>,
    /// When the first of them had it.
    pub first: Option<Percentiles>,
    /// When the last of them had it, over the rounds that all have attested.
    pub last: Option<Percentiles>,
}

impl Times {
    /// The times of rounds `span` at `members`, as recorded so far.
    pub fn of(
        record: &Record,
        clock: RoundClock,
        span: Range<Round>,
        members: &[usize],
        delay: Duration,
    ) -> Self {
        let mut at_member = vec![Vec::new(); members.len()];
        let (mut first, mut last) = (Vec::new(), Vec::new());
        let (mut attested_by_all, mut missed) = (0, 0);
        for round in (span.start.0..span.end.0).map(Round) {
            let start_us = clock.start_ms(round).saturating_mul(1_000);
            let took = |member: &usize| {
                let seen_us = record.seen_us(*member, round)?;
                Some(seen_us.saturating_sub(start_us))
            };
            let took: Vec<Option<u64>> = members.iter().map(took).collect();
            for (times, time) in at_member.iter_mut().zip(&took) {
                times.extend(time);
            }
            first.extend(took.iter().flatten().min());
            missed += u64::from(!record.is_seen(round));
            if took.iter().all(Option::is_some) {
                attested_by_all += 1;
                last.extend(took.iter().flatten().max());
            }
        }
        let percentiles = |times: Vec<u64>| Percentiles::of(times, delay);
        Self {
            rounds: span.end.0.saturating_sub(span.start.0),
            attested_by_all,
            missed,
            members: members.to_vec(),
            at_member: at_member.into_iter().map(percentiles).collect(),
            first: percentiles(first),
            last: percentiles(last),
        }
    }

    /// A table for people.
    pub fn table(&self) -> String {
        let mut out = format!(
            "{:<22}{:>9}{:>9}{:>9}{:>12}{:>12}",
            "attested at", "p50 ms", "p99 ms", "max ms", "p50 delays", "p99 delays"
        );
        let members = self.members.iter().zip(&self.at_member);
        let rows = members.map(|(id, times)| (format!("member {id}"), times));
        let ends = [
            ("the first of them", &self.first),
            ("all of them", &self.last),
        ];
        for (name, times) in rows.chain(ends.map(|(name, times)| (name.to_owned(), times))) {
            let Some(t) = times else { continue };
            let delays = |d: Option<f64>| d.map_or_else(|| "-".to_owned(), |d| format!("{d:.1}"));
            // Writing into a string does not fail.
            let _ = write!(
                out,
                "\n{name:<22}{:>9.1}{:>9.1}{:>9.1}{:>12}{:>12}",
                t.p50_ms,
                t.p99_ms,
                t.max_ms,
                delays(t.p50_delays),
                delays(t.p99_delays)
            );
        }
        let _ = write!(
            out,
            "\n{} rounds: {} attested at all {} members, {} missed",
            self.rounds,
            self.attested_by_all,
            self.members.len(),
            self.missed
        );
        out
    }
}

impl Percentiles {
    /// Nearest-rank percentiles of times in microseconds; none without a sample.
    fn of(mut times_us: Vec<u64>, delay: Duration) -> Option<Self> {
        times_us.sort_unstable();
        let rank = |percent: usize| {
            let rank = times_us.len().saturating_mul(percent).div_ceil(100);
            times_us.get(rank.saturating_sub(1)).map(|us| *us as f64)
        };
        let (p50, p99, max) = (rank(50)?, rank(99)?, rank(100)?);
        let delay_us = delay.as_secs_f64() * 1e6;
        let in_delays = |us: f64| (delay_us > 0.0).then(|| rounded(us / delay_us));
        Some(Self {
            p50_ms: rounded(p50 / 1e3),
            p99_ms: rounded(p99 / 1e3),
            max_ms: rounded(max / 1e3),
            p50_delays: in_delays(p50),
            p99_delays: in_delays(p99),
        })
    }
}

/// To a hundredth, which is as much as a busy machine is good for.
fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_also_told_in_delays() {
        let times: Vec<u64> = (1..=200).rev().map(|ms| ms * 1_000).collect();
        let told = Percentiles::of(times, Duration::from_millis(50)).expect("samples");
        assert_eq!(
            (told.p50_ms, told.p99_ms, told.max_ms),
            (100.0, 198.0, 200.0)
        );
        assert_eq!((told.p50_delays, told.p99_delays), (Some(2.0), Some(3.96)));
        let told = Percentiles::of(vec![7_000], Duration::ZERO).expect("a sample");
        assert_eq!(
            (told.p50_ms, told.p99_ms, told.p50_delays),
            (7.0, 7.0, None)
        );
        assert_eq!(Percentiles::of(Vec::new(), Duration::ZERO), None);
    }
}
