//! One of four members may go and come back.

use std::time::Duration;

use tokio::time::sleep;

use crate::net::{INTERVAL_MS, Net, alone, first, is_alive, until};

const VICTIM: u16 = 2;
/// The network's interval fits into five seconds so many times: the length of the restart fence.
const FENCE_ROUNDS: u64 = 5_000 / INTERVAL_MS;

#[tokio::test]
async fn one_of_four_is_killed_and_comes_back() {
    let _alone = alone().await;
    let folder = tempfile::tempdir().expect("folder");
    let kill = format!("{VICTIM}@4");
    let restart = format!("{VICTIM}@14");
    let options = first(&["--kill", &kill, "--restart", &restart]);
    let net = Net::start(&folder.path().join("data"), &options).await;
    let pid = net.member_pid(VICTIM).expect("up");

    until("the member is killed", async || {
        (!is_alive(pid)).then_some(())
    })
    .await;
    let killed_at = net.newest().await.expect("a round");
    let later = net.rounds_more(8).await;
    let mut without = 0;
    // The round in which it died may still rest on its observation.
    for round in killed_at + 2..=later {
        let contributors = net.contributors(round).await.expect("no round is missed");
        assert!(contributors.len() >= 3);
        assert!(
            !contributors.contains(&VICTIM),
            "round {round} rests on a dead member"
        );
        without += 1;
    }
    assert!(without >= 4);

    let back = until("the member is started again", async || {
        net.member_pid(VICTIM)
            .filter(|now| *now != pid && is_alive(*now))
    });
    back.await;
    let restarted_at = net.newest().await.expect("a round");
    let first_again = until("it contributes again", async || {
        let newest = net.newest().await?;
        let contributors = net.contributors(newest).await?;
        contributors.contains(&VICTIM).then_some(newest)
    });
    let first_again = first_again.await;
    // It sits out the rounds that it may have joined before it died, and does not take much longer than that.
    assert!(
        first_again <= restarted_at + 3 * FENCE_ROUNDS,
        "{restarted_at} .. {first_again}"
    );
    // And it stays: in most rounds at least, for nobody waits for a fourth that is late.
    let newest = net.rounds_more(8).await;
    let mut rejoined = 0;
    for round in first_again..newest {
        let contributors = net.contributors(round).await.expect("no round is missed");
        rejoined += u64::from(contributors.contains(&VICTIM));
    }
    assert!(
        rejoined >= 3,
        "of rounds {first_again} to {newest} only {rejoined} rest on it"
    );
    assert!(net.terminate().await.success());
}

/// Somebody kills a member that the devnet did not mean to lose: it says so, and the network goes on.
#[tokio::test]
async fn a_member_that_dies_by_itself_is_told_of() {
    let _alone = alone().await;
    let folder = tempfile::tempdir().expect("folder");
    let dir = folder.path().join("data");
    let net = Net::start(&dir, &first(&[])).await;
    crate::net::send_signal("KILL", net.member_pid(1).expect("up"));
    net.rounds_more(5).await;
    sleep(Duration::from_millis(500)).await;
    let log = std::fs::read_to_string(dir.with_extension("devnet.log")).expect("log");
    assert!(log.contains("!!! member 1 ended unexpectedly"), "{log}");
    assert!(
        !net.terminate().await.success(),
        "a run in which a member died is no success"
    );
}
