//! Accounts that are not what they should be.

use solana_account::Account;
use solana_address::Address;
use solana_instruction::{AccountMeta, Instruction};
use solana_instruction_error::InstructionError;
use solana_signer::Signer as _;
use solana_system_interface::instruction::create_account_with_seed;
use solana_transaction_error::TransactionError;
use touchstone_solana::{
    Error, Feed,
    account::{CONFIG_BYTES, PRICE_BYTES},
    instruction,
};
use touchstone_solana_tests::{
    network::{Network, leaf, leaves},
    vm::{self, EXAMPLE, INSTRUCTIONS, PROGRAM, Vm, config_address, price_address, refused},
};
use touchstone_types::Leaf;

use crate::{example, world::World};

/// An update of BTC-USD whose instruction was changed.
fn changed(
    world: &mut World,
    change: impl FnOnce(&mut Instruction),
) -> Result<(), TransactionError> {
    let update = world.update(1, &[2]);
    let [precompile, mut store] = world.instructions(&update, &[2]);
    change(&mut store);
    world.vm.send(&[precompile, store]).map(|_| ())
}

fn copy(world: &mut World, from: Address, change: impl FnOnce(&mut Account)) -> Address {
    let to = Address::new_from_array([0x55; 32]);
    let mut account = world.vm.svm.get_account(&from).unwrap_or_default();
    account.lamports = account.lamports.max(10_000_000);
    change(&mut account);
    world.vm.svm.set_account(to, account).expect("an account");
    to
}

#[test]
fn a_config_is_the_programs_own() {
    let mut world = World::new(51);
    let config = world.config;
    let mut with = |account: Address, error| {
        let sent = changed(&mut world, |store| store.accounts[0].pubkey = account);
        assert_eq!(sent, Err(refused(1, error)));
    };
    with(Address::new_from_array([1; 32]), Error::WrongOwner);
    with(PROGRAM, Error::WrongOwner);
    let price = price_address(&config, &leaves(0)[3].feed.to_bytes());
    with(price, Error::WrongKind);
    // The same bytes in an account of somebody else's program.
    let fake = copy(&mut world, config, |account| account.owner = EXAMPLE);
    let sent = changed(&mut world, |store| store.accounts[0].pubkey = fake);
    assert_eq!(sent, Err(refused(1, Error::WrongOwner)));
    for len in [0, CONFIG_BYTES - 1, CONFIG_BYTES + 1, PRICE_BYTES] {
        let fake = copy(&mut world, config, |account| account.data.resize(len, 0));
        let sent = changed(&mut world, |store| store.accounts[0].pubkey = fake);
        assert_eq!(sent, Err(refused(1, Error::WrongKind)), "{len}");
    }
}

#[test]
fn a_config_of_another_key_or_network_is_another_config() {
    let mut world = World::new(52);
    let stranger = Network::new(53);
    let other_key = world.vm.pin(&world.network.id, &stranger.key);
    let sent = changed(&mut world, |store| store.accounts[0].pubkey = other_key);
    assert_eq!(sent, Err(refused(1, Error::BadSignature)));
    let other_network = world.vm.pin(&stranger.id, &world.network.key);
    let sent = changed(&mut world, |store| store.accounts[0].pubkey = other_network);
    assert_eq!(sent, Err(refused(1, Error::WrongNetwork)));
}

#[test]
fn the_sysvar_is_the_runtimes() {
    let mut world = World::new(54);
    let fake = copy(&mut world, INSTRUCTIONS, |account| {
        // What a check of the signature would look like.
        account.data = vec![0; 500];
    });
    for account in [fake, vm::ED25519, world.config] {
        let sent = changed(&mut world, |store| store.accounts[1].pubkey = account);
        let error = match account == world.config {
            true => Error::DuplicateAccount,
            false => Error::WrongSysvar,
        };
        assert_eq!(sent, Err(refused(1, error)));
    }
}

