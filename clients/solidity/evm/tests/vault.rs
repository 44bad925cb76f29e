//! The example of a consumer: no way to its price leads around age and status.

use revm::primitives::{Address, U256};
use touchstone_solidity_tests::{
    Arg, Artifact, Chain, Committee4, Oracle, Outcome, SENDER, STRANGER, feed_leaf, feed_word,
    statement_over,
};
use touchstone_types::{Digest, Leaf, NetworkId, Status};

const NOW: u64 = 1_790_000_000;
const NOW_MS: u64 = NOW * 1_000;
const NETWORK: NetworkId = NetworkId(Digest([0x7e; 32]));
const ETH: &str = "ETH-USD";
const COIN: u128 = 1_000_000_000_000_000_000;

struct World {
    chain: Chain,
    oracle: Oracle,
    committee: Committee4,
    vault: Address,
    artifact: Artifact,
}

impl World {
    fn new() -> Self {
        let committee = Committee4::generate(51);
        let mut chain = Chain::new(NOW);
        let oracle = Oracle::deploy(&mut chain, NETWORK, &committee.group_key(), 2_000);
        let args = [
            Arg::Word(oracle.address.into_word().0),
            feed_word(ETH),
            Arg::uint(30_000),
        ];
        let vault = chain.deploy("ExampleVault", &args);
        Self {
            chain,
            oracle,
            committee,
            vault,
            artifact: Artifact::read("ExampleVault"),
        }
    }

    fn update(&self, round: u64, timestamp_ms: u64, leaf: Leaf) -> Vec<u8> {
        let statement = statement_over(NETWORK, round, timestamp_ms, &[leaf]);
        self.committee.update(&statement, &[leaf], &[0]).to_bytes()
    }

    fn store(&mut self, round: u64, timestamp_ms: u64, leaf: Leaf) {
        let data = self.oracle.update(&self.update(round, timestamp_ms, leaf));
        assert_eq!(
            self.chain.send(SENDER, self.oracle.address, &data).code(),
            None
        );
    }

    fn send(&mut self, function: &str, args: &[Arg], wei: u128) -> Outcome {
        let data = [self.artifact.selector(function).to_vec(), Arg::encode(args)].concat();
        self.chain.pay(STRANGER, self.vault, &data, wei)
    }

    fn code(&mut self, function: &str, args: &[Arg]) -> Option<String> {
        self.send(function, args, 0).code()
    }
}

fn eth(dollars: i128) -> Leaf {
    feed_leaf(ETH, dollars * 100_000_000, NOW_MS)
}

fn dollars(amount: u128) -> Arg {
    Arg::Word(U256::from(amount * COIN).to_be_bytes())
}

#[test]
fn it_lends_at_a_fresh_price_and_at_no_other() {
    let mut world = World::new();
    assert_eq!(world.send("deposit", &[], 3 * COIN).code(), None);
    let who = Arg::Word(STRANGER.into_word().0);
    let borrow = |world: &mut World, amount| world.code("borrow(uint256)", &[dollars(amount)]);
    // No price, an old one, a flagged one, none in the round, and one that is no price.
    assert_eq!(borrow(&mut world, 1).as_deref(), Some("no-feed"));
    world.store(1, NOW_MS - 30_001, eth(2_000));
    assert_eq!(borrow(&mut world, 1).as_deref(), Some("too-old"));
    assert_eq!(
        world.code("worth", std::slice::from_ref(&who)).as_deref(),
        Some("too-old")
    );
    world.store(
        2,
        NOW_MS,
        Leaf {
            status: Status::DEPEGGED,
            ..eth(2_000)
        },
    );
    assert_eq!(borrow(&mut world, 1).as_deref(), Some("status"));
    world.store(3, NOW_MS, Leaf::unavailable(eth(1).feed, -8, Status::OK, 0));
    assert_eq!(borrow(&mut world, 1).as_deref(), Some("unavailable"));
    world.store(4, NOW_MS, eth(0));
    assert_eq!(borrow(&mut world, 1).as_deref(), Some("unusable-price"));
    world.store(
        5,
        NOW_MS,
        Leaf {
            exponent: -19,
            ..eth(2_000)
        },
    );
    assert_eq!(borrow(&mut world, 1).as_deref(), Some("unusable-price"));
    // Three coins at 2,000 dollars carry 4,000.
    world.store(6, NOW_MS, eth(2_000));
    let worth = world.send("worth", &[who], 0).words();
    assert_eq!(U256::from_be_bytes(worth.word(0)), U256::from(6_000 * COIN));
    assert_eq!(borrow(&mut world, 4_001).as_deref(), Some("not-covered"));
    assert_eq!(borrow(&mut world, 4_000), None);
    assert_eq!(borrow(&mut world, 1).as_deref(), Some("not-covered"));
}

#[test]
fn an_update_comes_with_the_call_and_an_earlier_one_is_of_no_use() {
    let mut world = World::new();
    world.send("deposit", &[], 3 * COIN);
    let high = world.update(6, NOW_MS - 2_000, eth(9_000));
    world.store(7, NOW_MS, eth(2_000));
    let with = |world: &mut World, amount, update: Vec<u8>| {
        world.code(
            "borrow(uint256,bytes)",
            &[dollars(amount), Arg::Bytes(update)],
        )
    };
    // Fresh enough and signed, but a later round is known: that one counts.
    assert_eq!(
        with(&mut world, 4_001, high.clone()).as_deref(),
        Some("not-covered")
    );
    assert_eq!(with(&mut world, 4_000, high), None);
    let later = world.update(8, NOW_MS, eth(3_000));
    assert_eq!(with(&mut world, 2_000, later), None);
    let mut forged = world.update(9, NOW_MS, eth(9_000));
    forged[220] ^= 1;
    assert!(with(&mut world, 1, forged).is_some());
}

#[test]
fn what_is_not_lent_against_is_given_back_whatever_the_oracle_says() {
    let mut world = World::new();
    world.send("deposit", &[], 3 * COIN);
    let coins = |n: u128| Arg::Word(U256::from(n * COIN).to_be_bytes());
    assert_eq!(world.code("withdraw", &[coins(1)]), None);
    assert_eq!(
        world.code("withdraw", &[coins(3)]).as_deref(),
        Some("too-much")
    );
    world.store(1, NOW_MS, eth(2_000));
    assert_eq!(world.code("borrow(uint256)", &[dollars(1_000)]), None);
    assert_eq!(
        world.code("withdraw", &[coins(2)]).as_deref(),
        Some("not-covered")
    );
    // With debt a withdrawal needs a price, and there is none any more.
    world.chain.now += 31;
    assert_eq!(
        world.code("withdraw", &[coins(1)]).as_deref(),
        Some("too-old")
    );
    assert_eq!(
        world.code("repay", &[dollars(1_001)]).as_deref(),
        Some("too-much")
    );
    assert_eq!(world.code("repay", &[dollars(1_000)]), None);
    assert_eq!(world.code("withdraw", &[coins(2)]), None);
}
