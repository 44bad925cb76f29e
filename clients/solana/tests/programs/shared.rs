//! The shared vectors: every update that applies, with exactly its code.

use std::collections::{BTreeMap, BTreeSet};

use solana_address::Address;
use touchstone_solana::{Error, Feed, reader::now_ms, update::Update};
use touchstone_solana_tests::{
    vectors::{self, KeyVector, UpdateVector, bytes32, number},
    vm::{self, Vm, custom, refused},
};

use crate::world::anything;

/// A time at which no timestamp of a vector is ahead.
const LATE: i64 = i64::MAX;
/// What the Ed25519 program says of a signature, `PrecompileError::InvalidSignature`.
const INVALID_SIGNATURE: u32 = 2;

fn code(name: &str) -> Error {
    let mut all = Error::ALL.iter().filter(|error| error.code() == name);
    *all.next()
        .unwrap_or_else(|| panic!("no error has the code {name}"))
}

/// Empty price accounts of all feeds of an update; of one that is none, no accounts.
fn accounts(vm: &mut Vm, config: Address, update: &[u8]) -> Vec<Address> {
    let Ok(update) = Update::parse(update) else {
        return vec![];
    };
    let names = update.feeds().copied();
    names
        .map(|name| {
            let name = &name;
            let price = vm::price_address(&config, name);
            vm.svm
                .set_account(price, Default::default())
                .expect("an account that is no more");
            vm.create(config, name)
        })
        .collect()
}

#[test]
fn valid_updates_are_stored_as_they_are() {
    let mut vm = Vm::default();
    vm.set_clock(LATE);
    let (mut stored, mut large) = (0, 0);
    for vector in vectors::updates("update/valid") {
        let name = &vector.name;
        let update = hex::decode(&vector.update).expect("hexadecimal");
        if update[1] != 1 {
            continue; // below
        }
        let network = bytes32(&vector.network_id);
        let key = bytes32(&vector.group_keys["ed25519"]);
        let config = vm.pin(&network, &key);
        let prices = accounts(&mut vm, config, &update);
        let instructions = [
            vm::precompile(&key, &update),
            vm::update(config, &prices, &update),
        ];
        if vm.fits(&instructions) {
            stored += 1;
        } else {
            large += 1; // the machine takes them all the same
        }
        vm.send(&instructions)
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        check_stored(&vm, config, &vector);
    }
    println!("{stored} valid updates fit into a transaction, {large} do not");
    assert!(stored >= 25 && large >= 2, "{stored}, {large}");
}

fn check_stored(vm: &Vm, config: Address, vector: &UpdateVector) {
    let name = &vector.name;
    let valid = vector.valid.as_ref().expect(name);
    for entry in &valid.entries {
        let feed = Feed::new(&entry.feed).expect(name);
        let price = vm.read(config, &feed, &anything());
        if entry.status_bits & 128 != 0 {
            assert_eq!(price, Err(Error::Unavailable), "{name}");
            continue;
        }
        let price = price.unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(price.price, number::<i128>(&entry.price), "{name}");
        assert_eq!(price.low, number::<i128>(&entry.low), "{name}");
        assert_eq!(price.high, number::<i128>(&entry.high), "{name}");
        assert_eq!(price.exponent, entry.exponent, "{name}");
        assert_eq!(price.status.bits(), entry.status_bits, "{name}");
        assert_eq!(price.observers, entry.observers, "{name}");
        assert_eq!(price.observed_at_ms, number::<u64>(&entry.observed_at_ms));
        assert_eq!(price.epoch, valid.statement.epoch, "{name}");
        assert_eq!(price.round, number::<u64>(&valid.statement.round), "{name}");
        assert_eq!(
            price.timestamp_ms,
            number::<u64>(&valid.statement.timestamp_ms)
        );
    }
}

#[test]
fn updates_of_the_other_suite_are_refused() {
    let mut vm = Vm::default();
    vm.set_clock(LATE);
    let mut count = 0;
    for vector in vectors::updates("update/valid") {
        let update = hex::decode(&vector.update).expect("hexadecimal");
        if update[1] != 2 {
            continue;
        }
        count += 1;
        let config = vm.pin(&bytes32(&vector.network_id), &some_key(&vector));
        let prices = accounts(&mut vm, config, &update);
        let sent = vm.send(&[vm::update(config, &prices, &update)]);
        assert_eq!(
            sent.expect_err(&vector.name),
            refused(0, Error::UnsupportedSuite),
            "{}",
            vector.name
        );
    }
    assert!(count >= 8, "{count}");
}

