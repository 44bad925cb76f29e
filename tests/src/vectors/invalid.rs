//! Updates that every verifier must refuse, one way to be wrong each, with the stable code of the refusal.
//!
//! Where a check of form or inclusion is meant to fail the signature is good, so that no other check hides it.

use curve25519_dalek::{
    constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION},
    edwards::EdwardsPoint,
    scalar::Scalar,
    traits::Identity as _,
};
use ed25519_dalek::Signer as _;
use sha2::{Digest as _, Sha512};
use touchstone_types::{Digest, Status, merkle, sha256};

use super::{
    Files, put,
    raw::{Raw, at},
    valid::vector,
    world,
};

struct Cases<'a>(&'a mut Files);

impl Cases<'_> {
    fn bytes(
        &mut self,
        name: &str,
        code: &'static str,
        what: &str,
        update: &[u8],
    ) -> anyhow::Result<()> {
        let mut vector = vector(what, update)?;
        vector.code = Some(code);
        put(self.0, &format!("update/invalid/{name}"), &vector)
    }

    /// The base update with one change.
    fn changed(
        &mut self,
        name: &str,
        code: &'static str,
        what: &str,
        change: impl FnOnce(&mut Raw),
    ) -> anyhow::Result<()> {
        let mut raw = base()?;
        change(&mut raw);
        self.bytes(name, code, what, &raw.to_bytes())
    }

    /// The base update, signed with a leaf whose bytes are wrong.
    fn leaf(
        &mut self,
        name: &str,
        what: &str,
        change: impl FnOnce(&mut [u8]),
    ) -> anyhow::Result<()> {
        let raw = Raw::signed_with_leaf(change)?;
        self.bytes(name, "invalid-leaf", what, &raw.to_bytes())
    }
}

/// The sixth of twelve feeds, and all is well.
fn base() -> anyhow::Result<Raw> {
    Raw::of(&world::update(&world::leaves(12)?, &[5], |_| ())?)
}

pub(super) fn add(files: &mut Files) -> anyhow::Result<()> {
    let mut cases = Cases(files);
    add_frame(&mut cases)?;
    add_lengths(&mut cases)?;
    add_flipped_statement(&mut cases)?;
    add_flipped_leaf(&mut cases)?;
    add_leaf_form(&mut cases)?;
    add_proofs(&mut cases)?;
    add_entries(&mut cases)?;
    add_signatures(&mut cases)
}

fn add_frame(cases: &mut Cases<'_>) -> anyhow::Result<()> {
    for version in [0, 2, 255] {
        let name = format!("version-{version}");
        cases.changed(&name, "unknown-version", "a version that is not 1", |raw| {
            raw.version = version;
        })?;
    }
    for suite in [0, 3, 255] {
        let name = format!("suite-{suite}");
        cases.changed(
            &name,
            "unknown-suite",
            "a suite that does not exist",
            |raw| {
                raw.suite = suite;
            },
        )?;
    }
    let what = "a suite that exists, with a signature of its length, but no key of it is pinned";
    cases.changed("suite-not-pinned", "unsupported-suite", what, |raw| {
        raw.suite = 2;
        raw.signature = vec![7; 96];
    })?;
    let what = "another network's statement, signed with the pinned key";
    cases.changed("network-other", "wrong-network", what, |raw| {
        raw.statement[..32].copy_from_slice(&sha256(&[b"another network"]).0);
        raw.sign();
    })
}

fn add_lengths(cases: &mut Cases<'_>) -> anyhow::Result<()> {
    let whole = base()?.to_bytes();
    let ends = [
        (0, "nothing"),
        (1, "version"),
        (2, "suite"),
        (34, "network"),
        (119, "statement-but-one"),
        (120, "statement"),
        (183, "signature-but-one"),
        (184, "signature"),
        (185, "count"),
        (276, "leaf-but-one"),
        (277, "leaf"),
        (279, "index"),
        (280, "path-len"),
        (whole.len() - 32, "path-but-one"),
        (whole.len() - 1, "whole-but-one-byte"),
    ];
    for (end, name) in ends {
        let what = format!("the first {end} of {} bytes", whole.len());
        let name = format!("truncated-after-{name}");
        cases.bytes(&name, "truncated", &what, &whole[..end])?;
    }
    let one_more = [whole.as_slice(), &[0]].concat();
    cases.bytes(
        "extended-by-zero",
        "trailing-bytes",
        "a zero byte behind it",
        &one_more,
    )?;
    let doubled = whole.repeat(2);
    cases.bytes(
        "extended-by-itself",
        "trailing-bytes",
        "the update twice",
        &doubled,
    )
}

