//! A network whose group key is one person's Ed25519 key: whoever holds it can say whatever the group could say.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::{Arc, Mutex},
};

use ed25519_dalek::{Signer as _, SigningKey};
use tokio::sync::broadcast;
use touchstone_crypto::IdentityKey;
use touchstone_transport::{
    AttestationSource, FrameKind, FrameLimits, Item, LinkTiming, MemberEndpoint, Mesh, MeshConfig,
    MeshEvents, MeshLimits, ObserverConfig, ObserverLimits, PublicKey, TlsIdentity,
};
use touchstone_types::{
    Attestation, Contribution, Digest, Epoch, EpochRecord, FeedObservation, GroupSignatureEntry,
    Header, Manifest, Member, MemberId, MessageKind, NonceCommitments, Observation, Pin, Report,
    Round, SignedObservation, Status, Suite, SuiteKeys, View, sha256,
};

const MEMBERS: u16 = 4;
const INTERVAL_MS: u64 = 1_000;
/// Rounds that have passed since the first one.
pub(crate) const PASSED: u64 = 20;

/// What a node hands to observers: here, whatever the test wants it to.
#[derive(Debug)]
pub(crate) struct Shelf {
    items: Mutex<BTreeMap<Round, Item>>,
    live: broadcast::Sender<Item>,
}

impl Shelf {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            items: Mutex::default(),
            live: broadcast::Sender::new(64),
        })
    }

    /// Hands this out as the attestation of a round.
    pub(crate) fn put(&self, round: Round, bytes: Vec<u8>) {
        let item = Item {
            round,
            bytes: bytes.into(),
        };
        self.items
            .lock()
            .expect("items")
            .insert(round, item.clone());
        let _ = self.live.send(item);
    }
}

impl AttestationSource for Shelf {
    fn range(&self, from: Round, limit: usize) -> Vec<Item> {
        let items = self.items.lock().expect("items");
        items
            .range(from..)
            .take(limit)
            .map(|(_, item)| item.clone())
            .collect()
    }

    fn subscribe(&self) -> broadcast::Receiver<Item> {
        self.live.subscribe()
    }
}

/// One member: its place on the network, without a mind of its own.
pub(crate) struct Node {
    pub(crate) shelf: Arc<Shelf>,
    pub(crate) address: SocketAddr,
    _mesh: Mesh,
    _events: MeshEvents,
}

/// The network.
pub(crate) struct Fabricated {
    pub(crate) group: SigningKey,
    identities: Vec<IdentityKey>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) pin: Pin,
}

impl Fabricated {
    /// Four members that listen on loopback.
    pub(crate) fn new() -> Self {
        let group = SigningKey::from_bytes(&[0x51; 32]);
        let seeds = (0..MEMBERS).map(|m| [0x70 + u8::try_from(m).expect("small"); 32]);
        let identities: Vec<IdentityKey> = seeds
            .map(|seed| IdentityKey::from_secret_bytes(&seed).expect("a seed"))
            .collect();
        let nodes: Vec<Node> = (0..MEMBERS).map(|me| node(me, &identities)).collect();
        let manifest = manifest(&identities, &nodes);
        let record = record(&manifest, &identities, &group);
        let pin = Pin {
            genesis_manifest: manifest,
            genesis_record: record,
            later: Vec::new(),
        };
        pin.validate().expect("a valid pin");
        Self {
            group,
            identities,
            nodes,
            pin,
        }
    }

    /// The pin as a file.
    pub(crate) fn write_pin(&self, path: &Path) {
        std::fs::write(path, serde_json::to_vec(&self.pin).expect("JSON")).expect("written");
    }

    /// The round after so many others, as an honest committee would have it, signed by `key`.
    pub(crate) fn attestation(&self, after: u64, cents: i128, key: &SigningKey) -> Attestation {
        let manifest = &self.pin.genesis_manifest;
        let terms = manifest.terms(self.pin.network_id()).expect("terms");
        let round = manifest.first_round.saturating_add(after);
        let timestamp_ms = manifest.clock().start_ms(round) + 20;
        let mut decoded = Vec::new();
        let mut signed = Vec::new();
        for (member, identity) in (0u16..).zip(&self.identities) {
            let observation = observation(
                manifest.feeds.len(),
                timestamp_ms,
                cents + i128::from(member),
            );
            let body = observation.to_bytes();
            let header = Header {
                tag: Header::tag(terms.network, terms.epoch),
                kind: MessageKind::Obs,
                round,
                view: View(0),
                instance: 0,
                member: MemberId(member),
                body_hash: sha256(&[&body]),
            };
            let signature = identity.sign_header(&header);
            signed.push(SignedObservation {
                header,
                signature,
                body,
            });
            decoded.push(observation);
        }
        let contributions: Vec<Contribution<'_>> = signed
            .iter()
            .zip(&decoded)
            .map(|(s, observation)| Contribution {
                header: &s.header,
                body: &s.body,
                observation,
            })
            .collect();
        let report = Report::compute(&terms, round, &contributions).expect("a report");
        let signature = key.sign(&report.statement.digest().0).to_bytes().to_vec();
        Attestation {
            statement: report.statement,
            signatures: vec![(Suite::Ed25519, signature)],
            leaves: report.leaves,
            observations: signed,
        }
    }

