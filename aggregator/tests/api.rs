//! Every path of the API, asked through the router.
mod common;

use axum::{body::Body, http::Request};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use common::{Answer, Bench, FIRST, START_MS};
use proptest::prelude::*;
use serde_json::{Value, json};
use touchstone_aggregator::{api::Peer, config::Limits, store::RoundRange};
use touchstone_crypto::GroupKey;
use touchstone_types::{Attestation, Header, MemberSignature, PriceUpdate, Reader, Round, Suite};

/// What a consumer does: decode, check the signature with the pinned key, check inclusion.
fn believe(bench: &Bench, update: &[u8]) -> PriceUpdate {
    let update = PriceUpdate::from_bytes(update).expect("an update");
    let key = bench
        .fabricated
        .pin
        .group_key(Suite::Ed25519)
        .expect("a key");
    GroupKey::new(Suite::Ed25519, key)
        .expect("a key")
        .verify_statement(&update.statement, &update.signature)
        .expect("the group's signature");
    update.check_inclusion().expect("included");
    update
}

fn update_of(item: &Value) -> Vec<u8> {
    BASE64
        .decode(item["update"].as_str().expect("text"))
        .expect("Base64")
}

#[tokio::test]
async fn latest_has_the_documented_shape_and_verifies() {
    let bench = Bench::new().await;
    bench
        .get("/v1/feeds/BTC-USD/latest")
        .await
        .is_problem(503, "no-data");
    bench.fill(3).await;
    let answer = bench.get("/v1/feeds/BTC-USD/latest").await;
    let item = answer.json();
    let mut keys: Vec<_> = item
        .as_object()
        .expect("an object")
        .keys()
        .map(String::as_str)
        .collect();
    keys.sort_unstable();
    let expected = [
        "epoch",
        "exponent",
        "feed",
        "feed_count",
        "feeds_root",
        "high",
        "low",
        "network_id",
        "observations_root",
        "observed_at_ms",
        "observers",
        "price",
        "proof",
        "round",
        "signatures",
        "status",
        "timestamp_ms",
        "update",
    ];
    assert_eq!(keys, expected);
    assert_eq!(item["price"], "67000.03000000");
    assert_eq!(item["low"], "67000.03000000");
    assert_eq!(item["high"], "67000.04000000");
    assert_eq!(item["round"], FIRST + 2);
    assert_eq!(item["timestamp_ms"], START_MS + 2_123);
    assert_eq!(item["status"], json!([]));
    assert_eq!(item["proof"]["leaf_index"], 0);
    assert_eq!(
        item["network_id"],
        bench.fabricated.network.id().to_string()
    );
    let update = believe(&bench, &update_of(&item));
    assert_eq!(update.entries[0].leaf.price, 6_700_003_000_000);
    let path: Vec<_> = update.entries[0]
        .path
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(item["proof"]["path"], json!(path));
    assert_eq!(
        item["signatures"]["ed25519"],
        hex::encode(&update.signature)
    );
    let binary = bench.get("/v1/feeds/BTC-USD/latest?encoding=binary").await;
    assert_eq!(binary.header("content-type"), "application/octet-stream");
    assert_eq!(binary.body, update_of(&item));
    assert_ne!(binary.header("etag"), answer.header("etag"));
    let gone = bench.get("/v1/feeds/EUR-USD/latest").await.json();
    assert_eq!(
        (&gone["price"], &gone["status"]),
        (&Value::Null, &json!(["unavailable"]))
    );
}

#[tokio::test]
async fn etags_and_lifetimes() {
    let bench = Bench::new().await;
    bench.fill(2).await;
    for (path, lifetime) in [
        ("/v1/feeds/BTC-USD/latest", "public, max-age=1"),
        ("/v1/updates/latest?feeds=BTC-USD", "public, max-age=1"),
        ("/v1/network", "public, max-age=60"),
        ("/v1/feeds", "public, max-age=60"),
        (
            &format!("/v1/rounds/{FIRST}"),
            "public, max-age=31536000, immutable",
        ),
        (
            &format!("/v1/rounds/{FIRST}/observations"),
            "public, max-age=31536000, immutable",
        ),
        (
            &format!("/v1/feeds/BTC-USD/at?timestamp_ms={}", START_MS + 500),
            "public, max-age=31536000, immutable",
        ),
        (
            &format!("/v1/feeds/BTC-USD/at?timestamp_ms={}", START_MS + 5_000),
            "public, max-age=1",
        ),
    ] {
        let first = bench.get(path).await;
        assert_eq!(first.status, 200, "{path}");
        assert_eq!(first.header("cache-control"), lifetime, "{path}");
        let tag = first.header("etag").to_owned();
        assert!(tag.starts_with('"') && tag.ends_with('"'), "{path}: {tag}");
        for held in [tag.clone(), format!("\"other\", W/{tag}"), "*".to_owned()] {
            let request = Request::get(path)
                .header("if-none-match", held)
                .body(Body::empty());
            let again = bench.request(request.expect("a request")).await;
            assert_eq!(again.status, 304, "{path}");
            assert!(again.body.is_empty(), "{path}");
            assert_eq!(again.header("etag"), tag, "{path}");
        }
        let request = Request::get(path)
            .header("if-none-match", "\"other\"")
            .body(Body::empty());
        assert_eq!(
            bench.request(request.expect("a request")).await.status,
            200,
            "{path}"
        );
    }
}

