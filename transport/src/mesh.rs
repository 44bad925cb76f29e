//! The mesh: one UDP endpoint, a link to every other member, and a link from every other member.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use quinn::VarInt;
use rand_core::{OsRng, RngCore};
use thiserror::Error;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use touchstone_types::{MemberId, Round};

use crate::close::{CloseCode, close};
use crate::config::{ConfigError, LinkTiming, MemberEndpoint, MeshConfig};
use crate::endpoint::transport_config;
use crate::events::{EventQueue, Inbox, MeshEvents};
use crate::frame::{FrameLimits, Outgoing, SendError};
use crate::gate::Gate;
use crate::identity::PublicKey;
use crate::metrics::{EndpointCounters, MeshMetrics, ObserverMetrics, PeerCounters};
use crate::observer::ObserverServer;
use crate::outbox::Outbox;
use crate::tls::{self, AcceptedKeys, MEMBER_ALPN, OBSERVER_ALPN};
use crate::{accept, dial};

/// Why a mesh could not be set up.
#[derive(Debug, Error)]
pub enum BindError {
    /// A value of the configuration is refused.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The keys are not fit for TLS.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// The address cannot be listened on.
    #[error("cannot listen on UDP {address}: {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
}

/// A handle on this member's links to all others; clones share them. When the last handle is dropped, the links close.
///
/// **Links.** Each member dials every other and *sends* on the connection that it dialled; it *reads* on those that it
/// accepted. So there are two connections per pair, each with one owner that re-establishes it, and no tie to break.
///
/// **Streams.** Whenever a link has something to send, all frames that wait (up to 64 KiB, or one larger frame) travel as
/// one burst on a stream of their own. Streams do not wait for each other, so a lost packet delays the frames of one
/// burst only, and a large frame, sent at lower priority, does not hold up small ones. Frames may therefore overtake
/// each other; none is split.
///
/// **Delivery.** A retained frame is sent on the current connection and again on every later one, until its round is
/// released; the receiver must expect repeats. A frame that is not retained is sent at most once.
///
/// **Bounds.** [`Mesh::send`] and [`Mesh::broadcast`] never wait. Each peer has an outbox of its own, so a slow or absent
/// peer holds up nobody; a full outbox drops, oldest first, what is not retained and then what is.
#[derive(Clone)]
pub struct Mesh {
    shared: Arc<Shared>,
    _running: Arc<DropGuard>,
}

/// What the tasks of a mesh share.
pub(crate) struct Shared {
    pub(crate) endpoint: quinn::Endpoint,
    pub(crate) frames: FrameLimits,
    pub(crate) timing: LinkTiming,
    pub(crate) mute: Duration,
    pub(crate) peers: BTreeMap<MemberId, Arc<Peer>>,
    pub(crate) events: EventQueue,
    pub(crate) handshakes: Arc<Gate>,
    pub(crate) observers: Option<Arc<ObserverServer>>,
    pub(crate) counters: EndpointCounters,
    /// A random number of this process's mesh, by which peers notice a restart.
    pub(crate) incarnation: u64,
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: TaskTracker,
}

/// Another member.
pub(crate) struct Peer {
    pub(crate) id: MemberId,
    pub(crate) key: PublicKey,
    pub(crate) outbox: Outbox,
    pub(crate) inbox: Inbox,
    pub(crate) counters: PeerCounters,
    pub(crate) dialling: quinn::ClientConfig,
    /// The incarnation that the peer greeted with last, on whichever connection.
    pub(crate) incarnation: watch::Sender<u64>,
    /// The peer called, or its address changed: a wait or an attempt from before that is not worth going on with.
    pub(crate) called: Notify,
    state: Mutex<PeerState>,
}

struct PeerState {
    address: SocketAddr,
    muted_until: Option<Instant>,
    inbound: Option<quinn::Connection>,
}

impl Peer {
    fn with_state<T>(&self, act: impl FnOnce(&mut PeerState) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.with_state(|state| state.address)
    }

    /// Whether the peer is not listened to at the moment.
    pub(crate) fn is_muted(&self) -> bool {
        let now = Instant::now();
        self.with_state(|state| state.muted_until.is_some_and(|until| now < until))
    }

    pub(crate) fn mute(&self, time: Duration) {
        let until = Instant::now() + time;
        self.with_state(|state| state.muted_until = Some(until));
    }

