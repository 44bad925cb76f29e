//! The same suite on SQLite and on PostgreSQL.
mod common;

use std::collections::BTreeSet;

use common::{FIRST, Fabricated, KEEP_ALL, START_MS, database, name, postgres::Postgres};
use tempfile::TempDir;
use touchstone_aggregator::store::{
    DatabaseUrl, EvidenceEntry, EvidenceQuery, HistoryQuery, Outcome, Policy, RoundRange, Store,
    StoreError,
};
use touchstone_types::{Digest, Epoch, Evidence, MemberId, NetworkId, Round};

async fn open(url: &DatabaseUrl, fabricated: &Fabricated) -> Store {
    Store::open(url, 4, fabricated.network.id())
        .await
        .expect("a database")
}

/// Everything on one engine, in one database.
async fn suite(url: &DatabaseUrl) {
    let fabricated = Fabricated::new();
    let store = open(url, &fabricated).await;
    writes(&store, &fabricated).await;
    reads(&store).await;
    gaps(&store).await;
    evidence(&store, &fabricated).await;
    store.close().await;
    reopening(url, &fabricated).await;
    let store = open(url, &fabricated).await;
    retention(&store, &fabricated).await;
    store.close().await;
}

/// Rounds 0..20, without 7..10, in an order of their own.
async fn writes(store: &Store, fabricated: &Fabricated) {
    assert!(store.newest().await.expect("a read").is_none());
    let rounds: Vec<u64> = (0..20).rev().filter(|r| !(7..10).contains(r)).collect();
    let entries: Vec<_> = rounds
        .iter()
        .map(|r| fabricated.entry(&fabricated.round(*r, 6_700_000 + i128::from(*r))))
        .collect();
    let outcomes = store.write(&entries).await.expect("a write");
    assert_eq!(outcomes, vec![Outcome::Stored; rounds.len()]);
    let outcomes = store.write(&entries[..2]).await.expect("a write");
    assert_eq!(outcomes, [Outcome::Duplicate; 2]);
    // The same round twice in one batch, and another statement for it.
    let twice = fabricated.entry(&fabricated.round(100, 6_700_000));
    let other = fabricated.entry(&fabricated.round(100, 6_700_001));
    let batch = [twice.clone(), twice, other.clone(), other];
    let outcomes = store.write(&batch).await.expect("a write");
    let alarm = Outcome::Equivocation;
    assert_eq!(
        outcomes,
        [Outcome::Stored, Outcome::Duplicate, alarm, alarm]
    );
    assert_eq!(store.equivocation_count().await.expect("a read"), 2);
}

async fn reads(store: &Store) {
    let newest = store.newest().await.expect("a read").expect("a round");
    assert_eq!(newest.round(), Round(FIRST + 100));
    assert!(
        store
            .round(Round(FIRST + 8))
            .await
            .expect("a read")
            .is_none()
    );
    let at = START_MS + 6_000 + 123;
    let around = store.neighbours(at).await.expect("a read");
    assert_eq!(around.before.expect("before").round(), Round(FIRST + 6));
    assert_eq!(around.after.expect("after").round(), Round(FIRST + 10));
    let around = store.neighbours(at - 1).await.expect("a read");
    assert_eq!(around.before.expect("before").round(), Round(FIRST + 5));
    assert!(
        store
            .neighbours(START_MS)
            .await
            .expect("a read")
            .before
            .is_none()
    );
    assert!(
        store
            .neighbours(u64::MAX)
            .await
            .expect("a read")
            .after
            .is_none()
    );
    let page = store.forward(Round(FIRST + 5), 3).await.expect("a read");
    let rounds: Vec<_> = page.iter().map(|r| r.round().0 - FIRST).collect();
    assert_eq!(rounds, [5, 6, 10]);
    let query = HistoryQuery {
        feed: name("BTC-USD"),
        from_ms: START_MS + 2_000,
        to_ms: START_MS + 12_000,
        below: None,
        limit: 3,
    };
    let mut seen = Vec::new();
    let mut below = None;
    loop {
        let page = store
            .history(HistoryQuery { below, ..query })
            .await
            .expect("a read");
        seen.extend(page.iter().map(|row| row.round().0 - FIRST));
        match page.last() {
            Some(row) if page.len() == 3 => below = Some(row.round()),
            _ => break,
        }
    }
    assert_eq!(seen, [11, 10, 6, 5, 4, 3, 2]);
    let row = store
        .history(query)
        .await
        .expect("a read")
        .swap_remove(0)
        .view();
    // Four members said 67000.11 to .14; the lower median is the second.
    assert_eq!(row.price.as_deref(), Some("67000.12000000"));
    assert_eq!(row.observers, 4);
    let unavailable = HistoryQuery {
        feed: name("EUR-USD"),
        ..query
    };
    let row = store
        .history(unavailable)
        .await
        .expect("a read")
        .swap_remove(0)
        .view();
    assert_eq!((row.price, row.status), (None, vec!["unavailable"]));
}

