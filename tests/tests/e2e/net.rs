//! A network that a story is about.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

use reqwest::StatusCode;
use serde_json::Value;
use tokio::{
    process::{Child, Command},
    sync::{Mutex, MutexGuard},
    time::{sleep, timeout},
};
use touchstone_types::{Pin, Round};

/// Longer than anything may take, so that a failure ends.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// Milliseconds from round to round.
pub(crate) const INTERVAL_MS: u64 = 500;

/// The machine, for one story at a time.
pub(crate) async fn alone() -> MutexGuard<'static, ()> {
    static ONE: OnceLock<Mutex<()>> = OnceLock::new();
    let _ = rustls::crypto::ring::default_provider().install_default();
    ONE.get_or_init(Mutex::default).lock().await
}

/// The program that is every process of a network.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_touchstone-multicall"));
    command.kill_on_drop(true).stdin(Stdio::null());
    command
}

/// The devnet with the usual options, not started yet.
pub(crate) fn devnet(dir: &Path, options: &[&str]) -> Command {
    let mut command = program();
    command.arg("--data-dir").arg(dir).args(options);
    command
}

/// Options of a first start.
pub(crate) fn first<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let mut options = vec!["--listen", "127.0.0.1:0", "--interval", "500"];
    options.extend(more);
    options
}

/// Sends a signal by its name.
pub(crate) fn send_signal(name: &str, pid: u32) {
    let sent = std::process::Command::new("sh")
        .args(["-c", "kill -\"$0\" \"$1\"", name, &pid.to_string()])
        .status();
    assert!(sent.expect("a shell").success(), "no process {pid}");
}

/// Whether a process is there; one that waits to be reaped is not.
pub(crate) fn is_alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat
        .rsplit_once(')')
        .and_then(|(_, rest)| rest.split_whitespace().next());
    state.is_some_and(|state| state != "Z" && state != "X")
}

/// Waits until `done` gives something.
pub(crate) async fn until<T>(what: &str, mut done: impl AsyncFnMut() -> Option<T>) -> T {
    let since = Instant::now();
    loop {
        if let Some(value) = done().await {
            return value;
        }
        assert!(
            since.elapsed() < PATIENCE,
            "{what}: not within {PATIENCE:?}"
        );
        sleep(Duration::from_millis(50)).await;
    }
}

/// An answer of the API.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) kind: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }
}

/// A running devnet.
pub(crate) struct Net {
    process: Child,
    dir: PathBuf,
    plan: Value,
    pub(crate) pin: Pin,
    pub(crate) http: reqwest::Client,
}

