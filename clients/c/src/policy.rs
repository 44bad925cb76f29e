//! The policy of the header, and the Rust policy that it says.

use touchstone_client::{Policy, PolicyError, Round, Status, VerifiedUpdate, verify_at};

use crate::Code;

/// `touchstone_when`: a price for now.
const FRESH: u32 = 1;
/// `touchstone_when`: the price at a past instant.
const AT: u32 = 2;

/// `touchstone_policy`. Every bit pattern is a value; those that say nothing, or two things, are refused when it is used.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct RawPolicy {
    /// `sizeof(touchstone_policy)` of the caller's header.
    pub size: u32,
    /// `TOUCHSTONE_FRESH` or `TOUCHSTONE_AT`.
    pub when: u32,
    /// The caller's clock, or the instant.
    pub time_ms: u64,
    /// The largest age of the round.
    pub max_age_ms: u64,
    /// How far timestamps may be ahead.
    pub max_skew_ms: u64,
    /// The largest age of the trades.
    pub max_trade_age_ms: u64,
    /// The last round that the caller saw, if `has_last_round` is 1.
    pub last_round: u64,
    /// How many rounds the updates around an instant may be apart.
    pub max_gap: u64,
    /// The update after the instant.
    pub next: *const VerifiedUpdate,
    /// The least number of observers.
    pub min_observers: u16,
    /// Status bits that are accepted.
    pub allowed_status: u8,
    /// Whether `last_round` counts: 0 or 1.
    pub has_last_round: u8,
    /// Must be 0.
    pub reserved: u32,
}

impl RawPolicy {
    /// The policy for `update`, where `next` is what the pointer of the same name points to.
    ///
    /// # Errors
    /// It is for another version of the header, says nothing about time, or contradicts itself; or the two updates do not
    /// stand around the instant.
    pub(crate) fn resolve(
        &self,
        update: &VerifiedUpdate,
        next: Option<&VerifiedUpdate>,
    ) -> Result<Policy, Code> {
        let policy = match (self.when, next) {
            (FRESH, None) => Policy::fresh(self.time_ms, self.max_age_ms),
            (AT, Some(next)) if self.max_age_ms == 0 => {
                Policy::at(verify_at(update, next, self.time_ms).map_err(refused)?)
            }
            _ => return Err(Code::InvalidArgument),
        };
        let allowed = Status::from_bits(self.allowed_status).ok_or(Code::InvalidStatus)?;
        let policy = policy
            .max_skew(self.max_skew_ms)
            .max_trade_age(self.max_trade_age_ms)
            .max_gap(self.max_gap)
            .min_observers(self.min_observers)
            .allow_status(allowed);
        match (self.has_last_round, self.reserved) {
            (0, 0) => Ok(policy),
            (1, 0) => Ok(policy.newer_than(Round(self.last_round))),
            _ => Err(Code::InvalidArgument),
        }
    }
}

/// The code of a refusal.
pub(crate) fn refused(error: PolicyError) -> Code {
    Code::of(error.code())
}
