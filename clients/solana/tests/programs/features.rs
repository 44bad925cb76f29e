//! Features of the runtime that mainnet does not have yet.

use agave_feature_set::{FeatureSet, disable_sbpf_v0_v1_v2_deployment};
use touchstone_solana::Error;
use touchstone_solana_tests::{
    network::{START_MS, leaves},
    vm::{Vm, refused},
};

use crate::{example, world::World};

/// The programs do the same with every feature that the runtime has, active or not. One is left out: it ends the deployment
/// of new programs of this version, and the machine deploys them here.
#[test]
fn every_feature_of_the_runtime() {
    let mut features = FeatureSet::all_enabled();
    features.deactivate(&disable_sbpf_v0_v1_v2_deployment::ID);
    let mut world = World::on(Vm::with_features(features), 101);
    let both = world.update(1, &[2, 8]);
    world.store(&both, &[2, 8]).expect("stored");
    let old = world.store(&both, &[2, 8]);
    assert_eq!(old, Err(refused(1, Error::NotNewer)));
    let update = world.update(2, &[8]);
    let [_, store] = world.instructions(&update, &[8]);
    let unsigned = world.vm.send(&[store]);
    assert_eq!(unsigned, Err(refused(0, Error::NoPrecompile)));
    world.store(&update, &[8]).expect("stored");
    assert_eq!((world.round(2), world.round(8)), (Some(1), Some(2)));
    let now = i64::try_from(START_MS / 1_000).expect("a time");
    world.vm.set_clock(now + 2);
    let asked = example::ask(&world, world.prices[8]);
    let meta = world.vm.send(&[asked]).expect("a price");
    let price = leaves(2)[8].price.to_le_bytes();
    assert_eq!(meta.return_data.data, [&price[..], &[0xf8]].concat());
}
