//! A running node: everything wired together, started and stopped as one.

use std::{
    net::SocketAddr,
    num::NonZeroUsize,
    path::Path,
    sync::Arc,
    thread::available_parallelism,
    time::{Duration, Instant},
};

use anyhow::{Context as _, anyhow};
use rand_core::OsRng;
use tokio::{net::TcpListener, task::JoinHandle, time::interval};
use tokio_util::sync::CancellationToken;
use touchstone_consensus::{Setup, keys::MemberKeys};
use touchstone_crypto::{CoinSecretShare, IdentityKey, SigningShare};
use touchstone_transport::{
    AttestationSource, Mesh, MeshConfig, MeshEvent, MeshEvents, ObserverConfig, TlsIdentity,
};
use touchstone_types::{MemberId, Round};

use crate::{
    config::Config,
    engine::{
        Clocks, Engine, FaultLog, Parts, Prices, SharedView,
        bad::BadMessages,
        frames, unix_ms,
        verify::{QueueLimits, VerifyPool},
    },
    evidence::EvidenceStore,
    fence::FenceFile,
    files::{DirLock, create_private_dir},
    history::History,
    http::{self, NodeState},
    keys::{NodePassword, ShareHeader, open_identity, open_shares},
    network::{self, Network},
    telemetry::Metrics,
    vault::Vault,
};

/// How often members' names are looked up again.
const RESOLVE_PERIOD: Duration = Duration::from_secs(30);

/// What a node is made of.
pub struct NodeSetup {
    /// Settings.
    pub config: Config,
    /// The network.
    pub network: Network,
    /// The member's secrets.
    pub keys: NodeKeys,
    /// Where prices come from.
    pub prices: Arc<dyn Prices>,
}

/// A member's secrets, opened.
pub struct NodeKeys {
    identity: IdentityKey,
    shares: Vec<SigningShare>,
    coin: CoinSecretShare,
}

impl NodeKeys {
    /// Opens the key files that a configuration names, and checks that they are this network's.
    ///
    /// # Errors
    /// Files that are missing, readable by others, of another member, epoch or network, or that do not open.
    pub fn open(config: &Config, network: &Network) -> anyhow::Result<Self> {
        let password = NodePassword::of_config(&config.password)?;
        let identity = open_identity(&config.paths.identity_key, &password)?;
        let header = ShareHeader {
            network_id: network.id(),
            epoch: network.manifest().epoch,
            member: network.member_of(identity.public())?,
            record: network.record().digest(),
        };
        let path = &config.paths.share_key;
        let (shares, coin) = open_shares(
            path,
            &header,
            network.committee(),
            network.record(),
            &password,
        )?;
        Ok(Self {
            identity,
            shares,
            coin,
        })
    }
}

/// A running node. [`Node::shutdown`] ends it in order.
pub struct Node {
    state: Arc<NodeState>,
    http: SocketAddr,
    stop: CancellationToken,
    /// Told when the engine has ended, for whatever reason.
    ended: CancellationToken,
    engine: JoinHandle<anyhow::Result<()>>,
    tasks: Vec<JoinHandle<()>>,
    _lock: DirLock,
}

