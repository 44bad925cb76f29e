//! The core under inputs that random bytes choose.

use std::collections::BTreeMap;

use proptest::{collection::vec, prelude::*};
use rand_chacha::{
    ChaCha20Rng,
    rand_core::{RngCore as _, SeedableRng as _},
};
use touchstone_consensus::Rule;
use touchstone_fuzz::inputs;

/// Rules that need more than three members' words, or that no input of this shape brings about.
const OUT_OF_REACH: &[Rule] = &[];

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_core_keeps_its_word_whatever_is_said(bytes in vec(any::<u8>(), 0..4_000)) {
        inputs(&bytes);
    }

    /// Few distinct bytes: the same thing again and again.
    #[test]
    fn and_whatever_is_repeated(bytes in vec(0..8_u8, 0..4_000)) {
        inputs(&bytes);
    }
}

/// The inputs reach what they shall: without this a test that says nothing would pass.
#[test]
fn nearly_every_rule_fires() {
    let mut fired: BTreeMap<&str, u64> = BTreeMap::new();
    for seed in 0..600 {
        let mut bytes = vec![0; 6_000];
        ChaCha20Rng::seed_from_u64(seed).fill_bytes(&mut bytes);
        for (rule, count) in inputs(&bytes).iter() {
            *fired.entry(rule.code()).or_default() += count;
        }
    }
    let reachable = Rule::ALL.iter().filter(|r| !OUT_OF_REACH.contains(r));
    let silent: Vec<_> = reachable
        .filter(|r| fired.get(r.code()).copied().unwrap_or_default() == 0)
        .collect();
    assert_eq!(
        silent,
        Vec::<&Rule>::new(),
        "rules that never fired; all: {fired:?}"
    );
}
