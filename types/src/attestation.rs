//! A whole signed round, as nodes hand it to each other and to aggregators.

use alloc::vec::Vec;

use thiserror::Error;

use crate::{
    DecodeError, Digest, HEADER_BYTES, Header, LEAF_BYTES, Leaf, MemberSignature, MessageKind,
    Observation, PriceUpdate, Reader, Round, Statement, Suite, UpdateEntry, merkle, sha256,
};

const VERSION: u8 = 1;
const OBSERVATION_BYTES_MIN: usize = HEADER_BYTES + 64 + 4;

/// A member's observation with the signature over its header.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedObservation {
    /// The signed header.
    pub header: Header,
    /// The member's signature over it.
    pub signature: MemberSignature,
    /// The canonical bytes of the observation, whose hash the header holds.
    pub body: Vec<u8>,
}

/// A statement with its group signatures, all leaves and, where it is handed on to be recomputed, the contributors'
/// observations.
///
/// `version u8 = 1 | statement without magic (118) | signatures u8 | signatures x (suite u8 | signature) | leaves u16 |
/// leaves x 92 | observations u16 | observations x (header (81) | signature (64) | length u32 | body)`. Decoding checks that
/// leaves and observations are those that the statement's roots commit to; signatures are checked elsewhere.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attestation {
    /// What the group signed.
    pub statement: Statement,
    /// The signatures, strictly ascending by suite, at least one.
    pub signatures: Vec<(Suite, Vec<u8>)>,
    /// One leaf for each feed.
    pub leaves: Vec<Leaf>,
    /// The contributors' observations in member order, or none at all.
    pub observations: Vec<SignedObservation>,
}

/// Why bytes are no attestation.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum AttestationError {
    /// The form is wrong.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// Another version byte.
    #[error("attestation version {0}: this reader knows version {VERSION} only")]
    Version(u8),
    /// No signature, an unknown suite, or suites out of order.
    #[error("signatures must be of known suites, at least one, strictly ascending")]
    Suites,
    /// The leaves are not those of the statement.
    #[error("the leaves are not those that the statement's feeds_root commits to")]
    Leaves,
    /// The observations are not those of the statement.
    #[error("the observations are not those that the statement's observations_root commits to")]
    Observations,
}

