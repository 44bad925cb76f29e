//! Whole rounds.

use axum::{extract::State, http::HeaderMap, response::Response};
use serde::Deserialize;
use touchstone_types::Round;
use utoipa::IntoParams;

use super::{
    ApiState, Code, Encoding, Problem, ProblemView,
    cache::{Lifetime, answer},
    extract::{Params, RoundPath},
};
use crate::{
    render::{self, ObservationsView, RoundView, json},
    store::RoundRange,
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RoundParams {
    /// `json` (default), or `binary` for the raw attestation.
    #[serde(default)]
    #[param(inline)]
    encoding: Encoding,
    /// With `encoding=binary`: with the observations, if they are stored.
    #[serde(default)]
    observations: bool,
}

/// A round with every feed.
#[utoipa::path(get, path = "/v1/rounds/{round}", tag = "rounds",
    params(("round" = u64, Path), RoundParams),
    responses(
        (status = 200, body = RoundView),
        (status = 304, description = "as the ETag says"),
        (status = 400, body = ProblemView, content_type = "application/problem+json"),
        (status = 404, body = ProblemView, content_type = "application/problem+json")))]
pub(super) async fn round(
    State(api): State<ApiState>,
    RoundPath(round): RoundPath,
    Params(params): Params<RoundParams>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if params.observations {
        if params.encoding == Encoding::Json {
            let detail = "observations=true goes with encoding=binary; for JSON see /v1/rounds/{round}/observations";
            return Err(Problem::new(Code::InvalidQuery, detail));
        }
        if let Some(attestation) = api.store.observations(round).await? {
            let (tag, body) = (format!("{round}-o"), attestation.to_bytes().into());
            return Ok(answer(
                &headers,
                &tag,
                Lifetime::Immutable,
                Encoding::Binary,
                body,
            ));
        }
    }
    let Some(signed) = api.store.round(round).await? else {
        return Err(missing(&api, round).await?);
    };
    let body = match params.encoding {
        Encoding::Json => json(&signed.view()),
        Encoding::Binary => signed.attestation().to_bytes().into(),
    };
    // What lacks its observations today may have them tomorrow.
    let lifetime = if params.observations {
        Lifetime::Revalidate
    } else {
        Lifetime::Immutable
    };
    Ok(answer(
        &headers,
        &round.to_string(),
        lifetime,
        params.encoding,
        body,
    ))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NoParams {}

/// The signed observations behind a round, from which everybody can recompute its prices.
#[utoipa::path(get, path = "/v1/rounds/{round}/observations", tag = "rounds",
    params(("round" = u64, Path)),
    responses(
        (status = 200, body = ObservationsView),
        (status = 304, description = "as the ETag says"),
        (status = 400, body = ProblemView, content_type = "application/problem+json"),
        (status = 404, body = ProblemView, content_type = "application/problem+json")))]
pub(super) async fn observations(
    State(api): State<ApiState>,
    RoundPath(round): RoundPath,
    Params(NoParams {}): Params<NoParams>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if let Some(attestation) = api.store.observations(round).await? {
        let body = json(&render::observations(&attestation));
        let tag = format!("{round}-o");
        return Ok(answer(
            &headers,
            &tag,
            Lifetime::Immutable,
            Encoding::Json,
            body,
        ));
    }
    Err(match api.store.round(round).await? {
        Some(_) => {
            let detail = format!("round {round} is stored without its observations");
            Problem::new(Code::NoObservations, detail)
        }
        None => missing(&api, round).await?,
    })
}

/// Why a round is not there.
async fn missing(api: &ApiState, round: Round) -> Result<Problem, Problem> {
    let range = RoundRange {
        first: round,
        last: round,
    };
    Ok(if api.store.missed(range).await?.is_empty() {
        Problem::new(Code::UnknownRound, format!("round {round} is not stored"))
    } else {
        Problem::new(
            Code::MissedRound,
            format!("round {round}: no source had it"),
        )
    })
}
