//! The configuration file. Every key is documented here and in `aggregator.example.toml`; unknown keys are refused.

use std::{
    fmt::Display,
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::Deserialize;
use thiserror::Error;
use touchstone_types::Digest;

use crate::{
    collect::NodeAddress,
    store::{DatabaseUrl, Policy},
};

/// Why a configuration is refused.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{file}: cannot be read: {error}")]
    Read {
        /// The file.
        file: String,
        /// Why.
        error: std::io::Error,
    },
    /// The text is no TOML, or has an unknown key, a missing key, or a value of another type.
    #[error("{file}: {error}")]
    Syntax {
        /// The file.
        file: String,
        /// Where and why.
        error: Box<toml::de::Error>,
    },
    /// A value is outside its range.
    #[error("{file}: {key} = {value}: {allowed}")]
    Value {
        /// The file.
        file: String,
        /// The key with its table.
        key: &'static str,
        /// The refused value.
        value: String,
        /// The allowed range.
        allowed: String,
    },
}

/// What the aggregator runs with.
#[derive(Clone, Debug)]
pub struct Config {
    /// The pin, `network.json`.
    pub network: PathBuf,
    /// The API's address; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where the bound address is written once requests are served.
    pub address_file: Option<PathBuf>,
    /// The database.
    pub database: DatabaseUrl,
    /// Connections to the database.
    pub database_connections: u32,
    /// The nodes to follow; empty for the members of the newest manifest.
    pub nodes: Vec<NodeAddress>,
    /// Base URLs of aggregators to back-fill from.
    pub upstreams: Vec<String>,
    /// Back-filling.
    pub collect: CollectConfig,
    /// Retention.
    pub retention: Policy,
    /// How often retention looks.
    pub retention_interval: Duration,
    /// Bounds of the API.
    pub limits: Limits,
    /// The log.
    pub log: LogConfig,
}

/// `[collect]`: how the aggregator keeps up and fills holes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CollectConfig {
    /// How many rounds back the aggregator wants to be complete (0 to 10,000,000; default 3,600). On a first start the
    /// streams begin so far in the past.
    pub backfill_rounds: u64,
    /// How long after it was noticed a missing round is asked for (0 to 600,000; default 3,000).
    pub gap_grace_ms: u64,
    /// After how long a round that no source has counts as missed (1 to 86,400; default 120).
    pub give_up_after_s: u64,
}

impl Default for CollectConfig {
    fn default() -> Self {
        Self {
            backfill_rounds: 3_600,
            gap_grace_ms: 3_000,
            give_up_after_s: 120,
        }
    }
}

/// `[retention]`: what is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RetentionFile {
    /// Rounds younger than this are kept in full (60 to 3,153,600,000; default 604,800, a week).
    full_for_s: u64,
    /// Of the older ones every so manieth round stays, and each feed's daily extremes (1 to 1,000,000; default 60).
    keep_every: u64,
    /// Bound on the database; beyond it more is thinned, oldest first (1 to 1,000,000; default 20,480).
    max_mib: u64,
    /// How often retention looks (1 to 86,400; default 30).
    interval_s: u64,
}

impl Default for RetentionFile {
    fn default() -> Self {
        Self {
            full_for_s: 604_800,
            keep_every: 60,
            max_mib: 20_480,
            interval_s: 30,
        }
    }
}

