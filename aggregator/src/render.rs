//! The shapes of the API's JSON, and one round rendered in them.
//!
//! Prices are decimal strings and never JSON numbers; bytes are lower-case hexadecimal, binary forms are Base64 (RFC 4648
//! section 4). `docs/attestation.md` describes them.

use std::{collections::BTreeMap, sync::OnceLock};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use serde::Serialize;
use touchstone_types::{
    Attestation, Digest, Evidence, FeedName, Leaf, PriceUpdate, Round, Suite, UpdateEntry, merkle,
};
use utoipa::ToSchema;

use crate::store::EvidenceRow;

/// A feed's price in one round with all that is needed to verify it.
#[derive(Clone, Serialize, ToSchema)]
pub struct Price {
    /// The feed.
    #[schema(example = "BTC-USD")]
    pub feed: String,
    /// Lower median of the observers, a decimal; null if the feed was unavailable.
    #[schema(example = "67123.45000000")]
    pub price: Option<String>,
    /// Low end of the honest range, a decimal; null if the feed was unavailable.
    #[schema(example = "67120.10000000")]
    pub low: Option<String>,
    /// High end of the honest range, a decimal; null if the feed was unavailable.
    #[schema(example = "67125.00000000")]
    pub high: Option<String>,
    /// Exponent of the signed mantissas.
    #[schema(example = -8)]
    pub exponent: i8,
    /// What must be known before the price is used; empty means ok.
    #[schema(example = json!(["degraded"]))]
    pub status: Vec<&'static str>,
    /// How many members observed the feed.
    pub observers: u16,
    /// Time of the trades behind the price, Unix milliseconds.
    pub observed_at_ms: u64,
    /// The epoch.
    pub epoch: u32,
    /// The round.
    pub round: u64,
    /// Lower median of the contributors' clocks, Unix milliseconds.
    pub timestamp_ms: u64,
    /// The network, 64 hexadecimal digits.
    pub network_id: String,
    /// Number of leaves under `feeds_root`.
    pub feed_count: u16,
    /// Root of the tree of leaves.
    pub feeds_root: String,
    /// Root of the tree of observations.
    pub observations_root: String,
    /// The leaf's inclusion proof.
    pub proof: Proof,
    /// The group's signatures by suite, hexadecimal.
    pub signatures: BTreeMap<&'static str, String>,
    /// The binary price update in the suite that was asked for, Base64.
    pub update: String,
}

/// An RFC 9162 inclusion proof.
#[derive(Clone, Serialize, ToSchema)]
pub struct Proof {
    /// Position of the leaf.
    pub leaf_index: u16,
    /// Hashes from the leaf's sibling upwards.
    pub path: Vec<String>,
}

/// A feed's price in one round without its proof.
#[derive(Clone, Serialize, ToSchema)]
pub struct PlainPrice {
    /// The feed.
    #[schema(example = "BTC-USD")]
    pub feed: String,
    /// Lower median of the observers, a decimal; null if the feed was unavailable.
    pub price: Option<String>,
    /// Low end of the honest range.
    pub low: Option<String>,
    /// High end of the honest range.
    pub high: Option<String>,
    /// What must be known before the price is used; empty means ok.
    pub status: Vec<&'static str>,
    /// How many members observed the feed.
    pub observers: u16,
    /// Time of the trades behind the price, Unix milliseconds.
    pub observed_at_ms: u64,
    /// The round, whose attestation is at `/v1/rounds/{round}`.
    pub round: u64,
    /// Lower median of the contributors' clocks, Unix milliseconds.
    pub timestamp_ms: u64,
}

/// One leaf of a round.
#[derive(Clone, Serialize, ToSchema)]
pub struct LeafView {
    /// The feed.
    pub feed: String,
    /// Lower median of the observers, a decimal; null if the feed was unavailable.
    pub price: Option<String>,
    /// Low end of the honest range.
    pub low: Option<String>,
    /// High end of the honest range.
    pub high: Option<String>,
    /// Exponent of the signed mantissas.
    pub exponent: i8,
    /// What must be known before the price is used; empty means ok.
    pub status: Vec<&'static str>,
    /// How many members observed the feed.
    pub observers: u16,
    /// Time of the trades behind the price, Unix milliseconds.
    pub observed_at_ms: u64,
}

