//! One feed: now, then, and at an instant.

use axum::{extract::State, http::HeaderMap, response::Response};
use bytes::{BufMut as _, Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use touchstone_types::{FeedName, Suite};
use utoipa::{IntoParams, ToSchema};

use super::{
    ApiState, Code, Encoding, Problem, ProblemView,
    cache::{Lifetime, answer},
    extract::{KnownFeed, Params, round, suite},
};
use crate::{
    render::{PlainPrice, Price, SignedRound, json},
    store::HistoryQuery,
};

/// Page size of a history, by default and at most.
const PAGE: (u32, u32) = (100, 1_000);

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct LatestParams {
    /// `json` (default), or `binary` for the raw price update.
    #[serde(default)]
    #[param(inline)]
    encoding: Encoding,
    /// The suite of the update: one of those that the network signs with; by default its first.
    #[param(value_type = Option<String>, example = "secp256k1-keccak")]
    suite: Option<Suite>,
}

/// The newest signed price of a feed.
#[utoipa::path(get, path = "/v1/feeds/{feed}/latest", tag = "prices",
    params(("feed" = String, Path, example = "BTC-USD"), LatestParams),
    responses(
        (status = 200, body = Price),
        (status = 304, description = "as the ETag says"),
        (status = 400, body = ProblemView, content_type = "application/problem+json"),
        (status = 404, body = ProblemView, content_type = "application/problem+json"),
        (status = 503, body = ProblemView, content_type = "application/problem+json")))]
pub(super) async fn latest(
    State(api): State<ApiState>,
    KnownFeed(feed): KnownFeed,
    Params(params): Params<LatestParams>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let suite = suite(&api, params.suite)?;
    let round = newest(&api)?;
    let rendered = round
        .feed(feed, suite)
        .ok_or_else(|| not_in(&round, feed))?;
    let body = match params.encoding {
        Encoding::Json => rendered.json.clone(),
        Encoding::Binary => rendered.binary.clone(),
    };
    let tag = format!("{}-{}", round.round(), suite.byte());
    Ok(answer(
        &headers,
        &tag,
        Lifetime::Seconds(1),
        params.encoding,
        body,
    ))
}

/// The newest round, or the problem that there is none.
pub(super) fn newest(api: &ApiState) -> Result<std::sync::Arc<SignedRound>, Problem> {
    api.live
        .latest()
        .ok_or_else(|| Problem::new(Code::NoData, "no round has arrived yet").retry_after(1))
}

fn not_in(round: &SignedRound, feed: FeedName) -> Problem {
    let epoch = round.attestation().statement.epoch;
    Problem::new(
        Code::UnknownFeed,
        format!("{feed}: epoch {epoch} does not have the feed any more"),
    )
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct HistoryParams {
    /// Not older than this, Unix milliseconds.
    #[serde(default)]
    from: u64,
    /// Older than this, Unix milliseconds.
    #[serde(default = "forever")]
    to: u64,
    /// At most so many items, 1 to 1000.
    #[serde(default = "page")]
    #[param(default = 100, minimum = 1, maximum = 1000)]
    limit: u32,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// `false` leaves out proofs, signatures and updates: smaller, and to be believed on the server's word only.
    #[serde(default = "yes")]
    #[param(default = true)]
    proofs: bool,
    /// The suite of the update: one of those that the network signs with; by default its first.
    #[param(value_type = Option<String>, example = "secp256k1-keccak")]
    suite: Option<Suite>,
}

fn forever() -> u64 {
    u64::MAX
}

fn page() -> u32 {
    PAGE.0
}

fn yes() -> bool {
    true
}

/// A page of a feed's history.
#[derive(Serialize, ToSchema)]
pub(super) struct HistoryView {
    /// The feed.
    feed: String,
    /// Newest first.
    items: Vec<Price>,
    /// Where the next (older) page starts; null on the last one.
    next_cursor: Option<String>,
}

#[derive(Serialize)]
struct Page<'a, T> {
    feed: &'a str,
    items: Vec<T>,
    next_cursor: Option<String>,
}

/// The stored prices of a feed, newest first, each with its proof.
#[utoipa::path(get, path = "/v1/feeds/{feed}/history", tag = "prices",
    params(("feed" = String, Path, example = "BTC-USD"), HistoryParams),
    responses(
        (status = 200, body = HistoryView, description = "with proofs=false the items are PlainPrice"),
        (status = 400, body = ProblemView, content_type = "application/problem+json"),
        (status = 404, body = ProblemView, content_type = "application/problem+json")))]
