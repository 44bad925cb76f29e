//! Reading rounds.

use touchstone_types::{Attestation, FeedName, Round, Status};

use super::{Store, StoreError, key, on, time, unsigned, write::decode};
use crate::render::{PlainPrice, SignedRound};

/// A stretch of a feed's history, newest first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HistoryQuery {
    /// The feed.
    pub feed: FeedName,
    /// Not older than this, in Unix milliseconds.
    pub from_ms: u64,
    /// Older than this, in Unix milliseconds.
    pub to_ms: u64,
    /// Only rounds below this one; none for the first page.
    pub below: Option<Round>,
    /// At most so many.
    pub limit: u32,
}

/// The rounds around an instant.
#[derive(Debug)]
pub struct Neighbours {
    /// The last one at or before it.
    pub before: Option<SignedRound>,
    /// The first one after it.
    pub after: Option<SignedRound>,
}

/// A leaf as the table of prices holds it.
#[derive(Clone, PartialEq, Eq, Debug, sqlx::FromRow)]
pub struct PlainRow {
    feed: String,
    round: i64,
    timestamp_ms: i64,
    price: Option<String>,
    low: Option<String>,
    high: Option<String>,
    status: i64,
    observed_at_ms: i64,
    observers: i64,
}

impl PlainRow {
    /// The round.
    pub fn round(&self) -> Round {
        Round(unsigned(self.round))
    }

    /// The shape of the API.
    pub fn view(self) -> PlainPrice {
        let bits = u8::try_from(self.status).ok().and_then(Status::from_bits);
        PlainPrice {
            feed: self.feed,
            price: self.price,
            low: self.low,
            high: self.high,
            // What cannot be read was never ok.
            status: bits.unwrap_or(Status::UNAVAILABLE).names().collect(),
            observers: u16::try_from(self.observers).unwrap_or_default(),
            observed_at_ms: unsigned(self.observed_at_ms),
            round: unsigned(self.round),
            timestamp_ms: unsigned(self.timestamp_ms),
        }
    }
}

/// One of two statements that were signed for one round.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Equivocation {
    /// The round.
    pub round: Round,
    /// The statement's digest, 64 hexadecimal digits.
    pub digest: String,
    /// The binary attestation.
    pub attestation: Vec<u8>,
    /// Who handed it over.
    pub source: String,
}

const BY_ROUND: &str = "SELECT round, attestation FROM rounds WHERE round = $1";
const OBSERVATIONS: &str = "SELECT round, attestation FROM observations WHERE round = $1";
const NEWEST: &str = "SELECT round, attestation FROM rounds ORDER BY round DESC LIMIT 1";
const BEFORE: &str = "SELECT round, attestation FROM rounds WHERE timestamp_ms <= $1 ORDER BY timestamp_ms DESC, round DESC LIMIT 1";
const AFTER: &str = "SELECT round, attestation FROM rounds WHERE timestamp_ms > $1 ORDER BY timestamp_ms, round LIMIT 1";
const FORWARD: &str =
    "SELECT round, attestation FROM rounds WHERE round >= $1 ORDER BY round LIMIT $2";
/// Rounds ascend with time, so that the ends of a stretch of time are found by the index on time.
const FIRST_AT: &str =
    "SELECT round FROM rounds WHERE timestamp_ms >= $1 ORDER BY timestamp_ms, round LIMIT 1";
const LAST_BEFORE: &str = "SELECT round FROM rounds WHERE timestamp_ms < $1 ORDER BY timestamp_ms DESC, round DESC LIMIT 1";
const HISTORY: &str = "SELECT feed, round, timestamp_ms, price, low, high, status, observed_at_ms, observers FROM prices \
     WHERE feed = $1 AND round >= $2 AND round <= $3 AND timestamp_ms >= $4 AND timestamp_ms < $5 \
     ORDER BY round DESC LIMIT $6";
const EQUIVOCATIONS: &str = "SELECT round, digest, attestation, source FROM equivocations ORDER BY round, digest LIMIT 1000";
const COUNT_EQUIVOCATIONS: &str = "SELECT COUNT(*) FROM equivocations";

fn signed(row: Option<(i64, Vec<u8>)>) -> Result<Option<SignedRound>, StoreError> {
    row.map(|(round, bytes)| decode(round, &bytes).map(SignedRound::new))
        .transpose()
}

