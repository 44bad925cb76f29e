//! The command line.

use std::{net::SocketAddr, path::PathBuf, str::FromStr};

use clap::{Args, Parser, Subcommand};
use touchstone_market::Speed;
use touchstone_types::Suite;

/// Members, unless the command line says otherwise.
pub(crate) const NODES_DEFAULT: u16 = 4;
/// Milliseconds from round to round, unless the command line says otherwise.
pub(crate) const INTERVAL_DEFAULT_MS: u64 = 1_000;
/// Seed of the demo market, unless the command line says otherwise.
pub(crate) const SEED_DEFAULT: u64 = 1;

const EXAMPLES: &str = "\
Examples:
  devnet                                             four nodes, a price of 12 feeds every second
  devnet --nodes 7 --data-dir ./data                 the same network again at the next start
  devnet --kill 2@10 --restart 2@30                  member 2 dies at the 10th attested round, comes back at the 30th
  devnet --market replay:./history --from 2023-03-11T06:00:00Z --speed 60
  devnet --rounds 60 --json                          a measurement
  devnet bench --nodes 4,7,16                        what a round costs, by the size of the committee";

/// Runs a Touchstone network on this machine: a market, a committee of oracle nodes and an aggregator, over real sockets on
/// loopback. Ends with Ctrl-C.
#[derive(Parser, Debug)]
#[command(name = "devnet", version, after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Measures round latency, CPU and bytes per node and round for committees of several sizes.
    Bench(BenchArgs),
}

/// What a network is started with.
#[derive(Args, Debug, Default)]
pub(crate) struct RunArgs {
    /// Members of the committee, 4 to 100 [default: 4, or as the data directory has it]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(4..=100))]
    pub(crate) nodes: Option<u16>,
    /// Milliseconds from round to round, 100 to 3600000 [default: 1000, or as the data directory has it]
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(100..=3_600_000))]
    pub(crate) interval: Option<u64>,
    /// The feeds of a new network: a file with a list of feeds as in the manifest, JSON or TOML ([[feeds]])
    #[arg(long, value_name = "FILE")]
    pub(crate) feeds: Option<PathBuf>,
    /// What a new network signs with: ed25519, alone or with secp256k1-keccak, which contracts on an EVM check [default:
    /// ed25519]
    #[arg(long, value_name = "SUITE,SUITE", value_delimiter = ',')]
    pub(crate) suites: Vec<Suite>,
    /// Where prices come from: demo (a seeded random walk), live (the real exchanges) or replay:DIR (recorded bars)
    /// [default: demo, or as the data directory has it]
    #[arg(long, value_name = "MARKET")]
    pub(crate) market: Option<MarketArg>,
    /// Where the replay begins: RFC 3339, a date, or Unix seconds
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// How many times as fast as recorded the replay runs, 0.001 to 100000 [default: 1]
    #[arg(long, value_name = "X")]
    pub(crate) speed: Option<Speed>,
    /// Where keys, logs and the pin are kept; a network that is there is resumed [default: a temporary directory, removed
    /// at the end]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Address of the aggregator's API; port 0 takes a free one [default: 127.0.0.1:8080, or a free port if that is taken]
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<SocketAddr>,
    /// Kill member ID (SIGKILL) at the K-th attested round of this start; may be repeated
    #[arg(long, value_name = "ID@K")]
    pub(crate) kill: Vec<At>,
    /// Start member ID again at the K-th attested round of this start; may be repeated
    #[arg(long, value_name = "ID@K")]
    pub(crate) restart: Vec<At>,
    /// Stop after N attested rounds
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub(crate) rounds: Option<u64>,
    /// Print one JSON object on the last line of standard output, everything else to standard error
    #[arg(long, requires = "rounds")]
    pub(crate) json: bool,
    /// Seed of the demo market [default: 1, or as the data directory has it]
    #[arg(long, value_name = "SEED")]
    pub(crate) seed: Option<u64>,
}