async fn gaps(store: &Store) {
    let range = |first, last| RoundRange {
        first: Round(FIRST + first),
        last: Round(FIRST + last),
    };
    let present = store.present(range(5, 11), 100).await.expect("a read");
    let present: Vec<_> = present.into_iter().map(|r| r.0 - FIRST).collect();
    assert_eq!(present, [5, 6, 10, 11]);
    store.mark_missed(range(7, 8)).await.expect("a write");
    store.mark_missed(range(7, 9)).await.expect("a write");
    store.mark_missed(range(7, 7)).await.expect("a write");
    assert_eq!(
        store.missed(range(9, 50)).await.expect("a read"),
        [range(7, 9)]
    );
    assert_eq!(store.missed(range(10, 50)).await.expect("a read"), []);
}

async fn put(store: &Store, fabricated: &Fabricated, evidence: &Evidence) -> bool {
    let epoch = fabricated.network.epoch(Epoch(0)).expect("genesis");
    let guilt = epoch.judge.judge(evidence).expect("guilty");
    let entry = EvidenceEntry {
        evidence,
        guilt,
        source: "test",
        received_at_ms: START_MS,
    };
    store.put_evidence(&entry).await.expect("a write")
}

async fn evidence(store: &Store, fabricated: &Fabricated) {
    let room = async |evidence: &Evidence| {
        store
            .has_room_for(evidence, Epoch(0))
            .await
            .expect("a read")
    };
    let first = fabricated.contradiction(3, u64::MAX);
    assert!(room(&first).await);
    assert!(put(store, fabricated, &first).await);
    assert!(!room(&first).await, "the slot is taken");
    assert!(!put(store, fabricated, &first).await);
    let share = fabricated.bad_share(2, FIRST + 7);
    assert!(put(store, fabricated, &share).await);
    for round in 0..15 {
        let evidence = fabricated.contradiction(3, FIRST + round);
        assert!(room(&evidence).await);
        assert!(put(store, fabricated, &evidence).await);
    }
    let further = fabricated.contradiction(3, FIRST + 50);
    assert!(!room(&further).await, "sixteen against one member");
    assert!(
        room(&fabricated.contradiction(2, FIRST + 50)).await,
        "another member"
    );
    assert!(room(&fabricated.bad_share(1, FIRST)).await, "another kind");
    let all = EvidenceQuery {
        member: None,
        round: None,
        below: None,
        limit: 5,
    };
    let (mut seen, mut query) = (Vec::new(), all);
    loop {
        let page = store.evidence(query).await.expect("a read");
        let Some(last) = page.last() else { break };
        query.below = Some(last.number());
        seen.extend(page.iter().map(|row| row.number()));
    }
    assert_eq!(seen, Vec::from_iter((1..=17).rev()));
    let count = async |member, round| {
        let query = EvidenceQuery {
            member,
            round,
            limit: 100,
            ..all
        };
        store.evidence(query).await.expect("a read").len()
    };
    assert_eq!(count(Some(MemberId(3)), None).await, 16);
    assert_eq!(count(Some(MemberId(2)), None).await, 1);
    assert_eq!(count(None, Some(Round(FIRST + 7))).await, 2);
    assert_eq!(count(Some(MemberId(2)), Some(Round(FIRST + 7))).await, 1);
    assert_eq!(count(Some(MemberId(0)), None).await, 0);
    let row = store
        .evidence_by_id(share.id())
        .await
        .expect("a read")
        .expect("a row");
    assert_eq!(row.bytes(), share.to_bytes());
    assert_eq!((row.kind(), row.member(), row.epoch()), ("bad_share", 2, 0));
    assert_eq!(row.received_at_ms(), START_MS);
    assert!(
        store
            .evidence_by_id(Digest([1; 32]))
            .await
            .expect("a read")
            .is_none()
    );
}

