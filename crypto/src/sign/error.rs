//! What can go wrong in signing, and who is to blame.

use alloc::vec::Vec;

use thiserror::Error;
use touchstone_types::MemberId;

/// Why a share was not made, or is not believed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum SignError {
    /// A member's commitments are not two points in canonical encoding other than the identity.
    #[error("the nonce commitments of member {member} do not decode")]
    Commitments {
        /// The member.
        member: MemberId,
    },
    /// A member stands in the signer set twice.
    #[error("member {member} stands in the signer set twice")]
    Twice {
        /// The member.
        member: MemberId,
    },
    /// The committee has no such member, or the signer set does not name it.
    #[error("member {member} is not one of the signers")]
    Unknown {
        /// The member.
        member: MemberId,
    },
    /// Too few signers for the threshold.
    #[error("{got} signers, needs {threshold}")]
    TooFew {
        /// How many there are.
        got: usize,
        /// The signing threshold.
        threshold: usize,
    },
    /// The secret share is one of another group key than the session's.
    #[error("the share is not one of the key that this session signs with")]
    OtherKey,
    /// The signer set holds other commitments for this signer than those of the nonces it was asked to use.
    #[error("the signer set does not hold the commitments of these nonces")]
    WrongNonces,
    /// The share does not fit the member's verifying share.
    #[error("the share of member {member} is not valid")]
    Share {
        /// The member.
        member: MemberId,
    },
    /// The signers' commitments add up to the identity, which does not happen by chance.
    #[error("the signer set cannot be signed with: its commitments add up to the identity")]
    Refused,
}

/// Why shares did not give a signature.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum AggregateError {
    /// The shares given are not exactly those of the signers.
    #[error("the shares are not one of each signer")]
    Signers,
    /// The signer set cannot be signed with: too few signers, or one that the committee does not have.
    #[error(transparent)]
    Set(SignError),
    /// Shares are wrong.
    #[error("the shares of members {culprits:?} are not valid")]
    Shares {
        /// Whose, ascending.
        culprits: Vec<MemberId>,
    },
    /// Every share is right and yet the sum is no strict signature; it cannot happen with keys of a sound generation.
    #[error("the sum of valid shares is no valid signature")]
    Sum,
}

impl AggregateError {
    /// The members whose shares are wrong.
    pub fn culprits(&self) -> &[MemberId] {
        match self {
            Self::Shares { culprits } => culprits,
            _ => &[],
        }
    }
}
