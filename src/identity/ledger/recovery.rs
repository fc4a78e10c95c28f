//! Recovery codes: only hashes are kept.

use super::Ledger;
use crate::{
    identity::account::AccountId,
    storage::{StoreError, Tx, on, run},
    world::UnixMillis,
};

impl Ledger {
    /// These and no others are the account's from now on.
    pub(in crate::identity) async fn put_recovery_codes(
        &self,
        tx: &mut Tx,
        account: &AccountId,
        hashes: &[[u8; 32]],
    ) -> Result<(), StoreError> {
        self.drop_recovery_codes(tx, account).await?;
        for hash in hashes {
            run!(
                tx,
                sqlx::query("INSERT INTO recovery_codes (account, hash) VALUES ($1, $2)")
                    .bind(&*account.0)
                    .bind(&hash[..])
            )?;
        }
        Ok(())
    }

    pub(in crate::identity) async fn drop_recovery_codes(
        &self,
        tx: &mut Tx,
        account: &AccountId,
    ) -> Result<(), StoreError> {
        run!(tx, sqlx::query("DELETE FROM recovery_codes WHERE account = $1").bind(&*account.0))?;
        Ok(())
    }

    /// Whether it is one of the account's that was not used: it is used now.
    pub(in crate::identity) async fn use_recovery_code(
        &self,
        tx: &mut Tx,
        account: &AccountId,
        hash: &[u8; 32],
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        let used = on!(tx, link => sqlx::query_scalar::<_, i64>(USE)
            .bind(&*account.0).bind(&hash[..]).bind(now.0).fetch_optional(link))?;
        Ok(used.is_some())
    }

    /// How many were not used.
    pub(in crate::identity) async fn recovery_codes_left(
        &self,
        tx: &mut Tx,
        account: &AccountId,
    ) -> Result<i64, StoreError> {
        on!(tx, link => sqlx::query_scalar::<_, i64>(LEFT).bind(&*account.0).fetch_one(link))
    }
}

const USE: &str = "UPDATE recovery_codes SET used_at = $3 WHERE account = $1 AND hash = $2 AND used_at IS NULL
    RETURNING used_at";
const LEFT: &str = "SELECT COUNT(*) FROM recovery_codes WHERE account = $1 AND used_at IS NULL";
