//! The policy's rules, one by one and under random quotes.

use proptest::prelude::*;

use super::*;
use crate::Quote;

const NOW: u64 = 1_700_000_000_000;

fn name(text: &str) -> FeedName {
    FeedName::new(text).expect(text)
}

fn market(source: &str, pair: &str) -> Market {
    Market {
        source: source.into(),
        pair: name(pair),
    }
}

fn feed(text: &str, sources: &[(&str, &str)], min_sources: u16) -> FeedSpec {
    FeedSpec {
        name: name(text),
        exponent: -2,
        sources: sources
            .iter()
            .map(|(source, pair)| market(source, pair))
            .collect(),
        min_sources,
        max_quote_age_ms: 60_000,
        outlier_mads_milli: 5_000,
        outlier_floor_ppm: 5_000,
    }
}

fn quote(source: &str, pair: &str, price: &str, age_ms: u64) -> Quote {
    Quote {
        source: source.into(),
        pair: name(pair),
        price: Decimal::parse(price).expect(price),
        trade_time_ms: Some(NOW - age_ms),
        volume: None,
    }
}

/// Prices `feeds` from `quotes` at [`NOW`].
fn price(feeds: &[FeedSpec], quotes: impl IntoIterator<Item = Quote>) -> Vec<Priced> {
    let mut book = Book::of_feeds(feeds);
    for quote in quotes {
        book.take(quote, NOW);
    }
    Pricer::new(feeds).expect("plan").price(&book, NOW)
}

fn btc(min_sources: u16) -> FeedSpec {
    let sources = ["a", "b", "c", "d", "e"].map(|s| (s, "BTC-USD"));
    feed("BTC-USD", &sources, min_sources)
}

/// Quotes of sources a, b, c, .. one second old.
fn btc_quotes(prices: &[&str]) -> Vec<Quote> {
    ["a", "b", "c", "d", "e"]
        .iter()
        .zip(prices)
        .map(|(s, p)| quote(s, "BTC-USD", p, 1_000))
        .collect()
}

fn reasons(priced: &Priced) -> Vec<(&str, &DropReason)> {
    priced
        .dropped
        .iter()
        .map(|d| (d.source.as_str(), &d.reason))
        .collect()
}

#[test]
fn the_lower_median_with_its_own_time() {
    let mut quotes = btc_quotes(&["100.00", "100.30", "100.10", "100.20"]);
    quotes[2].trade_time_ms = Some(NOW - 777);
    let priced = &price(&[btc(3)], quotes)[0];
    let observation = priced.observation.expect("priced");
    assert_eq!(
        (observation.mantissa, observation.trade_time_ms),
        (10_010, NOW - 777)
    );
    assert_eq!(
        (observation.status, observation.feed_index),
        (Status::OK, 0)
    );
    assert_eq!(priced.used.iter().filter(|u| u.is_median).count(), 1);
    assert_eq!(priced.used[1].source, "c");
    assert_eq!(
        reasons(priced),
        [("e", &DropReason::Missing { failure: None })]
    );
}

#[test]
fn every_dropped_quote_has_its_reason() {
    let mut quotes = btc_quotes(&["100", "0", "100.1", "99.9", "100.2"]);
    quotes[2].trade_time_ms = Some(NOW - 60_001);
    quotes[3].trade_time_ms = None;
    quotes[4].trade_time_ms = Some(NOW + 2_001);
    let priced = &price(&[btc(1)], quotes)[0];
    assert_eq!(
        reasons(priced),
        [
            ("b", &DropReason::NotPositive),
            (
                "c",
                &DropReason::Stale {
                    age_ms: 60_001,
                    max_age_ms: 60_000
                }
            ),
            ("d", &DropReason::Undated),
            (
                "e",
                &DropReason::FutureDated {
                    ahead_ms: 2_001,
                    tolerance_ms: 2_000
                }
            ),
        ]
    );
    assert_eq!(priced.observation.expect("priced").mantissa, 10_000);
}

#[test]
fn bounds_of_age_are_inclusive() {
    let mut quotes = btc_quotes(&["100", "100"]);
    quotes[0].trade_time_ms = Some(NOW - 60_000);
    quotes[1].trade_time_ms = Some(NOW + 2_000);
    assert_eq!(price(&[btc(1)], quotes)[0].used.len(), 2);
}

