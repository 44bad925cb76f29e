//! What a round costs, by the size of the committee: latency, CPU and bytes of the shipped node over loopback.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde::Serialize;
use touchstone_types::Committee;

use crate::{
    args::{BenchArgs, RunArgs},
    consumer::Consumer,
    files::DataDir,
    network::{Devnet, Process, http_client},
    plan::Plan,
    procfs,
    run::Stop,
    stats::{Latency, Tally},
};

/// Rounds before the measurement, in which connections and caches settle.
const WARM_UP: u64 = 5;
const STALL: Duration = Duration::from_secs(60);
/// The nodes' counters of frames with their heads, on the links between members.
const SENT: &str = "touchstone_peer_bytes_out_total";
const RECEIVED: &str = "touchstone_peer_bytes_in_total";
/// From a round's start to its attestation at a node.
const LATENCY: &str = "touchstone_round_latency_seconds";

/// The figures of one size.
#[derive(Debug, Serialize)]
struct Figures {
    nodes: u16,
    /// How many of them are down.
    silent: u16,
    rounds: u64,
    attested: u64,
    missed: u64,
    /// From a round's start to its attestation at the slowest node, from the nodes' own histograms.
    node_latency_ms: Latency,
    /// From a round's start to its attestation at the aggregator's stream.
    latency_ms: Latency,
    /// CPU time of one node in one round, polling of the market included.
    cpu_ms_per_node_round: Option<f64>,
    sent_bytes_per_node_round: Option<u64>,
    received_bytes_per_node_round: Option<u64>,
}

#[derive(Serialize)]
struct Output<'a> {
    interval_ms: u64,
    cores: usize,
    sizes: &'a [Figures],
}

/// What all running members together have used, and how long rounds took at each.
#[derive(Clone, Default, Debug)]
struct Usage {
    cpu_ms: Option<u64>,
    sent: Option<u64>,
    received: Option<u64>,
    latencies: Vec<Vec<(f64, u64)>>,
}

impl Usage {
    /// The quantile of the slowest member since another reading, in milliseconds.
    fn slowest_ms(&self, before: &Self, share: f64) -> Option<f64> {
        let members = before.latencies.iter().zip(&self.latencies);
        let each = members.map(|(before, after)| procfs::quantile(before, after, share));
        let slowest = each.collect::<Option<Vec<_>>>()?.into_iter();
        slowest.reduce(f64::max).map(|seconds| seconds * 1_000.0)
    }
}

