//! The deployment that the README describes: through the upgradeable loader, and then nobody's.

use solana_address::Address;
use solana_clock::Clock;
use solana_instruction::Instruction;
use solana_instruction_error::InstructionError;
use solana_keypair::Keypair;
use solana_loader_v3_interface::{
    get_program_data_address,
    instruction::{
        close_any, create_buffer, deploy_with_max_program_len, set_upgrade_authority, upgrade,
        write,
    },
    state::UpgradeableLoaderState,
};
use solana_signer::Signer as _;
use solana_transaction_error::TransactionError;
use touchstone_solana::Error;
use touchstone_solana_tests::vm::{Vm, program_file, refused};

/// How much of a program fits into one transaction beside everything else.
const CHUNK: usize = 900;

/// Writes a program into a new buffer.
fn buffer(vm: &mut Vm, seed: u8, program: &[u8]) -> Address {
    let (payer, buffer) = (vm.payer.pubkey(), Keypair::new_from_array([seed; 32]));
    let address = buffer.pubkey();
    let len = UpgradeableLoaderState::size_of_buffer(program.len());
    let rent = vm.svm.minimum_balance_for_rent_exemption(len);
    let create = create_buffer(&payer, &address, &payer, rent, program.len());
    vm.send_with(&create.expect("instructions"), &[&buffer])
        .expect("a buffer");
    for (offset, chunk) in (0..).step_by(CHUNK).zip(program.chunks(CHUNK)) {
        let write = write(&address, &payer, offset, chunk.to_vec());
        assert!(vm.fits(std::slice::from_ref(&write)));
        vm.send(&[write]).expect("a piece");
    }
    address
}

fn next_slot(vm: &mut Vm) {
    let slot = vm.svm.get_sysvar::<Clock>().slot;
    vm.svm.warp_to_slot(slot + 1);
}

#[test]
fn a_final_program_is_the_artifact_and_stays_it() {
    let mut vm = Vm::default();
    let artifact = program_file("touchstone_oracle.so");
    let payer = vm.payer.pubkey();
    let first = buffer(&mut vm, 1, &artifact);
    let program = Keypair::new_from_array([2; 32]);
    let address = program.pubkey();
    let rent = vm
        .svm
        .minimum_balance_for_rent_exemption(UpgradeableLoaderState::size_of_program());
    // Some room more, which a deployment may have.
    let max_len = artifact.len() + 1_000;
    let deploy = deploy_with_max_program_len(&payer, &address, &first, &payer, rent, max_len, true);
    vm.send_with(&deploy.expect("instructions"), &[&program])
        .expect("a deployment");
    next_slot(&mut vm);

    // What `solana program dump` prints, and what it is compared with.
    let account = vm.svm.get_account(&get_program_data_address(&address));
    let data = account.expect("the program's data").data;
    let dump = &data[UpgradeableLoaderState::size_of_programdata_metadata()..];
    assert_eq!(dump.len(), max_len);
    assert_eq!(dump[..artifact.len()], artifact);
    assert!(dump[artifact.len()..].iter().all(|byte| *byte == 0));
    // It is this program that runs.
    let nothing = Instruction::new_with_bytes(address, &[], vec![]);
    let sent = vm.send(std::slice::from_ref(&nothing));
    assert_eq!(sent, Err(refused(0, Error::UnknownInstruction)));

    // As long as there is an authority, it can put anything in the program's place.
    let example = program_file("touchstone_example.so");
    let other = buffer(&mut vm, 3, &example);
    let replace = upgrade(&address, &other, &payer, &payer, true);
    vm.send(&[replace]).expect("another program");
    next_slot(&mut vm);
    let sent = vm.send(std::slice::from_ref(&nothing));
    assert_eq!(sent, Err(refused(0, Error::AccountCount)));
    let back = buffer(&mut vm, 4, &artifact);
    let replace = upgrade(&address, &back, &payer, &payer, true);
    vm.send(&[replace]).expect("the program again");
    next_slot(&mut vm);

    // Without one nobody can.
    let last = set_upgrade_authority(&address, &payer, None);
    vm.send(std::slice::from_ref(&last)).expect("final");
    let other = buffer(&mut vm, 5, &example);
    let data = get_program_data_address(&address);
    let replace = upgrade(&address, &other, &payer, &payer, true);
    let close = close_any(&data, &payer, Some(&payer), Some(&address), false);
    let claim = set_upgrade_authority(&address, &payer, Some(&payer));
    for instruction in [replace, close, claim, last] {
        let sent = vm.send(&[instruction]);
        let immutable = TransactionError::InstructionError(0, InstructionError::Immutable);
        assert_eq!(sent, Err(immutable));
    }
    next_slot(&mut vm);
    let sent = vm.send(&[nothing]);
    assert_eq!(sent, Err(refused(0, Error::UnknownInstruction)));
}
