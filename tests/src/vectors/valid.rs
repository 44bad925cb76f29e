//! Updates that every verifier must accept, with everything that they say.

use std::collections::BTreeMap;

use serde::Serialize;
use touchstone_types::{
    Digest, Epoch, Leaf, NetworkId, PriceUpdate, Round, Statement, Status, Suite,
};

use super::{Files, put, world};

/// An update with its verdict. Integers of 64 and more bits are text: a JSON reader may know doubles only.
#[derive(Serialize)]
pub(super) struct UpdateVector {
    pub(super) description: String,
    pub(super) network_id: NetworkId,
    pub(super) group_keys: BTreeMap<&'static str, String>,
    pub(super) update: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) valid: Option<Valid>,
}

#[derive(Serialize)]
pub(super) struct Valid {
    suite: Suite,
    statement: StatementFields,
    entries: Vec<Entry>,
}

/// A statement's fields.
#[derive(Serialize)]
pub(super) struct StatementFields {
    network_id: NetworkId,
    epoch: Epoch,
    round: String,
    timestamp_ms: String,
    feed_count: u16,
    feeds_root: Digest,
    observations_root: Digest,
    digest: Digest,
}

/// A leaf's fields.
#[derive(Serialize)]
pub(super) struct LeafFields {
    feed: String,
    status: Status,
    status_bits: u8,
    exponent: i8,
    price: String,
    low: String,
    high: String,
    observed_at_ms: String,
    observers: u16,
}

#[derive(Serialize)]
struct Entry {
    leaf_index: u16,
    path_len: usize,
    #[serde(flatten)]
    leaf: LeafFields,
}

impl From<&Statement> for StatementFields {
    fn from(s: &Statement) -> Self {
        Self {
            network_id: s.network,
            epoch: s.epoch,
            round: s.round.to_string(),
            timestamp_ms: s.timestamp_ms.to_string(),
            feed_count: s.feed_count,
            feeds_root: s.feeds_root,
            observations_root: s.observations_root,
            digest: s.digest(),
        }
    }
}

impl From<&Leaf> for LeafFields {
    fn from(leaf: &Leaf) -> Self {
        Self {
            feed: leaf.feed.to_string(),
            status: leaf.status,
            status_bits: leaf.status.bits(),
            exponent: leaf.exponent,
            price: leaf.price.to_string(),
            low: leaf.low.to_string(),
            high: leaf.high.to_string(),
            observed_at_ms: leaf.observed_at_ms.to_string(),
            observers: leaf.observers,
        }
    }
}

/// The vector of bytes under the group key that the vectors pin.
pub(super) fn vector(description: &str, update: &[u8]) -> anyhow::Result<UpdateVector> {
    let key = hex::encode(world::group().verifying_key().as_bytes());
    vector_under(
        description,
        update,
        BTreeMap::from([(Suite::Ed25519.name(), key)]),
    )
}

/// The vector of bytes under these pinned keys.
pub(super) fn vector_under(
    description: &str,
    update: &[u8],
    group_keys: BTreeMap<&'static str, String>,
) -> anyhow::Result<UpdateVector> {
    Ok(UpdateVector {
        description: description.into(),
        network_id: world::network()?,
        group_keys,
        update: hex::encode(update),
        code: None,
        valid: None,
    })
}

fn add_one(
    files: &mut Files,
    name: &str,
    description: &str,
    update: &PriceUpdate,
) -> anyhow::Result<()> {
    let vector = vector(description, &update.to_bytes())?;
    add_to(files, name, vector, update)
}

/// Adds a vector with what its update says.
pub(super) fn add_to(
    files: &mut Files,
    name: &str,
    mut vector: UpdateVector,
    update: &PriceUpdate,
) -> anyhow::Result<()> {
    vector.valid = Some(Valid {
        suite: update.suite,
        statement: (&update.statement).into(),
        entries: update
            .entries
            .iter()
            .map(|entry| Entry {
                leaf_index: entry.index,
                path_len: entry.path.len(),
                leaf: (&entry.leaf).into(),
            })
            .collect(),
    });
    put(files, &format!("update/valid/{name}"), &vector)
}

pub(super) fn add(files: &mut Files) -> anyhow::Result<()> {
    add_trees(files)?;
    add_statuses(files)?;
    add_extremes(files)?;
    let round = world::attestation(0)?;
    let all: Vec<u16> = (0..12).collect();
    if let Some(update) = round.update(Suite::Ed25519, &all) {
        let what = "a round computed from four members' observations, all feeds";
        add_one(files, "computed-round", what, &update)?;
    }
    Ok(())
}

