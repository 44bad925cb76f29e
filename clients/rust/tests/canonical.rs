//! The canonical bytes of the shared vectors, rebuilt from their fields.

use std::{fs, path::Path};

use serde_json::Value;
use touchstone_types::{
    Attestation, Digest, Epoch, EpochRecord, FeedName, Header, Leaf, Manifest, MemberId,
    MessageKind, NetworkId, Observation, Reader, Round, Statement, Status, View, canonical_json,
    merkle,
};

fn load(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/canonical");
    let text = fs::read_to_string(path.join(name)).expect(name);
    serde_json::from_str(&text).expect(name)
}

fn list(name: &str) -> Vec<Value> {
    let Value::Array(items) = load(name) else {
        panic!("{name} holds a list")
    };
    assert!(!items.is_empty(), "{name}");
    items
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field]
        .as_str()
        .unwrap_or_else(|| panic!("{field} is text"))
}

fn number<T: std::str::FromStr>(value: &Value, field: &str) -> T {
    let text = value[field]
        .as_str()
        .map_or_else(|| value[field].to_string(), str::to_owned);
    text.parse()
        .ok()
        .unwrap_or_else(|| panic!("{field}: {text} is no number of this size"))
}

fn digest(value: &Value, field: &str) -> Digest {
    Digest::from_hex(text(value, field)).expect(field)
}

fn bytes(value: &Value, field: &str) -> Vec<u8> {
    hex::decode(text(value, field)).expect(field)
}

#[test]
fn headers() {
    for v in list("header.json") {
        let network = NetworkId(digest(&v, "network_id"));
        let tag = Header::tag(network, Epoch(number(&v, "epoch")));
        assert_eq!(tag, digest(&v, "tag"));
        let header = Header {
            tag,
            kind: MessageKind::from_byte(number(&v, "kind")).expect("known"),
            round: Round(number(&v, "round")),
            view: View(number(&v, "view")),
            instance: number(&v, "instance"),
            member: MemberId(number(&v, "member")),
            body_hash: digest(&v, "body_hash"),
        };
        assert_eq!(header.to_bytes().to_vec(), bytes(&v, "bytes"));
        assert_eq!(
            Header::read(&mut Reader::new(&bytes(&v, "bytes"))),
            Ok(header)
        );
    }
}

#[test]
fn observations() {
    for v in list("observation.json") {
        let read = Observation::from_bytes(&bytes(&v, "bytes")).expect("valid");
        assert_eq!(read.timestamp_ms, number::<u64>(&v, "timestamp_ms"));
        let feeds = v["feeds"].as_array().expect("a list");
        assert_eq!(read.feeds.len(), feeds.len());
        for (got, want) in read.feeds.iter().zip(feeds) {
            assert_eq!(got.feed_index, number::<u16>(want, "feed_index"));
            assert_eq!(got.status.bits(), number::<u8>(want, "status_bits"));
            assert_eq!(got.mantissa, number::<i128>(want, "mantissa"));
            assert_eq!(got.trade_time_ms, number::<u64>(want, "trade_time_ms"));
        }
        let nonces = v["nonces"].as_array().expect("a list");
        assert_eq!(read.nonces.len(), nonces.len());
        for (got, want) in read.nonces.iter().zip(nonces) {
            assert_eq!(got.suite.byte(), number::<u8>(want, "suite"));
            assert_eq!(got.bytes, bytes(want, "commitments"));
        }
        assert_eq!(
            touchstone_types::sha256(&[&read.to_bytes()]),
            digest(&v, "hash")
        );
    }
}

fn statement(v: &Value) -> Statement {
    Statement {
        network: NetworkId(digest(v, "network_id")),
        epoch: Epoch(number(v, "epoch")),
        round: Round(number(v, "round")),
        timestamp_ms: number(v, "timestamp_ms"),
        feed_count: number(v, "feed_count"),
        feeds_root: digest(v, "feeds_root"),
        observations_root: digest(v, "observations_root"),
    }
}

#[test]
fn statements() {
    for v in list("statement.json") {
        let statement = statement(&v);
        assert_eq!(statement.to_bytes().to_vec(), bytes(&v, "bytes"));
        assert_eq!(Statement::from_bytes(&bytes(&v, "bytes")), Ok(statement));
        assert_eq!(statement.digest(), digest(&v, "digest"));
    }
}

fn leaf(v: &Value) -> Leaf {
    Leaf {
        feed: FeedName::new(text(v, "feed")).expect("a name"),
        status: Status::from_bits(number(v, "status_bits")).expect("known"),
        exponent: number(v, "exponent"),
        price: number(v, "price"),
        low: number(v, "low"),
        high: number(v, "high"),
        observed_at_ms: number(v, "observed_at_ms"),
        observers: number(v, "observers"),
    }
}

#[test]
fn leaves() {
    for v in list("leaf.json") {
        let leaf = leaf(&v);
        assert_eq!(leaf.to_bytes().to_vec(), bytes(&v, "bytes"));
        assert_eq!(merkle::leaf_hash(&leaf.to_bytes()), digest(&v, "leaf_hash"));
    }
}

#[test]
fn trees() {
    for v in list("merkle.json") {
        let leaves = v["leaves"].as_array().expect("a list");
        let hashes: Vec<Digest> = leaves
            .iter()
            .map(|l| merkle::leaf_hash(&hex::decode(l.as_str().expect("text")).expect("hex")))
            .collect();
        assert_eq!(merkle::root(&hashes), digest(&v, "root"));
        let paths: Vec<Vec<Digest>> = serde_json::from_value(v["paths"].clone()).expect("hashes");
        assert_eq!(paths.len(), hashes.len());
        for (index, path) in paths.iter().enumerate() {
            assert_eq!(merkle::path(&hashes, index).as_ref(), Some(path));
        }
    }
}

#[test]
fn manifest_and_epoch_record() {
    let v = load("manifest.json");
    let manifest = Manifest::from_json(text(&v, "canonical").as_bytes()).expect("valid");
    assert_eq!(
        canonical_json(&manifest).expect("canonical"),
        text(&v, "canonical").as_bytes()
    );
    assert_eq!(manifest.hash(), digest(&v, "hash"));
    assert_eq!(
        serde_json::from_value::<Manifest>(v["manifest"].clone()).expect("valid"),
        manifest
    );
    let v = load("epoch-record.json");
    let record: EpochRecord = serde_json::from_value(v["record"].clone()).expect("valid");
    assert_eq!(record.digest(), digest(&v, "digest"));
    record.check_form(&manifest).expect("the manifest's record");
}

#[test]
fn attestation() {
    let v = load("attestation.json");
    let whole = Attestation::from_bytes(&bytes(&v, "with_observations")).expect("valid");
    let mut bare = Attestation::from_bytes(&bytes(&v, "without_observations")).expect("valid");
    assert_eq!(whole.statement, statement(&v["statement"]));
    let leaves: Vec<Leaf> = v["leaves"]
        .as_array()
        .expect("a list")
        .iter()
        .map(leaf)
        .collect();
    assert_eq!(whole.leaves, leaves);
    let contributors: Vec<MemberId> =
        serde_json::from_value(v["contributors"].clone()).expect("members");
    let members: Vec<MemberId> = whole.observations.iter().map(|o| o.header.member).collect();
    assert_eq!(members, contributors);
    bare.observations.clone_from(&whole.observations);
    assert_eq!(bare, whole);
}
