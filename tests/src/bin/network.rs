//! Measures rounds of real nodes over a network that is as bad as one asks for.

use std::{
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use clap::Parser;
use serde_json::{Value, json};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::sleep,
};
use touchstone_tests::{
    live::{Audit, Network, Options, Times},
    relay::{Impairment, ImpairmentArgs},
};
use touchstone_types::Round;

/// Rounds before the measurement, in which links and caches settle.
const WARM_UP: u64 = 5;
/// Longer than keys, links and the first rounds may take on a slow machine.
const PATIENCE: Duration = Duration::from_secs(120);

const EXAMPLES: &str = "\
Examples:
  network --nodes 4 --delay-ms 50 --loss 2 --seconds 30
  network --nodes 7 --delay-ms 50 --jitter-ms 10 --loss 2 --duplicate 1 --silent 2
  network --nodes 4 --silent 1 --far-ms 150                  nobody can do without the member that is far away
  network --nodes 4 --delay-ms 0 --json                      what the machine itself takes";

/// Starts a committee of real nodes whose links run through an impairing relay, and measures how long rounds take from their
/// start to the attestation at each node, in milliseconds and in multiples of the one-way delay. Afterwards everything that
/// was attested is verified, and compared with what the aggregator has. Exit code 1: something did not hold.
#[derive(Parser)]
#[command(version, after_help = EXAMPLES)]
struct Arguments {
    /// Members, 4 to 31
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(4..=31))]
    nodes: u16,
    /// Members that are killed before the measurement, the last ones; at most f
    #[arg(long, default_value_t = 0)]
    silent: u16,
    /// How much further away than the others member 0 is from everybody, each way, in milliseconds, 0 to 30000
    #[arg(long, value_name = "MS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=30_000))]
    far_ms: u64,
    #[command(flatten)]
    impairment: ImpairmentArgs,
    /// Milliseconds from round to round, 100 to 3600000
    #[arg(long, value_name = "MS", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(100..=3_600_000))]
    interval: u64,
    /// How long to measure, 1 to 86400
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// What the relay's chance and the market's prices follow from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print one JSON object on the last line
    #[arg(long)]
    json: bool,
}

struct Measured {
    times: Times,
    audit: Audit,
    relay: Value,
}

fn main() -> ExitCode {
    // The processes of the network are this program, too.
    let role = std::env::args_os().nth(1);
    if role.is_some_and(|role| role == "oracle-node" || role == "aggregator") {
        return touchstone_devnet::cli_main(std::env::args_os().collect());
    }
    let arguments = Arguments::parse();
    // An error says that a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match run(&arguments) {
        Ok(sound) => ExitCode::from(u8::from(!sound)),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(arguments: &Arguments) -> Result<bool> {
    let most = arguments.nodes.saturating_sub(1) / 3;
    let (silent, nodes) = (arguments.silent, arguments.nodes);
    anyhow::ensure!(
        silent <= most,
        "--silent {silent}: of {nodes} members at most {most} may be faulty"
    );
    let options = Options {
        nodes,
        interval_ms: arguments.interval,
        impairment: arguments.impairment.impairment()?,
        seed: arguments.seed,
    };
    let program = std::env::current_exe()?;
    let measured = tokio::select! {
        measured = measure(&program, &options, arguments) => measured?,
        interrupted = interruption() => {
            interrupted?;
            anyhow::bail!("interrupted");
        }
    };
    print(arguments, &options, &measured)?;
    Ok(measured.audit.findings.is_empty())
}

/// Waits for SIGINT or SIGTERM: the network's processes and files go with this one.
async fn interruption() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
    }
}

