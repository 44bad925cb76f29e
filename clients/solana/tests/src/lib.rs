//! A Solana virtual machine with the programs in it, networks that sign with FROST, and the shared vectors.

pub mod network;
pub mod vectors;
pub mod vm;

use sha2::{Digest as _, Sha256};

/// SHA-256, as the checks take it.
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize().into()
}
