//! A committee of real processes whose links run through the [relay](crate::relay): the shipped node and aggregator, real
//! keys that the members generate together, real QUIC, real files, on this machine.
//!
//! The manifest names the fronts of the relay; each node listens elsewhere (`link.listen`). Observers and the aggregator call
//! the nodes' real addresses, so that what is seen of the committee is seen at once. Everything that any node attests is
//! [recorded](Record) with the time, verified under the pin, and held against what the others attested.

mod audit;
mod genesis;
mod machine;
mod member;
mod process;
mod record;
mod times;
mod watch;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle, time::sleep};
use tokio_util::sync::CancellationToken;
use touchstone_types::{Pin, Round, RoundClock};

use crate::relay::{Impairment, Relay, Seat};
pub use audit::Audit;
pub use member::Member;
pub use process::Signal;
pub use record::Record;
pub use times::{Percentiles, Times};

/// What to start.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Members, at least 4.
    pub nodes: u16,
    /// Milliseconds from round to round.
    pub interval_ms: u64,
    /// Every link, once the keys are there.
    pub impairment: Impairment,
    /// What the relay's chance follows from.
    pub seed: u64,
}

/// A running committee with its relay, market and aggregator. Dropping it kills every process; [`Network::stop`] ends them
/// in order.
#[derive(Debug)]
pub struct Network {
    members: Vec<Member>,
    aggregator: process::Process,
    api: String,
    pin: Pin,
    relay: Relay,
    record: Arc<Record>,
    _observers: watch::Observers,
    market: JoinHandle<std::io::Result<()>>,
    folder: TempDir,
}

impl Network {
    /// Generates a network's keys over unimpaired links, then starts it over impaired ones. `program` is an executable that
    /// is a node or an aggregator by its first argument, as `devnet` is. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// What keeps it from starting, with the end of the log of who failed. No process is left behind.
    pub async fn start(program: &Path, options: &Options) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("touchstone-network-")
            .tempdir()?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let market_url = format!("http://{}", listener.local_addr()?);
        let market = touchstone_market::Market::demo(options.seed);
        let served = touchstone_market::serve(listener, market, CancellationToken::new());
        let market = tokio::spawn(served);

        let mut ports = machine::Ports::new();
        let mut members = (0..options.nodes)
            .map(|id| Member::place(id, program, folder.path(), &mut ports))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let seats: Vec<Seat> = members.iter().map(Member::seat).collect();
        let relay = Relay::start(&seats, options.seed)?;
        let pin = genesis::create(&members, &relay, options.interval_ms, &market_url).await?;
        relay.impair_all(options.impairment);
        let record = Arc::new(Record::new(&pin)?);
        for member in &mut members {
            member.start()?;
        }
        let (aggregator, api) = start_aggregator(program, folder.path(), &pin, &members).await?;
        let observers = watch::follow(&pin, &members, &record)?;
        Ok(Self {
            members,
            aggregator,
            api,
            pin,
            relay,
            record,
            _observers: observers,
            market,
            folder,
        })
    }

    /// The members, in order.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// One member.
    ///
    /// # Panics
    /// There is none with this number.
    pub fn member(&mut self, id: usize) -> &mut Member {
        &mut self.members[id]
    }

    /// The links between the members.
    pub fn relay(&self) -> &Relay {
        &self.relay
    }

    /// The pinned network.
    pub fn pin(&self) -> &Pin {
        &self.pin
    }

    /// When rounds start.
    pub fn clock(&self) -> RoundClock {
        self.pin.genesis_manifest.clock()
    }

    /// The round that has started last.
    pub fn round_now(&self) -> Round {
        let clock = self.clock();
        clock
            .round_at(machine::unix_us() / 1_000)
            .unwrap_or(clock.first_round)
    }

    /// What has been attested.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Base URL of the aggregator's API.
    pub fn api(&self) -> &str {
        &self.api
    }

    /// Waits until each of these members has attested so many rounds in a row, from one that has not started yet; gives the
    /// round behind them.
    ///
    /// # Errors
    /// Not within `patience`.
    pub async fn rounds_in_a_row(
        &self,
        count: u64,
        members: &[usize],
        patience: Duration,
    ) -> anyhow::Result<Round> {
        let what = format!("{count} rounds in a row at members {members:?}");
        let mut first = self.round_now().saturating_add(1);
        until(&what, patience, async || {
            let end = first.saturating_add(count);
            let missing = |round: &Round| !self.record.is_seen_by(members, Round(round.0));
            // A round may take longer than the interval: only one that later rounds have overtaken is given up.
            let gap = (first.0..end.0).map(Round).find(missing);
            let Some(gap) = gap else { return Some(end) };
            if self.record.is_seen_by(members, gap.saturating_add(3)) {
                first = gap.saturating_add(1);
            }
            None
        })
        .await
    }

    /// Keeps the folder for somebody to look into; gives its path.
    pub fn keep_folder(&mut self) -> &Path {
        self.folder.disable_cleanup(true);
        self.folder.path()
    }

    /// Holds everything that members and aggregator have against each other and the pin.
    ///
    /// # Errors
    /// A page that cannot be fetched, or a file that cannot be read.
    pub async fn audit(&self) -> anyhow::Result<Audit> {
        audit::run(self).await
    }

    /// Ends every process in order.
    ///
    /// # Errors
    /// Who did not end by itself and without an error.
    pub async fn stop(self) -> anyhow::Result<()> {
        let Self {
            members,
            aggregator,
            market,
            ..
        } = self;
        let mut stops = tokio::task::JoinSet::new();
        stops.spawn(aggregator.stop());
        for process in members.into_iter().filter_map(Member::into_process) {
            stops.spawn(process.stop());
        }
        let mut result = Ok(());
        while let Some(stop) = stops.join_next().await {
            result = result.and(stop?);
        }
        market.abort();
        result
    }
}

