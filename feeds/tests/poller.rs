//! The poller against servers that behave well and badly, over real sockets on loopback.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{
    Router,
    body::Body,
    http::{StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use tokio::{net::TcpListener, time::sleep};
use tokio_util::sync::CancellationToken;
use touchstone_feeds::{
    Counters, DropReason, FeedsConfig, FetchError, Handle, Poller, SourceConfig, SourceHealth,
    SourceState, fetch_feed,
};
use touchstone_types::{FeedName, FeedSpec, Market, Status};

#[expect(
    clippy::disallowed_methods,
    reason = "the servers of these tests date their trades"
)]
fn now_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970");
    u64::try_from(since.as_millis()).expect("fits")
}

fn feed(name: &str, sources: &[(&str, &str)]) -> FeedSpec {
    FeedSpec {
        name: FeedName::new(name).expect(name),
        exponent: -8,
        sources: sources
            .iter()
            .map(|(source, pair)| Market {
                source: (*source).into(),
                pair: FeedName::new(pair).expect(pair),
            })
            .collect(),
        min_sources: 1,
        max_quote_age_ms: 60_000,
        outlier_mads_milli: 5_000,
        outlier_floor_ppm: 5_000,
    }
}

/// What a server does with a path.
type Behaviour = fn(&str) -> Option<Response>;

/// Counts requests and answers them; `None` is no answer for a minute.
async fn server(behaviour: Behaviour) -> (String, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("port");
    let address = listener.local_addr().expect("address");
    let requests = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&requests);
    let app = Router::new().fallback(move |uri: Uri| {
        counter.fetch_add(1, Relaxed);
        async move {
            match behaviour(&uri.to_string()) {
                Some(response) => response,
                None => {
                    sleep(Duration::from_secs(60)).await;
                    StatusCode::OK.into_response()
                }
            }
        }
    });
    tokio::spawn(async move { axum::serve(listener, app).await });
    (format!("http://{address}"), requests)
}

fn kraken_trade(key: &str, price: &str) -> Response {
    let time = now_ms() / 1_000;
    format!(
        r#"{{"error":[],"result":{{"{key}":[["{price}","1",{time}.5,"b","l","",1]],"last":"1"}}}}"#
    )
    .into_response()
}

fn okx_trade(path: &str, price: &str) -> Response {
    let symbol = path.split(['=', '&']).nth(1).expect("instId=..");
    let time = now_ms();
    format!(
        r#"{{"code":"0","msg":"","data":[{{"instId":"{symbol}","px":"{price}","ts":"{time}"}}]}}"#
    )
    .into_response()
}

fn config(bases: &[(&str, &str)]) -> FeedsConfig {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let source = |(name, base): &(&str, &str)| {
        let config = SourceConfig {
            base_url: Some((*base).to_owned()),
            requests_per_second: Some(100),
            enabled: true,
        };
        ((*name).to_owned(), config)
    };
    FeedsConfig {
        period_ms: 100,
        timeout_ms: 300,
        max_body_bytes: 10_000,
        sources: bases.iter().map(source).collect::<BTreeMap<_, _>>(),
        ..FeedsConfig::default()
    }
}

/// Waits until the condition holds, for at most ten seconds.
async fn until(what: &str, handle: &Handle, condition: impl Fn(&Handle) -> bool) {
    for _ in 0..500 {
        if condition(handle) {
            return;
        }
        sleep(Duration::from_millis(20)).await;
    }
    panic!("never happened: {what}; {:#?}", handle.health(now_ms()));
}

fn health(handle: &Handle, source: &str) -> SourceHealth {
    let all = handle.health(now_ms());
    all.into_iter().find(|h| h.source == source).expect(source)
}

fn counters(handle: &Handle, source: &str) -> Counters {
    health(handle, source).counters
}

fn price(handle: &Handle) -> Option<String> {
    handle.price(now_ms())[0].price.map(|p| p.to_string())
}

