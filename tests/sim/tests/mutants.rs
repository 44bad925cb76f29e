//! A core with a rule dropped is caught by the very distribution of faults that the real core withstands.

use std::collections::BTreeSet;

use touchstone_sim::{Options, Stop, mutants};

/// Each mutant, what it breaks, and within how many runs of four members that shows.
const WITHIN: &[(&str, &str, u64)] = &[
    ("speculates-everywhere", "OneSigned", 20_000),
    ("goes-on-after-timeout", "Agreement", 5_000),
    ("prepares-twice", "OneBody", 5_000),
    ("trusts-prepares", "Acceptance", 5_000),
    ("commits-as-signer-only", "Swift", 2_000),
    ("no-lock-report", "Agreement", 2_000),
    ("locks-on-anybody", "Agreement", 15_000),
    ("votes-after-coin", "Agreement", 5_000),
    ("shares-before-coin", "OneSigned", 2_000),
    ("opens-coin-at-once", "Termination", 2_000),
    ("votes-twice", "OneBody", 2_000),
    ("no-answers", "Termination", 2_000),
    ("never-asks", "Termination", 2_000),
    ("leaves-before-coin", "Agreement", 15_000),
    ("forgets-far-views", "Termination", 10_000),
    ("waits-for-no-feed", "Swift", 2_000),
    ("fixed-leaders", "Swift", 2_000),
    ("no-fence", "OneBody", 2_000),
    ("small-quorum", "Agreement", 2_000),
    ("low-threshold", "OneSigned", 2_000),
];

#[test]
fn every_mutant_breaks_what_its_rule_protects() {
    let known: BTreeSet<_> = mutants::NAMES.iter().copied().collect();
    let listed: BTreeSet<_> = WITHIN.iter().map(|(name, ..)| *name).collect();
    assert_eq!(known, listed, "mutants that are not tested, or not there");
    println!("{:<24} {:<12} runs until it shows", "mutant", "breaks");
    for (name, breaks, runs) in WITHIN {
        let options = Options {
            runs: *runs,
            stop: Stop::At((*breaks).to_owned()),
            ..Options::default()
        };
        let report = mutants::run(name, &options)
            .expect("a mutant")
            .expect("a committee");
        let Some(found) = report.kinds.get(*breaks) else {
            panic!("{name}: {breaks} held in {} runs", report.runs);
        };
        let others: Vec<_> = report.kinds.keys().filter(|k| k != breaks).collect();
        println!("{name:<24} {breaks:<12} {} {others:?}", found.first_seed);
    }
}
