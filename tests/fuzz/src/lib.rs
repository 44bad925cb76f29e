//! What must hold for any bytes: properties of every decoder and of the core, for fuzzers and for property tests.
//!
//! Each entry point takes bytes and panics if a property is broken; a fuzzer (`fuzz/`, cargo-fuzz) and the property tests
//! (`tests/`, stable) call the same ones.
//!
//! | entry points | what is checked |
//! |---|---|
//! | [`message`], [`attestation`] and the other decoders | no panic; what is read is written again as the same bytes; memory bounded by the input's length |
//! | [`inputs()`] | a whole life of one member's core, driven by bytes: no panic, bounded memory, no busy timer, no slot signed twice, no word about a closed round |
//!
//! [`flood`] measures what one member that floods costs another one, with real keys; `cargo run --release -p touchstone-fuzz --bin
//! flood` prints it.

pub mod bound;
mod decode;
pub mod flood;
mod inputs;
mod memory;
pub mod samples;
mod source;

pub use self::{
    decode::{
        DECODERS, Decoder, attestation, decimal, envelope, evidence, feed_name, header, leaf,
        manifest, message, nonces, observation, pin, record, session, share, statement, update,
        value,
    },
    inputs::{inputs, inputs_under},
    memory::{HEAP, Heap},
};
