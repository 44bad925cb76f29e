//! A committee that a story is about.

use std::{
    env,
    path::Path,
    sync::OnceLock,
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::sync::{Mutex, MutexGuard};
use touchstone_tests::{
    live::{Network, Options, Times, until},
    relay::{Chance, Impairment},
};
use touchstone_types::{MemberId, Round};

/// Longer than anything may take, so that a failure ends.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
pub(crate) const DELAY: Duration = Duration::from_millis(50);
/// A round that took longer is told of.
const STRAGGLER_MS: u64 = 700;
/// Rounds that must follow each other before a story begins.
const WARM_UP: u64 = 3;

/// How long a member sleeps.
pub(crate) fn nap() -> Duration {
    let is_long = env::var_os("TOUCHSTONE_LONG").is_some_and(|value| value == "1");
    Duration::from_secs(if is_long { 60 } else { 12 })
}

/// A story takes the machine for itself, so that its times mean something.
pub(crate) async fn alone() -> MutexGuard<'static, ()> {
    static ONE: OnceLock<Mutex<()>> = OnceLock::new();
    let _ = rustls::crypto::ring::default_provider().install_default();
    ONE.get_or_init(Mutex::default).lock().await
}

/// A committee over links of 50 ms one way, give or take 10 ms, that lose every fiftieth datagram and double every hundredth.
pub(crate) struct Story {
    pub(crate) network: Network,
    pub(crate) everybody: Vec<usize>,
    name: &'static str,
    since: Instant,
    _alone: MutexGuard<'static, ()>,
}

impl Story {
    /// Starts the committee and waits until it is warm.
    pub(crate) async fn begin(name: &'static str, nodes: u16, interval_ms: u64, seed: u64) -> Self {
        let alone = alone().await;
        let since = Instant::now();
        let impairment = Impairment {
            delay: DELAY,
            jitter: DELAY / 5,
            loss: Chance::percent(2.0).expect("a chance"),
            duplication: Chance::percent(1.0).expect("a chance"),
        };
        let options = Options {
            nodes,
            interval_ms,
            impairment,
            seed,
        };
        let program = Path::new(env!("CARGO_BIN_EXE_touchstone-multicall"));
        let network = Network::start(program, &options).await.expect("a network");
        println!(
            "{name}: {nodes} members, relay's seed {}",
            network.relay().seed()
        );
        let story = Self {
            network,
            everybody: (0..usize::from(nodes)).collect(),
            name,
            since,
            _alone: alone,
        };
        story.in_a_row(WARM_UP, &story.everybody).await;
        story
    }

    pub(crate) fn say(&self, text: &str) {
        println!("{} after {:.1?}: {text}", self.name, self.since.elapsed());
    }

    /// Waits for so many rounds in a row at these members; gives the round behind them.
    pub(crate) async fn in_a_row(&self, count: u64, members: &[usize]) -> Round {
        let rounds = self.network.rounds_in_a_row(count, members, PATIENCE).await;
        rounds.expect("rounds in a row")
    }

    pub(crate) async fn until<T>(&self, what: &str, done: impl AsyncFnMut() -> Option<T>) -> T {
        until(what, PATIENCE, done).await.expect("in time")
    }

    /// Waits until these members have attested the round.
    pub(crate) async fn attested(&self, round: Round, members: &[usize]) {
        let what = format!("round {round} at members {members:?}");
        let seen = async || {
            self.network
                .record()
                .is_seen_by(members, round)
                .then_some(())
        };
        self.until(&what, seen).await;
    }

    /// No round from `first` up to `end` was missed by these members; they get the time that the last one takes.
    pub(crate) async fn none_missed(&self, first: Round, end: Round, members: &[usize]) {
        for round in (first.0..end.0).map(Round) {
            self.attested(round, members).await;
        }
        let delay = DELAY;
        let times = Times::of(
            self.network.record(),
            self.network.clock(),
            first..end,
            members,
            delay,
        );
        self.say(&format!("rounds {first} to {end}\n{}", times.table()));
        self.say_stragglers(first, end, members);
        assert_eq!(times.attested_by_all, end.0 - first.0);
    }

    /// Tells which rounds came late to whom, for whoever wonders about a table.
    fn say_stragglers(&self, first: Round, end: Round, members: &[usize]) {
        let clock = self.network.clock();
        for round in (first.0..end.0).map(Round) {
            let start_us = clock.start_ms(round) * 1_000;
            let took_ms = |member: &usize| {
                let seen_us = self.network.record().seen_us(*member, round)?;
                Some(seen_us.saturating_sub(start_us) / 1_000)
            };
            let took: Vec<Option<u64>> = members.iter().map(took_ms).collect();
            if took.iter().flatten().any(|ms| *ms > STRAGGLER_MS) {
                println!("  round {round}: {took:?} ms at members {members:?}");
            }
        }
    }

    /// Waits until rounds from `first` on rest on what this member has observed, too; gives how many rounds that took.
    pub(crate) async fn contributes(&self, member: usize, first: Round) -> u64 {
        let id = MemberId(u16::try_from(member).expect("a member"));
        let rests_on_it = |round: &Round| self.network.record().rests_on(*round, id);
        let what = format!("rounds rest on member {member}");
        let found = self.until(&what, async || {
            // Nobody waits for a member that is late: now and then it is left out, also when it does all it can.
            let recent = (first.0..=self.network.round_now().0).map(Round);
            let resting: Vec<Round> = recent.filter(rests_on_it).collect();
            (resting.len() >= 3).then(|| resting[0])
        });
        found.await.0 - first.0
    }

    pub(crate) async fn status(&self, member: usize) -> Value {
        let status = self.network.members()[member].status().await;
        status.expect("a status")
    }

    /// Everything that was attested verifies and agrees, the aggregator has it, nobody is accused, and every process ends by
    /// itself.
    pub(crate) async fn end(mut self) {
        let audit = self.network.audit().await.expect("an audit");
        self.say(&format!("{} rounds verified", audit.rounds));
        if !audit.findings.is_empty() {
            let folder = self.network.keep_folder().display().to_string();
            self.say(&format!("keys, logs and databases are kept in {folder}"));
        }
        assert_eq!(audit.findings, Vec::<String>::new(), "{}", self.name);
        assert!(audit.rounds > 5);
        let (name, since) = (self.name, self.since);
        self.network.stop().await.expect("all end in order");
        println!("{name}: over after {:.1?}", since.elapsed());
    }
}
