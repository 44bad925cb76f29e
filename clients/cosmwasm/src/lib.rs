//! A CosmWasm contract that verifies Touchstone prices and keeps the newest one of each feed.
//!
//! It pins one network (network id and group keys) when it is made, and that is final: no message changes it, there is no
//! owner, and making it with a chain admin, who could exchange the code, fails. Anybody may send [`msg::ExecuteMsg::Update`];
//! what counts is the group's signature. No query gives a number before the caller has said how old it may be.
//!
//! Parsing, Merkle proofs and signatures are those of the Rust client (`touchstone-client`), compiled into the contract:
//! the chain's own `ed25519_verify` follows other rules (ZIP-215) and accepts signatures that every other verifier of
//! Touchstone refuses. See the README for what both cost.
//!
//! Nothing here panics on input: whatever is not exactly right is a [`ContractError`] whose text begins with a stable code.
#![cfg_attr(
    not(test),
    warn(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

mod conditions;
pub mod contract;
mod error;
pub mod msg;
mod pinned;
mod prices;

pub use error::ContractError;
