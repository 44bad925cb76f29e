//! One member: its place on the machine, and its process.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use serde_json::Value;

use super::{
    machine::{self, Ports},
    process::{Process, Role, Signal},
    utf8,
};
use crate::relay::Seat;

const PAGE_PATIENCE: Duration = Duration::from_secs(5);

/// A member of the committee.
#[derive(Debug)]
pub struct Member {
    id: u16,
    program: PathBuf,
    folder: PathBuf,
    real: SocketAddr,
    http: SocketAddr,
    process: Option<Process>,
}

impl Member {
    pub(super) fn place(
        id: u16,
        program: &Path,
        folder: &Path,
        ports: &mut Ports,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            id,
            program: program.to_owned(),
            folder: folder.join("nodes").join(id.to_string()),
            real: ports.next()?,
            http: ports.next()?,
            process: None,
        })
    }

    /// Its index.
    pub fn id(&self) -> u16 {
        self.id
    }

    /// Where its files are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its place at the relay, which chooses the front.
    pub(super) fn seat(&self) -> Seat {
        Seat {
            front: (Ipv4Addr::LOCALHOST, 0).into(),
            real: self.real,
        }
    }

    /// Makes its identity and configuration; gives what `init` prints.
    pub(super) async fn init(&self, market_url: &str) -> anyhow::Result<Vec<u8>> {
        std::fs::create_dir_all(&self.folder)?;
        let (listen, http) = (self.real.to_string(), self.http.to_string());
        let mut arguments = vec!["init", "--dir", utf8(&self.folder)?, "--listen", &listen];
        arguments.extend(["--http", &http, "--market", market_url]);
        arguments.extend(["--insecure-no-password", "--json"]);
        self.run("init", &arguments, Duration::from_secs(60)).await
    }

    /// Takes part in the key generation.
    pub(super) async fn generate_keys(&self, manifest: &Path) -> anyhow::Result<()> {
        let config = self.config();
        let arguments = [
            "dkg",
            "--config",
            utf8(&config)?,
            "--manifest",
            utf8(manifest)?,
        ];
        let patience = Duration::from_secs(120);
        self.run("key generation", &arguments, patience)
            .await
            .map(drop)
    }

    async fn run(
        &self,
        what: &str,
        arguments: &[&str],
        patience: Duration,
    ) -> anyhow::Result<Vec<u8>> {
        let name = format!("{what} of member {}", self.id);
        Process::output(&name, &self.program, Role::Node, arguments, patience).await
    }

    fn config(&self) -> PathBuf {
        self.folder.join("node.toml")
    }

    /// Starts its node.
    ///
    /// # Errors
    /// It runs already, or cannot be started.
    pub fn start(&mut self) -> anyhow::Result<()> {
        let id = self.id;
        anyhow::ensure!(self.process.is_none(), "member {id} runs already");
        let config = self.config();
        let arguments = ["run", "--config", utf8(&config)?];
        let name = format!("member {id}");
        let process = Process::start(&name, &self.program, Role::Node, &arguments, &self.folder)?;
        self.process = Some(process);
        Ok(())
    }

    /// Kills its node as a crash of the machine would (SIGKILL).
    ///
    /// # Errors
    /// It does not run.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        let process = self.process.take();
        process.with_context(|| self.down())?.kill().await
    }

    /// Halts its node, or lets it go on.
    ///
    /// # Errors
    /// It does not run.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        self.process()?.signal(signal)
    }

    fn down(&self) -> String {
        format!("member {} does not run", self.id)
    }

    fn process(&self) -> anyhow::Result<&Process> {
        self.process.as_ref().with_context(|| self.down())
    }

    /// Whether it has a process.
    pub fn is_up(&self) -> bool {
        self.process.is_some()
    }

    /// Everything that this start of its node has logged, and those before it.
    ///
    /// # Errors
    /// It does not run.
    pub fn log(&self) -> anyhow::Result<String> {
        Ok(self.process()?.log())
    }

    /// Resident memory of its node in KiB; `None` if it does not run, or on a system that does not tell.
    pub fn resident_kib(&self) -> Option<u64> {
        machine::resident_kib(self.process.as_ref()?.pid()?)
    }

    /// A page of its local HTTP port.
    ///
    /// # Errors
    /// No answer.
    pub async fn page(&self, path: &str) -> anyhow::Result<String> {
        let url = format!("http://{}{path}", self.http);
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(PAGE_PATIENCE)
            .build()?;
        let answer = http.get(&url).send().await?;
        Ok(answer.error_for_status()?.text().await?)
    }

    /// What it says of itself.
    ///
    /// # Errors
    /// No answer.
    pub async fn status(&self) -> anyhow::Result<Value> {
        Ok(serde_json::from_str(&self.page("/status").await?)?)
    }

    /// The sum of all samples of one of its counters.
    ///
    /// # Errors
    /// No answer.
    pub async fn counter(&self, name: &str) -> anyhow::Result<u64> {
        let page = self.page("/metrics").await?;
        let samples = page.lines().filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            let of_this = series.split('{').next() == Some(name);
            of_this.then(|| value.parse::<u64>().ok())?
        });
        Ok(samples.sum())
    }

    pub(super) fn into_process(self) -> Option<Process> {
        self.process
    }
}
