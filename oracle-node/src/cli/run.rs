//! `oracle-node run`.

use std::sync::Arc;

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;
use touchstone_feeds::Poller;

use super::{RunArgs, stop_on_signals};
use crate::{
    config::Config,
    logging,
    network::Network,
    node::{Node, NodeKeys, NodeSetup},
};

pub(super) async fn run(args: &RunArgs) -> anyhow::Result<()> {
    let config = Config::load(&args.config)?;
    logging::init(&config.log);
    let stop = stop_on_signals()?;
    if config.password.insecure_none {
        tracing::warn!("the key files are not encrypted; this is for development networks only");
    }
    let network =
        Network::load(&config.paths.network).context("the network; `oracle-node dkg` makes it")?;
    let keys = NodeKeys::open(&config, &network)?;
    let polling = CancellationToken::new();
    let prices = Poller::spawn(&config.feeds, &network.manifest().feeds, &polling)?;
    let started = Node::start(NodeSetup {
        config,
        network,
        keys,
        prices: Arc::new(prices.clone()),
    });
    let node = tokio::select! {
        node = started => node?,
        () = stop.cancelled() => return Ok(()),
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = node.ended() => tracing::error!("the engine has ended; the node stops"),
    }
    polling.cancel();
    let result = node.shutdown().await;
    prices.stopped().await;
    tracing::info!("stopped");
    result
}
