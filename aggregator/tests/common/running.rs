//! The whole aggregator, running in this process with its real sockets.
#![allow(dead_code, reason = "each user has its own part")]

use std::{net::SocketAddr, path::Path, time::Duration};

use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    sync::oneshot,
    task::JoinHandle,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;
use touchstone_aggregator::{Config, config::unix_ms, run_with};

use crate::common::{FIRST, Fabricated};

pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) shutdown: CancellationToken,
    pub(crate) task: JoinHandle<anyhow::Result<()>>,
    pub(crate) http: reqwest::Client,
}

impl Running {
    pub(crate) async fn start(folder: &Path, more: &str) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let text = format!(
            "network = \"network.json\"\ndatabase = \"aggregator.db\"\nlisten = \"127.0.0.1:0\"\naddress_file = \"address\"\n{more}"
        );
        let config = Config::parse("test.toml", folder, &text).expect("a configuration");
        let shutdown = CancellationToken::new();
        let (bound, address) = oneshot::channel();
        let task = tokio::spawn(run_with(config, shutdown.clone(), Some(bound)));
        let address = match address.await {
            Ok(address) => address,
            Err(_) => panic!("{:?}", task.await),
        };
        let written = std::fs::read_to_string(folder.join("address")).expect("an address file");
        assert_eq!(written, format!("{address}\n"));
        Self {
            address,
            shutdown,
            task,
            http: reqwest::Client::new(),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        let url = format!("http://{}{path}", self.address);
        let response = self.http.get(url).send().await.expect("an answer");
        let status = response.status().as_u16();
        (status, response.json().await.expect("JSON"))
    }

    /// Waits until `done` gives something.
    pub(crate) async fn until<T>(&self, what: &str, mut done: impl AsyncFnMut() -> Option<T>) -> T {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(value) = done().await {
                return value;
            }
            assert!(Instant::now() < end, "{what}");
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until a path answers 200.
    pub(crate) async fn has(&self, path: &str) -> Value {
        let answer = async || {
            let (status, body) = self.get(path).await;
            (status == 200).then_some(body)
        };
        self.until(path, answer).await
    }

    pub(crate) async fn round(&self, after: u64) -> Value {
        self.has(&format!("/v1/rounds/{}", FIRST + after)).await
    }

    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        let ended = tokio::time::timeout(Duration::from_secs(20), self.task).await;
        ended
            .expect("in time")
            .expect("no panic")
            .expect("a clean end");
    }
}

/// A network that began some rounds ago.
pub(crate) fn fabricate(folder: &TempDir, rounds_ago: u64) -> (Fabricated, u64) {
    let start = unix_ms() - rounds_ago * 1_000;
    let fabricated = Fabricated::starting(start, "127.0.0.1:1");
    let pin = serde_json::to_vec(&fabricated.pin).expect("JSON");
    std::fs::write(folder.path().join("network.json"), pin).expect("a file");
    (fabricated, start)
}

pub(crate) fn node_toml(fabricated: &Fabricated, nodes: &[(u16, SocketAddr)]) -> String {
    let members = &fabricated.pin.genesis_manifest.members;
    let entry = |(member, address): &(u16, SocketAddr)| {
        let identity = members[usize::from(*member)].identity;
        format!("[[nodes]]\naddress = \"{address}\"\nidentity = \"{identity}\"\n")
    };
    nodes.iter().map(entry).collect()
}
