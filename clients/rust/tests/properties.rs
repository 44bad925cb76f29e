//! Properties of the verifier and of policies.

mod common;

use common::{btc, feed, group, leaf, update, verifier};
use proptest::prelude::*;
use touchstone_client::{Policy, Round, Status, verify_at};

proptest! {
    #[test]
    fn no_bytes_panic_or_verify(bytes in prop::collection::vec(any::<u8>(), 0..500), suite in 0..3u8) {
        let verifier = verifier();
        prop_assert!(verifier.verify(&bytes).is_err());
        let shaped = [&[1, suite][..], &bytes].concat();
        prop_assert!(verifier.verify(&shaped).is_err());
    }

    #[test]
    fn no_bit_of_an_update_can_be_changed(count in 1usize..9, at in any::<prop::sample::Index>(), bit in 0..8u8) {
        let leaves: Vec<_> = (0..count).map(|i| leaf(&format!("F{i}-USD"), 7, 5)).collect();
        let mut bytes = update(&group(), 5, 6, &leaves).to_bytes();
        prop_assert!(verifier().verify(&bytes).is_ok());
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        prop_assert!(verifier().verify(&bytes).is_err(), "byte {}", at);
    }

    #[test]
    fn a_fresh_price_is_never_older_or_further_ahead_than_stated(
        timestamp in 0..100_000u64,
        traded in 0..100_000u64,
        now in 0..100_000u64,
        max_age in 0..50_000u64,
        max_trade_age in 0..50_000u64,
        skew in 0..10_000u64,
    ) {
        let leaves = [leaf("BTC-USD", 7, traded)];
        let update = verifier().verify(&update(&group(), 5, timestamp, &leaves).to_bytes()).expect("good");
        let policy = Policy::fresh(now, max_age).max_trade_age(max_trade_age).max_skew(skew);
        let holds = timestamp <= now + skew && now <= timestamp + max_age
            && traded <= now + skew && now <= traded + max_trade_age;
        prop_assert_eq!(update.price(feed("BTC-USD"), &policy).is_ok(), holds);
    }

    #[test]
    fn only_statuses_that_are_allowed_by_name_pass(bits in 0..32u8, allowed in 0..32u8) {
        let mut leaf = leaf("BTC-USD", 7, 5);
        leaf.status = Status::from_bits(bits).expect("known bits");
        let update = verifier().verify(&update(&group(), 5, 5, &[leaf]).to_bytes()).expect("good");
        let policy = Policy::fresh(5, 0).allow_status(Status::from_bits(allowed).expect("known bits"));
        prop_assert_eq!(update.price(feed("BTC-USD"), &policy).is_ok(), bits & !allowed == 0);
    }

    #[test]
    fn a_pair_stands_around_its_instant(
        rounds in (0..6u64, 0..6u64),
        times in (0..6u64, 0..6u64),
        instant in 0..6u64,
        max_gap in 0..4u64,
    ) {
        let verifier = verifier();
        let before = verifier.verify(&btc(rounds.0, times.0, 7)).expect("good");
        let after = verifier.verify(&btc(rounds.1, times.1, 8)).expect("good");
        let bracket = verify_at(&before, &after, instant);
        let around = rounds.0 < rounds.1 && times.0 <= instant && instant < times.1;
        prop_assert_eq!(bracket.is_ok(), around);
        if let Ok(bracket) = bracket {
            let policy = Policy::at(bracket).max_gap(max_gap);
            let price = before.price(feed("BTC-USD"), &policy);
            prop_assert_eq!(price.is_ok(), rounds.1 - rounds.0 <= max_gap);
            // The update after the instant is a witness only.
            prop_assert_eq!(after.price(feed("BTC-USD"), &policy).map_err(|e| e.code()), Err("other-update"));
        }
    }

    #[test]
    fn rounds_that_were_seen_are_refused(round in 0..10u64, last in 0..10u64) {
        let update = verifier().verify(&btc(round, 5, 7)).expect("good");
        let policy = Policy::fresh(5, 0).newer_than(Round(last));
        prop_assert_eq!(update.price(feed("BTC-USD"), &policy).is_ok(), round > last);
    }
}

#[test]
fn debug_shows_no_number() {
    let update = verifier().verify(&btc(5, 6, 987_654_321)).expect("good");
    let text = format!("{update:?}");
    assert!(
        text.contains("BTC-USD") && !text.contains("987654321") && !text.contains("9.87654321"),
        "{text}"
    );
}
