//! Seeded randomness, in whole numbers.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{RngCore, SeedableRng},
};
use touchstone_types::{Committee, MemberId, MemberSet};

/// A generator that a seed reproduces.
pub(super) struct Dice(ChaCha8Rng);

impl Dice {
    /// One of many independent generators of a seed.
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        Self(rng)
    }

    pub(super) fn word(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `bound`, which is at least 1. The bias is below `bound / 2^64`.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.word() % bound.max(1)
    }

    /// A number from `low` to `high`, both possible.
    pub(super) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// True this many times out of a thousand.
    pub(super) fn chance(&mut self, permille: u64) -> bool {
        self.below(1_000) < permille
    }

    pub(super) fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(usize::try_from(self.below(items.len() as u64)).unwrap_or_default())
    }

    pub(super) fn member(&mut self, committee: Committee) -> MemberId {
        MemberId(u16::try_from(self.below(u64::from(committee.n()))).unwrap_or_default())
    }

    /// Each member with the given chance.
    pub(super) fn members(&mut self, committee: Committee, permille: u64) -> MemberSet {
        committee
            .members()
            .filter(|_| self.chance(permille))
            .collect()
    }

    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = usize::try_from(self.below(last as u64 + 1)).unwrap_or_default();
            items.swap(last, other);
        }
    }
}
