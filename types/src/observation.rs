//! What one member says about all feeds in one round: the body of an OBS message.

use alloc::vec::Vec;

use crate::{DecodeError, Reader, Status, Suite, report::Terms};

const FEED_BYTES: usize = 27;

/// One member's price of one feed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FeedObservation {
    /// Position of the feed in the manifest.
    pub feed_index: u16,
    /// What must be known about the price; never unavailable (such a feed is left out).
    pub status: Status,
    /// The price at the feed's exponent.
    pub mantissa: i128,
    /// Unix milliseconds of the trade behind the median quote.
    pub trade_time_ms: u64,
}

/// FROST round-one commitments of one suite (hiding, binding), serialised as in RFC 9591.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct NonceCommitments {
    /// The suite that the two elements belong to.
    pub suite: Suite,
    /// [`Suite::commitments_bytes`] bytes.
    pub bytes: Vec<u8>,
}

/// The body of an OBS message:
/// `timestamp_ms u64 | count u16 | count x (feed_index u16 | status u8 | mantissa i128 | trade_time_ms u64) | suites u8 |
/// suites x (suite u8 | nonce commitments)`, feed indices and suites strictly ascending.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Observation {
    /// The member's clock, in Unix milliseconds.
    pub timestamp_ms: u64,
    /// The feeds that the member can price, in the manifest's order.
    pub feeds: Vec<FeedObservation>,
    /// A fresh pair of nonce commitments for each suite of the network.
    pub nonces: Vec<NonceCommitments>,
}

impl Observation {
    /// The canonical bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(
            self.feeds
                .len()
                .saturating_mul(FEED_BYTES)
                .saturating_add(160),
        );
        out.extend_from_slice(&self.timestamp_ms.to_be_bytes());
        let count = u16::try_from(self.feeds.len()).unwrap_or(u16::MAX);
        out.extend_from_slice(&count.to_be_bytes());
        for feed in self.feeds.iter().take(usize::from(count)) {
            out.extend_from_slice(&feed.feed_index.to_be_bytes());
            out.push(feed.status.bits());
            out.extend_from_slice(&feed.mantissa.to_be_bytes());
            out.extend_from_slice(&feed.trade_time_ms.to_be_bytes());
        }
        write_nonces(&self.nonces, &mut out);
        out
    }

    /// Reads the canonical bytes.
    ///
    /// # Errors
    /// Any other length, an unknown status or suite, or an order that is not strictly ascending.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let timestamp_ms = reader.u64("observation timestamp_ms")?;
        let count = usize::from(reader.u16("observation count")?);
        let mut feeds = Vec::with_capacity(count.min(reader.remaining() / FEED_BYTES));
        for _ in 0..count {
            let feed = read_feed(&mut reader)?;
            if feeds
                .last()
                .is_some_and(|last: &FeedObservation| last.feed_index >= feed.feed_index)
            {
                return Err(DecodeError::Invalid {
                    field: "observation feed_index",
                    reason: "must be strictly ascending",
                });
            }
            feeds.push(feed);
        }
        let nonces = read_nonces(&mut reader)?;
        reader.finish()?;
        Ok(Self {
            timestamp_ms,
            feeds,
            nonces,
        })
    }

    /// Whether the observation speaks of feeds and suites that the epoch has.
    ///
    /// # Errors
    /// A feed index beyond the manifest's feeds, or other suites than the manifest's.
    pub fn check(&self, terms: &Terms) -> Result<(), DecodeError> {
        // Ascending, so the last is the largest.
        let known = |f: &FeedObservation| usize::from(f.feed_index) < terms.feeds.len();
        if !self.feeds.last().is_none_or(known) {
            return Err(DecodeError::Invalid {
                field: "observation feed_index",
                reason: "beyond the manifest's feeds",
            });
        }
        if !self
            .nonces
            .iter()
            .map(|n| n.suite)
            .eq(terms.suites.iter().copied())
        {
            return Err(DecodeError::Invalid {
                field: "observation suites",
                reason: "must be exactly the manifest's",
            });
        }
        Ok(())
    }
}

/// `suites u8 | suites x (suite u8 | nonce commitments)`.
pub fn write_nonces(nonces: &[NonceCommitments], out: &mut Vec<u8>) {
    let suites = u8::try_from(nonces.len()).unwrap_or(u8::MAX);
    out.push(suites);
    for nonce in nonces.iter().take(usize::from(suites)) {
        out.push(nonce.suite.byte());
        out.extend_from_slice(&nonce.bytes);
    }
}

/// Reads what [`write_nonces`] wrote.
///
/// # Errors
/// Bytes that end early, or suites that are unknown or not strictly ascending.
pub fn read_nonces(reader: &mut Reader<'_>) -> Result<Vec<NonceCommitments>, DecodeError> {
    let suites = reader.u8("nonce suites")?;
    let mut nonces: Vec<NonceCommitments> = Vec::new();
    for _ in 0..suites {
        let suite = Suite::from_byte(reader.u8("nonce suite")?)
            .filter(|s| nonces.last().is_none_or(|last| last.suite < *s))
            .ok_or(DecodeError::Invalid {
                field: "nonce suite",
                reason: "must be known and strictly ascending",
            })?;
        let bytes = reader
            .take(suite.commitments_bytes(), "nonce commitments")?
            .to_vec();
        nonces.push(NonceCommitments { suite, bytes });
    }
    Ok(nonces)
}

fn read_feed(reader: &mut Reader<'_>) -> Result<FeedObservation, DecodeError> {
    let feed_index = reader.u16("observation feed_index")?;
    let status = Status::from_bits(reader.u8("observation status")?)
        .filter(|s| !s.contains(Status::UNAVAILABLE))
        .ok_or(DecodeError::Invalid {
            field: "observation status",
            reason: "unknown bits, or unavailable (such a feed is left out)",
        })?;
    Ok(FeedObservation {
        feed_index,
        status,
        mantissa: reader.i128("observation mantissa")?,
        trade_time_ms: reader.u64("observation trade_time_ms")?,
    })
}
