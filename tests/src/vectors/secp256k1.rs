//! The second suite: updates and group keys as contracts on an EVM check them, and every way to be wrong that the first suite does
//! not have.
//!
//! Everything is computed here from RFC 9380 and RFC 9591 on bare curve arithmetic, so that the vectors do not agree with the code
//! under test by being it.

use std::collections::BTreeMap;

use anyhow::Context as _;
use k256::{
    ProjectivePoint, Scalar,
    elliptic_curve::{PrimeField as _, sec1::ToEncodedPoint as _},
};
use sha3::{Digest as _, Keccak256};
use touchstone_types::{Leaf, PriceUpdate, Statement, Status, Suite};

use super::{
    Files,
    keys::KeyVector,
    put,
    valid::{UpdateVector, add_to, vector_under},
    world,
};

const SUITE: Suite = Suite::Secp256k1Keccak;
const TAG: &[u8] = b"FROST-secp256k1-KECCAK256-v1chal";
/// Orders of the group and of the field, big-endian.
const ORDER: &str = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
const FIELD: &str = "fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f";

fn scalar(bytes: [u8; 32]) -> Scalar {
    Option::from(Scalar::from_repr(bytes.into())).unwrap_or(Scalar::ONE)
}

/// The secret behind the group key.
fn secret() -> Scalar {
    scalar([0x2b; 32])
}

fn compressed(point: &ProjectivePoint) -> Vec<u8> {
    point.to_affine().to_encoded_point(true).as_bytes().to_vec()
}

fn coordinates(point: &ProjectivePoint) -> Vec<u8> {
    point.to_affine().to_encoded_point(false).as_bytes()[1..].to_vec()
}

/// The group key, compressed.
fn group_key() -> Vec<u8> {
    compressed(&(ProjectivePoint::GENERATOR * secret()))
}

fn keccak(parts: &[&[u8]]) -> [u8; 32] {
    Keccak256::digest(parts.concat()).into()
}

/// `hash_to_field` of RFC 9380, section 5.2, with expand_message_xmd of section 5.3.1: one element from 48 bytes.
fn challenge(commitment: &[u8], key: &[u8], digest: &[u8]) -> anyhow::Result<Scalar> {
    let tag = [TAG, &[u8::try_from(TAG.len())?]].concat();
    let first = keccak(&[&[0; 136], commitment, key, digest, &[0, 48, 0], &tag]);
    let one = keccak(&[&first, &[1], &tag]);
    let mixed: Vec<u8> = first.iter().zip(&one).map(|(a, b)| a ^ b).collect();
    let two = keccak(&[&mixed, &[2], &tag]);
    let wide = one.iter().chain(&two[..16]);
    Ok(wide.fold(Scalar::ZERO, |sum, byte| {
        sum * Scalar::from(256_u64) + Scalar::from(u64::from(*byte))
    }))
}

/// `R.x | R.y | z` under this secret with this nonce.
fn signature(secret: &Scalar, nonce: &Scalar, digest: &[u8]) -> anyhow::Result<Vec<u8>> {
    let (point, key) = (
        ProjectivePoint::GENERATOR * nonce,
        ProjectivePoint::GENERATOR * secret,
    );
    let c = challenge(&compressed(&point), &compressed(&key), digest)?;
    let z = *nonce + c * secret;
    Ok([coordinates(&point), z.to_bytes().to_vec()].concat())
}

/// A nonce that follows from what is signed, as the vectors must not change.
fn nonce(digest: &[u8]) -> Scalar {
    scalar(keccak(&[b"nonce", digest]))
}

fn sign(statement: &Statement) -> anyhow::Result<Vec<u8>> {
    let digest = statement.digest().0;
    signature(&secret(), &nonce(&digest), &digest)
}

/// An update of these leaves under the second suite.
fn update(leaves: &[Leaf], indices: &[u16]) -> anyhow::Result<PriceUpdate> {
    let mut update = world::update(leaves, indices, |_| ())?;
    update.suite = SUITE;
    update.signature = sign(&update.statement)?;
    Ok(update)
}

fn pinned() -> BTreeMap<&'static str, String> {
    BTreeMap::from([(SUITE.name(), hex::encode(group_key()))])
}

fn vector(what: &str, bytes: &[u8]) -> anyhow::Result<UpdateVector> {
    vector_under(what, bytes, pinned())
}

