//! The shell around the pure part: asks the exchanges over HTTP and keeps the book.
//!
//! Each market has its own task and its own jittered period, so a market that fails or hangs holds up no other. The
//! tasks of one exchange share a request budget, and a bound on requests under way; when the exchange says that it is
//! asked too often (429, 418, its own error code) all of them wait as long as it wants, and when it refuses the address
//! (403, 451) they leave it alone for ten minutes.

mod budget;
mod config;
mod once;
mod request;
mod state;

use std::{
    collections::BTreeMap,
    hash::{BuildHasher, RandomState},
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

pub use config::{FeedsConfig, FeedsConfigError, SourceConfig};
pub use once::{FetchError, Fetched, fetch_feed};
use request::Endpoint;
use state::SourceCourse;
pub use state::{Counters, SourceHealth, SourceState};
use thiserror::Error;
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep, sleep_until},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use touchstone_types::{FeedSpec, Market};

use crate::{Book, Exchange, PlanError, Priced, Pricer};

/// Requests to one exchange that may be under way at the same time.
const IN_FLIGHT: usize = 16;
/// The longest wait of a market that fails again and again.
const BACK_OFF_MAX: Duration = Duration::from_secs(30);

/// Why the poller cannot start.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum PollerError {
    /// A setting is out of range.
    #[error(transparent)]
    Config(#[from] FeedsConfigError),
    /// The feeds cannot be priced.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The process has not chosen its TLS implementation.
    #[error(
        "no TLS provider is installed: call rustls::crypto::ring::default_provider().install_default() first"
    )]
    NoCryptoProvider,
    /// The HTTP client cannot be made.
    #[error("HTTP client: {0}")]
    Client(String),
}

/// Starts polling.
#[derive(Debug)]
pub struct Poller;

struct Shared {
    pricer: Pricer,
    book: RwLock<Book>,
    courses: BTreeMap<String, Arc<SourceCourse>>,
}

/// Access to what the poller has brought in; clones share it.
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
    tasks: TaskTracker,
}

impl Poller {
    /// Polls every market of `feeds` until `shutdown`. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// A setting out of range, feeds that cannot be priced, no TLS provider.
    pub fn spawn(
        config: &FeedsConfig,
        feeds: &[FeedSpec],
        shutdown: &CancellationToken,
    ) -> Result<Handle, PollerError> {
        config.validate()?;
        let mut book = Book::of_feeds(feeds);
        let mut markets: BTreeMap<String, Vec<Market>> = BTreeMap::new();
        for market in book.markets() {
            markets
                .entry(market.source.clone())
                .or_default()
                .push(market);
        }
        let mut courses = BTreeMap::new();
        let mut polled = Vec::new();
        for (name, markets) in markets {
            let settings = config.source(&name);
            let (rate, fixed) = match usable(&name, &settings) {
                Ok(exchange) => {
                    let endpoint = Endpoint::new(exchange, config)?;
                    polled.push((name.clone(), endpoint, markets.clone()));
                    (
                        settings
                            .requests_per_second
                            .unwrap_or(exchange.requests_per_second),
                        None,
                    )
                }
                Err((state, why)) => {
                    for market in &markets {
                        book.fail(market, why.clone());
                    }
                    (1, Some((state, why)))
                }
            };
            courses.insert(
                name.clone(),
                Arc::new(SourceCourse::new(&name, markets.len(), rate, fixed)),
            );
        }
        let shared = Arc::new(Shared {
            pricer: Pricer::new(feeds)?,
            book: RwLock::new(book),
            courses,
        });
        let tasks = TaskTracker::new();
        for (name, endpoint, markets) in polled {
            let Some(course) = shared.courses.get(&name).cloned() else {
                continue;
            };
            let source = Arc::new(Source {
                endpoint,
                course,
                in_flight: Semaphore::new(IN_FLIGHT),
                period: Duration::from_millis(config.period_ms),
            });
            for market in markets {
                let (source, shared, shutdown) =
                    (Arc::clone(&source), Arc::clone(&shared), shutdown.clone());
                tasks.spawn(async move {
                    shutdown
                        .run_until_cancelled_owned(poll(&source, &shared, &market))
                        .await;
                });
            }
        }
        tasks.close();
        Ok(Handle { shared, tasks })
    }
}

/// The exchange of a source, or why it is not asked at all.
fn usable(name: &str, settings: &SourceConfig) -> Result<&'static Exchange, (SourceState, String)> {
    let exchange = Exchange::by_name(name).ok_or_else(|| {
        let why = format!(
            "this version has no adapter of that name; it has {}",
            Exchange::names()
        );
        (SourceState::Unknown, why)
    })?;
    if settings.enabled {
        Ok(exchange)
    } else {
        Err((
            SourceState::Disabled,
            "switched off by the configuration".to_owned(),
        ))
    }
}

