//! Authentic updates under stated conditions: which give a number, and which not.

use serde::Serialize;
use touchstone_types::{Decimal, Leaf, NetworkId, PriceUpdate, Status};

use super::{
    Files, put,
    world::{self, START_MS},
};

/// Conditions, and what comes of them. Integers of 64 and more bits are text.
#[derive(Serialize)]
struct PolicyVector {
    description: &'static str,
    update: String,
    /// The next update, where the condition is an instant.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    feed: &'static str,
    policy: Conditions,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<Decimal>,
}

#[derive(Serialize)]
struct PolicyFile {
    description: &'static str,
    network_id: NetworkId,
    group_key: String,
    default_max_skew_ms: u64,
    cases: Vec<PolicyVector>,
}

#[derive(Serialize, Default, Clone)]
struct Conditions {
    #[serde(skip_serializing_if = "Option::is_none")]
    now_ms: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_age_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at_ms: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_gap: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_trade_age_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_observers: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allow_status: Option<Status>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_skew_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    newer_than: Option<String>,
}

const FEED: &str = "BTC-USD";
const PRICE: Decimal = Decimal::new(6_712_345_000_000, -8);

/// The timestamp of [`world::statement`]'s round and of the trades in [`world::leaf`].
const ROUND_MS: u64 = START_MS + 7_021;
const TRADE_MS: u64 = START_MS + 6_700;
const ROUND: u64 = world::FIRST_ROUND + 7;

fn fresh(now_ms: u64, max_age_ms: u64) -> Conditions {
    Conditions {
        now_ms: Some(now_ms.to_string()),
        max_age_ms: Some(max_age_ms),
        ..Conditions::default()
    }
}

fn at(at_ms: u64) -> Conditions {
    Conditions {
        at_ms: Some(at_ms.to_string()),
        ..Conditions::default()
    }
}

fn with_leaf(change: impl FnOnce(&mut Leaf)) -> anyhow::Result<PriceUpdate> {
    let mut leaf = world::leaf(FEED)?;
    change(&mut leaf);
    world::update(&[leaf], &[0], |_| ())
}

pub(super) fn add(files: &mut Files) -> anyhow::Result<()> {
    let mut cases = Vec::new();
    add_time(&mut cases)?;
    add_leaf(&mut cases)?;
    add_instants(&mut cases)?;
    let file = PolicyFile {
        description: "Each update verifies. Under its policy it gives this price, or is refused with this code.",
        network_id: world::network()?,
        group_key: hex::encode(world::group().verifying_key().as_bytes()),
        default_max_skew_ms: 2_000,
        cases,
    };
    put(files, "policy", &file)
}

fn case(
    description: &'static str,
    update: &PriceUpdate,
    policy: Conditions,
    code: Option<&'static str>,
) -> PolicyVector {
    PolicyVector {
        description,
        update: hex::encode(update.to_bytes()),
        next: None,
        feed: FEED,
        policy,
        code,
        price: code.is_none().then_some(PRICE),
    }
}

fn add_time(cases: &mut Vec<PolicyVector>) -> anyhow::Result<()> {
    let update = with_leaf(|_| ())?;
    let mut add = |what, policy, code| cases.push(case(what, &update, policy, code));
    add("signed this very millisecond", fresh(ROUND_MS, 0), None);
    add("as old as allowed", fresh(ROUND_MS + 10_000, 10_000), None);
    add(
        "a millisecond too old",
        fresh(ROUND_MS + 10_001, 10_000),
        Some("too-old"),
    );
    add(
        "no age at all allowed",
        fresh(ROUND_MS + 1, 0),
        Some("too-old"),
    );
    add(
        "as far ahead as allowed",
        fresh(ROUND_MS - 2_000, 10_000),
        None,
    );
    add(
        "a millisecond too far ahead",
        fresh(ROUND_MS - 2_001, 10_000),
        Some("ahead-of-now"),
    );
    add(
        "the largest clock",
        fresh(u64::MAX, 10_000),
        Some("too-old"),
    );
    add(
        "a clock at zero",
        fresh(0, u64::MAX >> 11),
        Some("ahead-of-now"),
    );
    let skew = |now, max_skew_ms| Conditions {
        max_skew_ms: Some(max_skew_ms),
        ..fresh(now, 10_000)
    };
    add(
        "a stated skew of zero",
        skew(ROUND_MS - 1, 0),
        Some("ahead-of-now"),
    );
    add("a larger skew", skew(ROUND_MS - 5_000, 5_000), None);
    let newer = |last: u64| Conditions {
        newer_than: Some(last.to_string()),
        ..fresh(ROUND_MS, 10_000)
    };
    add("newer than the last round seen", newer(ROUND - 1), None);
    add(
        "the last round seen once more",
        newer(ROUND),
        Some("not-newer"),
    );
    add(
        "older than the last round seen",
        newer(ROUND + 1),
        Some("not-newer"),
    );
    let trades = |now, max_trade_age_ms| Conditions {
        max_trade_age_ms: Some(max_trade_age_ms),
        ..fresh(now, 60_000)
    };
    add(
        "trades as old as allowed",
        trades(TRADE_MS + 30_000, 30_000),
        None,
    );
    add(
        "trades a millisecond too old",
        trades(TRADE_MS + 30_001, 30_000),
        Some("trade-too-old"),
    );
    let ahead = with_leaf(|leaf| leaf.observed_at_ms = ROUND_MS + 2_001)?;
    let what = "trades a millisecond too far ahead";
    cases.push(case(
        what,
        &ahead,
        fresh(ROUND_MS, 10_000),
        Some("ahead-of-now"),
    ));
    let mut other = case(
        "another feed",
        &update,
        fresh(ROUND_MS, 10_000),
        Some("no-feed"),
    );
    other.feed = "ETH-USD";
    cases.push(other);
    Ok(())
}

