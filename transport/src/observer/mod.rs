//! The attestation stream for observers: anybody may read, the node proves who it is.
//!
//! An observer opens a bidirectional stream, writes one request and finishes its half; the node answers with items on the
//! other half. See [`wire`] for the bytes.

mod client;
mod config;
mod server;
mod wire;

pub use client::{
    Fetch, FetchError, ObserverClient, ObserverClientConfig, ObserverError, ObserverEvent,
    ObserverEvents,
};
pub use config::{AttestationSource, ObserverConfig, ObserverLimits};
pub use wire::{ITEM_BYTES_CEILING, Item};

pub(crate) use server::{ObserverServer, serve};
