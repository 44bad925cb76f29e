//! The streams of attestations and of evidence for observers: anybody may read, the node proves who it is.
//!
//! An observer opens a bidirectional stream, writes one request and finishes its half; the node answers with items on the
//! other half. All numbers are big-endian:
//!
//! ```text
//! subscribe  0x01 | from: u64                  everything stored from that round on, then everything new, for ever
//! fetch      0x02 | first: u64 | last: u64     everything stored of these rounds, then the end of the stream
//! evidence   0x03                              all evidence that is stored, then everything new, for ever
//! answer     0x01 | item ...
//! item       round: u64 | length: u32 | bytes
//! ```
//!
//! The items of attestations and of evidence look alike: the round, and bytes that are opaque here.

mod client;
mod config;
mod fetch;
mod server;
mod wire;

pub use client::{
    ObserverClient, ObserverClientConfig, ObserverError, ObserverEvent, ObserverEvents,
};
pub use config::{AttestationSource, EvidenceSource, ObserverConfig, ObserverLimits};
pub use fetch::{Fetch, FetchError};
pub use wire::{EVIDENCE_BYTES_MAX, EVIDENCE_RECORDS_MAX, ITEM_BYTES_CEILING, Item};

pub(crate) use server::{ObserverServer, serve};
