//! Prices flow, and whoever holds the pin can verify them: with nothing but Ed25519 and SHA-256, and with the client.

use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest as _, Sha256};
use touchstone_client::{FeedName, Policy};

use crate::net::{Net, alone, first, until};

#[path = "../../../clients/rust/examples/latest.rs"]
#[allow(dead_code, reason = "its main is another program's")]
mod latest;
#[path = "../../../clients/rust/examples/settle.rs"]
#[allow(dead_code, reason = "its main is another program's")]
mod settle;

const STATEMENT_TAIL: usize = 118;
const LEAF: usize = 92;

/// What docs/attestation.md says about one feed's update, read with nothing of this project.
struct Update<'a> {
    tail: &'a [u8],
    signature: &'a [u8],
    leaf: &'a [u8],
    index: usize,
    path: Vec<&'a [u8]>,
}

fn split(bytes: &[u8], at: usize) -> (&[u8], &[u8]) {
    assert!(bytes.len() >= at, "the update ends too early");
    bytes.split_at(at)
}

fn parse(bytes: &[u8]) -> Update<'_> {
    let (head, rest) = split(bytes, 2);
    assert_eq!(head, [1, 1], "version 1, suite ed25519");
    let (tail, rest) = split(rest, STATEMENT_TAIL);
    let (signature, rest) = split(rest, 64);
    let (count, rest) = split(rest, 1);
    assert_eq!(count, [1], "one feed");
    let (leaf, rest) = split(rest, LEAF);
    let (index, rest) = split(rest, 2);
    let (length, rest) = split(rest, 1);
    assert_eq!(
        rest.len(),
        usize::from(length[0]) * 32,
        "nothing behind the path"
    );
    Update {
        tail,
        signature,
        leaf,
        index: usize::from(u16::from_be_bytes([index[0], index[1]])),
        path: rest.chunks(32).collect(),
    }
}

fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize().into()
}

/// RFC 9162, section 2.1.3.2.
fn root(leaf: &[u8], index: usize, size: usize, path: &[&[u8]]) -> [u8; 32] {
    let (mut node, mut last) = (index, size - 1);
    let mut hash = sha256(&[&[0], leaf]);
    for sibling in path {
        assert!(last > 0, "the path is too long");
        if node % 2 == 1 || node == last {
            hash = sha256(&[&[1], sibling, &hash]);
            while node % 2 == 0 && node > 0 {
                node /= 2;
                last /= 2;
            }
        } else {
            hash = sha256(&[&[1], &hash, sibling]);
        }
        node /= 2;
        last /= 2;
    }
    assert_eq!(last, 0, "the path is too short");
    hash
}

/// Verifies an update of one feed, and gives the leaf's price mantissa.
fn verify(bytes: &[u8], key: &[u8; 32], network_id: &[u8; 32], feed: &str) -> i128 {
    let update = parse(bytes);
    let key = VerifyingKey::from_bytes(key).expect("a key");
    let message = sha256(&[b"touchstone/att/1", update.tail]);
    let signature = Signature::from_slice(update.signature).expect("64 bytes");
    key.verify_strict(&message, &signature)
        .expect("the group's signature");
    assert_eq!(&update.tail[..32], network_id);
    let size = usize::from(u16::from_be_bytes([update.tail[52], update.tail[53]]));
    assert_eq!(
        root(update.leaf, update.index, size, &update.path),
        update.tail[54..86]
    );
    assert_eq!(&update.leaf[..feed.len()], feed.as_bytes());
    assert!(update.leaf[feed.len()..32].iter().all(|b| *b == 0));
    i128::from_be_bytes(update.leaf[34..50].try_into().expect("16 bytes"))
}

#[tokio::test]
async fn prices_flow_and_anybody_can_verify_them() {
    let _alone = alone().await;
    let folder = tempfile::tempdir().expect("folder");
    let net = Net::start(&folder.path().join("data"), &first(&[])).await;
    let (key, network_id) = (net.group_key(), net.pin.network_id().0.0);

    for feed in net.pin.genesis_manifest.feeds.iter().map(|f| f.name) {
        let path = format!("/v1/feeds/{feed}/latest?encoding=binary");
        let answer = net.get(&path).await;
        assert_eq!(answer.status, 200, "{feed}");
        verify(&answer.body, &key, &network_id, feed.as_str());
    }

    // A single flipped bit anywhere is noticed by the same code.
    // On a busy machine a round of the first seconds may lack it.
    let btc = until("a price of BTC-USD", async || {
        let path = "/v1/feeds/BTC-USD/latest?encoding=binary";
        let btc = net.get(path).await.body;
        (verify(&btc, &key, &network_id, "BTC-USD") > 0).then_some(btc)
    })
    .await;
    for position in [60, 130, 190, 230, btc.len() - 1] {
        let mut flipped = btc.clone();
        flipped[position] ^= 1;
        let verified = std::panic::catch_unwind(|| verify(&flipped, &key, &network_id, "BTC-USD"));
        assert!(
            verified.is_err(),
            "byte {position} may be changed unnoticed"
        );
    }

    let client = net.client();
    let feed = FeedName::new("BTC-USD").expect("name");
    let fresh = |now| {
        Policy::fresh(now, 10_000)
            .min_observers(3)
            .max_trade_age(60_000)
    };
    // Right after the start, on a busy machine, a source may not have answered yet, and the price says so: degraded.
    let price = until("a verified price", async || {
        client.price(feed, fresh).await.ok()
    })
    .await;
    assert!(
        price.low.mantissa <= price.price.mantissa && price.price.mantissa <= price.high.mantissa
    );
    assert_eq!(price.price.exponent, -8);

    // The client's own examples.
    let pin = net.pin_path();
    let pin = pin.to_str().expect("text");
    // The first endpoint is down.
    let urls = ["http://127.0.0.1:1".to_owned(), net.url("")];
    let shown = latest::latest(pin, &urls).await.expect("the example");
    assert!(shown.round >= price.round);
    let settled = until("the round after the instant", async || {
        settle::settle(pin, price.timestamp_ms, &urls).await.ok()
    })
    .await;
    assert_eq!((settled.round, settled.price), (price.round, price.price));

    // Whoever distrusts the group recomputes the round from what its members signed.
    let (attestation, observations) = client.round(price.round).await.expect("the whole round");
    let verifier = client.verifier();
    let recomputed =
        touchstone_client::recompute::recompute(&net.pin, verifier, &attestation, &observations);
    let recomputed = recomputed.expect("every member's signature holds");
    assert!(
        recomputed.agrees(),
        "the observations give something else than was signed"
    );
    assert!(recomputed.contributors.len() >= 3);

    // Rounds come in order, each once.
    let mut watch = client.watch(&[feed], None);
    let mut last = 0;
    for _ in 0..6 {
        if let touchstone_client::http::WatchEvent::Update(update) = watch.next().await {
            assert!(update.round().0 > last);
            last = update.round().0;
        }
    }
    assert!(last > 0);
    assert!(net.terminate().await.success());
}
