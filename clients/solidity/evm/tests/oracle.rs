//! What the oracle stores, and that nothing but a valid update of a later round changes it.

use std::{collections::BTreeMap, sync::OnceLock};

use proptest::{prelude::*, sample::Index};
use revm::primitives::{U256, hardfork::SpecId, keccak256};
use touchstone_solidity_tests::{
    Arg, Artifact, Chain, Committee4, Oracle, SENDER, STRANGER, feed_leaf, feed_word, leaves,
    statement_over, update_over,
};
use touchstone_types::{Digest, Leaf, NetworkId, Status};

const NOW: u64 = 1_790_000_000;
const NOW_MS: u64 = NOW * 1_000;
const SKEW_MS: u64 = 12_000;
const NETWORK: NetworkId = NetworkId(Digest([0x7e; 32]));
const BTC: &str = "BTC-USD";

fn committee() -> &'static Committee4 {
    static COMMITTEE: OnceLock<Committee4> = OnceLock::new();
    COMMITTEE.get_or_init(|| Committee4::generate(31))
}

fn deploy() -> (Chain, Oracle) {
    let mut chain = Chain::new(NOW);
    let oracle = Oracle::deploy(&mut chain, NETWORK, &committee().group_key(), SKEW_MS);
    (chain, oracle)
}

/// A signed update of one feed of one.
fn update(round: u64, timestamp_ms: u64, leaf: Leaf) -> Vec<u8> {
    let statement = statement_over(NETWORK, round, timestamp_ms, &[leaf]);
    committee().update(&statement, &[leaf], &[0]).to_bytes()
}

fn btc(round: u64, timestamp_ms: u64) -> Vec<u8> {
    update(
        round,
        timestamp_ms,
        feed_leaf(BTC, 6_712_345_000_000, timestamp_ms),
    )
}

fn send(chain: &mut Chain, oracle: &Oracle, update: &[u8]) -> Option<String> {
    chain
        .send(SENDER, oracle.address, &oracle.update(update))
        .code()
}

/// Where a feed is stored: the mapping is the contract's first variable ("Layout of State Variables in Storage", Solidity).
fn slot(feed: &[u8; 32]) -> U256 {
    U256::from_be_bytes(keccak256([feed.as_slice(), &[0; 32]].concat()).0)
}

/// What is stored there, field by field.
fn packed(round: u64, timestamp_ms: u64, leaf: &Leaf) -> U256 {
    let low_96 = (U256::from(1) << 96) - U256::from(1);
    let price = U256::from_be_bytes({
        let mut word = [if leaf.price < 0 { 0xff } else { 0 }; 32];
        word[16..].copy_from_slice(&leaf.price.to_be_bytes());
        word
    });
    let exponent = U256::from(u8::from_be_bytes(leaf.exponent.to_be_bytes()));
    (U256::from(round) << 208)
        | (U256::from(timestamp_ms) << 160)
        | (U256::from(leaf.observed_at_ms) << 112)
        | (U256::from(leaf.status.bits()) << 104)
        | (exponent << 96)
        | (price & low_96)
}

#[test]
fn what_is_stored_is_read_with_every_field() {
    let (mut chain, oracle) = deploy();
    let mut leaf = feed_leaf(BTC, -42, NOW_MS - 700);
    leaf.exponent = -11;
    let sent = chain.send(
        STRANGER,
        oracle.address,
        &oracle.update(&update(77, NOW_MS - 400, leaf)),
    );
    assert_eq!(sent.words().uint(0), 1);
    let words = chain.call(oracle.address, &oracle.read(BTC, 400)).words();
    assert_eq!((words.int(0), words.int(1), words.uint(2)), (-42, -11, 0));
    assert_eq!(
        (words.uint(3), words.uint(4), words.uint(5)),
        (77, NOW_MS - 400, NOW_MS - 700)
    );
    let known = chain
        .call(oracle.address, &oracle.latest_round(BTC))
        .words();
    assert_eq!(
        (known.uint(0), known.uint(1), known.uint(2)),
        (77, NOW_MS - 400, 0)
    );
    let storage = BTreeMap::from([(slot(&leaf.feed.to_bytes()), packed(77, NOW_MS - 400, &leaf))]);
    assert_eq!(chain.storage(oracle.address), storage);
    // The event says the same.
    let [log] = &sent.logs[..] else {
        panic!("one event")
    };
    assert_eq!(log.address, oracle.address);
    let signature = keccak256("PriceUpdated(bytes32,uint64,int128,uint8)");
    assert_eq!(log.data.topics(), [signature, leaf.feed.to_bytes().into()]);
    let data = touchstone_solidity_tests::Words::new(&log.data.data);
    assert_eq!((data.uint(0), data.int(1), data.uint(2)), (77, -42, 0));
}

