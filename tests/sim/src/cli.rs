//! The simulator's command line.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser;
use serde_json::json;

use super::{Behaviour, Concert, Options, Report, Verdict, mutants};

/// Runs the shipped consensus core in whole committees, under adversarial networks and members, and checks agreement, one
/// signed report per round, honest range, evidence, memory and termination. Exit code 1: something broke, or a rule of the
/// protocol never fired.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Members, from 4 to 100.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(4..=100))]
    nodes: u16,
    /// How many runs.
    #[arg(long, default_value_t = 1_000)]
    runs: u64,
    /// Seed of the first run; the i-th run has seed + i.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Rounds in each run; 1 to 12 as the seed says where it is left out.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    rounds: Option<u64>,
    /// Real Ed25519, FROST and coin in place of symbols; about a hundred times slower.
    #[arg(long)]
    real_crypto: bool,
    /// What Byzantine members do, comma-separated; any mix, crashes and restarts too, where it is left out.
    #[arg(long, value_delimiter = ',')]
    faults: Vec<String>,
    /// One attack of network and members together in all runs: deprive, isolate or lag.
    #[arg(long)]
    concert: Option<String>,
    /// No faults, and every message takes one unit of time.
    #[arg(long)]
    good_case: bool,
    /// Run the core with one rule dropped.
    #[arg(long)]
    mutant: Option<String>,
    /// Print the names of all mutants.
    #[arg(long)]
    list_mutants: bool,
    /// Print the names of all faults.
    #[arg(long)]
    list_faults: bool,
    /// Print the plan and every message of each run.
    #[arg(long)]
    trace: bool,
    /// Print one JSON object on the last line.
    #[arg(long)]
    json: bool,
    /// Threads; as many as there are processors where it is left out.
    #[arg(long)]
    threads: Option<usize>,
}

/// Runs the program with the process's arguments.
pub fn main() -> ExitCode {
    run(&Arguments::parse()).unwrap_or_else(|error| {
        eprintln!("{error:#}");
        ExitCode::from(2)
    })
}

fn run(arguments: &Arguments) -> Result<ExitCode> {
    if arguments.list_mutants {
        mutants::NAMES.iter().for_each(|name| println!("{name}"));
        return Ok(ExitCode::SUCCESS);
    }
    if arguments.list_faults {
        Behaviour::ALL
            .iter()
            .for_each(|b| println!("{:<20} {}", b.name(), b.text()));
        return Ok(ExitCode::SUCCESS);
    }
    // A panic is a finding that the report names; one line says where it was.
    std::panic::set_hook(Box::new(|panic| eprintln!("{panic}")));
    let options = options(arguments)?;
    let report = match &arguments.mutant {
        None => mutants::run_sound(&options)?,
        Some(name) => mutants::run(name, &options)
            .with_context(|| format!("no mutant {name:?}; --list-mutants names them"))??,
    };
    // A campaign of one kind of fault, or of few runs, cannot make every rule fire.
    let complete = !arguments.good_case
        && arguments.faults.is_empty()
        && arguments.concert.is_none()
        && arguments.rounds.is_none()
        && arguments.runs >= 1_000;
    print(arguments, &report, complete);
    let every_rule = !complete || report.silent_rules().is_empty();
    let sound = report.failures.is_empty() && every_rule;
    Ok(if sound {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}

fn options(arguments: &Arguments) -> Result<Options> {
    let behaviour = |name: &String| {
        let known = Behaviour::ALL.iter().copied().find(|b| b.name() == name);
        known.with_context(|| format!("no fault {name:?}; --list-faults names them"))
    };
    let concert = |name: &String| {
        let known = Concert::ALL.iter().copied().find(|c| c.name() == name);
        known.with_context(|| format!("no concert {name:?}; there are deprive, isolate and lag"))
    };
    let defaults = Options::default();
    Ok(Options {
        nodes: arguments.nodes,
        runs: arguments.runs,
        seed: arguments.seed,
        rounds: arguments.rounds,
        real_crypto: arguments.real_crypto,
        faults: arguments
            .faults
            .iter()
            .map(behaviour)
            .collect::<Result<_>>()?,
        concert: arguments.concert.as_ref().map(concert).transpose()?,
        good_case: arguments.good_case,
        trace: arguments.trace,
        stop_early: false,
        threads: if arguments.trace {
            1
        } else {
            arguments.threads.unwrap_or(defaults.threads)
        },
        progress: true,
    })
}

fn print(arguments: &Arguments, report: &Report, complete: bool) {
    for (rule, count) in report.coverage.iter() {
        println!("{:<4} {count:>12}  {}", rule.code(), rule.text());
    }
    if complete {
        for rule in report.silent_rules() {
            println!("rule {} never fired: {}", rule.code(), rule.text());
        }
    }
    for failure in &report.failures {
        match &failure.verdict {
            Verdict::Pass => {}
            Verdict::NoProgress(what) => println!("seed {}: no progress: {what}", failure.seed),
            Verdict::Diverged(findings) => {
                findings
                    .iter()
                    .for_each(|f| println!("seed {}: {:?}: {}", failure.seed, f.property, f.what));
            }
        }
    }
    for (name, kind) in &report.kinds {
        println!(
            "{name}: {} runs, the first at seed {}",
            kind.runs, kind.first_seed
        );
    }
    let delay = |us: u64| Report::in_delays(us as f64);
    let (views, delays) = (&report.views, &report.delays_us);
    println!(
        "{} runs of {} members, seeds {}..{}: {} pass, {} no progress, {} diverged; views {:.2} (at most {}), delays {:.2} ({:.2} to {:.2}), {} messages, at most {} things kept",
        report.runs,
        arguments.nodes,
        arguments.seed,
        arguments.seed.wrapping_add(report.runs),
        report.passed,
        report.no_progress,
        report.diverged,
        views.mean(),
        views.max,
        Report::in_delays(delays.mean()),
        delay(delays.min),
        delay(delays.max),
        report.messages,
        report.kept_max
    );
    if arguments.json {
        let coverage: serde_json::Map<_, _> = report
            .coverage
            .iter()
            .map(|(r, c)| (r.code().to_owned(), c.into()))
            .collect();
        let object = json!({
            "runs": report.runs,
            "nodes": arguments.nodes,
            "seed": arguments.seed,
            "verdicts": { "Pass": report.passed, "NoProgress": report.no_progress, "Diverged": report.diverged },
            "views": { "min": views.min, "mean": views.mean(), "max": views.max },
            "delays": { "min": delay(delays.min), "mean": Report::in_delays(delays.mean()), "max": delay(delays.max) },
            "messages": report.messages,
            "kept_max": report.kept_max,
            "rules": coverage,
            "failed_seeds": report.failures.iter().map(|f| f.seed).collect::<Vec<_>>(),
        });
        println!("{object}");
    }
}
