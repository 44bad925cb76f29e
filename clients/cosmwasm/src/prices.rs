//! The newest price of each feed, as the contract keeps it.

use cosmwasm_std::{Int128, Order, Storage, Uint64};
use touchstone_client::VerifiedPrice;
use touchstone_types::{
    Decimal, Epoch, FEED_NAME_MAX, FeedName, LEAF_BYTES, Leaf, Reader, Round, Statement,
};

use crate::{
    ContractError,
    msg::{FeedState, PriceResponse, Status},
};

/// Before every feed's name in the storage. What is kept under it is `round u64 | timestamp_ms u64 | epoch u32` and the leaf
/// without its name: 80 bytes, for a chain charges for each byte that is written.
const PREFIX: &[u8] = b"price/";
/// The first key behind all that begin with [`PREFIX`].
const PREFIX_END: &[u8] = b"price0";
/// How many bytes of a leaf are the feed's name.
const NAME_BYTES: usize = FEED_NAME_MAX + 1;

/// A leaf with what its round says about it. It is made of an update whose signature and inclusion were checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Kept {
    pub(crate) round: Round,
    pub(crate) timestamp_ms: u64,
    pub(crate) epoch: Epoch,
    pub(crate) leaf: Leaf,
}

impl Kept {
    pub(crate) fn new(statement: &Statement, leaf: Leaf) -> Self {
        Self {
            round: statement.round,
            timestamp_ms: statement.timestamp_ms,
            epoch: statement.epoch,
            leaf,
        }
    }

    pub(crate) fn save(&self, storage: &mut dyn Storage) {
        let mut value = self.round.0.to_be_bytes().to_vec();
        value.extend_from_slice(&self.timestamp_ms.to_be_bytes());
        value.extend_from_slice(&self.epoch.0.to_be_bytes());
        value.extend(self.leaf.to_bytes().iter().skip(NAME_BYTES));
        storage.set(&key(self.leaf.feed), &value);
    }

    /// What is kept of a feed.
    ///
    /// # Errors
    /// Bytes that [`Kept::save`] did not write.
    pub(crate) fn load(
        storage: &dyn Storage,
        feed: FeedName,
    ) -> Result<Option<Self>, ContractError> {
        let value = storage.get(&key(feed));
        value.map(|value| Self::read(feed, &value)).transpose()
    }

    fn read(feed: FeedName, value: &[u8]) -> Result<Self, ContractError> {
        let broken = |_| ContractError::State("a price");
        let mut reader = Reader::new(value);
        let round = Round(reader.u64("round").map_err(broken)?);
        let timestamp_ms = reader.u64("timestamp_ms").map_err(broken)?;
        let epoch = Epoch(reader.u32("epoch").map_err(broken)?);
        let rest = reader.take(LEAF_BYTES - NAME_BYTES, "leaf");
        let mut leaf = feed.to_bytes().to_vec();
        leaf.extend_from_slice(rest.map_err(broken)?);
        let leaf = Leaf::read(&mut Reader::new(&leaf)).map_err(broken)?;
        reader.finish().map_err(broken)?;
        Ok(Self {
            round,
            timestamp_ms,
            epoch,
            leaf,
        })
    }

    /// What anybody may see: no number.
    fn state(&self) -> FeedState {
        FeedState {
            feed: self.leaf.feed.as_str().to_owned(),
            round: Uint64::new(self.round.0),
            timestamp_ms: Uint64::new(self.timestamp_ms),
            status: Status::of(self.leaf.status),
        }
    }
}

/// The feeds that are kept, by name, behind `after`.
///
/// # Errors
/// Bytes that [`Kept::save`] did not write.
pub(crate) fn list(
    storage: &dyn Storage,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<FeedState>, ContractError> {
    let mut start = PREFIX.to_vec();
    if let Some(after) = after {
        // No name is as long as this: a longer text stands between the same names as its beginning, and no chain takes a key
        // of any length.
        start.extend(after.bytes().take(NAME_BYTES));
        // The first key behind it: a range holds its start.
        start.push(0);
    }
    let records = storage.range(Some(&start), Some(PREFIX_END), Order::Ascending);
    let state = |(key, value): (Vec<u8>, Vec<u8>)| {
        let name = key.get(PREFIX.len()..).unwrap_or_default();
        let name = core::str::from_utf8(name).unwrap_or_default();
        let feed = FeedName::new(name).map_err(|_| ContractError::State("a feed's name"))?;
        Kept::read(feed, &value).map(|kept| kept.state())
    };
    records.take(limit).map(state).collect()
}

fn key(feed: FeedName) -> Vec<u8> {
    [PREFIX, feed.as_str().as_bytes()].concat()
}

impl From<VerifiedPrice> for Kept {
    fn from(price: VerifiedPrice) -> Self {
        Self {
            round: price.round,
            timestamp_ms: price.timestamp_ms,
            epoch: price.epoch,
            leaf: Leaf {
                feed: price.feed,
                status: price.status,
                exponent: price.price.exponent,
                price: price.price.mantissa,
                low: price.low.mantissa,
                high: price.high.mantissa,
                observed_at_ms: price.observed_at_ms,
                observers: price.observers,
            },
        }
    }
}

/// The answer to who asked for a price, once it is known to satisfy the caller's conditions.
pub(crate) fn response(price: &Kept) -> PriceResponse {
    let leaf = &price.leaf;
    let text = |mantissa| Decimal::new(mantissa, leaf.exponent).to_string();
    PriceResponse {
        feed: leaf.feed.as_str().to_owned(),
        price: text(leaf.price),
        low: text(leaf.low),
        high: text(leaf.high),
        price_mantissa: Int128::new(leaf.price),
        low_mantissa: Int128::new(leaf.low),
        high_mantissa: Int128::new(leaf.high),
        exponent: leaf.exponent,
        status: Status::of(leaf.status),
        observers: leaf.observers,
        observed_at_ms: Uint64::new(leaf.observed_at_ms),
        epoch: price.epoch.0,
        round: Uint64::new(price.round.0),
        timestamp_ms: Uint64::new(price.timestamp_ms),
    }
}
