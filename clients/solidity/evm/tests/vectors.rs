//! Every file of tests/vectors/ that is about updates, keys and policies, with exactly its code.

use std::sync::OnceLock;

use touchstone_solidity_tests::{
    Arg, Artifact, Chain, Committee4, Conditions, Oracle, UpdateVector, Words, feed_word,
    invalid_updates, kebab, read_vector, valid_updates,
};
use touchstone_types::{Digest, NetworkId, PriceUpdate, Round, Statement, Status, Suite, merkle};

/// The last whole second of a clock of 64 bits, which is less than [`SKEW_MS`] behind any timestamp.
const LATE: u64 = u64::MAX / 1_000;
const SKEW_MS: u64 = 1_000;

fn committee() -> &'static Committee4 {
    static COMMITTEE: OnceLock<Committee4> = OnceLock::new();
    COMMITTEE.get_or_init(|| Committee4::generate(1))
}

/// The group key of the vectors' second suite.
fn vector_key() -> Vec<u8> {
    let keys = read_vector("group-keys.json");
    let is_group = |k: &&serde_json::Value| {
        k["suite"] == "secp256k1-keccak" && k["description"] == "the vectors' group key"
    };
    let key = keys
        .as_array()
        .expect("a list")
        .iter()
        .find(is_group)
        .expect("the group key");
    hex::decode(key["key"].as_str().expect("a text")).expect("hexadecimal")
}

fn network(vector: &UpdateVector) -> NetworkId {
    NetworkId(Digest(vector.network))
}

/// The code of a refusal of these bytes, whatever feed is asked for.
fn refusal(chain: &Chain, oracle: &Oracle, update: &[u8]) -> Option<String> {
    chain
        .call(oracle.address, &oracle.verify(update, "NO-FEED", u64::MAX))
        .code()
}

/// Asks for every entry of a valid update and compares every field with the vector's.
fn check_valid(vector: &UpdateVector, update: &[u8], key: &[u8]) {
    let mut chain = Chain::new(LATE);
    let oracle = Oracle::deploy(&mut chain, network(vector), key, SKEW_MS);
    assert_eq!(
        refusal(&chain, &oracle, update).as_deref(),
        Some("no-feed"),
        "{}",
        vector.name
    );
    let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
    let (statement, entries) = (&vector.valid["statement"], &vector.valid["entries"]);
    for entry in entries.as_array().expect("entries") {
        let feed = text(&entry["feed"]);
        let conditions = Conditions {
            max_age_ms: u64::MAX,
            allowed: 0xff,
            ..Conditions::default()
        };
        let outcome = chain.call(
            oracle.address,
            &oracle.verify_under(update, &feed, conditions),
        );
        let bits = entry["status_bits"].as_u64().expect("bits");
        if bits & 0x80 != 0 {
            assert_eq!(
                outcome.code().as_deref(),
                Some("unavailable"),
                "{}",
                vector.name
            );
            continue;
        }
        let words = outcome.words();
        for (i, field) in ["price", "low", "high"].into_iter().enumerate() {
            assert_eq!(
                words.int(i).to_string(),
                text(&entry[field]),
                "{} {field}",
                vector.name
            );
        }
        assert_eq!(
            words.int(3),
            i128::from(entry["exponent"].as_i64().expect("a number"))
        );
        assert_eq!(words.uint(4), bits);
        assert_eq!(
            words.uint(5),
            entry["observers"].as_u64().expect("a number")
        );
        assert_eq!(
            words.uint(6),
            statement["epoch"].as_u64().expect("a number")
        );
        assert_eq!(words.uint(7).to_string(), text(&statement["round"]));
        assert_eq!(words.uint(8).to_string(), text(&statement["timestamp_ms"]));
        assert_eq!(words.uint(9).to_string(), text(&entry["observed_at_ms"]));
        assert_eq!(words.len(), 10);
        // Without a word about status, only an unflagged price comes out.
        let strict = chain
            .call(oracle.address, &oracle.verify(update, &feed, u64::MAX))
            .code();
        assert_eq!(
            strict.as_deref(),
            (bits != 0).then_some("status"),
            "{}",
            vector.name
        );
    }
}

#[test]
fn valid_updates_of_the_second_suite_are_accepted_field_by_field() {
    let vectors: Vec<_> = valid_updates()
        .into_iter()
        .filter(|v| v.update[1] == 2)
        .collect();
    assert!(vectors.len() >= 9, "{}", vectors.len());
    for vector in vectors {
        check_valid(
            &vector,
            &vector.update,
            vector.secp256k1.as_ref().expect("a key"),
        );
    }
}

