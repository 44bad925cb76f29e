//! Four nodes with real keys over real QUIC in one process; only the prices are made up.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs,
    net::{SocketAddr, UdpSocket},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde_json::{Value, json};
use tempfile::TempDir;
use touchstone_consensus::{Content, Signed};
use touchstone_crypto::{
    GroupKey, IdentityKey, KeyKind, Offence, Password, SealedFile, verify_evidence,
};
use touchstone_feeds::{Priced, SourceHealth};
use touchstone_oracle_node::{Config, Network, Node, NodeKeys, NodeSetup, Prices, cli_main};
use touchstone_transport::{
    FrameKind, FrameLimits, LinkTiming, MemberEndpoint, Mesh, MeshConfig, MeshEvent, MeshEvents,
    MeshLimits, ObserverClient, ObserverClientConfig, ObserverEvent, Outgoing, PublicKey,
    TlsIdentity,
};
use touchstone_types::{
    Attestation, Decimal, Epoch, Evidence, FeedObservation, Header, MemberId, MessageKind,
    NonceCommitments, Observation, Round, Status, Suite, View, sha256,
};

const INTERVAL_MS: u64 = 250;
const PATIENCE: Duration = Duration::from_secs(60);

fn unix_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970");
    u64::try_from(since.as_millis()).expect("small")
}

/// One feed, whose price is 100 and a little for each member.
struct MadeUp(i128);

impl Prices for MadeUp {
    fn price(&self, now_ms: u64) -> Vec<Priced> {
        let price = Decimal {
            mantissa: 10_000_000_000 + self.0,
            exponent: -8,
        };
        vec![Priced {
            feed: "BTC-USD".parse().expect("name"),
            feed_index: 0,
            price: Some(price),
            status: Status::OK,
            trade_time_ms: Some(now_ms),
            why_none: None,
            min_sources: 1,
            gate: None,
            used: Vec::new(),
            dropped: Vec::new(),
            observation: Some(FeedObservation {
                feed_index: 0,
                status: Status::OK,
                mantissa: price.mantissa,
                trade_time_ms: now_ms,
            }),
        }]
    }

    fn health(&self, _: u64) -> Vec<SourceHealth> {
        Vec::new()
    }
}

fn cli(args: &[&str]) -> bool {
    let args = ["oracle-node"].iter().chain(args).map(OsString::from);
    format!("{:?}", cli_main(args.collect())) == format!("{:?}", ExitCode::SUCCESS)
}

/// The files of a committee, made by the commands that an operator uses.
struct World {
    dir: TempDir,
    addresses: Vec<SocketAddr>,
}

impl World {
    fn make() -> Self {
        let dir = tempfile::tempdir().expect("dir");
        // Held together until all are known, so that they differ.
        let udp: Vec<_> = (0..4)
            .map(|_| UdpSocket::bind("127.0.0.1:0").expect("port"))
            .collect();
        let addresses: Vec<_> = udp
            .iter()
            .map(|s| s.local_addr().expect("address"))
            .collect();
        drop(udp);
        let world = Self { dir, addresses };
        for i in 0..4 {
            let (folder, address) = (world.folder(i), world.addresses[i].to_string());
            let folder = folder.to_str().expect("UTF-8");
            assert!(cli(&[
                "init",
                "--dir",
                folder,
                "--listen",
                &address,
                "--http",
                "127.0.0.1:0",
                "--insecure-no-password"
            ]));
        }
        fs::write(world.manifest(), world.genesis().to_string()).expect("manifest");
        world.generate_keys();
        world
    }

    fn folder(&self, i: usize) -> PathBuf {
        self.dir.path().join(format!("node{i}"))
    }

    fn manifest(&self) -> PathBuf {
        self.dir.path().join("genesis.json")
    }