#[tokio::test]
async fn updates_put_several_feeds_under_one_signature() {
    let bench = Bench::new().await;
    bench.fill(1).await;
    let view = bench
        .get("/v1/updates/latest?feeds=ETH-USD,NO-SUCH,btc,BTC-USD")
        .await
        .json();
    let items: Vec<_> = view["items"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|i| i["feed"].clone())
        .collect();
    assert_eq!(
        items,
        [json!("ETH-USD"), json!("BTC-USD")],
        "in the order asked for"
    );
    let errors = json!([{"feed": "NO-SUCH", "code": "unknown-feed"}, {"feed": "btc", "code": "invalid-feed-name"}]);
    assert_eq!(view["errors"], errors);
    let update = believe(&bench, &update_of(&view));
    assert_eq!(update.entries.len(), 2);
    let binary = bench
        .get("/v1/updates/latest?feeds=BTC-USD,ETH-USD&encoding=binary")
        .await;
    assert_eq!(binary.body, update.to_bytes());
    bench
        .get("/v1/updates/latest?feeds=NO-SUCH")
        .await
        .is_problem(404, "unknown-feed");
    bench
        .get("/v1/updates/latest?feeds=BTC-USD,NO-SUCH&encoding=binary")
        .await
        .is_problem(422, "unknown-feed");
    bench
        .get("/v1/updates/latest?feeds=BTC-USD,x&encoding=binary")
        .await
        .is_problem(422, "invalid-feed-name");
}

#[tokio::test]
async fn history_pages_by_cursor_until_its_end() {
    let bench = Bench::new().await;
    bench.fill(25).await;
    let (from, to) = (START_MS + 3_000, START_MS + 20_000);
    for proofs in [true, false] {
        let base = format!("/v1/feeds/BTC-USD/history?from={from}&to={to}&limit=7&proofs={proofs}");
        let mut rounds = Vec::new();
        let mut path = base.clone();
        loop {
            let page = bench.get(&path).await.json();
            assert_eq!(page["feed"], "BTC-USD");
            for item in page["items"].as_array().expect("a list") {
                rounds.push(item["round"].as_u64().expect("a number") - FIRST);
                assert_eq!(item.get("update").is_some(), proofs);
                if proofs {
                    believe(&bench, &update_of(item));
                }
            }
            match page["next_cursor"].as_str() {
                Some(cursor) => path = format!("{base}&cursor={cursor}"),
                None => break,
            }
        }
        assert_eq!(
            rounds,
            (3..20).rev().collect::<Vec<_>>(),
            "newest first, each once"
        );
    }
    let none = bench.get("/v1/feeds/BTC-USD/history?to=5").await.json();
    assert_eq!(
        (&none["items"], &none["next_cursor"]),
        (&json!([]), &Value::Null)
    );
}

#[tokio::test]
async fn at_shows_the_price_before_and_the_one_after() {
    let bench = Bench::new().await;
    bench.fill(4).await;
    let at = |ms: u64| format!("/v1/feeds/ETH-USD/at?timestamp_ms={ms}");
    let view = bench.get(&at(START_MS + 2_123)).await.json();
    assert_eq!(view["before"]["round"], FIRST + 2, "at or before");
    assert_eq!(view["after"]["round"], FIRST + 3);
    believe(&bench, &update_of(&view["before"]));
    believe(&bench, &update_of(&view["after"]));
    let view = bench.get(&at(START_MS + 2_122)).await.json();
    assert_eq!(view["before"]["round"], FIRST + 1);
    let view = bench.get(&at(u64::MAX)).await.json();
    assert_eq!(view["before"]["round"], FIRST + 3);
    assert_eq!(view["after"], Value::Null);
    bench
        .get(&at(START_MS))
        .await
        .is_problem(404, "no-price-before");
}

