//! Browsers an account signed in with.

use super::Ledger;
use crate::{
    identity::devices::Seen,
    storage::{StoreError, Tx, on, run},
};

impl Ledger {
    /// Keeps a browser of an account that is there, and at most so many of them. True when it is a new one beside others.
    pub(in crate::identity) async fn meet(&self, tx: &mut Tx, seen: &Seen, most: i64) -> Result<bool, StoreError> {
        let known = run!(
            tx,
            sqlx::query(AGAIN)
                .bind(&*seen.account.0)
                .bind(&seen.device[..])
                .bind(&seen.words)
                .bind(&seen.network)
                .bind(seen.at.0)
        )?;
        if known > 0 {
            return Ok(false);
        }
        let others = on!(tx, link => sqlx::query_scalar::<_, i64>(COUNT).bind(&*seen.account.0).fetch_one(link))?;
        run!(
            tx,
            sqlx::query(NEW)
                .bind(&*seen.account.0)
                .bind(&seen.device[..])
                .bind(&seen.words)
                .bind(&seen.network)
                .bind(seen.at.0)
        )?;
        run!(tx, sqlx::query(TRIM).bind(&*seen.account.0).bind(most))?;
        Ok(others > 0)
    }
}

const AGAIN: &str = "UPDATE devices SET words = $3, network = $4, last_seen = $5 WHERE account = $1 AND device = $2";
const COUNT: &str = "SELECT COUNT(*) FROM devices WHERE account = $1";
const NEW: &str = "INSERT INTO devices (account, device, words, network, first_seen, last_seen)
    VALUES ($1, $2, $3, $4, $5, $5)";
const TRIM: &str = "DELETE FROM devices WHERE account = $1 AND device NOT IN
    (SELECT device FROM devices WHERE account = $1 ORDER BY last_seen DESC, first_seen DESC LIMIT $2)";
