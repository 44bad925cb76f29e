//! How an exchange has been answering.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use serde::Serialize;
use tokio::time::Instant;

use super::{budget::Budget, request::RequestFailure, wall_ms};

/// An exchange without an answer for so long, in milliseconds, is failing.
const SILENT_MS: u64 = 10_000;
/// How long an exchange is left alone that refuses the address.
const PARKED: Duration = Duration::from_secs(600);
/// The first pause after "asked too often" without a `Retry-After`; each further one doubles it, up to the longest.
const RATE_PAUSE: Duration = Duration::from_secs(10);
const RATE_PAUSE_MAX: Duration = Duration::from_secs(300);

/// How often requests to an exchange had which end, since the start.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize)]
pub struct Counters {
    /// An answer that could be read.
    pub ok: u64,
    /// An HTTP error, or no connection.
    pub http_error: u64,
    /// No answer in time.
    pub timeout: u64,
    /// An answer that could not be read, or was too long.
    pub parse_error: u64,
    /// "Asked too often".
    pub rate_limited: u64,
    /// The exchange refuses to serve this address.
    pub refused: u64,
}

/// Whether an exchange answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceState {
    /// It has not answered yet, nor failed to.
    Starting,
    /// It answers.
    Ok,
    /// It has not answered for some time.
    Failing,
    /// It wants to be left alone for some time, after "asked too often".
    RateLimited,
    /// It refuses this address, and is asked again later.
    Parked,
    /// The configuration switched it off.
    Disabled,
    /// This version has no adapter of that name.
    Unknown,
}

/// One exchange, for status pages.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct SourceHealth {
    /// Its name.
    pub source: String,
    /// Whether it answers.
    pub state: SourceState,
    /// What it last failed with, if it is not ok.
    pub reason: Option<String>,
    /// Unix milliseconds of the last good answer.
    pub last_ok_ms: Option<u64>,
    /// Unix milliseconds until which it is left alone.
    pub paused_until_ms: Option<u64>,
    /// How many of its markets are polled.
    pub markets: usize,
    /// How its requests ended.
    pub counters: Counters,
}

#[derive(Debug, Default)]
struct Tally {
    ok: AtomicU64,
    http_error: AtomicU64,
    timeout: AtomicU64,
    parse_error: AtomicU64,
    rate_limited: AtomicU64,
    refused: AtomicU64,
}

#[derive(Debug)]
struct Pause {
    until: Instant,
    until_ms: u64,
    state: SourceState,
}

#[derive(Debug)]
struct Course {
    budget: Budget,
    pause: Option<Pause>,
    rate_pauses: u32,
    last_ok_ms: Option<u64>,
    last_failure: Option<String>,
}

/// The course of one exchange, shared by the tasks of its markets.
#[derive(Debug)]
pub(super) struct SourceCourse {
    name: String,
    markets: usize,
    /// A state that never changes: disabled or unknown.
    fixed: Option<(SourceState, String)>,
    tally: Tally,
    course: Mutex<Course>,
}

impl SourceCourse {
    pub(super) fn new(
        name: &str,
        markets: usize,
        requests_per_second: u32,
        fixed: Option<(SourceState, String)>,
    ) -> Self {
        Self {
            name: name.to_owned(),
            markets,
            fixed,
            tally: Tally::default(),
            course: Mutex::new(Course {
                budget: Budget::new(requests_per_second),
                pause: None,
                rate_pauses: 0,
                last_ok_ms: None,
                last_failure: None,
            }),
        }
    }