impl Node {
    /// Starts a node. Must be called inside a multi-threaded tokio runtime.
    ///
    /// # Errors
    /// Files that cannot be used, keys that do not fit the network, addresses that cannot be listened on.
    pub async fn start(setup: NodeSetup) -> anyhow::Result<Self> {
        let NodeSetup {
            config,
            network,
            keys,
            prices,
        } = setup;
        let NodeKeys {
            identity,
            shares,
            coin,
        } = keys;
        let lock = DirLock::of_dir_of(&config.paths.share_key)?;
        let me = network.member_of(identity.public())?;
        let data_dir = &config.paths.data_dir;
        create_private_dir(data_dir)?;
        let history = Arc::new(History::open(
            &data_dir.join("attestations"),
            network.id(),
            usize::try_from(config.history.memory_rounds)?,
            u64::from(config.history.disk_mib) << 20,
        )?);
        let evidence = EvidenceStore::open(&data_dir.join("evidence"), network.pin())?;
        let evidence = Arc::new(evidence);
        let params = config.params(network.manifest().interval_ms);
        let fence_file = FenceFile::new(data_dir.join("fence.json"), network.id());
        let fence = restart_fence(
            &fence_file,
            &history,
            &network,
            params.skew_rounds.saturating_add(params.fence_block),
        )?;
        let (public, verifier) = network.keys()?;
        let metrics = Arc::new(Metrics::new());
        for share in &shares {
            metrics.usable_share(network.manifest().epoch, share.suite());
        }
        let (mesh, events) = bind(
            &config,
            &network,
            &identity,
            me,
            Arc::clone(&history),
            Arc::clone(&evidence),
            &verifier,
        )
        .await?;
        let bad = Arc::new(BadMessages::new(Arc::clone(&metrics)));
        let (pool, checked) = VerifyPool::start(
            verify_threads(config.verify.threads),
            usize::from(network.committee().n()),
            QueueLimits {
                frames: usize::try_from(config.verify.queue_frames)?,
                bytes: usize::try_from(u64::from(config.verify.queue_mib) << 20)?,
            },
            &verifier,
            &bad,
        )?;
        let pool = Arc::new(pool);
        let keys = MemberKeys::new(
            public,
            Arc::new(identity),
            shares,
            coin,
            network.id(),
            network.manifest().epoch,
            OsRng,
        );
        let (vault, sealed) = Vault::start(keys, me, verifier.tag())?;
        let view = Arc::new(SharedView::default());
        let engine = Engine::new(Parts {
            setup: Setup {
                me,
                verifier,
                clock: network.manifest().clock(),
                params,
                fence,
            },
            mesh: mesh.clone(),
            vault,
            sealed,
            checked,
            prices: Arc::clone(&prices),
            history: Arc::clone(&history),
            fence: fence_file,
            evidence: Arc::clone(&evidence),
            faults: FaultLog::open(&data_dir.join("faults.jsonl"))?,
            metrics: Arc::clone(&metrics),
            view: Arc::clone(&view),
            clocks: Clocks::new(),
            max_offset_ms: config.clock.max_offset_ms,
        })?;
        let state = Arc::new(NodeState {
            me,
            network,
            mesh: mesh.clone(),
            prices,
            history,
            evidence,
            metrics: Arc::clone(&metrics),
            view,
            pool: Arc::clone(&pool),
            started: Instant::now(),
        });
        let listener = TcpListener::bind(config.http.listen)
            .await
            .with_context(|| format!("http.listen = {}: cannot listen", config.http.listen))?;
        let http = listener.local_addr()?;
        let (stop, ended) = (CancellationToken::new(), CancellationToken::new());
        let engine = tokio::spawn({
            let (stop, ended) = (stop.clone(), ended.clone().drop_guard());
            async move {
                let _ended = ended;
                engine.run(stop).await.map_err(anyhow::Error::from)
            }
        });
        let tasks = vec![
            tokio::spawn(pump(events, pool, bad, metrics)),
            tokio::spawn(http::serve(listener, Arc::clone(&state), stop.clone())),
            tokio::spawn(follow_names(Arc::clone(&state), stop.clone())),
        ];
        tracing::info!(
            member = %me, network = %state.network.manifest().network, network_id = %state.network.id(), fence = %fence,
            listen = %mesh.local_addr()?, %http, "the node runs"
        );
        Ok(Self {
            state,
            http,
            stop,
            ended,
            engine,
            tasks,
            _lock: lock,
        })
    }

    /// Which member the node is.
    pub fn member(&self) -> MemberId {
        self.state.me
    }

    /// The newest round whose attestation the node holds.
    pub fn newest(&self) -> Option<Round> {
        self.state.view.read().newest
    }

    /// The stored attestations, in the form that observers get.
    pub fn attestations(&self) -> Arc<dyn AttestationSource> {
        Arc::clone(&self.state.history) as Arc<dyn AttestationSource>
    }

    /// The address of the local HTTP port.
    pub fn http_address(&self) -> SocketAddr {
        self.http
    }

    /// The metrics as Prometheus reads them.
    pub fn metrics(&self) -> String {
        self.state.render_metrics()
    }

