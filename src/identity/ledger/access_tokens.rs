//! Personal access tokens: the rows.

use super::Ledger;
use crate::{
    identity::{
        Shown,
        access_token::{AccessToken, Sites},
        account::AccountId,
    },
    storage::{StoreError, Tx, on, run},
    world::UnixMillis,
};

#[derive(sqlx::FromRow)]
struct TokenRow {
    id: String,
    account: String,
    name: String,
    sites: String,
    shown: String,
    created_at: i64,
    expires_at: i64,
    last_used_at: Option<i64>,
}

impl Ledger {
    /// Keeps a new token; no other of the account has its name.
    pub(in crate::identity) async fn add_token(
        &self,
        tx: &mut Tx,
        token: &AccessToken,
        hash: &[u8; 32],
    ) -> Result<(), StoreError> {
        let shown = serde_json::to_string(&token.shown).map_err(|_| StoreError::Row("token"))?;
        run!(
            tx,
            sqlx::query(INSERT)
                .bind(&token.id)
                .bind(&*token.account.0)
                .bind(&hash[..])
                .bind(&token.name)
                .bind(token.sites.text())
                .bind(shown)
                .bind(token.created_at.0)
                .bind(token.expires_at.0)
        )?;
        Ok(())
    }

    /// The token with that hash, whosever it is, expired or not.
    pub(in crate::identity) async fn token_of_hash(
        &self,
        tx: &mut Tx,
        hash: &[u8; 32],
    ) -> Result<Option<AccessToken>, StoreError> {
        let row = on!(tx, link => sqlx::query_as::<_, TokenRow>(ONE).bind(&hash[..]).fetch_optional(link))?;
        row.map(AccessToken::try_from).transpose()
    }

    /// The account's that have not expired, the newest first.
    pub(in crate::identity) async fn tokens(
        &self,
        tx: &mut Tx,
        id: &AccountId,
        now: UnixMillis,
    ) -> Result<Vec<AccessToken>, StoreError> {
        let rows = on!(tx, link => sqlx::query_as::<_, TokenRow>(OF_ACCOUNT).bind(&*id.0).bind(now.0).fetch_all(link))?;
        rows.into_iter().map(AccessToken::try_from).collect()
    }

    /// Drops what has expired.
    pub(in crate::identity) async fn drop_expired_tokens(
        &self,
        tx: &mut Tx,
        id: &AccountId,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        run!(tx, sqlx::query("DELETE FROM tokens WHERE account = $1 AND expires_at <= $2").bind(&*id.0).bind(now.0))?;
        Ok(())
    }

    /// Drops one of the account's; its name when there was one.
    pub(in crate::identity) async fn drop_token(
        &self,
        tx: &mut Tx,
        id: &AccountId,
        token: &str,
    ) -> Result<Option<String>, StoreError> {
        on!(tx, link => sqlx::query_scalar::<_, String>(DROP).bind(&*id.0).bind(token).fetch_optional(link))
    }

    /// Drops all of the account's, where somebody else may have made some: whether there were any.
    pub(in crate::identity) async fn drop_tokens(&self, tx: &mut Tx, id: &AccountId) -> Result<bool, StoreError> {
        Ok(run!(tx, sqlx::query("DELETE FROM tokens WHERE account = $1").bind(&*id.0))? > 0)
    }

    pub(in crate::identity) async fn token_used(
        &self,
        tx: &mut Tx,
        token: &str,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        run!(tx, sqlx::query(USED).bind(token).bind(now.0))?;
        Ok(())
    }

    /// Whether a change waits for the sessions that will end this one: whoever speaks for it has no business here any more.
    pub(in crate::identity) async fn ends(&self, tx: &mut Tx, id: &AccountId, sid: &str) -> Result<bool, StoreError> {
        let rows = on!(tx, link => sqlx::query_scalar::<_, i64>(ENDS).bind(&*id.0).bind(sid).fetch_one(link))?;
        Ok(rows > 0)
    }
}

impl TryFrom<TokenRow> for AccessToken {
    type Error = StoreError;

    fn try_from(row: TokenRow) -> Result<Self, StoreError> {
        let shown: Vec<Shown> = serde_json::from_str(&row.shown).map_err(|_| StoreError::Row("token"))?;
        Ok(Self {
            id: row.id,
            account: AccountId(row.account.into()),
            name: row.name,
            sites: Sites::of_text(&row.sites),
            shown,
            created_at: UnixMillis(row.created_at),
            expires_at: UnixMillis(row.expires_at),
            last_used_at: row.last_used_at.map(UnixMillis),
        })
    }
}

const INSERT: &str = "INSERT INTO tokens (id, account, hash, name, sites, shown, created_at, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
const ONE: &str =
    "SELECT id, account, name, sites, shown, created_at, expires_at, last_used_at FROM tokens WHERE hash = $1";
const OF_ACCOUNT: &str = "SELECT id, account, name, sites, shown, created_at, expires_at, last_used_at FROM tokens
    WHERE account = $1 AND expires_at > $2 ORDER BY created_at DESC, id";
const DROP: &str = "DELETE FROM tokens WHERE account = $1 AND id = $2 RETURNING name";
const USED: &str = "UPDATE tokens SET last_used_at = $2 WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2)";
const ENDS: &str = "SELECT COUNT(*) FROM outbox WHERE account = $1 AND effect NOT IN ('rewrite', 'end-token')
    AND (sid IS NULL OR sid <> $2)";
