//! The network as a node relies on it: a pin whose every signature was checked.

use std::{collections::BTreeMap, net::SocketAddr, path::Path, sync::Arc};

use thiserror::Error;
use touchstone_consensus::{FrostSuite, SchemeError, Verifier};
use touchstone_crypto::{
    GroupKey, GroupKeyError, IdentityError, IdentityPublic, verify_epoch_record,
};
use touchstone_transport::{MemberEndpoint, PublicKey};
use touchstone_types::{
    Committee, CommitteeError, EpochRecord, Manifest, ManifestError, MemberId, NetworkId, Pin,
    PinError,
};

use crate::files::{self, FileError};

/// The longest pin that is read, in bytes.
const PIN_BYTES_MAX: u64 = 64 << 20;
/// Where no address is known yet: nothing is sent there.
const NOWHERE: ([u8; 4], u16) = ([127, 0, 0, 1], 0);

/// Why a network cannot be relied on.
#[derive(Debug, Error)]
pub enum NetworkError {
    /// The file cannot be read.
    #[error("{0}")]
    File(String),
    /// The file is no pin.
    #[error("{path}: {error}")]
    Pin {
        /// The file.
        path: String,
        /// Why.
        error: PinError,
    },
    /// The file is no manifest.
    #[error("{path}: {error}")]
    Manifest {
        /// The file.
        path: String,
        /// Why.
        error: ManifestError,
    },
    /// The committee is impossible.
    #[error(transparent)]
    Committee(#[from] CommitteeError),
    /// A member's identity is no key.
    #[error("identity of member {member}: {error}")]
    Identity {
        /// The member.
        member: MemberId,
        /// Why.
        error: IdentityError,
    },
    /// A group key is no key.
    #[error(transparent)]
    GroupKey(#[from] GroupKeyError),
    /// The keys of the epoch do not fit together.
    #[error(transparent)]
    Keys(#[from] SchemeError),
    /// A signature under an epoch record is missing or wrong.
    #[error("epoch {epoch}: {problem}")]
    Record {
        /// The epoch.
        epoch: u32,
        /// What is wrong.
        problem: String,
    },
    /// This node is no member.
    #[error("the identity {identity} is no member of the network {network:?}")]
    NotAMember {
        /// The identity.
        identity: IdentityPublic,
        /// The network's name.
        network: String,
    },
}

impl From<FileError> for NetworkError {
    fn from(error: FileError) -> Self {
        Self::File(error.to_string())
    }
}

/// A network whose records carry every signature that they must.
#[derive(Clone, Debug)]
pub struct Network {
    pin: Pin,
    id: NetworkId,
    committee: Committee,
}

impl Network {
    /// Reads `network.json` and checks it.
    ///
    /// # Errors
    /// No pin, or one with a missing or wrong signature.
    pub fn load(path: &Path) -> Result<Self, NetworkError> {
        let text = files::read_bounded(path, PIN_BYTES_MAX)?;
        let pin = Pin::from_json(&text).map_err(|error| NetworkError::Pin {
            path: path.display().to_string(),
            error,
        })?;
        Self::new(pin)
    }

    /// Checks a pin: every member signed the genesis record, and the group signed every record.
    ///
    /// # Errors
    /// The first thing that does not hold.
    pub fn new(pin: Pin) -> Result<Self, NetworkError> {
        pin.validate().map_err(|error| NetworkError::Pin {
            path: "the pin".to_owned(),
            error,
        })?;
        check_members(&pin.genesis_manifest, &pin.genesis_record)?;
        for (_, record) in pin.epochs() {
            check_group(record)?;
        }
        let committee = pin.newest().0.committee()?;
        Ok(Self {
            id: pin.network_id(),
            committee,
            pin,
        })
    }

    /// The pin.
    pub fn pin(&self) -> &Pin {
        &self.pin
    }

    /// The network's id.
    pub fn id(&self) -> NetworkId {
        self.id
    }

    /// The newest manifest.
    pub fn manifest(&self) -> &Manifest {
        self.pin.newest().0
    }

    /// The newest epoch record.
    pub fn record(&self) -> &EpochRecord {
        self.pin.newest().1
    }

    /// The group keys by suite, hexadecimal, as consumers pin them.
    pub(crate) fn group_keys(&self) -> BTreeMap<&'static str, String> {
        let keys = self.record().keys.iter();
        keys.map(|k| (k.suite.name(), hex::encode(&k.group_key)))
            .collect()
    }

    /// The committee of the newest epoch.
    pub fn committee(&self) -> Committee {
        self.committee
    }

    /// Which member has this identity.
    ///
    /// # Errors
    /// None has.
    pub fn member_of(&self, identity: IdentityPublic) -> Result<MemberId, NetworkError> {
        member_of(self.manifest(), identity)
    }

    /// What messages of the newest epoch are checked against.
    ///
    /// # Errors
    /// Keys that do not fit together.
    pub fn keys(&self) -> Result<(Arc<FrostSuite>, Verifier), NetworkError> {
        let (manifest, record) = self.pin.newest();
        let scheme = FrostSuite::new(self.id, manifest, record)?;
        let terms = manifest.terms(self.id)?;
        let scheme = Arc::new(scheme);
        let verifier = Verifier::new(Arc::clone(&scheme) as _, Arc::new(terms));
        Ok((scheme, verifier))
    }
}

/// Reads and checks a manifest.
pub(crate) fn load_manifest(path: &Path) -> Result<Manifest, NetworkError> {
    let text = files::read_bounded(path, PIN_BYTES_MAX)?;
    Manifest::from_json(&text).map_err(|error| NetworkError::Manifest {
        path: path.display().to_string(),
        error,
    })
}

/// Every member's identity, in member order.
pub(crate) fn identities(manifest: &Manifest) -> Result<Vec<IdentityPublic>, NetworkError> {
    let key = |m: &touchstone_types::Member| {
        IdentityPublic::try_from(m.identity).map_err(|error| NetworkError::Identity {
            member: m.id,
            error,
        })
    };
    manifest.members.iter().map(key).collect()
}

/// Which member has this identity.
pub(crate) fn member_of(
    manifest: &Manifest,
    identity: IdentityPublic,
) -> Result<MemberId, NetworkError> {
    let digest = identity.to_digest();
    let member = manifest.members.iter().find(|m| m.identity == digest);
    member
        .map(|m| m.id)
        .ok_or_else(|| NetworkError::NotAMember {
            identity,
            network: manifest.network.clone(),
        })
}

/// Every member with its address as it resolves now; one that does not resolve gets an address that leads nowhere.
pub(crate) async fn endpoints(manifest: &Manifest) -> Vec<MemberEndpoint> {
    let mut out = Vec::new();
    for member in &manifest.members {
        out.push(MemberEndpoint {
            id: member.id,
            key: PublicKey(member.identity.0),
            address: resolve(&member.address)
                .await
                .unwrap_or_else(|| NOWHERE.into()),
        });
    }
    out
}

/// The first address of `host:port`.
pub(crate) async fn resolve(address: &str) -> Option<SocketAddr> {
    if let Ok(address) = address.parse() {
        return Some(address);
    }
    match tokio::net::lookup_host(address).await {
        Ok(mut found) => found.next(),
        Err(error) => {
            tracing::warn!(address, %error, "a member's address does not resolve");
            None
        }
    }
}

fn check_members(manifest: &Manifest, record: &EpochRecord) -> Result<(), NetworkError> {
    let refuse = |problem: String| NetworkError::Record {
        epoch: record.epoch.0,
        problem,
    };
    let keys = identities(manifest)?;
    if record.member_signatures.len() != keys.len() {
        let (got, must) = (record.member_signatures.len(), keys.len());
        return Err(refuse(format!(
            "the record has {got} members' signatures, must be {must}"
        )));
    }
    for ((key, signature), member) in keys
        .iter()
        .zip(&record.member_signatures)
        .zip(&manifest.members)
    {
        verify_epoch_record(key, record, signature)
            .map_err(|e| refuse(format!("member {}: {e}", member.id)))?;
    }
    Ok(())
}

fn check_group(record: &EpochRecord) -> Result<(), NetworkError> {
    let refuse = |problem: String| NetworkError::Record {
        epoch: record.epoch.0,
        problem,
    };
    let suites = record.group_signatures.iter().map(|s| s.suite);
    if !suites.eq(record.keys.iter().map(|k| k.suite)) {
        return Err(refuse(
            "the record must carry one group signature for each suite".to_owned(),
        ));
    }
    for (keys, entry) in record.keys.iter().zip(&record.group_signatures) {
        GroupKey::new(keys.suite, &keys.group_key)?
            .verify_epoch_record(record, &entry.signature)
            .map_err(|e| refuse(e.to_string()))?;
    }
    Ok(())
}
