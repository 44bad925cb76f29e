//! `oracle-node feeds list|parse|fetch|simulate`.

use std::io::Read as _;

use anyhow::{Context as _, bail};
use serde_json::json;
use touchstone_feeds::{Exchange, default_feeds, fetch_feed};
use touchstone_types::{FeedName, FeedSpec};

use super::{FeedsCommand, print, print_json, simulate};
use crate::{config::Config, network::Network};

/// The longest answer that is read from standard input, in bytes.
const BODY_BYTES_MAX: u64 = 16 << 20;

pub(super) async fn feeds(command: FeedsCommand) -> anyhow::Result<()> {
    match command {
        FeedsCommand::List { config, json } => list(&Config::load(&config)?, json),
        FeedsCommand::Parse {
            source,
            pair,
            endpoint,
        } => {
            let exchange = Exchange::by_name(&source).with_context(|| {
                format!("no adapter {source:?}; there are {}", Exchange::names())
            })?;
            let mut body = Vec::new();
            std::io::stdin()
                .take(BODY_BYTES_MAX + 1)
                .read_to_end(&mut body)
                .context("standard input")?;
            if u64::try_from(body.len())? > BODY_BYTES_MAX {
                bail!("standard input: more than {BODY_BYTES_MAX} bytes");
            }
            let endpoint = match endpoint {
                Some(endpoint) => endpoint,
                None => exchange.detect(&body)?,
            };
            print_json(&exchange.parse(pair, endpoint, &body)?)
        }
        FeedsCommand::Simulate(args) => simulate::simulate(&args),
        FeedsCommand::Fetch { feed, config, json } => {
            fetch(&Config::load(&config)?, feed, json).await
        }
    }
}

/// The network's feeds, or the built-in ones while there is no network.
fn known_feeds(config: &Config) -> anyhow::Result<(Vec<FeedSpec>, bool)> {
    if config.paths.network.exists() {
        return Ok((
            Network::load(&config.paths.network)?
                .manifest()
                .feeds
                .clone(),
            true,
        ));
    }
    Ok((default_feeds(), false))
}

fn list(config: &Config, json: bool) -> anyhow::Result<()> {
    let (feeds, of_network) = known_feeds(config)?;
    if json {
        return print_json(&feeds);
    }
    if !of_network {
        eprintln!(
            "note: {} does not exist yet; these are the built-in feeds",
            config.paths.network.display()
        );
    }
    for feed in feeds {
        let markets: Vec<_> = feed
            .sources
            .iter()
            .map(|m| format!("{} {}", m.source, m.pair))
            .collect();
        print(&format!(
            "{:<12} at least {} of: {}",
            feed.name,
            feed.min_sources,
            markets.join(", ")
        ))?;
    }
    Ok(())
}

async fn fetch(config: &Config, feed: FeedName, json: bool) -> anyhow::Result<()> {
    let (feeds, _) = known_feeds(config)?;
    let fetched = fetch_feed(&config.feeds, &feeds, feed).await?;
    if json {
        return print_json(&json!({
            "now_ms": fetched.now_ms, "conversions": fetched.conversions, "feed": fetched.feed,
        }));
    }
    let all = fetched.conversions.iter().chain([&fetched.feed]);
    let text: Vec<_> = all.map(ToString::to_string).collect();
    print(text.join("\n").trim_end())
}
