//! Meshes on loopback, and a caller that is bound by no rule.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use quinn::Connection;
use rustls::DigitallySignedStruct;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;
use touchstone_transport::{
    Frame, FrameKind, FrameLimits, LinkTiming, MEMBER_ALPN, MemberEndpoint, Mesh, MeshConfig,
    MeshEvent, MeshEvents, MeshLimits, TlsIdentity,
};
use touchstone_types::MemberId;

/// Small messages.
pub(crate) const SMALL: FrameKind = FrameKind(1);
pub(crate) const SMALL_MAX: u32 = 2048;
/// Large messages.
pub(crate) const LARGE: FrameKind = FrameKind(2);
pub(crate) const LARGE_MAX: u32 = 1 << 20;

/// Longer than anything may take here, so that a failure ends.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn loopback() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

/// Waits for the future, but not for ever.
pub(crate) async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(output) => output,
        Err(_) => panic!("{what}: did not happen within {PATIENCE:?}"),
    }
}

/// A 64-bit mixer (splitmix64), so that everything random follows from the printed seed.
pub(crate) fn mix(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A sequence of such numbers.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = mix(self.0);
        self.0 % bound
    }

    pub(crate) fn byte(&mut self) -> u8 {
        u8::try_from(self.below(256)).unwrap()
    }
}

