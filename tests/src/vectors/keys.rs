//! Group keys that nobody may pin, and two that one may.

use curve25519_dalek::{
    constants::{ED25519_BASEPOINT_COMPRESSED, EIGHT_TORSION},
    edwards::CompressedEdwardsY,
};
use serde::Serialize;
use touchstone_types::Suite;

use super::{Files, put, secp256k1, world};

#[derive(Serialize)]
pub(super) struct KeyVector {
    pub(super) description: String,
    pub(super) suite: Suite,
    pub(super) key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<&'static str>,
}

pub(super) fn add(files: &mut Files) -> anyhow::Result<()> {
    let mut vectors = Vec::new();
    let mut add = |what: String, key: &[u8], code| {
        vectors.push(KeyVector {
            description: what,
            suite: Suite::Ed25519,
            key: hex::encode(key),
            code,
        });
    };
    let group = world::group().verifying_key();
    add("the vectors' group key".into(), group.as_bytes(), None);
    add(
        "the base point".into(),
        ED25519_BASEPOINT_COMPRESSED.as_bytes(),
        None,
    );
    let bad = Some("bad-group-key");
    for (i, point) in EIGHT_TORSION.iter().enumerate() {
        let what = format!("point {i} of the eight of small order");
        add(what, point.compress().as_bytes(), bad);
    }
    for (what, key) in non_canonical() {
        add(format!("not canonical: {what}"), &key, bad);
    }
    for (i, torsion) in EIGHT_TORSION.iter().enumerate().skip(1) {
        let mixed = group.to_edwards() + torsion;
        let what = format!("the group key plus point {i} of small order");
        add(what, mixed.compress().as_bytes(), bad);
    }
    for y in (2..12).map(encode_y) {
        if CompressedEdwardsY(y).decompress().is_none() {
            add(format!("no point of the curve has y = {}", y[0]), &y, bad);
        }
    }
    let longer = [group.as_bytes().as_slice(), &[0]].concat();
    for key in [&[], &group.as_bytes()[..31], &longer] {
        add(format!("{} bytes", key.len()), key, bad);
    }
    secp256k1::add_keys(&mut vectors)?;
    put(files, "group-keys", &vectors)
}

/// `p + y` for small y, and a sign bit where x is 0.
fn non_canonical() -> Vec<(String, [u8; 32])> {
    let mut out = Vec::new();
    for y in 0..19u8 {
        // p = 2^255 - 19
        let mut key = [0xff; 32];
        (key[0], key[31]) = (0xed + y, 0x7f);
        if CompressedEdwardsY(key).decompress().is_none() {
            continue;
        }
        out.push((format!("y = p + {y}"), key));
        key[31] |= 0x80;
        out.push((format!("y = p + {y} with the sign bit"), key));
    }
    let mut one = encode_y(1);
    one[31] |= 0x80;
    out.push(("y = 1, x = -0".into(), one));
    let mut minus_one = [0xff; 32];
    minus_one[0] = 0xec;
    out.push(("y = -1, x = -0".into(), minus_one));
    out
}

fn encode_y(y: u8) -> [u8; 32] {
    let mut key = [0; 32];
    key[0] = y;
    key
}