#[test]
fn an_age_and_the_status_stand_before_every_number() {
    let (mut chain, oracle) = deploy();
    let at = oracle.address;
    assert_eq!(
        chain
            .call(at, &oracle.read(BTC, u64::MAX))
            .code()
            .as_deref(),
        Some("no-feed")
    );
    assert_eq!(send(&mut chain, &oracle, &btc(1, NOW_MS - 400)), None);
    let code = |chain: &Chain, data: &[u8]| chain.call(at, data).code();
    assert_eq!(
        code(&chain, &oracle.read(BTC, 399)).as_deref(),
        Some("too-old")
    );
    assert_eq!(code(&chain, &oracle.read(BTC, 400)), None);
    assert_eq!(
        code(&chain, &oracle.read("ETH-USD", 400)).as_deref(),
        Some("no-feed")
    );
    chain.now += 10;
    assert_eq!(
        code(&chain, &oracle.read(BTC, 10_399)).as_deref(),
        Some("too-old")
    );
    assert_eq!(code(&chain, &oracle.read(BTC, 10_400)), None);
    chain.now -= 10;
    // Every single bit, and two of them.
    let single = Status::all()
        .map(|(status, _)| status)
        .filter(|s| *s != Status::UNAVAILABLE);
    let both = Status::STALE.with(Status::DEPEGGED);
    for (round, status) in single.chain([both]).enumerate() {
        let mut leaf = feed_leaf(BTC, 5, NOW_MS);
        leaf.status = status;
        assert_eq!(
            send(&mut chain, &oracle, &update(round as u64 + 2, NOW_MS, leaf)),
            None
        );
        assert_eq!(
            code(&chain, &oracle.read(BTC, 0)).as_deref(),
            Some("status")
        );
        let others = !status.bits();
        assert_eq!(
            code(&chain, &oracle.read_allowing(BTC, 0, others)).as_deref(),
            Some("status")
        );
        let words = chain
            .call(at, &oracle.read_allowing(BTC, 0, status.bits()))
            .words();
        assert_eq!((words.int(0), words.uint(2)), (5, u64::from(status.bits())));
    }
    assert_eq!(
        code(&chain, &oracle.read_allowing(BTC, 0, Status::STALE.bits())).as_deref(),
        Some("status")
    );
    // A feed without a price replaces one that had a price.
    let gone = Leaf::unavailable(feed_leaf(BTC, 5, 0).feed, -8, Status::HALTED, 1);
    assert_eq!(send(&mut chain, &oracle, &update(20, NOW_MS, gone)), None);
    for allowed in [0, 4, 0x84, 0xff] {
        let code = code(&chain, &oracle.read_allowing(BTC, u64::MAX, allowed));
        assert_eq!(code.as_deref(), Some("unavailable"));
    }
}

#[test]
fn timestamps_may_be_ahead_of_the_block_by_the_skew_and_no_more() {
    let (mut chain, oracle) = deploy();
    let last = NOW_MS + SKEW_MS;
    assert_eq!(
        send(&mut chain, &oracle, &btc(1, last + 1)).as_deref(),
        Some("ahead-of-now")
    );
    assert!(chain.storage(oracle.address).is_empty());
    assert_eq!(send(&mut chain, &oracle, &btc(1, last)), None);
    // What is ahead is of age 0.
    assert_eq!(
        chain.call(oracle.address, &oracle.read(BTC, 0)).code(),
        None
    );
    // Trades that are ahead are kept from readers until the block's clock is there.
    let leaf = feed_leaf(BTC, 9, last + 1);
    assert_eq!(send(&mut chain, &oracle, &update(2, NOW_MS, leaf)), None);
    let read = oracle.read(BTC, 60_000);
    assert_eq!(
        chain.call(oracle.address, &read).code().as_deref(),
        Some("ahead-of-now")
    );
    chain.now += 1;
    assert_eq!(chain.call(oracle.address, &read).code(), None);
}

