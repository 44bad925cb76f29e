//! `oracle-node check-config`.

use serde_json::json;
use touchstone_feeds::Pricer;

use super::{CheckArgs, print, print_json};
use crate::{config::Config, network::Network, node::folder_of};

pub(super) fn check(args: &CheckArgs) -> anyhow::Result<()> {
    let config = Config::load(&args.config)?;
    let mut notes = Vec::new();
    let paths = &config.paths;
    if !paths.identity_key.exists() {
        notes.push(format!(
            "{} is missing; `oracle-node init` makes it",
            paths.identity_key.display()
        ));
    }
    if !paths.share_key.exists() {
        notes.push(format!(
            "{} is missing; `oracle-node dkg` makes it",
            paths.share_key.display()
        ));
    }
    if paths.network.exists() {
        let network = Network::load(&paths.network)?;
        Pricer::new(&network.manifest().feeds)?;
        config.params(network.manifest().interval_ms).validate()?;
    } else {
        notes.push(format!(
            "{} is missing; `oracle-node dkg` makes it",
            paths.network.display()
        ));
    }
    if config.password.insecure_none {
        notes.push(format!(
            "the key files in {} are not encrypted",
            folder_of(&paths.share_key).display()
        ));
    }
    if args.json {
        return print_json(&json!({ "ok": true, "config": config, "notes": notes }));
    }
    print(&format!("{}: ok", args.config.display()))?;
    notes
        .iter()
        .try_for_each(|note| print(&format!("note: {note}")))
}
