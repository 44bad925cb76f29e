//! The HTTP client against endpoints that are down, behind, or lying.
#![cfg(feature = "http")]

mod common;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{extract::Request, http::StatusCode, response::Response};
use common::{btc, events, feed, group, latest, leaf, ok, price_event, serve, update, with_status};
use ed25519_dalek::SigningKey;
use serde_json::json;
use touchstone_client::{
    Policy, Round,
    http::{AnswerError, Client, ClientError, WatchEvent},
};

const NOW: u64 = 1_790_000_100_000;
const ROUND: u64 = 1_790_000_100;
const PRICE: i128 = 6_700_000_000_000;

fn client(urls: &[&str]) -> Client {
    let builder = Client::builder(common::verifier())
        .timeout(Duration::from_secs(2))
        .body_limit(4_096);
    urls.iter()
        .fold(builder, |builder, url| builder.endpoint(*url))
        .build()
        .expect("a client")
}

fn fresh(_: u64) -> Policy {
    Policy::fresh(NOW, 10_000)
}

/// The codes of every endpoint's error.
fn codes(error: &ClientError) -> Vec<&str> {
    match error {
        ClientError::AllFailed(errors) => errors.iter().map(|e| e.error.code()).collect(),
        ClientError::Config(text) => panic!("{text}"),
    }
}

async fn price_from(answer: impl Fn(&Request) -> Response + Send + Sync + 'static) -> ClientError {
    let server = serve(answer).await;
    let client = client(&[&server.url]);
    client
        .price(feed("BTC-USD"), fresh)
        .await
        .expect_err("a lie")
}

#[tokio::test]
async fn the_signed_number_counts_and_not_the_json() {
    let server = serve(|request| {
        assert_eq!(request.uri().path(), "/v1/feeds/BTC-USD/latest");
        ok(&latest(&btc(ROUND, NOW, PRICE)))
    })
    .await;
    let price = client(&[&server.url])
        .price(feed("BTC-USD"), fresh)
        .await
        .expect("authentic and fresh");
    assert_eq!(price.price.to_string(), "67000.00000000");
    assert_eq!(price.round, Round(ROUND));
}

#[tokio::test]
async fn several_feeds_come_under_one_signature() {
    let server = serve(|request| {
        assert_eq!(
            request.uri().to_string(),
            "/v1/updates/latest?feeds=BTC-USD,ETH-USD"
        );
        let leaves = [leaf("BTC-USD", PRICE, NOW), leaf("ETH-USD", 7, NOW)];
        ok(&latest(&update(&group(), ROUND, NOW, &leaves).to_bytes()))
    })
    .await;
    let feeds = [feed("BTC-USD"), feed("ETH-USD")];
    let update = client(&[&server.url]).latest(&feeds).await.expect("both");
    assert_eq!(update.feeds().collect::<Vec<_>>(), feeds);
}

#[tokio::test]
async fn endpoints_that_are_down_late_or_lying_are_passed_over() {
    let broken = serve(|_| {
        let problem = json!({ "code": "not-ready", "title": "Not ready\u{1b}[31m" });
        with_status(StatusCode::SERVICE_UNAVAILABLE, &problem)
    })
    .await;
    let late = serve(|_| ok(&latest(&btc(ROUND - 60, NOW - 60_000, PRICE)))).await;
    let lying = serve(|_| {
        let stranger = SigningKey::from_bytes(&[1; 32]);
        let forged = update(&stranger, ROUND, NOW, &[leaf("BTC-USD", 1, NOW)]);
        ok(&latest(&forged.to_bytes()))
    })
    .await;
    let good = serve(|_| ok(&latest(&btc(ROUND, NOW, PRICE)))).await;
    // Nobody listens on the discard port of the loopback.
    let down = "http://127.0.0.1:9";
    let all = client(&[down, &broken.url, &late.url, &lying.url, &good.url]);
    let price = all
        .price(feed("BTC-USD"), fresh)
        .await
        .expect("the last one");
    assert_eq!(price.price.mantissa, PRICE);

    let bad = client(&[down, &broken.url, &late.url, &lying.url]);
    let error = bad.price(feed("BTC-USD"), fresh).await.expect_err("none");
    assert_eq!(
        codes(&error),
        ["transport", "not-ready", "too-old", "bad-signature"]
    );
    assert_eq!(error.code(), "too-old");
    assert!(!error.to_string().contains('\u{1b}'), "{error:?}");
}

#[tokio::test]
async fn the_endpoint_that_answered_is_asked_first() {
    let asked = Arc::new(Mutex::new(0));
    let count = asked.clone();
    let broken = serve(move |_| {
        *count.lock().expect("no panic") += 1;
        with_status(StatusCode::BAD_GATEWAY, &json!({}))
    })
    .await;
    let good = serve(|_| ok(&latest(&btc(ROUND, NOW, PRICE)))).await;
    let client = client(&[&broken.url, &good.url]);
    for _ in 0..3 {
        client.latest(&[feed("BTC-USD")]).await.expect("the second");
    }
    assert_eq!(*asked.lock().expect("no panic"), 1);
}

