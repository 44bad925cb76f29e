//! What everything costs, under the rules of Osaka: the table of the README, which must be the one that is measured here.

use touchstone_solidity_tests::{
    Arg, Artifact, Chain, Committee4, Oracle, SENDER, feed_word, leaves, statement_over,
};
use touchstone_types::{Digest, NetworkId};

const NOW: u64 = 1_790_000_000;
const NETWORK: NetworkId = NetworkId(Digest([0xa7; 32]));

/// What a transaction pays before anything runs (EIP-2028): 21,000, 16 for a byte and 4 for a zero byte.
fn intrinsic(data: &[u8]) -> u64 {
    21_000
        + data
            .iter()
            .map(|b| if *b == 0 { 4 } else { 16 })
            .sum::<u64>()
}

/// The floor of EIP-7623: 10 for each of the tokens, of which a zero byte is one and another byte four.
fn floor(data: &[u8]) -> u64 {
    21_000
        + data
            .iter()
            .map(|b| if *b == 0 { 10 } else { 40 })
            .sum::<u64>()
}

struct World {
    chain: Chain,
    oracle: Oracle,
    committee: Committee4,
}

impl World {
    fn new() -> Self {
        let committee = Committee4::generate(7);
        let mut chain = Chain::new(NOW);
        let oracle = Oracle::deploy(&mut chain, NETWORK, &committee.group_key(), 12_000);
        Self {
            chain,
            oracle,
            committee,
        }
    }

    /// An update of round `round` of a network of twelve feeds, all observed and priced anew.
    fn update(&self, round: u64, indices: &[u16]) -> Vec<u8> {
        let time = (NOW - 10 + round) * 1_000 + 137;
        let mut leaves = leaves(12, time - 321);
        for leaf in &mut leaves {
            let step = 12_345 * i128::from(round);
            (leaf.price, leaf.low, leaf.high) =
                (leaf.price + step, leaf.low + step, leaf.high + step);
        }
        let statement = statement_over(NETWORK, NOW - 10 + round, time, &leaves);
        self.committee
            .update(&statement, &leaves, indices)
            .to_bytes()
    }

    /// Gas of the whole transaction that sends an update.
    fn send(&mut self, round: u64, indices: &[u16]) -> u64 {
        let data = self.oracle.update(&self.update(round, indices));
        let outcome = self.chain.send(SENDER, self.oracle.address, &data);
        assert_eq!(outcome.words().uint(0), indices.len() as u64);
        assert_eq!(outcome.floor, floor(&data));
        assert_eq!(outcome.gas, outcome.spent.max(outcome.floor));
        outcome.gas
    }

    /// Gas of execution alone of a call that does not store anything.
    fn execution(&self, to: revm::primitives::Address, data: &[u8]) -> u64 {
        let outcome = self.chain.call(to, data);
        assert_eq!(outcome.code(), None);
        outcome.spent - intrinsic(data)
    }
}

fn call(artifact: &Artifact, function: &str, args: &[Arg]) -> Vec<u8> {
    [artifact.selector(function).to_vec(), Arg::encode(args)].concat()
}

/// The signature alone: a call that verifies less the same call that does not.
fn signature(world: &mut World) -> u64 {
    let update = world.update(1, &[5]);
    let key = Arg::Bytes(world.committee.group_key());
    let address = world.chain.deploy("LibraryHarness", &[key]);
    let artifact = Artifact::read("LibraryHarness");
    let word = |at: usize| Arg::Word(update[at..at + 32].try_into().expect("32 bytes"));
    let statement = touchstone_types::PriceUpdate::from_bytes(&update)
        .expect("well formed")
        .statement;
    let args = [
        Arg::Word(statement.digest().0),
        word(120),
        word(152),
        word(184),
    ];
    let (verify, nothing) = (
        call(&artifact, "verify", &args),
        call(&artifact, "nothing", &args),
    );
    assert_eq!(world.chain.call(address, &verify).words().uint(0), 1);
    // The selectors differ, and with them what the calldata costs: execution alone is compared.
    world.execution(address, &verify) - world.execution(address, &nothing)
}

