//! secp256k1 with Keccak-256, as contracts on an EVM check it (docs/attestation.md, suite 2).
//!
//! The challenge is `hash_to_field` of RFC 9380 (section 5.2, expand_message_xmd with Keccak-256, L = 48) with the domain
//! separation tag of RFC 9591, section 6.5, whose context string names Keccak in place of SHA-256. A contract checks
//! `z * G - c * P == R` with the precompile `ecrecover`, which takes `P.x` for a scalar: so a key's x coordinate must be
//! below the group's order, and neither `z` nor `c` may be zero.
#![expect(
    clippy::arithmetic_side_effects,
    reason = "arithmetic of a finite field and group cannot overflow"
)]

use k256::{
    AffinePoint, EncodedPoint, FieldBytes, ProjectivePoint, Scalar,
    elliptic_curve::{
        PrimeField as _,
        hash2curve::{ExpandMsgXmd, hash_to_field},
        ops::LinearCombinationExt as _,
        sec1::{FromEncodedPoint as _, ToEncodedPoint as _},
    },
};
use sha3::Keccak256;

use super::GroupKeyError;
use touchstone_types::{Digest, Suite};

/// The beginning of every domain separation tag of the suite.
pub(crate) const CONTEXT: &[u8] = b"FROST-secp256k1-KECCAK256-v1";

/// A compressed point (SEC 1, section 2.3.3).
pub(crate) type Compressed = [u8; 33];

/// A public key that a contract can check against.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct PublicKey {
    point: ProjectivePoint,
    bytes: Compressed,
}

impl PublicKey {
    pub(super) fn new(bytes: &[u8]) -> Result<Self, GroupKeyError> {
        let suite = Suite::Secp256k1Keccak;
        let bytes = Compressed::try_from(bytes).map_err(|_| GroupKeyError::Length {
            suite,
            got: bytes.len(),
        })?;
        let point = decode(&bytes).ok_or(GroupKeyError::Malformed(suite))?;
        let [_, x @ ..] = bytes;
        if scalar(&x).is_none() {
            return Err(GroupKeyError::Order(suite));
        }
        Ok(Self { point, bytes })
    }

    pub(super) fn as_bytes(&self) -> &Compressed {
        &self.bytes
    }

    /// Whether `R.x | R.y | z` is a signature over the digest: canonical coordinates of a point, `0 < z < n`, `c != 0`, and
    /// `z * G == R + c * P`.
    pub(super) fn verify(&self, digest: Digest, signature: &[u8; 96]) -> bool {
        let (commitment, z) = signature.split_at(64);
        let (x, y) = commitment.split_at(32);
        let (Ok(x), Ok(y), Ok(z)) = (x.try_into(), y.try_into(), z.try_into()) else {
            return false;
        };
        let (x, y): ([u8; 32], [u8; 32]) = (x, y);
        let encoded = EncodedPoint::from_affine_coordinates(&x.into(), &y.into(), false);
        let commitment: Option<AffinePoint> = AffinePoint::from_encoded_point(&encoded).into();
        let Some((commitment, z)) = commitment.zip(scalar(&z)) else {
            return false;
        };
        let commitment = ProjectivePoint::from(commitment);
        let challenge = challenge(&[&encode(&commitment), &self.bytes, &digest.0]);
        if z == Scalar::ZERO || challenge == Scalar::ZERO {
            return false;
        }
        let terms = [(ProjectivePoint::GENERATOR, z), (self.point, -challenge)];
        ProjectivePoint::lincomb_ext(&terms) == commitment
    }
}

/// H2 of RFC 9591.
pub(crate) fn challenge(parts: &[&[u8]]) -> Scalar {
    hash_to_scalar(b"chal", parts)
}

/// `hash_to_field` with one element of the scalar field.
pub(crate) fn hash_to_scalar(purpose: &[u8], parts: &[&[u8]]) -> Scalar {
    let mut out = [Scalar::ZERO];
    let done =
        hash_to_field::<ExpandMsgXmd<Keccak256>, Scalar>(parts, &[CONTEXT, purpose], &mut out);
    // It refuses lengths only: of the output, which is 48 bytes, and of the tag, which is short.
    debug_assert!(done.is_ok());
    let [scalar] = out;
    scalar
}

/// A scalar from its canonical encoding, 32 bytes big-endian.
pub(crate) fn scalar(bytes: &[u8; 32]) -> Option<Scalar> {
    Scalar::from_repr(FieldBytes::from(*bytes)).into()
}

/// The compressed point; zeros for the identity, which has no such encoding.
pub(crate) fn encode(point: &ProjectivePoint) -> Compressed {
    let encoded = point.to_affine().to_encoded_point(true);
    encoded.as_bytes().try_into().unwrap_or([0; 33])
}

/// A point from its compressed encoding: the tag is 2 or 3 and nothing else that has 33 bytes, and `x` is canonical.
pub(crate) fn decode(bytes: &Compressed) -> Option<ProjectivePoint> {
    let [2 | 3, ..] = bytes else { return None };
    let encoded = EncodedPoint::from_bytes(bytes).ok()?;
    let point: Option<AffinePoint> = AffinePoint::from_encoded_point(&encoded).into();
    point.map(ProjectivePoint::from)
}

/// `x | y` of a point other than the identity.
#[cfg(feature = "sign")]
pub(crate) fn coordinates(point: &ProjectivePoint) -> Option<[u8; 64]> {
    let encoded = point.to_affine().to_encoded_point(false);
    let [4, coordinates @ ..] = encoded.as_bytes() else {
        return None;
    };
    coordinates.try_into().ok()
}

#[cfg(test)]
mod tests;
