//! A feed behind Chainlink's interface.

use revm::primitives::Address;
use touchstone_solidity_tests::{
    Arg, Artifact, Chain, Committee4, Oracle, Outcome, SENDER, feed_leaf, feed_word, statement_over,
};
use touchstone_types::{Digest, Leaf, NetworkId, Status};

const NOW: u64 = 1_790_000_000;
const NOW_MS: u64 = NOW * 1_000;
const NETWORK: NetworkId = NetworkId(Digest([0x7e; 32]));
const BTC: &str = "BTC-USD";
const MAX_AGE_MS: u64 = 5_000;

struct World {
    chain: Chain,
    oracle: Oracle,
    committee: Committee4,
    artifact: Artifact,
}

impl World {
    fn new() -> Self {
        let committee = Committee4::generate(41);
        let mut chain = Chain::new(NOW);
        let oracle = Oracle::deploy(&mut chain, NETWORK, &committee.group_key(), 2_000);
        Self {
            chain,
            oracle,
            committee,
            artifact: Artifact::read("TouchstoneFeed"),
        }
    }

    fn arguments(&self, feed: Arg, decimals: u64, max_age_ms: u64, allowed: u64) -> [Arg; 5] {
        let oracle = Arg::Word(self.oracle.address.into_word().0);
        [
            oracle,
            feed,
            Arg::uint(decimals),
            Arg::uint(max_age_ms),
            Arg::uint(allowed),
        ]
    }

    fn feed(&mut self, decimals: u64, allowed: u64) -> Address {
        let args = self.arguments(feed_word(BTC), decimals, MAX_AGE_MS, allowed);
        self.chain.deploy("TouchstoneFeed", &args)
    }

    fn call(&self, feed: Address, function: &str, args: &[Arg]) -> Outcome {
        let data = [self.artifact.selector(function).to_vec(), Arg::encode(args)].concat();
        self.chain.call(feed, &data)
    }

    fn store(&mut self, round: u64, timestamp_ms: u64, leaf: Leaf) {
        let statement = statement_over(NETWORK, round, timestamp_ms, &[leaf]);
        let update = self.committee.update(&statement, &[leaf], &[0]).to_bytes();
        let data = self.oracle.update(&update);
        assert_eq!(
            self.chain.send(SENDER, self.oracle.address, &data).code(),
            None
        );
    }
}

#[test]
fn the_answer_is_the_stored_price_with_the_feeds_decimals() {
    let mut world = World::new();
    let (eight, eighteen) = (world.feed(8, 0), world.feed(18, 0));
    world.store(
        77,
        NOW_MS - 1_001,
        feed_leaf(BTC, 6_712_345_000_000, NOW_MS - 2_000),
    );
    for (feed, decimals, answer) in [
        (eight, 8, 6_712_345_000_000),
        (eighteen, 18, 67_123_450_000_000_000_000_000),
    ] {
        let latest = world.call(feed, "latestRoundData", &[]).words();
        assert_eq!(
            (latest.uint(0), latest.int(1), latest.uint(4)),
            (77, answer, 77)
        );
        // Whole seconds, rounded down: rather older than younger.
        assert_eq!((latest.uint(2), latest.uint(3)), (NOW - 2, NOW - 2));
        assert_eq!(
            world.call(feed, "getRoundData", &[Arg::uint(77)]).words(),
            latest
        );
        assert_eq!(world.call(feed, "decimals", &[]).words().uint(0), decimals);
        assert_eq!(world.call(feed, "version", &[]).words().uint(0), 1);
    }
    let text = world.call(eight, "description", &[]).words();
    assert_eq!((text.uint(0), text.uint(1)), (32, 9));
    assert_eq!(&text.word(2)[..10], b"BTC / USD\0");
    for (function, expected) in [
        ("feed", feed_word(BTC)),
        ("maxAgeMs", Arg::uint(MAX_AGE_MS)),
        ("allowedStatus", Arg::uint(0)),
        ("oracle", Arg::Word(world.oracle.address.into_word().0)),
    ] {
        let Arg::Word(expected) = expected else {
            panic!("a word")
        };
        assert_eq!(
            world.call(eight, function, &[]).words().word(0),
            expected,
            "{function}"
        );
    }
}

#[test]
fn the_longest_name_is_described_whole() {
    let mut world = World::new();
    let name = "ABCDEFGHIJKLMNO-PQRSTUVWXYZ0123";
    let args = world.arguments(feed_word(name), 8, 1, 0);
    let feed = world.chain.deploy("TouchstoneFeed", &args);
    let text = world.call(feed, "description", &[]).words();
    assert_eq!(text.uint(1), 33);
    let bytes = [text.word(2), text.word(3)].concat();
    assert_eq!(&bytes[..33], b"ABCDEFGHIJKLMNO / PQRSTUVWXYZ0123");
}

