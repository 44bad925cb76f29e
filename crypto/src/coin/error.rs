//! Why coins are refused.

use thiserror::Error;
use touchstone_types::MemberId;

/// Why a coin key, share or combination is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum CoinError {
    /// A number of verifying shares that is not the committee's size.
    #[error("coin key: {got} verifying shares, must be {must}, one for each member")]
    Size {
        /// How many there are.
        got: usize,
        /// How many there must be.
        must: usize,
    },
    /// The key is not a group element other than the identity.
    #[error("coin key: not a ristretto255 element other than the identity")]
    Key,
    /// A verifying share is not a group element other than the identity.
    #[error(
        "coin key: the verifying share of member {0} is not a ristretto255 element other than the identity"
    )]
    VerifyingShare(MemberId),
    /// Key and verifying shares are not of one polynomial of degree f.
    #[error("coin key: the verifying shares are not shares of the key with threshold {threshold}")]
    Inconsistent {
        /// f + 1.
        threshold: usize,
    },
    /// A secret share of the wrong form, or not the one behind the member's verifying share.
    #[error("coin key: the secret share is not that of member {0}")]
    Secret(MemberId),
    /// There is no such member.
    #[error("coin: no member {0}")]
    Member(MemberId),
    /// A member's coin share is not the right one.
    #[error("coin: the share of member {0} is not valid")]
    Share(MemberId),
    /// Too few shares of distinct members.
    #[error("coin: {got} shares of distinct members, needs {threshold}")]
    TooFew {
        /// How many there are.
        got: usize,
        /// f + 1.
        threshold: usize,
    },
}