#[test]
fn price_accounts_are_the_programs_own() {
    let mut world = World::new(55);
    let (config, btc, eth) = (world.config, world.prices[2], world.prices[4]);
    let stranger = Network::new(56);
    let other = world.vm.pin(&stranger.id, &stranger.key);
    let other_btc = world.vm.create(other, &leaves(0)[2].feed.to_bytes());
    let nobody = Address::new_from_array([1; 32]);
    let mut with = |account: Address, error| {
        let sent = changed(&mut world, |store| store.accounts[2].pubkey = account);
        assert_eq!(sent, Err(refused(1, error)));
    };
    with(eth, Error::NoFeed);
    with(other_btc, Error::WrongConfig);
    with(other, Error::WrongKind);
    with(nobody, Error::WrongOwner);
    with(config, Error::DuplicateAccount);
    let fake = copy(&mut world, btc, |account| account.owner = EXAMPLE);
    let sent = changed(&mut world, |store| store.accounts[2].pubkey = fake);
    assert_eq!(sent, Err(refused(1, Error::WrongOwner)));
    for len in [0, 8, CONFIG_BYTES, PRICE_BYTES - 1, PRICE_BYTES + 1] {
        let fake = copy(&mut world, btc, |account| account.data.resize(len, 0));
        let sent = changed(&mut world, |store| store.accounts[2].pubkey = fake);
        assert_eq!(sent, Err(refused(1, Error::WrongKind)), "{len}");
    }
    let sent = changed(&mut world, |store| store.accounts[2].is_writable = false);
    assert_eq!(sent, Err(refused(1, Error::NotWritable)));
    assert_eq!(world.round(2), None);
    changed(&mut world, |_| ()).expect("stored");
}

/// Anybody may make accounts that the program owns, at addresses of their own. They hold zeros, and are no config and no price
/// account.
#[test]
fn accounts_that_somebody_gave_to_the_program_are_nothing() {
    let mut world = World::new(65);
    let payer = world.vm.payer.pubkey();
    let feed = Feed::new("NEW-USD").expect("a feed");
    for (seed, len) in [("a", CONFIG_BYTES), ("b", PRICE_BYTES), ("c", 0)] {
        let given = Address::create_with_seed(&payer, seed, &PROGRAM).expect("an address");
        let (lamports, len) = (10_000_000, u64::try_from(len).expect("a length"));
        let create =
            create_account_with_seed(&payer, &given, &payer, seed, lamports, len, &PROGRAM);
        world.vm.send(&[create]).expect("an account");
        let account = world.vm.svm.get_account(&given).expect("an account");
        assert_eq!(account.owner, PROGRAM);
        for place in [0, 2] {
            let sent = changed(&mut world, |store| store.accounts[place].pubkey = given);
            assert_eq!(sent, Err(refused(1, Error::WrongKind)));
        }
        let price = price_address(&given, feed.as_bytes());
        let fund = world.vm.fund(price, PRICE_BYTES);
        let sent = world.vm.send(&[fund, vm::create(price, given, &feed)]);
        assert_eq!(sent, Err(refused(1, Error::WrongKind)));
        let sent = world.vm.send(&[example::ask(&world, given)]);
        assert_eq!(sent, Err(refused(0, Error::WrongKind)));
        // Nor does the program turn them into one.
        let network = Network::new(66);
        for instruction in [
            vm::initialize(given, &network.id, &network.key),
            vm::create(given, world.config, &feed),
        ] {
            let sent = world.vm.send(&[instruction]);
            assert_eq!(sent, Err(refused(0, Error::WrongAddress)));
        }
        assert_eq!(world.vm.svm.get_account(&given), Some(account));
    }
}

/// As many as the README says, and not one more.
#[test]
fn an_update_has_fourteen_feeds_at_most() {
    let mut world = World::new(67);
    let many: Vec<Leaf> = (0..16)
        .map(|i| leaf(&format!("F{i:02}"), 1_000_000, 1))
        .collect();
    let accounts: Vec<Address> = many
        .iter()
        .map(|leaf| world.vm.create(world.config, &leaf.feed.to_bytes()))
        .collect();
    for (count, stored) in [(15, false), (14, true)] {
        let indices: Vec<u16> = (0..count).collect();
        let update = world.network.update(1, &many, &indices);
        let sent = world.vm.send(&[
            vm::precompile(&world.network.key, &update),
            vm::update(world.config, &accounts[..indices.len()], &update),
        ]);
        match stored {
            true => drop(sent.expect("stored")),
            false => assert_eq!(sent, Err(refused(1, Error::AccountCount))),
        }
    }
}

