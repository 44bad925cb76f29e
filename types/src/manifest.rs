//! The manifest of one epoch: everything that changes what a price means.

use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    Committee, CommitteeError, Digest, EXPONENT_MAX, EXPONENT_MIN, Epoch, FeedName, MemberId,
    NetworkId, Round, Suite, canonical_json, report::Terms, sha256,
};

/// The most feeds that a manifest may list.
pub const MANIFEST_FEEDS_MAX: usize = 1_000;
const SOURCES_MAX: usize = 64;
const NAME_MAX: usize = 64;
const INTERVAL_MS: core::ops::RangeInclusive<u64> = 50..=86_400_000;
/// Integers of canonical JSON must survive readers that know doubles only.
const INTEGER_MAX: u64 = 1 << 53;

/// One market that a feed takes prices from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Market {
    /// Name of the adapter, such as `kraken`.
    pub source: String,
    /// The market there. A quote currency other than the feed's is converted by the feed of that currency.
    pub pair: FeedName,
}

/// One feed and how each member prices it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeedSpec {
    /// The feed's name.
    pub name: FeedName,
    /// Exponent of the signed mantissas: `value = mantissa * 10^exponent`.
    pub exponent: i8,
    /// Where prices come from.
    pub sources: Vec<Market>,
    /// Fewer usable quotes than this make the observation degraded.
    pub min_sources: u16,
    /// A quote whose trade is older than this is not used, in milliseconds.
    pub max_quote_age_ms: u64,
    /// Quotes further from the median than this many thousandths of the median absolute deviation are outliers ...
    pub outlier_mads_milli: u32,
    /// ... unless they are nearer than this, in millionths of the median.
    pub outlier_floor_ppm: u32,
}

/// One member of the committee.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// Its index, equal to its position.
    pub id: MemberId,
    /// Its Ed25519 identity key.
    pub identity: Digest,
    /// `host:port` of its QUIC endpoint.
    pub address: String,
}

/// The manifest; its hash over the canonical JSON is what everybody refers to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The network's name, for people.
    pub network: String,
    /// The epoch.
    pub epoch: Epoch,
    /// Hash of the manifest before it; none at genesis.
    pub previous: Option<Digest>,
    /// Milliseconds from round to round.
    pub interval_ms: u64,
    /// The epoch's first round.
    pub first_round: Round,
    /// Unix time at which it starts, in milliseconds.
    pub first_round_at_ms: u64,
    /// How many members may be Byzantine.
    pub f: u16,
    /// The suites of the group key, in ascending order.
    pub suites: Vec<Suite>,
    /// The committee, in order of id.
    pub members: Vec<Member>,
    /// The feeds, in order of name.
    pub feeds: Vec<FeedSpec>,
}

/// Why a manifest cannot be in force.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum ManifestError {
    /// The text is no manifest.
    #[error("not a manifest: {0}")]
    Syntax(String),
    /// The committee is impossible.
    #[error("members: {0}")]
    Committee(#[from] CommitteeError),
    /// A value is outside what is allowed.
    #[error("{field}: {reason}")]
    Value {
        /// The key, with its place.
        field: String,
        /// The allowed range.
        reason: String,
    },
}

fn refuse<T>(field: impl Into<String>, reason: impl Into<String>) -> Result<T, ManifestError> {
    Err(ManifestError::Value {
        field: field.into(),
        reason: reason.into(),
    })
}

impl Manifest {
    /// Reads and checks a manifest.
    ///
    /// # Errors
    /// See [`Manifest::validate`]; also unknown, missing or repeated keys.
    pub fn from_json(text: &[u8]) -> Result<Self, ManifestError> {
        let manifest: Self = serde_json::from_slice(text)
            .map_err(|e| ManifestError::Syntax(alloc::format!("{e}")))?;
        manifest.validate()?;
        Ok(manifest)
    }

    /// Checks every rule that a manifest in force obeys.
    ///
    /// # Errors
    /// The first value outside its range, by its key.
    pub fn validate(&self) -> Result<(), ManifestError> {
        if !(1..=NAME_MAX).contains(&self.network.len()) {
            return refuse("network", alloc::format!("must have 1 to {NAME_MAX} bytes"));
        }
        if self.previous.is_none() != (self.epoch == Epoch(0)) {
            return refuse("previous", "must be null at epoch 0 and a hash afterwards");
        }
        if !INTERVAL_MS.contains(&self.interval_ms) {
            return refuse(
                "interval_ms",
                alloc::format!(
                    "must be from {} to {}",
                    INTERVAL_MS.start(),
                    INTERVAL_MS.end()
                ),
            );
        }
        if self.first_round.0 > INTEGER_MAX || self.first_round_at_ms > INTEGER_MAX {
            return refuse("first_round, first_round_at_ms", "must be at most 2^53");
        }
        if self.suites.is_empty() || !strictly_ascending(&self.suites) {
            return refuse(
                "suites",
                "must name at least one suite, in ascending order, each once",
            );
        }
        self.committee()?;
        self.validate_members()?;
        if !(1..=MANIFEST_FEEDS_MAX).contains(&self.feeds.len()) {
            return refuse("feeds", alloc::format!("must be 1 to {MANIFEST_FEEDS_MAX}"));
        }
        let names: Vec<_> = self.feeds.iter().map(|f| f.name).collect();
        if !strictly_ascending(&names) {
            return refuse("feeds", "must be sorted by name, each once");
        }
        self.feeds
            .iter()
            .try_for_each(|feed| self.validate_feed(feed))
    }

