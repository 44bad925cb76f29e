//! The explorer's command line.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context as _, Result};
use clap::Parser;
use serde_json::{Value, json};
use touchstone_sim::mutants;

use crate::{
    Config, Explored, Found, Limits, Merge, Options, Seen, cross_check, explore, repeat, unreduced,
    walk,
};

const EXAMPLES: &str = "Examples:
  explore --views 1                                   views 0 and 1 of what ships, exhaustively
  explore --views 2 --byzantine-leads                 view 2 as well, with the other leader of view 0
  explore --views 12 --any-view --states 20000000     until a view brings nothing new; takes hours
  explore --views 3 --mutant speculates-everywhere --beam 40
                                                      a guided search for the schedule that signs two reports
  explore --views 3 --mutant speculates-everywhere --replay FILE
                                                      plays a schedule again; without --mutant, on what ships
  explore --views 0 --active 2 --exact --unreduced 99 the reduced search against all interleavings
  explore --views 1 --unreduced 6 --after FILE        the same from inside view 1, to a depth
  explore --views 1 --walks 200                       random schedules, compared with the reduced search

Exit code: 0 nothing found; 1 a violation, or a cross-check that fails; 2 wrong usage, or more states than --states.";

/// Explores the schedules of one round among four members, one of them Byzantine, with the shipped consensus core: agreement, one
/// signed report, one body for a slot. What is printed, with the reductions behind it, is explained in docs/protocol.md.
#[derive(Parser)]
#[command(version, after_help = EXAMPLES)]
struct Arguments {
    /// The highest view whose letters are delivered.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(0..=12))]
    views: u32,
    /// The Byzantine member leads view 0, rather than an honest one.
    #[arg(long)]
    byzantine_leads: bool,
    /// How many honest members take part after the observations; the others have crashed.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(2..=3))]
    active: u8,
    /// Merge states only if they are the same in everything.
    #[arg(long)]
    exact: bool,
    /// Merge states at the ends of different views, and end when a view brings nothing new: then no later one does either.
    #[arg(long, conflicts_with_all = ["exact", "unreduced", "walks", "mutant", "beam"])]
    any_view: bool,
    /// The most states that are kept, at about four kilobytes each.
    #[arg(long, default_value_t = 2_000_000)]
    states: usize,
    /// After each view go on with so many states only, those with the most locks and shares about: not exhaustive.
    #[arg(long, value_name = "STATES")]
    beam: Option<usize>,
    /// Run the core with one rule dropped.
    #[arg(long)]
    mutant: Option<String>,
    /// Print the names of all mutants.
    #[arg(long)]
    list_mutants: bool,
    /// Compare with the search without reductions, to so many inputs after the start.
    #[arg(long, value_name = "DEPTH")]
    unreduced: Option<usize>,
    /// The search without reductions starts after the schedule in a file.
    #[arg(long, value_name = "FILE", requires = "unreduced")]
    after: Option<PathBuf>,
    /// Seconds for the search without reductions, for each way in which the coins fall.
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// Compare with so many random schedules without reductions.
    #[arg(long, value_name = "WALKS")]
    walks: Option<u64>,
    /// Seed of the first random schedule.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Play the schedule in a file again, a line for each input, and say what is broken at its end.
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,
    /// Say nothing about the progress.
    #[arg(long)]
    quiet: bool,
    /// Print one JSON object on the last line.
    #[arg(long)]
    json: bool,
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
    let mutant = arguments.mutant.as_deref();
    let config = Config {
        byzantine_leads: arguments.byzantine_leads,
        views: arguments.views,
        active: usize::from(arguments.active),
    };
    if let Some(file) = &arguments.replay {
        return play(arguments, &config, file);
    }
    let options = Options {
        merge: match (arguments.exact, arguments.any_view) {
            (true, _) => Merge::Exact,
            (_, true) => Merge::AnyView,
            _ => Merge::View,
        },
        states: arguments.states,
        beam: arguments.beam,
        progress: !arguments.quiet,
        outcomes: arguments.unreduced.is_some() || arguments.walks.is_some(),
    };
    let explored = explore(mutant, &config, options)?;
    let mut json = json_of(arguments, &explored);
    println!("{}", line_of(&explored));
    if explored.count.closed {
        println!("closed: the last view brought nothing new, and so no later one does");
    }
    let mut good = print(explored.found.as_ref());
    if let Some(depth) = arguments.unreduced {
        let limits = Limits {
            depth,
            states: arguments.states,
            time: Duration::from_secs(arguments.seconds),
        };
        let after = arguments.after.as_deref().map_or(Ok(Vec::new()), lines)?;
        let seen = unreduced(mutant, &config, &after, limits)?;
        json["unreduced"] = compare(&explored, &seen, after.is_empty(), &mut good);
    }
    if let Some(walks) = arguments.walks {
        let seen = walk(mutant, &config, walks, arguments.seed)?;
        json["walks"] = compare(&explored, &seen, false, &mut good);
    }
    if arguments.json {
        println!("{json}");
    }
    Ok(ExitCode::from(u8::from(!good)))
}

