//! What members say during a key generation, and its bytes: `kind u8 | content`, integers big-endian.

use touchstone_crypto::{DkgEnvelope, SignatureShare, dkg};
use touchstone_types::{
    DecodeError, Digest, MemberSignature, NonceCommitments, Reader, SUITES, Suite,
};

/// The longest message: an envelope with its kind.
pub(crate) const FRAME_BYTES_MAX: usize = 1 + dkg::DKG_BODY_MAX + dkg::DKG_ENVELOPE_OVERHEAD;

const HELLO: u8 = 1;
const ENVELOPE: u8 = 2;
const ENDORSE: u8 = 3;
const SHARES: u8 = 4;
const STAGED: u8 = 5;
const DONE: u8 = 6;

/// One message. The link says who sent it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Said {
    /// The sender's process runs with this manifest and drew this number.
    Hello { manifest: Digest, number: [u8; 32] },
    /// A step of the key generation; the envelope names its session.
    Envelope(DkgEnvelope),
    /// The sender's signature on the epoch record, and one pair of nonce commitments for each suite.
    Endorse {
        session: Digest,
        signature: MemberSignature,
        nonces: Vec<NonceCommitments>,
    },
    /// The sender's share of the group's signature on the epoch record, one for each suite.
    Shares {
        session: Digest,
        shares: Vec<SignatureShare>,
    },
    /// The sender holds this `network.json` on its disk.
    Staged { session: Digest, pin: Digest },
    /// The sender has finished.
    Done,
}

impl Said {
    /// The session that it belongs to.
    pub(crate) fn session(&self) -> Option<Digest> {
        match self {
            Self::Envelope(envelope) => Some(envelope.session),
            Self::Endorse { session, .. }
            | Self::Shares { session, .. }
            | Self::Staged { session, .. } => Some(*session),
            Self::Hello { .. } | Self::Done => None,
        }
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Self::Hello { manifest, number } => {
                out.push(HELLO);
                out.extend_from_slice(&manifest.0);
                out.extend_from_slice(number);
            }
            Self::Envelope(envelope) => {
                out.push(ENVELOPE);
                out.extend_from_slice(&envelope.to_bytes());
            }
            Self::Endorse {
                session,
                signature,
                nonces,
            } => {
                out.push(ENDORSE);
                out.extend_from_slice(&session.0);
                out.extend_from_slice(&signature.0);
                out.push(count(nonces.len()));
                for nonce in nonces {
                    out.push(nonce.suite.byte());
                    out.extend_from_slice(&nonce.bytes);
                }
            }
            Self::Shares { session, shares } => {
                out.push(SHARES);
                out.extend_from_slice(&session.0);
                out.push(count(shares.len()));
                for share in shares {
                    out.extend_from_slice(&share.0);
                }
            }
            Self::Staged { session, pin } => {
                out.push(STAGED);
                out.extend_from_slice(&session.0);
                out.extend_from_slice(&pin.0);
            }
            Self::Done => out.push(DONE),
        }
        out
    }

    /// Reads a message; nothing may follow it.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let kind = reader.u8("kind")?;
        let said = match kind {
            HELLO => Self::Hello {
                manifest: Digest(reader.array("manifest")?),
                number: reader.array("number")?,
            },
            ENVELOPE => {
                let rest = reader.take(reader.remaining(), "envelope")?;
                Self::Envelope(DkgEnvelope::from_bytes(rest)?)
            }
            ENDORSE => Self::Endorse {
                session: Digest(reader.array("session")?),
                signature: MemberSignature(reader.array("signature")?),
                nonces: read_nonces(&mut reader)?,
            },
            SHARES => {
                let session = Digest(reader.array("session")?);
                let mut shares = Vec::new();
                for _ in 0..read_count(&mut reader)? {
                    shares.push(SignatureShare(reader.array("share")?));
                }
                Self::Shares { session, shares }
            }
            STAGED => Self::Staged {
                session: Digest(reader.array("session")?),
                pin: Digest(reader.array("pin")?),
            },
            DONE => Self::Done,
            _ => {
                return Err(DecodeError::Invalid {
                    field: "kind",
                    reason: "must be from 1 to 6",
                });
            }
        };
        reader.finish()?;
        Ok(said)
    }
}

fn count(len: usize) -> u8 {
    u8::try_from(len).unwrap_or(u8::MAX)
}

fn read_count(reader: &mut Reader<'_>) -> Result<u8, DecodeError> {
    let count = reader.u8("count")?;
    if usize::from(count) > SUITES.len() {
        return Err(DecodeError::Invalid {
            field: "count",
            reason: "must be at most the number of suites",
        });
    }
    Ok(count)
}

fn read_nonces(reader: &mut Reader<'_>) -> Result<Vec<NonceCommitments>, DecodeError> {
    let mut nonces = Vec::new();
    for _ in 0..read_count(reader)? {
        let suite = Suite::from_byte(reader.u8("suite")?);
        let suite = suite.ok_or(DecodeError::Invalid {
            field: "suite",
            reason: "unknown",
        })?;
        let bytes = reader
            .take(suite.commitments_bytes(), "commitments")?
            .to_vec();
        nonces.push(NonceCommitments { suite, bytes });
    }
    Ok(nonces)
}
