//! What the aggregator knows of its network: the pin, read once and checked.

use std::{collections::BTreeMap, path::Path};

use anyhow::Context as _;
use touchstone_crypto::{EvidenceJudge, GroupKey, IdentityPublic};
use touchstone_transport::EVIDENCE_RECORDS_MAX;
use touchstone_types::{
    Digest, Epoch, FeedName, Manifest, MemberId, NetworkId, Pin, Round, RoundClock, Suite, Terms,
};

/// Contradictions, and bad shares.
const EVIDENCE_KINDS: usize = 2;

/// One epoch of the pin.
#[derive(Debug)]
pub struct EpochInfo {
    /// The committee, the feeds and their exponents.
    pub terms: Terms,
    /// The members' identity keys, in order.
    pub members: Vec<IdentityPublic>,
    /// Who judges evidence of the epoch.
    pub judge: EvidenceJudge,
}

/// The pinned network.
#[derive(Debug)]
pub struct Network {
    pin: Pin,
    id: NetworkId,
    keys: Vec<GroupKey>,
    epochs: BTreeMap<Epoch, EpochInfo>,
}

impl Network {
    /// Reads `network.json`.
    ///
    /// # Errors
    /// A file that cannot be read, or that is no valid pin.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read(path)
            .with_context(|| format!("network file {}: cannot be read", path.display()))?;
        Pin::from_json(&text)
            .map_err(anyhow::Error::from)
            .and_then(Self::new)
            .with_context(|| format!("network file {}", path.display()))
    }

    /// The network of a pin.
    ///
    /// # Errors
    /// An invalid pin, a group key that is no key, or a member's identity that is none.
    pub fn new(pin: Pin) -> anyhow::Result<Self> {
        pin.validate()?;
        let id = pin.network_id();
        let mut keys = Vec::new();
        for suite in pin.genesis_manifest.suites.iter().copied() {
            let bytes = pin
                .group_key(suite)
                .context("a suite without a group key")?;
            keys.push(GroupKey::new(suite, bytes)?);
        }
        let mut epochs = BTreeMap::new();
        for (manifest, record) in pin.epochs() {
            let members = manifest
                .members
                .iter()
                .map(|m| {
                    IdentityPublic::new(m.identity.0)
                        .with_context(|| format!("epoch {}, member {}", manifest.epoch, m.id))
                })
                .collect::<anyhow::Result<Vec<_>>>()?;
            let terms = manifest.terms(id)?;
            let judge = EvidenceJudge::new(id, manifest, record)
                .with_context(|| format!("epoch {}", manifest.epoch))?;
            let info = EpochInfo {
                terms,
                members,
                judge,
            };
            epochs.insert(manifest.epoch, info);
        }
        Ok(Self {
            pin,
            id,
            keys,
            epochs,
        })
    }

    /// The network id.
    pub fn id(&self) -> NetworkId {
        self.id
    }

    /// The pin.
    pub fn pin(&self) -> &Pin {
        &self.pin
    }

    /// The newest manifest that the pin holds.
    pub fn manifest(&self) -> &Manifest {
        self.pin.newest().0
    }

    /// An epoch that the pin knows.
    pub fn epoch(&self, epoch: Epoch) -> Option<&EpochInfo> {
        self.epochs.get(&epoch)
    }

    /// The epoch whose headers have a tag.
    pub fn epoch_of_tag(&self, tag: Digest) -> Option<&EpochInfo> {
        self.epochs.values().find(|epoch| epoch.judge.tag() == tag)
    }

    /// How many records an honest node holds at most.
    pub fn evidence_max(&self) -> usize {
        let members = |epoch: &EpochInfo| epoch.members.len();
        let all = self.epochs.values().map(members).sum::<usize>();
        all.saturating_mul(EVIDENCE_KINDS)
            .saturating_mul(EVIDENCE_RECORDS_MAX)
    }

    /// The group key of a suite.
    pub fn key(&self, suite: Suite) -> Option<&GroupKey> {
        self.keys.iter().find(|k| k.suite() == suite)
    }

    /// The suites that the network signs with, in ascending order of their bytes.
    pub fn suites(&self) -> &[Suite] {
        &self.pin.genesis_manifest.suites
    }

    /// The suite of the price updates that are served unless another one is asked for: the first one of the network.
    pub fn default_suite(&self) -> Suite {
        // A valid manifest has one.
        self.suites().first().copied().unwrap_or(Suite::Ed25519)
    }

    /// Whether any epoch of the pin has the feed.
    pub fn knows_feed(&self, feed: FeedName) -> bool {
        self.pin.epochs().any(|(m, _)| m.feed_index(feed).is_some())
    }

    /// The numbering of rounds in the newest epoch.
    pub fn clock(&self) -> RoundClock {
        self.manifest().clock()
    }

    /// The network's first round.
    pub fn first_round(&self) -> Round {
        self.pin.genesis_manifest.first_round
    }

    /// The identity key of a member of an epoch.
    pub fn member(&self, epoch: Epoch, member: MemberId) -> Option<&IdentityPublic> {
        self.epochs.get(&epoch)?.members.get(member.index())
    }
}
