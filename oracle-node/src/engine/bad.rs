//! Messages that were refused: counted by member and reason, and logged at most once a second for each member.

use std::{
    collections::BTreeMap,
    fmt::Display,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use touchstone_types::MemberId;

use crate::telemetry::Metrics;

const LOG_PERIOD: Duration = Duration::from_secs(1);

/// Counts and logs what members did wrong on their links.
pub(crate) struct BadMessages {
    metrics: Arc<Metrics>,
    told: Mutex<BTreeMap<MemberId, Told>>,
}

struct Told {
    at: Instant,
    untold: u64,
}

impl BadMessages {
    pub(crate) fn new(metrics: Arc<Metrics>) -> Self {
        Self {
            metrics,
            told: Mutex::default(),
        }
    }

    /// One message was refused.
    pub(crate) fn count(&self, member: MemberId, reason: &'static str, error: &dyn Display) {
        self.metrics.bad_message(member, reason);
        if let Some(untold) = self.may_tell(member, Instant::now()) {
            tracing::warn!(%member, reason, %error, untold, "refused a message");
        }
    }

    /// Whether to log now, and how many were not logged since the last time.
    fn may_tell(&self, member: MemberId, now: Instant) -> Option<u64> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(last) = told.get_mut(&member) else {
            told.insert(member, Told { at: now, untold: 0 });
            return Some(0);
        };
        if now.duration_since(last.at) < LOG_PERIOD {
            last.untold += 1;
            return None;
        }
        last.at = now;
        Some(std::mem::take(&mut last.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_logged_once_a_second() {
        let bad = BadMessages::new(Arc::new(Metrics::new()));
        let start = Instant::now();
        let tell = |member, ms| bad.may_tell(MemberId(member), start + Duration::from_millis(ms));
        assert_eq!(tell(1, 0), Some(0));
        assert_eq!(tell(1, 10), None);
        assert_eq!(tell(1, 999), None);
        assert_eq!(tell(2, 999), Some(0), "another member");
        assert_eq!(tell(1, 1_000), Some(2));
        assert_eq!(tell(1, 1_001), None);
    }
}
