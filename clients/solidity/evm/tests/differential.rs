//! The contract and the Rust verifier with the same pin say the same of the same bytes: the same code, or both that it is
//! authentic.

use std::{cell::RefCell, collections::BTreeMap, sync::OnceLock};

use proptest::{prelude::*, sample::Index, test_runner::TestRunner};
use touchstone_client::Verifier;
use touchstone_solidity_tests::{Chain, Committee4, Oracle, leaves, statement_over, valid_updates};
use touchstone_types::{Digest, NetworkId, STATEMENT_MAGIC, Statement, merkle};

const NOW: u64 = 1_790_000_000;
const NETWORK: NetworkId = NetworkId(Digest([0x5a; 32]));

struct World {
    chain: Chain,
    oracle: Oracle,
    committee: Committee4,
    verifier: Verifier,
    /// Authentic updates of several sizes.
    updates: Vec<Vec<u8>>,
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let committee = Committee4::generate(21);
        let mut chain = Chain::new(NOW);
        let oracle = Oracle::deploy(&mut chain, NETWORK, &committee.group_key(), 0);
        let shapes: [(u16, &[u16]); 6] = [
            (1, &[0]),
            (2, &[0, 1]),
            (12, &[5]),
            (12, &[0, 5, 11]),
            (7, &[6]),
            (1_000, &[3, 999]),
        ];
        let time = NOW * 1_000 - 500;
        let updates = shapes.map(|(count, indices)| {
            let leaves = leaves(count, time);
            let statement = statement_over(NETWORK, NOW, time, &leaves);
            committee.update(&statement, &leaves, indices).to_bytes()
        });
        World {
            verifier: committee.verifier(NETWORK),
            updates: updates.to_vec(),
            chain,
            oracle,
            committee,
        }
    })
}

/// The code that both give; None if both take the bytes for authentic.
fn verdict(bytes: &[u8]) -> Option<String> {
    let world = world();
    // A feed that no update has is asked for: whatever is authentic is refused for the lack of it.
    let call = world.oracle.verify(bytes, "NO-FEED", u64::MAX);
    let contract = world.chain.call(world.oracle.address, &call).code();
    let contract = contract.filter(|code| code != "no-feed");
    let rust = world
        .verifier
        .verify(bytes)
        .err()
        .map(|error| error.code().to_owned());
    assert_eq!(contract, rust, "{}", hex::encode(bytes));
    contract
}

#[test]
fn authentic_updates_are_authentic_and_truncations_and_extensions_are_not() {
    for update in &world().updates {
        assert_eq!(verdict(update), None);
        let step = if update.len() > 700 { 7 } else { 1 };
        for end in (0..update.len()).step_by(step) {
            assert_eq!(
                verdict(&update[..end]).as_deref(),
                Some("truncated"),
                "{end}"
            );
        }
        for extra in [1, 31, 32, 33, 95, 127] {
            let longer = [update.as_slice(), &vec![0; extra]].concat();
            assert_eq!(
                verdict(&longer).as_deref(),
                Some("trailing-bytes"),
                "{extra}"
            );
        }
    }
}

#[test]
fn every_flipped_bit_of_an_update_is_found() {
    let update = &world().updates[2];
    for bit in 0..update.len() * 8 {
        let mut bad = update.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(verdict(&bad).is_some(), "bit {bit}");
    }
}

#[test]
fn every_value_of_every_byte_that_is_not_hashed_is_judged_alike() {
    let update = &world().updates[3];
    // version, suite, count, the first entry's index and path length
    for at in [0, 1, 216, 309, 310, 311] {
        for value in 0..=255 {
            let mut bytes = update.clone();
            bytes[at] = value;
            assert_eq!(
                verdict(&bytes).is_none(),
                value == update[at],
                "byte {at} = {value}"
            );
        }
    }
}

/// Of two faults the first in the order of the bytes counts, wherever the update is cut off.
#[test]
fn an_update_with_a_fault_is_judged_alike_wherever_it_is_cut_off() {
    let update = &world().updates[3];
    let leaf = 217;
    // The name, the status, the exponent, the price, the index, the path's length.
    for (at, value) in [
        (0, b'a'),
        (32, 0x40),
        (33, 39),
        (34, 0x80),
        (92, 0xff),
        (94, 9),
    ] {
        let mut bad = update.clone();
        bad[leaf + at] = value;
        let codes: Vec<String> = (leaf..leaf + 100)
            .filter_map(|end| verdict(&bad[..end]))
            .collect();
        assert_eq!(codes.len(), 100);
        // Truncated until the fault is there, and the fault's code from then on.
        let changes = codes.windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert_eq!(
            (codes[0].as_str(), changes),
            ("truncated", 1),
            "{at}: {codes:?}"
        );
    }
}

