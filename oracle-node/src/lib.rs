//! The oracle node: the shell that drives the sans-IO core over real links, clocks and disks, and its operator's commands.
//!
//! * [`cli_main`] is the whole command line; another program may turn itself into a node by calling it.
//! * [`Node`] is a running node, for programs and tests that start one themselves.
//!
//! One task, the engine, owns the core; one thread, the vault, holds the secrets; a pool of threads checks what comes in. The
//! way of a message through them stands in `engine/mod.rs`.

mod ceremony;
mod cli;
mod config;
mod engine;
mod evidence;
mod feed_file;
mod fence;
mod files;
mod history;
mod http;
mod keys;
mod logging;
mod network;
mod node;
mod telemetry;
mod vault;

pub use cli::cli_main;
pub use config::{
    ClockConfig, Config, ConfigError, ConfigProblem, ConsensusConfig, HistoryConfig, HttpConfig,
    LinkConfig, LogConfig, LogFormat, PasswordConfig, PathsConfig, VerifyConfig,
};
pub use engine::Prices;
pub use feed_file::read_feeds;
pub use network::{Network, NetworkError};
pub use node::{Node, NodeKeys, NodeSetup};
