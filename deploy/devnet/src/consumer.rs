//! The devnet as a consumer: what it shows has come over the public API and was verified with the pin.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use tokio::{
    sync::{Notify, mpsc, watch},
    task::JoinSet,
    time::interval,
};
use touchstone_client::{
    FeedName, Policy, Status, VerifiedPrice, VerifiedUpdate, Verifier,
    http::{Client, WatchEvent},
};
use touchstone_types::{Pin, Round, RoundClock};

use crate::{
    market::unix_us,
    network::{http_client, is_healthy},
    plan::Plan,
};

/// Feeds that are shown, of a network that may have a thousand.
const FEEDS_SHOWN: usize = 40;
const HEALTH_EVERY: Duration = Duration::from_secs(1);

/// An attested round, as it came over the stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Attested {
    /// The round.
    pub(crate) round: Round,
    /// How long after the round's start, in microseconds.
    pub(crate) latency_us: u64,
}

/// What is known from outside.
pub(crate) struct Consumer {
    client: Client,
    feeds: Vec<FeedName>,
    /// Attested rounds of this start, ascending.
    pub(crate) rounds: mpsc::Receiver<Attested>,
    prices: watch::Receiver<Option<VerifiedUpdate>>,
    health: watch::Receiver<Vec<bool>>,
    /// All tasks end when this is dropped.
    _tasks: JoinSet<()>,
}

impl Consumer {
    /// Begins to follow the network through its aggregator.
    ///
    /// # Errors
    /// A pin that the verifier refuses.
    pub(crate) fn start(pin: &Pin, plan: &Plan) -> anyhow::Result<Self> {
        let verifier = Verifier::from_pin(pin).context("the pin")?;
        let client = Client::builder(verifier).endpoint(plan.api_url()).build()?;
        let manifest = pin.newest().0;
        let feeds: Vec<FeedName> = manifest
            .feeds
            .iter()
            .map(|f| f.name)
            .take(FEEDS_SHOWN)
            .collect();
        let first = *feeds.first().context("a network without feeds")?;
        let clock = manifest.clock();
        let (rounds_in, rounds) = mpsc::channel(1_024);
        let (prices_in, prices) = watch::channel(None);
        let (health_in, health) = watch::channel(vec![false; plan.members.len()]);
        let news = Arc::new(Notify::new());
        let mut tasks = JoinSet::new();
        tasks.spawn(follow(
            client.clone(),
            first,
            clock,
            rounds_in,
            Arc::clone(&news),
        ));
        tasks.spawn(fetch(client.clone(), feeds.clone(), prices_in, news));
        tasks.spawn(check_health(
            plan.members.iter().map(|m| m.http).collect(),
            health_in,
        ));
        Ok(Self {
            client,
            feeds,
            rounds,
            prices,
            health,
            _tasks: tasks,
        })
    }

    /// The feeds that are shown.
    pub(crate) fn feeds(&self) -> &[FeedName] {
        &self.feeds
    }

    /// The newest verified price of a feed, whatever its age and status: it is shown with both.
    pub(crate) fn price(&self, feed: FeedName) -> Option<VerifiedPrice> {
        let update = self.prices.borrow();
        let update = update.as_ref()?;
        let any = Status::all().fold(Policy::fresh(unix_us() / 1_000, u64::MAX), |p, (s, _)| {
            p.allow_status(s)
        });
        update.price(feed, &any.max_skew(u64::MAX)).ok()
    }

    /// Whether any feed has had a verified price yet.
    pub(crate) fn has_price(&self) -> bool {
        self.feeds.iter().any(|feed| self.price(*feed).is_some())
    }

    /// The status of a feed in the newest verified update.
    pub(crate) fn status(&self, feed: FeedName) -> Option<Status> {
        self.prices.borrow().as_ref()?.status(feed)
    }

    /// Whether each member answers on its health page.
    pub(crate) fn health(&self) -> Vec<bool> {
        self.health.borrow().clone()
    }

    /// Whether the aggregator holds the round, signed, though the stream has not brought it.
    pub(crate) async fn holds(&self, round: Round) -> bool {
        self.client.round(round).await.is_ok()
    }
}

/// Tells every verified round that began after this was called.
async fn follow(
    client: Client,
    feed: FeedName,
    clock: RoundClock,
    rounds: mpsc::Sender<Attested>,
    news: Arc<Notify>,
) {
    // Rounds of an earlier start come first from a stream, and are no measure of this one.
    let now = clock.round_at(unix_us() / 1_000);
    let floor = now.map_or(clock.first_round, |r| r.saturating_add(1));
    let mut watch = client.watch(&[feed], None);
    loop {
        let WatchEvent::Update(update) = watch.next().await else {
            continue;
        };
        let round = update.round();
        if round < floor {
            continue;
        }
        news.notify_one();
        let start_us = clock.start_ms(round).saturating_mul(1_000);
        let latency_us = unix_us().saturating_sub(start_us);
        if rounds.send(Attested { round, latency_us }).await.is_err() {
            return;
        }
    }
}

/// Fetches and verifies all feeds after each round.
async fn fetch(
    client: Client,
    feeds: Vec<FeedName>,
    prices: watch::Sender<Option<VerifiedUpdate>>,
    news: Arc<Notify>,
) {
    loop {
        news.notified().await;
        if let Ok(update) = client.latest(&feeds).await {
            prices.send_replace(Some(update));
        }
    }
}

async fn check_health(ports: Vec<u16>, health: watch::Sender<Vec<bool>>) {
    let Ok(http) = http_client() else { return };
    let mut ticks = interval(HEALTH_EVERY);
    loop {
        ticks.tick().await;
        let mut asked = JoinSet::new();
        for (position, port) in ports.iter().enumerate() {
            let (http, url) = (http.clone(), format!("http://127.0.0.1:{port}/healthz"));
            asked.spawn(async move { (position, is_healthy(&http, &url).await) });
        }
        let mut answers = vec![false; ports.len()];
        while let Some(answer) = asked.join_next().await {
            if let Ok((position, up)) = answer
                && let Some(slot) = answers.get_mut(position)
            {
                *slot = up;
            }
        }
        health.send_replace(answers);
    }
}
