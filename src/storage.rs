//! Links to SQL and Redis: pools, migrations, health. What the rows and keys mean is said in higher rooms.
//!
//! One SQL text in the common dialect runs on two native pools ([`Db`]); [`on!`](crate::storage::on) gives one
//! statement to whichever holds the [`Tx`]. Every transaction that writes is alone: `BEGIN IMMEDIATE` on SQLite (a
//! deferred read-then-write fails with BUSY under load), an advisory lock on PostgreSQL. So what a write transaction
//! read stays true until it commits, on both, and rows are numbered in the order of their commits.
//!
//! Pools are lazy: a database that is down at the start fails calls, not the start, and every wait is bounded.

pub mod redis;

use std::{path::Path, str::FromStr, sync::Arc, time::Duration};

use sqlx::{
    PgPool, Postgres, Sqlite, SqlitePool, Transaction,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tokio::{
    sync::{Mutex, OwnedMutexGuard},
    time::timeout,
};

use crate::config::accounts::Database;

/// A link to the accounts database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Db {
    pool: Pool,
    /// Writers of this process queue here, in order, instead of polling the database's own lock.
    writer: Arc<Mutex<()>>,
}

#[derive(Clone, Debug)]
enum Pool {
    /// `data_dir/accounts.db`.
    Sqlite(SqlitePool),
    /// For several nodes.
    Postgres(PgPool),
}

