//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use touchstone_client::{FeedName, Policy, Round, Status, Suite};

use crate::units::{duration_ms, instant_ms};

const EXIT_CODES: &str = "Exit codes:
  0  verified, and every condition is met
  1  a file could not be read, or no endpoint gave a usable answer; evidence verify: a record proves nothing
  2  the command line is wrong
  3  not authentic: form, network, signature, inclusion or pin
  4  authentic, but refused by the conditions (age, status, observers, instant)
  5  recompute: the observations do not give what was signed";

/// Fetches and verifies prices of a pinned Touchstone network.
///
/// Nothing that an aggregator says is believed: the group's signature, the inclusion of the leaf and the conditions are
/// checked here, against the pin in network.json.
#[derive(Parser, Debug)]
#[command(name = "touchstone", version, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    /// Print one JSON object per line, errors included.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Fetch the latest price of one or more feeds and verify it.
    #[command(
        after_help = "Example:\n  touchstone get BTC-USD --url http://127.0.0.1:8080 --network network.json --max-age 10s"
    )]
    Get(GetArgs),
    /// Verify a price update from a file, without any network.
    #[command(after_help = "Examples:
  touchstone verify update.bin --network network.json --max-age 1m
  touchstone verify before.bin --network network.json --at 2026-09-21T14:13:20Z --next after.bin")]
    Verify(VerifyArgs),
    /// Fetch the price at a past instant, with the proof that it was the last one before it.
    #[command(
        after_help = "Example:\n  touchstone at BTC-USD 2026-09-21T14:13:20Z --url http://127.0.0.1:8080 --network network.json"
    )]
    At(AtArgs),
    /// Recompute a round from its members' signed observations and compare it with what the group signed.
    #[command(
        after_help = "Example:\n  touchstone recompute 1790000000 --url http://127.0.0.1:8080 --network network.json"
    )]
    Recompute(RecomputeArgs),
    /// Follow prices as they are signed, and verify each.
    #[command(
        after_help = "Example:\n  touchstone watch BTC-USD ETH-USD --url http://127.0.0.1:8080 --network network.json --max-age 5s"
    )]
    Watch(WatchArgs),
    /// Check what proves that a member misbehaved.
    #[command(subcommand)]
    Evidence(EvidenceCommand),
}

#[derive(Subcommand, Debug)]
pub(crate) enum EvidenceCommand {
    /// Say who is proved guilty of what, in which round, by the pin alone: nobody else's word counts, and no honest member can be
    /// accused.
    #[command(after_help = "Examples:
  curl -OJ http://127.0.0.1:8080/v1/evidence/ID
  touchstone evidence verify ID.evidence --network network.json
  curl -s http://127.0.0.1:8080/v1/evidence?member=3 | touchstone evidence verify - --network network.json

Exit codes:
  0  every record proves its member guilty
  1  a record proves nothing, or the file could not be read
  2  the command line is wrong
  3  the pin is not authentic")]
    Verify(VerifyEvidenceArgs),
}

#[derive(Args, Debug)]
pub(crate) struct VerifyEvidenceArgs {
    /// The bytes of one record, or an answer of the API with one or more; `-` is standard input.
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) network: Network,
}

/// Where answers come from.
#[derive(Args, Debug)]
pub(crate) struct Endpoints {
    /// An aggregator's base URL; repeat it for more, which are tried in turn.
    #[arg(
        long = "url",
        env = "TOUCHSTONE_URL",
        value_delimiter = ',',
        required = true
    )]
    pub(crate) urls: Vec<String>,
    /// Take only prices signed in this suite: ed25519 or secp256k1-keccak; by default the network's first one.
    #[arg(long)]
    pub(crate) suite: Option<Suite>,
    /// How long one endpoint may take for an answer.
    #[arg(long, value_parser = duration_ms, default_value = "5s", value_name = "DURATION")]
    pub(crate) timeout: u64,
}

/// The pin.
#[derive(Args, Debug)]
pub(crate) struct Network {
    /// The pinned network: the network.json that a devnet or a key ceremony wrote.
    #[arg(long, env = "TOUCHSTONE_NETWORK", value_name = "FILE")]
    pub(crate) network: PathBuf,
}

/// Conditions beside the one about time.
#[derive(Args, Debug)]
pub(crate) struct Conditions {
    /// Refuse prices whose trades are older than this.
    #[arg(long, value_parser = duration_ms, value_name = "DURATION")]
    max_trade_age: Option<u64>,
    /// Refuse prices that fewer members observed.
    #[arg(long, default_value_t = 0, value_name = "COUNT")]
    min_observers: u16,
    /// Accept a status: degraded, stale, halted, depegged or market-closed. Repeat it for more.
    #[arg(long, value_delimiter = ',', value_parser = parse_status, value_name = "STATUS")]
    allow_status: Vec<Status>,
    /// How far timestamps may be ahead of this machine's clock.
    #[arg(long, value_parser = duration_ms, default_value = "2s", value_name = "DURATION")]
    max_skew: u64,
    /// Refuse rounds that are not above this one, the last that was seen.
    #[arg(long, value_name = "ROUND")]
    newer_than: Option<u64>,
}

impl Conditions {
    pub(crate) fn apply(&self, mut policy: Policy) -> Policy {
        policy = policy
            .min_observers(self.min_observers)
            .max_skew(self.max_skew);
        if let Some(ms) = self.max_trade_age {
            policy = policy.max_trade_age(ms);
        }
        if let Some(round) = self.newer_than {
            policy = policy.newer_than(Round(round));
        }
        self.allow_status
            .iter()
            .fold(policy, |policy, status| policy.allow_status(*status))
    }
}