/// Waits until it holds.
pub(crate) async fn until(what: &str, holds: impl Fn() -> bool) {
    soon(what, async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// A private key that a test can use both as an identity and in ways that no identity allows.
pub(crate) struct Key {
    pub(crate) pkcs8: Vec<u8>,
    pub(crate) identity: Arc<TlsIdentity>,
}

impl Key {
    pub(crate) fn generate() -> Self {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let pkcs8 = pair.serialized_der().to_vec();
        let identity = Arc::new(TlsIdentity::from_pkcs8(&pkcs8).unwrap());
        Self { pkcs8, identity }
    }
}

/// The keys of all members.
pub(crate) struct Committee {
    pub(crate) keys: Vec<Key>,
}

impl Committee {
    pub(crate) fn new(n: usize) -> Self {
        init_tls();
        let keys = (0..n).map(|_| Key::generate()).collect();
        Self { keys }
    }

    /// A member's configuration with short times; addresses are told by [`introduce`].
    pub(crate) fn config(&self, me: usize) -> MeshConfig {
        let members = (0u16..).zip(&self.keys).map(|(id, key)| MemberEndpoint {
            id: MemberId(id),
            key: key.identity.public(),
            address: (Ipv4Addr::LOCALHOST, 9).into(),
        });
        MeshConfig {
            me: member(me),
            identity: Arc::clone(&self.keys[me].identity),
            members: members.collect(),
            listen: loopback(),
            frames: FrameLimits::new([(SMALL, SMALL_MAX), (LARGE, LARGE_MAX)]).unwrap(),
            limits: MeshLimits::default(),
            timing: LinkTiming {
                backoff_min: Duration::from_millis(10),
                backoff_max: Duration::from_millis(200),
                ..LinkTiming::default()
            },
            observers: None,
        }
    }

    pub(crate) fn start(&self, me: usize) -> Node {
        Node::start(self.config(me))
    }

    /// All members, connected to each other.
    pub(crate) async fn start_all(&self) -> Vec<Node> {
        let mut nodes: Vec<Node> = (0..self.keys.len()).map(|me| self.start(me)).collect();
        introduce(&nodes);
        for node in &mut nodes {
            node.all_up(self.keys.len() - 1).await;
        }
        nodes
    }
}

pub(crate) fn member(index: usize) -> MemberId {
    MemberId(u16::try_from(index).unwrap())
}

/// A running mesh.
pub(crate) struct Node {
    pub(crate) mesh: Mesh,
    pub(crate) events: MeshEvents,
    pub(crate) id: MemberId,
    pub(crate) address: SocketAddr,
}

impl Node {
    pub(crate) fn start(config: MeshConfig) -> Self {
        let id = config.me;
        let (mesh, events) = Mesh::bind(config).unwrap();
        let address = mesh.local_addr().unwrap();
        Self {
            mesh,
            events,
            id,
            address,
        }
    }

    /// Waits until links to this many peers have come up.
    pub(crate) async fn all_up(&mut self, peers: usize) {
        for _ in 0..peers {
            self.expect("a link comes up", |event| {
                matches!(event, MeshEvent::PeerUp { .. }).then_some(())
            })
            .await;
        }
    }

    /// Waits until this many own links stand, whatever events have been taken.
    pub(crate) async fn linked(&self, links: usize) {
        let standing = || {
            let peers = self.mesh.metrics().peers;
            peers.iter().filter(|peer| peer.outbound_up).count()
        };
        until("links stand", || standing() == links).await;
    }

    /// The next event that `pick` takes; others are passed over.
    pub(crate) async fn expect<T>(
        &mut self,
        what: &str,
        pick: impl Fn(MeshEvent) -> Option<T>,
    ) -> T {
        soon(what, async {
            loop {
                let event = self.events.recv().await.expect("the mesh runs");
                if let Some(picked) = pick(event) {
                    return picked;
                }
            }
        })
        .await
    }

    pub(crate) async fn frame(&mut self) -> Frame {
        self.expect("a frame comes in", |event| match event {
            MeshEvent::Frame(frame) => Some(frame),
            _ => None,
        })
        .await
    }

    /// Whatever frames come within this time.
    pub(crate) async fn frames_within(&mut self, time: Duration) -> Vec<Frame> {
        let mut frames = Vec::new();
        let _ = tokio::time::timeout(time, async {
            while let Some(event) = self.events.recv().await {
                if let MeshEvent::Frame(frame) = event {
                    frames.push(frame);
                }
            }
        })
        .await;
        frames
    }
}

/// Tells every node where the others are.
pub(crate) fn introduce(nodes: &[Node]) {
    for node in nodes {
        for other in nodes.iter().filter(|other| other.id != node.id) {
            node.mesh.set_address(other.id, other.address).unwrap();
        }
    }
}

/// A stretch of network between one caller and one node, which can be cut.
pub(crate) struct Relay {
    /// Where the caller finds the node.
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<RelayState>>,
    task: JoinHandle<()>,
}

struct RelayState {
    node: SocketAddr,
    cut: bool,
}

impl Relay {
    pub(crate) async fn to(node: SocketAddr) -> Self {
        let front = UdpSocket::bind(loopback()).await.unwrap();
        let back = UdpSocket::bind(loopback()).await.unwrap();
        let address = front.local_addr().unwrap();
        let state = Arc::new(Mutex::new(RelayState { node, cut: false }));
        let task = tokio::spawn(relay(front, back, Arc::clone(&state)));
        Self {
            address,
            state,
            task,
        }
    }

    /// From now on nothing passes, in either direction.
    pub(crate) fn cut(&self) {
        self.state.lock().unwrap().cut = true;
    }

    /// From now on everything passes again, and goes to this node.
    pub(crate) fn mend(&self, node: SocketAddr) {
        *self.state.lock().unwrap() = RelayState { node, cut: false };
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn relay(front: UdpSocket, back: UdpSocket, state: Arc<Mutex<RelayState>>) {
    let mut caller = None;
    let (mut there, mut home) = ([0; 65_536], [0; 65_536]);
    loop {
        let (socket, packet, to) = tokio::select! {
            Ok((size, from)) = front.recv_from(&mut there) => {
                caller = Some(from);
                (&back, &there[..size], Some(state.lock().unwrap().node))
            }
            Ok((size, _)) = back.recv_from(&mut home) => (&front, &home[..size], caller),
        };
        let cut = state.lock().unwrap().cut;
        if let Some(to) = to.filter(|_| !cut) {
            let _ = socket.send_to(packet, to).await;
        }
    }
}

/// A QUIC client that checks nothing and shows the given key, or none.
pub(crate) fn raw_endpoint(key: Option<&Key>, alpn: &[u8]) -> quinn::Endpoint {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(TrustAnybody));
    let mut tls = match key {
        None => builder.with_no_client_auth(),
        Some(key) => {
            let der = PrivatePkcs8KeyDer::from(key.pkcs8.clone());
            let pair = rcgen::KeyPair::try_from(&der).unwrap();
            let certificate = rcgen::CertificateParams::default()
                .self_signed(&pair)
                .unwrap();
            let chain = vec![certificate.der().clone()];
            builder
                .with_client_auth_cert(chain, PrivateKeyDer::Pkcs8(der))
                .unwrap()
        }
    };
    tls.alpn_protocols = vec![alpn.to_vec()];
    let tls = quinn::crypto::rustls::QuicClientConfig::try_from(tls).unwrap();
    let mut endpoint = quinn::Endpoint::client(loopback()).unwrap();
    endpoint.set_default_client_config(quinn::ClientConfig::new(Arc::new(tls)));
    endpoint
}

/// Calls a node; the handshake as the client sees it succeeds.
pub(crate) async fn raw_connect(endpoint: &quinn::Endpoint, node: SocketAddr) -> Connection {
    let connecting = endpoint.connect(node, "anything.invalid").unwrap();
    soon("the client's half of the handshake", connecting)
        .await
        .unwrap()
}

/// Calls a node as this member, and greets; the connection is then ready for streams of frames.
pub(crate) async fn raw_member(endpoint: &quinn::Endpoint, node: SocketAddr) -> Connection {
    let connection = raw_connect(endpoint, node).await;
    let answer = soon("a greeting", raw_greet(&connection, &[7; 8])).await;
    assert_eq!(answer.map(|bytes| bytes.len()), Ok(8));
    connection
}

/// Writes these bytes where a greeting belongs, and reads the answer.
pub(crate) async fn raw_greet(
    connection: &Connection,
    bytes: &[u8],
) -> Result<Vec<u8>, quinn::ConnectionError> {
    let (mut send, mut recv) = connection.open_bi().await?;
    // Errors show when the answer is read: before that, a refusal may not have arrived.
    let _ = send.write_all(bytes).await;
    let _ = send.finish();
    match recv.read_to_end(100).await {
        Ok(answer) => Ok(answer),
        Err(_) => Err(connection.closed().await),
    }
}

pub(crate) fn raw_member_endpoint(key: &Key) -> quinn::Endpoint {
    raw_endpoint(Some(key), MEMBER_ALPN)
}

/// The application's close code, if that is how the connection ended.
pub(crate) fn close_code(error: &quinn::ConnectionError) -> Option<u64> {
    match error {
        quinn::ConnectionError::ApplicationClosed(close) => Some(close.error_code.into_inner()),
        _ => None,
    }
}

#[derive(Debug)]
struct TrustAnybody;

impl ServerCertVerifier for TrustAnybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        vec![rustls::SignatureScheme::ED25519]
    }
}

/// Installs the TLS provider once per test process.
fn init_tls() {
    static DONE: OnceLock<()> = OnceLock::new();
    DONE.get_or_init(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}
