//! What came of a simulation, feed by feed.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;
use touchstone_types::{Decimal, FeedName, FeedSpec};

use super::Moment;
use crate::{DropReason, Priced};

const MILLION: i128 = 1_000_000;
/// By how much somebody wants to move a price, in millionths.
const MOVED_PPM: i128 = 10_000;

/// All feeds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Summary {
    /// Unix milliseconds of the first instant.
    pub from_ms: u64,
    /// Unix milliseconds of the last instant.
    pub to_ms: u64,
    /// In the order of the feeds.
    pub feeds: Vec<FeedSummary>,
}

/// One feed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct FeedSummary {
    /// The feed.
    pub feed: FeedName,
    /// Instants.
    pub rounds: u64,
    /// Instants with a price.
    pub priced: u64,
    /// Instants without one.
    pub unavailable: u64,
    /// Instants with a price whose status is not ok.
    pub flagged: u64,
    /// How often each status came, by its text.
    pub statuses: BTreeMap<String, u64>,
    /// Instants with a price and a [reference](Moment::reference).
    pub compared: u64,
    /// The largest distance of a price from the reference, in millionths of it.
    pub deviation_ppm_max: u64,
    /// When that was, in Unix milliseconds.
    pub deviation_max_at_ms: Option<u64>,
    /// Quotes that were not used, by reason.
    pub dropped: BTreeMap<String, u64>,
    /// How many of the used sources would have had to lie to move the price by 1 %, and at how many instants: faulty sources
    /// all on one side, as high or low as they like, and past the gate.
    pub liars: BTreeMap<usize, u64>,
    /// The instant that was the easiest.
    pub weakest: Option<Weakest>,
}

/// The instant at which the fewest sources could have moved the price.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Weakest {
    /// Unix milliseconds.
    pub at_ms: u64,
    /// How many sources it would have taken.
    pub liars: usize,
    /// How many were used.
    pub used: usize,
}

impl Summary {
    /// Of no instant yet.
    pub fn new(feeds: &[FeedSpec]) -> Self {
        let feed = |spec: &FeedSpec| FeedSummary {
            feed: spec.name,
            rounds: 0,
            priced: 0,
            unavailable: 0,
            flagged: 0,
            statuses: BTreeMap::new(),
            compared: 0,
            deviation_ppm_max: 0,
            deviation_max_at_ms: None,
            dropped: BTreeMap::new(),
            liars: BTreeMap::new(),
            weakest: None,
        };
        Self {
            from_ms: 0,
            to_ms: 0,
            feeds: feeds.iter().map(feed).collect(),
        }
    }

    /// Counts an instant.
    pub fn add(&mut self, moment: &Moment<'_>) {
        if self.from_ms == 0 {
            self.from_ms = moment.now_ms;
        }
        self.to_ms = moment.now_ms;
        let all = moment.priced.iter().zip(moment.reference);
        for (summary, (priced, reference)) in self.feeds.iter_mut().zip(all) {
            summary.add(moment.now_ms, priced, *reference);
        }
    }
}

impl FeedSummary {
    fn add(&mut self, now_ms: u64, priced: &Priced, reference: Option<Decimal>) {
        count(&mut self.rounds);
        count(self.statuses.entry(priced.status.to_string()).or_default());
        for quote in &priced.dropped {
            let name = reason(&quote.reason).to_owned();
            count(self.dropped.entry(name).or_default());
        }
        let Some(price) = priced.price else {
            count(&mut self.unavailable);
            return;
        };
        count(&mut self.priced);
        if !priced.status.is_ok() {
            count(&mut self.flagged);
        }
        if let Some(ppm) = reference.and_then(|reference| distance_ppm(price, reference)) {
            count(&mut self.compared);
            if ppm > self.deviation_ppm_max || self.deviation_max_at_ms.is_none() {
                self.deviation_ppm_max = ppm;
                self.deviation_max_at_ms = Some(now_ms);
            }
        }
        let used = priced.used.len();
        let Some(liars) = liars(priced) else { return };
        count(self.liars.entry(liars).or_default());
        if self.weakest.is_none_or(|weakest| liars < weakest.liars) {
            self.weakest = Some(Weakest {
                at_ms: now_ms,
                liars,
                used,
            });
        }
    }
}

fn count(counter: &mut u64) {
    *counter = counter.saturating_add(1);
}

/// The reason's name, as in JSON.
pub(super) fn reason(reason: &DropReason) -> &'static str {
    match reason {
        DropReason::Missing { .. } => "missing",
        DropReason::Undated => "undated",
        DropReason::Stale { .. } => "stale",
        DropReason::FutureDated { .. } => "future_dated",
        DropReason::NotPositive => "not_positive",
        DropReason::ConversionMissing { .. } => "conversion_missing",
        DropReason::OutOfRange => "out_of_range",
        DropReason::Outlier { .. } => "outlier",
    }
}

/// Millionths of `of`, at the precision of the finer of the two.
fn distance_ppm(value: Decimal, of: Decimal) -> Option<u64> {
    let exponent = value.exponent.min(of.exponent);
    let (value, of) = (value.rescale(exponent).ok()?, of.rescale(exponent).ok()?);
    let distance = value.mantissa.checked_sub(of.mantissa)?.checked_abs()?;
    let ppm = distance
        .checked_mul(MILLION)?
        .checked_div(of.mantissa.checked_abs()?)?;
    u64::try_from(ppm).ok()
}

/// How many of the used quotes must be replaced to move the lower median by 1 % or more, in the easier direction.
///
/// Whoever replaces the `k` lowest quotes by very high ones moves the median up by `k` places; beyond the last honest
/// quote it is theirs.
fn liars(priced: &Priced) -> Option<usize> {
    let values: Vec<Decimal> = priced.used.iter().map(|q| q.value).collect();
    let middle = values.len().checked_sub(1)? / 2;
    let price = values.get(middle)?;
    let bound = |ppm: i128| price.checked_mul(Decimal::new(MILLION.saturating_add(ppm), -6));
    let (high, low) = (
        bound(MOVED_PPM).ok()?,
        bound(MOVED_PPM.saturating_neg()).ok()?,
    );
    let above = values.get(middle..)?.iter();
    let up = above.take_while(|v| v.cmp_value(&high).is_lt()).count();
    let below = values.get(..=middle)?.iter().rev();
    let down = below.take_while(|v| v.cmp_value(&low).is_gt()).count();
    Some(up.min(down))
}

/// A table for people.
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<12} {:>8} {:>8} {:>8} {:>8} {:>10} {:>14}  dropped",
            "feed", "rounds", "priced", "unavail.", "flagged", "max dev.", "1 % by"
        )?;
        for feed in &self.feeds {
            let deviation = match feed.deviation_max_at_ms {
                Some(_) => percent(feed.deviation_ppm_max),
                None => "-".to_owned(),
            };
            let weakest = feed.weakest.as_ref().map_or_else(
                || "-".to_owned(),
                |weakest| format!("{} of {}", weakest.liars, weakest.used),
            );
            let dropped: Vec<String> = feed
                .dropped
                .iter()
                .map(|(reason, count)| format!("{reason} {count}"))
                .collect();
            writeln!(
                f,
                "{:<12} {:>8} {:>8} {:>8} {:>8} {deviation:>10} {weakest:>14}  {}",
                feed.feed,
                feed.rounds,
                feed.priced,
                feed.unavailable,
                feed.flagged,
                dropped.join(", ")
            )?;
        }
        Ok(())
    }
}

/// Millionths as a percentage with three places.
fn percent(ppm: u64) -> String {
    format!("{} %", Decimal::new(i128::from(ppm / 10), -3))
}