    fn genesis(&self) -> Value {
        let member = |i: usize| json!({ "id": i, "identity": self.identity(i).public().to_digest(), "address": self.addresses[i].to_string() });
        json!({
            "network": "test", "epoch": 0, "previous": null, "interval_ms": INTERVAL_MS, "first_round": 1,
            "first_round_at_ms": unix_ms(), "f": 1, "suites": ["ed25519"],
            "members": (0..4).map(member).collect::<Vec<_>>(),
            "feeds": [{
                "name": "BTC-USD", "exponent": -8, "sources": [{ "source": "kraken", "pair": "BTC-USD" }], "min_sources": 1,
                "max_quote_age_ms": 60_000, "outlier_mads_milli": 5_000, "outlier_floor_ppm": 5_000,
            }],
        })
    }

    fn generate_keys(&self) {
        let manifest = self.manifest();
        std::thread::scope(|scope| {
            for i in 0..4 {
                let config = self.folder(i).join("node.toml");
                let manifest = &manifest;
                scope.spawn(move || {
                    let (config, manifest) = (
                        config.to_str().expect("UTF-8"),
                        manifest.to_str().expect("UTF-8"),
                    );
                    assert!(cli(&["dkg", "--config", config, "--manifest", manifest]));
                });
            }
        });
    }

    fn identity(&self, i: usize) -> IdentityKey {
        let bytes = fs::read(self.folder(i).join("identity.key")).expect("file");
        let secret = SealedFile::parse(&bytes)
            .expect("sealed")
            .open(KeyKind::Identity, Password::InsecureNone);
        IdentityKey::from_secret_bytes(&secret.expect("open")).expect("key")
    }

    fn network(&self) -> Network {
        Network::load(&self.folder(0).join("network.json")).expect("network")
    }

    /// The socket of a node that was stopped closes a moment later.
    async fn port_is_free(&self, i: usize) {
        until("the port is free again", || {
            UdpSocket::bind(self.addresses[i]).is_ok()
        })
        .await;
    }

    async fn start(&self, i: usize) -> Node {
        self.port_is_free(i).await;
        let mut config = Config::load(&self.folder(i).join("node.toml")).expect("config");
        config.consensus.fence_rounds = Some(8);
        let network = Network::load(&config.paths.network).expect("network");
        let keys = NodeKeys::open(&config, &network).expect("keys");
        let prices = Arc::new(MadeUp(i128::try_from(i).expect("small")));
        Node::start(NodeSetup {
            config,
            network,
            keys,
            prices,
        })
        .await
        .expect("node")
    }

    async fn start_all(&self) -> Vec<Node> {
        let mut nodes = Vec::new();
        for i in 0..4 {
            nodes.push(self.start(i).await);
        }
        nodes
    }

    /// A bare end of member links with any identity, in the place of member 3.
    fn intruder(&self, identity: &IdentityKey) -> (Mesh, MeshEvents) {
        let identity = TlsIdentity::from_pkcs8(&identity.tls_pkcs8()).expect("identity");
        let member = |i: usize| MemberEndpoint {
            id: MemberId(u16::try_from(i).expect("small")),
            key: if i == 3 {
                identity.public()
            } else {
                PublicKey(*self.identity(i).public().as_bytes())
            },
            address: self.addresses[i],
        };
        let members = (0..4).map(member).collect();
        Mesh::bind(MeshConfig {
            me: MemberId(3),
            members,
            listen: self.addresses[3],
            frames: FrameLimits::new((0..=255).map(|kind| (FrameKind(kind), 1 << 20)))
                .expect("limits"),
            limits: MeshLimits::default(),
            timing: LinkTiming::default(),
            observers: None,
            identity: Arc::new(identity),
        })
        .expect("mesh")
    }
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "waited too long: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn newest(node: &Node) -> u64 {
    node.newest().map_or(0, |round| round.0)
}

async fn attests(node: &Node, rounds: u64) {
    let goal = newest(node).max(1) + rounds;
    until("further rounds are attested", || newest(node) >= goal).await;
}

fn stored(node: &Node) -> Vec<Attestation> {
    let items = node.attestations().range(Round(0), 100_000);
    items
        .iter()
        .map(|i| Attestation::from_bytes(&i.bytes).expect("attestation"))
        .collect()
}

