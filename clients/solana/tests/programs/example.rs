//! A program that reads a price.

use std::slice::from_ref;

use solana_address::Address;
use solana_instruction::{AccountMeta, Instruction};
use touchstone_solana::Error;
use touchstone_solana_tests::{
    network::{START_MS, leaves},
    vm::{EXAMPLE, PROGRAM, refused},
};

use crate::world::World;

/// Asks the example for SOL-USD of an account.
pub(crate) fn ask(world: &World, account: Address) -> Instruction {
    let data = [PROGRAM.to_bytes(), world.config.to_bytes()].concat();
    let accounts = vec![AccountMeta::new_readonly(account, false)];
    Instruction::new_with_bytes(EXAMPLE, &data, accounts)
}

#[test]
fn the_example_reads_a_price_or_nothing() {
    let mut world = World::new(71);
    let sol = world.prices[8];
    let now = i64::try_from(START_MS / 1_000).expect("a time");
    let asked = ask(&world, sol);
    let no_price = Err(refused(0, Error::NoPrice));
    assert_eq!(world.vm.send(from_ref(&asked)), no_price);
    let update = world.update(1, &[8]);
    world.store(&update, &[8]).expect("stored");
    for (seconds, fresh) in [(1, true), (31, true), (32, false)] {
        world.vm.set_clock(now + seconds);
        match world.vm.send(from_ref(&asked)) {
            Ok(meta) => {
                let price = leaves(1)[8].price.to_le_bytes();
                assert_eq!(meta.return_data.data, [&price[..], &[0xf8]].concat());
                assert!(fresh);
            }
            Err(error) => {
                assert_eq!(error, refused(0, Error::TooOld));
                assert!(!fresh);
            }
        }
    }
    for (clock, error) in [
        (-1, Error::Ahead),
        (i64::MIN, Error::Ahead),
        (i64::MAX, Error::TooOld),
    ] {
        world.vm.set_clock(clock);
        let sent = world.vm.send(from_ref(&asked));
        assert_eq!(sent, Err(refused(0, error)));
    }
    // Of other accounts it says nothing.
    let btc = world.prices[2];
    for (account, error) in [
        (btc, Error::NoFeed),
        (world.config, Error::WrongKind),
        (EXAMPLE, Error::WrongOwner),
    ] {
        let sent = world.vm.send(&[ask(&world, account)]);
        assert_eq!(sent, Err(refused(0, error)));
    }
}
