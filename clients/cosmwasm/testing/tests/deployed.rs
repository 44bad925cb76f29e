//! The file that is deployed: what it exports, what it costs, and that it is the same program as the native one.

use std::collections::BTreeSet;

use cosmwasm_std::{Api as _, testing::MockApi};
use touchstone_cosmwasm::msg::{Conditions, PriceResponse, QueryMsg};
use touchstone_cosmwasm_testing::{
    Chain as _, MultiTest, Vm,
    scenarios::model::History,
    vectors,
    vm::{self, Gas},
    world::{self, Network, feed, time_ms},
};
use touchstone_types::{PriceUpdate, SUITES, Suite};

#[test]
fn nothing_but_the_entry_points_is_exported() {
    // No migrate, sudo or reply: nobody can call what is not there.
    let ours = ["execute", "instantiate", "query"];
    let virtual_machine = [
        "allocate",
        "deallocate",
        "interface_version_8",
        "requires_iterator",
    ];
    let mut want: Vec<&str> = ours.into_iter().chain(virtual_machine).collect();
    want.sort_unstable();
    assert_eq!(vm::exports(), want);
}

#[test]
fn nothing_but_storage_and_one_query_is_asked_of_the_chain() {
    let imports: BTreeSet<String> = vm::imports().into_iter().collect();
    // No verification by the chain: see the next test.
    assert!(
        imports.iter().all(|name| !name.contains("verify")),
        "{imports:?}"
    );
    for needed in ["db_read", "db_write", "query_chain"] {
        assert!(imports.contains(needed), "{needed}: {imports:?}");
    }
}

/// Why the contract does not use the chain's `ed25519_verify`: the chain accepts what other verifiers of Touchstone refuse.
#[test]
fn the_chain_accepts_signatures_that_are_refused_here() {
    let mut accepted = Vec::new();
    for (name, vector) in vectors::folder("update/invalid") {
        if vector.code.as_deref() != Some("bad-signature") {
            continue;
        }
        let update = PriceUpdate::from_bytes(&vector.update()).expect("only the signature is bad");
        let Some(key) = vector.group_key(update.suite) else {
            panic!("{name} has no key of its suite");
        };
        if update.suite != Suite::Ed25519 {
            continue;
        }
        let digest = update.statement.digest().0;
        let verdict = MockApi::default().ed25519_verify(&digest, &update.signature, &key);
        if verdict == Ok(true) {
            accepted.push(name);
        }
    }
    let want = [
        "signature-cofactor-only",
        "signature-non-canonical-r",
        "signature-non-canonical-r-sign",
        "signature-small-order-r",
    ];
    assert_eq!(accepted, want);
}

#[test]
fn both_chains_keep_the_same_bytes() {
    for seed in [50, 51] {
        let mut native = History::<MultiTest>::new(seed);
        let mut deployed = History::<Vm>::new(seed);
        for _ in 0..100 {
            native.step();
            deployed.step();
            assert_eq!(native.chain.storage(), deployed.chain.storage());
        }
    }
}

/// What a call costs stays below what the README says, with some room.
#[test]
fn gas_stays_in_bounds() {
    let mut network = Network::generate(60);
    let [one, two] = [1, 2].map(|round| network.round(round, 12));
    for suite in SUITES {
        let mut vm = Vm::new();
        vm.set_time_ms(time_ms(2));
        vm.instantiate(&network.pin(&[suite])).expect("a good pin");
        let update = |attestation, indices: &[u16]| world::update(attestation, suite, indices);
        vm.update(&update(&one, &[0])).expect("an authentic update");
        vm.update(&update(&two, &[0])).expect("an authentic update");
        check(vm.used(), 14_000, 9_000);
        let ten: Vec<u16> = (1..11).collect();
        vm.update(&update(&two, &ten)).expect("an authentic update");
        check(vm.used(), 16_000, 72_000);
        let price = QueryMsg::Price {
            feed: feed(0),
            max_age_ms: 0,
            conditions: Conditions::default(),
        };
        vm.query::<PriceResponse>(&price).expect("a price");
        check(vm.used(), 400, 3_000);
    }
}

/// Nonsense costs reading it, and one check of a signature if it has the form of an update. Its sender pays for that; a chain
/// charges ten units more for each of its bytes.
#[test]
fn refusals_cost_little() {
    let mut network = Network::generate(61);
    let round = network.round(1, 1_000);
    let all: Vec<u16> = (0..255).collect();
    for suite in SUITES {
        let mut vm = Vm::new();
        vm.set_time_ms(time_ms(2));
        vm.instantiate(&network.pin(&[suite])).expect("a good pin");
        let good = world::update(&round, suite, &all);
        vm.update(&good).expect("an authentic update");
        let accepted = vm.used();
        check(accepted, 125_000, 1_900_000);
        // The first byte of the timestamp: the signature is over something else.
        let mut forged = good.clone();
        forged[46] ^= 1;
        let mut cut = good.clone();
        cut.pop();
        for (code, bad, vm_sdk, storage) in [
            ("not-newer", good, 125_000, 400_000),
            ("bad-signature", forged, 45_000, 1_500),
            ("truncated", cut, 35_000, 1_500),
            ("unknown-version", vec![0; 1 << 20], 250_000, 1_500),
        ] {
            let refused = vm.update(&bad).expect_err(code);
            assert_eq!(refused.code(), code);
            check(vm.used(), vm_sdk, storage);
        }
    }
}

fn check(used: Gas, vm_sdk: u64, storage: u64) {
    assert!(used.vm_sdk() <= vm_sdk, "{used:?}");
    assert!(used.storage <= storage, "{used:?}");
}

#[test]
fn the_file_is_small_enough_for_every_chain() {
    // wasmd's default limit is 800 KiB.
    let bytes = vm::wasm().len();
    assert!(bytes <= 450_000, "{bytes}");
}
