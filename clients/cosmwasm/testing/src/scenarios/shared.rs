//! The repository's shared vectors.

use std::collections::BTreeSet;

use cosmwasm_std::{Binary, HexBinary, Uint64};
use touchstone_cosmwasm::msg::{
    Conditions, GroupKeys, InstantiateMsg, PriceResponse, QueryMsg, Status,
};
use touchstone_types::{Decimal, Suite};

use super::{code, price, verify};
use crate::{
    Chain, Refused,
    chain::block_time,
    vectors::{self, Entry, KeyVector, PolicyFile, PolicyVector, Valid, bytes, number},
};

/// Valid updates are kept, and every field of every leaf is answered as the vector says.
pub fn valid_updates<C: Chain>() {
    let files = vectors::folder("update/valid");
    assert!(files.len() >= 40, "only {} vectors", files.len());
    let mut chain = C::new();
    let mut too_far_ahead = Vec::new();
    for (name, vector) in &files {
        let valid = vector.valid.as_ref().expect(name);
        let timestamp_ms: u64 = number(&valid.statement.timestamp_ms);
        chain.instantiate(&vector.pin()).expect(name);
        chain.set_time_ms(timestamp_ms);
        if timestamp_ms > block_time(u64::MAX).nanos() / 1_000_000 + 2_000 {
            // No block has a time that such a round is not ahead of.
            assert_eq!(code(name, chain.update(&vector.update())), "ahead-of-now");
            too_far_ahead.push(name.as_str());
            continue;
        }
        let feeds = u32::try_from(valid.entries.len()).expect("few");
        assert_eq!(chain.update(&vector.update()), Ok((feeds, 0)), "{name}");
        for entry in &valid.entries {
            check_entry(&mut chain, name, &vector.update(), valid, entry);
        }
        let kept = chain.storage();
        assert_eq!(code(name, chain.update(&vector.update())), "not-newer");
        assert_eq!(chain.storage(), kept, "{name}");
    }
    assert_eq!(too_far_ahead, ["statement-largest"]);
}

fn check_entry(chain: &mut impl Chain, name: &str, update: &[u8], valid: &Valid, entry: &Entry) {
    let allow = Conditions {
        allow_status: Status::of(entry.status),
        ..Conditions::default()
    };
    let feed = entry.feed.as_str();
    // Trade times of some vectors are far ahead of their round.
    let observed_at_ms: u64 = number(&entry.observed_at_ms);
    let timestamp_ms: u64 = number(&valid.statement.timestamp_ms);
    chain.set_time_ms(timestamp_ms.max(observed_at_ms));
    let kept = price(chain, feed, u64::MAX, allow.clone());
    let shown = verify(chain, update, feed, u64::MAX, allow);
    assert_eq!(kept, shown, "{name}");
    if entry.status.contains(touchstone_types::Status::UNAVAILABLE) {
        assert_eq!(code(name, kept), "unavailable");
        return;
    }
    if observed_at_ms > block_time(u64::MAX).nanos() / 1_000_000 + 2_000 {
        assert_eq!(code(name, kept), "ahead-of-now");
        return;
    }
    let text = |mantissa: &str| Decimal::new(number(mantissa), entry.exponent).to_string();
    let want = PriceResponse {
        feed: feed.to_owned(),
        price: text(&entry.price),
        low: text(&entry.low),
        high: text(&entry.high),
        price_mantissa: number(&entry.price),
        low_mantissa: number(&entry.low),
        high_mantissa: number(&entry.high),
        exponent: entry.exponent,
        status: Status::of(entry.status),
        observers: entry.observers,
        observed_at_ms: Uint64::new(observed_at_ms),
        epoch: valid.statement.epoch,
        round: Uint64::new(number(&valid.statement.round)),
        timestamp_ms: Uint64::new(timestamp_ms),
    };
    assert_eq!(kept, Ok(want), "{name}");
}

