//! `node.toml`: every key, its default and its range. `template.toml` documents them; a test holds the two together.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use touchstone_consensus::Params;
use touchstone_feeds::FeedsConfig;
use touchstone_transport::{LinkTiming, MeshLimits, ObserverLimits};

/// The documented configuration that `init` writes; it parses to the defaults.
pub(crate) const TEMPLATE: &str = include_str!("template.toml");
/// A configuration file is small; anything longer is another file.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The whole configuration of a node.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where files are.
    pub paths: PathsConfig,
    /// What opens the key files.
    pub password: PasswordConfig,
    /// Links to members and observers.
    pub link: LinkConfig,
    /// The local HTTP port.
    pub http: HttpConfig,
    /// How prices are fetched.
    pub feeds: FeedsConfig,
    /// The speed of a round.
    pub consensus: ConsensusConfig,
    /// How far the own clock is believed.
    pub clock: ClockConfig,
    /// How many attestations are kept.
    pub history: HistoryConfig,
    /// Checking of incoming messages.
    pub verify: VerifyConfig,
    /// What is logged, and how.
    pub log: LogConfig,
}

/// Where files are; relative paths count from the folder of the configuration file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PathsConfig {
    /// What the node writes while it runs.
    pub data_dir: PathBuf,
    /// The sealed identity key.
    pub identity_key: PathBuf,
    /// The sealed shares of the group key and the coin key.
    pub share_key: PathBuf,
    /// The network's pin.
    pub network: PathBuf,
}

/// What opens the key files: a systemd credential, a file, or a prompt, in this order.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PasswordConfig {
    /// Name of the systemd credential.
    pub credential: String,
    /// A file whose first line is the password.
    pub file: Option<PathBuf>,
    /// The key files are not encrypted.
    pub insecure_none: bool,
}

/// Links to members and observers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinkConfig {
    /// UDP address to listen on.
    pub listen: SocketAddr,
    /// After how much silence a link is set up anew, in milliseconds.
    pub idle_timeout_ms: u64,
    /// Longest wait between two attempts to reach a member, in milliseconds.
    pub backoff_max_ms: u64,
    /// How long a member that broke a rule is not listened to, in milliseconds.
    pub mute_ms: u64,
    /// Observers at once.
    pub observers_max: u32,
    /// Observers at once from one address.
    pub observers_per_address_max: u32,
}

/// The local HTTP port.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpConfig {
    /// TCP address to listen on.
    pub listen: SocketAddr,
}

/// The speed of a round; what is not set follows from the network's interval.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConsensusConfig {
    /// How long a proposer waits for missing observations, in milliseconds.
    pub grace_ms: Option<u64>,
    /// Shortest time that the optimistic view gets, in milliseconds.
    pub timer_min_ms: u64,
    /// Longest time that the optimistic view gets, in milliseconds.
    pub timer_max_ms: u64,
    /// Rounds in a row that the optimistic view may fail before most rounds leave it out.
    pub fallbacks_max: u32,
    /// How long a signing coordinator is waited for, in milliseconds.
    pub stagger_ms: u64,
    /// How far ahead messages are looked at, in rounds.
    pub skew_rounds: Option<u64>,
    /// How far ahead the restart fence is stored, in rounds.
    pub fence_rounds: Option<u64>,
    /// Certificates kept for members that lag behind.
    pub certificates_kept: u32,
}

/// How far the own clock is believed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClockConfig {
    /// Largest believable distance from the members' median, in milliseconds.
    pub max_offset_ms: u64,
}

/// How many attestations are kept.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HistoryConfig {
    /// In memory, in rounds.
    pub memory_rounds: u32,
    /// On disk, in MiB.
    pub disk_mib: u32,
}

/// Checking of incoming messages.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VerifyConfig {
    /// Threads; 0 chooses by the number of processors.
    pub threads: u32,
    /// Messages of one member that may wait.
    pub queue_frames: u32,
    /// Bytes of one member's messages that may wait, in MiB.
    pub queue_mib: u32,
}

/// What is logged, and how.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// Text for people or JSON for machines.
    pub format: LogFormat,
    /// Directives as in `RUST_LOG`.
    pub filter: String,
}

/// The form of a log line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One line for people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for PathsConfig {
    fn default() -> Self {
        Self {
            data_dir: ".".into(),
            identity_key: "identity.key".into(),
            share_key: "share.key".into(),
            network: "network.json".into(),
        }
    }
}

impl Default for PasswordConfig {
    fn default() -> Self {
        Self {
            credential: "touchstone-password".to_owned(),
            file: None,
            insecure_none: false,
        }
    }
}

