//! Links that are cut in one direction, and a committee that is cut in two.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::time::sleep;
use touchstone_tests::relay::Impairment;
use touchstone_types::Round;

use crate::story::{DELAY, Story};

const INTERVAL_MS: u64 = 500;
/// Longer than links live without a sign of life, so that they must be set up anew.
const CUT: Duration = Duration::from_secs(8);
/// How far a node's memory may grow while nothing can be agreed on.
const GROWTH_KIB_MAX: u64 = 64 << 10;
/// Rounds that a missed round outlives at most, once rounds are attested again (`life_rounds`).
const LIFE: u64 = 8;

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_two_others_do_not_hear_holds_up_nobody() {
    let story = Story::begin("one-way cut", 4, INTERVAL_MS, 42).await;
    let (deaf, mute) = ([0, 1], 3);
    for member in deaf {
        story.network.relay().cut(mute, member).expect("a link");
    }
    let first = story.network.round_now().saturating_add(1);
    sleep(CUT).await;
    story
        .none_missed(first, story.network.round_now(), &[0, 1, 2])
        .await;
    let missed = (first.0..story.network.round_now().0 - 2)
        .map(Round)
        .filter(|round| !story.network.record().is_seen_by(&[mute], *round))
        .count();
    story.say(&format!(
        "member {mute} had all but {missed} rounds meanwhile"
    ));

    story.network.relay().heal();
    let healed = story.network.round_now().saturating_add(1);
    let took = story.contributes(mute, healed).await;
    story.say(&format!(
        "member {mute} contributes {took} rounds after the links were mended"
    ));
    story.in_a_row(4, &story.everybody).await;
    story.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_halves_sign_nothing_and_go_on_together() {
    let story = Story::begin("partition 2|2", 4, INTERVAL_MS, 43).await;
    let resident = |story: &Story| -> Vec<Option<u64>> {
        let members = story.network.members().iter();
        members.map(|member| member.resident_kib()).collect()
    };
    let before = resident(&story);
    story.network.relay().partition(&[&[0, 1], &[2, 3]]);
    let first = story.network.round_now().saturating_add(1);
    sleep(CUT).await;
    let last = story.network.round_now();
    assert!(last.0 > first.0 + 2 * LIFE - 4);
    for round in (first.0..=last.0).map(Round) {
        let is_seen = story.network.record().is_seen(round);
        assert!(!is_seen, "round {round} was attested without a quorum");
    }

    story.network.relay().heal();
    let (healed, since) = (story.network.round_now().saturating_add(1), Instant::now());
    let what = "a round of after the healing is attested everywhere";
    let fresh = story.until(what, async || {
        let mut rounds = (healed.0..=story.network.round_now().0).map(Round);
        rounds.find(|round| story.network.record().is_seen_by(&story.everybody, *round))
    });
    let fresh = fresh.await;
    story.say(&format!(
        "{:.1?} after the healing round {fresh} is attested, {} rounds younger than it",
        since.elapsed(),
        fresh.0 - healed.0
    ));
    let end = story.in_a_row(LIFE + 2, &story.everybody).await;
    let late = (first.0..healed.0).map(Round);
    let late = late
        .filter(|round| story.network.record().is_seen(*round))
        .count();
    story.say(&format!(
        "{late} of {} rounds were attested late",
        healed.0 - first.0
    ));

    // What was missed is over: nothing of it is kept.
    story.attested(end, &story.everybody).await;
    for member in &story.everybody {
        let what = format!("member {member} has closed what was missed");
        let closed =
            async || (story.status(*member).await["rounds_alive"].as_u64()? <= LIFE).then_some(());
        story.until(&what, closed).await;
    }
    for (member, (before, after)) in before.into_iter().zip(resident(&story)).enumerate() {
        // Only Linux tells.
        let Some((before, after)) = before.zip(after) else {
            continue;
        };
        story.say(&format!(
            "member {member}: {before} KiB before, {after} KiB after"
        ));
        assert!(after < before + GROWTH_KIB_MAX, "member {member}");
    }
    story.end().await;
}

/// One of three members that must all sign hears the others' COMMITs before their PREPAREs: it commits last, and has the
/// signature at that moment. The others need its COMMIT all the same.
#[tokio::test(flavor = "multi_thread")]
async fn who_commits_last_tells_the_others() {
    let mut story = Story::begin("last to commit", 4, 1_000, 46).await;
    story.network.relay().impair_all(Impairment {
        delay: DELAY,
        ..Impairment::default()
    });
    story.network.member(3).kill().await.expect("killed");
    let (late, others) = (0, [1, 2]);
    let three = [0, 1, 2];
    let first = story.in_a_row(2, &three).await;
    let clock = story.network.clock();
    for round in (first.0..first.0 + 5).map(Round) {
        // The third of the round's four messages, while it leaves.
        let third = Duration::from_millis(clock.start_ms(round)) + 2 * DELAY;
        for (time, is_cut) in [(third - DELAY / 4, true), (third + DELAY / 2, false)] {
            sleep(time.saturating_sub(unix_time())).await;
            for other in others {
                let relay = story.network.relay();
                let done = if is_cut {
                    relay.cut(other, late)
                } else {
                    relay.mend(other, late)
                };
                done.expect("a link");
            }
        }
    }
    story
        .none_missed(first, first.saturating_add(5), &three)
        .await;
    story.end().await;
}

fn unix_time() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970")
}
