//! Who holds which username and which address.

use super::Ledger;
use crate::{
    identity::account::AccountId,
    storage::{StoreError, Tx, on, run},
    world::UnixMillis,
};

#[derive(sqlx::FromRow)]
struct NameRow {
    account: Option<String>,
    email_key: Option<String>,
    held_until: Option<i64>,
}

/// What a sign-in needs, and no more: known and unknown names cost the same.
#[derive(Debug, sqlx::FromRow)]
pub(in crate::identity) struct Credentials {
    pub(in crate::identity) id: String,
    pub(in crate::identity) password_hash: String,
    /// When the hash was read: the account must not have changed by the time it is compared.
    pub(in crate::identity) generation: i64,
}

impl Ledger {
    /// Whether somebody else has, had or holds this username: another account than `account`, or a registration with
    /// another address than `email_key`.
    pub(in crate::identity) async fn name_taken(
        &self,
        tx: &mut Tx,
        username: &str,
        account: Option<&AccountId>,
        email_key: Option<&str>,
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        let row = on!(tx, link => sqlx::query_as::<_, NameRow>(
                "SELECT account, email_key, held_until FROM usernames WHERE username = $1")
            .bind(username).fetch_optional(link))?;
        let Some(row) = row else { return Ok(false) };
        Ok(match row.account {
            Some(owner) => account.is_none_or(|account| *account.0 != *owner),
            None => {
                row.held_until.is_none_or(|until| until > now.0)
                    && (email_key.is_none() || email_key != row.email_key.as_deref())
            }
        })
    }

    /// The names an account had before this one, in their order.
    pub(in crate::identity) async fn former_names(
        &self,
        tx: &mut Tx,
        account: &AccountId,
        username: &str,
    ) -> Result<Vec<String>, StoreError> {
        let mut names = on!(tx, link => sqlx::query_scalar::<_, String>(
                "SELECT username FROM usernames WHERE account = $1 AND username <> $2")
            .bind(&*account.0).bind(username).fetch_all(link))?;
        // Here, not in SQL: the database's collation is its own affair.
        names.sort_unstable();
        Ok(names)
    }

    /// How many names an account has or had, beside this one.
    pub(in crate::identity) async fn names_beside(
        &self,
        tx: &mut Tx,
        account: &AccountId,
        username: &str,
    ) -> Result<i64, StoreError> {
        on!(tx, link => sqlx::query_scalar("SELECT COUNT(*) FROM usernames WHERE account = $1 AND username <> $2")
            .bind(&*account.0).bind(username).fetch_one(link))
    }

    /// Holds a free name for whoever proves to own that address.
    pub(in crate::identity) async fn hold_name(
        &self,
        tx: &mut Tx,
        username: &str,
        email_key: &str,
        until: UnixMillis,
    ) -> Result<(), StoreError> {
        run!(
            tx,
            sqlx::query(
                "INSERT INTO usernames (username, account, email_key, held_until) VALUES ($1, NULL, $2, $3)
                 ON CONFLICT (username) DO UPDATE SET email_key = excluded.email_key, held_until = excluded.held_until"
            )
            .bind(username)
            .bind(email_key)
            .bind(until.0)
        )?;
        Ok(())
    }

    /// Gives a name to an account, for ever.
    pub(in crate::identity) async fn keep_name(
        &self,
        tx: &mut Tx,
        username: &str,
        account: &AccountId,
    ) -> Result<(), StoreError> {
        run!(
            tx,
            sqlx::query(
                "INSERT INTO usernames (username, account, email_key, held_until) VALUES ($1, $2, NULL, NULL)
                 ON CONFLICT (username) DO UPDATE SET account = excluded.account, email_key = NULL, held_until = NULL"
            )
            .bind(username)
            .bind(&*account.0)
        )?;
        Ok(())
    }

    /// Gives an account's names back. Only for one that was never let in: no site ever saw them.
    pub(in crate::identity) async fn release_names(&self, tx: &mut Tx, account: &AccountId) -> Result<(), StoreError> {
        run!(tx, sqlx::query("DELETE FROM usernames WHERE account = $1").bind(&*account.0))?;
        Ok(())
    }

    /// The account with this address (`email_key`) or username.
    pub(in crate::identity) async fn find(
        &self,
        tx: &mut Tx,
        by: crate::identity::names::Identifier<'_>,
    ) -> Result<Option<Credentials>, StoreError> {
        let (sql, value) = match by {
            crate::identity::names::Identifier::Email(key) => {
                ("SELECT id, password_hash, generation FROM accounts WHERE email_key = $1", key)
            }
            crate::identity::names::Identifier::Username(name) => {
                ("SELECT id, password_hash, generation FROM accounts WHERE username = $1", name)
            }
        };
        on!(tx, link => sqlx::query_as::<_, Credentials>(sql).bind(value).fetch_optional(link))
    }

    pub(in crate::identity) async fn credentials(
        &self,
        tx: &mut Tx,
        id: &AccountId,
    ) -> Result<Option<Credentials>, StoreError> {
        on!(tx, link => sqlx::query_as::<_, Credentials>("SELECT id, password_hash, generation FROM accounts WHERE id = $1")
            .bind(&*id.0)
            .fetch_optional(link))
    }
}