async fn reopening(url: &DatabaseUrl, fabricated: &Fabricated) {
    let other = NetworkId(Digest([3; 32]));
    let error = Store::open(url, 1, other)
        .await
        .expect_err("another network's");
    assert!(matches!(error, StoreError::Network { .. }), "{error}");
    let store = open(url, fabricated).await;
    let newest = store.newest().await.expect("a read").expect("a round");
    assert_eq!(newest.round(), Round(FIRST + 100));
    let share = fabricated.bad_share(2, FIRST + 7);
    let kept = store.evidence_by_id(share.id()).await.expect("a read");
    assert!(kept.is_some(), "evidence survives");
    store.close().await;
}

async fn stored(store: &Store) -> BTreeSet<u64> {
    let range = RoundRange {
        first: Round(FIRST + 10_000),
        last: Round(u64::MAX >> 1),
    };
    let present = store.present(range, 1_000_000).await.expect("a read");
    present.into_iter().map(|r| r.0 - FIRST).collect()
}

/// 300 rounds with a low at 10,033 and a high at 10,077, of which the last 100 are young.
async fn retention(store: &Store, fabricated: &Fabricated) {
    let entries: Vec<_> = (10_000..10_300)
        .map(|r| {
            let cents = match r {
                10_033 => 6_000_000,
                10_077 => 7_000_000,
                _ => 6_500_000 + i128::from(r % 10),
            };
            fabricated.entry(&fabricated.round(r, cents))
        })
        .collect();
    for batch in entries.chunks(64) {
        store.write(batch).await.expect("a write");
    }
    let day = i64::try_from((START_MS + 10_033_000) / 86_400_000).expect("a day");
    let (low, high) = store
        .extremes(name("BTC-USD"), day)
        .await
        .expect("a read")
        .expect("extremes");
    assert_eq!(
        (
            low.round - i64::try_from(FIRST).expect("small"),
            low.value.as_str()
        ),
        (10_033, "60000.01000000")
    );
    assert_eq!(high.round - i64::try_from(FIRST).expect("small"), 10_077);
    let now = START_MS + 10_300_000;
    let policy = Policy {
        full_for_ms: 100_000,
        keep_every: 50,
        max_bytes: u64::MAX,
    };
    run_retention(store, policy, now).await;
    let mut expected: BTreeSet<u64> = (10_200..10_300).collect();
    expected.extend([10_000, 10_050, 10_100, 10_150, 10_033, 10_077]);
    assert_eq!(stored(store).await, expected);
    // Back-filled below the mark: the next pass takes it again.
    let late = fabricated.entry(&fabricated.round(10_111, 6_500_000));
    assert_eq!(
        store.write(&[late]).await.expect("a write"),
        [Outcome::Stored]
    );
    run_retention(store, policy, now).await;
    assert_eq!(stored(store).await, expected);
    // A bound on the disk thins what is young, oldest first, and then drops the oldest of all; the newest stays.
    let used = store.used_bytes().await.expect("a size");
    let bounded = Policy {
        max_bytes: used / 4 * 3,
        ..policy
    };
    run_retention(store, bounded, now).await;
    assert!(store.used_bytes().await.expect("a size") <= bounded.max_bytes);
    run_retention(
        store,
        Policy {
            max_bytes: 0,
            ..policy
        },
        now,
    )
    .await;
    assert_eq!(stored(store).await, BTreeSet::from([10_299]));
    let share = fabricated.bad_share(2, FIRST + 7);
    let kept = store.evidence_by_id(share.id()).await.expect("a read");
    assert!(kept.is_some(), "evidence outlives its round");
    let query = HistoryQuery {
        feed: name("BTC-USD"),
        from_ms: 0,
        to_ms: u64::MAX,
        below: None,
        limit: 10,
    };
    assert_eq!(
        store.history(query).await.expect("a read").len(),
        1,
        "prices go with their rounds"
    );
    assert!(
        store
            .observations(Round(FIRST + 10_250))
            .await
            .expect("a read")
            .is_none()
    );
}

