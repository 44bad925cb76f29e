//! The fixed keys, committee and rounds that the vectors are about.

use anyhow::Context as _;
use ed25519_dalek::{Signer as _, SigningKey};
use touchstone_crypto::IdentityKey;
use touchstone_types::{
    Attestation, Contribution, Digest, Epoch, EpochRecord, FeedName, FeedObservation, FeedSpec,
    GroupSignatureEntry, Header, Leaf, Manifest, Market, Member, MemberId, MessageKind, NetworkId,
    NonceCommitments, Observation, Pin, PriceUpdate, Report, Round, SignedObservation, Statement,
    Status, Suite, SuiteKeys, View, merkle, sha256,
};

/// Time of the vectors' first round, 2026-09-21T14:13:20Z.
pub(super) const START_MS: u64 = 1_790_000_000_000;
/// The first round.
pub(super) const FIRST_ROUND: u64 = 1_790_000_000;

/// A group key. A FROST signature is an ordinary Ed25519 signature, so one secret does for the whole committee here.
pub(super) fn group() -> SigningKey {
    SigningKey::from_bytes(&[0x2a; 32])
}

/// A key that nobody pins.
pub(super) fn stranger() -> SigningKey {
    SigningKey::from_bytes(&[0x17; 32])
}

pub(super) fn feed(name: &str) -> anyhow::Result<FeedName> {
    FeedName::new(name).with_context(|| name.to_owned())
}

fn identity(member: u16) -> anyhow::Result<IdentityKey> {
    let seed = [u8::try_from(member)?.wrapping_add(0x60); 32];
    Ok(IdentityKey::from_secret_bytes(&seed)?)
}

/// The genesis manifest: four members, twelve feeds.
pub(super) fn manifest() -> anyhow::Result<Manifest> {
    let bases = [
        "AAVE", "AVAX", "BTC", "DOGE", "ETH", "EUR", "LINK", "LTC", "SOL", "USDC", "USDT", "XRP",
    ];
    let feeds = bases.map(|base| spec(base, "USD"));
    let manifest = Manifest {
        network: "vectors".into(),
        epoch: Epoch(0),
        previous: None,
        interval_ms: 1_000,
        first_round: Round(FIRST_ROUND),
        first_round_at_ms: START_MS,
        f: 1,
        suites: vec![Suite::Ed25519],
        members: (0..4).map(member).collect::<anyhow::Result<_>>()?,
        feeds: feeds.into_iter().collect::<anyhow::Result<_>>()?,
    };
    manifest.validate()?;
    Ok(manifest)
}

fn member(id: u16) -> anyhow::Result<Member> {
    Ok(Member {
        id: MemberId(id),
        identity: identity(id)?.public().to_digest(),
        address: format!("127.0.0.1:{}", 9_000 + id),
    })
}

fn spec(base: &str, quote: &str) -> anyhow::Result<FeedSpec> {
    let name = FeedName::pair(base, quote)?;
    let sources = ["bitstamp", "coinbase", "kraken"];
    Ok(FeedSpec {
        name,
        exponent: -8,
        sources: sources
            .map(|source| Market {
                source: source.into(),
                pair: name,
            })
            .to_vec(),
        min_sources: 2,
        max_quote_age_ms: 60_000,
        outlier_mads_milli: 5_000,
        outlier_floor_ppm: 2_000,
    })
}

/// The network's id.
pub(super) fn network() -> anyhow::Result<NetworkId> {
    Ok(NetworkId(manifest()?.hash()))
}

/// The genesis record, signed by every member and by the group key.
pub(super) fn record(manifest: &Manifest) -> EpochRecordResult {
    let filler = |what: &str, member: u16| sha256(&[what.as_bytes(), &member.to_be_bytes()]);
    let members = 0..u16::try_from(manifest.members.len())?;
    let mut record = EpochRecord {
        epoch: manifest.epoch,
        manifest_hash: manifest.hash(),
        keys: vec![SuiteKeys {
            suite: Suite::Ed25519,
            group_key: group().verifying_key().to_bytes().to_vec(),
            verifying_shares: members
                .clone()
                .map(|m| filler("share", m).0.to_vec())
                .collect(),
        }],
        coin_key: filler("coin", 0),
        coin_shares: members.clone().map(|m| filler("coin share", m)).collect(),
        transcript: filler("transcript", 0),
        member_signatures: Vec::new(),
        group_signatures: Vec::new(),
    };
    record.member_signatures = members
        .map(|m| Ok(identity(m)?.sign_epoch_record(&record)))
        .collect::<anyhow::Result<_>>()?;
    record.group_signatures = vec![GroupSignatureEntry {
        suite: Suite::Ed25519,
        signature: group().sign(&record.digest().0).to_bytes().to_vec(),
    }];
    Ok(record)
}

type EpochRecordResult = anyhow::Result<EpochRecord>;

/// The pin of the vectors' network.
pub(super) fn pin() -> anyhow::Result<Pin> {
    let genesis_manifest = manifest()?;
    let pin = Pin {
        genesis_record: record(&genesis_manifest)?,
        genesis_manifest,
        later: Vec::new(),
    };
    pin.validate()?;
    Ok(pin)
}

