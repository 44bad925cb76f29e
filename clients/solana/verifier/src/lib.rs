//! Touchstone prices on Solana: how the program checks them, where it keeps them, and the one way to read them.
//!
//! Everything here is a function of bytes: no account, syscall or SDK, no allocation and no dependency, so that it goes into
//! any program and any client. What the runtime offers is passed in, SHA-256 as [`Sha256`].
//!
//! | module | for |
//! |---|---|
//! | [`reader`] | consumers: [`reader::get_price`] is the only door to a number |
//! | [`instruction`] | whoever sends updates: instruction data, accounts, seeds |
//! | [`account`] | the two kinds of accounts, byte by byte |
//! | [`update`], [`merkle`], [`signature`], [`group_key`] | the program: the duties of a verifier, one after the other |
//! | [`error`] | every refusal with its number and its stable code |
#![no_std]
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

#[cfg(test)]
extern crate std;

pub mod account;
mod bytes;
pub mod error;
pub mod feed;
pub mod group_key;
pub mod instruction;
pub mod leaf;
pub mod merkle;
pub mod reader;
pub mod signature;
pub mod update;

pub use bytes::equal;
pub use error::Error;
pub use feed::Feed;
pub use leaf::Status;
pub use reader::{AccountView, Pin, Policy, Price, get_price};

/// A Solana address, or public key: 32 bytes.
pub type Address = [u8; 32];
/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// SHA-256 over the concatenation of parts. In a program this is the syscall `sol_sha256`, as `solana_sha256_hasher::hashv`
/// and its like wrap it; elsewhere any implementation.
///
/// It is implemented for every function of this form:
///
/// ```
/// use sha2::{Digest as _, Sha256};
/// let sha256 = |parts: &[&[u8]]| -> [u8; 32] {
///     let mut hasher = Sha256::new();
///     parts.iter().for_each(|part| hasher.update(part));
///     hasher.finalize().into()
/// };
/// # fn takes(_: impl touchstone_solana::Sha256) {}
/// # takes(sha256);
/// ```
pub trait Sha256 {
    /// The hash of the concatenation.
    fn hash(&self, parts: &[&[u8]]) -> Hash;
}

impl<F: Fn(&[&[u8]]) -> Hash> Sha256 for F {
    fn hash(&self, parts: &[&[u8]]) -> Hash {
        self(parts)
    }
}
