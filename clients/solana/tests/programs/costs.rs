//! What everything costs, in compute units.

use touchstone_solana_tests::{
    network::{Network, START_MS, leaves},
    vm::{self, PROGRAM, Vm, units},
};

#[test]
fn smoke() {
    let mut vm = Vm::default();
    let mut network = Network::new(1);
    vm.set_clock((START_MS / 1000) as i64 + 1);
    let config = vm.pin(&network.id, &network.key);
    let leaves = leaves(1);
    let price = vm.create(config, &leaves[2].feed.to_bytes());
    let update = network.update(1, &leaves, &[2]);
    let instructions = [
        vm::precompile(&network.key, &update),
        vm::update(config, &[price], &update),
    ];
    println!("size {}", vm.size(&instructions));
    let meta = vm.send(&instructions).expect("stored");
    println!(
        "{:?} {:?}",
        units(&meta, &PROGRAM),
        meta.compute_units_consumed
    );
}
