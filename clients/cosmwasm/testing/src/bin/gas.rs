//! Prints what every message and query costs in the chain's virtual machine.
use touchstone_cosmwasm::msg::*;
use touchstone_cosmwasm_testing::{Chain, Vm, world::{self, Network}};
use touchstone_types::Suite;
use cosmwasm_std::Binary;
fn main() {
    let mut n = Network::generate(1);
    let a = n.round(1, 12);
    let b = n.round(2, 12);
    for suite in [Suite::Ed25519, Suite::Secp256k1Keccak] {
        let mut vm = Vm::new();
        vm.set_time_ms(world::time_ms(2));
        vm.instantiate(&n.pin(&[suite])).unwrap();
        println!("instantiate {:?} {}", vm.used(), vm.used().vm_sdk());
        vm.update(&world::update(&a, suite, &[0])).unwrap();
        println!("update1 {:?} {}", vm.used(), vm.used().vm_sdk());
        vm.update(&world::update(&b, suite, &[0])).unwrap();
        println!("update1 {:?} {}", vm.used(), vm.used().vm_sdk());
        vm.update(&world::update(&a, suite, &[1,2,3,4,5,6,7,8,9,10])).unwrap();
        println!("update10 {:?} {}", vm.used(), vm.used().vm_sdk());
        let p: PriceResponse = vm.query(&QueryMsg::Price{feed: world::feed(0), max_age_ms: 1000, conditions: Default::default()}).unwrap();
        println!("price {:?} {} {p:?}", vm.used(), vm.used().vm_sdk());
        let _: ConfigResponse = vm.query(&QueryMsg::Config{}).unwrap();
        println!("config {:?} {}", vm.used(), vm.used().vm_sdk());
        let _: PriceResponse = vm.query(&QueryMsg::Verify{update: Binary::new(world::update(&b, suite, &[0])),feed: world::feed(0), max_age_ms: 1000, conditions: Default::default()}).unwrap();
        println!("verify {:?} {}", vm.used(), vm.used().vm_sdk());
    }
}
