//! Storing believed attestations, a batch in one transaction.

use sqlx::Connection as _;
use touchstone_crypto::Verified;
use touchstone_types::{Attestation, FeedName, Leaf};

use super::{
    Pool, Store, StoreError,
    extremes::{self, Extreme},
    key, on, time,
};

/// What a leaf's row and its index entries take, beside the round's own; an estimate for the disk bound.
const PRICE_ROW_BYTES: usize = 160;
const ROUND_ROW_BYTES: usize = 200;

/// One attestation to store.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The attestation.
    pub attestation: Verified<Attestation>,
    /// Who handed it over.
    pub source: std::sync::Arc<str>,
    /// When, in Unix milliseconds.
    pub seen_at_ms: u64,
}

/// What became of an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The round is new.
    Stored,
    /// The round was there; its observations are new.
    ObservationsAdded,
    /// The same statement was stored before.
    Duplicate,
    /// The stored row could no longer be read; it was written anew.
    Repaired,
    /// **Another statement of this round is stored.** Both are kept as evidence, the first one stays.
    Equivocation,
}

const INSERT_ROUND: &str = "INSERT INTO rounds (round, epoch, timestamp_ms, attestation, bytes) \
     VALUES ($1, $2, $3, $4, $5) ON CONFLICT (round) DO NOTHING";
const INSERT_PRICE: &str = "INSERT INTO prices (feed, round, timestamp_ms, price, low, high, status, observed_at_ms, observers) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
const INSERT_OBSERVATIONS: &str =
    "INSERT INTO observations (round, attestation) VALUES ($1, $2) ON CONFLICT (round) DO NOTHING";
const GROW: &str = "UPDATE rounds SET bytes = bytes + $2 WHERE round = $1";
const HELD: &str = "SELECT attestation FROM rounds WHERE round = $1";
const REPAIR: &str =
    "UPDATE rounds SET epoch = $2, timestamp_ms = $3, attestation = $4 WHERE round = $1";
const INSERT_EQUIVOCATION: &str = "INSERT INTO equivocations (round, digest, attestation, source, seen_at_ms) \
     VALUES ($1, $2, $3, $4, $5) ON CONFLICT (round, digest) DO NOTHING";
/// A round below the mark is back-filled: retention must come by once more.
const LOWER_MARK: &str =
    "UPDATE facts SET value = $1 WHERE name = 'thinned_to' AND CAST(value AS BIGINT) >= $2";
const UPSERT_EXTREME: &str = "INSERT INTO extremes (day, feed, low, low_round, high, high_round) VALUES ($1, $2, $3, $4, $5, $6) \
     ON CONFLICT (day, feed) DO UPDATE SET low = excluded.low, low_round = excluded.low_round, \
     high = excluded.high, high_round = excluded.high_round";
const DAY_EXTREMES: &str =
    "SELECT feed, low, low_round, high, high_round FROM extremes WHERE day = $1";

/// An entry in the forms that the tables want.
struct Row<'a> {
    entry: &'a Entry,
    round: i64,
    without: Vec<u8>,
    with: Option<Vec<u8>>,
    bytes: i64,
}

impl<'a> Row<'a> {
    fn new(entry: &'a Entry) -> Self {
        let attestation = &*entry.attestation;
        let with = (!attestation.observations.is_empty()).then(|| attestation.to_bytes());
        let without = Attestation {
            observations: Vec::new(),
            ..attestation.clone()
        }
        .to_bytes();
        let rows = attestation.leaves.len().saturating_mul(PRICE_ROW_BYTES);
        let bytes = ROUND_ROW_BYTES
            .saturating_add(without.len())
            .saturating_add(rows);
        Self {
            entry,
            round: key(attestation.round()),
            without,
            with,
            bytes: i64::try_from(bytes).unwrap_or(i64::MAX),
        }
    }
}

macro_rules! insert_leaves {
    ($tx:expr, $row:expr) => {
        for leaf in &$row.entry.attestation.leaves {
            let text = |d: Option<touchstone_types::Decimal>| d.map(|d| d.to_string());
            sqlx::query(INSERT_PRICE)
                .bind(leaf.feed.to_string())
                .bind($row.round)
                .bind(time($row.entry.attestation.statement.timestamp_ms))
                .bind(text(leaf.price()))
                .bind(text(leaf.low()))
                .bind(text(leaf.high()))
                .bind(i64::from(leaf.status.bits()))
                .bind(time(leaf.observed_at_ms))
                .bind(i64::from(leaf.observers))
                .execute(&mut *$tx)
                .await?;
        }
    };
}

macro_rules! insert_observations {
    ($tx:expr, $row:expr) => {{
        let mut added = false;
        if let Some(with) = &$row.with {
            let inserted = sqlx::query(INSERT_OBSERVATIONS)
                .bind($row.round)
                .bind(with.as_slice())
                .execute(&mut *$tx)
                .await?
                .rows_affected();
            if inserted == 1 {
                added = true;
                sqlx::query(GROW)
                    .bind($row.round)
                    .bind(i64::try_from(with.len()).unwrap_or(i64::MAX))
                    .execute(&mut *$tx)
                    .await?;
            }
        }
        added
    }};
}

macro_rules! insert_evidence {
    ($tx:expr, $row:expr, $first:expr, $held:expr) => {{
        let statement = &$row.entry.attestation.statement;
        let second = $row.with.as_ref().unwrap_or(&$row.without).clone();
        let both = [
            ($first.statement.digest(), $held, "stored before"),
            (statement.digest(), second, &*$row.entry.source),
        ];
        for (digest, bytes, source) in both {
            sqlx::query(INSERT_EQUIVOCATION)
                .bind($row.round)
                .bind(digest.to_string())
                .bind(bytes)
                .bind(source.to_owned())
                .bind(time($row.entry.seen_at_ms))
                .execute(&mut *$tx)
                .await?;
        }
        Outcome::Equivocation
    }};
}

