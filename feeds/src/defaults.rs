//! The twelve feeds that a new network starts with, and feeds for recorded markets.

use std::collections::BTreeMap;

use touchstone_types::{FeedName, FeedSpec, Market};

/// Base currencies with a dollar market at three exchanges and a USDT market at two more. In order of
/// name, as a manifest wants it; the second element is the longest age of a quote, in milliseconds.
const CRYPTO: [(&str, u64); 9] = [
    ("AAVE", 300_000),
    ("AVAX", 180_000),
    ("BTC", 60_000),
    ("DOGE", 180_000),
    ("ETH", 60_000),
    ("LINK", 180_000),
    ("LTC", 180_000),
    ("SOL", 60_000),
    ("XRP", 60_000),
];

/// AAVE, AVAX, BTC, DOGE, ETH, EUR, LINK, LTC, SOL, USDC, USDT and XRP in US dollars, sorted by name.
///
/// Markets in USDT are converted by the feed `USDT-USD`, which itself rests on dollar markets only.
pub fn default_feeds() -> Vec<FeedSpec> {
    let mut feeds: Vec<FeedSpec> = CRYPTO
        .iter()
        .filter_map(|(base, age_ms)| {
            let sources = [
                ("coinbase", "USD"),
                ("kraken", "USD"),
                ("bitstamp", "USD"),
                ("binance", "USDT"),
                ("okx", "USDT"),
            ];
            feed(base, &sources, 3, *age_ms, 5_000)
        })
        .collect();
    // Currencies that hardly move: an outlier shows at a fifth of a percent.
    feeds.extend(feed(
        "EUR",
        &[("kraken", "USD"), ("bitstamp", "USD"), ("binance", "USDT")],
        2,
        300_000,
        2_000,
    ));
    feeds.extend(feed(
        "USDC",
        &[
            ("kraken", "USD"),
            ("bitstamp", "USD"),
            ("binance", "USDT"),
            ("okx", "USDT"),
        ],
        2,
        300_000,
        2_000,
    ));
    feeds.extend(feed(
        "USDT",
        &[("coinbase", "USD"), ("kraken", "USD"), ("bitstamp", "USD")],
        2,
        300_000,
        2_000,
    ));
    feeds.sort_by_key(|feed| feed.name);
    feeds
}

/// `None` never happens with the names above; a test sees to it.
fn feed(
    base: &str,
    sources: &[(&str, &str)],
    min_sources: u16,
    max_quote_age_ms: u64,
    outlier_floor_ppm: u32,
) -> Option<FeedSpec> {
    let market = |(source, quote): &(&str, &str)| {
        Some(Market {
            source: (*source).to_owned(),
            pair: FeedName::pair(base, quote).ok()?,
        })
    };
    Some(FeedSpec {
        name: FeedName::pair(base, "USD").ok()?,
        exponent: -8,
        sources: sources.iter().map(market).collect::<Option<_>>()?,
        min_sources,
        max_quote_age_ms,
        outlier_mads_milli: 5_000,
        outlier_floor_ppm,
    })
}

/// Feeds for a given set of markets, such as those of recorded history, sorted by name.
///
/// Everything that has a market in dollars, USDT or USDC gets a feed in dollars, as far as the stablecoin has a feed
/// itself: `USDT-USD` rests on dollar markets only, `USDC-USD` on those and on USDT markets. Markets in another currency
/// get a feed in that currency. A feed asks for a strict majority of its sources, but for no more than three.
pub fn feeds_for_markets(markets: &[Market], max_quote_age_ms: u64) -> Vec<FeedSpec> {
    let has = |base: &str, quote: &str| {
        markets
            .iter()
            .any(|m| (m.pair.base(), m.pair.quote()) == (base, quote))
    };
    let usdt = has("USDT", "USD");
    let usdc = has("USDC", "USD") || (usdt && has("USDC", "USDT"));
    let feed_of = |pair: FeedName| match (pair.base(), pair.quote()) {
        ("USDT", "USDC") => None,
        (base, "USDT") => usdt.then_some((base.to_owned(), "USD".to_owned())),
        (base, "USDC") => usdc.then_some((base.to_owned(), "USD".to_owned())),
        (base, quote) => Some((base.to_owned(), quote.to_owned())),
    };
    let mut feeds: BTreeMap<FeedName, Vec<Market>> = BTreeMap::new();
    for market in markets {
        let name =
            feed_of(market.pair).and_then(|(base, quote)| FeedName::pair(&base, &quote).ok());
        let Some(sources) = name.map(|name| feeds.entry(name).or_default()) else {
            continue;
        };
        if !sources.contains(market) {
            sources.push(market.clone());
        }
    }
    let spec = |(name, sources): (FeedName, Vec<Market>)| {
        let majority = (sources.len() / 2).saturating_add(1).min(3);
        FeedSpec {
            name,
            exponent: -8,
            min_sources: u16::try_from(majority).unwrap_or(1),
            sources,
            max_quote_age_ms,
            outlier_mads_milli: 5_000,
            outlier_floor_ppm: 5_000,
        }
    };
    feeds.into_iter().map(spec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Exchange, Pricer};

    #[test]
    fn twelve_feeds_that_can_be_priced() {
        let feeds = default_feeds();
        assert_eq!(feeds.len(), 12);
        assert!(feeds.windows(2).all(|w| w[0].name < w[1].name));
        Pricer::new(&feeds).expect("a plan");
        for feed in &feeds {
            assert!(usize::from(feed.min_sources) <= feed.sources.len());
            for market in &feed.sources {
                assert!(
                    Exchange::by_name(&market.source).is_some(),
                    "{}",
                    market.source
                );
            }
        }
    }

    #[test]
    fn feeds_for_recorded_markets() {
        let market = |text: &str| {
            let (source, pair) = text.split_once(' ').expect("source and pair");
            Market {
                source: source.into(),
                pair: FeedName::new(pair).expect(pair),
            }
        };
        let markets = [
            "kraken BTC-USD",
            "kraken BTC-USDT",
            "kraken BTC-USDC",
            "kraken BTC-EUR",
            "kraken USDT-USD",
            "binance USDC-USDT",
        ]
        .map(market);
        let feeds = feeds_for_markets(&markets, 60_000);
        Pricer::new(&feeds).expect("a plan");
        let summary: Vec<_> = feeds
            .iter()
            .map(|f| (f.name.as_str(), f.sources.len(), f.min_sources))
            .collect();
        assert_eq!(
            summary,
            [
                ("BTC-EUR", 1, 1),
                ("BTC-USD", 3, 2),
                ("USDC-USD", 1, 1),
                ("USDT-USD", 1, 1)
            ]
        );
        // Without a dollar price of USDT its markets are left out.
        let feeds = feeds_for_markets(&markets[..2], 60_000);
        assert_eq!(
            feeds.iter().map(|f| f.sources.len()).collect::<Vec<_>>(),
            [1]
        );
    }
}
