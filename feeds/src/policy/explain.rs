//! How a price came about: what was used, what was dropped and why.

use std::fmt;

use serde::Serialize;
use thiserror::Error;
use touchstone_types::{Decimal, FeedName, FeedObservation, Market, Status};

use super::Gate;
use crate::Book;

/// The result of one feed with its whole explanation.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Priced {
    /// The feed.
    pub feed: FeedName,
    /// Its position in the list of feeds.
    pub feed_index: u16,
    /// The price at the feed's exponent, if there is one.
    pub price: Option<Decimal>,
    /// What must be known about the price.
    pub status: Status,
    /// When the trade behind the median quote happened, in Unix milliseconds.
    pub trade_time_ms: Option<u64>,
    /// Why there is no price, if there is none.
    pub why_none: Option<NoObservation>,
    /// How many quotes the feed asks for.
    pub min_sources: u16,
    /// The outlier gate, if there was any quote to compare.
    pub gate: Option<Gate>,
    /// The quotes behind the price, in ascending order of value.
    pub used: Vec<UsedQuote>,
    /// The quotes that were not used.
    pub dropped: Vec<DroppedQuote>,
    /// What the member observes in this round, if it observes the feed at all.
    #[serde(skip)]
    pub observation: Option<FeedObservation>,
}

/// A quote behind a price.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct UsedQuote {
    /// The exchange.
    pub source: String,
    /// The market there.
    pub pair: FeedName,
    /// The price there, in the market's currency.
    pub price: Decimal,
    /// The price in the feed's currency.
    pub value: Decimal,
    /// Signed distance of the value from the median of all quotes, in millionths of it.
    pub deviation_ppm: i64,
    /// When the trade happened, in Unix milliseconds.
    pub trade_time_ms: u64,
    /// How long ago that was, in milliseconds.
    pub age_ms: u64,
    /// What the price was multiplied by, if the market's currency is not the feed's.
    pub conversion: Option<Conversion>,
    /// Whether this is the quote that became the price.
    pub is_median: bool,
}

/// From a market's currency to its feed's.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Conversion {
    /// The feed that gave the rate.
    pub feed: FeedName,
    /// The rate.
    pub rate: Decimal,
    /// Whether that feed's own status was not ok.
    pub degraded: bool,
}

/// A quote that was not used.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct DroppedQuote {
    /// The exchange.
    pub source: String,
    /// The market there.
    pub pair: FeedName,
    /// The price there, if there is one.
    pub price: Option<Decimal>,
    /// When the trade happened, in Unix milliseconds, if that is known.
    pub trade_time_ms: Option<u64>,
    /// Why it was not used.
    #[serde(flatten)]
    pub reason: DropReason,
}

impl DroppedQuote {
    pub(super) fn new(market: &Market, book: &Book, reason: DropReason) -> Self {
        let quote = book.held(market).map(|held| &held.quote);
        Self {
            source: market.source.clone(),
            pair: market.pair,
            price: quote.map(|q| q.price),
            trade_time_ms: quote.and_then(|q| q.trade_time_ms),
            reason,
        }
    }
}

/// Why a quote was not used.
#[derive(Clone, PartialEq, Eq, Debug, Error, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum DropReason {
    /// There is no quote of this market.
    #[error("no quote yet{}", failure.as_ref().map(|f| format!(": {f}")).unwrap_or_default())]
    Missing {
        /// What became of the last request, if it failed.
        failure: Option<String>,
    },
    /// It is not known when the trade happened.
    #[error("the exchange does not say when the trade happened")]
    Undated,
    /// The trade is too old.
    #[error("stale: the trade is {age_ms} ms old, at most {max_age_ms} ms are allowed")]
    Stale {
        /// Its age.
        age_ms: u64,
        /// The feed's bound.
        max_age_ms: u64,
    },
    /// The trade would happen in the future.
    #[error("dated {ahead_ms} ms ahead of the clock, at most {tolerance_ms} ms are allowed")]
    FutureDated {
        /// How far ahead.
        ahead_ms: u64,
        /// How far is allowed.
        tolerance_ms: u64,
    },
    /// Zero or below.
    #[error("the price is not above zero")]
    NotPositive,
    /// The feed that would convert the price has no price itself.
    #[error("cannot be converted: {feed} has no price")]
    ConversionMissing {
        /// That feed.
        feed: String,
    },
    /// Too large to compute with.
    #[error("the price is too large to compute with")]
    OutOfRange,
    /// Too far from the others.
    #[error(
        "outlier: {value} is {deviation_ppm} ppm from the median {median}, more than {limit} away"
    )]
    Outlier {
        /// The price in the feed's currency.
        value: Decimal,
        /// The median of all quotes.
        median: Decimal,
        /// How far from it a quote may be.
        limit: Decimal,
        /// How far it is, in millionths of the median.
        deviation_ppm: i64,
    },
}

/// Why a feed has no price.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum NoObservation {
    /// Less than half of the quotes that the feed asks for.
    #[error(
        "{used} usable quotes, and the feed asks for {min_sources} (fewer than half of that is no price)"
    )]
    TooFewSources {
        /// How many are left.
        used: usize,
        /// How many the feed asks for.
        min_sources: u16,
    },
    /// The price rounds to zero at the feed's exponent.
    #[error("the price rounds to zero at the exponent {exponent}")]
    BelowPrecision {
        /// The feed's exponent.
        exponent: i8,
    },
}

/// A table for people: the result, then one line per quote.
impl fmt::Display for Priced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.price, &self.why_none) {
            (Some(price), _) => writeln!(f, "{}  {price}  {}", self.feed, self.status)?,
            (None, Some(why)) => writeln!(f, "{}  no price: {why}", self.feed)?,
            (None, None) => writeln!(f, "{}  no price", self.feed)?,
        }
        for quote in &self.used {
            let mark = if quote.is_median { '*' } else { ' ' };
            write!(
                f,
                "{mark} {:<12} {:<12} {:>20}  {:>+7} ppm  {:>7} ms old",
                quote.source, quote.pair, quote.value, quote.deviation_ppm, quote.age_ms
            )?;
            if let Some(conversion) = &quote.conversion {
                write!(
                    f,
                    "  = {} x {} {}",
                    quote.price, conversion.rate, conversion.feed
                )?;
            }
            writeln!(f)?;
        }
        for quote in &self.dropped {
            let price = quote
                .price
                .map_or_else(|| "-".to_owned(), |p| p.to_string());
            writeln!(
                f,
                "x {:<12} {:<12} {price:>20}  {}",
                quote.source, quote.pair, quote.reason
            )?;
        }
        Ok(())
    }
}
