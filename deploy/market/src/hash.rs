//! Randomness as a function: the same seed and place give the same number.

/// A number without visible relation to its neighbours (the finaliser of SplitMix64).
fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// A generator at a place: derived from a seed by [`Place::at`] and [`Place::named`], read by the others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place(u64);

impl Place {
    pub(crate) fn new(seed: u64) -> Self {
        Self(mix(seed.wrapping_add(0x9e37_79b9_7f4a_7c15)))
    }

    /// The place with this number below this one.
    pub(crate) fn at(self, number: u64) -> Self {
        Self(mix(self
            .0
            .wrapping_mul(0x2545_f491_4f6c_dd1d)
            .wrapping_add(mix(number.wrapping_add(1)))))
    }

    /// The place with this name below this one.
    pub(crate) fn named(self, name: &str) -> Self {
        name.bytes()
            .fold(self.at(u64::MAX), |place, byte| place.at(u64::from(byte)))
    }

    /// 64 random bits.
    pub(crate) fn bits(self) -> u64 {
        self.0
    }

    /// A number below `bound`, which is not zero.
    pub(crate) fn below(self, bound: u64) -> u64 {
        self.0.checked_rem(bound).unwrap_or(0)
    }

    /// Roughly normal, in units of 1/37837: the sum of four uniform 16-bit numbers around zero.
    pub(crate) fn normal(self) -> i128 {
        (0..4)
            .map(|i| i128::from((self.0 >> (16 * i)) & 0xffff) - 0x8000)
            .sum()
    }
}

/// The standard deviation of [`Place::normal`].
pub(crate) const NORMAL_UNIT: i128 = 37_837;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_reproducible_and_differ() {
        let place = Place::new(7).named("kraken").at(3);
        assert_eq!(place.bits(), Place::new(7).named("kraken").at(3).bits());
        let mut seen: Vec<u64> = (0..1_000).map(|i| Place::new(7).at(i).bits()).collect();
        seen.extend(["a", "b", "ab", "ba"].map(|n| Place::new(7).named(n).bits()));
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 1_004);
    }

    #[test]
    fn normal_numbers_have_the_stated_deviation() {
        let draws: Vec<i128> = (0..20_000).map(|i| Place::new(1).at(i).normal()).collect();
        let mean: i128 = draws.iter().sum::<i128>() / 20_000;
        let variance: i128 = draws.iter().map(|d| d * d).sum::<i128>() / 20_000;
        assert!(mean.abs() < NORMAL_UNIT / 50, "{mean}");
        let unit = NORMAL_UNIT * NORMAL_UNIT;
        assert!((variance - unit).abs() < unit / 20, "{variance} {unit}");
    }
}