/// `[limits]`: bounds of the API.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Connections at once (1 to 1,000,000; default 10,000).
    pub connections: u32,
    /// Connections at once from one IPv4 address or IPv6 /64 network (1 to 1,000,000; default 256).
    pub connections_per_address: u32,
    /// Requests per second from one address, in the long run; 0 is no limit (0 to 1,000,000; default 100).
    pub requests_per_second: u32,
    /// Requests that one address may make at once before the rate counts (1 to 1,000,000; default 500).
    pub request_burst: u32,
    /// Longest request line and headers together (1,024 to 65,536; default 16,384).
    pub header_bytes: u32,
    /// Largest request body, which nothing reads (0 to 1,048,576; default 0).
    pub body_bytes: u64,
    /// Time for a request's headers to arrive, and for its answer to be made (100 to 600,000; default 10,000).
    pub timeout_ms: u64,
    /// Open event streams (1 to 1,000,000; default 1,000).
    pub streams: u32,
    /// Events that wait for a slow reader of a stream (8 to 65,536; default 256).
    pub stream_queue: u32,
    /// How long a full queue may stay full before its reader is cut off (100 to 600,000; default 5,000).
    pub stream_stall_ms: u64,
    /// How many rounds a stream may be resumed back (0 to 1,000,000; default 3,600).
    pub stream_replay_rounds: u64,
    /// Age of the newest round beyond which the aggregator is not ready (100 to 86,400,000; default 30,000).
    pub ready_age_ms: u64,
    /// Reverse proxies whose X-Forwarded-For header is believed (default none).
    pub trusted_proxies: Vec<IpAddr>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            connections_per_address: 256,
            requests_per_second: 100,
            request_burst: 500,
            header_bytes: 16_384,
            body_bytes: 0,
            timeout_ms: 10_000,
            streams: 1_000,
            stream_queue: 256,
            stream_stall_ms: 5_000,
            stream_replay_rounds: 3_600,
            ready_age_ms: 30_000,
            trusted_proxies: Vec::new(),
        }
    }
}

/// `[log]`: the log, on standard error.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// Filter, such as `info` or `info,touchstone_aggregator=debug` (default `info`).
    pub filter: String,
    /// `text` or `json` (default `text`).
    pub format: LogFormat,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            filter: "info".to_owned(),
            format: LogFormat::Text,
        }
    }
}

/// How a line of the log looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NodeFile {
    address: String,
    identity: Digest,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    network: PathBuf,
    #[serde(default = "default_listen")]
    listen: String,
    address_file: Option<PathBuf>,
    database: String,
    #[serde(default = "default_connections")]
    database_connections: u32,
    #[serde(default)]
    nodes: Vec<NodeFile>,
    #[serde(default)]
    upstreams: Vec<String>,
    #[serde(default)]
    collect: CollectConfig,
    #[serde(default)]
    retention: RetentionFile,
    #[serde(default)]
    limits: Limits,
    #[serde(default)]
    log: LogConfig,
}

fn default_listen() -> String {
    "127.0.0.1:8080".to_owned()
}

fn default_connections() -> u32 {
    8
}

/// Refuses values with the file's name.
struct Checker<'a>(&'a str);

impl Checker<'_> {
    fn refuse<T>(
        &self,
        key: &'static str,
        value: impl Display,
        allowed: impl Display,
    ) -> Result<T, ConfigError> {
        Err(ConfigError::Value {
            file: self.0.to_owned(),
            key,
            value: value.to_string(),
            allowed: allowed.to_string(),
        })
    }

    fn range(
        &self,
        key: &'static str,
        value: u64,
        allowed: RangeInclusive<u64>,
    ) -> Result<(), ConfigError> {
        if allowed.contains(&value) {
            return Ok(());
        }
        let text = format!("must be from {} to {}", allowed.start(), allowed.end());
        self.refuse(key, value, text)
    }
}