#[tokio::test]
async fn rounds_and_their_observations() {
    let bench = Bench::new().await;
    bench.fill(2).await;
    let original = bench.fabricated.round(0, 6_700_000);
    let view = bench.get(&format!("/v1/rounds/{FIRST}")).await.json();
    assert_eq!(
        view["statement"],
        hex::encode(original.statement.to_bytes())
    );
    assert_eq!(view["feeds"].as_array().expect("a list").len(), 3);
    let bytes = BASE64
        .decode(view["attestation"].as_str().expect("text"))
        .expect("Base64");
    let bare = Attestation::from_bytes(&bytes).expect("an attestation");
    assert!(bare.observations.is_empty());
    let binary = bench
        .get(&format!("/v1/rounds/{FIRST}?encoding=binary"))
        .await;
    assert_eq!(binary.body, bytes);
    let binary = bench
        .get(&format!(
            "/v1/rounds/{FIRST}?encoding=binary&observations=true"
        ))
        .await;
    assert_eq!(binary.body, original.to_bytes());
    let view = bench
        .get(&format!("/v1/rounds/{FIRST}/observations"))
        .await
        .json();
    assert_eq!(view["round"], FIRST);
    let list = view["observations"].as_array().expect("a list");
    assert_eq!(list.len(), 4);
    for (member, o) in list.iter().enumerate() {
        let header = hex::decode(o["header"].as_str().expect("text")).expect("hex");
        let header = Header::read(&mut Reader::new(&header)).expect("a header");
        assert_eq!(
            (o["member"].as_u64(), header.member.index()),
            (Some(member as u64), member)
        );
        let signature = hex::decode(o["signature"].as_str().expect("text")).expect("hex");
        let signature = MemberSignature(signature.try_into().expect("64 bytes"));
        let key = bench.fabricated.members[member].public();
        touchstone_crypto::verify_header(&key, &header, &signature).expect("the member's");
        let body = BASE64
            .decode(o["body"].as_str().expect("text"))
            .expect("Base64");
        assert_eq!(touchstone_types::sha256(&[&body]), header.body_hash);
    }
    bench
        .get(&format!("/v1/rounds/{}", FIRST + 9))
        .await
        .is_problem(404, "unknown-round");
    let range = RoundRange {
        first: Round(FIRST + 9),
        last: Round(FIRST + 9),
    };
    bench.store.mark_missed(range).await.expect("a write");
    bench
        .get(&format!("/v1/rounds/{}", FIRST + 9))
        .await
        .is_problem(404, "missed-round");
    let mut bare = bench.fabricated.round(2, 6_700_000);
    bare.observations.clear();
    bench.take(&bare).await;
    bench.settle(FIRST + 2).await;
    bench
        .get(&format!("/v1/rounds/{}/observations", FIRST + 2))
        .await
        .is_problem(404, "no-observations");
}

#[tokio::test]
async fn network_feeds_health_and_documentation() {
    let bench = Bench::new().await;
    let view = bench.get("/v1/network").await.json();
    assert_eq!(
        (&view["n"], &view["f"], &view["interval_ms"]),
        (&json!(4), &json!(1), &json!(1_000))
    );
    assert_eq!(
        view["group_keys"]["ed25519"].as_str().map(str::len),
        Some(64)
    );
    assert_eq!(view["feeds"][0], json!({"feed": "BTC-USD", "exponent": -8}));
    let view = bench.get("/v1/feeds").await.json();
    assert_eq!(view["feeds"][1]["base"], "ETH");
    assert_eq!(bench.get("/").await.json()["docs"], "/docs");
    assert_eq!(bench.get("/healthz").await.json()["status"], "ok");
    let ready = bench.get("/readyz").await;
    assert_eq!(ready.status, 503);
    let view: Value = serde_json::from_slice(&ready.body).expect("JSON");
    let codes: Vec<_> = view["reasons"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|r| r["code"].clone())
        .collect();
    assert_eq!(codes, [json!("no-data"), json!("no-source")]);
    let description = bench.get("/openapi.json").await.json();
    for path in [
        "/v1/network",
        "/v1/feeds",
        "/v1/feeds/{feed}/latest",
        "/v1/feeds/{feed}/history",
        "/v1/feeds/{feed}/at",
        "/v1/updates/latest",
        "/v1/rounds/{round}",
        "/v1/rounds/{round}/observations",
        "/v1/evidence",
        "/v1/evidence/{id}",
        "/v1/stream",
        "/healthz",
        "/readyz",
        "/metrics",
    ] {
        assert!(description["paths"][path]["get"].is_object(), "{path}");
    }
    let page = bench.get("/docs/").await;
    assert_eq!(page.status, 200);
    let text = String::from_utf8(page.body.clone()).expect("text");
    assert!(
        !text.contains("http://") && !text.contains("https://") && !text.contains("src=\"//"),
        "{text}"
    );
    assert!(
        page.header("content-security-policy")
            .contains("default-src 'self'")
    );
    assert_eq!(bench.get("/docs").await.status.as_u16() / 100, 3);
}

