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
    for (nodes, runs) in [(4, 4_000), (7, 1_000)] {
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
fn without_faults_the_signature_is_there_after_eleven_delays() {
    for nodes in [4, 7, 16] {
        let options = Options {
            nodes,
            runs: 10,
            good_case: true,
            ..Options::default()
        };
        let report = mutants::run_sound(&options).expect("a committee");
        assert_eq!(report.passed, 10, "{:#?}", report.failures);
        // Two to leave view 0, six in a view that decides, three to sign; each further view adds to the mean.
        let fastest = Report::in_delays(report.delays_us.min as f64);
        assert!(
            (10.0..11.5).contains(&fastest),
            "{nodes} members: {fastest} delays"
        );
    }
}

/// The mutants that random schedules catch; docs/protocol.md says which ones need a schedule of their own, and why.
#[test]
fn a_core_with_a_rule_dropped_is_caught() {
    for name in [
        "no-lock-report",
        "votes-twice",
        "no-answers",
        "forgets-far-views",
        "no-fence",
    ] {
        let options = Options {
            runs: 6_000,
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
