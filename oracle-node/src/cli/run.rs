//! `oracle-node run`.

use std::sync::Arc;

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;
use touchstone_feeds::Poller;

use super::{RunArgs, stop_on_signals};
use crate::{
    config::Config,
    keys::{NodePassword, ShareHeader, open_identity, open_shares},
    logging,
    network::Network,
    node::{Node, NodeSetup},
};

pub(super) async fn run(args: &RunArgs) -> anyhow::Result<()> {
    let config = Config::load(&args.config)?;
    logging::init(&config.log);
    let stop = stop_on_signals()?;
    let network =
        Network::load(&config.paths.network).context("the network; `oracle-node dkg` makes it")?;
    let password = NodePassword::of_config(&config.password)?;
    if config.password.insecure_none {
        tracing::warn!("the key files are not encrypted; this is for development networks only");
    }
    let identity = open_identity(&config.paths.identity_key, &password)?;
    let header = ShareHeader {
        network_id: network.id(),
        epoch: network.manifest().epoch,
        member: network.member_of(identity.public())?,
        record: network.record().digest(),
    };
    let (shares, coin) = open_shares(
        &config.paths.share_key,
        &header,
        network.committee(),
        network.record(),
        &password,
    )?;
    drop(password);
    let polling = CancellationToken::new();
    let prices = Poller::spawn(&config.feeds, &network.manifest().feeds, &polling)?;
    let started = Node::start(NodeSetup {
        config,
        network,
        identity,
        shares,
        coin,
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