#[test]
fn an_outlier_is_dropped_with_its_numbers() {
    let priced = &price(
        &[btc(3)],
        btc_quotes(&["100.00", "100.01", "100.02", "1000.00"]),
    )[0];
    // The first is the source without a quote.
    let DropReason::Outlier {
        value,
        median,
        limit,
        deviation_ppm,
    } = &priced.dropped[1].reason
    else {
        panic!("{:?}", priced.dropped);
    };
    assert_eq!(
        (value.to_string().as_str(), median.to_string().as_str()),
        ("1000.00", "100.01")
    );
    assert_eq!(
        limit.to_string(),
        "0.50005",
        "half a percent of the median is more than five times the MAD"
    );
    assert_eq!(*deviation_ppm, 8_999_000);
    assert_eq!(priced.observation.expect("priced").mantissa, 10_001);
    assert_eq!(priced.status, Status::OK);
}

#[test]
fn the_floor_protects_quotes_that_nearly_agree() {
    // Without the floor the MAD of 0.00 would make 100.49 an outlier.
    let priced = &price(
        &[btc(3)],
        btc_quotes(&["100.00", "100.00", "100.00", "100.49", "100.51"]),
    )[0];
    assert_eq!(priced.dropped.len(), 1);
    assert_eq!(priced.dropped[0].price, Decimal::parse("100.51").ok());
}

#[test]
fn fewer_sources_than_asked_for() {
    let status = |min: u16, prices: &[&str]| {
        let priced = price(&[btc(min)], btc_quotes(prices)).remove(0);
        assert_eq!(
            priced.observation.map(|o| o.status),
            priced.why_none.is_none().then_some(priced.status)
        );
        (priced.status, priced.why_none)
    };
    assert_eq!(status(3, &["100", "100", "100"]), (Status::OK, None));
    assert_eq!(status(3, &["100", "100"]), (Status::DEGRADED, None));
    let none = Some(NoObservation::TooFewSources {
        used: 1,
        min_sources: 3,
    });
    assert_eq!(status(3, &["100"]), (Status::UNAVAILABLE, none));
    assert_eq!(status(2, &["100"]), (Status::DEGRADED, None));
    assert_eq!(status(1, &["100"]), (Status::OK, None));
    let none = Some(NoObservation::TooFewSources {
        used: 0,
        min_sources: 1,
    });
    assert_eq!(status(1, &[]), (Status::UNAVAILABLE, none));
}

#[test]
fn of_two_that_disagree_nobody_is_right() {
    let priced = &price(&[btc(2)], btc_quotes(&["100", "101"]))[0];
    assert_eq!((priced.status, priced.used.len()), (Status::DEGRADED, 2));
    let priced = &price(&[btc(2)], btc_quotes(&["100", "100.5"]))[0];
    assert_eq!(priced.status, Status::OK);
}

#[test]
fn rounding_is_half_even_and_happens_once() {
    let mantissa = |text: &str| {
        price(&[btc(1)], btc_quotes(&[text]))[0]
            .observation
            .map(|o| o.mantissa)
    };
    assert_eq!(mantissa("0.125"), Some(12));
    assert_eq!(mantissa("0.135"), Some(14));
    // Rounded to three places first it would become 0.125 and then 0.12.
    assert_eq!(mantissa("0.1250001"), Some(13));
    assert_eq!(mantissa("0.004"), None, "rounds to zero");
    assert_eq!(mantissa("1e30"), None, "too large");
}

fn with_usdt() -> Vec<FeedSpec> {
    vec![
        feed(
            "BTC-USD",
            &[("a", "BTC-USD"), ("b", "BTC-USDT"), ("c", "BTC-USDT")],
            3,
        ),
        feed("USDT-USD", &[("a", "USDT-USD"), ("b", "USDT-USD")], 2),
    ]
}

fn usdt_quotes() -> Vec<Quote> {
    vec![
        quote("a", "BTC-USD", "20000", 5),
        quote("b", "BTC-USDT", "25000", 5),
        quote("c", "BTC-USDT", "25001", 5),
        quote("a", "USDT-USD", "0.80", 5),
        quote("b", "USDT-USD", "0.80", 5),
    ]
}

#[test]
fn tether_is_never_taken_for_dollars() {
    let priced = price(&with_usdt(), usdt_quotes());
    assert_eq!(
        priced[0].feed,
        name("BTC-USD"),
        "results come in the order of the feeds"
    );
    let values: Vec<String> = priced[0].used.iter().map(|u| u.value.to_string()).collect();
    assert_eq!(values, ["20000.00", "20000", "20000.80"]);
    assert_eq!(priced[0].observation.expect("priced").mantissa, 2_000_000);
    let conversion = priced[0].used[2].conversion.as_ref().expect("converted");
    assert_eq!(
        (conversion.feed, conversion.rate.to_string().as_str()),
        (name("USDT-USD"), "0.80")
    );
}

