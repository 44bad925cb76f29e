//! A price update field by field, so that each can be wrong.

use ed25519_dalek::Signer as _;
use touchstone_types::{Digest, LEAF_BYTES, Leaf, PriceUpdate, Statement, merkle, sha256};

use super::world;

/// An update before it is bytes. Nothing is derived from anything else.
#[derive(Clone)]
pub(super) struct Raw {
    pub(super) version: u8,
    pub(super) suite: u8,
    pub(super) statement: Vec<u8>,
    pub(super) signature: Vec<u8>,
    pub(super) count: u8,
    pub(super) entries: Vec<RawEntry>,
}

#[derive(Clone)]
pub(super) struct RawEntry {
    pub(super) leaf: Vec<u8>,
    pub(super) index: u16,
    pub(super) path_len: u8,
    pub(super) path: Vec<Digest>,
}

impl Raw {
    pub(super) fn of(update: &PriceUpdate) -> anyhow::Result<Self> {
        let entries = update.entries.iter().map(|entry| {
            Ok(RawEntry {
                leaf: entry.leaf.to_bytes().to_vec(),
                index: entry.index,
                path_len: u8::try_from(entry.path.len())?,
                path: entry.path.clone(),
            })
        });
        Ok(Self {
            version: 1,
            suite: update.suite.byte(),
            statement: tail(&update.statement),
            signature: update.signature.clone(),
            count: u8::try_from(update.entries.len())?,
            entries: entries.collect::<anyhow::Result<_>>()?,
        })
    }

    /// Twelve leaves of which the sixth is shown, with one of them changed as bytes, and signed like that.
    pub(super) fn signed_with_leaf(change: impl FnOnce(&mut [u8])) -> anyhow::Result<Self> {
        let mut bytes: Vec<Vec<u8>> = world::leaves(12)?
            .iter()
            .map(|leaf: &Leaf| leaf.to_bytes().to_vec())
            .collect();
        change(&mut bytes[5]);
        Self::signed_tree(&bytes, merkle::leaf_hash)
    }

    /// The sixth of some leaves, in a tree whose leaf hashes are made by `hash`, and signed like that.
    pub(super) fn signed_tree(
        leaves: &[Vec<u8>],
        hash: impl Fn(&[u8]) -> Digest,
    ) -> anyhow::Result<Self> {
        let hashes: Vec<Digest> = leaves.iter().map(|leaf| hash(leaf)).collect();
        let statement = world::statement(&hashes)?;
        let path = merkle::path(&hashes, 5).unwrap_or_default();
        Ok(Self {
            version: 1,
            suite: 1,
            statement: tail(&statement),
            signature: world::sign(&statement).to_vec(),
            count: 1,
            entries: vec![RawEntry {
                leaf: leaves[5].clone(),
                index: 5,
                path_len: u8::try_from(path.len())?,
                path,
            }],
        })
    }

    /// The message that a signature over this statement signs.
    pub(super) fn message(&self) -> Digest {
        sha256(&[b"touchstone/att/1", &self.statement])
    }

    /// Signs the statement as it stands now.
    pub(super) fn sign(&mut self) {
        self.signature = world::group().sign(&self.message().0).to_bytes().to_vec();
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut out = vec![self.version, self.suite];
        out.extend_from_slice(&self.statement);
        out.extend_from_slice(&self.signature);
        out.push(self.count);
        for entry in &self.entries {
            out.extend_from_slice(&entry.leaf);
            out.extend_from_slice(&entry.index.to_be_bytes());
            out.push(entry.path_len);
            out.extend(entry.path.iter().flat_map(|hash| hash.0));
        }
        out
    }
}

/// Offsets of the leaf's fields, as docs/attestation.md has them.
pub(super) mod at {
    use super::LEAF_BYTES;

    pub(in crate::vectors) const STATUS: usize = 32;
    pub(in crate::vectors) const EXPONENT: usize = 33;
    pub(in crate::vectors) const LOW: usize = 50;
    pub(in crate::vectors) const HIGH: usize = 66;
    pub(in crate::vectors) const OBSERVED_AT: usize = 82;
    pub(in crate::vectors) const OBSERVERS: usize = 90;
    const _: () = assert!(OBSERVERS + 2 == LEAF_BYTES);
}

/// The statement without its magic.
fn tail(statement: &Statement) -> Vec<u8> {
    statement.to_bytes()[16..].to_vec()
}
