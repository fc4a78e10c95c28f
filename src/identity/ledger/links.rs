//! One-time links: only the SHA-256 of what a link holds is kept, and one is alive for each purpose and holder.

use super::Ledger;
use crate::{
    storage::{StoreError, Tx, on, run},
    world::UnixMillis,
};

/// What a link is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::identity) enum Purpose {
    /// A new password; held by an account.
    Reset,
    /// The address is its owner's; held by an account.
    Confirm,
    /// The first administrator; held by nobody.
    Setup,
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::Confirm => "confirm",
            Self::Setup => "setup",
        }
    }
}

impl Ledger {
    /// Writes a link; an older one of the same purpose and holder dies.
    pub(in crate::identity) async fn put_link(
        &self,
        tx: &mut Tx,
        purpose: Purpose,
        holder: &str,
        token: &[u8],
        now: UnixMillis,
        expires: UnixMillis,
    ) -> Result<(), StoreError> {
        self.drop_links(tx, purpose, holder).await?;
        run!(
            tx,
            sqlx::query(
                "INSERT INTO links (token, purpose, holder, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)"
            )
            .bind(token)
            .bind(purpose.name())
            .bind(holder)
            .bind(now.0)
            .bind(expires.0)
        )?;
        // Dead ones leave here, so that the table stays small without a task of its own.
        run!(tx, sqlx::query("DELETE FROM links WHERE expires_at <= $1").bind(now.0))?;
        Ok(())
    }

    pub(in crate::identity) async fn drop_links(
        &self,
        tx: &mut Tx,
        purpose: Purpose,
        holder: &str,
    ) -> Result<(), StoreError> {
        run!(
            tx,
            sqlx::query("DELETE FROM links WHERE purpose = $1 AND holder = $2").bind(purpose.name()).bind(holder)
        )?;
        Ok(())
    }

    /// Whose a living link is; leaves it alive.
    pub(in crate::identity) async fn link_holder(
        &self,
        tx: &mut Tx,
        purpose: Purpose,
        token: &[u8],
        now: UnixMillis,
    ) -> Result<Option<String>, StoreError> {
        on!(tx, link => sqlx::query_scalar(
                "SELECT holder FROM links WHERE token = $1 AND purpose = $2 AND expires_at > $3")
            .bind(token).bind(purpose.name()).bind(now.0).fetch_optional(link))
    }

    /// Takes a living link: exactly one caller ever gets its holder.
    pub(in crate::identity) async fn take_link(
        &self,
        tx: &mut Tx,
        purpose: Purpose,
        token: &[u8],
        now: UnixMillis,
    ) -> Result<Option<String>, StoreError> {
        on!(tx, link => sqlx::query_scalar(
                "DELETE FROM links WHERE token = $1 AND purpose = $2 AND expires_at > $3 RETURNING holder")
            .bind(token).bind(purpose.name()).bind(now.0).fetch_optional(link))
    }
}
