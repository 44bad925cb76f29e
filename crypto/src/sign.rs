//! FROST signing (RFC 9591) as the committee uses it.
//!
//! A signer commits to fresh nonces ([`NonceStore::fresh`]), learns who signs with which commitments ([`SignerSet`]), and
//! answers once ([`sign`]). The digest is built here from the object that the node approved ([`SignTarget`]): there is no
//! call that signs bytes from outside. Nonces are taken by value and are gone before anything can fail, so no mistake of a
//! caller signs twice with one pair.
//!
//! The shares of one session may be checked one by one ([`verify_share`]) or all together ([`aggregate`]), which checks the
//! result by the strict rules and names the culprits if it fails.

mod keys;
mod nonces;
mod scheme;

use alloc::{collections::BTreeMap, vec::Vec};
use core::fmt;

use frost_core::{
    CheaterDetection, SigningPackage, aggregate_custom, keys::PublicKeyPackage,
    round1::SigningCommitments, round2,
};
use frost_ed25519::Ed25519Sha512;
use thiserror::Error;
use touchstone_types::{Committee, Digest, EpochRecord, MemberId, Statement, Suite};

use crate::suite::{self, FrostSuite};

pub use keys::{KeyError, SigningPublic, SigningShare};
pub use nonces::{NONCES_MAX, NonceId, NonceStore, Nonces};
pub use scheme::FrostScheme;

pub(crate) use keys::PublicKind;
use keys::ShareKind;
use nonces::NonceKind;

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
enum SetKind {
    Ed25519(CommitmentMap<Ed25519Sha512>),
}

type CommitmentMap<C> = BTreeMap<frost_core::Identifier<C>, SigningCommitments<C>>;

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

/// Why a share was not made, or is not believed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum SignError {
    /// This version cannot sign with the suite.
    #[error("suite {0} is not supported by this version")]
    UnsupportedSuite(Suite),
    /// A member's commitments are not two group elements other than the identity.
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
    /// The signer set holds other commitments for this signer than those of the nonces it was asked to use.
    #[error("the signer set does not hold the commitments of these nonces")]
    WrongNonces,
    /// The share does not fit the member's verifying share.
    #[error("the share of member {member} is not valid")]
    Share {
        /// The member.
        member: MemberId,
    },
    /// FROST refused for another reason.
    #[error("the signer set cannot be signed with")]
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
    if signers.members.binary_search(&share.member()).is_err() {
        return Err(SignError::Unknown {
            member: share.member(),
        });
    }
    match (share.kind(), nonces.kind(), &signers.kind) {
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
    if signers.members.binary_search(&member).is_err() {
        return Err(SignError::Unknown { member });
    }
    match (public.kind(), &signers.kind) {
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
    if authors != signers.members {
        return Err(AggregateError::Signers);
    }
    let bytes = match (public.kind(), &signers.kind) {
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
    if let Some(member) = signers.members.iter().find(|m| !committee.contains(**m)) {
        return Err(SignError::Unknown { member: *member });
    }
    if signers.members.len() < threshold {
        return Err(SignError::TooFew {
            got: signers.members.len(),
            threshold,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
