//! The canonical bytes and hashes of everything that is signed or hashed.

use anyhow::Context as _;
use serde::Serialize;
use touchstone_types::{
    Digest, Epoch, EpochRecord, FeedObservation, Header, Leaf, Manifest, MemberId, MessageKind,
    NetworkId, NonceCommitments, Observation, Round, Status, Suite, View, canonical_json, merkle,
    sha256,
};

use super::{
    Files, put,
    valid::{LeafFields, StatementFields},
    world,
};

#[derive(Serialize)]
struct HeaderVector {
    network_id: NetworkId,
    epoch: Epoch,
    tag: Digest,
    kind: u8,
    round: String,
    view: u32,
    instance: u16,
    member: MemberId,
    body_hash: Digest,
    bytes: String,
}

#[derive(Serialize)]
struct ObservationVector {
    timestamp_ms: String,
    feeds: Vec<ObservedFeed>,
    nonces: Vec<Nonces>,
    bytes: String,
    hash: Digest,
}

#[derive(Serialize)]
struct ObservedFeed {
    feed_index: u16,
    status_bits: u8,
    mantissa: String,
    trade_time_ms: String,
}

#[derive(Serialize)]
struct Nonces {
    suite: u8,
    commitments: String,
}

#[derive(Serialize)]
struct StatementVector {
    #[serde(flatten)]
    fields: StatementFields,
    bytes: String,
}

#[derive(Serialize)]
struct LeafVector {
    #[serde(flatten)]
    fields: LeafFields,
    bytes: String,
    leaf_hash: Digest,
}

#[derive(Serialize)]
struct TreeVector {
    leaves: Vec<String>,
    root: Digest,
    paths: Vec<Vec<Digest>>,
}

#[derive(Serialize)]
struct ManifestVector {
    manifest: Manifest,
    canonical: String,
    hash: Digest,
}

#[derive(Serialize)]
struct RecordVector {
    record: EpochRecord,
    digest: Digest,
}

#[derive(Serialize)]
struct AttestationVector {
    statement: StatementFields,
    leaves: Vec<LeafFields>,
    contributors: Vec<MemberId>,
    with_observations: String,
    without_observations: String,
}

pub(super) fn add(files: &mut Files) -> anyhow::Result<()> {
    put(files, "canonical/header", &headers()?)?;
    put(files, "canonical/observation", &observations()?)?;
    put(files, "canonical/statement", &statements()?)?;
    put(files, "canonical/leaf", &leaves()?)?;
    put(files, "canonical/merkle", &trees())?;
    let manifest = world::manifest()?;
    let record = world::record(&manifest)?;
    let vector = RecordVector {
        digest: record.digest(),
        record,
    };
    put(files, "canonical/epoch-record", &vector)?;
    let vector = ManifestVector {
        canonical: String::from_utf8(canonical_json(&manifest)?)?,
        hash: manifest.hash(),
        manifest,
    };
    put(files, "canonical/manifest", &vector)?;
    put(files, "canonical/attestation", &attestation()?)
}

fn headers() -> anyhow::Result<Vec<HeaderVector>> {
    let network = world::network()?;
    let vector = |epoch, header: Header| HeaderVector {
        network_id: network,
        epoch,
        tag: header.tag,
        kind: header.kind.byte(),
        round: header.round.to_string(),
        view: header.view.0,
        instance: header.instance,
        member: header.member,
        body_hash: header.body_hash,
        bytes: hex::encode(header.to_bytes()),
    };
    let first = MessageKind::ALL.iter().map(|kind| {
        let header = Header {
            tag: Header::tag(network, Epoch(0)),
            kind: *kind,
            round: Round(world::FIRST_ROUND),
            view: View(1),
            instance: 2,
            member: MemberId(3),
            body_hash: sha256(&[b"body"]),
        };
        vector(Epoch(0), header)
    });
    let last = Header {
        tag: Header::tag(network, Epoch(u32::MAX)),
        kind: MessageKind::Obs,
        round: Round(u64::MAX),
        view: View(u32::MAX),
        instance: u16::MAX,
        member: MemberId(u16::MAX),
        body_hash: Digest([0xff; 32]),
    };
    Ok(first.chain([vector(Epoch(u32::MAX), last)]).collect())
}

