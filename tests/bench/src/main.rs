//! The table of what rounds cost.

use anyhow::Result;
use clap::Parser;
use serde_json::json;
use touchstone_bench::{Case, Line, Options, load_average, measure};
use touchstone_types::SUITES;

/// Measures what rounds cost: whole committees with real keys in one process and one thread, without network and disk. CPU
/// is the thread's own, so other programs disturb it by the caches only; still, run it when the machine is quiet. Round time
/// is the critical path: the sum over the steps of the slowest member's CPU in each. What links and threads add is measured
/// over loopback by `devnet bench`.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Committee sizes, from 4 to 100.
    #[arg(long, value_delimiter = ',', default_value = "4,7,16,31,64,100", value_parser = clap::value_parser!(u16).range(4..=100))]
    nodes: Vec<u16>,
    /// Feeds, each observed by every member.
    #[arg(long, value_delimiter = ',', default_value = "64", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    feeds: Vec<u16>,
    /// In how many suites each round is signed: 1 (Ed25519), 2 (and secp256k1-keccak).
    #[arg(long, value_delimiter = ',', default_value = "1", value_parser = clap::value_parser!(u8).range(1..=2))]
    suites: Vec<u8>,
    /// Cases: good, silent (f members are down), leader-dead (the leader observes and dies).
    #[arg(long, value_delimiter = ',', default_value = "good,silent,leader-dead")]
    cases: Vec<Case>,
    /// Rounds to measure, after a few to warm up.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rounds: u32,
    /// Seed of prices and keys.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print one JSON object on the last line.
    #[arg(long)]
    json: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let before = load_average();
    for line in Line::HEADING {
        println!("{line}");
    }
    let mut lines = Vec::new();
    for &case in &arguments.cases {
        for &feeds in &arguments.feeds {
            for &nodes in &arguments.nodes {
                for &suites in &arguments.suites {
                    let line = measure(Options {
                        nodes,
                        feeds,
                        suites: &SUITES[..usize::from(suites)],
                        case,
                        rounds: arguments.rounds,
                        seed: arguments.seed,
                    })?;
                    println!("{}", line.text());
                    lines.push(line.json());
                }
            }
        }
    }
    let after = load_average();
    let shown = |load: &Option<String>| load.clone().unwrap_or("unknown".into());
    println!(
        "load average before {}, after {}",
        shown(&before),
        shown(&after)
    );
    if arguments.json {
        let loads = json!({ "before": before, "after": after });
        println!("{}", json!({ "load_average": loads, "lines": lines }));
    }
    Ok(())
}