async fn measure(program: &Path, options: &Options, arguments: &Arguments) -> Result<Measured> {
    let since = Instant::now();
    let mut network = Network::start(program, options).await?;
    eprintln!(
        "keys generated, {} nodes started after {:.1?}",
        options.nodes,
        since.elapsed()
    );
    let (all, up) = (
        0..usize::from(options.nodes),
        usize::from(options.nodes - arguments.silent),
    );
    let everybody: Vec<usize> = all.clone().collect();
    let mut first = network
        .rounds_in_a_row(WARM_UP, &everybody, PATIENCE)
        .await?;
    let far = Impairment {
        delay: options.impairment.delay + Duration::from_millis(arguments.far_ms),
        ..options.impairment
    };
    far.validate().context("--far-ms")?;
    for other in all.clone().skip(1) {
        network.relay().impair(0, other, far)?;
        network.relay().impair(other, 0, far)?;
    }
    let members: Vec<usize> = everybody.iter().copied().take(up).collect();
    for silent in all.skip(up) {
        network.member(silent).kill().await?;
    }
    if arguments.silent > 0 || arguments.far_ms > 0 {
        first = network.rounds_in_a_row(WARM_UP, &members, PATIENCE).await?;
    }
    eprintln!(
        "warm after {:.1?}; measuring for {} s",
        since.elapsed(),
        arguments.seconds
    );
    let before = network.relay().total();
    sleep(Duration::from_secs(arguments.seconds)).await;
    let after = network.relay().total();
    let end = network.round_now();
    // Rounds that have started are to end, or to be given up.
    let life =
        Duration::from_millis(options.interval_ms.saturating_mul(8)).max(Duration::from_secs(2));
    let ended = Instant::now();
    while !(first.0..end.0).all(|round| network.record().is_seen_by(&members, Round(round)))
        && ended.elapsed() < life
    {
        sleep(Duration::from_millis(20)).await;
    }
    let delay = options.impairment.delay;
    let times = Times::of(
        network.record(),
        network.clock(),
        first..end,
        &members,
        delay,
    );
    let audit = network.audit().await.context("audit")?;
    if !audit.findings.is_empty() {
        let folder = network.keep_folder().display();
        eprintln!("keys, logs and databases are kept in {folder}");
    }
    network.stop().await?;
    let relay = json!({
        "forwarded": after.forwarded - before.forwarded,
        "forwarded_bytes": after.forwarded_bytes - before.forwarded_bytes,
        "dropped": after.dropped() - before.dropped(),
        "duplicated": after.duplicated - before.duplicated,
        "reordered": after.reordered - before.reordered,
    });
    Ok(Measured {
        times,
        audit,
        relay,
    })
}

fn print(arguments: &Arguments, options: &Options, measured: &Measured) -> Result<()> {
    let Measured {
        times,
        audit,
        relay,
    } = measured;
    let i = options.impairment;
    println!(
        "{} members, {} of them silent, member 0 {} ms further away, a round every {} ms; every link: {:?} one way, jitter {:?}, \
         loss {} %, duplication {} %; seed {}",
        options.nodes,
        arguments.silent,
        arguments.far_ms,
        options.interval_ms,
        i.delay,
        i.jitter,
        i.loss.as_percent(),
        i.duplication.as_percent(),
        options.seed
    );
    println!("{}", times.table());
    println!("datagrams: {relay}");
    println!(
        "{} rounds verified; {} findings",
        audit.rounds,
        audit.findings.len()
    );
    audit
        .findings
        .iter()
        .for_each(|finding| println!("!!! {finding}"));
    if arguments.json {
        let object = json!({
            "nodes": options.nodes,
            "silent": arguments.silent,
            "far_ms": arguments.far_ms,
            "interval_ms": options.interval_ms,
            "delay_ms": i.delay.as_secs_f64() * 1e3,
            "jitter_ms": i.jitter.as_secs_f64() * 1e3,
            "loss_percent": i.loss.as_percent(),
            "duplication_percent": i.duplication.as_percent(),
            "seed": options.seed,
            "times": times,
            "datagrams": relay,
            "audit": audit,
        });
        println!("{}", serde_json::to_string(&object)?);
    }
    Ok(())
}
