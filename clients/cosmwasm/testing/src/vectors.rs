//! The repository's shared vectors, as `tests/vectors/README.md` describes them.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use cosmwasm_std::HexBinary;
use serde::{Deserialize, de::DeserializeOwned};
use touchstone_cosmwasm::msg::{GroupKeys, InstantiateMsg};
use touchstone_types::{Decimal, FeedName, Status, Suite};

/// A price update with its verdict.
#[derive(Deserialize)]
pub struct UpdateVector {
    network_id: String,
    group_keys: BTreeMap<Suite, String>,
    update: String,
    /// Why it is refused.
    pub code: Option<String>,
    /// What it says, if it is not refused.
    pub valid: Option<Valid>,
}

/// What a valid update says.
#[derive(Deserialize)]
pub struct Valid {
    /// The statement.
    pub statement: StatementFields,
    /// The leaves.
    pub entries: Vec<Entry>,
}

/// A statement's fields that the contract answers.
#[derive(Deserialize)]
pub struct StatementFields {
    /// The epoch.
    pub epoch: u32,
    /// The round, as text.
    pub round: String,
    /// Its time, as text.
    pub timestamp_ms: String,
}

/// A leaf's fields.
#[derive(Deserialize)]
pub struct Entry {
    /// The feed.
    pub feed: FeedName,
    /// Its status.
    pub status: Status,
    /// Its exponent.
    pub exponent: i8,
    /// The mantissa, as text.
    pub price: String,
    /// The lowest mantissa, as text.
    pub low: String,
    /// The highest mantissa, as text.
    pub high: String,
    /// Time of the trades, as text.
    pub observed_at_ms: String,
    /// How many members observed the feed.
    pub observers: u16,
}

/// `group-keys.json`.
#[derive(Deserialize)]
pub struct KeyVector {
    /// What the key is.
    pub description: String,
    /// Its suite.
    pub suite: Suite,
    /// The key.
    pub key: String,
    /// Why it must not be pinned.
    pub code: Option<String>,
}

/// `policy.json`.
#[derive(Deserialize)]
pub struct PolicyFile {
    network_id: String,
    group_key: String,
    /// Every case.
    pub cases: Vec<PolicyVector>,
}

/// An authentic update under conditions.
#[derive(Deserialize)]
pub struct PolicyVector {
    /// What it is about.
    pub description: String,
    /// The update, in hexadecimal.
    pub update: String,
    /// For an instant: the next update.
    pub next: Option<String>,
    /// The feed.
    pub feed: String,
    /// The conditions.
    pub policy: Conditions,
    /// Why there is no price.
    pub code: Option<String>,
    /// The price.
    pub price: Option<Decimal>,
}

/// What a caller asks for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conditions {
    /// The clock, as text.
    pub now_ms: Option<String>,
    /// The largest age, with the clock.
    pub max_age_ms: Option<u64>,
    /// The instant, as text.
    pub at_ms: Option<String>,
    /// How far the updates around the instant may be apart.
    pub max_gap: Option<u64>,
    /// How old the trades may be.
    pub max_trade_age_ms: Option<u64>,
    /// How many observers there must be.
    pub min_observers: Option<u16>,
    /// What is allowed.
    pub allow_status: Option<Status>,
    /// How far times may be ahead of the clock.
    pub max_skew_ms: Option<u64>,
    /// The last round seen, as text.
    pub newer_than: Option<String>,
}

impl UpdateVector {
    /// What a contract must pin to judge this update.
    pub fn pin(&self) -> InstantiateMsg {
        let key = |suite| self.group_keys.get(&suite).map(|key| hex_binary(key));
        InstantiateMsg {
            network_id: hex_binary(&self.network_id),
            group_keys: GroupKeys {
                ed25519: key(Suite::Ed25519),
                secp256k1_keccak: key(Suite::Secp256k1Keccak),
            },
            max_skew_ms: None,
        }
    }

    /// The update.
    pub fn update(&self) -> Vec<u8> {
        bytes(&self.update)
    }

    /// The pinned key of a suite.
    pub fn group_key(&self, suite: Suite) -> Option<Vec<u8>> {
        self.group_keys.get(&suite).map(|key| bytes(key))
    }
}

impl PolicyFile {
    /// What a contract must pin to judge these updates.
    pub fn pin(&self, max_skew_ms: Option<u64>) -> InstantiateMsg {
        InstantiateMsg {
            network_id: hex_binary(&self.network_id),
            group_keys: GroupKeys {
                ed25519: Some(hex_binary(&self.group_key)),
                secp256k1_keccak: None,
            },
            max_skew_ms,
        }
    }
}

/// Bytes of hexadecimal text.
pub fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text).expect("hexadecimal")
}

fn hex_binary(text: &str) -> HexBinary {
    HexBinary::from(bytes(text))
}

/// A number of its text.
pub fn number<T: std::str::FromStr>(text: &str) -> T {
    let number = text.parse().ok();
    number.unwrap_or_else(|| panic!("{text:?} is no number of this size"))
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/vectors")
}

/// Every vector of a folder by its file's name.
pub fn folder(name: &str) -> BTreeMap<String, UpdateVector> {
    let path = directory().join(name);
    let entries = fs::read_dir(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let entries = entries.map(|entry| entry.expect("a readable folder").path());
    entries
        .map(|path| {
            let name = path.file_stem().expect("a file").to_string_lossy();
            (name.into_owned(), parse(&path))
        })
        .collect()
}

/// One file.
pub fn file<T: DeserializeOwned>(name: &str) -> T {
    parse(&directory().join(name))
}

fn parse<T: DeserializeOwned>(path: &Path) -> T {
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}
