//! Health and metrics.

use axum::{
    Json,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{ApiState, Code, Problem};
use crate::config::unix_ms;

/// That the process lives.
#[derive(Serialize, ToSchema)]
pub(super) struct HealthView {
    /// Always `ok`.
    status: &'static str,
}

/// Whether the aggregator should be asked for prices.
#[derive(Serialize, ToSchema)]
pub(super) struct ReadyView {
    /// Whether there is no reason against it.
    ready: bool,
    /// What speaks against it.
    reasons: Vec<Reason>,
    /// What an operator must look at, though it serves.
    alarms: Vec<Reason>,
    /// The newest round.
    newest_round: Option<u64>,
    /// Its age in milliseconds.
    newest_age_ms: Option<u64>,
    /// Missing rounds that are being asked for.
    missing_rounds: u64,
    /// The sources.
    sources: Vec<SourceReport>,
}

/// A reason.
#[derive(Serialize, ToSchema)]
pub(super) struct Reason {
    /// A stable name.
    code: &'static str,
    /// What exactly.
    detail: String,
}

/// A source.
#[derive(Serialize, ToSchema)]
pub(super) struct SourceReport {
    /// Who.
    source: String,
    /// Whether its stream is open.
    connected: bool,
    /// How much of what it sent was refused.
    refused: u64,
}

/// That the process lives.
#[utoipa::path(get, path = "/healthz", tag = "operation", responses((status = 200, body = HealthView)))]
pub(super) async fn healthz() -> Json<HealthView> {
    Json(HealthView { status: "ok" })
}

/// Whether the aggregator should be asked for prices, and if not, why.
#[utoipa::path(get, path = "/readyz", tag = "operation",
    responses((status = 200, body = ReadyView), (status = 503, body = ReadyView)))]
pub(super) async fn readyz(State(api): State<ApiState>) -> Response {
    let view = report(&api);
    let status = if view.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let mut response = (status, Json(view)).into_response();
    let store = HeaderValue::from_static("no-store");
    response.headers_mut().insert(header::CACHE_CONTROL, store);
    response
}

fn report(api: &ApiState) -> ReadyView {
    let reason = |code, detail: String| Reason { code, detail };
    let latest = api.live.latest();
    let age = latest
        .as_ref()
        .map(|r| unix_ms().saturating_sub(r.timestamp_ms()));
    let max = api.limits.ready_age_ms;
    let mut reasons = Vec::new();
    match age {
        None => reasons.push(reason("no-data", "no round has arrived yet".to_owned())),
        Some(age) if age > max => {
            reasons.push(reason(
                "stale",
                format!("the newest round is {age} ms old, at most {max}"),
            ));
        }
        Some(_) => {}
    }
    let sources = api.sources.snapshot();
    if !sources.iter().any(|(_, s)| s.connected) {
        reasons.push(reason(
            "no-source",
            format!("none of {} sources is connected", sources.len()),
        ));
    }
    if api.health.is_failing() {
        reasons.push(reason(
            "storage",
            "the last write to the database failed".to_owned(),
        ));
    }
    let mut alarms = Vec::new();
    let equivocations = api.health.equivocations();
    if equivocations > 0 {
        let detail =
            format!("{equivocations} times a second statement was signed for a stored round");
        alarms.push(reason("equivocation", detail));
    }
    ReadyView {
        ready: reasons.is_empty(),
        reasons,
        alarms,
        newest_round: latest.as_ref().map(|r| r.round().0),
        newest_age_ms: age,
        missing_rounds: api.tracker.missing(),
        sources: sources
            .into_iter()
            .map(|(source, state)| SourceReport {
                source: source.to_string(),
                connected: state.connected,
                refused: state.refused,
            })
            .collect(),
    }
}

/// Metrics in the text format of Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "operation",
    responses((status = 200, body = String, content_type = "text/plain; version=0.0.4")))]
pub(super) async fn metrics(State(api): State<ApiState>) -> Result<Response, Problem> {
    let handle = api.metrics.as_ref().ok_or_else(|| {
        Problem::new(
            Code::NotFound,
            "metrics are recorded elsewhere in this process",
        )
    })?;
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    Ok((kind, handle.render()).into_response())
}
