//! The embedded store: `data_dir/sessions.db`, an SQLite file of its own with one writer.
//!
//! WAL with `synchronous = FULL`: a session that was acknowledged survives a kill -9. A lock file keeps a second process
//! out, because the near cache trusts that nobody else writes. The file is no part of an accounts backup.

use std::{fs::File, path::Path, time::Duration};

use sqlx::{
    Row, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous},
};

use super::{
    Unreachable,
    activity::Beat,
    id::Key,
    record::Sid,
    store::{FENCE_SPAN, Fresh, NotOpened, SessionStore, Stored},
};
use crate::{identity::account::AccountId, world::UnixMillis};

/// The open file.
#[derive(Debug)]
pub struct Embedded {
    writer: SqlitePool,
    readers: SqlitePool,
    /// Held, never read: the kernel lets go of it with the process.
    _lock: File,
}

impl Embedded {
    /// Opens `data_dir/sessions.db`, creating it if it is not there.
    ///
    /// # Errors
    /// When the file cannot be opened, or another process has it.
    pub(crate) async fn open(data_dir: &Path) -> Result<Self, NotOpened> {
        let path = data_dir.join("sessions.db");
        let lock = lock(&data_dir.join("sessions.lock"))?;
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(PATIENCE);
        let failed = |error| NotOpened::Sql(path.clone(), error);
        let writer = pool(1).connect_with(options.clone()).await.map_err(failed)?;
        sqlx::raw_sql(SCHEMA).execute(&writer).await.map_err(failed)?;
        Ok(Self { writer, readers: pool(READERS).connect_lazy_with(options.read_only(true)), _lock: lock })
    }
}

impl SessionStore for Embedded {
    async fn read(&self, key: Key) -> Result<Option<Stored>, Unreachable> {
        let row = sqlx::query("SELECT record, active_at FROM session WHERE key = $1")
            .bind(key.0.as_slice())
            .fetch_optional(&self.readers)
            .await?;
        row.map_or(Ok(None), |row| stored(&row))
    }

    async fn read_many(&self, keys: &[Key]) -> Result<Vec<Option<Stored>>, Unreachable> {
        let mut found = Vec::with_capacity(keys.len());
        for key in keys {
            found.push(self.read(*key).await?);
        }
        Ok(found)
    }

    async fn of_account(&self, account: &AccountId) -> Result<Vec<(Key, Stored)>, Unreachable> {
        let rows = sqlx::query("SELECT key, record, active_at FROM session WHERE account = $1")
            .bind(&*account.0)
            .fetch_all(&self.readers)
            .await?;
        let mut sessions = Vec::with_capacity(rows.len());
        for row in &rows {
            if let (Some(key), Some(stored)) = (Key::from_bytes(row.try_get("key")?), stored(row)?) {
                sessions.push((key, stored));
            }
        }
        Ok(sessions)
    }

    async fn create(&self, fresh: Fresh, replaces: Option<(Key, AccountId)>) -> Result<bool, Unreachable> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let fence: Option<i64> =
            sqlx::query_scalar("SELECT generation FROM fence WHERE account = $1 AND expires_at > $2")
                .bind(&*fresh.record.account.0)
                .bind(fresh.now.0)
                .fetch_optional(&mut *transaction)
                .await?;
        if fence.is_some_and(|generation| generation > fresh.record.proved) {
            return Ok(false);
        }
        sqlx::query(
            "INSERT INTO session (key, sid, account, record, active_at, idle_ms, expires_at, proved)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
             ON CONFLICT (key) DO UPDATE SET record = excluded.record, active_at = excluded.active_at,
                idle_ms = excluded.idle_ms, expires_at = excluded.expires_at, proved = excluded.proved",
        )
        .bind(fresh.key.0.as_slice())
        .bind(&*fresh.record.sid.0)
        .bind(&*fresh.record.account.0)
        .bind(&fresh.raw)
        .bind(fresh.now.0)
        .bind(millis(fresh.record.idle))
        .bind(fresh.until().0)
        .bind(fresh.record.proved)
        .execute(&mut *transaction)
        .await?;
        if let Some((old, _)) = replaces {
            sqlx::query("DELETE FROM session WHERE key = $1").bind(old.0.as_slice()).execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        Ok(true)
    }

