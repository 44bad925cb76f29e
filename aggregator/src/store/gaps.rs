//! Which rounds are there, which are missing, and which no source has.

use touchstone_types::Round;

use super::{Store, StoreError, key, on, unsigned};

/// Rounds from `first` to `last`, both included.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct RoundRange {
    /// The first round.
    pub first: Round,
    /// The last round.
    pub last: Round,
}

const PRESENT: &str =
    "SELECT round FROM rounds WHERE round >= $1 AND round <= $2 ORDER BY round LIMIT $3";
const MISSED: &str =
    "SELECT first, last FROM missed WHERE last >= $1 AND first <= $2 ORDER BY first";
const PUT_MISSED: &str = "INSERT INTO missed (first, last) VALUES ($1, $2) \
     ON CONFLICT (first) DO UPDATE SET last = excluded.last WHERE excluded.last > missed.last";

impl Store {
    /// The stored rounds of a range, ascending, at most `limit`.
    ///
    /// # Errors
    /// What the database says.
    pub async fn present(&self, range: RoundRange, limit: u32) -> Result<Vec<Round>, StoreError> {
        let rows: Vec<(i64,)> = on!(self, pool => sqlx::query_as(PRESENT)
            .bind(key(range.first)).bind(key(range.last)).bind(i64::from(limit))
            .fetch_all(pool).await?);
        Ok(rows.into_iter().map(|(r,)| Round(unsigned(r))).collect())
    }

    /// The ranges known as missed that touch a range.
    ///
    /// # Errors
    /// What the database says.
    pub async fn missed(&self, range: RoundRange) -> Result<Vec<RoundRange>, StoreError> {
        let rows: Vec<(i64, i64)> = on!(self, pool => sqlx::query_as(MISSED)
            .bind(key(range.first)).bind(key(range.last)).fetch_all(pool).await?);
        let read = |(first, last)| RoundRange {
            first: Round(unsigned(first)),
            last: Round(unsigned(last)),
        };
        Ok(rows.into_iter().map(read).collect())
    }

    /// Remembers that no source has these rounds.
    ///
    /// # Errors
    /// What the database says.
    pub async fn mark_missed(&self, range: RoundRange) -> Result<(), StoreError> {
        on!(self, pool => {
            sqlx::query(PUT_MISSED)
                .bind(key(range.first))
                .bind(key(range.last))
                .execute(pool)
                .await?;
        });
        Ok(())
    }
}
