//! The twelve feeds that a new network starts with.

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
            let sources = [("coinbase", "USD"), ("kraken", "USD"), ("bitstamp", "USD"), ("binance", "USDT"), ("okx", "USDT")];
            feed(base, &sources, 3, *age_ms, 5_000)
        })
        .collect();
    // Currencies that hardly move: an outlier shows at a fifth of a percent.
    feeds.extend(feed("EUR", &[("kraken", "USD"), ("bitstamp", "USD"), ("binance", "USDT")], 2, 300_000, 2_000));
    feeds.extend(feed(
        "USDC",
        &[("kraken", "USD"), ("bitstamp", "USD"), ("binance", "USDT"), ("okx", "USDT")],
        2,
        300_000,
        2_000,
    ));
    feeds.extend(feed("USDT", &[("coinbase", "USD"), ("kraken", "USD"), ("bitstamp", "USD")], 2, 300_000, 2_000));
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
                assert!(Exchange::by_name(&market.source).is_some(), "{}", market.source);
            }
        }
    }
}
