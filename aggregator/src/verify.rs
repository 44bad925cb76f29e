//! The one door through which an attestation comes in.

use thiserror::Error;
use touchstone_crypto::{
    Check, GroupSignatureError, IdentityPublic, Unverified, Verified,
    identity::verify_headers_batch,
};
use touchstone_types::{
    Attestation, AttestationError, Epoch, FeedName, Header, MemberId, MemberSignature, NetworkId,
};

use crate::network::{EpochInfo, Network};

/// Why an attestation is not believed. Whoever handed it over is at fault: an honest node checks the same.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum Refusal {
    /// It is larger than an attestation can be.
    #[error("{bytes} bytes: an attestation has at most {max}")]
    Size {
        /// Its length.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// The bytes are no attestation, or its leaves or observations are not those that the statement commits to.
    #[error(transparent)]
    Form(#[from] AttestationError),
    /// The statement is another network's.
    #[error("network_id {got}: this aggregator serves {expected}")]
    Network {
        /// What the statement says.
        got: NetworkId,
        /// The pinned one.
        expected: NetworkId,
    },
    /// The pin does not have the epoch.
    #[error("epoch {0}: the network file does not have it")]
    Epoch(Epoch),
    /// Round or timestamp is beyond what can be stored.
    #[error("{0}: beyond 2^63")]
    Number(&'static str),
    /// The signatures are not exactly those of the network's suites.
    #[error("it must have one signature for each of the network's suites")]
    Suites,
    /// A group signature is wrong.
    #[error(transparent)]
    Signature(#[from] GroupSignatureError),
    /// The leaves are not the manifest's feeds.
    #[error("its leaves are not the feeds of epoch {0}")]
    Feeds(Epoch),
    /// A leaf's exponent is not the manifest's.
    #[error("{feed}: exponent {got}, must be {expected}")]
    Exponent {
        /// The feed.
        feed: FeedName,
        /// What the leaf says.
        got: i8,
        /// What the manifest says.
        expected: i8,
    },
    /// Too few contributors, or one who is not of the committee.
    #[error("its observations are not those of a quorum of the committee")]
    Contributors,
    /// An observation that its member did not sign.
    #[error("the observation of member {0} does not have its signature")]
    Observation(MemberId),
}

impl Refusal {
    /// A stable name for metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Size { .. } => "size",
            Self::Form(AttestationError::Leaves) => "altered-leaf",
            Self::Form(AttestationError::Observations) => "altered-observation",
            Self::Form(_) => "malformed",
            Self::Network { .. } => "other-network",
            Self::Epoch(_) => "unknown-epoch",
            Self::Number(_) => "number",
            Self::Suites => "suites",
            Self::Signature(_) => "signature",
            Self::Feeds(_) => "feeds",
            Self::Exponent { .. } => "exponent",
            Self::Contributors => "contributors",
            Self::Observation(_) => "observation-signature",
        }
    }
}

/// The largest attestation that is looked at, in bytes: 1,000 feeds seen by 128 members.
pub const ATTESTATION_BYTES_MAX: usize = 4 << 20;

/// Decodes an attestation and checks everything about it that can be checked with the pin.
///
/// # Errors
/// The first thing that is wrong; see [`Refusal`].
pub fn verify(network: &Network, bytes: &[u8]) -> Result<Verified<Attestation>, Refusal> {
    if bytes.len() > ATTESTATION_BYTES_MAX {
        return Err(Refusal::Size {
            bytes: bytes.len(),
            max: ATTESTATION_BYTES_MAX,
        });
    }
    let attestation = Attestation::from_bytes(bytes)?;
    Unverified::new(attestation)
        .verify(network)
        .map_err(|(_, refusal)| refusal)
}

impl Check<Network> for Attestation {
    type Error = Refusal;

    fn check(&self, network: &Network) -> Result<(), Refusal> {
        let statement = &self.statement;
        if statement.network != network.id() {
            return Err(Refusal::Network {
                got: statement.network,
                expected: network.id(),
            });
        }
        let epoch = network
            .epoch(statement.epoch)
            .ok_or(Refusal::Epoch(statement.epoch))?;
        i64::try_from(statement.round.0).map_err(|_| Refusal::Number("round"))?;
        i64::try_from(statement.timestamp_ms).map_err(|_| Refusal::Number("timestamp_ms"))?;
        // Cheap checks of form have passed; now the signature that everything hangs on.
        if self.signatures.len() != network.suites().len() {
            return Err(Refusal::Suites);
        }
        for (suite, signature) in &self.signatures {
            let key = network.key(*suite).ok_or(Refusal::Suites)?;
            key.verify_statement(statement, signature)?;
        }
        self.check_roots()?;
        check_feeds(self, epoch)?;
        check_observations(self, epoch)
    }
}

fn check_feeds(attestation: &Attestation, epoch: &EpochInfo) -> Result<(), Refusal> {
    let feeds = &epoch.terms.feeds;
    let names = feeds.iter().map(|(name, _)| *name);
    if !attestation.leaves.iter().map(|l| l.feed).eq(names) {
        return Err(Refusal::Feeds(attestation.statement.epoch));
    }
    for (leaf, (feed, exponent)) in attestation.leaves.iter().zip(feeds) {
        if leaf.exponent != *exponent {
            return Err(Refusal::Exponent {
                feed: *feed,
                got: leaf.exponent,
                expected: *exponent,
            });
        }
        if i64::try_from(leaf.observed_at_ms).is_err() {
            return Err(Refusal::Number("observed_at_ms"));
        }
    }
    Ok(())
}

/// Observations may be left out; where they are there, each must be its member's. That they are the contributors' the root
/// has shown already: the signatures do not stand under it, so that a liar could change those.
fn check_observations(attestation: &Attestation, epoch: &EpochInfo) -> Result<(), Refusal> {
    let observations = &attestation.observations;
    if observations.is_empty() {
        return Ok(());
    }
    if observations.len() < epoch.terms.committee.quorum() {
        return Err(Refusal::Contributors);
    }
    let entries = observations
        .iter()
        .map(|o| {
            let key = epoch.members.get(o.header.member.index());
            key.map(|key| (*key, o.header, o.signature))
        })
        .collect::<Option<Vec<(IdentityPublic, Header, MemberSignature)>>>()
        .ok_or(Refusal::Contributors)?;
    verify_headers_batch(&entries).map_err(|batch| {
        let culprit = batch.failing.first().and_then(|at| observations.get(*at));
        culprit.map_or(Refusal::Contributors, |o| {
            Refusal::Observation(o.header.member)
        })
    })
}