async fn run_retention(store: &Store, policy: Policy, now: u64) {
    for _ in 0..100 {
        if !store.retain(policy, now).await.expect("a pass").more {
            return;
        }
    }
    panic!("retention does not come to an end");
}

#[tokio::test]
async fn sqlite() {
    let folder = TempDir::new().expect("a folder");
    suite(&DatabaseUrl::Sqlite(database(&folder))).await;
}

#[tokio::test]
async fn postgresql() {
    let Some(server) = tokio::task::spawn_blocking(Postgres::start)
        .await
        .expect("no panic")
    else {
        return;
    };
    let url: DatabaseUrl = server.url().parse().expect("a URL");
    suite(&url).await;
    let store = Store::open_existing(&url).await.expect("a database");
    let folder = TempDir::new().expect("a folder");
    let error = store
        .backup(&folder.path().join("b"))
        .await
        .expect_err("pg_dump's work");
    assert!(error.to_string().contains("pg_dump"), "{error}");
    store.close().await;
}

#[tokio::test]
async fn a_backup_is_a_whole_database_and_overwrites_nothing() {
    let folder = TempDir::new().expect("a folder");
    let fabricated = Fabricated::new();
    let store = open(&DatabaseUrl::Sqlite(database(&folder)), &fabricated).await;
    let entry = fabricated.entry(&fabricated.round(0, 6_700_000));
    store
        .write(std::slice::from_ref(&entry))
        .await
        .expect("a write");
    let to = folder.path().join("backup.db");
    store.backup(&to).await.expect("a backup");
    let error = store.backup(&to).await.expect_err("it exists");
    assert!(error.to_string().contains("not overwritten"), "{error}");
    // The first database goes on.
    let next = fabricated.entry(&fabricated.round(1, 6_700_000));
    store.write(&[next]).await.expect("a write");
    let copy = open(&DatabaseUrl::Sqlite(to), &fabricated).await;
    let newest = copy.newest().await.expect("a read").expect("a round");
    assert_eq!(newest.round(), Round(FIRST));
    let observations = copy.observations(Round(FIRST)).await.expect("a read");
    assert_eq!(observations.as_ref(), Some(&*entry.attestation));
    assert!(!copy.retain(KEEP_ALL, START_MS).await.expect("a pass").more);
}

#[tokio::test]
async fn a_damaged_row_is_an_error_and_not_a_price_until_it_is_repaired() {
    let folder = TempDir::new().expect("a folder");
    let fabricated = Fabricated::new();
    let path = database(&folder);
    let store = open(&DatabaseUrl::Sqlite(path.clone()), &fabricated).await;
    let entry = fabricated.entry(&fabricated.round(0, 6_700_000));
    store
        .write(std::slice::from_ref(&entry))
        .await
        .expect("a write");
    let mut bare = fabricated.round(0, 6_700_000);
    bare.observations.clear();
    bare.leaves[0].price += 1;
    let pool = sqlx::SqlitePool::connect(path.to_str().expect("UTF-8"))
        .await
        .expect("a pool");
    sqlx::query("UPDATE rounds SET attestation = $1")
        .bind(bare.to_bytes())
        .execute(&pool)
        .await
        .expect("an update");
    let error = store.round(Round(FIRST)).await.expect_err("damaged");
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    let outcomes = store.write(std::slice::from_ref(&entry)).await;
    assert_eq!(outcomes.expect("a write"), [Outcome::Repaired]);
    let round = store.round(Round(FIRST)).await.expect("a read");
    let repaired = round.expect("a round").attestation().statement;
    assert_eq!(repaired, entry.attestation.statement);
}
