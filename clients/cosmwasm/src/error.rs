//! Why the contract refuses, with the codes that every verifier of Touchstone has.

use cosmwasm_std::StdError;
use thiserror::Error;
use touchstone_client::{GroupKeyError, PolicyError, VerifyError};
use touchstone_types::{FeedName, FeedNameError};

/// Why a message or a query is refused.
///
/// A chain hands a contract's error on as text only, so the text begins with the code: `too-old: round 7 is ...`.
#[derive(Debug, Error)]
pub enum ContractError {
    /// The bytes are not a price update that the pinned network signed.
    #[error("{code}: {0}", code = .0.code())]
    Verify(#[from] VerifyError),
    /// An authentic price that the caller's conditions refuse.
    #[error("{code}: {0}", code = .0.code())]
    Policy(#[from] PolicyError),
    /// No price of the feed is kept.
    #[error("no-feed: no price of {0} is kept")]
    UnknownFeed(FeedName),
    /// A text that names no feed. It is not repeated: it may be long.
    #[error("no-feed: {0}")]
    NoFeedName(#[from] FeedNameError),
    /// A group key that must not be pinned.
    #[error("bad-group-key: {0}")]
    GroupKey(#[from] GroupKeyError),
    /// No group key at all.
    #[error("no-group-key: at least one group key is needed")]
    NoGroupKey,
    /// A network id of another length.
    #[error("bad-network-id: {0} bytes, must be 32")]
    NetworkId(usize),
    /// A skew above the largest.
    #[error("bad-max-skew: {got} ms, at most {max} ms are possible")]
    MaxSkew {
        /// What was asked for, in milliseconds.
        got: u64,
        /// What is possible, in milliseconds.
        max: u64,
    },
    /// The chain knows an admin of the contract, who could exchange its code.
    #[error("has-admin: {0} could exchange the code; make the contract without an admin")]
    HasAdmin(String),
    /// Coins were sent along. The contract could never give them back.
    #[error("funds: the contract takes no coins")]
    Funds,
    /// What is kept cannot be read back: a defect, or storage of another program.
    #[error("bad-state: {0}")]
    State(&'static str),
    /// The chain's own error.
    #[error("std: {0}")]
    Std(#[from] StdError),
}

impl ContractError {
    /// The stable code, with which the error's text begins.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Verify(error) => error.code(),
            Self::Policy(error) => error.code(),
            Self::UnknownFeed(_) | Self::NoFeedName(_) => "no-feed",
            Self::GroupKey(_) => "bad-group-key",
            Self::NoGroupKey => "no-group-key",
            Self::NetworkId(_) => "bad-network-id",
            Self::MaxSkew { .. } => "bad-max-skew",
            Self::HasAdmin(_) => "has-admin",
            Self::Funds => "funds",
            Self::State(_) => "bad-state",
            Self::Std(_) => "std",
        }
    }
}
