//! Browsers an account signed in with.

use super::Ledger;
use crate::{
    identity::{KnownDevice, account::AccountId, devices::Seen},
    storage::{StoreError, Tx, on, run},
    world::UnixMillis,
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

    /// The browsers of an account, the last one first.
    pub(in crate::identity) async fn devices(
        &self,
        tx: &mut Tx,
        id: &AccountId,
    ) -> Result<Vec<KnownDevice>, StoreError> {
        let rows = on!(tx, link => sqlx::query_as::<_, (String, String, i64, i64)>(ALL).bind(&*id.0).fetch_all(link))?;
        let known = |(words, network, first, last)| KnownDevice {
            words,
            network,
            first_seen: UnixMillis(first),
            last_seen: UnixMillis(last),
        };
        Ok(rows.into_iter().map(known).collect())
    }
}

const AGAIN: &str = "UPDATE devices SET words = $3, network = $4, last_seen = $5 WHERE account = $1 AND device = $2";
const ALL: &str = "SELECT words, network, first_seen, last_seen FROM devices WHERE account = $1
    ORDER BY last_seen DESC, first_seen DESC";
const COUNT: &str = "SELECT COUNT(*) FROM devices WHERE account = $1";
const NEW: &str = "INSERT INTO devices (account, device, words, network, first_seen, last_seen)
    VALUES ($1, $2, $3, $4, $5, $5)";
const TRIM: &str = "DELETE FROM devices WHERE account = $1 AND device NOT IN
    (SELECT device FROM devices WHERE account = $1 ORDER BY last_seen DESC, first_seen DESC LIMIT $2)";
