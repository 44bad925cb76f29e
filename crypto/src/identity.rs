//! Members' identity keys (Ed25519) and the one rule by which members' signatures are judged.
//!
//! One named method per kind of thing signed, each with its own domain tag inside the message; there is no way to sign
//! bytes of somebody else's choice. Signatures are judged by ZIP-215, single and in batches alike: the cofactored
//! equation makes both verdicts the same for every input, so a set of votes is a quorum for everybody or for nobody.

mod roster;
mod zip215;

use alloc::vec::Vec;
use core::{fmt, str::FromStr};

use ed25519_dalek::{Signer, SigningKey};
use rand_core::CryptoRngCore;
use thiserror::Error;
use touchstone_types::{Digest, EpochRecord, Header, MemberSignature};
use zeroize::Zeroizing;
use zip215::Key;

pub use roster::Roster;

use crate::group::is_prime_order_key;

const EPOCH_TAG: &[u8; 16] = b"touchstone/eid/1";
const DKG_TAG: &[u8; 16] = b"touchstone/dkg/1";
/// `PrivateKeyInfo` of RFC 8410, section 7: version 0, algorithm 1.3.101.112, an octet string in an octet string.
const PKCS8_PREFIX: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// A member's private identity key.
pub struct IdentityKey {
    key: SigningKey,
    public: IdentityPublic,
}

/// A member's public identity key: canonical and of prime order. Text form: 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdentityPublic([u8; 32]);

/// Why bytes are not an identity key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum IdentityError {
    /// The text is not 64 hexadecimal digits.
    #[error("an identity key is written as 64 hexadecimal digits")]
    Text,
    /// A private key of another length.
    #[error("identity key: {got} bytes, must be 32")]
    Length {
        /// How many bytes there are.
        got: usize,
    },
    /// Not the canonical encoding of a point of prime order: anybody could sign for such a key.
    #[error("identity key: not the canonical encoding of an Ed25519 point of prime order")]
    Point,
}

/// The signature is not the member's over this object.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("the signature is not the member's over this object")]
pub struct InvalidSignature;

/// Which entries of a batch fail.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("signatures at positions {failing:?} are not their members'")]
pub struct BatchError {
    /// Positions in the batch, ascending.
    pub failing: Vec<usize>,
}

impl IdentityKey {
    /// A fresh key.
    pub fn generate(rng: &mut impl CryptoRngCore) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(seed.as_mut());
        Self::from_seed(seed)
    }

    /// The key of a 32-byte seed (RFC 8032).
    pub fn from_seed(seed: Zeroizing<[u8; 32]>) -> Self {
        let key = SigningKey::from_bytes(&seed);
        drop(seed);
        let public = IdentityPublic(key.verifying_key().to_bytes());
        Self { key, public }
    }

    /// The public half.
    pub fn public(&self) -> IdentityPublic {
        self.public
    }

    /// Signs a message's header. The network and epoch are in the header's tag.
    pub fn sign_header(&self, header: &Header) -> MemberSignature {
        self.sign(&header.to_bytes())
    }

    /// Signs an epoch record: `"touchstone/eid/1" | digest`.
    pub fn sign_epoch_record(&self, record: &EpochRecord) -> MemberSignature {
        self.sign(&epoch_message(record))
    }

    /// Signs the digest of a key-generation envelope: `"touchstone/dkg/1" | digest`.
    pub(crate) fn sign_dkg(&self, envelope: Digest) -> MemberSignature {
        self.sign(&tagged(DKG_TAG, envelope))
    }

    /// The key as PKCS#8 DER (RFC 8410), for the TLS library.
    pub fn tls_pkcs8(&self) -> Zeroizing<Vec<u8>> {
        let mut der = Zeroizing::new(Vec::with_capacity(48));
        der.extend_from_slice(&PKCS8_PREFIX);
        der.extend_from_slice(self.key.as_bytes());
        der
    }

    /// The seed, for a sealed key file.
    pub fn to_secret_bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.key.as_bytes().to_vec())
    }

    /// Reads a seed from a key file.
    ///
    /// # Errors
    /// A length other than 32.
    pub fn from_secret_bytes(bytes: &[u8]) -> Result<Self, IdentityError> {
        let seed =
            <[u8; 32]>::try_from(bytes).map_err(|_| IdentityError::Length { got: bytes.len() })?;
        Ok(Self::from_seed(Zeroizing::new(seed)))
    }

    fn sign(&self, message: &[u8]) -> MemberSignature {
        MemberSignature(self.key.sign(message).to_bytes())
    }
}

