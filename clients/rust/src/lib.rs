#![doc = include_str!("../README.md")]
#![no_std]

extern crate alloc;
#[cfg(any(test, feature = "http"))]
extern crate std;

#[cfg(feature = "members")]
pub mod evidence;
#[cfg(feature = "http")]
pub mod http;
mod pin;
mod policy;
#[cfg(feature = "members")]
pub mod recompute;
mod verifier;

pub use pin::PinRefused;
#[cfg(feature = "members")]
pub use pin::check_pin_members;
pub use policy::{Bracket, DEFAULT_MAX_SKEW_MS, Policy, PolicyError, VerifiedPrice, verify_at};
pub use touchstone_crypto::{GroupKey, GroupKeyError};
pub use touchstone_types::{
    Decimal, Digest, Epoch, FeedName, NetworkId, Pin, PinError, Round, Status, Suite, UpdateError,
};
pub use verifier::{VerifiedUpdate, Verifier, VerifyError};
