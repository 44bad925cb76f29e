//! Who signs in one session, and with which nonce commitments.

use alloc::vec::Vec;

use touchstone_types::{Committee, MemberId, Suite};

use super::{
    SignError,
    curve::{Curve, Ed25519, Secp256k1},
    frost::Pair,
};

/// One member's nonce commitments, decoded. Decoding is a good part of a session's cost: do it once, on arrival.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Commitments(CommitmentsKind);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum CommitmentsKind {
    Ed25519(Pair<Ed25519>),
    Secp256k1(Pair<Secp256k1>),
}

impl Commitments {
    /// Decodes `hiding | binding`.
    ///
    /// # Errors
    /// Bytes that are not the canonical encodings of two points of the suite's curve other than the identity
    /// ([`SignError::Commitments`] with `member`).
    pub fn decode(suite: Suite, member: MemberId, bytes: &[u8]) -> Result<Self, SignError> {
        let kind = match suite {
            Suite::Ed25519 => Pair::decode(bytes).map(CommitmentsKind::Ed25519),
            Suite::Secp256k1Keccak => Pair::decode(bytes).map(CommitmentsKind::Secp256k1),
        };
        kind.map(Self).ok_or(SignError::Commitments { member })
    }

    /// The suite of the commitments.
    pub fn suite(&self) -> Suite {
        match self.0 {
            CommitmentsKind::Ed25519(_) => Suite::Ed25519,
            CommitmentsKind::Secp256k1(_) => Suite::Secp256k1Keccak,
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
    Secp256k1(Vec<(MemberId, Pair<Secp256k1>)>),
}

impl SignerSet {
    /// A set from commitments as they travel.
    ///
    /// # Errors
    /// A member that is named twice, commitments that do not decode.
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
    /// A member that is named twice, commitments of another suite ([`SignError::Commitments`]).
    pub fn from_decoded(
        suite: Suite,
        entries: &[(MemberId, Commitments)],
    ) -> Result<Self, SignError> {
        let members = ascending(entries.iter().map(|(member, _)| *member))?;
        let kind = match suite {
            Suite::Ed25519 => pairs(entries, |kind| match kind {
                CommitmentsKind::Ed25519(pair) => Some(pair),
                CommitmentsKind::Secp256k1(_) => None,
            })
            .map(SetKind::Ed25519),
            Suite::Secp256k1Keccak => pairs(entries, |kind| match kind {
                CommitmentsKind::Secp256k1(pair) => Some(pair),
                CommitmentsKind::Ed25519(_) => None,
            })
            .map(SetKind::Secp256k1),
        }?;
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
            SetKind::Secp256k1(_) => Suite::Secp256k1Keccak,
        }
    }

    pub(super) fn kind(&self) -> &SetKind {
        &self.kind
    }
}

/// The pairs of one suite in ascending order of their members; an error for a pair of another one.
fn pairs<C: Curve>(
    entries: &[(MemberId, Commitments)],
    of_suite: impl Fn(CommitmentsKind) -> Option<Pair<C>>,
) -> Result<Vec<(MemberId, Pair<C>)>, SignError> {
    let pair = |(member, commitments): &(MemberId, Commitments)| {
        let pair = of_suite(commitments.0);
        pair.map(|pair| (*member, pair))
            .ok_or(SignError::Commitments { member: *member })
    };
    let mut pairs = entries.iter().map(pair).collect::<Result<Vec<_>, _>>()?;
    pairs.sort_unstable_by_key(|(member, _)| *member);
    Ok(pairs)
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
