use std::fs::{self, OpenOptions};
use std::io::Write as _;

use touchstone_types::{Digest, Epoch, FeedName, Leaf, Statement, Status, Suite, merkle};

use super::*;

const NETWORK: NetworkId = NetworkId(Digest([1; 32]));

/// An attestation of the right form; nobody signed it.
pub(crate) fn attestation(round: u64) -> Attestation {
    let leaf = Leaf::unavailable(FeedName::new("BTC-USD").expect("name"), -8, Status::OK, 0);
    Attestation {
        statement: Statement {
            network: NETWORK,
            epoch: Epoch(0),
            round: Round(round),
            timestamp_ms: round,
            feed_count: 1,
            feeds_root: merkle::root(&[merkle::leaf_hash(&leaf.to_bytes())]),
            observations_root: Digest([0; 32]),
        },
        signatures: vec![(Suite::Ed25519, vec![7; 64])],
        leaves: vec![leaf],
        observations: Vec::new(),
    }
}

fn open(dir: &Path, memory: usize) -> History {
    History::open(dir, NETWORK, memory, 1 << 20).expect("history")
}

fn rounds(history: &History, from: u64) -> Vec<u64> {
    history
        .range(Round(from), 10_000)
        .iter()
        .map(|i| i.round.0)
        .collect()
}

#[test]
fn what_was_added_is_served_in_order_also_after_a_restart() {
    let dir = tempfile::tempdir().expect("dir");
    let history = open(dir.path(), 4);
    let mut live = history.subscribe();
    for round in [5, 3, 9, 7, 8, 6] {
        assert!(history.add(&attestation(round)));
    }
    assert!(!history.add(&attestation(9)), "a round has one item");
    assert_eq!(live.try_recv().expect("live").round, Round(5));
    history.close();
    assert_eq!(
        rounds(&history, 0),
        [3, 5, 6, 7, 8, 9],
        "memory holds four, the disk the rest"
    );
    assert_eq!(history.range(Round(4), 2).len(), 2);
    let again = open(dir.path(), 4);
    assert_eq!(rounds(&again, 6), [6, 7, 8, 9]);
    assert_eq!(again.newest(), Some(Round(9)));
    assert_eq!(
        Attestation::from_bytes(&again.range(Round(9), 1)[0].bytes),
        Ok(attestation(9))
    );
    assert!(!again.add(&attestation(3)));
    assert!(again.add(&attestation(10)));
}

fn only_segment(dir: &Path) -> std::path::PathBuf {
    dir.join("0000000000.seg")
}

#[test]
fn a_torn_tail_is_cut_off_at_every_length() {
    let dir = tempfile::tempdir().expect("dir");
    let history = open(dir.path(), 16);
    history.add(&attestation(1));
    history.close();
    let whole = fs::read(only_segment(dir.path())).expect("segment");
    let history = open(dir.path(), 16);
    history.add(&attestation(2));
    history.close();
    let both = fs::read(only_segment(dir.path())).expect("segment");
    for length in whole.len()..both.len() {
        fs::write(only_segment(dir.path()), &both[..length]).expect("torn");
        let history = open(dir.path(), 16);
        assert_eq!(rounds(&history, 0), [1], "{length}");
        history.add(&attestation(3));
        history.close();
        assert_eq!(rounds(&open(dir.path(), 16), 0), [1, 3], "{length}");
    }
}

#[test]
fn garbage_behind_or_inside_the_records_is_not_served() {
    let dir = tempfile::tempdir().expect("dir");
    let history = open(dir.path(), 16);
    for round in 1..4 {
        history.add(&attestation(round));
    }
    history.close();
    let path = only_segment(dir.path());
    let whole = fs::read(&path).expect("segment");
    OpenOptions::new()
        .append(true)
        .open(&path)
        .expect("open")
        .write_all(&[0xff; 100])
        .expect("garbage");
    assert_eq!(rounds(&open(dir.path(), 16), 0), [1, 2, 3]);
    // A flipped bit in the second record: it and what follows are lost, what precedes it is not.
    let record = (whole.len() - 48) / 3;
    for at in [0, 9, 13, 40] {
        let mut damaged = whole.clone();
        damaged[48 + record + at] ^= 1;
        fs::write(&path, &damaged).expect("damaged");
        assert_eq!(rounds(&open(dir.path(), 16), 0), [1], "byte {at}");
    }
}

#[test]
fn other_networks_and_other_files_are_refused() {
    let dir = tempfile::tempdir().expect("dir");
    open(dir.path(), 16).add(&attestation(1));
    fs::write(dir.path().join("notes.txt"), "not a segment").expect("write");
    let other = NetworkId(Digest([2; 32]));
    // The writer of the dropped history may still be at work: an empty segment is removed, a full one is foreign.
    thread::sleep(std::time::Duration::from_millis(200));
    assert!(matches!(
        History::open(dir.path(), other, 16, 1 << 20),
        Err(SegmentsError::Foreign(_))
    ));
}

#[test]
fn the_disk_space_is_bounded() {
    let dir = tempfile::tempdir().expect("dir");
    let (mut segments, mut index) = Segments::open(dir.path(), NETWORK, 1 << 20).expect("segments");
    let size = attestation(0).to_bytes().len() + 20;
    let count = u64::try_from((3 << 20) / size).expect("small");
    for round in 0..count {
        let bytes = attestation(round).to_bytes().into();
        let item = Item {
            round: Round(round),
            bytes,
        };
        let (place, dropped) = segments.append(&item).expect("written");
        index.insert(item.round, place);
        index.retain(|_, place| Some(place.segment) != dropped);
    }
    let entries = fs::read_dir(dir.path()).expect("dir");
    let sizes = entries.map(|e| e.expect("entry").metadata().expect("len").len());
    let bytes: u64 = sizes.sum();
    assert!(bytes <= (1 << 20) + (1 << 16), "{bytes}");
    // The newest rounds without gaps, and a restart finds the same.
    let kept: Vec<_> = index.keys().map(|r| r.0).collect();
    assert!(kept.len() > 1_000 && kept[0] > 0 && kept.last() == Some(&(count - 1)));
    assert!(kept.windows(2).all(|w| w[1] == w[0] + 1));
    let (_, again) = Segments::open(dir.path(), NETWORK, 1 << 20).expect("segments");
    assert!(again.keys().eq(index.keys()));
}
