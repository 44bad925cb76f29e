//! An aggregator to try out without a network: one made-up node with a made-up group key signs a round a second and serves
//! it over QUIC, and the aggregator collects it from there.
//!
//! `cargo run --release -p touchstone-aggregator --example fabricated -- [LISTEN] [FOLDER]`
#![allow(unreachable_pub, reason = "shared with the tests")]

#[path = "../tests/common/mod.rs"]
mod common;
#[path = "../tests/common/node.rs"]
mod node;

use std::{path::PathBuf, time::Duration};

use common::{FIRST, Fabricated};
use node::Node;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use touchstone_aggregator::{Config, config::unix_ms, run, telemetry};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut arguments = std::env::args().skip(1);
    let listen = arguments
        .next()
        .unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let temporary = tempfile::TempDir::new()?;
    let folder = arguments
        .next()
        .map_or(temporary.path().to_owned(), PathBuf::from);
    std::fs::create_dir_all(&folder)?;
    let start = unix_ms() - 600_000;
    let fabricated = Fabricated::starting(start, "127.0.0.1:1");
    let node = Node::start(&fabricated, 0);
    let pin = serde_json::to_vec(&fabricated.pin)?;
    std::fs::write(folder.join("network.json"), pin)?;
    let text = format!(
        "network = \"network.json\"\ndatabase = \"aggregator.db\"\nlisten = \"{listen}\"\n\
         [[nodes]]\naddress = \"{}\"\nidentity = \"{}\"\n[limits]\nrequests_per_second = 0\n",
        node.address(),
        fabricated.pin.genesis_manifest.members[0].identity
    );
    let config = Config::parse("fabricated.toml", &folder, &text)?;
    telemetry::start_log(&config.log);
    let shutdown = CancellationToken::new();
    let stop = shutdown.clone();
    tokio::spawn(async move {
        let _ = tokio::signal::ctrl_c().await;
        stop.cancel();
    });
    tokio::spawn(async move {
        let mut ticks = interval(Duration::from_secs(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        for after in 0.. {
            // The past at once, then a round a second, with a hole now and then.
            if after >= 600 {
                ticks.tick().await;
            }
            if after % 97 != 50 {
                let walk = i128::from((after * 7_919) % 1_000);
                let time = start + after * 1_000 + 120;
                node.publish(&fabricated.round_at(FIRST + after, time, 6_700_000 + walk));
            }
        }
    });
    run(config, shutdown).await
}