fn add_flipped_statement(cases: &mut Cases<'_>) -> anyhow::Result<()> {
    let fields: [(&str, usize, &str); 6] = [
        ("network-id", 31, "wrong-network"),
        ("epoch", 35, "bad-signature"),
        ("round", 43, "bad-signature"),
        ("timestamp", 51, "bad-signature"),
        ("feeds-root", 85, "bad-signature"),
        ("observations-root", 117, "bad-signature"),
    ];
    for (field, last_byte, code) in fields {
        let what = format!("the lowest bit of the statement's {field} is flipped");
        cases.changed(&format!("flipped-{field}"), code, &what, |raw| {
            raw.statement[last_byte] ^= 1;
        })?;
    }
    let what = "the feed count is 13 in place of 12, for which the path has the right length";
    cases.changed("flipped-feed-count", "bad-signature", what, |raw| {
        raw.statement[53] ^= 1;
    })?;
    let what = "the feed count is 32,780 in place of 12, for which the path is too short";
    cases.changed("flipped-feed-count-high", "path-length", what, |raw| {
        raw.statement[52] ^= 0x80;
    })?;
    for (name, byte) in [("r", 0), ("r-sign", 31), ("s", 32), ("s-top", 63)] {
        let bit = if byte == 31 || byte == 63 { 0x80 } else { 1 };
        let what = format!("one bit of the signature's byte {byte} is flipped");
        cases.changed(
            &format!("flipped-signature-{name}"),
            "bad-signature",
            &what,
            |raw| {
                raw.signature[byte] ^= bit;
            },
        )?;
    }
    Ok(())
}

fn add_flipped_leaf(cases: &mut Cases<'_>) -> anyhow::Result<()> {
    let fields: [(&str, usize); 8] = [
        ("feed", 0),
        ("status", at::STATUS),
        ("exponent", at::EXPONENT),
        ("price", at::LOW - 1),
        ("low", at::HIGH - 1),
        ("high", at::OBSERVED_AT - 1),
        ("observed-at", at::OBSERVERS - 1),
        ("observers", at::OBSERVERS + 1),
    ];
    for (field, byte) in fields {
        let what = format!("the lowest bit of the leaf's {field} is flipped");
        cases.changed(
            &format!("flipped-leaf-{field}"),
            "inclusion",
            &what,
            |raw| {
                raw.entries[0].leaf[byte] ^= 1;
            },
        )?;
    }
    let what = "a hidden status: the leaf was signed as halted and is shown as ok";
    let mut raw = Raw::signed_with_leaf(|leaf| leaf[at::STATUS] = Status::HALTED.bits())?;
    raw.entries[0].leaf[at::STATUS] = 0;
    cases.bytes("status-hidden", "inclusion", what, &raw.to_bytes())?;
    for step in 0..4 {
        let what = format!("one bit of hash {step} of the path is flipped");
        cases.changed(&format!("flipped-path-{step}"), "inclusion", &what, |raw| {
            raw.entries[0].path[step].0[31] ^= 1;
        })?;
    }
    Ok(())
}

