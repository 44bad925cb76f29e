//! What the transaction says about the signature: every way to show the Ed25519 program one thing and this program another.

use std::slice::from_ref;

use solana_instruction::Instruction;
use touchstone_solana::{Error, instruction, signature};
use touchstone_solana_tests::{
    network::{Network, START_MS, leaves},
    sha256,
    vm::{self, SYSTEM, Vm, ed25519, refused},
};

use crate::world::World;

struct Case {
    world: World,
    update: Vec<u8>,
    signature: [u8; 64],
    digest: [u8; 32],
}

impl Case {
    fn new(seed: u64) -> Self {
        let mut world = World::new(seed);
        let update = world.update(1, &[2]);
        let (signature, digest) = instruction::signed(&update, &sha256).expect("an update");
        Self {
            world,
            update,
            signature,
            digest,
        }
    }

    fn store(&self) -> Instruction {
        vm::update(self.world.config, &self.world.accounts(&[2]), &self.update)
    }

    fn good(&self) -> Instruction {
        vm::precompile(&self.world.network.key, &self.update)
    }

    /// Both orders are refused with this error, although everything else in the transaction is fine.
    fn is_refused(&mut self, others: &[Instruction], error: Error) {
        if !others.is_empty() {
            let sent = self.world.vm.send(others);
            sent.expect("by themselves they pass");
        }
        let after = [others, &[self.store()]].concat();
        let at = u8::try_from(others.len()).expect("few");
        assert_eq!(self.world.vm.send(&after), Err(refused(at, error)));
        let before = [&[self.store()], others].concat();
        assert_eq!(self.world.vm.send(&before), Err(refused(0, error)));
        assert_eq!(self.world.round(2), None);
    }
}

/// Offsets as the Ed25519 program reads them: signature, key, message, each with the index of its instruction.
fn header(signature: (u16, u16), key: (u16, u16), message: (u16, u16, u16)) -> Vec<u8> {
    let (message, len, message_index) = message;
    let fields = [
        signature.0,
        signature.1,
        key.0,
        key.1,
        message,
        len,
        message_index,
    ];
    [1, 0]
        .into_iter()
        .chain(fields.into_iter().flat_map(u16::to_le_bytes))
        .collect()
}

const HERE: u16 = 0xffff;

#[test]
fn no_check_of_a_signature() {
    let mut case = Case::new(31);
    let lamports = vm::system_transfer(&case.world.vm, 1);
    case.is_refused(&[], Error::NoPrecompile);
    case.is_refused(&[lamports], Error::NoPrecompile);
    // A check in the transaction before does not count.
    case.world.vm.send(&[case.good()]).expect("it is valid");
    case.is_refused(&[], Error::NoPrecompile);
}

#[test]
fn the_check_may_stand_anywhere() {
    for position in 0..4 {
        let mut case = Case::new(32);
        let lamports = vm::system_transfer(&case.world.vm, 1);
        let mut instructions = vec![lamports.clone(), case.store(), lamports];
        instructions.insert(position, case.good());
        case.world
            .vm
            .send(&instructions)
            .unwrap_or_else(|e| panic!("{position}: {e}"));
        assert_eq!(case.world.round(2), Some(1));
    }
}

#[test]
fn checks_of_other_things() {
    let mut case = Case::new(33);
    let mut other = Network::new(34);
    // Another key over the very statement.
    let statement = case.world.network.statement(1, &leaves(1));
    let by_other: [u8; 64] = other.sign(&statement).try_into().expect("64 bytes");
    let other_key = ed25519(&signature::instruction_data(
        &other.key,
        &by_other,
        &case.digest,
    ));
    case.is_refused(from_ref(&other_key), Error::BadSignature);
    // The right key over another statement, and both together.
    let next = case.world.update(2, &[2]);
    let other_message = vm::precompile(&case.world.network.key, &next);
    case.is_refused(from_ref(&other_message), Error::BadSignature);
    case.is_refused(
        &[other_key.clone(), other_message.clone()],
        Error::BadSignature,
    );
    // Another good signature of the same statement, which is not the one in the update.
    let again = case.world.update(1, &[2]);
    assert_ne!(again[120..184], case.update[120..184]);
    let again = vm::precompile(&case.world.network.key, &again);
    case.is_refused(&[again], Error::BadSignature);
    // They do no harm beside the right one.
    let all = [other_key, other_message, case.good(), case.store()];
    case.world.vm.send(&all).expect("stored");
}

/// A real signature, checked over what it is really over, but carried by an update that says something else.
#[test]
fn a_signature_of_another_statement() {
    let mut case = Case::new(43);
    let good = case.good();
    let mut forged_leaves = leaves(1);
    forged_leaves[2].price += 1;
    let network = &mut case.world.network;
    let mut forged = network.update(1, &forged_leaves, &[2]);
    forged[120..184].copy_from_slice(&case.signature);
    case.update = forged;
    case.is_refused(&[good], Error::BadSignature);
}

