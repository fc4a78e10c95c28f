//! Changes of an account's address: asked for, redeemed, undone.

use super::Ledger;
use crate::{
    identity::{account::AccountId, names::Identifier},
    storage::{StoreError, Tx, on, run},
    world::UnixMillis,
};

/// A change that was asked for.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(in crate::identity) struct Asked {
    pub(in crate::identity) account: String,
    pub(in crate::identity) new_email: String,
    pub(in crate::identity) new_key: String,
}

/// A change that was redeemed and can be undone.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(in crate::identity) struct Undoable {
    pub(in crate::identity) account: String,
    pub(in crate::identity) old_email: String,
    pub(in crate::identity) old_key: String,
    /// Grows with each change of the account.
    pub(in crate::identity) number: i64,
    pub(in crate::identity) asked_at: i64,
}

/// Why an address is not free.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::identity) enum Holder {
    /// It is an account's.
    Account(AccountId),
    /// It was another account's a short while ago, and that change can be undone yet; the address as it was typed.
    Former(String),
}

impl Ledger {
    /// Who else than `account` has an address, or had it until a change that can be undone yet.
    pub(in crate::identity) async fn address_holder(
        &self,
        tx: &mut Tx,
        key: &str,
        account: Option<&AccountId>,
        now: UnixMillis,
    ) -> Result<Option<Holder>, StoreError> {
        if let Some(found) = self.find(tx, Identifier::Email(key)).await? {
            let holder = AccountId(found.id.into());
            return Ok((Some(&holder) != account).then_some(Holder::Account(holder)));
        }
        let former = on!(tx, link => sqlx::query_scalar::<_, String>(FORMER)
            .bind(key).bind(now.0).bind(account.map_or("", |account| &*account.0)).fetch_optional(link))?;
        Ok(former.map(Holder::Former))
    }

    /// Writes a change that was asked for; an older one of the account dies.
    pub(in crate::identity) async fn put_change(
        &self,
        tx: &mut Tx,
        asked: &Asked,
        token: &[u8],
        now: UnixMillis,
        until: UnixMillis,
    ) -> Result<(), StoreError> {
        self.drop_asked(tx, &asked.account).await?;
        // Dead ones leave here, so that the table stays small without a task of its own.
        run!(tx, sqlx::query("DELETE FROM address_changes WHERE until <= $1").bind(now.0))?;
        run!(
            tx,
            sqlx::query(INSERT)
                .bind(token)
                .bind(&asked.account)
                .bind(&asked.new_email)
                .bind(&asked.new_key)
                .bind(now.0)
                .bind(until.0)
        )?;
        Ok(())
    }

    /// What a living link to a new address is about; leaves it alive.
    pub(in crate::identity) async fn asked_change(
        &self,
        tx: &mut Tx,
        token: &[u8],
        now: UnixMillis,
    ) -> Result<Option<Asked>, StoreError> {
        on!(tx, link => sqlx::query_as::<_, Asked>(ASKED).bind(token).bind(now.0).fetch_optional(link))
    }

    /// Redeems the change of that token: its link is used, and from now on `undo` takes it back.
    pub(in crate::identity) async fn redeem_change(
        &self,
        tx: &mut Tx,
        token: &[u8],
        old: (&str, &str),
        undo: &[u8],
        until: UnixMillis,
    ) -> Result<(), StoreError> {
        let (old_email, old_key) = old;
        run!(tx, sqlx::query(REDEEM).bind(token).bind(old_email).bind(old_key).bind(undo).bind(until.0))?;
        Ok(())
    }

    /// What a living link of an old address takes back; leaves it alive.
    pub(in crate::identity) async fn undoable_change(
        &self,
        tx: &mut Tx,
        undo: &[u8],
        now: UnixMillis,
    ) -> Result<Option<Undoable>, StoreError> {
        on!(tx, link => sqlx::query_as::<_, Undoable>(UNDOABLE).bind(undo).bind(now.0).fetch_optional(link))
    }

    /// Ends that change and every later one of the account, with their links; and what was only asked for.
    pub(in crate::identity) async fn drop_changes_from(
        &self,
        tx: &mut Tx,
        change: &Undoable,
    ) -> Result<(), StoreError> {
        run!(
            tx,
            sqlx::query("DELETE FROM address_changes WHERE account = $1 AND (number IS NULL OR number >= $2)")
                .bind(&change.account)
                .bind(change.number)
        )?;
        Ok(())
    }

    /// Ends what was only asked for.
    pub(in crate::identity) async fn drop_asked(&self, tx: &mut Tx, account: &str) -> Result<(), StoreError> {
        run!(tx, sqlx::query("DELETE FROM address_changes WHERE account = $1 AND number IS NULL").bind(account))?;
        Ok(())
    }

    /// Whether somebody proved to read an account's address, whatever the operator vouches for.
    pub(in crate::identity) async fn email_proved(&self, tx: &mut Tx, id: &AccountId) -> Result<bool, StoreError> {
        on!(tx, link => sqlx::query_scalar("SELECT email_confirmed FROM accounts WHERE id = $1")
            .bind(&*id.0).fetch_one(link))
    }

    /// The canonical form of an account's address.
    pub(in crate::identity) async fn email_key(
        &self,
        tx: &mut Tx,
        id: &AccountId,
    ) -> Result<Option<String>, StoreError> {
        on!(tx, link => sqlx::query_scalar("SELECT email_key FROM accounts WHERE id = $1")
            .bind(&*id.0).fetch_optional(link))
    }

    /// Gives an account another address, which its owner proved to read.
    pub(in crate::identity) async fn set_email(
        &self,
        tx: &mut Tx,
        id: &AccountId,
        email: &str,
        key: &str,
    ) -> Result<(), StoreError> {
        run!(tx, sqlx::query(SET_EMAIL).bind(&*id.0).bind(email).bind(key))?;
        Ok(())
    }
}

const FORMER: &str =
    "SELECT old_email FROM address_changes WHERE old_key = $1 AND until > $2 AND account <> $3 LIMIT 1";
const INSERT: &str = "INSERT INTO address_changes (token, account, new_email, new_key, asked_at, until)
    VALUES ($1, $2, $3, $4, $5, $6)";
const ASKED: &str = "SELECT account, new_email, new_key FROM address_changes
    WHERE token = $1 AND number IS NULL AND until > $2";
const REDEEM: &str = "UPDATE address_changes SET old_email = $2, old_key = $3, undo = $4, until = $5, number =
    (SELECT COALESCE(MAX(others.number), 0) + 1 FROM address_changes AS others WHERE others.account = address_changes.account)
    WHERE token = $1";
const UNDOABLE: &str = "SELECT account, old_email, old_key, number, asked_at FROM address_changes
    WHERE undo = $1 AND number IS NOT NULL AND until > $2";
const SET_EMAIL: &str = "UPDATE accounts SET email = $2, email_key = $3, email_confirmed = TRUE WHERE id = $1";
