//! The market over HTTP, read by the adapters that read the real exchanges.

use std::{
    fs::File,
    io::Write,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use flate2::{Compression, write::GzEncoder};
use tokio::{net::TcpListener, task::JoinHandle, time::sleep};
use tokio_util::sync::CancellationToken;
use touchstone_feeds::{
    DropReason, EXCHANGES, Endpoint, Exchange, FeedsConfig, ParseError, Poller, Priced,
    default_feeds, feeds_for_markets, fetch_feed,
};
use touchstone_market::{Faults, Market, Speed, serve};
use touchstone_types::{Decimal, FeedName, FeedSpec, Market as MarketName, Status};

fn now_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970");
    u64::try_from(since.as_millis()).expect("fits")
}

fn pair(text: &str) -> FeedName {
    FeedName::new(text).expect(text)
}

struct Served {
    url: String,
    shutdown: CancellationToken,
    task: JoinHandle<std::io::Result<()>>,
}

async fn served(market: Market) -> Served {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("port");
    let url = format!("http://{}", listener.local_addr().expect("address"));
    let shutdown = CancellationToken::new();
    let task = tokio::spawn(serve(listener, market, shutdown.clone()));
    Served {
        url,
        shutdown,
        task,
    }
}

impl Served {
    async fn stop(self) {
        self.shutdown.cancel();
        let ended = tokio::time::timeout(Duration::from_secs(5), self.task).await;
        ended
            .expect("in time")
            .expect("no panic")
            .expect("no error");
    }

    fn config(&self) -> FeedsConfig {
        FeedsConfig {
            period_ms: 200,
            ..FeedsConfig::below(&self.url, 1_000)
        }
    }
}

#[tokio::test]
async fn every_adapter_reads_every_answer() {
    let served = served(Market::demo(7).with_faults(Faults::none())).await;
    let client = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("client");
    for exchange in &EXCHANGES {
        let base = format!("{}/{}", served.url, exchange.name);
        for text in [
            "BTC-USD",
            "DOGE-USD",
            "EUR-USD",
            "USDT-USD",
            "ETH-USDT",
            "USDC-USDT",
            "BTC-EUR",
        ] {
            for endpoint in [Endpoint::Ticker, Endpoint::Trades] {
                let request = exchange
                    .request(&base, pair(text), endpoint)
                    .expect("request");
                let body = client
                    .get(&request.url)
                    .send()
                    .await
                    .expect("answer")
                    .bytes()
                    .await
                    .expect("body");
                let context = format!("{}: {}", request.url, String::from_utf8_lossy(&body));
                assert_eq!(exchange.detect(&body), Ok(endpoint), "{context}");
                let quotes = exchange.parse(pair(text), endpoint, &body).expect(&context);
                let newest = exchange.newest(quotes).expect(&context);
                assert!(newest.price.is_positive());
                // A ticker that dates its price is the one that is polled.
                assert_eq!(
                    newest.trade_time_ms.is_some(),
                    endpoint == Endpoint::Trades || endpoint == exchange.polled,
                    "{context}"
                );
                assert!(newest.trade_time_ms <= Some(now_ms()), "{context}");
            }
        }
        for endpoint in [Endpoint::Ticker, Endpoint::Trades] {
            let request = exchange
                .request(&base, pair("NOPE-USD"), endpoint)
                .expect("request");
            let body = client
                .get(&request.url)
                .send()
                .await
                .expect("answer")
                .bytes()
                .await
                .expect("body");
            let error = exchange
                .parse(pair("NOPE-USD"), endpoint, &body)
                .expect_err("unknown");
            assert!(
                matches!(error, ParseError::Exchange { .. }),
                "{}: {error}",
                request.url
            );
        }
    }
    served.stop().await;
}

fn ready(priced: &[Priced]) -> bool {
    priced
        .iter()
        .all(|p| p.status == Status::OK && p.dropped.is_empty())
}

#[tokio::test]
async fn the_poller_prices_all_twelve_feeds() {
    let served = served(Market::demo(8).with_faults(Faults::none())).await;
    let shutdown = CancellationToken::new();
    let feeds = default_feeds();
    let handle = Poller::spawn(&served.config(), &feeds, &shutdown).expect("starts");
    let mut priced = Vec::new();
    for _ in 0..500 {
        priced = handle.price(now_ms());
        if ready(&priced) {
            break;
        }
        sleep(Duration::from_millis(20)).await;
    }
    assert!(ready(&priced), "{priced:#?}");
    assert_eq!(
        priced.iter().filter(|p| p.observation.is_some()).count(),
        12
    );
    shutdown.cancel();
    handle.stopped().await;
    served.stop().await;
}

