//! Retention: everything for a time, then every k-th round and each day's extremes, all within a bound on the disk.
//!
//! A mark (`thinned_to`) says how far thinning has gone, so that a step reads only what has become old since the last one.

use sqlx::Connection as _;

use super::{Pool, Store, StoreError, extremes, on, unsigned};

/// Rounds that one transaction looks at; the writer goes on between two of them.
const STEP_ROUNDS: i64 = 512;

/// What is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Policy {
    /// Rounds younger than this are kept in full, in milliseconds.
    pub full_for_ms: u64,
    /// Of the older ones, rounds divisible by this, at least 1; and each day's extremes.
    pub keep_every: u64,
    /// The database's size in bytes, beyond which more is thinned, oldest first.
    pub max_bytes: u64,
}

/// What a pass did.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Thinned {
    /// Rounds that are gone.
    pub deleted: u64,
    /// Whether there is more to do at once.
    pub more: bool,
}

const MARK: &str = "SELECT CAST(value AS BIGINT) FROM facts WHERE name = 'thinned_to'";
const SET_MARK: &str = "UPDATE facts SET value = $1 WHERE name = 'thinned_to'";
const NEWEST: &str = "SELECT COALESCE(MAX(round), -1) FROM rounds";
const CANDIDATES: &str = "SELECT round FROM rounds WHERE round > $1 AND round < $2 AND timestamp_ms < $3 \
     ORDER BY round LIMIT $4";
const THIN: [&str; 3] = [
    "DELETE FROM prices WHERE round IN (SELECT r.round FROM rounds r WHERE r.round > $1 AND r.round <= $2 AND r.round % $3 <> 0 \
     AND NOT EXISTS (SELECT 1 FROM extremes e WHERE e.low_round = r.round) \
     AND NOT EXISTS (SELECT 1 FROM extremes e WHERE e.high_round = r.round))",
    "DELETE FROM observations WHERE round IN (SELECT r.round FROM rounds r WHERE r.round > $1 AND r.round <= $2 AND r.round % $3 <> 0 \
     AND NOT EXISTS (SELECT 1 FROM extremes e WHERE e.low_round = r.round) \
     AND NOT EXISTS (SELECT 1 FROM extremes e WHERE e.high_round = r.round))",
    "DELETE FROM rounds WHERE round > $1 AND round <= $2 AND round % $3 <> 0 \
     AND NOT EXISTS (SELECT 1 FROM extremes e WHERE e.low_round = rounds.round) \
     AND NOT EXISTS (SELECT 1 FROM extremes e WHERE e.high_round = rounds.round)",
];
const OLDEST: &str = "SELECT round FROM rounds WHERE round < $1 ORDER BY round LIMIT $2";
const DROP: [&str; 3] = [
    "DELETE FROM prices WHERE round <= $1",
    "DELETE FROM observations WHERE round <= $1",
    "DELETE FROM rounds WHERE round <= $1",
];
const OLDEST_TIME: &str = "SELECT timestamp_ms FROM rounds ORDER BY round LIMIT 1";
const DROP_DAYS: &str = "DELETE FROM extremes WHERE day < $1";
const DROP_MISSED: &str = "DELETE FROM missed WHERE last <= $1";
const SUM: &str = "SELECT CAST(COALESCE(SUM(bytes), 0) AS BIGINT) FROM rounds";
const PAGES: &str = "SELECT (p.page_count - f.freelist_count) * s.page_size \
     FROM pragma_page_count() p, pragma_freelist_count() f, pragma_page_size() s";

/// Runs a body in a transaction that writes.
macro_rules! transaction {
    ($store:expr, $tx:ident => $body:block) => {
        match &$store.pool {
            Pool::Sqlite(pool) => {
                let mut connection = pool.acquire().await?;
                let mut $tx = connection.begin_with("BEGIN IMMEDIATE").await?;
                let value = $body;
                $tx.commit().await?;
                value
            }
            Pool::Postgres(pool) => {
                let mut $tx = pool.begin().await?;
                let value = $body;
                $tx.commit().await?;
                value
            }
        }
    };
}