/// What is measured.
#[derive(Args, Debug)]
pub(crate) struct BenchArgs {
    /// Sizes of committees, each 4 to 100
    #[arg(long, value_name = "N,N", value_delimiter = ',', default_value = "4,7,16",
        value_parser = clap::value_parser!(u16).range(4..=100))]
    pub(crate) nodes: Vec<u16>,
    /// Kill f members of each committee before the measurement
    #[arg(long)]
    pub(crate) silent: bool,
    /// What the networks sign with, as for a run [default: ed25519]
    #[arg(long, value_name = "SUITE,SUITE", value_delimiter = ',')]
    pub(crate) suites: Vec<Suite>,
    /// Attested rounds to measure for each size, 5 to 1000000
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u64).range(5..=1_000_000))]
    pub(crate) rounds: u64,
    /// Milliseconds from round to round, 100 to 3600000
    #[arg(long, value_name = "MS", default_value_t = INTERVAL_DEFAULT_MS,
        value_parser = clap::value_parser!(u64).range(100..=3_600_000))]
    pub(crate) interval: u64,
    /// Print one JSON object on the last line of standard output
    #[arg(long)]
    pub(crate) json: bool,
}

/// Where prices come from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum MarketArg {
    /// A seeded random walk.
    Demo,
    /// The real exchanges.
    Live,
    /// Recorded bars of a folder.
    Replay(PathBuf),
}

impl FromStr for MarketArg {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "demo" => Ok(Self::Demo),
            "live" => Ok(Self::Live),
            _ => match text.strip_prefix("replay:") {
                Some(folder) if !folder.is_empty() => Ok(Self::Replay(folder.into())),
                _ => Err("must be demo, live or replay:DIR"),
            },
        }
    }
}

/// A member and a number of attested rounds of this start: `ID@K`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct At {
    /// The member.
    pub(crate) member: u16,
    /// The count of attested rounds, from 1.
    pub(crate) round: u64,
}

impl FromStr for At {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str =
            "must be ID@K: a member from 0 and a number of attested rounds from 1, such as 2@10";
        let (member, round) = text.split_once('@').ok_or(FORM)?;
        match (member.parse(), round.parse()) {
            (Ok(member), Ok(round)) if round > 0 => Ok(Self { member, round }),
            _ => Err(FORM),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn parse(line: &str) -> Result<Cli, String> {
        Cli::try_parse_from(line.split(' ')).map_err(|e| e.to_string())
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn options_are_read() {
        let cli = parse(
            "devnet --nodes 7 --market replay:h --kill 2@10 --kill 3@11 --restart 2@20 --rounds 5 --json",
        );
        let run = cli.expect("valid").run;
        assert_eq!(run.nodes, Some(7));
        assert_eq!(run.market, Some(MarketArg::Replay("h".into())));
        assert_eq!(
            run.kill,
            [
                At {
                    member: 2,
                    round: 10
                },
                At {
                    member: 3,
                    round: 11
                }
            ]
        );
        assert_eq!(
            run.restart,
            [At {
                member: 2,
                round: 20
            }]
        );
        assert!(run.json);
    }

    #[test]
    fn refusals_say_what_is_allowed() {
        for (line, say) in [
            ("devnet --nodes 3", "4..=100"),
            ("devnet --nodes 101", "4..=100"),
            ("devnet --market binance", "demo, live or replay:DIR"),
            ("devnet --market replay:", "demo, live or replay:DIR"),
            ("devnet --kill 2", "ID@K"),
            ("devnet --kill 2@0", "from 1"),
            ("devnet --restart x@1", "ID@K"),
            ("devnet --speed 0", "0.001"),
            ("devnet --json", "--rounds"),
            ("devnet --interval 50", "100..="),
            ("devnet bench --nodes 4,3", "4..=100"),
        ] {
            let error = parse(line).expect_err(line);
            assert!(error.contains(say), "{line}: {error}");
        }
    }
}
