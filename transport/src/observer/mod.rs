//! The attestation stream for observers: anybody may read, the node proves who it is.
//!
//! An observer opens a bidirectional stream, writes one request and finishes its half; the node answers with items on the
//! other half. All numbers are big-endian:
//!
//! ```text
//! subscribe  0x01 | from: u64                  everything stored from that round on, then everything new, for ever
//! fetch      0x02 | first: u64 | last: u64     everything stored of these rounds, then the end of the stream
//! answer     0x01 | item ...
//! item       round: u64 | length: u32 | bytes
//! ```

mod client;
mod config;
mod fetch;
mod server;
mod wire;

pub use client::{
    ObserverClient, ObserverClientConfig, ObserverError, ObserverEvent, ObserverEvents,
};
pub use config::{AttestationSource, ObserverConfig, ObserverLimits};
pub use fetch::{Fetch, FetchError};
pub use wire::{ITEM_BYTES_CEILING, Item};

pub(crate) use server::{ObserverServer, serve};
