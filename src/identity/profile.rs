//! What people change about their own account. Each guarded change is one transaction with its outbox row.

use std::time::Duration;

use secrecy::SecretString;

use super::{
    Authenticated, Identity, ProfileEdit, Refusal,
    account::{Account, AccountId, Factor},
    fields::{self, Faults},
    ledger::Carry,
    letters::Outlived,
    names::Username,
    outbox::RowId,
    register::NAME_TAKEN,
    trail::{self, Event},
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
        let entry = self.entry(Event::FactorAdded, id, now).with(trail::kind(&factor.kind));
        self.guarded_as(tx, entry, Carry::Keep(keep)).await
    }

    /// Turns a factor off: other sessions than `keep` (a `sid`) end. Answers the account as it stands then.
    ///
    /// # Errors
    /// [`Refusal::Stale`] when a guarded change came since `generation`; [`Refusal::Store`].
    pub(super) async fn remove_factor(
        &self,
        id: &AccountId,
        generation: i64,
        factor: &str,
        keep: Option<&str>,
        now: UnixMillis,
    ) -> Result<(Account, RowId), Refusal> {
        let ledger = &self.inner.ledger;
        let mut tx = ledger.db().write().await?;
        let account = self.current_in(&mut tx, id, generation).await?;
        ledger.remove_factor(&mut tx, id, factor).await?;
        let kind = account.factors.iter().find(|own| own.id == factor).map(|own| trail::kind(&own.kind));
        let entry = self.entry(Event::FactorRemoved, id, now).with(kind.unwrap_or_default());
        self.guarded_as(tx, entry, Carry::Keep(keep)).await
    }

    /// Ends every session but `keep` (a `sid`), and every sign-in under way.
    ///
    /// # Errors
    /// [`Refusal::Stale`] when the account is gone; [`Refusal::Store`].
    pub async fn end_other_sessions(&self, id: &AccountId, keep: &str, now: UnixMillis) -> Result<RowId, Refusal> {
        let tx = self.inner.ledger.db().write().await?;
        Ok(self.guarded_as(tx, self.entry(Event::OthersEnded, id, now), Carry::Keep(Some(keep))).await?.1)
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

impl Identity {
    /// Writes `last_seen_at`, at most once a minute.
    ///
    /// # Errors
    /// [`Refusal::Store`]
    pub async fn seen(&self, id: &AccountId, now: UnixMillis) -> Result<(), Refusal> {
        let seen = &self.inner.seen;
        if seen.get(id).is_some_and(|last| now.since(last) < SEEN_EVERY && last <= now) {
            return Ok(());
        }
        // Before the write: others who come meanwhile need not write as well.
        seen.insert(id.clone(), now);
        let written = self.write_seen(id, now).await;
        if written.is_err() {
            seen.remove(id);
        }
        written
    }

    async fn write_seen(&self, id: &AccountId, now: UnixMillis) -> Result<(), Refusal> {
        let ledger = &self.inner.ledger;
        let mut tx = ledger.db().write().await?;
        ledger.set_seen(&mut tx, id, now).await?;
        Ok(tx.commit().await?)
    }

    /// Changes names and about me. Returns the outbox row that carries it to the sessions.
    ///
    /// # Errors
    /// [`Refusal::Fields`], [`Refusal::Stale`] when the account is gone or disabled, [`Refusal::Store`].
    pub async fn edit_profile(&self, id: &AccountId, edit: ProfileEdit, now: UnixMillis) -> Result<RowId, Refusal> {
        let ledger = &self.inner.ledger;
        let mut tx = ledger.db().write().await?;
        let account = ledger.load(&mut tx, id).await?.filter(|account| !account.disabled).ok_or(Refusal::Stale)?;
        let mut faults = Faults::default();
        let first_name = faults.keep("first_name", fields::name(&edit.first_name, "first name"));
        let last_name = faults.keep("last_name", new_last_name(&account, &edit.last_name));
        let about_me = faults.keep("about_me", fields::about_me(&edit.about_me));
        let username = self.new_username(&mut tx, &account, &edit.username, &mut faults, now).await?;
        faults.verdict()?;
        let account = Account {
            first_name: first_name.unwrap_or_default(),
            last_name: last_name.unwrap_or_default(),
            about_me: about_me.unwrap_or_default(),
            username,
            ..account
        };
        ledger.rewrite(&mut tx, &account).await?;
        Ok(self.guarded_as(tx, self.entry(Event::ProfileChanged, id, now), Carry::Rewrite).await?.1)
    }

    /// The username after an edit. The old one stays the account's own: upstreams may still know it.
    async fn new_username(
        &self,
        tx: &mut Tx,
        account: &Account,
        typed: &str,
        faults: &mut Faults,
        now: UnixMillis,
    ) -> Result<String, Refusal> {
        let current = account.username.clone();
        if typed.trim() == current {
            return Ok(current);
        }
        let Some(username) = faults.keep("username", Username::parse(typed)) else { return Ok(current) };
        if username.as_str() == current {
            return Ok(current);
        }
        if !account.chose_username {
            faults.fault("username", "Your username was given to you: ask the administrator to change it.");
        } else if self.inner.ledger.name_taken(tx, username.as_str(), Some(&account.id), None, now).await? {
            faults.fault("username", NAME_TAKEN);
        } else if self.inner.ledger.names_beside(tx, &account.id, username.as_str()).await? >= MOST_NAMES {
            // Each name stays theirs for ever: nobody shall collect them.
            faults.fault("username", "You have changed your username too often. Choose one that you had before.");
        }
        Ok(username.as_str().to_owned())
    }

    /// Changes the password (the current one was checked: `proof`), ends all other sessions than `keep` (a `sid`), mails
    /// the owner. Answers the proof as it stands after the change, for `session.rotate`.
    ///
    /// # Errors
    /// [`Refusal::Fields`], [`Refusal::Stale`] when a guarded change came since the proof, [`Refusal::Busy`],
    /// [`Refusal::Store`].
    pub async fn change_password(
        &self,
        proof: Authenticated,
        password: SecretString,
        confirm: SecretString,
        keep: Option<&str>,
        now: UnixMillis,
    ) -> Result<(Authenticated, RowId), Refusal> {
        let (owner, shown) = proof.into_parts();
        let hash = self.new_hash(&owner, &password, &confirm).await?;
        let ledger = &self.inner.ledger;
        let mut tx = ledger.db().write().await?;
        self.current_in(&mut tx, &owner.id, owner.generation).await?;
        ledger.set_password(&mut tx, &owner.id, &hash).await?;
        let tokens = ledger.tokens(&mut tx, &owner.id, now).await?.len();
        let entry = self.entry(Event::PasswordChanged, &owner.id, now);
        let (owner, row) = self.guarded_as(tx, entry, Carry::Keep(keep)).await?;
        self.tell_password_changed(&owner, Outlived::Working(tokens), now);
        Ok((Authenticated::new(owner, shown), row))
    }
}

/// Whom the operator added with one name may keep it so; a family name is not taken away again.
fn new_last_name(account: &Account, typed: &str) -> Result<String, String> {
    let one_name = account.last_name.is_empty() && typed.trim().is_empty();
    if one_name { Ok(String::new()) } else { fields::name(typed, "last name") }
}

/// Names one account may come to own.
const MOST_NAMES: i64 = 10;
const SEEN_EVERY: Duration = Duration::from_mins(1);
