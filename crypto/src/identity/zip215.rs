//! ZIP-215: the rule by which members' signatures are judged, single and in batches.
//!
//! A signature `(R, s)` of a key `A` over a message is right if and only if `R` decodes to a point, by whatever encoding,
//! `s` is below the group's order, and `8 * (s * B - R - k * A) == 0` with `k = SHA-512(R | A | message)`. The cofactor makes
//! the verdicts of the single equation and of a sum of equations with random weights the same for every input.
//!
//! Equations that fail together are halved; the sum of one half gives that of the other by subtraction, so that one wrong
//! signature costs one further multi-scalar multiplication of the whole and no more.

use alloc::{collections::BTreeMap, vec, vec::Vec};

use curve25519_dalek::{
    EdwardsPoint, Scalar,
    constants::ED25519_BASEPOINT_POINT,
    edwards::CompressedEdwardsY,
    traits::{IsIdentity, VartimeMultiscalarMul},
};
use rand_core::{OsRng, RngCore};
use sha2::{Digest, Sha512};
use touchstone_types::MemberSignature;

use super::IdentityPublic;

/// A member's key, decoded.
#[derive(Clone, Copy)]
pub(super) struct Key {
    bytes: [u8; 32],
    point: EdwardsPoint,
}

impl Key {
    /// Never none for a key that was checked.
    pub(super) fn decode(key: &IdentityPublic) -> Option<Self> {
        Some(Self {
            bytes: *key.as_bytes(),
            point: CompressedEdwardsY(*key.as_bytes()).decompress()?,
        })
    }
}

/// Length of a random weight: a wrong batch passes with probability 2^-128.
const WEIGHT_BYTES: usize = 16;

/// A signature in the form of its equation.
#[derive(Clone, Copy)]
struct Equation<'a> {
    key: &'a Key,
    r: EdwardsPoint,
    s: Scalar,
    k: Scalar,
}

impl<'a> Equation<'a> {
    fn new(
        key: &'a Key,
        message: &[u8],
        MemberSignature(signature): &MemberSignature,
    ) -> Option<Self> {
        let (r, s) = signature.split_first_chunk::<32>()?;
        let s = <[u8; 32]>::try_from(s).ok()?;
        let k = Sha512::new()
            .chain_update(r)
            .chain_update(key.bytes)
            .chain_update(message);
        Some(Self {
            key,
            r: CompressedEdwardsY(*r).decompress()?,
            s: Option::from(Scalar::from_canonical_bytes(s))?,
            k: Scalar::from_hash(k),
        })
    }

    fn holds(&self) -> bool {
        let minus_key = -self.key.point;
        let r = EdwardsPoint::vartime_double_scalar_mul_basepoint(&self.k, &minus_key, &self.s);
        (self.r - r).mul_by_cofactor().is_identity()
    }
}

/// Whether a signature is right.
pub(super) fn verify(key: &Key, message: &[u8], signature: &MemberSignature) -> bool {
    Equation::new(key, message, signature).is_some_and(|equation| equation.holds())
}

/// The verdict of [`verify`] on each of many signatures, in order; without a key none is right. It does not depend on the
/// random weights, save with a probability below 2^-120.
pub(super) fn verify_each<'a, M: AsRef<[u8]>>(
    signed: impl ExactSizeIterator<Item = (Option<&'a Key>, M, &'a MemberSignature)>,
) -> Vec<bool> {
    let mut verdicts = vec![false; signed.len()];
    let mut terms = Vec::with_capacity(signed.len());
    for (verdict, (key, message, signature)) in verdicts.iter_mut().zip(signed) {
        let equation = key.and_then(|key| Equation::new(key, message.as_ref(), signature));
        terms.extend(equation.map(|equation| Term {
            equation,
            weight: Scalar::ONE,
            verdict,
        }));
    }
    match terms.as_mut_slice() {
        [] => {}
        [one] => *one.verdict = one.equation.holds(),
        many => {
            weigh(many);
            judge(many, &sum(many));
        }
    }
    drop(terms);
    verdicts
}

/// Gives every term a random weight, with one call to the system's generator.
fn weigh(terms: &mut [Term<'_, '_>]) {
    let mut random = vec![0; terms.len().saturating_mul(WEIGHT_BYTES)];
    OsRng.fill_bytes(&mut random);
    let (weights, _) = random.as_chunks::<WEIGHT_BYTES>();
    for (term, weight) in terms.iter_mut().zip(weights) {
        // Never 0, which would hide any error.
        term.weight = Scalar::from(u128::from_le_bytes(*weight).max(1));
    }
}

/// One equation of a batch, with its random weight and the place for its verdict.
struct Term<'a, 'v> {
    equation: Equation<'a>,
    weight: Scalar,
    verdict: &'v mut bool,
}

/// Finds the right ones among terms whose weighted sum is known.
fn judge(terms: &mut [Term<'_, '_>], total: &EdwardsPoint) {
    if total.mul_by_cofactor().is_identity() {
        for term in terms {
            *term.verdict = true;
        }
    } else if terms.len() > 1 {
        let (left, right) = terms.split_at_mut(terms.len() / 2);
        let part = sum(left);
        judge(left, &part);
        judge(right, &(total - part));
    }
}

/// The sum of `weight * (R + k * A - s * B)`, with one point for all signatures of one key.
fn sum(terms: &[Term<'_, '_>]) -> EdwardsPoint {
    let mut base = Scalar::ZERO;
    let mut keys: BTreeMap<&[u8; 32], (Scalar, &EdwardsPoint)> = BTreeMap::new();
    let size = terms.len().saturating_mul(2).saturating_add(1);
    let (mut scalars, mut points) = (Vec::with_capacity(size), Vec::with_capacity(size));
    for Term {
        equation, weight, ..
    } in terms
    {
        base -= weight * equation.s;
        let key = equation.key;
        let (scalar, _) = keys.entry(&key.bytes).or_insert((Scalar::ZERO, &key.point));
        *scalar += weight * equation.k;
        scalars.push(*weight);
        points.push(&equation.r);
    }
    scalars.push(base);
    points.push(&ED25519_BASEPOINT_POINT);
    for (scalar, point) in keys.into_values() {
        scalars.push(scalar);
        points.push(point);
    }
    EdwardsPoint::vartime_multiscalar_mul(scalars, points)
}