/// Invalid updates are refused with exactly their code, sent or shown, and change nothing.
pub fn invalid_updates<C: Chain>() {
    let files = vectors::folder("update/invalid");
    assert!(files.len() >= 100, "only {} vectors", files.len());
    let mut chain = C::new();
    chain.set_time_ms(1_790_000_007_021);
    let mut codes = BTreeSet::new();
    for (name, vector) in &files {
        let want = vector.code.as_deref().expect(name);
        chain.instantiate(&vector.pin()).expect(name);
        let before = chain.storage();
        let sent = chain.update(&vector.update());
        assert_eq!(code(name, sent), want, "{name}");
        assert_eq!(chain.storage(), before, "{name}");
        let shown = verify(
            &mut chain,
            &vector.update(),
            "BTC-USD",
            u64::MAX,
            Conditions::default(),
        );
        assert_eq!(code(name, shown), want, "{name}");
        codes.insert(want);
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
    assert_eq!(codes.into_iter().collect::<Vec<_>>(), every);
}

/// Group keys that must not be pinned are not, and the others are.
pub fn group_keys<C: Chain>() {
    let vectors: Vec<KeyVector> = vectors::file("group-keys.json");
    assert!(vectors.len() > 30);
    let mut chain = C::new();
    for vector in vectors {
        let key = Some(HexBinary::from(bytes(&vector.key)));
        let mut keys = GroupKeys::default();
        match vector.suite {
            Suite::Ed25519 => keys.ed25519 = key,
            Suite::Secp256k1Keccak => keys.secp256k1_keccak = key,
        }
        let made = chain.instantiate(&InstantiateMsg {
            network_id: HexBinary::from([1; 32]),
            group_keys: keys,
            max_skew_ms: None,
        });
        let got = made.as_ref().err().map(Refused::code);
        assert_eq!(got, vector.code.as_deref(), "{}", vector.description);
    }
}

/// Authentic updates under conditions give their price or their code: kept and asked for, shown, and for an instant.
pub fn policies<C: Chain>() {
    let file: PolicyFile = vectors::file("policy.json");
    assert!(file.cases.len() > 40);
    let mut chain = C::new();
    for case in &file.cases {
        let what = &case.description;
        chain
            .instantiate(&file.pin(case.policy.max_skew_ms))
            .expect(what);
        let p = &case.policy;
        match (&p.now_ms, &p.at_ms, &case.next) {
            (Some(now), None, None) => check_fresh(&mut chain, case, number(now)),
            (None, Some(at), Some(next)) => check_instant(&mut chain, case, number(at), next),
            _ => panic!("{what}: either now and an age, or an instant and the next update"),
        }
    }
}

fn conditions(case: &PolicyVector) -> Conditions {
    let policy = &case.policy;
    Conditions {
        allow_status: policy.allow_status.map(Status::of).unwrap_or_default(),
        max_trade_age_ms: policy.max_trade_age_ms,
        min_observers: policy.min_observers,
        newer_than: policy
            .newer_than
            .as_deref()
            .map(|round| Uint64::new(number(round))),
    }
}

fn check_fresh(chain: &mut impl Chain, case: &PolicyVector, now_ms: u64) {
    let update = bytes(&case.update);
    let max_age_ms = case.policy.max_age_ms.expect("an age goes with now");
    // It is sent when its round is over, and asked for when the vector says.
    chain.set_time_ms(1_790_000_010_000);
    chain.update(&update).expect(&case.description);
    chain.set_time_ms(now_ms);
    let kept = price(chain, &case.feed, max_age_ms, conditions(case));
    check_verdict(case, kept);
    let shown = verify(chain, &update, &case.feed, max_age_ms, conditions(case));
    check_verdict(case, shown);
}

fn check_instant(chain: &mut impl Chain, case: &PolicyVector, at_ms: u64, next: &str) {
    let verdict = chain.query(&QueryMsg::VerifyAt {
        before: Binary::new(bytes(&case.update)),
        after: Binary::new(bytes(next)),
        feed: case.feed.clone(),
        instant_ms: Uint64::new(at_ms),
        max_gap: case.policy.max_gap,
        conditions: conditions(case),
    });
    check_verdict(case, verdict);
}

fn check_verdict(case: &PolicyVector, verdict: Result<PriceResponse, Refused>) {
    let what = &case.description;
    match (verdict, case.price, &case.code) {
        (Ok(got), Some(want), None) => assert_eq!(got.price, want.to_string(), "{what}"),
        (Err(got), None, Some(want)) => assert_eq!(got.code(), want, "{what}: {got:?}"),
        (got, want, code) => panic!("{what}: {got:?}, expected {want:?} {code:?}"),
    }
}
