//! From the quotes in the book to one observation per feed.
//!
//! For each feed, in this order:
//!
//! 1. A quote is dropped if the market has none, if it is undated, dated more than [`FUTURE_TOLERANCE_MS`] ahead of the
//!    own clock, older than the feed's `max_quote_age_ms`, or not positive.
//! 2. A quote in another currency is multiplied by the price of that currency's own feed, taken in the same pricing:
//!    `BTC-USDT` needs the feed `USDT-USD`, and without it is dropped. No currency is ever taken for another.
//! 3. The [gate](Gate) drops outliers.
//! 4. If fewer than half of `min_sources` are left, there is no observation. If fewer than `min_sources` are left that
//!    rest on no degraded conversion, the observation is [`Status::DEGRADED`]; so it is if two are left that differ by
//!    more than the floor of the gate, because nobody can say which of the two is wrong.
//! 5. The price is the lower median, rounded once, half-even, to the feed's exponent; its time is that of the median
//!    quote. Nothing is averaged, so the price is one that a market has had.
//!
//! [`Status::DEGRADED`]: touchstone_types::Status::DEGRADED
//!
//! With fewer than half of the quotes faulty the median of all lies among the honest ones. If the honest quotes differ
//! by less than the gate's floor, none of them is dropped, and the result lies among them too.

mod explain;
mod gate;
mod plan;

use touchstone_types::{Decimal, FeedName, FeedObservation, FeedSpec, Market, Status};

pub use explain::{Conversion, DropReason, DroppedQuote, NoObservation, Priced, UsedQuote};
pub use gate::Gate;
use gate::Gauged;
use plan::Plan;
pub use plan::PlanError;

use crate::Book;

/// How far ahead of the own clock a trade may be dated, in milliseconds.
pub const FUTURE_TOLERANCE_MS: u64 = 2_000;

/// Prices a fixed set of feeds.
#[derive(Clone, Debug)]
pub struct Pricer {
    feeds: Vec<FeedSpec>,
    plan: Plan,
}

/// A quote that may still be used, in the feed's currency.
struct Candidate {
    market: Market,
    price: Decimal,
    trade_time_ms: u64,
    conversion: Option<Conversion>,
    gauged: Gauged,
}

impl Pricer {
    /// Prepares the feeds, in the order of the manifest.
    ///
    /// # Errors
    /// A market of another base, a conversion without a feed, feeds that convert by each other in a circle.
    pub fn new(feeds: &[FeedSpec]) -> Result<Self, PlanError> {
        Ok(Self {
            plan: Plan::new(feeds)?,
            feeds: feeds.to_vec(),
        })
    }

    /// The feeds, as given.
    pub fn feeds(&self) -> &[FeedSpec] {
        &self.feeds
    }

    /// The feeds by which `feed`'s markets are converted, directly or not, and `feed` itself, in the order of pricing.
    pub fn needed_for(&self, feed: FeedName) -> Vec<FeedSpec> {
        let indices = self.plan.needed_for(&self.feeds, feed);
        indices
            .into_iter()
            .filter_map(|i| self.feeds.get(i).cloned())
            .collect()
    }

    /// Prices every feed from the book at `now_ms` (Unix milliseconds); results come in the order of the feeds.
    pub fn price(&self, book: &Book, now_ms: u64) -> Vec<Priced> {
        let mut results: Vec<Option<Priced>> = vec![None; self.feeds.len()];
        for &index in self.plan.order() {
            let Some(feed) = self.feeds.get(index) else {
                continue;
            };
            let rate_of = |name: FeedName| {
                let at = self.feeds.iter().position(|f| f.name == name)?;
                let priced = results.get(at)?.as_ref()?;
                Some(Conversion {
                    feed: name,
                    rate: priced.price?,
                    degraded: !priced.status.is_ok(),
                })
            };
            let priced = price_feed(index, feed, book, now_ms, rate_of);
            if let Some(slot) = results.get_mut(index) {
                *slot = Some(priced);
            }
        }
        results.into_iter().flatten().collect()
    }
}

fn price_feed(
    index: usize,
    feed: &FeedSpec,
    book: &Book,
    now_ms: u64,
    rate_of: impl Fn(FeedName) -> Option<Conversion>,
) -> Priced {
    let mut dropped = Vec::new();
    let mut candidates = Vec::new();
    for market in &feed.sources {
        match candidate(feed, market, book, now_ms, &rate_of) {
            Ok(candidate) => candidates.push(candidate),
            Err(reason) => dropped.push(DroppedQuote::new(market, book, reason)),
        }
    }
    let gate = Gate::over(feed, candidates.iter().map(|c| c.gauged));
    let mut used = Vec::new();
    for candidate in candidates {
        match gate
            .as_ref()
            .and_then(|gate| gate.refuses(candidate.gauged))
        {
            Some(reason) => dropped.push(DroppedQuote::new(&candidate.market, book, reason)),
            None => used.push(candidate),
        }
    }
    used.sort_by(|a, b| a.order().cmp(&b.order()));
    conclude(index, feed, now_ms, gate, used, dropped)
}

