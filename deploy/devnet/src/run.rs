//! The devnet's own course: up, watched, disturbed as asked, and down again.

use std::{
    ffi::OsString,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use clap::Parser as _;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{MissedTickBehavior, interval, timeout},
};
use touchstone_types::{FeedName, Pin};

use crate::{
    args::{Cli, Command, RunArgs},
    bench,
    consumer::{Attested, Consumer},
    files::DataDir,
    market::unix_ms,
    network::{Devnet, Process},
    plan::{Origin, Plan},
    report::Report,
    schedule::{Action, Schedule},
    screen::{FeedRow, MemberRow, Screen, View},
    stats::Tally,
};

const REDRAW: Duration = Duration::from_millis(250);
/// Without an attested round for so long, or for so many intervals, something is wrong.
const STALL: Duration = Duration::from_secs(20);
const STALL_INTERVALS: u32 = 20;
/// After three times as long a measured run gives up.
const GIVE_UP_STALLS: u32 = 3;
/// The table's latencies are those of the newest rounds.
const LATENCY_WINDOW: usize = 1_000;
/// How long a round that was overtaken may take until it counts as missed.
const LATE_ROUNDS: Duration = Duration::from_secs(5);

/// The devnet with its command line.
pub(crate) fn main(arguments: Vec<OsString>) -> ExitCode {
    let started = Instant::now();
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // A closed terminal is no reason to panic.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    // An error means that it is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let done = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("no runtime")
        .and_then(|runtime| {
            runtime.block_on(async {
                match cli.command {
                    Some(Command::Bench(args)) => bench::run(&args).await,
                    None => run(&cli.run, started).await,
                }
            })
        });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("devnet: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// What asks the devnet to end.
pub(crate) struct Stop {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Stop {
    /// Takes over the signals.
    ///
    /// # Errors
    /// The system does not let it.
    pub(crate) fn new() -> anyhow::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// The next request.
    pub(crate) async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}

async fn run(args: &RunArgs, started: Instant) -> anyhow::Result<()> {
    let mut stop = Stop::new()?;
    let mut data = DataDir::open(args.data_dir.as_deref())?;
    let mut screen = Screen::new(args.json);
    let result = run_in(&data, args, started, &mut stop, &mut screen).await;
    if result.is_err() && data.is_temporary() {
        data.keep();
        eprintln!(
            "devnet: logs and keys are left in {}",
            data.path().display()
        );
    }
    result
}

async fn run_in(
    data: &DataDir,
    args: &RunArgs,
    started: Instant,
    stop: &mut Stop,
    screen: &mut Screen,
) -> anyhow::Result<()> {
    let mut say = |text: String| {
        let after = started.elapsed().as_secs_f64();
        screen.say(&format!("[{after:5.1} s] {text}"));
    };
    let plan = Plan::load(data, args)?;
    let schedule = Schedule::new(&args.kill, &args.restart, plan.nodes())?;
    let devnet = tokio::select! {
        // Whoever is dropped in the middle of its start takes its processes with it.
        devnet = Devnet::start(data, plan, args.feeds.as_deref(), &mut say) => devnet?,
        () = stop.asked() => return Ok(()),
    };
    let consumer = Consumer::start(devnet.pin(), devnet.plan())?;
    screen.set_heading(heading(data, devnet.pin(), devnet.plan(), consumer.feeds()));
    let mut session = Session {
        devnet,
        consumer,
        schedule,
        tally: Tally::default(),
        screen,
        started,
        newest_at: Instant::now(),
        failures: Vec::new(),
        told_first: false,
        told_end: false,
    };
    let watched = session.watch(args.rounds, stop).await;
    session.finish(watched, args, stop).await
}

/// A running network and those who watch it.
struct Session<'a> {
    devnet: Devnet,
    consumer: Consumer,
    schedule: Schedule,
    tally: Tally,
    screen: &'a mut Screen,
    started: Instant,
    /// When the newest attested round came, or the watch began.
    newest_at: Instant,
    /// What must not happen in a run that is to be called a success.
    failures: Vec<String>,
    told_first: bool,
    told_end: bool,
}

impl Session<'_> {
    /// Watches until the rounds are done or somebody asks for the end.
    async fn watch(&mut self, rounds: Option<u64>, stop: &mut Stop) -> anyhow::Result<()> {
        let mut redraw = interval(REDRAW);
        redraw.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let stall = stall_after(self.devnet.plan().interval_ms);
        let mut stalls = 0;
        loop {
            tokio::select! {
                () = stop.asked() => return Ok(()),
                seen = self.consumer.rounds.recv() => {
                    self.take(seen.context("the stream of rounds ended")?).await?;
                    stalls = 0;
                    if rounds.is_some_and(|n| self.tally.attested() >= n) {
                        return Ok(());
                    }
                }
                _ = redraw.tick() => {
                    self.check()?;
                    self.screen.show(&self.view(), false);
                    if self.newest_at.elapsed() > stall * (stalls + 1) {
                        stalls += 1;
                        let silence = self.newest_at.elapsed();
                        self.screen.say(&format!("no attested round for {:.0} s", silence.as_secs_f64()));
                        anyhow::ensure!(
                            rounds.is_none() || stalls < GIVE_UP_STALLS,
                            "no attested round for {silence:.0?}: after {} of them the network does not go on",
                            self.tally.attested()
                        );
                    }
                }
            }
        }
    }

    /// One more attested round.
    async fn take(&mut self, seen: Attested) -> anyhow::Result<()> {
        self.tally.add(seen.round, seen.latency_us);
        self.newest_at = Instant::now();
        for action in self.schedule.due(self.tally.attested()) {
            let count = self.tally.attested();
            match action {
                Action::Kill(id) => {
                    self.devnet.kill(id).await;
                    self.screen.say(&format!(
                        "member {id} killed at the {count}th attested round"
                    ));
                }
                Action::Restart(id) => {
                    self.devnet.restart(id).await?;
                    self.screen.say(&format!(
                        "member {id} started again at the {count}th attested round"
                    ));
                }
            }
        }
        self.screen.show(&self.view(), true);
        Ok(())
    }

    /// Looks after the processes, and tells what happens once.
    fn check(&mut self) -> anyhow::Result<()> {
        for death in self.devnet.deaths() {
            anyhow::ensure!(!death.fatal, "{}", death.message);
            self.screen.say(&format!("!!! {}", death.message));
            self.failures
                .extend(death.message.lines().next().map(str::to_owned));
        }
        if !self.told_first && self.consumer.has_price() {
            self.told_first = true;
            let after = self.started.elapsed().as_secs_f64();
            self.screen.say(&format!(
                "first attested price {after:.1} s after the start"
            ));
        }
        if !self.told_end && self.devnet.ends_at_ms().is_some_and(|end| unix_ms() > end) {
            self.told_end = true;
            self.screen
                .say("the recorded history is over: prices will go stale");
        }
        Ok(())
    }

    fn view(&self) -> View {
        let now = unix_ms();
        let clock = self.devnet.pin().newest().0.clock();
        let health = self.consumer.health();
        let processes = self.devnet.processes();
        View {
            round: self.tally.last(),
            round_age_ms: self
                .tally
                .last()
                .map(|r| now.saturating_sub(clock.start_ms(r))),
            attested: self.tally.attested(),
            missed: self.tally.missed(),
            latency: self.tally.latency(LATENCY_WINDOW),
            feeds: self
                .consumer
                .feeds()
                .iter()
                .map(|feed| self.row(*feed, now))
                .collect(),
            members: processes
                .into_iter()
                .zip(health)
                .map(|(process, answers)| MemberRow {
                    process,
                    healthy: answers && matches!(process, Process::Running(_)),
                })
                .collect(),
        }
    }

    fn row(&self, feed: FeedName, now: u64) -> FeedRow {
        let price = self.consumer.price(feed);
        let shown = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        FeedRow {
            feed,
            price: shown(price.map(|p| p.price.to_string())),
            low: shown(price.map(|p| p.low.to_string())),
            high: shown(price.map(|p| p.high.to_string())),
            observers: price.map(|p| p.observers),
            trade_age_ms: price.map(|p| now.saturating_sub(p.observed_at_ms)),
            status: self.consumer.status(feed),
        }
    }

    /// Ends everything in order and reports.
    async fn finish(
        mut self,
        watched: anyhow::Result<()>,
        args: &RunArgs,
        stop: &mut Stop,
    ) -> anyhow::Result<()> {
        if args.rounds.is_some() && watched.is_ok() {
            // Asking the last round's stragglers must not keep anybody from ending the devnet.
            let late = self.settle();
            tokio::select! {
                _ = timeout(LATE_ROUNDS, late) => {}
                () = stop.asked() => {}
            }
        }
        let report = Report::new(self.devnet.pin(), &self.tally, self.devnet.plan().api_url());
        let Self {
            devnet,
            consumer,
            screen,
            mut failures,
            tally,
            ..
        } = self;
        drop(consumer);
        screen.say("stopping");
        let unclean = tokio::select! {
            unclean = devnet.stop() => unclean,
            // A second request kills: the processes are dropped.
            () = stop.asked() => vec!["the devnet".to_owned()],
        };
        failures.extend(
            unclean
                .iter()
                .map(|name| format!("{name} did not stop in order")),
        );
        watched?;
        if args.json {
            println!("{}", serde_json::to_string(&report)?);
        } else if args.rounds.is_some() {
            println!("{}", serde_json::to_string_pretty(&report)?);
        } else {
            screen.say(&format!(
                "stopped after {} attested rounds",
                tally.attested()
            ));
        }
        anyhow::ensure!(failures.is_empty(), "{}", failures.join("; "));
        Ok(())
    }

    /// Asks for the rounds that were overtaken, until they are all there.
    async fn settle(&mut self) {
        loop {
            let open: Vec<_> = self.tally.open().collect();
            for round in open {
                if self.consumer.holds(round).await {
                    self.tally.add_late(round);
                }
            }
            if self.tally.open().next().is_none() {
                return;
            }
            tokio::time::sleep(REDRAW).await;
        }
    }
}

fn stall_after(interval_ms: u64) -> Duration {
    STALL.max(Duration::from_millis(interval_ms).saturating_mul(STALL_INTERVALS))
}

/// What the network is and how to ask it.
fn heading(data: &DataDir, pin: &Pin, plan: &Plan, feeds: &[FeedName]) -> Vec<String> {
    let manifest = pin.newest().0;
    let api = plan.api_url();
    let market = match &plan.market {
        Origin::Demo { .. } => "demo market".to_owned(),
        Origin::Live => "live exchanges".to_owned(),
        Origin::Replay { dir, from, speed } => {
            format!("{} from {from}, {speed} times as fast", dir.display())
        }
    };
    let feed = best_known(feeds).map_or_else(String::new, |f| f.to_string());
    vec![
        format!(
            "Touchstone network {}: {} nodes (f = {}), a round every {} ms, {market}",
            pin.network_id(),
            manifest.members.len(),
            manifest.f,
            manifest.interval_ms
        ),
        format!(
            "API   {api}   documented at {api}/docs   data in {}",
            data.path().display()
        ),
        format!(
            "try   cargo run --release -p touchstone-client --bin touchstone -- get {feed} --url {api} --network {} \
             --max-age 10s",
            quoted(&data.pin().display().to_string())
        ),
        "end   Ctrl-C".to_owned(),
    ]
}

/// The feed that stands for all where there is room for one.
pub(crate) fn best_known(feeds: &[FeedName]) -> Option<FeedName> {
    let known = feeds.iter().find(|f| f.as_str() == "BTC-USD");
    known.or(feeds.first()).copied()
}

/// A word that a shell takes as it is.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%,=".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_can_be_pasted_into_a_shell() {
        assert_eq!(
            quoted("/tmp/touchstone-devnet-a1/network.json"),
            "/tmp/touchstone-devnet-a1/network.json"
        );
        assert_eq!(quoted("/my data/n.json"), "'/my data/n.json'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
    }

    #[test]
    fn slow_networks_may_take_their_time() {
        assert_eq!(stall_after(1_000), STALL);
        assert_eq!(stall_after(60_000), Duration::from_secs(1_200));
    }
}
