//! Fetching one feed once, for a person who wants to see how its price comes about.

use futures_util::future::join_all;
use thiserror::Error;
use touchstone_types::{FeedName, FeedSpec};

use super::{FeedsConfig, PollerError, request::Endpoint, usable, wall_ms};
use crate::{Book, Priced, Pricer};

/// Why a feed cannot be fetched.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum FetchError {
    /// No feed of that name.
    #[error("no feed {feed}; there are {known}")]
    UnknownFeed {
        /// The name.
        feed: FeedName,
        /// The feeds there are.
        known: String,
    },
    /// The requests cannot be made.
    #[error(transparent)]
    Poller(#[from] PollerError),
}

/// A feed and the feeds that it rests on, freshly priced.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fetched {
    /// When it was priced, in Unix milliseconds.
    pub now_ms: u64,
    /// The feeds that convert the feed's markets, in the order of pricing.
    pub conversions: Vec<Priced>,
    /// The feed.
    pub feed: Priced,
}

/// Asks every source of `feed`, and of the feeds that convert it, once and at the same time, and prices it.
///
/// # Errors
/// An unknown feed, a setting out of range, feeds that cannot be priced, no TLS provider. A source that fails is no
/// error: it shows in the result.
pub async fn fetch_feed(
    config: &FeedsConfig,
    feeds: &[FeedSpec],
    feed: FeedName,
) -> Result<Fetched, FetchError> {
    config.validate().map_err(PollerError::from)?;
    let unknown = || FetchError::UnknownFeed {
        feed,
        known: feeds
            .iter()
            .map(|f| f.name.as_str())
            .collect::<Vec<_>>()
            .join(", "),
    };
    let all = Pricer::new(feeds).map_err(PollerError::from)?;
    let needed = all.needed_for(feed);
    let pricer = Pricer::new(&needed).map_err(PollerError::from)?;
    let mut book = Book::of_feeds(&needed);
    let mut asked = Vec::new();
    for market in book.markets().collect::<Vec<_>>() {
        match usable(&market.source, &config.source(&market.source)) {
            Ok(exchange) => asked.push((Endpoint::new(exchange, config)?, market)),
            Err((_, why)) => book.fail(&market, why),
        }
    }
    let answers = join_all(
        asked
            .iter()
            .map(|(endpoint, market)| endpoint.fetch(market)),
    )
    .await;
    for ((_, market), answer) in asked.iter().zip(answers) {
        match answer {
            Ok(Some(quote)) => {
                book.take(quote, wall_ms());
            }
            Ok(None) => book.fail(market, "the answer has no trade".to_owned()),
            Err(failure) => book.fail(market, failure.to_string()),
        }
    }
    let now_ms = wall_ms();
    let mut conversions = pricer.price(&book, now_ms);
    let feed = conversions.pop().ok_or_else(unknown)?;
    Ok(Fetched {
        now_ms,
        conversions,
        feed,
    })
}
