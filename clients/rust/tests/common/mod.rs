//! Signed rounds of the shared vectors' network at times of the test's choice, and a server that says what it is told to.
#![allow(dead_code, reason = "each test uses a part")]

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{StatusCode, header},
    response::Response,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};
use touchstone_client::{FeedName, Pin, Verifier};
use touchstone_types::{
    Attestation, Digest, Epoch, Leaf, PriceUpdate, Round, SignedObservation, Statement, Status,
    Suite, merkle,
};

/// The vectors' folder.
pub(crate) fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors")
}

/// The vectors' pin.
pub(crate) fn pin_path() -> PathBuf {
    vectors().join("pin/network.json")
}

/// The same, read.
pub(crate) fn pin() -> Pin {
    Pin::from_json(&fs::read(pin_path()).expect("a file")).expect("a pin")
}

/// Its verifier.
pub(crate) fn verifier() -> Verifier {
    Verifier::from_pin(&pin()).expect("a good pin")
}

/// The vectors' group key.
pub(crate) fn group() -> SigningKey {
    SigningKey::from_bytes(&[0x2a; 32])
}

/// A feed's name.
pub(crate) fn feed(name: &str) -> FeedName {
    FeedName::new(name).expect("a feed name")
}

/// The leaf of a feed at a price, observed at a time.
pub(crate) fn leaf(name: &str, price: i128, observed_at_ms: u64) -> Leaf {
    Leaf {
        feed: feed(name),
        status: Status::OK,
        exponent: -8,
        price,
        low: price - 5,
        high: price + 5,
        observed_at_ms,
        observers: 4,
    }
}

/// An update of all these leaves, signed by `key`.
pub(crate) fn update(
    key: &SigningKey,
    round: u64,
    timestamp_ms: u64,
    leaves: &[Leaf],
) -> PriceUpdate {
    let hashes: Vec<Digest> = leaves
        .iter()
        .map(|l| merkle::leaf_hash(&l.to_bytes()))
        .collect();
    let statement = Statement {
        network: pin().network_id(),
        epoch: Epoch(0),
        round: Round(round),
        timestamp_ms,
        feed_count: u16::try_from(leaves.len()).expect("few"),
        feeds_root: merkle::root(&hashes),
        observations_root: Digest([7; 32]),
    };
    let attestation = Attestation {
        statement,
        signatures: vec![(
            Suite::Ed25519,
            key.sign(&statement.digest().0).to_bytes().to_vec(),
        )],
        leaves: leaves.to_vec(),
        observations: Vec::new(),
    };
    let indices: Vec<u16> = (0..statement.feed_count).collect();
    attestation
        .update(Suite::Ed25519, &indices)
        .expect("these leaves exist")
}

/// BTC-USD at a price, signed by the pinned key, with a trade of the same moment.
pub(crate) fn btc(round: u64, timestamp_ms: u64, price: i128) -> Vec<u8> {
    let leaf = leaf("BTC-USD", price, timestamp_ms);
    update(&group(), round, timestamp_ms, &[leaf]).to_bytes()
}

/// An answer in the shape of `latest`, whose numbers are lies beside the signed update.
pub(crate) fn latest(update: &[u8]) -> Value {
    json!({ "feed": "BTC-USD", "price": "1.00000000", "round": 1, "update": STANDARD.encode(update) })
}

/// The vectors' computed round with its observations.
pub(crate) fn computed_round() -> Attestation {
    let text = fs::read_to_string(vectors().join("canonical/attestation.json")).expect("a file");
    let vector: Value = serde_json::from_str(&text).expect("JSON");
    let hex = vector["with_observations"].as_str().expect("text");
    Attestation::from_bytes(&hex::decode(hex).expect("hexadecimal")).expect("valid")
}

/// The answer of `/v1/rounds/{round}`.
pub(crate) fn round_json(attestation: &Attestation) -> Value {
    let bare = Attestation {
        observations: Vec::new(),
        ..attestation.clone()
    };
    json!({ "round": attestation.round(), "attestation": STANDARD.encode(bare.to_bytes()) })
}

/// The answer of `/v1/rounds/{round}/observations`.
pub(crate) fn observations_json(round: Round, observations: &[SignedObservation]) -> Value {
    let list: Vec<Value> = observations
        .iter()
        .map(|o| {
            json!({
                "member": o.header.member,
                "header": hex::encode(o.header.to_bytes()),
                "signature": hex::encode(o.signature.0),
                "body": STANDARD.encode(&o.body),
            })
        })
        .collect();
    json!({ "round": round, "observations": list })
}

/// What a server does with a request.
pub(crate) type Answer = Arc<dyn Fn(&Request) -> Response + Send + Sync>;

/// An HTTP server on a free port of the loopback, for as long as the value lives.
pub(crate) struct Server {
    /// Its base URL.
    pub(crate) url: String,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves every request with `answer`.
pub(crate) async fn serve(answer: impl Fn(&Request) -> Response + Send + Sync + 'static) -> Server {
    let answer: Answer = Arc::new(answer);
    let app = Router::new()
        .fallback(async |State(answer): State<Answer>, request: Request| answer(&request))
        .with_state(answer);
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    let listener = tokio::net::TcpListener::bind(address)
        .await
        .expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let task = tokio::spawn(async move {
        axum::serve(listener, app)
            .await
            .expect("serves until it is dropped");
    });
    Server { url, task }
}

/// 200 with JSON.
pub(crate) fn ok(body: &Value) -> Response {
    with_status(StatusCode::OK, body)
}

/// A status with JSON.
pub(crate) fn with_status(status: StatusCode, body: &Value) -> Response {
    Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body.to_string()))
        .expect("a response")
}

/// 200 with an event stream that ends after these events.
pub(crate) fn events(text: String) -> Response {
    Response::builder()
        .header(header::CONTENT_TYPE, "text/event-stream")
        .body(Body::from(text))
        .expect("a response")
}

/// One `price` event.
pub(crate) fn price_event(id: u64, update: &[u8]) -> String {
    format!("id: {id}\nevent: price\ndata: {}\n\n", latest(update))
}