/// A proof of misbehaviour. Only `evidence` has to be believed, by who checks it: the rest follows from it and the pin.
#[derive(Clone, Serialize, ToSchema)]
pub struct EvidenceView {
    /// Its name, 64 hexadecimal digits.
    pub id: String,
    /// The accused.
    pub member: u64,
    /// The epoch, whose manifest says who that is.
    pub epoch: u64,
    /// The round.
    pub round: u64,
    /// `contradiction` (two bodies signed for one slot) or `bad_share` (a signed share that fails its check).
    #[schema(example = "contradiction")]
    pub kind: String,
    /// What the member did, in words.
    #[schema(example = "signed two different VOTE messages for one slot (view 1, instance 2)")]
    pub offence: String,
    /// When it came here, Unix milliseconds.
    pub received_at_ms: u64,
    /// The canonical bytes, Base64.
    pub evidence: String,
}

impl From<&EvidenceRow> for EvidenceView {
    fn from(row: &EvidenceRow) -> Self {
        // The column holds what fits into it; the bytes hold the number that was signed.
        let round = Evidence::from_bytes(row.bytes()).map_or(0, |e| e.round().0);
        Self {
            id: row.id().to_owned(),
            member: row.member(),
            epoch: row.epoch(),
            round,
            kind: row.kind().to_owned(),
            offence: row.offence().to_owned(),
            received_at_ms: row.received_at_ms(),
            evidence: BASE64.encode(row.bytes()),
        }
    }
}

/// A whole round.
#[derive(Clone, Serialize, ToSchema)]
pub struct RoundView {
    /// The epoch.
    pub epoch: u32,
    /// The round.
    pub round: u64,
    /// Lower median of the contributors' clocks, Unix milliseconds.
    pub timestamp_ms: u64,
    /// The network, 64 hexadecimal digits.
    pub network_id: String,
    /// Number of leaves.
    pub feed_count: u16,
    /// Root of the tree of leaves.
    pub feeds_root: String,
    /// Root of the tree of observations.
    pub observations_root: String,
    /// The 134 bytes whose SHA-256 is signed, hexadecimal.
    pub statement: String,
    /// The group's signatures by suite, hexadecimal.
    pub signatures: BTreeMap<&'static str, String>,
    /// Every feed.
    pub feeds: Vec<LeafView>,
    /// The binary attestation without observations, Base64.
    pub attestation: String,
}

/// The signed observations of a round.
#[derive(Clone, Serialize, ToSchema)]
pub struct ObservationsView {
    /// The round.
    pub round: u64,
    /// The contributors' observations, in member order.
    pub observations: Vec<ObservationView>,
}

/// One member's signed observation.
#[derive(Clone, Serialize, ToSchema)]
pub struct ObservationView {
    /// The member.
    pub member: u16,
    /// The 81 signed bytes, hexadecimal.
    pub header: String,
    /// The member's Ed25519 signature over them, hexadecimal.
    pub signature: String,
    /// The observation whose SHA-256 the header holds, Base64.
    pub body: String,
}

/// A feed rendered in both encodings.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// The JSON of [`Price`].
    pub json: Bytes,
    /// The binary price update.
    pub binary: Bytes,
}

/// A believed round without its observations, and what was rendered of it so far.
///
/// A feed is rendered when it is first asked for, and once: a thousand feeds of which ten are asked for cost ten.
#[derive(Debug)]
pub struct SignedRound {
    attestation: Attestation,
    levels: OnceLock<Vec<Vec<Digest>>>,
    /// Of each suite, each feed.
    rendered: Vec<(Suite, Vec<OnceLock<Rendered>>)>,
}

impl SignedRound {
    /// Wraps an attestation that was verified (now, or before it was stored).
    pub fn new(mut attestation: Attestation) -> Self {
        attestation.observations = Vec::new();
        let empty = || attestation.leaves.iter().map(|_| OnceLock::new()).collect();
        let suites = attestation.signatures.iter();
        let rendered = suites.map(|(suite, _)| (*suite, empty())).collect();
        Self {
            attestation,
            levels: OnceLock::new(),
            rendered,
        }
    }

    /// The round.
    pub fn round(&self) -> Round {
        self.attestation.statement.round
    }