fn add_trees(files: &mut Files) -> anyhow::Result<()> {
    let cases: [(usize, &[u16], &str); 19] = [
        (1, &[0], "only"),
        (2, &[0], "first"),
        (2, &[1], "last"),
        (2, &[0, 1], "all"),
        (3, &[2], "last"),
        (5, &[4], "last"),
        (6, &[4], "fifth"),
        (7, &[6], "last"),
        (12, &[0], "first"),
        (12, &[5], "middle"),
        (12, &[8], "ninth"),
        (12, &[11], "last"),
        (12, &[0, 5, 11], "three"),
        (1_000, &[0], "first"),
        (1_000, &[499], "middle"),
        (1_000, &[999], "last"),
        (1_000, &[0, 1, 2, 3, 512, 998, 999], "seven"),
        (65_535, &[0], "first"),
        (65_535, &[65_534], "last"),
    ];
    for (size, indices, which) in cases {
        let update = world::update(&world::leaves(size)?, indices, |_| ())?;
        let name = format!("tree-{size:05}-{which}");
        let what = format!("{size} feeds, of which the update shows: {indices:?}");
        add_one(files, &name, &what, &update)?;
    }
    Ok(())
}

fn add_statuses(files: &mut Files) -> anyhow::Result<()> {
    for (status, name) in Status::all() {
        let mut leaf = world::leaf("BTC-USD")?;
        leaf.status = status;
        if status == Status::UNAVAILABLE {
            leaf = Leaf::unavailable(leaf.feed, leaf.exponent, Status::OK, 2);
        }
        let update = world::update(&[leaf], &[0], |_| ())?;
        let what = format!("a feed that is {name}");
        add_one(files, &format!("status-{name}"), &what, &update)?;
    }
    let priced = Status::all()
        .filter(|(status, _)| *status != Status::UNAVAILABLE)
        .fold(Status::OK, |acc, (status, _)| acc.with(status));
    let mut leaf = world::leaf("BTC-USD")?;
    leaf.status = priced;
    let update = world::update(&[leaf], &[0], |_| ())?;
    let what = "a price with every status bit that a price can have";
    add_one(files, "status-every-with-price", what, &update)?;
    let leaf = Leaf::unavailable(leaf.feed, -8, priced, 0);
    let update = world::update(&[leaf], &[0], |_| ())?;
    add_one(files, "status-every", "every status bit at once", &update)
}

fn add_extremes(files: &mut Files) -> anyhow::Result<()> {
    let plain = world::leaf("BTC-USD")?;
    let largest = Leaf {
        feed: world::feed("ABCDEFGHIJKLMNO-PQRSTUVWXYZ0123")?,
        exponent: 38,
        price: i128::MAX,
        low: i128::MAX,
        high: i128::MAX,
        observed_at_ms: u64::MAX,
        observers: u16::MAX,
        ..plain
    };
    let smallest = Leaf {
        feed: world::feed("0-.")?,
        exponent: -38,
        price: i128::MIN,
        low: i128::MIN,
        high: i128::MIN,
        observed_at_ms: 0,
        observers: 0,
        ..plain
    };
    let widest = Leaf {
        price: 0,
        low: i128::MIN,
        high: i128::MAX,
        ..plain
    };
    let negative = Leaf {
        price: -1,
        low: -2,
        high: 0,
        ..plain
    };
    let leaves: [(&str, &str, Leaf); 4] = [
        (
            "leaf-largest",
            "the largest value of every field of a leaf",
            largest,
        ),
        (
            "leaf-smallest",
            "the smallest value of every field of a leaf",
            smallest,
        ),
        (
            "leaf-widest",
            "a price of zero with the widest range",
            widest,
        ),
        ("leaf-negative", "a negative price", negative),
    ];
    for (name, what, leaf) in leaves {
        let update = world::update(&[leaf], &[0], |_| ())?;
        add_one(files, name, what, &update)?;
    }
    let largest = world::update(&[plain], &[0], |s| {
        s.epoch = Epoch(u32::MAX);
        s.round = Round(u64::MAX);
        s.timestamp_ms = u64::MAX;
        s.observations_root = Digest([0xff; 32]);
    })?;
    let what = "the largest epoch, round and timestamp";
    add_one(files, "statement-largest", what, &largest)?;
    let smallest = world::update(&[plain], &[0], |s| {
        s.round = Round(0);
        s.timestamp_ms = 0;
        s.observations_root = Digest([0; 32]);
    })?;
    let what = "round 0 at time 0";
    add_one(files, "statement-smallest", what, &smallest)
}
