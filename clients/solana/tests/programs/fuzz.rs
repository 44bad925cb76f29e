//! The program against the other verifier, on bytes that are almost an update, and against bytes that are nothing at all.

use std::env;

use rand_chacha::{
    ChaCha20Rng,
    rand_core::{RngCore as _, SeedableRng as _},
};
use solana_account::Account;
use solana_instruction::{AccountMeta, Instruction};
use solana_instruction_error::InstructionError;
use solana_transaction_error::TransactionError;
use touchstone_client::{GroupKey, NetworkId, Suite, Verifier};
use touchstone_solana::{Error, update::Update};
use touchstone_solana_tests::{
    network::leaves,
    sha256,
    vm::{self, INSTRUCTIONS, PROGRAM, SYSTEM, refused},
};
use touchstone_types::Digest;

use crate::world::World;

/// Its own each time, unless TOUCHSTONE_SEED says which.
fn rng(what: &str) -> ChaCha20Rng {
    let seed = match env::var("TOUCHSTONE_SEED") {
        Ok(seed) => seed.parse().expect("TOUCHSTONE_SEED is a number"),
        Err(_) => rand_chacha::rand_core::OsRng.next_u64(),
    };
    println!("{what}: TOUCHSTONE_SEED={seed}");
    ChaCha20Rng::seed_from_u64(seed)
}

fn below(rng: &mut ChaCha20Rng, end: usize) -> usize {
    usize::try_from(rng.next_u32()).expect("32 bits") % end
}

/// Something between a flipped bit and a mess.
fn mutate(rng: &mut ChaCha20Rng, bytes: &mut Vec<u8>) {
    for _ in 0..1 + below(rng, 3) {
        let at = below(rng, bytes.len() + 1);
        match below(rng, 8) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, rng.next_u32() as u8),
            2 if at < bytes.len() => drop(bytes.remove(at)),
            3 if at < bytes.len() => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][below(rng, 5)],
            4 => bytes.extend_from_within(at..),
            5 if bytes.len() > at + 32 => bytes[at..at + 32].fill(rng.next_u32() as u8),
            _ if at < bytes.len() => bytes[at] ^= 1 << below(rng, 8),
            _ => {}
        }
    }
}

fn verifier(world: &World) -> Verifier {
    let key = GroupKey::new(Suite::Ed25519, &world.network.key).expect("a good key");
    Verifier::new(NetworkId(Digest(world.network.id)), [key])
}

/// The checks of the program without the signature, which is the Ed25519 program's.
fn check(update: &[u8], network: &[u8; 32]) -> Result<(), Error> {
    let update = Update::parse(update)?;
    update.signature(network)?;
    update
        .entries(&sha256)
        .try_for_each(|entry| entry.map(|_| ()))
}

/// Each verdict is the other verifier's, with the same code; where that one finds a bad signature, the program may see nothing
/// wrong, or something behind the signature.
#[test]
fn the_checks_agree_with_the_other_verifier() {
    let mut rng = rng("the_checks_agree_with_the_other_verifier");
    let mut world = World::new(91);
    let verifier = verifier(&world);
    let updates: Vec<Vec<u8>> = [&[2][..], &[0, 11], &[3, 4, 5], &[8]]
        .iter()
        .map(|indices| world.update(1, indices))
        .collect();
    let mut codes = std::collections::BTreeMap::<&str, usize>::new();
    for _ in 0..20_000 {
        let mut update = updates[below(&mut rng, updates.len())].clone();
        mutate(&mut rng, &mut update);
        let expected = verifier.verify(&update).map_err(|error| error.code());
        let verdict = check(&update, &world.network.id).map_err(Error::code);
        match expected.map(|_| ()) {
            Err("bad-signature") => assert!(matches!(verdict, Ok(()) | Err("inclusion"))),
            expected => assert_eq!(verdict, expected, "{}", hex::encode(&update)),
        }
        *codes.entry(verdict.err().unwrap_or("ok")).or_default() += 1;
    }
    println!("{codes:?}");
}

/// The same in the machine, with the Ed25519 program: what the other verifier accepts is stored, and nothing else.
#[test]
fn the_machine_agrees_with_the_other_verifier() {
    let mut rng = rng("the_machine_agrees_with_the_other_verifier");
    let mut world = World::new(92);
    let verifier = verifier(&world);
    let indices = [2, 4];
    let update = world.update(1, &indices);
    let before: Vec<Account> = indices.iter().map(|i| world.account(*i)).collect();
    for _ in 0..600 {
        let mut mutated = update.clone();
        mutate(&mut rng, &mut mutated);
        let [precompile, store] = world.instructions(&mutated, &indices);
        let sent = world.vm.send(&[store, precompile]);
        match verifier.verify(&mutated).map_err(|error| error.code()) {
            Ok(_) => assert_eq!(mutated, update),
            Err("bad-signature") => assert!(sent.is_err()),
            Err(code) => {
                let mut all = Error::ALL.iter().filter(|error| error.code() == code);
                let error = *all.next().expect("a code of ours");
                assert_eq!(sent, Err(refused(0, error)), "{}", hex::encode(&mutated));
            }
        }
        let after: Vec<Account> = indices.iter().map(|i| world.account(*i)).collect();
        if mutated != update {
            assert_eq!(after, before);
        } else if after != before {
            for (i, account) in indices.iter().zip(&before) {
                let address = world.prices[usize::from(*i)];
                world
                    .vm
                    .svm
                    .set_account(address, account.clone())
                    .expect("an account");
            }
        }
    }
}