impl Config {
    /// Reads and checks a file. Relative paths in it are relative to its folder.
    ///
    /// # Errors
    /// A file that cannot be read, and the first thing in it that is wrong, by file, key, value and allowed range.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let file = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&file, path.parent().unwrap_or(Path::new("")), &text),
            Err(error) => Err(ConfigError::Read { file, error }),
        }
    }

    /// Checks a text that was read from `file`; relative paths are relative to `folder`.
    ///
    /// # Errors
    /// See [`Config::read`].
    pub fn parse(file: &str, folder: &Path, text: &str) -> Result<Self, ConfigError> {
        let raw: File = toml::from_str(text).map_err(|error| ConfigError::Syntax {
            file: file.to_owned(),
            error: Box::new(error),
        })?;
        let check = Checker(file);
        let listen = raw.listen.parse().or_else(|_| {
            check.refuse(
                "listen",
                &raw.listen,
                "must be an IP address and a port, such as 127.0.0.1:8080",
            )
        })?;
        // The value is not shown: a database URL may hold a password.
        let database = match raw.database.parse::<DatabaseUrl>() {
            Ok(DatabaseUrl::Sqlite(path)) => DatabaseUrl::Sqlite(folder.join(path)),
            Ok(postgres) => postgres,
            Err(allowed) => return check.refuse("database", "<not shown>", allowed),
        };
        check.range(
            "database_connections",
            raw.database_connections.into(),
            1..=256,
        )?;
        check_collect(&check, &raw.collect)?;
        check_limits(&check, &raw.limits)?;
        if raw
            .log
            .filter
            .parse::<tracing_subscriber::EnvFilter>()
            .is_err()
        {
            return check.refuse(
                "log.filter",
                raw.log.filter,
                "must be a filter such as info or info,sqlx=warn",
            );
        }
        Ok(Self {
            network: folder.join(raw.network),
            listen,
            address_file: raw.address_file.map(|p| folder.join(p)),
            database,
            database_connections: raw.database_connections,
            nodes: nodes(&check, raw.nodes)?,
            upstreams: upstreams(&check, raw.upstreams)?,
            collect: raw.collect,
            retention: retention(&check, &raw.retention)?,
            retention_interval: Duration::from_secs(raw.retention.interval_s),
            limits: raw.limits,
            log: raw.log,
        })
    }
}

fn nodes(check: &Checker<'_>, raw: Vec<NodeFile>) -> Result<Vec<NodeAddress>, ConfigError> {
    check.range("nodes", raw.len().try_into().unwrap_or(u64::MAX), 0..=128)?;
    let mut nodes: Vec<NodeAddress> = Vec::new();
    for node in raw {
        if !node.address.contains(':') {
            return check.refuse("nodes.address", node.address, "must be host:port");
        }
        if nodes.iter().any(|n| n.identity == node.identity) {
            return check.refuse("nodes.identity", node.identity, "must not be listed twice");
        }
        nodes.push(NodeAddress {
            address: node.address,
            identity: node.identity,
        });
    }
    Ok(nodes)
}

fn upstreams(check: &Checker<'_>, raw: Vec<String>) -> Result<Vec<String>, ConfigError> {
    check.range(
        "upstreams",
        raw.len().try_into().unwrap_or(u64::MAX),
        0..=16,
    )?;
    for url in &raw {
        let web = url.starts_with("http://") || url.starts_with("https://");
        if !web || url.contains(['?', '#']) || reqwest::Url::parse(url).is_err() {
            return check.refuse(
                "upstreams",
                url,
                "must be a base URL, http:// or https://, without a query",
            );
        }
    }
    Ok(raw)
}

fn retention(check: &Checker<'_>, raw: &RetentionFile) -> Result<Policy, ConfigError> {
    check.range("retention.full_for_s", raw.full_for_s, 60..=3_153_600_000)?;
    check.range("retention.keep_every", raw.keep_every, 1..=1_000_000)?;
    check.range("retention.max_mib", raw.max_mib, 1..=1_000_000)?;
    check.range("retention.interval_s", raw.interval_s, 1..=86_400)?;
    Ok(Policy {
        full_for_ms: raw.full_for_s.saturating_mul(1_000),
        keep_every: raw.keep_every,
        max_bytes: raw.max_mib.saturating_mul(1 << 20),
    })
}

fn check_collect(check: &Checker<'_>, collect: &CollectConfig) -> Result<(), ConfigError> {
    check.range(
        "collect.backfill_rounds",
        collect.backfill_rounds,
        0..=10_000_000,
    )?;
    check.range("collect.gap_grace_ms", collect.gap_grace_ms, 0..=600_000)?;
    check.range(
        "collect.give_up_after_s",
        collect.give_up_after_s,
        1..=86_400,
    )
}

