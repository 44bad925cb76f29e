//! From bytes to a [`VerifiedUpdate`].

use alloc::vec::Vec;
use core::fmt;

use thiserror::Error;
use touchstone_crypto::GroupKey;
use touchstone_types::{
    Epoch, FeedName, Leaf, NetworkId, PriceUpdate, Round, Statement, Status, Suite, UpdateError,
};

/// What a consumer pins: the network's name for ever and its group key in one or more suites.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verifier {
    network: NetworkId,
    keys: Vec<GroupKey>,
}

/// Why bytes are not a price update that the pinned network signed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum VerifyError {
    /// The form is wrong, or a leaf is not under the signed root.
    #[error(transparent)]
    Update(#[from] UpdateError),
    /// Another network's statement.
    #[error("the update is of network {got}, pinned is {pinned}")]
    WrongNetwork {
        /// The network of the update.
        got: NetworkId,
        /// The pinned one.
        pinned: NetworkId,
    },
    /// The suite is known, but no key of it is pinned.
    #[error("the update is signed with {0}, for which no group key is pinned")]
    UnsupportedSuite(Suite),
    /// The signature is not the group's.
    #[error("the {0} signature is not the pinned group key's over this statement")]
    BadSignature(Suite),
}

impl VerifyError {
    /// A stable name, the same in every client and contract.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Update(error) => error.code(),
            Self::WrongNetwork { .. } => "wrong-network",
            Self::UnsupportedSuite(_) => "unsupported-suite",
            Self::BadSignature(_) => "bad-signature",
        }
    }
}

impl Verifier {
    /// A verifier of one network. Of several keys of one suite the first counts.
    ///
    /// [`GroupKey::new`] has refused keys that are malformed, not canonical or not of prime order.
    pub fn new(network: NetworkId, keys: impl IntoIterator<Item = GroupKey>) -> Self {
        Self {
            network,
            keys: keys.into_iter().collect(),
        }
    }

    /// The pinned network.
    pub fn network(&self) -> NetworkId {
        self.network
    }

    /// The suites of the pinned keys.
    pub fn suites(&self) -> impl Iterator<Item = Suite> + '_ {
        self.keys.iter().map(GroupKey::suite)
    }

    /// Verifies a binary price update: its form, the network, the group's signature by strict rules, and the inclusion of
    /// every leaf, in this order.
    ///
    /// # Errors
    /// The first of these that fails.
    pub fn verify(&self, bytes: &[u8]) -> Result<VerifiedUpdate, VerifyError> {
        let update = PriceUpdate::from_bytes(bytes)?;
        self.verify_statement(&update.statement, update.suite, &update.signature)?;
        update.check_inclusion()?;
        Ok(VerifiedUpdate { update })
    }

    /// Verifies a bare statement: the network and the group's signature by strict rules. A statement holds no price.
    ///
    /// # Errors
    /// Another network, a suite without a pinned key, or a wrong signature.
    pub fn verify_statement(
        &self,
        statement: &Statement,
        suite: Suite,
        signature: &[u8],
    ) -> Result<(), VerifyError> {
        if statement.network != self.network {
            return Err(VerifyError::WrongNetwork {
                got: statement.network,
                pinned: self.network,
            });
        }
        let key = self
            .keys
            .iter()
            .find(|key| key.suite() == suite)
            .ok_or(VerifyError::UnsupportedSuite(suite))?;
        key.verify_statement(statement, signature)
            .map_err(|_| VerifyError::BadSignature(suite))
    }

    /// Verifies the signatures of a whole round: each one of a suite that is pinned must hold, and there must be one.
    #[cfg(any(feature = "http", feature = "members"))]
    pub(crate) fn verify_attestation(
        &self,
        attestation: &touchstone_types::Attestation,
    ) -> Result<(), VerifyError> {
        let mut verdict = Err(VerifyError::BadSignature(Suite::Ed25519));
        for (suite, signature) in &attestation.signatures {
            match self.verify_statement(&attestation.statement, *suite, signature) {
                Ok(()) => verdict = Ok(()),
                // A second suite that nobody pinned does no harm beside one that holds.
                Err(error @ VerifyError::UnsupportedSuite(_)) => verdict = verdict.or(Err(error)),
                Err(error) => return Err(error),
            }
        }
        verdict
    }
}

/// A price update that the pinned network signed.
///
/// It shows what it is about, but no number: [`VerifiedUpdate::price`] hands those out, against a stated
/// [`Policy`](crate::Policy).
#[derive(Clone, PartialEq, Eq)]
pub struct VerifiedUpdate {
    update: PriceUpdate,
}

impl VerifiedUpdate {
    /// What the group signed. It commits to prices, but holds none.
    pub fn statement(&self) -> &Statement {
        &self.update.statement
    }

    /// The suite of the signature that was checked.
    pub fn suite(&self) -> Suite {
        self.update.suite
    }

    /// The epoch.
    pub fn epoch(&self) -> Epoch {
        self.update.statement.epoch
    }

    /// The round.
    pub fn round(&self) -> Round {
        self.update.statement.round
    }

    /// The round's time in Unix milliseconds: lower median of the contributors' clocks.
    pub fn timestamp_ms(&self) -> u64 {
        self.update.statement.timestamp_ms
    }

    /// The feeds that the update holds, in the order of their leaves.
    pub fn feeds(&self) -> impl Iterator<Item = FeedName> {
        self.update.entries.iter().map(|entry| entry.leaf.feed)
    }

    /// A feed's status, if the update holds the feed.
    pub fn status(&self, feed: FeedName) -> Option<Status> {
        self.leaf(feed).map(|leaf| leaf.status)
    }

    /// The binary form, to keep or to hand on to another verifier.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.update.to_bytes()
    }

    pub(crate) fn leaf(&self, feed: FeedName) -> Option<&Leaf> {
        self.update
            .entries
            .iter()
            .map(|entry| &entry.leaf)
            .find(|leaf| leaf.feed == feed)
    }
}

impl fmt::Debug for VerifiedUpdate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedUpdate")
            .field("network", &self.update.statement.network)
            .field("epoch", &self.epoch().0)
            .field("round", &self.round().0)
            .field("timestamp_ms", &self.timestamp_ms())
            .field("suite", &self.suite())
            .field("feeds", &self.feeds().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
