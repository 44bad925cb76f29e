//! FROST(secp256k1, Keccak-256): RFC 9591, section 6.5, with Keccak-256 in the place of SHA-256.
#![expect(
    clippy::arithmetic_side_effects,
    reason = "arithmetic of a finite field and group cannot overflow"
)]

use alloc::vec::Vec;

use k256::{ProjectivePoint, Scalar, elliptic_curve::ops::LinearCombinationExt as _};
use sha3::{Digest, Keccak256};
use touchstone_types::Suite;

use super::Curve;
use crate::group::secp256k1::{
    CONTEXT, Compressed, challenge, coordinates, decode, encode, hash_to_scalar, scalar,
};

/// The suite.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Secp256k1;

impl Curve for Secp256k1 {
    type Scalar = Scalar;
    type Point = ProjectivePoint;
    type Bytes = Compressed;
    type Hash = [u8; 32];

    const SUITE: Suite = Suite::Secp256k1Keccak;

    fn integer(value: u128) -> Scalar {
        Scalar::from(value)
    }

    fn invert(scalar: &Scalar) -> Option<Scalar> {
        scalar.invert().into()
    }

    fn encode_scalar(scalar: &Scalar) -> [u8; 32] {
        scalar.to_bytes().into()
    }

    fn decode_scalar(bytes: &[u8; 32]) -> Option<Scalar> {
        scalar(bytes)
    }

    fn encode(point: &ProjectivePoint) -> Compressed {
        encode(point)
    }

    fn decode(bytes: &Compressed) -> Option<ProjectivePoint> {
        decode(bytes)
    }

    fn decode_prime_order(bytes: &Compressed) -> Option<ProjectivePoint> {
        // The cofactor is one.
        decode(bytes)
    }

    fn identity() -> ProjectivePoint {
        ProjectivePoint::IDENTITY
    }

    fn mul_base(scalar: &Scalar) -> ProjectivePoint {
        ProjectivePoint::GENERATOR * scalar
    }

    fn multiscalar_mul(scalars: &[Scalar], points: &[ProjectivePoint]) -> ProjectivePoint {
        let terms: Vec<_> = points
            .iter()
            .copied()
            .zip(scalars.iter().copied())
            .collect();
        ProjectivePoint::lincomb_ext(terms.as_slice())
    }

    fn share_equation(
        z: &Scalar,
        commitment: &ProjectivePoint,
        (factor, binding): (&Scalar, &ProjectivePoint),
        (weight, key): (&Scalar, &ProjectivePoint),
    ) -> bool {
        let terms = [
            (ProjectivePoint::GENERATOR, *z),
            (*binding, -*factor),
            (*key, -*weight),
        ];
        ProjectivePoint::lincomb_ext(&terms) == *commitment
    }

    fn signature(
        point: &ProjectivePoint,
        _commitment: &Compressed,
        z: &[u8; 32],
    ) -> Option<Vec<u8>> {
        Some([coordinates(point)?.as_slice(), z].concat())
    }

    fn h1(prefix: &[&[u8]]) -> impl Fn(&[u8]) -> Scalar {
        let prefix = prefix.concat();
        move |rest| hash_to_scalar(b"rho", &[&prefix, rest])
    }

    fn h2(parts: &[&[u8]]) -> Scalar {
        challenge(parts)
    }

    fn h3(parts: &[&[u8]]) -> Scalar {
        hash_to_scalar(b"nonce", parts)
    }

    fn h4(message: &[u8]) -> [u8; 32] {
        hash(b"msg", message)
    }

    fn h5(commitments: &[u8]) -> [u8; 32] {
        hash(b"com", commitments)
    }
}

fn hash(purpose: &[u8], input: &[u8]) -> [u8; 32] {
    let hash = Keccak256::new().chain_update(CONTEXT);
    hash.chain_update(purpose)
        .chain_update(input)
        .finalize()
        .into()
}
