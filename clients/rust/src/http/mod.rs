//! Fetching updates from aggregators, none of which is trusted.
//!
//! An aggregator can withhold, delay or send garbage; it cannot make this client accept a price that the pinned network
//! did not sign, one of another feed, or an older one than the policy allows. Of an answer's JSON only the field `update`
//! (or `attestation`) is read, and what it holds is verified.

mod api;
mod client;
mod error;
pub mod sse;
mod watch;

pub use client::{Client, ClientBuilder, now_ms};
pub use error::{AnswerError, ClientError, EndpointError};
pub use watch::{Watch, WatchEvent};
