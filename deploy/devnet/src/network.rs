//! The running network: who runs, and how it is begun, disturbed and ended.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use tokio::time::sleep;
use touchstone_types::Pin;

use crate::{
    child::Child,
    files::{self, DataDir},
    genesis,
    market::Source,
    plan::Plan,
    roles::Role,
};

const API_PATIENCE: Duration = Duration::from_secs(30);

/// A network of processes.
#[derive(Debug)]
pub(crate) struct Devnet {
    plan: Plan,
    pin: Pin,
    source: Source,
    members: Vec<Slot>,
    aggregator: Option<Child>,
    folders: Folders,
}

#[derive(Debug)]
struct Folders {
    members: Vec<PathBuf>,
}

/// One member's place.
#[derive(Debug)]
enum Slot {
    Running(Box<Child>),
    /// As was asked for.
    Killed,
    /// By itself, or by somebody else's hand.
    Died,
}

/// Whether a member's process runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Process {
    /// It runs, with this id.
    Running(u32),
    /// The schedule has killed it.
    Killed,
    /// It ended unexpectedly.
    Died,
}

/// A process that ended though nobody had asked it to.
#[derive(Debug)]
pub(crate) struct Death {
    /// Who, how, and the end of its log.
    pub(crate) message: String,
    /// Whether the network cannot be watched any more.
    pub(crate) fatal: bool,
}

impl Devnet {
    /// Brings a network up: the one of the data directory, or a new one, with the feeds of a file if one is given.
    ///
    /// # Errors
    /// What keeps it from starting, with the end of the log of who failed. No process is left behind.
    pub(crate) async fn start(
        data: &DataDir,
        plan: Plan,
        feeds: Option<&Path>,
        say: &mut dyn FnMut(String),
    ) -> anyhow::Result<Self> {
        let source = Source::start(&plan).await?;
        let pin = if data.pin().exists() {
            let path = data.pin();
            let text =
                fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
            let pin = Pin::from_json(&text).with_context(|| path.display().to_string())?;
            say(format!(
                "network {} is resumed from {}",
                pin.network_id(),
                data.path().display()
            ));
            pin
        } else {
            let feeds = match feeds {
                Some(path) => touchstone_oracle_node::read_feeds(path)?,
                None => source.feeds().to_vec(),
            };
            genesis::create(data, &plan, feeds, say).await?
        };
        let folders = Folders {
            members: plan.members().map(|(id, _)| data.member(id)).collect(),
        };
        let mut devnet = Self {
            pin,
            source,
            members: Vec::new(),
            aggregator: None,
            folders,
            plan,
        };
        devnet.start_members()?;
        say(format!("{} nodes started", devnet.members.len()));
        devnet.start_aggregator(data).await?;
        say(format!("aggregator serves on {}", devnet.plan.api_url()));
        Ok(devnet)
    }

    fn start_members(&mut self) -> anyhow::Result<()> {
        let polling = self.source.polling(self.plan.nodes());
        for (id, _) in self.plan.members() {
            let folder = self.folder(id)?;
            genesis::set_polling(folder, &polling)?;
            let child = self.spawn_member(id)?;
            self.members.push(Slot::Running(Box::new(child)));
        }
        Ok(())
    }

    fn folder(&self, id: u16) -> anyhow::Result<&Path> {
        let folder = self.folders.members.get(usize::from(id));
        folder.map(PathBuf::as_path).context("no such member")
    }

    fn spawn_member(&self, id: u16) -> anyhow::Result<Child> {
        let folder = self.folder(id)?;
        let config = genesis::config_path(folder);
        let arguments = ["run", "--config", genesis::utf8(&config)?];
        Child::start(&format!("member {id}"), Role::Node, &arguments, folder)
    }

    async fn start_aggregator(&mut self, data: &DataDir) -> anyhow::Result<()> {
        let folder = data.aggregator();
        fs::create_dir_all(&folder)
            .with_context(|| format!("{} cannot be made", folder.display()))?;
        let config = folder.join("aggregator.toml");
        files::write(&config, aggregator_config(&self.plan).as_bytes())?;
        let arguments = ["run", "--config", genesis::utf8(&config)?];
        let mut child = Child::start("aggregator", Role::Aggregator, &arguments, &folder)?;
        let url = format!("{}/healthz", self.plan.api_url());
        let http = http_client()?;
        let since = Instant::now();
        while !is_healthy(&http, &url).await {
            if let Some(status) = child.ended() {
                anyhow::bail!("the aggregator ended at once: {status}\n{}", child.tail());
            }
            anyhow::ensure!(
                since.elapsed() < API_PATIENCE,
                "the aggregator does not serve {url} after {API_PATIENCE:?}\n{}",
                child.tail()
            );
            sleep(Duration::from_millis(25)).await;
        }
        self.aggregator = Some(child);
        Ok(())
    }