/// One bit of the whole transaction's data at a time.
#[test]
fn no_flipped_bit_is_stored() {
    let mut rng = rng("no_flipped_bit_is_stored");
    let mut world = World::new(93);
    let update = world.update(1, &[2]);
    let empty = world.account(2);
    let [precompile, store] = world.instructions(&update, &[2]);
    let bits = |data: &[u8]| data.len() * 8;
    let all = bits(&precompile.data) + bits(&store.data);
    // One of each eight bits, the others at other times.
    let first = below(&mut rng, 8);
    for bit in (first..all).step_by(8) {
        let mut instructions = [precompile.clone(), store.clone()];
        let (i, bit) = match bit.checked_sub(bits(&precompile.data)) {
            None => (0, bit),
            Some(bit) => (1, bit),
        };
        // The bits of each byte in turn, so that no byte is left out.
        let (byte, bit) = (bit / 8, (bit + bit / 8) % 8);
        instructions[i].data[byte] ^= 1 << bit;
        let sent = world.vm.send(&instructions);
        assert!(sent.is_err(), "bit {bit} of byte {byte} of instruction {i}");
        assert_eq!(world.account(2), empty);
    }
    world.store(&update, &[2]).expect("as it was, it is stored");
}

/// Whatever comes, the program ends with one of its errors: it does not crash, and it changes nothing.
#[test]
fn random_instructions_end_in_an_error() {
    let mut rng = rng("random_instructions_end_in_an_error");
    let mut world = World::new(94);
    let update = world.update(1, &[2, 4]);
    world.store(&update, &[2, 4]).expect("stored");
    let next = world.update(2, &[2, 4]);
    let junk = solana_address::Address::new_from_array([0x44; 32]);
    let mut accounts = vec![world.config, INSTRUCTIONS, SYSTEM, PROGRAM, junk];
    accounts.extend(&world.prices[..6]);
    let watched: Vec<Account> = (0..6).map(|i| world.account(i)).collect();
    let mut stored = 0;
    for _ in 0..1_500 {
        // An account of the program's with any content, which only a broken program could have left.
        let len = [0, 8, 79, 80, 159, 160, 161, 300][below(&mut rng, 8)];
        let mut data = vec![0; len];
        rng.fill_bytes(&mut data);
        if let Some(kind) = data.first_chunk_mut::<8>() {
            *kind = *[b"tsprice1", b"tsconf/1", b"tsother1"][below(&mut rng, 3)];
        }
        let account = Account {
            lamports: 10_000_000,
            data,
            owner: PROGRAM,
            ..Account::default()
        };
        world.vm.svm.set_account(junk, account).expect("an account");
        let metas = (0..below(&mut rng, 6)).map(|i| {
            let plausible = [world.config, INSTRUCTIONS, world.prices[2], world.prices[4]];
            let address = match plausible.get(i) {
                Some(address) if below(&mut rng, 4) > 0 => *address,
                _ => accounts[below(&mut rng, accounts.len())],
            };
            match below(&mut rng, 5) {
                0 => AccountMeta::new_readonly(address, false),
                _ => AccountMeta::new(address, false),
            }
        });
        let metas: Vec<AccountMeta> = metas.collect();
        let mut data = vec![below(&mut rng, 4) as u8];
        match below(&mut rng, 3) {
            0 => data.extend_from_slice(&next),
            1 => {
                let mut mutated = next.clone();
                mutate(&mut rng, &mut mutated);
                data.extend_from_slice(&mutated);
            }
            _ => {
                let mut noise = vec![0; below(&mut rng, 200)];
                rng.fill_bytes(&mut noise);
                data.extend_from_slice(&noise);
            }
        }
        let instruction = Instruction::new_with_bytes(PROGRAM, &data, metas);
        let precompile = vm::precompile(&world.network.key, &next);
        match world.vm.send(&[instruction, precompile]) {
            // The one good thing that can come of this.
            Ok(_) => {
                assert_eq!(data[1..], next);
                stored += 1;
                for (i, account) in watched.iter().enumerate() {
                    world
                        .vm
                        .svm
                        .set_account(world.prices[i], account.clone())
                        .expect("as before");
                }
            }
            Err(TransactionError::InstructionError(0, InstructionError::Custom(number))) => {
                assert!(Error::ALL.iter().any(|error| error.number() == number));
            }
            Err(error) => panic!("{error}: {}", hex::encode(data)),
        }
        let after: Vec<Account> = (0..6).map(|i| world.account(i)).collect();
        assert_eq!(after, watched);
    }
    println!("{stored} were good by chance");
    assert_eq!(leaves(1).len(), 12);
}
