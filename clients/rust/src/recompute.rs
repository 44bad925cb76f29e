//! An audit of one round: from the members' signed observations to the statement that the group signed.
//!
//! Anybody who holds a round's observations can check that each is its member's, with keys from the manifests that the
//! pin's network id commits to, and compute every price again. What comes out is the caller's own computation, beside the
//! leaves that the group signed; it is meant to be compared and not consumed.

use alloc::vec::Vec;

use thiserror::Error;
use touchstone_crypto::{IdentityPublic, verify_header};
use touchstone_types::{
    Attestation, AttestationError, CommitteeError, Contribution, DecodeError, Epoch, FeedName,
    Leaf, Manifest, MemberId, Observation, Pin, Report, ReportError, SignedObservation, Statement,
};

use crate::{Verifier, VerifyError};

/// Why a round cannot be recomputed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum RecomputeError {
    /// The group's signature on the round does not hold.
    #[error("the signed round: {0}")]
    Verify(#[from] VerifyError),
    /// The leaves of the signed round are not those of its statement.
    #[error("the signed round: {0}")]
    Attestation(#[from] AttestationError),
    /// The round belongs to an epoch that the pin does not hold.
    #[error("epoch {0} is not in the pin: get a newer network.json")]
    UnknownEpoch(Epoch),
    /// The epoch's committee is impossible.
    #[error("the manifest: {0}")]
    Committee(#[from] CommitteeError),
    /// An observation by somebody who is not a member.
    #[error("observation of member {0}: the manifest has no such member")]
    NoMember(MemberId),
    /// A signature that is not the member's.
    #[error("observation of member {0}: the signature is not the member's")]
    BadSignature(MemberId),
    /// A body that is no observation of this epoch.
    #[error("observation of member {member}: {error}")]
    Body {
        /// The member.
        member: MemberId,
        /// What is wrong with it.
        error: DecodeError,
    },
    /// The observations make no report.
    #[error("the observations: {0}")]
    Report(#[from] ReportError),
}

impl RecomputeError {
    /// A stable name.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Verify(error) => error.code(),
            Self::Attestation(_) => "bad-attestation",
            Self::UnknownEpoch(_) => "unknown-epoch",
            Self::Committee(_) => "bad-pin",
            Self::NoMember(_) => "unknown-member",
            Self::BadSignature(_) => "bad-member-signature",
            Self::Body { .. } => "bad-observation",
            Self::Report(_) => "bad-observations",
        }
    }
}

/// One feed, as it was signed and as the observations give it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Comparison {
    /// The feed, by the manifest.
    pub feed: FeedName,
    /// The leaf that the group signed at this place, if there is one.
    pub signed: Option<Leaf>,
    /// The leaf that the observations give.
    pub recomputed: Leaf,
}

impl Comparison {
    /// Whether both are the same, bit for bit.
    pub fn agrees(&self) -> bool {
        self.signed == Some(self.recomputed)
    }
}

/// A recomputed round.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recomputed {
    /// What the group signed.
    pub signed: Statement,
    /// The statement that the observations give.
    pub recomputed: Statement,
    /// Each contributor, whose signature held, with the time of its own clock in Unix milliseconds.
    pub contributors: Vec<(MemberId, u64)>,
    /// Every feed of the manifest.
    pub feeds: Vec<Comparison>,
}

impl Recomputed {
    /// Whether the observations give exactly what the group signed: every leaf and every byte of the statement.
    pub fn agrees(&self) -> bool {
        self.signed == self.recomputed && self.feeds.iter().all(Comparison::agrees)
    }
}

/// Checks the group's signature on a round and each member's on its observation, and computes the round again.
///
/// That the results differ is not an error here but an answer: see [`Recomputed::agrees`].
///
/// # Errors
/// See [`RecomputeError`].
pub fn recompute(
    pin: &Pin,
    verifier: &Verifier,
    attestation: &Attestation,
    observations: &[SignedObservation],
) -> Result<Recomputed, RecomputeError> {
    let signed = attestation.statement;
    verifier.verify_attestation(attestation)?;
    attestation.check_roots()?;
    let (manifest, _) = pin
        .epochs()
        .find(|(manifest, _)| manifest.epoch == signed.epoch)
        .ok_or(RecomputeError::UnknownEpoch(signed.epoch))?;
    let terms = manifest.terms(verifier.network())?;
    let mut decoded = Vec::with_capacity(observations.len());
    for observation in observations {
        check_member(manifest, observation)?;
        let member = observation.header.member;
        let body = Observation::from_bytes(&observation.body)
            .and_then(|body| body.check(&terms).map(|()| body))
            .map_err(|error| RecomputeError::Body { member, error })?;
        decoded.push(body);
    }
    let contributions: Vec<Contribution<'_>> = observations
        .iter()
        .zip(&decoded)
        .map(|(signed, observation)| Contribution {
            header: &signed.header,
            body: &signed.body,
            observation,
        })
        .collect();
    let report = Report::compute(&terms, signed.round, &contributions)?;
    let feeds = report.leaves.iter().enumerate();
    Ok(Recomputed {
        signed,
        recomputed: report.statement,
        contributors: contributions
            .iter()
            .map(|c| (c.header.member, c.observation.timestamp_ms))
            .collect(),
        feeds: feeds
            .map(|(index, leaf)| Comparison {
                feed: leaf.feed,
                signed: attestation.leaves.get(index).copied(),
                recomputed: *leaf,
            })
            .collect(),
    })
}

fn check_member(manifest: &Manifest, signed: &SignedObservation) -> Result<(), RecomputeError> {
    let member = signed.header.member;
    let entry = manifest
        .members
        .get(member.index())
        .ok_or(RecomputeError::NoMember(member))?;
    IdentityPublic::try_from(entry.identity)
        .ok()
        .and_then(|key| verify_header(&key, &signed.header, &signed.signature).ok())
        .ok_or(RecomputeError::BadSignature(member))
}