    /// The number of the round after so many others.
    pub(crate) fn round(&self, after: u64) -> Round {
        self.pin.genesis_manifest.first_round.saturating_add(after)
    }
}

fn node(me: u16, identities: &[IdentityKey]) -> Node {
    let shelf = Shelf::new();
    let members = (0u16..).zip(identities).map(|(id, key)| MemberEndpoint {
        id: MemberId(id),
        key: PublicKey(*key.public().as_bytes()),
        // They have nothing to say to each other.
        address: (Ipv4Addr::LOCALHOST, 9).into(),
    });
    let pkcs8 = identities[usize::from(me)].tls_pkcs8();
    let (mesh, events) = Mesh::bind(MeshConfig {
        me: MemberId(me),
        identity: Arc::new(TlsIdentity::from_pkcs8(&pkcs8).expect("identity")),
        members: members.collect(),
        listen: (Ipv4Addr::LOCALHOST, 0).into(),
        frames: FrameLimits::new([(FrameKind(1), 1_024)]).expect("limits"),
        limits: MeshLimits::default(),
        timing: LinkTiming::default(),
        observers: Some(ObserverConfig {
            source: shelf.clone(),
            evidence: None,
            limits: ObserverLimits::default(),
        }),
    })
    .expect("a mesh");
    Node {
        shelf,
        address: mesh.local_addr().expect("address"),
        _mesh: mesh,
        _events: events,
    }
}

fn manifest(identities: &[IdentityKey], nodes: &[Node]) -> Manifest {
    let members = (0u16..)
        .zip(identities.iter().zip(nodes))
        .map(|(id, (key, node))| Member {
            id: MemberId(id),
            identity: key.public().to_digest(),
            address: node.address.to_string(),
        });
    let first = touchstone_client::http::now_ms() / INTERVAL_MS - PASSED;
    let manifest = Manifest {
        network: "fabricated".into(),
        epoch: Epoch(0),
        previous: None,
        interval_ms: INTERVAL_MS,
        first_round: Round(first),
        first_round_at_ms: first * INTERVAL_MS,
        f: 1,
        suites: vec![Suite::Ed25519],
        members: members.collect(),
        feeds: touchstone_feeds::default_feeds(),
    };
    manifest.validate().expect("a valid manifest");
    manifest
}

fn record(manifest: &Manifest, identities: &[IdentityKey], group: &SigningKey) -> EpochRecord {
    let key = group.verifying_key().to_bytes();
    let mut record = EpochRecord {
        epoch: manifest.epoch,
        manifest_hash: manifest.hash(),
        keys: vec![SuiteKeys {
            suite: Suite::Ed25519,
            group_key: key.to_vec(),
            verifying_shares: vec![key.to_vec(); identities.len()],
        }],
        coin_key: Digest([1; 32]),
        coin_shares: vec![Digest([1; 32]); identities.len()],
        transcript: Digest([2; 32]),
        member_signatures: Vec::new(),
        group_signatures: Vec::new(),
    };
    record.member_signatures = identities
        .iter()
        .map(|i| i.sign_epoch_record(&record))
        .collect();
    record.group_signatures = vec![GroupSignatureEntry {
        suite: Suite::Ed25519,
        signature: group.sign(&record.digest().0).to_bytes().to_vec(),
    }];
    record
}

fn observation(feeds: usize, timestamp_ms: u64, cents: i128) -> Observation {
    Observation {
        timestamp_ms,
        feeds: (0..u16::try_from(feeds).expect("few"))
            .map(|feed_index| FeedObservation {
                feed_index,
                status: Status::OK,
                mantissa: cents * 1_000_000,
                trade_time_ms: timestamp_ms - 300,
            })
            .collect(),
        nonces: vec![NonceCommitments {
            suite: Suite::Ed25519,
            bytes: vec![7; 64],
        }],
    }
}
