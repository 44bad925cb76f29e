//! In which order feeds are priced: a feed by which others are converted comes first.

use std::collections::BTreeMap;

use thiserror::Error;
use touchstone_types::{FeedName, FeedSpec, Market};

/// Why a set of feeds cannot be priced.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum PlanError {
    /// Two feeds of one name.
    #[error("feed {feed} is listed twice")]
    Duplicate {
        /// The feed.
        feed: FeedName,
    },
    /// A market of something else.
    #[error("feed {feed}: {} at {} is no market of {}", market.pair, market.source, feed.base())]
    OtherBase {
        /// The feed.
        feed: FeedName,
        /// Its market.
        market: Market,
    },
    /// The market's currency has no feed.
    #[error("feed {feed}: {} at {} needs the feed {needs} for its conversion, which is not listed", market.pair, market.source)]
    MissingConversion {
        /// The feed.
        feed: FeedName,
        /// Its market.
        market: Market,
        /// The feed that would convert it.
        needs: String,
    },
    /// Feeds that are converted by each other.
    #[error("feeds are converted by each other in a circle: {}", names(.0))]
    Circle(Vec<FeedName>),
}

fn names(feeds: &[FeedName]) -> String {
    feeds
        .iter()
        .map(FeedName::as_str)
        .collect::<Vec<_>>()
        .join(", ")
}

/// The feed that turns the market's quote currency into the feed's.
pub(super) fn conversion_feed(feed: &FeedSpec, market: &Market) -> Option<FeedName> {
    FeedName::pair(market.pair.quote(), feed.name.quote()).ok()
}

/// The order of pricing, as indices into the list of feeds.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    order: Vec<usize>,
    needs: Vec<Vec<usize>>,
}

impl Plan {
    pub(super) fn new(feeds: &[FeedSpec]) -> Result<Self, PlanError> {
        let mut index = BTreeMap::new();
        for (i, feed) in feeds.iter().enumerate() {
            if index.insert(feed.name, i).is_some() {
                return Err(PlanError::Duplicate { feed: feed.name });
            }
        }
        let needs = feeds
            .iter()
            .map(|feed| needs_of(feed, &index))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            order: order_of(feeds, &needs)?,
            needs,
        })
    }

    pub(super) fn order(&self) -> &[usize] {
        &self.order
    }

    /// The feed and every feed that it rests on, in the order of pricing.
    pub(super) fn needed_for(&self, feeds: &[FeedSpec], feed: FeedName) -> Vec<usize> {
        let mut wanted = vec![false; feeds.len()];
        for &i in self.order.iter().rev() {
            let asked = feeds.get(i).is_some_and(|f| f.name == feed);
            if !asked && !wanted.get(i).is_some_and(|w| *w) {
                continue;
            }
            let needs = self.needs.get(i).into_iter().flatten().copied();
            for j in needs.chain([i]) {
                if let Some(slot) = wanted.get_mut(j) {
                    *slot = true;
                }
            }
        }
        let is_wanted = |i: &usize| wanted.get(*i).is_some_and(|w| *w);
        self.order.iter().copied().filter(is_wanted).collect()
    }
}

/// The feeds that convert this feed's markets.
fn needs_of(feed: &FeedSpec, index: &BTreeMap<FeedName, usize>) -> Result<Vec<usize>, PlanError> {
    let mut needs = Vec::new();
    for market in &feed.sources {
        if market.pair.base() != feed.name.base() {
            return Err(PlanError::OtherBase {
                feed: feed.name,
                market: market.clone(),
            });
        }
        if market.pair.quote() == feed.name.quote() {
            continue;
        }
        let by = conversion_feed(feed, market).and_then(|name| index.get(&name));
        let by = by.ok_or_else(|| PlanError::MissingConversion {
            feed: feed.name,
            market: market.clone(),
            needs: [market.pair.quote(), feed.name.quote()].join("-"),
        })?;
        if !needs.contains(by) {
            needs.push(*by);
        }
    }
    Ok(needs)
}

/// Kahn's algorithm: again and again the feeds whose needs are all placed.
fn order_of(feeds: &[FeedSpec], needs: &[Vec<usize>]) -> Result<Vec<usize>, PlanError> {
    let mut order: Vec<usize> = Vec::with_capacity(feeds.len());
    let mut placed = vec![false; feeds.len()];
    loop {
        let before = order.len();
        for (i, needs) in needs.iter().enumerate() {
            let is_placed = |i: usize| placed.get(i).is_some_and(|p| *p);
            if is_placed(i) || !needs.iter().all(|n| is_placed(*n)) {
                continue;
            }
            order.push(i);
            if let Some(slot) = placed.get_mut(i) {
                *slot = true;
            }
        }
        if order.len() == feeds.len() {
            return Ok(order);
        }
        if order.len() == before {
            let left = feeds.iter().zip(&placed).filter(|(_, placed)| !**placed);
            return Err(PlanError::Circle(left.map(|(feed, _)| feed.name).collect()));
        }
    }
}
