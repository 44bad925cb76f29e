//! Seven members, of which two may fail: all stories in one.

use std::time::Duration;

use tokio::time::sleep;
use touchstone_tests::live::Signal;
use touchstone_types::Round;

use crate::story::{Story, nap};

const ROUNDS: u64 = 8;

#[tokio::test(flavor = "multi_thread")]
async fn seven_members_live_through_all_of_it() {
    let mut story = Story::begin("seven members", 7, 1_000, 71).await;
    let first = story.network.round_now().saturating_add(1);
    story
        .none_missed(first, first.saturating_add(ROUNDS), &story.everybody)
        .await;

    // Four are no quorum, nor are three.
    story
        .network
        .relay()
        .partition(&[&[0, 2, 4, 6], &[1, 3, 5]]);
    let first = story.network.round_now().saturating_add(1);
    sleep(Duration::from_secs(5)).await;
    for round in (first.0..=story.network.round_now().0).map(Round) {
        assert!(
            !story.network.record().is_seen(round),
            "round {round} was attested without a quorum"
        );
    }
    story.network.relay().heal();
    let healed = story.network.round_now().saturating_add(1);
    let end = story.in_a_row(3, &story.everybody).await;
    story.say(&format!(
        "three rounds in a row {} rounds after the healing",
        end.0 - healed.0
    ));

    // Two fail at once: one sleeps, and one dies; the five that are left are just a quorum.
    let (sleeper, dead, others) = (1, 6, [0, 2, 3, 4, 5]);
    story.network.members()[sleeper]
        .signal(Signal::Stop)
        .expect("asleep");
    story.network.member(dead).kill().await.expect("killed");
    let first = story.network.round_now().saturating_add(1);
    sleep(nap() / 2).await;
    story.network.member(dead).start().expect("started");
    sleep(nap() / 2).await;
    story.network.members()[sleeper]
        .signal(Signal::Continue)
        .expect("awake");
    let woken = story.network.round_now();
    story.none_missed(first, woken, &others).await;
    for member in [sleeper, dead] {
        let took = story.contributes(member, woken).await;
        story.say(&format!(
            "member {member} contributes {took} rounds after the sleeper woke up"
        ));
    }
    story.in_a_row(3, &story.everybody).await;
    story.end().await;
}