#[tokio::test]
async fn one_feed_is_priced_by_all_exchanges() {
    let served = served(Market::demo(10).with_faults(Faults::none())).await;
    let source = |exchange: &Exchange| MarketName {
        source: exchange.name.to_owned(),
        pair: pair("BTC-USD"),
    };
    let feed = FeedSpec {
        name: pair("BTC-USD"),
        exponent: -8,
        sources: EXCHANGES.iter().map(source).collect(),
        min_sources: 1,
        max_quote_age_ms: 60_000,
        outlier_mads_milli: 5_000,
        outlier_floor_ppm: 20_000,
    };
    let fetched = fetch_feed(&served.config(), &[feed], pair("BTC-USD"))
        .await
        .expect("fetched");
    // A unit of time that is misread on one side would show as a stale quote or one of the future.
    assert!(fetched.feed.dropped.is_empty(), "{}", fetched.feed);
    assert_eq!(fetched.feed.used.len(), EXCHANGES.len(), "{}", fetched.feed);
    served.stop().await;
}

#[tokio::test]
async fn a_faulty_market_still_gives_honest_prices() {
    let seed = 9;
    // One second in five of each market is bad.
    let served = served(Market::demo(seed).with_faults(Faults::per_million(200_000))).await;
    let honest = Market::demo(seed);
    let shutdown = CancellationToken::new();
    let config = FeedsConfig {
        timeout_ms: 500,
        ..served.config()
    };
    let handle = Poller::spawn(&config, &default_feeds(), &shutdown).expect("starts");
    sleep(Duration::from_secs(2)).await;
    let (mut checked, mut survived) = (0, 0);
    for _ in 0..30 {
        sleep(Duration::from_millis(100)).await;
        let now = now_ms();
        for priced in handle.price(now) {
            let reference = honest.trades("coinbase", priced.feed, now, 1)[0].price;
            let near = |value: Decimal| {
                let ratio = value.checked_div(reference, -6).expect("positive").mantissa;
                (980_000..1_020_000).contains(&ratio)
            };
            let outliers = priced.dropped.iter().filter_map(|d| match d.reason {
                DropReason::Outlier { value, .. } => Some(value),
                _ => None,
            });
            let values: Vec<Decimal> = priced
                .used
                .iter()
                .map(|u| u.value)
                .chain(outliers)
                .collect();
            let faulty = values.iter().filter(|v| !near(**v)).count();
            let Some(price) = priced.price.filter(|_| faulty * 2 < values.len()) else {
                continue;
            };
            assert!(near(price), "{priced}");
            checked += 1;
            survived += usize::from(faulty > 0);
        }
    }
    assert!(
        survived > 10,
        "only {survived} prices had a faulty quote among theirs"
    );
    assert!(checked > 100, "only {checked} prices");
    let failures: u64 = handle
        .health(now_ms())
        .iter()
        .map(|h| h.counters.http_error + h.counters.parse_error + h.counters.timeout)
        .sum();
    assert!(failures > 10, "only {failures} bad answers");
    shutdown.cancel();
    handle.stopped().await;
    served.stop().await;
}

fn write_bars(dir: &Path, name: &str, closes: &[(u64, &str)]) {
    let mut gzip = GzEncoder::new(
        File::create(dir.join(name)).expect("file"),
        Compression::fast(),
    );
    writeln!(gzip, "ts,open,high,low,close,volume,trades").expect("write");
    for (minute, close) in closes {
        let ts = 1_678_492_800 + minute * 60;
        writeln!(gzip, "{ts},{close},{close},{close},{close},1.5,3").expect("write");
    }
    gzip.finish().expect("finish");
}

#[tokio::test]
async fn a_depeg_is_replayed_through_the_whole_chain() {
    let dir = tempfile::tempdir().expect("dir");
    write_bars(
        dir.path(),
        "kraken_BTC-USD.csv.gz",
        &[(0, "20000"), (1, "20010.5")],
    );
    write_bars(
        dir.path(),
        "coinbase_BTC-USD.csv.gz",
        &[(0, "20001"), (1, "20011")],
    );
    write_bars(
        dir.path(),
        "binance_BTC-USDC.csv.gz",
        &[(0, "22990"), (1, "23001.15")],
    );
    write_bars(
        dir.path(),
        "kraken_USDC-USD.csv.gz",
        &[(0, "0.87"), (1, "0.87")],
    );
    let start = now_ms();
    let speed: Speed = "1000".parse().expect("speed");
    let market = Market::replay(dir.path(), 1_678_492_800_000, speed, start).expect("loads");
    let feeds = feeds_for_markets(&market.markets(), 3_600_000);
    assert_eq!(market.ends_at_ms(), Some(start + 119));
    let served = served(market).await;
    sleep(Duration::from_millis(200)).await;
    let fetched = fetch_feed(&served.config(), &feeds, pair("BTC-USD"))
        .await
        .expect("fetched");
    let values: Vec<String> = fetched
        .feed
        .used
        .iter()
        .map(|u| u.value.trimmed().to_string())
        .collect();
    assert_eq!(
        values,
        ["20010.5", "20011", "20011.0005"],
        "{}",
        fetched.feed
    );
    assert_eq!(
        fetched.feed.price.map(|p| p.to_string()).as_deref(),
        Some("20011.00000000")
    );
    assert_eq!(fetched.feed.trade_time_ms, Some(start + 119));
    assert_eq!(
        fetched.conversions[0]
            .price
            .map(|p| p.to_string())
            .as_deref(),
        Some("0.87000000")
    );
    served.stop().await;
}
