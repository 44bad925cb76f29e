//! The strict rules of suite 2, against signatures that are made by hand.

use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;

/// The group's order, big-endian.
const ORDER: &str = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
/// The field's order.
const FIELD: &str = "fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f";

fn bytes(text: &str) -> [u8; 32] {
    let mut out = [0; 32];
    hex::decode_to_slice(text, &mut out).unwrap();
    out
}

fn number(value: u64) -> Scalar {
    Scalar::from(value)
}

/// A key and its signature with this nonce.
fn sign(secret: Scalar, nonce: Scalar, digest: Digest) -> (PublicKey, [u8; 96]) {
    let key = PublicKey::new(&encode(&(ProjectivePoint::GENERATOR * secret))).unwrap();
    let commitment = ProjectivePoint::GENERATOR * nonce;
    let c = challenge(&[&encode(&commitment), key.as_bytes(), &digest.0]);
    let z: [u8; 32] = (nonce + c * secret).to_bytes().into();
    let encoded = commitment.to_affine().to_encoded_point(false);
    let signature = [&encoded.as_bytes()[1..], &z].concat();
    (key, signature.try_into().unwrap())
}

/// `expand_message_xmd` and `hash_to_field` written out from RFC 9380, sections 5.2 and 5.3.1.
fn expanded(message: &[u8]) -> Scalar {
    use sha3::Digest as _;
    let tag = [CONTEXT, b"chal"].concat();
    let tag = [&tag[..], &[u8::try_from(tag.len()).unwrap()]].concat();
    let hash = |parts: &[&[u8]]| -> [u8; 32] { Keccak256::digest(parts.concat()).into() };
    let first = hash(&[&[0; 136], message, &[0, 48, 0], &tag]);
    let one = hash(&[&first, &[1], &tag]);
    let mixed: Vec<u8> = first.iter().zip(&one).map(|(a, b)| a ^ b).collect();
    let two = hash(&[&mixed, &[2], &tag]);
    let wide = [&one[..], &two[..16]].concat();
    // 48 bytes modulo n, a byte at a time.
    wide.iter().fold(Scalar::ZERO, |sum, byte| {
        sum * number(256) + number(u64::from(*byte))
    })
}

proptest! {
    #[test]
    fn signatures_verify_and_no_flipped_bit_does(
        secret in 1..u64::MAX, nonce in 1..u64::MAX, digest in any::<[u8; 32]>(), bit in 0..96 * 8usize,
    ) {
        let (key, signature) = sign(number(secret), number(nonce), Digest(digest));
        prop_assert!(key.verify(Digest(digest), &signature));
        let mut bad = signature;
        bad[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(!key.verify(Digest(digest), &bad));
        let mut other = digest;
        other[bit % 32] ^= 1;
        prop_assert!(!key.verify(Digest(other), &signature));
    }

    #[test]
    fn the_challenge_is_hash_to_field_of_rfc_9380(message in any::<Vec<u8>>()) {
        prop_assert_eq!(challenge(&[&message]), expanded(&message));
    }
}

#[test]
fn coordinates_and_z_are_canonical_and_z_is_not_zero() {
    let digest = Digest([3; 32]);
    let (key, good) = sign(number(5), number(7), digest);
    assert!(key.verify(digest, &good));
    let with = |at: usize, part: [u8; 32]| {
        let mut bad = good;
        bad[at..at + 32].copy_from_slice(&part);
        bad
    };
    for part in [[0; 32], [0xff; 32], bytes(ORDER), bytes(FIELD)] {
        for at in [0, 32, 64] {
            assert!(!key.verify(digest, &with(at, part)), "{at} {part:02x?}");
        }
    }
    assert!(!key.verify(digest, &[0; 96]));
    // The other root: -R.
    let mut bad = good;
    let y = negated(&good[32..64]);
    bad[32..64].copy_from_slice(&y);
    assert!(!key.verify(digest, &bad));
}

/// `p - y`.
fn negated(y: &[u8]) -> [u8; 32] {
    let mut out = bytes(FIELD);
    let mut borrow = 0;
    for (o, y) in out.iter_mut().zip(y).rev() {
        let difference = i16::from(*o) - i16::from(*y) - borrow;
        borrow = i16::from(difference < 0);
        *o = u8::try_from(difference.rem_euclid(256)).unwrap();
    }
    out
}

/// `z + n` is the same scalar, and fits into 32 bytes for a small `z`, which no signature can be made to have.
#[test]
fn scalars_are_below_the_order() {
    let mut above = bytes(ORDER);
    assert_eq!(scalar(&above), None);
    above[31] += 1;
    assert_eq!(scalar(&above), None);
    above[31] -= 2;
    assert_eq!(scalar(&above), Some(-Scalar::ONE));
}

#[test]
fn a_key_must_be_canonical_and_its_x_below_the_order() {
    let suite = Suite::Secp256k1Keccak;
    let good = encode(&(ProjectivePoint::GENERATOR * number(9)));
    assert!(PublicKey::new(&good).is_ok());
    let refused = |bytes: &[u8]| PublicKey::new(bytes).unwrap_err();
    assert_eq!(
        refused(&good[1..]),
        GroupKeyError::Length { suite, got: 32 }
    );
    // The tags of the identity, of uncompressed, compact and hybrid points.
    for tag in [0, 1, 4, 5, 6, 7, 0x82] {
        let mut bad = good;
        bad[0] = tag;
        assert_eq!(refused(&bad), GroupKeyError::Malformed(suite), "tag {tag}");
    }
    let with = |x: [u8; 32]| [&[2], &x[..]].concat();
    for x in [bytes(FIELD), [0xff; 32]] {
        assert_eq!(refused(&with(x)), GroupKeyError::Malformed(suite));
    }
    // The smallest x from n on that a point has: the curve has it, a contract would take it for x - n.
    let mut x = bytes(ORDER);
    let point = loop {
        let candidate: Compressed = with(x).try_into().unwrap();
        if decode(&candidate).is_some() {
            break candidate;
        }
        x[31] += 1;
    };
    assert_eq!(refused(&point), GroupKeyError::Order(suite));
}