/// Reads by another contract, each with all accounts and slots cold: what the call costs its caller.
fn reads(world: &mut World) -> (u64, u64) {
    let feed = "F00005-USD";
    let oracle = world.oracle.address;
    let as_word = |address: revm::primitives::Address| Arg::Word(address.into_word().0);
    let args = [
        as_word(oracle),
        feed_word(feed),
        Arg::uint(8),
        Arg::uint(60_000),
        Arg::uint(0),
    ];
    let aggregator = world.chain.deploy("TouchstoneFeed", &args);
    let reader = world.chain.deploy("ReadHarness", &[]);
    let artifact = Artifact::read("ReadHarness");
    let cost = |function: &str, at| {
        let args = [as_word(at), feed_word(feed)];
        let nothing = world.execution(reader, &call(&artifact, "nothing", &args));
        world.execution(reader, &call(&artifact, function, &args)) - nothing
    };
    (cost("chainlink", aggregator), cost("oracle", oracle))
}

fn thousands(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[test]
fn the_table_of_the_readme_is_what_is_measured() {
    let mut world = World::new();
    let signature = signature(&mut world);
    let first_one = world.send(1, &[5]);
    let next_one = world.send(2, &[5]);
    let ten: Vec<u16> = (0..10).collect();
    let twelve: Vec<u16> = (0..12).collect();
    world.send(3, &twelve);
    let next_ten = world.send(4, &ten);
    let next_twelve = world.send(5, &twelve);
    let first_ten = World::new().send(1, &ten);
    let (chainlink, read) = reads(&mut world);
    let verify = world
        .oracle
        .verify(&world.update(6, &[5]), "F00005-USD", 60_000);
    let verify = world.execution(world.oracle.address, &verify);
    let oracle_args = Oracle::arguments(NETWORK, &world.committee.group_key(), 12_000);
    let deploy = world.chain.deployment_gas("TouchstoneOracle", &oracle_args);
    let feed_args = [
        Arg::Word(world.oracle.address.into_word().0),
        feed_word("F00005-USD"),
        Arg::uint(8),
        Arg::uint(60_000),
        Arg::uint(0),
    ];
    let deploy_feed = world.chain.deployment_gas("TouchstoneFeed", &feed_args);

    let rows = [
        (
            "the signature alone (challenge, curve, `ecrecover`)",
            signature,
        ),
        (
            "`update`, one feed of twelve: the whole transaction",
            next_one,
        ),
        (
            "the same, the first time that the feed is stored",
            first_one,
        ),
        (
            "`update`, ten feeds of twelve: the whole transaction",
            next_ten,
        ),
        ("the same, the first time", first_ten),
        (
            "`update`, twelve feeds of twelve: the whole transaction",
            next_twelve,
        ),
        ("`verify`, one feed of twelve: execution", verify),
        ("`read`, by another contract, all cold", read),
        (
            "`latestRoundData`, by another contract, all cold",
            chainlink,
        ),
        ("deploying `TouchstoneOracle`", deploy),
        ("deploying `TouchstoneFeed`", deploy_feed),
    ];
    let mut table = String::from("| what | gas |\n|---|---:|\n");
    for (what, gas) in rows {
        table += &format!("| {what} | {} |\n", thousands(gas));
    }
    println!("{table}");
    assert!(signature <= 4_500, "{signature}");
    assert!(next_one <= 45_000, "{next_one}");

    let readme = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = std::fs::read_to_string(readme).expect("the README");
    for (what, gas) in rows {
        let row = readme
            .lines()
            .find(|line| line.starts_with(&format!("| {what} |")));
        let row = row.unwrap_or_else(|| panic!("the README has no row of: {what}"));
        let stated = row
            .split('|')
            .nth(2)
            .expect("a column")
            .trim()
            .replace(',', "");
        let stated: u64 = stated.parse().expect("a number");
        // A signature with another number of zero bytes costs some gas more or less.
        let off = stated.abs_diff(gas);
        assert!(
            off * 500 <= gas,
            "the README says {stated} of {what}, measured are {gas}"
        );
    }
}
