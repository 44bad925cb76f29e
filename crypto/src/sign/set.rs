//! Who signs in one session, and with which nonce commitments.

use alloc::{collections::BTreeMap, vec::Vec};

use frost_core::round1::SigningCommitments;
use frost_ed25519::Ed25519Sha512;
use touchstone_types::{MemberId, Suite};

use super::SignError;
use crate::suite;

/// One member's nonce commitments, decoded. Decoding costs more than signing: do it once, on arrival.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Commitments(CommitmentsKind);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum CommitmentsKind {
    Ed25519(SigningCommitments<Ed25519Sha512>),
}

impl Commitments {
    /// Decodes `hiding | binding`.
    ///
    /// # Errors
    /// A suite that this version does not sign with, or bytes that are not two elements of the suite's group other than
    /// the identity ([`SignError::Commitments`] with `member`).
    pub fn decode(suite: Suite, member: MemberId, bytes: &[u8]) -> Result<Self, SignError> {
        match suite {
            Suite::Ed25519 => suite::decode_commitments(bytes)
                .map(|c| Self(CommitmentsKind::Ed25519(c)))
                .map_err(|_| SignError::Commitments { member }),
            Suite::Secp256k1Keccak => Err(SignError::UnsupportedSuite(suite)),
        }
    }

    /// The suite of the commitments.
    pub fn suite(&self) -> Suite {
        match self.0 {
            CommitmentsKind::Ed25519(_) => Suite::Ed25519,
        }
    }
}

/// Who signs in one session, and with which commitments.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignerSet {
    members: Vec<MemberId>,
    kind: SetKind,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum SetKind {
    Ed25519(CommitmentMap<Ed25519Sha512>),
}

/// Commitments by FROST's identifiers.
pub(super) type CommitmentMap<C> = BTreeMap<frost_core::Identifier<C>, SigningCommitments<C>>;

impl SignerSet {
    /// A set from commitments as they travel.
    ///
    /// # Errors
    /// A member that is named twice, commitments that do not decode, an unsupported suite.
    pub fn decode<B: AsRef<[u8]>>(
        suite: Suite,
        entries: &[(MemberId, B)],
    ) -> Result<Self, SignError> {
        let decoded = entries
            .iter()
            .map(|(member, bytes)| {
                Commitments::decode(suite, *member, bytes.as_ref()).map(|c| (*member, c))
            })
            .collect::<Result<Vec<_>, _>>()?;
        Self::from_decoded(suite, &decoded)
    }

    /// A set from commitments that were decoded before.
    ///
    /// # Errors
    /// A member that is named twice, commitments of another suite, an unsupported suite.
    pub fn from_decoded(
        suite: Suite,
        entries: &[(MemberId, Commitments)],
    ) -> Result<Self, SignError> {
        let mut members: Vec<MemberId> = entries.iter().map(|(member, _)| *member).collect();
        members.sort_unstable();
        if let Some(twice) = members.windows(2).find_map(|w| match w {
            [a, b] if a == b => Some(*a),
            _ => None,
        }) {
            return Err(SignError::Twice { member: twice });
        }
        let kind = match suite {
            Suite::Ed25519 => SetKind::Ed25519(
                entries
                    .iter()
                    .map(|(member, Commitments(CommitmentsKind::Ed25519(c)))| {
                        let id = suite::identifier(*member)
                            .map_err(|_| SignError::Unknown { member: *member })?;
                        Ok((id, *c))
                    })
                    .collect::<Result<_, SignError>>()?,
            ),
            Suite::Secp256k1Keccak => return Err(SignError::UnsupportedSuite(suite)),
        };
        Ok(Self { members, kind })
    }

    /// The signers, in ascending order.
    pub fn members(&self) -> &[MemberId] {
        &self.members
    }

    /// The suite of the commitments.
    pub fn suite(&self) -> Suite {
        match self.kind {
            SetKind::Ed25519(_) => Suite::Ed25519,
        }
    }

    pub(super) fn kind(&self) -> &SetKind {
        &self.kind
    }
}
