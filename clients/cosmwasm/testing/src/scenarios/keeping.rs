//! What is kept of real rounds, signed by FROST: the newest of each feed, and never an older one.

use cosmwasm_std::{Binary, Uint64};
use touchstone_cosmwasm::msg::{Conditions, FeedState, FeedsResponse, QueryMsg, Status};
use touchstone_types::{FeedName, Leaf, SUITES, Suite};

use super::{code, price, verify};
use crate::{
    Chain,
    world::{self, Network, feed, time_ms},
};

fn start<C: Chain>(network: &Network, suites: &[Suite]) -> C {
    let mut chain = C::new();
    chain.instantiate(&network.pin(suites)).expect("a good pin");
    chain.set_time_ms(time_ms(100));
    chain
}

/// Rounds of either suite go up for each feed by itself; an equal or older round is never taken.
pub fn rounds_only_go_up<C: Chain>() {
    let mut network = Network::generate(10);
    for suite in SUITES {
        let mut chain: C = start(&network, &[suite]);
        let [four, five, six] = [4, 5, 6].map(|round| network.round(round, 12));
        let update = |attestation, indices: &[u16]| world::update(attestation, suite, indices);
        assert_eq!(chain.update(&update(&five, &[3])), Ok((1, 0)));
        let kept = chain.storage();
        for stale in [&four, &five] {
            assert_eq!(code("old", chain.update(&update(stale, &[3]))), "not-newer");
            assert_eq!(chain.storage(), kept);
        }
        // Another feed has its own round.
        assert_eq!(chain.update(&update(&four, &[4])), Ok((1, 0)));
        assert_eq!(chain.update(&update(&six, &[3])), Ok((1, 0)));
        for (index, round) in [(3, 6), (4, 4)] {
            let answer = price(&mut chain, &feed(index), 1_000_000, Conditions::default());
            let answer = answer.expect("a price");
            assert_eq!(answer.round, Uint64::new(round));
            let want = 6_712_345_000_000 + 1_000 * i128::from(round) + index as i128;
            assert_eq!(answer.price_mantissa.i128(), want);
        }
    }
}

/// Somebody who sends one feed of a round first cannot make the update of all feeds fail: the others are taken.
pub fn one_feed_sent_first_stops_nobody<C: Chain>() {
    let mut network = Network::generate(11);
    let mut chain: C = start(&network, &[Suite::Ed25519]);
    let all: Vec<u16> = (0..12).collect();
    let [five, six] = [5, 6].map(|round| network.round(round, 12));
    let update = |attestation, indices: &[u16]| world::update(attestation, Suite::Ed25519, indices);
    assert_eq!(chain.update(&update(&six, &[7])), Ok((1, 0)));
    assert_eq!(chain.update(&update(&five, &all)), Ok((11, 1)));
    assert_eq!(chain.update(&update(&six, &all)), Ok((11, 1)));
    assert_eq!(code("all", chain.update(&update(&six, &all))), "not-newer");
    for index in 0..12 {
        let answer = price(&mut chain, &feed(index), 1_000_000, Conditions::default());
        assert_eq!(answer.expect("a price").round, Uint64::new(6));
    }
}

/// With both keys pinned, a round of one suite does not come again in the other.
pub fn suites_share_the_rounds<C: Chain>() {
    let mut network = Network::generate(12);
    let mut chain: C = start(&network, &SUITES);
    let [five, six] = [5, 6].map(|round| network.round(round, 3));
    let [one, two] = SUITES;
    assert_eq!(chain.update(&world::update(&five, one, &[0])), Ok((1, 0)));
    let again = chain.update(&world::update(&five, two, &[0]));
    assert_eq!(code("the other suite", again), "not-newer");
    assert_eq!(chain.update(&world::update(&six, two, &[0])), Ok((1, 0)));
}

/// The list of feeds is sorted, in pages, and holds what is kept and no more.
pub fn feeds_are_listed_in_pages<C: Chain>() {
    let mut network = Network::generate(13);
    let mut chain: C = start(&network, &[Suite::Ed25519]);
    let mut list = |start_after: Option<&str>, limit| {
        let query = QueryMsg::Feeds {
            start_after: start_after.map(str::to_owned),
            limit,
        };
        let answer: FeedsResponse = chain.query(&query).expect("an answer");
        answer.feeds
    };
    assert_eq!(list(None, None), []);
    let indices: Vec<u16> = (0..120).collect();
    let attestation = network.round(9, 130);
    let update = world::update(&attestation, Suite::Ed25519, &indices);
    assert_eq!(chain.update(&update), Ok((120, 0)));
    let mut list = |start_after: Option<&str>, limit| {
        let query = QueryMsg::Feeds {
            start_after: start_after.map(str::to_owned),
            limit,
        };
        let answer: FeedsResponse = chain.query(&query).expect("an answer");
        answer.feeds
    };
    let want = |index| FeedState {
        feed: feed(index),
        round: Uint64::new(9),
        timestamp_ms: Uint64::new(time_ms(9)),
        status: vec![],
    };
    let wanted = |range: std::ops::Range<usize>| range.map(want).collect::<Vec<_>>();
    assert_eq!(list(None, None), wanted(0..30));
    assert_eq!(list(None, Some(1_000)), wanted(0..100));
    assert_eq!(list(Some(&feed(99)), Some(1_000)), wanted(100..120));
    assert_eq!(list(Some("F00"), Some(2)), wanted(0..2));
    assert_eq!(list(Some("F0002"), Some(2)), wanted(2..4));
    assert_eq!(list(Some(&feed(119)), None), []);
    assert_eq!(list(Some("zzz\u{10ffff}"), None), []);
    // No chain takes a key of this length.
    let long = "A".repeat(100_000);
    assert_eq!(list(Some(&long), Some(2)), wanted(0..2));
    assert_eq!(list(Some(&(feed(99) + &long)), Some(2)), wanted(100..102));
    assert_eq!(list(Some(&long.replace('A', "G")), None), []);
    assert_eq!(list(None, Some(0)), []);
}

