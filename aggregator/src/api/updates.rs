//! Several feeds under one signature.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use touchstone_types::{Suite, sha256};
use utoipa::{IntoParams, ToSchema};

use super::{
    ApiState, Encoding, Problem, ProblemView,
    cache::{Lifetime, answer},
    extract::{Params, feed, feed_list, suite},
    feeds::{newest, raw},
};
use crate::render::{Price, base64, json};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct UpdateParams {
    /// Names with commas between them, 1 to 255.
    #[param(example = "BTC-USD,ETH-USD")]
    feeds: String,
    /// `json` (default), or `binary` for the raw price update; then an unknown feed is 422.
    #[serde(default)]
    #[param(inline)]
    encoding: Encoding,
    /// The suite of the update: one of those that the network signs with; by default its first.
    #[param(value_type = Option<String>, example = "secp256k1-keccak")]
    suite: Option<Suite>,
}

/// Several feeds of one round.
#[derive(Serialize, ToSchema)]
pub(super) struct UpdatesView {
    /// The prices, in the order asked for.
    items: Vec<Price>,
    /// What could not be given.
    errors: Vec<ItemError>,
    /// All items under one signature: the binary price update, Base64.
    update: String,
}

/// Why one feed is not among the items.
#[derive(Clone, Serialize, ToSchema)]
pub(super) struct ItemError {
    /// As it was asked for.
    feed: String,
    /// `unknown-feed` or `invalid-feed-name`.
    #[schema(example = "unknown-feed")]
    code: &'static str,
}

#[derive(Serialize)]
struct Page {
    items: Vec<Box<RawValue>>,
    errors: Vec<ItemError>,
    update: String,
}

/// The newest prices of several feeds: one signature, and an error of its own for each feed that is not there.
#[utoipa::path(get, path = "/v1/updates/latest", tag = "prices", params(UpdateParams),
    responses(
        (status = 200, body = UpdatesView),
        (status = 304, description = "as the ETag says"),
        (status = 400, body = ProblemView, content_type = "application/problem+json"),
        (status = 404, body = ProblemView, content_type = "application/problem+json", description = "none of the feeds is known"),
        (status = 422, body = ProblemView, content_type = "application/problem+json", description = "binary, and a feed is not known")))]
pub(super) async fn latest(
    State(api): State<ApiState>,
    Params(params): Params<UpdateParams>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let names = feed_list(&params.feeds)?;
    let suite = suite(&api, params.suite)?;
    let round = newest(&api)?;
    let (mut indices, mut items, mut errors) = (Vec::new(), Vec::new(), Vec::new());
    let mut first_problem = None;
    for name in names {
        let found = feed(&api, name).and_then(|feed| {
            let gone = || {
                Problem::new(
                    super::Code::UnknownFeed,
                    format!("{feed}: not in the newest epoch"),
                )
            };
            let index = round.index(feed).ok_or_else(gone)?;
            Ok((index, round.feed(feed, suite).ok_or_else(gone)?))
        });
        match found {
            Ok((index, rendered)) => {
                indices.push(index);
                items.push(&rendered.json);
            }
            Err(problem) => {
                let code = problem.code().text();
                errors.push(ItemError {
                    feed: name.to_owned(),
                    code,
                });
                first_problem.get_or_insert(problem);
            }
        }
    }
    if let Some(problem) = first_problem {
        if params.encoding == Encoding::Binary {
            return Ok(problem
                .with_status(StatusCode::UNPROCESSABLE_ENTITY)
                .into_response());
        }
        if items.is_empty() {
            return Ok(problem.with_status(StatusCode::NOT_FOUND).into_response());
        }
    }
    let update = round
        .update(&indices, suite)
        .ok_or_else(|| Problem::new(super::Code::Internal, "no update of these feeds"))?;
    let asked: String = sha256(&[params.feeds.as_bytes()])
        .to_string()
        .chars()
        .take(16)
        .collect();
    let tag = format!("{}-{}-{asked}", round.round(), suite.byte());
    let body = match params.encoding {
        Encoding::Binary => update.to_bytes().into(),
        Encoding::Json => json(&Page {
            items: items.into_iter().map(raw).collect(),
            errors,
            update: base64(&update),
        }),
    };
    Ok(answer(
        &headers,
        &tag,
        Lifetime::Seconds(1),
        params.encoding,
        body,
    ))
}
