//! FROST(Ed25519, SHA-512), RFC 9591, section 6.1.

use alloc::vec::Vec;

use curve25519_dalek::{
    EdwardsPoint, Scalar,
    constants::ED25519_BASEPOINT_POINT,
    edwards::CompressedEdwardsY,
    traits::{Identity, VartimeMultiscalarMul},
};
use sha2::{Digest, Sha512};
use touchstone_types::Suite;

use super::Curve;

const CONTEXT: &[u8] = b"FROST-ED25519-SHA512-v1";

/// The suite.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Ed25519;

impl Curve for Ed25519 {
    type Scalar = Scalar;
    type Point = EdwardsPoint;
    type Bytes = [u8; 32];
    type Hash = [u8; 64];

    const SUITE: Suite = Suite::Ed25519;

    fn integer(value: u128) -> Scalar {
        Scalar::from(value)
    }

    fn invert(scalar: &Scalar) -> Option<Scalar> {
        (*scalar != Scalar::ZERO).then(|| scalar.invert())
    }

    fn encode_scalar(scalar: &Scalar) -> [u8; 32] {
        scalar.to_bytes()
    }

    fn decode_scalar(bytes: &[u8; 32]) -> Option<Scalar> {
        Scalar::from_canonical_bytes(*bytes).into()
    }

    fn encode(point: &EdwardsPoint) -> [u8; 32] {
        point.compress().to_bytes()
    }

    fn decode(bytes: &[u8; 32]) -> Option<EdwardsPoint> {
        if is_canonical(bytes) {
            CompressedEdwardsY(*bytes).decompress()
        } else {
            None
        }
    }

    fn decode_prime_order(bytes: &[u8; 32]) -> Option<EdwardsPoint> {
        Self::decode(bytes).filter(EdwardsPoint::is_torsion_free)
    }

    fn identity() -> EdwardsPoint {
        EdwardsPoint::identity()
    }

    fn mul_base(scalar: &Scalar) -> EdwardsPoint {
        EdwardsPoint::mul_base(scalar)
    }

    fn multiscalar_mul(scalars: &[Scalar], points: &[EdwardsPoint]) -> EdwardsPoint {
        EdwardsPoint::vartime_multiscalar_mul(scalars, points)
    }

    fn share_equation(
        z: &Scalar,
        commitment: &EdwardsPoint,
        (factor, binding): (&Scalar, &EdwardsPoint),
        (weight, key): (&Scalar, &EdwardsPoint),
    ) -> bool {
        // The key is of prime order, so that its scalar may be negated; the binding commitment may be not, so that only the
        // point may be.
        let scalars = [*z, *factor, -weight];
        let points = [ED25519_BASEPOINT_POINT, -binding, *key];
        EdwardsPoint::vartime_multiscalar_mul(scalars, points) == *commitment
    }

    fn signature(_: &EdwardsPoint, commitment: &[u8; 32], z: &[u8; 32]) -> Option<Vec<u8>> {
        Some([commitment.as_slice(), z].concat())
    }

    fn h1(prefix: &[&[u8]]) -> impl Fn(&[u8]) -> Scalar {
        let start = hash(&[CONTEXT, b"rho"], prefix);
        move |rest| Scalar::from_hash(start.clone().chain_update(rest))
    }

    fn h2(parts: &[&[u8]]) -> Scalar {
        Scalar::from_hash(hash(&[], parts))
    }

    fn h3(parts: &[&[u8]]) -> Scalar {
        Scalar::from_hash(hash(&[CONTEXT, b"nonce"], parts))
    }

    fn h4(message: &[u8]) -> [u8; 64] {
        hash(&[CONTEXT, b"msg"], &[message]).finalize().into()
    }

    fn h5(commitments: &[u8]) -> [u8; 64] {
        hash(&[CONTEXT, b"com"], &[commitments]).finalize().into()
    }
}

fn hash(domain: &[&[u8]], parts: &[&[u8]]) -> Sha512 {
    let all = domain.iter().chain(parts);
    all.fold(Sha512::new(), |hash, part| hash.chain_update(part))
}

/// Whether the bytes, if they encode a point, encode it canonically, and `x` is not 0.
///
/// The encoding is not canonical if `y >= p`, or if `x` is 0 and has a sign. `x` is 0 for `y = 1`, the identity, and
/// `y = -1`, the point of order two, which nobody commits to by chance; so all four conditions are `y = 1` or `y >= p - 1`.
fn is_canonical(bytes: &[u8; 32]) -> bool {
    let [low, middle @ .., high] = bytes;
    let high = high & 0x7f;
    let is_one = *low == 1 && high == 0 && middle.iter().all(|b| *b == 0);
    let is_large = *low >= 0xec && high == 0x7f && middle.iter().all(|b| *b == 0xff);
    !is_one && !is_large
}