/// One way to change bytes.
#[derive(Clone, Debug)]
enum Change {
    Set(Index, u8),
    Flip(Index, u8),
    Cut(Index),
    Remove(Index, usize),
    Insert(Index, Vec<u8>),
    Repeat(Index, usize),
    Splice(Index, Index, Index),
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(i, b)| Change::Set(i, b)),
        (at(), 0_u8..8).prop_map(|(i, b)| Change::Flip(i, b)),
        at().prop_map(Change::Cut),
        (at(), 1_usize..130).prop_map(|(i, n)| Change::Remove(i, n)),
        (at(), prop::collection::vec(any::<u8>(), 1..130)).prop_map(|(i, b)| Change::Insert(i, b)),
        (at(), 1_usize..240).prop_map(|(i, n)| Change::Repeat(i, n)),
        (at(), at(), at()).prop_map(|(i, j, k)| Change::Splice(i, j, k)),
    ]
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    if bytes.is_empty() {
        return;
    }
    match change {
        Change::Set(at, value) => {
            let at = at.index(bytes.len());
            bytes[at] = *value;
        }
        Change::Flip(at, bit) => {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }
        Change::Cut(at) => bytes.truncate(at.index(bytes.len())),
        Change::Remove(at, count) => {
            let at = at.index(bytes.len());
            let end = bytes.len().min(at + count);
            bytes.drain(at..end);
        }
        Change::Insert(at, more) => {
            let at = at.index(bytes.len());
            bytes.splice(at..at, more.iter().copied());
        }
        Change::Repeat(at, count) => {
            let at = at.index(bytes.len());
            let end = bytes.len().min(at + count);
            let part = bytes[at..end].to_vec();
            bytes.splice(end..end, part);
        }
        Change::Splice(other, here, there) => {
            let other = &world().updates[other.index(world().updates.len())];
            let here = here.index(bytes.len());
            bytes.truncate(here);
            bytes.extend_from_slice(&other[there.index(other.len())..]);
        }
    }
}

/// One entry of an update that is built byte by byte, under a good signature.
#[derive(Clone, Debug)]
struct RawEntry {
    leaf: usize,
    index_off: i16,
    path: PathChange,
}

#[derive(Clone, Debug)]
enum PathChange {
    None,
    Longer,
    Shorter,
    Other(usize),
    Length(u8),
}

fn raw_leaf() -> impl Strategy<Value = Vec<u8>> {
    let mantissa = || {
        prop_oneof![
            Just(0_i128),
            Just(1),
            Just(-1),
            Just(i128::MAX),
            Just(i128::MIN),
            -50_i128..50
        ]
    };
    let status = prop_oneof![20 => Just(0_u8), 1 => Just(128), 1 => any::<u8>()];
    let exponent = prop_oneof![20 => Just(-8_i8), 1 => any::<i8>(), 1 => prop::sample::select(vec![-39, -38, 38, 39])];
    let name = prop_oneof![20 => "[A-Z]{1,15}-[A-Z0-9.]{1,15}", 1 => "[A-Z-]{0,20}"];
    let sorted = prop::bool::weighted(0.8);
    (
        name,
        status,
        exponent,
        mantissa(),
        mantissa(),
        mantissa(),
        sorted,
        any::<u64>(),
        any::<u16>(),
    )
        .prop_map(
            |(name, status, exponent, a, b, c, sorted, time, observers)| {
                let mut values = [a, b, c];
                if sorted {
                    values.sort_unstable();
                }
                let [low, price, high] = values;
                let mut out = name.into_bytes();
                out.resize(32, 0);
                out.extend([status, exponent.to_be_bytes()[0]]);
                for mantissa in [price, low, high] {
                    out.extend(mantissa.to_be_bytes());
                }
                out.extend(time.to_be_bytes());
                out.extend(observers.to_be_bytes());
                out
            },
        )
}

fn raw_entry() -> impl Strategy<Value = RawEntry> {
    let path = prop_oneof![
        8 => Just(PathChange::None),
        1 => Just(PathChange::Longer),
        1 => Just(PathChange::Shorter),
        1 => (0_usize..20).prop_map(PathChange::Other),
        1 => any::<u8>().prop_map(PathChange::Length),
    ];
    let off = prop_oneof![10 => Just(0_i16), 1 => -2_i16..3, 1 => any::<i16>()];
    (0_usize..20, off, path).prop_map(|(leaf, index_off, path)| RawEntry {
        leaf,
        index_off,
        path,
    })
}

