//! The compiled contracts, as `node build.mjs` wrote them.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use revm::primitives::{Bytes, keccak256};
use serde_json::Value;

/// One contract.
#[derive(Clone, Debug)]
pub struct Artifact(Value);

/// Every artifact's file, by the contract's name.
fn files() -> &'static BTreeMap<String, PathBuf> {
    static FILES: OnceLock<BTreeMap<String, PathBuf>> = OnceLock::new();
    FILES.get_or_init(|| {
        let mut out = BTreeMap::new();
        let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../artifacts")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("artifacts/ can be read") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.file_stem().and_then(|n| n.to_str()).expect("a name");
                    assert_eq!(out.insert(name.to_owned(), path.clone()), None, "{name}");
                }
            }
        }
        out
    })
}

impl Artifact {
    /// Reads a contract's file below `artifacts/`.
    pub fn read(name: &str) -> Self {
        let path = files()
            .get(name)
            .unwrap_or_else(|| panic!("no artifact of {name}"));
        let text = fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        Self(serde_json::from_slice(&text).expect("an artifact is JSON"))
    }

    fn code(&self, field: &str) -> Vec<u8> {
        hex::decode(self.0[field].as_str().expect("code")).expect("code is hexadecimal")
    }

    /// The code that deploys the contract, without its constructor's arguments.
    pub fn creation_code(&self) -> Vec<u8> {
        self.code("bytecode")
    }

    /// The code of a deployed contract with its immutables blanked, as it is in the artifact: so that two can be compared.
    pub fn without_immutables(&self, deployed: &[u8]) -> Vec<u8> {
        let mut code = deployed.to_vec();
        let references = self.0["immutables"].as_object().expect("an object");
        for place in references
            .values()
            .flat_map(|r| r.as_array().expect("places"))
        {
            let number = |name: &str| {
                usize::try_from(place[name].as_u64().expect("a number")).expect("small")
            };
            code[number("start")..][..number("length")].fill(0);
        }
        code
    }

    /// The code of a deployed contract before the constructor has written the immutables.
    pub fn runtime_code(&self) -> Vec<u8> {
        self.code("deployedBytecode")
    }

    fn abi(&self) -> &[Value] {
        self.0["abi"].as_array().expect("abi is a list")
    }

    /// The first four bytes of a call: by name, or by signature where the name is overloaded.
    pub fn selector(&self, function: &str) -> [u8; 4] {
        let mut found = self.abi().iter().filter(|entry| {
            entry["type"] == "function"
                && (entry["name"] == function || signature(entry) == function)
        });
        let entry = found.next().unwrap_or_else(|| panic!("no {function}"));
        assert!(found.next().is_none(), "{function} is overloaded");
        selector(entry)
    }

    /// The names of all errors.
    pub fn errors(&self) -> Vec<&str> {
        let errors = self.abi().iter().filter(|e| e["type"] == "error");
        errors
            .map(|e| e["name"].as_str().expect("a name"))
            .collect()
    }

    /// The names of all functions that may change storage.
    pub fn mutating(&self) -> Vec<&str> {
        self.abi()
            .iter()
            .filter(|e| e["type"] == "function")
            .filter(|e| e["stateMutability"] != "view" && e["stateMutability"] != "pure")
            .map(|e| e["name"].as_str().expect("a name"))
            .collect()
    }
}

/// `name(type,..)` with structs as tuples.
fn signature(entry: &Value) -> String {
    let inputs: Vec<String> = entry["inputs"]
        .as_array()
        .expect("inputs")
        .iter()
        .map(type_name)
        .collect();
    format!(
        "{}({})",
        entry["name"].as_str().expect("a name"),
        inputs.join(",")
    )
}

fn type_name(input: &Value) -> String {
    let name = input["type"].as_str().expect("a type");
    match input["components"].as_array() {
        None => name.to_owned(),
        Some(parts) => {
            let parts: Vec<String> = parts.iter().map(type_name).collect();
            name.replacen("tuple", &format!("({})", parts.join(",")), 1)
        }
    }
}

fn selector(entry: &Value) -> [u8; 4] {
    let hash = keccak256(signature(entry));
    [hash[0], hash[1], hash[2], hash[3]]
}

fn errors() -> &'static BTreeMap<[u8; 4], String> {
    static ERRORS: OnceLock<BTreeMap<[u8; 4], String>> = OnceLock::new();
    ERRORS.get_or_init(|| {
        let mut all = BTreeMap::from([
            // Built into the language: require with a text, and failed assertions and checked arithmetic.
            (*b"\x08\xc3\x79\xa0", "Error".to_owned()),
            (*b"\x4e\x48\x7b\x71", "Panic".to_owned()),
        ]);
        for name in files().keys() {
            let artifact = Artifact::read(name);
            for entry in artifact.abi().iter().filter(|e| e["type"] == "error") {
                all.insert(
                    selector(entry),
                    entry["name"].as_str().expect("a name").to_owned(),
                );
            }
        }
        all
    })
}

/// The name of the custom error that a call reverted with; empty if it reverted without a word.
pub fn error_name(output: &Bytes) -> String {
    match output.first_chunk::<4>() {
        None => String::new(),
        Some(selector) => errors()
            .get(selector)
            .unwrap_or_else(|| panic!("unknown error {}", hex::encode(output)))
            .clone(),
    }
}

/// A custom error's name in the writing of the shared codes: `WrongNetwork` is `wrong-network`.
pub fn kebab(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push('-');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}