impl Attestation {
    /// The binary form.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::from([VERSION]);
        out.extend_from_slice(&self.statement.tail());
        out.push(u8::try_from(self.signatures.len()).unwrap_or(u8::MAX));
        for (suite, signature) in &self.signatures {
            out.push(suite.byte());
            out.extend_from_slice(signature);
        }
        let count = |len: usize| u16::try_from(len).unwrap_or(u16::MAX).to_be_bytes();
        out.extend_from_slice(&count(self.leaves.len()));
        for leaf in &self.leaves {
            out.extend_from_slice(&leaf.to_bytes());
        }
        out.extend_from_slice(&count(self.observations.len()));
        for observation in &self.observations {
            out.extend_from_slice(&observation.header.to_bytes());
            out.extend_from_slice(&observation.signature.0);
            let len = u32::try_from(observation.body.len()).unwrap_or(u32::MAX);
            out.extend_from_slice(&len.to_be_bytes());
            out.extend_from_slice(&observation.body);
        }
        out
    }

    /// Reads the binary form; nothing may follow it.
    ///
    /// # Errors
    /// A wrong form, or leaves or observations that the statement does not commit to.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, AttestationError> {
        let mut reader = Reader::new(bytes);
        let version = reader.u8("version")?;
        if version != VERSION {
            return Err(AttestationError::Version(version));
        }
        let statement = Statement::read_tail(&mut reader)?;
        let signatures = read_signatures(&mut reader)?;
        let count = usize::from(reader.u16("leaf count")?);
        let mut leaves = Vec::with_capacity(count.min(reader.remaining() / LEAF_BYTES));
        for _ in 0..count {
            leaves.push(Leaf::read(&mut reader)?);
        }
        let count = usize::from(reader.u16("observation count")?);
        let mut observations =
            Vec::with_capacity(count.min(reader.remaining() / OBSERVATION_BYTES_MIN));
        for _ in 0..count {
            observations.push(SignedObservation::read(&mut reader)?);
        }
        reader.finish()?;
        let attestation = Self {
            statement,
            signatures,
            leaves,
            observations,
        };
        attestation.check_roots()?;
        Ok(attestation)
    }

    /// Checks that leaves and observations are those that the statement commits to.
    ///
    /// # Errors
    /// They are not.
    pub fn check_roots(&self) -> Result<(), AttestationError> {
        let ascending = self
            .leaves
            .windows(2)
            .all(|w| matches!(w, [a, b] if a.feed < b.feed));
        if !ascending
            || self.leaves.is_empty()
            || self.leaves.len() != usize::from(self.statement.feed_count)
            || merkle::root(&self.leaf_hashes()) != self.statement.feeds_root
        {
            return Err(AttestationError::Leaves);
        }
        if self.observations.is_empty() {
            return Ok(());
        }
        let tag = Header::tag(self.statement.network, self.statement.epoch);
        let ascending = self
            .observations
            .windows(2)
            .all(|w| matches!(w, [a, b] if a.header.member < b.header.member));
        let belongs = |o: &SignedObservation| {
            o.header.kind == MessageKind::Obs
                && o.header.tag == tag
                && o.header.round == self.statement.round
                && o.header.body_hash == sha256(&[&o.body])
                && Observation::from_bytes(&o.body).is_ok()
        };
        let hashes: Vec<Digest> = self
            .observations
            .iter()
            .map(SignedObservation::leaf_hash)
            .collect();
        if !ascending
            || !self.observations.iter().all(belongs)
            || merkle::root(&hashes) != self.statement.observations_root
        {
            return Err(AttestationError::Observations);
        }
        Ok(())
    }

    /// The round.
    pub fn round(&self) -> Round {
        self.statement.round
    }

    /// The signature of a suite.
    pub fn signature(&self, suite: Suite) -> Option<&[u8]> {
        self.signatures
            .iter()
            .find(|(s, _)| *s == suite)
            .map(|(_, bytes)| bytes.as_slice())
    }

    /// A price update of the leaves at these indices under the signature of one suite; `None` if the suite or a leaf is
    /// missing, no index is given, or more than 255 are.
    pub fn update(&self, suite: Suite, indices: &[u16]) -> Option<PriceUpdate> {
        let mut sorted = indices.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        if sorted.is_empty() || sorted.len() > usize::from(u8::MAX) {
            return None;
        }
        let hashes = self.leaf_hashes();
        let entry = |index: u16| {
            Some(UpdateEntry {
                leaf: *self.leaves.get(usize::from(index))?,
                index,
                path: merkle::path(&hashes, usize::from(index))?,
            })
        };
        Some(PriceUpdate {
            suite,
            statement: self.statement,
            signature: self.signature(suite)?.to_vec(),
            entries: sorted.into_iter().map(entry).collect::<Option<Vec<_>>>()?,
        })
    }

    fn leaf_hashes(&self) -> Vec<Digest> {
        self.leaves
            .iter()
            .map(|l| merkle::leaf_hash(&l.to_bytes()))
            .collect()
    }
}

fn read_signatures(reader: &mut Reader<'_>) -> Result<Vec<(Suite, Vec<u8>)>, AttestationError> {
    let count = reader.u8("signature count")?;
    let mut signatures: Vec<(Suite, Vec<u8>)> = Vec::new();
    for _ in 0..count {
        let suite = Suite::from_byte(reader.u8("suite")?)
            .filter(|s| signatures.last().is_none_or(|(last, _)| last < s))
            .ok_or(AttestationError::Suites)?;
        let bytes = reader.take(suite.signature_bytes(), "signature")?;
        signatures.push((suite, bytes.to_vec()));
    }
    if signatures.is_empty() {
        return Err(AttestationError::Suites);
    }
    Ok(signatures)
}

impl SignedObservation {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let header = Header::read(reader)?;
        let signature = MemberSignature(reader.array("observation signature")?);
        let len = usize::try_from(reader.u32("observation length")?).unwrap_or(usize::MAX);
        let body = reader.take(len, "observation body")?.to_vec();
        Ok(Self {
            header,
            signature,
            body,
        })
    }

    /// Hash of `header || body` as a leaf of the statement's observations tree.
    pub fn leaf_hash(&self) -> Digest {
        sha256(&[&[0], &self.header.to_bytes(), &self.body])
    }
}
