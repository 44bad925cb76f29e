//! The policies of the shared vectors, and what else a reader refuses.

use solana_account::Account;
use solana_address::Address;
use touchstone_solana::{
    Error, Feed, Policy, Status,
    account::PRICE_BYTES,
    reader::{DEFAULT_MAX_SKEW_MS, now_ms},
    update::Update,
};
use touchstone_solana_tests::{
    network::{START_MS, leaves},
    vectors::{self, Conditions, PolicyFile, bytes32, number},
    vm::{self, Vm, price_address},
};
use touchstone_types::Decimal;

use crate::world::World;

fn policy(conditions: &Conditions, default_max_skew_ms: u64) -> Option<Policy> {
    // The program keeps the newest round only, so there is nothing to say about a past instant.
    let now = number(conditions.now_ms.as_ref()?);
    let age = conditions.max_age_ms.expect("an age");
    let mut policy = Policy::fresh(now, age)
        .max_skew(conditions.max_skew_ms.unwrap_or(default_max_skew_ms))
        .min_observers(conditions.min_observers.unwrap_or(0));
    if let Some(ms) = conditions.max_trade_age_ms {
        policy = policy.max_trade_age(ms);
    }
    for name in conditions.allow_status.iter().flatten() {
        policy = policy.allow_status(status(name));
    }
    if let Some(round) = &conditions.newer_than {
        policy = policy.newer_than(number(round));
    }
    Some(policy)
}

fn status(name: &str) -> Status {
    match name {
        "degraded" => Status::DEGRADED,
        "stale" => Status::STALE,
        "halted" => Status::HALTED,
        "depegged" => Status::DEPEGGED,
        "market-closed" => Status::MARKET_CLOSED,
        "unavailable" => Status::UNAVAILABLE,
        _ => panic!("{name}"),
    }
}

#[test]
fn policies_give_the_price_or_their_code() {
    let file: PolicyFile = vectors::file("policy.json");
    let mut vm = Vm::default();
    vm.set_clock(i64::MAX);
    let (network, key) = (bytes32(&file.network_id), bytes32(&file.group_key));
    let config = vm.pin(&network, &key);
    let mut count = 0;
    for case in &file.cases {
        let what = &case.description;
        let Some(policy) = policy(&case.policy, file.default_max_skew_ms) else {
            continue;
        };
        count += 1;
        let update = hex::decode(&case.update).expect("hexadecimal");
        let parsed = Update::parse(&update).expect(what);
        let prices: Vec<Address> = parsed
            .feeds()
            .map(|feed| {
                let price = price_address(&config, feed);
                vm.svm.set_account(price, Account::default()).expect("none");
                vm.create(config, feed)
            })
            .collect();
        let instructions = [
            vm::precompile(&key, &update),
            vm::update(config, &prices, &update),
        ];
        vm.send(&instructions).expect(what);
        let feed = Feed::new(&case.feed).expect(what);
        // The account that is asked: the feed's, or one of another feed if the update does not hold it.
        let own = price_address(&config, feed.as_bytes());
        let address = *prices.iter().find(|p| **p == own).unwrap_or(&prices[0]);
        let account = vm.svm.get_account(&address).expect(what);
        let price = vm::read(&address, &account, config, &feed, &policy);
        match (&case.price, price) {
            (Some(expected), Ok(price)) => {
                let decimal = Decimal::new(price.price, price.exponent);
                assert_eq!(&decimal.to_string(), expected, "{what}");
            }
            (None, Err(error)) => assert_eq!(Some(error.code()), case.code.as_deref(), "{what}"),
            (_, other) => panic!("{what}: {other:?}"),
        }
    }
    assert!(count >= 30, "{count}");
}

/// Every check of the account comes before any of the price.
#[test]
fn a_reader_takes_the_programs_accounts_only() {
    let mut world = World::new(11);
    let update = world.update(1, &[2]);
    world.store(&update, &[2]).expect("stored");
    let now = now_ms(i64::try_from(START_MS / 1_000).expect("a time")) + 1_000;
    let policy = Policy::fresh(now, 10_000);
    let feed = Feed::new("BTC-USD").expect("a feed");
    let address = world.prices[2];
    let account = world.account(2);
    let config = world.config;
    let read = |address: &Address, account: &Account, config, feed: &Feed| {
        vm::read(address, account, config, feed, &policy)
    };
    let price = read(&address, &account, config, &feed).expect("a price");
    assert_eq!(price.price, leaves(1)[2].price);

    let mut other = account.clone();
    other.owner = vm::EXAMPLE;
    assert_eq!(
        read(&address, &other, config, &feed),
        Err(Error::WrongOwner)
    );
    for len in [0, 8, 79, 80, PRICE_BYTES - 1, PRICE_BYTES + 1] {
        let mut other = account.clone();
        other.data.resize(len, 0);
        assert_eq!(read(&address, &other, config, &feed), Err(Error::WrongKind));
    }
    let pinned = world.vm.svm.get_account(&config).expect("a config");
    assert_eq!(
        read(&address, &pinned, config, &feed),
        Err(Error::WrongKind)
    );
    let stranger = vm::config_address(&[1; 32], &world.network.key);
    assert_eq!(
        read(&address, &account, stranger, &feed),
        Err(Error::WrongConfig)
    );
    let eth = Feed::new("ETH-USD").expect("a feed");
    assert_eq!(read(&address, &account, config, &eth), Err(Error::NoFeed));
    let elsewhere = world.prices[3];
    assert_eq!(
        read(&elsewhere, &account, config, &feed),
        Err(Error::WrongAddress)
    );
    let empty = world.account(4);
    assert_eq!(
        read(&world.prices[4], &empty, config, &eth),
        Err(Error::NoPrice)
    );
}

#[test]
fn a_reader_accepts_no_age_but_the_stated_one() {
    let mut world = World::new(12);
    let update = world.update(1, &[2]);
    world.store(&update, &[2]).expect("stored");
    let feed = Feed::new("BTC-USD").expect("a feed");
    let signed = START_MS + 1_000;
    let read = |now, age| {
        world
            .vm
            .read(world.config, &feed, &Policy::fresh(now, age))
            .map(|p| p.round)
    };
    assert_eq!(read(signed, 0), Ok(1));
    assert_eq!(read(signed + 1, 0), Err(Error::TooOld));
    assert_eq!(read(signed + 10_000, 10_000), Ok(1));
    assert_eq!(read(signed + 10_001, 10_000), Err(Error::TooOld));
    assert_eq!(read(signed - DEFAULT_MAX_SKEW_MS, 0), Ok(1));
    assert_eq!(
        read(signed - DEFAULT_MAX_SKEW_MS - 1, u64::MAX),
        Err(Error::Ahead)
    );
    assert_eq!(read(u64::MAX, u64::MAX - 1), Ok(1));
    assert_eq!(read(0, u64::MAX), Err(Error::Ahead));
}