/// Measures every size in turn.
///
/// # Errors
/// A network that does not start or does not go on.
pub(crate) async fn run(args: &BenchArgs) -> anyhow::Result<()> {
    let mut stop = Stop::new()?;
    let mut sizes = Vec::new();
    for nodes in &args.nodes {
        eprintln!("{nodes} nodes ...");
        let figures = tokio::select! {
            figures = measure(*nodes, args) => figures.with_context(|| format!("{nodes} nodes"))?,
            () = stop.asked() => anyhow::bail!("interrupted"),
        };
        sizes.push(figures);
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    println!("{}", table(&sizes, args.interval, cores));
    if args.json {
        let output = Output {
            interval_ms: args.interval,
            cores,
            sizes: &sizes,
        };
        println!("{}", serde_json::to_string(&output)?);
    }
    Ok(())
}

async fn measure(nodes: u16, args: &BenchArgs) -> anyhow::Result<Figures> {
    let run = RunArgs {
        nodes: Some(nodes),
        interval: Some(args.interval),
        suites: args.suites.clone(),
        listen: Some("127.0.0.1:0".parse()?),
        ..RunArgs::default()
    };
    let data = DataDir::open(None)?;
    let plan = Plan::load(&data, &run)?;
    let mut devnet = Devnet::start(&data, plan, None, &mut |_| {}).await?;
    let mut consumer = Consumer::start(devnet.pin(), devnet.plan())?;
    attested(&mut consumer, WARM_UP).await?;
    let silent = if args.silent {
        Committee::max_faults(nodes)
    } else {
        0
    };
    for id in nodes - silent..nodes {
        devnet.kill(id).await;
    }
    if silent > 0 {
        attested(&mut consumer, WARM_UP).await?;
    }
    let before = usage(&devnet).await?;
    let tally = attested(&mut consumer, args.rounds).await?;
    let after = usage(&devnet).await?;
    let unclean = devnet.stop().await;
    anyhow::ensure!(
        unclean.is_empty(),
        "did not stop in order: {}",
        unclean.join(", ")
    );
    // Whoever computes does so in every round that the clock starts, attested or not.
    let parts = tally
        .rounds()
        .saturating_mul(u64::from(nodes - silent))
        .max(1);
    let difference =
        |pick: fn(&Usage) -> Option<u64>| Some(pick(&after)?.saturating_sub(pick(&before)?));
    Ok(Figures {
        nodes,
        silent,
        rounds: tally.rounds(),
        attested: tally.attested(),
        missed: tally.missed(),
        node_latency_ms: Latency {
            p50: after.slowest_ms(&before, 0.5),
            p99: after.slowest_ms(&before, 0.99),
        },
        latency_ms: tally.latency(usize::MAX),
        cpu_ms_per_node_round: difference(|u| u.cpu_ms).map(|ms| (ms * 100 / parts) as f64 / 100.0),
        sent_bytes_per_node_round: difference(|u| u.sent).map(|b| b / parts),
        received_bytes_per_node_round: difference(|u| u.received).map(|b| b / parts),
    })
}

/// Waits for so many more attested rounds.
async fn attested(consumer: &mut Consumer, count: u64) -> anyhow::Result<Tally> {
    let mut tally = Tally::default();
    while tally.attested() < count {
        let since = Instant::now();
        let seen = tokio::time::timeout(STALL, consumer.rounds.recv()).await;
        let seen =
            seen.with_context(|| format!("no attested round for {:.0?}", since.elapsed()))?;
        let seen = seen.context("the stream of rounds ended")?;
        tally.add(seen.round, seen.latency_us);
    }
    Ok(tally)
}

async fn usage(devnet: &Devnet) -> anyhow::Result<Usage> {
    let http = http_client()?;
    let add = |sum: Option<u64>, value: Option<u64>| Some(sum? + value?);
    let mut all = Usage {
        cpu_ms: Some(0),
        sent: Some(0),
        received: Some(0),
        latencies: Vec::new(),
    };
    for (process, ports) in devnet.processes().into_iter().zip(&devnet.plan().members) {
        let pid = match process {
            Process::Running(pid) => pid,
            Process::Killed => continue,
            Process::Died => anyhow::bail!("a member is down"),
        };
        let url = format!("http://127.0.0.1:{}/metrics", ports.http);
        let page = http
            .get(&url)
            .send()
            .await?
            .error_for_status()?
            .text()
            .await?;
        all.cpu_ms = add(all.cpu_ms, procfs::cpu_ms(pid));
        all.sent = add(all.sent, procfs::counter_sum(&page, SENT));
        all.received = add(all.received, procfs::counter_sum(&page, RECEIVED));
        all.latencies.push(procfs::histogram(&page, LATENCY));
    }
    Ok(all)
}

fn table(sizes: &[Figures], interval_ms: u64, cores: usize) -> String {
    let mut out = format!(
        "a round every {interval_ms} ms; nodes, aggregator, market and devnet share {cores} cores\n\
         {:>5} {:>6} {:>8} {:>6} {:>11} {:>6} {:>11} {:>6} {:>16} {:>14} {:>14}",
        "nodes",
        "silent",
        "attested",
        "missed",
        "node p50 ms",
        "p99",
        "aggr p50 ms",
        "p99",
        "CPU ms/node,rnd",
        "B sent/nd,rnd",
        "B recv/nd,rnd"
    );
    let float = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |v| format!("{v:.2}"));
    let whole = |value: Option<u64>| value.map_or_else(|| "-".to_owned(), |v| v.to_string());
    for s in sizes {
        out.push_str(&format!(
            "\n{:>5} {:>6} {:>8} {:>6} {:>11} {:>6} {:>11} {:>6} {:>16} {:>14} {:>14}",
            s.nodes,
            s.silent,
            s.attested,
            s.missed,
            float(s.node_latency_ms.p50),
            float(s.node_latency_ms.p99),
            float(s.latency_ms.p50),
            float(s.latency_ms.p99),
            float(s.cpu_ms_per_node_round),
            whole(s.sent_bytes_per_node_round),
            whole(s.received_bytes_per_node_round)
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_a_line_for_each_size() {
        let figures = Figures {
            nodes: 7,
            silent: 2,
            rounds: 60,
            attested: 59,
            missed: 1,
            node_latency_ms: Latency {
                p50: Some(5.5),
                p99: None,
            },
            latency_ms: Latency {
                p50: Some(31.5),
                p99: Some(80.0),
            },
            cpu_ms_per_node_round: Some(4.25),
            sent_bytes_per_node_round: Some(12_345),
            received_bytes_per_node_round: None,
        };
        let text = table(&[figures], 1_000, 2);
        let line = text.lines().last().expect("a line");
        let cells: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(
            cells,
            [
                "7", "2", "59", "1", "5.50", "-", "31.50", "80.00", "4.25", "12345", "-"
            ]
        );
    }
}
