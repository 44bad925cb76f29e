//! What must hold of a network whatever has happened to it.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

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
        for file in evidence_in(member.folder())? {
            let text = fs::read_to_string(&file).unwrap_or_default();
            findings.push(format!(
                "member {id} accuses somebody: {}: {text}",
                file.display()
            ));
        }
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

/// Files of evidence that are not empty.
fn evidence_in(folder: &Path) -> anyhow::Result<Vec<std::path::PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        let of_evidence = entry.file_name().to_string_lossy().starts_with("evidence");
        if of_evidence && entry.metadata()?.len() > 0 {
            found.push(entry.path());
        }
    }
    Ok(found)
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
    let http = reqwest::Client::builder().no_proxy().build()?;
    let ready = http.get(format!("{}/readyz", network.api())).send().await?;
    let ready: Value = serde_json::from_slice(&ready.bytes().await?)?;
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