async fn start_aggregator(
    program: &Path,
    folder: &Path,
    pin: &Pin,
    members: &[Member],
) -> anyhow::Result<(process::Process, String)> {
    let folder = folder.join("aggregator");
    std::fs::create_dir_all(&folder)?;
    let mut text = "network = \"../network.json\"\ndatabase = \"aggregator.db\"\nlisten = \"127.0.0.1:0\"\n\
                    address_file = \"address\"\n\n[limits]\nrequests_per_second = 0\n\n[collect]\ngap_grace_ms = 500\n"
        .to_owned();
    for (member, entry) in members.iter().zip(&pin.genesis_manifest.members) {
        let (real, identity) = (member.seat().real, entry.identity);
        text.push_str(&format!(
            "\n[[nodes]]\naddress = \"{real}\"\nidentity = \"{identity}\"\n"
        ));
    }
    let config = folder.join("aggregator.toml");
    std::fs::write(&config, text)?;
    let config = utf8(&config)?;
    let name = "aggregator";
    let arguments = ["run", "--config", config];
    let process = process::Process::start(
        name,
        program,
        process::Role::Aggregator,
        &arguments,
        &folder,
    )?;
    let file: PathBuf = folder.join("address");
    let patience = Duration::from_secs(30);
    let served = until("the aggregator serves", patience, async || {
        std::fs::read_to_string(&file).ok()
    });
    let address = served.await.with_context(|| process.tail())?;
    Ok((process, format!("http://{}", address.trim())))
}

/// Waits until `done` gives something.
///
/// # Errors
/// Not within `patience`; the text says what.
pub async fn until<T>(
    what: &str,
    patience: Duration,
    mut done: impl AsyncFnMut() -> Option<T>,
) -> anyhow::Result<T> {
    let since = Instant::now();
    loop {
        if let Some(value) = done().await {
            return Ok(value);
        }
        anyhow::ensure!(
            since.elapsed() < patience,
            "{what}: not within {patience:?}"
        );
        sleep(Duration::from_millis(20)).await;
    }
}

fn utf8(path: &Path) -> anyhow::Result<&str> {
    path.to_str().with_context(|| {
        format!(
            "{}: the folder for temporary files must be UTF-8",
            path.display()
        )
    })
}
