//! The local HTTP port: `/healthz`, `/readyz`, `/metrics`, `/status`, `/evidence`.

use std::{sync::Arc, time::Instant};

use axum::{
    Json, Router,
    extract::{Query, State},
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use touchstone_transport::Mesh;
use touchstone_types::MemberId;

use crate::{
    engine::{Prices, SharedView, View, unix_ms, verify::VerifyPool},
    evidence::EvidenceStore,
    history::History,
    network::Network,
    telemetry::Metrics,
};

/// Without an attestation for so long, or for so many intervals if that is longer, a node is not ready.
const SILENCE_MS: u64 = 10_000;
const SILENCE_INTERVALS: u64 = 10;

/// What a running node shows.
pub(crate) struct NodeState {
    pub(crate) me: MemberId,
    pub(crate) network: Network,
    pub(crate) mesh: Mesh,
    pub(crate) prices: Arc<dyn Prices>,
    pub(crate) history: Arc<History>,
    pub(crate) evidence: Arc<EvidenceStore>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) view: Arc<SharedView>,
    pub(crate) pool: Arc<VerifyPool>,
    pub(crate) started: Instant,
}

/// Serves until `stop`.
pub(crate) async fn serve(listener: TcpListener, state: Arc<NodeState>, stop: CancellationToken) {
    let served = axum::serve(listener, router(state))
        .with_graceful_shutdown(stop.cancelled_owned())
        .await;
    if let Err(error) = served {
        tracing::error!(%error, "the HTTP port is closed");
    }
}

fn router(state: Arc<NodeState>) -> Router {
    Router::new()
        .route("/healthz", get(async || Json(json!({ "ok": true }))))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route(
            "/status",
            get(async |State(state): State<Arc<NodeState>>| Json(state.status())),
        )
        .route("/evidence", get(evidence))
        .with_state(state)
}

async fn readyz(State(state): State<Arc<NodeState>>) -> impl IntoResponse {
    let reasons = state.unready(&state.view.read());
    let code = if reasons.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (
        code,
        Json(json!({ "ready": reasons.is_empty(), "reasons": reasons })),
    )
}

async fn metrics(State(state): State<Arc<NodeState>>) -> impl IntoResponse {
    let text = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, text)], state.render_metrics())
}

/// Records in one answer.
const EVIDENCE_PAGE: usize = 100;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EvidenceParams {
    /// The `next` of the answer before.
    #[serde(default)]
    from: usize,
}

async fn evidence(
    State(state): State<Arc<NodeState>>,
    Query(params): Query<EvidenceParams>,
) -> impl IntoResponse {
    Json(state.evidence.view(params.from, EVIDENCE_PAGE))
}

impl NodeState {
    pub(crate) fn render_metrics(&self) -> String {
        let view = self.view.read();
        let (memory, disk, unwritten) = self.history.counts();
        self.metrics.links(&self.mesh.metrics());
        self.metrics.sources(&self.prices.health(unix_ms()));
        self.metrics
            .level("touchstone_verify_waiting", self.pool.waiting());
        self.metrics
            .level("touchstone_vault_waiting", view.vault_waiting);
        self.metrics.level("touchstone_rounds_alive", view.alive);
        self.metrics
            .level("touchstone_history_memory_rounds", memory);
        self.metrics.level("touchstone_history_disk_rounds", disk);
        self.metrics
            .level("touchstone_evidence_records", self.evidence.len());
        self.metrics.level(
            "touchstone_history_unwritten",
            usize::try_from(unwritten).unwrap_or(usize::MAX),
        );
        self.metrics.level(
            "touchstone_round",
            usize::try_from(view.head.0).unwrap_or(usize::MAX),
        );
        let newest = view.newest.map_or(0, |round| round.0);
        self.metrics.level(
            "touchstone_newest_attested_round",
            usize::try_from(newest).unwrap_or(usize::MAX),
        );
        self.metrics.render()
    }

