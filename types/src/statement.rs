//! What the group signs once per round.

use crate::{DecodeError, Digest, Epoch, NetworkId, Reader, Round, bytes::concat, sha256};

/// Length of a [`Statement`] in bytes.
pub const STATEMENT_BYTES: usize = 134;
/// The first sixteen bytes of every statement.
pub const STATEMENT_MAGIC: &[u8; 16] = b"touchstone/att/1";
const TAIL_BYTES: usize = STATEMENT_BYTES - 16;

/// A round's statement: 134 bytes, big-endian, `magic (16) | network_id (32) | epoch u32 | round u64 | timestamp_ms u64 |
/// feed_count u16 | feeds_root (32) | observations_root (32)`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Statement {
    /// The network.
    pub network: NetworkId,
    /// Which manifest is in force.
    pub epoch: Epoch,
    /// The round.
    pub round: Round,
    /// Lower median of the contributors' clocks, Unix milliseconds.
    pub timestamp_ms: u64,
    /// Number of leaves under `feeds_root`.
    pub feed_count: u16,
    /// Root of the tree of leaves.
    pub feeds_root: Digest,
    /// Root of the tree of contributors' observations.
    pub observations_root: Digest,
}

impl Statement {
    /// The 134 bytes.
    pub fn to_bytes(&self) -> [u8; STATEMENT_BYTES] {
        concat(&[STATEMENT_MAGIC, &self.tail()])
    }

    /// The bytes behind the magic, as a price update carries them.
    pub(crate) fn tail(&self) -> [u8; TAIL_BYTES] {
        concat(&[
            &self.network.0.0,
            &self.epoch.0.to_be_bytes(),
            &self.round.0.to_be_bytes(),
            &self.timestamp_ms.to_be_bytes(),
            &self.feed_count.to_be_bytes(),
            &self.feeds_root.0,
            &self.observations_root.0,
        ])
    }

    /// Reads the 134 bytes.
    ///
    /// # Errors
    /// Any other length or magic.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        if reader.array("statement magic")? != *STATEMENT_MAGIC {
            return Err(DecodeError::Invalid {
                field: "statement magic",
                reason: "must be touchstone/att/1",
            });
        }
        let statement = Self::read_tail(&mut reader)?;
        reader.finish()?;
        Ok(statement)
    }

    pub(crate) fn read_tail(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            network: NetworkId(Digest(reader.array("network_id")?)),
            epoch: Epoch(reader.u32("epoch")?),
            round: Round(reader.u64("round")?),
            timestamp_ms: reader.u64("timestamp_ms")?,
            feed_count: reader.u16("feed_count")?,
            feeds_root: Digest(reader.array("feeds_root")?),
            observations_root: Digest(reader.array("observations_root")?),
        })
    }

    /// SHA-256 of the 134 bytes: the message that FROST signs, in every suite.
    pub fn digest(&self) -> Digest {
        sha256(&[&self.to_bytes()])
    }
}
