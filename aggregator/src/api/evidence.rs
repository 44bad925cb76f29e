//! Proofs of members' misbehaviour.

use axum::{
    RequestPartsExt as _,
    extract::{FromRequestParts, Path, State},
    http::{HeaderMap, HeaderValue, header, request},
    response::Response,
};
use serde::{Deserialize, Serialize};
use touchstone_types::{Digest, MemberId};
use utoipa::{IntoParams, ToSchema};

use super::{
    ApiState, Code, Encoding, Problem, ProblemView,
    cache::{Lifetime, answer},
    extract::{Params, round},
};
use crate::{
    render::{EvidenceView, json},
    store::EvidenceQuery,
};

/// Page size, by default and at most.
const PAGE: (u32, u32) = (50, 200);

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EvidenceParams {
    /// Only against this member.
    member: Option<u16>,
    /// Only about this round.
    round: Option<String>,
    /// At most so many items, 1 to 200.
    #[serde(default = "page")]
    #[param(default = 50, minimum = 1, maximum = 200)]
    limit: u32,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

fn page() -> u32 {
    PAGE.0
}

/// A page of evidence.
#[derive(Serialize, ToSchema)]
pub(super) struct EvidencePage {
    /// Newest first, in the order in which they came here.
    items: Vec<EvidenceView>,
    /// Where the next (older) page starts; null on the last one.
    next_cursor: Option<String>,
}

/// Who is proved to have misbehaved, newest first. Every item can be checked with `touchstone evidence verify` and the pin;
/// at most 16 of a kind are kept against one member of an epoch.
#[utoipa::path(get, path = "/v1/evidence", tag = "evidence", params(EvidenceParams),
    responses(
        (status = 200, body = EvidencePage),
        (status = 304, description = "as the ETag says"),
        (status = 400, body = ProblemView, content_type = "application/problem+json")))]
pub(super) async fn list(
    State(api): State<ApiState>,
    Params(params): Params<EvidenceParams>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let rows = api.store.evidence(query(&params)?).await?;
    let full = rows.len() >= usize::try_from(params.limit).unwrap_or(usize::MAX);
    let next = rows.last().filter(|_| full).map(|row| row.number());
    let newest = rows.first().map_or(0, |row| row.number());
    let tag = format!("e{newest}-{}-{}", rows.len(), next.unwrap_or_default());
    let body = json(&EvidencePage {
        items: rows.iter().map(EvidenceView::from).collect(),
        next_cursor: next.map(|number| number.to_string()),
    });
    Ok(answer(
        &headers,
        &tag,
        Lifetime::Seconds(1),
        Encoding::Json,
        body,
    ))
}

fn query(params: &EvidenceParams) -> Result<EvidenceQuery, Problem> {
    let refuse = |detail: String| Problem::new(Code::InvalidQuery, detail);
    if !(1..=PAGE.1).contains(&params.limit) {
        return Err(refuse(format!(
            "limit ({}) must be from 1 to {}",
            params.limit, PAGE.1
        )));
    }
    let number = |name: &str, text: &Option<String>, must: &str| match text {
        None => Ok(None),
        Some(text) => round(text)
            .map(Some)
            .ok_or_else(|| refuse(format!("{name}: {must}"))),
    };
    let cursor = number(
        "cursor",
        &params.cursor,
        "must be a next_cursor of the page before",
    )?;
    Ok(EvidenceQuery {
        member: params.member.map(MemberId),
        round: number(
            "round",
            &params.round,
            "must be a number from 0 to 2^63 - 1",
        )?,
        below: cursor.map(|number| number.0),
        limit: params.limit,
    })
}

/// The name of a record, from the path.
pub(super) struct EvidenceId(Digest);

impl<S: Send + Sync> FromRequestParts<S> for EvidenceId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut request::Parts, _: &S) -> Result<Self, Problem> {
        let Path(text) = parts
            .extract::<Path<String>>()
            .await
            .map_err(|e| Problem::new(Code::InvalidPath, e.body_text()))?;
        Digest::from_hex(&text).map(Self).map_err(|_| {
            let detail = format!("{text:?}: the id of evidence is 64 hexadecimal digits");
            Problem::new(Code::InvalidPath, detail)
        })
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RecordParams {
    /// `binary` (default) for the file that `touchstone evidence verify` reads, or `json`.
    #[serde(default = "binary")]
    #[param(inline)]
    encoding: Encoding,
}

fn binary() -> Encoding {
    Encoding::Binary
}

/// One record, as a file.
#[utoipa::path(get, path = "/v1/evidence/{id}", tag = "evidence",
    params(("id" = String, Path), RecordParams),
    responses(
        (status = 200, description = "with encoding=json an EvidenceView", content(
            (Vec<u8> = "application/octet-stream"), (EvidenceView = "application/json"))),
        (status = 304, description = "as the ETag says"),
        (status = 400, body = ProblemView, content_type = "application/problem+json"),
        (status = 404, body = ProblemView, content_type = "application/problem+json")))]
pub(super) async fn record(
    State(api): State<ApiState>,
    EvidenceId(id): EvidenceId,
    Params(params): Params<RecordParams>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Some(row) = api.store.evidence_by_id(id).await? else {
        let detail = format!("{id}: no such evidence is stored");
        return Err(Problem::new(Code::UnknownEvidence, detail));
    };
    let body = match params.encoding {
        Encoding::Json => json(&EvidenceView::from(&row)),
        Encoding::Binary => row.bytes().to_vec().into(),
    };
    let tag = format!("e{id}");
    let mut response = answer(&headers, &tag, Lifetime::Immutable, params.encoding, body);
    if params.encoding == Encoding::Binary
        && let Ok(name) = HeaderValue::try_from(format!("attachment; filename=\"{id}.evidence\""))
    {
        response
            .headers_mut()
            .insert(header::CONTENT_DISPOSITION, name);
    }
    Ok(response)
}
