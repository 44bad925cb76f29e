//! A network made up for the tests: its group key is an ordinary Ed25519 key, which is all that a FROST group key is to
//! a verifier.
#![allow(dead_code, reason = "each test file uses its own part")]

pub(crate) mod evidence;
pub(crate) mod postgres;

use std::{path::PathBuf, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode},
};
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use touchstone_aggregator::{
    api::{Api, Parts, app},
    collect::{Intake, Sources, Tracker, Verdict},
    config::Limits,
    live::Live,
    network::Network,
    store::{DatabaseUrl, Entry, Policy, Store},
    telemetry,
    verify::verify,
    writer::{Health, QUEUE, Writer},
};
use touchstone_crypto::IdentityKey;
use touchstone_types::{
    Attestation, Contribution, Digest, Epoch, EpochRecord, FeedName, FeedObservation, FeedSpec,
    Header, Manifest, Market, Member, MemberId, MemberSignature, MessageKind, NonceCommitments,
    Observation, Pin, Report, Round, SignedObservation, Status, Suite, SuiteKeys, View, sha256,
};
use tower::ServiceExt as _;
use zeroize::Zeroizing;

/// Start of the first round, a noon in UTC.
pub(crate) const START_MS: u64 = 1_790_000_000_000 / 86_400_000 * 86_400_000 + 43_200_000;
/// Number of the first round.
pub(crate) const FIRST: u64 = 1_000;
pub(crate) const INTERVAL_MS: u64 = 1_000;
pub(crate) const FEEDS: [&str; 3] = ["BTC-USD", "ETH-USD", "EUR-USD"];

pub(crate) struct Fabricated {
    pub(crate) group: SigningKey,
    pub(crate) members: Vec<IdentityKey>,
    pub(crate) pin: Pin,
    pub(crate) network: Arc<Network>,
}

pub(crate) fn name(text: &str) -> FeedName {
    FeedName::new(text).expect("a feed name")
}

impl Fabricated {
    pub(crate) fn new() -> Self {
        Self::starting(START_MS, "127.0.0.1:1")
    }

    pub(crate) fn starting(first_round_at_ms: u64, address: &str) -> Self {
        let group = SigningKey::from_bytes(&[42; 32]);
        let members: Vec<_> = (1..=4u8)
            .map(|seed| IdentityKey::from_seed(Zeroizing::new([seed; 32])))
            .collect();
        let manifest = manifest(&members, first_round_at_ms, address);
        let share = group.verifying_key().to_bytes().to_vec();
        let record = EpochRecord {
            epoch: Epoch(0),
            manifest_hash: manifest.hash(),
            keys: vec![SuiteKeys {
                suite: Suite::Ed25519,
                group_key: share.clone(),
                verifying_shares: vec![share; members.len()],
            }],
            coin_key: Digest([1; 32]),
            coin_shares: vec![Digest([1; 32]); members.len()],
            transcript: Digest([2; 32]),
            member_signatures: vec![MemberSignature([0; 64]); members.len()],
            group_signatures: Vec::new(),
        };
        let pin = Pin {
            genesis_manifest: manifest,
            genesis_record: record,
            later: Vec::new(),
        };
        let network = Arc::new(Network::new(pin.clone()).expect("a valid pin"));
        Self {
            group,
            members,
            pin,
            network,
        }
    }

    /// The round after so many others, at a price of BTC-USD in cents.
    pub(crate) fn round(&self, after: u64, cents: i128) -> Attestation {
        self.round_at(FIRST + after, START_MS + after * INTERVAL_MS + 123, cents)
    }

