//! How often one exchange may be asked: the generic cell rate algorithm, with pauses.

use std::time::Duration;

use tokio::time::Instant;

/// Requests that may go out at once after a quiet time, as a share of one second's budget: a fifth, at least one.
const BURST_SHARE: u32 = 5;

/// The request budget of one host. It hands out times to send at, in the order of asking.
#[derive(Debug)]
pub(super) struct Budget {
    interval: Duration,
    burst: Duration,
    /// When the next request would be due if requests were spread evenly.
    due: Option<Instant>,
}

impl Budget {
    pub(super) fn new(requests_per_second: u32) -> Self {
        let rate = requests_per_second.max(1);
        let interval = Duration::from_secs(1).checked_div(rate).unwrap_or_default();
        let at_once = (rate / BURST_SHARE).max(1);
        Self {
            interval,
            burst: interval.saturating_mul(at_once.saturating_sub(1)),
            due: None,
        }
    }

    /// Takes one request out of the budget and says when it may be sent.
    pub(super) fn reserve(&mut self, now: Instant) -> Instant {
        let earliest = now.checked_sub(self.burst).unwrap_or(now);
        let slot = self.due.map_or(earliest, |due| due.max(earliest));
        self.due = slot.checked_add(self.interval);
        slot.max(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_spread_over_the_second() {
        let start = Instant::now();
        let mut budget = Budget::new(10);
        let offsets: Vec<u128> = (0..6)
            .map(|_| budget.reserve(start).duration_since(start).as_millis())
            .collect();
        assert_eq!(
            offsets,
            [0, 0, 100, 200, 300, 400],
            "two at once, then one every tenth of a second"
        );
    }

    #[test]
    fn a_quiet_time_saves_up_no_more_than_the_burst() {
        let start = Instant::now();
        let mut budget = Budget::new(1);
        assert_eq!(budget.reserve(start), start);
        let later = start + Duration::from_secs(3_600);
        assert_eq!(budget.reserve(later), later);
        assert_eq!(budget.reserve(later), later + Duration::from_secs(1));
    }

    #[test]
    fn no_second_ever_sees_more_than_the_budget_and_the_burst() {
        let start = Instant::now();
        let mut budget = Budget::new(20);
        let mut sent = Vec::new();
        for step in 0..400u32 {
            sent.push(budget.reserve(start + Duration::from_millis(7) * step));
        }
        for at in &sent {
            let within = sent
                .iter()
                .filter(|t| *t >= at && **t < *at + Duration::from_secs(1))
                .count();
            assert!(within <= 20 + 4, "{within}");
        }
    }
}