    /// Makes this the one connection that is read from; an older one is closed.
    pub(crate) fn set_inbound(&self, connection: &quinn::Connection) {
        let older = self.with_state(|state| state.inbound.replace(connection.clone()));
        if let Some(older) = older {
            close(&older, CloseCode::Replaced);
        }
    }

    /// Forgets the connection, unless another has taken its place; true if it was this one.
    pub(crate) fn clear_inbound(&self, connection: &quinn::Connection) -> bool {
        self.with_state(|state| {
            let current = state.inbound.as_ref().map(quinn::Connection::stable_id);
            let is_this = current == Some(connection.stable_id());
            if is_this {
                state.inbound = None;
            }
            is_this
        })
    }
}

impl Shared {
    /// The peer that holds this key.
    pub(crate) fn peer_of(&self, key: &PublicKey) -> Option<&Arc<Peer>> {
        self.peers.values().find(|peer| peer.key == *key)
    }

    /// Whether a member may call from there.
    pub(crate) fn is_peer_address(&self, ip: IpAddr) -> bool {
        self.peers
            .values()
            .any(|peer| peer.address().ip().to_canonical() == ip.to_canonical())
    }
}

impl Mesh {
    /// Listens, and starts to call every other member. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// A refused configuration, or an address that cannot be listened on.
    pub fn bind(config: MeshConfig) -> Result<(Self, MeshEvents), BindError> {
        config.validate()?;
        let endpoint = endpoint(&config)?;
        let stop = CancellationToken::new();
        let (events, receiver) = EventQueue::new(stop.clone());
        let peers = peers(&config)?;
        let shared = Arc::new(Shared {
            endpoint,
            frames: config.frames,
            timing: config.timing,
            mute: config.limits.mute,
            peers,
            events,
            handshakes: Gate::new(
                config.limits.handshakes_max,
                config.limits.handshakes_per_address_max,
            ),
            observers: config.observers.map(ObserverServer::new),
            counters: EndpointCounters::default(),
            incarnation: OsRng.next_u64(),
            stop: stop.clone(),
            tasks: TaskTracker::new(),
        });
        shared.tasks.spawn(accept::run(Arc::clone(&shared)));
        for peer in shared.peers.values() {
            let link = dial::keep_link(Arc::clone(&shared), Arc::clone(peer));
            shared.tasks.spawn(link);
        }
        let mesh = Self {
            shared,
            _running: Arc::new(stop.drop_guard()),
        };
        Ok((mesh, receiver))
    }

    /// Queues a frame for one other member. Never waits.
    ///
    /// # Errors
    /// A receiver that is no other member, or a frame that breaks the table of limits.
    pub fn send(&self, to: MemberId, frame: Outgoing) -> Result<(), SendError> {
        let peer = self.peer(to)?;
        self.shared.frames.check(&frame)?;
        queue(peer, frame);
        Ok(())
    }

    /// Queues a frame for every other member (not for this one). Never waits.
    ///
    /// # Errors
    /// A frame that breaks the table of limits.
    pub fn broadcast(&self, frame: &Outgoing) -> Result<(), SendError> {
        self.shared.frames.check(frame)?;
        for peer in self.shared.peers.values() {
            queue(peer, frame.clone());
        }
        Ok(())
    }

    /// This round is over: its frames need not be sent again.
    pub fn release(&self, round: Round) {
        self.release_where(|r| r == round);
    }

    /// All rounds below this one are over.
    pub fn release_below(&self, round: Round) {
        self.release_where(|r| r < round);
    }

    /// All rounds for which `over` is true are over.
    pub fn release_where(&self, over: impl Fn(Round) -> bool) {
        for peer in self.shared.peers.values() {
            peer.outbox.release(&over);
        }
    }

    /// The member is to be called at another address from the next attempt on.
    ///
    /// # Errors
    /// [`SendError::UnknownPeer`], if it is no other member.
    pub fn set_address(&self, member: MemberId, address: SocketAddr) -> Result<(), SendError> {
        let peer = self.peer(member)?;
        peer.with_state(|state| state.address = address);
        peer.called.notify_one();
        Ok(())
    }