#[tokio::test]
async fn answers_about_something_else_are_refused() {
    let error = price_from(|_| {
        let other = update(&group(), ROUND, NOW, &[leaf("ETH-USD", PRICE, NOW)]);
        ok(&latest(&other.to_bytes()))
    })
    .await;
    assert_eq!(error.code(), "other-feed");
    let error = price_from(|_| {
        let mut other = update(&group(), ROUND, NOW, &[leaf("BTC-USD", PRICE, NOW)]);
        other.statement.network.0.0[0] ^= 1;
        ok(&latest(&other.to_bytes()))
    })
    .await;
    assert_eq!(error.code(), "wrong-network");
}

#[tokio::test]
async fn malformed_and_endless_answers_are_refused() {
    let error = price_from(|_| ok(&json!({ "price": "1.0" }))).await;
    assert_eq!(error.code(), "malformed");
    let error = price_from(|_| ok(&json!({ "update": "no base64" }))).await;
    assert_eq!(error.code(), "malformed");
    let error = price_from(|_| ok(&json!({ "update": "AQE=" }))).await;
    assert_eq!(error.code(), "truncated");
    let error = price_from(|_| ok(&json!({ "update": "A".repeat(100_000) }))).await;
    assert_eq!(error.code(), "too-long");
    let error =
        price_from(|_| with_status(StatusCode::NOT_FOUND, &json!({ "code": "unknown-feed" })))
            .await;
    assert_eq!(error.code(), "unknown-feed");
}

#[tokio::test]
async fn an_endpoint_that_never_ends_its_answer_is_left() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let silent = format!("http://{}", listener.local_addr().expect("bound"));
    let good = serve(|_| ok(&latest(&btc(ROUND, NOW, PRICE)))).await;
    let client = Client::builder(common::verifier())
        .timeout(Duration::from_millis(300))
        .endpoint(&silent)
        .endpoint(&good.url)
        .build()
        .expect("a client");
    let price = client
        .price(feed("BTC-USD"), fresh)
        .await
        .expect("the second");
    assert_eq!(price.price.mantissa, PRICE);
    drop(listener);
}

#[test]
fn endpoints_must_be_urls() {
    for url in ["", "not a url", "ftp://h", "http://h?x=1"] {
        let built = Client::builder(common::verifier()).endpoint(url).build();
        assert!(matches!(built, Err(ClientError::Config(_))), "{url:?}");
    }
    assert!(Client::builder(common::verifier()).build().is_err());
}

#[tokio::test]
async fn the_pair_around_an_instant_is_checked() {
    let before = || latest(&btc(ROUND, NOW, PRICE));
    let after = || latest(&btc(ROUND + 1, NOW + 1_000, PRICE + 1));
    let honest = serve(move |request| {
        let asked = format!("/v1/feeds/BTC-USD/at?timestamp_ms={}", NOW + 500);
        assert_eq!(request.uri().to_string(), asked);
        ok(&json!({ "before": before(), "after": after() }))
    })
    .await;
    let at = async |url: &str| client(&[url]).around(feed("BTC-USD"), NOW + 500).await;
    let (first, second) = at(&honest.url).await.expect("a pair");
    assert_eq!(
        (first.round(), second.round()),
        (Round(ROUND), Round(ROUND + 1))
    );

    let early = serve(move |_| ok(&json!({ "before": before(), "after": null }))).await;
    assert_eq!(
        at(&early.url).await.expect_err("no next").code(),
        "no-next-yet"
    );
    let wrong = serve(move |_| ok(&json!({ "before": after(), "after": before() }))).await;
    assert_eq!(
        at(&wrong.url).await.expect_err("exchanged").code(),
        "no-pair"
    );
    let late = serve(move |_| {
        let later = latest(&btc(ROUND + 2, NOW + 2_000, PRICE));
        ok(&json!({ "before": after(), "after": later }))
    })
    .await;
    assert_eq!(at(&late.url).await.expect_err("later").code(), "not-around");
}

#[tokio::test]
async fn a_round_must_be_the_one_asked_for() {
    let attestation = common::computed_round();
    let round = attestation.round();
    let served = attestation.clone();
    let server = serve(move |request| {
        if request.uri().path().ends_with("/observations") {
            ok(&common::observations_json(
                served.round(),
                &served.observations,
            ))
        } else {
            ok(&common::round_json(&served))
        }
    })
    .await;
    let client = Client::builder(common::verifier())
        .endpoint(&server.url)
        .build()
        .expect("a client");
    let (got, observations) = client.round(round).await.expect("this round");
    assert_eq!(got.leaves, attestation.leaves);
    assert_eq!(observations, attestation.observations);
    let error = client.round(Round(1)).await.expect_err("another round");
    assert_eq!(error.code(), "other-round");
}

