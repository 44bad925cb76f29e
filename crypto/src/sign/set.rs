//! Who signs in one session, and with which nonce commitments.

use alloc::vec::Vec;

use touchstone_types::{Committee, MemberId, Suite};

use super::{SignError, curve::Ed25519, frost::Pair};

/// One member's nonce commitments, decoded. Decoding is a good part of a session's cost: do it once, on arrival.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Commitments(CommitmentsKind);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum CommitmentsKind {
    Ed25519(Pair<Ed25519>),
}

impl Commitments {
    /// Decodes `hiding | binding`.
    ///
    /// # Errors
    /// A suite that this version does not sign with, or bytes that are not the canonical encodings of two points of the
    /// suite's curve other than the identity ([`SignError::Commitments`] with `member`).
    pub fn decode(suite: Suite, member: MemberId, bytes: &[u8]) -> Result<Self, SignError> {
        match suite {
            Suite::Ed25519 => Pair::decode(bytes)
                .map(|pair| Self(CommitmentsKind::Ed25519(pair)))
                .ok_or(SignError::Commitments { member }),
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
    Ed25519(Vec<(MemberId, Pair<Ed25519>)>),
}

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
        let members = ascending(entries.iter().map(|(member, _)| *member))?;
        let kind = match suite {
            Suite::Ed25519 => {
                let pair = |(member, commitments): &(MemberId, Commitments)| match commitments.0 {
                    CommitmentsKind::Ed25519(pair) => (*member, pair),
                };
                let mut pairs: Vec<_> = entries.iter().map(pair).collect();
                pairs.sort_unstable_by_key(|(member, _)| *member);
                SetKind::Ed25519(pairs)
            }
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

/// The members in ascending order; an error if one is named twice.
fn ascending(members: impl Iterator<Item = MemberId>) -> Result<Vec<MemberId>, SignError> {
    let mut members: Vec<MemberId> = members.collect();
    members.sort_unstable();
    let twice = members.windows(2).find_map(|w| match w {
        [a, b] if a == b => Some(*a),
        _ => None,
    });
    match twice {
        Some(member) => Err(SignError::Twice { member }),
        None => Ok(members),
    }
}

/// At least a threshold of signers, all of them distinct members of the committee.
pub(super) fn check_signers(
    committee: Committee,
    members: impl Iterator<Item = MemberId>,
) -> Result<(), SignError> {
    let members = ascending(members)?;
    if let Some(member) = members.iter().find(|m| !committee.contains(**m)) {
        return Err(SignError::Unknown { member: *member });
    }
    let threshold = committee.signing_threshold();
    if members.len() < threshold {
        return Err(SignError::TooFew {
            got: members.len(),
            threshold,
        });
    }
    Ok(())
}