fn observations() -> anyhow::Result<Vec<ObservationVector>> {
    let feed = |feed_index, status, mantissa, trade_time_ms| FeedObservation {
        feed_index,
        status,
        mantissa,
        trade_time_ms,
    };
    let nonces = |suite: Suite, byte| NonceCommitments {
        suite,
        bytes: vec![byte; suite.commitments_bytes()],
    };
    let empty = Observation {
        timestamp_ms: 0,
        feeds: Vec::new(),
        nonces: Vec::new(),
    };
    let two_suites = Observation {
        timestamp_ms: u64::MAX,
        feeds: vec![
            feed(0, Status::OK, i128::MAX, u64::MAX),
            feed(7, Status::STALE.with(Status::DEPEGGED), i128::MIN, 0),
            feed(u16::MAX, Status::MARKET_CLOSED, -1, 1),
        ],
        nonces: vec![nonces(Suite::Ed25519, 1), nonces(Suite::Secp256k1Keccak, 2)],
    };
    let first = world::attestation(0)?;
    let first = first.observations.first().context("four observations")?;
    let real = Observation::from_bytes(&first.body)?;
    let vectors = [empty, two_suites, real].into_iter().map(|o| {
        let bytes = o.to_bytes();
        ObservationVector {
            timestamp_ms: o.timestamp_ms.to_string(),
            feeds: o.feeds.iter().map(observed).collect(),
            nonces: o
                .nonces
                .iter()
                .map(|n| Nonces {
                    suite: n.suite.byte(),
                    commitments: hex::encode(&n.bytes),
                })
                .collect(),
            hash: sha256(&[&bytes]),
            bytes: hex::encode(bytes),
        }
    });
    Ok(vectors.collect())
}

fn observed(feed: &FeedObservation) -> ObservedFeed {
    ObservedFeed {
        feed_index: feed.feed_index,
        status_bits: feed.status.bits(),
        mantissa: feed.mantissa.to_string(),
        trade_time_ms: feed.trade_time_ms.to_string(),
    }
}

fn statements() -> anyhow::Result<Vec<StatementVector>> {
    let plain = world::attestation(0)?.statement;
    let mut largest = plain;
    largest.network = NetworkId(Digest([0xff; 32]));
    largest.epoch = Epoch(u32::MAX);
    largest.round = Round(u64::MAX);
    largest.timestamp_ms = u64::MAX;
    largest.feed_count = u16::MAX;
    let vectors = [plain, largest].map(|statement| StatementVector {
        fields: (&statement).into(),
        bytes: hex::encode(statement.to_bytes()),
    });
    Ok(vectors.into())
}

fn leaves() -> anyhow::Result<Vec<LeafVector>> {
    let plain = world::leaf("BTC-USD")?;
    let none = Leaf::unavailable(plain.feed, 0, Status::HALTED, 2);
    let negative = Leaf {
        feed: world::feed("A.B-C.D")?,
        status: Status::DEGRADED.with(Status::MARKET_CLOSED),
        exponent: 3,
        price: -5,
        low: i128::MIN,
        high: i128::MAX,
        ..plain
    };
    let vectors = [plain, none, negative].map(|leaf| LeafVector {
        fields: (&leaf).into(),
        bytes: hex::encode(leaf.to_bytes()),
        leaf_hash: merkle::leaf_hash(&leaf.to_bytes()),
    });
    Ok(vectors.into())
}

/// Trees of RFC 9162 over one to nine leaves; leaf `i` is the one byte `i`.
fn trees() -> Vec<TreeVector> {
    let tree = |count: u8| {
        let hashes: Vec<Digest> = (0..count).map(|i| merkle::leaf_hash(&[i])).collect();
        TreeVector {
            leaves: (0..count).map(|i| hex::encode([i])).collect(),
            root: merkle::root(&hashes),
            paths: (0..hashes.len())
                .filter_map(|index| merkle::path(&hashes, index))
                .collect(),
        }
    };
    (1..=9).map(tree).collect()
}

fn attestation() -> anyhow::Result<AttestationVector> {
    let whole = world::attestation(0)?;
    let mut bare = whole.clone();
    bare.observations.clear();
    Ok(AttestationVector {
        statement: (&whole.statement).into(),
        leaves: whole.leaves.iter().map(Into::into).collect(),
        contributors: whole.observations.iter().map(|o| o.header.member).collect(),
        with_observations: hex::encode(whole.to_bytes()),
        without_observations: hex::encode(bare.to_bytes()),
    })
}