/// Steps 1 and 2: the market's quote in the feed's currency, or why there is none.
fn candidate(
    feed: &FeedSpec,
    market: &Market,
    book: &Book,
    now_ms: u64,
    rate_of: impl Fn(FeedName) -> Option<Conversion>,
) -> Result<Candidate, DropReason> {
    let held = book.held(market).ok_or_else(|| DropReason::Missing {
        failure: book.failure(market).map(str::to_owned),
    })?;
    let quote = &held.quote;
    let trade_time_ms = quote.trade_time_ms.ok_or(DropReason::Undated)?;
    let ahead_ms = trade_time_ms.saturating_sub(now_ms);
    if ahead_ms > FUTURE_TOLERANCE_MS {
        return Err(DropReason::FutureDated {
            ahead_ms,
            tolerance_ms: FUTURE_TOLERANCE_MS,
        });
    }
    let age_ms = now_ms.saturating_sub(trade_time_ms);
    if age_ms > feed.max_quote_age_ms {
        return Err(DropReason::Stale {
            age_ms,
            max_age_ms: feed.max_quote_age_ms,
        });
    }
    if !quote.price.is_positive() {
        return Err(DropReason::NotPositive);
    }
    let (value, conversion) = if market.pair.quote() == feed.name.quote() {
        (quote.price, None)
    } else {
        let by = plan::conversion_feed(feed, market);
        let conversion = by
            .and_then(&rate_of)
            .ok_or_else(|| DropReason::ConversionMissing {
                feed: by.map_or_else(String::new, |name| name.to_string()),
            })?;
        let value = quote
            .price
            .checked_mul(conversion.rate)
            .map_err(|_| DropReason::OutOfRange)?;
        (value, Some(conversion))
    };
    Ok(Candidate {
        market: market.clone(),
        price: quote.price,
        trade_time_ms,
        conversion,
        gauged: Gauged::new(feed, value).ok_or(DropReason::OutOfRange)?,
    })
}

impl Candidate {
    /// By value; the rest only makes the order the same whatever order the quotes came in.
    fn order(&self) -> (Gauged, u64, &str, FeedName) {
        (
            self.gauged,
            self.trade_time_ms,
            &self.market.source,
            self.market.pair,
        )
    }

    fn explained(self, gate: Option<&Gate>, now_ms: u64, is_median: bool) -> UsedQuote {
        UsedQuote {
            deviation_ppm: gate.map_or(0, |gate| gate.deviation_ppm(self.gauged)),
            source: self.market.source,
            pair: self.market.pair,
            price: self.price,
            value: self.gauged.value,
            age_ms: now_ms.saturating_sub(self.trade_time_ms),
            trade_time_ms: self.trade_time_ms,
            conversion: self.conversion,
            is_median,
        }
    }
}

/// Steps 4 and 5; `used` is in ascending order.
fn conclude(
    index: usize,
    feed: &FeedSpec,
    now_ms: u64,
    gate: Option<Gate>,
    used: Vec<Candidate>,
    dropped: Vec<DroppedQuote>,
) -> Priced {
    let min_sources = usize::from(feed.min_sources);
    let middle = used.len().saturating_sub(1) / 2;
    let result = match used.get(middle) {
        Some(median) if used.len().saturating_mul(2) >= min_sources => median
            .gauged
            .value
            .rescale(feed.exponent)
            .ok()
            .filter(Decimal::is_positive)
            .map(|price| (price, median.trade_time_ms))
            .ok_or(NoObservation::BelowPrecision {
                exponent: feed.exponent,
            }),
        _ => Err(NoObservation::TooFewSources {
            used: used.len(),
            min_sources: feed.min_sources,
        }),
    };
    let sound = used
        .iter()
        .filter(|c| {
            c.conversion
                .as_ref()
                .is_none_or(|conversion| !conversion.degraded)
        })
        .count();
    let split = match (used.as_slice(), &gate) {
        ([low, high], Some(gate)) => gate.differ(low.gauged, high.gauged),
        _ => false,
    };
    let status = match &result {
        Ok(_) if sound < min_sources || split => Status::DEGRADED,
        Ok(_) => Status::OK,
        Err(_) => Status::UNAVAILABLE,
    };
    let feed_index = u16::try_from(index).unwrap_or(u16::MAX);
    let used = used
        .into_iter()
        .enumerate()
        .map(|(i, c)| c.explained(gate.as_ref(), now_ms, i == middle && result.is_ok()))
        .collect();
    Priced {
        feed: feed.name,
        feed_index,
        status,
        price: result.as_ref().ok().map(|(price, _)| *price),
        trade_time_ms: result.as_ref().ok().map(|(_, time)| *time),
        why_none: result.as_ref().err().copied(),
        min_sources: feed.min_sources,
        gate,
        used,
        dropped,
        observation: result.ok().map(|(price, trade_time_ms)| FeedObservation {
            feed_index,
            status,
            mantissa: price.mantissa,
            trade_time_ms,
        }),
    }
}

#[cfg(test)]
mod tests;
