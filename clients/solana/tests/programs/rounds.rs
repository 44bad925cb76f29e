//! Which rounds are stored, and when.

use touchstone_solana::{Error, Feed, Policy, Status, instruction::MAX_AHEAD_MS};
use touchstone_solana_tests::{
    network::{START_MS, leaves},
    vm::{self, refused},
};

use crate::world::World;

#[test]
fn rounds_ascend_for_each_feed_by_itself() {
    let mut world = World::new(21);
    let (fifth, fourth) = (world.update(5, &[2]), world.update(4, &[2]));
    let both = world.update(5, &[2, 4]);
    let not_newer = Err(refused(1, Error::NotNewer));
    world.store(&fifth, &[2]).expect("the first one");
    let account = world.account(2);
    for old in [&fifth, &fourth] {
        assert_eq!(world.store(old, &[2]), not_newer);
    }
    // ETH-USD is fresh, BTC-USD is not: neither is stored.
    assert_eq!(world.store(&both, &[2, 4]), not_newer);
    assert_eq!(world.account(2), account);
    assert_eq!(world.round(4), None);
    // Of another feed the same and an older round are news.
    let other = world.update(4, &[4]);
    world.store(&other, &[4]).expect("the first one of ETH-USD");
    let other = world.update(5, &[4]);
    world.store(&other, &[4]).expect("a newer one");
    let sixth = world.update(6, &[2, 4]);
    world.store(&sixth, &[2, 4]).expect("a newer one of both");
    assert_eq!((world.round(2), world.round(4)), (Some(6), Some(6)));
}

#[test]
fn two_statements_of_one_round_are_not_both_stored() {
    let mut world = World::new(22);
    let update = world.update(5, &[2]);
    world.store(&update, &[2]).expect("stored");
    let mut others = leaves(5);
    others[2].price += 1;
    let other = world.network.update(5, &others, &[2]);
    assert_eq!(world.store(&other, &[2]), Err(refused(1, Error::NotNewer)));
}

#[test]
fn the_largest_round_is_the_last_one() {
    let mut world = World::new(23);
    let mut statement = world.network.statement(1, &leaves(1));
    statement.round.0 = u64::MAX;
    let update = world.network.update_of(statement, &leaves(1), &[2]);
    world.store(&update, &[2]).expect("stored");
    assert_eq!(world.store(&update, &[2]), Err(refused(1, Error::NotNewer)));
    let update = world.update(9, &[2]);
    assert_eq!(world.store(&update, &[2]), Err(refused(1, Error::NotNewer)));
    assert_eq!(world.round(2), Some(u64::MAX));
}

#[test]
fn a_timestamp_is_not_far_ahead_of_the_clock() {
    let mut world = World::new(24);
    let leaves = leaves(1);
    let mut at = |round, ahead_ms: u64| {
        let mut statement = world.network.statement(round, &leaves);
        statement.timestamp_ms = START_MS + ahead_ms;
        let update = world.network.update_of(statement, &leaves, &[2]);
        world.store(&update, &[2])
    };
    at(1, MAX_AHEAD_MS).expect("as far as allowed");
    let ahead = Err(refused(1, Error::Ahead));
    assert_eq!(at(2, MAX_AHEAD_MS + 1), ahead);
    assert_eq!(at(2, u64::MAX - START_MS), ahead);
    // An old one is authentic all the same: how old is too old is for each reader to say.
    at(2, 0).expect("stored");
    // A clock before 1970 is taken for 1970, not for one that is far ahead.
    let update = world.update(3, &[2]);
    for clock in [-1, i64::MIN] {
        world.vm.set_clock(clock);
        assert_eq!(world.store(&update, &[2]), ahead);
    }
    assert_eq!(world.round(2), Some(2));
}

#[test]
fn absence_is_stored_and_hides_the_price_before() {
    let mut world = World::new(25);
    let feed = Feed::new("BTC-USD").expect("a feed");
    let policy = Policy::fresh(START_MS + 2_000, 10_000);
    let update = world.update(1, &[2]);
    world.store(&update, &[2]).expect("stored");
    assert!(world.vm.read(world.config, &feed, &policy).is_ok());
    let mut gone = leaves(2);
    gone[2] = touchstone_types::Leaf::unavailable(
        gone[2].feed,
        -8,
        touchstone_types::Status::DEGRADED,
        1,
    );
    let update = world.network.update(2, &gone, &[2]);
    world.store(&update, &[2]).expect("stored");
    let every = policy.allow_status(Status::UNAVAILABLE.with(Status::DEGRADED));
    for policy in [policy, every] {
        let read = world.vm.read(world.config, &feed, &policy);
        assert_eq!(read, Err(Error::Unavailable));
    }
    // The price before does not come back, neither as it was nor in another update of its round.
    for old in [1, 2] {
        let update = world.update(old, &[2]);
        assert_eq!(world.store(&update, &[2]), Err(refused(1, Error::NotNewer)));
    }
    // The next one does.
    let update = world.update(3, &[2]);
    world.store(&update, &[2]).expect("stored");
    let read = world.vm.read(world.config, &feed, &policy);
    assert_eq!(read.map(|price| price.round), Ok(3));
}

#[test]
fn one_statement_serves_several_updates() {
    let mut world = World::new(26);
    let (one, other) = (world.update(1, &[2]), world.update(1, &[4]));
    let key = world.network.key;
    // Signatures are randomised: each update has its own, but either one does for the statement.
    let other = [&other[..120], &one[120..184], &other[184..]].concat();
    let instructions = [
        vm::update(world.config, &world.accounts(&[2]), &one),
        vm::precompile(&key, &one),
        vm::update(world.config, &world.accounts(&[4]), &other),
    ];
    world.vm.send(&instructions).expect("stored");
    assert_eq!((world.round(2), world.round(4)), (Some(1), Some(1)));
}
