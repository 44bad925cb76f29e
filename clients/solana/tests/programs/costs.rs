//! What everything costs, in compute units. Printed as the table of the README.

use solana_address::Address;
use touchstone_solana::account::{CONFIG_BYTES, PRICE_BYTES};
use touchstone_solana_tests::{
    network::{START_MS, leaves},
    vm::{self, EXAMPLE, PACKET_BYTES, PROGRAM, units},
};
use touchstone_types::Leaf;

use crate::{example, world::World};

/// Units of the only invocation of a program.
fn cost(
    world: &mut World,
    instructions: &[solana_instruction::Instruction],
    program: &Address,
) -> u64 {
    let meta = world.vm.send(instructions).expect("it passes");
    let [units] = units(&meta, program)[..] else {
        panic!("one invocation: {:?}", meta.logs);
    };
    units
}

#[test]
fn table() {
    let mut world = World::new(81);
    let mut rows = Vec::new();

    let other = touchstone_solana_tests::network::Network::new(82);
    let config = vm::config_address(&other.id, &other.key);
    let instructions = [
        world.vm.fund(config, CONFIG_BYTES),
        vm::initialize(config, &other.id, &other.key),
    ];
    let size = world.vm.size(&instructions);
    rows.push((
        "initialize",
        cost(&mut world, &instructions, &PROGRAM),
        size,
    ));

    let feed = touchstone_solana::Feed::new("NEW-USD").expect("a feed");
    let price = vm::price_address(&world.config, feed.as_bytes());
    let instructions = [
        world.vm.fund(price, PRICE_BYTES),
        vm::create(price, world.config, &feed),
    ];
    let size = world.vm.size(&instructions);
    rows.push(("create", cost(&mut world, &instructions, &PROGRAM), size));

    let updates: [(&str, &[u16]); 3] = [
        ("update, one feed of 12", &[2]),
        ("update, two feeds of 12", &[2, 4]),
        ("update, ten feeds of 12", &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
    ];
    for (round, (what, indices)) in (1..).zip(updates) {
        let update = world.update(round, indices);
        let instructions = world.instructions(&update, indices);
        let size = world.vm.size(&instructions);
        rows.push((what, cost(&mut world, &instructions, &PROGRAM), size));
    }

    let many: Vec<Leaf> = (0..1_000)
        .map(|i| touchstone_solana_tests::network::leaf(&format!("F{i:05}"), 1_000_000, 1))
        .collect();
    let price = world.vm.create(world.config, &many[500].feed.to_bytes());
    let update = world.network.update(1, &many, &[500]);
    let instructions = [
        vm::precompile(&world.network.key, &update),
        vm::update(world.config, &[price], &update),
    ];
    let size = world.vm.size(&instructions);
    rows.push((
        "update, one feed of 1,000",
        cost(&mut world, &instructions, &PROGRAM),
        size,
    ));

    world
        .vm
        .set_clock(i64::try_from(START_MS / 1_000).expect("a time"));
    let update = world.update(9, &[8]);
    world.store(&update, &[8]).expect("stored");
    assert_eq!(leaves(9).len(), 12);
    let asked = [example::ask(&world, world.prices[8])];
    let size = world.vm.size(&asked);
    let read = cost(&mut world, &asked, &EXAMPLE);
    rows.push(("reading a price (the whole example)", read, size));

    println!("| instruction | compute units | transaction, bytes |");
    println!("|---|---:|---:|");
    for (what, units, size) in &rows {
        let mark = if *size > PACKET_BYTES {
            " (too large)"
        } else {
            ""
        };
        println!("| {what} | {units} | {size}{mark} |");
    }
    // A transaction's own default is 200,000 for each instruction.
    let bound = [12_000, 12_000, 2_700, 4_400, 18_000, 4_200, 900];
    for ((what, units, _), bound) in rows.iter().zip(bound) {
        assert!(*units <= bound, "{what}: {units} are more than {bound}");
    }
}
