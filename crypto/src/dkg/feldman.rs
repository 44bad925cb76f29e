//! The coin's part: Pedersen's key generation over ristretto255 with Feldman's verifiable secret sharing.
//!
//! FROST's own functions cannot be used: they want a threshold of at least two, and the coin's is f + 1, which is one where
//! no fault is tolerated. The proof of knowledge is a Schnorr proof bound to session and member.

use alloc::vec::Vec;

use curve25519_dalek::{
    RistrettoPoint, Scalar,
    traits::{Identity, VartimeMultiscalarMul},
};
use rand_core::CryptoRngCore;
use sha2::{Digest as _, Sha512};
use touchstone_types::{Digest, MemberId};
use zeroize::{Zeroize, Zeroizing};

use crate::coin::{abscissa, decode};

const PROOF_TAG: &[u8] = b"touchstone/dkg/coin/1";

/// The own secret polynomial and what is published of it.
pub(super) struct CoinDeal {
    me: MemberId,
    coefficients: Zeroizing<Vec<Scalar>>,
    package: Vec<u8>,
}

/// A member's commitment to its polynomial.
pub(super) struct CoinCommitment {
    points: Vec<RistrettoPoint>,
    challenge: Scalar,
    response: Scalar,
}

impl CoinDeal {
    pub(super) fn new(
        session: Digest,
        me: MemberId,
        threshold: usize,
        rng: &mut impl CryptoRngCore,
    ) -> Self {
        let coefficients: Zeroizing<Vec<Scalar>> =
            Zeroizing::new((0..threshold).map(|_| Scalar::random(rng)).collect());
        let mut package = Vec::new();
        for coefficient in coefficients.iter() {
            let point = RistrettoPoint::mul_base(coefficient).compress();
            package.extend_from_slice(point.as_bytes());
        }
        let secret = coefficients.first().copied().map(Zeroizing::new);
        let secret = secret.unwrap_or_default();
        let nonce = Zeroizing::new(Scalar::random(rng));
        let public = RistrettoPoint::mul_base(&secret);
        let challenge = challenge(session, me, &public, &RistrettoPoint::mul_base(&nonce));
        let response = *nonce + challenge * *secret;
        package.extend_from_slice(challenge.as_bytes());
        package.extend_from_slice(response.as_bytes());
        Self {
            me,
            coefficients,
            package,
        }
    }

    /// `threshold x commitment (32) | challenge (32) | response (32)`.
    pub(super) fn package(&self) -> &[u8] {
        &self.package
    }

    pub(super) fn share_for(&self, to: MemberId) -> Zeroizing<[u8; 32]> {
        let mut value = self.evaluate(to);
        let bytes = Zeroizing::new(value.to_bytes());
        value.zeroize();
        bytes
    }

    pub(super) fn share_for_self(&self) -> Scalar {
        self.evaluate(self.me)
    }

    fn evaluate(&self, at: MemberId) -> Scalar {
        let x = abscissa(at);
        let highest_first = self.coefficients.iter().rev();
        highest_first.fold(Scalar::ZERO, |sum, c| sum * x + c)
    }
}

impl CoinCommitment {
    /// Reads a package whose length was checked.
    pub(super) fn read(package: &[u8]) -> Option<Self> {
        let (points, proof) = package.split_at_checked(package.len().checked_sub(64)?)?;
        let points = points
            .chunks(32)
            .map(|chunk| decode(&chunk.try_into().ok()?))
            .collect::<Option<Vec<_>>>()?;
        let (challenge, response) = proof.split_at_checked(32)?;
        Some(Self {
            points,
            challenge: scalar(challenge)?,
            response: scalar(response)?,
        })
    }

    /// Whether the member knows the logarithm of its constant term.
    pub(super) fn proves(&self, session: Digest, member: MemberId) -> bool {
        let Some(public) = self.points.first() else {
            return false;
        };
        let nonce = RistrettoPoint::vartime_double_scalar_mul_basepoint(
            &-self.challenge,
            public,
            &self.response,
        );
        challenge(session, member, public, &nonce) == self.challenge
    }

    /// The share of `to`, if it is the one that was committed to.
    pub(super) fn check_share(&self, to: MemberId, bytes: &[u8]) -> Option<Zeroizing<Scalar>> {
        let share = Zeroizing::new(scalar(bytes)?);
        (RistrettoPoint::mul_base(&share) == self.evaluate(to)).then_some(share)
    }

    /// The sum of all members' polynomials, in the exponent. Its proof proves nothing.
    pub(super) fn sum<'a>(commitments: impl Iterator<Item = &'a Self>) -> Self {
        let mut points: Vec<RistrettoPoint> = Vec::new();
        for commitment in commitments {
            points.resize(
                points.len().max(commitment.points.len()),
                RistrettoPoint::identity(),
            );
            for (sum, point) in points.iter_mut().zip(&commitment.points) {
                *sum += point;
            }
        }
        Self {
            points,
            challenge: Scalar::ZERO,
            response: Scalar::ZERO,
        }
    }

    pub(super) fn key(&self) -> [u8; 32] {
        self.points.first().map_or([0; 32], |p| p.compress().0)
    }

    pub(super) fn verifying(&self, member: MemberId) -> [u8; 32] {
        self.evaluate(member).compress().0
    }

    fn evaluate(&self, at: MemberId) -> RistrettoPoint {
        let x = abscissa(at);
        let powers = core::iter::successors(Some(Scalar::ONE), |power| Some(power * x));
        let powers: Vec<Scalar> = powers.take(self.points.len()).collect();
        RistrettoPoint::vartime_multiscalar_mul(powers, &self.points)
    }
}

fn challenge(
    session: Digest,
    member: MemberId,
    public: &RistrettoPoint,
    nonce: &RistrettoPoint,
) -> Scalar {
    let hash = Sha512::new()
        .chain_update(PROOF_TAG)
        .chain_update(session.0)
        .chain_update(member.0.to_be_bytes())
        .chain_update(public.compress().as_bytes())
        .chain_update(nonce.compress().as_bytes());
    Scalar::from_bytes_mod_order_wide(&hash.finalize().into())
}

fn scalar(bytes: &[u8]) -> Option<Scalar> {
    Scalar::from_canonical_bytes(bytes.try_into().ok()?).into()
}
