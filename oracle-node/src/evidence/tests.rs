use std::{fs, path::PathBuf};

use tempfile::TempDir;
use touchstone_crypto::IdentityKey;
use touchstone_transport::EVIDENCE_RECORDS_MAX;
use touchstone_types::{
    Epoch, EpochRecord, FeedName, FeedSpec, Header, Manifest, Market, Member, MemberId,
    MemberSignature, MessageKind, NetworkId, Round, SessionShare, SessionSigner, SignedHeader,
    SigningSession, Statement, Suite, SuiteKeys, View, sha256,
};

use super::*;

struct World {
    identities: Vec<IdentityKey>,
    pin: Pin,
    dir: TempDir,
}

impl World {
    fn new() -> Self {
        let key = |seed: u8| IdentityKey::from_seed([seed; 32].into());
        let identities: Vec<_> = (1..=4).map(key).collect();
        let manifest = manifest(&identities);
        // All shares of a constant polynomial are its value.
        let group = identities[0].public().as_bytes().to_vec();
        let record = EpochRecord {
            epoch: Epoch(0),
            manifest_hash: manifest.hash(),
            keys: vec![SuiteKeys {
                suite: Suite::Ed25519,
                group_key: group.clone(),
                verifying_shares: vec![group; 4],
            }],
            coin_key: Digest([1; 32]),
            coin_shares: vec![Digest([1; 32]); 4],
            transcript: Digest([2; 32]),
            member_signatures: Vec::new(),
            group_signatures: Vec::new(),
        };
        Self {
            identities,
            pin: Pin {
                genesis_manifest: manifest,
                genesis_record: record,
                later: Vec::new(),
            },
            dir: tempfile::tempdir().expect("dir"),
        }
    }

    fn folder(&self) -> PathBuf {
        self.dir.path().join("evidence")
    }

    fn open(&self) -> EvidenceStore {
        EvidenceStore::open(&self.folder(), &self.pin).expect("a store")
    }

    fn network(&self) -> NetworkId {
        self.pin.network_id()
    }

    fn signed(&self, member: u16, kind: MessageKind, round: u64, body: &[u8]) -> SignedHeader {
        let header = Header {
            tag: Header::tag(self.network(), Epoch(0)),
            kind,
            round: Round(round),
            view: View(0),
            instance: 0,
            member: MemberId(member),
            body_hash: sha256(&[body]),
        };
        let key = &self.identities[usize::from(member)];
        SignedHeader {
            header,
            signature: key.sign_header(&header),
        }
    }

    fn contradiction(&self, member: u16, round: u64, second: &[u8]) -> Evidence {
        Evidence::Contradiction {
            first: self.signed(member, MessageKind::Obs, round, b"one"),
            second: self.signed(member, MessageKind::Obs, round, second),
        }
    }

    fn bad_share(&self, member: u16, round: u64) -> Evidence {
        let signer = |member| SessionSigner {
            member: MemberId(member),
            nonces: vec![touchstone_types::NonceCommitments {
                suite: Suite::Ed25519,
                bytes: [1, 2]
                    .map(|i| *self.identities[i].public().as_bytes())
                    .concat(),
            }],
        };
        let session = SigningSession {
            statement: Statement {
                network: self.network(),
                epoch: Epoch(0),
                round: Round(round),
                timestamp_ms: 1,
                feed_count: 1,
                feeds_root: Digest([1; 32]),
                observations_root: Digest([1; 32]),
            },
            signers: (0..3).map(signer).collect(),
        };
        let share = SessionShare {
            session: session.digest(),
            shares: vec![(Suite::Ed25519, vec![1; 32])],
        };
        let mut body = Vec::new();
        SessionShare::write_option(Some(&share), &mut body);
        Evidence::BadShare {
            share: self.signed(member, MessageKind::Share, round, &body),
            body,
            session,
        }
    }
}

fn manifest(identities: &[IdentityKey]) -> Manifest {
    let name: FeedName = "BTC-USD".parse().expect("a name");
    let member = |(id, key): (u16, &IdentityKey)| Member {
        id: MemberId(id),
        identity: key.public().to_digest(),
        address: "127.0.0.1:1".to_owned(),
    };
    Manifest {
        network: "evidence".to_owned(),
        epoch: Epoch(0),
        previous: None,
        interval_ms: 1_000,
        first_round: Round(1),
        first_round_at_ms: 0,
        f: 1,
        suites: vec![Suite::Ed25519],
        members: (0..).zip(identities).map(member).collect(),
        feeds: vec![FeedSpec {
            name,
            exponent: -8,
            sources: vec![Market {
                source: "kraken".to_owned(),
                pair: name,
            }],
            min_sources: 1,
            max_quote_age_ms: 60_000,
            outlier_mads_milli: 5_000,
            outlier_floor_ppm: 1_000,
        }],
    }
}

