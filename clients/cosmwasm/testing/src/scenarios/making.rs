//! Making a contract: what can be pinned, and that nobody is left who could change it.

use cosmwasm_std::{HexBinary, coins};
use touchstone_cosmwasm::msg::{ConfigResponse, ExecuteMsg, InstantiateMsg, QueryMsg};
use touchstone_types::{SUITES, Suite};

use super::code;
use crate::{
    Chain,
    chain::{Admin, json},
    world::{self, Network},
};

/// What is pinned is answered, and stays whatever is sent.
pub fn what_is_pinned_stays<C: Chain>() {
    let mut network = Network::generate(1);
    let mut chain = C::new();
    for (suites, max_skew_ms) in [
        (&SUITES[..1], None),
        (&SUITES[1..], Some(0)),
        (&SUITES[..], Some(60_000)),
    ] {
        let pin = InstantiateMsg {
            max_skew_ms,
            ..network.pin(suites)
        };
        chain.instantiate(&pin).expect("a good pin");
        let config: ConfigResponse = chain.query(&QueryMsg::Config {}).expect("an answer");
        assert_eq!(config.network_id, pin.network_id);
        assert_eq!(config.group_keys, pin.group_keys);
        assert_eq!(config.max_skew_ms, max_skew_ms.unwrap_or(2_000));
        chain.set_time_ms(world::time_ms(1));
        let update = world::update(&network.round(1, 3), suites[0], &[0, 1, 2]);
        chain.update(&update).expect("an authentic update");
        let after = chain.query::<ConfigResponse>(&QueryMsg::Config {});
        assert_eq!(after, Ok(config));
    }
}

/// Every setting that makes no sense has its code, and no contract comes of it.
pub fn bad_settings_are_refused<C: Chain>() {
    let network = Network::generate(2);
    let good = network.pin(&[Suite::Ed25519]);
    let mut chain = C::new();
    for bytes in [0, 31, 33, 64] {
        let bad = InstantiateMsg {
            network_id: HexBinary::from(vec![1; bytes]),
            ..good.clone()
        };
        assert_eq!(code("id", chain.instantiate(&bad)), "bad-network-id");
    }
    let bad = InstantiateMsg {
        max_skew_ms: Some(60_001),
        ..good.clone()
    };
    assert_eq!(code("skew", chain.instantiate(&bad)), "bad-max-skew");
    assert_eq!(
        code("keys", chain.instantiate(&network.pin(&[]))),
        "no-group-key"
    );
    // One good key does not excuse a bad one, and keys do not stand in for each other.
    let mut bad = network.pin(&SUITES);
    bad.group_keys.ed25519 = Some(HexBinary::from([0; 32]));
    assert_eq!(code("zero", chain.instantiate(&bad)), "bad-group-key");
    let mut bad = good.clone();
    bad.group_keys.ed25519 = Some(HexBinary::from(network.group_key(Suite::Secp256k1Keccak)));
    assert_eq!(
        code("other suite", chain.instantiate(&bad)),
        "bad-group-key"
    );
    let paid = chain.instantiate_raw(&json(&good), &coins(1, "token"), Admin::Nobody);
    assert_eq!(code("funds", paid), "funds");
}

