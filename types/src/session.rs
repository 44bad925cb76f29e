//! A signing session: who signs which statement, with which nonces; and a member's answer in it.

use alloc::vec::Vec;

use crate::{
    Committee, DecodeError, Digest, MemberId, NonceCommitments, Reader, STATEMENT_BYTES, Statement,
    Suite, read_nonces, sha256, write_nonces,
};

/// The fewest bytes of a signer: its number and the count of its suites.
const SIGNER_BYTES: usize = 3;

/// One signer of a session.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SessionSigner {
    /// Who.
    pub member: MemberId,
    /// The commitments of the nonces that it signs with, one pair for each suite.
    pub nonces: Vec<NonceCommitments>,
}

/// Everything that a FROST share depends on beside the signer's secrets.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SigningSession {
    /// What is signed.
    pub statement: Statement,
    /// Who signs, in ascending order of member.
    pub signers: Vec<SessionSigner>,
}

impl SigningSession {
    /// The session's name, which every share in it is made for: `SHA-256("touchstone/ses/1", bytes)`.
    pub fn digest(&self) -> Digest {
        sha256(&[b"touchstone/ses/1", &self.to_bytes()])
    }

    /// `statement (134) | count u16 | count x (member u16 | suites u8 | suites x (suite u8 | nonce commitments))`.
    pub fn to_bytes(&self) -> Vec<u8> {
        let each = self.signers.len().saturating_mul(80);
        let mut out = Vec::with_capacity(STATEMENT_BYTES.saturating_add(2).saturating_add(each));
        out.extend_from_slice(&self.statement.to_bytes());
        let count = u16::try_from(self.signers.len()).unwrap_or(u16::MAX);
        out.extend_from_slice(&count.to_be_bytes());
        for signer in self.signers.iter().take(usize::from(count)) {
            out.extend_from_slice(&signer.member.0.to_be_bytes());
            write_nonces(&signer.nonces, &mut out);
        }
        out
    }

    /// Reads what [`SigningSession::to_bytes`] wrote.
    ///
    /// # Errors
    /// Bytes that end early or are no session.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let statement = Statement::from_bytes(reader.take(STATEMENT_BYTES, "session statement")?)?;
        let count = usize::from(reader.u16("session signers")?);
        let mut signers = Vec::with_capacity(count.min(reader.remaining() / SIGNER_BYTES));
        for _ in 0..count {
            let member = MemberId(reader.u16("session signer")?);
            let nonces = read_nonces(reader)?;
            signers.push(SessionSigner { member, nonces });
        }
        Ok(Self { statement, signers })
    }

    /// Whether exactly as many members of the committee sign as must, in strictly ascending order.
    pub fn well_formed(&self, committee: Committee) -> bool {
        let s = &self.signers;
        let ascending = s
            .windows(2)
            .all(|w| matches!(w, [a, b] if a.member < b.member));
        ascending
            && s.len() == committee.signing_threshold()
            && s.last().is_some_and(|last| committee.contains(last.member))
    }

    /// The signer's place in the session.
    pub fn signer(&self, member: MemberId) -> Option<&SessionSigner> {
        let at = self.signers.binary_search_by(|s| s.member.cmp(&member));
        at.ok().and_then(|at| self.signers.get(at))
    }
}

/// A member's shares of the group signature, one for each suite, with the session that they are made for. The bodies of
/// COMMIT and SHARE begin with it, so that whoever sees the signed body can check the shares.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SessionShare {
    /// [`SigningSession::digest`].
    pub session: Digest,
    /// The shares in ascending order of suite.
    pub shares: Vec<(Suite, Vec<u8>)>,
}

impl SessionShare {
    /// `1 | session (32) | suites u8 | suites x (suite u8 | length u8 | share)`, or `0` where there is none.
    pub fn write_option(share: Option<&Self>, out: &mut Vec<u8>) {
        let Some(Self { session, shares }) = share else {
            out.push(0);
            return;
        };
        out.push(1);
        out.extend_from_slice(&session.0);
        out.push(u8::try_from(shares.len()).unwrap_or(u8::MAX));
        for (suite, share) in shares.iter().take(usize::from(u8::MAX)) {
            out.push(suite.byte());
            out.push(u8::try_from(share.len()).unwrap_or(u8::MAX));
            out.extend_from_slice(share);
        }
    }

    /// Reads what [`SessionShare::write_option`] wrote.
    ///
    /// # Errors
    /// Bytes that end early, an unknown suite, or suites that are not strictly ascending.
    pub fn read_option(reader: &mut Reader<'_>) -> Result<Option<Self>, DecodeError> {
        match reader.u8("share present")? {
            0 => return Ok(None),
            1 => {}
            _ => {
                return Err(DecodeError::Invalid {
                    field: "share present",
                    reason: "must be 0 or 1",
                });
            }
        }
        let session = Digest(reader.array("share session")?);
        let count = reader.u8("share suites")?;
        let mut shares: Vec<(Suite, Vec<u8>)> = Vec::new();
        for _ in 0..count {
            let suite = Suite::from_byte(reader.u8("share suite")?)
                .filter(|s| shares.last().is_none_or(|(last, _)| last < s))
                .ok_or(DecodeError::Invalid {
                    field: "share suite",
                    reason: "must be known and strictly ascending",
                })?;
            let len = usize::from(reader.u8("share length")?);
            shares.push((suite, reader.take(len, "share")?.to_vec()));
        }
        Ok(Some(Self { session, shares }))
    }

    /// The share of one suite.
    pub fn of(&self, suite: Suite) -> Option<&[u8]> {
        let found = self.shares.iter().find(|(s, _)| *s == suite);
        found.map(|(_, share)| share.as_slice())
    }
}
