//! What the node counts, in the form that Prometheus reads. Each node has its own recorder, so that several can live in one
//! process.

use std::fmt::Display;

use metrics::{
    Counter, Gauge, Histogram, counter, describe_counter, describe_gauge, describe_histogram,
    gauge, histogram, with_local_recorder,
};
use metrics_exporter_prometheus::{
    Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};
use touchstone_consensus::Closing;
use touchstone_feeds::SourceHealth;
use touchstone_transport::MeshMetrics;
use touchstone_types::MemberId;

const LATENCY: &str = "touchstone_round_latency_seconds";
/// Bounds of the latency histogram's buckets, in seconds.
const LATENCY_BUCKETS: [f64; 26] = [
    0.001, 0.002, 0.003, 0.004, 0.005, 0.006, 0.008, 0.01, 0.0125, 0.015, 0.02, 0.025, 0.03, 0.04,
    0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.35, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// The node's counters.
pub(crate) struct Metrics {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    signed: Counter,
    missed: Counter,
    expired: Counter,
    pub(crate) latency: Histogram,
    pub(crate) views: Counter,
    pub(crate) observations: Counter,
    pub(crate) withheld: Counter,
    pub(crate) shares_refused: Counter,
    pub(crate) frames_dropped: Counter,
    pub(crate) clock_alarms: Counter,
    pub(crate) clock_trusted: Gauge,
    pub(crate) clock_offset: Gauge,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let buckets = Matcher::Full(LATENCY.to_owned());
        let builder = PrometheusBuilder::new().set_buckets_for_metric(buckets, &LATENCY_BUCKETS);
        let recorder = builder
            .map(PrometheusBuilder::build_recorder)
            .unwrap_or_else(|error| {
                // The list of buckets is not empty, which is all that is asked of it.
                tracing::error!(%error, "the latency histogram has no buckets");
                PrometheusBuilder::new().build_recorder()
            });
        let handle = recorder.handle();
        with_local_recorder(&recorder, describe);
        let round = |end: &'static str| {
            with_local_recorder(
                &recorder,
                || counter!("touchstone_rounds_total", "end" => end),
            )
        };
        let count = |name: &'static str| with_local_recorder(&recorder, || counter!(name));
        let level = |name: &'static str| with_local_recorder(&recorder, || gauge!(name));
        let metrics = Self {
            signed: round("attested"),
            missed: round("missed"),
            expired: round("expired"),
            latency: with_local_recorder(&recorder, || histogram!(LATENCY)),
            views: count("touchstone_views_total"),
            observations: count("touchstone_observations_total"),
            withheld: count("touchstone_observations_withheld_total"),
            shares_refused: count("touchstone_shares_refused_total"),
            frames_dropped: count("touchstone_verify_dropped_total"),
            clock_alarms: count("touchstone_clock_alarms_total"),
            clock_trusted: level("touchstone_clock_trusted"),
            clock_offset: level("touchstone_clock_offset_seconds"),
            recorder,
            handle,
        };
        metrics.clock_trusted.set(1.0);
        metrics
    }

    pub(crate) fn round_closed(&self, closing: Closing) {
        match closing {
            Closing::Signed => self.signed.increment(1),
            Closing::Missed => self.missed.increment(1),
            Closing::Expired => self.expired.increment(1),
        }
    }

    pub(crate) fn bad_message(&self, peer: MemberId, reason: &'static str) {
        self.within(|| counter!("touchstone_bad_messages_total", "peer" => peer.to_string(), "reason" => reason).increment(1));
    }

    pub(crate) fn fault(&self, kind: &'static str) {
        self.within(|| counter!("touchstone_faults_total", "kind" => kind).increment(1));
    }

    pub(crate) fn usable_share(&self, epoch: impl Display, suite: impl Display) {
        let (epoch, suite) = (epoch.to_string(), suite.to_string());
        self.within(|| {
            gauge!("touchstone_has_usable_share", "epoch" => epoch, "suite" => suite).set(1.0);
        });
    }

    /// A level that is known at the time of asking only.
    pub(crate) fn level(&self, name: &'static str, value: usize) {
        self.within(|| gauge!(name).set(float(value)));
    }

    pub(crate) fn links(&self, mesh: &MeshMetrics) {
        self.within(|| {
            let up = mesh
                .peers
                .iter()
                .filter(|p| p.outbound_up && p.inbound_up)
                .count();
            gauge!("touchstone_peers_up").set(float(up));
            for p in &mesh.peers {
                let peer = p.peer.to_string();
                gauge!("touchstone_peer_up", "peer" => peer.clone()).set(
                    if p.outbound_up && p.inbound_up {
                        1.0
                    } else {
                        0.0
                    },
                );
                gauge!("touchstone_peer_rtt_seconds", "peer" => peer.clone())
                    .set(p.rtt.as_secs_f64());
                gauge!("touchstone_peer_outbox_frames", "peer" => peer.clone())
                    .set(float(p.outbox_frames));
                gauge!("touchstone_peer_outbox_bytes", "peer" => peer.clone())
                    .set(float(p.outbox_bytes));
                for (name, value) in [
                    ("touchstone_peer_frames_out_total", p.frames_out),
                    ("touchstone_peer_bytes_out_total", p.bytes_out),
                    ("touchstone_peer_frames_in_total", p.frames_in),
                    ("touchstone_peer_bytes_in_total", p.bytes_in),
                    ("touchstone_peer_frames_dropped_total", p.frames_dropped),
                    ("touchstone_peer_connects_total", p.connects),
                    ("touchstone_peer_connect_failures_total", p.connect_failures),
                    ("touchstone_peer_violations_total", p.violations),
                ] {
                    counter!(name, "peer" => peer.clone()).absolute(value);
                }
            }
            counter!("touchstone_unknown_identities_total").absolute(mesh.unknown_identities);
            counter!("touchstone_handshakes_refused_total").absolute(mesh.handshakes_refused);
            counter!("touchstone_handshakes_failed_total").absolute(mesh.handshakes_failed);
            let observers = &mesh.observers;
            gauge!("touchstone_observers").set(float(observers.sessions));
            counter!("touchstone_observers_refused_total").absolute(observers.refused);
            counter!("touchstone_observers_expelled_total").absolute(observers.expelled);
            counter!("touchstone_observer_items_total").absolute(observers.items_out);
            counter!("touchstone_observer_bytes_total").absolute(observers.bytes_out);
            counter!("touchstone_observer_lags_total").absolute(observers.lagged);
        });
    }

    pub(crate) fn sources(&self, health: &[SourceHealth]) {
        self.within(|| {
            for source in health {
                let c = &source.counters;
                for (outcome, value) in [
                    ("ok", c.ok),
                    ("http_error", c.http_error),
                    ("timeout", c.timeout),
                    ("parse_error", c.parse_error),
                    ("rate_limited", c.rate_limited),
                    ("refused", c.refused),
                ] {
                    counter!("touchstone_source_requests_total", "source" => source.source.clone(), "outcome" => outcome)
                        .absolute(value);
                }
            }
        });
    }

    /// The text that Prometheus reads.
    pub(crate) fn render(&self) -> String {
        self.handle.run_upkeep();
        self.handle.render()
    }

    fn within(&self, record: impl FnOnce()) {
        with_local_recorder(&self.recorder, record);
    }
}