/// A setting that is misspelt, twice there or of another type makes no contract: it must not be taken for one left out.
pub fn misspelt_settings_are_refused<C: Chain>() {
    let mut chain = C::new();
    let network = Network::generate(6);
    let id = HexBinary::from(network.id.0.0);
    let key = HexBinary::from(network.group_key(Suite::Ed25519));
    let good = format!(r#""network_id":"{id}","group_keys":{{"ed25519":"{key}"}}"#);
    for bad in [
        String::new(),
        format!(r#""network_id":"{id}""#),
        format!(r#""group_keys":{{"ed25519":"{key}"}}"#),
        format!(r#"{good},"max_skew":0"#),
        format!(r#"{good},"max_skew_ms":"0""#),
        format!(r#"{good},"max_skew_ms":-1"#),
        format!(r#"{good},"max_skew_ms":18446744073709551616"#),
        format!(r#"{good},"max_skew_ms":0,"max_skew_ms":60000"#),
        format!(r#"{good},"owner":"me""#),
        format!(r#""network_id":"{id}",{good}"#),
        format!(r#""network_id":"0x{id}","group_keys":{{"ed25519":"{key}"}}"#),
        format!(
            r#""network_id":"{id}","group_keys":{{"ed25519":"{key}","secp256k1-keccak":"00"}}"#
        ),
        format!(r#""network_id":"{id}","group_keys":{{"Ed25519":"{key}"}}"#),
        format!(r#""network_id":"{id}","group_keys":"{key}""#),
    ] {
        let bad = format!("{{{bad}}}");
        let made = chain.instantiate_raw(bad.as_bytes(), &[], Admin::Nobody);
        assert!(made.is_err(), "{bad}");
    }
    let good = format!("{{{good}}}");
    for behind in ["x", "{}", &good] {
        let bad = format!("{good}{behind}");
        let made = chain.instantiate_raw(bad.as_bytes(), &[], Admin::Nobody);
        assert!(made.is_err(), "{bad}");
    }
    let made = chain.instantiate_raw(good.as_bytes(), &[], Admin::Nobody);
    made.expect("the same, spelt well");
}

/// A contract with an admin, who could exchange its code, is not made.
pub fn an_admin_is_refused<C: Chain>() {
    let good = json(&Network::generate(3).pin(&[Suite::Ed25519]));
    let mut chain = C::new();
    let made = chain.instantiate_raw(&good, &[], Admin::Somebody);
    assert_eq!(code("admin", made), "has-admin");
    chain
        .instantiate_raw(&good, &[], Admin::Nobody)
        .expect("nobody");
    // Anybody may check it again.
    let check = json(&ExecuteMsg::AssertNoAdmin {});
    assert_eq!(chain.execute_raw("anybody", &check, &[]), Ok(Vec::new()));
}

/// Messages that the contract does not have are refused, whoever sends them, and change nothing.
pub fn there_are_no_other_messages<C: Chain>() {
    let mut network = Network::generate(4);
    let mut chain = C::new();
    chain
        .instantiate(&network.pin(&[Suite::Ed25519]))
        .expect("a good pin");
    chain.set_time_ms(world::time_ms(1));
    let update = world::update(&network.round(1, 2), Suite::Ed25519, &[0]);
    chain.update(&update).expect("an authentic update");
    let before = chain.storage();
    let update = cosmwasm_std::Binary::new(update);
    for msg in [
        String::new(),
        "{}".into(),
        "null".into(),
        "\"update\"".into(),
        r#"{"update":{}}"#.into(),
        r#"{"update":{"update":"!"}}"#.into(),
        r#"{"update":{"update":"AAA"}}"#.into(),
        r#"{"update":{"update":1}}"#.into(),
        format!(r#"{{"update":{{"update":"{update}","round":1}}}}"#),
        r#"{"set_group_keys":{"ed25519":"00"}}"#.into(),
        r#"{"migrate":{}}"#.into(),
        r#"{"assert_no_admin":{"admin":"x"}}"#.into(),
        r#"{"assert_no_admin":{},"assert_no_admin":{}}"#.into(),
        r#"{"assert_no_admin":{}}{}"#.into(),
        format!("{}{}", "[".repeat(10_000), "]".repeat(10_000)),
        format!(r#"{{"update":{}"#, "{\"a\":".repeat(5_000)),
    ] {
        for sender in ["anybody", "maker", "admin"] {
            let start: String = msg.chars().take(60).collect();
            let verdict = chain.execute_raw(sender, msg.as_bytes(), &[]);
            assert!(verdict.is_err(), "{sender}: {start}");
        }
    }
    let paid = json(&ExecuteMsg::Update { update });
    let paid = chain.execute_raw("anybody", &paid, &coins(1, "token"));
    assert_eq!(code("funds", paid), "funds");
    assert_eq!(chain.storage(), before);
}

/// No query gives a price without a stated age, and none takes words that it does not know.
pub fn no_number_without_an_age<C: Chain>() {
    let mut network = Network::generate(5);
    let mut chain = C::new();
    chain
        .instantiate(&network.pin(&[Suite::Ed25519]))
        .expect("a good pin");
    chain.set_time_ms(world::time_ms(1));
    let attestation = network.round(1, 2);
    let update = world::update(&attestation, Suite::Ed25519, &[0]);
    chain.update(&update).expect("an authentic update");
    let update = cosmwasm_std::Binary::new(update);
    for query in [
        r#"{"price":{"feed":"F0000-USD"}}"#.to_owned(),
        r#"{"price":{"feed":"F0000-USD","max_age_ms":null}}"#.into(),
        r#"{"price":{"feed":"F0000-USD","max_age_ms":-1}}"#.into(),
        r#"{"price":{"feed":"F0000-USD","max_age_ms":1.5}}"#.into(),
        r#"{"price":{"feed":"F0000-USD","max_age_ms":18446744073709551616}}"#.into(),
        r#"{"price":{"feed":"F0000-USD","max_age_ms":1000,"any_age":true}}"#.into(),
        r#"{"price":{"feed":"F0000-USD","max_age_ms":1000,"conditions":{"status":[]}}}"#.into(),
        r#"{"price":{"feed":"F0000-USD","max_age_ms":1000,"conditions":{"allow_status":["any"]}}}"#
            .into(),
        r#"{"price":{"max_age_ms":1000}}"#.into(),
        format!(r#"{{"verify":{{"update":"{update}","feed":"F0000-USD"}}}}"#),
        format!(r#"{{"verify_at":{{"before":"{update}","after":"{update}","feed":"F0000-USD"}}}}"#),
    ] {
        assert!(chain.query_raw(query.as_bytes()).is_err(), "{query}");
    }
    // What is answered without an age holds no mantissa in any form.
    let mantissa = attestation.leaves[0].price.to_string();
    for query in [
        &QueryMsg::Config {},
        &QueryMsg::Feeds {
            start_after: None,
            limit: None,
        },
    ] {
        let answer = chain.query_raw(&json(query)).expect("an answer");
        let text = String::from_utf8(answer.into()).expect("JSON");
        assert!(!text.contains(&mantissa), "{text}");
    }
    let fine = br#"{"price":{"feed":"F0000-USD","max_age_ms":0}}"#;
    let answer = chain.query_raw(fine).expect("an answer");
    let text = String::from_utf8(answer.into()).expect("JSON");
    assert!(text.contains(&mantissa), "{text}");
}
