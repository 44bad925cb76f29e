//! What a request asks for, or a problem that says what is wrong with it.

use axum::{
    RequestPartsExt as _,
    extract::{FromRequestParts, Path, Query},
    http::request::Parts,
};
use serde::{Deserialize, de::DeserializeOwned};
use touchstone_types::{FeedName, Round, Suite};
use utoipa::ToSchema;

use super::{ApiState, Code, Problem};

/// Query parameters; each shape refuses unknown and repeated ones.
pub(super) struct Params<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Query::try_from_uri(&parts.uri)
            .map(|Query(params)| Self(params))
            .map_err(|e| Problem::new(Code::InvalidQuery, e.body_text()))
    }
}

/// A feed of the network, from the path.
pub(super) struct KnownFeed(pub(super) FeedName);

impl FromRequestParts<ApiState> for KnownFeed {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &ApiState) -> Result<Self, Problem> {
        let Path(text) = parts
            .extract::<Path<String>>()
            .await
            .map_err(|e| Problem::new(Code::InvalidPath, e.body_text()))?;
        feed(api, &text).map(Self)
    }
}

/// Reads a feed's name and looks it up.
pub(super) fn feed(api: &ApiState, text: &str) -> Result<FeedName, Problem> {
    let feed = FeedName::new(text)
        .map_err(|e| Problem::new(Code::InvalidFeedName, format!("{text:?}: {e}")))?;
    if api.network.knows_feed(feed) {
        Ok(feed)
    } else {
        let detail = format!("{feed}: this network has no such feed; /v1/feeds lists them");
        Err(Problem::new(Code::UnknownFeed, detail))
    }
}

/// A round, from the path.
pub(super) struct RoundPath(pub(super) Round);

impl<S: Send + Sync> FromRequestParts<S> for RoundPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Path(text) = parts
            .extract::<Path<String>>()
            .await
            .map_err(|e| Problem::new(Code::InvalidPath, e.body_text()))?;
        round(&text).map(Self).ok_or_else(|| {
            Problem::new(
                Code::InvalidPath,
                format!("{text:?}: a round is a number from 0 to 2^63 - 1"),
            )
        })
    }
}

/// Reads the digits of a round.
pub(super) fn round(text: &str) -> Option<Round> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let number = digits.then(|| text.parse::<i64>().ok()).flatten()?;
    u64::try_from(number).ok().map(Round)
}

/// `feeds=A,B`: names in the order given, each once.
pub(super) fn feed_list(text: &str) -> Result<Vec<&str>, Problem> {
    let mut names: Vec<&str> = Vec::new();
    for name in text.split(',') {
        if !names.contains(&name) {
            names.push(name);
        }
        if names.len() > FEEDS_MAX {
            let detail = format!("feeds: at most {FEEDS_MAX}");
            return Err(Problem::new(Code::InvalidQuery, detail));
        }
    }
    if text.is_empty() {
        return Err(Problem::new(
            Code::InvalidQuery,
            "feeds: must name at least one feed",
        ));
    }
    Ok(names)
}

/// The suite that updates are asked for in: one that the network signs with, its first one by default.
pub(super) fn suite(api: &ApiState, asked: Option<Suite>) -> Result<Suite, Problem> {
    let Some(suite) = asked else {
        return Ok(api.network.default_suite());
    };
    let suites = api.network.suites();
    if suites.contains(&suite) {
        return Ok(suite);
    }
    let names: Vec<_> = suites.iter().map(|s| s.name()).collect();
    let detail = format!(
        "suite ({}): this network signs with {}",
        suite.name(),
        names.join(", ")
    );
    Err(Problem::new(Code::InvalidQuery, detail))
}

/// A price update has one byte for its number of entries.
const FEEDS_MAX: usize = 255;

/// How an answer is written.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// `application/json`.
    #[default]
    Json,
    /// `application/octet-stream`: the binary form.
    Binary,
}
