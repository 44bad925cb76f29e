//! `oracle-node dkg`.

use anyhow::Context as _;
use serde_json::json;

use super::{DkgArgs, print, print_json, stop_on_signals};
use crate::{
    ceremony::driver::{self, CeremonySetup},
    config::Config,
    keys::{NodePassword, open_identity},
    logging,
    network::load_manifest,
};

pub(super) async fn dkg(args: DkgArgs) -> anyhow::Result<()> {
    let config = Config::load(&args.config)?;
    logging::init(&config.log);
    let password = NodePassword::of_config(&config.password)?;
    let identity = open_identity(&config.paths.identity_key, &password)?;
    let (share_key, pin) = (config.paths.share_key.clone(), config.paths.network.clone());
    let network = match args.manifest {
        Some(file) if !args.finish => {
            let manifest = load_manifest(&file)?;
            let stop = stop_on_signals()?;
            driver::run(
                CeremonySetup {
                    config,
                    manifest,
                    identity,
                    password,
                },
                stop,
            )
            .await
        }
        _ => driver::finish(&config, &identity, &password),
    }
    .context("key generation")?;
    let keys = network.group_keys();
    if args.json {
        return print_json(&json!({
            "network_id": network.id(), "group_keys": keys, "share_key": share_key, "network": pin,
        }));
    }
    let keys: Vec<_> = keys
        .iter()
        .map(|(suite, key)| format!("group key {suite} {key}"))
        .collect();
    print(&format!(
        "network {}\n{}\nwrote {} and {}",
        network.id(),
        keys.join("\n"),
        share_key.display(),
        pin.display()
    ))
}