    pub(crate) fn round_at(&self, round: u64, timestamp_ms: u64, cents: i128) -> Attestation {
        let round = Round(round);
        let epoch = Epoch(0);
        let terms = self
            .pin
            .genesis_manifest
            .terms(self.network.id())
            .expect("terms");
        let said: Vec<(Header, Observation, Vec<u8>)> = (0..4u16)
            .map(|member| {
                let observation = observation(timestamp_ms, cents + i128::from(member));
                let body = observation.to_bytes();
                let header = Header {
                    tag: Header::tag(self.network.id(), epoch),
                    kind: MessageKind::Obs,
                    round,
                    view: View(0),
                    instance: 0,
                    member: MemberId(member),
                    body_hash: sha256(&[&body]),
                };
                (header, observation, body)
            })
            .collect();
        let contributions: Vec<_> = said
            .iter()
            .map(|(header, observation, body)| Contribution {
                header,
                body,
                observation,
            })
            .collect();
        let report = Report::compute(&terms, round, &contributions).expect("a report");
        let signature = self.group.sign(&report.statement.digest().0);
        let observations = said
            .iter()
            .zip(&self.members)
            .map(|((header, _, body), key)| SignedObservation {
                header: *header,
                signature: key.sign_header(header),
                body: body.clone(),
            })
            .collect();
        Attestation {
            statement: report.statement,
            signatures: vec![(Suite::Ed25519, signature.to_bytes().to_vec())],
            leaves: report.leaves,
            observations,
        }
    }

    pub(crate) fn entry(&self, attestation: &Attestation) -> Entry {
        Entry {
            attestation: verify(&self.network, &attestation.to_bytes()).expect("believable"),
            source: "test".into(),
            seen_at_ms: START_MS,
        }
    }
}

fn manifest(members: &[IdentityKey], first_round_at_ms: u64, address: &str) -> Manifest {
    let feed = |text: &str| FeedSpec {
        name: name(text),
        exponent: -8,
        sources: vec![Market {
            source: "kraken".to_owned(),
            pair: name(text),
        }],
        min_sources: 1,
        max_quote_age_ms: 60_000,
        outlier_mads_milli: 5_000,
        outlier_floor_ppm: 1_000,
    };
    let member = |(id, key): (u16, &IdentityKey)| Member {
        id: MemberId(id),
        identity: key.public().to_digest(),
        address: address.to_owned(),
    };
    Manifest {
        network: "fabricated".to_owned(),
        epoch: Epoch(0),
        previous: None,
        interval_ms: INTERVAL_MS,
        first_round: Round(FIRST),
        first_round_at_ms,
        f: 1,
        suites: vec![Suite::Ed25519],
        members: (0..).zip(members).map(member).collect(),
        feeds: FEEDS.into_iter().map(feed).collect(),
    }
}

/// BTC-USD at so many cents, ETH-USD at a twentieth of it; EUR-USD is not observed.
fn observation(timestamp_ms: u64, cents: i128) -> Observation {
    let feed = |feed_index, mantissa| FeedObservation {
        feed_index,
        status: Status::OK,
        mantissa,
        trade_time_ms: timestamp_ms - 50,
    };
    Observation {
        timestamp_ms,
        feeds: vec![feed(0, cents * 1_000_000), feed(1, cents * 50_000)],
        nonces: vec![NonceCommitments {
            suite: Suite::Ed25519,
            bytes: vec![9; 64],
        }],
    }
}

pub(crate) const KEEP_ALL: Policy = Policy {
    full_for_ms: u64::MAX,
    keep_every: 1,
    max_bytes: u64::MAX,
};