fn check_limits(check: &Checker<'_>, l: &Limits) -> Result<(), ConfigError> {
    const MILLION: u64 = 1_000_000;
    check.range("limits.connections", l.connections.into(), 1..=MILLION)?;
    check.range(
        "limits.connections_per_address",
        l.connections_per_address.into(),
        1..=MILLION,
    )?;
    check.range(
        "limits.requests_per_second",
        l.requests_per_second.into(),
        0..=MILLION,
    )?;
    check.range("limits.request_burst", l.request_burst.into(), 1..=MILLION)?;
    // hyper's smallest buffer is 8,192 bytes; below it the API itself counts.
    check.range("limits.header_bytes", l.header_bytes.into(), 1_024..=65_536)?;
    check.range("limits.body_bytes", l.body_bytes, 0..=1_048_576)?;
    check.range("limits.timeout_ms", l.timeout_ms, 100..=600_000)?;
    check.range("limits.streams", l.streams.into(), 1..=MILLION)?;
    check.range("limits.stream_queue", l.stream_queue.into(), 8..=65_536)?;
    check.range("limits.stream_stall_ms", l.stream_stall_ms, 100..=600_000)?;
    check.range(
        "limits.stream_replay_rounds",
        l.stream_replay_rounds,
        0..=MILLION,
    )?;
    check.range("limits.ready_age_ms", l.ready_age_ms, 100..=86_400_000)
}

/// The wall clock, in Unix milliseconds.
pub fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse("a.toml", Path::new("/etc/touchstone"), text).map_err(|e| e.to_string())
    }

    const MINIMAL: &str = "network = \"network.json\"\ndatabase = \"a.db\"\n";

    #[test]
    fn two_keys_are_enough_and_paths_are_relative_to_the_file() {
        let config = parse(MINIMAL).expect("minimal");
        assert_eq!(config.network, Path::new("/etc/touchstone/network.json"));
        let path = DatabaseUrl::Sqlite("/etc/touchstone/a.db".into());
        assert_eq!(config.database, path);
        assert_eq!(config.limits, Limits::default());
    }

    #[test]
    fn the_example_names_every_key_with_its_default() {
        let text = include_str!("../aggregator.example.toml");
        let example = parse(text).expect("example");
        assert_eq!(example.limits, Limits::default());
        assert_eq!(example.collect, CollectConfig::default());
        assert_eq!(example.log, LogConfig::default());
        let minimal = parse(MINIMAL).expect("minimal");
        assert_eq!(example.retention, minimal.retention);
        assert_eq!(example.retention_interval, minimal.retention_interval);
        assert_eq!(example.listen, minimal.listen);
        let keys = [
            "network",
            "listen",
            "address_file",
            "database",
            "database_connections",
            "nodes",
            "upstreams",
            "backfill_rounds",
            "gap_grace_ms",
            "give_up_after_s",
            "full_for_s",
            "keep_every",
            "max_mib",
            "interval_s",
            "connections",
            "connections_per_address",
            "requests_per_second",
            "request_burst",
            "header_bytes",
            "body_bytes",
            "timeout_ms",
            "streams",
            "stream_queue",
            "stream_stall_ms",
            "stream_replay_rounds",
            "ready_age_ms",
            "trusted_proxies",
            "filter",
            "format",
        ];
        for key in keys {
            assert!(text.contains(key), "{key}");
        }
    }

    #[test]
    fn refusals_name_file_key_value_and_range() {
        let error = parse(&format!("{MINIMAL}[retention]\nkeep_every = 0\n")).unwrap_err();
        assert_eq!(
            error,
            "a.toml: retention.keep_every = 0: must be from 1 to 1000000"
        );
        let error = parse(&format!("{MINIMAL}[limits]\nconections = 1\n")).unwrap_err();
        assert!(
            error.contains("a.toml") && error.contains("conections"),
            "{error}"
        );
        let error = parse(&format!("listen = \"nowhere\"\n{MINIMAL}")).unwrap_err();
        assert!(error.contains("listen = nowhere"), "{error}");
        let error = parse("network = \"n\"\ndatabase = \"postgres://u:secret@h:x/d\"").unwrap_err();
        assert!(
            error.contains("database") && !error.contains("secret"),
            "{error}"
        );
        let error = parse(&format!("{MINIMAL}[collect]\nbackfill_rounds = -1\n")).unwrap_err();
        assert!(error.contains("backfill_rounds"), "{error}");
    }

    #[test]
    fn debug_hides_the_password() {
        let url: DatabaseUrl = "postgres://u:secret@localhost/d".parse().expect("valid");
        assert!(!format!("{url:?}").contains("secret"));
    }
}