#[test]
fn no_round_is_stored_twice_and_no_older_one() {
    let (mut chain, oracle) = deploy();
    assert_eq!(
        send(&mut chain, &oracle, &btc(0, NOW_MS)).as_deref(),
        Some("not-newer")
    );
    assert_eq!(send(&mut chain, &oracle, &btc(5, NOW_MS - 3)), None);
    let before = chain.storage(oracle.address);
    for (round, time) in [(5, NOW_MS), (4, NOW_MS), (1, NOW_MS), (0, NOW_MS)] {
        assert_eq!(
            send(&mut chain, &oracle, &btc(round, time)).as_deref(),
            Some("not-newer")
        );
    }
    assert_eq!(chain.storage(oracle.address), before);
    assert_eq!(send(&mut chain, &oracle, &btc(6, NOW_MS - 9)), None);
    assert_ne!(chain.storage(oracle.address), before);
}

#[test]
fn nobody_spoils_an_update_of_many_feeds_by_sending_one_of_them_first() {
    let (mut chain, oracle) = deploy();
    let leaves = leaves(12, NOW_MS);
    let statement = statement_over(NETWORK, 9, NOW_MS, &leaves);
    let signature = committee().sign(&statement);
    let of = |indices: &[u16]| {
        oracle.update(&update_over(&statement, signature.clone(), &leaves, indices).to_bytes())
    };
    let ten: Vec<u16> = (0..10).collect();
    assert_eq!(
        chain
            .send(STRANGER, oracle.address, &of(&[3]))
            .words()
            .uint(0),
        1
    );
    let sent = chain.send(SENDER, oracle.address, &of(&ten));
    assert_eq!((sent.words().uint(0), sent.logs.len()), (9, 9));
    assert_eq!(chain.storage(oracle.address).len(), 10);
    assert_eq!(
        chain
            .send(SENDER, oracle.address, &of(&ten))
            .code()
            .as_deref(),
        Some("not-newer")
    );
}

#[test]
fn of_two_leaves_with_one_name_the_first_counts() {
    let (mut chain, oracle) = deploy();
    let pair = [feed_leaf(BTC, 100, NOW_MS), feed_leaf(BTC, 200, NOW_MS)];
    let statement = statement_over(NETWORK, 3, NOW_MS, &pair);
    let bytes = committee().update(&statement, &pair, &[0, 1]).to_bytes();
    let seen = chain
        .call(oracle.address, &oracle.verify(&bytes, BTC, 0))
        .words();
    let sent = chain.send(SENDER, oracle.address, &oracle.update(&bytes));
    assert_eq!((sent.words().uint(0), sent.logs.len()), (1, 1));
    let stored = chain.call(oracle.address, &oracle.read(BTC, 0)).words();
    assert_eq!((seen.int(0), stored.int(0)), (100, 100));
}

