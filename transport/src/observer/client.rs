//! The observer's side: a subscription to one node that survives broken connections, and fetches for back-filling.

use std::future::pending;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use quinn::{Connection, RecvStream, VarInt};
use rand_core::OsRng;
use thiserror::Error;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use touchstone_types::Round;

use super::fetch::{Fetch, FetchError};
use super::wire::{
    ANSWER, EVIDENCE_BYTES_MAX, ITEM_BYTES_CEILING, Item, ItemFault, Request, read_item,
};
use crate::backoff::Backoff;
use crate::close::{CloseCode, LinkError, close};
use crate::config::{ConfigError, LinkTiming};
use crate::endpoint::transport_config;
use crate::identity::{PublicKey, SERVER_NAME, TlsIdentity};
use crate::mesh::BindError;
use crate::tls::{self, OBSERVER_ALPN};

/// One node to observe.
#[derive(Clone, Debug)]
pub struct ObserverClientConfig {
    /// Where the node listens.
    pub node_address: SocketAddr,
    /// The node's identity key; nobody else is listened to.
    pub node_key: PublicKey,
    /// The own key: any will do.
    pub identity: Arc<TlsIdentity>,
    /// The first round of interest.
    pub from: Round,
    /// Whether the node's evidence is wanted, too (default no). After a reconnect all of it comes again.
    pub evidence: bool,
    /// How many rounds before the newest received one are asked for again after a reconnect, because rounds may be
    /// completed out of order (0 to 65,536; default 64). These items come twice.
    pub resume_overlap: u64,
    /// The largest item in bytes (1 to 64 MiB; default 4 MiB).
    pub item_bytes_max: u32,
    /// Events that wait for the consumer (1 to 65,536; default 64); beyond that the node is made to wait.
    pub queue_events: u32,
    /// Flow-control window in bytes (65,536 to 64 MiB; default 2 MiB).
    pub window_bytes: u32,
    /// Timeouts and back-off.
    pub timing: LinkTiming,
}

impl ObserverClientConfig {
    /// A configuration with the defaults.
    pub fn new(
        node_address: SocketAddr,
        node_key: PublicKey,
        identity: Arc<TlsIdentity>,
        from: Round,
    ) -> Self {
        Self {
            node_address,
            node_key,
            identity,
            from,
            evidence: false,
            resume_overlap: 64,
            item_bytes_max: 4 << 20,
            queue_events: 64,
            window_bytes: 2 << 20,
            timing: LinkTiming::default(),
        }
    }

    /// Checks every value against its range.
    ///
    /// # Errors
    /// The first value that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let check = ConfigError::check_range;
        check("resume_overlap", self.resume_overlap, 0, 1 << 16)?;
        let item_max = u64::from(ITEM_BYTES_CEILING);
        check("item_bytes_max", self.item_bytes_max.into(), 1, item_max)?;
        check("queue_events", self.queue_events.into(), 1, 1 << 16)?;
        check("window_bytes", self.window_bytes.into(), 1 << 16, 1 << 26)?;
        self.timing.validate()
    }
}

/// Why a node is not, or no longer, observed.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum ObserverError {
    /// The connection failed.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The node sent something else than items within the limits.
    #[error("the node broke a rule of the stream: {0}")]
    Misbehaved(String),
    /// The node ended the stream.
    #[error("the node ended the stream")]
    Ended,
}

/// What happens between an observer and its node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ObserverEvent {
    /// The node has accepted the subscription.
    Connected,
    /// One round. Not verified; the same round may come more than once.
    Item(Item),
    /// A piece of evidence. Not judged; the same may come more than once.
    Evidence(Item),
    /// The node is not there; it is being called again. Told once per reason.
    Disconnected {
        /// Why.
        reason: ObserverError,
    },
}

/// The receiving end of a subscription. Dropping it ends the subscription.
pub struct ObserverEvents {
    queue: mpsc::Receiver<ObserverEvent>,
}

impl ObserverEvents {
    /// The next event; `None` after the client has shut down. Losing the future loses no event.
    pub async fn recv(&mut self) -> Option<ObserverEvent> {
        self.queue.recv().await
    }
}

/// A subscription to one node. When the handle is dropped, the subscription ends.
pub struct ObserverClient {
    shared: Arc<Shared>,
    task: Mutex<Option<JoinHandle<()>>>,
    _running: DropGuard,
}

struct Shared {
    endpoint: quinn::Endpoint,
    dialling: quinn::ClientConfig,
    config: ObserverClientConfig,
    current: Mutex<Option<Connection>>,
    stop: CancellationToken,
}

