//! What administrators do to other people's accounts, by the portal.
//!
//! [`Administration`] is for whoever was found to be one; every change looks again, in its own transaction.

use std::sync::Arc;

use super::{
    Identity, Refusal,
    account::{Account, AccountId},
    ledger::Sought,
    outbox::RowId,
    people::{By, listed},
};
use crate::world::UnixMillis;

/// Somebody who may administrate, and the accounts.
#[derive(Debug)]
pub struct Administration {
    pub(super) identity: Identity,
    pub(super) id: AccountId,
    sid: Arc<str>,
    generation: i64,
}

impl Identity {
    /// For an account that may administrate, by its session `sid`; `None` for everybody else.
    #[must_use]
    pub fn administration(&self, account: &Account, sid: &str) -> Option<Administration> {
        self.administrates(account).then(|| Administration {
            identity: self.clone(),
            id: account.id.clone(),
            sid: sid.into(),
            generation: account.generation,
        })
    }
}

impl Administration {
    pub(super) fn by(&self) -> By {
        By::Administrator { id: self.id.clone(), sid: Arc::clone(&self.sid), generation: self.generation }
    }

    /// Whether no change waits for the sessions that will end this one. Whoever asks the session store next and is told that
    /// the session lives missed nothing: what comes later, the account's generation tells.
    ///
    /// # Errors
    /// [`Refusal::Stale`] when there is one; [`Refusal::Store`].
    pub async fn still_acts(&self) -> Result<(), Refusal> {
        let ledger = &self.identity.inner.ledger;
        let ends = ledger.ends(&mut ledger.db().read().await?, &self.id, &self.sid).await?;
        if ends { Err(Refusal::Stale) } else { Ok(()) }
    }

    /// Whose hand it is.
    #[must_use]
    pub fn id(&self) -> &AccountId {
        &self.id
    }

    /// Accounts whose username, address or name begins with `text`, in the order of their usernames: the page after a
    /// username (`""` for the first). With `waiting` only those that wait for an approval. An address is confirmed here only
    /// where somebody proved to read it: an administrator may let in by it.
    ///
    /// # Errors
    /// [`Refusal::Store`]
    pub async fn people(&self, text: &str, waiting: bool, after: &str, limit: u32) -> Result<Vec<Account>, Refusal> {
        let ledger = &self.identity.inner.ledger;
        let mut tx = ledger.db().read().await?;
        Ok(ledger.page(&mut tx, &Sought { text, waiting, proved: true }, after, i64::from(limit)).await?)
    }

    /// How many accounts wait for an approval.
    ///
    /// # Errors
    /// [`Refusal::Store`]
    pub async fn waiting(&self) -> Result<u64, Refusal> {
        let ledger = &self.identity.inner.ledger;
        Ok(ledger.count_waiting(&mut ledger.db().read().await?).await?.unsigned_abs())
    }

    /// Ends the person's sessions; they cannot sign in until enabled again. Their invitations are revoked.
    ///
    /// # Errors
    /// [`Refusal::LastAdministrator`]; [`Refusal::Stale`] when there is no such account, or its asker is no administrator
    /// any more; [`Refusal::Store`].
    pub async fn disable(&self, id: &AccountId, now: UnixMillis) -> Result<RowId, Refusal> {
        self.identity.disable_by(&self.by(), id, now).await
    }

    /// Lets a disabled person sign in again; approves who waits for that, and mails them.
    ///
    /// # Errors
    /// [`Refusal::Stale`] as with [`Administration::disable`]; [`Refusal::Store`].
    pub async fn enable(&self, id: &AccountId, now: UnixMillis) -> Result<RowId, Refusal> {
        self.identity.enable_by(&self.by(), id, now).await
    }

    /// Replaces the person's groups by those typed, comma separated.
    ///
    /// # Errors
    /// [`Refusal::Fields`] (`groups`); [`Refusal::LastAdministrator`]; [`Refusal::Stale`] as with
    /// [`Administration::disable`]; [`Refusal::Store`].
    pub async fn set_groups(&self, id: &AccountId, typed: &str, now: UnixMillis) -> Result<RowId, Refusal> {
        self.identity.set_groups_by(&self.by(), id, &listed(typed, MOST_GROUPS)?, now).await
    }

    /// Ends the registration of somebody who waits for an approval, and mails them. The username is free again.
    ///
    /// # Errors
    /// [`Refusal::Stale`] as with [`Administration::disable`], and when they do not wait (any more); [`Refusal::Store`].
    pub async fn decline(&self, id: &AccountId, now: UnixMillis) -> Result<RowId, Refusal> {
        let ledger = &self.identity.inner.ledger;
        let mut tx = ledger.db().write().await?;
        self.identity.still_may(&mut tx, &self.by()).await?;
        let owner = ledger.load(&mut tx, id).await?.filter(|owner| owner.waiting_since.is_some());
        self.identity.declined(tx, &self.by(), &owner.ok_or(Refusal::Stale)?, now).await
    }
}

/// Groups that one person is put in by the portal.
const MOST_GROUPS: usize = 100;