impl Store {
    /// A round.
    ///
    /// # Errors
    /// What the database says, or a damaged row; so too for all others below.
    pub async fn round(&self, round: Round) -> Result<Option<SignedRound>, StoreError> {
        signed(
            on!(self, pool => sqlx::query_as(BY_ROUND).bind(key(round)).fetch_optional(pool).await?),
        )
    }

    /// A round with its observations, if they are stored.
    ///
    /// # Errors
    /// See [`Store::round`].
    pub async fn observations(&self, round: Round) -> Result<Option<Attestation>, StoreError> {
        let row: Option<(i64, Vec<u8>)> = on!(self, pool => sqlx::query_as(OBSERVATIONS).bind(key(round)).fetch_optional(pool).await?);
        row.map(|(round, bytes)| decode(round, &bytes)).transpose()
    }

    /// The newest round.
    ///
    /// # Errors
    /// See [`Store::round`].
    pub async fn newest(&self) -> Result<Option<SignedRound>, StoreError> {
        signed(on!(self, pool => sqlx::query_as(NEWEST).fetch_optional(pool).await?))
    }

    /// The rounds around an instant.
    ///
    /// # Errors
    /// See [`Store::round`].
    pub async fn neighbours(&self, at_ms: u64) -> Result<Neighbours, StoreError> {
        let at = time(at_ms);
        let (before, after) = on!(self, pool => (
            sqlx::query_as(BEFORE).bind(at).fetch_optional(pool).await?,
            sqlx::query_as(AFTER).bind(at).fetch_optional(pool).await?,
        ));
        Ok(Neighbours {
            before: signed(before)?,
            after: signed(after)?,
        })
    }

    /// Rounds from `from` on, in ascending order, at most `limit`.
    ///
    /// # Errors
    /// See [`Store::round`].
    pub async fn forward(&self, from: Round, limit: u32) -> Result<Vec<SignedRound>, StoreError> {
        let rows: Vec<(i64, Vec<u8>)> = on!(self, pool => sqlx::query_as(FORWARD)
            .bind(key(from)).bind(i64::from(limit)).fetch_all(pool).await?);
        rows.into_iter()
            .map(|(round, bytes)| decode(round, &bytes).map(SignedRound::new))
            .collect()
    }

    /// A page of a feed's history, newest first.
    ///
    /// # Errors
    /// See [`Store::round`].
    pub async fn history(&self, query: HistoryQuery) -> Result<Vec<PlainRow>, StoreError> {
        let (from, to) = (time(query.from_ms), time(query.to_ms));
        let (first, last): (Option<(i64,)>, Option<(i64,)>) = on!(self, pool => (
            sqlx::query_as(FIRST_AT).bind(from).fetch_optional(pool).await?,
            sqlx::query_as(LAST_BEFORE).bind(to).fetch_optional(pool).await?,
        ));
        let (Some((first,)), Some((mut last,))) = (first, last) else {
            return Ok(Vec::new());
        };
        if let Some(below) = query.below {
            last = last.min(key(below).saturating_sub(1));
        }
        Ok(on!(self, pool => sqlx::query_as(HISTORY)
            .bind(query.feed.to_string()).bind(first).bind(last).bind(from).bind(to)
            .bind(i64::from(query.limit)).fetch_all(pool).await?))
    }

    /// What was signed twice, the first thousand statements.
    ///
    /// # Errors
    /// See [`Store::round`].
    pub async fn equivocations(&self) -> Result<Vec<Equivocation>, StoreError> {
        let rows: Vec<(i64, String, Vec<u8>, String)> =
            on!(self, pool => sqlx::query_as(EQUIVOCATIONS).fetch_all(pool).await?);
        let read = |(round, digest, attestation, source)| Equivocation {
            round: Round(unsigned(round)),
            digest,
            attestation,
            source,
        };
        Ok(rows.into_iter().map(read).collect())
    }

    /// How many statements share their round with another one.
    ///
    /// # Errors
    /// See [`Store::round`].
    pub async fn equivocation_count(&self) -> Result<u64, StoreError> {
        let (count,): (i64,) =
            on!(self, pool => sqlx::query_as(COUNT_EQUIVOCATIONS).fetch_one(pool).await?);
        Ok(unsigned(count))
    }
}