    /// Lower median of the contributors' clocks, Unix milliseconds.
    pub fn timestamp_ms(&self) -> u64 {
        self.attestation.statement.timestamp_ms
    }

    /// The attestation, without observations.
    pub fn attestation(&self) -> &Attestation {
        &self.attestation
    }

    /// The feed's position, if the round has it.
    pub fn index(&self, feed: FeedName) -> Option<usize> {
        let leaves = &self.attestation.leaves;
        leaves.binary_search_by(|l| l.feed.cmp(&feed)).ok()
    }

    /// The feed in both encodings with its update in a suite, if the round has them.
    pub fn feed(&self, feed: FeedName, suite: Suite) -> Option<&Rendered> {
        let index = self.index(feed)?;
        let (_, slots) = self.rendered.iter().find(|(s, _)| *s == suite)?;
        let slot = slots.get(index)?;
        if let Some(rendered) = slot.get() {
            return Some(rendered);
        }
        let rendered = self.render(index, suite)?;
        Some(slot.get_or_init(|| rendered))
    }

    fn render(&self, index: usize, suite: Suite) -> Option<Rendered> {
        let price = self.price(index, suite)?;
        let binary = self.update(&[index], suite)?.to_bytes();
        Some(Rendered {
            json: json(&price),
            binary: binary.into(),
        })
    }

    /// The price at a position with its proof, and its update in a suite.
    pub fn price(&self, index: usize, suite: Suite) -> Option<Price> {
        let (s, leaf) = (
            &self.attestation.statement,
            self.attestation.leaves.get(index)?,
        );
        let update = self.update(&[index], suite)?;
        let path = &update.entries.first()?.path;
        Some(Price {
            feed: leaf.feed.to_string(),
            price: leaf.price().map(|d| d.to_string()),
            low: leaf.low().map(|d| d.to_string()),
            high: leaf.high().map(|d| d.to_string()),
            exponent: leaf.exponent,
            status: leaf.status.names().collect(),
            observers: leaf.observers,
            observed_at_ms: leaf.observed_at_ms,
            epoch: s.epoch.0,
            round: s.round.0,
            timestamp_ms: s.timestamp_ms,
            network_id: s.network.to_string(),
            feed_count: s.feed_count,
            feeds_root: s.feeds_root.to_string(),
            observations_root: s.observations_root.to_string(),
            proof: Proof {
                leaf_index: u16::try_from(index).ok()?,
                path: path.iter().map(Digest::to_string).collect(),
            },
            signatures: signatures(&self.attestation),
            update: BASE64.encode(update.to_bytes()),
        })
    }

    /// A price update of these positions under the signature of a suite; `None` if the round is not signed in it, a position does
    /// not exist, or there are none or more than 255.
    pub fn update(&self, indices: &[usize], suite: Suite) -> Option<PriceUpdate> {
        let mut sorted = indices.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        if sorted.is_empty() || sorted.len() > usize::from(u8::MAX) {
            return None;
        }
        let entries = sorted.into_iter().map(|index| {
            Some(UpdateEntry {
                leaf: *self.attestation.leaves.get(index)?,
                index: u16::try_from(index).ok()?,
                path: self.path(index),
            })
        });
        Some(PriceUpdate {
            suite,
            statement: self.attestation.statement,
            signature: self.attestation.signature(suite)?.to_vec(),
            entries: entries.collect::<Option<Vec<_>>>()?,
        })
    }

    /// The inclusion proof of a position. The tree's levels are kept, so that a proof is a walk and not a thousand hashes.
    fn path(&self, index: usize) -> Vec<Digest> {
        let levels = self.levels.get_or_init(|| levels(&self.attestation.leaves));
        let mut at = index;
        let mut path = Vec::new();
        for level in levels {
            path.extend(level.get(at ^ 1).copied());
            at /= 2;
        }
        path
    }

    /// The whole round.
    pub fn view(&self) -> RoundView {
        let s = &self.attestation.statement;
        RoundView {
            epoch: s.epoch.0,
            round: s.round.0,
            timestamp_ms: s.timestamp_ms,
            network_id: s.network.to_string(),
            feed_count: s.feed_count,
            feeds_root: s.feeds_root.to_string(),
            observations_root: s.observations_root.to_string(),
            statement: hex::encode(s.to_bytes()),
            signatures: signatures(&self.attestation),
            feeds: self.attestation.leaves.iter().map(leaf_view).collect(),
            attestation: BASE64.encode(self.attestation.to_bytes()),
        }
    }
}

