//! FROST signing (RFC 9591) as the committee uses it.
//!
//! A signer commits to fresh nonces ([`NonceStore::fresh`]), learns who signs with which commitments ([`SignerSet`]), and
//! answers once ([`sign`]). The digest is built here from the object that the node approved ([`SignTarget`]): there is no
//! call that signs bytes from outside. Nonces are taken by value and are gone before anything can fail, so no mistake of a
//! caller signs twice with one pair.
//!
//! The shares of one session may be checked one by one ([`verify_share`]) or all together ([`aggregate`]), which checks the
//! result by the strict rules and names the culprits if it fails.

mod error;
mod keys;
mod nonces;
mod scheme;
mod set;

use alloc::{collections::BTreeMap, vec::Vec};
use core::fmt;

use frost_core::{
    CheaterDetection, SigningPackage, aggregate_custom, keys::PublicKeyPackage, round2,
};
use touchstone_types::{Committee, Digest, EpochRecord, MemberId, Statement, Suite};

use crate::suite::{self, FrostSuite};

pub use error::{AggregateError, SignError};
pub use keys::{KeyError, SigningPublic, SigningShare};
pub use nonces::{NONCES_MAX, NonceId, NonceStore, Nonces};
pub use scheme::FrostScheme;
pub use set::{Commitments, SignerSet};

pub(crate) use keys::PublicKind;
use keys::ShareKind;
use nonces::NonceKind;
use set::{CommitmentMap, SetKind};

/// What a group key may sign.
#[derive(Clone, Copy, Debug)]
pub enum SignTarget<'a> {
    /// A round's statement.
    Statement(&'a Statement),
    /// An epoch's record.
    EpochRecord(&'a EpochRecord),
}

impl SignTarget<'_> {
    /// The 32 bytes that FROST signs.
    pub(crate) fn digest(&self) -> Digest {
        match self {
            Self::Statement(statement) => statement.digest(),
            Self::EpochRecord(record) => record.digest(),
        }
    }
}

/// One signer's part of a group signature: a scalar of the suite, 32 bytes. It says nothing until it was checked.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SignatureShare(pub [u8; 32]);

impl fmt::Debug for SignatureShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignatureShare({})", Digest(self.0))
    }
}

/// A group signature that passed the strict check.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct GroupSignature {
    suite: Suite,
    bytes: Vec<u8>,
}

impl GroupSignature {
    /// The suite.
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// The [`Suite::signature_bytes`] bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes, by value.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

impl fmt::Debug for GroupSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.suite, hex::encode(&self.bytes))
    }
}

/// Makes this member's share of the group's signature over `target`.
///
/// The nonces are consumed whatever the result is.
///
/// # Errors
/// Too few or unknown signers, or a set that does not hold these nonces' commitments under this member.
#[expect(
    clippy::needless_pass_by_value,
    reason = "nonces are used up by signing, also by an attempt that fails"
)]
pub fn sign(
    share: &SigningShare,
    nonces: Nonces,
    signers: &SignerSet,
    target: &SignTarget<'_>,
) -> Result<SignatureShare, SignError> {
    let committee = share.committee();
    check_signers(committee, signers)?;
    if signers.members().binary_search(&share.member()).is_err() {
        return Err(SignError::Unknown {
            member: share.member(),
        });
    }
    match (share.kind(), nonces.kind(), signers.kind()) {
        (ShareKind::Ed25519(key), NonceKind::Ed25519(nonces), SetKind::Ed25519(set)) => {
            sign_with(key, nonces, set, &target.digest().0)
        }
    }
}

fn sign_with<C: FrostSuite>(
    key: &frost_core::keys::KeyPackage<C>,
    nonces: &frost_core::round1::SigningNonces<C>,
    set: &CommitmentMap<C>,
    message: &[u8],
) -> Result<SignatureShare, SignError> {
    let package = SigningPackage::new(set.clone(), message);
    let share = round2::sign(&package, nonces, key).map_err(|error| match error {
        frost_core::Error::IncorrectCommitment | frost_core::Error::MissingCommitment => {
            SignError::WrongNonces
        }
        _ => SignError::Refused,
    })?;
    <[u8; 32]>::try_from(share.serialize())
        .map(SignatureShare)
        .map_err(|_| SignError::Refused)
}

/// Whether a share is its signer's in this session.
///
/// # Errors
/// [`SignError::Share`] if it is not; otherwise the set cannot be signed with at all, which is not the signer's fault.
pub fn verify_share(
    public: &SigningPublic,
    member: MemberId,
    signers: &SignerSet,
    share: &SignatureShare,
    target: &SignTarget<'_>,
) -> Result<(), SignError> {
    verify_share_digest(public, member, signers, share, target.digest())
}

pub(crate) fn verify_share_digest(
    public: &SigningPublic,
    member: MemberId,
    signers: &SignerSet,
    share: &SignatureShare,
    digest: Digest,
) -> Result<(), SignError> {
    check_signers(public.committee(), signers)?;
    if signers.members().binary_search(&member).is_err() {
        return Err(SignError::Unknown { member });
    }
    match (public.kind(), signers.kind()) {
        (PublicKind::Ed25519(keys), SetKind::Ed25519(set)) => {
            verify_with(keys, member, set, share, &digest.0)
        }
    }
}