#[tokio::test]
async fn a_watch_resumes_where_its_connection_broke() {
    let asked: Arc<Mutex<Vec<Option<String>>>> = Arc::default();
    let seen = asked.clone();
    let server = serve(move |request| {
        assert_eq!(request.uri().to_string(), "/v1/stream?feeds=BTC-USD");
        let id = request.headers().get("last-event-id");
        let id = id.map(|v| v.to_str().expect("text").to_owned());
        let event = |round: u64| price_event(round, &btc(round, NOW, PRICE));
        let mut asked = seen.lock().expect("no panic");
        asked.push(id);
        match asked.len() {
            // The last one comes twice.
            1 => events(event(ROUND) + &event(ROUND + 1) + ": still here\n\n"),
            2 => events(
                event(ROUND + 1)
                    + &format!(
                        "event: gap\ndata: {{\"from\":{},\"to\":{}}}\n\n",
                        ROUND + 2,
                        ROUND + 3
                    )
                    + "event: later-invention\ndata: {}\n\n"
                    + &event(ROUND + 4),
            ),
            _ => events("event: cut-off\ndata: {\"code\":\"slow-reader\"}\n\n".to_owned()),
        }
    })
    .await;
    let mut watch = client(&[&server.url]).watch(&[feed("BTC-USD")], None);
    let mut told = Vec::new();
    while told.len() < 7 {
        told.push(match watch.next().await {
            WatchEvent::Update(update) => format!("update {}", update.round().0 - ROUND),
            WatchEvent::Gap { from, to } => format!("gap {} {}", from.0 - ROUND, to.0 - ROUND),
            WatchEvent::Interrupted { error, .. } => error.error.code().to_owned(),
        });
    }
    assert_eq!(
        told,
        [
            "update 0",
            "update 1",
            "transport",
            "gap 2 3",
            "update 4",
            "transport",
            "transport"
        ]
    );
    let ids = asked.lock().expect("no panic").clone();
    let id = |round: u64| Some(round.to_string());
    assert_eq!(ids, [None, id(ROUND + 1), id(ROUND + 4)]);
}

#[tokio::test]
async fn a_watch_of_several_feeds_loses_none_when_it_is_cut_off_within_a_round() {
    let ids: Arc<Mutex<Vec<Option<String>>>> = Arc::default();
    let seen = ids.clone();
    let server = serve(move |request| {
        let id = request.headers().get("last-event-id");
        let id = id.map(|v| v.to_str().expect("text").to_owned());
        // One update of each feed; the stream's id comes with the last feed of a round only.
        let event = |name: &str, round: u64| {
            let leaves = [leaf(name, PRICE, NOW)];
            let bytes = update(&group(), round, NOW, &leaves).to_bytes();
            format!("event: price\ndata: {}\n", latest(&bytes))
        };
        let round = |round: u64| {
            event("BTC-USD", round) + "\n" + &event("ETH-USD", round) + &format!("id: {round}\n\n")
        };
        let mut ids = seen.lock().expect("no panic");
        ids.push(id);
        match ids.len() {
            1 => events(round(ROUND) + &event("BTC-USD", ROUND + 1) + "\n"),
            _ => events(round(ROUND + 1)),
        }
    })
    .await;
    let feeds = [feed("BTC-USD"), feed("ETH-USD")];
    let mut watch = client(&[&server.url]).watch(&feeds, None);
    let mut told = Vec::new();
    while told.len() < 5 {
        told.push(match watch.next().await {
            WatchEvent::Update(update) => {
                let name = update.feeds().next().expect("one feed").to_string();
                format!("{name} {}", update.round().0 - ROUND)
            }
            other => format!("{other:?}").chars().take(11).collect(),
        });
    }
    assert_eq!(
        told,
        [
            "BTC-USD 0",
            "ETH-USD 0",
            "BTC-USD 1",
            "Interrupted",
            "ETH-USD 1"
        ]
    );
    let ids = ids.lock().expect("no panic").clone();
    assert_eq!(ids, [None, Some(ROUND.to_string())]);
}

#[tokio::test]
async fn a_watch_leaves_an_endpoint_that_lies() {
    let lying = serve(|_| {
        let stranger = SigningKey::from_bytes(&[1; 32]);
        let forged = update(&stranger, ROUND, NOW, &[leaf("BTC-USD", 1, NOW)]);
        events(price_event(ROUND, &forged.to_bytes()))
    })
    .await;
    let good = serve(|_| events(price_event(ROUND, &btc(ROUND, NOW, PRICE)))).await;
    let mut watch = client(&[&lying.url, &good.url]).watch(&[feed("BTC-USD")], None);
    let first = watch.next().await;
    let WatchEvent::Interrupted { error, .. } = first else {
        panic!("{first:?}")
    };
    assert!(matches!(error.error, AnswerError::Verify(_)), "{error}");
    let second = watch.next().await;
    assert!(matches!(second, WatchEvent::Update(_)), "{second:?}");
}