#[test]
fn without_a_rate_there_is_no_conversion() {
    let quotes = usdt_quotes().into_iter().filter(|q| q.pair.base() == "BTC");
    let priced = price(&with_usdt(), quotes);
    let missing = DropReason::ConversionMissing {
        feed: "USDT-USD".into(),
    };
    assert_eq!(reasons(&priced[0]), [("b", &missing), ("c", &missing)]);
    assert_eq!(priced[0].observation, None);
}

#[test]
fn a_degraded_rate_degrades_what_rests_on_it() {
    let quotes = usdt_quotes()
        .into_iter()
        .filter(|q| (q.source.as_str(), q.pair) != ("b", name("USDT-USD")));
    let priced = price(&with_usdt(), quotes);
    assert_eq!(priced[1].status, Status::DEGRADED);
    assert_eq!(priced[0].status, Status::DEGRADED);
    let mut feeds = with_usdt();
    feeds[0].min_sources = 1;
    let quotes = usdt_quotes()
        .into_iter()
        .filter(|q| (q.source.as_str(), q.pair) != ("b", name("USDT-USD")));
    assert_eq!(
        price(&feeds, quotes)[0].status,
        Status::OK,
        "one quote is enough and needs no rate"
    );
}

#[test]
fn feeds_that_cannot_be_priced_are_refused() {
    let error = |feeds: &[FeedSpec]| Pricer::new(feeds).expect_err("refused").to_string();
    let lonely = feed("BTC-USD", &[("b", "BTC-USDT")], 1);
    assert_eq!(
        error(std::slice::from_ref(&lonely)),
        "feed BTC-USD: BTC-USDT at b needs the feed USDT-USD for its conversion, which is not listed"
    );
    assert_eq!(error(&[btc(1), btc(1)]), "feed BTC-USD is listed twice");
    assert_eq!(
        error(&[feed("BTC-USD", &[("b", "ETH-USD")], 1)]),
        "feed BTC-USD: ETH-USD at b is no market of BTC"
    );
    let circle = [
        lonely,
        feed("USDC-USD", &[("b", "USDC-USDT")], 1),
        feed("USDT-USD", &[("b", "USDT-USDC")], 1),
    ];
    assert_eq!(
        error(&circle),
        "feeds are converted by each other in a circle: BTC-USD, USDC-USD, USDT-USD"
    );
}

#[test]
fn a_chain_of_conversions_is_priced_from_its_end() {
    let feeds = [
        feed("BTC-USD", &[("a", "BTC-USDC")], 1),
        feed("ETH-USD", &[("a", "ETH-USD")], 1),
        feed("USDC-USD", &[("a", "USDC-USDT")], 1),
        feed("USDT-USD", &[("a", "USDT-USD")], 1),
    ];
    let quotes = [
        quote("a", "BTC-USDC", "1000", 5),
        quote("a", "USDC-USDT", "0.9", 5),
        quote("a", "USDT-USD", "0.5", 5),
    ];
    let priced = price(&feeds, quotes);
    assert_eq!(
        priced[0].price.map(|p| p.to_string()).as_deref(),
        Some("450.00")
    );
    let needed = Pricer::new(&feeds)
        .expect("plan")
        .needed_for(name("BTC-USD"));
    let needed: Vec<&str> = needed.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(needed, ["USDT-USD", "USDC-USD", "BTC-USD"]);
}

#[test]
fn an_explanation_reads_as_a_table_and_as_json() {
    let mut quotes = usdt_quotes();
    quotes[2].price = Decimal::parse("90000").expect("price");
    let priced = &price(&with_usdt(), quotes)[0];
    let table = priced.to_string();
    assert!(
        table.contains("= 25000 x 0.80 USDT-USD") && table.contains("x c "),
        "{table}"
    );
    let json: serde_json::Value = serde_json::to_value(priced).expect("json");
    assert_eq!(json["price"], "20000.00");
    assert_eq!(json["status"][0], "degraded");
    assert_eq!(json["dropped"][0]["reason"], "outlier");
    assert_eq!(json["dropped"][0]["median"], "20000");
}

/// Prices in cents: honest ones within 0.4 % of each other, which is below the gate's floor, and faulty ones anywhere.
fn honest_and_faulty() -> impl Strategy<Value = (Vec<i128>, Vec<i128>)> {
    (100_000i128..1_000_000_000, 1usize..=9).prop_flat_map(|(base, n)| {
        let faulty = 0..=(n - 1) / 2;
        faulty.prop_flat_map(move |k| {
            let honest = proptest::collection::vec(base..=base + base / 250, n - k);
            let near = base - base / 50..=base + base / 50;
            let wild = prop_oneof![near, 1..=base * 1_000, Just(1i128)];
            (honest, proptest::collection::vec(wild, k))
        })
    })
}