    /// Waits until the engine has ended by itself, which it does only if it cannot go on.
    pub async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// Stops everything: finishes the step under way, closes the links, writes what waits to be written.
    ///
    /// # Errors
    /// Why the engine ended, if it ended by itself.
    pub async fn shutdown(self) -> anyhow::Result<()> {
        self.stop.cancel();
        let ended = self
            .engine
            .await
            .map_err(|panic| anyhow!("the engine panicked: {panic}"));
        self.state.mesh.shutdown().await;
        for task in self.tasks {
            if let Err(panic) = task.await {
                tracing::error!(%panic, "a task panicked");
            }
        }
        let history = Arc::clone(&self.state.history);
        let evidence = Arc::clone(&self.state.evidence);
        let close = move || {
            history.close();
            evidence.close();
        };
        tokio::task::spawn_blocking(close).await?;
        ended?
    }
}

/// The round up to which the node may have spoken before.
fn restart_fence(
    file: &FenceFile,
    history: &History,
    network: &Network,
    ahead: u64,
) -> anyhow::Result<Round> {
    if let Some(round) = file.load()? {
        return Ok(round);
    }
    let Some(newest) = history.newest() else {
        return Ok(Round(0));
    };
    // The file is lost though the node has run: the highest that it can have held.
    let clock = network
        .manifest()
        .clock()
        .round_at(unix_ms())
        .unwrap_or_default();
    let fence = clock.max(newest).saturating_add(ahead);
    tracing::warn!(%fence, "the restart fence is missing though this node has run before; it is silent for some rounds");
    file.store(fence)?;
    Ok(fence)
}

async fn bind(
    config: &Config,
    network: &Network,
    identity: &IdentityKey,
    me: MemberId,
    history: Arc<History>,
    evidence: Arc<EvidenceStore>,
    verifier: &touchstone_consensus::Verifier,
) -> anyhow::Result<(Mesh, MeshEvents)> {
    Ok(Mesh::bind(MeshConfig {
        me,
        identity: Arc::new(TlsIdentity::from_pkcs8(&identity.tls_pkcs8())?),
        members: network::endpoints(network.manifest()).await,
        listen: config.link.listen,
        frames: frames::limits(verifier.terms())?,
        limits: config.mesh_limits(),
        timing: config.link_timing(),
        observers: Some(ObserverConfig {
            source: history,
            evidence: Some(evidence),
            limits: config.observer_limits(),
        }),
    })?)
}

fn verify_threads(configured: u32) -> usize {
    match usize::try_from(configured) {
        Ok(threads) if threads > 0 => threads,
        _ => available_parallelism()
            .map_or(2, NonZeroUsize::get)
            .clamp(2, 8),
    }
}

/// From the mesh to the pool.
async fn pump(
    mut events: MeshEvents,
    pool: Arc<VerifyPool>,
    bad: Arc<BadMessages>,
    metrics: Arc<Metrics>,
) {
    while let Some(event) = events.recv().await {
        match event {
            MeshEvent::Frame(frame) => {
                if !pool.offer(frame.from, frame.bytes) {
                    metrics.frames_dropped.increment(1);
                    bad.count(frame.from, "flood", &"its queue is full");
                }
            }
            MeshEvent::PeerUp { peer } => tracing::debug!(member = %peer, "connected"),
            MeshEvent::PeerDown { peer, reason } => {
                tracing::debug!(member = %peer, %reason, "not connected");
            }
            MeshEvent::Violation {
                peer, violation, ..
            } => bad.count(peer, "link", &violation),
        }
    }
}

/// Looks up members' names from time to time: an address may change while the node runs.
async fn follow_names(state: Arc<NodeState>, stop: CancellationToken) {
    let members = &state.network.manifest().members;
    let mut known: Vec<Option<SocketAddr>> = vec![None; members.len()];
    let mut period = interval(RESOLVE_PERIOD);
    while stop.run_until_cancelled(period.tick()).await.is_some() {
        for (member, known) in members.iter().zip(&mut known) {
            if member.id == state.me || member.address.parse::<SocketAddr>().is_ok() {
                continue;
            }
            let found = network::resolve(&member.address).await;
            if found.is_some() && found != *known {
                if let (Some(address), Some(_)) = (found, &known) {
                    tracing::info!(member = %member.id, %address, "the member's address has changed");
                }
                if let Some(address) = found
                    && let Err(error) = state.mesh.set_address(member.id, address)
                {
                    tracing::error!(%error, "the member's address is not used");
                }
                *known = found;
            }
        }
    }
}

/// The folder that a key file lies in, for messages.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}
