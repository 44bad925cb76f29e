//! Exponential back-off with full jitter: uniform from zero to a bound that doubles up to a maximum, so that members which
//! lost each other together do not come back together.

use std::time::Duration;

use rand_core::RngCore;

pub(crate) struct Backoff {
    min: Duration,
    max: Duration,
    attempt: u32,
}

impl Backoff {
    pub(crate) fn new(min: Duration, max: Duration) -> Self {
        Self {
            min,
            max,
            attempt: 0,
        }
    }

    pub(crate) fn reset(&mut self) {
        self.attempt = 0;
    }

    /// How long to wait before the next attempt.
    pub(crate) fn next(&mut self, rng: &mut impl RngCore) -> Duration {
        let factor = 1u32.checked_shl(self.attempt).unwrap_or(u32::MAX);
        let bound = self.min.saturating_mul(factor).min(self.max);
        if bound < self.max {
            self.attempt = self.attempt.saturating_add(1);
        }
        let bound_us = u64::try_from(bound.as_micros()).unwrap_or(u64::MAX);
        // The bias of a remainder by a bound of a few seconds is below 2^-40.
        Duration::from_micros(rng.next_u64() % bound_us.saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Always draws the largest value below the bound's remainder class that matters: `u64::MAX - skip`.
    struct Fixed(u64);

    impl RngCore for Fixed {
        fn next_u32(&mut self) -> u32 {
            unreachable!("only 64-bit draws are used")
        }
        fn next_u64(&mut self) -> u64 {
            self.0
        }
        fn fill_bytes(&mut self, _: &mut [u8]) {
            unreachable!("only 64-bit draws are used")
        }
        fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), rand_core::Error> {
            unreachable!("only 64-bit draws are used")
        }
    }

    #[test]
    fn the_bound_doubles_up_to_the_maximum_and_starts_over() {
        let ms = Duration::from_millis;
        let mut backoff = Backoff::new(ms(100), ms(700));
        // A draw equal to the bound in microseconds is the longest wait.
        for bound in [100, 200, 400, 700, 700] {
            assert_eq!(backoff.next(&mut Fixed(bound * 1000)), ms(bound));
        }
        assert_eq!(backoff.next(&mut Fixed(700_001)), ms(0));
        backoff.reset();
        assert_eq!(backoff.next(&mut Fixed(100_000)), ms(100));
    }
}
