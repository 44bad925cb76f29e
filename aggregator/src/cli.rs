//! The command line.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::{Config, network::Network, run, store::Store, telemetry};

/// Collects the signed prices of a Touchstone network, verifies and stores them, and serves them over HTTP.
#[derive(Parser)]
#[command(name = "aggregator", version, after_help = EXAMPLE)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLE: &str = "\
Example:
  aggregator check-config --config aggregator.toml
  aggregator run --config aggregator.toml
  curl http://127.0.0.1:8080/v1/feeds/BTC-USD/latest

A smallest aggregator.toml:
  network = \"network.json\"
  database = \"aggregator.db\"";

#[derive(Subcommand)]
enum Command {
    /// Runs until SIGINT or SIGTERM.
    #[command(after_help = "Example:\n  aggregator run --config aggregator.toml")]
    Run {
        /// The configuration (TOML).
        #[arg(long)]
        config: PathBuf,
    },
    /// Reads the configuration and the network file, and says what is wrong with them.
    #[command(after_help = "Example:\n  aggregator check-config --config aggregator.toml")]
    CheckConfig {
        /// The configuration (TOML).
        #[arg(long)]
        config: PathBuf,
    },
    /// Writes a consistent copy of the SQLite database, also while the aggregator runs.
    #[command(after_help = "Example:\n  aggregator backup --config aggregator.toml --to backup.db")]
    Backup {
        /// The configuration (TOML).
        #[arg(long)]
        config: PathBuf,
        /// The new file. It must not exist.
        #[arg(long)]
        to: PathBuf,
    },
}

/// The program, with its arguments from the outside; the first one is the program's name.
pub fn cli_main(arguments: Vec<OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // A closed terminal is no reason to panic.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    // An error means that it is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let done = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("no runtime")
        .and_then(|runtime| runtime.block_on(execute(cli.command)));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("aggregator: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn execute(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Run { config } => {
            let config = Config::read(&config)?;
            telemetry::start_log(&config.log);
            let shutdown = CancellationToken::new();
            let mut terminate = signal(SignalKind::terminate())?;
            let mut interrupt = signal(SignalKind::interrupt())?;
            let stop = shutdown.clone();
            tokio::spawn(async move {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                stop.cancel();
            });
            run(config, shutdown).await
        }
        Command::CheckConfig { config } => check_config(&config),
        Command::Backup { config, to } => {
            let config = Config::read(&config)?;
            let store = Store::open_existing(&config.database)
                .await
                .with_context(|| format!("{:?}", config.database))?;
            let result = store.backup(&to).await;
            store.close().await;
            result?;
            println!("{}", to.display());
            Ok(())
        }
    }
}

fn check_config(path: &Path) -> anyhow::Result<()> {
    let config = Config::read(path)?;
    let network = Network::read(&config.network)
        .with_context(|| format!("{}: network = {}", path.display(), config.network.display()))?;
    let manifest = network.manifest();
    println!(
        "{}: ok: network {} ({}), epoch {}, {} members, {} feeds, database {:?}",
        path.display(),
        manifest.network,
        network.id(),
        manifest.epoch,
        manifest.members.len(),
        manifest.feeds.len(),
        config.database,
    );
    Ok(())
}