impl Handle {
    /// Prices every feed from the newest quotes; results come in the order of the feeds.
    pub fn price(&self, now_ms: u64) -> Vec<Priced> {
        self.shared.pricer.price(&self.shared.read(), now_ms)
    }

    /// A copy of the book.
    pub fn snapshot(&self) -> Book {
        self.shared.read().clone()
    }

    /// How the exchanges have been answering, in order of name.
    pub fn health(&self, now_ms: u64) -> Vec<SourceHealth> {
        self.shared
            .courses
            .values()
            .map(|course| course.health(now_ms))
            .collect()
    }

    /// Waits until every task has ended after the shutdown.
    pub async fn stopped(&self) {
        self.tasks.wait().await;
    }
}

impl Shared {
    fn read(&self) -> std::sync::RwLockReadGuard<'_, Book> {
        self.book.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, f: impl FnOnce(&mut Book)) {
        f(&mut self.book.write().unwrap_or_else(PoisonError::into_inner));
    }
}

/// One exchange, shared by the tasks of its markets.
struct Source {
    endpoint: Endpoint,
    course: Arc<SourceCourse>,
    in_flight: Semaphore,
    period: Duration,
}

impl Source {
    /// Waits for the end of a pause and for a place in the budget.
    async fn admit(&self) {
        loop {
            while let Some(until) = self.course.paused_until(Instant::now()) {
                sleep_until(until).await;
            }
            sleep_until(self.course.reserve(Instant::now())).await;
            // The exchange may have asked for a pause while this request waited for its place.
            if self.course.paused_until(Instant::now()).is_none() {
                return;
            }
        }
    }
}

async fn poll(source: &Source, shared: &Shared, market: &Market) {
    let mut jitter = Jitter::new(market);
    let mut failures: u32 = 0;
    sleep(jitter.below(source.period)).await;
    loop {
        source.admit().await;
        // The semaphore is never closed.
        let permit = source.in_flight.acquire().await;
        let started = Instant::now();
        match source.endpoint.fetch(market).await {
            Ok(quote) => {
                failures = 0;
                source.course.succeeded();
                let received_ms = wall_ms();
                if let Some(quote) = quote {
                    shared.change(|book| {
                        book.take(quote, received_ms);
                    });
                }
            }
            Err(failure) => {
                failures = failures.saturating_add(1);
                tracing::debug!(source = market.source, pair = %market.pair, failures, "{failure}");
                source.course.failed(&failure, Instant::now());
                shared.change(|book| book.fail(market, failure.to_string()));
            }
        }
        drop(permit);
        let wait = jitter.around(back_off(source.period, failures));
        sleep_until(started.checked_add(wait).unwrap_or(started)).await;
    }
}

/// The period after a success or a first failure, twice as long after each further failure.
fn back_off(period: Duration, failures: u32) -> Duration {
    let doubled = period.saturating_mul(2u32.saturating_pow(failures.saturating_sub(1)));
    doubled.min(BACK_OFF_MAX.max(period))
}

/// Spreads requests out so that the markets of many nodes do not all ask at once. Nothing depends on its quality.
struct Jitter(u64);

impl Jitter {
    fn new(market: &Market) -> Self {
        Self(RandomState::new().hash_one((&market.source, market.pair)))
    }

    /// A share of 0 to 1023 of 1024 parts (SplitMix64).
    fn share(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        u32::try_from(mixed >> 54).unwrap_or(0)
    }

    /// From zero to the period.
    fn below(&mut self, period: Duration) -> Duration {
        part(period.saturating_mul(self.share()), 1_024)
    }

    /// The period, give or take a tenth.
    fn around(&mut self, period: Duration) -> Duration {
        let least = part(period, 10).saturating_mul(9);
        least.saturating_add(self.below(part(period, 5)))
    }
}

fn part(whole: Duration, of: u32) -> Duration {
    whole.checked_div(of).unwrap_or_default()
}

/// The wall clock in Unix milliseconds.
#[expect(
    clippy::disallowed_methods,
    reason = "the poller is the part of this crate that reads a clock"
)]
fn wall_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| u64::try_from(since.as_millis()).ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_make_the_period_longer_up_to_a_bound() {
        let period = Duration::from_secs(1);
        let waits: Vec<u64> = (0..8).map(|f| back_off(period, f).as_secs()).collect();
        assert_eq!(waits, [1, 1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(back_off(Duration::from_secs(60), 9).as_secs(), 60);
    }

    #[test]
    fn jitter_stays_within_a_tenth() {
        let market = crate::default_feeds()[0].sources[0].clone();
        let mut jitter = Jitter::new(&market);
        let waits: Vec<u128> = (0..1_000)
            .map(|_| jitter.around(Duration::from_secs(1)).as_millis())
            .collect();
        assert!(waits.iter().all(|ms| (900..1_100).contains(ms)));
        assert!(waits.iter().max() > Some(&1_050) && waits.iter().min() < Some(&950));
    }
}
