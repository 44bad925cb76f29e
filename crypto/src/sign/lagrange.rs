//! Lagrange interpolation at small integers, with one inversion for all coefficients.
#![expect(
    clippy::arithmetic_side_effects,
    reason = "arithmetic of a finite field and group cannot overflow"
)]

use alloc::vec::Vec;

use touchstone_types::MemberId;

use super::curve::Curve;

/// Where the sharing polynomial is evaluated for a member: its index plus one, as 0 is the secret's place.
pub(super) fn abscissa(member: MemberId) -> u32 {
    u32::from(member.0).saturating_add(1)
}

/// The coefficients `c_i` with `f(at) = sum of c_i * f(xs[i])` for every polynomial `f` of a degree below the number of
/// abscissas: `c_i = product over j != i of (at - x_j) / (x_i - x_j)`.
///
/// None if two abscissas are the same or `at` is one of them.
pub(super) fn coefficients<C: Curve>(xs: &[u32], at: u32) -> Option<Vec<C::Scalar>> {
    let numerator = product::<C>(xs.iter().map(|x| (at, *x)));
    // c_i = numerator / ((at - x_i) * product of the others' (x_i - x_j)).
    let mut out: Vec<C::Scalar> = xs
        .iter()
        .enumerate()
        .map(|(i, x)| {
            let others = xs.iter().enumerate().filter(|(j, _)| *j != i);
            let differences = others.map(|(_, other)| (*x, *other));
            product::<C>(differences.chain([(at, *x)]))
        })
        .collect();
    invert_all::<C>(&mut out)?;
    for coefficient in &mut out {
        *coefficient = *coefficient * numerator;
    }
    Some(out)
}

/// The product of the differences `a - b`. Factors are multiplied as integers as long as 128 bits hold them.
fn product<C: Curve>(differences: impl Iterator<Item = (u32, u32)>) -> C::Scalar {
    let mut negative = false;
    let mut done = C::integer(1);
    let mut open = 1_u128;
    for (a, b) in differences {
        negative ^= a < b;
        let factor = u128::from(a.abs_diff(b));
        open = open.checked_mul(factor).unwrap_or_else(|| {
            done = done * C::integer(open);
            factor
        });
    }
    let product = done * C::integer(open);
    if negative {
        C::integer(0) - product
    } else {
        product
    }
}

/// Inverts every scalar with one inversion (Montgomery's trick); none if one of them is zero.
fn invert_all<C: Curve>(scalars: &mut [C::Scalar]) -> Option<()> {
    let mut product = C::integer(1);
    let mut before = Vec::with_capacity(scalars.len());
    for scalar in scalars.iter() {
        before.push(product);
        product = product * *scalar;
    }
    let mut inverse = C::invert(&product)?;
    for (scalar, before) in scalars.iter_mut().zip(before).rev() {
        let inverted = inverse * before;
        inverse = inverse * *scalar;
        *scalar = inverted;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sign::curve::Ed25519;
    use curve25519_dalek::Scalar;
    use proptest::prelude::*;
    use std::vec;

    #[test]
    fn equal_abscissas_have_no_coefficients() {
        assert_eq!(coefficients::<Ed25519>(&[1, 2, 1], 0), None);
        assert_eq!(coefficients::<Ed25519>(&[1, 2, 3], 2), None);
        assert_eq!(coefficients::<Ed25519>(&[], 2), Some(vec![]));
    }

    proptest! {
        /// The definition, factor by factor, for all sets of members that there can be.
        #[test]
        fn coefficients_are_those_of_the_definition(
            xs in proptest::sample::subsequence((1..=129u32).collect::<Vec<_>>(), 1..=129),
            rotate in 0..129usize,
        ) {
            let mut xs = xs;
            let at = rotate % xs.len();
            xs.rotate_left(at);
            let got = coefficients::<Ed25519>(&xs, 0).unwrap();
            for (i, x) in xs.iter().enumerate() {
                let mut expected = Scalar::ONE;
                for (j, other) in xs.iter().enumerate() {
                    if i != j {
                        expected *= -Scalar::from(*other);
                        expected *= (Scalar::from(*x) - Scalar::from(*other)).invert();
                    }
                }
                prop_assert_eq!(got[i], expected);
            }
        }
    }
}
