//! The shared vectors of `tests/vectors`.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, de::DeserializeOwned};

/// One file of `update/`.
#[derive(Deserialize)]
pub struct UpdateVector {
    /// Name of the file.
    #[serde(skip)]
    pub name: String,
    /// The pinned network.
    pub network_id: String,
    /// The pinned keys, by suite.
    pub group_keys: BTreeMap<String, String>,
    /// The update.
    pub update: String,
    /// Why it is refused.
    pub code: Option<String>,
    /// What it says.
    pub valid: Option<Valid>,
}

/// What a valid update says.
#[derive(Deserialize)]
pub struct Valid {
    /// The statement.
    pub statement: Statement,
    /// The entries in turn.
    pub entries: Vec<Entry>,
}

/// A statement's fields, as far as an account has them.
#[derive(Deserialize)]
pub struct Statement {
    /// The epoch.
    pub epoch: u32,
    /// The round.
    pub round: String,
    /// Its time.
    pub timestamp_ms: String,
}

/// An entry's fields.
#[derive(Deserialize)]
pub struct Entry {
    /// The feed.
    pub feed: String,
    /// All its status bits.
    pub status_bits: u8,
    /// The exponent.
    pub exponent: i8,
    /// Mantissa.
    pub price: String,
    /// Mantissa.
    pub low: String,
    /// Mantissa.
    pub high: String,
    /// When it was observed.
    pub observed_at_ms: String,
    /// By how many.
    pub observers: u16,
}

/// One key of `group-keys.json`.
#[derive(Deserialize)]
pub struct KeyVector {
    /// What it is.
    pub description: String,
    /// Its suite.
    pub suite: String,
    /// The bytes.
    pub key: String,
    /// Why it must not be pinned.
    pub code: Option<String>,
}

/// `policy.json`.
#[derive(Deserialize)]
pub struct PolicyFile {
    /// The network.
    pub network_id: String,
    /// The key.
    pub group_key: String,
    /// The cases.
    pub cases: Vec<PolicyCase>,
    /// What the cases mean where they say nothing.
    pub default_max_skew_ms: u64,
}

/// One case.
#[derive(Deserialize)]
pub struct PolicyCase {
    /// What it shows.
    pub description: String,
    /// The update.
    pub update: String,
    /// The feed asked for.
    pub feed: String,
    /// The conditions.
    pub policy: Conditions,
    /// Why it is refused.
    pub code: Option<String>,
    /// The price.
    pub price: Option<String>,
}

/// The conditions of a case.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conditions {
    /// The caller's clock; cases about a past instant have none.
    pub now_ms: Option<String>,
    /// The bound on age.
    pub max_age_ms: Option<u64>,
    /// The instant.
    pub at_ms: Option<String>,
    /// The bound on rounds around the instant.
    pub max_gap: Option<u64>,
    /// The bound on the trades' age.
    pub max_trade_age_ms: Option<u64>,
    /// The bound on observers.
    pub min_observers: Option<u16>,
    /// Names of the status bits that are allowed.
    pub allow_status: Option<Vec<String>>,
    /// The bound on timestamps ahead.
    pub max_skew_ms: Option<u64>,
    /// The last round seen.
    pub newer_than: Option<String>,
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/vectors")
}

/// A file, read.
pub fn file<T: DeserializeOwned>(path: impl AsRef<Path>) -> T {
    let path = directory().join(path);
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// All updates of a folder, `update/valid` or `update/invalid`, in the order of their names.
pub fn updates(folder: &str) -> Vec<UpdateVector> {
    let entries = fs::read_dir(directory().join(folder)).expect("the vectors");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("a file").path()).collect();
    paths.sort();
    let read = |path: &PathBuf| UpdateVector {
        name: path.display().to_string(),
        ..file(path)
    };
    paths.iter().map(read).collect()
}

/// The 32 bytes of a hexadecimal text.
pub fn bytes32(text: &str) -> [u8; 32] {
    let bytes = hex::decode(text).expect("hexadecimal");
    bytes.try_into().expect("32 bytes")
}

/// A number.
pub fn number<T: core::str::FromStr>(text: &str) -> T {
    text.parse().ok().expect("a number")
}
