//! How a network begins: identities, the genesis manifest, keys that all members generate together.

use std::{fs, path::Path, time::Duration};

use anyhow::Context as _;
use touchstone_feeds::FeedsConfig;
use touchstone_types::{
    Digest, Epoch, FeedSpec, Manifest, Member, MemberId, Pin, Round, canonical_json,
};

use crate::{child::Child, files, files::DataDir, market::unix_ms, plan::Plan, roles::Role};

const INIT_PATIENCE: Duration = Duration::from_secs(60);
const DKG_PATIENCE: Duration = Duration::from_secs(300);
const NAME: &str = "devnet";

/// Creates the network of a plan and writes its pin. What a broken-off attempt has left is thrown away.
///
/// # Errors
/// A refused list of feeds, or a member that fails; the end of its log is in the message.
pub(crate) async fn create(
    data: &DataDir,
    plan: &Plan,
    feeds: Vec<FeedSpec>,
    say: &mut dyn FnMut(String),
) -> anyhow::Result<Pin> {
    for left in [data.members(), data.aggregator()] {
        if left.exists() {
            fs::remove_dir_all(&left)
                .with_context(|| format!("{} cannot be removed", left.display()))?;
        }
    }
    let identities = init_all(data, plan).await?;
    say(format!("identities of {} members made", identities.len()));
    let manifest = manifest(plan, &identities, feeds)?;
    files::write(&data.genesis(), &canonical_json(&manifest)?)?;
    say(format!(
        "genesis manifest written: {} feeds, a round every {} ms",
        manifest.feeds.len(),
        manifest.interval_ms
    ));
    generate_keys(data, plan).await?;
    let pin = agreed_pin(data, plan)?;
    anyhow::ensure!(
        pin.genesis_manifest == manifest,
        "the members generated keys for another manifest than {}",
        data.genesis().display()
    );
    for suite in &plan.suites {
        let key = pin.group_key(*suite).map(hex::encode).unwrap_or_default();
        say(format!(
            "group key generated together, held by nobody: {suite} {key}"
        ));
    }
    Ok(pin)
}

/// Runs `init` for every member.
async fn init_all(data: &DataDir, plan: &Plan) -> anyhow::Result<Vec<Digest>> {
    let mut identities = Vec::new();
    for (id, ports) in plan.members() {
        let folder = data.member(id);
        fs::create_dir_all(&folder)
            .with_context(|| format!("{} cannot be made", folder.display()))?;
        let listen = format!("127.0.0.1:{}", ports.quic);
        let http = format!("127.0.0.1:{}", ports.http);
        let dir = utf8(&folder)?;
        let arguments = [
            "init",
            "--dir",
            dir,
            "--listen",
            &listen,
            "--http",
            &http,
            "--insecure-no-password",
            "--json",
        ];
        let name = format!("init of member {id}");
        let output = Child::output(&name, Role::Node, &arguments, &folder, INIT_PATIENCE).await?;
        let identity = identity(&output);
        identities.push(identity.with_context(|| format!("{name}: no identity in its output"))?);
    }
    Ok(identities)
}

/// The identity in the JSON that `init` prints.
fn identity(output: &[u8]) -> Option<Digest> {
    let value: serde_json::Value = serde_json::from_slice(output).ok()?;
    Digest::from_hex(value.get("identity")?.as_str()?).ok()
}

fn manifest(
    plan: &Plan,
    identities: &[Digest],
    mut feeds: Vec<FeedSpec>,
) -> anyhow::Result<Manifest> {
    feeds.sort_by_key(|feed| feed.name);
    let members = plan
        .members()
        .zip(identities)
        .map(|((id, ports), identity)| Member {
            id: MemberId(id),
            identity: *identity,
            address: format!("127.0.0.1:{}", ports.quic),
        });
    // Rounds are numbered by the clock from 1970, so that a network begun later on the same clock has higher ones.
    let first_round = unix_ms().div_ceil(plan.interval_ms);
    let manifest = Manifest {
        network: NAME.to_owned(),
        epoch: Epoch(0),
        previous: None,
        interval_ms: plan.interval_ms,
        first_round: Round(first_round),
        first_round_at_ms: first_round.saturating_mul(plan.interval_ms),
        f: plan.nodes().saturating_sub(1) / 3,
        suites: plan.suites.clone(),
        members: members.collect(),
        feeds,
    };
    manifest.validate().context("genesis manifest")?;
    Ok(manifest)
}

/// Runs `dkg` for all members at once.
async fn generate_keys(data: &DataDir, plan: &Plan) -> anyhow::Result<()> {
    let mut runs = tokio::task::JoinSet::new();
    for (id, _) in plan.members() {
        let (folder, manifest) = (data.member(id), data.genesis());
        runs.spawn(async move {
            let config = config_path(&folder);
            let arguments = [
                "dkg",
                "--config",
                utf8(&config)?,
                "--manifest",
                utf8(&manifest)?,
            ];
            let name = format!("key generation of member {id}");
            Child::output(&name, Role::Node, &arguments, &folder, DKG_PATIENCE).await
        });
    }
    while let Some(run) = runs.join_next().await {
        // The first failure ends the others: the set is dropped.
        run??;
    }
    Ok(())
}

/// The pin that every member came to.
fn agreed_pin(data: &DataDir, plan: &Plan) -> anyhow::Result<Pin> {
    let mut agreed: Option<Vec<u8>> = None;
    for (id, _) in plan.members() {
        let path = data.member(id).join("network.json");
        let bytes =
            fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        match &agreed {
            Some(first) => anyhow::ensure!(
                *first == bytes,
                "{}: another pin than member 0's",
                path.display()
            ),
            None => agreed = Some(bytes),
        }
    }
    let bytes = agreed.context("no member")?;
    let pin = Pin::from_json(&bytes)?;
    files::write(&data.pin(), &bytes)?;
    Ok(pin)
}

/// A member's configuration.
pub(crate) fn config_path(folder: &Path) -> std::path::PathBuf {
    folder.join("node.toml")
}

/// Tells a member's configuration where prices come from at this start.
///
/// # Errors
/// A configuration that cannot be read or written.
pub(crate) fn set_polling(folder: &Path, polling: &FeedsConfig) -> anyhow::Result<()> {
    let path = config_path(folder);
    let shown = path.display();
    let text = fs::read_to_string(&path).with_context(|| format!("{shown} cannot be read"))?;
    let mut config: toml::Table = text
        .parse()
        .with_context(|| format!("{shown} is no TOML"))?;
    config.insert("feeds".to_owned(), toml::Value::try_from(polling)?);
    files::write(&path, toml::to_string(&config)?.as_bytes())
}

/// The path as text for a command line.
///
/// # Errors
/// A path that is not UTF-8.
pub(crate) fn utf8(path: &Path) -> anyhow::Result<&str> {
    path.to_str().with_context(|| {
        format!(
            "{}: the path of the data directory must be UTF-8",
            path.display()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identity_is_found_in_the_output_of_init() {
        let key = "ab".repeat(32);
        let output = format!("{{\"identity\":\"{key}\"}}\n");
        assert_eq!(
            identity(output.as_bytes()).map(|d| d.to_string()),
            Some(key)
        );
        assert_eq!(identity(b"done\n"), None);
    }
}
