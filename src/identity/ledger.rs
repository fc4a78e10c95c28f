//! The accounts in SQL: every statement of this room is here or in its parts.
//!
//! A change that guards an account is one transaction: read, judge, write, [`Ledger::post`], commit.

mod access_tokens;
mod changes;
mod devices;
mod invitations;
mod links;
mod names;
mod passkeys;
mod people;
mod recovery;
mod registrations;
mod trail;

use super::{
    account::{Account, AccountId, Factor, FactorKind},
    outbox::RowId,
};
use crate::{
    config,
    storage::{Db, StoreError, Tx, on, run},
    world::UnixMillis,
};

pub(super) use self::{
    changes::{Asked, Holder, Undoable},
    invitations::{Brought, NewInvitation, groups_of},
    links::Purpose,
    names::Credentials,
    passkeys::{PasskeyRow, PasskeyUse},
    people::Sought,
    registrations::Registration,
};

/// The accounts database, read with the operator's word on confirmation.
#[derive(Debug)]
pub(super) struct Ledger {
    db: Db,
    /// Without confirmation the operator vouches for every address.
    vouched: bool,
    admin_group: String,
}

/// What is written into the outbox; read back as [`super::outbox::Effect`].
#[derive(Clone, Copy, Debug)]
pub(super) enum Carry<'a> {
    /// All sessions end.
    End,
    /// All but this `sid` end; without one, all.
    Keep(Option<&'a str>),
    /// Sessions learn the account as it stands.
    Rewrite,
    /// One access token ends, by its public name.
    EndToken(&'a str),
}

#[derive(sqlx::FromRow)]
struct AccountRow {
    id: String,
    username: String,
    email: String,
    email_confirmed: bool,
    first_name: String,
    last_name: String,
    about_me: String,
    disabled: bool,
    waiting_since: Option<i64>,
    chose_username: bool,
    generation: i64,
    created_at: i64,
    last_seen_at: Option<i64>,
    asked_first: Option<String>,
}

#[derive(sqlx::FromRow)]
struct FactorRow {
    id: String,
    kind: String,
    since: i64,
}

impl Ledger {
    pub(super) fn new(db: Db, settings: &config::accounts::Accounts) -> Self {
        Self { db, vouched: !settings.confirm_email, admin_group: settings.admin_group.clone() }
    }

    pub(super) fn db(&self) -> &Db {
        &self.db
    }

    pub(super) async fn load(&self, tx: &mut Tx, id: &AccountId) -> Result<Option<Account>, StoreError> {
        let row = on!(tx, link => sqlx::query_as::<_, AccountRow>(ACCOUNT).bind(&*id.0).fetch_optional(link))?;
        match row {
            Some(row) => Ok(Some(self.complete(tx, row).await?)),
            None => Ok(None),
        }
    }

    async fn complete(&self, tx: &mut Tx, row: AccountRow) -> Result<Account, StoreError> {
        let mut groups = on!(tx, link => sqlx::query_scalar::<_, String>(GROUPS).bind(&row.id).fetch_all(link))?;
        let factors = on!(tx, link => sqlx::query_as::<_, FactorRow>(FACTORS).bind(&row.id).fetch_all(link))?;
        // Here, not in SQL: the database's collation is its own affair.
        groups.sort_unstable();
        Ok(Account {
            id: AccountId(row.id.into()),
            username: row.username,
            first_name: row.first_name,
            last_name: row.last_name,
            email: row.email,
            email_confirmed: row.email_confirmed || self.vouched,
            about_me: row.about_me,
            groups,
            disabled: row.disabled,
            // Enabled by an older version, it waits no more.
            waiting_since: row.waiting_since.filter(|_| row.disabled).map(UnixMillis),
            chose_username: row.chose_username,
            created_at: UnixMillis(row.created_at),
            last_seen_at: row.last_seen_at.map(UnixMillis),
            factors: factors.into_iter().map(Factor::try_from).collect::<Result<_, _>>()?,
            asked_first: row.asked_first,
            generation: row.generation,
        })
    }

    /// Writes a new account; its name and address were found free in this transaction.
    pub(super) async fn insert(
        &self,
        tx: &mut Tx,
        account: &Account,
        email_key: &str,
        password_hash: &str,
    ) -> Result<(), StoreError> {
        run!(
            tx,
            sqlx::query(INSERT)
                .bind(&*account.id.0)
                .bind(&account.username)
                .bind(&account.email)
                .bind(email_key)
                .bind(account.email_confirmed)
                .bind(&account.first_name)
                .bind(&account.last_name)
                .bind(&account.about_me)
                .bind(password_hash)
                .bind(account.chose_username)
                .bind(account.created_at.0)
                .bind(account.disabled)
                .bind(account.waiting_since.map(|at| at.0))
        )?;
        self.keep_name(tx, &account.username, &account.id).await?;
        self.set_groups(tx, &account.id, &account.groups).await
    }

    /// Names and about me.
    pub(super) async fn rewrite(&self, tx: &mut Tx, account: &Account) -> Result<(), StoreError> {
        run!(
            tx,
            sqlx::query(REWRITE)
                .bind(&*account.id.0)
                .bind(&account.username)
                .bind(&account.first_name)
                .bind(&account.last_name)
                .bind(&account.about_me)
        )?;
        self.keep_name(tx, &account.username, &account.id).await
    }

    pub(super) async fn set_groups(&self, tx: &mut Tx, id: &AccountId, groups: &[String]) -> Result<(), StoreError> {
        run!(tx, sqlx::query("DELETE FROM account_groups WHERE account = $1").bind(&*id.0))?;
        for group in groups {
            run!(
                tx,
                sqlx::query("INSERT INTO account_groups (account, group_name) VALUES ($1, $2)")
                    .bind(&*id.0)
                    .bind(group)
            )?;
        }
        Ok(())
    }

    /// Either way nothing waits for an approval any more.
    pub(super) async fn set_disabled(&self, tx: &mut Tx, id: &AccountId, disabled: bool) -> Result<(), StoreError> {
        run!(
            tx,
            sqlx::query("UPDATE accounts SET disabled = $2, waiting_since = NULL WHERE id = $1")
                .bind(&*id.0)
                .bind(disabled)
        )?;
        Ok(())
    }

    pub(super) async fn set_confirmed(&self, tx: &mut Tx, id: &AccountId) -> Result<(), StoreError> {
        run!(tx, sqlx::query("UPDATE accounts SET email_confirmed = TRUE WHERE id = $1").bind(&*id.0))?;
        Ok(())
    }

    pub(super) async fn delete(&self, tx: &mut Tx, id: &AccountId) -> Result<(), StoreError> {
        run!(tx, sqlx::query("DELETE FROM links WHERE holder = $1").bind(&*id.0))?;
        // Theirs are worth nothing any more, and the one that they came by holds their address.
        run!(tx, sqlx::query("DELETE FROM invitations WHERE made_by = $1 OR redeemed_by = $1").bind(&*id.0))?;
        run!(tx, sqlx::query("DELETE FROM accounts WHERE id = $1").bind(&*id.0))?;
        Ok(())
    }

    /// Sets a password; a reset link sent before is worth nothing now.
    pub(super) async fn set_password(&self, tx: &mut Tx, id: &AccountId, hash: &str) -> Result<(), StoreError> {
        run!(tx, sqlx::query("UPDATE accounts SET password_hash = $2 WHERE id = $1").bind(&*id.0).bind(hash))?;
        self.drop_links(tx, Purpose::Reset, &id.0).await
    }

    /// The same password, hashed anew; nothing happens when it was changed meanwhile.
    pub(super) async fn renew_hash(&self, tx: &mut Tx, id: &AccountId, old: &str, new: &str) -> Result<(), StoreError> {
        run!(
            tx,
            sqlx::query("UPDATE accounts SET password_hash = $3 WHERE id = $1 AND password_hash = $2")
                .bind(&*id.0)
                .bind(old)
                .bind(new)
        )?;
        Ok(())
    }

    pub(super) async fn add_factor(&self, tx: &mut Tx, id: &AccountId, factor: &Factor) -> Result<(), StoreError> {
        let kind = serde_json::to_string(&factor.kind).map_err(|_| StoreError::Row("factor"))?;
        run!(
            tx,
            sqlx::query("INSERT INTO factors (id, account, kind, since) VALUES ($1, $2, $3, $4)")
                .bind(&factor.id)
                .bind(&*id.0)
                .bind(kind)
                .bind(factor.since.0)
        )?;
        Ok(())
    }

    /// Every authenticator app that can be read: its id, its account's, and its kind.
    pub(super) async fn apps(&self, tx: &mut Tx) -> Result<Vec<(String, String, FactorKind)>, StoreError> {
        let rows: Vec<(String, String, String)> = on!(tx, link => sqlx::query_as(APPS).fetch_all(link))?;
        let read =
            |(id, account, kind): (String, String, String)| Some((id, account, serde_json::from_str(&kind).ok()?));
        Ok(rows.into_iter().filter_map(read).collect())
    }

    /// Nothing happens when it is another one by now.
    pub(super) async fn replace_kind(
        &self,
        tx: &mut Tx,
        factor: &str,
        old: &FactorKind,
        new: &FactorKind,
    ) -> Result<(), StoreError> {
        let text = |kind| serde_json::to_string(kind).map_err(|_| StoreError::Row("factor"));
        run!(
            tx,
            sqlx::query("UPDATE factors SET kind = $3 WHERE id = $1 AND kind = $2")
                .bind(factor)
                .bind(text(old)?)
                .bind(text(new)?)
        )?;
        Ok(())
    }

    /// Whether that step of an authenticator app comes after all that were used: it is used now.
    pub(super) async fn use_up_step(&self, tx: &mut Tx, factor: &str, step: i64) -> Result<bool, StoreError> {
        let used = on!(tx, link => sqlx::query_scalar::<_, i64>(USE_UP).bind(factor).bind(step).fetch_optional(link))?;
        Ok(used.is_some())
    }

    pub(super) async fn remove_factor(&self, tx: &mut Tx, id: &AccountId, factor: &str) -> Result<(), StoreError> {
        run!(tx, sqlx::query("DELETE FROM factors WHERE account = $1 AND id = $2").bind(&*id.0).bind(factor))?;
        let left = on!(tx, link => sqlx::query_scalar::<_, i64>(COUNT_FACTORS).bind(&*id.0).fetch_one(link))?;
        if left == 0 { self.drop_recovery_codes(tx, id).await } else { Ok(()) }
    }

    pub(super) async fn remove_factors(&self, tx: &mut Tx, id: &AccountId) -> Result<(), StoreError> {
        run!(tx, sqlx::query("DELETE FROM factors WHERE account = $1").bind(&*id.0))?;
        self.drop_recovery_codes(tx, id).await
    }

    pub(super) async fn set_seen(&self, tx: &mut Tx, id: &AccountId, at: UnixMillis) -> Result<(), StoreError> {
        run!(
            tx,
            sqlx::query(
                "UPDATE accounts SET last_seen_at = $2 WHERE id = $1
                AND (last_seen_at IS NULL OR last_seen_at < $2)"
            )
            .bind(&*id.0)
            .bind(at.0)
        )?;
        Ok(())
    }

    /// Enabled members of the administrators' group, other than this account.
    pub(super) async fn administrators_beside(&self, tx: &mut Tx, id: Option<&AccountId>) -> Result<i64, StoreError> {
        on!(tx, link => sqlx::query_scalar::<_, i64>(ADMINISTRATORS)
            .bind(&self.admin_group).bind(id.map_or("", |id| &*id.0)).fetch_one(link))
    }

    /// Writes what the sessions have to learn, in the change's own transaction, and moves the account's generation on:
    /// what was begun before is stale.
    pub(super) async fn post(
        &self,
        tx: &mut Tx,
        id: &AccountId,
        carry: Carry<'_>,
        now: UnixMillis,
    ) -> Result<RowId, StoreError> {
        let (effect, sid) = match carry {
            Carry::End | Carry::Keep(None) => ("end", None),
            Carry::Keep(Some(sid)) => ("end-others", Some(sid)),
            Carry::Rewrite => ("rewrite", None),
            Carry::EndToken(token) => ("end-token", Some(token)),
        };
        if matches!(carry, Carry::End | Carry::Keep(_)) {
            // Somebody may have asked for a new address who has no business here any more.
            self.drop_asked(tx, &id.0).await?;
        }
        let generation = on!(tx, link => sqlx::query_scalar::<_, i64>(BUMP).bind(&*id.0).fetch_optional(link))?;
        let row = on!(tx, link => sqlx::query_scalar::<_, i64>(NEXT_ROW).fetch_one(link))?;
        run!(
            tx,
            sqlx::query(POST)
                .bind(row)
                .bind(&*id.0)
                .bind(generation.unwrap_or(i64::MAX))
                .bind(effect)
                .bind(sid)
                .bind(now.0)
        )?;
        Ok(RowId(row))
    }

    /// The oldest outbox rows: number, account, generation, effect, sid.
    pub(super) async fn posted(
        &self,
        tx: &mut Tx,
        limit: u32,
    ) -> Result<Vec<(i64, String, i64, String, Option<String>)>, StoreError> {
        on!(tx, link => sqlx::query_as("SELECT id, account, generation, effect, sid FROM outbox ORDER BY id LIMIT $1")
            .bind(i64::from(limit)).fetch_all(link))
    }

    pub(super) async fn unpost(&self, tx: &mut Tx, row: RowId) -> Result<(), StoreError> {
        run!(tx, sqlx::query("DELETE FROM outbox WHERE id = $1").bind(row.0))?;
        Ok(())
    }
}

impl TryFrom<FactorRow> for Factor {
    type Error = StoreError;

    fn try_from(row: FactorRow) -> Result<Self, StoreError> {
        let kind: FactorKind = serde_json::from_str(&row.kind).map_err(|_| StoreError::Row("factor"))?;
        Ok(Self { id: row.id, kind, since: UnixMillis(row.since) })
    }
}

const ACCOUNT: &str =
    "SELECT id, username, email, email_confirmed, first_name, last_name, about_me, disabled, waiting_since,
    chose_username, generation, created_at, last_seen_at, asked_first FROM accounts WHERE id = $1";
const GROUPS: &str = "SELECT group_name FROM account_groups WHERE account = $1";
const FACTORS: &str = "SELECT id, kind, since FROM factors WHERE account = $1 ORDER BY since, id";
const COUNT_FACTORS: &str = "SELECT COUNT(*) FROM factors WHERE account = $1";
const APPS: &str = "SELECT id, account, kind FROM factors WHERE kind LIKE '%\"kind\":\"app\"%'";
const USE_UP: &str = "UPDATE factors SET last_step = $2 WHERE id = $1 AND last_step < $2 RETURNING last_step";
const INSERT: &str = "INSERT INTO accounts (id, username, email, email_key, email_confirmed, first_name, last_name,
    about_me, password_hash, disabled, waiting_since, chose_username, generation, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $12, $13, $10, 0, $11)";
const REWRITE: &str = "UPDATE accounts SET username = $2, first_name = $3, last_name = $4, about_me = $5 WHERE id = $1";
const ADMINISTRATORS: &str = "SELECT COUNT(*) FROM account_groups JOIN accounts ON accounts.id = account_groups.account
    WHERE group_name = $1 AND NOT disabled AND accounts.id <> $2";
const BUMP: &str = "UPDATE accounts SET generation = generation + 1 WHERE id = $1 RETURNING generation";
const POST: &str =
    "INSERT INTO outbox (id, account, generation, effect, sid, created_at) VALUES ($1, $2, $3, $4, $5, $6)";
const NEXT_ROW: &str = "UPDATE counters SET value = value + 1 WHERE name = 'outbox' RETURNING value";
