//! What is signed, and by whom.

use axum::{Json, extract::State, http::HeaderMap, response::Response};
use bytes::Bytes;
use serde::Serialize;
use std::collections::BTreeMap;
use touchstone_types::{FeedName, Market, sha256};
use utoipa::ToSchema;

use super::{
    ApiState, Encoding,
    cache::{Lifetime, answer},
};
use crate::{network::Network, render::json};

/// The network.
#[derive(Serialize, ToSchema)]
pub(super) struct NetworkView {
    /// The network's name, for people.
    name: String,
    /// 64 hexadecimal digits.
    network_id: String,
    /// The newest epoch that this aggregator knows.
    epoch: u32,
    /// Milliseconds from round to round.
    interval_ms: u64,
    /// The epoch's first round.
    first_round: u64,
    /// When it started, Unix milliseconds.
    first_round_at_ms: u64,
    /// The group keys by suite, hexadecimal. Pin them from a source that you trust, not from here.
    group_keys: BTreeMap<&'static str, String>,
    /// How many members there are.
    n: u16,
    /// How many of them may be Byzantine.
    f: u16,
    /// The members.
    members: Vec<MemberView>,
    /// The feeds.
    feeds: Vec<FeedView>,
}

/// A member.
#[derive(Serialize, ToSchema)]
pub(super) struct MemberView {
    /// Its index.
    id: u16,
    /// Its Ed25519 identity key, hexadecimal.
    identity: String,
    /// `host:port` of its QUIC endpoint.
    address: String,
}

/// A feed's name and exponent.
#[derive(Serialize, ToSchema)]
pub(super) struct FeedView {
    /// The name.
    #[schema(example = "BTC-USD")]
    feed: String,
    /// Exponent of the signed mantissas.
    exponent: i8,
}

/// All feeds.
#[derive(Serialize, ToSchema)]
pub(super) struct FeedsView {
    /// The feeds of the newest epoch, in order of name.
    feeds: Vec<FeedDetail>,
}

/// A feed and where its prices come from.
#[derive(Serialize, ToSchema)]
pub(super) struct FeedDetail {
    /// The name.
    #[schema(example = "BTC-USD")]
    feed: String,
    /// What is priced.
    base: String,
    /// What it is priced in.
    quote: String,
    /// Exponent of the signed mantissas.
    exponent: i8,
    /// The markets.
    sources: Vec<SourceView>,
    /// With fewer usable quotes an observation is degraded.
    min_sources: u16,
    /// Older trades are not used, milliseconds.
    max_quote_age_ms: u64,
}

/// A market.
#[derive(Serialize, ToSchema)]
pub(super) struct SourceView {
    /// The exchange.
    source: String,
    /// The market there.
    pair: String,
}

/// The front page's links.
#[derive(Serialize, ToSchema)]
pub(super) struct IndexView {
    /// What answers here.
    name: &'static str,
    /// The network.
    network_id: String,
    /// Documentation for people.
    docs: &'static str,
    /// Documentation for programs.
    openapi: &'static str,
}

pub(super) fn network_json(network: &Network) -> Bytes {
    let manifest = network.manifest();
    let keys = manifest.suites.iter().filter_map(|suite| {
        let key = network.pin().group_key(*suite)?;
        Some((suite.name(), hex::encode(key)))
    });
    json(&NetworkView {
        name: manifest.network.clone(),
        network_id: network.id().to_string(),
        epoch: manifest.epoch.0,
        interval_ms: manifest.interval_ms,
        first_round: manifest.first_round.0,
        first_round_at_ms: manifest.first_round_at_ms,
        group_keys: keys.collect(),
        n: u16::try_from(manifest.members.len()).unwrap_or(u16::MAX),
        f: manifest.f,
        members: manifest
            .members
            .iter()
            .map(|m| MemberView {
                id: m.id.0,
                identity: m.identity.to_string(),
                address: m.address.clone(),
            })
            .collect(),
        feeds: manifest
            .feeds
            .iter()
            .map(|f| FeedView {
                feed: f.name.to_string(),
                exponent: f.exponent,
            })
            .collect(),
    })
}

pub(super) fn feeds_json(network: &Network) -> Bytes {
    let market = |m: &Market| SourceView {
        source: m.source.clone(),
        pair: m.pair.to_string(),
    };
    let part =
        |name: FeedName, base: bool| if base { name.base() } else { name.quote() }.to_owned();
    let feeds = network.manifest().feeds.iter().map(|f| FeedDetail {
        feed: f.name.to_string(),
        base: part(f.name, true),
        quote: part(f.name, false),
        exponent: f.exponent,
        sources: f.sources.iter().map(market).collect(),
        min_sources: f.min_sources,
        max_quote_age_ms: f.max_quote_age_ms,
    });
    json(&FeedsView {
        feeds: feeds.collect(),
    })
}

/// Where to go from here.
#[utoipa::path(get, path = "/", tag = "network", responses((status = 200, body = IndexView)))]
pub(super) async fn index(State(api): State<ApiState>) -> Json<IndexView> {
    Json(IndexView {
        name: "touchstone aggregator",
        network_id: api.network.id().to_string(),
        docs: "/docs",
        openapi: "/openapi.json",
    })
}

/// The network, its keys, members and feeds.
#[utoipa::path(get, path = "/v1/network", tag = "network", responses((status = 200, body = NetworkView)))]
pub(super) async fn network(State(api): State<ApiState>, headers: HeaderMap) -> Response {
    fixed(&headers, &api.network_json)
}

/// The feeds and their sources.
#[utoipa::path(get, path = "/v1/feeds", tag = "network", responses((status = 200, body = FeedsView)))]
pub(super) async fn feeds(State(api): State<ApiState>, headers: HeaderMap) -> Response {
    fixed(&headers, &api.feeds_json)
}

/// What changes only with a new network file.
fn fixed(headers: &HeaderMap, body: &Bytes) -> Response {
    let digest = sha256(&[body]).to_string();
    let tag: String = digest.chars().take(32).collect();
    answer(
        headers,
        &tag,
        Lifetime::Seconds(60),
        Encoding::Json,
        body.clone(),
    )
}
