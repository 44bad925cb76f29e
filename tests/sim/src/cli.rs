//! The simulator's command line.

use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use serde_json::json;
use touchstone_types::Committee;

use super::{Behaviour, Concert, Mode, Options, Property, Report, Stop, Verdict, mutants};

/// The sizes of a campaign's committees, each with its share of the runs in thousandths.
/// Those that are not `3 f + 1` are there as well.
const SIZES: &[(u16, u64)] = &[
    (16, 10),
    (13, 10),
    (10, 20),
    (6, 15),
    (5, 15),
    (7, 230),
    (4, 700),
];
/// The share of rounds in which a feed must be priced that one member leaves out.
const PRICED_SHARE: f64 = 0.99;

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
    /// One attack of network and members together in all runs: deprive, isolate, lag or scatter.
    #[arg(long)]
    concert: Option<String>,
    /// No faults, and every message takes one unit of time.
    #[arg(long, group = "kind")]
    good_case: bool,
    /// With --good-case: this many members that do not lead are down. With --dead-leader: beside the leader.
    #[arg(long, default_value_t = 0)]
    crashed: u16,
    /// The good case with the leader down; delays count from the end of view 0's timer.
    #[arg(long, group = "kind")]
    dead_leader: bool,
    /// One member leaves a feed out; exit code 1 if that feed is priced in less than 99 % of the rounds.
    #[arg(long, group = "kind")]
    omitter: bool,
    /// No faults, but the network holds back whoever is known to lead, and never lets go.
    #[arg(long, group = "kind")]
    hunt: bool,
    /// Committees of all sizes: 70 % of the runs with 4 members, 23 % with 7, the rest with 5, 6, 10, 13 and 16.
    #[arg(long, conflicts_with_all = ["kind", "nodes"])]
    campaign: bool,
    /// Run the core with one rule dropped.
    #[arg(long)]
    mutant: Option<String>,
    /// Print the names of all mutants.
    #[arg(long)]
    list_mutants: bool,
    /// Print the names of all faults.
    #[arg(long)]
    list_faults: bool,
    /// Stop at the first run that fails.
    #[arg(long)]
    stop_early: bool,
    /// Stop at the first run in which this broke, such as OneSigned or Termination.
    #[arg(long, conflicts_with = "stop_early")]
    stop_at: Option<String>,
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
    let report = if arguments.campaign {
        campaign(arguments, &options)?
    } else {
        run_one(arguments, &options)?
    };
    // A campaign of one kind of fault, or of few runs, cannot make every rule fire.
    let complete = options.mode == Mode::Adversarial
        && arguments.faults.is_empty()
        && arguments.concert.is_none()
        && arguments.rounds.is_none()
        && arguments.runs >= 1_000;
    print(arguments, &report, complete);
    let every_rule = !complete || report.silent_rules().is_empty();
    let priced = !arguments.omitter || report.priced_share() >= PRICED_SHARE;
    let sound = report.failures.is_empty() && every_rule && priced;
    Ok(if sound {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}

fn run_one(arguments: &Arguments, options: &Options) -> Result<Report> {
    match &arguments.mutant {
        None => mutants::run_sound(options),
        Some(name) => mutants::run(name, options)
            .with_context(|| format!("no mutant {name:?}; --list-mutants names them"))?,
    }
}

/// The sizes of a campaign's committees, ascending.
fn sizes() -> Vec<u16> {
    let mut sizes: Vec<_> = SIZES.iter().map(|(nodes, _)| *nodes).collect();
    sizes.sort_unstable();
    sizes
}

/// Runs committees of all sizes, one size after the other.
fn campaign(arguments: &Arguments, options: &Options) -> Result<Report> {
    let mut total = Report::default();
    let mut done = 0;
    for (at, (nodes, share)) in SIZES.iter().enumerate() {
        let last = at + 1 == SIZES.len();
        let runs = if last {
            options.runs - done
        } else {
            options.runs * share / 1_000
        };
        done += runs;
        let part = Options {
            nodes: *nodes,
            runs,
            ..options.clone()
        };
        total.join(run_one(arguments, &part)?);
    }
    Ok(total)
}

fn mode(arguments: &Arguments) -> Result<Mode> {
    let crashed = arguments.crashed;
    let f = Committee::max_faults(arguments.nodes);
    let most = if arguments.dead_leader {
        f.saturating_sub(1)
    } else {
        f
    };
    ensure!(
        crashed <= most,
        "--crashed must be from 0 to {most}: more than f = {f} members down stop the network"
    );
    let mode = if arguments.good_case {
        Mode::GoodCase { crashed }
    } else if arguments.dead_leader {
        Mode::DeadLeader { crashed }
    } else if arguments.omitter {
        Mode::Omitter
    } else if arguments.hunt {
        Mode::Hunt
    } else {
        Mode::Adversarial
    };
    let takes_crashed = matches!(mode, Mode::GoodCase { .. } | Mode::DeadLeader { .. });
    ensure!(
        takes_crashed || crashed == 0,
        "--crashed goes with --good-case or --dead-leader"
    );
    Ok(mode)
}

fn options(arguments: &Arguments) -> Result<Options> {
    let behaviour = |name: &String| {
        let known = Behaviour::ALL.iter().copied().find(|b| b.name() == name);
        known.with_context(|| format!("no fault {name:?}; --list-faults names them"))
    };
    let concert = |name: &String| {
        let known = Concert::ALL.iter().copied().find(|c| c.name() == name);
        known.with_context(|| {
            format!("no concert {name:?}; there are deprive, isolate, lag and scatter")
        })
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
        mode: mode(arguments)?,
        trace: arguments.trace,
        stop: stop(arguments)?,
        threads: if arguments.trace {
            1
        } else {
            arguments.threads.unwrap_or(defaults.threads)
        },
        progress: true,
    })
}