    /// The plan.
    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The pinned network.
    pub(crate) fn pin(&self) -> &Pin {
        &self.pin
    }

    /// When recorded history is over, in Unix milliseconds.
    pub(crate) fn ends_at_ms(&self) -> Option<u64> {
        self.source.ends_at_ms()
    }

    /// The members' processes, in order.
    pub(crate) fn processes(&self) -> Vec<Process> {
        let state = |slot: &Slot| match slot {
            Slot::Running(child) => child.pid().map_or(Process::Died, Process::Running),
            Slot::Killed => Process::Killed,
            Slot::Died => Process::Died,
        };
        self.members.iter().map(state).collect()
    }

    /// Kills a member as a crash would (SIGKILL).
    pub(crate) async fn kill(&mut self, id: u16) {
        if let Some(slot) = self.members.get_mut(usize::from(id))
            && let Slot::Running(child) = std::mem::replace(slot, Slot::Killed)
        {
            child.kill().await;
        }
    }

    /// Starts a member again; one that runs is stopped in order before.
    ///
    /// # Errors
    /// It cannot be started.
    pub(crate) async fn restart(&mut self, id: u16) -> anyhow::Result<()> {
        let slot = self
            .members
            .get_mut(usize::from(id))
            .context("no such member")?;
        if let Slot::Running(child) = std::mem::replace(slot, Slot::Killed) {
            child.stop().await;
        }
        let child = self.spawn_member(id)?;
        if let Some(slot) = self.members.get_mut(usize::from(id)) {
            *slot = Slot::Running(Box::new(child));
        }
        Ok(())
    }

    /// Who has ended since this was asked last.
    pub(crate) fn deaths(&mut self) -> Vec<Death> {
        let mut deaths = Vec::new();
        for slot in &mut self.members {
            if let Slot::Running(child) = slot
                && let Some(message) = obituary(child)
            {
                *slot = Slot::Died;
                deaths.push(Death {
                    message,
                    fatal: false,
                });
            }
        }
        if let Some(child) = &mut self.aggregator
            && let Some(message) = obituary(child)
        {
            self.aggregator = None;
            deaths.push(Death {
                message,
                fatal: true,
            });
        }
        deaths
    }

    /// Ends every process, and gives back the names of those that did not end in order by themselves.
    pub(crate) async fn stop(self) -> Vec<String> {
        let members = self.members.into_iter().filter_map(|slot| match slot {
            Slot::Running(child) => Some(*child),
            Slot::Killed | Slot::Died => None,
        });
        let mut stops = tokio::task::JoinSet::new();
        for child in members.chain(self.aggregator) {
            stops.spawn(async move {
                let name = child.name().to_owned();
                (!child.stop().await).then_some(name)
            });
        }
        let mut unclean: Vec<String> = Vec::new();
        while let Some(stop) = stops.join_next().await {
            unclean.extend(stop.ok().flatten());
        }
        self.source.stop().await;
        unclean.sort();
        unclean
    }
}

fn obituary(child: &mut Child) -> Option<String> {
    let status = child.ended()?;
    Some(format!(
        "{} ended unexpectedly: {status}\n{}",
        child.name(),
        child.tail()
    ))
}

/// The aggregator of one machine: no limit on requests, for whoever tries it out comes from one address.
fn aggregator_config(plan: &Plan) -> String {
    format!(
        "network = \"../network.json\"\ndatabase = \"aggregator.db\"\nlisten = \"{}\"\n\n[limits]\nrequests_per_second = 0\n",
        plan.api
    )
}

/// A client for the local health and metrics pages.
///
/// # Errors
/// No TLS to be had.
pub(crate) fn http_client() -> anyhow::Result<reqwest::Client> {
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(2))
        .no_proxy()
        .build();
    client.context("HTTP client")
}

/// Whether a page answers with success.
pub(crate) async fn is_healthy(http: &reqwest::Client, url: &str) -> bool {
    let answer = http.get(url).send().await;
    answer.is_ok_and(|a| a.status().is_success())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::RunArgs;

    #[test]
    fn the_aggregator_accepts_its_configuration() {
        let folder = tempfile::tempdir().expect("folder");
        let data = DataDir::open(Some(folder.path())).expect("data directory");
        let args = RunArgs {
            listen: Some("127.0.0.1:0".parse().expect("address")),
            ..RunArgs::default()
        };
        let plan = Plan::load(&data, &args).expect("plan");
        let text = aggregator_config(&plan);
        let config =
            touchstone_aggregator::Config::parse("a.toml", Path::new("/d/aggregator"), &text);
        let config = config.expect("accepted");
        assert_eq!(config.listen, plan.api);
        assert_eq!(config.limits.requests_per_second, 0);
        assert_eq!(config.network, Path::new("/d/aggregator/../network.json"));
    }
}