fn verify_with<C: FrostSuite>(
    keys: &PublicKeyPackage<C>,
    member: MemberId,
    set: &CommitmentMap<C>,
    share: &SignatureShare,
    message: &[u8],
) -> Result<(), SignError> {
    let unknown = SignError::Unknown { member };
    let id = suite::identifier::<C>(member).map_err(|_| unknown)?;
    let verifying = keys.verifying_shares().get(&id).ok_or(unknown)?;
    let share =
        round2::SignatureShare::deserialize(&share.0).map_err(|_| SignError::Share { member })?;
    let package = SigningPackage::new(set.clone(), message);
    frost_core::verify_signature_share(id, verifying, &share, &package, keys.verifying_key())
        .map_err(|error| match error {
            frost_core::Error::InvalidSignatureShare { .. } => SignError::Share { member },
            _ => SignError::Refused,
        })
}

/// Adds up one share of each signer, and checks the signature by the strict rules of [`crate::GroupKey`].
///
/// # Errors
/// [`AggregateError::Shares`] names every signer whose share is wrong.
pub fn aggregate(
    public: &SigningPublic,
    signers: &SignerSet,
    shares: &[(MemberId, SignatureShare)],
    target: &SignTarget<'_>,
) -> Result<GroupSignature, AggregateError> {
    aggregate_digest(public, signers, shares, target.digest())
}

pub(crate) fn aggregate_digest(
    public: &SigningPublic,
    signers: &SignerSet,
    shares: &[(MemberId, SignatureShare)],
    digest: Digest,
) -> Result<GroupSignature, AggregateError> {
    check_signers(public.committee(), signers).map_err(AggregateError::Set)?;
    let mut authors: Vec<MemberId> = shares.iter().map(|(member, _)| *member).collect();
    authors.sort_unstable();
    if authors != signers.members() {
        return Err(AggregateError::Signers);
    }
    let bytes = match (public.kind(), signers.kind()) {
        (PublicKind::Ed25519(keys), SetKind::Ed25519(set)) => {
            aggregate_with(public.committee(), keys, set, shares, &digest.0)?
        }
    };
    public
        .group_key()
        .verify_digest(digest, &bytes)
        .map_err(|_| AggregateError::Sum)?;
    Ok(GroupSignature {
        suite: public.suite(),
        bytes,
    })
}

fn aggregate_with<C: FrostSuite>(
    committee: Committee,
    keys: &PublicKeyPackage<C>,
    set: &CommitmentMap<C>,
    shares: &[(MemberId, SignatureShare)],
    message: &[u8],
) -> Result<Vec<u8>, AggregateError> {
    let mut decoded = BTreeMap::new();
    for (member, share) in shares {
        let Ok(share) = round2::SignatureShare::<C>::deserialize(&share.0) else {
            return Err(blame(keys, set, shares, message));
        };
        let id = suite::identifier(*member).map_err(|_| AggregateError::Signers)?;
        decoded.insert(id, share);
    }
    let package = SigningPackage::new(set.clone(), message);
    aggregate_custom(&package, &decoded, keys, CheaterDetection::AllCheaters)
        .and_then(|signature| signature.serialize())
        .map_err(|error| match error {
            frost_core::Error::InvalidSignatureShare { culprits } => {
                let named = culprits.iter();
                let mut culprits: Vec<MemberId> = named
                    .filter_map(|id| suite::member(committee, id))
                    .collect();
                culprits.sort_unstable();
                AggregateError::Shares { culprits }
            }
            frost_core::Error::InvalidSignature => AggregateError::Sum,
            _ => AggregateError::Set(SignError::Refused),
        })
}

/// Names every wrong share where some do not even decode.
fn blame<C: FrostSuite>(
    keys: &PublicKeyPackage<C>,
    set: &CommitmentMap<C>,
    shares: &[(MemberId, SignatureShare)],
    message: &[u8],
) -> AggregateError {
    let wrong = |(member, share): &&(MemberId, SignatureShare)| {
        let verdict = verify_with(keys, *member, set, share, message);
        matches!(verdict, Err(SignError::Share { .. }))
    };
    let mut culprits: Vec<MemberId> = shares.iter().filter(wrong).map(|(m, _)| *m).collect();
    culprits.sort_unstable();
    AggregateError::Shares { culprits }
}

/// At least a threshold of signers, and only members.
fn check_signers(committee: Committee, signers: &SignerSet) -> Result<(), SignError> {
    let threshold = committee.signing_threshold();
    if let Some(member) = signers.members().iter().find(|m| !committee.contains(**m)) {
        return Err(SignError::Unknown { member: *member });
    }
    if signers.members().len() < threshold {
        return Err(SignError::TooFew {
            got: signers.members().len(),
            threshold,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