fn add_leaf_form(cases: &mut Cases<'_>) -> anyhow::Result<()> {
    let bits = [0x20u8, 0x40, 0x60];
    for bit in bits {
        let what = format!("a status byte with an unknown bit, 0x{bit:02x}");
        cases.leaf(&format!("status-unknown-{bit:02x}"), &what, |leaf| {
            leaf[at::STATUS] = bit;
        })?;
    }
    cases.leaf(
        "unavailable-with-price",
        "unavailable, yet it has a price",
        |leaf| {
            leaf[at::STATUS] = Status::UNAVAILABLE.bits();
        },
    )?;
    for (name, exponent) in [("exponent-39", 39i8), ("exponent-minus-39", -39)] {
        cases.leaf(name, "an exponent beyond 38", |leaf| {
            leaf[at::EXPONENT] = exponent.to_be_bytes()[0];
        })?;
    }
    cases.leaf("low-above-price", "low is above the price", |leaf| {
        leaf.copy_within(at::HIGH..at::OBSERVED_AT, at::LOW);
    })?;
    cases.leaf("high-below-price", "high is below the price", |leaf| {
        leaf.copy_within(at::LOW..at::HIGH, at::HIGH);
    })?;
    let names: [(&str, &[u8]); 9] = [
        ("empty", b""),
        ("lower-case", b"btc-USD"),
        ("no-hyphen", b"BTCUSD"),
        ("two-hyphens", b"BTC-USD-X"),
        ("no-base", b"-USD"),
        ("no-quote", b"BTC-"),
        ("base-of-16", b"ABCDEFGHIJKLMNOP-USD"),
        ("hole-in-padding", b"BTC-USD\0X"),
        ("not-ascii", b"BTC-\xc3\x9cSD"),
    ];
    for (name, bytes) in names {
        cases.leaf(
            &format!("feed-{name}"),
            "bytes that are no feed name",
            |leaf| {
                leaf[..32].fill(0);
                leaf[..bytes.len()].copy_from_slice(bytes);
            },
        )?;
    }
    Ok(())
}

fn add_proofs(cases: &mut Cases<'_>) -> anyhow::Result<()> {
    cases.changed(
        "index-below",
        "inclusion",
        "the leaf index is one too small",
        |raw| {
            raw.entries[0].index = 4;
        },
    )?;
    cases.changed(
        "index-above",
        "inclusion",
        "the leaf index is one too large",
        |raw| {
            raw.entries[0].index = 6;
        },
    )?;
    for index in [12, u16::MAX] {
        let what = "a leaf index that the tree of 12 does not have";
        cases.changed(&format!("index-{index}"), "leaf-index", what, |raw| {
            raw.entries[0].index = index;
        })?;
    }
    let what = "the path lacks its last hash";
    cases.changed("path-short", "path-length", what, |raw| {
        raw.entries[0].path.pop();
        raw.entries[0].path_len = 3;
    })?;
    cases.changed("path-none", "path-length", "there is no path", |raw| {
        raw.entries[0].path.clear();
        raw.entries[0].path_len = 0;
    })?;
    let what = "the path has one hash more, the root";
    cases.changed("path-long", "path-length", what, |raw| {
        let root = Digest(raw.statement[54..86].try_into().unwrap_or_default());
        raw.entries[0].path.push(root);
        raw.entries[0].path_len = 5;
    })?;
    let what = "the path has 255 hashes";
    cases.changed("path-255", "path-length", what, |raw| {
        raw.entries[0].path = vec![Digest([1; 32]); 255];
        raw.entries[0].path_len = 255;
    })?;
    let what = "the hashes of the path are in the opposite order";
    cases.changed("path-reversed", "inclusion", what, |raw| {
        raw.entries[0].path.reverse();
    })?;
    let other = Raw::of(&world::update(&world::leaves(12)?, &[6], |_| ())?)?;
    let what = "a leaf with index and path of another feed";
    cases.changed("proof-of-another-feed", "inclusion", what, |raw| {
        raw.entries[0].index = other.entries[0].index;
        raw.entries[0].path.clone_from(&other.entries[0].path);
    })?;
    let later = Raw::of(&world::update(&world::leaves(12)?, &[5], |s| {
        s.round.0 += 1;
    })?)?;
    let what = "a signature of the next round on this one's statement";
    cases.changed("signature-of-next-round", "bad-signature", what, |raw| {
        raw.signature.clone_from(&later.signature);
    })?;
    let mut newer = world::leaves(12)?;
    newer[5].price += 1;
    let newer = Raw::of(&world::update(&newer, &[5], |_| ())?)?;
    let what = "a leaf of another round, whose neighbours are the same";
    cases.changed("leaf-of-another-round", "inclusion", what, |raw| {
        raw.entries[0].leaf.clone_from(&newer.entries[0].leaf);
    })?;
    add_domains(cases)
}