fn cents(prices: &[i128]) -> (FeedSpec, Vec<Quote>) {
    let sources: Vec<String> = (0..prices.len()).map(|i| format!("s{i}")).collect();
    let listed: Vec<(&str, &str)> = sources.iter().map(|s| (s.as_str(), "BTC-USD")).collect();
    let quotes = sources.iter().zip(prices).map(|(source, price)| Quote {
        source: source.clone(),
        pair: name("BTC-USD"),
        price: Decimal::new(*price, -2),
        trade_time_ms: Some(NOW),
        volume: None,
    });
    (feed("BTC-USD", &listed, 1), quotes.collect())
}

fn mantissa(prices: &[i128]) -> Option<i128> {
    let (feed, quotes) = cents(prices);
    price(&[feed], quotes)[0].observation.map(|o| o.mantissa)
}

proptest! {
    #[test]
    fn fewer_than_half_faulty_cannot_leave_the_honest_range((honest, faulty) in honest_and_faulty()) {
        let all = [honest.clone(), faulty].concat();
        let got = mantissa(&all).expect("priced");
        let (low, high) = (honest.iter().min().expect("some"), honest.iter().max().expect("some"));
        prop_assert!((low..=high).contains(&&got), "{got} is not within {low}..={high}");
    }

    #[test]
    fn a_far_outlier_does_not_leave_the_range_of_the_others(
        (honest, _) in honest_and_faulty(),
        factor in 2i128..1_000_000,
        up in any::<bool>(),
    ) {
        prop_assume!(honest.len() >= 2);
        let outlier = if up { honest[0] * factor } else { (honest[0] / factor).max(1) };
        let got = mantissa(&[honest.clone(), vec![outlier]].concat()).expect("priced");
        prop_assert!(honest.iter().min() <= Some(&got) && Some(&got) <= honest.iter().max());
    }

    #[test]
    fn the_order_of_the_quotes_does_not_matter(
        (honest, faulty) in honest_and_faulty(),
        seed in proptest::collection::vec(any::<u32>(), 9),
    ) {
        let (feed, quotes) = cents(&[honest, faulty].concat());
        let mut shuffled: Vec<(u32, Quote)> = seed.into_iter().chain([0; 9]).zip(quotes.clone()).collect();
        shuffled.sort_by_key(|(key, _)| *key);
        let mut other = feed.clone();
        other.sources.reverse();
        let one = price(std::slice::from_ref(&feed), quotes).remove(0);
        let two = price(&[other], shuffled.into_iter().map(|(_, quote)| quote)).remove(0);
        prop_assert_eq!(one.observation, two.observation);
        prop_assert_eq!(one.used, two.used);
    }

    #[test]
    fn prices_ten_thousand_times_as_high_give_a_result_ten_thousand_times_as_high(
        (honest, faulty) in honest_and_faulty(),
    ) {
        let all = [honest, faulty].concat();
        prop_assume!(all.iter().all(|p| *p < 1_000_000_000_000_000));
        let scaled: Vec<i128> = all.iter().map(|p| p * 10_000).collect();
        prop_assert_eq!(mantissa(&all).map(|m| m * 10_000), mantissa(&scaled));
    }

    #[test]
    fn a_gate_of_at_least_one_mad_keeps_more_than_half(prices in proptest::collection::vec(1i128..1_000_000_000, 1..12)) {
        let (feed, quotes) = cents(&prices);
        let priced = &price(&[feed], quotes)[0];
        prop_assert!(priced.used.len() * 2 > prices.len());
    }

    #[test]
    fn no_quote_makes_the_policy_panic(
        quotes in proptest::collection::vec((any::<i128>(), any::<i8>(), any::<u64>(), 0usize..3), 0..6),
        now in any::<u64>(),
    ) {
        let feeds = with_usdt();
        let markets: Vec<Market> = feeds.iter().flat_map(|f| f.sources.clone()).collect();
        let mut book = Book::of_feeds(&feeds);
        for (mantissa, exponent, time, which) in quotes {
            book.take(
                Quote {
                    source: markets[which].source.clone(),
                    pair: markets[which].pair,
                    price: Decimal::new(mantissa, exponent),
                    trade_time_ms: Some(time),
                    volume: None,
                },
                now,
            );
        }
        let priced = Pricer::new(&feeds).expect("plan").price(&book, now);
        prop_assert_eq!(priced.len(), 2);
    }
}
