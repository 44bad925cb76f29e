//! Prints what making, messages and queries cost in the chain's virtual machine, as the table of the README.

use cosmwasm_std::{Binary, Uint64};
use touchstone_cosmwasm::msg::{Conditions, QueryMsg};
use touchstone_cosmwasm_testing::{
    Chain as _, Vm,
    chain::json,
    vm::{self, Gas},
    world::{self, Network, feed, time_ms},
};
use touchstone_types::{Attestation, SUITES, Suite};

/// The rounds that the table is about.
struct Rounds {
    small: [Attestation; 2],
    large: Attestation,
}

fn main() {
    let mut network = Network::generate(1);
    let rounds = Rounds {
        small: [1, 2].map(|round| network.round(round, 12)),
        large: network.round(3, 1_000),
    };
    let [one, two] = SUITES.map(|suite| measure(&network, &rounds, suite));
    println!(
        "| call | virtual machine, {} | {} | storage |",
        SUITES[0], SUITES[1]
    );
    println!("|---|---|---|---|");
    for ((call, first), (_, second)) in one.iter().zip(&two) {
        let [first_vm, second_vm, storage] =
            [first.vm_sdk(), second.vm_sdk(), first.storage].map(thousands);
        println!("| {call} | {first_vm} | {second_vm} | {storage} |");
    }
    println!();
    println!("wasm: {} bytes", thousands(vm::wasm().len() as u64));
}

fn measure(network: &Network, rounds: &Rounds, suite: Suite) -> Vec<(&'static str, Gas)> {
    let mut vm = Vm::new();
    vm.set_time_ms(time_ms(3));
    let mut rows = Vec::new();
    vm.instantiate(&network.pin(&[suite])).expect("a good pin");
    rows.push(("instantiate, with the check for an admin", vm.used()));

    let [first, second] = &rounds.small;
    let ten: Vec<u16> = (1..11).collect();
    let hundred: Vec<u16> = (100..200).collect();
    for (call, round, indices) in [
        (
            "`update`, one feed of 12, for the first time",
            first,
            &[0][..],
        ),
        ("`update`, one feed of 12", second, &[0]),
        ("`update`, ten feeds of 12", first, &ten),
        ("`update`, 100 feeds of 1,000", &rounds.large, &hundred),
    ] {
        let sent = vm.update(&world::update(round, suite, indices));
        sent.expect("an authentic update");
        rows.push((call, vm.used()));
    }
    let replayed = vm.update(&world::update(second, suite, &[0]));
    replayed.expect_err("not newer");
    rows.push(("`update`, refused as `not-newer`", vm.used()));
    for (call, query) in queries(first, second, suite) {
        vm.query_raw(&json(&query)).expect("an answer");
        rows.push((call, vm.used()));
    }
    rows
}

fn queries(
    first: &Attestation,
    second: &Attestation,
    suite: Suite,
) -> [(&'static str, QueryMsg); 4] {
    let update = |round| Binary::new(world::update(round, suite, &[0]));
    let conditions = Conditions::default();
    [
        (
            "`price`",
            QueryMsg::Price {
                feed: feed(0),
                max_age_ms: 5_000,
                conditions: conditions.clone(),
            },
        ),
        (
            "`verify`",
            QueryMsg::Verify {
                update: update(second),
                feed: feed(0),
                max_age_ms: 5_000,
                conditions: conditions.clone(),
            },
        ),
        (
            "`verify_at`",
            QueryMsg::VerifyAt {
                before: update(first),
                after: update(second),
                feed: feed(0),
                instant_ms: Uint64::new(time_ms(1)),
                max_gap: None,
                conditions,
            },
        ),
        (
            "`feeds`, 30 of them",
            QueryMsg::Feeds {
                start_after: None,
                limit: None,
            },
        ),
    ]
}

fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
