//! A consistent copy while the aggregator goes on.

use std::path::Path;

use super::{Pool, Store, StoreError};

impl Store {
    /// Writes a copy of the database as it is now into a new file. Readers and the writer go on meanwhile.
    ///
    /// # Errors
    /// The file exists, it cannot be written, or the database is PostgreSQL, which has its own tool for it.
    pub async fn backup(&self, to: &Path) -> Result<(), StoreError> {
        let refuse = |text: String| Err(StoreError::Backup(text));
        let Pool::Sqlite(pool) = &self.pool else {
            return refuse(
                "this database is PostgreSQL: use `pg_dump --format=custom --file=FILE URL`, which is consistent while the \
                 aggregator runs"
                    .to_owned(),
            );
        };
        if to.exists() {
            return refuse(format!(
                "{}: exists already, it is not overwritten",
                to.display()
            ));
        }
        let Some(text) = to.to_str() else {
            return refuse(format!("{}: the path is not UTF-8", to.display()));
        };
        sqlx::query("VACUUM INTO $1")
            .bind(text.to_owned())
            .execute(pool)
            .await?;
        Ok(())
    }
}