/// An aggregator without its socket and its sources.
pub(crate) struct Bench {
    pub(crate) fabricated: Fabricated,
    pub(crate) store: Arc<Store>,
    pub(crate) live: Live,
    pub(crate) tracker: Arc<Tracker>,
    pub(crate) sources: Arc<Sources>,
    pub(crate) health: Arc<Health>,
    pub(crate) intake: Option<Intake>,
    pub(crate) writer: JoinHandle<()>,
    pub(crate) app: Router,
    pub(crate) shutdown: CancellationToken,
    pub(crate) folder: TempDir,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        Self::with(Limits::default()).await
    }

    pub(crate) async fn with(limits: Limits) -> Self {
        let fabricated = Fabricated::new();
        let folder = TempDir::new().expect("a folder");
        let url = DatabaseUrl::Sqlite(database(&folder));
        let store = Store::open(&url, 4, fabricated.network.id()).await;
        let store = Arc::new(store.expect("a database"));
        let live = Live::new(None);
        let tracker = Arc::new(Tracker::new(Duration::from_millis(50)));
        let sources = Arc::new(Sources::default());
        let health = Arc::new(Health::default());
        let shutdown = CancellationToken::new();
        let (queue, entries) = mpsc::channel(QUEUE);
        let writer = Writer {
            store: Arc::clone(&store),
            live: live.clone(),
            tracker: Arc::clone(&tracker),
            health: Arc::clone(&health),
            policy: KEEP_ALL,
            retention_interval: Duration::from_secs(3_600),
        };
        let network = Arc::clone(&fabricated.network);
        let intake = Intake::new(Arc::clone(&network), queue, Arc::clone(&sources));
        let app = app(Api::new(Parts {
            network,
            store: Arc::clone(&store),
            live: live.clone(),
            tracker: Arc::clone(&tracker),
            sources: Arc::clone(&sources),
            health: Arc::clone(&health),
            limits,
            metrics: telemetry::start_metrics(),
            shutdown: shutdown.clone(),
        }));
        Self {
            fabricated,
            store,
            live,
            tracker,
            sources,
            health,
            intake: Some(intake),
            writer: tokio::spawn(writer.run(entries)),
            app,
            shutdown,
            folder,
        }
    }

    pub(crate) async fn offer(&self, source: &str, bytes: &[u8]) -> Verdict {
        let intake = self.intake.as_ref().expect("still open");
        intake.offer(&source.into(), bytes).await
    }

    /// Takes in rounds `0..count` and waits until they are stored.
    pub(crate) async fn fill(&self, count: u64) {
        for after in 0..count {
            self.take(&self.fabricated.round(after, 6_700_000 + i128::from(after)))
                .await;
        }
        self.settle(FIRST + count - 1).await;
    }

    pub(crate) async fn take(&self, attestation: &Attestation) {
        let verdict = self.offer("honest", &attestation.to_bytes()).await;
        assert_eq!(verdict, Verdict::Accepted(attestation.round()));
    }

    /// Waits until a round is the newest one.
    pub(crate) async fn settle(&self, round: u64) {
        let mut watch = self.live.watch();
        let newest = watch.wait_for(|r| r.as_ref().is_some_and(|r| r.round().0 >= round));
        tokio::time::timeout(Duration::from_secs(20), newest)
            .await
            .expect("in time")
            .expect("the writer lives");
    }

    /// Ends the intake and waits until everything in the queue is written.
    pub(crate) async fn drain(&mut self) {
        self.intake = None;
        (&mut self.writer).await.expect("the writer does not panic");
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.request(Request::get(path).body(Body::empty()).expect("a request"))
            .await
    }

    pub(crate) async fn request(&self, request: Request<Body>) -> Answer {
        let response = self.app.clone().oneshot(request).await.expect("an answer");
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 1 << 24).await.expect("a body");
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: body.to_vec(),
        }
    }
}

pub(crate) fn database(folder: &TempDir) -> PathBuf {
    folder.path().join("aggregator.db")
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).map(|v| v.to_str().expect("text"));
        value.unwrap_or_default()
    }

    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.status, 200, "{}", String::from_utf8_lossy(&self.body));
        assert_eq!(self.header("content-type"), "application/json");
        serde_json::from_slice(&self.body).expect("JSON")
    }

    /// Checks that it is problem+json with this status and code.
    pub(crate) fn is_problem(&self, status: u16, code: &str) {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status, status, "{text}");
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{text}"
        );
        let problem: Value = serde_json::from_slice(&self.body).expect("JSON");
        assert_eq!(problem["code"], code, "{text}");
        assert_eq!(problem["status"], status, "{text}");
        assert!(
            problem["title"].is_string() && problem["detail"].is_string(),
            "{text}"
        );
    }
}