fn add_leaf(cases: &mut Vec<PolicyVector>) -> anyhow::Result<()> {
    let now = fresh(ROUND_MS, 10_000);
    let update = with_leaf(|_| ())?;
    let observers = |min| Conditions {
        min_observers: Some(min),
        ..now.clone()
    };
    cases.push(case(
        "as many observers as asked",
        &update,
        observers(4),
        None,
    ));
    let code = Some("too-few-observers");
    cases.push(case("one observer too few", &update, observers(5), code));
    let allow = |status| Conditions {
        allow_status: Some(status),
        ..now.clone()
    };
    for (status, _) in Status::all() {
        if status == Status::UNAVAILABLE {
            continue;
        }
        let update = with_leaf(|leaf| leaf.status = status)?;
        cases.push(case(
            "a status that nobody allowed",
            &update,
            now.clone(),
            Some("status"),
        ));
        cases.push(case(
            "the same, allowed by name",
            &update,
            allow(status),
            None,
        ));
    }
    let both = Status::HALTED.with(Status::STALE);
    let update = with_leaf(|leaf| leaf.status = both)?;
    let what = "two bits of which one is allowed";
    cases.push(case(what, &update, allow(Status::STALE), Some("status")));
    cases.push(case("two bits, both allowed", &update, allow(both), None));
    let none = with_leaf(|leaf| *leaf = Leaf::unavailable(leaf.feed, -8, Status::OK, 2))?;
    let code = Some("unavailable");
    cases.push(case("no price", &none, now.clone(), code));
    let all = Status::all().fold(Status::OK, |acc, (status, _)| acc.with(status));
    cases.push(case(
        "no price, though everything is allowed",
        &none,
        allow(all),
        code,
    ));
    Ok(())
}

fn add_instants(cases: &mut Vec<PolicyVector>) -> anyhow::Result<()> {
    let before = with_leaf(|_| ())?;
    let after = |rounds: u64, ms: u64| {
        let leaf = world::leaf(FEED)?;
        world::update(&[leaf], &[0], |s| {
            s.round.0 = ROUND + rounds;
            s.timestamp_ms = ROUND_MS + ms;
        })
    };
    let mut add = |what, next: &PriceUpdate, policy, code| {
        let mut case = case(what, &before, policy, code);
        case.next = Some(hex::encode(next.to_bytes()));
        cases.push(case);
    };
    let next = after(1, 1_000)?;
    add(
        "the instant is the round's own time",
        &next,
        at(ROUND_MS),
        None,
    );
    add(
        "the last millisecond before the next",
        &next,
        at(ROUND_MS + 999),
        None,
    );
    add(
        "the next round's own time",
        &next,
        at(ROUND_MS + 1_000),
        Some("not-around"),
    );
    add(
        "before the round",
        &next,
        at(ROUND_MS - 1),
        Some("not-around"),
    );
    let same = after(0, 1_000)?;
    add(
        "two updates of one round",
        &same,
        at(ROUND_MS),
        Some("no-pair"),
    );
    let what = "time goes on, rounds go back";
    let back = world::update(&[world::leaf(FEED)?], &[0], |s| {
        s.round.0 = ROUND - 1;
        s.timestamp_ms = ROUND_MS + 1_000;
    })?;
    add(what, &back, at(ROUND_MS), Some("no-pair"));
    let far = after(3, 3_000)?;
    add(
        "two rounds are not shown",
        &far,
        at(ROUND_MS + 500),
        Some("gap"),
    );
    let gap = |max_gap| Conditions {
        max_gap: Some(max_gap),
        ..at(ROUND_MS + 500)
    };
    add("a gap of 3 where 2 is allowed", &far, gap(2), Some("gap"));
    add("a gap of 3 where 3 is allowed", &far, gap(3), None);
    let trades = Conditions {
        max_trade_age_ms: Some(300),
        ..at(ROUND_MS)
    };
    let what = "the age of trades counts from the instant";
    add(what, &next, trades, Some("trade-too-old"));
    Ok(())
}
