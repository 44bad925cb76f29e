//! The demo market as a program.

use std::{net::SocketAddr, path::Path, process::ExitCode};

use anyhow::Context;
use clap::Parser;
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use touchstone_market::{Faults, Market, Speed, parse_time, serve};
use tracing_subscriber::EnvFilter;

/// Serves a market in the own shapes of every exchange that has an adapter.
///
/// Point a node's base URLs at it, for example `http://127.0.0.1:8090/kraken`.
#[derive(Parser, Debug)]
#[command(
    name = "market",
    version,
    after_help = "Examples:\n  \
        market\n  \
        market --listen 127.0.0.1:8090 --seed 7 --faults 0\n  \
        market replay:history/2023-03 --from 2023-03-11T06:00 --speed 60\n  \
        curl 'http://127.0.0.1:8090/kraken/0/public/Ticker?pair=XBTUSD'"
)]
struct Args {
    /// Where prices come from: `demo`, a seeded random walk, or `replay:DIR`, recorded bars in files
    /// SOURCE_BASE-QUOTE*.csv.gz
    #[arg(default_value = "demo")]
    market: String,
    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
    /// Seed of the random walk and of the faults
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// In how many of a million seconds an answer is bad or missing [default: 10000 for demo, 0 for replay]
    #[arg(long, value_name = "PER_MILLION")]
    faults: Option<u32>,
    /// Where a replay starts, in UTC: 2023-03-11, 2023-03-11T06:00, RFC 3339 or Unix seconds
    #[arg(long, value_parser = parse_time)]
    from: Option<u64>,
    /// How many times as fast as then a replay runs, 0.001 to 100000
    #[arg(long, default_value = "1")]
    speed: Speed,
}

fn market(args: &Args) -> anyhow::Result<Market> {
    let market = match args.market.strip_prefix("replay:") {
        Some(dir) => {
            let from = args
                .from
                .context("a replay needs --from, such as --from 2023-03-11T06:00")?;
            let now_ms = u64::try_from(Timestamp::now().as_millisecond())
                .context("the clock is before 1970")?;
            Market::replay(Path::new(dir), from, args.speed, now_ms)?
        }
        None if args.market == "demo" => Market::demo(args.seed),
        None => anyhow::bail!(
            "unknown market {:?}: expected demo or replay:DIR",
            args.market
        ),
    };
    Ok(match args.faults {
        Some(per_million) => market.with_faults(Faults::per_million(per_million)),
        None => market,
    })
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    match run(&Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args) -> anyhow::Result<()> {
    let market = market(args)?;
    let listener = TcpListener::bind(args.listen)
        .await
        .with_context(|| format!("--listen {}", args.listen))?;
    let address = listener.local_addr()?;
    tracing::info!(
        markets = market.markets().len(),
        "listening on http://{address}"
    );
    if let Some(end_ms) = market.ends_at_ms() {
        let end = i64::try_from(end_ms)
            .ok()
            .and_then(|ms| Timestamp::from_millisecond(ms).ok());
        tracing::info!(
            "the recording is over at {}",
            end.map_or_else(|| "an unknown time".to_owned(), |t| t.to_string())
        );
    }
    let shutdown = CancellationToken::new();
    let stop = shutdown.clone();
    tokio::spawn(async move {
        interrupted().await;
        stop.cancel();
    });
    serve(listener, market, shutdown).await?;
    Ok(())
}

/// Until SIGINT or SIGTERM.
async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
