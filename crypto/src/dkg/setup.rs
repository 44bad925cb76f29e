//! What a key generation starts from and what it leaves.

use alloc::vec::Vec;

use touchstone_types::{Committee, Digest, Epoch, EpochRecord, MemberId, Suite, SuiteKeys, sha256};

use super::DkgSetupError;
use crate::{
    coin::CoinSecretShare,
    identity::{IdentityKey, IdentityPublic},
    sign::SigningShare,
};

/// What all members agree on before they start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DkgSetup {
    /// A name for this run that no other run had, such as the hash of the manifest and a count of attempts.
    pub session: Digest,
    /// This member.
    pub me: MemberId,
    /// The committee; it has at least two members.
    pub committee: Committee,
    /// Every member's identity, in member order.
    pub members: Vec<IdentityPublic>,
    /// The suites, in ascending order.
    pub suites: Vec<Suite>,
}

/// The public result, the same for every member.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DkgPublic {
    /// Group key and verifying shares of each suite, in the setup's order.
    pub keys: Vec<SuiteKeys>,
    /// The coin's key.
    pub coin_key: Digest,
    /// Each member's verifying share of the coin key, in member order.
    pub coin_shares: Vec<Digest>,
    /// Hash over the setup and everybody's Commit.
    pub transcript: Digest,
}

/// What a finished run leaves with one member.
#[derive(Debug)]
pub struct DkgOutput {
    /// The member's share of each suite's key, in the setup's order.
    pub keys: Vec<SigningShare>,
    /// The member's share of the coin key.
    pub coin: CoinSecretShare,
    /// What goes into the epoch record.
    pub public: DkgPublic,
    /// Hash over the setup and everybody's Commit.
    pub transcript: Digest,
}

impl DkgPublic {
    /// The epoch record of these keys, without signatures.
    pub fn into_record(self, epoch: Epoch, manifest_hash: Digest) -> EpochRecord {
        EpochRecord {
            epoch,
            manifest_hash,
            keys: self.keys,
            coin_key: self.coin_key,
            coin_shares: self.coin_shares,
            transcript: self.transcript,
            member_signatures: Vec::new(),
            group_signatures: Vec::new(),
        }
    }
}

impl DkgSetup {
    /// Whether the setup fits together, and is this node's.
    pub(super) fn check(&self, identity: &IdentityKey) -> Result<(), DkgSetupError> {
        let n = usize::from(self.committee.n());
        if n < 2 {
            return Err(DkgSetupError::TooSmall { n });
        }
        if self.members.len() != n {
            return Err(DkgSetupError::Members {
                got: self.members.len(),
                must: n,
            });
        }
        for (i, key) in self.members.iter().enumerate() {
            if self
                .members
                .iter()
                .skip(i.saturating_add(1))
                .any(|k| k == key)
            {
                return Err(DkgSetupError::Twice { key: *key });
            }
        }
        if self.members.get(self.me.index()) != Some(&identity.public()) {
            return Err(DkgSetupError::Identity { me: self.me });
        }
        let ascending = self.suites.windows(2).all(|w| matches!(w, [a, b] if a < b));
        if self.suites.is_empty() || !ascending {
            return Err(DkgSetupError::Suites);
        }
        Ok(())
    }

    /// Everything that all members must agree on.
    pub(super) fn hash(&self) -> Digest {
        let mut bytes = self.session.0.to_vec();
        bytes.extend_from_slice(&self.committee.n().to_be_bytes());
        bytes.extend_from_slice(&self.committee.f().to_be_bytes());
        for member in &self.members {
            bytes.extend_from_slice(member.as_bytes());
        }
        bytes.extend(self.suites.iter().map(|suite| suite.byte()));
        sha256(&[b"touchstone/dkg/setup/1", &bytes])
    }
}
