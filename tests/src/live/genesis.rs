//! How the network begins: identities, a manifest that names the fronts, keys that all members generate together.

use std::{fs, path::Path};

use anyhow::Context as _;
use futures_util::future::try_join_all;
use touchstone_types::{
    Digest, Epoch, Manifest, Member as Entry, MemberId, Pin, Round, Suite, canonical_json,
};

use super::{Member, machine::unix_us};
use crate::relay::Relay;

/// Creates the network and writes its pin beside the folders of the members.
pub(super) async fn create(
    members: &[Member],
    relay: &Relay,
    interval_ms: u64,
    market_url: &str,
) -> anyhow::Result<Pin> {
    let made = try_join_all(members.iter().map(|member| member.init(market_url))).await?;
    let identities = made
        .iter()
        .map(|output| identity(output))
        .collect::<Option<Vec<_>>>();
    let identities = identities.context("no identity in the output of init")?;
    let manifest = manifest(relay, &identities, interval_ms)?;
    let nodes = members.first().and_then(|member| member.folder().parent());
    let folder = nodes.and_then(Path::parent).context("no member")?;
    let path = folder.join("genesis.json");
    fs::write(&path, canonical_json(&manifest)?)?;
    try_join_all(members.iter().map(|member| member.generate_keys(&path))).await?;
    agreed_pin(members, folder)
}

/// The identity in the JSON that `init` prints.
fn identity(output: &[u8]) -> Option<Digest> {
    let value: serde_json::Value = serde_json::from_slice(output).ok()?;
    Digest::from_hex(value.get("identity")?.as_str()?).ok()
}

fn manifest(relay: &Relay, identities: &[Digest], interval_ms: u64) -> anyhow::Result<Manifest> {
    let mut feeds = touchstone_feeds::default_feeds();
    feeds.sort_by_key(|feed| feed.name);
    let places = (0u16..).zip(identities).zip(relay.fronts());
    let members = places.map(|((id, identity), front)| Entry {
        id: MemberId(id),
        identity: *identity,
        address: front.to_string(),
    });
    let first_round = (unix_us() / 1_000).div_ceil(interval_ms);
    let manifest = Manifest {
        network: "impaired".to_owned(),
        epoch: Epoch(0),
        previous: None,
        interval_ms,
        first_round: Round(first_round),
        first_round_at_ms: first_round * interval_ms,
        f: u16::try_from(identities.len())?.saturating_sub(1) / 3,
        suites: vec![Suite::Ed25519],
        members: members.collect(),
        feeds,
    };
    manifest.validate().context("genesis manifest")?;
    Ok(manifest)
}

/// The pin that every member came to.
fn agreed_pin(members: &[Member], folder: &Path) -> anyhow::Result<Pin> {
    let read = |member: &Member| {
        let path = member.folder().join("network.json");
        fs::read(&path).with_context(|| path.display().to_string())
    };
    let pins = members
        .iter()
        .map(read)
        .collect::<anyhow::Result<Vec<_>>>()?;
    let first = pins.first().context("no member")?;
    anyhow::ensure!(
        pins.iter().all(|pin| pin == first),
        "the members came to different pins"
    );
    fs::write(folder.join("network.json"), first)?;
    Ok(Pin::from_json(first)?)
}
