//! What the contract pins when it is made: the network, its keys, and how far clocks may differ.

use cosmwasm_std::{HexBinary, Storage};
use touchstone_client::{DEFAULT_MAX_SKEW_MS, GroupKey, GroupKeyError, Verifier};
use touchstone_types::{Digest, NetworkId, Reader, Suite};

use crate::{
    ContractError,
    msg::{ConfigResponse, GroupKeys, InstantiateMsg},
};

/// The largest skew that can be pinned, in milliseconds.
const MAX_SKEW_MS: u64 = 60_000;

/// Where it is kept. The value is `network (32) | max_skew_ms u64 | keys`, a key being `suite u8 | key`: JSON would cost
/// several times the gas in every update.
const KEY: &[u8] = b"pinned";

/// What the contract pins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Pinned {
    network: NetworkId,
    /// Checked when they were pinned, and again by [`Pinned::verifier`]: that costs more than everything else that a query
    /// for a price does, and only a signature needs it.
    keys: Vec<(Suite, Vec<u8>)>,
    /// How far a signed time may be ahead of the block's, in milliseconds.
    pub(crate) max_skew_ms: u64,
}

impl Pinned {
    /// Checks what somebody wants to pin.
    ///
    /// # Errors
    /// A network id of another length, no key, a key that must not be pinned, or a skew above [`MAX_SKEW_MS`].
    pub(crate) fn new(msg: &InstantiateMsg) -> Result<Self, ContractError> {
        let network = <[u8; 32]>::try_from(msg.network_id.as_slice())
            .map_err(|_| ContractError::NetworkId(msg.network_id.len()))?;
        let max_skew_ms = msg.max_skew_ms.unwrap_or(DEFAULT_MAX_SKEW_MS);
        if max_skew_ms > MAX_SKEW_MS {
            return Err(ContractError::MaxSkew {
                got: max_skew_ms,
                max: MAX_SKEW_MS,
            });
        }
        let GroupKeys {
            ed25519,
            secp256k1_keccak,
        } = &msg.group_keys;
        let keys: Vec<(Suite, Vec<u8>)> = [
            (Suite::Ed25519, ed25519),
            (Suite::Secp256k1Keccak, secp256k1_keccak),
        ]
        .into_iter()
        .filter_map(|(suite, key)| key.as_ref().map(|key| (suite, key.to_vec())))
        .collect();
        if keys.is_empty() {
            return Err(ContractError::NoGroupKey);
        }
        let pinned = Self {
            network: NetworkId(Digest(network)),
            keys,
            max_skew_ms,
        };
        pinned.verifier()?;
        Ok(pinned)
    }

    /// Keeps it.
    pub(crate) fn save(&self, storage: &mut dyn Storage) {
        let mut value = self.network.0.0.to_vec();
        value.extend_from_slice(&self.max_skew_ms.to_be_bytes());
        for (suite, key) in &self.keys {
            value.push(suite.byte());
            value.extend_from_slice(key);
        }
        storage.set(KEY, &value);
    }

    /// Reads it back.
    ///
    /// # Errors
    /// There is nothing of this form.
    pub(crate) fn load(storage: &dyn Storage) -> Result<Self, ContractError> {
        let broken = |_| ContractError::State("what is pinned");
        let value = storage.get(KEY).unwrap_or_default();
        let mut reader = Reader::new(&value);
        let network = NetworkId(Digest(reader.array("network").map_err(broken)?));
        let max_skew_ms = reader.u64("max_skew_ms").map_err(broken)?;
        let mut keys = Vec::new();
        while reader.remaining() > 0 {
            let suite = Suite::from_byte(reader.u8("suite").map_err(broken)?)
                .ok_or(ContractError::State("what is pinned"))?;
            let key = reader.take(suite.element_bytes(), "key").map_err(broken)?;
            keys.push((suite, key.to_vec()));
        }
        if keys.is_empty() {
            return Err(ContractError::State("what is pinned"));
        }
        Ok(Self {
            network,
            keys,
            max_skew_ms,
        })
    }

    /// The verifier of the pinned network.
    ///
    /// # Errors
    /// A key that must not be pinned.
    pub(crate) fn verifier(&self) -> Result<Verifier, GroupKeyError> {
        let keys = self.keys.iter();
        let keys = keys.map(|(suite, key)| GroupKey::new(*suite, key));
        Ok(Verifier::new(
            self.network,
            keys.collect::<Result<Vec<_>, _>>()?,
        ))
    }

    /// It, for whoever asks.
    pub(crate) fn response(&self) -> ConfigResponse {
        let key = |suite| {
            let key = self.keys.iter().find(|(s, _)| *s == suite);
            key.map(|(_, key)| HexBinary::from(key.as_slice()))
        };
        ConfigResponse {
            network_id: HexBinary::from(self.network.0.0),
            group_keys: GroupKeys {
                ed25519: key(Suite::Ed25519),
                secp256k1_keccak: key(Suite::Secp256k1Keccak),
            },
            max_skew_ms: self.max_skew_ms,
        }
    }
}
