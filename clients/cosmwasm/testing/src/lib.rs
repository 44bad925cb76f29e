//! One set of tests of the contract, and what runs it: cw-multi-test, which calls the contract's functions natively and
//! dispatches messages as a chain does, and cosmwasm-vm, which is the virtual machine of the chains and runs the very wasm
//! file that is deployed.
//!
//! [`scenarios`] holds the tests, over any [`Chain`]; [`world`] makes committees with real key generation and FROST signatures;
//! [`vectors`] reads the repository's shared vectors. The tests of `tests/` name each scenario once per chain.

pub mod chain;
pub mod multi;
pub mod scenarios;
pub mod vectors;
pub mod vm;
pub mod world;

pub use chain::{Chain, Refused};
pub use multi::MultiTest;
pub use vm::Vm;

/// The README's example.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
