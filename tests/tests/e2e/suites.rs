//! A network chooses what it signs with: both suites in one round, or the one for EVM chains alone.

use touchstone_client::{FeedName, GroupKey, Policy, Suite, Verifier, http::Client};

use crate::net::{Net, alone, first, until};

/// A client that pinned this network's key of one suite, as a contract does, and nothing else.
fn client_of(net: &Net, suite: Suite) -> Client {
    let key = net.pin.group_key(suite).expect("the network signs with it");
    let key = GroupKey::new(suite, key).expect("a key");
    let verifier = Verifier::new(net.pin.network_id(), [key]);
    let client = Client::builder(verifier).endpoint(net.url(""));
    client.build().expect("a client")
}

async fn prices_in(net: &Net, client: &Client, suite: Suite) {
    let feed = FeedName::new("BTC-USD").expect("name");
    let fresh = |now| Policy::fresh(now, 10_000);
    let price = until("a verified price", async || {
        client.price(feed, fresh).await.ok()
    })
    .await;
    let several = [feed, FeedName::new("ETH-USD").expect("name")];
    let update = client.latest(&several).await.expect("several feeds");
    assert_eq!(update.suite(), suite);
    let mut watch = client.watch(&several, None);
    let seen = until("an update of the stream", async || {
        match watch.next().await {
            touchstone_client::http::WatchEvent::Update(update) => Some(update),
            _ => None,
        }
    })
    .await;
    assert_eq!(seen.suite(), suite);
    let instant_ms = price.timestamp_ms;
    let (before, after) = until("the next round", async || {
        client.around(feed, instant_ms).await.ok()
    })
    .await;
    assert_eq!((before.suite(), after.suite()), (suite, suite));
    assert!(before.round() < after.round());
    let name = suite.name();
    let path = format!("/v1/feeds/BTC-USD/latest?suite={name}&encoding=binary");
    let bytes = net.get(&path).await.body;
    assert_eq!(bytes.get(..2), Some(&[1, suite.byte()][..]));
    client.verifier().verify(&bytes).expect("the same by hand");
}

#[tokio::test]
async fn one_round_is_signed_in_both_suites() {
    let _alone = alone().await;
    let folder = tempfile::tempdir().expect("folder");
    let options = first(&["--suites", "ed25519,secp256k1-keccak"]);
    let net = Net::start(&folder.path().join("data"), &options).await;
    for suite in [Suite::Ed25519, Suite::Secp256k1Keccak] {
        prices_in(&net, &client_of(&net, suite), suite).await;
    }
    // Whoever pinned both may still insist on one.
    let evm = Client::builder(net.client().verifier().clone()).suite(Suite::Secp256k1Keccak);
    let evm = evm.endpoint(net.url("")).build().expect("a client");
    prices_in(&net, &evm, Suite::Secp256k1Keccak).await;

    // Both signatures are of one statement, and the page of the round holds them.
    let round = net.newest().await.expect("a round");
    let view = net.get(&format!("/v1/rounds/{round}")).await.json();
    let signatures = view["signatures"].as_object().expect("signatures");
    let mut names: Vec<_> = signatures.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["ed25519", "secp256k1-keccak"]);
    let default = net
        .get("/v1/feeds/BTC-USD/latest?encoding=binary")
        .await
        .body;
    assert_eq!(default.get(..2), Some(&[1, 1][..]), "Ed25519 by default");
    assert!(net.terminate().await.success());
}

#[tokio::test]
async fn a_network_for_evm_chains_alone() {
    let _alone = alone().await;
    let folder = tempfile::tempdir().expect("folder");
    let options = first(&["--suites", "secp256k1-keccak"]);
    let net = Net::start(&folder.path().join("data"), &options).await;
    let suite = Suite::Secp256k1Keccak;
    prices_in(&net, &client_of(&net, suite), suite).await;
    let other = net.get("/v1/feeds/BTC-USD/latest?suite=ed25519").await;
    assert_eq!(other.status, 400);
    let problem = other.json();
    assert_eq!(problem["code"], "invalid-query");
    assert_eq!(
        problem["detail"],
        "suite (ed25519): this network signs with secp256k1-keccak"
    );
    assert!(net.terminate().await.success());
}