#[test]
fn what_does_not_fit_is_refused_and_what_fits_is_exact() {
    let edge = 1_i128 << 95;
    for (price, fits) in [
        (edge - 1, true),
        (edge, false),
        (-edge, true),
        (-edge - 1, false),
        (i128::MAX, false),
    ] {
        let (mut chain, oracle) = deploy();
        let mut leaf = feed_leaf(BTC, price.clamp(-edge * 2, edge * 2), NOW_MS);
        (leaf.price, leaf.low, leaf.high) = (price, price, price);
        let bytes = update(1, NOW_MS, leaf);
        let code = send(&mut chain, &oracle, &bytes);
        assert_eq!(
            code.as_deref(),
            (!fits).then_some("does-not-fit"),
            "{price}"
        );
        if fits {
            assert_eq!(
                chain
                    .call(oracle.address, &oracle.read(BTC, 0))
                    .words()
                    .int(0),
                price
            );
        } else {
            assert!(chain.storage(oracle.address).is_empty());
        }
        // Without storage there is room for all of it.
        assert_eq!(
            chain
                .call(oracle.address, &oracle.verify(&bytes, BTC, 0))
                .words()
                .int(0),
            price
        );
    }
    let last = (1_u64 << 48) - 1;
    for (round, time, observed, fits) in [
        (last, NOW_MS, NOW_MS, true),
        (last + 1, NOW_MS, NOW_MS, false),
        (1, last, last, true),
        (1, last + 1, last, false),
        (1, last, last + 1, false),
        (u64::MAX, u64::MAX, u64::MAX, false),
    ] {
        let (mut chain, oracle) = deploy();
        chain.now = NOW.max(time / 1_000);
        let code = send(
            &mut chain,
            &oracle,
            &update(round, time, feed_leaf(BTC, 7, observed)),
        );
        assert_eq!(
            code.as_deref(),
            (!fits).then_some("does-not-fit"),
            "{round} {time} {observed}"
        );
        if fits {
            let words = chain
                .call(oracle.address, &oracle.read(BTC, u64::MAX))
                .words();
            assert_eq!(
                (words.uint(3), words.uint(4), words.uint(5)),
                (round, time, observed)
            );
        }
    }
    for exponent in [-38, -1, 0, 1, 38] {
        let (mut chain, oracle) = deploy();
        let mut leaf = feed_leaf(BTC, -7, NOW_MS);
        leaf.exponent = exponent;
        assert_eq!(send(&mut chain, &oracle, &update(1, NOW_MS, leaf)), None);
        let words = chain.call(oracle.address, &oracle.read(BTC, 0)).words();
        assert_eq!((words.int(0), words.int(1)), (-7, i128::from(exponent)));
    }
}

#[test]
fn an_update_that_comes_with_a_read_gives_the_later_price_of_the_two() {
    let (mut chain, oracle) = deploy();
    let of = |round: u64, price| update(round, NOW_MS, feed_leaf(BTC, price, NOW_MS));
    let read = |chain: &mut Chain, bytes: &[u8]| {
        chain.send(
            SENDER,
            oracle.address,
            &oracle.update_and_read(bytes, BTC, 1_000),
        )
    };
    assert_eq!(read(&mut chain, &of(5, 500)).words().int(0), 500);
    // Whoever brings an older round gets the later one, and is not stopped by who was faster.
    assert_eq!(read(&mut chain, &of(4, 400)).words().int(0), 500);
    assert_eq!(read(&mut chain, &of(5, 500)).words().int(0), 500);
    assert_eq!(read(&mut chain, &of(6, 600)).words().int(0), 600);
    // A bad update is refused, although there is a stored price.
    let mut bad = of(7, 700);
    bad[150] ^= 1;
    assert_eq!(
        read(&mut chain, &bad).code().as_deref(),
        Some("bad-signature")
    );
    // What the policy refuses is not stored either: the transaction is undone.
    let before = chain.storage(oracle.address);
    let old = update(8, NOW_MS - 1_001, feed_leaf(BTC, 800, NOW_MS));
    assert_eq!(read(&mut chain, &old).code().as_deref(), Some("too-old"));
    assert_eq!(chain.storage(oracle.address), before);
}

#[test]
fn with_too_little_gas_nothing_happens() {
    let (chain, oracle) = deploy();
    let leaves = leaves(12, NOW_MS);
    let statement = statement_over(NETWORK, 2, NOW_MS, &leaves);
    let data = oracle.update(&committee().update(&statement, &leaves, &[1, 5]).to_bytes());
    let whole = chain.call(oracle.address, &data);
    let complete = {
        let mut chain = chain.clone();
        chain.send(SENDER, oracle.address, &data);
        chain.storage(oracle.address)
    };
    assert_eq!(complete.len(), 2);
    let (mut failed, mut done) = (0, 0);
    // A precompile that gets too little gas answers nothing: each of them is cut off in here somewhere.
    for limit in (whole.floor..whole.spent + 4_000).step_by(61) {
        let mut chain = chain.clone();
        let outcome = chain.send_with_gas(oracle.address, &data, limit);
        if outcome.result.is_ok() {
            assert_eq!(chain.storage(oracle.address), complete, "{limit}");
            done += 1;
        } else {
            assert!(chain.storage(oracle.address).is_empty(), "{limit}");
            failed += 1;
        }
    }
    assert!(failed > 500 && done > 30, "{failed} {done}");
}

