//! What the tests of the contracts need: the artifacts as they are committed, an EVM to run them in, and a committee whose
//! signatures they check.
//!
//! Everything here fails by panic: its callers are tests.

mod abi;
mod artifact;
mod chain;
mod network;
mod oracle;
mod vectors;

pub use abi::{Arg, Words, feed_word};
pub use artifact::{Artifact, error_name, kebab};
pub use chain::{Chain, Outcome, SENDER, STRANGER};
pub use network::{Committee4, feed_leaf, leaves, statement_over, update_over};
pub use oracle::{Conditions, Oracle};
pub use vectors::{UpdateVector, invalid_updates, read_vector, valid_updates};