#[tokio::test]
async fn readiness_follows_the_newest_round() {
    let bench = Bench::new().await;
    bench.sources.update(&"node".into(), |s| s.connected = true);
    let now = touchstone_aggregator::config::unix_ms();
    bench
        .take(&bench.fabricated.round_at(FIRST, now - 60_000, 1))
        .await;
    bench.settle(FIRST).await;
    let view: Value = serde_json::from_slice(&bench.get("/readyz").await.body).expect("JSON");
    assert_eq!(view["reasons"][0]["code"], "stale");
    bench
        .take(&bench.fabricated.round_at(FIRST + 1, now, 1))
        .await;
    bench.settle(FIRST + 1).await;
    assert_eq!(bench.get("/readyz").await.json()["ready"], true);
}

#[tokio::test]
async fn malformed_requests_get_a_problem_that_says_so() {
    let bench = Bench::new().await;
    bench.fill(1).await;
    let many = format!(
        "/v1/updates/latest?feeds={}",
        (0..300)
            .map(|i| format!("A{i}-USD"))
            .collect::<Vec<_>>()
            .join(",")
    );
    for (path, status, code) in [
        ("/nothing", 404, "not-found"),
        ("/v1", 404, "not-found"),
        ("/v1/feeds/", 404, "not-found"),
        ("/v1/feeds/NO-SUCH/latest", 404, "unknown-feed"),
        ("/v1/feeds/btc-usd/latest", 400, "invalid-feed-name"),
        ("/v1/feeds/BTC/latest", 400, "invalid-feed-name"),
        ("/v1/feeds/%ff/latest", 400, "invalid-path"),
        (
            "/v1/feeds/BTC-USD/latest?encoding=xml",
            400,
            "invalid-query",
        ),
        (
            "/v1/feeds/BTC-USD/latest?encoding=json&encoding=json",
            400,
            "invalid-query",
        ),
        ("/v1/feeds/BTC-USD/latest?what=1", 400, "invalid-query"),
        ("/v1/feeds/BTC-USD/history?limit=0", 400, "invalid-query"),
        ("/v1/feeds/BTC-USD/history?limit=1001", 400, "invalid-query"),
        ("/v1/feeds/BTC-USD/history?limit=-1", 400, "invalid-query"),
        (
            "/v1/feeds/BTC-USD/history?from=2&to=1",
            400,
            "invalid-query",
        ),
        (
            "/v1/feeds/BTC-USD/history?from=yesterday",
            400,
            "invalid-query",
        ),
        (
            "/v1/feeds/BTC-USD/history?cursor=%27%3B--",
            400,
            "invalid-query",
        ),
        (
            "/v1/feeds/BTC-USD/history?proofs=perhaps",
            400,
            "invalid-query",
        ),
        ("/v1/feeds/BTC-USD/at", 400, "invalid-query"),
        (
            "/v1/feeds/BTC-USD/at?timestamp_ms=1.5",
            400,
            "invalid-query",
        ),
        (
            "/v1/feeds/BTC-USD/at?timestamp_ms=99999999999999999999",
            400,
            "invalid-query",
        ),
        ("/v1/updates/latest", 400, "invalid-query"),
        ("/v1/updates/latest?feeds=", 400, "invalid-query"),
        ("/v1/updates/latest?feeds=,", 404, "invalid-feed-name"),
        (&many, 400, "invalid-query"),
        ("/v1/rounds/-1", 400, "invalid-path"),
        ("/v1/rounds/+1", 400, "invalid-path"),
        ("/v1/rounds/one", 400, "invalid-path"),
        ("/v1/rounds/18446744073709551615", 400, "invalid-path"),
        ("/v1/rounds/1?observations=true", 400, "invalid-query"),
        ("/v1/rounds/1/observations?x=1", 400, "invalid-query"),
        ("/v1/stream", 400, "invalid-query"),
        ("/v1/stream?feeds=NO-SUCH", 404, "unknown-feed"),
        (
            "/v1/stream?feeds=BTC-USD&last_event_id=abc",
            400,
            "invalid-last-event-id",
        ),
    ] {
        bench.get(path).await.is_problem(status, code);
    }
    let request = |r: axum::http::request::Builder, body: Body| {
        bench.request(r.body(body).expect("a request"))
    };
    let answer = request(Request::post("/v1/feeds/BTC-USD/latest"), Body::empty()).await;
    answer.is_problem(405, "method-not-allowed");
    assert_eq!(answer.header("allow"), "GET, HEAD");
    request(Request::delete("/v1/rounds/1"), Body::empty())
        .await
        .is_problem(405, "method-not-allowed");
    request(Request::get("/v1/network"), Body::from("a body"))
        .await
        .is_problem(413, "body-too-large");
    let header = Request::get("/v1/network").header("x-long", "x".repeat(20_000));
    request(header, Body::empty())
        .await
        .is_problem(431, "headers-too-large");
    request(
        Request::get(format!("/{}", "x".repeat(20_000))),
        Body::empty(),
    )
    .await
    .is_problem(431, "headers-too-large");
    let resume = Request::get("/v1/stream?feeds=BTC-USD").header("last-event-id", "-5");
    request(resume, Body::empty())
        .await
        .is_problem(400, "invalid-last-event-id");
}