/// All levels of the tree of leaves below the root, from the leaves upwards.
fn levels(leaves: &[Leaf]) -> Vec<Vec<Digest>> {
    let mut level: Vec<Digest> = leaves
        .iter()
        .map(|l| merkle::leaf_hash(&l.to_bytes()))
        .collect();
    let mut levels = Vec::new();
    while level.len() > 1 {
        let above = level
            .chunks(2)
            .filter_map(|pair| match pair {
                [left, right] => Some(merkle::node_hash(*left, *right)),
                odd => odd.first().copied(),
            })
            .collect();
        levels.push(std::mem::replace(&mut level, above));
    }
    levels
}

fn leaf_view(leaf: &Leaf) -> LeafView {
    LeafView {
        feed: leaf.feed.to_string(),
        price: leaf.price().map(|d| d.to_string()),
        low: leaf.low().map(|d| d.to_string()),
        high: leaf.high().map(|d| d.to_string()),
        exponent: leaf.exponent,
        status: leaf.status.names().collect(),
        observers: leaf.observers,
        observed_at_ms: leaf.observed_at_ms,
    }
}

fn signatures(attestation: &Attestation) -> BTreeMap<&'static str, String> {
    attestation
        .signatures
        .iter()
        .map(|(suite, bytes)| (suite.name(), hex::encode(bytes)))
        .collect()
}

/// The signed observations of an attestation.
pub fn observations(attestation: &Attestation) -> ObservationsView {
    let view = |o: &touchstone_types::SignedObservation| ObservationView {
        member: o.header.member.0,
        header: hex::encode(o.header.to_bytes()),
        signature: hex::encode(o.signature.0),
        body: BASE64.encode(&o.body),
    };
    ObservationsView {
        round: attestation.round().0,
        observations: attestation.observations.iter().map(view).collect(),
    }
}

/// A price update as Base64.
pub fn base64(update: &PriceUpdate) -> String {
    BASE64.encode(update.to_bytes())
}

/// Serialises a shape of this module; strings, integers and lists always have a JSON form.
pub fn json<T: Serialize>(value: &T) -> Bytes {
    serde_json::to_vec(value).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use touchstone_types::{Epoch, NetworkId, Statement, Status};

    fn leaves(count: usize) -> Vec<Leaf> {
        let leaf = |i: usize| Leaf {
            feed: FeedName::new(&format!("F{i:04}-USD")).expect("a name"),
            status: Status::OK,
            exponent: -2,
            price: 100,
            low: 99,
            high: 101,
            observed_at_ms: 1,
            observers: 4,
        };
        (0..count).map(leaf).collect()
    }

    #[test]
    fn kept_levels_give_the_same_proofs_as_the_library() {
        for count in [1, 2, 3, 7, 12, 33] {
            let leaves = leaves(count);
            let hashes: Vec<_> = leaves
                .iter()
                .map(|l| merkle::leaf_hash(&l.to_bytes()))
                .collect();
            let round = SignedRound::new(Attestation {
                statement: Statement {
                    network: NetworkId(Digest([7; 32])),
                    epoch: Epoch(0),
                    round: Round(1),
                    timestamp_ms: 1,
                    feed_count: u16::try_from(count).expect("small"),
                    feeds_root: merkle::root(&hashes),
                    observations_root: Digest([0; 32]),
                },
                signatures: vec![(Suite::Ed25519, vec![0; 64])],
                leaves,
                observations: Vec::new(),
            });
            for index in 0..count {
                let own = round.update(&[index], Suite::Ed25519).expect("in range");
                let index = u16::try_from(index).expect("small");
                let library = round.attestation().update(Suite::Ed25519, &[index]);
                assert_eq!(Some(&own), library.as_ref());
                assert_eq!(own.check_inclusion(), Ok(()));
            }
            assert!(round.update(&[count], Suite::Ed25519).is_none());
            assert!(round.update(&[], Suite::Ed25519).is_none());
            assert!(round.update(&[0], Suite::Secp256k1Keccak).is_none());
        }
    }
}