/// The same with a forged signature: no limit of gas makes it good.
#[test]
fn with_too_little_gas_no_forgery_passes() {
    let (chain, oracle) = deploy();
    let mut bytes = btc(2, NOW_MS);
    bytes[215] ^= 1;
    let data = oracle.update(&bytes);
    let whole = chain.call(oracle.address, &data);
    assert_eq!(whole.code().as_deref(), Some("bad-signature"));
    for limit in (whole.floor..whole.floor.max(whole.spent) + 4_000).step_by(7) {
        assert!(
            chain
                .call_with_gas(oracle.address, &data, limit)
                .result
                .is_err(),
            "{limit}"
        );
    }
}

#[test]
fn a_chain_without_the_precompiles_accepts_nothing() {
    let (mut chain, oracle) = deploy();
    let (good, read) = (
        oracle.update(&btc(2, NOW_MS)),
        oracle.verify(&btc(2, NOW_MS), BTC, 0),
    );
    assert_eq!(chain.call(oracle.address, &good).code(), None);
    let mut without_sha256 = chain.clone();
    without_sha256.remove_precompile(2);
    for data in [&good, &read] {
        let code = without_sha256.call(oracle.address, data).code();
        assert_eq!(code.as_deref(), Some("sha256-failed"));
    }
    let args = Oracle::arguments(NETWORK, &committee().group_key(), 0);
    chain.remove_precompile(1);
    for data in [&good, &read] {
        assert_eq!(
            chain.call(oracle.address, data).code().as_deref(),
            Some("bad-signature")
        );
    }
    let refused = chain
        .try_deploy(&Artifact::read("TouchstoneOracle"), &args)
        .expect_err("no ecrecover");
    assert_eq!(refused.code().as_deref(), Some("bad-group-key"));
}

#[test]
fn odd_encodings_of_a_call_change_nothing_or_are_refused() {
    let (chain, oracle) = deploy();
    let bytes = btc(2, NOW_MS);
    let data = oracle.update(&bytes);
    let good = chain.call(oracle.address, &data);
    assert_eq!(good.code(), None);
    let accepted = |data: &[u8]| {
        let outcome = chain.call(oracle.address, data);
        assert_eq!(outcome.result, good.result, "{}", hex::encode(data));
        assert_eq!(outcome.logs, good.logs);
    };
    let refused = |data: &[u8]| {
        assert!(
            chain.call(oracle.address, data).result.is_err(),
            "{}",
            hex::encode(data)
        );
    };
    // Dirty padding, none at all, and bytes behind the arguments.
    let end = 4 + 64 + bytes.len();
    let mut dirty = data.clone();
    dirty[end..].fill(0xee);
    accepted(&dirty);
    accepted(&data[..end]);
    accepted(&[data.as_slice(), &[0x55; 100]].concat());
    // The argument elsewhere.
    let word = |value: usize| U256::from(value).to_be_bytes::<32>();
    let selector = &data[..4];
    let moved = [selector, &word(96), &[0x77; 64], &data[36..]].concat();
    accepted(&moved);
    // A length that says more than there is, or less, or nothing that any calldata has.
    let with = |at: usize, word: &[u8]| {
        let mut out = data.clone();
        out[at..at + 32].copy_from_slice(word);
        out
    };
    refused(&with(36, &word(data.len() - 68 + 1)));
    refused(&with(36, &word(bytes.len() + 1)));
    refused(&with(36, &word(bytes.len() - 1)));
    refused(&with(36, &word(0)));
    refused(&with(36, &[0xff; 32]));
    for offset in [0, 1, 31, 33, 64, data.len() - 4, data.len(), 1 << 40] {
        refused(&with(4, &word(offset)));
    }
    refused(&with(4, &[0xff; 32]));
    for end in 0..end {
        refused(&data[..end]);
    }
}

#[test]
fn coin_is_refused_and_other_calls_do_nothing() {
    let (mut chain, oracle) = deploy();
    let data = oracle.update(&btc(2, NOW_MS));
    assert!(chain.pay(SENDER, oracle.address, &data, 1).result.is_err());
    assert!(chain.pay(SENDER, oracle.address, &[], 1).result.is_err());
    assert!(chain.send(SENDER, oracle.address, &[]).result.is_err());
    assert!(chain.storage(oracle.address).is_empty());
}

