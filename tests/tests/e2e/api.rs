//! Malformed queries get an answer that says what is wrong.

use crate::net::{Net, alone, first};

const MALFORMED: [(&str, u16, &str); 16] = [
    ("/v1/feeds/btc-usd/latest", 400, "invalid-feed-name"),
    ("/v1/feeds/BTC/latest", 400, "invalid-feed-name"),
    ("/v1/feeds/NO-SUCH/latest", 404, "unknown-feed"),
    (
        "/v1/feeds/BTC-USD/latest?encoding=xml",
        400,
        "invalid-query",
    ),
    ("/v1/feeds/BTC-USD/latest?colour=red", 400, "invalid-query"),
    ("/v1/feeds/%ff/latest", 400, "invalid-path"),
    ("/v1/feeds/BTC-USD/history?limit=0", 400, "invalid-query"),
    (
        "/v1/feeds/BTC-USD/history?from=yesterday",
        400,
        "invalid-query",
    ),
    ("/v1/feeds/BTC-USD/history?cursor=%00", 400, "invalid-query"),
    ("/v1/feeds/BTC-USD/at", 400, "invalid-query"),
    ("/v1/feeds/BTC-USD/at?timestamp_ms=-1", 400, "invalid-query"),
    ("/v1/updates/latest", 400, "invalid-query"),
    ("/v1/updates/latest?feeds=NO-SUCH", 404, "unknown-feed"),
    ("/v1/rounds/first", 400, "invalid-path"),
    ("/v1/rounds/1", 404, "unknown-round"),
    ("/v1/nothing", 404, "not-found"),
];

#[tokio::test]
async fn malformed_queries_are_told_what_is_wrong() {
    let _alone = alone().await;
    let folder = tempfile::tempdir().expect("folder");
    let net = Net::start(&folder.path().join("data"), &first(&[])).await;
    for (path, status, code) in MALFORMED {
        let answer = net.get(path).await;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(answer.status, status, "{path}: {text}");
        assert_eq!(answer.kind, "application/problem+json", "{path}");
        let problem = answer.json();
        assert_eq!(problem["code"], code, "{path}: {text}");
        assert_eq!(problem["status"], status, "{path}: {text}");
        assert!(
            problem["detail"].as_str().is_some_and(|d| !d.is_empty()),
            "{path}: {text}"
        );
    }
    let posted = net
        .http
        .post(net.url("/v1/network"))
        .send()
        .await
        .expect("an answer");
    assert_eq!(posted.status(), 405);
    assert_eq!(posted.headers()["content-type"], "application/problem+json");

    let known = net.get("/v1/updates/latest?feeds=BTC-USD,NO-SUCH").await;
    assert_eq!(known.status, 200);
    assert_eq!(known.json()["errors"][0]["code"], "unknown-feed");
    assert!(net.terminate().await.success());
}