    /// Why the node does not do its part.
    fn unready(&self, view: &View) -> Vec<Value> {
        let mut reasons = Vec::new();
        let mut say =
            |code: &str, text: String| reasons.push(json!({ "code": code, "text": text }));
        let (now_ms, interval_ms) = (unix_ms(), self.network.manifest().interval_ms);
        let silence_ms = SILENCE_MS.max(interval_ms.saturating_mul(SILENCE_INTERVALS));
        match view.newest_at_ms {
            None => say(
                "no-attestation",
                "no round has been attested since the start".to_owned(),
            ),
            Some(at) if now_ms.saturating_sub(at) > silence_ms => {
                let age_ms = now_ms.saturating_sub(at);
                say(
                    "no-attestation",
                    format!("the last round was attested {age_ms} ms ago"),
                );
            }
            Some(_) => {}
        }
        if view.head <= view.fence {
            say(
                "fenced",
                format!(
                    "silent after a restart up to round {}, now at {}",
                    view.fence, view.head
                ),
            );
        }
        if !view.clock_trusted {
            let offset = view.clock_offset_ms.map_or_else(String::new, |o| {
                format!("; the members' median is {o} ms away")
            });
            say("clock", format!("the own clock is not trusted{offset}"));
        }
        let up = self
            .mesh
            .metrics()
            .peers
            .iter()
            .filter(|p| p.outbound_up && p.inbound_up)
            .count();
        let needed = self.network.committee().quorum().saturating_sub(1);
        if up < needed {
            say(
                "peers",
                format!("{up} members are connected, at least {needed} are needed"),
            );
        }
        let priced = view
            .observed
            .as_ref()
            .map(|o| o.feeds.iter().filter(|f| f.observation.is_some()).count());
        if priced == Some(0) {
            say("feeds", "no feed can be priced".to_owned());
        }
        reasons
    }

    /// Everything that `oracle-node status` shows.
    fn status(&self) -> Value {
        let (view, manifest, now_ms) = (self.view.read(), self.network.manifest(), unix_ms());
        let (memory, disk, unwritten) = self.history.counts();
        let reasons = self.unready(&view);
        let observed = view.observed.as_ref();
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "uptime_s": self.started.elapsed().as_secs(),
            "network": manifest.network,
            "network_id": self.network.id(),
            "group_keys": self.network.group_keys(),
            "epoch": manifest.epoch,
            "member": self.me,
            "n": self.network.committee().n(),
            "f": self.network.committee().f(),
            "interval_ms": manifest.interval_ms,
            "ready": reasons.is_empty(),
            "reasons": reasons,
            "round": view.head,
            "newest_attested": view.newest,
            "newest_attested_age_ms": view.newest_at_ms.map(|at| now_ms.saturating_sub(at)),
            "attested_since_start": view.attested,
            "rounds_alive": view.alive,
            "fence": view.fence,
            "clock": { "trusted": view.clock_trusted, "offset_ms": view.clock_offset_ms },
            "peers": self.peers(),
            "observation": observed.map(|o| json!({
                "round": o.round,
                "age_ms": now_ms.saturating_sub(o.at_ms),
                "feeds": *o.feeds,
            })),
            "sources": self.prices.health(now_ms),
            "evidence": self.evidence.len(),
            "history": { "memory_rounds": memory, "disk_rounds": disk, "unwritten": unwritten },
        })
    }

    fn peers(&self) -> Vec<Value> {
        let members = &self.network.manifest().members;
        let peer = |p: &touchstone_transport::PeerMetrics| {
            json!({
                "member": p.peer,
                "address": members.get(p.peer.index()).map(|m| &m.address),
                "outbound_up": p.outbound_up,
                "inbound_up": p.inbound_up,
                "rtt_us": u64::try_from(p.rtt.as_micros()).unwrap_or(u64::MAX),
                "frames_in": p.frames_in,
                "frames_out": p.frames_out,
                "frames_dropped": p.frames_dropped,
                "outbox_frames": p.outbox_frames,
                "violations": p.violations,
            })
        };
        self.mesh.metrics().peers.iter().map(peer).collect()
    }
}