#[test]
fn parameters_out_of_bounds_are_refused_at_construction() {
    let key = committee().group_key();
    let code = |network, skew| {
        let args = Oracle::arguments(network, &key, skew);
        let deployed = Chain::new(NOW).try_deploy(&Artifact::read("TouchstoneOracle"), &args);
        deployed
            .err()
            .map(|outcome| outcome.code().expect("a revert"))
    };
    assert_eq!(code(NETWORK, 0), None);
    assert_eq!(code(NETWORK, 60_000), None);
    assert_eq!(code(NETWORK, 60_001).as_deref(), Some("bad-parameter"));
    assert_eq!(code(NETWORK, u64::MAX).as_deref(), Some("bad-parameter"));
    assert_eq!(
        code(NetworkId(Digest([0; 32])), 0).as_deref(),
        Some("bad-parameter")
    );
}

#[test]
fn what_is_pinned_can_be_looked_up() {
    let (chain, oracle) = deploy();
    let artifact = Artifact::read("TouchstoneOracle");
    let call = |name: &str| chain.call(oracle.address, &artifact.selector(name)).words();
    assert_eq!(call("networkId").word(0), NETWORK.0.0);
    assert_eq!(call("maxSkewMs").uint(0), SKEW_MS);
    let key = call("groupKey");
    assert_eq!((key.uint(0), key.uint(1)), (32, 33));
    let bytes = [key.word(2), key.word(3)].concat();
    assert_eq!(
        (&bytes[..33], &bytes[33..]),
        (&committee().group_key()[..], &[0; 31][..])
    );
}

#[test]
fn the_contract_runs_under_the_rules_since_shanghai() {
    for rules in [
        SpecId::SHANGHAI,
        SpecId::CANCUN,
        SpecId::PRAGUE,
        SpecId::OSAKA,
        SpecId::AMSTERDAM,
    ] {
        let mut chain = Chain::with_rules(rules, NOW);
        let oracle = Oracle::deploy(&mut chain, NETWORK, &committee().group_key(), 0);
        assert_eq!(
            send(&mut chain, &oracle, &btc(1, NOW_MS)),
            None,
            "{rules:?}"
        );
        assert_eq!(
            chain.call(oracle.address, &oracle.read(BTC, 0)).code(),
            None,
            "{rules:?}"
        );
    }
}