fn ids(store: &EvidenceStore) -> Vec<Digest> {
    let items = store.page(0, usize::MAX);
    let read = |item: &Item| Evidence::from_bytes(&item.bytes).expect("evidence");
    items.iter().map(|item| read(item).id()).collect()
}

#[test]
fn what_is_kept_is_there_after_a_restart_as_files_of_plain_evidence() {
    let world = World::new();
    let store = world.open();
    assert!(!world.folder().exists(), "no folder without evidence");
    let (first, second) = (world.contradiction(3, 7, b"two"), world.bad_share(2, 8));
    store.add(first.clone());
    store.add(first.clone());
    store.add(second.clone());
    store.close();
    assert_eq!(ids(&store), [first.id(), second.id()]);
    let file = world.folder().join(format!("{}.evidence", first.id()));
    assert_eq!(fs::read(file).expect("a file"), first.to_bytes());
    // What a crash or somebody else left in the folder is in nobody's way.
    fs::write(world.folder().join("half.evidence.new"), b"x").expect("written");
    fs::write(world.folder().join("other.evidence"), b"x").expect("written");
    let store = world.open();
    assert_eq!(store.len(), 2);
    store.add(first.clone());
    store.close();
    assert_eq!(store.len(), 2, "the slot has a record");
    let view = store.view(0, 1);
    assert_eq!(view["next"], 1);
    let rest = store.view(1, 5);
    assert_eq!(rest["next"], Value::Null);
    let (one, other) = (&view["items"][0], &rest["items"][0]);
    let of = |kind: &str| if one["kind"] == kind { one } else { other };
    let shown = of("contradiction");
    assert_eq!(shown["id"], first.id().to_string());
    assert_eq!(shown["member"], 3);
    assert_eq!(shown["round"], 7);
    assert_eq!(shown["evidence"], BASE64.encode(first.to_bytes()));
    assert!(shown["received_at_ms"].as_u64() > Some(1_600_000_000_000));
    let offence = of("bad_share")["offence"].as_str().expect("text");
    assert!(offence.contains("ed25519 share is wrong"), "{offence}");
}

#[test]
fn a_member_fills_its_own_room_only_and_the_first_records_stay() {
    let world = World::new();
    let store = world.open();
    for round in 0..1_000 {
        store.add(world.contradiction(2, round, b"two"));
        // Another contradiction in the same slot says nothing new.
        store.add(world.contradiction(2, round, b"three"));
    }
    for round in 0..20 {
        store.add(world.bad_share(2, round));
    }
    store.add(world.contradiction(1, 5, b"two"));
    store.close();
    assert_eq!(store.len(), 2 * EVIDENCE_RECORDS_MAX + 1);
    let rounds: Vec<u64> = store
        .page(0, EVIDENCE_RECORDS_MAX)
        .iter()
        .map(|i| i.round.0)
        .collect();
    assert_eq!(rounds, Vec::from_iter(0..16));
    assert_eq!(
        fs::read_dir(world.folder()).expect("a folder").count(),
        store.len()
    );
    // Over restarts, too.
    let store = world.open();
    store.add(world.contradiction(2, 5_000, b"two"));
    store.close();
    assert_eq!(store.len(), 2 * EVIDENCE_RECORDS_MAX + 1);
}

#[test]
fn what_proves_nothing_is_not_kept_and_takes_no_room() {
    let world = World::new();
    let store = world.open();
    for round in 0..100 {
        let Evidence::Contradiction { first, mut second } = world.contradiction(3, round, b"two")
        else {
            panic!()
        };
        second.signature = MemberSignature([7; 64]);
        store.add(Evidence::Contradiction { first, second });
    }
    let good = world.contradiction(3, 5, b"two");
    // Sent after the others, so that it is looked at when they have been refused.
    store.add(world.contradiction(2, 1, b"two"));
    while store.len() == 0 {
        thread::yield_now();
    }
    store.add(good.clone());
    store.close();
    let kept = ids(&store);
    assert_eq!(kept.len(), 2);
    assert!(kept.contains(&good.id()));
}

#[tokio::test]
async fn whoever_listens_is_told_once_a_record_can_be_read() {
    let world = World::new();
    let store = world.open();
    let mut count = store.count();
    store.add(world.contradiction(3, 7, b"two"));
    count.changed().await.expect("the store is there");
    assert_eq!(*count.borrow_and_update(), 1);
    assert_eq!(store.page(0, 5).len(), 1);
    assert_eq!(store.page(1, 5), []);
    store.close();
}