impl Default for LinkConfig {
    fn default() -> Self {
        Self {
            listen: ([127, 0, 0, 1], 7100).into(),
            idle_timeout_ms: 6_000,
            backoff_max_ms: 3_000,
            mute_ms: 30_000,
            observers_max: 64,
            observers_per_address_max: 8,
        }
    }
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            listen: ([127, 0, 0, 1], 7180).into(),
        }
    }
}

impl Default for ConsensusConfig {
    fn default() -> Self {
        Self {
            grace_ms: None,
            timer_min_ms: 30,
            timer_max_ms: 2_000,
            fallbacks_max: 3,
            stagger_ms: 150,
            skew_rounds: None,
            fence_rounds: None,
            certificates_kept: 256,
        }
    }
}

impl Default for ClockConfig {
    fn default() -> Self {
        Self { max_offset_ms: 500 }
    }
}

impl Default for HistoryConfig {
    fn default() -> Self {
        Self {
            memory_rounds: 512,
            disk_mib: 256,
        }
    }
}

impl Default for VerifyConfig {
    fn default() -> Self {
        Self {
            threads: 0,
            queue_frames: 4_096,
            queue_mib: 16,
        }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            format: LogFormat::Text,
            filter: "info".to_owned(),
        }
    }
}

/// Why a configuration is refused.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("{}: {problem}", file.display())]
pub struct ConfigError {
    /// The file.
    pub file: PathBuf,
    /// What is wrong with it.
    pub problem: ConfigProblem,
}

/// What is wrong with a configuration.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum ConfigProblem {
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Read(String),
    /// It is no TOML, or has a key or a type that does not exist; the text names line and column.
    #[error("{0}")]
    Syntax(String),
    /// A value is outside its range.
    #[error("{key} = {value}: must be {allowed}")]
    Value {
        /// The key with its table.
        key: String,
        /// The refused value.
        value: String,
        /// What is allowed.
        allowed: String,
    },
}

fn refuse(key: &str, value: &dyn ToString, allowed: impl Into<String>) -> ConfigProblem {
    ConfigProblem::Value {
        key: key.to_owned(),
        value: value.to_string(),
        allowed: allowed.into(),
    }
}

