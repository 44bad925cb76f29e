//! What a member that floods costs an honest one, with real keys: CPU for each message and memory for all of them.
//!
//! One thread plays both: the flooder's messages are made outside of what is measured. Measured is what a node does with the
//! bytes of one message: decode, verify, [`touchstone_consensus::Core::handle`]. A node verifies on threads of its own and in
//! batches, so this is the cost of messages that come alone.

mod committee;
mod kinds;
mod victim;

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser;
use serde_json::json;
use touchstone_consensus::Params;

use self::{
    committee::Network,
    kinds::{Flood, KINDS},
    victim::{Cost, Victim},
};
use crate::bound;

/// Measures what a flooding member costs an honest one.
#[derive(Parser)]
#[command(
    name = "flood",
    after_help = "Example: what one member of 31 can cost, as a table\n  cargo run --release -p touchstone-fuzz --bin flood -- --nodes 31"
)]
struct Options {
    /// Members of the committee, from 4 to 128.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(4..=128))]
    nodes: u16,
    /// Feeds of the network, from 1 to 1000.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=1000))]
    feeds: u16,
    /// Messages of each kind.
    #[arg(long, default_value_t = 50_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    count: u64,
    /// At most this much CPU time for each kind, in seconds; fewer messages are sent if that is not enough.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,
    /// Only the kinds whose name contains this.
    #[arg(long)]
    only: Option<String>,
    /// Print one JSON object in place of the table.
    #[arg(long)]
    json: bool,
}

/// Runs the command line.
pub fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("flood: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    let network = Network::new(options.nodes, options.feeds)?;
    let wanted = |flood: &&Flood| {
        options
            .only
            .as_ref()
            .is_none_or(|only| flood.name.contains(only))
    };
    let mut rows = Vec::new();
    if !options.json {
        println!("{}", Cost::heading());
    }
    for flood in KINDS.iter().filter(wanted) {
        let cost = measure(&network, flood, options.count, options.seconds)?;
        if options.json {
            rows.push(cost.json());
        } else {
            println!("{}", cost.row());
        }
    }
    let f = network.terms.committee.f();
    let params = Params::for_interval(committee::INTERVAL_MS);
    let bytes = |signs| bound::flooder_bytes(options.nodes, f, options.feeds, &params, signs);
    let (signing, stalled) = (bytes(true), bytes(false));
    if options.json {
        let bound = json!({ "signing": signing, "stalled": stalled });
        let (nodes, feeds) = (options.nodes, options.feeds);
        println!(
            "{}",
            json!({ "nodes": nodes, "feeds": feeds, "bound_bytes": bound, "kinds": rows })
        );
    } else {
        println!(
            "By formula one member pins at most {signing} bytes while rounds are signed ({} alive), {stalled} while none is ({} alive); \
             {f} members {} and {}.",
            bound::living_rounds(&params, true),
            bound::living_rounds(&params, false),
            signing * u64::from(f),
            stalled * u64::from(f),
        );
    }
    Ok(())
}

/// Sends `count` messages of one kind to a fresh victim, or as many as fit into the time.
fn measure(network: &Network, flood: &Flood, count: u64, seconds: u64) -> Result<Cost> {
    let mut victim = Victim::new(network)?;
    let mut flooder = kinds::Flooder::new(network, &victim)?;
    let mut cost = victim.start(flood.name)?;
    let limit_ns = seconds.saturating_mul(1_000_000_000);
    // Chunks keep the flooder's own memory small, and are long enough for the kernel's account of CPU time.
    let mut chunk = 64;
    while cost.messages < count && cost.cpu_ns < limit_ns {
        let until = count.min(cost.messages + chunk);
        let messages: Vec<_> = (cost.messages..until)
            .map(|i| (flood.make)(&mut flooder, i))
            .collect();
        victim.take(&messages, &mut cost)?;
        chunk = (chunk * 2).min(1_024);
    }
    drop(flooder);
    victim.finish(&mut cost);
    Ok(cost)
}

/// Measures one kind at `nodes` members and one feed: messages, heap bytes that stayed, and things that are kept. For tests.
///
/// # Errors
/// A kind that is none, or a committee that cannot be.
pub fn growth(nodes: u16, kind: &str, count: u64) -> Result<(u64, u64, usize)> {
    let network = Network::new(nodes, 1)?;
    let flood = KINDS
        .iter()
        .find(|flood| flood.name == kind)
        .context("no such kind of flood")?;
    let cost = measure(&network, flood, count, 600)?;
    Ok((cost.messages, cost.heap_bytes, cost.kept))
}

/// The names of all kinds.
pub fn kinds() -> impl Iterator<Item = &'static str> {
    KINDS.iter().map(|flood| flood.name)
}