    /// The address that is listened on.
    ///
    /// # Errors
    /// What the system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.shared.endpoint.local_addr()
    }

    /// The counters as they stand.
    pub fn metrics(&self) -> MeshMetrics {
        let shared = &self.shared;
        MeshMetrics {
            peers: shared
                .peers
                .values()
                .map(|peer| peer.counters.snapshot(peer.id, peer.outbox.held()))
                .collect(),
            handshakes_refused: shared.counters.handshakes_refused.get(),
            handshakes_retried: shared.counters.handshakes_retried.get(),
            handshakes_failed: shared.counters.handshakes_failed.get(),
            unknown_identities: shared.counters.unknown_identities.get(),
            observers: shared
                .observers
                .as_ref()
                .map_or_else(ObserverMetrics::default, |server| server.metrics()),
        }
    }

    /// Closes all connections, tells the other ends, and ends all tasks; takes at most about three seconds.
    /// Frames that are still queued are not sent.
    pub async fn shutdown(&self) {
        self.shared.stop.cancel();
        self.shared.tasks.close();
        let code = VarInt::from_u32(CloseCode::Shutdown.number());
        self.shared.endpoint.close(code, b"shutting down");
        let grace = Duration::from_secs(2);
        if timeout(grace, self.shared.tasks.wait()).await.is_err() {
            tracing::error!("some tasks of the mesh did not end within {grace:?}");
        }
        // The close frames are on their way once the endpoint is idle; peers that are gone do not hold up the exit.
        let _ = timeout(Duration::from_secs(1), self.shared.endpoint.wait_idle()).await;
    }

    fn peer(&self, id: MemberId) -> Result<&Arc<Peer>, SendError> {
        self.shared.peers.get(&id).ok_or(SendError::UnknownPeer(id))
    }
}

fn queue(peer: &Peer, frame: Outgoing) {
    let dropped = peer.outbox.push(frame);
    peer.counters.frames_dropped.add(dropped);
}

fn others(config: &MeshConfig) -> impl Iterator<Item = &MemberEndpoint> {
    config
        .members
        .iter()
        .filter(|member| member.id != config.me)
}

fn endpoint(config: &MeshConfig) -> Result<quinn::Endpoint, BindError> {
    let (accepted, alpns): (_, &[&[u8]]) = match config.observers {
        None => {
            let keys = others(config).map(|member| member.key).collect();
            (AcceptedKeys::Only(keys), &[MEMBER_ALPN])
        }
        Some(_) => (AcceptedKeys::Any, &[MEMBER_ALPN, OBSERVER_ALPN]),
    };
    let tls = tls::server_config(&config.identity, accepted, alpns)?;
    let mut server = quinn::ServerConfig::with_crypto(tls);
    server
        .transport_config(transport(config))
        .max_incoming(INCOMING_MAX)
        .incoming_buffer_size(INCOMING_BUFFER_BYTES)
        .incoming_buffer_size_total(INCOMING_BUFFER_TOTAL_BYTES)
        // A member's address is in the manifest, and an observer may call again: nobody needs to move a connection.
        .migration(false);
    quinn::Endpoint::server(server, config.listen).map_err(|error| BindError::Listen {
        address: config.listen,
        error,
    })
}

/// Connection attempts that wait for the accept loop, and the bytes of theirs that are kept meanwhile. The loop answers
/// at once, so these matter only while the process is starved.
const INCOMING_MAX: usize = 1024;
const INCOMING_BUFFER_BYTES: u64 = 16 << 10;
const INCOMING_BUFFER_TOTAL_BYTES: u64 = 4 << 20;

fn transport(config: &MeshConfig) -> Arc<quinn::TransportConfig> {
    transport_config(
        config.timing.keep_alive,
        config.timing.idle_timeout,
        config.limits.window_bytes,
    )
}

fn peers(config: &MeshConfig) -> Result<BTreeMap<MemberId, Arc<Peer>>, BindError> {
    let transport = transport(config);
    let limits = &config.limits;
    let size = |value: u32| usize::try_from(value).unwrap_or(usize::MAX);
    others(config)
        .map(|member| {
            let tls = tls::client_config(&config.identity, member.key, MEMBER_ALPN)?;
            let mut dialling = quinn::ClientConfig::new(tls);
            dialling.transport_config(Arc::clone(&transport));
            let peer = Peer {
                id: member.id,
                key: member.key,
                outbox: Outbox::new(
                    size(limits.outbox_frames_max),
                    size(limits.outbox_bytes_max),
                ),
                inbox: Inbox::new(limits.inbox_frames_max, limits.inbox_bytes_max),
                counters: PeerCounters::default(),
                dialling,
                incarnation: watch::Sender::new(0),
                called: Notify::new(),
                state: Mutex::new(PeerState {
                    address: member.address,
                    muted_until: None,
                    inbound: None,
                }),
            };
            Ok((member.id, Arc::new(peer)))
        })
        .collect()
}