pub(super) fn add(files: &mut Files) -> anyhow::Result<()> {
    add_valid(files)?;
    add_signatures(files)?;
    add_frames(files)
}

fn add_valid(files: &mut Files) -> anyhow::Result<()> {
    let cases: [(usize, &[u16], &str); 7] = [
        (1, &[0], "only"),
        (2, &[0, 1], "all"),
        (12, &[0], "first"),
        (12, &[5], "middle"),
        (12, &[11], "last"),
        (12, &[0, 5, 11], "three"),
        (1_000, &[999], "last"),
    ];
    for (size, indices, which) in cases {
        let update = update(&world::leaves(size)?, indices)?;
        let what =
            format!("{size} feeds, signed on secp256k1, of which the update shows: {indices:?}");
        let name = format!("secp256k1-tree-{size:05}-{which}");
        add_to(files, &name, vector(&what, &update.to_bytes())?, &update)?;
    }
    let mut leaf = world::leaf("BTC-USD")?;
    leaf.status = Status::DEPEGGED;
    let depegged = update(&[leaf], &[0])?;
    let what = "a feed that is depegged, signed on secp256k1";
    add_to(
        files,
        "secp256k1-status-depegged",
        vector(what, &depegged.to_bytes())?,
        &depegged,
    )?;
    // Whoever pins both keys takes either signature.
    let mut both = pinned();
    let ed25519 = world::group().verifying_key().to_bytes();
    both.insert(Suite::Ed25519.name(), hex::encode(ed25519));
    let leaves = world::leaves(12)?;
    for (suite, update) in [
        (SUITE, update(&leaves, &[5])?),
        (Suite::Ed25519, world::update(&leaves, &[5], |_| ())?),
    ] {
        let what = format!("keys of both suites are pinned, the signature is {suite}");
        let vector = vector_under(&what, &update.to_bytes(), both.clone())?;
        add_to(files, &format!("both-pinned-{suite}"), vector, &update)?;
    }
    Ok(())
}

fn bytes32(text: &str) -> anyhow::Result<[u8; 32]> {
    hex::decode(text)?.try_into().ok().context("32 bytes")
}

fn add_signatures(files: &mut Files) -> anyhow::Result<()> {
    let base = update(&world::leaves(12)?, &[5])?;
    let digest = base.statement.digest().0;
    let good = base.signature.clone();
    let with = |at: usize, part: &[u8]| {
        let mut bad = good.clone();
        bad[at..at + part.len()].copy_from_slice(part);
        bad
    };
    let (order, field) = (bytes32(ORDER)?, bytes32(FIELD)?);
    let negative = {
        let point = -(ProjectivePoint::GENERATOR * nonce(&digest));
        with(0, &coordinates(&point))
    };
    let (x, y) = (&good[..32], &good[32..64]);
    let mut next = base.statement;
    next.round.0 += 1;
    let cases: Vec<(&str, &str, Vec<u8>)> = vec![
        ("zero", "96 zero bytes", vec![0; 96]),
        ("ones", "96 bytes of 0xff", vec![0xff; 96]),
        ("z-zero", "z is 0", with(64, &[0; 32])),
        ("z-order", "z is the group's order", with(64, &order)),
        ("z-ones", "z is 2^256 - 1", with(64, &[0xff; 32])),
        ("x-field", "R.x is the field's order", with(0, &field)),
        ("y-field", "R.y is the field's order", with(32, &field)),
        (
            "r-zero",
            "R is 0, 0: no point of the curve",
            with(0, &[0; 64]),
        ),
        (
            "r-exchanged",
            "the coordinates of R are exchanged",
            [y, x, &good[64..]].concat(),
        ),
        ("r-negative", "-R in the place of R", negative),
        (
            "r-off-curve",
            "the lowest bit of R.y is flipped",
            with(63, &[good[63] ^ 1]),
        ),
        (
            "x-flipped",
            "the lowest bit of R.x is flipped",
            with(31, &[good[31] ^ 1]),
        ),
        (
            "z-flipped",
            "the lowest bit of z is flipped",
            with(95, &[good[95] ^ 1]),
        ),
        (
            "of-a-stranger",
            "a good signature of a key that is not pinned",
            signature(&scalar([0x18; 32]), &nonce(&digest), &digest)?,
        ),
        (
            "of-next-round",
            "a signature of the next round on this one's statement",
            sign(&next)?,
        ),
        (
            "over-the-statement",
            "the pinned key's signature over the 134 bytes and not over their hash",
            signature(&secret(), &nonce(&digest), &base.statement.to_bytes())?,
        ),
        (
            "over-keccak",
            "the pinned key's signature over the statement's Keccak-256 and not its SHA-256",
            {
                let keccak = keccak(&[&base.statement.to_bytes()]);
                signature(&secret(), &nonce(&keccak), &keccak)?
            },
        ),
    ];
    for (name, what, signature) in cases {
        let bytes = PriceUpdate {
            signature,
            ..base.clone()
        }
        .to_bytes();
        let mut vector = vector(what, &bytes)?;
        vector.code = Some("bad-signature");
        put(
            files,
            &format!("update/invalid/secp256k1-signature-{name}"),
            &vector,
        )?;
    }
    Ok(())
}

