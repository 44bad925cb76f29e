//! The public edge of Touchstone: collects attestations from several nodes at once, verifies each one before it believes
//! it, stores it, and serves the signed prices over HTTP.
//!
//! The aggregator is trusted for nothing. It holds no key and can forge nothing; the worst that it can do is to be silent
//! or to serve old rounds, which every client notices by the timestamp. What it stores it has verified with the group key
//! of the pinned network, and whoever hands it anything else is named in the log and in the metrics.
//!
//! The way of an attestation: [`collect`] (QUIC streams of the nodes, back-fill from nodes and other aggregators) ->
//! [`verify`] -> [`writer`] (the only writer of the [`store`]) -> [`live`] (the newest round, rendered once) -> [`api`].
//! [`run()`] ties them together; [`server`] is the listening socket with its limits.

pub mod api;
mod cli;
pub mod collect;
pub mod config;
pub mod live;
pub mod network;
pub mod render;
pub mod run;
pub mod server;
pub mod store;
pub mod telemetry;
pub mod verify;
pub mod writer;

pub use cli::cli_main;
pub use config::Config;
pub use run::{run, run_with};