#[test]
fn valid_updates_of_the_first_suite_are_refused_and_accepted_once_a_committee_signed_them() {
    let vectors: Vec<_> = valid_updates()
        .into_iter()
        .filter(|v| v.update[1] == 1)
        .collect();
    assert!(vectors.len() >= 33, "{}", vectors.len());
    let key = vector_key();
    for vector in vectors {
        let mut chain = Chain::new(LATE);
        let oracle = Oracle::deploy(&mut chain, network(&vector), &key, 0);
        let code = refusal(&chain, &oracle, &vector.update);
        assert_eq!(
            code.as_deref(),
            Some("unsupported-suite"),
            "{}",
            vector.name
        );
        let anew = committee().sign_anew(&vector.update);
        check_valid(&vector, &anew, &committee().group_key());
    }
}

/// What an oracle of the second suite alone must say of a vector.
fn expected(vector: &UpdateVector) -> &str {
    let code = vector.code.as_deref().expect("a code");
    // Form and network come before the suite; signature and inclusion behind it.
    match (vector.update.get(1), code) {
        (Some(1), "bad-signature" | "inclusion") => "unsupported-suite",
        _ => code,
    }
}

#[test]
fn invalid_updates_are_refused_with_their_code() {
    let vectors = invalid_updates();
    assert!(vectors.len() >= 115, "{}", vectors.len());
    let key = vector_key();
    let mut of_second_suite = 0;
    for vector in vectors {
        let mut chain = Chain::new(LATE);
        let pinned = vector.secp256k1.as_ref().unwrap_or(&key);
        of_second_suite += usize::from(vector.secp256k1.is_some());
        let oracle = Oracle::deploy(&mut chain, network(&vector), pinned, 0);
        // Of the two keys this one alone can be pinned here: a vector that is refused for lack of it does not apply.
        if vector.update.get(1) == Some(&2) && vector.secp256k1.is_none() {
            assert_eq!(
                vector.code.as_deref(),
                Some("unsupported-suite"),
                "{}",
                vector.name
            );
            continue;
        }
        let name = &vector.name;
        assert_eq!(
            refusal(&chain, &oracle, &vector.update).as_deref(),
            Some(expected(&vector)),
            "{name}"
        );
        let before = chain.storage(oracle.address);
        let sent = chain.send(
            touchstone_solidity_tests::SENDER,
            oracle.address,
            &oracle.update(&vector.update),
        );
        assert_eq!(sent.code().as_deref(), Some(expected(&vector)), "{name}");
        assert_eq!(chain.storage(oracle.address), before, "{name}");
    }
    assert!(of_second_suite >= 23, "{of_second_suite}");
}

#[test]
fn invalid_updates_of_the_first_suite_keep_their_code_once_a_committee_signed_them() {
    let mut checked = 0;
    for vector in invalid_updates() {
        let code = vector.code.as_deref().expect("a code");
        // What is wrong with a signature of the first suite is gone then.
        if vector.update.get(1) != Some(&1)
            || ["bad-signature", "unsupported-suite"].contains(&code)
        {
            continue;
        }
        let mut chain = Chain::new(LATE);
        let oracle = Oracle::deploy(&mut chain, network(&vector), &committee().group_key(), 0);
        let anew = committee().sign_anew(&vector.update);
        assert_eq!(
            refusal(&chain, &oracle, &anew).as_deref(),
            Some(code),
            "{}",
            vector.name
        );
        checked += 1;
    }
    assert!(checked >= 70, "{checked}");
}

#[test]
fn group_keys_are_pinned_or_refused() {
    let artifact = Artifact::read("TouchstoneOracle");
    let keys = read_vector("group-keys.json");
    let mut checked = 0;
    for vector in keys.as_array().expect("a list") {
        let key = hex::decode(vector["key"].as_str().expect("a text")).expect("hexadecimal");
        let arguments = Oracle::arguments(NetworkId(Digest([1; 32])), &key, 0);
        let deployed = Chain::new(0).try_deploy(&artifact, &arguments);
        let code = deployed
            .err()
            .map(|outcome| outcome.code().expect("a revert"));
        if vector["suite"] == "secp256k1-keccak" {
            assert_eq!(
                code.as_deref(),
                vector["code"].as_str(),
                "{}",
                vector["description"]
            );
            checked += 1;
        } else {
            // No key of the first suite is one of the second.
            assert_eq!(
                code.as_deref(),
                Some("bad-group-key"),
                "{}",
                vector["description"]
            );
        }
    }
    assert!(checked >= 20, "{checked}");
}