/// Trees in which a leaf and an inner node could be taken for each other.
fn add_domains(cases: &mut Cases<'_>) -> anyhow::Result<()> {
    let leaves: Vec<Vec<u8>> = world::leaves(12)?
        .iter()
        .map(|leaf| leaf.to_bytes().to_vec())
        .collect();
    let trees: [(&str, &str, &[&[u8]]); 2] = [
        (
            "leaf-hashed-as-node",
            "a tree whose leaf hashes begin with 0x01, as inner nodes do",
            &[&[1]],
        ),
        (
            "leaf-hashed-without-prefix",
            "a tree whose leaf hashes have no prefix",
            &[],
        ),
    ];
    for (name, what, prefix) in trees {
        let raw = Raw::signed_tree(&leaves, |leaf| {
            let parts: Vec<&[u8]> = prefix.iter().copied().chain([leaf]).collect();
            sha256(&parts)
        })?;
        cases.bytes(name, "inclusion", what, &raw.to_bytes())?;
    }
    let what = "an inner node in the place of a leaf: its two children are the first 64 bytes of what is shown, and \
                the path is that of the node";
    let mut raw = base()?;
    let hashes: Vec<Digest> = leaves.iter().map(|leaf| merkle::leaf_hash(leaf)).collect();
    let pairs: Vec<Digest> = hashes
        .chunks(2)
        .map(|pair| merkle::node_hash(pair[0], pair[1]))
        .collect();
    let mut shown = [hashes[4].0, hashes[5].0].concat();
    shown.resize(92, 0);
    raw.statement[52..54].copy_from_slice(&6u16.to_be_bytes());
    raw.sign();
    raw.entries[0].leaf = shown;
    raw.entries[0].index = 2;
    raw.entries[0].path = merkle::path(&pairs, 2).unwrap_or_default();
    raw.entries[0].path_len = 3;
    cases.bytes("inner-node-as-leaf", "invalid-leaf", what, &raw.to_bytes())?;
    let what = "the inner node over leaves 4 and 5 as the sibling of a leaf: the path of a tree of 6, cut out of the tree of 12";
    let mut raw = base()?;
    raw.statement[52..54].copy_from_slice(&6u16.to_be_bytes());
    raw.sign();
    raw.entries[0].index = 2;
    raw.entries[0].path = merkle::path(&pairs, 2).unwrap_or_default();
    raw.entries[0].path_len = 3;
    cases.bytes(
        "leaf-in-place-of-inner-node",
        "inclusion",
        what,
        &raw.to_bytes(),
    )
}

fn add_entries(cases: &mut Cases<'_>) -> anyhow::Result<()> {
    let several = Raw::of(&world::update(&world::leaves(12)?, &[2, 5, 9], |_| ())?)?;
    let mut changed = |name: &str, code, what: &str, change: fn(&mut Raw)| {
        let mut raw = several.clone();
        change(&mut raw);
        cases.bytes(name, code, what, &raw.to_bytes())
    };
    changed("count-zero", "no-entries", "no entry", |raw| {
        raw.count = 0;
        raw.entries.clear();
    })?;
    let what = "a count of 0 with entries behind it";
    changed("count-zero-with-entries", "no-entries", what, |raw| {
        raw.count = 0;
    })?;
    changed(
        "count-below",
        "trailing-bytes",
        "three entries, counted as two",
        |raw| {
            raw.count = 2;
        },
    )?;
    changed(
        "count-above",
        "truncated",
        "three entries, counted as four",
        |raw| {
            raw.count = 4;
        },
    )?;
    changed(
        "count-255",
        "truncated",
        "three entries, counted as 255",
        |raw| {
            raw.count = 255;
        },
    )?;
    let what = "leaf indices are descending";
    changed("indices-descending", "leaf-order", what, |raw| {
        raw.entries.reverse();
    })?;
    let what = "one leaf stands there twice";
    changed("indices-equal", "leaf-order", what, |raw| {
        raw.entries[1] = raw.entries[0].clone();
    })?;
    let what = "the second of three leaves is wrong";
    changed("second-leaf-wrong", "inclusion", what, |raw| {
        raw.entries[1].leaf[at::OBSERVERS + 1] ^= 1;
    })?;
    let what = "the last of three leaves is wrong";
    changed("last-leaf-wrong", "inclusion", what, |raw| {
        raw.entries[2].leaf[at::OBSERVERS + 1] ^= 1;
    })
}

