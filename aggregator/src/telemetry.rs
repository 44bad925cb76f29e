//! Log and metrics.

use std::{
    io::{self, IsTerminal as _},
    sync::OnceLock,
};

use metrics::{describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

use crate::config::{LogConfig, LogFormat};

const SECONDS: [f64; 12] = [
    0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 2.5, 10.0, 60.0,
];

/// Starts the log on standard error. Does nothing if the process has a log already.
pub fn start_log(config: &LogConfig) {
    let filter = EnvFilter::new(&config.filter);
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal());
    // An error means that the process logs already.
    let _ = match config.format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
}

/// The process's metrics; `None` if something else in the process records them.
pub fn start_metrics() -> Option<PrometheusHandle> {
    static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    HANDLE
        .get_or_init(|| {
            let builder = PrometheusBuilder::new().set_buckets(&SECONDS).ok()?;
            let recorder = builder.build_recorder();
            let handle = recorder.handle();
            metrics::set_global_recorder(recorder).ok()?;
            describe();
            Some(handle)
        })
        .clone()
}

fn describe() {
    describe_counter!(
        "aggregator_attestations_total",
        "Believed attestations by outcome"
    );
    describe_counter!(
        "aggregator_refused_total",
        "Attestations and evidence that were not believed, by source and reason"
    );
    describe_counter!(
        "aggregator_equivocations_total",
        "ALARM: second statements signed for a stored round"
    );
    describe_counter!(
        "aggregator_evidence_total",
        "Proofs of misbehaviour that were stored, by member and kind"
    );
    describe_counter!(
        "aggregator_missed_rounds_total",
        "Rounds that no source has"
    );
    describe_counter!("aggregator_write_failures_total", "Failed transactions");
    describe_counter!(
        "aggregator_retention_deleted_total",
        "Rounds that retention deleted"
    );
    describe_counter!("aggregator_requests_total", "Requests by route and status");
    describe_counter!(
        "aggregator_connections_refused_total",
        "Connections refused by a limit"
    );
    describe_counter!(
        "aggregator_streams_cut_off_total",
        "Event streams that were ended here, by reason"
    );
    describe_gauge!(
        "aggregator_missing_rounds",
        "Rounds that are missing and being asked for"
    );
    describe_gauge!(
        "aggregator_write_queue",
        "Attestations that wait for the writer"
    );
    describe_gauge!(
        "aggregator_source_connected",
        "1 while a source's stream is open"
    );
    describe_gauge!("aggregator_streams", "Open event streams");
    describe_gauge!("aggregator_connections", "Open connections");
    describe_histogram!(
        "aggregator_attestation_age_seconds",
        "Age of a round when it arrived"
    );
    describe_histogram!("aggregator_write_seconds", "Time to write a batch");
    describe_histogram!(
        "aggregator_request_seconds",
        "Time to make an answer, by route"
    );
}
