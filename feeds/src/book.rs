//! The newest quote of every market.

use std::collections::BTreeMap;

use touchstone_types::{FeedName, FeedSpec, Market};

use crate::{Quote, policy::FUTURE_TOLERANCE_MS};

/// A quote and when it came in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Held {
    /// The quote.
    pub quote: Quote,
    /// Unix milliseconds at which it was received for the first time.
    pub received_ms: u64,
}

/// What became of a quote.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Taken {
    /// It is now the market's quote.
    Newer,
    /// It is the quote that was held already.
    Same,
    /// The trade behind the held quote is younger.
    Older,
    /// No feed uses this market.
    UnknownMarket,
}

#[derive(Clone, Default, Debug)]
struct Slot {
    held: Option<Held>,
    failure: Option<String>,
}

/// Holds one quote per market, for a set of markets that is fixed when the book is made: nothing that comes in can make
/// it grow.
#[derive(Clone, Default, Debug)]
pub struct Book {
    slots: BTreeMap<FeedName, BTreeMap<String, Slot>>,
}

impl Book {
    /// An empty book for these markets.
    pub fn new<'a>(markets: impl IntoIterator<Item = &'a Market>) -> Self {
        let mut slots: BTreeMap<FeedName, BTreeMap<String, Slot>> = BTreeMap::new();
        for market in markets {
            slots
                .entry(market.pair)
                .or_default()
                .insert(market.source.clone(), Slot::default());
        }
        Self { slots }
    }

    /// An empty book for every market that the feeds use.
    pub fn of_feeds(feeds: &[FeedSpec]) -> Self {
        Self::new(feeds.iter().flat_map(|feed| &feed.sources))
    }

    /// The markets, in order of pair and source.
    pub fn markets(&self) -> impl Iterator<Item = Market> {
        self.slots.iter().flat_map(|(pair, sources)| {
            sources.keys().map(|source| Market {
                source: source.clone(),
                pair: *pair,
            })
        })
    }

    /// Takes a quote, unless the trade behind the one held is younger. A held quote without a time gives way to any
    /// other, and so does one whose time lies in the future: it would otherwise keep its place until then.
    pub fn take(&mut self, quote: Quote, received_ms: u64) -> Taken {
        let Some(slot) = self.slot_mut(&quote.source, quote.pair) else {
            return Taken::UnknownMarket;
        };
        slot.failure = None;
        let latest_ms = received_ms.saturating_add(FUTURE_TOLERANCE_MS);
        match &slot.held {
            Some(held) if held.quote == quote => return Taken::Same,
            Some(Held { quote: held, .. })
                if held.trade_time_ms > quote.trade_time_ms
                    && held.trade_time_ms <= Some(latest_ms) =>
            {
                return Taken::Older;
            }
            _ => {}
        }
        slot.held = Some(Held { quote, received_ms });
        Taken::Newer
    }

    /// Notes why a market's last request brought no quote, until one does.
    pub fn fail(&mut self, market: &Market, why: String) {
        if let Some(slot) = self.slot_mut(&market.source, market.pair) {
            slot.failure = Some(why);
        }
    }

    /// The quote of a market.
    pub fn held(&self, market: &Market) -> Option<&Held> {
        self.slot(market).and_then(|slot| slot.held.as_ref())
    }

    /// Why the market's last request brought no quote, if it brought none.
    pub fn failure(&self, market: &Market) -> Option<&str> {
        self.slot(market).and_then(|slot| slot.failure.as_deref())
    }

    fn slot(&self, market: &Market) -> Option<&Slot> {
        self.slots.get(&market.pair)?.get(&market.source)
    }

    fn slot_mut(&mut self, source: &str, pair: FeedName) -> Option<&mut Slot> {
        self.slots.get_mut(&pair)?.get_mut(source)
    }
}

#[cfg(test)]
mod tests {
    use touchstone_types::Decimal;

    use super::*;

    fn market() -> Market {
        Market {
            source: "kraken".into(),
            pair: FeedName::new("BTC-USD").expect("name"),
        }
    }

    fn quote(price: &str, trade_time_ms: Option<u64>) -> Quote {
        Quote {
            source: market().source,
            pair: market().pair,
            price: Decimal::parse(price).expect(price),
            trade_time_ms,
            volume: None,
        }
    }

    fn price(book: &Book) -> String {
        book.held(&market()).expect("held").quote.price.to_string()
    }

    #[test]
    fn the_newest_trade_stays() {
        let mut book = Book::new(&[market()]);
        assert_eq!(book.take(quote("1", None), 9_000), Taken::Newer);
        assert_eq!(book.take(quote("2", Some(8_000)), 9_000), Taken::Newer);
        assert_eq!(book.take(quote("3", Some(7_999)), 9_001), Taken::Older);
        assert_eq!(book.take(quote("4", None), 9_002), Taken::Older);
        assert_eq!(book.take(quote("2", Some(8_000)), 9_003), Taken::Same);
        assert_eq!(book.held(&market()).expect("held").received_ms, 9_000);
        assert_eq!(
            book.take(quote("5", Some(8_000)), 9_004),
            Taken::Newer,
            "a second trade in the same millisecond"
        );
        assert_eq!(price(&book), "5");
    }

    #[test]
    fn a_time_in_the_future_does_not_block_the_market() {
        let mut book = Book::new(&[market()]);
        book.take(quote("1", Some(u64::MAX)), 9_000);
        assert_eq!(book.take(quote("2", Some(8_900)), 9_001), Taken::Newer);
        assert_eq!(price(&book), "2");
    }

    #[test]
    fn only_known_markets_are_held() {
        let mut book = Book::new(&[market()]);
        let mut other = quote("1", Some(1));
        other.source = "mtgox".into();
        assert_eq!(book.take(other, 2), Taken::UnknownMarket);
        assert_eq!(book.markets().collect::<Vec<_>>(), [market()]);
    }

    #[test]
    fn a_failure_is_forgotten_with_the_next_answer() {
        let mut book = Book::new(&[market()]);
        book.fail(&market(), "HTTP 500".into());
        assert_eq!(book.failure(&market()), Some("HTTP 500"));
        book.take(quote("1", Some(1)), 2);
        assert_eq!(book.failure(&market()), None);
    }
}
