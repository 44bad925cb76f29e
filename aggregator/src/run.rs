//! The whole aggregator, tied together.

use std::{
    net::SocketAddr,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::interval,
};
use tokio_util::sync::CancellationToken;
use touchstone_transport::TlsIdentity;
use touchstone_types::Round;

use crate::{
    Config,
    api::{Api, ApiState, Parts, app},
    collect::{Backfill, EvidenceIntake, Intake, NodeAddress, Sources, Tracker, Upstream},
    config::unix_ms,
    live::Live,
    network::Network,
    server,
    store::{RoundRange, Store},
    telemetry,
    writer::{Health, QUEUE, Writer},
};

const UPKEEP: Duration = Duration::from_secs(5);

/// Runs the aggregator until it is told to stop. A rustls provider must be installed in the process.
///
/// # Errors
/// What keeps it from starting, or the name of a part that ended before its time.
pub async fn run(config: Config, shutdown: CancellationToken) -> anyhow::Result<()> {
    run_with(config, shutdown, None).await
}

/// The same, and tells the bound address once requests are served.
///
/// # Errors
/// See [`run`].
pub async fn run_with(
    config: Config,
    shutdown: CancellationToken,
    bound: Option<oneshot::Sender<SocketAddr>>,
) -> anyhow::Result<()> {
    let network = Arc::new(Network::read(&config.network)?);
    let store = Store::open(&config.database, config.database_connections, network.id()).await;
    let store = Arc::new(store.with_context(|| format!("{:?}", config.database))?);
    let result = run_on(&config, network, Arc::clone(&store), shutdown, bound).await;
    store.close().await;
    tracing::info!("stopped");
    result
}

async fn run_on(
    config: &Config,
    network: Arc<Network>,
    store: Arc<Store>,
    shutdown: CancellationToken,
    bound: Option<oneshot::Sender<SocketAddr>>,
) -> anyhow::Result<()> {
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("listen = {}: cannot bind", config.listen))?;
    let address = listener.local_addr()?;
    let newest = store.newest().await?.map(Arc::new);
    let live = Live::new(newest.clone());
    let health = Arc::new(Health::default());
    health.set_equivocations(store.equivocation_count().await? / 2);
    let tracker = Arc::new(Tracker::new(Duration::from_millis(
        config.collect.gap_grace_ms,
    )));
    let from = first_wanted(config, &network);
    if let Some(newest) = &newest {
        let (first, last) = (from.min(newest.round()), newest.round());
        tracker
            .load(&store, RoundRange { first, last }, Instant::now())
            .await?;
    }
    let sources = Arc::new(Sources::default());
    let api = Api::new(Parts {
        network: Arc::clone(&network),
        store: Arc::clone(&store),
        live: live.clone(),
        tracker: Arc::clone(&tracker),
        sources: Arc::clone(&sources),
        health: Arc::clone(&health),
        limits: config.limits.clone(),
        metrics: telemetry::start_metrics(),
        shutdown: shutdown.clone(),
    });
    let (queue, entries) = mpsc::channel(QUEUE);
    let mut parts = JoinSet::new();
    let writer = Writer {
        store: Arc::clone(&store),
        live,
        tracker: Arc::clone(&tracker),
        health,
        policy: config.retention,
        retention_interval: config.retention_interval,
    };
    spawn(&mut parts, "writer", writer.run(entries));
    let intake = Arc::new(Intake::new(
        Arc::clone(&network),
        queue,
        Arc::clone(&sources),
    ));
    let next = newest.map_or(from, |n| from.max(n.round().saturating_add(1)));
    start_collecting(
        config, &network, &store, &tracker, intake, &sources, next, &shutdown, &mut parts,
    )?;
    spawn(
        &mut parts,
        "upkeep",
        upkeep(Arc::clone(&api), shutdown.clone()),
    );
    let serving = server::serve(listener, app(api), config.limits.clone(), shutdown.clone());
    spawn(&mut parts, "server", serving);
    announce(config.address_file.as_deref(), address)?;
    tracing::info!(%address, network = %network.id(), database = ?config.database, "serving on http://{address}");
    if let Some(bound) = bound {
        // Whoever asked may be gone.
        let _ = bound.send(address);
    }
    supervise(parts, shutdown).await
}

