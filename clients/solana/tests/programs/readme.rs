//! The five lines of the README, as they stand there.

use solana_account_info::AccountInfo;
use solana_clock::Clock;
use solana_sha256_hasher::hashv;
use touchstone_solana::{AccountView, Error, Feed, Pin, Policy, get_price, reader::now_ms};
use touchstone_solana_tests::{
    network::{START_MS, leaves},
    vm::PROGRAM,
};

use crate::world::World;

/// A program's part of the work: its account, its clock, and what it pins.
#[rustfmt::skip]
fn example(info: &AccountInfo<'_>, clock: &Clock, pin: &Pin) -> Result<(i128, i8), Error> {
    const BTC_USD: Feed = Feed::new("BTC-USD").unwrap();
    let account = AccountView { address: info.key.as_array(), owner: info.owner.as_array(), data: &info.data.borrow() };
    let policy = Policy::fresh(now_ms(clock.unix_timestamp), 30_000);
    let price = get_price(account, pin, &BTC_USD, &policy, &|parts: &[&[u8]]| hashv(parts).to_bytes())?;
    Ok((price.price, price.exponent)) // mantissa * 10^exponent
}

#[test]
fn the_five_lines_are_these() {
    let readme = include_str!("../../README.md");
    let block = readme.split("```rust").nth(1).expect("a block of Rust");
    let (_, block) = block.split_once('\n').expect("lines");
    let (block, _) = block.split_once("```").expect("the block's end");
    assert_eq!(block.lines().count(), 5);
    let indented: String = block.lines().map(|line| format!("    {line}\n")).collect();
    assert!(
        include_str!("readme.rs").contains(&indented),
        "the README has other lines:\n{block}"
    );
}

#[test]
fn the_five_lines_give_a_fresh_price_or_none() {
    let mut world = World::new(111);
    let update = world.update(1, &[2]);
    world.store(&update, &[2]).expect("stored");
    let mut account = world.account(2);
    let pin = Pin {
        program: PROGRAM.to_bytes(),
        config: world.config.to_bytes(),
    };
    let mut read = |unix_timestamp: i64| {
        let clock = Clock {
            unix_timestamp,
            ..Clock::default()
        };
        let (key, owner) = (&world.prices[2], &account.owner);
        let (lamports, data) = (&mut account.lamports, &mut account.data[..]);
        let info = AccountInfo::new(key, false, false, lamports, data, owner, false);
        example(&info, &clock, &pin)
    };
    let signed = i64::try_from(START_MS / 1_000).expect("a time") + 1;
    assert_eq!(read(signed), Ok((leaves(1)[2].price, -8)));
    assert_eq!(read(signed + 31), Err(Error::TooOld));
}
