//! Passkeys: the keys beside their factors.

use super::Ledger;
use crate::{
    identity::account::AccountId,
    storage::{StoreError, Tx, on, run},
    world::UnixMillis,
};

/// One passkey.
#[derive(sqlx::FromRow)]
pub(in crate::identity) struct PasskeyRow {
    pub(in crate::identity) factor: String,
    pub(in crate::identity) account: String,
    /// The library's document.
    pub(in crate::identity) credential: String,
    pub(in crate::identity) last_ceremony: i64,
    pub(in crate::identity) last_used_at: Option<i64>,
}

/// A ceremony that was right.
pub(in crate::identity) struct PasskeyUse<'a> {
    pub(in crate::identity) factor: &'a str,
    /// The document after it.
    pub(in crate::identity) credential: &'a str,
    pub(in crate::identity) counter: i64,
    pub(in crate::identity) began: UnixMillis,
    pub(in crate::identity) now: UnixMillis,
}

impl Ledger {
    pub(in crate::identity) async fn add_passkey(
        &self,
        tx: &mut Tx,
        factor: &str,
        credential_id: &[u8],
        credential: &str,
    ) -> Result<(), StoreError> {
        run!(
            tx,
            sqlx::query("INSERT INTO passkeys (factor, credential_id, credential) VALUES ($1, $2, $3)")
                .bind(factor)
                .bind(credential_id)
                .bind(credential)
        )?;
        Ok(())
    }

    /// The passkey with that id, whosever it is.
    pub(in crate::identity) async fn passkey(
        &self,
        tx: &mut Tx,
        credential_id: &[u8],
    ) -> Result<Option<PasskeyRow>, StoreError> {
        on!(tx, link => sqlx::query_as::<_, PasskeyRow>(ONE).bind(credential_id).fetch_optional(link))
    }

    /// The account's, oldest first.
    pub(in crate::identity) async fn passkeys(
        &self,
        tx: &mut Tx,
        account: &AccountId,
    ) -> Result<Vec<PasskeyRow>, StoreError> {
        on!(tx, link => sqlx::query_as::<_, PasskeyRow>(OF_ACCOUNT).bind(&*account.0).fetch_all(link))
    }

    /// Whether the passkey takes the ceremony; then it has taken it.
    pub(in crate::identity) async fn use_passkey(&self, tx: &mut Tx, used: PasskeyUse<'_>) -> Result<bool, StoreError> {
        let taken = on!(tx, link => sqlx::query_scalar::<_, i64>(USE)
            .bind(used.factor).bind(used.credential).bind(used.counter).bind(used.began.0).bind(used.now.0)
            .fetch_optional(link))?;
        Ok(taken.is_some())
    }

    pub(in crate::identity) async fn set_asked_first(
        &self,
        tx: &mut Tx,
        account: &AccountId,
        way: &str,
    ) -> Result<(), StoreError> {
        run!(tx, sqlx::query("UPDATE accounts SET asked_first = $2 WHERE id = $1").bind(&*account.0).bind(way))?;
        Ok(())
    }
}

const ONE: &str = "SELECT factor, account, credential, last_ceremony, last_used_at FROM passkeys
    JOIN factors ON factors.id = passkeys.factor WHERE credential_id = $1";
const OF_ACCOUNT: &str = "SELECT factor, account, credential, last_ceremony, last_used_at FROM passkeys
    JOIN factors ON factors.id = passkeys.factor WHERE account = $1 ORDER BY since, factor";
// What lies more than an hour ahead was written while some clock was wrong.
const USE: &str = "UPDATE passkeys SET credential = $2, counter = $3, last_ceremony = $4, last_used_at = $5
    WHERE factor = $1 AND (last_ceremony < $4 OR last_ceremony > $5 + 3600000) AND (counter < $3 OR (counter = 0 AND $3 = 0)) RETURNING last_ceremony";