fn add_signatures(cases: &mut Cases<'_>) -> anyhow::Result<()> {
    let mut signature = |name: &str, what: &str, make: fn(&Raw) -> Vec<u8>| {
        cases.changed(&format!("signature-{name}"), "bad-signature", what, |raw| {
            raw.signature = make(raw);
        })
    };
    signature("zero", "64 zero bytes", |_| vec![0; 64])?;
    signature("ones", "64 bytes of 0xff", |_| vec![0xff; 64])?;
    signature(
        "of-a-stranger",
        "a good signature of a key that is not pinned",
        |raw| world::stranger().sign(&raw.message().0).to_bytes().to_vec(),
    )?;
    let what = "the pinned key's signature over the 134 bytes and not over their hash";
    signature("over-the-statement", what, |raw| {
        let message = [b"touchstone/att/1".as_slice(), &raw.statement].concat();
        world::group().sign(&message).to_bytes().to_vec()
    })?;
    let what = "the pinned key's signature over a statement with another magic";
    signature("over-another-magic", what, |raw| {
        let digest = sha256(&[b"touchstone/att/2", &raw.statement]);
        world::group().sign(&digest.0).to_bytes().to_vec()
    })?;
    let what = "s + L in the place of s: the same equation, another encoding";
    signature("s-plus-l", what, |raw| {
        let (r, s) = raw.signature.split_at(32);
        [r, &plus_order(s)].concat()
    })?;
    signature("s-first", "s and R are exchanged", |raw| {
        let (r, s) = raw.signature.split_at(32);
        [s, r].concat()
    })?;
    let what = "R is the neutral element, s = k a: the equation holds, strict rules refuse R of small order";
    signature("small-order-r", what, |raw| {
        equation(raw, EdwardsPoint::identity().compress().0, Scalar::ZERO)
    })?;
    let what = "as before, with R encoded as y = p + 1: not canonical";
    signature("non-canonical-r", what, |raw| {
        let mut r = [0xff; 32];
        (r[0], r[31]) = (0xee, 0x7f);
        equation(raw, r, Scalar::ZERO)
    })?;
    let what = "as before, with R encoded as x = -0: not canonical";
    signature("non-canonical-r-sign", what, |raw| {
        let mut r = [0; 32];
        (r[0], r[31]) = (1, 0x80);
        equation(raw, r, Scalar::ZERO)
    })?;
    let what = "R has a part of small order: only the equation times the cofactor holds";
    signature("cofactor-only", what, |raw| {
        let nonce = Scalar::from_bytes_mod_order([5; 32]);
        let r = ED25519_BASEPOINT_POINT * nonce + EIGHT_TORSION[1];
        equation(raw, r.compress().0, nonce)
    })
}

/// `R || nonce + H(R || A || M) a`.
fn equation(raw: &Raw, r: [u8; 32], nonce: Scalar) -> Vec<u8> {
    let key = world::group();
    let mut hash = Sha512::new();
    hash.update(r);
    hash.update(key.verifying_key().as_bytes());
    hash.update(raw.message().0);
    let k = Scalar::from_bytes_mod_order_wide(&hash.finalize().into());
    let s = nonce + k * Scalar::from_bytes_mod_order(key.to_scalar().to_bytes());
    [r, s.to_bytes()].concat()
}

/// The little-endian integer plus the order of the base point (RFC 8032, section 5.1).
fn plus_order(s: &[u8]) -> Vec<u8> {
    // L - 1 is -1 modulo L.
    let order_minus_one = (-Scalar::ONE).to_bytes();
    let mut carry = 1u16;
    let digits = s.iter().zip(order_minus_one);
    digits
        .map(|(a, b)| {
            let sum = u16::from(*a) + u16::from(b) + carry;
            carry = sum >> 8;
            sum.to_le_bytes()[0]
        })
        .collect()
}
