//! The signed envelope in which everything of a key generation travels.

use alloc::vec::Vec;

use touchstone_types::{DecodeError, Digest, MemberId, MemberSignature, Reader, sha256};

/// The most bytes that a body may have; the largest real one is the Echo of 128 members, 12,288 bytes.
pub const DKG_BODY_MAX: usize = 16_384;
/// How many bytes an envelope has beside its body.
pub const DKG_ENVELOPE_OVERHEAD: usize = 106;

const VERSION: u8 = 1;
/// `to` on the wire where everybody is meant; no committee has so many members.
const EVERYBODY: u16 = u16::MAX;

/// What an envelope is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum DkgStep {
    /// Commitments, proofs of knowledge and a Diffie-Hellman key, to all.
    Commit,
    /// What was received as everybody's Commit, to all.
    Echo,
    /// The encrypted evaluations for one receiver.
    Share,
}

impl DkgStep {
    fn byte(self) -> u8 {
        match self {
            Self::Commit => 1,
            Self::Echo => 2,
            Self::Share => 3,
        }
    }

    fn from_byte(byte: u8) -> Option<Self> {
        [Self::Commit, Self::Echo, Self::Share]
            .into_iter()
            .find(|step| step.byte() == byte)
    }
}

/// One signed message of a key generation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DkgEnvelope {
    /// The run.
    pub session: Digest,
    /// Who signed it.
    pub from: MemberId,
    /// Whom it is for; none: everybody.
    pub to: Option<MemberId>,
    /// What it is for.
    pub step: DkgStep,
    /// What it says.
    pub body: Vec<u8>,
    /// The sender's signature over the hash of everything above.
    pub signature: MemberSignature,
}

impl DkgEnvelope {
    /// `version u8 = 1 | session (32) | from u16 | to u16 (65535: everybody) | step u8 | length u32 | body | signature (64)`.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.body.len().saturating_add(DKG_ENVELOPE_OVERHEAD));
        out.push(VERSION);
        out.extend_from_slice(&self.session.0);
        out.extend_from_slice(&self.from.0.to_be_bytes());
        out.extend_from_slice(&self.to.map_or(EVERYBODY, |m| m.0).to_be_bytes());
        out.push(self.step.byte());
        let length = u32::try_from(self.body.len()).unwrap_or(u32::MAX);
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(&self.body);
        out.extend_from_slice(&self.signature.0);
        out
    }

    /// Reads an envelope. Whether it is authentic is for [`super::Dkg::handle`] to say.
    ///
    /// # Errors
    /// Another version, an unknown step, a body above [`DKG_BODY_MAX`], or any other length.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let invalid = |field, reason| DecodeError::Invalid { field, reason };
        let mut reader = Reader::new(bytes);
        if reader.u8("dkg version")? != VERSION {
            return Err(invalid("dkg version", "must be 1"));
        }
        let session = Digest(reader.array("dkg session")?);
        let from = MemberId(reader.u16("dkg from")?);
        let to = Some(reader.u16("dkg to")?)
            .filter(|to| *to != EVERYBODY)
            .map(MemberId);
        let step = DkgStep::from_byte(reader.u8("dkg step")?)
            .ok_or(invalid("dkg step", "must be from 1 to 3"))?;
        let length = usize::try_from(reader.u32("dkg length")?)
            .ok()
            .filter(|length| *length <= DKG_BODY_MAX)
            .ok_or(invalid("dkg length", "must be at most 16384"))?;
        let body = reader.take(length, "dkg body")?.to_vec();
        let signature = MemberSignature(reader.array("dkg signature")?);
        reader.finish()?;
        Ok(Self {
            session,
            from,
            to,
            step,
            body,
            signature,
        })
    }

    /// SHA-256 of the body.
    pub fn body_hash(&self) -> Digest {
        sha256(&[&self.body])
    }

    /// What the sender signs.
    pub(super) fn digest(&self) -> Digest {
        self.digest_with_body(self.body_hash())
    }

    /// What the sender would have signed with another body.
    pub(super) fn digest_with_body(&self, body_hash: Digest) -> Digest {
        sha256(&[
            &self.session.0,
            &self.from.0.to_be_bytes(),
            &self.to.map_or(EVERYBODY, |m| m.0).to_be_bytes(),
            &[self.step.byte()],
            &body_hash.0,
        ])
    }
}
