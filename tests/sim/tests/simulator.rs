//! The shipped core under an adversary: it always agrees and always ends, and a core with a rule dropped does not.
//!
//! A failure names its seed; `cargo run --release -p touchstone-tests --bin simulate -- --nodes N --runs 1 --seed S --trace` shows
//! the run.

use touchstone_consensus::Coverage;
use touchstone_sim::{Options, Report, mutants};

fn campaign(nodes: u16, runs: u64, real_crypto: bool) -> Report {
    let options = Options {
        nodes,
        runs,
        real_crypto,
        ..Options::default()
    };
    println!(
        "{nodes} members, seeds {} to {}",
        options.seed,
        options.seed + runs - 1
    );
    let report = mutants::run_sound(&options).expect("a committee");
    assert_eq!(report.passed, runs, "{:#?}", report.failures);
    report
}

#[test]
fn random_adversaries_neither_split_nor_stop_the_round_and_every_rule_fires() {
    let mut coverage = Coverage::default();
    for (nodes, runs) in [(4, 16_000), (7, 3_800), (16, 200)] {
        let report = campaign(nodes, runs, false);
        coverage.add(&report.coverage);
    }
    let silent: Vec<_> = coverage.iter().filter(|(_, count)| *count == 0).collect();
    assert!(silent.is_empty(), "rules that never fired: {silent:?}");
}

#[test]
fn real_signatures_give_the_same_verdict() {
    campaign(4, 30, true);
    campaign(7, 5, true);
}

#[test]
fn without_faults_everybody_holds_the_signature_after_four_delays() {
    for nodes in [4, 7, 16, 31, 64, 100] {
        let options = Options {
            nodes,
            runs: 2,
            good_case: true,
            ..Options::default()
        };
        let report = mutants::run_sound(&options).expect("a committee");
        assert_eq!(report.passed, 2, "{:#?}", report.failures);
        let delays =
            [report.delays_us.min, report.delays_us.max].map(|us| Report::in_delays(us as f64));
        assert_eq!(delays, [4.0, 4.0], "{nodes} members");
    }
}

/// The mutants that chance finds soon; docs/protocol.md names them all.
///
/// Each is caught by the very distribution of faults that the real core withstands, within so many runs.
#[test]
fn a_core_with_a_rule_dropped_is_caught() {
    const WITHIN: &[(&str, u64)] = &[
        ("speculates-everywhere", 6_000),
        ("goes-on-after-timeout", 6_000),
        ("prepares-twice", 6_000),
        ("trusts-prepares", 6_000),
        ("no-lock-report", 6_000),
        ("shares-before-coin", 6_000),
        ("opens-coin-at-once", 6_000),
        ("votes-twice", 6_000),
        ("no-answers", 6_000),
        ("never-asks", 6_000),
        ("waits-for-no-feed", 6_000),
        ("fixed-leaders", 6_000),
        ("no-fence", 6_000),
        ("small-quorum", 6_000),
        ("low-threshold", 6_000),
    ];
    for (name, runs) in WITHIN {
        let options = Options {
            runs: *runs,
            stop_early: true,
            ..Options::default()
        };
        let report = mutants::run(name, &options)
            .expect("a mutant")
            .expect("a committee");
        println!("{name}: {:?}", report.failures.first());
        assert!(
            report.passed < report.runs,
            "{name}: {} runs passed",
            report.runs
        );
    }
}
