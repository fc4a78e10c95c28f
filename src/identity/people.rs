//! What the operator does to people's accounts, from the command line, beside a running server.
//!
//! Every change writes its outbox row, so servers act on it within a second. The last administrator stays.

use std::sync::Arc;

use secrecy::SecretString;

use super::{
    Identity, NewAccount, Refusal,
    account::{Account, AccountId},
    fields::{self, Faults},
    ledger::{Carry, Registration, Sought},
    letters::{Ended, Outlived},
    names::{Email, Identifier, Username, canonical_identifier},
    outbox::RowId,
    register::{NAME_TAKEN, blank},
    trail::{Actor, Entry, Event},
};
use crate::{storage::Tx, world::UnixMillis};

/// Somebody the operator adds (`vestibule user add`).
#[derive(Clone, Debug)]
pub struct Addition {
    /// 1–64 code points.
    pub first_name: String,
    /// 0–64 code points: some have one name only.
    pub last_name: String,
    /// `[a-z0-9._-]{2,32}` after folding case.
    pub username: String,
    /// An address; the operator vouches for it.
    pub email: String,
    /// Judged like everybody's.
    pub password: SecretString,
    /// Beside the administrators' group.
    pub groups: Vec<String>,
    /// Member of `accounts.admin_group`.
    pub admin: bool,
}

/// Who changes somebody else's account.
#[derive(Clone, Debug)]
pub(super) enum By {
    /// The command line.
    Operator,
    /// An administrator, by the portal.
    Administrator {
        /// Whose hand it is.
        id: AccountId,
        /// By which session.
        sid: Arc<str>,
        /// The account's generation when they were found to be one.
        generation: i64,
    },
}

impl Identity {
    /// Adds a person; works with registration closed. Their username was given to them: they cannot change it.
    ///
    /// # Errors
    /// [`Refusal::Fields`], [`Refusal::Store`].
    pub async fn add(&self, addition: Addition, now: UnixMillis) -> Result<Account, Refusal> {
        let mut groups = addition.groups;
        if addition.admin {
            groups.push(self.inner.settings.accounts.admin_group.clone());
        }
        let groups = judge_groups(&groups)?;
        let one_name = addition.last_name.trim().is_empty();
        let typed = NewAccount {
            // Forms ask for both names; judged with the first in its place, it stays empty.
            last_name: if one_name { addition.first_name.clone() } else { addition.last_name },
            first_name: addition.first_name,
            username: addition.username,
            email: addition.email,
            password: addition.password.clone(),
            password_confirm: addition.password,
        };
        let place = self.inner.hasher.enter()?;
        let mut person = self.judge_person(&place, typed, async |_, _, _| Ok(())).await?;
        if one_name {
            person.last_name.clear();
        }
        let hash = place.hash(&person.password, &self.inner.entropy).await?;
        let ledger = &self.inner.ledger;
        let mut tx = ledger.db().write().await?;
        let mut faults = Faults::default();
        self.judge_free(&mut tx, &person.username, &person.email, &mut faults, now).await?;
        faults.verdict()?;
        let account = Account {
            email_confirmed: true,
            chose_username: false,
            groups,
            ..blank(self.fresh_id(now)?, &Registration::of(&person, String::new()), now)
        };
        ledger.insert(&mut tx, &account, person.email.key(), &hash).await?;
        ledger.drop_registrations(&mut tx, person.email.key(), person.username.as_str()).await?;
        self.recorded(tx, self.by_operator(Event::Added, &account.id, now)).await?;
        Ok(account)
    }

    /// Accounts in the order of their usernames: the page after a username (`""` for the first).
    ///
    /// # Errors
    /// [`Refusal::Store`]
    pub async fn list(&self, after: &str, limit: u32) -> Result<Vec<Account>, Refusal> {
        let ledger = &self.inner.ledger;
        Ok(ledger.page(&mut ledger.db().read().await?, &Sought::default(), after, i64::from(limit)).await?)
    }

    /// The account with this username or e-mail address, in any spelling.
    ///
    /// # Errors
    /// [`Refusal::Store`]
    pub async fn find(&self, name_or_email: &str) -> Result<Option<Account>, Refusal> {
        let canonical = canonical_identifier(name_or_email);
        let ledger = &self.inner.ledger;
        let mut tx = ledger.db().read().await?;
        match ledger.find(&mut tx, Identifier::of(&canonical)).await? {
            Some(found) => Ok(ledger.load(&mut tx, &AccountId(found.id.into())).await?),
            None => Ok(None),
        }
    }

    /// Ends the person's sessions; they cannot sign in, and their access tokens rest, until enabled again. Their invitations are
    /// revoked.
    ///
    /// # Errors
    /// [`Refusal::LastAdministrator`], [`Refusal::Stale`] when there is no such account, [`Refusal::Store`].
    pub async fn disable(&self, id: &AccountId, now: UnixMillis) -> Result<RowId, Refusal> {
        self.disable_by(&By::Operator, id, now).await
    }

