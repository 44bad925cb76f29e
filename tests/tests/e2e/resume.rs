//! A network can be ended at any time and in any way, and resumes where it stopped.

use std::{path::Path, process::Stdio, time::Duration};

use serde_json::Value;
use tokio::time::{sleep, timeout};

use crate::net::{Net, PATIENCE, alone, devnet, first, is_alive, send_signal, until};

/// Files that are whole or not there: a draft that was left behind would be seen here.
fn assert_nothing_half_written(dir: &Path) {
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("folder") {
            let path = entry.expect("entry").path();
            let name = path
                .file_name()
                .and_then(|n| n.to_str())
                .unwrap_or_default()
                .to_owned();
            let draft = [".tmp", ".new", ".part"]
                .iter()
                .any(|end| name.ends_with(end));
            assert!(!draft, "{} was left behind", path.display());
            assert_ne!(name, "pid", "{} was left behind", path.display());
            if path.is_dir() {
                folders.push(path);
            } else if name.ends_with(".json") {
                let text = std::fs::read(&path).expect("read");
                serde_json::from_slice::<Value>(&text)
                    .unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            } else if name.ends_with(".toml") {
                let text = std::fs::read_to_string(&path).expect("read");
                text.parse::<toml::Table>()
                    .unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            }
        }
    }
}

/// Runs to the end and gives the JSON object on the last line of standard output.
async fn measured(dir: &Path, options: &[&str]) -> Value {
    let mut options = options.to_vec();
    options.extend(["--rounds", "5", "--json"]);
    let output = timeout(PATIENCE, devnet(dir, &options).output()).await;
    let output = output.expect("it ends").expect("it runs");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{errors}");
    let text = String::from_utf8(output.stdout).expect("text");
    serde_json::from_str(text.lines().last().expect("a line")).expect("JSON")
}

#[tokio::test]
async fn a_network_that_was_ended_resumes() {
    let _alone = alone().await;
    let folder = tempfile::tempdir().expect("folder");
    let dir = folder.path().join("data");

    // Ended while its keys are being generated: there is no network yet, and the next start begins anew.
    let mut process = devnet(&dir, &first(&[]))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("started");
    until("the genesis manifest", async || {
        dir.join("genesis.json").exists().then_some(())
    })
    .await;
    send_signal("TERM", process.id().expect("running"));
    let status = timeout(PATIENCE, process.wait())
        .await
        .expect("it ends")
        .expect("status");
    assert!(status.success());

    let report = measured(&dir, &first(&[])).await;
    assert_eq!(report["nodes"], 4);
    assert!(report["attested"].as_u64() >= Some(5));
    assert_eq!(
        report["rounds"].as_u64(),
        Some(
            report["attested"].as_u64().expect("number")
                + report["missed"].as_u64().expect("number")
        )
    );
    assert!(report["latency_ms"]["p50"].as_f64() <= report["latency_ms"]["p99"].as_f64());
    assert_nothing_half_written(&dir);

    let net = Net::start(&dir, &[]).await;
    assert_eq!(report["network_id"], net.pin.network_id().to_string());
    assert_eq!(report["group_key"]["ed25519"], hex::encode(net.group_key()));
    assert_eq!(report["api"], net.url(""));
    let resumed_at = net.newest().await.expect("a round");
    // What was signed before is still served, and nothing was signed twice.
    let clock = net.pin.genesis_manifest.clock();
    let mut before = 0;
    for round in (clock.first_round.0..resumed_at).rev() {
        before += u64::from(net.holds(touchstone_types::Round(round)).await);
    }
    assert!(before >= 5, "{before} rounds of the first start are held");
    let ready = net.get("/readyz").await.json();
    assert_eq!(ready["alarms"], Value::Array(Vec::new()));
    let pids = net.pids();
    assert_eq!(pids.len(), 5);
    assert!(net.terminate().await.success());
    assert!(
        pids.iter().all(|pid| !is_alive(*pid)),
        "a process outlived the devnet"
    );
    assert_nothing_half_written(&dir);

    // The devnet itself crashes: its processes notice and end, and the network resumes all the same.
    let net = Net::start(&dir, &[]).await;
    let (pids, newest) = (net.pids(), net.newest().await.expect("a round"));
    net.crash().await;
    until("the orphans end", async || {
        pids.iter().all(|pid| !is_alive(*pid)).then_some(())
    })
    .await;
    sleep(Duration::from_millis(100)).await;
    let net = Net::start(&dir, &[]).await;
    assert!(
        net.newest().await > Some(newest),
        "rounds go on above {newest}"
    );
    assert!(net.holds(touchstone_types::Round(newest)).await);
    assert!(net.terminate().await.success());
}
