//! What a measured run reports.

use std::collections::BTreeMap;

use serde::Serialize;
use touchstone_types::{NetworkId, Pin};

use crate::stats::{Latency, Tally};

/// The JSON object of `--rounds N --json`.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// Members of the committee.
    pub(crate) nodes: usize,
    /// Rounds from the first attested one of this start to the last.
    pub(crate) rounds: u64,
    /// How many of them the aggregator holds signed.
    pub(crate) attested: u64,
    /// How many it does not.
    pub(crate) missed: u64,
    /// From a round's start to its attestation at the aggregator's stream, in milliseconds.
    pub(crate) latency_ms: Latency,
    /// The network.
    pub(crate) network_id: NetworkId,
    /// The group key of each suite, in hexadecimal.
    pub(crate) group_key: BTreeMap<&'static str, String>,
    /// Base URL of the API.
    pub(crate) api: String,
}

impl Report {
    pub(crate) fn new(pin: &Pin, tally: &Tally, api: String) -> Self {
        let keys = &pin.genesis_record.keys;
        Self {
            nodes: pin.newest().0.members.len(),
            rounds: tally.rounds(),
            attested: tally.attested(),
            missed: tally.missed(),
            latency_ms: tally.latency(usize::MAX),
            network_id: pin.network_id(),
            group_key: keys
                .iter()
                .map(|k| (k.suite.name(), hex::encode(&k.group_key)))
                .collect(),
            api,
        }
    }
}