#[tokio::test]
async fn a_source_that_limits_is_left_alone_and_the_others_go_on() {
    let (limiting, requests) = server(|_| {
        let retry = [(header::RETRY_AFTER, "3600")];
        Some((StatusCode::TOO_MANY_REQUESTS, retry).into_response())
    })
    .await;
    let (good, _) = server(|_| Some(kraken_trade("XXBTZUSD", "100.25"))).await;
    let feeds = [feed(
        "BTC-USD",
        &[("okx", "BTC-USD"), ("kraken", "BTC-USD")],
    )];
    let shutdown = CancellationToken::new();
    let handle = Poller::spawn(
        &config(&[("okx", &limiting), ("kraken", &good)]),
        &feeds,
        &shutdown,
    )
    .expect("starts");
    until("five answers", &handle, |h| counters(h, "kraken").ok >= 5).await;
    assert_eq!(price(&handle).as_deref(), Some("100.25000000"));
    let okx = health(&handle, "okx");
    assert_eq!(
        (okx.state, okx.counters.rate_limited),
        (SourceState::RateLimited, 1)
    );
    assert!(okx.paused_until_ms > Some(now_ms() + 3_500_000));
    assert_eq!(
        requests.load(Relaxed),
        1,
        "nothing was sent after the refusal"
    );
    let dropped = &handle.price(now_ms())[0].dropped[0];
    let failure = Some("HTTP 429: asked too often".to_owned());
    assert_eq!(dropped.reason, DropReason::Missing { failure });
    shutdown.cancel();
    tokio::time::timeout(Duration::from_secs(2), handle.stopped())
        .await
        .expect("stops at once");
}

#[tokio::test]
async fn a_source_that_refuses_the_address_is_parked_with_its_reason() {
    let (refusing, requests) =
        server(|_| Some(StatusCode::UNAVAILABLE_FOR_LEGAL_REASONS.into_response())).await;
    let feeds = [feed("BTC-USD", &[("binance", "BTC-USD")])];
    let shutdown = CancellationToken::new();
    let handle =
        Poller::spawn(&config(&[("binance", &refusing)]), &feeds, &shutdown).expect("starts");
    until("parked", &handle, |h| {
        health(h, "binance").state == SourceState::Parked
    })
    .await;
    sleep(Duration::from_millis(400)).await;
    assert_eq!(requests.load(Relaxed), 1);
    let reason = health(&handle, "binance").reason.expect("a reason");
    assert_eq!(reason, "HTTP 451: the exchange does not serve this address");
    shutdown.cancel();
}

#[tokio::test]
async fn one_failing_symbol_does_not_touch_the_others() {
    let (base, _) = server(|path| {
        if path.contains("ETH") {
            return None;
        }
        if path.contains("XRP") {
            return Some((StatusCode::INTERNAL_SERVER_ERROR, "<html>").into_response());
        }
        if path.contains("LTC") {
            return Some(
                r#"{"code":"51001","msg":"Instrument ID does not exist","data":[]}"#
                    .into_response(),
            );
        }
        Some(okx_trade(path, "7"))
    })
    .await;
    let feeds = ["BTC", "ETH", "LTC", "XRP"]
        .map(|b| feed(&format!("{b}-USD"), &[("okx", &format!("{b}-USD"))]));
    let shutdown = CancellationToken::new();
    let handle = Poller::spawn(&config(&[("okx", &base)]), &feeds, &shutdown).expect("starts");
    until("all three kinds of failure", &handle, |h| {
        let c = counters(h, "okx");
        c.ok >= 5 && c.timeout >= 1 && c.http_error >= 1 && c.parse_error >= 1
    })
    .await;
    let reason = |i: usize| {
        handle.price(now_ms())[i]
            .dropped
            .first()
            .map(|d| d.reason.to_string())
    };
    assert_eq!(price(&handle).as_deref(), Some("7.00000000"));
    assert_eq!(
        reason(1).as_deref(),
        Some("no quote yet: no answer within 300 ms")
    );
    let wanted =
        "no quote yet: the exchange answers with error \"51001\": Instrument ID does not exist";
    assert_eq!(reason(2).as_deref(), Some(wanted));
    assert_eq!(reason(3).as_deref(), Some("no quote yet: HTTP 500"));
    shutdown.cancel();
}

