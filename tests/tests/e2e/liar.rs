//! An aggregator that is fed by lying nodes stores nothing of it, and says who it was.

use std::{fs::File, path::Path, time::Duration};

use ed25519_dalek::SigningKey;
use serde_json::Value;
use tokio::process::Child;
use touchstone_types::Round;

use crate::{
    fabricated::{Fabricated, PASSED},
    net::{alone, program, send_signal, until},
};

const HONEST: usize = 0;
const FORGER: usize = 1;
const ALTERER: usize = 2;
const EQUIVOCATOR: usize = 3;
const CONTRADICTED: u64 = PASSED + 1;

struct Aggregator {
    process: Child,
    url: String,
    http: reqwest::Client,
}

impl Aggregator {
    async fn start(folder: &Path) -> Self {
        let config = folder.join("aggregator.toml");
        let text = "network = \"network.json\"\ndatabase = \"aggregator.db\"\nlisten = \"127.0.0.1:0\"\n\
                    address_file = \"address\"\n";
        std::fs::write(&config, text).expect("written");
        let log = File::create(folder.join("log")).expect("log");
        let process = program()
            .args(["aggregator", "run", "--config"])
            .arg(&config)
            .stdout(log.try_clone().expect("log"))
            .stderr(log)
            .spawn()
            .expect("started");
        let file = folder.join("address");
        let address = until("the API", async || std::fs::read_to_string(&file).ok()).await;
        Self {
            process,
            url: format!("http://{}", address.trim()),
            http: reqwest::Client::builder()
                .no_proxy()
                .build()
                .expect("client"),
        }
    }

    async fn json(&self, path: &str) -> (u16, Value) {
        let answer = self
            .http
            .get(format!("{}{path}", self.url))
            .send()
            .await
            .expect("an answer");
        let status = answer.status().as_u16();
        let body = answer.bytes().await.expect("a body");
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    async fn price(&self, round: Round) -> Option<String> {
        let (status, body) = self.json(&format!("/v1/rounds/{round}")).await;
        if status != 200 {
            return None;
        }
        body["feeds"][0]["price"].as_str().map(str::to_owned)
    }

    /// The source at this address, as `/readyz` shows it.
    async fn source(&self, address: &str) -> Value {
        let (_, ready) = self.json("/readyz").await;
        let sources = ready["sources"].as_array().cloned().unwrap_or_default();
        let at = |s: &Value| s["source"].as_str().is_some_and(|n| n.ends_with(address));
        sources.into_iter().find(at).unwrap_or_default()
    }
}

#[tokio::test]
async fn lying_nodes_are_named_and_nothing_of_their_lies_is_stored() {
    let _alone = alone().await;
    let folder = tempfile::tempdir().expect("folder");
    let network = Fabricated::new();
    network.write_pin(&folder.path().join("network.json"));
    let aggregator = Aggregator::start(folder.path()).await;

    // What everybody says, but for one round of which the equivocator will have a version of its own.
    for after in PASSED..PASSED + 3 {
        let bytes = network
            .attestation(after, 6_700_000, &network.group)
            .to_bytes();
        for (position, node) in network.nodes.iter().enumerate() {
            if (position, after) != (EQUIVOCATOR, CONTRADICTED) {
                node.shelf.put(network.round(after), bytes.clone());
            }
        }
    }
    let newest = network.round(PASSED + 2);
    until("honest rounds arrive", async || {
        aggregator.price(network.round(CONTRADICTED)).await?;
        aggregator.price(newest).await
    })
    .await;

    // A round signed with a key that nobody pinned, and one with an altered leaf.
    let forged = network.attestation(PASSED + 3, 1, &SigningKey::from_bytes(&[0x52; 32]));
    let mut altered = network.attestation(PASSED + 4, 6_700_000, &network.group);
    altered.leaves[0].price += 1;
    altered.leaves[0].high += 1;
    network.nodes[FORGER]
        .shelf
        .put(network.round(PASSED + 3), forged.to_bytes());
    network.nodes[ALTERER]
        .shelf
        .put(network.round(PASSED + 4), altered.to_bytes());
    // A second statement of a stored round, with a signature that holds: the group contradicts itself.
    let contradicted = network.round(CONTRADICTED);
    let second = network.attestation(CONTRADICTED, 1, &network.group);
    network.nodes[EQUIVOCATOR]
        .shelf
        .put(contradicted, second.to_bytes());

    let address = |node: usize| network.nodes[node].address.to_string();
    for liar in [FORGER, ALTERER] {
        until("the lie is counted", async || {
            (aggregator.source(&address(liar)).await["refused"].as_u64() >= Some(1)).then_some(())
        })
        .await;
    }
    let alarm = until("the contradiction is an alarm", async || {
        let (_, ready) = aggregator.json("/readyz").await;
        ready["alarms"].as_array().and_then(|a| a.first().cloned())
    });
    assert_eq!(alarm.await["code"], "equivocation");

    for after in [PASSED + 3, PASSED + 4] {
        assert_eq!(
            aggregator.price(network.round(after)).await,
            None,
            "a lie is served"
        );
    }
    let stored = aggregator.price(contradicted).await;
    assert_eq!(
        stored.as_deref(),
        Some("67000.01000000"),
        "the first statement stays"
    );
    let source = aggregator.source(&address(HONEST)).await;
    assert_eq!(source["refused"], 0, "an honest node is blamed: {source}");
    let page = aggregator
        .http
        .get(format!("{}/metrics", aggregator.url))
        .send()
        .await
        .expect("an answer");
    let page = page.text().await.expect("text");
    for (name, reason, liar) in [
        ("aggregator_refused_total", "reason=\"signature\"", FORGER),
        (
            "aggregator_refused_total",
            "reason=\"altered-leaf\"",
            ALTERER,
        ),
        ("aggregator_equivocations_total", "", EQUIVOCATOR),
    ] {
        let named: Vec<_> = page
            .lines()
            .filter(|l| l.starts_with(name) && l.contains(reason))
            .collect();
        let address = address(liar);
        assert!(
            named.len() == 1 && named[0].contains(&address) && named[0].ends_with(" 1"),
            "{name} {reason} must name {address} once: {named:?}"
        );
    }
    let log = std::fs::read_to_string(folder.path().join("log")).expect("log");
    for liar in [FORGER, ALTERER, EQUIVOCATOR] {
        assert!(
            log.contains(&address(liar)),
            "the log does not name node {liar}:\n{log}"
        );
    }
    stop(aggregator).await;
}

async fn stop(mut aggregator: Aggregator) {
    send_signal("TERM", aggregator.process.id().expect("running"));
    let ended = tokio::time::timeout(Duration::from_secs(15), aggregator.process.wait()).await;
    assert!(ended.expect("it ends").expect("status").success());
}