/// A status that nobody allowed is refused, and a feed without a price has none; the list shows both.
pub fn a_bad_status_is_kept_and_refused<C: Chain>() {
    let mut network = Network::generate(14);
    let mut chain: C = start(&network, &[Suite::Ed25519]);
    let mut leaves = world::leaves(8, 3);
    leaves[1].status = touchstone_types::Status::STALE.with(touchstone_types::Status::DEPEGGED);
    let name = FeedName::new(&feed(2)).expect("a name");
    leaves[2] = Leaf::unavailable(name, -8, touchstone_types::Status::HALTED, 1);
    let attestation = network.attest(8, leaves, |_| {});
    let update = world::update(&attestation, Suite::Ed25519, &[0, 1, 2]);
    assert_eq!(chain.update(&update), Ok((3, 0)));
    let allow = |allow_status: &[Status]| Conditions {
        allow_status: allow_status.to_vec(),
        ..Conditions::default()
    };
    let all = [
        Status::Degraded,
        Status::Stale,
        Status::Halted,
        Status::Depegged,
        Status::MarketClosed,
        Status::Unavailable,
    ];
    for (index, allowed, want) in [
        (0, allow(&[]), None),
        (1, allow(&[]), Some("status")),
        (1, allow(&[Status::Stale]), Some("status")),
        (1, allow(&[Status::Depegged, Status::Stale]), None),
        (2, allow(&[]), Some("unavailable")),
        (2, allow(&all), Some("unavailable")),
    ] {
        let kept = price(&mut chain, &feed(index), 1_000_000, allowed.clone());
        let shown = verify(&mut chain, &update, &feed(index), 1_000_000, allowed);
        assert_eq!(kept, shown);
        assert_eq!(kept.as_ref().err().map(|e| e.code()), want, "{kept:?}");
    }
    let answer: FeedsResponse = chain
        .query(&QueryMsg::Feeds {
            start_after: None,
            limit: None,
        })
        .expect("an answer");
    let status: Vec<_> = answer.feeds.into_iter().map(|feed| feed.status).collect();
    let halted = vec![Status::Halted, Status::Unavailable];
    assert_eq!(
        status,
        [vec![], vec![Status::Stale, Status::Depegged], halted]
    );
}

/// A past instant has the price of the round before it, and nobody can leave out a round.
pub fn the_price_at_an_instant<C: Chain>() {
    let mut network = Network::generate(15);
    let mut chain: C = start(&network, &SUITES);
    let [five, six, eight] = [5, 6, 8].map(|round| network.round(round, 2));
    let mut at = |before, after, instant_ms, max_gap| {
        // The two may come in different suites: it is the statements that count.
        let query = QueryMsg::VerifyAt {
            before: Binary::new(world::update(before, Suite::Ed25519, &[1])),
            after: Binary::new(world::update(after, Suite::Secp256k1Keccak, &[0])),
            feed: feed(1),
            instant_ms: Uint64::new(instant_ms),
            max_gap,
            conditions: Conditions::default(),
        };
        chain.query::<touchstone_cosmwasm::msg::PriceResponse>(&query)
    };
    let answer = at(&five, &six, time_ms(6) - 1, None).expect("a price");
    assert_eq!(answer.round, Uint64::new(5));
    for (before, after, instant_ms, max_gap, want) in [
        (&five, &six, time_ms(6), None, "not-around"),
        (&six, &five, time_ms(5), None, "no-pair"),
        (&five, &five, time_ms(5), None, "no-pair"),
        (&six, &eight, time_ms(7), None, "gap"),
    ] {
        let verdict = at(before, after, instant_ms, max_gap);
        assert_eq!(code(want, verdict), want);
    }
    let answer = at(&six, &eight, time_ms(7), Some(2)).expect("a price");
    assert_eq!(answer.round, Uint64::new(6));
}
