//! Links to SQL and Redis: pools, migrations, health. What the rows and keys mean is said in higher rooms.

use sqlx::{PgPool, SqlitePool};

/// A link to the accounts database.
#[derive(Clone, Debug)]
pub enum Db {
    /// `data_dir/accounts.db`; WAL, `BEGIN IMMEDIATE` for every transaction that writes.
    Sqlite(SqlitePool),
    /// For several nodes.
    Postgres(PgPool),
}
