//! What must hold of a network whatever has happened to it.

use std::{
    collections::BTreeMap,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use serde::Serialize;
use serde_json::Value;
use touchstone_client::{Verifier, http::Client, recompute::recompute};
use touchstone_types::{Round, Statement};

use super::{Network, until};

/// How long the aggregator may take to fetch what it has missed.
const BACKFILL_PATIENCE: Duration = Duration::from_secs(30);
/// Counters of what no honest member does.
const ACCUSATIONS: [&str; 3] = [
    "touchstone_faults_total",
    "touchstone_bad_messages_total",
    "touchstone_peer_violations_total",
];

/// The outcome.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Audit {
    /// Attested rounds, each verified as every member and the aggregator have it.
    pub rounds: usize,
    /// What does not hold.
    pub findings: Vec<String>,
}

pub(super) async fn run(network: &Network) -> anyhow::Result<Audit> {
    let statements = network.record().statements();
    let mut findings = aggregator(network, &statements).await?;
    // After the aggregator, which takes its time: whatever the members attest meanwhile is looked at, too.
    findings.extend(network.record().findings());
    for member in network.members() {
        let id = member.id();
        let files = evidence_in(member.folder())?;
        let accusation =
            |file: &PathBuf| format!("member {id} accuses somebody: {}", file.display());
        findings.extend(files.iter().map(accusation));
        if !member.is_up() {
            continue;
        }
        for counter in ACCUSATIONS {
            let count = member.counter(counter).await?;
            if count > 0 {
                findings.push(format!("member {id} counts {count} {counter}"));
            }
        }
    }
    Ok(Audit {
        rounds: statements.len(),
        findings,
    })
}

/// The records that a member keeps, each in a file of its own.
fn evidence_in(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let folder = folder.join("evidence");
    let entries = match fs::read_dir(&folder) {
        // It is made for the first record.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.with_context(|| folder.display().to_string())?,
    };
    entries.map(|entry| Ok(entry?.path())).collect()
}

/// Fetches every round from the aggregator as a consumer does, and raises what differs.
async fn aggregator(
    network: &Network,
    statements: &BTreeMap<Round, Statement>,
) -> anyhow::Result<Vec<String>> {
    let verifier = Verifier::from_pin(network.pin())?;
    let client = Client::builder(verifier).endpoint(network.api()).build()?;
    let mut findings = Vec::new();
    for (round, statement) in statements {
        let mut error = String::new();
        let what = format!("the aggregator has round {round}");
        let fetched = until(&what, BACKFILL_PATIENCE, async || {
            let answer = client.round(*round).await;
            answer.map_err(|refusal| error = refusal.to_string()).ok()
        });
        let (attestation, observations) = match fetched.await {
            Ok(fetched) => fetched,
            Err(late) => {
                findings.push(format!("{late}: {error}"));
                // One is enough to wait for.
                break;
            }
        };
        if attestation.statement != *statement {
            findings.push(format!(
                "round {round}: the aggregator has another statement than the members"
            ));
        }
        let recomputed = recompute(
            network.pin(),
            client.verifier(),
            &attestation,
            &observations,
        );
        match recomputed {
            Ok(recomputed) if recomputed.agrees() => {}
            Ok(_) => findings.push(format!(
                "round {round}: the aggregator's observations give another report"
            )),
            Err(error) => findings.push(format!("round {round} at the aggregator: {error}")),
        }
    }
    let evidence = page(network, "/v1/evidence").await?;
    let records = evidence.get("items").and_then(Value::as_array);
    let records = records.context("evidence at the aggregator")?.iter();
    findings.extend(records.map(|record| format!("the aggregator has evidence: {record}")));
    let ready = page(network, "/readyz").await?;
    let alarms = ready
        .get("alarms")
        .and_then(Value::as_array)
        .context("alarms of the aggregator")?;
    findings.extend(
        alarms
            .iter()
            .map(|alarm| format!("the aggregator is alarmed: {alarm}")),
    );
    let sources = ready
        .get("sources")
        .and_then(Value::as_array)
        .context("sources of the aggregator")?;
    let refused = sources
        .iter()
        .filter(|s| s.get("refused").and_then(Value::as_u64) != Some(0));
    findings.extend(refused.map(|source| format!("the aggregator refused something: {source}")));
    Ok(findings)
}

/// A page of the aggregator.
async fn page(network: &Network, path: &str) -> anyhow::Result<Value> {
    let http = reqwest::Client::builder().no_proxy().build()?;
    let url = format!("{}{path}", network.api());
    let answer = http.get(url).send().await?;
    Ok(serde_json::from_slice(&answer.bytes().await?)?)
}
