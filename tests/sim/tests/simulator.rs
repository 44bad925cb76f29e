//! The shipped core under an adversary: it always agrees and always ends.
//!
//! A failure names its seed; `cargo run --release -p touchstone-tests --bin simulate -- --nodes N --runs 1 --seed S --trace` shows
//! the run.

use touchstone_consensus::Coverage;
use touchstone_sim::{Behaviour, Mode, Options, Report, mutants};

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

fn run(mode: Mode, nodes: u16, runs: u64) -> Report {
    let report = mutants::run_sound(&of(mode, nodes, runs)).expect("a committee");
    assert_eq!(report.passed, runs, "{:#?}", report.failures);
    report
}

fn of(mode: Mode, nodes: u16, runs: u64) -> Options {
    Options {
        mode,
        nodes,
        runs,
        ..Options::default()
    }
}

fn delays(report: &Report) -> [f64; 2] {
    [report.delays_us.min, report.delays_us.max].map(|us| Report::in_delays(us as f64))
}

#[test]
fn random_adversaries_neither_split_nor_stop_the_round_and_every_rule_fires() {
    let mut total = Report::default();
    for (nodes, runs) in [(4, 16_000), (7, 3_800), (16, 200)] {
        total.join(campaign(nodes, runs, false));
    }
    let coverage: &Coverage = &total.coverage;
    let silent: Vec<_> = coverage.iter().filter(|(_, count)| *count == 0).collect();
    assert!(silent.is_empty(), "rules that never fired: {silent:?}");
    let few = |b: &&Behaviour| {
        let runs = total.mix.get(&("fault", b.name()));
        runs.is_none_or(|runs| *runs < 1_000)
    };
    let few: Vec<_> = Behaviour::ALL.iter().filter(few).collect();
    assert!(few.is_empty(), "faults that hardly came up: {few:?}");
}

#[test]
fn real_signatures_give_the_same_verdict() {
    campaign(4, 30, true);
    campaign(7, 5, true);
}

#[test]
fn without_faults_or_with_f_followers_down_everybody_holds_the_signature_after_four_delays() {
    for nodes in [4, 7, 16, 31, 64, 100] {
        for crashed in [0, (nodes - 1) / 3] {
            let report = run(Mode::GoodCase { crashed }, nodes, 2);
            assert_eq!(delays(&report), [4.0, 4.0], "{nodes} members");
            assert_eq!(report.views.max, 0, "{nodes} members");
            let n = u64::from(nodes);
            let up = n - u64::from(crashed);
            // Those who are up send to all others, those who are down too: three times everybody, once the leader.
            let expected = 3 * up * (n - 1) + n - 1;
            assert_eq!(
                report.messages / 2,
                expected,
                "{nodes} members, {crashed} down"
            );
        }
    }
}

#[test]
fn a_dead_leader_costs_eight_delays_after_the_timer_or_one_view_more_each_time_the_coin_misses() {
    for (nodes, crashed, runs) in [(4, 0, 300), (7, 0, 300), (7, 1, 300), (31, 9, 30)] {
        let report = run(Mode::DeadLeader { crashed }, nodes, runs);
        assert_eq!(delays(&report)[0], 8.0, "{nodes} members");
        // Each view but the last takes seven delays, and the coin elects somebody who is up with odds of 2/3 at least.
        let mean = Report::in_delays(report.delays_us.mean());
        let views = report.views.mean();
        assert!(mean < 12.0, "{nodes} members: {mean} delays");
        assert!(
            (mean - (1.0 + 7.0 * views)).abs() < 1e-9,
            "{nodes} members: {mean} delays in {views} views"
        );
        assert!(views <= 1.5, "{nodes} members: {views} views");
    }
}

#[test]
fn a_feed_that_one_member_leaves_out_is_priced() {
    for nodes in [4, 7] {
        let report = run(Mode::Omitter, nodes, 2);
        assert_eq!(report.rounds, 2_000);
        let share = report.priced_share();
        assert!(share >= 0.99, "{nodes} members: {share}");
        let hasty = mutants::run("waits-for-no-feed", &of(Mode::Omitter, nodes, 1));
        let share = hasty
            .expect("a mutant")
            .expect("a committee")
            .priced_share();
        assert!(share < 0.5, "{nodes} members that do not wait: {share}");
    }
}

#[test]
fn a_scheduler_that_hunts_the_leader_stops_a_core_that_opens_the_coin_at_once_and_no_other() {
    for nodes in [4, 7, 16] {
        let report = run(Mode::Hunt, nodes, 100);
        let views = report.views.mean();
        assert!(views <= 1.75, "{nodes} members: {views} views");
    }
    let known = mutants::run("opens-coin-at-once", &of(Mode::Hunt, 4, 20));
    let known = known.expect("a mutant").expect("a committee");
    assert_eq!(known.no_progress, 20, "{:#?}", known.failures);
}

#[test]
fn a_seed_gives_the_same_runs_again_however_many_threads_there_are() {
    let with = |threads| {
        let options = Options {
            threads,
            ..of(Mode::Adversarial, 4, 60)
        };
        mutants::run_sound(&options).expect("a committee")
    };
    let (one, two) = (with(1), with(2));
    assert_eq!(one.messages, two.messages);
    assert_eq!(one.delays_us, two.delays_us);
    assert_eq!(one.mix, two.mix);
    let counts = |r: &Report| r.coverage.iter().map(|(_, c)| c).collect::<Vec<_>>();
    assert_eq!(counts(&one), counts(&two));
}