/// A row that cannot be read proves nothing and must not keep the writer from going on.
macro_rules! repair {
    ($tx:expr, $row:expr) => {{
        let statement = &$row.entry.attestation.statement;
        sqlx::query(REPAIR)
            .bind($row.round)
            .bind(i64::from(statement.epoch.0))
            .bind(time(statement.timestamp_ms))
            .bind($row.without.as_slice())
            .execute(&mut *$tx)
            .await?;
        Outcome::Repaired
    }};
}

/// The round is taken: by the same statement, or by another one.
macro_rules! compare {
    ($tx:expr, $row:expr) => {{
        let held: (Vec<u8>,) = sqlx::query_as(HELD)
            .bind($row.round)
            .fetch_one(&mut *$tx)
            .await?;
        match decode($row.round, &held.0) {
            Err(_) => repair!($tx, $row),
            Ok(first) if first.statement != $row.entry.attestation.statement => {
                insert_evidence!($tx, $row, first, held.0)
            }
            Ok(_) if insert_observations!($tx, $row) => Outcome::ObservationsAdded,
            Ok(_) => Outcome::Duplicate,
        }
    }};
}

macro_rules! write_batch {
    ($tx:expr, $rows:expr) => {{
        let mut outcomes = Vec::with_capacity($rows.len());
        let mut extremes = extremes::Days::default();
        let mut lowest = i64::MAX;
        for row in &$rows {
            let statement = &row.entry.attestation.statement;
            let inserted = sqlx::query(INSERT_ROUND)
                .bind(row.round)
                .bind(i64::from(statement.epoch.0))
                .bind(time(statement.timestamp_ms))
                .bind(row.without.as_slice())
                .bind(row.bytes)
                .execute(&mut *$tx)
                .await?
                .rows_affected();
            if inserted == 0 {
                outcomes.push(compare!($tx, row));
                continue;
            }
            insert_leaves!($tx, row);
            insert_observations!($tx, row);
            let day = extremes::day(statement.timestamp_ms);
            if !extremes.is_loaded(day) {
                let held: Vec<(String, String, i64, String, i64)> = sqlx::query_as(DAY_EXTREMES)
                    .bind(day)
                    .fetch_all(&mut *$tx)
                    .await?;
                extremes.load(day, held);
            }
            extremes.take(day, row.round, &row.entry.attestation.leaves);
            lowest = lowest.min(row.round);
            outcomes.push(Outcome::Stored);
        }
        for (day, feed, extreme) in extremes.changed() {
            bind_extreme!(day, feed, extreme).execute(&mut *$tx).await?;
        }
        if lowest < i64::MAX {
            sqlx::query(LOWER_MARK)
                .bind(lowest.saturating_sub(1).to_string())
                .bind(lowest)
                .execute(&mut *$tx)
                .await?;
        }
        outcomes
    }};
}

macro_rules! bind_extreme {
    ($day:expr, $feed:expr, $extreme:expr) => {
        sqlx::query(UPSERT_EXTREME)
            .bind($day)
            .bind($feed.to_string())
            .bind($extreme.low.to_string())
            .bind($extreme.low_round)
            .bind($extreme.high.to_string())
            .bind($extreme.high_round)
    };
}

impl Store {
    /// Stores a batch in one transaction: all of it or nothing. The outcomes are in the order of the entries.
    ///
    /// # Errors
    /// What the database says; nothing is stored then.
    pub async fn write(&self, entries: &[Entry]) -> Result<Vec<Outcome>, StoreError> {
        let rows: Vec<Row<'_>> = entries.iter().map(Row::new).collect();
        match &self.pool {
            Pool::Sqlite(pool) => {
                let mut connection = pool.acquire().await?;
                // IMMEDIATE: take the write lock at once, rather than fail at the first write.
                let mut tx = connection.begin_with("BEGIN IMMEDIATE").await?;
                let outcomes = write_batch!(tx, rows);
                tx.commit().await?;
                Ok(outcomes)
            }
            Pool::Postgres(pool) => {
                let mut tx = pool.begin().await?;
                let outcomes = write_batch!(tx, rows);
                tx.commit().await?;
                Ok(outcomes)
            }
        }
    }

    /// The extremes of a feed on a UTC day (Unix days): the rounds of the lowest and of the highest price.
    ///
    /// # Errors
    /// What the database says.
    pub async fn extremes(
        &self,
        feed: FeedName,
        day: i64,
    ) -> Result<Option<(Extreme, Extreme)>, StoreError> {
        let rows: Vec<(String, String, i64, String, i64)> =
            on!(self, pool => sqlx::query_as(DAY_EXTREMES).bind(day).fetch_all(pool).await?);
        let row = rows.into_iter().find(|(f, ..)| *f == feed.as_str());
        Ok(row.map(|(_, low, low_round, high, high_round)| {
            let extreme = |value, round| Extreme { value, round };
            (extreme(low, low_round), extreme(high, high_round))
        }))
    }
}

/// Reads a stored attestation.
pub(super) fn decode(round: i64, bytes: &[u8]) -> Result<Attestation, StoreError> {
    Attestation::from_bytes(bytes).map_err(|e| StoreError::Damaged {
        round,
        what: e.to_string(),
    })
}

/// The leaves that have a price.
pub(super) fn priced(
    leaves: &[Leaf],
) -> impl Iterator<Item = (FeedName, touchstone_types::Decimal)> {
    leaves.iter().filter_map(|l| Some((l.feed, l.price()?)))
}
