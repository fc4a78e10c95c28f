//! People delete their own account. Nobody else ever gets its username; its trail stays, by its id only.

use templates::mail as words;

use super::{
    Authenticated, Identity, Refusal,
    account::Account,
    ledger::Carry,
    outbox::RowId,
    trail::{Entry, Event},
};
use crate::{storage::Tx, world::UnixMillis};

impl Identity {
    /// Deletes the account of whoever proved to be its owner, ends its sessions, and mails them.
    ///
    /// # Errors
    /// [`Refusal::LastAdministrator`], [`Refusal::Stale`] when a guarded change came since the proof, [`Refusal::Store`].
    pub async fn leave(&self, proof: Authenticated, now: UnixMillis) -> Result<RowId, Refusal> {
        let (owner, _) = proof.into_parts();
        let mut tx = self.inner.ledger.db().write().await?;
        let owner = self.current_in(&mut tx, &owner.id, owner.generation).await?;
        let row = self.deleted(tx, self.entry(Event::Deleted, &owner.id, now)).await?;
        for factor in &owner.factors {
            self.forget_push(&owner.id, &factor.kind);
        }
        self.tell_deleted(&owner, now);
        Ok(row)
    }

    /// The end of every deletion: the last administrator stays; outbox row, entry, commit.
    pub(super) async fn deleted(&self, mut tx: Tx, entry: Entry) -> Result<RowId, Refusal> {
        let ledger = &self.inner.ledger;
        self.spare_last_administrator(&mut tx, &entry.account).await?;
        ledger.delete(&mut tx, &entry.account).await?;
        let row = ledger.post(&mut tx, &entry.account, Carry::End, entry.at).await?;
        self.recorded(tx, entry).await?;
        Ok(row)
    }

    fn tell_deleted(&self, owner: &Account, now: UnixMillis) {
        let settings = &self.inner.settings;
        let body = words::AccountDeleted {
            site_name: &settings.portal.name,
            first_name: owner.greeted(),
            username: &owner.username,
            at: now.0,
            login: &settings.link("login"),
        };
        self.tell(owner, body.body());
    }
}
