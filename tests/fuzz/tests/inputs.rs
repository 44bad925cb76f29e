//! The core under inputs that random bytes choose.

use std::collections::BTreeMap;

use proptest::{collection::vec, prelude::*};
use rand_chacha::{
    ChaCha20Rng,
    rand_core::{RngCore as _, SeedableRng as _},
};
use touchstone_consensus::{Rule, Rules};
use touchstone_fuzz::{inputs, inputs_under};

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

fn noise(seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; 6_000];
    ChaCha20Rng::seed_from_u64(seed).fill_bytes(&mut bytes);
    bytes
}

/// The inputs reach what they shall: without this a test that says nothing would pass.
#[test]
fn every_rule_fires() {
    let mut fired: BTreeMap<&str, u64> = BTreeMap::new();
    for seed in 0..600 {
        let bytes = noise(seed);
        for (rule, count) in inputs(&bytes).iter() {
            *fired.entry(rule.code()).or_default() += count;
        }
    }
    let silent = Rule::ALL.iter();
    let silent: Vec<_> = silent
        .filter(|r| fired.get(r.code()).copied().unwrap_or_default() == 0)
        .collect();
    assert_eq!(
        silent,
        Vec::<&Rule>::new(),
        "rules that never fired; all: {fired:?}"
    );
}

/// A core that votes again for another proposal of the same member.
#[derive(Clone, Copy, Debug)]
struct VoteAgain;

impl Rules for VoteAgain {
    fn vote_once(&self) -> bool {
        false
    }
}

/// A core that votes again in view 0.
#[derive(Clone, Copy, Debug)]
struct PrepareAgain;

impl Rules for PrepareAgain {
    fn prepare_once(&self) -> bool {
        false
    }
}

/// What is checked can fail: a core that signs a slot twice is seen to do so.
#[test]
fn a_core_that_signs_twice_is_caught() {
    fn caught(rules: impl Rules + std::panic::RefUnwindSafe) -> bool {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {}));
        let caught = (0..300).any(|seed| {
            let panic = std::panic::catch_unwind(|| inputs_under(rules, &noise(seed))).err();
            let text = panic.and_then(|p| p.downcast::<String>().ok());
            text.is_some_and(|text| text.starts_with("signed twice"))
        });
        std::panic::set_hook(hook);
        caught
    }
    assert!(caught(VoteAgain));
    assert!(caught(PrepareAgain));
}
