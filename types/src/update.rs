//! The price update: what a consumer verifies.

use alloc::vec::Vec;

use thiserror::Error;

use crate::{DecodeError, Digest, FeedName, LEAF_BYTES, Leaf, Reader, Statement, Suite, merkle};

/// Version byte of a price update.
pub const UPDATE_VERSION: u8 = 1;
/// The longest inclusion path: a tree of 65,535 leaves.
pub const MAX_PATH: usize = 16;

/// One feed of an update.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UpdateEntry {
    /// The leaf.
    pub leaf: Leaf,
    /// Its position among the statement's leaves.
    pub index: u16,
    /// Its inclusion proof, from the leaf's sibling upwards.
    pub path: Vec<Digest>,
}

/// `version u8 | suite u8 | statement without magic (118) | signature (64 or 96) | count u8 | count x (leaf (92) | leaf_index
/// u16 | path_len u8 | path_len x 32)`, leaf indices strictly ascending.
///
/// Decoding checks the form only; [`PriceUpdate::check_inclusion`] and the signature say whether it is true.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PriceUpdate {
    /// The signature's suite.
    pub suite: Suite,
    /// What was signed.
    pub statement: Statement,
    /// The group signature, of the suite's length.
    pub signature: Vec<u8>,
    /// The feeds, 1 to 255.
    pub entries: Vec<UpdateEntry>,
}

/// Why bytes are no price update. [`UpdateError::code`] is the same in every client and contract.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum UpdateError {
    /// The input ends too early, or a field holds what it must not hold.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// Another version byte.
    #[error("version {0}: this reader knows version {UPDATE_VERSION} only")]
    Version(u8),
    /// A suite byte that is not known.
    #[error("suite {0}: known are 1 (ed25519) and 2 (secp256k1-keccak)")]
    Suite(u8),
    /// An update without an entry.
    #[error("count is 0: an update has at least one entry")]
    Empty,
    /// Leaf indices are not strictly ascending.
    #[error("leaf_index {0}: indices must be strictly ascending")]
    Order(u16),
    /// A leaf index that the statement's feed count does not have.
    #[error("leaf_index {index}: the statement has {feed_count} feeds")]
    Index {
        /// The index.
        index: u16,
        /// The statement's count.
        feed_count: u16,
    },
    /// A path of another length than index and count imply.
    #[error("path of leaf {index} has {len} hashes, must have {expected}")]
    PathLength {
        /// The leaf.
        index: u16,
        /// What it has.
        len: usize,
        /// What it must have.
        expected: usize,
    },
    /// The leaf is not under the statement's feeds root.
    #[error("{feed} (leaf {index}) is not included under feeds_root")]
    Inclusion {
        /// The feed.
        feed: FeedName,
        /// Its claimed index.
        index: u16,
    },
}

impl UpdateError {
    /// A stable name.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Decode(DecodeError::Truncated { .. }) => "truncated",
            Self::Decode(DecodeError::Trailing { .. }) => "trailing-bytes",
            Self::Decode(DecodeError::Invalid { .. }) => "invalid-leaf",
            Self::Version(_) => "unknown-version",
            Self::Suite(_) => "unknown-suite",
            Self::Empty => "no-entries",
            Self::Order(_) => "leaf-order",
            Self::Index { .. } => "leaf-index",
            Self::PathLength { .. } => "path-length",
            Self::Inclusion { .. } => "inclusion",
        }
    }
}

impl PriceUpdate {
    /// The binary form.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::from([UPDATE_VERSION, self.suite.byte()]);
        out.extend_from_slice(&self.statement.tail());
        out.extend_from_slice(&self.signature);
        let count = u8::try_from(self.entries.len()).unwrap_or(u8::MAX);
        out.push(count);
        for entry in self.entries.iter().take(usize::from(count)) {
            out.extend_from_slice(&entry.leaf.to_bytes());
            out.extend_from_slice(&entry.index.to_be_bytes());
            out.push(u8::try_from(entry.path.len()).unwrap_or(u8::MAX));
            for hash in &entry.path {
                out.extend_from_slice(&hash.0);
            }
        }
        out
    }

    /// Reads the binary form; nothing may follow it.
    ///
    /// # Errors
    /// Whatever is not exactly one update in form; see [`UpdateError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, UpdateError> {
        let mut reader = Reader::new(bytes);
        let version = reader.u8("version")?;
        if version != UPDATE_VERSION {
            return Err(UpdateError::Version(version));
        }
        let suite = reader.u8("suite")?;
        let suite = Suite::from_byte(suite).ok_or(UpdateError::Suite(suite))?;
        let statement = Statement::read_tail(&mut reader)?;
        let signature = reader.take(suite.signature_bytes(), "signature")?.to_vec();
        let count = usize::from(reader.u8("count")?);
        if count == 0 {
            return Err(UpdateError::Empty);
        }
        let mut entries = Vec::with_capacity(count.min(reader.remaining() / LEAF_BYTES));
        for _ in 0..count {
            let entry = read_entry(&mut reader, statement.feed_count)?;
            if entries
                .last()
                .is_some_and(|last: &UpdateEntry| last.index >= entry.index)
            {
                return Err(UpdateError::Order(entry.index));
            }
            entries.push(entry);
        }
        reader.finish()?;
        Ok(Self {
            suite,
            statement,
            signature,
            entries,
        })
    }

    /// Checks that every leaf stands under the statement's feeds root.
    ///
    /// # Errors
    /// The first leaf that does not.
    pub fn check_inclusion(&self) -> Result<(), UpdateError> {
        let (size, root) = (
            u64::from(self.statement.feed_count),
            self.statement.feeds_root,
        );
        for entry in &self.entries {
            let hash = merkle::leaf_hash(&entry.leaf.to_bytes());
            if !merkle::verify(hash, u64::from(entry.index), size, &entry.path, root) {
                return Err(UpdateError::Inclusion {
                    feed: entry.leaf.feed,
                    index: entry.index,
                });
            }
        }
        Ok(())
    }
}

fn read_entry(reader: &mut Reader<'_>, feed_count: u16) -> Result<UpdateEntry, UpdateError> {
    let leaf = Leaf::read(reader)?;
    let index = reader.u16("leaf_index")?;
    let len = usize::from(reader.u8("path_len")?);
    let expected = merkle::path_len(u64::from(index), u64::from(feed_count))
        .ok_or(UpdateError::Index { index, feed_count })?;
    if len != expected {
        return Err(UpdateError::PathLength {
            index,
            len,
            expected,
        });
    }
    let mut path = Vec::with_capacity(len);
    for _ in 0..len {
        path.push(Digest(reader.array("path")?));
    }
    Ok(UpdateEntry { leaf, index, path })
}