impl ObserverClient {
    /// Starts to call the node and to follow its stream. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// A refused configuration, or no UDP port to be had.
    pub fn connect(config: ObserverClientConfig) -> Result<(Self, ObserverEvents), BindError> {
        config.validate()?;
        let tls = tls::client_config(&config.identity, config.node_key, OBSERVER_ALPN)?;
        let mut dialling = quinn::ClientConfig::new(tls);
        dialling.transport_config(transport_config(
            config.timing.keep_alive,
            config.timing.idle_timeout,
            config.window_bytes,
        ));
        let address: SocketAddr = match config.node_address {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let endpoint = quinn::Endpoint::client(address)
            .map_err(|error| BindError::Listen { address, error })?;
        let stop = CancellationToken::new();
        let queue_events = usize::try_from(config.queue_events).unwrap_or(1);
        let (events, queue) = mpsc::channel(queue_events);
        let shared = Arc::new(Shared {
            endpoint,
            dialling,
            config,
            current: Mutex::new(None),
            stop: stop.clone(),
        });
        let task = tokio::spawn(follow(Arc::clone(&shared), events));
        let client = Self {
            shared,
            task: Mutex::new(Some(task)),
            _running: stop.drop_guard(),
        };
        Ok((client, ObserverEvents { queue }))
    }

    /// Asks the node for what it has of these rounds, on the connection of the subscription.
    ///
    /// # Errors
    /// [`FetchError::NotConnected`] while the node is not there, or a connection that breaks meanwhile.
    pub async fn fetch(&self, rounds: RangeInclusive<Round>) -> Result<Fetch, FetchError> {
        let connection = self.shared.connection().ok_or(FetchError::NotConnected)?;
        let request = Request::Fetch {
            first: *rounds.start(),
            last: *rounds.end(),
        };
        let answer = ask(&connection, request);
        let limit = self.shared.config.timing.handshake_timeout;
        let stream = timeout(limit, answer)
            .await
            .map_err(|_| FetchError::Timeout(limit))??;
        Ok(Fetch {
            stream,
            rounds,
            item_bytes_max: self.shared.config.item_bytes_max,
            patience: self.shared.config.timing.idle_timeout,
        })
    }

    /// Ends the subscription and tells the node.
    pub async fn shutdown(&self) {
        self.shared.stop.cancel();
        let code = VarInt::from_u32(CloseCode::Shutdown.number());
        self.shared.endpoint.close(code, b"shutting down");
        let task = self
            .task
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(task) = task {
            // Its only failure is a panic, which the runtime has reported.
            let _ = task.await;
        }
        let _ = timeout(Duration::from_secs(1), self.shared.endpoint.wait_idle()).await;
    }

    /// The address of the own socket.
    ///
    /// # Errors
    /// What the system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.shared.endpoint.local_addr()
    }
}