/// The update of these entries over these leaves, whatever they are, signed by the committee.
fn raw_update(leaves: &[Vec<u8>], feed_count: u16, entries: &[RawEntry], count_off: u8) -> Vec<u8> {
    let hashes: Vec<Digest> = leaves.iter().map(|leaf| merkle::leaf_hash(leaf)).collect();
    let time = NOW * 1_000 - 500;
    let mut statement = statement_over(NETWORK, NOW, time, &[]);
    statement.feed_count = feed_count;
    statement.feeds_root = merkle::root(&hashes);
    let bytes = statement.to_bytes();
    assert_eq!(&bytes[..16], STATEMENT_MAGIC);
    let mut out = [&[1, 2], &bytes[16..], &world().committee.sign(&statement)].concat();
    out.push(
        u8::try_from(entries.len())
            .expect("few")
            .wrapping_add(count_off),
    );
    for entry in entries {
        let at = entry.leaf % leaves.len();
        let mut path = merkle::path(&hashes, at).expect("in range");
        match entry.path {
            PathChange::Longer => path.push(hashes[0]),
            PathChange::Shorter => drop(path.pop()),
            PathChange::Other(other) => {
                path = merkle::path(&hashes, other % leaves.len()).expect("in range");
            }
            PathChange::None | PathChange::Length(_) => {}
        }
        let index = u16::try_from(at)
            .expect("few")
            .wrapping_add_signed(entry.index_off);
        let length = match entry.path {
            PathChange::Length(length) => length,
            _ => u8::try_from(path.len()).expect("short"),
        };
        out.extend_from_slice(&leaves[at]);
        out.extend(index.to_be_bytes());
        out.push(length);
        out.extend(path.iter().flat_map(|hash| hash.0));
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn changed_updates_are_judged_alike(which: Index, changes in prop::collection::vec(change(), 1..4)) {
        let mut bytes = world().updates[which.index(world().updates.len())].clone();
        for change in &changes {
            apply(&mut bytes, change);
        }
        verdict(&bytes);
    }

    #[test]
    fn changed_vectors_are_judged_alike(which: Index, changes in prop::collection::vec(change(), 0..3)) {
        static VECTORS: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
        let vectors = VECTORS.get_or_init(|| valid_updates().into_iter().map(|v| v.update).collect());
        let mut bytes = vectors[which.index(vectors.len())].clone();
        for change in &changes {
            apply(&mut bytes, change);
        }
        prop_assert!(verdict(&bytes).is_some());
    }

    #[test]
    fn any_bytes_are_judged_alike(bytes in prop::collection::vec(any::<u8>(), 0..700), head in prop::option::of(1_u8..4)) {
        let mut bytes = bytes;
        if let (Some(suite), [version, second, ..]) = (head, &mut bytes[..]) {
            (*version, *second) = (1, suite);
        }
        prop_assert!(verdict(&bytes).is_some());
    }
}

/// Under a good signature only form and inclusion are left to be wrong, and each of them happens.
#[test]
fn signed_updates_of_any_form_are_judged_alike() {
    let entries = (
        prop::collection::vec(raw_entry(), 0..7),
        prop::bool::weighted(0.8),
    );
    let input = (
        prop::collection::vec(raw_leaf(), 1..14),
        entries,
        prop::option::weighted(0.1, 0_u16..20),
        prop_oneof![9 => Just(0_u8), 1 => Just(255), 1 => any::<u8>()],
    );
    let codes = RefCell::new(BTreeMap::new());
    let judge = |(leaves, (mut entries, ascending), other_count, count_off): (
        Vec<Vec<u8>>,
        (Vec<RawEntry>, bool),
        _,
        _,
    )| {
        if ascending {
            entries.sort_by_key(|e| e.leaf % leaves.len());
            entries.dedup_by_key(|e| e.leaf % leaves.len());
        }
        let feed_count = Option::unwrap_or(other_count, u16::try_from(leaves.len()).expect("few"));
        let code = verdict(&raw_update(&leaves, feed_count, &entries, count_off));
        *codes
            .borrow_mut()
            .entry(code.unwrap_or_else(|| "authentic".into()))
            .or_insert(0) += 1;
        Ok(())
    };
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 1_500,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    runner
        .run(&input, judge)
        .unwrap_or_else(|error| panic!("{error}"));
    let codes = codes.into_inner();
    println!("{codes:?}");
    let all = [
        "authentic",
        "inclusion",
        "invalid-leaf",
        "leaf-index",
        "leaf-order",
        "no-entries",
        "path-length",
        "trailing-bytes",
        "truncated",
    ];
    assert!(
        all.iter().all(|code| codes.contains_key(*code)),
        "{codes:?}"
    );
}

#[test]
fn another_networks_statement_is_told_by_its_network() {
    let leaves = leaves(3, NOW * 1_000);
    let other = NetworkId(Digest([0x5b; 32]));
    let statement: Statement = statement_over(other, NOW, NOW * 1_000, &leaves);
    let update = world()
        .committee
        .update(&statement, &leaves, &[1])
        .to_bytes();
    assert_eq!(verdict(&update).as_deref(), Some("wrong-network"));
}