/// What may happen to an oracle.
#[derive(Clone, Debug)]
enum Step {
    /// An update of some of six feeds.
    Update {
        round: u64,
        age_ms: i64,
        feeds: Vec<u16>,
        seed: i64,
        status: u8,
        by: bool,
        and_read: bool,
    },
    /// The same with one bit changed.
    Forged {
        round: u64,
        feeds: Vec<u16>,
        bit: Index,
    },
    /// Any call data, behind the selector of any function or of none.
    Noise {
        function: Option<Index>,
        data: Vec<u8>,
    },
    /// Time goes on.
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let feeds = || {
        prop::collection::btree_set(0_u16..6, 1..6)
            .prop_map(|set| set.into_iter().collect::<Vec<_>>())
    };
    let status =
        prop_oneof![4 => Just(0_u8), 1 => prop::sample::select(vec![1, 2, 4, 8, 16, 31, 128, 136])];
    let update = (
        0_u64..40,
        -20_000_i64..60_000,
        feeds(),
        any::<i64>(),
        status,
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(
            |(round, age_ms, feeds, seed, status, by, and_read)| Step::Update {
                round,
                age_ms,
                feeds,
                seed,
                status,
                by,
                and_read,
            },
        );
    let forged = (0_u64..40, feeds(), any::<Index>())
        .prop_map(|(round, feeds, bit)| Step::Forged { round, feeds, bit });
    let noise = (
        prop::option::of(any::<Index>()),
        prop::collection::vec(any::<u8>(), 0..300),
    )
        .prop_map(|(function, data)| Step::Noise { function, data });
    prop_oneof![6 => update, 2 => forged, 2 => noise, 1 => (0_u64..30).prop_map(Step::Wait)]
}

fn six(seed: i64, status: u8, observed_at_ms: u64) -> Vec<Leaf> {
    let mut leaves = leaves(6, observed_at_ms);
    for (i, leaf) in leaves.iter_mut().enumerate() {
        leaf.status = Status::from_bits(status).expect("known");
        let price = if status & 128 == 0 {
            i128::from(seed) * (i as i128 + 1)
        } else {
            0
        };
        (leaf.price, leaf.low, leaf.high) = (price, price, price);
    }
    leaves
}

fn any_selector() -> Vec<[u8; 4]> {
    let artifact = Artifact::read("TouchstoneOracle");
    [
        "update",
        "updateAndRead",
        "read",
        "readAllowing",
        "latestRound",
        "groupKey",
        "verify(bytes,bytes32,uint64)",
    ]
    .map(|name| artifact.selector(name))
    .to_vec()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// The storage is that of a model in which a feed changes by an authentic update of a later round, and by nothing else.
    #[test]
    fn only_an_authentic_later_round_changes_a_feed(steps in prop::collection::vec(step(), 1..25)) {
        let (mut chain, oracle) = deploy();
        let selectors = any_selector();
        let mut model: BTreeMap<U256, U256> = BTreeMap::new();
        let mut rounds: BTreeMap<[u8; 32], u64> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Wait(seconds) => chain.now += seconds,
                Step::Noise { function, data } => {
                    let selector = function.map_or(Vec::new(), |f| selectors[f.index(selectors.len())].to_vec());
                    chain.send(SENDER, oracle.address, &[selector, data].concat());
                }
                Step::Forged { round, feeds, bit } => {
                    let time = chain.now * 1_000;
                    let leaves = six(1, 0, time);
                    let statement = statement_over(NETWORK, round, time, &leaves);
                    let mut bytes = committee().update(&statement, &leaves, &feeds).to_bytes();
                    let bit = bit.index(bytes.len() * 8);
                    bytes[bit / 8] ^= 1 << (bit % 8);
                    prop_assert!(send(&mut chain, &oracle, &bytes).is_some());
                }
                Step::Update { round, age_ms, feeds, seed, status, by, and_read } => {
                    let time = (chain.now * 1_000).checked_add_signed(-age_ms).expect("in range");
                    let leaves = six(seed, status, time);
                    let statement = statement_over(NETWORK, round, time, &leaves);
                    let update = committee().update(&statement, &leaves, &feeds);
                    let data = if and_read {
                        // Whatever the price is like: age and status are the reader's.
                        let feed = leaves[usize::from(feeds[0])].feed;
                        oracle.update_and_read(&update.to_bytes(), feed.as_str(), u64::MAX)
                    } else {
                        oracle.update(&update.to_bytes())
                    };
                    let from = if by { SENDER } else { STRANGER };
                    let code = chain.send(from, oracle.address, &data).code();
                    let ahead = time > chain.now * 1_000 + SKEW_MS;
                    let later: Vec<&Leaf> = feeds
                        .iter()
                        .map(|i| &leaves[usize::from(*i)])
                        .filter(|leaf| round > rounds.get(&leaf.feed.to_bytes()).copied().unwrap_or(0))
                        .collect();
                    if ahead {
                        prop_assert_eq!(code.as_deref(), Some("ahead-of-now"));
                        continue;
                    }
                    if !and_read {
                        prop_assert_eq!(code.as_deref(), later.is_empty().then_some("not-newer"));
                    }
                    // A read that is refused undoes the transaction.
                    if code.is_none() {
                        for leaf in later {
                            rounds.insert(leaf.feed.to_bytes(), round);
                            model.insert(slot(&leaf.feed.to_bytes()), packed(round, time, leaf));
                        }
                    }
                }
            }
            prop_assert_eq!(chain.storage(oracle.address), model.clone());
        }
        for (feed, round) in rounds {
            let name = std::str::from_utf8(&feed).expect("ASCII").trim_end_matches('\0').to_owned();
            prop_assert_eq!(chain.call(oracle.address, &oracle.latest_round(&name)).words().uint(0), round);
        }
    }
}

#[test]
fn a_slot_holds_what_its_fields_say() {
    // The model's packing itself, once by hand.
    let leaf = Leaf {
        exponent: -8,
        price: -1,
        ..feed_leaf(BTC, 0, 3)
    };
    let text = format!("{:064x}", packed(1, 2, &leaf));
    assert_eq!(
        text,
        "00000000000100000000000200000000000300f8ffffffffffffffffffffffff"
    );
    let Arg::Word(name) = feed_word(BTC) else {
        panic!("a word")
    };
    assert_eq!(name, leaf.feed.to_bytes());
    assert_ne!(slot(&name), U256::ZERO);
}
