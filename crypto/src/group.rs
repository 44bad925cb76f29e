//! The group's public key, and the check of what it signed.
//!
//! A group key signs statements and epoch records and nothing else, so there is no call that takes a digest. Ed25519 is
//! checked by the strict rules (`verify_strict` of ed25519-dalek: no small-order key or R, canonical s, no cofactor),
//! secp256k1 as a contract does ([`secp256k1`]), and the key itself once, when it is read.

pub(crate) mod secp256k1;

use alloc::vec::Vec;

use ed25519_dalek::{Signature, VerifyingKey};
use thiserror::Error;
use touchstone_types::{Digest, EpochRecord, Statement, Suite};

/// The group's public key in one suite.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupKey(Key);

#[derive(Clone, PartialEq, Eq, Debug)]
enum Key {
    Ed25519(VerifyingKey),
    Secp256k1(secp256k1::PublicKey),
}

/// Why bytes are not a group key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum GroupKeyError {
    /// A wrong number of bytes.
    #[error("group key of suite {suite}: {got} bytes, must be {}", suite.element_bytes())]
    Length {
        /// The suite.
        suite: Suite,
        /// How many bytes there are.
        got: usize,
    },
    /// No point of the curve has these bytes.
    #[error("group key of suite {0}: not a point of the curve")]
    Malformed(Suite),
    /// A point has these bytes, but its encoding is another one.
    #[error("group key of suite {0}: not the canonical encoding")]
    NonCanonical(Suite),
    /// On Ed25519 a point of small order verifies signatures that nobody made, and one with a small-order part is no FROST
    /// key; on secp256k1 a contract takes the x coordinate for a scalar, which must be below the group's order.
    #[error("group key of suite {suite}: {why}", suite = .0, why = order(*.0))]
    Order(Suite),
}

fn order(suite: Suite) -> &'static str {
    match suite {
        Suite::Ed25519 => "not a point of prime order",
        Suite::Secp256k1Keccak => "its x coordinate is not below the order of the group",
    }
}

/// Why a group signature is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum GroupSignatureError {
    /// A wrong number of bytes.
    #[error("signature of suite {suite}: {got} bytes, must be {}", suite.signature_bytes())]
    Length {
        /// The suite.
        suite: Suite,
        /// How many bytes there are.
        got: usize,
    },
    /// It is not a signature of this key over this object.
    #[error("signature of suite {0} is not the group's over this object")]
    Invalid(Suite),
}

impl GroupKey {
    /// Reads and checks a group key.
    ///
    /// # Errors
    /// [`GroupKeyError`]; among them a non-canonical encoding and any point that is not of prime order.
    pub fn new(suite: Suite, bytes: &[u8]) -> Result<Self, GroupKeyError> {
        match suite {
            Suite::Ed25519 => ed25519_key(bytes).map(|key| Self(Key::Ed25519(key))),
            Suite::Secp256k1Keccak => {
                secp256k1::PublicKey::new(bytes).map(|key| Self(Key::Secp256k1(key)))
            }
        }
    }

    /// The key's suite.
    pub fn suite(&self) -> Suite {
        match self.0 {
            Key::Ed25519(_) => Suite::Ed25519,
            Key::Secp256k1(_) => Suite::Secp256k1Keccak,
        }
    }

    /// The key's bytes, [`Suite::element_bytes`] of them.
    pub fn to_bytes(&self) -> Vec<u8> {
        match &self.0 {
            Key::Ed25519(key) => key.as_bytes().to_vec(),
            Key::Secp256k1(key) => key.as_bytes().to_vec(),
        }
    }

    /// Whether the group signed the statement.
    ///
    /// # Errors
    /// It did not, or these bytes are no signature.
    pub fn verify_statement(
        &self,
        statement: &Statement,
        signature: &[u8],
    ) -> Result<(), GroupSignatureError> {
        self.verify_digest(statement.digest(), signature)
    }

    /// Whether the group signed the epoch record.
    ///
    /// # Errors
    /// It did not, or these bytes are no signature.
    pub fn verify_epoch_record(
        &self,
        record: &EpochRecord,
        signature: &[u8],
    ) -> Result<(), GroupSignatureError> {
        self.verify_digest(record.digest(), signature)
    }

    pub(crate) fn verify_digest(
        &self,
        digest: Digest,
        signature: &[u8],
    ) -> Result<(), GroupSignatureError> {
        let suite = self.suite();
        let length = |_| GroupSignatureError::Length {
            suite,
            got: signature.len(),
        };
        let valid = match &self.0 {
            Key::Ed25519(key) => {
                let bytes = <[u8; 64]>::try_from(signature).map_err(length)?;
                key.verify_strict(&digest.0, &Signature::from_bytes(&bytes))
                    .is_ok()
            }
            Key::Secp256k1(key) => {
                let bytes = <[u8; 96]>::try_from(signature).map_err(length)?;
                key.verify(digest, &bytes)
            }
        };
        if valid {
            Ok(())
        } else {
            Err(GroupSignatureError::Invalid(suite))
        }
    }
}

