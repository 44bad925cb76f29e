//! Exchange adapters and the way from quotes to one observation per feed.
//!
//! The way of a price: an exchange's answer -> [`exchange`] parses it, digits to integer -> a [`Quote`] -> the [`Book`]
//! holds the newest of each market -> [`policy`] drops what must not be used, each with its reason, and takes the median
//! -> one observation per feed. All of that is pure: bytes and `now_ms` come in, values go out. [`poller`] is the shell
//! around it, which owns the HTTP client, the clock and the request budgets. [`bars`] reads recorded market history, and
//! [`simulate`] sends it through the policy.
#![cfg_attr(
    not(test),
    warn(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::as_conversions,
        clippy::arithmetic_side_effects
    )
)]

pub mod bars;
pub mod book;
pub mod defaults;
pub mod exchange;
mod json;
pub mod policy;
pub mod poller;
mod quote;
pub mod simulate;

pub use book::{Book, Held, Taken};
pub use defaults::{default_feeds, feeds_for_markets};
pub use exchange::{EXCHANGES, Exchange, HttpRequest, ParseError, RequestError};
pub use policy::{
    DropReason, DroppedQuote, Gate, NoObservation, PlanError, Priced, Pricer, UsedQuote,
};
pub use poller::{
    Counters, FeedsConfig, FeedsConfigError, FetchError, Fetched, Handle, Poller, PollerError,
    SourceConfig, SourceHealth, SourceState, fetch_feed,
};
pub use quote::{Endpoint, EndpointError, Quote};