/// Members whose observations stand in the attestations of these rounds.
fn contributors(node: &Node, rounds: impl Fn(u64) -> bool) -> BTreeSet<u16> {
    let stored = stored(node);
    let of_rounds = stored.iter().filter(|a| rounds(a.statement.round.0));
    of_rounds
        .flat_map(|a| &a.observations)
        .map(|o| o.header.member.0)
        .collect()
}

fn stored_fence(world: &World, i: usize) -> u64 {
    let text = fs::read(world.folder(i).join("fence.json")).expect("fence");
    let fence: Value = serde_json::from_slice(&text).expect("JSON");
    fence["round"].as_u64().expect("round")
}

fn count(node: &Node, metric: &str) -> u64 {
    let text = node.metrics();
    let lines = text.lines().filter(|l| l.starts_with(metric));
    lines
        .filter_map(|l| l.rsplit(' ').next()?.parse::<u64>().ok())
        .sum()
}

async fn stop_all(nodes: Vec<Node>) {
    for node in nodes {
        node.shutdown().await.expect("clean");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_attests_survives_a_death_and_resumes() {
    let world = tokio::task::block_in_place(World::make);
    let mut nodes = world.start_all().await;
    attests(&nodes[0], 8).await;

    // Every attestation verifies under the pinned key, and the price lies among the members' prices.
    let network = world.network();
    let key = GroupKey::new(
        Suite::Ed25519,
        network.pin().group_key(Suite::Ed25519).expect("key"),
    )
    .expect("key");
    for attestation in stored(&nodes[0]) {
        let signature = attestation.signature(Suite::Ed25519).expect("signature");
        key.verify_statement(&attestation.statement, signature)
            .expect("the group's");
        let leaf = attestation.leaves[0];
        assert!(
            (10_000_000_000..10_000_000_004).contains(&leaf.price),
            "{leaf:?}"
        );
    }
    until("all contribute", || {
        contributors(&nodes[0], |_| true).len() == 4
    })
    .await;

    // One dies; the others go on without it.
    let dead = nodes.pop().expect("node 3");
    dead.shutdown().await.expect("clean");
    // The last round in which it can have observed anything, however late the others are with it.
    let last = network
        .manifest()
        .clock()
        .round_at(unix_ms())
        .expect("after the first round")
        .0;
    until("rounds without it are attested", || {
        newest(&nodes[0]) > last + 8
    })
    .await;
    assert!(!contributors(&nodes[0], |r| r > last).contains(&3));

    // It comes back, says nothing in the rounds that it may have joined, and then takes part again.
    let fence = stored_fence(&world, 3);
    let back = world.start(3).await;
    let at = newest(&nodes[0]);
    until("member 3 contributes again", || {
        contributors(&nodes[0], |r| r > at).contains(&3)
    })
    .await;
    assert!(
        !contributors(&nodes[0], |r| r > last && r <= fence).contains(&3),
        "silent up to {fence}"
    );
    until("it follows", || newest(&back) > at).await;
    nodes.push(back);
    stop_all(nodes).await;

    // Everything starts again; observers get what was attested before.
    let nodes = world.start_all().await;
    attests(&nodes[1], 3).await;
    assert_eq!(
        stored(&nodes[1])
            .first()
            .map(|a| a.statement.round.0 <= last),
        Some(true)
    );
    let observer = ObserverClient::connect(ObserverClientConfig::new(
        world.addresses[1],
        PublicKey(*world.identity(1).public().as_bytes()),
        Arc::new(TlsIdentity::ephemeral().expect("identity")),
        Round(0),
    ));
    let (_client, mut events) = observer.expect("observer");
    let mut rounds = BTreeSet::new();
    while rounds.iter().filter(|r| **r > fence + 4).count() < 3 {
        let event = tokio::time::timeout(PATIENCE, events.recv())
            .await
            .expect("in time")
            .expect("stream");
        if let ObserverEvent::Item(item) = event {
            Attestation::from_bytes(&item.bytes).expect("attestation");
            rounds.insert(item.round.0);
        }
    }
    assert!(
        rounds.first().is_some_and(|first| *first <= last),
        "from before the restart"
    );
    stop_all(nodes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_and_garbage_are_refused_while_the_others_go_on() {
    let world = tokio::task::block_in_place(World::make);
    let mut nodes = world.start_all().await;
    attests(&nodes[0], 3).await;
    nodes
        .pop()
        .expect("node 3")
        .shutdown()
        .await
        .expect("clean");

    // A fifth identity in the place of member 3: no link comes to stand.
    world.port_is_free(3).await;
    let (stranger, mut events) = world.intruder(&IdentityKey::generate(&mut rand_core::OsRng));
    until("the stranger was turned away", || {
        while let Some(event) = events.try_recv() {
            assert!(!matches!(event, MeshEvent::PeerUp { .. }), "{event:?}");
        }
        nodes
            .iter()
            .all(|node| count(node, "touchstone_unknown_identities_total") > 0)
    })
    .await;
    attests(&nodes[0], 3).await;
    stranger.shutdown().await;
    drop((stranger, events));
    world.port_is_free(3).await;

    // Member 3's own identity sends garbage of every kind, and an observation in another member's name.
    let (traitor, _events) = world.intruder(&world.identity(3));
    for round in 0..200u8 {
        for kind in [
            1u8, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 128, 129, 130, 131,
        ] {
            let mut bytes = vec![round; 60];
            bytes[0] = kind;
            traitor
                .broadcast(&Outgoing::once(FrameKind(kind), bytes))
                .expect("sent");
        }
    }
    until("the garbage was counted", || {
        nodes.iter().all(|node| {
            count(
                node,
                "touchstone_bad_messages_total{peer=\"3\",reason=\"malformed\"}",
            ) > 1_000
        })
    })
    .await;
    attests(&nodes[0], 3).await;

    // An observation with a signature that is none, and a certificate that nobody signed.
    let mut forged = stored(&nodes[0]).pop().expect("attestation");
    forged.statement.timestamp_ms += 1;
    let mut certificate = vec![131];
    certificate.extend_from_slice(&forged.statement.round.0.to_be_bytes());
    forged.observations.clear();
    certificate.extend_from_slice(&forged.to_bytes());
    traitor
        .broadcast(&Outgoing::once(FrameKind(131), certificate))
        .expect("sent");
    until("the forgery was counted", || {
        nodes.iter().all(|node| {
            count(
                node,
                "touchstone_bad_messages_total{peer=\"3\",reason=\"attestation\"}",
            ) == 1
        })
    })
    .await;

    // An oversized frame ends the link.
    traitor
        .broadcast(&Outgoing::once(FrameKind(6), vec![6; 100_000]))
        .expect("sent");
    until("the violation was counted", || {
        nodes.iter().all(|node| {
            count(
                node,
                "touchstone_bad_messages_total{peer=\"3\",reason=\"link\"}",
            ) > 0
        })
    })
    .await;
    attests(&nodes[0], 4).await;
    traitor.shutdown().await;
    stop_all(nodes).await;
}

/// An observation of member 3 in a round, at a price, as it travels.
fn observation(world: &World, network: &Network, round: Round, mantissa: i128) -> Vec<u8> {
    let identity = world.identity(3);
    let now_ms = unix_ms();
    let point = *identity.public().as_bytes();
    let observation = Observation {
        timestamp_ms: now_ms,
        feeds: vec![FeedObservation {
            feed_index: 0,
            status: Status::OK,
            mantissa,
            trade_time_ms: now_ms,
        }],
        nonces: vec![NonceCommitments {
            suite: Suite::Ed25519,
            bytes: [point, point].concat(),
        }],
    };
    let body = observation.to_bytes();
    let header = Header {
        tag: Header::tag(network.id(), Epoch(0)),
        kind: MessageKind::Obs,
        round,
        view: View(0),
        instance: 0,
        member: MemberId(3),
        body_hash: sha256(&[&body]),
    };
    let signed = Signed {
        header,
        signature: identity.sign_header(&header),
        content: Content::Obs {
            body: body.into(),
            observation: Arc::new(observation),
        },
    };
    signed.to_bytes()
}

/// The first evidence on a node's local port.
async fn first_evidence(node: &Node) -> Option<Value> {
    let (status, text) = get(node.http_address(), "/evidence").await;
    assert_eq!(status, 200, "{text}");
    let page: Value = serde_json::from_str(&text).expect("JSON");
    page["items"].as_array().expect("a list").first().cloned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_contradicts_itself_is_proved_guilty_to_everybody_for_good() {
    let world = tokio::task::block_in_place(World::make);
    let mut nodes = Vec::new();
    for i in 0..3 {
        nodes.push(world.start(i).await);
    }
    attests(&nodes[0], 3).await;
    let network = world.network();
    let (traitor, _events) = world.intruder(&world.identity(3));
    let start = Instant::now();
    let shown = loop {
        let clock = network.manifest().clock();
        let round = clock.round_at(unix_ms()).expect("started");
        for mantissa in [10_000_000_000, 10_000_000_001] {
            let bytes = observation(&world, &network, round, mantissa);
            let frame = Outgoing::once(FrameKind(MessageKind::Obs.byte()), bytes);
            traitor.broadcast(&frame).expect("sent");
        }
        if let Some(shown) = first_evidence(&nodes[0]).await {
            break shown;
        }
        assert!(start.elapsed() < PATIENCE, "no evidence");
        tokio::time::sleep(Duration::from_millis(INTERVAL_MS)).await;
    };

    // What the port shows is a proof for whoever has the pin.
    assert_eq!(
        (&shown["member"], &shown["kind"]),
        (&json!(3), &json!("contradiction"))
    );
    let bytes = BASE64
        .decode(shown["evidence"].as_str().expect("text"))
        .expect("base64");
    let evidence = Evidence::from_bytes(&bytes).expect("evidence");
    let guilt = verify_evidence(
        &evidence,
        network.id(),
        network.manifest(),
        network.record(),
    );
    let guilt = guilt.expect("guilty");
    assert_eq!(guilt.member, MemberId(3));
    let Offence::Contradiction { kind, .. } = guilt.offence else {
        panic!("{guilt}")
    };
    assert_eq!(kind, MessageKind::Obs);

    // An observer gets the same bytes, and a restarted node still has them.
    let observer = ObserverClient::connect(ObserverClientConfig {
        evidence: true,
        ..ObserverClientConfig::new(
            world.addresses[0],
            PublicKey(*world.identity(0).public().as_bytes()),
            Arc::new(TlsIdentity::ephemeral().expect("identity")),
            Round(0),
        )
    });
    let (client, mut events) = observer.expect("observer");
    loop {
        let event = tokio::time::timeout(PATIENCE, events.recv()).await;
        if let ObserverEvent::Evidence(item) = event.expect("in time").expect("stream") {
            assert_eq!(item.bytes, bytes);
            break;
        }
    }
    client.shutdown().await;
    attests(&nodes[0], 3).await;
    assert!(count(&nodes[0], "touchstone_evidence_records") >= 1);
    traitor.shutdown().await;
    nodes.remove(0).shutdown().await.expect("clean");
    let again = world.start(0).await;
    let kept = first_evidence(&again).await.expect("evidence");
    assert_eq!(kept["evidence"], shown["evidence"]);
    nodes.push(again);
    stop_all(nodes).await;
}

async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let client = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("client");
    let answer = client
        .get(format!("http://{address}{path}"))
        .send()
        .await
        .expect("answer");
    (answer.status().as_u16(), answer.text().await.expect("text"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_local_port_tells_how_it_goes() {
    let world = tokio::task::block_in_place(World::make);
    let alone = world.start(0).await;
    let (code, text) = get(alone.http_address(), "/readyz").await;
    assert_eq!(code, 503);
    let ready: Value = serde_json::from_str(&text).expect("JSON");
    let codes: Vec<_> = ready["reasons"]
        .as_array()
        .expect("list")
        .iter()
        .map(|r| r["code"].clone())
        .collect();
    assert!(
        codes.contains(&json!("peers")) && codes.contains(&json!("no-attestation")),
        "{text}"
    );
    assert_eq!(get(alone.http_address(), "/healthz").await.0, 200);

    let mut nodes = vec![alone];
    for i in 1..4 {
        nodes.push(world.start(i).await);
    }
    attests(&nodes[0], 3).await;
    assert_eq!(
        get(nodes[0].http_address(), "/readyz").await,
        (200, "{\"ready\":true,\"reasons\":[]}".to_owned())
    );
    let status: Value =
        serde_json::from_str(&get(nodes[0].http_address(), "/status").await.1).expect("JSON");
    assert_eq!(status["member"], json!(0));
    assert_eq!(status["peers"].as_array().map(Vec::len), Some(3));
    assert_eq!(
        status["observation"]["feeds"][0]["price"],
        json!("100.00000000")
    );
    let metrics = get(nodes[0].http_address(), "/metrics").await.1;
    for name in [
        "touchstone_rounds_total{end=\"attested\"}",
        "touchstone_round_latency_seconds_bucket",
        "touchstone_has_usable_share{epoch=\"0\",suite=\"ed25519\"} 1",
        "touchstone_peers_up 3",
        "touchstone_clock_trusted 1",
    ] {
        assert!(metrics.contains(name), "{name}\n{metrics}");
    }

    // A second copy of a running node is refused.
    let mut config = Config::load(&world.folder(0).join("node.toml")).expect("config");
    config.link.listen = "127.0.0.1:0".parse().expect("address");
    let network = world.network();
    let keys = NodeKeys::open(&config, &network).expect("keys");
    let second = Node::start(NodeSetup {
        config,
        network,
        keys,
        prices: Arc::new(MadeUp(0)),
    })
    .await;
    let error = second.err().expect("refused").to_string();
    assert!(error.contains("in use by another running node"), "{error}");
    stop_all(nodes).await;
}

fn listing(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).expect("folder");
    entries
        .map(|e| e.expect("entry").file_name().to_string_lossy().into_owned())
        .collect()
}

#[test]
fn commands_overwrite_nothing_and_name_what_is_wrong() {
    let world = World::make();
    let folder = world.folder(0);
    let before = listing(&folder);
    assert_eq!(before.len(), 4, "{before:?}");
    let (dir, config) = (
        folder.to_str().expect("UTF-8").to_owned(),
        folder.join("node.toml"),
    );
    let config = config.to_str().expect("UTF-8");
    let identity = fs::read(folder.join("identity.key")).expect("key");
    assert!(!cli(&["init", "--dir", &dir, "--insecure-no-password"]));
    assert!(!cli(&[
        "dkg",
        "--config",
        config,
        "--manifest",
        world.manifest().to_str().expect("UTF-8")
    ]));
    assert_eq!(
        fs::read(folder.join("identity.key")).expect("key"),
        identity
    );
    assert_eq!(listing(&folder), before, "nothing new, no draft left");
    assert!(cli(&["check-config", "--config", config]));
    assert!(cli(&["feeds", "list", "--config", config, "--json"]));
    assert!(!cli(&["status", "--config", config]), "nobody is there");
    assert!(!cli(&["no-such-command"]));
    assert!(cli(&["run", "--help"]));

    // A key of another member, and one that others can read.
    fs::copy(world.folder(1).join("share.key"), folder.join("share.key")).expect("copy");
    let config = Config::load(Path::new(config)).expect("config");
    let error = NodeKeys::open(&config, &world.network())
        .err()
        .expect("refused")
        .to_string();
    assert!(error.contains("it holds shares of member 1"), "{error}");
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(folder.join("share.key"), fs::Permissions::from_mode(0o644))
        .expect("chmod");
    let error = NodeKeys::open(&config, &world.network())
        .err()
        .expect("refused")
        .to_string();
    assert!(error.contains("mode 0644"), "{error}");
}
