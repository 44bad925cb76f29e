//! The operator's commands.

mod check;
mod dkg;
mod feeds;
mod init;
mod run;
mod simulate;
mod status;

use std::{ffi::OsString, io::Write as _, net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand, error::ErrorKind};
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use touchstone_types::FeedName;

/// A member of a Touchstone committee: fetches prices, agrees with the other members, and signs together with them.
#[derive(Parser, Debug)]
#[command(
    name = "oracle-node",
    version,
    max_term_width = 110,
    after_help = "Example, a first start:
  oracle-node init --dir /var/lib/touchstone
  oracle-node dkg --config /var/lib/touchstone/node.toml --manifest genesis.json
  oracle-node run --config /var/lib/touchstone/node.toml"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Init(InitArgs),
    Dkg(DkgArgs),
    Run(RunArgs),
    Status(StatusArgs),
    CheckConfig(CheckArgs),
    /// Look at prices as this node sees them.
    #[command(subcommand)]
    Feeds(FeedsCommand),
}

/// Make a folder with a fresh identity key and a documented configuration.
///
/// Nothing that exists is overwritten.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  oracle-node init --dir /var/lib/touchstone --listen 203.0.113.7:7100")]
struct InitArgs {
    /// The folder; it is made if it is not there
    #[arg(long)]
    dir: PathBuf,
    /// UDP address on which members and observers reach the node
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7100")]
    listen: SocketAddr,
    /// TCP address of the local HTTP port (health, metrics, status)
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7180")]
    http: SocketAddr,
    /// Take all prices from one server that stands in for the exchanges, such as the demo market
    #[arg(long, value_name = "URL")]
    market: Option<String>,
    /// File whose first line is the password of the key files; without it the password is asked for
    #[arg(long, value_name = "FILE", conflicts_with = "insecure_no_password")]
    password_file: Option<PathBuf>,
    /// Do not encrypt the key files: for development networks only
    #[arg(long)]
    insecure_no_password: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Generate the network's keys together with all other members of a manifest.
///
/// All members run this at the same time. It writes share.key (this member's secret) and network.json (the network's public
/// pin), and overwrites nothing.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  oracle-node dkg --config /var/lib/touchstone/node.toml --manifest genesis.json")]
struct DkgArgs {
    /// The node's configuration
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The genesis manifest, the same file for every member
    #[arg(long, value_name = "FILE", required_unless_present = "finish")]
    manifest: Option<PathBuf>,
    /// Finish a run that was killed when it was all but done, after the other members have finished
    #[arg(long, conflicts_with = "manifest")]
    finish: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Run the node until SIGINT or SIGTERM.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  oracle-node run --config /var/lib/touchstone/node.toml")]
struct RunArgs {
    /// The node's configuration
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Show what a running node does.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  oracle-node status --config /var/lib/touchstone/node.toml")]
struct StatusArgs {
    /// The node's configuration; its http.listen says whom to ask
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Print everything as JSON
    #[arg(long)]
    json: bool,
}

/// Check a configuration, and the files that it names, without starting anything.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  oracle-node check-config --config /var/lib/touchstone/node.toml")]
struct CheckArgs {
    /// The node's configuration
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Subcommand, Debug)]
enum FeedsCommand {
    /// List the network's feeds and their markets
    ///
    /// Before the network exists these are the built-in feeds.
    #[command(after_help = "Example:
  oracle-node feeds list --config node.toml")]
    List {
        /// The node's configuration
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Print the feeds as JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the quotes in an exchange's answer, read from standard input, as a JSON array
    #[command(after_help = "Example:
  curl -s https://api.exchange.coinbase.com/products/BTC-USD/ticker | oracle-node feeds parse coinbase BTC-USD")]
    Parse {
        /// The exchange, such as kraken
        source: String,
        /// The market, such as BTC-USD
        pair: FeedName,
        /// Which answer it is: ticker, trades or ws; found out from its shape where not given
        #[arg(long)]
        endpoint: Option<touchstone_feeds::Endpoint>,
    },
    /// Fetch one feed now: every source's quote, what was dropped and why, and the result
    #[command(after_help = "Example:
  oracle-node feeds fetch BTC-USD --config node.toml")]
    Fetch {
        /// The feed, such as BTC-USD
        feed: FeedName,
        /// The node's configuration
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Print everything as JSON
        #[arg(long)]
        json: bool,
    },
    /// Send recorded bars through the code that prices live quotes
    ///
    /// Prints a summary for each feed: how often it had a price, the largest distance from the plain median of the venues, the
    /// quotes that were dropped by reason, and how many sources would have had to lie to move the price by 1 %. Writes a table
    /// (CSV) and a picture (SVG) for each feed.
    #[command(after_help = "Example:
  oracle-node feeds simulate --history bars --from 2023-03-10T00:00:00Z --to 2023-03-14T00:00:00Z \\
    --fault kraken:spike=-40@2023-03-11T07:00:00Z/PT1M --out simulation")]
    Simulate(simulate::SimulateArgs),
}

/// Runs `oracle-node` with these arguments, the first of which is the program's name.
///
/// Exit codes: 0 done; 1 failed, with the reason on standard error; 2 wrong arguments.
pub fn cli_main(args: Vec<OsString>) -> ExitCode {
    // An error says that a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Nothing can be done if the terminal is gone.
            let _ = error.print();
            let helped = matches!(
                error.kind(),
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
            );
            return if helped {
                ExitCode::SUCCESS
            } else {
                ExitCode::from(2)
            };
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the runtime cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(dispatch(cli.command));
    // Whatever still blocks a thread (a name that is being looked up) does not hold up the exit.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn dispatch(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Init(args) => init::init(&args),
        Command::Dkg(args) => dkg::dkg(args).await,
        Command::Run(args) => run::run(&args).await,
        Command::Status(args) => status::status(&args).await,
        Command::CheckConfig(args) => check::check(&args),
        Command::Feeds(command) => feeds::feeds(command).await,
    }
}

/// Prints to standard output; a reader that has gone away is no error.
fn print(text: &str) -> anyhow::Result<()> {
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    print(&serde_json::to_string_pretty(value)?)
}

/// A token that SIGINT and SIGTERM cancel.
fn stop_on_signals() -> anyhow::Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    );
    let stop = CancellationToken::new();
    let told = stop.clone();
    tokio::spawn(async move {
        let name = tokio::select! {
            _ = interrupt.recv() => "SIGINT",
            _ = terminate.recv() => "SIGTERM",
        };
        tracing::info!(signal = name, "stopping");
        told.cancel();
    });
    Ok(stop)
}