pub(super) async fn history(
    State(api): State<ApiState>,
    KnownFeed(feed): KnownFeed,
    Params(params): Params<HistoryParams>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let query = history_query(feed, &params)?;
    let suite = suite(&api, params.suite)?;
    let rows = api.store.history(query).await?;
    let full = rows.len() >= usize::try_from(params.limit).unwrap_or(usize::MAX);
    let next_cursor = rows
        .last()
        .filter(|_| full)
        .map(|row| row.round().to_string());
    let newest = rows.first().map(|row| row.round().0).unwrap_or_default();
    let tag = format!(
        "h{newest}-{}-{}-{}",
        rows.len(),
        suite.byte(),
        next_cursor.as_deref().unwrap_or("")
    );
    let body = if params.proofs {
        let mut items = Vec::with_capacity(rows.len());
        for row in &rows {
            // Retention may have taken it between the two reads.
            if let Some(rendered) = api
                .store
                .round(row.round())
                .await?
                .and_then(|r| r.feed(feed, suite).cloned())
            {
                items.push(raw(&rendered.json));
            }
        }
        json(&Page {
            feed: feed.as_str(),
            items,
            next_cursor,
        })
    } else {
        let items: Vec<PlainPrice> = rows.into_iter().map(|row| row.view()).collect();
        json(&Page {
            feed: feed.as_str(),
            items,
            next_cursor,
        })
    };
    // Back-fill may add to the past, and retention take from it.
    Ok(answer(
        &headers,
        &tag,
        Lifetime::Seconds(1),
        Encoding::Json,
        body,
    ))
}

fn history_query(feed: FeedName, params: &HistoryParams) -> Result<HistoryQuery, Problem> {
    let refuse = |detail: String| Problem::new(Code::InvalidQuery, detail);
    if params.from >= params.to {
        return Err(refuse(format!(
            "from ({}) must be less than to ({})",
            params.from, params.to
        )));
    }
    if !(1..=PAGE.1).contains(&params.limit) {
        return Err(refuse(format!(
            "limit ({}) must be from 1 to {}",
            params.limit, PAGE.1
        )));
    }
    let below = match &params.cursor {
        None => None,
        Some(text) => Some(round(text).ok_or_else(|| {
            refuse("cursor: must be a next_cursor of the page before".to_owned())
        })?),
    };
    Ok(HistoryQuery {
        feed,
        from_ms: params.from,
        to_ms: params.to,
        below,
        limit: params.limit,
    })
}

/// Rendered JSON inside other JSON.
pub(super) fn raw(rendered: &Bytes) -> Box<RawValue> {
    let text = String::from_utf8_lossy(rendered).into_owned();
    RawValue::from_string(text).unwrap_or_default()
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AtParams {
    /// The instant, Unix milliseconds.
    timestamp_ms: u64,
    /// The suite of the update: one of those that the network signs with; by default its first.
    #[param(value_type = Option<String>, example = "secp256k1-keccak")]
    suite: Option<Suite>,
}

/// The prices around an instant.
#[derive(Serialize, ToSchema)]
pub(super) struct AtView {
    /// The last price at or before the instant.
    before: Price,
    /// The next one after it; null if there is none yet.
    after: Option<Price>,
}

/// The last signed price at or before an instant with the next one after it, so that a settlement price cannot be picked.
#[utoipa::path(get, path = "/v1/feeds/{feed}/at", tag = "prices",
    params(("feed" = String, Path, example = "BTC-USD"), AtParams),
    responses(
        (status = 200, body = AtView),
        (status = 400, body = ProblemView, content_type = "application/problem+json"),
        (status = 404, body = ProblemView, content_type = "application/problem+json")))]
pub(super) async fn at(
    State(api): State<ApiState>,
    KnownFeed(feed): KnownFeed,
    Params(params): Params<AtParams>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let suite = suite(&api, params.suite)?;
    let around = api.store.neighbours(params.timestamp_ms).await?;
    let none = || {
        let detail = format!(
            "{feed}: nothing is stored at or before {}",
            params.timestamp_ms
        );
        Problem::new(Code::NoPriceBefore, detail)
    };
    let before = around.before.ok_or_else(none)?;
    let price = before.feed(feed, suite).ok_or_else(none)?;
    let after = around
        .after
        .as_ref()
        .and_then(|r| Some((r, r.feed(feed, suite)?)));
    let mut body = BytesMut::from(&b"{\"before\":"[..]);
    body.put_slice(&price.json);
    body.put_slice(b",\"after\":");
    body.put_slice(after.map_or(&b"null"[..], |(_, rendered)| &rendered.json));
    body.put_slice(b"}");
    let next = after.map(|(r, _)| r.round());
    let tag = format!(
        "{}-{}-{}",
        before.round(),
        next.map_or(0, |r| r.0),
        suite.byte()
    );
    // Neighbours in number leave no room for another round between them.
    let lifetime = if next == Some(before.round().saturating_add(1)) {
        Lifetime::Immutable
    } else {
        Lifetime::Seconds(1)
    };
    Ok(answer(
        &headers,
        &tag,
        lifetime,
        Encoding::Json,
        body.freeze(),
    ))
}