/// A case of policy.json as this committee would have signed it. A block counts seconds, so everything is moved to where the
/// case's clock shows a whole second: the update, the committee's signature on it, and the time of the block.
fn whole_seconds(case: &serde_json::Value) -> (u64, Statement, PriceUpdate) {
    let now: u64 = number(&case["policy"]["now_ms"]);
    let later = (1_000 - now % 1_000) % 1_000;
    let bytes = hex::decode(case["update"].as_str().expect("a text")).expect("hexadecimal");
    let mut update = PriceUpdate::from_bytes(&bytes).expect("well formed");
    update.statement.timestamp_ms += later;
    for entry in &mut update.entries {
        entry.leaf.observed_at_ms += later;
    }
    let [entry] = &update.entries[..] else {
        panic!("one feed of one")
    };
    assert_eq!(update.statement.feed_count, 1);
    update.statement.feeds_root = merkle::leaf_hash(&entry.leaf.to_bytes());
    update.suite = Suite::Secp256k1Keccak;
    update.signature = committee().sign(&update.statement);
    (now.div_ceil(1_000), update.statement, update)
}

fn number(value: &serde_json::Value) -> u64 {
    match value.as_str() {
        Some(text) => text.parse().expect("a number"),
        None => value.as_u64().expect("a number"),
    }
}

#[test]
fn policies_give_the_price_or_the_code() {
    let file = read_vector("policy.json");
    let mut checked = 0;
    for case in file["cases"].as_array().expect("cases") {
        let policy = &case["policy"];
        if policy.get("now_ms").is_none() {
            // About a past instant: contracts have no such call.
            assert!(policy.get("at_ms").is_some());
            continue;
        }
        let (now, statement, update) = whole_seconds(case);
        let mut chain = Chain::new(now);
        let skew = policy
            .get("max_skew_ms")
            .map_or(number(&file["default_max_skew_ms"]), number);
        let oracle = Oracle::deploy(
            &mut chain,
            statement.network,
            &committee().group_key(),
            skew,
        );
        let of = |name: &str| policy.get(name).map_or(0, number);
        let allowed = policy.get("allow_status").map_or(0, |names| {
            let names = names.as_array().expect("names").iter();
            names.fold(0, |bits, n| {
                bits | n
                    .as_str()
                    .expect("a name")
                    .parse::<Status>()
                    .expect("known")
                    .bits()
            })
        });
        let conditions = Conditions {
            max_age_ms: of("max_age_ms"),
            max_trade_age_ms: of("max_trade_age_ms"),
            newer_than: of("newer_than"),
            min_observers: u16::try_from(of("min_observers")).expect("small"),
            allowed,
        };
        let what = case["description"].as_str().expect("a text");
        let feed = case["feed"].as_str().expect("a text");
        let outcome = chain.call(
            oracle.address,
            &oracle.verify_under(&update.to_bytes(), feed, conditions),
        );
        assert_eq!(outcome.code().as_deref(), case["code"].as_str(), "{what}");
        if let Some(price) = case["price"].as_str() {
            let words = outcome.words();
            assert_eq!(words.int(3), -8);
            assert_eq!(words.int(0).to_string(), price.replace('.', ""), "{what}");
            assert_eq!(Round(words.uint(7)), statement.round);
        }
        checked += 1;
    }
    assert!(checked >= 33, "{checked}");
}

#[test]
fn every_code_that_updates_and_prices_can_have_is_an_error_of_the_oracle() {
    // Those of an instant, and of pins with their members' signatures, are not a contract's.
    let elsewhere = [
        "bad-pin",
        "bad-epoch-signature",
        "bad-member-signature",
        "no-pair",
        "not-around",
        "gap",
    ];
    let artifact = Artifact::read("TouchstoneOracle");
    let readme =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/vectors/README.md");
    let readme = std::fs::read_to_string(readme).expect("the vectors' README");
    let rows = readme
        .lines()
        .filter(|line| line.starts_with("| `") && !line.contains(".json"));
    let codes: Vec<&str> = rows
        .flat_map(|row| row.split('|').nth(1).expect("a column").split(','))
        .map(|code| code.trim().trim_matches('`'))
        .collect();
    assert!(codes.len() >= 28, "{codes:?}");
    let errors: Vec<String> = artifact.errors().into_iter().map(kebab).collect();
    for code in codes {
        assert_eq!(
            errors.iter().any(|e| e == code),
            !elsewhere.contains(&code),
            "{code}"
        );
    }
}

#[test]
fn names_of_feeds_are_those_of_the_types() {
    // Through the harness of the libraries; the proptest of names is in libraries.rs.
    let mut chain = Chain::new(0);
    let harness = Artifact::read("LibraryHarness");
    let address = chain.deploy("LibraryHarness", &[Arg::Bytes(vector_key())]);
    for name in [
        "BTC-USD",
        "A-B",
        "ABCDEFGHIJKLMN0-ABCDEFGHIJKLMN9",
        ".-.",
        "1INCH-USD",
    ] {
        let data = [
            harness.selector("isFeedName").to_vec(),
            Arg::encode(&[feed_word(name)]),
        ]
        .concat();
        let words: Words = chain.call(address, &data).words();
        assert_eq!(words.uint(0), 1, "{name}");
    }
}