impl Shared {
    fn connection(&self) -> Option<Connection> {
        self.current
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn set_connection(&self, connection: Option<Connection>) {
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = connection;
    }
}

impl From<ItemFault> for ObserverError {
    fn from(fault: ItemFault) -> Self {
        match fault {
            ItemFault::Broken(text) => Self::Link(LinkError::Lost(text)),
            fault => Self::Misbehaved(fault.to_string()),
        }
    }
}

/// Keeps the subscription going until the client stops or nobody listens.
async fn follow(shared: Arc<Shared>, events: mpsc::Sender<ObserverEvent>) {
    let timing = shared.config.timing;
    let mut backoff = Backoff::new(timing.backoff_min, timing.backoff_max);
    let mut next = shared.config.from;
    let mut told = None;
    loop {
        let since = Instant::now();
        let reason = tokio::select! {
            () = shared.stop.cancelled() => break,
            () = events.closed() => break,
            reason = subscription(&shared, &events, &mut next, &mut told) => reason,
        };
        if let Some(connection) = shared.connection() {
            close(&connection, CloseCode::Shutdown);
            shared.set_connection(None);
        }
        if since.elapsed() > timing.backoff_max.max(timing.handshake_timeout) {
            backoff.reset();
        }
        tracing::debug!(node = %shared.config.node_address, %reason, "not observing");
        if told.as_ref() != Some(&reason) {
            told = Some(reason.clone());
            let event = ObserverEvent::Disconnected { reason };
            tokio::select! {
                () = shared.stop.cancelled() => break,
                sent = events.send(event) => if sent.is_err() { break },
            }
        }
        tokio::select! {
            () = shared.stop.cancelled() => break,
            () = sleep(backoff.next(&mut OsRng)) => {}
        }
    }
    if let Some(connection) = shared.connection() {
        close(&connection, CloseCode::Shutdown);
    }
    shared.set_connection(None);
}

/// Connects, subscribes, and hands on items until something breaks.
async fn subscription(
    shared: &Shared,
    events: &mpsc::Sender<ObserverEvent>,
    next: &mut Round,
    told: &mut Option<ObserverError>,
) -> ObserverError {
    let limit = shared.config.timing.handshake_timeout;
    let mut stream = match timeout(limit, subscribe(shared, *next)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return error,
        Err(_) => return LinkError::GreetingTimeout(limit).into(),
    };
    tracing::info!(node = %shared.config.node_address, from = %next, "observing");
    *told = None;
    if events.send(ObserverEvent::Connected).await.is_err() {
        return ObserverError::Ended;
    }
    tokio::select! {
        reason = attestations(shared, &mut stream, events, next) => reason,
        reason = evidence(shared, events) => reason,
    }
}

async fn attestations(
    shared: &Shared,
    stream: &mut RecvStream,
    events: &mpsc::Sender<ObserverEvent>,
    next: &mut Round,
) -> ObserverError {
    loop {
        let item = match read_item(stream, shared.config.item_bytes_max).await {
            Ok(Some(item)) => item,
            Ok(None) => return ObserverError::Ended,
            Err(fault) => return fault_of(shared, fault),
        };
        let resume = item
            .round
            .saturating_add(1)
            .saturating_sub(shared.config.resume_overlap);
        *next = resume.max(*next);
        if events.send(ObserverEvent::Item(item)).await.is_err() {
            return ObserverError::Ended;
        }
    }
}

/// Asks for evidence and hands it on. A node that has none to offer ends the answer, which is no reason to leave it.
async fn evidence(shared: &Shared, events: &mpsc::Sender<ObserverEvent>) -> ObserverError {
    let connection = shared.connection().filter(|_| shared.config.evidence);
    let Some(connection) = connection else {
        return pending().await;
    };
    let mut stream = match ask(&connection, Request::Evidence).await {
        Ok(stream) => stream,
        Err(error) => return error,
    };
    loop {
        let item = match read_item(&mut stream, EVIDENCE_BYTES_MAX).await {
            Ok(Some(item)) => item,
            Ok(None) => return pending().await,
            Err(fault) => return fault_of(shared, fault),
        };
        if events.send(ObserverEvent::Evidence(item)).await.is_err() {
            return ObserverError::Ended;
        }
    }
}

/// The connection's reason to end, where it has one, says more than the stream's.
fn fault_of(shared: &Shared, fault: ItemFault) -> ObserverError {
    let ItemFault::Broken(text) = fault else {
        return fault.into();
    };
    let reason = shared.connection().and_then(|c| c.close_reason());
    reason.map_or(LinkError::Lost(text), LinkError::from).into()
}

async fn subscribe(shared: &Shared, from: Round) -> Result<RecvStream, ObserverError> {
    let connection = shared
        .endpoint
        .connect_with(
            shared.dialling.clone(),
            shared.config.node_address,
            SERVER_NAME,
        )
        .map_err(|error| LinkError::Lost(error.to_string()))?
        .await
        .map_err(LinkError::from)?;
    shared.set_connection(Some(connection.clone()));
    ask(&connection, Request::Subscribe { from }).await
}

/// Sends a request and waits until the node begins to answer: only then is it sure that the node has let us in.
async fn ask(connection: &Connection, request: Request) -> Result<RecvStream, ObserverError> {
    let lost = |text: String| -> ObserverError {
        let reason = connection.close_reason();
        reason.map_or(LinkError::Lost(text), LinkError::from).into()
    };
    let (mut send, mut recv) = connection.open_bi().await.map_err(LinkError::from)?;
    send.write_all(&request.encode())
        .await
        .map_err(|e| lost(e.to_string()))?;
    send.finish().map_err(|e| lost(e.to_string()))?;
    let mut start = [0];
    recv.read_exact(&mut start)
        .await
        .map_err(|e| lost(e.to_string()))?;
    if start != [ANSWER] {
        let text = format!("an answer starts with {ANSWER}, not {}", start[0]);
        return Err(ObserverError::Misbehaved(text));
    }
    Ok(recv)
}
