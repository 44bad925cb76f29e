//! One feed's result in one round: the 92 bytes of `docs/attestation.md`, big-endian.

use crate::{Error, bytes::Reader, feed};

/// Length of a leaf in bytes.
pub const LEAF_BYTES: usize = 92;
const EXPONENTS: core::ops::RangeInclusive<i8> = -38..=38;

/// Status bits; no bit set means ok.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Status(u8);

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
    const KNOWN: u8 = 1 | 2 | 4 | 8 | 16 | 128;

    /// The status of a byte, if all its bits are known.
    pub const fn from_bits(bits: u8) -> Option<Self> {
        if bits & !Self::KNOWN == 0 {
            Some(Self(bits))
        } else {
            None
        }
    }

    /// The byte.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether every bit of `other` is set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The bits of both.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The bits that `other` lacks.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

/// A leaf whose every field is one that a leaf may hold. Whether it is under a signed root is another question.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Leaf<'a> {
    /// The bytes.
    pub bytes: &'a [u8; LEAF_BYTES],
    /// The feed's name, padded.
    pub feed: &'a [u8; 32],
    /// What must be known about the price before it is used.
    pub status: Status,
    /// `value = mantissa * 10^exponent` for the three mantissas below, -38 to 38.
    pub exponent: i8,
    /// Lower median of the observations, 0 if unavailable.
    pub price: i128,
    /// Not below the lowest honest observation, 0 if unavailable.
    pub low: i128,
    /// Not above the highest honest observation, 0 if unavailable.
    pub high: i128,
    /// Time of the trades behind the price, in Unix milliseconds.
    pub observed_at_ms: u64,
    /// How many members observed the feed.
    pub observers: u16,
}

impl<'a> Leaf<'a> {
    /// Takes a leaf off the front and checks it, from the first byte to the last: what is wrong first is reported.
    #[inline(always)]
    pub(crate) fn check(reader: &mut Reader<'a>) -> Result<(), Error> {
        if !feed::is_name(reader.array()?) {
            return Err(Error::Leaf);
        }
        let status = Status::from_bits(reader.u8()?).ok_or(Error::Leaf)?;
        let rest: &[u8; LEAF_BYTES - 33] = reader.array()?;
        let mut fields = Reader::new(rest);
        let exponent = i8::from_be_bytes(*fields.array()?);
        let price = i128::from_be_bytes(*fields.array()?);
        let low = i128::from_be_bytes(*fields.array()?);
        let high = i128::from_be_bytes(*fields.array()?);
        let priced = price != 0 || low != 0 || high != 0;
        if !EXPONENTS.contains(&exponent)
            || (status.contains(Status::UNAVAILABLE) && priced)
            || low > price
            || price > high
        {
            return Err(Error::Leaf);
        }
        Ok(())
    }

    /// The fields of a leaf that was checked.
    #[inline(always)]
    pub(crate) fn checked(bytes: &'a [u8; LEAF_BYTES]) -> Result<Self, Error> {
        let mut fields = Reader::new(bytes);
        Ok(Self {
            bytes,
            feed: fields.array()?,
            status: Status(fields.u8()?),
            exponent: i8::from_be_bytes(*fields.array()?),
            price: i128::from_be_bytes(*fields.array()?),
            low: i128::from_be_bytes(*fields.array()?),
            high: i128::from_be_bytes(*fields.array()?),
            observed_at_ms: u64::from_be_bytes(*fields.array()?),
            observers: fields.u16()?,
        })
    }
}