fn parse_status(name: &str) -> Result<Status, String> {
    match name.parse() {
        Ok(Status::UNAVAILABLE) => Err("an unavailable feed has no price to allow".into()),
        Ok(status) => Ok(status),
        Err(error) => Err(format!("{error}")),
    }
}

#[derive(Args, Debug)]
pub(crate) struct GetArgs {
    /// The feeds, such as BTC-USD.
    #[arg(required = true, value_name = "FEED")]
    pub(crate) feeds: Vec<FeedName>,
    /// Refuse rounds that are older than this: 500ms, 10s, 2m.
    #[arg(long, value_parser = duration_ms, value_name = "DURATION")]
    pub(crate) max_age: u64,
    #[command(flatten)]
    pub(crate) endpoints: Endpoints,
    #[command(flatten)]
    pub(crate) network: Network,
    #[command(flatten)]
    pub(crate) conditions: Conditions,
}

#[derive(Args, Debug)]
pub(crate) struct VerifyArgs {
    /// A binary price update, or an answer of the API that holds one; `-` is standard input.
    pub(crate) file: PathBuf,
    /// Refuse rounds that are older than this; with --at and without --next, older before the instant than this (by
    /// default one interval of the network).
    #[arg(long, value_parser = duration_ms, required_unless_present = "at", value_name = "DURATION")]
    pub(crate) max_age: Option<u64>,
    /// The instant for which the price is meant: Unix milliseconds or RFC 3339.
    #[arg(long, value_parser = instant_ms, value_name = "INSTANT")]
    pub(crate) at: Option<u64>,
    /// The next update after the instant. Without it nothing proves that FILE is the last one before the instant.
    #[arg(long, requires = "at", conflicts_with = "max_age", value_name = "FILE")]
    pub(crate) next: Option<PathBuf>,
    /// With --next: how many rounds the two updates may be apart. Above 1, whoever gave the files had a choice.
    #[arg(long, requires = "next", default_value_t = 1, value_name = "ROUNDS")]
    pub(crate) max_gap: u64,
    /// Only these feeds of the file; all by default.
    #[arg(long = "feed", value_name = "FEED")]
    pub(crate) feeds: Vec<FeedName>,
    #[command(flatten)]
    pub(crate) network: Network,
    #[command(flatten)]
    pub(crate) conditions: Conditions,
}

#[derive(Args, Debug)]
pub(crate) struct AtArgs {
    /// The feed, such as BTC-USD.
    pub(crate) feed: FeedName,
    /// The instant: Unix milliseconds or RFC 3339.
    #[arg(value_parser = instant_ms)]
    pub(crate) instant: u64,
    /// How many rounds the updates around the instant may be apart. Above 1, rounds may have been left out.
    #[arg(long, default_value_t = 1, value_name = "ROUNDS")]
    pub(crate) max_gap: u64,
    #[command(flatten)]
    pub(crate) endpoints: Endpoints,
    #[command(flatten)]
    pub(crate) network: Network,
    #[command(flatten)]
    pub(crate) conditions: Conditions,
}

#[derive(Args, Debug)]
pub(crate) struct RecomputeArgs {
    /// The round's number.
    pub(crate) round: u64,
    #[command(flatten)]
    pub(crate) endpoints: Endpoints,
    #[command(flatten)]
    pub(crate) network: Network,
}

#[derive(Args, Debug)]
pub(crate) struct WatchArgs {
    /// The feeds, such as BTC-USD.
    #[arg(required = true, value_name = "FEED")]
    pub(crate) feeds: Vec<FeedName>,
    /// Refuse rounds that are older than this when they arrive: 500ms, 10s, 2m.
    #[arg(long, value_parser = duration_ms, value_name = "DURATION")]
    pub(crate) max_age: u64,
    /// Begin after this round instead of with the next one.
    #[arg(long, value_name = "ROUND")]
    pub(crate) after: Option<u64>,
    /// Stop after this many prices, refused ones included.
    #[arg(long, value_name = "COUNT")]
    pub(crate) count: Option<u64>,
    #[command(flatten)]
    pub(crate) endpoints: Endpoints,
    #[command(flatten)]
    pub(crate) network: Network,
    #[command(flatten)]
    pub(crate) conditions: Conditions,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn time_must_be_stated() {
        let get = [
            "touchstone",
            "get",
            "BTC-USD",
            "--url",
            "http://h",
            "--network",
            "n",
        ];
        assert!(Cli::try_parse_from(get).is_err());
        assert!(Cli::try_parse_from(get.into_iter().chain(["--max-age", "10s"])).is_ok());
        let verify = ["touchstone", "verify", "f", "--network", "n"];
        assert!(Cli::try_parse_from(verify).is_err());
        assert!(Cli::try_parse_from(verify.into_iter().chain(["--at", "5"])).is_ok());
        assert!(Cli::try_parse_from(verify.into_iter().chain(["--max-age", "5s"])).is_ok());
    }

    #[test]
    fn a_feed_without_price_cannot_be_allowed() {
        assert!(parse_status("unavailable").is_err());
        assert!(parse_status("fine").is_err());
        assert_eq!(parse_status("market-closed"), Ok(Status::MARKET_CLOSED));
    }
}
