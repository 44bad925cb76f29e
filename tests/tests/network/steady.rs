//! A bad network without faulty members: every round is attested, at every member.

use crate::story::Story;

const ROUNDS: u64 = 15;

#[tokio::test(flavor = "multi_thread")]
async fn no_round_of_four_members_is_missed() {
    let story = Story::begin("four members", 4, 500, 41).await;
    let first = story.network.round_now().saturating_add(1);
    story
        .none_missed(first, first.saturating_add(ROUNDS), &story.everybody)
        .await;
    let total = story.network.relay().total();
    println!("{total:?}");
    // The network was as bad as it was meant to be.
    assert!(total.lost > 0 && total.duplicated > 0 && total.reordered > 0);
    assert_eq!((total.cut, total.overflowed), (0, 0));
    story.end().await;
}
