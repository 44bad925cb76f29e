//! The price update: the bytes that every consumer verifies (`docs/attestation.md`).
//!
//! `version u8 = 1 | suite u8 | statement without its first 16 bytes (118) | signature (64 or 96) | count u8 >= 1 | count *
//! (leaf (92) | leaf_index u16 | path_len u8 | path_len * 32)`, big-endian, leaf indices strictly ascending, nothing behind.

use crate::{
    Error, Hash, Sha256,
    bytes::{Reader, equal},
    leaf::Leaf,
    merkle,
};

/// The suite of Ed25519, the one that this program checks.
pub const SUITE_ED25519: u8 = 1;
/// The suite for contracts on an EVM, whose signature has 96 bytes. It is known, and refused.
pub const SUITE_SECP256K1_KECCAK: u8 = 2;
/// The first bytes of every statement.
pub const STATEMENT_MAGIC: &[u8; 16] = b"touchstone/att/1";
const VERSION: u8 = 1;
const TAIL_BYTES: usize = 118;

/// What the group signs once per round.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Statement<'a> {
    /// The statement without its first 16 bytes, as the update carries it.
    pub tail: &'a [u8; TAIL_BYTES],
    /// The network.
    pub network: &'a [u8; 32],
    /// Which manifest is in force.
    pub epoch: u32,
    /// The round.
    pub round: u64,
    /// Lower median of the contributors' clocks, in Unix milliseconds.
    pub timestamp_ms: u64,
    /// Number of leaves under `feeds_root`.
    pub feed_count: u16,
    /// Root of the tree of leaves.
    pub feeds_root: &'a Hash,
}

impl<'a> Statement<'a> {
    #[inline(always)]
    fn read(reader: &mut Reader<'a>) -> Result<Self, Error> {
        let tail = reader.array()?;
        let mut fields = Reader::new(tail);
        Ok(Self {
            tail,
            network: fields.array()?,
            epoch: u32::from_be_bytes(*fields.array()?),
            round: u64::from_be_bytes(*fields.array()?),
            timestamp_ms: u64::from_be_bytes(*fields.array()?),
            feed_count: fields.u16()?,
            feeds_root: fields.array()?,
        })
    }

    /// SHA-256 of the 134 bytes: the message of the group's signature.
    #[inline(always)]
    pub fn digest(&self, sha256: &impl Sha256) -> Hash {
        sha256.hash(&[STATEMENT_MAGIC, self.tail])
    }
}

/// An update of good form. Nothing in it is known to be true before the signature and each leaf's inclusion are checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Update<'a> {
    /// What was signed.
    pub statement: Statement<'a>,
    suite: u8,
    signature: &'a [u8],
    count: u8,
    entries: &'a [u8],
}

/// One feed of an update.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry<'a> {
    /// The leaf.
    pub leaf: Leaf<'a>,
    /// Its position among the statement's leaves.
    pub index: u16,
    /// Its inclusion proof, from the leaf's sibling upwards.
    pub path: &'a [Hash],
}

impl<'a> Update<'a> {
    /// Reads an update, from the first byte to the last: what is wrong first is reported.
    ///
    /// # Errors
    /// Whatever is not exactly one update in form: [`Error::Truncated`] to [`Error::Leaf`].
    #[inline(always)]
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes);
        if reader.u8()? != VERSION {
            return Err(Error::Version);
        }
        let suite = reader.u8()?;
        let signature_bytes = match suite {
            SUITE_ED25519 => 64,
            SUITE_SECP256K1_KECCAK => 96,
            _ => return Err(Error::Suite),
        };
        let statement = Statement::read(&mut reader)?;
        let signature = reader.take(signature_bytes)?;
        let count = reader.u8()?;
        if count == 0 {
            return Err(Error::Empty);
        }
        let entries = reader.rest();
        let mut above = None;
        for _ in 0..count {
            let index = Entry::check(&mut reader, statement.feed_count)?;
            if above.is_some_and(|last| index <= last) {
                return Err(Error::Order);
            }
            above = Some(index);
        }
        if !reader.rest().is_empty() {
            return Err(Error::Trailing);
        }
        Ok(Self {
            statement,
            suite,
            signature,
            count,
            entries,
        })
    }

    /// How many entries there are, 1 to 255.
    pub fn count(&self) -> usize {
        usize::from(self.count)
    }

    /// Checks that the statement is the network's and the suite Ed25519, and returns the signature that is yet to be checked.
    ///
    /// # Errors
    /// [`Error::WrongNetwork`] before [`Error::UnsupportedSuite`].
    #[inline(always)]
    pub fn signature(&self, network: &[u8; 32]) -> Result<&'a [u8; 64], Error> {
        if !equal(self.statement.network, network) {
            return Err(Error::WrongNetwork);
        }
        match self.suite {
            SUITE_ED25519 => self
                .signature
                .try_into()
                .map_err(|_| Error::UnsupportedSuite),
            _ => Err(Error::UnsupportedSuite),
        }
    }

    /// The entries, each one checked to be under the statement's root as it is handed out.
    #[inline(always)]
    pub fn entries<'s, S: Sha256>(
        &'s self,
        sha256: &'s S,
    ) -> impl Iterator<Item = Result<Entry<'a>, Error>> + use<'s, 'a, S> {
        let Statement {
            feed_count,
            feeds_root,
            ..
        } = self.statement;
        self.unproved().map(move |entry| {
            let entry = entry?;
            let Entry { leaf, index, path } = entry;
            match merkle::verify(leaf.bytes, index, feed_count, path, feeds_root, sha256) {
                true => Ok(entry),
                false => Err(Error::Inclusion),
            }
        })
    }

    /// The padded names of the feeds that the update is about, in the order of its entries: whose price accounts to pass.
    pub fn feeds(&self) -> impl Iterator<Item = &'a [u8; 32]> + use<'a> {
        self.unproved()
            .filter_map(|entry| Some(entry.ok()?.leaf.feed))
    }

    #[inline(always)]
    fn unproved(&self) -> impl Iterator<Item = Result<Entry<'a>, Error>> + use<'a> {
        let mut reader = Reader::new(self.entries);
        (0..self.count).map(move |_| Entry::checked(&mut reader))
    }
}

impl<'a> Entry<'a> {
    /// Takes an entry off the front and checks its form; returns its index.
    #[inline(always)]
    fn check(reader: &mut Reader<'a>, feed_count: u16) -> Result<u16, Error> {
        Leaf::check(reader)?;
        let index = reader.u16()?;
        let len = usize::from(reader.u8()?);
        if merkle::path_len(index, feed_count).ok_or(Error::Index)? != len {
            return Err(Error::PathLength);
        }
        reader.take(path_bytes(len))?;
        Ok(index)
    }

    /// Takes an entry off the front whose form was checked.
    #[inline(always)]
    fn checked(reader: &mut Reader<'a>) -> Result<Self, Error> {
        let leaf = Leaf::checked(reader.array()?)?;
        let index = reader.u16()?;
        let len = usize::from(reader.u8()?);
        let (path, _) = reader.take(path_bytes(len))?.as_chunks();
        Ok(Self { leaf, index, path })
    }
}

/// Length of a path of so many hashes, which a byte has counted.
fn path_bytes(len: usize) -> usize {
    len.wrapping_mul(32)
}
