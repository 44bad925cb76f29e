//! The time to verify a price update in either suite, against a bare strict Ed25519 verification in the same run.

use std::{fs, hint::black_box, path::Path};

use criterion::{Criterion, criterion_group, criterion_main};
use ed25519_dalek::{Signature, Signer as _, SigningKey};
use serde_json::Value;
use touchstone_client::{Digest, GroupKey, NetworkId, Verifier};

/// An update of the shared vectors with the verifier that pinned what the file says.
fn vector(name: &str) -> (Verifier, Vec<u8>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/update/valid");
    let text = fs::read(path.join(name).with_extension("json")).expect(name);
    let vector: Value = serde_json::from_slice(&text).expect(name);
    let bytes = |value: &Value| hex::decode(value.as_str().expect("text")).expect("hexadecimal");
    let network = bytes(&vector["network_id"]).try_into().expect("32 bytes");
    let keys = vector["group_keys"].as_object().expect("keys").iter();
    let keys = keys.map(|(suite, key)| {
        GroupKey::new(suite.parse().expect("a suite"), &bytes(key)).expect("a key")
    });
    let verifier = Verifier::new(NetworkId(Digest(network)), keys);
    (verifier, bytes(&vector["update"]))
}

fn verify(c: &mut Criterion) {
    let mut group = c.benchmark_group("verify");
    let key = SigningKey::from_bytes(&[7; 32]);
    let signature: Signature = key.sign(&[9; 32]);
    let public = key.verifying_key();
    group.bench_function("bare ed25519 verify_strict", |b| {
        b.iter(|| black_box(&public).verify_strict(black_box(&[9; 32]), &signature));
    });
    for (what, name) in [
        ("1 feed of 1", "tree-00001-only"),
        ("1 feed of 12", "tree-00012-middle"),
        ("12 feeds of 12", "computed-round"),
        ("1 feed of 1000", "tree-01000-middle"),
        ("7 feeds of 1000", "tree-01000-seven"),
        (
            "secp256k1-keccak, 1 feed of 12",
            "secp256k1-tree-00012-middle",
        ),
    ] {
        let (verifier, bytes) = vector(name);
        assert!(verifier.verify(&bytes).is_ok(), "{name}");
        group.bench_function(what, |b| b.iter(|| verifier.verify(black_box(&bytes))));
    }
    group.finish();
}

criterion_group!(benches, verify);
criterion_main!(benches);
