//! What a caller asks of a price: of one that is kept, and as a policy for an update that is shown.
//!
//! The rules, their order and their codes are those of `touchstone_client::Policy`. A policy judges an update; what is kept is
//! one leaf of it, which is judged here. The tests hold the two against each other.

use touchstone_client::{Policy, PolicyError};
use touchstone_types::{Round, Status};

use crate::{
    msg::{self, Conditions},
    prices::Kept,
};

/// The clock that a price is judged by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    /// The block's time, in Unix milliseconds.
    pub(crate) now_ms: u64,
    /// How far a signed time may be ahead of it, in milliseconds.
    pub(crate) max_skew_ms: u64,
}

impl Clock {
    /// Refuses a time that is too far ahead.
    ///
    /// # Errors
    /// [`PolicyError::Ahead`].
    pub(crate) fn check(self, what: &'static str, timestamp_ms: u64) -> Result<(), PolicyError> {
        let ahead_ms = timestamp_ms.saturating_sub(self.now_ms);
        if ahead_ms > self.max_skew_ms {
            return Err(PolicyError::Ahead {
                what,
                ahead_ms,
                max_skew_ms: self.max_skew_ms,
            });
        }
        Ok(())
    }
}

impl Conditions {
    /// Adds these conditions to a policy that says which time is meant.
    pub(crate) fn policy(&self, policy: Policy, clock: Clock) -> Policy {
        let mut policy = policy
            .max_skew(clock.max_skew_ms)
            .allow_status(self.allowed())
            .min_observers(self.min_observers.unwrap_or(0));
        if let Some(ms) = self.max_trade_age_ms {
            policy = policy.max_trade_age(ms);
        }
        if let Some(round) = self.newer_than {
            policy = policy.newer_than(Round(round.u64()));
        }
        policy
    }

    /// Whether a price that is kept satisfies these conditions, and is no older than `max_age_ms`.
    ///
    /// # Errors
    /// The first condition that it does not satisfy.
    pub(crate) fn check(
        &self,
        price: &Kept,
        clock: Clock,
        max_age_ms: u64,
    ) -> Result<(), PolicyError> {
        self.check_round(price, clock, max_age_ms)?;
        self.check_leaf(price, clock)
    }

    fn check_round(&self, price: &Kept, clock: Clock, max_age_ms: u64) -> Result<(), PolicyError> {
        let round = price.round;
        clock.check("the round's timestamp", price.timestamp_ms)?;
        let age_ms = clock.now_ms.saturating_sub(price.timestamp_ms);
        if age_ms > max_age_ms {
            return Err(PolicyError::TooOld {
                round,
                age_ms,
                max_age_ms,
            });
        }
        match self.newer_than.map(|last| Round(last.u64())) {
            Some(last) if round <= last => Err(PolicyError::NotNewer { round, last }),
            _ => Ok(()),
        }
    }

    fn check_leaf(&self, price: &Kept, clock: Clock) -> Result<(), PolicyError> {
        let leaf = &price.leaf;
        let (feed, status) = (leaf.feed, leaf.status);
        if status.contains(Status::UNAVAILABLE) {
            return Err(PolicyError::Unavailable { feed, status });
        }
        let refused = status.without(self.allowed());
        if !refused.is_ok() {
            return Err(PolicyError::Status { feed, refused });
        }
        let (observers, min) = (leaf.observers, self.min_observers.unwrap_or(0));
        if observers < min {
            return Err(PolicyError::TooFewObservers {
                feed,
                observers,
                min,
            });
        }
        clock.check("the trades' timestamp", leaf.observed_at_ms)?;
        let age_ms = clock.now_ms.saturating_sub(leaf.observed_at_ms);
        match self.max_trade_age_ms {
            Some(max_age_ms) if age_ms > max_age_ms => Err(PolicyError::TradeTooOld {
                feed,
                age_ms,
                max_age_ms,
            }),
            _ => Ok(()),
        }
    }

    fn allowed(&self) -> Status {
        msg::Status::bits(&self.allow_status)
    }
}
