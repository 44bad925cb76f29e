//! What is kept, cut off or lengthened: a contract that cannot read it says so, and answers no number.

use cosmwasm_std::{
    Binary, MessageInfo, OwnedDeps, Storage as _, from_json,
    testing::{MockApi, MockQuerier, MockStorage, message_info, mock_dependencies, mock_env},
};
use touchstone_cosmwasm::{
    contract::{execute, instantiate, query},
    msg::{Conditions, ExecuteMsg, PriceResponse, QueryMsg},
};
use touchstone_cosmwasm_testing::{
    chain::block_time,
    world::{self, Network, feed, time_ms},
};
use touchstone_types::Suite;

type Deps = OwnedDeps<MockStorage, MockApi, MockQuerier>;

fn anybody() -> MessageInfo {
    message_info(&MockApi::default().addr_make("anybody"), &[])
}

/// A price, or the code of the refusal.
fn ask(deps: &Deps) -> Result<PriceResponse, &'static str> {
    let mut env = mock_env();
    env.block.time = block_time(time_ms(1));
    let question = QueryMsg::Price {
        feed: feed(0),
        max_age_ms: 0,
        conditions: Conditions::default(),
    };
    let answer = query(deps.as_ref(), env, question).map_err(|error| error.code())?;
    Ok(from_json(answer).expect("a price"))
}

#[test]
fn what_cannot_be_read_gives_no_price() {
    let mut network = Network::generate(70);
    let mut deps = mock_dependencies();
    assert_eq!(ask(&deps), Err("bad-state"), "nothing is pinned");
    let mut env = mock_env();
    env.block.time = block_time(time_ms(1));
    let pin = network.pin(&[Suite::Ed25519]);
    instantiate(deps.as_mut(), env.clone(), anybody(), pin).expect("a good pin");
    let round = network.round(1, 2);
    let [one, two] = [0, 1].map(|index| ExecuteMsg::Update {
        update: Binary::new(world::update(&round, Suite::Ed25519, &[index])),
    });
    execute(deps.as_mut(), env.clone(), anybody(), one.clone()).expect("an authentic update");
    let good = ask(&deps).expect("a price");

    for key in [
        b"pinned".to_vec(),
        format!("price/{}", feed(0)).into_bytes(),
    ] {
        let kept = deps.storage.get(&key).expect("it is kept");
        let shorter = (1..kept.len()).map(|len| kept[..len].to_vec());
        let longer = [&[0][..], &[1], &[0xff; 40]].map(|more| [&kept, more].concat());
        for broken in shorter.chain(longer) {
            deps.storage.set(&key, &broken);
            assert_eq!(ask(&deps), Err("bad-state"), "{broken:?}");
            let sent = execute(deps.as_mut(), env.clone(), anybody(), one.clone());
            let sent = sent.map_err(|error| error.code());
            assert_eq!(sent.err(), Some("bad-state"), "{broken:?}");
            assert_eq!(deps.storage.get(&key), Some(broken), "nothing is repaired");
        }
        deps.storage.set(&key, &kept);
        assert_eq!(ask(&deps), Ok(good.clone()));
    }
    // Another feed does not depend on it.
    deps.storage
        .set(format!("price/{}", feed(0)).as_bytes(), b"broken");
    execute(deps.as_mut(), env, anybody(), two).expect("the other feed");
}