    fn with_course<T>(&self, f: impl FnOnce(&mut Course) -> T) -> T {
        f(&mut self.course.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// When the next request may go out.
    pub(super) fn reserve(&self, now: Instant) -> Instant {
        self.with_course(|course| course.budget.reserve(now))
    }

    /// Until when the exchange is left alone, if it is.
    pub(super) fn paused_until(&self, now: Instant) -> Option<Instant> {
        self.with_course(|course| {
            course
                .pause
                .as_ref()
                .map(|p| p.until)
                .filter(|until| *until > now)
        })
    }

    pub(super) fn succeeded(&self) {
        self.tally.ok.fetch_add(1, Relaxed);
        self.with_course(|course| {
            course.rate_pauses = 0;
            course.last_ok_ms = Some(wall_ms());
        });
    }

    /// Counts a failure, and pauses the exchange if it asks for that.
    pub(super) fn failed(&self, failure: &RequestFailure, now: Instant) {
        let (counter, pause) = match failure {
            RequestFailure::Timeout(_) => (&self.tally.timeout, None),
            RequestFailure::Transport(_) | RequestFailure::Status { .. } => {
                (&self.tally.http_error, None)
            }
            RequestFailure::RateLimited { retry_after, .. } => (
                &self.tally.rate_limited,
                Some((SourceState::RateLimited, *retry_after)),
            ),
            RequestFailure::Answer(error) if error.is_rate_limit() => (
                &self.tally.rate_limited,
                Some((SourceState::RateLimited, None)),
            ),
            RequestFailure::Refused { .. } => (
                &self.tally.refused,
                Some((SourceState::Parked, Some(PARKED))),
            ),
            RequestFailure::TooLarge { .. } | RequestFailure::Answer(_) => {
                (&self.tally.parse_error, None)
            }
        };
        counter.fetch_add(1, Relaxed);
        self.with_course(|course| {
            course.last_failure = Some(failure.to_string());
            let Some((state, wait)) = pause else {
                return;
            };
            // Requests that were under way when the pause began do not lengthen it.
            if course.pause.as_ref().is_some_and(|p| p.until > now) {
                return;
            }
            let wait = wait.unwrap_or_else(|| {
                let doubled = RATE_PAUSE.saturating_mul(2u32.saturating_pow(course.rate_pauses));
                course.rate_pauses = course.rate_pauses.saturating_add(1);
                doubled.min(RATE_PAUSE_MAX)
            });
            let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
            course.pause = now.checked_add(wait).map(|until| Pause {
                until,
                until_ms: wall_ms().saturating_add(wait_ms),
                state,
            });
        });
    }

    pub(super) fn health(&self, now_ms: u64) -> SourceHealth {
        let read = |counter: &AtomicU64| counter.load(Relaxed);
        let tally = &self.tally;
        let counters = Counters {
            ok: read(&tally.ok),
            http_error: read(&tally.http_error),
            timeout: read(&tally.timeout),
            parse_error: read(&tally.parse_error),
            rate_limited: read(&tally.rate_limited),
            refused: read(&tally.refused),
        };
        self.with_course(|course| {
            let pause = course.pause.as_ref().filter(|p| p.until_ms > now_ms);
            let recent = course
                .last_ok_ms
                .is_some_and(|ok| now_ms.saturating_sub(ok) <= SILENT_MS);
            let (state, reason) = match (&self.fixed, pause) {
                (Some((state, reason)), _) => (*state, Some(reason.clone())),
                (None, Some(pause)) => (pause.state, course.last_failure.clone()),
                (None, None) if recent => (SourceState::Ok, None),
                (None, None) if course.last_ok_ms.is_none() && course.last_failure.is_none() => {
                    (SourceState::Starting, None)
                }
                (None, None) => (SourceState::Failing, course.last_failure.clone()),
            };
            SourceHealth {
                source: self.name.clone(),
                state,
                reason,
                last_ok_ms: course.last_ok_ms,
                paused_until_ms: pause.map(|p| p.until_ms),
                markets: self.markets,
                counters,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limited(retry_after: Option<Duration>) -> RequestFailure {
        RequestFailure::RateLimited {
            status: 429,
            retry_after,
        }
    }

    #[test]
    fn retry_after_is_honoured_and_then_over() {
        let course = SourceCourse::new("okx", 3, 10, None);
        let now = Instant::now();
        course.failed(&limited(Some(Duration::from_secs(7))), now);
        assert_eq!(course.paused_until(now), Some(now + Duration::from_secs(7)));
        assert_eq!(course.paused_until(now + Duration::from_secs(7)), None);
        let health = course.health(wall_ms());
        assert_eq!(
            (health.state, health.counters.rate_limited, health.markets),
            (SourceState::RateLimited, 1, 3)
        );
        assert_eq!(health.reason.as_deref(), Some("HTTP 429: asked too often"));
    }

    #[test]
    fn pauses_without_retry_after_double() {
        let course = SourceCourse::new("okx", 3, 10, None);
        let mut now = Instant::now();
        for want in [10, 20, 40, 80, 160, 300, 300] {
            course.failed(&limited(None), now);
            course.failed(&limited(None), now);
            let until = course.paused_until(now).expect("paused");
            assert_eq!(until - now, Duration::from_secs(want));
            now = until;
        }
        course.succeeded();
        course.failed(&limited(None), now);
        assert_eq!(
            course.paused_until(now),
            Some(now + Duration::from_secs(10))
        );
    }

    #[test]
    fn states() {
        let course = SourceCourse::new("okx", 1, 10, None);
        assert_eq!(course.health(wall_ms()).state, SourceState::Starting);
        course.failed(
            &RequestFailure::Timeout(Duration::from_millis(5)),
            Instant::now(),
        );
        assert_eq!(course.health(wall_ms()).state, SourceState::Failing);
        course.succeeded();
        let ok = course.health(wall_ms());
        assert_eq!((ok.state, ok.reason), (SourceState::Ok, None));
        let silent = course.health(wall_ms() + SILENT_MS + 1_000);
        assert_eq!(silent.reason.as_deref(), Some("no answer within 5 ms"));
        course.failed(&RequestFailure::Refused { status: 451 }, Instant::now());
        let parked = course.health(wall_ms());
        assert_eq!(
            (parked.state, parked.counters.refused),
            (SourceState::Parked, 1)
        );
    }
}