/// The lines of a schedule, without comments.
fn lines(file: &Path) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(file);
    let text = text.with_context(|| file.display().to_string())?;
    let lines = text.lines().map(str::trim);
    Ok(lines
        .filter(|l| !l.is_empty() && !l.starts_with('#'))
        .map(str::to_owned)
        .collect())
}

/// Plays a schedule again.
fn play(arguments: &Arguments, config: &Config, file: &Path) -> Result<ExitCode> {
    let lines = lines(file)?;
    let (done, violation) = repeat(arguments.mutant.as_deref(), config, &lines)?;
    println!("{} of {} lines were possible", done.len(), lines.len());
    match &violation {
        None => println!("nothing is broken"),
        Some(v) => println!("broken: {}: {}", v.property, v.what),
    }
    if arguments.json {
        let json = json!({
            "mutant": arguments.mutant,
            "lines": lines.len(),
            "possible": done.len(),
            "broken": violation.as_ref().map(|v| v.property.to_string()),
            "what": violation.as_ref().map(|v| v.what.clone()),
        });
        println!("{json}");
    }
    Ok(ExitCode::from(u8::from(violation.is_some())))
}

fn line_of(explored: &Explored) -> String {
    let c = &explored.count;
    let ends: Vec<_> = c.ends.iter().map(usize::to_string).collect();
    format!(
        "{} states, {} states of single members, {} letters, {} inputs to cores, depth {}, {:.1} s; at the ends of views {}",
        c.states,
        c.locals,
        c.letters,
        c.handled,
        c.depth,
        explored.time.as_secs_f64(),
        ends.join(", "),
    )
}

/// Prints a violation; whether there is none.
fn print(found: Option<&Found>) -> bool {
    let Some(found) = found else {
        println!("no violation");
        return true;
    };
    println!(
        "broken: {}: {}",
        found.violation.property, found.violation.what
    );
    found.schedule.iter().for_each(|line| println!("{line}"));
    false
}

/// Compares with a search that has no reductions; `all` if that one was to reach everything.
fn compare(explored: &Explored, seen: &Seen, all: bool, good: &mut bool) -> Value {
    println!(
        "unreduced: {} states, {} steps, depth {}, {}; {} outcomes, reduced {}",
        seen.states,
        seen.steps,
        seen.depth,
        if seen.complete {
            "complete"
        } else {
            "not complete"
        },
        seen.outcomes.len(),
        explored.outcomes.len(),
    );
    *good &= print(seen.found.as_ref());
    let (reduced_only, other_only) = cross_check(explored, seen);
    // A search that ended with a violation saw no more than it needed.
    if explored.found.is_none() {
        *good &= other_only.is_empty();
        for outcome in &other_only {
            println!("the reduced search misses {outcome:?}");
        }
    }
    if seen.complete && all {
        *good &= reduced_only.is_empty();
        for outcome in &reduced_only {
            println!("the search without reductions misses {outcome:?}");
        }
    }
    json!({
        "states": seen.states,
        "steps": seen.steps,
        "depth": seen.depth,
        "complete": seen.complete,
        "outcomes": seen.outcomes.len(),
        "only_here": other_only.len(),
        "only_reduced": reduced_only.len(),
        "broken": seen.found.as_ref().map(|f| f.violation.property.to_string()),
    })
}

fn json_of(arguments: &Arguments, explored: &Explored) -> Value {
    let c = &explored.count;
    json!({
        "mutant": arguments.mutant,
        "views": arguments.views,
        "byzantine_leads": arguments.byzantine_leads,
        "active": arguments.active,
        "states": c.states,
        "member_states": c.locals,
        "letters": c.letters,
        "inputs": c.handled,
        "depth": c.depth,
        "outcomes": explored.outcomes.len(),
        "ends": c.ends,
        "essences": c.essences,
        "exhaustive": !c.beam,
        "closed": c.closed,
        "seconds": explored.time.as_secs_f64(),
        "broken": explored.found.as_ref().map(|f| f.violation.property.to_string()),
        "what": explored.found.as_ref().map(|f| f.violation.what.clone()),
        "schedule": explored.found.as_ref().map(|f| f.schedule.clone()),
    })
}
