//! The database: believed attestations, their leaves and observations, and evidence.
//!
//! Two typed pools, SQLite and PostgreSQL, share every SQL text: `$n` parameters, and the types TEXT, BIGINT and BYTEA only.
//! `on!` expands one body for either pool. Only [`crate::writer`] writes rounds, through [`Store::write`] and the retention;
//! missed rounds and evidence, both rare, are written by those who find them.

mod backup;
mod evidence;
mod extremes;
mod gaps;
mod read;
mod retention;
mod write;

use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

use sqlx::{
    PgPool, SqlitePool,
    migrate::Migrator,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use thiserror::Error;
use touchstone_types::{NetworkId, Round};

pub use evidence::{EvidenceEntry, EvidenceQuery, EvidenceRow};
pub use extremes::Extreme;
pub use gaps::RoundRange;
pub use read::{Equivocation, HistoryQuery, Neighbours, PlainRow};
pub use retention::{Policy, Thinned};
pub use write::{Entry, Outcome};

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// Runs one body on whichever pool there is.
macro_rules! on {
    ($store:expr, $pool:ident => $body:expr) => {
        match &$store.pool {
            $crate::store::Pool::Sqlite($pool) => $body,
            $crate::store::Pool::Postgres($pool) => $body,
        }
    };
}
pub(crate) use on;

/// Where the data is.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// A PostgreSQL URL. It may hold a password.
    Postgres(String),
}

impl FromStr for DatabaseUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            PgConnectOptions::from_str(text).map_err(|_| "is no valid PostgreSQL URL")?;
            return Ok(Self::Postgres(text.to_owned()));
        }
        let path = text.strip_prefix("sqlite:").unwrap_or(text);
        if path.is_empty() || path.contains("://") {
            return Err("must be a file path, sqlite:PATH or postgres://...");
        }
        Ok(Self::Sqlite(PathBuf::from(path)))
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(_) => f.write_str("postgres://<redacted>"),
        }
    }
}

/// Why the store cannot do what it was asked for.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The database's word.
    #[error("database: {0}")]
    Sql(#[from] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("database schema: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// The database holds another network's rounds.
    #[error("the database belongs to network {held}, not to {expected}")]
    Network {
        /// Whose rounds it holds.
        held: String,
        /// The pinned network.
        expected: NetworkId,
    },
    /// A row that does not hold what was written.
    #[error("round {round}: the stored row is damaged: {what}")]
    Damaged {
        /// The round.
        round: i64,
        /// What is wrong.
        what: String,
    },
    /// A backup is not possible.
    #[error("{0}")]
    Backup(String),
}

pub(crate) enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// An open database of one network.
pub struct Store {
    pool: Pool,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("engine", &self.engine())
            .finish()
    }
}

impl Store {
    /// Opens the database, creates what is missing, and checks that it is this network's.
    ///
    /// # Errors
    /// A database that cannot be opened, or that is another network's.
    pub async fn open(
        url: &DatabaseUrl,
        connections: u32,
        network: NetworkId,
    ) -> Result<Self, StoreError> {
        let store = Self {
            pool: connect(url, connections, true).await?,
        };
        on!(store, pool => MIGRATIONS.run(pool).await?);
        store.claim(network).await?;
        Ok(store)
    }

    /// Opens an existing database for a backup; nothing is created.
    ///
    /// # Errors
    /// A database that cannot be opened.
    pub async fn open_existing(url: &DatabaseUrl) -> Result<Self, StoreError> {
        Ok(Self {
            pool: connect(url, 1, false).await?,
        })
    }

    /// `sqlite` or `postgres`.
    pub fn engine(&self) -> &'static str {
        match self.pool {
            Pool::Sqlite(_) => "sqlite",
            Pool::Postgres(_) => "postgres",
        }
    }

    /// Writes the network id into a new database, and compares it in an old one.
    async fn claim(&self, network: NetworkId) -> Result<(), StoreError> {
        const PUT: &str = "INSERT INTO facts (name, value) VALUES ('network_id', $1) ON CONFLICT (name) DO NOTHING";
        const GET: &str = "SELECT value FROM facts WHERE name = 'network_id'";
        const START: &str = "INSERT INTO facts (name, value) VALUES ('thinned_to', '-1') ON CONFLICT (name) DO NOTHING";
        let held: (String,) = on!(self, pool => {
            sqlx::query(PUT).bind(network.to_string()).execute(pool).await?;
            sqlx::query(START).execute(pool).await?;
            sqlx::query_as(GET).fetch_one(pool).await?
        });
        if held.0 == network.to_string() {
            Ok(())
        } else {
            Err(StoreError::Network {
                held: held.0,
                expected: network,
            })
        }
    }

    /// Waits for what is running and closes every connection.
    pub async fn close(&self) {
        on!(self, pool => pool.close().await);
    }
}

async fn connect(url: &DatabaseUrl, connections: u32, create: bool) -> Result<Pool, StoreError> {
    match url {
        DatabaseUrl::Sqlite(path) => {
            let options = SqliteConnectOptions::new()
                .filename(path)
                .create_if_missing(create)
                .journal_mode(SqliteJournalMode::Wal)
                // With a write-ahead log NORMAL loses no consistency, at most the last commits at a power failure, and
                // those are fetched again.
                .synchronous(SqliteSynchronous::Normal)
                .busy_timeout(Duration::from_secs(10));
            let pool = SqlitePoolOptions::new()
                .max_connections(connections)
                .connect_with(options)
                .await?;
            Ok(Pool::Sqlite(pool))
        }
        DatabaseUrl::Postgres(text) => {
            let options =
                PgConnectOptions::from_str(text)?.application_name("touchstone-aggregator");
            let pool = PgPoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(Duration::from_secs(10))
                .connect_with(options)
                .await?;
            Ok(Pool::Postgres(pool))
        }
    }
}

/// A round as the databases keep it. Verified rounds fit; for anything else the largest number stands.
pub(crate) fn key(round: Round) -> i64 {
    i64::try_from(round.0).unwrap_or(i64::MAX)
}

/// A time as the databases keep it.
pub(crate) fn time(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

/// Back from the database; what was written is never negative.
pub(crate) fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or_default()
}
