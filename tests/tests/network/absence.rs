//! One of four members is away for a while: asleep without noticing, or dead.

use std::time::Duration;

use tokio::time::sleep;
use touchstone_tests::live::Signal;
use touchstone_types::Round;

use crate::story::{Story, nap};

const INTERVAL_MS: u64 = 500;
const OTHERS: [usize; 3] = [0, 1, 3];
const AWAY: usize = 2;

/// Waits until the member has a round that started after it came back; gives how many rounds that took.
async fn caught_up(story: &Story, back: Round) -> u64 {
    let what = format!("member {AWAY} catches up");
    let newest = story.until(&what, async || {
        let newest = story.network.record().newest_at(AWAY)?;
        (newest >= back).then_some(newest)
    });
    newest.await.0 - back.0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_sleeps_catches_up() {
    let story = Story::begin("sleep", 4, INTERVAL_MS, 44).await;
    let sleeper = &story.network.members()[AWAY];
    sleeper.signal(Signal::Stop).expect("asleep");
    let first = story.network.round_now().saturating_add(1);
    sleep(nap()).await;
    let woken = story.network.round_now();
    sleeper.signal(Signal::Continue).expect("awake");
    story.none_missed(first, woken, &OTHERS).await;

    let took = caught_up(&story, woken).await;
    story.say(&format!(
        "member {AWAY} has newer rounds {took} rounds after it woke up"
    ));
    let took = story.contributes(AWAY, woken).await;
    story.say(&format!(
        "member {AWAY} contributes {took} rounds after it woke up"
    ));
    let slept = (first.0..woken.0).map(Round);
    let fetched = slept
        .filter(|round| story.network.record().is_seen_by(&[AWAY], *round))
        .count();
    let noticed = story.network.members()[AWAY]
        .log()
        .expect("a log")
        .contains("nonces are destroyed");
    story.say(&format!(
        "it has {fetched} of the {} rounds that it slept through",
        woken.0 - first.0
    ));
    assert!(noticed, "the sleeper keeps nonces of before its sleep");
    story.in_a_row(4, &story.everybody).await;
    story.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_crashes_comes_back() {
    let mut story = Story::begin("crash", 4, INTERVAL_MS, 45).await;
    story.network.member(AWAY).kill().await.expect("killed");
    let first = story.network.round_now().saturating_add(1);
    sleep(Duration::from_secs(3)).await;
    story.network.member(AWAY).start().expect("started");
    let back = story.network.round_now();
    let took = caught_up(&story, back).await;
    story.say(&format!(
        "member {AWAY} has newer rounds {took} rounds after its start"
    ));
    let took = story.contributes(AWAY, back).await;
    story.say(&format!(
        "member {AWAY} contributes {took} rounds after its start"
    ));
    story
        .none_missed(first, story.network.round_now(), &OTHERS)
        .await;
    story.in_a_row(4, &story.everybody).await;
    story.end().await;
}