    async fn rotate(&self, old: Key, raw: String, fresh: Fresh) -> Result<bool, Unreachable> {
        let moved = sqlx::query(
            "UPDATE session SET key = $1, record = $2, active_at = $3, proved = $4 WHERE key = $5 AND record = $6",
        )
        .bind(fresh.key.0.as_slice())
        .bind(fresh.raw)
        .bind(fresh.now.0)
        .bind(fresh.record.proved)
        .bind(old.0.as_slice())
        .bind(raw)
        .execute(&self.writer)
        .await?;
        Ok(moved.rows_affected() == 1)
    }

    async fn rewrite(&self, key: Key, raw: String, new: String) -> Result<bool, Unreachable> {
        let rewritten = sqlx::query("UPDATE session SET record = $1 WHERE key = $2 AND record = $3")
            .bind(new)
            .bind(key.0.as_slice())
            .bind(raw)
            .execute(&self.writer)
            .await?;
        Ok(rewritten.rows_affected() == 1)
    }

    async fn end(&self, key: Key, _account: &AccountId) -> Result<bool, Unreachable> {
        let ended =
            sqlx::query("DELETE FROM session WHERE key = $1").bind(key.0.as_slice()).execute(&self.writer).await?;
        Ok(ended.rows_affected() == 1)
    }