#[test]
fn several_signatures_in_one_check() {
    let mut case = Case::new(35);
    let mut data = vec![2, 0];
    for _ in 0..2 {
        data.extend_from_slice(&header((62, HERE), (30, HERE), (126, 32, HERE))[2..]);
    }
    data.extend_from_slice(&case.world.network.key);
    data.extend_from_slice(&case.signature);
    data.extend_from_slice(&case.digest);
    case.is_refused(&[ed25519(&data)], Error::BadSignature);
    // None at all.
    case.is_refused(&[ed25519(&[0, 0])], Error::BadSignature);
}

#[test]
fn bytes_that_the_ed25519_program_ignores() {
    let mut case = Case::new(36);
    let good = case.good();
    let mut padded = good.clone();
    padded.data[1] = 1;
    case.is_refused(&[padded], Error::BadSignature);
    let mut longer = good;
    longer.data.push(0);
    case.is_refused(&[longer], Error::BadSignature);
}

/// The signature, the key or the message is taken from somewhere else, while what is expected stands at its usual place.
#[test]
fn offsets_that_point_elsewhere() {
    let mut case = Case::new(37);
    let mut attacker = Network::new(38);
    let statement = attacker.statement(1, &leaves(1));
    let forged: [u8; 64] = attacker.sign(&statement).try_into().expect("64 bytes");
    let (key, digest) = (attacker.key, statement.digest().0);
    // What the attacker can sign stands behind the 144 bytes that look right, or in another instruction.
    let real = [&key[..], &forged, &digest].concat();
    let shown = [&case.world.network.key[..], &case.signature, &case.digest].concat();
    let here = header((176, HERE), (144, HERE), (240, 32, HERE));
    case.is_refused(
        &[ed25519(&[&here[..], &shown, &real].concat())],
        Error::BadSignature,
    );
    let store = signature::instruction_data(&key, &forged, &digest);
    let there = header((48, 0), (16, 0), (112, 32, 0));
    case.is_refused(
        &[ed25519(&store), ed25519(&[&there[..], &shown].concat())],
        Error::BadSignature,
    );
    // Each field by itself: the offset of the right bytes, but through the index of the instruction.
    for field in 0..3 {
        let index = |i| if i == field { 0 } else { HERE };
        let indexed = header((48, index(0)), (16, index(1)), (112, 32, index(2)));
        let data = [&indexed[..], &shown].concat();
        // In this place the index is the instruction's own, so it is the same check; but there is one form only.
        case.world.vm.send(&[ed25519(&data)]).expect("it is valid");
        let sent = case.world.vm.send(&[ed25519(&data), case.store()]);
        assert_eq!(sent, Err(refused(1, Error::BadSignature)));
    }
}

/// The message is shorter or longer than the digest, at its usual place.
#[test]
fn messages_of_other_lengths() {
    let mut case = Case::new(39);
    for len in [0u16, 31] {
        let mut data = case.good().data;
        data[12..14].copy_from_slice(&len.to_le_bytes());
        // No such signature exists, so the Ed25519 program refuses it; the program does so first if it runs first.
        let sent = case.world.vm.send(&[case.store(), ed25519(&data)]);
        assert_eq!(sent, Err(refused(0, Error::BadSignature)));
    }
}

/// The 144 bytes as data of an instruction of any other program prove nothing.
#[test]
fn the_bytes_without_the_program() {
    let mut case = Case::new(40);
    let mut fake = case.good();
    fake.program_id = SYSTEM;
    let sent = case.world.vm.send(&[case.store(), fake]);
    assert_eq!(sent, Err(refused(0, Error::NoPrecompile)));
    let mut fake = case.good();
    fake.program_id = vm::PROGRAM;
    let sent = case.world.vm.send(&[case.store(), fake]);
    assert_eq!(sent, Err(refused(0, Error::NoPrecompile)));
    assert_eq!(case.world.round(2), None);
}

/// With accounts, which it ignores, the instruction is the same check.
#[test]
fn accounts_of_the_check_do_not_matter() {
    let mut case = Case::new(41);
    let mut good = case.good();
    good.accounts = case.store().accounts;
    case.world.vm.send(&[good, case.store()]).expect("stored");
}

#[test]
fn a_network_that_nobody_pinned_is_not_known() {
    let mut vm = Vm::default();
    vm.set_clock(i64::try_from(START_MS / 1_000).expect("a time"));
    let mut network = Network::new(42);
    let update = network.update(1, &leaves(1), &[2]);
    let config = vm::config_address(&network.id, &network.key);
    let price = vm::price_address(&config, &leaves(1)[2].feed.to_bytes());
    let instructions = [
        vm::precompile(&network.key, &update),
        vm::update(config, &[price], &update),
    ];
    assert_eq!(vm.send(&instructions), Err(refused(1, Error::WrongOwner)));
}
