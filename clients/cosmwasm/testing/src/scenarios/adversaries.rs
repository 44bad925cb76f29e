//! What an adversary can send: everything but a signature of the group over what it made up.

use cosmwasm_std::HexBinary;
use rand_chacha::{
    ChaCha20Rng,
    rand_core::{RngCore as _, SeedableRng as _},
};
use touchstone_cosmwasm::msg::{Conditions, InstantiateMsg};
use touchstone_types::{SUITES, Suite};

use super::{code, price, verify};
use crate::{
    Chain,
    world::{self, Network, feed, time_ms},
};

/// Codes of what is not an authentic update.
const NOT_AUTHENTIC: [&str; 13] = [
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

fn start<C: Chain>(network: &Network, suites: &[Suite]) -> C {
    let mut chain = C::new();
    chain.instantiate(&network.pin(suites)).expect("a good pin");
    chain.set_time_ms(time_ms(100));
    chain
}

/// Sends what must not be taken for authentic.
fn refuse(chain: &mut impl Chain, what: &str, bytes: &[u8]) -> String {
    let code = code(what, chain.update(bytes));
    assert!(NOT_AUTHENTIC.contains(&code.as_str()), "{what}: {code}");
    code
}

/// A message with any bit flipped is refused, in either suite.
pub fn every_flipped_bit_is_refused<C: Chain>() {
    let mut network = Network::generate(20);
    for suite in SUITES {
        let mut chain: C = start(&network, &[suite]);
        let before = chain.storage();
        let good = world::update(&network.round(5, 2), suite, &[1]);
        for bit in (0..good.len() * 8).step_by(C::STEP) {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            refuse(&mut chain, &format!("{suite}, bit {bit}"), &bad);
        }
        assert_eq!(chain.storage(), before);
        assert_eq!(chain.update(&good), Ok((1, 0)));
    }
}

/// A message cut off anywhere, or with anything behind it, is refused.
pub fn other_lengths_are_refused<C: Chain>() {
    let mut network = Network::generate(21);
    for suite in SUITES {
        let mut chain: C = start(&network, &[suite]);
        let good = world::update(&network.round(5, 12), suite, &[3, 7]);
        for len in 0..good.len() {
            let what = format!("{suite}, {len} bytes");
            assert_eq!(refuse(&mut chain, &what, &good[..len]), "truncated");
        }
        for extra in [&[0][..], &[1], &good, &[0xff; 1_000]] {
            let long = [&good, extra].concat();
            assert_eq!(refuse(&mut chain, "long", &long), "trailing-bytes");
        }
        assert_eq!(chain.update(&good), Ok((2, 0)));
    }
}

/// Messages of a megabyte end with a refusal, and the largest update that there can be is taken.
pub fn huge_messages_end<C: Chain>() {
    let mut network = Network::generate(22);
    let mut chain: C = start(&network, &[Suite::Ed25519]);
    let mega = 1 << 20;
    refuse(&mut chain, "zeros", &vec![0; mega]);
    refuse(&mut chain, "ones", &vec![1; mega]);
    refuse(&mut chain, "0xff", &vec![0xff; mega]);
    let attestation = network.round(5, 300);
    let indices: Vec<u16> = (20..275).collect();
    let good = world::update(&attestation, Suite::Ed25519, &indices);
    assert!(good.len() > 90_000, "{}", good.len());
    let mut long = good.clone();
    long.resize(mega, 0);
    assert_eq!(refuse(&mut chain, "long", &long), "trailing-bytes");
    assert_eq!(
        refuse(&mut chain, "short", &good[..good.len() - 1]),
        "truncated"
    );
    let mut wrong = good.clone();
    *wrong.last_mut().expect("bytes") ^= 1;
    assert_eq!(refuse(&mut chain, "the last path", &wrong), "inclusion");
    assert_eq!(chain.update(&good), Ok((255, 0)));
}

/// Another network's update is refused, with the same keys or with others; so is another group's.
pub fn other_networks_are_refused<C: Chain>() {
    let mut ours = Network::generate(23);
    let mut theirs = Network::generate(24);
    let mut chain: C = start(&ours, &SUITES);
    for suite in SUITES {
        let update = world::update(&theirs.round(5, 3), suite, &[0]);
        assert_eq!(
            refuse(&mut chain, "another network", &update),
            "wrong-network"
        );
        let id = ours.id;
        let forged = theirs.attest(5, world::leaves(5, 3), |statement| statement.network = id);
        let update = world::update(&forged, suite, &[0]);
        assert_eq!(
            refuse(&mut chain, "another group", &update),
            "bad-signature"
        );
    }
    // The same keys under another id: a signature says which network it is for.
    let elsewhere = InstantiateMsg {
        network_id: HexBinary::from([9; 32]),
        ..ours.pin(&SUITES)
    };
    chain.instantiate(&elsewhere).expect("a good pin");
    let update = world::update(&ours.round(5, 3), Suite::Ed25519, &[0]);
    assert_eq!(refuse(&mut chain, "another id", &update), "wrong-network");
}

/// An update in a suite whose key is not pinned is refused, and so is a signature of one suite given as the other's.
pub fn other_suites_are_refused<C: Chain>() {
    let mut network = Network::generate(25);
    let round = network.round(5, 3);
    for (pinned, sent) in [(SUITES[0], SUITES[1]), (SUITES[1], SUITES[0])] {
        let mut chain: C = start(&network, &[pinned]);
        let mut update = world::update(&round, sent, &[0]);
        assert_eq!(
            refuse(&mut chain, "not pinned", &update),
            "unsupported-suite"
        );
        update[1] = pinned.byte();
        refuse(&mut chain, "renamed", &update);
    }
}

/// A round ahead of the block's time by more than the skew is refused until its time has come.
pub fn the_future_is_refused<C: Chain>() {
    let mut network = Network::generate(26);
    for (pinned, skew_ms) in [(None, 2_000), (Some(0), 0), (Some(60_000), 60_000)] {
        let mut chain = C::new();
        let pin = InstantiateMsg {
            max_skew_ms: pinned,
            ..network.pin(&[Suite::Ed25519])
        };
        chain.instantiate(&pin).expect("a good pin");
        let before = chain.storage();
        let update = world::update(&network.round(500, 2), Suite::Ed25519, &[0]);
        chain.set_time_ms(time_ms(500) - skew_ms - 1);
        let sent = chain.update(&update);
        assert_eq!(code("sent", sent), "ahead-of-now");
        assert_eq!(chain.storage(), before);
        let shown = verify(&mut chain, &update, &feed(0), 1_000, Conditions::default());
        assert_eq!(code("shown", shown), "ahead-of-now");
        chain.set_time_ms(time_ms(500) - skew_ms);
        assert_eq!(chain.update(&update), Ok((1, 0)));
        let strict = Conditions::default();
        let ahead = price(&mut chain, &feed(0), 0, strict.clone()).expect("a price");
        assert_eq!(ahead.timestamp_ms.u64(), time_ms(500));
        // A query at an earlier height has an earlier time.
        chain.set_time_ms(time_ms(500) - skew_ms - 1);
        let asked = price(&mut chain, &feed(0), u64::MAX, strict.clone());
        assert_eq!(code("asked", asked), "ahead-of-now");
        // Ages count from the block's time.
        chain.set_time_ms(time_ms(500) + 10_000);
        price(&mut chain, &feed(0), 10_000, strict.clone()).expect("a price");
        let asked = price(&mut chain, &feed(0), 9_999, strict);
        assert_eq!(code("old", asked), "too-old");
    }
}

/// One feed twice: the same leaf twice is no update; two leaves of one name, which no honest group signs, do not let the
/// second take the place of the first.
pub fn a_feed_comes_once<C: Chain>() {
    let mut network = Network::generate(27);
    let mut chain: C = start(&network, &[Suite::Ed25519]);
    let honest = network.round(5, 2);
    let mut update = honest.update(Suite::Ed25519, &[1]).expect("a leaf");
    update.entries.push(update.entries[0].clone());
    assert_eq!(
        refuse(&mut chain, "twice", &update.to_bytes()),
        "leaf-order"
    );

    let mut leaves = world::leaves(6, 3);
    let name = leaves[0].feed;
    leaves[2].feed = name;
    let (first, second) = (leaves[0].price, leaves[2].price);
    let attestation = network.attest(6, leaves, |_| {});
    let update = world::update(&attestation, Suite::Ed25519, &[0, 2]);
    assert_eq!(chain.update(&update), Ok((1, 1)));
    for answer in [
        price(&mut chain, name.as_str(), 1_000_000, Conditions::default()),
        verify(
            &mut chain,
            &update,
            name.as_str(),
            1_000_000,
            Conditions::default(),
        ),
    ] {
        let got = answer.expect("a price").price_mantissa.i128();
        assert_eq!(got, first);
        assert_ne!(got, second);
    }
}

/// Names that no feed has are feeds that nothing is known of.
pub fn other_names_have_no_price<C: Chain>() {
    let mut network = Network::generate(28);
    let mut chain: C = start(&network, &[Suite::Ed25519]);
    let update = world::update(&network.round(5, 2), Suite::Ed25519, &[0]);
    chain.update(&update).expect("an authentic update");
    let long = "A".repeat(100_000);
    for name in [
        "",
        "-",
        "F0001-USD",
        "f0000-usd",
        "F0000-USD ",
        "F0000-USD\0",
        "F0000",
        "pinned",
        "/",
        "../pinned",
        "F0000-USD-USD",
        "\u{10ffff}",
        long.as_str(),
    ] {
        let kept = price(&mut chain, name, u64::MAX, Conditions::default());
        assert_eq!(code(name, kept), "no-feed");
        let shown = verify(&mut chain, &update, name, u64::MAX, Conditions::default());
        assert_eq!(code(name, shown), "no-feed");
    }
}

/// Random changes of authentic updates, several at once: nothing but the update itself is taken.
pub fn random_changes_are_refused<C: Chain>(seed: u64, tries: usize) {
    println!("seed {seed}");
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut network = Network::generate(seed);
    let mut chain: C = start(&network, &SUITES);
    let rounds = [network.round(5, 7), network.round(6, 7)];
    let originals: Vec<Vec<u8>> = rounds
        .iter()
        .flat_map(|round| SUITES.map(|suite| world::update(round, suite, &[0, 4, 6])))
        .collect();
    let before = chain.storage();
    for _ in 0..tries / C::STEP {
        let bad = change(&originals, &mut rng);
        if !originals.contains(&bad) {
            let what = hex::encode(&bad);
            refuse(&mut chain, &what, &bad);
        }
    }
    assert_eq!(chain.storage(), before);
}

fn change(originals: &[Vec<u8>], rng: &mut ChaCha20Rng) -> Vec<u8> {
    let mut pick = |below: usize| rng.next_u64() as usize % below.max(1);
    let mut bytes = originals[pick(originals.len())].clone();
    for _ in 0..=pick(3) {
        let at = pick(bytes.len());
        match pick(5) {
            0 => bytes[at] = pick(256) as u8,
            1 => bytes.truncate(at),
            2 => bytes.insert(at, pick(256) as u8),
            // The rest of another update, or a piece of it in this place.
            3 => {
                let other = &originals[pick(originals.len())];
                let cut = at.min(other.len());
                bytes.splice(at.., other[cut..].iter().copied());
            }
            _ => {
                let other = &originals[pick(originals.len())];
                let from = pick(other.len());
                let len = pick(100).min(other.len() - from).min(bytes.len() - at);
                bytes[at..at + len].copy_from_slice(&other[from..from + len]);
            }
        }
        if bytes.is_empty() {
            break;
        }
    }
    bytes
}
