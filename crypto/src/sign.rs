//! FROST signing (RFC 9591) as the committee uses it.
//!
//! A signer commits to fresh nonces ([`NonceStore::fresh`]), learns who signs with which commitments, prepares that session
//! ([`PreparedSession::new`]) and answers once ([`PreparedSession::sign`]). The digest is built here from the object that the
//! node approved ([`SignTarget`]): there is no call that signs bytes from outside. Nonces are taken by value and are gone
//! before anything can fail, so no mistake of a caller signs twice with one pair.
//!
//! The shares of a session may be checked one by one ([`PreparedSession::verify_share`]) or all together
//! ([`PreparedSession::aggregate`]), which checks the result by the strict rules and names the culprits if it fails.
//! [`sign`], [`verify_share`] and [`aggregate`] are the same for who needs a session for one call only.

mod curve;
mod error;
mod frost;
mod keys;
mod lagrange;
mod nonces;
mod scheme;
mod session;
mod set;

use alloc::vec::Vec;
use core::fmt;

use touchstone_types::{Digest, EpochRecord, MemberId, Statement, Suite};

pub use error::{AggregateError, SignError};
pub use keys::{KeyError, SigningPublic, SigningShare};
pub use nonces::{NONCES_MAX, NonceId, NonceStore, Nonces};
pub use scheme::FrostScheme;
pub use session::PreparedSession;
pub use set::{Commitments, SignerSet};

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
    fn new(suite: Suite, bytes: Vec<u8>) -> Self {
        Self { suite, bytes }
    }

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

/// Makes this member's share of the group's signature over `target`: [`PreparedSession::sign`] in a session of its own.
///
/// The nonces are consumed whatever the result is.
///
/// # Errors
/// Too few or unknown signers, or a set that does not hold these nonces' commitments under this member.
pub fn sign(
    share: &SigningShare,
    nonces: Nonces,
    signers: &SignerSet,
    target: &SignTarget<'_>,
) -> Result<SignatureShare, SignError> {
    PreparedSession::from_set(share.public(), signers, target)?.sign(share, nonces)
}

/// Whether a share is its signer's: [`PreparedSession::verify_share`] in a session of its own.
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
    PreparedSession::from_set(public, signers, target)?.verify_share(member, share)
}

/// Adds up one share of each signer: [`PreparedSession::aggregate`] in a session of its own.
///
/// # Errors
/// [`AggregateError::Shares`] names every signer whose share is wrong.
pub fn aggregate(
    public: &SigningPublic,
    signers: &SignerSet,
    shares: &[(MemberId, SignatureShare)],
    target: &SignTarget<'_>,
) -> Result<GroupSignature, AggregateError> {
    PreparedSession::from_set(public, signers, target)
        .map_err(AggregateError::Set)?
        .aggregate(shares)
}

#[cfg(test)]
mod tests;
