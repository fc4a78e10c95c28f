//! What people change about their own account. Each guarded change is one transaction with its outbox row.

use secrecy::SecretString;

use super::{
    Authenticated, Identity, ProfileEdit, Refusal,
    account::{Account, AccountId, Factor},
    ledger::Carry,
    outbox::RowId,
};
use crate::{storage::Tx, world::UnixMillis};

impl Identity {
    /// The account as it stands now.
    ///
    /// # Errors
    /// [`Refusal::Store`]
    pub async fn account(&self, id: &AccountId) -> Result<Option<Account>, Refusal> {
        let ledger = &self.inner.ledger;
        Ok(ledger.load(&mut ledger.db().read().await?, id).await?)
    }

    /// The account, if no guarded change came since `generation` and it is not disabled.
    ///
    /// # Errors
    /// [`Refusal::Stale`] when one did; [`Refusal::Store`].
    pub async fn current(&self, id: &AccountId, generation: i64) -> Result<Account, Refusal> {
        self.current_in(&mut self.inner.ledger.db().read().await?, id, generation).await
    }

    /// The same inside a transaction: there it stays true until the commit.
    pub(super) async fn current_in(&self, tx: &mut Tx, id: &AccountId, generation: i64) -> Result<Account, Refusal> {
        let account = self.inner.ledger.load(tx, id).await?.ok_or(Refusal::Stale)?;
        if account.disabled || account.generation != generation { Err(Refusal::Stale) } else { Ok(account) }
    }

    /// Turns a factor on: other sessions than `keep` (a `sid`) end. Answers the account as it stands then.
    ///
    /// # Errors
    /// [`Refusal::Stale`] when a guarded change came since `generation`; [`Refusal::Store`].
    pub(super) async fn add_factor(
        &self,
        id: &AccountId,
        generation: i64,
        factor: &Factor,
        keep: Option<&str>,
        now: UnixMillis,
    ) -> Result<(Account, RowId), Refusal> {
        let ledger = &self.inner.ledger;
        let mut tx = ledger.db().write().await?;
        self.current_in(&mut tx, id, generation).await?;
        ledger.add_factor(&mut tx, id, factor).await?;
        self.guarded(tx, id, Carry::Keep(keep), now).await
    }

    /// Turns every factor off: other sessions than `keep` (a `sid`) end. Answers the account as it stands then.
    ///
    /// # Errors
    /// [`Refusal::Stale`] when a guarded change came since `generation`; [`Refusal::Store`].
    pub(super) async fn remove_factors(
        &self,
        id: &AccountId,
        generation: i64,
        keep: Option<&str>,
        now: UnixMillis,
    ) -> Result<(Account, RowId), Refusal> {
        let ledger = &self.inner.ledger;
        let mut tx = ledger.db().write().await?;
        self.current_in(&mut tx, id, generation).await?;
        ledger.remove_factors(&mut tx, id).await?;
        self.guarded(tx, id, Carry::Keep(keep), now).await
    }

    /// The end of every guarded change: generation, outbox row, commit.
    pub(super) async fn guarded(
        &self,
        mut tx: Tx,
        id: &AccountId,
        carry: Carry<'_>,
        now: UnixMillis,
    ) -> Result<(Account, RowId), Refusal> {
        let ledger = &self.inner.ledger;
        let row = ledger.post(&mut tx, id, carry, now).await?;
        let account = ledger.load(&mut tx, id).await?.ok_or(Refusal::Stale)?;
        tx.commit().await?;
        Ok((account, row))
    }
}

#[expect(clippy::todo, clippy::unused_async, unused_variables, reason = "being laid")]
impl Identity {
    /// Writes `last_seen_at`, at most once a minute.
    pub async fn seen(&self, id: &AccountId, now: UnixMillis) -> Result<(), Refusal> {
        todo!()
    }
    /// Changes names and about me. Returns the outbox row that carries it to the sessions.
    pub async fn edit_profile(&self, id: &AccountId, edit: ProfileEdit, now: UnixMillis) -> Result<RowId, Refusal> {
        todo!()
    }
    /// Changes the password (the current one was checked: `proof`), ends all other sessions than `keep` (a `sid`), mails
    /// the owner.
    pub async fn change_password(
        &self,
        proof: &Authenticated,
        password: SecretString,
        confirm: SecretString,
        keep: Option<&str>,
        now: UnixMillis,
    ) -> Result<RowId, Refusal> {
        todo!()
    }
}