#[test]
fn an_update_takes_one_account_for_each_entry() {
    let mut world = World::new(57);
    let (btc, eth) = (world.prices[2], world.prices[4]);
    for count in 0..3 {
        let sent = changed(&mut world, |store| store.accounts.truncate(count));
        assert_eq!(sent, Err(refused(1, Error::AccountCount)), "{count}");
    }
    let sent = changed(&mut world, |store| {
        store.accounts.push(AccountMeta::new(eth, false));
    });
    assert_eq!(sent, Err(refused(1, Error::AccountCount)));
    let sent = changed(&mut world, |store| {
        store.accounts.push(AccountMeta::new(btc, false));
    });
    assert_eq!(sent, Err(refused(1, Error::DuplicateAccount)));
    let sent = changed(&mut world, |store| {
        let account = |i| AccountMeta::new_readonly(Address::new_from_array([i; 32]), false);
        store.accounts.extend((100..116).map(account));
    });
    assert_eq!(sent, Err(refused(1, Error::AccountCount)));
    // Exchanged accounts of two feeds.
    let update = world.update(1, &[2, 4]);
    let [precompile, store] = world.instructions(&update, &[4, 2]);
    let sent = world.vm.send(&[precompile, store]);
    assert_eq!(sent, Err(refused(1, Error::NoFeed)));
}

#[test]
fn unknown_instructions() {
    let mut world = World::new(58);
    for data in [vec![], vec![3], vec![255, 1, 2], vec![2]] {
        let error = match data.first() {
            Some(2) => Error::Truncated,
            _ => Error::UnknownInstruction,
        };
        let sent = changed(&mut world, |store| store.data = data);
        assert_eq!(sent, Err(refused(1, error)));
    }
}

#[test]
fn a_config_is_created_once_at_its_own_address() {
    let mut vm = Vm::default();
    let network = Network::new(59);
    let (id, key) = (network.id, network.key);
    let config = config_address(&id, &key);
    let fund = vm.fund(config, CONFIG_BYTES);
    // For another key, for another network, elsewhere.
    let other = Network::new(60);
    for (id, key) in [(id, other.key), (other.id, key)] {
        let sent = vm.send(&[fund.clone(), vm::initialize(config, &id, &key)]);
        assert_eq!(sent, Err(refused(1, Error::WrongAddress)));
    }
    let mut read_only = vm::initialize(config, &id, &key);
    read_only.accounts[0].is_writable = false;
    let sent = vm.send(&[read_only]);
    assert_eq!(sent, Err(refused(0, Error::NotWritable)));
    for count in [0, 1] {
        let mut fewer = vm::initialize(config, &id, &key);
        fewer.accounts.truncate(count);
        assert_eq!(vm.send(&[fewer]), Err(refused(0, Error::AccountCount)));
    }
    let mut short = vm::initialize(config, &id, &key);
    short.data.truncate(20);
    assert_eq!(vm.send(&[short]), Err(refused(0, Error::Truncated)));
    // Without the system program there is nobody to call.
    let mut without = vm::initialize(config, &id, &key);
    without.accounts[1].pubkey = EXAMPLE;
    let sent = vm.send(&[fund.clone(), without]);
    let missing = TransactionError::InstructionError(1, InstructionError::MissingAccount);
    assert_eq!(sent, Err(missing));
    assert!(vm.svm.get_account(&config).is_none());

    vm.send(&[fund.clone(), vm::initialize(config, &id, &key)])
        .expect("a config");
    let account = vm.svm.get_account(&config).expect("a config");
    assert_eq!(account.owner, PROGRAM);
    let bump = Address::find_program_address(&instruction::config_seeds(&id, &key), &PROGRAM).1;
    let expected = [b"tsconf/1", &id[..], &key, &[bump], &[0; 7]].concat();
    assert_eq!(account.data, expected);
    let sent = vm.send(&[fund, vm::initialize(config, &id, &key)]);
    assert_eq!(sent, Err(refused(1, Error::Exists)));
    assert_eq!(vm.svm.get_account(&config), Some(account));
}

/// Whoever sends lamports to an address first cannot keep the account from being created.
#[test]
fn lamports_that_came_first_do_no_harm() {
    let mut vm = Vm::default();
    let network = Network::new(61);
    let config = config_address(&network.id, &network.key);
    let rent = vm.svm.minimum_balance_for_rent_exemption(0);
    vm.svm.airdrop(&config, rent).expect("lamports");
    let create = vm::initialize(config, &network.id, &network.key);
    // That is too little for an account with data, which the runtime says itself.
    let sent = vm.send(std::slice::from_ref(&create));
    assert!(
        matches!(sent, Err(TransactionError::InsufficientFundsForRent { .. })),
        "{sent:?}"
    );
    let fund = vm.fund(config, CONFIG_BYTES);
    vm.send(&[fund, create]).expect("a config");
    // Without any lamports the transaction passes, and leaves nothing.
    let other = Network::new(62);
    let config = config_address(&other.id, &other.key);
    vm.send(&[vm::initialize(config, &other.id, &other.key)])
        .expect("nothing happens");
    assert!(vm.svm.get_account(&config).is_none());
}