    pub(super) async fn disable_by(&self, by: &By, id: &AccountId, now: UnixMillis) -> Result<RowId, Refusal> {
        let mut tx = self.inner.ledger.db().write().await?;
        self.still_may(&mut tx, by).await?;
        self.spare_last_administrator(&mut tx, id).await?;
        self.inner.ledger.set_disabled(&mut tx, id, true).await?;
        self.inner.ledger.drop_invitations_of(&mut tx, id).await?;
        Ok(self.guarded_as(tx, self.done_by(by, Event::Disabled, id, now), Carry::End).await?.1)
    }

    /// Lets a disabled person sign in again; approves who waits for that, and mails them.
    ///
    /// # Errors
    /// [`Refusal::Stale`] when there is no such account, [`Refusal::Store`].
    pub async fn enable(&self, id: &AccountId, now: UnixMillis) -> Result<RowId, Refusal> {
        self.enable_by(&By::Operator, id, now).await
    }

    pub(super) async fn enable_by(&self, by: &By, id: &AccountId, now: UnixMillis) -> Result<RowId, Refusal> {
        let ledger = &self.inner.ledger;
        let mut tx = ledger.db().write().await?;
        self.still_may(&mut tx, by).await?;
        let waited = ledger.load(&mut tx, id).await?.ok_or(Refusal::Stale)?.waiting_since.is_some();
        ledger.set_disabled(&mut tx, id, false).await?;
        let event = if waited { Event::Approved } else { Event::Enabled };
        let (owner, row) = self.guarded_as(tx, self.done_by(by, event, id, now), Carry::Rewrite).await?;
        if waited {
            self.tell_approved(&owner);
        }
        Ok(row)
    }

    /// Deletes an account and ends its sessions. Nobody else ever gets its username. Who waited for an approval is mailed
    /// that there is none; that username is free again, for no site ever saw it.
    ///
    /// # Errors
    /// [`Refusal::LastAdministrator`], [`Refusal::Stale`] when there is no such account, [`Refusal::Store`].
    pub async fn delete(&self, id: &AccountId, now: UnixMillis) -> Result<RowId, Refusal> {
        let ledger = &self.inner.ledger;
        let mut tx = ledger.db().write().await?;
        let owner = ledger.load(&mut tx, id).await?.ok_or(Refusal::Stale)?;
        if owner.waiting_since.is_some() {
            return self.declined(tx, &By::Operator, &owner, now).await;
        }
        let row = self.deleted(tx, self.by_operator(Event::Deleted, id, now)).await?;
        for factor in &owner.factors {
            self.forget_push(id, &factor.kind);
        }
        Ok(row)
    }

    /// Sets a password, ends the person's sessions, access tokens and unused invitations, mails them.
    ///
    /// # Errors
    /// [`Refusal::Fields`], [`Refusal::Stale`] when there is no such account, [`Refusal::Store`].
    pub async fn set_password(
        &self,
        id: &AccountId,
        password: &SecretString,
        now: UnixMillis,
    ) -> Result<RowId, Refusal> {
        let owner = self.account(id).await?.ok_or(Refusal::Stale)?;
        let hash = self.new_hash(&owner, password, password).await?;
        let mut tx = self.inner.ledger.db().write().await?;
        self.inner.ledger.set_password(&mut tx, id, &hash).await?;
        let (owner, row, ended) = self.recovered(tx, self.by_operator(Event::PasswordSet, id, now)).await?;
        self.tell_password_changed(&owner, Outlived::Ended(ended), now);
        Ok(row)
    }

    /// Turns every second factor off, ends the person's sessions, access tokens and unused invitations, mails them what is gone.
    ///
    /// # Errors
    /// [`Refusal::Stale`] when there is no such account, [`Refusal::Store`].
    pub async fn reset_factors(&self, id: &AccountId, now: UnixMillis) -> Result<RowId, Refusal> {
        let mut tx = self.inner.ledger.db().write().await?;
        let before = self.inner.ledger.load(&mut tx, id).await?.ok_or(Refusal::Stale)?;
        self.inner.ledger.remove_factors(&mut tx, id).await?;
        let (owner, row, ended) = self.recovered(tx, self.by_operator(Event::FactorsReset, id, now)).await?;
        for factor in &before.factors {
            self.forget_push(id, &factor.kind);
        }
        if !before.factors.is_empty() {
            self.tell_factor_off(&owner, ended, now);
        } else if ended != Ended::default() {
            self.tell_ended(&owner, ended, now);
        }
        Ok(row)
    }

    /// Replaces the person's groups. Who is no administrator any more has no invitations either.
    ///
    /// # Errors
    /// [`Refusal::LastAdministrator`], [`Refusal::Fields`], [`Refusal::Stale`] when there is no such account,
    /// [`Refusal::Store`].
    pub async fn set_groups(&self, id: &AccountId, groups: &[String], now: UnixMillis) -> Result<RowId, Refusal> {
        self.set_groups_by(&By::Operator, id, groups, now).await
    }

