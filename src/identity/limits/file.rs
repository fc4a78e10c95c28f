//! `data_dir/throttle.db`: what memory knows, written behind it. Whoever loses it forgets who tried too often, nothing else.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use sqlx::{
    Row as _, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::{
    Key,
    own::{Batch, Kind},
};
use crate::world::UnixMillis;

/// The file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{path} cannot be opened; it only holds who tried too often, and may be removed while Vestibule is stopped")]
pub struct NotOpened {
    path: PathBuf,
    #[source]
    source: sqlx::Error,
}

/// The open file.
#[derive(Debug)]
pub(super) struct File {
    path: PathBuf,
    pool: SqlitePool,
}

/// An entry.
#[derive(Debug)]
pub(super) struct Row {
    pub kind: Kind,
    pub key: Key,
    /// JSON.
    pub value: String,
    /// What weighs least goes first.
    pub weight: u32,
    /// Among these, the oldest.
    pub at: UnixMillis,
    /// When it means nothing any more.
    pub until: UnixMillis,
}

impl File {
    pub async fn open(data_dir: &Path) -> Result<Self, NotOpened> {
        let path = data_dir.join("throttle.db");
        // NORMAL: a power cut may take the last tries with it, which is no reason to wait for the disk at each.
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(PATIENCE);
        let pool = SqlitePoolOptions::new().max_connections(1).acquire_timeout(PATIENCE);
        let opened = async {
            let pool = pool.connect_with(options).await?;
            sqlx::raw_sql(SCHEMA).execute(&pool).await?;
            Ok(pool)
        };
        match opened.await {
            Ok(pool) => Ok(Self { path, pool }),
            Err(source) => Err(NotOpened { path, source }),
        }
    }

    /// All it holds.
    pub async fn rows(&self) -> Result<Vec<Row>, NotOpened> {
        // The weightiest last: should memory have less room, they are what stays.
        let sql = "SELECT kind, key, value, weight, at, until FROM kept ORDER BY weight, at";
        let found = sqlx::query(sql).fetch_all(&self.pool).await;
        let found = found.map_err(|source| NotOpened { path: self.path.clone(), source })?;
        Ok(found
            .iter()
            .filter_map(|row| {
                let number: i64 = row.try_get(0).ok()?;
                Some(Row {
                    kind: Kind::ALL.into_iter().find(|kind| *kind as i64 == number)?,
                    key: u128::from_str_radix(row.try_get(1).ok()?, 16).ok()?.to_be_bytes(),
                    value: row.try_get(2).ok()?,
                    weight: row.try_get(3).ok()?,
                    at: UnixMillis(row.try_get(4).ok()?),
                    until: UnixMillis(row.try_get(5).ok()?),
                })
            })
            .collect())
    }

    /// Writes a batch, whole or not at all.
    pub async fn write(&self, batch: &Batch) -> Result<(), sqlx::Error> {
        if !batch.anew && batch.rows.is_empty() && batch.gone.is_empty() {
            return Ok(());
        }
        let mut tx = self.pool.begin().await?;
        if batch.anew {
            sqlx::query("DELETE FROM kept").execute(&mut *tx).await?;
        }
        // Many rows in one statement: each statement of its own would cost a thread's attention.
        for rows in batch.rows.chunks(TOGETHER) {
            let rows: Vec<_> = rows
                .iter()
                .map(|row| (row.kind as i64, hex(row.key), &row.value, row.weight, row.at.0, row.until.0))
                .collect();
            let sql = "INSERT OR REPLACE INTO kept (kind, key, value, weight, at, until)
                SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5 FROM json_each($1)";
            sqlx::query(sql).bind(json(&rows)?).execute(&mut *tx).await?;
        }
        for gone in batch.gone.chunks(TOGETHER) {
            let gone: Vec<_> = gone.iter().map(|(kind, key)| (*kind as i64, hex(*key))).collect();
            let sql = "DELETE FROM kept WHERE (kind, key) IN (SELECT value->>0, value->>1 FROM json_each($1))";
            sqlx::query(sql).bind(json(&gone)?).execute(&mut *tx).await?;
        }
        tx.commit().await
    }

    /// Drops what means nothing any more, and of each kind what is too much.
    pub async fn sweep(&self, now: UnixMillis) -> Result<(), sqlx::Error> {
        sqlx::query("DELETE FROM kept WHERE until < $1").bind(now.0).execute(&self.pool).await?;
        for kind in Kind::ALL {
            let sql = "DELETE FROM kept WHERE kind = $1 AND key IN (
                SELECT key FROM kept WHERE kind = $1 ORDER BY weight, at
                LIMIT max(0, (SELECT count(*) FROM kept WHERE kind = $1) - $2))";
            let most = i64::try_from(kind.most()).unwrap_or(i64::MAX);
            sqlx::query(sql).bind(kind as i64).bind(most).execute(&self.pool).await?;
        }
        Ok(())
    }

    /// Takes nothing, as when the disk is full.
    #[cfg(test)]
    pub async fn refuse(&self, refuse: bool) {
        let sql = if refuse {
            "CREATE TRIGGER full BEFORE INSERT ON kept BEGIN SELECT RAISE(ABORT, 'full'); END"
        } else {
            "DROP TRIGGER full"
        };
        sqlx::raw_sql(sql).execute(&self.pool).await.unwrap();
    }

    pub async fn close(&self) {
        self.pool.close().await;
    }
}

fn hex(key: Key) -> String {
    format!("{:032x}", u128::from_be_bytes(key))
}

fn json(rows: &impl serde::Serialize) -> Result<String, sqlx::Error> {
    serde_json::to_string(rows).map_err(|error| sqlx::Error::Encode(Box::new(error)))
}

/// Another process may read the file: an operator's backup.
const PATIENCE: Duration = Duration::from_secs(2);
/// Rows in one statement.
const TOGETHER: usize = 1000;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS kept (
    kind INTEGER NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    weight INTEGER NOT NULL,
    at INTEGER NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;
";
