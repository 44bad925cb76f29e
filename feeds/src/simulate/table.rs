//! One feed's instants as CSV.

use jiff::Timestamp;
use touchstone_types::{FeedSpec, Market};

use super::Moment;

/// Writes the rows of one feed: instant, price, the lowest and the highest quote that was used, status, how many were used, the
/// reference, then each market's quote in the feed's currency, or why it was not used.
#[derive(Clone, Debug)]
pub struct Table {
    index: usize,
    markets: Vec<Market>,
}

impl Table {
    /// For the feed at this place of the list.
    pub fn new(index: usize, feed: &FeedSpec) -> Self {
        Self {
            index,
            markets: feed.sources.clone(),
        }
    }

    /// The first line, without its end.
    pub fn header(&self) -> String {
        let mut cells = vec!["time,price,low,high,status,used,reference".to_owned()];
        cells.extend(
            self.markets
                .iter()
                .map(|m| format!("{} {}", m.source, m.pair)),
        );
        cells.join(",")
    }

    /// The line of an instant, without its end; none if the feed is not among them.
    pub fn row(&self, moment: &Moment<'_>) -> Option<String> {
        let priced = moment.priced.get(self.index)?;
        let reference = moment.reference.get(self.index).copied().flatten();
        let time = i64::try_from(moment.now_ms)
            .ok()
            .and_then(|ms| Timestamp::from_millisecond(ms).ok())?;
        let text = |value: Option<touchstone_types::Decimal>| {
            value.map_or_else(String::new, |v| v.to_string())
        };
        let mut cells = vec![
            time.to_string(),
            text(priced.price),
            text(priced.used.first().map(|q| q.value)),
            text(priced.used.last().map(|q| q.value)),
            priced.status.to_string(),
            priced.used.len().to_string(),
            text(reference),
        ];
        for market in &self.markets {
            let is_of =
                |source: &str, pair| (source, pair) == (market.source.as_str(), market.pair);
            let used = priced.used.iter().find(|q| is_of(&q.source, q.pair));
            let dropped = priced.dropped.iter().find(|q| is_of(&q.source, q.pair));
            cells.push(match (used, dropped) {
                (Some(quote), _) => quote.value.to_string(),
                (None, Some(quote)) => super::summary::reason(&quote.reason).to_owned(),
                (None, None) => String::new(),
            });
        }
        Some(cells.join(","))
    }
}