/// What member `member` says in the `round`-th round: twelve prices around the same values, a little apart.
fn observation(member: u16, round: u64) -> Observation {
    let prices: [i128; 12] = [
        9_512_000_000,
        2_214_000_000,
        6_712_345_000_000,
        12_345_678,
        345_678_000_000,
        108_430_000,
        1_432_000_000,
        8_765_000_000,
        14_876_000_000,
        99_995_000,
        100_012_000,
        61_234_567,
    ];
    let now = START_MS + 1_000 * round + 20;
    let spread = i128::from(member) * 100 + i128::from(round);
    // Member 3 cannot price the last feed, members 1 and 2 find the tenth degraded.
    let count = if member == 3 { 11 } else { 12 };
    let feeds = (0u16..).zip(prices).take(count);
    Observation {
        timestamp_ms: now + u64::from(member),
        feeds: feeds
            .map(|(feed_index, price)| FeedObservation {
                feed_index,
                status: match (feed_index, member) {
                    (9, 1 | 2) => Status::DEGRADED,
                    _ => Status::OK,
                },
                mantissa: price + spread,
                trade_time_ms: now - 300 - u64::from(feed_index),
            })
            .collect(),
        nonces: vec![NonceCommitments {
            suite: Suite::Ed25519,
            bytes: sha256(&[b"nonces", &member.to_be_bytes(), &round.to_be_bytes()])
                .0
                .repeat(2),
        }],
    }
}

/// The `round`-th round with all observations, as the network would sign it.
pub(super) fn attestation(round: u64) -> anyhow::Result<Attestation> {
    let (manifest, network) = (manifest()?, network()?);
    let number = Round(FIRST_ROUND + round);
    let mut signed = Vec::new();
    for member in 0..4 {
        let body = observation(member, round).to_bytes();
        let header = Header {
            tag: Header::tag(network, manifest.epoch),
            kind: MessageKind::Obs,
            round: number,
            view: View(0),
            instance: 0,
            member: MemberId(member),
            body_hash: sha256(&[&body]),
        };
        let signature = identity(member)?.sign_header(&header);
        signed.push(SignedObservation {
            header,
            signature,
            body,
        });
    }
    let decoded: Vec<Observation> = (0..4).map(|member| observation(member, round)).collect();
    let contributions: Vec<Contribution<'_>> = signed
        .iter()
        .zip(&decoded)
        .map(|(s, observation)| Contribution {
            header: &s.header,
            body: &s.body,
            observation,
        })
        .collect();
    let report = Report::compute(&manifest.terms(network)?, number, &contributions)?;
    Ok(Attestation {
        statement: report.statement,
        signatures: vec![(Suite::Ed25519, sign(&report.statement).to_vec())],
        leaves: report.leaves,
        observations: signed,
    })
}

/// The group's signature on a statement.
pub(super) fn sign(statement: &Statement) -> [u8; 64] {
    group().sign(&statement.digest().0).to_bytes()
}

/// A statement over these leaves; where the observations came from does not matter to a verifier.
pub(super) fn statement(leaf_hashes: &[Digest]) -> anyhow::Result<Statement> {
    Ok(Statement {
        network: network()?,
        epoch: Epoch(0),
        round: Round(FIRST_ROUND + 7),
        timestamp_ms: START_MS + 7_021,
        feed_count: u16::try_from(leaf_hashes.len())?,
        feeds_root: merkle::root(leaf_hashes),
        observations_root: sha256(&[b"observations"]),
    })
}

/// A plain leaf.
pub(super) fn leaf(name: &str) -> anyhow::Result<Leaf> {
    Ok(Leaf {
        feed: feed(name)?,
        status: Status::OK,
        exponent: -8,
        price: 6_712_345_000_000,
        low: 6_712_010_000_000,
        high: 6_712_500_000_000,
        observed_at_ms: START_MS + 6_700,
        observers: 4,
    })
}

/// `count` plain leaves in order of their names.
pub(super) fn leaves(count: usize) -> anyhow::Result<Vec<Leaf>> {
    (0..count)
        .map(|i| {
            let mut leaf = leaf(&format!("F{i:05}-USD"))?;
            let step = i128::try_from(i)?;
            leaf.price += step;
            leaf.low += step;
            leaf.high += step;
            Ok(leaf)
        })
        .collect()
}

/// A signed update of these leaves at these indices, after the statement was changed by `change`.
pub(super) fn update(
    leaves: &[Leaf],
    indices: &[u16],
    change: impl FnOnce(&mut Statement),
) -> anyhow::Result<PriceUpdate> {
    let hashes: Vec<Digest> = leaves
        .iter()
        .map(|l| merkle::leaf_hash(&l.to_bytes()))
        .collect();
    let mut statement = statement(&hashes)?;
    change(&mut statement);
    let attestation = Attestation {
        statement,
        signatures: vec![(Suite::Ed25519, sign(&statement).to_vec())],
        leaves: leaves.to_vec(),
        observations: Vec::new(),
    };
    attestation
        .update(Suite::Ed25519, indices)
        .context("no such leaves")
}