    fn validate_members(&self) -> Result<(), ManifestError> {
        for (i, member) in self.members.iter().enumerate() {
            let at = |key: &str| alloc::format!("members[{i}].{key}");
            if member.id.index() != i {
                return refuse(at("id"), alloc::format!("must be its position, {i}"));
            }
            if member.address.len() > 255 || !member.address.contains(':') {
                return refuse(at("address"), "must be host:port of at most 255 bytes");
            }
            let earlier = self.members.iter().take(i);
            if earlier.clone().any(|m| m.identity == member.identity) {
                return refuse(at("identity"), "is another member's");
            }
        }
        Ok(())
    }

    fn validate_feed(&self, feed: &FeedSpec) -> Result<(), ManifestError> {
        let at = |key: &str| alloc::format!("feeds[{}].{key}", feed.name);
        if !(EXPONENT_MIN..=EXPONENT_MAX).contains(&feed.exponent) {
            return refuse(
                at("exponent"),
                alloc::format!("must be from {EXPONENT_MIN} to {EXPONENT_MAX}"),
            );
        }
        if feed.sources.len() > SOURCES_MAX || feed.sources.is_empty() {
            return refuse(at("sources"), alloc::format!("must be 1 to {SOURCES_MAX}"));
        }
        if feed.min_sources == 0 || usize::from(feed.min_sources) > feed.sources.len() {
            return refuse(
                at("min_sources"),
                alloc::format!(
                    "must be from 1 to the number of sources, {}",
                    feed.sources.len()
                ),
            );
        }
        if feed.max_quote_age_ms == 0 || feed.max_quote_age_ms > INTEGER_MAX {
            return refuse(at("max_quote_age_ms"), "must be from 1 to 2^53");
        }
        if feed.outlier_floor_ppm >= 1_000_000 {
            return refuse(at("outlier_floor_ppm"), "must be below 1000000");
        }
        for market in &feed.sources {
            let place = alloc::format!(
                "feeds[{}].sources[{} {}]",
                feed.name,
                market.source,
                market.pair
            );
            if feed.sources.iter().filter(|m| *m == market).count() > 1 {
                return refuse(place, "is listed twice");
            }
            if market.source.is_empty() || market.source.len() > NAME_MAX {
                return refuse(
                    place,
                    alloc::format!("source must have 1 to {NAME_MAX} bytes"),
                );
            }
            if market.pair.base() != feed.name.base() {
                return refuse(
                    place,
                    alloc::format!("must be a market of {}", feed.name.base()),
                );
            }
            if market.pair.quote() != feed.name.quote() {
                let by = FeedName::pair(market.pair.quote(), feed.name.quote());
                if !by.is_ok_and(|by| by != feed.name && self.feed(by).is_some()) {
                    return refuse(
                        place,
                        alloc::format!(
                            "needs the feed {}-{} for its conversion",
                            market.pair.quote(),
                            feed.name.quote()
                        ),
                    );
                }
            }
        }
        Ok(())
    }

    /// The committee's size and fault bound.
    ///
    /// # Errors
    /// `3f + 1 > n`, or an impossible `n`.
    pub fn committee(&self) -> Result<Committee, CommitteeError> {
        Committee::new(self.members.len(), self.f)
    }

    /// The feed of that name.
    pub fn feed(&self, name: FeedName) -> Option<&FeedSpec> {
        self.feed_index(name).and_then(|i| self.feeds.get(i))
    }

    /// The feed's position in the manifest, which is its leaf index in every round.
    pub fn feed_index(&self, name: FeedName) -> Option<usize> {
        self.feeds.binary_search_by(|f| f.name.cmp(&name)).ok()
    }

    /// SHA-256 of `touchstone/man/1` and the canonical JSON. At genesis this is the network id.
    pub fn hash(&self) -> Digest {
        // A manifest is strings, integers and lists: it always has a canonical form once it is valid.
        let bytes = canonical_json(self).unwrap_or_default();
        sha256(&[b"touchstone/man/1", &bytes])
    }

    /// How rounds are numbered in this epoch.
    pub fn clock(&self) -> RoundClock {
        RoundClock {
            first_round: self.first_round,
            first_round_at_ms: self.first_round_at_ms,
            interval_ms: self.interval_ms.max(1),
        }
    }

    /// What the report of a round depends on, beside the observations.
    ///
    /// # Errors
    /// An impossible committee.
    pub fn terms(&self, network: NetworkId) -> Result<Terms, CommitteeError> {
        Ok(Terms {
            network,
            epoch: self.epoch,
            committee: self.committee()?,
            suites: self.suites.clone(),
            feeds: self.feeds.iter().map(|f| (f.name, f.exponent)).collect(),
        })
    }
}

fn strictly_ascending<T: Ord>(items: &[T]) -> bool {
    items.windows(2).all(|w| matches!(w, [a, b] if a < b))
}

/// `round = first_round + (unix_ms - first_round_at_ms) / interval_ms`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RoundClock {
    /// The epoch's first round.
    pub first_round: Round,
    /// Its start, in Unix milliseconds.
    pub first_round_at_ms: u64,
    /// Milliseconds from round to round, at least 1.
    pub interval_ms: u64,
}

impl RoundClock {
    /// The round that has started last at this time; none before the first one.
    pub fn round_at(&self, unix_ms: u64) -> Option<Round> {
        let since = unix_ms.checked_sub(self.first_round_at_ms)?;
        let rounds = since.checked_div(self.interval_ms)?;
        self.first_round.0.checked_add(rounds).map(Round)
    }

    /// When a round starts, in Unix milliseconds.
    pub fn start_ms(&self, round: Round) -> u64 {
        round
            .0
            .saturating_sub(self.first_round.0)
            .saturating_mul(self.interval_ms)
            .saturating_add(self.first_round_at_ms)
    }
}