impl Store {
    /// One bounded pass at `now_ms`. The newest round is never touched.
    ///
    /// # Errors
    /// What the database says.
    pub async fn retain(&self, policy: Policy, now_ms: u64) -> Result<Thinned, StoreError> {
        let cutoff = super::time(now_ms.saturating_sub(policy.full_for_ms));
        let keep_every = super::time(policy.keep_every.max(1));
        if let Some(deleted) = self.thin(cutoff, keep_every).await? {
            return Ok(Thinned {
                deleted,
                more: true,
            });
        }
        if self.used_bytes().await? <= policy.max_bytes {
            return Ok(Thinned::default());
        }
        // Over the bound: thin what is still full, oldest first, and when nothing is left to thin, drop the oldest.
        let (deleted, moved) = match self.thin(i64::MAX, keep_every).await? {
            Some(deleted) => (deleted, true),
            None => {
                let deleted = self.drop_oldest().await?;
                (deleted, deleted > 0)
            }
        };
        let over = self.used_bytes().await? > policy.max_bytes;
        Ok(Thinned {
            deleted,
            more: over && moved,
        })
    }

    /// Bytes in use: on SQLite the pages that hold something, on PostgreSQL what the stored rounds were reckoned at when
    /// they were written (the size of its files says nothing after a deletion).
    ///
    /// # Errors
    /// What the database says.
    pub async fn used_bytes(&self) -> Result<u64, StoreError> {
        let (bytes,): (i64,) = match &self.pool {
            Pool::Sqlite(pool) => sqlx::query_as(PAGES).fetch_one(pool).await?,
            Pool::Postgres(pool) => sqlx::query_as(SUM).fetch_one(pool).await?,
        };
        Ok(unsigned(bytes))
    }

    /// Thins the next stretch above the mark; `None` if there is none.
    async fn thin(&self, cutoff: i64, keep_every: i64) -> Result<Option<u64>, StoreError> {
        Ok(transaction!(self, tx => {
            let (mark,): (i64,) = sqlx::query_as(MARK).fetch_one(&mut *tx).await?;
            let (newest,): (i64,) = sqlx::query_as(NEWEST).fetch_one(&mut *tx).await?;
            let rounds: Vec<(i64,)> = sqlx::query_as(CANDIDATES)
                .bind(mark).bind(newest).bind(cutoff).bind(STEP_ROUNDS)
                .fetch_all(&mut *tx).await?;
            match rounds.last() {
                None => None,
                Some((last,)) => {
                    let mut deleted = 0;
                    for text in THIN {
                        deleted = sqlx::query(text).bind(mark).bind(*last).bind(keep_every)
                            .execute(&mut *tx).await?.rows_affected();
                    }
                    sqlx::query(SET_MARK).bind(last.to_string()).execute(&mut *tx).await?;
                    Some(deleted)
                }
            }
        }))
    }

    /// Drops the oldest rounds whatever they are, and what speaks of days before the oldest one left.
    async fn drop_oldest(&self) -> Result<u64, StoreError> {
        let (newest,): (i64,) = on!(self, pool => sqlx::query_as(NEWEST).fetch_one(pool).await?);
        Ok(transaction!(self, tx => {
            let rounds: Vec<(i64,)> = sqlx::query_as(OLDEST)
                .bind(newest).bind(STEP_ROUNDS).fetch_all(&mut *tx).await?;
            match rounds.last() {
                None => 0,
                Some((last,)) => {
                    let mut deleted = 0;
                    for text in DROP {
                        deleted = sqlx::query(text).bind(*last)
                            .execute(&mut *tx).await?.rows_affected();
                    }
                    sqlx::query(DROP_MISSED).bind(*last).execute(&mut *tx).await?;
                    let oldest: Option<(i64,)> =
                        sqlx::query_as(OLDEST_TIME).fetch_optional(&mut *tx).await?;
                    let day = extremes::day(oldest.map_or(0, |(ms,)| unsigned(ms)));
                    sqlx::query(DROP_DAYS).bind(day).execute(&mut *tx).await?;
                    deleted
                }
            }
        }))
    }
}
