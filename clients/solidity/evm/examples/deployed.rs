//! Deploys a contract and prints the code that is then on the chain, as `eth_getCode` answers it: input of check-deployment.mjs.
//!
//! `cargo run --example deployed -- oracle NETWORK_ID GROUP_KEY MAX_SKEW_MS`, or
//! `cargo run --example deployed -- feed NAME DECIMALS MAX_AGE_MS`, which is a feed of an oracle at an address that is printed first

use touchstone_solidity_tests::{Arg, Chain, Committee4, Oracle, feed_word};
use touchstone_types::{Digest, NetworkId};

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text.trim_start_matches("0x")).expect("hexadecimal")
}

fn number(text: &str) -> u64 {
    text.parse().expect("a number")
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let mut chain = Chain::new(0);
    let network = |id: [u8; 32]| NetworkId(Digest(id));
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["oracle", id, key, skew] => {
            let id = network(bytes(id).try_into().expect("32 bytes"));
            let oracle = Oracle::deploy(&mut chain, id, &bytes(key), number(skew));
            println!("0x{}", hex::encode(chain.code(oracle.address)));
        }
        ["feed", name, decimals, max_age_ms] => {
            let key = Committee4::generate(1).group_key();
            let oracle = Oracle::deploy(&mut chain, network([1; 32]), &key, 0).address;
            let args = [
                Arg::Word(oracle.into_word().0),
                feed_word(name),
                Arg::uint(number(decimals)),
                Arg::uint(number(max_age_ms)),
                Arg::uint(0),
            ];
            let feed = chain.deploy("TouchstoneFeed", &args);
            println!("{oracle}");
            println!("0x{}", hex::encode(chain.code(feed)));
        }
        _ => panic!("see the first lines of this file"),
    }
}
