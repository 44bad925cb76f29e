//! The committee's size and its quorums, named by what they guarantee.

use core::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::MemberId;

/// The largest committee: a [`MemberSet`] is one 128-bit word.
pub const MAX_MEMBERS: u16 = 128;

/// `n` members of which at most `f` may be Byzantine, with `n >= 3f + 1`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Committee {
    n: u16,
    f: u16,
}

/// Why there is no such committee.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum CommitteeError {
    /// Too few or too many members.
    #[error("n ({n}) must be from 1 to {MAX_MEMBERS}")]
    Size {
        /// The refused size.
        n: usize,
    },
    /// More faults than the size allows.
    #[error("f ({f}) must be at most {max} where n is {n}: n >= 3f + 1")]
    Faults {
        /// The refused bound.
        f: u16,
        /// The size.
        n: u16,
        /// The largest bound for this size.
        max: u16,
    },
}

impl Committee {
    /// A committee of `n` members of which up to `f` may be faulty.
    ///
    /// # Errors
    /// `n` not in 1..=[`MAX_MEMBERS`], or `3f + 1 > n`.
    pub fn new(n: usize, f: u16) -> Result<Self, CommitteeError> {
        let size = u16::try_from(n)
            .ok()
            .filter(|n| (1..=MAX_MEMBERS).contains(n))
            .ok_or(CommitteeError::Size { n })?;
        let max = Self::max_faults(size);
        if f > max {
            return Err(CommitteeError::Faults { f, n: size, max });
        }
        Ok(Self { n: size, f })
    }

    /// The largest `f` that `n` members can tolerate.
    pub fn max_faults(n: u16) -> u16 {
        n.saturating_sub(1) / 3
    }

    /// How many members there are.
    pub fn n(self) -> u16 {
        self.n
    }

    /// How many of them may be Byzantine.
    pub fn f(self) -> u16 {
        self.f
    }

    /// Every member, in order.
    pub fn members(self) -> impl DoubleEndedIterator<Item = MemberId> + Clone {
        (0..self.n).map(MemberId)
    }

    /// Whether the committee has this member.
    pub fn contains(self, member: MemberId) -> bool {
        member.0 < self.n
    }

    /// `n - f`: as many as surely answer, and any two such sets share an honest member.
    pub fn quorum(self) -> usize {
        usize::from(self.n).saturating_sub(usize::from(self.f))
    }

    /// `f + 1`: at least one of them is honest.
    pub fn one_honest(self) -> usize {
        usize::from(self.f).saturating_add(1)
    }

    /// `2f + 1`: their `f`-th smallest, `f`-th largest and median lie inside the range of honest values.
    pub fn priceable(self) -> usize {
        usize::from(self.f).saturating_mul(2).saturating_add(1)
    }

    /// FROST threshold `t`. `t + q >= n + f + 1` is what makes two signed reports of one round impossible
    /// (docs/protocol.md, rule S1), and `t = q` is the smallest such `t` that `n - f` live members can always reach.
    pub fn signing_threshold(self) -> usize {
        self.quorum()
    }

    /// `f + 1` shares open the common coin: the faulty members alone can not.
    pub fn coin_threshold(self) -> usize {
        self.one_honest()
    }
}

/// A set of members, as one word.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MemberSet(pub u128);

impl MemberSet {
    /// Adds a member; false if it was there already, or cannot be represented.
    pub fn insert(&mut self, member: MemberId) -> bool {
        let Some(bit) = Self::bit(member) else {
            return false;
        };
        let fresh = self.0 & bit == 0;
        self.0 |= bit;
        fresh
    }

    /// Takes a member out; false if it was not there.
    pub fn remove(&mut self, member: MemberId) -> bool {
        let had = self.contains(member);
        if let Some(bit) = Self::bit(member) {
            self.0 &= !bit;
        }
        had
    }

    /// Whether the member is in the set.
    pub fn contains(self, member: MemberId) -> bool {
        Self::bit(member).is_some_and(|bit| self.0 & bit != 0)
    }

    /// How many members the set has.
    pub fn len(self) -> usize {
        usize::try_from(self.0.count_ones()).unwrap_or(usize::MAX)
    }

    /// Whether the set is empty.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The members in ascending order.
    pub fn iter(self) -> impl Iterator<Item = MemberId> + Clone {
        (0..MAX_MEMBERS)
            .map(MemberId)
            .filter(move |m| self.contains(*m))
    }

    /// Whether every member of the set belongs to the committee.
    pub fn within(self, committee: Committee) -> bool {
        self.iter().all(|m| committee.contains(m))
    }

    fn bit(member: MemberId) -> Option<u128> {
        1u128.checked_shl(u32::from(member.0))
    }
}

impl FromIterator<MemberId> for MemberSet {
    fn from_iter<I: IntoIterator<Item = MemberId>>(members: I) -> Self {
        let mut set = Self::default();
        for member in members {
            set.insert(member);
        }
        set
    }
}

impl fmt::Debug for MemberSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(|m| m.0)).finish()
    }
}