/// The vector's Ed25519 key, or one that it does not pin.
fn some_key(vector: &UpdateVector) -> [u8; 32] {
    let keys: Vec<KeyVector> = vectors::file("group-keys.json");
    let key = vector.group_keys.get("ed25519").unwrap_or(&keys[0].key);
    bytes32(key)
}

/// The program's own verdict is seen by letting it run before the Ed25519 program.
#[test]
fn invalid_updates_are_refused_with_their_code() {
    let mut vm = Vm::default();
    vm.set_clock(LATE);
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for vector in vectors::updates("update/invalid") {
        let name = &vector.name;
        // It pins no Ed25519 key, which a config always does.
        if name.ends_with("secp256k1-ed25519-not-pinned.json") {
            continue;
        }
        let update = hex::decode(&vector.update).expect("hexadecimal");
        let (key, code) = (some_key(&vector), code(vector.code.as_ref().expect(name)));
        let config = vm.pin(&bytes32(&vector.network_id), &key);
        let prices = accounts(&mut vm, config, &update);
        let precompile = vm::precompile(&key, &update);
        let update_instruction = vm::update(config, &prices, &update);
        let sent = vm.send(&[update_instruction.clone(), precompile.clone()]);
        let error = sent.expect_err(name);
        let other_suite = update.get(1) == Some(&2);
        let expected = match code {
            // What is wrong with it beyond its suite is of no interest.
            Error::BadSignature | Error::Inclusion if other_suite => Error::UnsupportedSuite,
            code => code,
        };
        if expected == Error::BadSignature {
            // The program may refuse it, or leave it to the Ed25519 program.
            let by = |ed25519, program| {
                [
                    custom(ed25519, INVALID_SIGNATURE),
                    refused(program, Error::BadSignature),
                ]
            };
            // What is behind the signature may be wrong as well, and the program comes first here.
            let inclusion = refused(0, Error::Inclusion);
            assert!(
                by(1, 0).contains(&error) || error == inclusion,
                "{name}: {error}"
            );
            // In the usual order the Ed25519 program does.
            let error = vm.send(&[precompile, update_instruction]);
            let error = error.expect_err(name);
            assert!(by(0, 1).contains(&error), "{name}: {error}");
        } else {
            assert_eq!(error, refused(0, expected), "{name}");
        }
        *seen.entry(expected.code()).or_default() += 1;
    }
    println!("{seen:?}");
    // Every code of a verifier is shown at least once.
    let every: BTreeSet<&str> = Error::ALL[..13].iter().map(|error| error.code()).collect();
    assert_eq!(seen.into_keys().collect::<BTreeSet<_>>(), every);
}

#[test]
fn group_keys_that_must_not_be_pinned_are_not() {
    let mut vm = Vm::default();
    let (mut good, mut bad) = (0, 0);
    for vector in vectors::file::<Vec<KeyVector>>("group-keys.json") {
        let what = format!("{} {}", vector.suite, vector.description);
        let key = hex::decode(&vector.key).expect("hexadecimal");
        let network = [3; 32];
        let mut padded = [0; 32];
        for (slot, byte) in padded.iter_mut().zip(&key) {
            *slot = *byte;
        }
        let config = vm::config_address(&network, &padded);
        let fund = vm.fund(config, touchstone_solana::account::CONFIG_BYTES);
        let sent = vm.send(&[fund, vm::initialize(config, &network, &key)]);
        let pinnable = vector.suite == "ed25519" && vector.code.is_none();
        match sent {
            Ok(_) => assert!(pinnable, "{what}"),
            Err(error) => {
                assert!(!pinnable, "{what}: {error}");
                assert_eq!(error, refused(1, Error::GroupKey), "{what}");
            }
        }
        *(if pinnable { &mut good } else { &mut bad }) += 1;
    }
    assert!(good >= 2 && bad >= 40, "{good}, {bad}");
}

#[test]
fn the_clock_is_read_as_it_is_meant() {
    assert_eq!(now_ms(-1), 0);
    assert_eq!(now_ms(1_790_000_000), 1_790_000_000_000);
    assert_eq!(now_ms(i64::MAX), u64::MAX / 1_000 * 1_000);
}
