//! Portable evidence: what proves a member's misbehaviour to somebody who was not there.

use alloc::vec::Vec;

use thiserror::Error;

use crate::{
    DecodeError, Digest, HEADER_BYTES, Header, MemberId, MemberSignature, MessageKind, Reader,
    Round, SessionShare, SigningSession, sha256,
};

/// The first byte of all evidence.
pub const EVIDENCE_VERSION: u8 = 1;
const CONTRADICTION: u8 = 1;
const BAD_SHARE: u8 = 2;
/// The largest body of a message that carries a share, in bytes.
const SHARE_BODY_MAX: usize = 1_024;

/// A signed header, as evidence keeps it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SignedHeader {
    /// What was signed.
    pub header: Header,
    /// By the member that the header names.
    pub signature: MemberSignature,
}

impl SignedHeader {
    /// Header and signature in bytes.
    pub const BYTES: usize = HEADER_BYTES + 64;

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.header.to_bytes());
        out.extend_from_slice(&self.signature.0);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let header = Header::read(reader)?;
        let signature = MemberSignature(reader.array("header signature")?);
        Ok(Self { header, signature })
    }
}

/// What proves that one member did what no honest member does.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Evidence {
    /// The member signed two bodies for one slot (kind, round, view, instance): 292 bytes whatever was signed.
    Contradiction {
        /// One header.
        first: SignedHeader,
        /// The other.
        second: SignedHeader,
    },
    /// The member signed a share that is wrong in the very session that it names.
    BadShare {
        /// The signed COMMIT or SHARE.
        share: SignedHeader,
        /// Of a SHARE the signed body, which is the [`SessionShare`]. Of a COMMIT the value (32 bytes), and then what the signed body
        /// holds the hash of, which begins with the [`SessionShare`]; see [`commit_body`].
        body: Vec<u8>,
        /// The session.
        session: SigningSession,
    },
}

/// Why something is no evidence, whoever signed it.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum EvidenceError {
    /// The bytes are not those of evidence.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The two headers are not of one slot of one member, or say the same.
    #[error("the two headers are not two bodies of one slot of one member")]
    NoContradiction,
    /// The parts do not belong together.
    #[error("{0} does not belong to the rest of the evidence")]
    Mismatch(&'static str),
}

impl Evidence {
    /// The accused.
    pub fn member(&self) -> MemberId {
        self.header().member
    }

    /// The round.
    pub fn round(&self) -> Round {
        self.header().round
    }

    /// The first signed header of the accused.
    pub fn header(&self) -> &Header {
        match self {
            Self::Contradiction { first, .. } => &first.header,
            Self::BadShare { share, .. } => &share.header,
        }
    }

