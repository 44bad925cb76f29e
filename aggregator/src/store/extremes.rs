//! The lowest and the highest price of each feed and day, whose rounds retention keeps.

use std::collections::BTreeMap;

use touchstone_types::{Decimal, FeedName, Leaf};

use super::write::priced;

const DAY_MS: u64 = 86_400_000;

/// One end of a day.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Extreme {
    /// The price, a decimal.
    pub value: String,
    /// The round that had it first.
    pub round: i64,
}

/// Both ends of a feed's day.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct DayExtremes {
    pub(super) low: Decimal,
    pub(super) low_round: i64,
    pub(super) high: Decimal,
    pub(super) high_round: i64,
}

/// The Unix day of a time.
pub(super) fn day(timestamp_ms: u64) -> i64 {
    super::time(timestamp_ms / DAY_MS)
}

#[derive(Default)]
struct Day {
    feeds: BTreeMap<FeedName, (DayExtremes, bool)>,
}

/// The days that a batch touches.
#[derive(Default)]
pub(super) struct Days(BTreeMap<i64, Day>);

impl Days {
    pub(super) fn is_loaded(&self, day: i64) -> bool {
        self.0.contains_key(&day)
    }

    /// What the database holds of a day. A row that cannot be read is as good as none.
    pub(super) fn load(&mut self, day: i64, rows: Vec<(String, String, i64, String, i64)>) {
        let read =
            |(feed, low, low_round, high, high_round): (String, String, i64, String, i64)| {
                let extremes = DayExtremes {
                    low: Decimal::parse(&low).ok()?,
                    low_round,
                    high: Decimal::parse(&high).ok()?,
                    high_round,
                };
                Some((FeedName::new(&feed).ok()?, (extremes, false)))
            };
        let feeds = rows.into_iter().filter_map(read).collect();
        self.0.insert(day, Day { feeds });
    }

    /// Takes in the prices of a round.
    pub(super) fn take(&mut self, day: i64, round: i64, leaves: &[Leaf]) {
        let feeds = &mut self.0.entry(day).or_default().feeds;
        for (feed, price) in priced(leaves) {
            let fresh = DayExtremes {
                low: price,
                low_round: round,
                high: price,
                high_round: round,
            };
            let (held, changed) = feeds.entry(feed).or_insert((fresh, true));
            if price.cmp_value(&held.low).is_lt() {
                (held.low, held.low_round, *changed) = (price, round, true);
            }
            if price.cmp_value(&held.high).is_gt() {
                (held.high, held.high_round, *changed) = (price, round, true);
            }
        }
    }

    /// What is to be written back.
    pub(super) fn changed(&self) -> impl Iterator<Item = (i64, FeedName, DayExtremes)> {
        self.0.iter().flat_map(|(day, d)| {
            let changed = d.feeds.iter().filter(|(_, (_, changed))| *changed);
            changed.map(|(feed, (extremes, _))| (*day, *feed, *extremes))
        })
    }
}