#[tokio::test]
async fn anybody_may_read_from_any_origin_and_nothing_else() {
    let bench = Bench::new().await;
    let request = Request::get("/v1/network").header("origin", "https://app.example");
    let answer = bench
        .request(request.body(Body::empty()).expect("a request"))
        .await;
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert!(
        answer
            .header("content-security-policy")
            .contains("default-src 'none'")
    );
    let preflight = Request::options("/v1/network")
        .header("origin", "https://app.example")
        .header("access-control-request-method", "GET")
        .header("access-control-request-headers", "last-event-id");
    let answer = bench
        .request(preflight.body(Body::empty()).expect("a request"))
        .await;
    assert_eq!(answer.status, 200);
    assert!(
        answer
            .header("access-control-allow-methods")
            .contains("GET")
    );
    assert!(
        !answer
            .header("access-control-allow-methods")
            .contains("POST")
    );
    let head = Request::head("/v1/network")
        .body(Body::empty())
        .expect("a request");
    let answer = bench.request(head).await;
    assert_eq!((answer.status.as_u16(), answer.body.len()), (200, 0));
}

#[tokio::test]
async fn each_address_has_its_own_rate() {
    let limits = Limits {
        requests_per_second: 1,
        request_burst: 3,
        ..Limits::default()
    };
    let bench = Bench::with(limits).await;
    let ask = async |peer: &str| -> Answer {
        let mut request = Request::get("/healthz")
            .body(Body::empty())
            .expect("a request");
        request
            .extensions_mut()
            .insert(Peer(peer.parse().expect("an address")));
        bench.request(request).await
    };
    for _ in 0..3 {
        assert_eq!(ask("10.0.0.1:1000").await.status, 200);
    }
    let refused = ask("10.0.0.1:2000").await;
    refused.is_problem(429, "rate-limited");
    assert!(
        refused
            .header("retry-after")
            .parse::<u64>()
            .is_ok_and(|s| (1..=2).contains(&s))
    );
    assert_eq!(ask("10.0.0.2:1000").await.status, 200);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    /// Whatever is asked, the answer is a success or a problem of the client's making.
    #[test]
    fn no_request_is_a_fault_of_the_server(path in "(/v1/(feeds|rounds|updates|stream|evidence)(/[A-Z0-9.%-]{0,12}){0,3}|/.{0,20})", query in "([a-z_]{0,12}=[0-9a-zA-Z,%-]{0,24}&?){0,3}") {
        let uri: Result<axum::http::Uri, _> = format!("{path}?{query}").parse();
        if let Ok(uri) = uri {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            let status = runtime.block_on(async {
                let bench = Bench::new().await;
                bench.fill(1).await;
                let request = Request::get(uri).body(Body::empty()).expect("a request");
                use tower::ServiceExt as _;
                bench.app.clone().oneshot(request).await.expect("an answer").status()
            });
            prop_assert!(!status.is_server_error(), "{path}?{query}: {status}");
        }
    }
}
