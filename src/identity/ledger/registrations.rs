//! Registrations that wait for their mail to be answered.
//!
//! Several may wait for one address: each link creates what its own mail was about, and the first one answered ends the
//! others. So nobody can replace what another person typed.

use super::Ledger;
use crate::{
    identity::names::Identifier,
    storage::{StoreError, Tx, on, run},
    world::UnixMillis,
};

/// What the person typed, judged and hashed.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(in crate::identity) struct Registration {
    pub(in crate::identity) username: String,
    pub(in crate::identity) email: String,
    pub(in crate::identity) email_key: String,
    pub(in crate::identity) first_name: String,
    pub(in crate::identity) last_name: String,
    pub(in crate::identity) password_hash: String,
    /// The invitation it came with.
    pub(in crate::identity) invitation: Option<String>,
}

impl Ledger {
    pub(in crate::identity) async fn put_registration(
        &self,
        tx: &mut Tx,
        registration: &Registration,
        token: &[u8],
        now: UnixMillis,
        expires: UnixMillis,
    ) -> Result<(), StoreError> {
        run!(
            tx,
            sqlx::query(INSERT)
                .bind(token)
                .bind(&registration.username)
                .bind(&registration.email)
                .bind(&registration.email_key)
                .bind(&registration.first_name)
                .bind(&registration.last_name)
                .bind(&registration.password_hash)
                .bind(now.0)
                .bind(expires.0)
                .bind(&registration.invitation)
        )?;
        // Dead ones leave here, so that the tables stay small without a task of their own.
        run!(tx, sqlx::query("DELETE FROM registrations WHERE expires_at <= $1").bind(now.0))?;
        run!(tx, sqlx::query("DELETE FROM usernames WHERE account IS NULL AND held_until <= $1").bind(now.0))?;
        Ok(())
    }

    pub(in crate::identity) async fn registration(
        &self,
        tx: &mut Tx,
        token: &[u8],
        now: UnixMillis,
    ) -> Result<Option<Registration>, StoreError> {
        on!(tx, link => sqlx::query_as::<_, Registration>(BY_TOKEN).bind(token).bind(now.0).fetch_optional(link))
    }

    /// The newest living one under this name or address: for "confirm your e-mail first".
    pub(in crate::identity) async fn waiting(
        &self,
        tx: &mut Tx,
        by: Identifier<'_>,
        now: UnixMillis,
    ) -> Result<Option<String>, StoreError> {
        let (sql, value) = match by {
            Identifier::Email(key) => (WAITING_BY_EMAIL, key),
            Identifier::Username(name) => (WAITING_BY_USERNAME, name),
        };
        on!(tx, link => sqlx::query_scalar(sql).bind(value).bind(now.0).fetch_optional(link))
    }

    /// Ends every registration for an address or a name: it has an owner now.
    pub(in crate::identity) async fn drop_registrations(
        &self,
        tx: &mut Tx,
        email_key: &str,
        username: &str,
    ) -> Result<(), StoreError> {
        run!(
            tx,
            sqlx::query("DELETE FROM registrations WHERE email_key = $1 OR username = $2")
                .bind(email_key)
                .bind(username)
        )?;
        Ok(())
    }
}

const INSERT: &str = "INSERT INTO registrations (token, username, email, email_key, first_name, last_name,
    password_hash, created_at, expires_at, invitation) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
const BY_TOKEN: &str =
    "SELECT username, email, email_key, first_name, last_name, password_hash, invitation FROM registrations
    WHERE token = $1 AND expires_at > $2";
const WAITING_BY_EMAIL: &str = "SELECT password_hash FROM registrations WHERE email_key = $1 AND expires_at > $2
    ORDER BY created_at DESC LIMIT 1";
const WAITING_BY_USERNAME: &str = "SELECT password_hash FROM registrations WHERE username = $1 AND expires_at > $2
    ORDER BY created_at DESC LIMIT 1";
