//! One feed's result in one round.

use alloc::vec::Vec;
use core::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use thiserror::Error;

use crate::{Decimal, DecodeError, EXPONENT_MAX, EXPONENT_MIN, FeedName, Reader, bytes::concat};

/// Length of a [`Leaf`] in bytes.
pub const LEAF_BYTES: usize = 92;

/// Status bits of an observation or a leaf; no bit set means ok.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Status(u8);

/// A name that no status bit has.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("unknown status; known are degraded, stale, halted, depegged, market-closed, unavailable")]
pub struct StatusError;

impl Status {
    /// No bit set.
    pub const OK: Self = Self(0);
    /// Fewer sources or conversion anchors than the manifest asks for.
    pub const DEGRADED: Self = Self(1);
    /// The newest trade is older than the feed's bound.
    pub const STALE: Self = Self(2);
    /// Halted by governance.
    pub const HALTED: Self = Self(4);
    /// A conversion used a currency that is off its peg.
    pub const DEPEGGED: Self = Self(8);
    /// The feed's market is closed.
    pub const MARKET_CLOSED: Self = Self(16);
    /// No price: price, low and high are 0.
    pub const UNAVAILABLE: Self = Self(128);

    const NAMES: [(Self, &'static str); 6] = [
        (Self::DEGRADED, "degraded"),
        (Self::STALE, "stale"),
        (Self::HALTED, "halted"),
        (Self::DEPEGGED, "depegged"),
        (Self::MARKET_CLOSED, "market-closed"),
        (Self::UNAVAILABLE, "unavailable"),
    ];

    /// Every single bit with its name.
    pub fn all() -> impl Iterator<Item = (Self, &'static str)> {
        Self::NAMES.into_iter()
    }

    /// The status of a byte, if all its bits are known.
    pub fn from_bits(bits: u8) -> Option<Self> {
        let known = Self::NAMES.iter().fold(0, |acc, (s, _)| acc | s.0);
        (bits & !known == 0).then_some(Self(bits))
    }

    /// The byte.
    pub fn bits(self) -> u8 {
        self.0
    }

    /// Whether no bit is set.
    pub fn is_ok(self) -> bool {
        self.0 == 0
    }

    /// Whether every bit of `other` is set.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The bits of both.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The bits that `allowed` lacks.
    #[must_use]
    pub fn without(self, allowed: Self) -> Self {
        Self(self.0 & !allowed.0)
    }

    /// The names of the bits that are set.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES
            .into_iter()
            .filter(move |(s, _)| self.contains(*s))
            .map(|(_, name)| name)
    }
}

impl FromStr for Status {
    type Err = StatusError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::NAMES
            .into_iter()
            .find(|(_, n)| *n == name)
            .map(|(s, _)| s)
            .ok_or(StatusError)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_ok() {
            return f.write_str("ok");
        }
        for (i, name) in self.names().enumerate() {
            if i > 0 {
                f.write_str("+")?;
            }
            f.write_str(name)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Status {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.names())
    }
}

impl<'de> Deserialize<'de> for Status {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let names = <Vec<alloc::borrow::Cow<'de, str>>>::deserialize(deserializer)?;
        names.iter().try_fold(Self::OK, |acc, name| {
            name.parse::<Self>()
                .map(|s| acc.with(s))
                .map_err(D::Error::custom)
        })
    }
}

/// One feed in one round, as the group signs it (through the tree of all leaves).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Leaf {
    /// The feed.
    pub feed: FeedName,
    /// What must be known about the price before it is used.
    pub status: Status,
    /// `value = mantissa * 10^exponent` for the three mantissas below.
    pub exponent: i8,
    /// Lower median of the observations, 0 if unavailable.
    pub price: i128,
    /// The `f`-th smallest observation (from 0): not below the lowest honest one.
    pub low: i128,
    /// The `f`-th largest observation (from 0): not above the highest honest one.
    pub high: i128,
    /// Unix milliseconds: lower median of the trade times of the observers' median quotes.
    pub observed_at_ms: u64,
    /// How many members observed the feed.
    pub observers: u16,
}

impl Leaf {
    /// The leaf of a feed that cannot be priced.
    pub fn unavailable(feed: FeedName, exponent: i8, status: Status, observers: u16) -> Self {
        Self {
            feed,
            status: status.with(Status::UNAVAILABLE),
            exponent,
            price: 0,
            low: 0,
            high: 0,
            observed_at_ms: 0,
            observers,
        }
    }

    /// The price, unless the feed is unavailable.
    pub fn price(&self) -> Option<Decimal> {
        self.value(self.price)
    }

    /// The low end of the honest range, unless the feed is unavailable.
    pub fn low(&self) -> Option<Decimal> {
        self.value(self.low)
    }

    /// The high end of the honest range, unless the feed is unavailable.
    pub fn high(&self) -> Option<Decimal> {
        self.value(self.high)
    }

    fn value(&self, mantissa: i128) -> Option<Decimal> {
        (!self.status.contains(Status::UNAVAILABLE))
            .then_some(Decimal::new(mantissa, self.exponent))
    }

    /// The 92 bytes of the leaf.
    pub fn to_bytes(&self) -> [u8; LEAF_BYTES] {
        let feed = self.feed.to_bytes();
        concat(&[
            &feed,
            &[self.status.bits()],
            &self.exponent.to_be_bytes(),
            &self.price.to_be_bytes(),
            &self.low.to_be_bytes(),
            &self.high.to_be_bytes(),
            &self.observed_at_ms.to_be_bytes(),
            &self.observers.to_be_bytes(),
        ])
    }

    /// Reads a leaf.
    ///
    /// # Errors
    /// Too few bytes, a name that no feed has, an unknown status bit, an exponent that no [`Decimal`] has, a price outside of
    /// low and high, or an unavailable feed with a price.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let leaf = Self {
            feed: FeedName::from_bytes(reader.array("leaf feed")?)?,
            status: Status::from_bits(reader.u8("leaf status")?).ok_or(DecodeError::Invalid {
                field: "leaf status",
                reason: "unknown bits",
            })?,
            exponent: i8::from_be_bytes(reader.array("leaf exponent")?),
            price: reader.i128("leaf price")?,
            low: reader.i128("leaf low")?,
            high: reader.i128("leaf high")?,
            observed_at_ms: reader.u64("leaf observed_at_ms")?,
            observers: reader.u16("leaf observers")?,
        };
        if !(EXPONENT_MIN..=EXPONENT_MAX).contains(&leaf.exponent) {
            return Err(DecodeError::Invalid {
                field: "leaf exponent",
                reason: "must be from -38 to 38",
            });
        }
        let priced = (leaf.price, leaf.low, leaf.high) != (0, 0, 0);
        if leaf.status.contains(Status::UNAVAILABLE) && priced {
            return Err(DecodeError::Invalid {
                field: "leaf status",
                reason: "unavailable, yet it has a price",
            });
        }
        if leaf.low > leaf.price || leaf.price > leaf.high {
            return Err(DecodeError::Invalid {
                field: "leaf price",
                reason: "must lie from low to high",
            });
        }
        Ok(leaf)
    }
}
