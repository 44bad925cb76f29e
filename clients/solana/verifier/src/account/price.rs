//! The price account: the newest round of one feed that was shown to the program.

use crate::{
    Address, Error,
    bytes::equal,
    leaf::{Leaf, Status},
    update::Statement,
};

/// Length of a price account in bytes.
pub const PRICE_BYTES: usize = 160;
const KIND: [u8; 8] = *b"tsprice1";

/// A price account. Its address is derived from the config's and from the feed's name.
///
/// | offset | size | field |
/// |---|---|---|
/// | 0 | 8 | `tsprice1` |
/// | 8 | 32 | address of the config |
/// | 40 | 32 | feed name, padded with zeros |
/// | 72 | 8 | round |
/// | 80 | 8 | timestamp of the round, Unix milliseconds |
/// | 88 | 8 | time of the trades behind the price, Unix milliseconds |
/// | 96 | 16 | price (signed): value = mantissa * 10^exponent |
/// | 112 | 16 | low (signed) |
/// | 128 | 16 | high (signed) |
/// | 144 | 4 | epoch |
/// | 148 | 2 | observers |
/// | 150 | 1 | status: 0 ok, or the sum of 1 degraded, 2 stale, 4 halted, 8 depegged, 16 market closed, 128 unavailable |
/// | 151 | 1 | exponent (signed) |
/// | 152 | 1 | 1 once a round is stored, 0 before |
/// | 153 | 1 | bump of the address |
/// | 154 | 6 | zero |
#[derive(Debug)]
pub struct PriceAccount<'a> {
    /// The config under which the price was checked.
    pub config: &'a Address,
    /// The feed's name, padded.
    pub feed: &'a [u8; 32],
    /// Bump of the account's address.
    pub bump: u8,
    written: bool,
    fields: &'a [u8; FIELDS_BYTES],
}

const FIELDS_BYTES: usize = 80;

/// What a price account says about a round. Numbers in it are authentic, but may be of any age and status: consumers call
/// [`crate::reader::get_price`], which asks for both.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stored {
    /// The round.
    pub round: u64,
    /// The round's time in Unix milliseconds.
    pub timestamp_ms: u64,
    /// Time of the trades behind the price in Unix milliseconds.
    pub observed_at_ms: u64,
    /// Lower median of the observations, 0 if unavailable.
    pub price: i128,
    /// Not below the lowest honest observation, 0 if unavailable.
    pub low: i128,
    /// Not above the highest honest observation, 0 if unavailable.
    pub high: i128,
    /// The epoch.
    pub epoch: u32,
    /// How many members observed the feed.
    pub observers: u16,
    /// What must be known about the price before it is used.
    pub status: Status,
    /// `value = mantissa * 10^exponent`.
    pub exponent: i8,
}

impl<'a> PriceAccount<'a> {
    /// Reads a price account. That the program owns the account is the caller's to check.
    ///
    /// # Errors
    /// [`Error::WrongKind`].
    #[inline(always)]
    pub fn read(data: &'a [u8]) -> Result<Self, Error> {
        let fields = || {
            let data: &[u8; PRICE_BYTES] = data.try_into().ok()?;
            let (kind, data) = data.split_first_chunk()?;
            let (config, data) = data.split_first_chunk()?;
            let (feed, data) = data.split_first_chunk()?;
            let (fields, data) = data.split_first_chunk()?;
            let [written, bump, ..] = *data else {
                return None;
            };
            equal(kind, &KIND).then_some(Self {
                config,
                feed,
                bump,
                written: written == 1,
                fields,
            })
        };
        fields().ok_or(Error::WrongKind)
    }

    /// The newest round, `None` before the first one is stored.
    #[inline(always)]
    pub fn stored(&self) -> Option<Stored> {
        fn field<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
            let (field, others) = rest.split_first_chunk()?;
            *rest = others;
            Some(*field)
        }
        if !self.written {
            return None;
        }
        let rest = &mut &self.fields[..];
        Some(Stored {
            round: u64::from_le_bytes(field(rest)?),
            timestamp_ms: u64::from_le_bytes(field(rest)?),
            observed_at_ms: u64::from_le_bytes(field(rest)?),
            price: i128::from_le_bytes(field(rest)?),
            low: i128::from_le_bytes(field(rest)?),
            high: i128::from_le_bytes(field(rest)?),
            epoch: u32::from_le_bytes(field(rest)?),
            observers: u16::from_le_bytes(field(rest)?),
            status: Status::from_bits(u8::from_le_bytes(field(rest)?))?,
            exponent: i8::from_le_bytes(field(rest)?),
        })
    }

    /// The data of an account that has no price yet.
    pub fn create(config: &Address, feed: &[u8; 32], bump: u8) -> [u8; PRICE_BYTES] {
        let mut data = [0; PRICE_BYTES];
        let parts = [&KIND[..], config, feed, &[0; FIELDS_BYTES], &[0, bump]];
        for (slot, byte) in data.iter_mut().zip(parts.into_iter().flatten()) {
            *slot = *byte;
        }
        data
    }

    /// Writes a round into an account of this kind.
    ///
    /// # Errors
    /// [`Error::WrongKind`] for data of another length.
    #[inline(always)]
    pub fn store(data: &mut [u8], statement: &Statement<'_>, leaf: &Leaf<'_>) -> Result<(), Error> {
        let data: &mut [u8; PRICE_BYTES] = data.try_into().map_err(|_| Error::WrongKind)?;
        let mut rest = data.get_mut(72..).ok_or(Error::WrongKind)?;
        let mut put = |bytes: &[u8]| {
            let (slot, others) = core::mem::take(&mut rest)
                .split_at_mut_checked(bytes.len())
                .ok_or(Error::WrongKind)?;
            slot.copy_from_slice(bytes);
            rest = others;
            Ok::<_, Error>(())
        };
        put(&statement.round.to_le_bytes())?;
        put(&statement.timestamp_ms.to_le_bytes())?;
        put(&leaf.observed_at_ms.to_le_bytes())?;
        put(&leaf.price.to_le_bytes())?;
        put(&leaf.low.to_le_bytes())?;
        put(&leaf.high.to_le_bytes())?;
        put(&statement.epoch.to_le_bytes())?;
        put(&leaf.observers.to_le_bytes())?;
        put(&[leaf.status.bits()])?;
        put(&leaf.exponent.to_le_bytes())?;
        put(&[1])
    }
}
