//! Every decoder on random bytes, on valid encodings and on mutated ones.
//!
//! One test in one process: the decoders' memory is measured by the process's own count of allocations.

use proptest::{
    collection::vec,
    prelude::*,
    sample::Index,
    test_runner::{Config, TestRunner},
};
use touchstone_fuzz::{DECODERS, samples};

/// What is done to valid bytes.
#[derive(Clone, Debug)]
enum Change {
    Truncate(Index),
    Extend(Vec<u8>),
    Flip(Index, u8),
    /// A count or a length becomes as large as it can.
    Inflate(Index, usize),
    /// A part of another sample takes the place of a part of this one.
    Splice(Index, Index, Index, Index),
    Remove(Index, Index),
}

fn change() -> impl Strategy<Value = Change> {
    let index = any::<Index>;
    prop_oneof![
        index().prop_map(Change::Truncate),
        vec(any::<u8>(), 1..40).prop_map(Change::Extend),
        (index(), 1..=u8::MAX).prop_map(|(at, by)| Change::Flip(at, by)),
        (index(), 1..5_usize).prop_map(|(at, len)| Change::Inflate(at, len)),
        (index(), index(), index(), index()).prop_map(|(a, b, c, d)| Change::Splice(a, b, c, d)),
        (index(), index()).prop_map(|(a, b)| Change::Remove(a, b)),
    ]
}

fn range(a: &Index, b: &Index, len: usize) -> (usize, usize) {
    let (a, b) = (a.index(len + 1), b.index(len + 1));
    (a.min(b), a.max(b))
}

fn apply(change: &Change, bytes: &mut Vec<u8>, other: &[u8]) {
    match change {
        Change::Truncate(at) => bytes.truncate(at.index(bytes.len() + 1)),
        Change::Extend(more) => bytes.extend_from_slice(more),
        Change::Flip(at, by) if !bytes.is_empty() => {
            let at = at.index(bytes.len());
            bytes[at] ^= by;
        }
        Change::Inflate(at, len) if !bytes.is_empty() => {
            let at = at.index(bytes.len());
            bytes.iter_mut().skip(at).take(*len).for_each(|b| *b = 0xff);
        }
        Change::Splice(a, b, c, d) => {
            let ((a, b), (c, d)) = (range(a, b, bytes.len()), range(c, d, other.len()));
            bytes.splice(a..b, other[c..d].iter().copied());
        }
        Change::Remove(a, b) => {
            let (a, b) = range(a, b, bytes.len());
            bytes.drain(a..b);
        }
        Change::Flip(..) | Change::Inflate(..) => {}
    }
}

#[test]
fn decoders_never_panic_are_canonical_and_ask_for_little_memory() {
    let samples = samples::all();
    for (name, decoder) in DECODERS {
        let own: Vec<_> = samples.iter().filter(|s| s.decoder == *name).collect();
        assert!(!own.is_empty(), "no valid bytes for {name}");
        for sample in &own {
            assert!(
                (sample.accepted)(&sample.bytes),
                "{name}: a sample must be accepted"
            );
            decoder(&sample.bytes);
        }
        for pair in &own {
            // Fixed-size parts that stand side by side, the other way round.
            for size in [32, 64, 81, 145] {
                for start in 0..pair.bytes.len().saturating_sub(2 * size - 1).min(200) {
                    let mut bytes = pair.bytes.clone();
                    bytes[start..start + 2 * size].rotate_left(size);
                    decoder(&bytes);
                }
            }
        }
        let mut runner = TestRunner::new(Config {
            cases: 10_000,
            failure_persistence: None,
            ..Config::default()
        });
        let random = vec(any::<u8>(), 0..600);
        runner
            .run(&random, |bytes| {
                decoder(&bytes);
                Ok(())
            })
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let mutated = (any::<Index>(), any::<Index>(), vec(change(), 1..4));
        runner
            .run(&mutated, |(which, other, changes)| {
                let mut bytes = own[which.index(own.len())].bytes.clone();
                let other = &samples[other.index(samples.len())].bytes;
                for change in &changes {
                    apply(change, &mut bytes, other);
                }
                decoder(&bytes);
                Ok(())
            })
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}