    /// A short name of the kind of misbehaviour, for labels and file names.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Contradiction { .. } => "contradiction",
            Self::BadShare { .. } => "bad_share",
        }
    }

    /// The evidence's name: `SHA-256("touchstone/evi/1", bytes)`.
    pub fn id(&self) -> Digest {
        sha256(&[b"touchstone/evi/1", &self.to_bytes()])
    }

    /// `version u8 | 1 | header (81) | signature (64) | header (81) | signature (64)` for a contradiction, the smaller body hash
    /// first; `version u8 | 2 | header (81) | signature (64) | body length u16 | body | session` for a wrong share.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::from([EVIDENCE_VERSION]);
        match self {
            Self::Contradiction { first, second } => {
                out.push(CONTRADICTION);
                let swap = first.header.body_hash.0 > second.header.body_hash.0;
                let (a, b) = if swap {
                    (second, first)
                } else {
                    (first, second)
                };
                a.write(&mut out);
                b.write(&mut out);
            }
            Self::BadShare {
                share,
                body,
                session,
            } => {
                out.push(BAD_SHARE);
                share.write(&mut out);
                let len = u16::try_from(body.len()).unwrap_or(u16::MAX);
                out.extend_from_slice(&len.to_be_bytes());
                out.extend(body.iter().take(usize::from(len)));
                out.extend_from_slice(&session.to_bytes());
            }
        }
        out
    }

    /// Reads evidence and checks everything about it that needs no key: see [`Evidence::check_form`].
    ///
    /// # Errors
    /// Bytes that are none, or parts that do not belong together.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EvidenceError> {
        let mut reader = Reader::new(bytes);
        if reader.u8("evidence version")? != EVIDENCE_VERSION {
            return Err(invalid("evidence version", "must be 1").into());
        }
        let evidence = match reader.u8("evidence kind")? {
            CONTRADICTION => Self::Contradiction {
                first: SignedHeader::read(&mut reader)?,
                second: SignedHeader::read(&mut reader)?,
            },
            BAD_SHARE => {
                let share = SignedHeader::read(&mut reader)?;
                let len = usize::from(reader.u16("evidence body length")?);
                if len > SHARE_BODY_MAX {
                    return Err(invalid("evidence body length", "must be at most 1024").into());
                }
                let body = reader.take(len, "evidence body")?.to_vec();
                let session = SigningSession::read(&mut reader)?;
                Self::BadShare {
                    share,
                    body,
                    session,
                }
            }
            _ => return Err(invalid("evidence kind", "must be 1 or 2").into()),
        };
        reader.finish()?;
        evidence.check_form()?;
        if let Self::Contradiction { first, second } = &evidence
            && first.header.body_hash.0 > second.header.body_hash.0
        {
            // One contradiction has one form, hence one name.
            return Err(invalid("evidence order", "must have the smaller body hash first").into());
        }
        Ok(evidence)
    }

    /// Whether the parts belong together: then the accused is guilty if the signatures are its own and, for a share, if the share
    /// fails its check in the session.
    ///
    /// # Errors
    /// What does not fit.
    pub fn check_form(&self) -> Result<(), EvidenceError> {
        match self {
            Self::Contradiction { first, second } => {
                let (a, b) = (&first.header, &second.header);
                let same_slot = Header {
                    body_hash: b.body_hash,
                    ..*a
                } == *b;
                if same_slot && a.body_hash != b.body_hash {
                    Ok(())
                } else {
                    Err(EvidenceError::NoContradiction)
                }
            }
            Self::BadShare { session, .. } => {
                let (header, given) = (self.header(), self.share()?);
                let statement = &session.statement;
                let tag = Header::tag(statement.network, statement.epoch);
                if given.session != session.digest() {
                    return Err(EvidenceError::Mismatch("the session"));
                }
                if statement.round != header.round || tag != header.tag {
                    return Err(EvidenceError::Mismatch("the statement"));
                }
                if session.signer(header.member).is_none() {
                    return Err(EvidenceError::Mismatch("the signer"));
                }
                Ok(())
            }
        }
    }

    /// The share that a [`Evidence::BadShare`] is about.
    ///
    /// # Errors
    /// The evidence is of another kind, the header is of a message without a share, or it is not about this body.
    pub fn share(&self) -> Result<SessionShare, EvidenceError> {
        let Self::BadShare { share, body, .. } = self else {
            return Err(EvidenceError::Mismatch("a share"));
        };
        let (signed, given) = match (share.header.kind, body.split_first_chunk::<32>()) {
            (MessageKind::Share, _) => (sha256(&[body]), body.as_slice()),
            (MessageKind::Commit, Some((value, extra))) => {
                (sha256(&[&commit_body(&Digest(*value), extra)]), extra)
            }
            _ => return Err(EvidenceError::Mismatch("the body")),
        };
        if share.header.body_hash != signed {
            return Err(EvidenceError::Mismatch("the body"));
        }
        SessionShare::read_option(&mut Reader::new(given))?
            .ok_or(EvidenceError::Mismatch("a body without a share"))
    }
}

/// The signed body of a COMMIT, `value (32) | SHA-256(extra)`: a quorum of them is shown without the shares and nonces in `extra`.
pub fn commit_body(value: &Digest, extra: &[u8]) -> [u8; 64] {
    let mut body = [0; 64];
    let bytes = value.0.into_iter().chain(sha256(&[extra]).0);
    for (slot, byte) in body.iter_mut().zip(bytes) {
        *slot = byte;
    }
    body
}

fn invalid(field: &'static str, reason: &'static str) -> DecodeError {
    DecodeError::Invalid { field, reason }
}
