//! Approval: who registers waits for an administrator, and administrators hear of it, at most once an hour.
//!
//! Who waits has an account that is disabled; that it waits is said only after the right password.

use std::time::Duration;

use templates::mail as words;

use super::{
    Identity, Refusal,
    account::Account,
    ledger::Carry,
    outbox::RowId,
    people::By,
    trail::{Actor, Entry, Event},
};
use crate::{
    config::accounts::Registration,
    storage::Tx,
    world::{Clock, UnixMillis},
};

impl Identity {
    /// Whether somebody without an invitation may register now.
    ///
    /// # Errors
    /// [`Refusal::Closed`], [`Refusal::InvitationOnly`], [`Refusal::Full`], [`Refusal::Store`].
    pub async fn may_register(&self) -> Result<(), Refusal> {
        match self.inner.settings.accounts.registration {
            Registration::Open => Ok(()),
            Registration::Approve => self.room_to_wait(&mut self.inner.ledger.db().read().await?).await,
            Registration::Invite => Err(Refusal::InvitationOnly),
            Registration::Closed => Err(Refusal::Closed),
        }
    }

    /// Whether one more may wait. Said before anything of a form is looked at: to everybody alike.
    pub(super) async fn room_to_wait(&self, tx: &mut Tx) -> Result<(), Refusal> {
        let waiting = self.inner.ledger.count_waiting(tx).await?;
        if waiting < MOST_WAITING { Ok(()) } else { Err(Refusal::Full) }
    }

    /// Ends the registration of somebody who waits, and mails them.
    pub(super) async fn declined(&self, tx: Tx, by: &By, owner: &Account, now: UnixMillis) -> Result<RowId, Refusal> {
        let row = self.turned_away(tx, self.done_by(by, Event::Declined, &owner.id, now), owner).await?;
        self.tell_declined(owner);
        Ok(row)
    }

    /// The end of an account that was never let in: its username is as free as before.
    async fn turned_away(&self, mut tx: Tx, entry: Entry, owner: &Account) -> Result<RowId, Refusal> {
        if owner.last_seen_at.is_none() {
            self.inner.ledger.release_names(&mut tx, &owner.id).await?;
        }
        let row = self.deleted(tx, entry).await?;
        // An older version may have let them in for a while.
        for factor in &owner.factors {
            self.forget_push(&owner.id, &factor.kind);
        }
        Ok(row)
    }

    /// Ends the registration of who waits with that address and never proved to read it: its reader is here. Nobody is told;
    /// the entry is to be logged once it is certain.
    pub(super) async fn push_out(&self, tx: &mut Tx, key: &str, now: UnixMillis) -> Result<Option<Entry>, Refusal> {
        let ledger = &self.inner.ledger;
        let Some(id) = ledger.squatter(tx, key).await? else { return Ok(None) };
        ledger.release_names(tx, &id).await?;
        ledger.delete(tx, &id).await?;
        ledger.post(tx, &id, Carry::End, now).await?;
        let entry = self.entry(Event::Declined, &id, now).by(Actor::System).with(ADDRESS_PROVED);
        ledger.append(tx, std::slice::from_ref(&entry)).await?;
        Ok(Some(entry))
    }

    fn tell_declined(&self, owner: &Account) {
        let settings = &self.inner.settings;
        let body = words::NotApproved {
            site_name: &settings.portal.name,
            first_name: owner.greeted(),
            login: &settings.link("login"),
        };
        self.tell(owner, body.body());
    }

    /// Ends registrations that nobody decided about for long: strangers shall not fill the list for good.
    ///
    /// # Errors
    /// [`Refusal::Store`]
    pub(super) async fn expire_waiting(&self, now: UnixMillis) -> Result<(), Refusal> {
        let ledger = &self.inner.ledger;
        let overdue = ledger.waiting_before(&mut ledger.db().read().await?, now.minus(WAITS), AT_ONCE).await?;
        for id in overdue {
            let mut tx = ledger.db().write().await?;
            // Another node, or an administrator, may have been quicker.
            let owner = ledger.load(&mut tx, &id).await?.filter(|owner| owner.waiting_since.is_some());
            let Some(owner) = owner else { continue };
            let proved = ledger.email_proved(&mut tx, &id).await?;
            let entry = self.entry(Event::Declined, &id, now).by(Actor::System).with(NOBODY_DECIDED);
            self.turned_away(tx, entry, &owner).await?;
            // Who never proved to read that mailbox may have named a stranger's.
            if proved {
                self.tell_declined(&owner);
            }
        }
        Ok(())
    }

    pub(super) fn tell_approved(&self, owner: &Account) {
        let settings = &self.inner.settings;
        let body = words::Approved {
            site_name: &settings.portal.name,
            first_name: owner.greeted(),
            username: &owner.username,
            login: &settings.link("login"),
        };
        self.tell(owner, body.body());
    }

    /// Tells administrators how many wait, if somebody new does and they were not told for an hour. The registration is done
    /// either way, and whoever is not told now is told by [`Identity::keep_telling`].
    pub(super) async fn told_of_waiting(&self, now: UnixMillis) {
        if let Err(error) = self.tell_administrators(now).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "administrators were not told yet that somebody waits for their approval"
            );
        }
    }

    pub(super) async fn tell_administrators(&self, now: UnixMillis) -> Result<(), Refusal> {
        let ledger = &self.inner.ledger;
        if !ledger.any_untold(&mut ledger.db().read().await?).await? {
            return Ok(());
        }
        let mut tx = ledger.db().write().await?;
        if !ledger.claim_telling(&mut tx, now.minus(TOLD_EVERY), now).await? {
            return Ok(());
        }
        let waiting = ledger.count_waiting(&mut tx).await?;
        let mut administrators = Vec::new();
        for id in ledger.administrators(&mut tx, MOST_TOLD).await? {
            administrators.extend(ledger.load(&mut tx, &id).await?);
        }
        tx.commit().await?;
        if waiting == 0 {
            return Ok(());
        }
        let settings = &self.inner.settings;
        for administrator in administrators.iter().filter(|account| account.email_confirmed) {
            let body = words::PeopleWait {
                site_name: &settings.portal.name,
                first_name: administrator.greeted(),
                waiting: waiting.unsigned_abs(),
                people: &settings.link("admin/people?state=waiting"),
            };
            self.tell(administrator, body.body());
        }
        Ok(())
    }

    /// Tells of those whom the last mail came too early for, and ends what waited too long, for ever. `app` spawns it, once
    /// the tables are there.
    pub async fn keep_telling(self, clock: Clock) {
        loop {
            // Whatever registration is set to by now.
            if let Err(error) = self.expire_waiting(clock.now()).await {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "registrations that nobody decided about are kept for now");
            }
            if self.approves() {
                self.told_of_waiting(clock.now()).await;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// Accounts that wait at once.
const MOST_WAITING: i64 = 1_000;
/// Administrators who are mailed.
const MOST_TOLD: i64 = 20;
/// How long one waits before it ends by itself.
const WAITS: Duration = Duration::from_hours(14 * 24);
/// How many end at one look.
const AT_ONCE: i64 = 100;
/// Why a registration made room.
const ADDRESS_PROVED: &str = "address-proved-by-another";
/// Why a registration ended by itself.
const NOBODY_DECIDED: &str = "nobody-decided";
const TOLD_EVERY: Duration = Duration::from_hours(1);
const LOOK_EVERY: Duration = Duration::from_mins(1);
