//! The Rust verifier behind a C interface: `include/touchstone.h` is its documentation.
//!
//! All unsafe code stands in [`ffi`], where pointers become references, and in the allocator for WebAssembly. Everything
//! else is ordinary Rust over `touchstone-client`, which decides; nothing here accepts what it refuses.
#![cfg_attr(not(feature = "std"), no_std)]
#![deny(unsafe_op_in_unsafe_fn)]
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

extern crate alloc;

mod code;
pub mod ffi;
mod policy;
mod price;
mod text;
#[cfg(all(target_arch = "wasm32", not(feature = "std")))]
mod wasm;

pub use code::Code;
pub use policy::RawPolicy;
pub use price::{FeedEntry, I128, Price, UpdateInfo};
