//! Runs every shared vector.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use touchstone_client::{
    Digest, FeedName, GroupKey, NetworkId, Pin, Policy, Round, Status, Suite, VerifiedUpdate,
    Verifier, verify_at,
};
use touchstone_types::Decimal;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UpdateVector {
    #[allow(dead_code, reason = "for readers of the file")]
    description: String,
    network_id: NetworkId,
    group_keys: BTreeMap<Suite, String>,
    update: String,
    code: Option<String>,
    valid: Option<Valid>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Valid {
    suite: Suite,
    statement: StatementFields,
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StatementFields {
    network_id: NetworkId,
    epoch: u32,
    round: String,
    timestamp_ms: String,
    feed_count: u16,
    feeds_root: Digest,
    observations_root: Digest,
    digest: Digest,
}

#[derive(Deserialize)]
struct Entry {
    feed: FeedName,
    status: Status,
    status_bits: u8,
    exponent: i8,
    price: String,
    low: String,
    high: String,
    observed_at_ms: String,
    observers: u16,
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors")
}

/// The JSON files of a folder by name.
fn folder(name: &str) -> BTreeMap<String, String> {
    let path = directory().join(name);
    let entries = fs::read_dir(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    entries
        .map(|entry| entry.expect("a readable folder"))
        .map(|entry| {
            let text = fs::read_to_string(entry.path()).expect("a text file");
            (entry.file_name().to_string_lossy().into_owned(), text)
        })
        .collect()
}

fn parse<'a, T: Deserialize<'a>>(name: &str, text: &'a str) -> T {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn number<T: std::str::FromStr>(text: &str) -> T {
    text.parse()
        .ok()
        .unwrap_or_else(|| panic!("{text:?} is no number of this size"))
}

fn bytes(hex: &str) -> Vec<u8> {
    hex::decode(hex).expect("hexadecimal")
}

fn verifier(network: NetworkId, keys: &BTreeMap<Suite, String>) -> Verifier {
    let keys = keys
        .iter()
        .map(|(suite, key)| GroupKey::new(*suite, &bytes(key)).expect("the vectors pin good keys"));
    Verifier::new(network, keys)
}

#[test]
fn valid_updates_say_what_the_vectors_say() {
    let files = folder("update/valid");
    assert!(files.len() >= 30, "only {} vectors", files.len());
    for (name, text) in &files {
        let vector: UpdateVector = parse(name, text);
        let valid = vector.valid.expect(name);
        let update = verifier(vector.network_id, &vector.group_keys)
            .verify(&bytes(&vector.update))
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        check_statement(name, &update, &valid);
        assert_eq!(hex::encode(update.to_bytes()), vector.update, "{name}");
        let feeds: Vec<FeedName> = valid.entries.iter().map(|e| e.feed).collect();
        assert_eq!(update.feeds().collect::<Vec<_>>(), feeds, "{name}");
        for entry in &valid.entries {
            check_entry(name, &update, entry);
        }
    }
}

fn check_statement(name: &str, update: &VerifiedUpdate, valid: &Valid) {
    let (got, want) = (update.statement(), &valid.statement);
    assert_eq!(update.suite(), valid.suite, "{name}");
    assert_eq!(got.network, want.network_id, "{name}");
    assert_eq!(got.epoch.0, want.epoch, "{name}");
    assert_eq!(got.round.0, number::<u64>(&want.round), "{name}");
    assert_eq!(
        got.timestamp_ms,
        number::<u64>(&want.timestamp_ms),
        "{name}"
    );
    assert_eq!(got.feed_count, want.feed_count, "{name}");
    assert_eq!(got.feeds_root, want.feeds_root, "{name}");
    assert_eq!(got.observations_root, want.observations_root, "{name}");
    assert_eq!(got.digest(), want.digest, "{name}");
}

fn check_entry(name: &str, update: &VerifiedUpdate, entry: &Entry) {
    assert_eq!(entry.status.bits(), entry.status_bits, "{name}");
    assert_eq!(update.status(entry.feed), Some(entry.status), "{name}");
    let policy = Policy::fresh(update.timestamp_ms(), 0)
        .max_skew(u64::MAX)
        .allow_status(entry.status);
    let price = update.price(entry.feed, &policy);
    if entry.status.contains(Status::UNAVAILABLE) {
        assert_eq!(price.map_err(|e| e.code()), Err("unavailable"), "{name}");
        return;
    }
    let price = price.unwrap_or_else(|e| panic!("{name}: {e}"));
    let decimal = |mantissa: &str| Decimal::new(number(mantissa), entry.exponent);
    assert_eq!(price.price, decimal(&entry.price), "{name}");
    assert_eq!(price.low, decimal(&entry.low), "{name}");
    assert_eq!(price.high, decimal(&entry.high), "{name}");
    assert_eq!(
        price.observed_at_ms,
        number::<u64>(&entry.observed_at_ms),
        "{name}"
    );
    assert_eq!(price.observers, entry.observers, "{name}");
}

#[test]
fn invalid_updates_are_refused_with_their_code() {
    let files = folder("update/invalid");
    assert!(files.len() >= 90, "only {} vectors", files.len());
    let mut codes = BTreeSet::new();
    for (name, text) in &files {
        let vector: UpdateVector = parse(name, text);
        let code = vector.code.expect(name);
        let verdict =
            verifier(vector.network_id, &vector.group_keys).verify(&bytes(&vector.update));
        let refused = verdict.expect_err(name);
        assert_eq!(refused.code(), code, "{name}: {refused}");
        codes.insert(code);
    }
    // Every code that a verifier has is shown at least once.
    let every = [
        "bad-signature",
        "inclusion",
        "invalid-leaf",
        "leaf-index",
        "leaf-order",
        "no-entries",
        "path-length",
        "trailing-bytes",
        "truncated",
        "unknown-suite",
        "unknown-version",
        "unsupported-suite",
        "wrong-network",
    ];
    assert_eq!(codes.iter().map(String::as_str).collect::<Vec<_>>(), every);
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyVector {
    description: String,
    suite: Suite,
    key: String,
    code: Option<String>,
}

#[test]
fn weak_keys_are_not_pinned() {
    let text = fs::read_to_string(directory().join("group-keys.json")).expect("a text file");
    let vectors: Vec<KeyVector> = parse("group-keys.json", &text);
    assert!(vectors.len() > 30);
    for vector in vectors {
        let key = GroupKey::new(vector.suite, &bytes(&vector.key));
        assert_eq!(
            key.is_err(),
            vector.code.is_some(),
            "{}",
            vector.description
        );
    }
}

#[derive(Deserialize)]
struct PolicyFile {
    network_id: NetworkId,
    group_key: String,
    default_max_skew_ms: u64,
    cases: Vec<PolicyVector>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyVector {
    description: String,
    update: String,
    next: Option<String>,
    feed: FeedName,
    policy: Conditions,
    code: Option<String>,
    price: Option<Decimal>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Conditions {
    now_ms: Option<String>,
    max_age_ms: Option<u64>,
    at_ms: Option<String>,
    max_gap: Option<u64>,
    max_trade_age_ms: Option<u64>,
    min_observers: Option<u16>,
    allow_status: Option<Status>,
    max_skew_ms: Option<u64>,
    newer_than: Option<String>,
}

impl Conditions {
    fn apply(&self, mut policy: Policy) -> Policy {
        if let Some(rounds) = self.max_gap {
            policy = policy.max_gap(rounds);
        }
        if let Some(ms) = self.max_trade_age_ms {
            policy = policy.max_trade_age(ms);
        }
        if let Some(count) = self.min_observers {
            policy = policy.min_observers(count);
        }
        if let Some(status) = self.allow_status {
            policy = policy.allow_status(status);
        }
        if let Some(ms) = self.max_skew_ms {
            policy = policy.max_skew(ms);
        }
        match &self.newer_than {
            Some(round) => policy.newer_than(Round(number(round))),
            None => policy,
        }
    }
}

#[test]
fn policies_give_the_price_or_their_code() {
    let text = fs::read_to_string(directory().join("policy.json")).expect("a text file");
    let file: PolicyFile = parse("policy.json", &text);
    assert_eq!(
        file.default_max_skew_ms,
        touchstone_client::DEFAULT_MAX_SKEW_MS
    );
    let keys = BTreeMap::from([(Suite::Ed25519, file.group_key)]);
    let verifier = verifier(file.network_id, &keys);
    assert!(file.cases.len() > 40);
    for case in file.cases {
        let what = &case.description;
        let update = verifier.verify(&bytes(&case.update)).expect(what);
        let p = &case.policy;
        let policy = match (&p.now_ms, &p.at_ms, &case.next) {
            (Some(now), None, None) => {
                let max_age = p.max_age_ms.expect("an age goes with now");
                Ok(Policy::fresh(number(now), max_age))
            }
            (None, Some(at), Some(next)) => {
                let next = verifier.verify(&bytes(next)).expect(what);
                verify_at(&update, &next, number(at)).map(Policy::at)
            }
            _ => panic!("{what}: either now and an age, or an instant and the next update"),
        };
        let price = policy.and_then(|policy| update.price(case.feed, &p.apply(policy)));
        match (price, case.price, case.code) {
            (Ok(got), Some(want), None) => assert_eq!(got.price, want, "{what}"),
            (Err(error), None, Some(code)) => assert_eq!(error.code(), code, "{what}: {error}"),
            (got, want, code) => panic!("{what}: {got:?}, expected {want:?} {code:?}"),
        }
    }
}

#[derive(Deserialize)]
struct PinVector {
    description: String,
    code: String,
    pin: serde_json::Value,
}

#[test]
fn good_pins_are_accepted() {
    for name in ["pin/network.json", "pin/two-epochs.json"] {
        let text = fs::read(directory().join(name)).expect("a file");
        let pin = Pin::from_json(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
        let verifier = Verifier::from_pin(&pin).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(verifier.network(), pin.network_id());
        #[cfg(feature = "members")]
        touchstone_client::check_pin_members(&pin).unwrap_or_else(|e| panic!("{name}: {e}"));
    }
}

#[test]
fn bad_pins_are_refused_with_their_code() {
    let files = folder("pin/invalid");
    assert!(files.len() >= 10);
    for (name, text) in files {
        let vector: PinVector = parse(&name, &text);
        // Not read by `Pin::from_json`, which validates: a verifier must refuse a pin however it came about.
        let pin: Pin = serde_json::from_value(vector.pin).unwrap_or_else(|e| panic!("{name}: {e}"));
        let verdict = Verifier::from_pin(&pin).map(drop);
        #[cfg(feature = "members")]
        let verdict = verdict.and_then(|()| touchstone_client::check_pin_members(&pin));
        #[cfg(not(feature = "members"))]
        if vector.code == "bad-member-signature" {
            assert_eq!(verdict, Ok(()), "{name}");
            continue;
        }
        let refused = verdict.expect_err(&vector.description);
        assert_eq!(refused.code(), vector.code, "{name}: {refused}");
    }
}