#[tokio::test]
async fn a_body_without_end_is_cut_off() {
    let (base, _) = server(|_| {
        // Chunked, so that no header gives the length away.
        let chunks =
            futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>("[".repeat(1_000)));
        Some(Body::from_stream(chunks).into_response())
    })
    .await;
    let feeds = [feed("BTC-USD", &[("okx", "BTC-USD")])];
    let fetched = fetch_feed(&config(&[("okx", &base)]), &feeds, feeds[0].name)
        .await
        .expect("fetched");
    let failure = Some("the body is longer than 10000 bytes".to_owned());
    assert_eq!(
        fetched.feed.dropped[0].reason,
        DropReason::Missing { failure }
    );
}

#[tokio::test]
async fn fetching_once_brings_the_conversion_along() {
    let (okx, _) = server(|path| Some(okx_trade(path, "25000"))).await;
    let (kraken, _) = server(|_| Some(kraken_trade("USDTZUSD", "0.8"))).await;
    let feeds = [
        feed(
            "BTC-USD",
            &[
                ("okx", "BTC-USDT"),
                ("mtgox", "BTC-USD"),
                ("coinbase", "BTC-USD"),
            ],
        ),
        feed("ETH-USD", &[("okx", "ETH-USD")]),
        feed("USDT-USD", &[("kraken", "USDT-USD")]),
    ];
    let mut config = config(&[("okx", &okx), ("kraken", &kraken)]);
    config.sources.insert(
        "coinbase".into(),
        SourceConfig {
            enabled: false,
            ..SourceConfig::default()
        },
    );
    let fetched = fetch_feed(&config, &feeds, feeds[0].name)
        .await
        .expect("fetched");
    assert_eq!(
        fetched.feed.price.map(|p| p.to_string()).as_deref(),
        Some("20000.00000000")
    );
    assert_eq!(fetched.feed.status, Status::OK);
    assert_eq!(fetched.conversions.len(), 1, "ETH-USD was not asked for");
    let table = fetched.feed.to_string();
    assert!(
        table.contains("this version has no adapter of that name"),
        "{table}"
    );
    assert!(
        table.contains("switched off by the configuration"),
        "{table}"
    );
    let unknown = FeedName::new("DOGE-USD").expect("name");
    let error = fetch_feed(&config, &feeds, unknown)
        .await
        .expect_err("no such feed");
    assert!(matches!(error, FetchError::UnknownFeed { .. }));
    assert_eq!(
        error.to_string(),
        "no feed DOGE-USD; there are BTC-USD, ETH-USD, USDT-USD"
    );
}

#[tokio::test]
async fn no_more_requests_go_out_than_the_budget_allows() {
    let (base, requests) = server(|path| Some(okx_trade(path, "7"))).await;
    let names = ["AAA", "BBB", "CCC", "DDD", "EEE", "FFF", "GGG", "HHH"];
    let feeds = names.map(|b| feed(&format!("{b}-USD"), &[("okx", &format!("{b}-USD"))]));
    let mut config = config(&[("okx", &base)]);
    if let Some(okx) = config.sources.get_mut("okx") {
        okx.requests_per_second = Some(5);
    }
    let shutdown = CancellationToken::new();
    let handle = Poller::spawn(&config, &feeds, &shutdown).expect("starts");
    // Eight markets every tenth of a second want eighty requests per second.
    sleep(Duration::from_millis(2_000)).await;
    shutdown.cancel();
    let sent = requests.load(Relaxed);
    assert!((6..=12).contains(&sent), "{sent}");
    assert_eq!(health(&handle, "okx").markets, 8);
}