fn stop(arguments: &Arguments) -> Result<Stop> {
    let Some(name) = &arguments.stop_at else {
        return Ok(if arguments.stop_early {
            Stop::AtFailure
        } else {
            Stop::Never
        });
    };
    let mut names: Vec<_> = Property::ALL.iter().map(|p| format!("{p:?}")).collect();
    names.push("Termination".to_owned());
    ensure!(
        names.contains(name),
        "no property {name:?}; there are {}",
        names.join(", ")
    );
    Ok(Stop::At(name.clone()))
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
    for ((kind, name), count) in &report.mix {
        println!("{kind:<8} {name:<22} {count:>9} runs");
    }
    print_failures(report);
    let (views, delays) = (&report.views, &report.delays_us);
    let delay = |us: u64| Report::in_delays(us as f64);
    let nodes = if arguments.campaign {
        "4 to 16".to_owned()
    } else {
        arguments.nodes.to_string()
    };
    println!(
        "{} runs of {nodes} members from seed {}: {} pass, {} no progress, {} diverged; views {:.2} (at most {}), delays {:.2} ({:.2} to {:.2}), {:.2} sessions of a coordinator (at most {}), {} messages, {} pieces of evidence, at most {} things kept, every feed priced in {:.2} % of rounds",
        report.runs,
        arguments.seed,
        report.passed,
        report.no_progress,
        report.diverged,
        views.mean(),
        views.max,
        Report::in_delays(delays.mean()),
        delay(delays.min),
        delay(delays.max),
        report.sessions.mean(),
        report.sessions.max,
        report.messages,
        report.evidence,
        report.kept_max,
        100.0 * report.priced_share(),
    );
    if arguments.json {
        println!("{}", object(arguments, report));
    }
}

fn print_failures(report: &Report) {
    for failure in &report.failures {
        let place = format!("{} members, seed {}", failure.nodes, failure.seed);
        match &failure.verdict {
            Verdict::Pass => {}
            Verdict::NoProgress(what) => println!("{place}: Termination: {what}"),
            Verdict::Diverged(findings) => {
                let lines = findings.iter();
                lines.for_each(|f| println!("{place}: {:?}: {}", f.property, f.what));
            }
        }
    }
    for (name, kind) in &report.kinds {
        println!(
            "{name}: {} runs, the first at seed {}",
            kind.runs, kind.first_seed
        );
    }
}

fn object(arguments: &Arguments, report: &Report) -> serde_json::Value {
    let delay = |us: u64| Report::in_delays(us as f64);
    let (views, delays) = (&report.views, &report.delays_us);
    let rules = report.coverage.iter();
    let rules: serde_json::Map<_, _> = rules
        .map(|(r, c)| (r.code().to_owned(), c.into()))
        .collect();
    let kinds = report.kinds.iter();
    let broken: serde_json::Map<_, _> = kinds
        .map(|(name, kind)| (name.clone(), kind.runs.into()))
        .collect();
    let mut mix = serde_json::Map::new();
    for ((kind, name), count) in &report.mix {
        let of = mix.entry(*kind).or_insert_with(|| json!({}));
        if let Some(of) = of.as_object_mut() {
            of.insert((*name).to_owned(), (*count).into());
        }
    }
    json!({
        "runs": report.runs,
        "nodes": if arguments.campaign { json!(sizes()) } else { json!(arguments.nodes) },
        "seed": arguments.seed,
        "verdicts": { "Pass": report.passed, "NoProgress": report.no_progress, "Diverged": report.diverged },
        "broken": broken,
        "views": { "min": views.min, "mean": views.mean(), "max": views.max },
        "delays": { "min": delay(delays.min), "mean": Report::in_delays(delays.mean()), "max": delay(delays.max) },
        "sessions": { "min": report.sessions.min, "mean": report.sessions.mean(), "max": report.sessions.max },
        "messages": report.messages,
        "evidence": report.evidence,
        "kept_max": report.kept_max,
        "priced_share": report.priced_share(),
        "rules": rules,
        "mix": mix,
        "failed": report.failures.iter().map(|f| json!({ "nodes": f.nodes, "seed": f.seed })).collect::<Vec<_>>(),
    })
}
