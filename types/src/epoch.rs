//! The epoch record: the keys of one manifest's committee.

use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use thiserror::Error;

use crate::{Digest, Epoch, Manifest, MemberSignature, Suite, canonical_json, sha256};

/// Serde of byte strings as hexadecimal text.
mod hex_bytes {
    use super::{Deserialize, Deserializer, Serializer, Vec};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&hex::encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<u8>, D::Error> {
        let text = <alloc::borrow::Cow<'de, str>>::deserialize(d)?;
        hex::decode(text.as_ref()).map_err(serde::de::Error::custom)
    }
}

/// Bytes that JSON shows as hexadecimal text.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
struct Hex(#[serde(with = "hex_bytes")] Vec<u8>);

/// The public keys of one suite.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SuiteKeys {
    /// The suite.
    pub suite: Suite,
    /// The group key, serialised as the suite does (Ed25519: 32 bytes, secp256k1: 33 bytes compressed).
    pub group_key: Vec<u8>,
    /// Each member's verifying share, in member order.
    pub verifying_shares: Vec<Vec<u8>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SuiteKeysJson {
    suite: Suite,
    group_key: Hex,
    verifying_shares: Vec<Hex>,
}

impl Serialize for SuiteKeys {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        SuiteKeysJson {
            suite: self.suite,
            group_key: Hex(self.group_key.clone()),
            verifying_shares: self.verifying_shares.iter().cloned().map(Hex).collect(),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SuiteKeys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = SuiteKeysJson::deserialize(deserializer)?;
        Ok(Self {
            suite: json.suite,
            group_key: json.group_key.0,
            verifying_shares: json.verifying_shares.into_iter().map(|h| h.0).collect(),
        })
    }
}

impl Serialize for MemberSignature {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            hex_bytes::serialize(&self.0, serializer)
        } else {
            let (low, high) = self.0.split_at(32);
            (low, high).serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for MemberSignature {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = if deserializer.is_human_readable() {
            hex_bytes::deserialize(deserializer)?
        } else {
            let (low, high) = <(Vec<u8>, Vec<u8>)>::deserialize(deserializer)?;
            [low, high].concat()
        };
        let array = <[u8; 64]>::try_from(bytes)
            .map_err(|b| D::Error::invalid_length(b.len(), &"a signature of 64 bytes"))?;
        Ok(Self(array))
    }
}

/// A group signature over an epoch record.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupSignatureEntry {
    /// The suite.
    pub suite: Suite,
    /// The signature.
    #[serde(with = "hex_bytes")]
    pub signature: Vec<u8>,
}

/// The keys of one epoch with everybody's signatures.
///
/// The digest that is signed is SHA-256 of `touchstone/epo/1` and the canonical JSON of all fields but the two lists of
/// signatures. At genesis every member signs it with its identity; in every epoch the group key does, and that is the first
/// thing a new group key ever signs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochRecord {
    /// The epoch.
    pub epoch: Epoch,
    /// Hash of the epoch's manifest.
    pub manifest_hash: Digest,
    /// The group key and verifying shares of each suite, in the manifest's order.
    pub keys: Vec<SuiteKeys>,
    /// The coin's public key (ristretto255).
    pub coin_key: Digest,
    /// Each member's verifying share of the coin key, in member order.
    pub coin_shares: Vec<Digest>,
    /// Hash of the key generation's or resharing's transcript.
    pub transcript: Digest,
    /// The identities' signatures, in member order; all of them at genesis.
    pub member_signatures: Vec<MemberSignature>,
    /// The group key's signatures, one for each suite.
    pub group_signatures: Vec<GroupSignatureEntry>,
}

/// Why a record does not fit its manifest.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("epoch record: {0}")]
pub struct EpochRecordError(pub String);

#[derive(Serialize)]
struct Signed<'a> {
    epoch: Epoch,
    manifest_hash: Digest,
    keys: &'a [SuiteKeys],
    coin_key: Digest,
    coin_shares: &'a [Digest],
    transcript: Digest,
}

impl EpochRecord {
    /// The digest that members and the group sign.
    pub fn digest(&self) -> Digest {
        let signed = Signed {
            epoch: self.epoch,
            manifest_hash: self.manifest_hash,
            keys: &self.keys,
            coin_key: self.coin_key,
            coin_shares: &self.coin_shares,
            transcript: self.transcript,
        };
        // Integers, hexadecimal text and lists: it always has a canonical form.
        sha256(&[
            b"touchstone/epo/1",
            &canonical_json(&signed).unwrap_or_default(),
        ])
    }

    /// The keys of a suite.
    pub fn suite(&self, suite: Suite) -> Option<&SuiteKeys> {
        self.keys.iter().find(|k| k.suite == suite)
    }

    /// Checks that the record's form is that of its manifest. Signatures are checked elsewhere.
    ///
    /// # Errors
    /// What does not fit.
    pub fn check_form(&self, manifest: &Manifest) -> Result<(), EpochRecordError> {
        let n = manifest.members.len();
        let refuse = |what: &str| Err(EpochRecordError(String::from(what)));
        if self.epoch != manifest.epoch || self.manifest_hash != manifest.hash() {
            return refuse("it is the record of another manifest");
        }
        if !self
            .keys
            .iter()
            .map(|k| k.suite)
            .eq(manifest.suites.iter().copied())
        {
            return refuse("its suites are not the manifest's");
        }
        if self.coin_shares.len() != n || self.keys.iter().any(|k| k.verifying_shares.len() != n) {
            return refuse("it must hold one verifying share for each member");
        }
        Ok(())
    }
}