/// Exact up to 2^53.
fn float(value: impl TryInto<u64>) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "a metric, and counts stay far below 2^53"
    )]
    let float = value.try_into().unwrap_or(u64::MAX) as f64;
    float
}

fn describe() {
    describe_counter!(
        "touchstone_rounds_total",
        "Rounds that ended, by how they ended"
    );
    describe_histogram!(
        LATENCY,
        "From a round's start by the own clock to its attestation"
    );
    describe_counter!("touchstone_views_total", "Asynchronous views entered");
    describe_counter!("touchstone_observations_total", "Observations made");
    describe_counter!(
        "touchstone_observations_withheld_total",
        "Observations not made because the clock is not trusted"
    );
    describe_counter!(
        "touchstone_shares_refused_total",
        "Signature shares that the vault did not make"
    );
    describe_counter!(
        "touchstone_verify_dropped_total",
        "Messages dropped because their sender's queue was full"
    );
    describe_counter!(
        "touchstone_bad_messages_total",
        "Messages refused, by member and reason"
    );
    describe_counter!(
        "touchstone_faults_total",
        "Proven or observed misbehaviour of members, by kind"
    );
    describe_counter!(
        "touchstone_clock_alarms_total",
        "Times that the own clock lost its trust"
    );
    describe_gauge!(
        "touchstone_evidence_records",
        "Proofs of misbehaviour that the node holds"
    );
    describe_gauge!(
        "touchstone_clock_trusted",
        "Whether the own clock is trusted"
    );
    describe_gauge!(
        "touchstone_clock_offset_seconds",
        "Median of the members' clocks minus the own clock"
    );
    describe_gauge!(
        "touchstone_has_usable_share",
        "Whether the share in use is the one behind the verifying share"
    );
    describe_gauge!(
        "touchstone_peers_up",
        "Members whose links stand in both directions"
    );
    describe_gauge!(
        "touchstone_verify_waiting",
        "Messages that wait for their check"
    );
    describe_gauge!(
        "touchstone_vault_waiting",
        "Requests that wait for the vault"
    );
    describe_gauge!("touchstone_rounds_alive", "Rounds at work");
    describe_gauge!("touchstone_history_memory_rounds", "Attestations in memory");
    describe_gauge!("touchstone_history_disk_rounds", "Attestations on disk");
    describe_counter!(
        "touchstone_source_requests_total",
        "Requests to exchanges, by source and outcome"
    );
    describe_counter!(
        "touchstone_unknown_identities_total",
        "Callers of the member protocol whose key is no member's"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_nodes_in_one_process_count_apart() {
        let (one, two) = (Metrics::new(), Metrics::new());
        one.round_closed(Closing::Signed);
        one.bad_message(MemberId(3), "signature");
        one.latency.record(0.012);
        let text = one.render();
        assert!(
            text.contains("touchstone_rounds_total{end=\"attested\"} 1"),
            "{text}"
        );
        assert!(
            text.contains("touchstone_bad_messages_total{peer=\"3\",reason=\"signature\"} 1"),
            "{text}"
        );
        assert!(
            text.contains("touchstone_round_latency_seconds_bucket{le=\"0.02\"} 1"),
            "{text}"
        );
        assert!(
            text.contains("touchstone_round_latency_seconds_bucket{le=\"0.01\"} 0"),
            "{text}"
        );
        assert!(
            two.render()
                .contains("touchstone_rounds_total{end=\"attested\"} 0")
        );
    }
}