    pub(super) async fn set_groups_by(
        &self,
        by: &By,
        id: &AccountId,
        groups: &[String],
        now: UnixMillis,
    ) -> Result<RowId, Refusal> {
        let groups = judge_groups(groups)?;
        let ledger = &self.inner.ledger;
        let mut tx = ledger.db().write().await?;
        self.still_may(&mut tx, by).await?;
        if groups.contains(&self.inner.settings.accounts.admin_group) {
            ledger.load(&mut tx, id).await?.ok_or(Refusal::Stale)?;
        } else {
            self.spare_last_administrator(&mut tx, id).await?;
            ledger.drop_invitations_of(&mut tx, id).await?;
        }
        ledger.set_groups(&mut tx, id, &groups).await?;
        let entry = self.done_by(by, Event::GroupsSet, id, now).with(named(&groups));
        Ok(self.guarded_as(tx, entry, Carry::Rewrite).await?.1)
    }

    pub(super) fn by_operator(&self, event: Event, id: &AccountId, now: UnixMillis) -> Entry {
        self.entry(event, id, now).by(Actor::Operator)
    }

    pub(super) fn done_by(&self, by: &By, event: Event, id: &AccountId, now: UnixMillis) -> Entry {
        match by {
            By::Operator => self.by_operator(event, id, now),
            By::Administrator { id: doer, .. } => {
                self.entry(event, id, now).by(Actor::Administrator).owed_to(doer.clone())
            }
        }
    }

    /// Refuses when an administrator is none any more, or is being signed out: whoever is thrown out must not leave a way
    /// back in. Looked at in the change's own transaction: two who disable each other cannot both succeed.
    pub(super) async fn still_may(&self, tx: &mut Tx, by: &By) -> Result<(), Refusal> {
        let By::Administrator { id, sid, generation } = by else { return Ok(()) };
        let ledger = &self.inner.ledger;
        let account = ledger.load(tx, id).await?.filter(|account| account.generation == *generation);
        let may = account.is_some_and(|account| self.administrates(&account));
        // A change that came since may have been applied to the sessions already: then the generation says so.
        if may && !ledger.ends(tx, id, sid).await? { Ok(()) } else { Err(Refusal::Stale) }
    }

    /// Whether that account may administrate.
    #[must_use]
    pub fn administrates(&self, account: &Account) -> bool {
        !account.disabled && account.groups.contains(&self.inner.settings.accounts.admin_group)
    }

    /// Refuses when this account is the only one left that can administrate. Two such changes at once cannot both pass:
    /// writers take turns.
    pub(super) async fn spare_last_administrator(&self, tx: &mut Tx, id: &AccountId) -> Result<(), Refusal> {
        let ledger = &self.inner.ledger;
        let account = ledger.load(tx, id).await?.ok_or(Refusal::Stale)?;
        if self.administrates(&account) && ledger.administrators_beside(tx, Some(id)).await? == 0 {
            return Err(Refusal::LastAdministrator);
        }
        Ok(())
    }

    /// Whether name and address are free, said openly: the operator may know.
    pub(super) async fn judge_free(
        &self,
        tx: &mut Tx,
        username: &Username,
        email: &Email,
        faults: &mut Faults,
        now: UnixMillis,
    ) -> Result<(), Refusal> {
        let ledger = &self.inner.ledger;
        if ledger.name_taken(tx, username.as_str(), None, Some(email.key()), now).await? {
            faults.fault("username", NAME_TAKEN);
        }
        if ledger.address_holder(tx, email.key(), None, now).await?.is_some() {
            faults.fault("email", "There is an account with this e-mail address already.");
        }
        Ok(())
    }
}

/// Groups as they were typed, comma separated.
pub(super) fn listed(typed: &str, most: usize) -> Result<Vec<String>, Refusal> {
    let typed: Vec<String> =
        typed.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
    if typed.len() > most {
        return Err(Refusal::field("groups", format!("Name at most {most} groups.")));
    }
    judge_groups(&typed)
}

/// Sorted, each once.
pub(super) fn judge_groups(typed: &[String]) -> Result<Vec<String>, Refusal> {
    let mut groups = Vec::with_capacity(typed.len());
    for group in typed {
        groups.push(fields::group(group).map_err(|message| Refusal::field("groups", message))?);
    }
    groups.sort_unstable();
    groups.dedup();
    Ok(groups)
}

/// Groups as an entry of the trail names them.
pub(super) fn named(groups: &[String]) -> String {
    groups.join(" ").chars().take(LONGEST_DETAIL).collect()
}

/// Characters of group names that an entry of the trail holds.
const LONGEST_DETAIL: usize = 400;
