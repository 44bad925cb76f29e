//! What FROST needs of a ciphersuite (RFC 9591, sections 3 and 6), in the form in which it is fast.
//!
//! The types of the FROST crates hide their scalars and check every decoded point by a multiplication with the group's
//! order, so signing has its own arithmetic: points are decoded by [`Curve::decode`], sums of products are one
//! [`Curve::multiscalar_mul`], and hashes are made of the compressed bytes that arrived. A suite is an implementation of
//! [`Curve`] and one arm in each `match` over the enums of [`super`].

mod ed25519;
mod secp256k1;

use alloc::vec::Vec;
use core::{
    fmt::Debug,
    ops::{Add, Mul, Sub},
};

use touchstone_types::Suite;
use zeroize::Zeroize;

pub(super) use ed25519::Ed25519;
pub(super) use secp256k1::Secp256k1;

/// A prime-order group with its scalars, their encodings, and the hash functions of a FROST ciphersuite.
pub(super) trait Curve: Copy + Eq + Debug + 'static {
    /// An integer modulo the group's order.
    type Scalar: Copy
        + Eq
        + Debug
        + Send
        + Sync
        + Zeroize
        + Add<Output = Self::Scalar>
        + Sub<Output = Self::Scalar>
        + Mul<Output = Self::Scalar>;
    /// A point of the curve.
    type Point: Copy + Eq + Debug + Send + Sync + Add<Output = Self::Point>;
    /// A compressed point.
    type Bytes: Copy + Eq + Debug + Send + Sync + AsRef<[u8]> + for<'a> TryFrom<&'a [u8]>;

    /// Output of H4 and H5.
    type Hash: AsRef<[u8]>;

    /// The suite's name in the network.
    const SUITE: Suite;

    /// The scalar of a small integer.
    fn integer(value: u128) -> Self::Scalar;

    /// The inverse of a scalar; none of zero.
    fn invert(scalar: &Self::Scalar) -> Option<Self::Scalar>;

    /// `SerializeScalar`.
    fn encode_scalar(scalar: &Self::Scalar) -> [u8; 32];

    /// `DeserializeScalar`: none unless the encoding is canonical.
    fn decode_scalar(bytes: &[u8; 32]) -> Option<Self::Scalar>;

    /// `SerializeElement`.
    fn encode(point: &Self::Point) -> Self::Bytes;

    /// A point other than the identity from its one canonical encoding. Where the curve has a cofactor, the point may have a
    /// small-order part.
    fn decode(bytes: &Self::Bytes) -> Option<Self::Point>;

    /// `DeserializeElement`: as [`Curve::decode`], and in the group of prime order.
    fn decode_prime_order(bytes: &Self::Bytes) -> Option<Self::Point>;

    /// The neutral element.
    fn identity() -> Self::Point;

    /// A multiple of the base point, in constant time.
    fn mul_base(scalar: &Self::Scalar) -> Self::Point;

    /// The sum of `scalars[i] * points[i]`, of public values only; the scalars count as the integers below the order, so
    /// the result is exact for points of any order. The slices must be equally long.
    fn multiscalar_mul(scalars: &[Self::Scalar], points: &[Self::Point]) -> Self::Point;

    /// Whether `z * B == commitment + factor * binding + weight * key`, exactly, of public values only.
    fn share_equation(
        z: &Self::Scalar,
        commitment: &Self::Point,
        binding: (&Self::Scalar, &Self::Point),
        key: (&Self::Scalar, &Self::Point),
    ) -> bool;

    /// A signature as it travels, of the group commitment, also compressed, and `z`; none of the identity.
    fn signature(point: &Self::Point, commitment: &Self::Bytes, z: &[u8; 32]) -> Option<Vec<u8>>;

    /// H1 of messages with a common beginning.
    fn h1(prefix: &[&[u8]]) -> impl Fn(&[u8]) -> Self::Scalar;

    /// H2, the challenge.
    fn h2(parts: &[&[u8]]) -> Self::Scalar;

    /// H3, for nonces.
    fn h3(parts: &[&[u8]]) -> Self::Scalar;

    /// H4, of the message.
    fn h4(message: &[u8]) -> Self::Hash;

    /// H5, of the list of commitments.
    fn h5(commitments: &[u8]) -> Self::Hash;
}

/// A secret scalar, wiped when it goes.
pub(super) struct Secret<C: Curve>(C::Scalar);

impl<C: Curve> Secret<C> {
    pub(super) fn new(scalar: C::Scalar) -> Self {
        Self(scalar)
    }

    pub(super) fn expose(&self) -> &C::Scalar {
        &self.0
    }
}

impl<C: Curve> Drop for Secret<C> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}