/// The database did not do its part.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It answered with an error, or could not be reached.
    #[error("the accounts database failed")]
    Sql(#[from] sqlx::Error),
    /// It did not answer in time.
    #[error("the accounts database did not answer within {} s", PATIENCE.as_secs())]
    Slow,
    /// Its tables could not be brought up to date.
    #[error("the accounts database could not be migrated")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// `accounts.database` is not a URL sqlx understands; the configuration checked it before.
    #[error("the accounts database's address is not usable")]
    Address(#[source] sqlx::Error),
    /// A row holds what this program would not have written.
    #[error("the accounts database holds an unreadable {0}")]
    Row(&'static str),
}

/// A transaction: a consistent view for reading ([`Db::read`]) or the one writer ([`Db::write`]). Dropped without
/// [`Tx::commit`], it never happened.
#[derive(Debug)]
pub struct Tx {
    pub(crate) link: Link,
    _turn: Option<OwnedMutexGuard<()>>,
}

/// The two dialects' transactions; [`on!`](crate::storage::on) opens it.
#[derive(Debug)]
pub(crate) enum Link {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

/// Runs one expression on whichever database the transaction is on: `on!(tx, link => sqlx::query_as(..).fetch_one(link))`.
/// Evaluates to `Result<_, StoreError>`, bounded in time.
macro_rules! on {
    ($tx:expr, $link:ident => $statement:expr) => {
        match &mut $tx.link {
            $crate::storage::Link::Sqlite(link) => {
                let $link = &mut **link;
                $crate::storage::bounded($statement).await
            }
            $crate::storage::Link::Postgres(link) => {
                let $link = &mut **link;
                $crate::storage::bounded($statement).await
            }
        }
    };
}
pub(crate) use on;

/// Executes one statement on whichever database the transaction is on. Evaluates to the number of rows it touched.
macro_rules! run {
    ($tx:expr, $statement:expr) => {
        match &mut $tx.link {
            $crate::storage::Link::Sqlite(link) => {
                $crate::storage::bounded($statement.execute(&mut **link)).await.map(|done| done.rows_affected())
            }
            $crate::storage::Link::Postgres(link) => {
                $crate::storage::bounded($statement.execute(&mut **link)).await.map(|done| done.rows_affected())
            }
        }
    };
}
pub(crate) use run;

impl Db {
    /// A link to where `accounts.database` points; `data_dir` anchors a relative file. Opens nothing yet.
    ///
    /// # Errors
    /// [`StoreError::Address`] when a PostgreSQL URL cannot be parsed.
    pub fn new(database: &Database, data_dir: &Path) -> Result<Self, StoreError> {
        let pool = match database {
            Database::Sqlite(file) => Pool::Sqlite(sqlite(&data_dir.join(file))),
            Database::Postgres(url) => Pool::Postgres(postgres(url)?),
        };
        Ok(Self { pool, writer: Arc::default() })
    }

    /// Brings the tables up to date. Doing it again, or from two nodes at once, does no harm.
    ///
    /// # Errors
    /// Whatever the database says; the caller tries again.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        let _turn = self.turn().await?;
        match &self.pool {
            Pool::Sqlite(pool) => {
                // SQLite has no lock that lasts over several migrations: of two processes that start at once, one may find a
                // step done between its look and its turn. Each look after that finds more of them done.
                let mut left = MIGRATIONS.iter().count();
                while let Err(error) = MIGRATIONS.run(pool).await {
                    left = left.checked_sub(1).ok_or(error)?;
                }
            }
            Pool::Postgres(pool) => MIGRATIONS.run(pool).await?,
        }
        Ok(())
    }

    /// Begins a transaction that only reads.
    pub(crate) async fn read(&self) -> Result<Tx, StoreError> {
        let link = match &self.pool {
            Pool::Sqlite(pool) => Link::Sqlite(bounded(pool.begin()).await?),
            Pool::Postgres(pool) => Link::Postgres(bounded(pool.begin_with(POSTGRES_READ)).await?),
        };
        Ok(Tx { link, _turn: None })
    }

    /// Begins a transaction that writes; there is one at a time, over all nodes.
    pub(crate) async fn write(&self) -> Result<Tx, StoreError> {
        let turn = self.turn().await?;
        let link = match &self.pool {
            Pool::Sqlite(pool) => Link::Sqlite(bounded(pool.begin_with("BEGIN IMMEDIATE")).await?),
            Pool::Postgres(pool) => {
                let mut link = bounded(pool.begin()).await?;
                bounded(sqlx::query(POSTGRES_TURN).execute(&mut *link)).await?;
                Link::Postgres(link)
            }
        };
        Ok(Tx { link, _turn: Some(turn) })
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// What it said, or [`StoreError::Slow`].
    pub async fn ready(&self) -> Result<(), StoreError> {
        let mut tx = self.read().await?;
        // A table of ours: an empty database answers `SELECT 1` as well.
        on!(tx, link => sqlx::query_scalar::<_, i64>("SELECT value FROM counters WHERE name = 'outbox'").fetch_one(link))?;
        Ok(())
    }

    /// Closes the pool: at the end of the program.
    pub async fn close(&self) {
        match &self.pool {
            Pool::Sqlite(pool) => pool.close().await,
            Pool::Postgres(pool) => pool.close().await,
        }
    }

    async fn turn(&self) -> Result<OwnedMutexGuard<()>, StoreError> {
        timeout(PATIENCE, Arc::clone(&self.writer).lock_owned()).await.map_err(|_| StoreError::Slow)
    }
}

impl Tx {
    /// Makes it so: what was acknowledged after this survives a kill and, on SQLite, a power cut.
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        match self.link {
            Link::Sqlite(link) => bounded(link.commit()).await,
            Link::Postgres(link) => bounded(link.commit()).await,
        }
    }
}

/// Bounds a statement: a database that went silent is a database that is down.
pub(crate) async fn bounded<T>(work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, StoreError> {
    match timeout(PATIENCE, work).await {
        Ok(done) => done.map_err(StoreError::Sql),
        Err(_) => Err(StoreError::Slow),
    }
}

/// A lazy pool over one SQLite file, as both the accounts and the embedded sessions want it.
///
/// WAL lets readers go on beside the writer. `synchronous = FULL` syncs the log at every commit, so that what was
/// acknowledged is there after a power cut too; NORMAL would keep it across kill -9 only.
#[must_use]
pub fn sqlite(file: &Path) -> SqlitePool {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(PATIENCE);
    SqlitePoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(PATIENCE).connect_lazy_with(options)
}

fn postgres(url: &str) -> Result<PgPool, StoreError> {
    let options = PgConnectOptions::from_str(url).map_err(StoreError::Address)?.application_name("vestibule");
    Ok(PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(PATIENCE)
        // Set by statement, not at connecting: poolers refuse start-up parameters they do not know.
        .after_connect(|link, _| {
            Box::pin(async move {
                sqlx::raw_sql("SET lock_timeout = '3s'; SET statement_timeout = '10s'").execute(link).await?;
                Ok(())
            })
        })
        .connect_lazy_with(options))
}

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

/// How long a call waits for the database before it says that it is down.
const PATIENCE: Duration = Duration::from_secs(3);
const CONNECTIONS: u32 = 8;
/// One view for all statements of a read, as SQLite gives by itself.
const POSTGRES_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
/// The number is arbitrary; all nodes share it.
const POSTGRES_TURN: &str = "SELECT pg_advisory_xact_lock(8104652370121)";

#[cfg(test)]
mod tests {
    use super::*;

    async fn fresh(dir: &Path) -> Db {
        let db = Db::new(&Database::Sqlite("accounts.db".into()), dir).unwrap();
        db.migrate().await.unwrap();
        db
    }

    async fn count(db: &Db) -> Result<(), StoreError> {
        let mut tx = db.write().await?;
        let sql = "SELECT value FROM counters WHERE name = 'outbox'";
        let value = on!(tx, link => sqlx::query_scalar::<_, i64>(sql).fetch_one(link))?;
        run!(tx, sqlx::query("UPDATE counters SET value = $1 WHERE name = 'outbox'").bind(value + 1))?;
        tx.commit().await
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn processes_that_migrate_at_once_all_succeed() {
        for _ in 0..20 {
            let dir = tempfile::tempdir().unwrap();
            let open = || Db::new(&Database::Sqlite("accounts.db".into()), dir.path()).unwrap();
            let all: Vec<_> =
                (0..4).map(|_| open()).map(|db| tokio::spawn(async move { db.migrate().await.map(|()| db) })).collect();
            for one in all {
                count(&one.await.unwrap().unwrap()).await.unwrap();
            }
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn writers_of_two_processes_lose_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (fresh(dir.path()).await, fresh(dir.path()).await);
        let writers = (0..100).map(|number| {
            let db = if number % 2 == 0 { one.clone() } else { two.clone() };
            tokio::spawn(async move { count(&db).await })
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await.unwrap().unwrap();
        }
        let mut tx = one.read().await.unwrap();
        let sql = "SELECT value FROM counters WHERE name = 'outbox'";
        assert_eq!(on!(tx, link => sqlx::query_scalar::<_, i64>(sql).fetch_one(link)).unwrap(), 100);
    }

    #[tokio::test]
    async fn a_transaction_dropped_never_happened() {
        let dir = tempfile::tempdir().unwrap();
        let db = fresh(dir.path()).await;
        let mut tx = db.write().await.unwrap();
        assert_eq!(run!(tx, sqlx::query("UPDATE counters SET value = 99 WHERE name = 'outbox'")).unwrap(), 1);
        drop(tx);
        let mut tx = db.read().await.unwrap();
        assert_eq!(
            on!(tx, link => sqlx::query_scalar::<_, i64>("SELECT value FROM counters WHERE name = 'outbox'").fetch_one(link)).unwrap(),
            0
        );
    }

    #[tokio::test]
    async fn a_locked_database_refuses_writers_in_bounded_time_and_serves_readers() {
        let dir = tempfile::tempdir().unwrap();
        let (db, other) = (fresh(dir.path()).await, fresh(dir.path()).await);
        let held = other.write().await.unwrap();
        let begin = std::time::Instant::now();
        assert!(db.write().await.is_err());
        assert!(begin.elapsed() < PATIENCE * 2);
        db.ready().await.unwrap();
        drop(held);
        count(&db).await.unwrap();
    }

    #[tokio::test]
    async fn a_commit_is_on_the_disk_when_it_is_acknowledged() {
        let dir = tempfile::tempdir().unwrap();
        let mut tx = fresh(dir.path()).await.read().await.unwrap();
        // 2 is FULL, 1 NORMAL.
        let level = on!(tx, link => sqlx::query_scalar::<_, i64>("PRAGMA synchronous").fetch_one(link));
        assert_eq!(level.unwrap(), 2);
    }
}