#[test]
fn a_price_account_is_created_once_under_a_config() {
    let mut world = World::new(63);
    let config = world.config;
    let feed = Feed::new("NEW-USD").expect("a feed");
    let price = price_address(&config, feed.as_bytes());
    let fund = world.vm.fund(price, PRICE_BYTES);
    let send =
        |world: &mut World, create: Instruction| world.vm.send(&[fund.clone(), create]).map(|_| ());
    let good = vm::create(price, config, &feed);
    let other = Feed::new("OTHER-USD").expect("a feed");
    let sent = send(&mut world, vm::create(price, config, &other));
    assert_eq!(sent, Err(refused(1, Error::WrongAddress)));
    let not_a_config = world.prices[0];
    let sent = send(&mut world, vm::create(price, not_a_config, &feed));
    assert_eq!(sent, Err(refused(1, Error::WrongKind)));
    let foreign = copy(&mut world, config, |account| account.owner = EXAMPLE);
    let sent = send(&mut world, vm::create(price, foreign, &feed));
    assert_eq!(sent, Err(refused(1, Error::WrongOwner)));
    for (len, byte) in [(32, 0), (34, b'N'), (33, b'n')] {
        let mut bad = good.clone();
        bad.data.resize(len, 0);
        bad.data[1] = byte;
        assert_eq!(send(&mut world, bad), Err(refused(1, Error::Leaf)));
    }
    let mut read_only = good.clone();
    read_only.accounts[0].is_writable = false;
    let sent = world.vm.send(&[read_only]).map(|_| ());
    assert_eq!(sent, Err(refused(0, Error::NotWritable)));
    let mut fewer = good.clone();
    fewer.accounts.pop();
    assert_eq!(
        send(&mut world, fewer),
        Err(refused(1, Error::AccountCount))
    );

    send(&mut world, good.clone()).expect("an account");
    assert_eq!(send(&mut world, good), Err(refused(1, Error::Exists)));
    // A price that is stored stays: creating the account again is no way to an older round.
    let update = world.update(1, &[2]);
    world.store(&update, &[2]).expect("stored");
    let btc = Feed::new("BTC-USD").expect("a feed");
    let again = vm::create(world.prices[2], config, &btc);
    assert_eq!(world.vm.send(&[again]), Err(refused(0, Error::Exists)));
    assert_eq!(world.round(2), Some(1));
}

/// Each byte of a stored account, at the offset that the documentation gives.
#[test]
fn the_layout_is_the_documented_one() {
    let mut world = World::new(64);
    let update = world.update(7, &[2]);
    world.store(&update, &[2]).expect("stored");
    let leaf = leaves(7)[2];
    let statement = world.network.statement(7, &leaves(7));
    let data = world.account(2).data;
    let at = |offset: usize, len: usize| &data[offset..offset + len];
    assert_eq!(data.len(), PRICE_BYTES);
    assert_eq!(at(0, 8), b"tsprice1");
    assert_eq!(at(8, 32), world.config.as_array());
    assert_eq!(at(40, 32), leaf.feed.to_bytes());
    assert_eq!(at(72, 8), 7u64.to_le_bytes());
    assert_eq!(at(80, 8), statement.timestamp_ms.to_le_bytes());
    assert_eq!(at(88, 8), leaf.observed_at_ms.to_le_bytes());
    assert_eq!(at(96, 16), leaf.price.to_le_bytes());
    assert_eq!(at(112, 16), leaf.low.to_le_bytes());
    assert_eq!(at(128, 16), leaf.high.to_le_bytes());
    assert_eq!(at(144, 4), 0u32.to_le_bytes());
    assert_eq!(at(148, 2), 4u16.to_le_bytes());
    assert_eq!(at(150, 4), [0, 0xf8, 1, bump(&world)]);
    assert_eq!(at(154, 6), [0; 6]);
}

fn bump(world: &World) -> u8 {
    let feed = leaves(0)[2].feed.to_bytes();
    let seeds = instruction::price_seeds(world.config.as_array(), &feed);
    Address::find_program_address(&seeds, &PROGRAM).1
}
