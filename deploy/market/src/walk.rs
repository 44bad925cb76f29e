//! A random walk that can be asked for any moment without walking there.
//!
//! Time is cut into blocks of 2^30 ms (12.4 days) at whose ends the walk is at zero. Within a block it is a Brownian
//! bridge built by midpoint displacement (Lévy's construction): between two known points at a distance of `L` the midpoint
//! is normal around their mean with deviation `sigma * sqrt(L) / 2`. Every displacement is a function of the seed and
//! the midpoint's time, so any moment is computed in about 24 steps, in integers, the same on every machine.

use crate::hash::{NORMAL_UNIT, Place};

const BLOCK_BITS: u32 = 30;
/// Between points this near, in milliseconds, the walk is a straight line.
const FINEST_MS: u64 = 64;

/// One whole, in the units of [`walk`].
pub(crate) const ONE: i128 = 1_000_000_000_000;

/// The walk at a moment in units of 10^-12; `sigma` is its deviation over one millisecond in the same units.
pub(crate) fn walk(place: Place, sigma: u32, t_ms: u64) -> i128 {
    let mut length = 1u64 << BLOCK_BITS;
    let mut start = t_ms & !(length - 1);
    let (mut left, mut right) = (0i128, 0i128);
    while length > FINEST_MS {
        let half = length / 2;
        let middle = start + half;
        let scale = i128::from(sigma) * i128::from(length.isqrt()) / 2;
        let value = (left + right) / 2 + place.at(middle).normal() * scale / NORMAL_UNIT;
        if t_ms < middle {
            right = value;
        } else {
            left = value;
            start = middle;
        }
        length = half;
    }
    left + (right - left) * i128::from(t_ms - start) / i128::from(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: u64 = 1_700_000_000_000;

    #[test]
    fn the_walk_is_reproducible_and_differs_by_seed() {
        let at = |seed: u64, t| walk(Place::new(seed), 3_400_000, t);
        assert_eq!(at(1, T), at(1, T));
        assert_ne!(at(1, T), at(2, T));
    }

    #[test]
    fn steps_have_the_stated_deviation_at_every_scale() {
        for step_ms in [128u64, 1_024, 16_384] {
            let steps: Vec<i128> = (0..4_000)
                .map(|i| T + i * step_ms)
                .map(|t| {
                    walk(Place::new(5), 1_000_000, t + step_ms) - walk(Place::new(5), 1_000_000, t)
                })
                .collect();
            let variance = steps.iter().map(|s| s * s).sum::<i128>() / 4_000;
            let expected = 1_000_000i128.pow(2) * i128::from(step_ms);
            assert!(
                variance > expected / 2 && variance < expected * 2,
                "{step_ms}: {variance} {expected}"
            );
        }
    }

    #[test]
    fn there_is_no_jump_anywhere() {
        let edge = (T >> BLOCK_BITS) << BLOCK_BITS;
        for t in (edge - 5_000..edge + 5_000).chain(T..T + 5_000) {
            let step = walk(Place::new(9), 3_400_000, t + 1) - walk(Place::new(9), 3_400_000, t);
            assert!(step.abs() < ONE / 1_000, "{t}: {step}");
        }
    }
}
