//! The keys in SQL: every statement of this room.

use crate::{
    storage::{StoreError, Tx, on, run},
    world::UnixMillis,
};

/// A key as kept.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct StoredKey {
    pub kid: String,
    /// Of the vault.
    pub sealed: Vec<u8>,
    /// Unix milliseconds.
    signs_from: i64,
}

impl StoredKey {
    pub fn new(kid: &str, sealed: Vec<u8>, signs_from: UnixMillis) -> Self {
        Self { kid: kid.to_owned(), sealed, signs_from: signs_from.0 }
    }

    /// When it begins to sign.
    pub fn signs_from(&self) -> UnixMillis {
        UnixMillis(self.signs_from)
    }
}

/// Every key, in the order in which they sign.
pub(super) async fn keys(tx: &mut Tx) -> Result<Vec<StoredKey>, StoreError> {
    let sql = "SELECT kid, sealed, signs_from FROM assertion_keys";
    let mut keys = on!(tx, link => sqlx::query_as::<_, StoredKey>(sql).fetch_all(link))?;
    // Here, not in SQL: of equal times the database's collation would decide.
    keys.sort_by(|one, other| (one.signs_from, &one.kid).cmp(&(other.signs_from, &other.kid)));
    Ok(keys)
}

pub(super) async fn insert(tx: &mut Tx, key: &StoredKey) -> Result<(), StoreError> {
    let sql = "INSERT INTO assertion_keys (kid, sealed, signs_from) VALUES ($1, $2, $3)";
    run!(tx, sqlx::query(sql).bind(&key.kid).bind(&key.sealed).bind(key.signs_from))?;
    Ok(())
}

pub(super) async fn reseal(tx: &mut Tx, kid: &str, sealed: &[u8]) -> Result<(), StoreError> {
    run!(tx, sqlx::query("UPDATE assertion_keys SET sealed = $2 WHERE kid = $1").bind(kid).bind(sealed))?;
    Ok(())
}

pub(super) async fn delete(tx: &mut Tx, kid: &str) -> Result<(), StoreError> {
    run!(tx, sqlx::query("DELETE FROM assertion_keys WHERE kid = $1").bind(kid))?;
    Ok(())
}
