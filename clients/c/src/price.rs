//! What is handed out, in the layout of the header.

use touchstone_client::{Decimal, FeedName, Status, VerifiedPrice, VerifiedUpdate};

use crate::Code;

/// `touchstone_i128`: 128 bits in two's complement.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C)]
pub struct I128 {
    /// Bits 0 to 63.
    pub low: u64,
    /// Bits 64 to 127.
    pub high: i64,
}

/// `touchstone_price`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C)]
pub struct Price {
    /// The name, ended and padded by zeros.
    pub feed: [u8; 32],
    /// Mantissa of the price.
    pub price: I128,
    /// Mantissa of the low end.
    pub low: I128,
    /// Mantissa of the high end.
    pub high: I128,
    /// The round.
    pub round: u64,
    /// The round's time, Unix milliseconds.
    pub timestamp_ms: u64,
    /// Time of the trades, Unix milliseconds.
    pub observed_at_ms: u64,
    /// The epoch.
    pub epoch: u32,
    /// How many members observed the feed.
    pub observers: u16,
    /// The status bits.
    pub status: u8,
    /// `value = mantissa * 10^exponent`.
    pub exponent: i8,
}

/// `touchstone_update_info`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C)]
pub struct UpdateInfo {
    /// The network.
    pub network_id: [u8; 32],
    /// Root of the tree of all feeds.
    pub feeds_root: [u8; 32],
    /// Root of the tree of all observations.
    pub observations_root: [u8; 32],
    /// SHA-256 of the statement.
    pub digest: [u8; 32],
    /// The round.
    pub round: u64,
    /// The round's time, Unix milliseconds.
    pub timestamp_ms: u64,
    /// The epoch.
    pub epoch: u32,
    /// Feeds that the network has.
    pub feed_count: u16,
    /// Feeds that the update holds, 1 to 255.
    pub entries: u8,
    /// Suite of the signature that was checked.
    pub suite: u8,
}

/// `touchstone_feed`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C)]
pub struct FeedEntry {
    /// The name, ended and padded by zeros.
    pub name: [u8; 32],
    /// The status bits.
    pub status: u8,
}

// The header asserts the same sizes.
const _: () = assert!(size_of::<I128>() == 16 && size_of::<Price>() == 112);
const _: () = assert!(size_of::<UpdateInfo>() == 152 && size_of::<FeedEntry>() == 33);

impl I128 {
    /// The number.
    #[expect(clippy::as_conversions, reason = "halves of a two's complement number")]
    pub(crate) const fn value(self) -> i128 {
        ((self.high as i128) << 64) | self.low as i128
    }
}

impl From<i128> for I128 {
    #[expect(clippy::as_conversions, reason = "halves of a two's complement number")]
    fn from(value: i128) -> Self {
        Self {
            low: value as u64,
            high: (value >> 64) as i64,
        }
    }
}

impl From<&VerifiedPrice> for Price {
    fn from(price: &VerifiedPrice) -> Self {
        let mantissa = |decimal: Decimal| decimal.mantissa.into();
        Self {
            feed: price.feed.to_bytes(),
            price: mantissa(price.price),
            low: mantissa(price.low),
            high: mantissa(price.high),
            round: price.round.0,
            timestamp_ms: price.timestamp_ms,
            observed_at_ms: price.observed_at_ms,
            epoch: price.epoch.0,
            observers: price.observers,
            status: price.status.bits(),
            // One leaf, one exponent.
            exponent: price.price.exponent,
        }
    }
}

impl From<&VerifiedUpdate> for UpdateInfo {
    fn from(update: &VerifiedUpdate) -> Self {
        let statement = update.statement();
        Self {
            network_id: statement.network.0.0,
            feeds_root: statement.feeds_root.0,
            observations_root: statement.observations_root.0,
            digest: statement.digest().0,
            round: statement.round.0,
            timestamp_ms: statement.timestamp_ms,
            epoch: statement.epoch.0,
            feed_count: statement.feed_count,
            // An update counts its entries in a byte.
            entries: u8::try_from(update.feeds().count()).unwrap_or(u8::MAX),
            suite: update.suite().byte(),
        }
    }
}

impl FeedEntry {
    /// The feed at a position of the update.
    pub(crate) fn at(update: &VerifiedUpdate, index: usize) -> Result<Self, Code> {
        let feed: FeedName = update.feeds().nth(index).ok_or(Code::NoFeed)?;
        let status = update.status(feed).unwrap_or(Status::OK);
        Ok(Self {
            name: feed.to_bytes(),
            status: status.bits(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_make_the_number_again() {
        for value in [
            0,
            1,
            -1,
            i128::MAX,
            i128::MIN,
            1 << 64,
            -(1 << 64),
            u64::MAX.into(),
        ] {
            assert_eq!(I128::from(value).value(), value);
        }
        assert_eq!(
            I128::from(-1),
            I128 {
                low: u64::MAX,
                high: -1
            }
        );
    }
}