#[test]
fn every_answer_is_refused_where_the_price_does_not_meet_the_conditions() {
    let mut world = World::new();
    let (strict, lenient) = (
        world.feed(8, 0),
        world.feed(8, u64::from(Status::DEGRADED.bits())),
    );
    let both = |world: &World, feed, round| {
        let latest = world.call(feed, "latestRoundData", &[]).code();
        assert_eq!(
            world.call(feed, "getRoundData", &[Arg::uint(round)]).code(),
            latest
        );
        latest
    };
    assert_eq!(both(&world, strict, 0).as_deref(), Some("no-feed"));
    world.store(1, NOW_MS, feed_leaf(BTC, 5, NOW_MS));
    world.chain.now = NOW + 5;
    assert_eq!(both(&world, strict, 1), None);
    world.chain.now = NOW + 6;
    assert_eq!(both(&world, strict, 1).as_deref(), Some("too-old"));
    world.chain.now = NOW;
    let flagged = |status| Leaf {
        status,
        ..feed_leaf(BTC, 5, NOW_MS)
    };
    world.store(2, NOW_MS, flagged(Status::DEGRADED));
    assert_eq!(both(&world, strict, 2).as_deref(), Some("status"));
    assert_eq!(both(&world, lenient, 2), None);
    world.store(3, NOW_MS, flagged(Status::DEGRADED.with(Status::STALE)));
    assert_eq!(both(&world, lenient, 3).as_deref(), Some("status"));
    world.store(
        4,
        NOW_MS,
        Leaf::unavailable(flagged(Status::OK).feed, -8, Status::OK, 0),
    );
    assert_eq!(both(&world, lenient, 4).as_deref(), Some("unavailable"));
    // Consumers take an answer for a positive number.
    for (round, price) in [(5, 0), (6, -1), (7, -(1 << 95))] {
        let leaf = Leaf {
            price,
            low: price,
            high: price,
            ..feed_leaf(BTC, 0, NOW_MS)
        };
        world.store(round, NOW_MS, leaf);
        assert_eq!(both(&world, strict, round).as_deref(), Some("not-positive"));
    }
}

#[test]
fn of_all_rounds_the_last_one_is_known() {
    let mut world = World::new();
    let feed = world.feed(8, 0);
    world.store(8, NOW_MS, feed_leaf(BTC, 5, NOW_MS));
    world.store(9, NOW_MS, feed_leaf(BTC, 6, NOW_MS));
    assert_eq!(
        world
            .call(feed, "getRoundData", &[Arg::uint(9)])
            .words()
            .int(1),
        6
    );
    for round in [0, 7, 8, 10, u64::MAX] {
        let code = world.call(feed, "getRoundData", &[Arg::uint(round)]).code();
        assert_eq!(code.as_deref(), Some("no-round"), "{round}");
    }
    // A round id is of 80 bits: the one that ends in the same 64 is another.
    let mut word = [0; 32];
    (word[22], word[31]) = (1, 9);
    assert_eq!(
        world
            .call(feed, "getRoundData", &[Arg::Word(word)])
            .code()
            .as_deref(),
        Some("no-round")
    );
}

#[test]
fn a_price_is_never_rounded() {
    let mut world = World::new();
    let (none, eight, most) = (world.feed(0, 0), world.feed(8, 0), world.feed(38, 0));
    let answer = |world: &World, feed| world.call(feed, "latestRoundData", &[]);
    let store = |world: &mut World, round, price, exponent| {
        let leaf = Leaf {
            exponent,
            price,
            low: price,
            high: price,
            ..feed_leaf(BTC, 0, NOW_MS)
        };
        world.store(round, NOW_MS, leaf);
    };
    // A finer exponent than the feed's decimals, even where the digits would be zeros.
    store(&mut world, 1, 1_000, -9);
    assert_eq!(
        answer(&world, eight).code().as_deref(),
        Some("too-many-decimals")
    );
    // A coarser one is exact.
    store(&mut world, 2, 17, -7);
    assert_eq!(answer(&world, eight).words().int(1), 170);
    assert_eq!(
        answer(&world, none).code().as_deref(),
        Some("too-many-decimals")
    );
    store(&mut world, 3, 17, 2);
    assert_eq!(answer(&world, none).words().int(1), 1_700);
    store(&mut world, 4, 17, -38);
    assert_eq!(answer(&world, most).words().int(1), 17);
    // Too large for an answer of 256 bits: no answer.
    store(&mut world, 5, 1, 38);
    assert!(answer(&world, most).result.is_ok());
    store(&mut world, 6, (1 << 95) - 1, 38);
    assert_eq!(answer(&world, most).code().as_deref(), Some("panic"));
}

#[test]
fn parameters_that_make_no_sense_are_refused_at_construction() {
    let world = World::new();
    let code = |args: &[Arg]| {
        let deployed = world.chain.clone().try_deploy(&world.artifact, args);
        deployed
            .err()
            .map(|outcome| outcome.code().expect("a revert"))
    };
    let name = || feed_word(BTC);
    assert_eq!(code(&world.arguments(name(), 38, 1, 0x1f)), None);
    let bad = [
        world.arguments(feed_word("BTC/USD"), 8, 1, 0),
        world.arguments(feed_word(""), 8, 1, 0),
        world.arguments(name(), 39, 1, 0),
        world.arguments(name(), 8, 0, 0),
        world.arguments(name(), 8, 1, 0x80),
        world.arguments(name(), 8, 1, 0x20),
    ];
    for args in bad {
        assert_eq!(code(&args).as_deref(), Some("bad-parameter"), "{args:?}");
    }
    // No oracle is there.
    let mut elsewhere = world.arguments(name(), 8, 1, 0);
    elsewhere[0] = Arg::Word(SENDER.into_word().0);
    assert_eq!(code(&elsewhere).as_deref(), Some(""));
}
