//! The HTTP API. Everything it serves is signed or says nothing that matters.
#![allow(
    unused_qualifications,
    reason = "utoipa's path attribute qualifies the names that it is given"
)]

mod cache;
mod evidence;
mod extract;
mod feeds;
mod guard;
mod health;
mod network;
mod problem;
mod rounds;
mod stream;
mod updates;

use std::sync::Arc;

use axum::{
    Router,
    http::{HeaderName, Method, header},
    middleware,
};
use bytes::Bytes;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower_http::cors::{Any, CorsLayer};
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};
use utoipa_swagger_ui::SwaggerUi;

pub use extract::Encoding;
pub(crate) use guard::one_address;
pub use guard::{Peer, RateLimit};
pub use problem::{Code, Problem, ProblemView};

use crate::{
    collect::{Sources, Tracker},
    config::Limits,
    live::Live,
    network::Network,
    store::Store,
    writer::Health,
};

/// What the handlers share.
pub struct Api {
    network: Arc<Network>,
    store: Arc<Store>,
    live: Live,
    tracker: Arc<Tracker>,
    sources: Arc<Sources>,
    health: Arc<Health>,
    limits: Limits,
    rate: RateLimit,
    streams: Arc<Semaphore>,
    metrics: Option<PrometheusHandle>,
    shutdown: CancellationToken,
    network_json: Bytes,
    feeds_json: Bytes,
}

/// The shared state of the router.
pub type ApiState = Arc<Api>;

/// What an [`Api`] is made of.
pub struct Parts {
    /// The network.
    pub network: Arc<Network>,
    /// The database.
    pub store: Arc<Store>,
    /// The newest round.
    pub live: Live,
    /// Missing rounds.
    pub tracker: Arc<Tracker>,
    /// The sources.
    pub sources: Arc<Sources>,
    /// The writer's health.
    pub health: Arc<Health>,
    /// The bounds.
    pub limits: Limits,
    /// Where `/metrics` reads.
    pub metrics: Option<PrometheusHandle>,
    /// Ends the streams.
    pub shutdown: CancellationToken,
}

impl Api {
    /// The state of a router.
    pub fn new(parts: Parts) -> ApiState {
        let streams = usize::try_from(parts.limits.streams).unwrap_or(usize::MAX);
        Arc::new(Self {
            network_json: network::network_json(&parts.network),
            feeds_json: network::feeds_json(&parts.network),
            rate: RateLimit::new(&parts.limits),
            streams: Arc::new(Semaphore::new(streams.min(Semaphore::MAX_PERMITS))),
            network: parts.network,
            store: parts.store,
            live: parts.live,
            tracker: parts.tracker,
            sources: parts.sources,
            health: parts.health,
            limits: parts.limits,
            metrics: parts.metrics,
            shutdown: parts.shutdown,
        })
    }

    /// The rate limit, which wants to be swept now and then.
    pub fn rate(&self) -> &RateLimit {
        &self.rate
    }
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Touchstone aggregator",
        description = "Prices that a committee signed once per round under one group key. Nothing here has to be trusted: \
            check the signature and the inclusion proof of every answer against the pinned network, and state how old a \
            price may be. Prices are decimal strings. Errors are problem+json with a stable code.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    tags(
        (name = "network", description = "What is signed, and by whom"),
        (name = "prices", description = "Signed prices"),
        (name = "rounds", description = "Whole rounds and the observations behind them"),
        (name = "evidence", description = "Proofs of members' misbehaviour"),
        (name = "operation", description = "Health and metrics")
    )
)]
struct Description;

/// The whole API.
pub fn app(state: ApiState) -> Router {
    let (router, description) = OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(network::index))
        .routes(routes!(network::network))
        .routes(routes!(network::feeds))
        .routes(routes!(feeds::latest))
        .routes(routes!(feeds::history))
        .routes(routes!(feeds::at))
        .routes(routes!(updates::latest))
        .routes(routes!(rounds::round))
        .routes(routes!(rounds::observations))
        .routes(routes!(evidence::list))
        .routes(routes!(evidence::record))
        .routes(routes!(stream::stream))
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
        .routes(routes!(health::metrics))
        .split_for_parts();
    let cors = CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::HEAD])
        .allow_headers([
            header::IF_NONE_MATCH,
            header::CACHE_CONTROL,
            HeaderName::from_static("last-event-id"),
        ])
        .expose_headers([header::ETAG, header::RETRY_AFTER])
        // The answer is the same for every origin, and a cache must know it.
        .vary([]);
    router
        .merge(SwaggerUi::new("/docs").url("/openapi.json", description))
        .fallback(guard::not_found)
        .method_not_allowed_fallback(guard::method_not_allowed)
        .layer(cors)
        .layer(middleware::from_fn_with_state(
            Arc::clone(&state),
            guard::guard,
        ))
        .with_state(state)
}