impl Net {
    /// Starts a devnet in the directory and waits for its first attested price of this start.
    pub(crate) async fn start(dir: &Path, options: &[&str]) -> Self {
        let log = std::fs::File::create(dir.with_extension("devnet.log")).expect("log");
        let errors = log.try_clone().expect("log");
        let process = devnet(dir, options)
            .stdout(log)
            .stderr(errors)
            .spawn()
            .expect("started");
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(5))
            .build()
            .expect("client");
        let (plan, pin) = until("the network is there", async || read_network(dir)).await;
        let net = Self {
            process,
            dir: dir.to_owned(),
            plan,
            pin,
            http,
        };
        let clock = net.pin.genesis_manifest.clock();
        let now = clock
            .round_at(touchstone_client::http::now_ms())
            .map_or(0, |r| r.0);
        until("a first attested price", async || {
            net.newest().await.filter(|r| *r > now)?;
            let latest = net.try_get("/v1/feeds/BTC-USD/latest").await?;
            let latest: Value = serde_json::from_slice(&latest.body).ok()?;
            latest["price"].is_string().then_some(())
        })
        .await;
        net
    }

    pub(crate) fn url(&self, path: &str) -> String {
        let api = self.plan["api"].as_str().expect("api");
        format!("http://{api}{path}")
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.try_get(path).await.expect("an answer")
    }

    async fn try_get(&self, path: &str) -> Option<Answer> {
        let answer = self.http.get(self.url(path)).send().await.ok()?;
        let kind = answer
            .headers()
            .get("content-type")
            .and_then(|v| v.to_str().ok());
        let kind = kind.unwrap_or_default().to_owned();
        Some(Answer {
            status: answer.status(),
            kind,
            body: answer.bytes().await.ok()?.to_vec(),
        })
    }

    /// The newest round that the aggregator holds.
    pub(crate) async fn newest(&self) -> Option<u64> {
        let answer = self.try_get("/readyz").await?;
        serde_json::from_slice::<Value>(&answer.body).ok()?["newest_round"].as_u64()
    }

    /// Waits until so many more rounds have passed; gives the newest.
    pub(crate) async fn rounds_more(&self, count: u64) -> u64 {
        let start = self.newest().await.expect("a round");
        let what = format!("{count} rounds after {start}");
        until(&what, async || {
            self.newest().await.filter(|r| *r >= start + count)
        })
        .await
    }

    /// Which members' observations a round rests on; `None` if the aggregator does not have it.
    pub(crate) async fn contributors(&self, round: u64) -> Option<BTreeSet<u16>> {
        let answer = self
            .try_get(&format!("/v1/rounds/{round}/observations"))
            .await?;
        let observations = serde_json::from_slice::<Value>(&answer.body).ok()?;
        let members = observations["observations"].as_array()?.iter();
        Some(
            members
                .filter_map(|o| u16::try_from(o["member"].as_u64()?).ok())
                .collect(),
        )
    }

    /// The pinned group key, as anybody reads it out of `network.json`.
    pub(crate) fn group_key(&self) -> [u8; 32] {
        let text = std::fs::read(self.pin_path()).expect("network.json");
        let pin: Value = serde_json::from_slice(&text).expect("JSON");
        let key = &pin["genesis_record"]["keys"][0];
        assert_eq!(key["suite"], "ed25519");
        let mut bytes = [0; 32];
        hex::decode_to_slice(key["group_key"].as_str().expect("text"), &mut bytes)
            .expect("32 bytes");
        bytes
    }

    /// The file that consumers pin.
    pub(crate) fn pin_path(&self) -> PathBuf {
        self.dir.join("network.json")
    }

    /// A client that knows the pin and the API, as any consumer has it.
    pub(crate) fn client(&self) -> touchstone_client::http::Client {
        let verifier = touchstone_client::Verifier::from_pin(&self.pin).expect("a good pin");
        let client = touchstone_client::http::Client::builder(verifier).endpoint(self.url(""));
        client.build().expect("client")
    }

    pub(crate) fn member_dir(&self, id: u16) -> PathBuf {
        self.dir.join("nodes").join(id.to_string())
    }

    /// The process id of a member, while it is up.
    pub(crate) fn member_pid(&self, id: u16) -> Option<u32> {
        read_pid(&self.member_dir(id))
    }

    /// Everything that the devnet has started and that is up.
    pub(crate) fn pids(&self) -> Vec<u32> {
        let members = (0..4).filter_map(|id| self.member_pid(id));
        members
            .chain(read_pid(&self.dir.join("aggregator")))
            .collect()
    }

    /// A page of a member's local HTTP port.
    pub(crate) async fn member_page(&self, id: u16, path: &str) -> String {
        let port = &self.plan["members"][usize::from(id)]["http"];
        let answer = self
            .http
            .get(format!("http://127.0.0.1:{port}{path}"))
            .send()
            .await;
        answer.expect("an answer").text().await.expect("text")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id().expect("running")
    }

    /// Asks the devnet to end (SIGTERM) and waits for it.
    pub(crate) async fn terminate(mut self) -> ExitStatus {
        send_signal("TERM", self.pid());
        let ended = timeout(PATIENCE, self.process.wait()).await;
        ended.expect("the devnet ends").expect("a status")
    }

    /// Ends the devnet in a way that it cannot notice (SIGKILL).
    pub(crate) async fn crash(mut self) {
        self.process.kill().await.expect("killed");
    }

    /// The rounds of an earlier network under this data directory that are attested now.
    pub(crate) async fn holds(&self, round: Round) -> bool {
        self.get(&format!("/v1/rounds/{round}")).await.status == StatusCode::OK
    }
}

fn read_pid(folder: &Path) -> Option<u32> {
    std::fs::read_to_string(folder.join("pid"))
        .ok()?
        .trim()
        .parse()
        .ok()
}

fn read_network(dir: &Path) -> Option<(Value, Pin)> {
    let plan = std::fs::read(dir.join("devnet.json")).ok()?;
    let pin = std::fs::read(dir.join("network.json")).ok()?;
    Some((
        serde_json::from_slice(&plan).ok()?,
        Pin::from_json(&pin).ok()?,
    ))
}