    async fn end_account(
        &self,
        account: &AccountId,
        except: Option<&Sid>,
        generation: i64,
        now: UnixMillis,
    ) -> Result<Vec<Key>, Unreachable> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        raise_fence(&mut transaction, account, generation, now).await?;
        let rows = sqlx::query(END_ACCOUNT)
            .bind(&*account.0)
            .bind(except.map(|sid| &*sid.0))
            .bind(generation)
            .fetch_all(&mut *transaction)
            .await?;
        transaction.commit().await?;
        let mut ended = Vec::with_capacity(rows.len());
        for row in &rows {
            ended.extend(Key::from_bytes(row.try_get("key")?));
        }
        Ok(ended)
    }

    async fn fence(&self, account: &AccountId, generation: i64, now: UnixMillis) -> Result<(), Unreachable> {
        let mut writer = self.writer.acquire().await?;
        raise_fence(&mut writer, account, generation, now).await
    }

    async fn beat(&self, beats: &[Beat], _now: UnixMillis) -> Result<(), Unreachable> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        for beat in beats {
            sqlx::query("UPDATE session SET active_at = max(active_at, $1) WHERE key = $2")
                .bind(beat.seen.0)
                .bind(beat.key.0.as_slice())
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    async fn hold(&self, flow: Key, body: String, ttl: Duration, now: UnixMillis) -> Result<(), Unreachable> {
        sqlx::query(
            "INSERT INTO pending (flow, body, expires_at) VALUES ($1, $2, $3)
             ON CONFLICT (flow) DO UPDATE SET body = excluded.body, expires_at = excluded.expires_at",
        )
        .bind(flow.0.as_slice())
        .bind(body)
        .bind(now.plus(ttl).0)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    async fn keep(&self, flow: Key, body: String, ttl: Duration, now: UnixMillis) -> Result<bool, Unreachable> {
        let kept = sqlx::query("UPDATE pending SET body = $2, expires_at = $3 WHERE flow = $1 AND expires_at > $4")
            .bind(flow.0.as_slice())
            .bind(body)
            .bind(now.plus(ttl).0)
            .bind(now.0)
            .execute(&self.writer)
            .await?;
        Ok(kept.rows_affected() > 0)
    }

    async fn held(&self, flow: Key, now: UnixMillis) -> Result<Option<String>, Unreachable> {
        let body = sqlx::query_scalar("SELECT body FROM pending WHERE flow = $1 AND expires_at > $2")
            .bind(flow.0.as_slice())
            .bind(now.0)
            .fetch_optional(&self.readers)
            .await?;
        Ok(body)
    }

    async fn release(&self, flow: Key, now: UnixMillis) -> Result<bool, Unreachable> {
        let released: Option<i64> = sqlx::query_scalar("DELETE FROM pending WHERE flow = $1 RETURNING expires_at")
            .bind(flow.0.as_slice())
            .fetch_optional(&self.writer)
            .await?;
        Ok(released.is_some_and(|expires_at| expires_at > now.0))
    }

    async fn sweep(&self, now: UnixMillis) -> Result<(), Unreachable> {
        // Activity may still wait in memory for a minute at most: the slack keeps sessions that are in use.
        let slack = 2 * 60 * 1000;
        sqlx::query("DELETE FROM session WHERE expires_at <= $1 OR active_at + idle_ms + $2 <= $1")
            .bind(now.0)
            .bind(slack)
            .execute(&self.writer)
            .await?;
        sqlx::query("DELETE FROM pending WHERE expires_at <= $1").bind(now.0).execute(&self.writer).await?;
        sqlx::query("DELETE FROM fence WHERE expires_at <= $1").bind(now.0).execute(&self.writer).await?;
        Ok(())
    }

    async fn ready(&self) -> Result<(), Unreachable> {
        sqlx::query("SELECT 1").execute(&self.readers).await?;
        Ok(())
    }
}

impl From<sqlx::Error> for Unreachable {
    fn from(error: sqlx::Error) -> Self {
        Self(Box::new(error))
    }
}

async fn raise_fence(
    connection: &mut sqlx::SqliteConnection,
    account: &AccountId,
    generation: i64,
    now: UnixMillis,
) -> Result<(), Unreachable> {
    sqlx::query(
        "INSERT INTO fence (account, generation, expires_at) VALUES ($1, $2, $3)
         ON CONFLICT (account) DO UPDATE
         SET generation = max(generation, excluded.generation), expires_at = excluded.expires_at",
    )
    .bind(&*account.0)
    .bind(generation)
    .bind(now.plus(FENCE_SPAN).0)
    .execute(connection)
    .await?;
    Ok(())
}

fn stored(row: &SqliteRow) -> Result<Option<Stored>, Unreachable> {
    Ok(Stored::parse(row.try_get("record")?, Some(UnixMillis(row.try_get("active_at")?))))
}

fn lock(path: &Path) -> Result<File, NotOpened> {
    let failed = |error| NotOpened::Io(path.to_owned(), error);
    let file = File::options().create(true).truncate(false).write(true).open(path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(NotOpened::InUse(path.with_extension("db"))),
        Err(std::fs::TryLockError::Error(error)) => Err(failed(error)),
    }
}

fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new().max_connections(connections).acquire_timeout(PATIENCE).test_before_acquire(false)
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

/// How long a statement may wait for its turn before the store counts as unreachable.
const PATIENCE: Duration = Duration::from_secs(2);
const READERS: u32 = 4;

const END_ACCOUNT: &str = "DELETE FROM session WHERE account = $1 AND sid IS NOT $2 AND proved < $3
    AND ($2 IS NULL OR json_extract(record, '$.token') IS NULL) RETURNING key";

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS session (
    key BLOB PRIMARY KEY NOT NULL,
    sid TEXT NOT NULL,
    account TEXT NOT NULL,
    record TEXT NOT NULL,
    active_at INTEGER NOT NULL,
    idle_ms INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    proved INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS session_account ON session (account);
CREATE TABLE IF NOT EXISTS pending (
    flow BLOB PRIMARY KEY NOT NULL,
    body TEXT NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS fence (
    account TEXT PRIMARY KEY NOT NULL,
    generation INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";