impl Config {
    /// Reads and checks a file; paths in the result are absolute or start at the file's folder.
    ///
    /// # Errors
    /// [`ConfigError`] names the file, the key, the value and what is allowed.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        let fail = |problem| ConfigError {
            file: file.to_owned(),
            problem,
        };
        let read = |e: std::io::Error| fail(ConfigProblem::Read(e.to_string()));
        let length = fs::metadata(file).map_err(read)?.len();
        if length > FILE_BYTES_MAX {
            let text = format!("it has {length} bytes, at most {FILE_BYTES_MAX} are read");
            return Err(fail(ConfigProblem::Read(text)));
        }
        let text = fs::read_to_string(file).map_err(read)?;
        let mut config = Self::parse(&text).map_err(fail)?;
        config.anchor(file.parent().unwrap_or(Path::new("")));
        Ok(config)
    }

    /// Reads and checks a text; paths stay as they are.
    ///
    /// # Errors
    /// [`ConfigProblem`].
    pub fn parse(text: &str) -> Result<Self, ConfigProblem> {
        let config: Self = toml::from_str(text)
            .map_err(|e| ConfigProblem::Syntax(e.to_string().trim_end().to_owned()))?;
        config.validate()?;
        Ok(config)
    }

    /// Makes relative paths start at `folder`.
    fn anchor(&mut self, folder: &Path) {
        let paths = &mut self.paths;
        let all = [
            &mut paths.data_dir,
            &mut paths.identity_key,
            &mut paths.share_key,
            &mut paths.network,
        ];
        for path in all.into_iter().chain(&mut self.password.file) {
            *path = folder.join(&*path);
        }
    }

    /// Checks every value against its range.
    ///
    /// # Errors
    /// The first value outside its range.
    pub fn validate(&self) -> Result<(), ConfigProblem> {
        let within = |key: &str, value: u64, min: u64, max: u64| {
            if (min..=max).contains(&value) {
                return Ok(());
            }
            Err(refuse(key, &value, format!("from {min} to {max}")))
        };
        let Self {
            link,
            consensus,
            history,
            verify,
            ..
        } = self;
        within("link.idle_timeout_ms", link.idle_timeout_ms, 2_000, 600_000)?;
        within("link.backoff_max_ms", link.backoff_max_ms, 50, 600_000)?;
        within("link.mute_ms", link.mute_ms, 0, 3_600_000)?;
        within("link.observers_max", link.observers_max.into(), 1, 4_096)?;
        within(
            "link.observers_per_address_max",
            link.observers_per_address_max.into(),
            1,
            4_096,
        )?;
        within(
            "consensus.grace_ms",
            consensus.grace_ms.unwrap_or(1),
            1,
            60_000,
        )?;
        within("consensus.timer_max_ms", consensus.timer_max_ms, 1, 60_000)?;
        within(
            "consensus.timer_min_ms",
            consensus.timer_min_ms,
            1,
            consensus.timer_max_ms,
        )?;
        within(
            "consensus.fallbacks_max",
            consensus.fallbacks_max.into(),
            1,
            1_000_000,
        )?;
        within("consensus.stagger_ms", consensus.stagger_ms, 1, 60_000)?;
        within(
            "consensus.skew_rounds",
            consensus.skew_rounds.unwrap_or(1),
            1,
            10_000,
        )?;
        within(
            "consensus.fence_rounds",
            consensus.fence_rounds.unwrap_or(1),
            1,
            100_000,
        )?;
        within(
            "consensus.certificates_kept",
            consensus.certificates_kept.into(),
            16,
            100_000,
        )?;
        within("clock.max_offset_ms", self.clock.max_offset_ms, 50, 60_000)?;
        within(
            "history.memory_rounds",
            history.memory_rounds.into(),
            16,
            100_000,
        )?;
        within("history.disk_mib", history.disk_mib.into(), 8, 1_048_576)?;
        within("verify.threads", verify.threads.into(), 0, 64)?;
        within(
            "verify.queue_frames",
            verify.queue_frames.into(),
            64,
            65_536,
        )?;
        within("verify.queue_mib", verify.queue_mib.into(), 1, 4_096)?;
        self.validate_texts()
    }

    fn validate_texts(&self) -> Result<(), ConfigProblem> {
        let name = &self.password.credential;
        if name.is_empty() || name.contains('/') {
            return Err(refuse(
                "password.credential",
                &format!("{name:?}"),
                "a name without '/'",
            ));
        }
        if self.password.insecure_none && self.password.file.is_some() {
            return Err(refuse(
                "password.insecure_none",
                &true,
                "false where password.file is set",
            ));
        }
        if let Err(error) = self.log.filter.parse::<tracing_subscriber::EnvFilter>() {
            let allowed = format!("directives as in RUST_LOG ({error})");
            return Err(refuse(
                "log.filter",
                &format!("{:?}", self.log.filter),
                allowed,
            ));
        }
        self.feeds.validate().map_err(|e| ConfigProblem::Value {
            key: format!("feeds.{}", e.key),
            value: e.value,
            allowed: e.allowed,
        })
    }

    /// The core's settings for a network with this interval.
    pub fn params(&self, interval_ms: u64) -> Params {
        let defaults = Params::for_interval(interval_ms);
        let us = |ms: u64| ms.saturating_mul(1_000);
        let c = &self.consensus;
        Params {
            grace_us: c.grace_ms.map_or(defaults.grace_us, us),
            timer_min_us: us(c.timer_min_ms),
            timer_max_us: us(c.timer_max_ms),
            fallbacks_max: c.fallbacks_max,
            stagger_us: us(c.stagger_ms),
            skew_rounds: c.skew_rounds.unwrap_or(defaults.skew_rounds),
            fence_block: c.fence_rounds.unwrap_or(defaults.fence_block),
            certificates_kept: usize::try_from(c.certificates_kept).unwrap_or(usize::MAX),
            ..defaults
        }
    }

    pub(crate) fn link_timing(&self) -> LinkTiming {
        let defaults = LinkTiming::default();
        let idle = Duration::from_millis(self.link.idle_timeout_ms);
        let backoff_max = Duration::from_millis(self.link.backoff_max_ms);
        LinkTiming {
            keep_alive: defaults.keep_alive.min(idle / 2),
            idle_timeout: idle,
            backoff_min: defaults.backoff_min.min(backoff_max),
            backoff_max,
            ..defaults
        }
    }

    pub(crate) fn mesh_limits(&self) -> MeshLimits {
        MeshLimits {
            mute: Duration::from_millis(self.link.mute_ms),
            ..MeshLimits::default()
        }
    }

    pub(crate) fn observer_limits(&self) -> ObserverLimits {
        ObserverLimits {
            sessions_max: self.link.observers_max,
            sessions_per_address_max: self.link.observers_per_address_max,
            ..ObserverLimits::default()
        }
    }
}

#[cfg(test)]
mod tests;
