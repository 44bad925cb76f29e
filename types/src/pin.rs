//! The pin: what a consumer keeps of a network.

use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{EpochRecord, EpochRecordError, Manifest, ManifestError, NetworkId, Suite};

/// A manifest with the record of its keys.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinnedEpoch {
    /// The manifest.
    pub manifest: Manifest,
    /// The record.
    pub record: EpochRecord,
}

/// `network.json`: the genesis manifest and epoch record, and any later ones.
///
/// Reading it checks the forms and that the manifests are a chain of hashes; signatures are checked by whoever relies on
/// more than the group key, which the pin itself is trusted for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// The genesis manifest, whose hash is the network id.
    pub genesis_manifest: Manifest,
    /// The genesis epoch record.
    pub genesis_record: EpochRecord,
    /// Later epochs, in order.
    #[serde(default)]
    pub later: Vec<PinnedEpoch>,
}

/// Why a text is no pin.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum PinError {
    /// The text is not the JSON of a pin.
    #[error("not a pin: {0}")]
    Syntax(String),
    /// A manifest is refused.
    #[error("manifest of epoch {epoch}: {error}")]
    Manifest {
        /// The epoch.
        epoch: u32,
        /// Why.
        error: ManifestError,
    },
    /// A record is refused.
    #[error("epoch {epoch}: {error}")]
    Record {
        /// The epoch.
        epoch: u32,
        /// Why.
        error: EpochRecordError,
    },
    /// The epochs are no chain from genesis.
    #[error("epoch {epoch}: {reason}")]
    Chain {
        /// The epoch.
        epoch: u32,
        /// What is broken.
        reason: &'static str,
    },
}

impl Pin {
    /// Reads and checks a pin.
    ///
    /// # Errors
    /// See [`Pin::validate`].
    pub fn from_json(text: &[u8]) -> Result<Self, PinError> {
        let pin: Self =
            serde_json::from_slice(text).map_err(|e| PinError::Syntax(alloc::format!("{e}")))?;
        pin.validate()?;
        Ok(pin)
    }

    /// Checks the forms, the chain of hashes, and that the group keys never change.
    ///
    /// # Errors
    /// The first epoch that does not fit.
    pub fn validate(&self) -> Result<(), PinError> {
        let mut before: Option<&Manifest> = None;
        for (manifest, record) in self.epochs() {
            let epoch = manifest.epoch.0;
            manifest
                .validate()
                .map_err(|error| PinError::Manifest { epoch, error })?;
            record
                .check_form(manifest)
                .map_err(|error| PinError::Record { epoch, error })?;
            let broken = |reason| Err(PinError::Chain { epoch, reason });
            let follows = before.map_or(epoch == 0, |b| b.epoch.0.checked_add(1) == Some(epoch));
            if !follows {
                return broken("epochs must start at 0 and follow each other");
            }
            if manifest.previous != before.map(Manifest::hash) {
                return broken("its manifest names another one before it");
            }
            let key = |r: &EpochRecord| {
                r.keys
                    .iter()
                    .map(|k| (k.suite, k.group_key.clone()))
                    .collect::<Vec<_>>()
            };
            if key(record) != key(&self.genesis_record) {
                return broken("its group keys are not those of genesis");
            }
            before = Some(manifest);
        }
        Ok(())
    }

    /// Every epoch with its record, in order.
    pub fn epochs(&self) -> impl Iterator<Item = (&Manifest, &EpochRecord)> {
        core::iter::once((&self.genesis_manifest, &self.genesis_record))
            .chain(self.later.iter().map(|e| (&e.manifest, &e.record)))
    }

    /// The last epoch that the pin knows.
    pub fn newest(&self) -> (&Manifest, &EpochRecord) {
        self.later
            .last()
            .map_or((&self.genesis_manifest, &self.genesis_record), |e| {
                (&e.manifest, &e.record)
            })
    }

    /// The network id: the hash of the genesis manifest.
    pub fn network_id(&self) -> NetworkId {
        NetworkId(self.genesis_manifest.hash())
    }

    /// The group key of a suite, which is the same in every epoch.
    pub fn group_key(&self, suite: Suite) -> Option<&[u8]> {
        self.genesis_record
            .suite(suite)
            .map(|k| k.group_key.as_slice())
    }
}
