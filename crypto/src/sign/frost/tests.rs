//! Commitments with small-order parts: the argument in the documentation of `session`, on the arithmetic itself.

use super::*;
use crate::sign::curve::Ed25519;
use curve25519_dalek::{
    EdwardsPoint, Scalar, constants::EIGHT_TORSION, edwards::CompressedEdwardsY, traits::Identity,
};
use proptest::prelude::*;
use std::vec;

const MESSAGE: &[u8] = b"message";

/// A signer with known secrets, and the small-order parts of its two commitments.
#[derive(Clone, Debug)]
struct Case {
    nonces: (u64, u64),
    torsion: (usize, usize),
}

fn case() -> impl Strategy<Value = Case> {
    let torsion = prop_oneof![2 => Just((0, 0)), 3 => (0..8usize, 0..8usize)];
    ((1..u64::MAX, 1..u64::MAX), torsion).prop_map(|(nonces, torsion)| Case { nonces, torsion })
}

/// Shares of a polynomial of degree one less than the number of signers.
fn share(member: MemberId, count: usize) -> Scalar {
    let x = Scalar::from(abscissa(member));
    (0..count).fold(Scalar::ZERO, |sum, i| {
        sum * x + Scalar::from(u64::try_from(i).unwrap() + 0x1234_5678)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// A share is right exactly if no small-order part is left in its author's commitments, whatever the others'
    /// commitments are; the sum is a strict signature exactly if none is left in all of them together.
    #[test]
    fn a_small_order_part_spoils_its_authors_share_only(
        cases in proptest::collection::vec(case(), 1..8),
    ) {
        let members: Vec<MemberId> = (0..u16::try_from(cases.len()).unwrap()).map(|i| MemberId(3 * i)).collect();
        // The value at 0.
        let secret = Scalar::from(u64::try_from(cases.len()).unwrap() - 1 + 0x1234_5678);
        let group_key = EdwardsPoint::mul_base(&secret).compress().to_bytes();
        let mut pairs = Vec::new();
        for (member, case) in members.iter().zip(&cases) {
            let commit = |nonce: u64, torsion: usize| {
                (EdwardsPoint::mul_base(&Scalar::from(nonce)) + EIGHT_TORSION[torsion]).compress().to_bytes()
            };
            let bytes = [commit(case.nonces.0, case.torsion.0), commit(case.nonces.1, case.torsion.1)].concat();
            pairs.push((*member, Pair::<Ed25519>::decode(&bytes).unwrap()));
        }
        let session = Session::new(&group_key, &pairs, MESSAGE).unwrap();
        let mut shares = Vec::new();
        let mut left = EdwardsPoint::identity();
        for (signer, case) in session.signers.iter().zip(&cases) {
            let own = share(signer.member, cases.len());
            let (d, e) = (Scalar::from(case.nonces.0), Scalar::from(case.nonces.1));
            let z = d + e * signer.binding_factor + signer.weight * own;
            let torsion = EIGHT_TORSION[case.torsion.0] + EIGHT_TORSION[case.torsion.1] * signer.binding_factor;
            left += torsion;
            let verifying = EdwardsPoint::mul_base(&own);
            let verdict = session.verify(signer.member, &verifying, &z.to_bytes());
            prop_assert_eq!(verdict, torsion == EdwardsPoint::identity());
            // The equation, term by term.
            let (hiding, binding) = signer.commitments.points;
            let right = hiding + binding * signer.binding_factor + verifying * signer.weight;
            prop_assert_eq!(verdict, EdwardsPoint::mul_base(&z) == right);
            // And for a share with which no small-order part could help.
            let other = (z + Scalar::ONE).to_bytes();
            prop_assert!(!session.verify(signer.member, &verifying, &other));
            shares.push(z.to_bytes());
        }
        let naive: EdwardsPoint = session.signers.iter()
            .map(|s| s.commitments.points.0 + s.commitments.points.1 * s.binding_factor)
            .sum();
        prop_assert_eq!(naive.compress().to_bytes(), session.commitment);
        let signature = session.sum(shares.iter()).unwrap();
        let signature = ed25519_dalek::Signature::from_slice(&signature).unwrap();
        let key = ed25519_dalek::VerifyingKey::from_bytes(&group_key).unwrap();
        let strict = key.verify_strict(MESSAGE, &signature).is_ok();
        prop_assert_eq!(strict, left == EdwardsPoint::identity());
    }
}

/// Every y near the two ends of the 255-bit numbers, with and without a sign: among them all non-canonical encodings.
#[test]
fn only_canonical_encodings_with_x_other_than_zero_are_decoded() {
    let mut edges: Vec<[u8; 32]> = vec![[0x42; 32]];
    for low in 0..=u8::MAX {
        for (rest, high) in [(0, 0), (0xff, 0x7f)] {
            for sign in [0, 0x80] {
                let mut bytes = [rest; 32];
                (bytes[0], bytes[31]) = (low, high | sign);
                edges.push(bytes);
            }
        }
    }
    let mut accepted = 0;
    for bytes in edges {
        // By the definition: it is what its point is encoded to, and the point is not one of the two with x = 0.
        let expected = CompressedEdwardsY(bytes).decompress().filter(|point| {
            let doubled = point + point;
            point.compress().to_bytes() == bytes && doubled != EdwardsPoint::identity()
        });
        let got = Ed25519::decode(&bytes);
        assert_eq!(got, expected, "{}", hex::encode(bytes));
        accepted += u32::from(got.is_some());
    }
    // About half of all y are on the curve.
    assert!((400..600).contains(&accepted), "{accepted}");
}
