//! Guarded changes on their way to the sessions: written in the change's own SQL transaction, drained by servers.

use super::{
    Identity, Refusal,
    account::{Account, AccountId},
};
use crate::storage::StoreError;

/// The row's number; grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId(pub i64);

/// One change to carry to an account's sessions. Applying it twice does no harm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its number.
    pub id: RowId,
    /// Whose sessions.
    pub account: AccountId,
    /// The account's generation after the change: sign-ins proved before it start no session any more.
    /// `i64::MAX` once the account is deleted.
    pub generation: i64,
    /// What to do with them.
    pub effect: Effect,
}

/// What a change means for an account's sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// End them all, access tokens too (disable, delete, reset).
    End,
    /// End all sessions but this one (`sid`), which is rewritten (password change, factor change in the portal). Access tokens stay.
    EndOthers(String),
    /// End what one access token, by its public name, is known by (revoked).
    EndToken(String),
    /// Keep them, with names, e-mail and groups as they are now (boxed: the account as it stands).
    Rewrite(Box<Account>),
}

impl Identity {
    /// The oldest outbox rows not yet applied.
    ///
    /// # Errors
    /// [`Refusal::Store`]
    pub async fn changes(&self, limit: u32) -> Result<Vec<Row>, Refusal> {
        let ledger = &self.inner.ledger;
        let mut tx = ledger.db().read().await?;
        let mut rows = Vec::new();
        for (id, account, generation, effect, sid) in ledger.posted(&mut tx, limit).await? {
            let account = AccountId(account.into());
            let effect = match (effect.as_str(), sid) {
                ("end-others", Some(sid)) => Effect::EndOthers(sid),
                ("end-token", Some(token)) => Effect::EndToken(token),
                // As it stands when drained: a later change must not be undone by an earlier row.
                ("rewrite", _) => match ledger.load(&mut tx, &account).await {
                    Ok(Some(account)) if !account.disabled => Effect::Rewrite(Box::new(account)),
                    // One account that cannot be read (a factor of a newer version) must not keep the others waiting.
                    Ok(_) | Err(StoreError::Row(_)) => Effect::End,
                    Err(error) => return Err(error.into()),
                },
                // An effect of a newer version, too: ending sessions is always safe.
                _ => Effect::End,
            };
            rows.push(Row { id: RowId(id), account, generation, effect });
        }
        Ok(rows)
    }

    /// Removes an applied row. Doing it twice does no harm.
    ///
    /// # Errors
    /// [`Refusal::Store`]
    pub async fn applied(&self, row: RowId) -> Result<(), Refusal> {
        let ledger = &self.inner.ledger;
        let mut tx = ledger.db().write().await?;
        ledger.unpost(&mut tx, row).await?;
        Ok(tx.commit().await?)
    }
}