impl fmt::Debug for IdentityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdentityKey")
            .field("public", &self.public)
            .field("seed", &"<redacted>")
            .finish()
    }
}

impl IdentityPublic {
    /// Reads and checks a public key.
    ///
    /// # Errors
    /// A non-canonical encoding, or a point that is not of prime order.
    pub fn new(bytes: [u8; 32]) -> Result<Self, IdentityError> {
        if is_prime_order_key(&bytes) {
            Ok(Self(bytes))
        } else {
            Err(IdentityError::Point)
        }
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The 32 bytes, as a manifest holds them.
    pub fn to_digest(self) -> Digest {
        Digest(self.0)
    }
}

impl TryFrom<Digest> for IdentityPublic {
    type Error = IdentityError;

    fn try_from(bytes: Digest) -> Result<Self, IdentityError> {
        Self::new(bytes.0)
    }
}

impl FromStr for IdentityPublic {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, IdentityError> {
        let bytes = Digest::from_hex(text).map_err(|_| IdentityError::Text)?;
        Self::new(bytes.0)
    }
}

impl fmt::Display for IdentityPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Digest(self.0), f)
    }
}

impl fmt::Debug for IdentityPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Whether a member signed a header.
///
/// # Errors
/// It did not, by ZIP-215.
pub fn verify_header(
    key: &IdentityPublic,
    header: &Header,
    signature: &MemberSignature,
) -> Result<(), InvalidSignature> {
    verify(key, &header.to_bytes(), signature)
}

/// Whether a member signed an epoch record.
///
/// # Errors
/// It did not, by ZIP-215.
pub fn verify_epoch_record(
    key: &IdentityPublic,
    record: &EpochRecord,
    signature: &MemberSignature,
) -> Result<(), InvalidSignature> {
    verify(key, &epoch_message(record), signature)
}

pub(crate) fn verify_dkg(
    key: &IdentityPublic,
    envelope: Digest,
    signature: &MemberSignature,
) -> Result<(), InvalidSignature> {
    verify(key, &tagged(DKG_TAG, envelope), signature)
}

/// Whether every header was signed by its member: the verdict of [`verify_header`] on each, in about half the time.
///
/// # Errors
/// The positions for which [`verify_header`] says no.
pub fn verify_headers_batch(
    entries: &[(IdentityPublic, Header, MemberSignature)],
) -> Result<(), BatchError> {
    let verdicts = verify_headers_find(entries);
    let positions = verdicts.into_iter().enumerate();
    let failing: Vec<usize> = positions
        .filter_map(|(position, right)| (!right).then_some(position))
        .collect();
    if failing.is_empty() {
        Ok(())
    } else {
        Err(BatchError { failing })
    }
}

/// The verdict of [`verify_header`] on each entry, in order, in about half the time where all are right. One wrong entry
/// costs less than as much again; if all are wrong, it takes about twice as long as [`verify_header`] on each.
///
/// Whoever checks signatures of the same members again and again should keep a [`Roster`].
pub fn verify_headers_find(entries: &[(IdentityPublic, Header, MemberSignature)]) -> Vec<bool> {
    let keys: Vec<_> = entries.iter().map(|(k, _, _)| Key::decode(k)).collect();
    let signed = keys.iter().zip(entries);
    zip215::verify_each(
        signed.map(|(key, (_, header, signature))| (key.as_ref(), header.to_bytes(), signature)),
    )
}

fn verify(
    key: &IdentityPublic,
    message: &[u8],
    signature: &MemberSignature,
) -> Result<(), InvalidSignature> {
    let right = Key::decode(key).is_some_and(|key| zip215::verify(&key, message, signature));
    right.then_some(()).ok_or(InvalidSignature)
}

fn epoch_message(record: &EpochRecord) -> [u8; 48] {
    tagged(EPOCH_TAG, record.digest())
}

fn tagged(tag: &[u8; 16], digest: Digest) -> [u8; 48] {
    let mut message = [0; 48];
    for (slot, byte) in message.iter_mut().zip(tag.iter().chain(&digest.0)) {
        *slot = *byte;
    }
    message
}

#[cfg(test)]
mod tests;
