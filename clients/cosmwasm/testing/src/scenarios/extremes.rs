//! The largest and the smallest of everything that a group can sign and a chain can count.

use cosmwasm_std::{Binary, Uint64};
use touchstone_cosmwasm::msg::{Conditions, PriceResponse, QueryMsg};
use touchstone_types::{Attestation, Epoch, Leaf, Round, Suite};

use super::{code, price, verify};
use crate::{
    Chain,
    world::{self, Network, feed},
};

/// The last millisecond that a block can have: chains count nanoseconds in 64 bits.
const LAST_MS: u64 = u64::MAX / 1_000_000;
/// The skew that is pinned if nobody says otherwise, in milliseconds.
const SKEW_MS: u64 = 2_000;

fn start<C: Chain>(network: &Network) -> C {
    let mut chain = C::new();
    let pin = network.pin(&[Suite::Ed25519]);
    chain.instantiate(&pin).expect("a good pin");
    chain.set_time_ms(u64::MAX);
    chain
}

/// A round of any number and time.
fn sign(network: &mut Network, round: u64, timestamp_ms: u64, leaves: Vec<Leaf>) -> Attestation {
    network.attest(0, leaves, |statement| {
        statement.epoch = Epoch(u32::MAX);
        statement.round = Round(round);
        statement.timestamp_ms = timestamp_ms;
    })
}

fn update(attestation: &Attestation, indices: &[u16]) -> Vec<u8> {
    world::update(attestation, Suite::Ed25519, indices)
}

/// Every number comes back as it was signed, in the last block that there can be, and no round follows the last one.
pub fn every_number_is_exact<C: Chain>() {
    let mut network = Network::generate(40);
    let mut chain: C = start(&network);
    let (least, most) = (i128::MIN, i128::MAX);
    let zeros = "0".repeat(38);
    let cases = [
        // price, low, high, exponent, the price's text
        (least, least, most, 38, format!("{least}{zeros}")),
        (most, least, most, 38, format!("{most}{zeros}")),
        (
            least,
            least,
            least,
            -38,
            "-1.70141183460469231731687303715884105728".into(),
        ),
        (
            most,
            0,
            most,
            -38,
            "1.70141183460469231731687303715884105727".into(),
        ),
        (-1, -1, 1, -38, format!("-0.{}1", "0".repeat(37))),
        (0, least, most, -38, format!("0.{zeros}")),
    ];
    let mut leaves = world::leaves(0, cases.len());
    for (leaf, (price, low, high, exponent, _)) in leaves.iter_mut().zip(&cases) {
        (leaf.price, leaf.low, leaf.high) = (*price, *low, *high);
        leaf.exponent = *exponent;
        leaf.observed_at_ms = LAST_MS + SKEW_MS;
        leaf.observers = u16::MAX;
    }
    let indices: Vec<u16> = (0..6).collect();
    let last = sign(&mut network, u64::MAX, LAST_MS + SKEW_MS, leaves.clone());
    let last = update(&last, &indices);
    assert_eq!(chain.update(&last), Ok((6, 0)));
    for (index, (mantissa, low, high, exponent, text)) in cases.iter().enumerate() {
        let strictest = Conditions {
            min_observers: Some(u16::MAX),
            max_trade_age_ms: Some(0),
            newer_than: Some(Uint64::new(u64::MAX - 1)),
            ..Conditions::default()
        };
        let kept = price(&mut chain, &feed(index), 0, strictest.clone());
        assert_eq!(
            kept,
            verify(&mut chain, &last, &feed(index), 0, strictest.clone())
        );
        let kept = kept.expect("a price");
        assert_eq!(kept.price, *text);
        let mantissas = [kept.price_mantissa, kept.low_mantissa, kept.high_mantissa];
        assert_eq!(mantissas.map(|m| m.i128()), [*mantissa, *low, *high]);
        assert_eq!((kept.exponent, kept.epoch), (*exponent, u32::MAX));
        assert_eq!(kept.round, Uint64::new(u64::MAX));
        let newer = Conditions {
            newer_than: Some(Uint64::new(u64::MAX)),
            ..strictest
        };
        let kept = price(&mut chain, &feed(index), u64::MAX, newer);
        assert_eq!(code("newer than the last", kept), "not-newer");
    }
    for round in [0, u64::MAX - 1, u64::MAX] {
        let again = sign(&mut network, round, LAST_MS, leaves.clone());
        let again = chain.update(&update(&again, &indices));
        assert_eq!(code("after the last", again), "not-newer");
    }
}

/// No block's time reaches these rounds: they are refused, and nothing overflows.
pub fn times_that_no_block_has_are_refused<C: Chain>() {
    let mut network = Network::generate(41);
    let mut chain: C = start(&network);
    let before = chain.storage();
    for timestamp_ms in [LAST_MS + SKEW_MS + 1, u64::MAX - 1, u64::MAX] {
        let round = sign(&mut network, 1, timestamp_ms, world::leaves(1, 2));
        let round = update(&round, &[0]);
        assert_eq!(code("sent", chain.update(&round)), "ahead-of-now");
        let shown = verify(
            &mut chain,
            &round,
            &feed(0),
            u64::MAX,
            Conditions::default(),
        );
        assert_eq!(code("shown", shown), "ahead-of-now");
    }
    assert_eq!(chain.storage(), before);
    // Trades ahead of their round: the leaf is signed and kept, and gives no price.
    let mut leaves = world::leaves(1, 2);
    leaves[0].observed_at_ms = u64::MAX;
    let round = sign(&mut network, 1, LAST_MS, leaves);
    assert_eq!(chain.update(&update(&round, &[0, 1])), Ok((2, 0)));
    let ahead = price(&mut chain, &feed(0), u64::MAX, Conditions::default());
    assert_eq!(code("trades", ahead), "ahead-of-now");
    price(&mut chain, &feed(1), u64::MAX, Conditions::default()).expect("a price");
}

/// The price at an instant, with rounds and times as far apart as there are any.
pub fn the_longest_time_between_rounds<C: Chain>() {
    let mut network = Network::generate(42);
    let mut chain: C = start(&network);
    let mut leaves = world::leaves(0, 2);
    leaves[1].observed_at_ms = 0;
    let first = sign(&mut network, 0, 0, leaves.clone());
    let last = sign(&mut network, u64::MAX, u64::MAX, leaves);
    let mut at = |instant_ms, max_gap, max_trade_age_ms| {
        let query = QueryMsg::VerifyAt {
            before: Binary::new(update(&first, &[1])),
            after: Binary::new(update(&last, &[0])),
            feed: feed(1),
            instant_ms: Uint64::new(instant_ms),
            max_gap,
            conditions: Conditions {
                max_trade_age_ms,
                ..Conditions::default()
            },
        };
        chain.query::<PriceResponse>(&query)
    };
    for instant_ms in [0, 1, u64::MAX - 1] {
        let answer = at(instant_ms, Some(u64::MAX), Some(u64::MAX)).expect("a price");
        assert_eq!(answer.round, Uint64::zero());
        let hidden = at(instant_ms, Some(u64::MAX - 1), None);
        assert_eq!(code("rounds between", hidden), "gap");
        assert_eq!(code("rounds between", at(instant_ms, None, None)), "gap");
    }
    let old = at(u64::MAX - 1, Some(u64::MAX), Some(u64::MAX - 2));
    assert_eq!(code("trades", old), "trade-too-old");
    let after = at(u64::MAX, Some(u64::MAX), None);
    assert_eq!(code("after the last", after), "not-around");
}