/// Lengths with the longer signature, and signatures under the other suite's byte.
fn add_frames(files: &mut Files) -> anyhow::Result<()> {
    let leaves = world::leaves(12)?;
    let (base, ed25519) = (
        update(&leaves, &[5])?,
        world::update(&leaves, &[5], |_| ())?,
    );
    let whole = base.to_bytes();
    let mut add = |name: &str, code, what: &str, bytes: &[u8]| {
        let mut vector = vector(what, bytes)?;
        vector.code = Some(code);
        put(files, &format!("update/invalid/secp256k1-{name}"), &vector)
    };
    for (end, name) in [
        (184, "where-ed25519-ends"),
        (215, "signature-but-one"),
        (216, "signature"),
    ] {
        let what = format!("the first {end} of {} bytes", whole.len());
        add(
            &format!("truncated-after-{name}"),
            "truncated",
            &what,
            &whole[..end],
        )?;
    }
    let longer = [whole.as_slice(), &[0]].concat();
    add(
        "extended-by-zero",
        "trailing-bytes",
        "a zero byte behind it",
        &longer,
    )?;
    let what = "a good Ed25519 update, where secp256k1 alone is pinned";
    add(
        "ed25519-not-pinned",
        "unsupported-suite",
        what,
        &ed25519.to_bytes(),
    )?;
    let mut flipped = base;
    flipped.entries[0].leaf.observers ^= 1;
    let what = "the lowest bit of the leaf's observers is flipped";
    add("flipped-leaf", "inclusion", what, &flipped.to_bytes())
}

/// Group keys that may be pinned, and those that may not.
pub(super) fn add_keys(vectors: &mut Vec<KeyVector>) -> anyhow::Result<()> {
    let mut add = |what: String, key: &[u8], code| {
        vectors.push(KeyVector {
            description: what,
            suite: SUITE,
            key: hex::encode(key),
            code,
        });
    };
    let group = group_key();
    add("the vectors' group key".into(), &group, None);
    add(
        "the base point".into(),
        &compressed(&ProjectivePoint::GENERATOR),
        None,
    );
    let negative = compressed(&-(ProjectivePoint::GENERATOR * secret()));
    add("the other root of the group key".into(), &negative, None);
    let bad = Some("bad-group-key");
    for tag in [0, 1, 4, 5, 6, 7, 0x82] {
        let key = [&[tag], &group[1..]].concat();
        add(format!("a first byte of {tag}"), &key, bad);
    }
    let with_x = |x: [u8; 32]| [&[2_u8], x.as_slice()].concat();
    add(
        "x is the field's order".into(),
        &with_x(bytes32(FIELD)?),
        bad,
    );
    add("x is 2^256 - 1".into(), &with_x([0xff; 32]), bad);
    // Of the x from n on, about every second one belongs to a point: none of them is a key.
    for more in 0..8 {
        let mut x = bytes32(ORDER)?;
        x[31] += more;
        add(
            format!("x = n + {more}: a contract takes it for {more}"),
            &with_x(x),
            bad,
        );
    }
    let uncompressed = coordinates(&(ProjectivePoint::GENERATOR * secret()));
    let uncompressed = [&[4], uncompressed.as_slice()].concat();
    let longer = [group.as_slice(), &[0]].concat();
    for key in [&[], &group[..32], &longer, &uncompressed] {
        add(format!("{} bytes", key.len()), key, bad);
    }
    Ok(())
}
