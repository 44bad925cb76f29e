//! The shared vectors of tests/vectors/.

use std::{fs, path::Path};

use serde_json::Value;

/// One file of `update/`.
#[derive(Clone, Debug)]
pub struct UpdateVector {
    /// The file's name.
    pub name: String,
    /// The network that is pinned.
    pub network: [u8; 32],
    /// The group key of the second suite that is pinned, if one is.
    pub secp256k1: Option<Vec<u8>>,
    /// Whether a key of the first suite is pinned.
    pub ed25519: bool,
    /// The update.
    pub update: Vec<u8>,
    /// The code of the refusal, if it must be refused.
    pub code: Option<String>,
    /// What a valid update says.
    pub valid: Value,
}

/// One file of `tests/vectors/`, as JSON.
pub fn read_vector(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../tests/vectors")
        .join(name);
    let text = fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_slice(&text).expect("a vector is JSON")
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().expect("a text")).expect("hexadecimal")
}

fn updates(folder: &str) -> Vec<UpdateVector> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../tests/vectors")
        .join(folder);
    let mut names: Vec<String> = fs::read_dir(path)
        .expect("tests/vectors can be read")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("a name")
        })
        .collect();
    names.sort();
    names
        .into_iter()
        .map(|name| read_update(folder, name))
        .collect()
}

fn read_update(folder: &str, name: String) -> UpdateVector {
    let file = read_vector(&format!("{folder}/{name}"));
    let keys = &file["group_keys"];
    UpdateVector {
        network: bytes(&file["network_id"]).try_into().expect("32 bytes"),
        secp256k1: keys.get("secp256k1-keccak").map(bytes),
        ed25519: keys.get("ed25519").is_some(),
        update: bytes(&file["update"]),
        code: file["code"].as_str().map(str::to_owned),
        valid: file["valid"].clone(),
        name,
    }
}

/// Updates that must verify.
pub fn valid_updates() -> Vec<UpdateVector> {
    updates("update/valid")
}

/// Updates that must be refused.
pub fn invalid_updates() -> Vec<UpdateVector> {
    updates("update/invalid")
}