/// The first round that the aggregator wants to have.
fn first_wanted(config: &Config, network: &Network) -> Round {
    let now = network.clock().round_at(unix_ms());
    let now = now.unwrap_or_else(|| network.first_round());
    now.saturating_sub(config.collect.backfill_rounds)
        .max(network.first_round())
}

#[allow(
    clippy::too_many_arguments,
    reason = "the parts that `run_on` has just made, used once"
)]
fn start_collecting(
    config: &Config,
    network: &Arc<Network>,
    store: &Arc<Store>,
    tracker: &Arc<Tracker>,
    intake: Arc<Intake>,
    sources: &Arc<Sources>,
    from: Round,
    shutdown: &CancellationToken,
    parts: &mut JoinSet<&'static str>,
) -> anyhow::Result<()> {
    let upstreams = config
        .upstreams
        .iter()
        .map(|base| Upstream::new(base, Arc::clone(sources)))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let give_up = Duration::from_secs(config.collect.give_up_after_s);
    let evidence = Arc::new(EvidenceIntake::new(
        Arc::clone(network),
        Arc::clone(store),
        Arc::clone(sources),
    ));
    let mut backfill = Backfill::new(
        Arc::clone(store),
        Arc::clone(tracker),
        intake,
        upstreams,
        give_up,
    );
    let identity = Arc::new(TlsIdentity::ephemeral()?);
    for node in nodes(config, network) {
        let source = backfill.add_node(
            node,
            from,
            Arc::clone(&evidence),
            Arc::clone(sources),
            Arc::clone(&identity),
        );
        spawn(parts, "node source", source.run(shutdown.clone()));
    }
    spawn(parts, "back-fill", backfill.run(shutdown.clone()));
    Ok(())
}

/// The configured nodes, or the members of the newest manifest.
fn nodes(config: &Config, network: &Network) -> Vec<NodeAddress> {
    if !config.nodes.is_empty() {
        return config.nodes.clone();
    }
    let member = |m: &touchstone_types::Member| NodeAddress {
        address: m.address.clone(),
        identity: m.identity,
    };
    network.manifest().members.iter().map(member).collect()
}

async fn upkeep(api: ApiState, shutdown: CancellationToken) {
    let metrics = telemetry::start_metrics();
    let mut ticks = interval(UPKEEP);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = ticks.tick() => {
                api.rate().sweep();
                if let Some(metrics) = &metrics {
                    metrics.run_upkeep();
                }
            }
        }
    }
}

/// Writes the address file in one step, so that nobody reads half of it.
fn announce(file: Option<&Path>, address: SocketAddr) -> anyhow::Result<()> {
    let Some(file) = file else {
        return Ok(());
    };
    let fresh = file.with_extension("tmp");
    std::fs::write(&fresh, format!("{address}\n"))
        .and_then(|()| std::fs::rename(&fresh, file))
        .with_context(|| format!("address_file {}: cannot be written", file.display()))
}

fn spawn(
    parts: &mut JoinSet<&'static str>,
    name: &'static str,
    part: impl Future<Output = ()> + Send + 'static,
) {
    parts.spawn(async move {
        part.await;
        name
    });
}

/// Waits for the end of every part. One that ends by itself takes the others with it.
async fn supervise(
    mut parts: JoinSet<&'static str>,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let mut result = Ok(());
    while let Some(ended) = parts.join_next().await {
        let failure = match ended {
            Ok(_) if shutdown.is_cancelled() => continue,
            Ok(name) => anyhow::anyhow!("the {name} ended before its time"),
            Err(error) => anyhow::anyhow!("a part of the aggregator failed: {error}"),
        };
        tracing::error!(%failure, "stopping");
        shutdown.cancel();
        result = result.and(Err(failure));
    }
    result
}
