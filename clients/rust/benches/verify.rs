//! The time to verify a price update, against a bare strict Ed25519 verification in the same run.

use std::{fs, hint::black_box, path::Path};

use criterion::{Criterion, criterion_group, criterion_main};
use ed25519_dalek::{Signature, Signer as _, SigningKey};
use touchstone_client::{Pin, Verifier};

fn vectors(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors");
    fs::read_to_string(path.join(name)).expect(name)
}

fn update(name: &str) -> Vec<u8> {
    let text = vectors(&format!("update/valid/{name}.json"));
    let vector: serde_json::Value = serde_json::from_str(&text).expect(name);
    hex::decode(vector["update"].as_str().expect("text")).expect("hexadecimal")
}

fn verify(c: &mut Criterion) {
    let mut group = c.benchmark_group("verify");
    let key = SigningKey::from_bytes(&[7; 32]);
    let signature: Signature = key.sign(&[9; 32]);
    let public = key.verifying_key();
    group.bench_function("bare ed25519 verify_strict", |b| {
        b.iter(|| black_box(&public).verify_strict(black_box(&[9; 32]), &signature));
    });
    let pin = Pin::from_json(vectors("pin/network.json").as_bytes()).expect("a pin");
    let verifier = Verifier::from_pin(&pin).expect("a good pin");
    for (what, name) in [
        ("1 feed of 1", "tree-00001-only"),
        ("1 feed of 12", "tree-00012-middle"),
        ("12 feeds of 12", "computed-round"),
        ("1 feed of 1000", "tree-01000-middle"),
        ("7 feeds of 1000", "tree-01000-seven"),
    ] {
        let bytes = update(name);
        assert!(verifier.verify(&bytes).is_ok(), "{name}");
        group.bench_function(what, |b| b.iter(|| verifier.verify(black_box(&bytes))));
    }
    group.finish();
}

criterion_group!(benches, verify);
criterion_main!(benches);