/// An Ed25519 public key that is canonical and of prime order.
fn ed25519_key(bytes: &[u8]) -> Result<VerifyingKey, GroupKeyError> {
    let suite = Suite::Ed25519;
    let array = <[u8; 32]>::try_from(bytes).map_err(|_| GroupKeyError::Length {
        suite,
        got: bytes.len(),
    })?;
    let key = VerifyingKey::from_bytes(&array).map_err(|_| GroupKeyError::Malformed(suite))?;
    let point = key.to_edwards();
    if point.compress().to_bytes() != array {
        return Err(GroupKeyError::NonCanonical(suite));
    }
    if key.is_weak() || !point.is_torsion_free() {
        return Err(GroupKeyError::Order(suite));
    }
    Ok(key)
}

/// Whether the bytes are the canonical encoding of an Ed25519 point of prime order.
#[cfg(feature = "sign")]
pub(crate) fn is_prime_order_key(bytes: &[u8; 32]) -> bool {
    ed25519_key(bytes).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::{Signer, SigningKey};
    use std::{string::ToString, vec};
    use touchstone_types::{Epoch, NetworkId, Round};

    fn statement() -> Statement {
        Statement {
            network: NetworkId(Digest([1; 32])),
            epoch: Epoch(0),
            round: Round(7),
            timestamp_ms: 8,
            feed_count: 1,
            feeds_root: Digest([2; 32]),
            observations_root: Digest([3; 32]),
        }
    }

    #[test]
    fn signature_over_the_digest_passes_and_every_flipped_bit_fails() {
        let secret = SigningKey::from_bytes(&[9; 32]);
        let key = GroupKey::new(Suite::Ed25519, secret.verifying_key().as_bytes()).unwrap();
        let signature = secret.sign(&statement().digest().0).to_bytes();
        assert_eq!(key.verify_statement(&statement(), &signature), Ok(()));
        for bit in 0..512 {
            let mut bad = signature;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                key.verify_statement(&statement(), &bad),
                Err(GroupSignatureError::Invalid(Suite::Ed25519)),
                "bit {bit}"
            );
        }
        let mut other = statement();
        other.round = Round(8);
        assert!(key.verify_statement(&other, &signature).is_err());
        assert_eq!(
            key.verify_statement(&statement(), &signature[1..]),
            Err(GroupSignatureError::Length {
                suite: Suite::Ed25519,
                got: 63
            })
        );
    }

    #[test]
    fn weak_keys_are_refused() {
        // The eight canonical encodings of small order, the same with y >= p or with x = 0 and the sign bit set.
        let order8 = "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a";
        let order8b = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05";
        let mut weak = vec![[0u8; 32], [0u8; 32], [0u8; 32]];
        weak[0][0] = 1;
        weak[1][31] = 0x80;
        weak[2] = [0xff; 32];
        weak[2][0] = 0xec;
        weak[2][31] = 0x7f;
        for text in [order8, order8b] {
            let mut bytes = [0; 32];
            hex::decode_to_slice(text, &mut bytes).unwrap();
            weak.push(bytes);
            bytes[31] ^= 0x80;
            weak.push(bytes);
        }
        assert_eq!(weak.len(), 7);
        for bytes in weak.into_iter().chain([[0u8; 32]]) {
            assert_eq!(
                GroupKey::new(Suite::Ed25519, &bytes),
                Err(GroupKeyError::Order(Suite::Ed25519)),
                "{bytes:02x?}"
            );
        }
        let mut identity_plus_p = [0xff; 32];
        identity_plus_p[0] = 0xee;
        identity_plus_p[31] = 0x7f;
        let mut identity_negative_zero = [0; 32];
        identity_negative_zero[0] = 1;
        identity_negative_zero[31] = 0x80;
        for bytes in [identity_plus_p, identity_negative_zero] {
            assert_eq!(
                GroupKey::new(Suite::Ed25519, &bytes),
                Err(GroupKeyError::NonCanonical(Suite::Ed25519))
            );
        }
    }

    #[test]
    fn other_lengths_are_refused_by_name() {
        let error = GroupKey::new(Suite::Secp256k1Keccak, &[2; 32]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "group key of suite secp256k1-keccak: 32 bytes, must be 33"
        );
        let error = GroupKey::new(Suite::Ed25519, &[2; 31]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "group key of suite ed25519: 31 bytes, must be 32"
        );
    }

    #[cfg(feature = "sign")]
    #[test]
    fn a_key_with_a_small_order_part_is_refused() {
        use curve25519_dalek::constants::EIGHT_TORSION;
        let key = SigningKey::from_bytes(&[9; 32]).verifying_key();
        for torsion in &EIGHT_TORSION[1..] {
            let mixed = (key.to_edwards() + torsion).compress().to_bytes();
            assert_eq!(
                GroupKey::new(Suite::Ed25519, &mixed),
                Err(GroupKeyError::Order(Suite::Ed25519))
            );
        }
    }
}
