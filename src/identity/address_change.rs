//! Changing an account's address: a link to the new one, for a day, once; and a link to the old one, for seven days, that
//! takes the change back.
//!
//! Whoever has the account for a moment shall not keep it by its address. So every change has an undo of its own, and an
//! earlier undo outweighs every later change: the first owner's link works however often the address was changed since.
//! Undoing also ends every session and the password, which somebody else may know.

use std::time::Duration;

use templates::mail as words;

use super::{
    Identity, Refusal,
    account::{Account, AccountId, Factor},
    ledger::{Asked, Carry, Holder, Purpose, Undoable},
    names::Email,
    outbox::RowId,
    reset::RESET_LIVES,
    throttle, token,
    trail::Event,
};
use crate::{config::accounts::Accounts, inbound::Client, storage::Tx, verify::Destination, world::UnixMillis};

impl Identity {
    /// Mails a link to a new address; an older one dies. Says nothing of whether the address is somebody's: its owner is
    /// mailed instead.
    ///
    /// # Errors
    /// [`Refusal::Fields`], [`Refusal::Throttled`] per account and per address, [`Refusal::Stale`] when the account is gone
    /// or disabled, [`Refusal::Busy`], [`Refusal::Store`].
    pub async fn ask_to_change_email(
        &self,
        id: &AccountId,
        typed: &str,
        client: &Client,
        now: UnixMillis,
    ) -> Result<(), Refusal> {
        let new = Email::parse(typed).map_err(|message| Refusal::field("email", message))?;
        let owner = self.account(id).await?.filter(|owner| !owner.disabled).ok_or(Refusal::Stale)?;
        if let Some(fault) = outside(&self.inner.settings.accounts, &owner, &new) {
            return Err(Refusal::field("email", fault));
        }
        let throttle = &self.inner.throttle;
        let _counted = throttle.admit(throttle::Purpose::Change, &id.0, client, now).await?;
        let _counted = throttle.admit(throttle::Purpose::Change, new.key(), client, now).await?;
        let token = self.fresh_token()?;
        let ledger = &self.inner.ledger;
        let mut tx = ledger.db().write().await?;
        let owner = self.enabled(&mut tx, id).await?.ok_or(Refusal::Stale)?;
        if ledger.email_key(&mut tx, id).await?.as_deref() == Some(new.key()) {
            return Err(Refusal::field("email", "That is your address already. Enter another one."));
        }
        let asked =
            Asked { account: id.0.to_string(), new_email: new.address().to_string(), new_key: new.key().to_owned() };
        ledger.put_change(&mut tx, &asked, &token.hash, now, now.plus(LIVES)).await?;
        let holder = ledger.address_holder(&mut tx, new.key(), Some(id), now).await?;
        let theirs = match &holder {
            Some(Holder::Account(other)) => ledger.load(&mut tx, other).await?,
            _ => None,
        };
        self.recorded(tx, self.entry(Event::EmailChangeAsked, id, now)).await?;
        match (holder, theirs) {
            (None, _) => self.mail_change(&owner, &asked.new_email, &token.text),
            (Some(Holder::Former(address)), _) => self.mail_address_held(&address),
            (Some(Holder::Account(_)), Some(other)) => self.mail_address_taken(&other, words::Claim::Change),
            (Some(Holder::Account(_)), None) => Ok(()),
        }
    }

    /// The new address that a living link is about; consumes nothing (mail scanners GET it).
    ///
    /// # Errors
    /// [`Refusal::DeadLink`], [`Refusal::Store`].
    pub async fn email_change_asked(&self, token: &str, now: UnixMillis) -> Result<String, Refusal> {
        let token = token::hash(token)?;
        let mut tx = self.inner.ledger.db().read().await?;
        Ok(self.asked(&mut tx, &token, now).await?.1.new_email)
    }

    /// Redeems such a link: the account has the new address, its sessions learn it by the outbox, its reset links die, and
    /// the old address is mailed how to take it back. Answers whose it is.
    ///
    /// # Errors
    /// [`Refusal::DeadLink`] also when the address became somebody else's meanwhile; [`Refusal::Store`].
    pub async fn change_email(&self, token: &str, now: UnixMillis) -> Result<(AccountId, RowId), Refusal> {
        let (token, undo) = (token::hash(token)?, self.fresh_token()?);
        let ledger = &self.inner.ledger;
        let mut tx = ledger.db().write().await?;
        let (before, asked) = self.asked(&mut tx, &token, now).await?;
        let id = before.id.clone();
        let old_key = ledger.email_key(&mut tx, &id).await?.ok_or(Refusal::DeadLink)?;
        let proved = ledger.email_proved(&mut tx, &id).await?;
        if proved {
            let old = (before.email.as_str(), old_key.as_str());
            ledger.redeem_change(&mut tx, &token, old, &undo.hash, now.plus(UNDO_LIVES)).await?;
        } else {
            // Nobody proved to own the old address: whoever reads its mails shall get no hold on the account.
            ledger.drop_asked(&mut tx, &id.0).await?;
        }
        self.put_address(&mut tx, &before, (&asked.new_email, &asked.new_key)).await?;
        let (after, row) = self.guarded_as(tx, self.entry(Event::EmailChanged, &id, now), Carry::Rewrite).await?;
        if proved {
            self.tell_email_changed(&before, &after, &undo.text, now);
        }
        Ok((id, row))
    }

    /// The old address that a living link brings back; consumes nothing.
    ///
    /// # Errors
    /// [`Refusal::DeadLink`], [`Refusal::Store`].
    pub async fn email_change_undoable(&self, token: &str, now: UnixMillis) -> Result<String, Refusal> {
        let token = token::hash(token)?;
        let mut tx = self.inner.ledger.db().read().await?;
        Ok(self.undoable(&mut tx, &token, now).await?.1.old_email)
    }

    /// Redeems such a link: the account has its old address again, later changes and their links are worth nothing, every
    /// session, the password, recovery codes, access tokens, unused invitations and factors not older than a week before the
    /// change end, and a link to a new password goes to the old address. Signs nobody in.
    ///
    /// # Errors
    /// [`Refusal::DeadLink`], [`Refusal::Store`].
    pub async fn undo_email_change(&self, token: &str, now: UnixMillis) -> Result<RowId, Refusal> {
        let (token, reset) = (token::hash(token)?, self.fresh_token()?);
        let ledger = &self.inner.ledger;
        let mut tx = ledger.db().write().await?;
        let (before, change) = self.undoable(&mut tx, &token, now).await?;
        let id = &before.id;
        ledger.drop_changes_from(&mut tx, &change).await?;
        self.put_address(&mut tx, &before, (&change.old_email, &change.old_key)).await?;
        ledger.set_password(&mut tx, id, NO_PASSWORD).await?;
        // Who took the account may have left a way back in: a passkey signs in without the password.
        let late = |factor: &&Factor| factor.since.plus(BEFORE) >= UnixMillis(change.asked_at);
        for factor in before.factors.iter().filter(late) {
            ledger.remove_factor(&mut tx, id, &factor.id).await?;
        }
        ledger.drop_recovery_codes(&mut tx, id).await?;
        ledger.put_link(&mut tx, Purpose::Reset, &id.0, &reset.hash, now, now.plus(RESET_LIVES)).await?;
        let (owner, row, ended) = self.recovered(tx, self.entry(Event::EmailChangeUndone, id, now)).await?;
        for factor in before.factors.iter().filter(late) {
            self.forget_push(&owner.id, &factor.kind);
        }
        if self
            .mail_reset(
                &owner,
                words::Why::Undone { tokens: ended.tokens, invitations: ended.invitations },
                &reset.text,
            )
            .is_err()
        {
            // The change is undone all the same, and "Forgot your password?" sends another one.
            tracing::warn!(account = %owner.id.0, "the mail queue is full: a reset link was not sent");
        }
        Ok(row)
    }

    /// Ends a change that was only asked for: whoever asked may have been signed out just now.
    ///
    /// # Errors
    /// [`Refusal::Store`]
    pub async fn forget_asked_change(&self, id: &AccountId) -> Result<(), Refusal> {
        let ledger = &self.inner.ledger;
        let mut tx = ledger.db().write().await?;
        ledger.drop_asked(&mut tx, &id.0).await?;
        Ok(tx.commit().await?)
    }

    /// A change that can be redeemed now, and the account as it stands before.
    async fn asked(&self, tx: &mut Tx, token: &token::Hash, now: UnixMillis) -> Result<(Account, Asked), Refusal> {
        let ledger = &self.inner.ledger;
        let asked = ledger.asked_change(tx, token, now).await?.ok_or(Refusal::DeadLink)?;
        let owner = self.enabled(tx, &AccountId(asked.account.as_str().into())).await?.ok_or(Refusal::DeadLink)?;
        match ledger.address_holder(tx, &asked.new_key, Some(&owner.id), now).await? {
            None => Ok((owner, asked)),
            Some(_) => Err(Refusal::DeadLink),
        }
    }

    /// A change that can be undone now, and the account as it stands before.
    async fn undoable(
        &self,
        tx: &mut Tx,
        token: &token::Hash,
        now: UnixMillis,
    ) -> Result<(Account, Undoable), Refusal> {
        let ledger = &self.inner.ledger;
        let change = ledger.undoable_change(tx, token, now).await?.ok_or(Refusal::DeadLink)?;
        let owner = self.enabled(tx, &AccountId(change.account.as_str().into())).await?.ok_or(Refusal::DeadLink)?;
        match ledger.address_holder(tx, &change.old_key, Some(&owner.id), now).await? {
            None => Ok((owner, change)),
            Some(_) => Err(Refusal::DeadLink),
        }
    }

    /// Writes an address, with its key, and ends what was begun by another one.
    async fn put_address(&self, tx: &mut Tx, owner: &Account, (email, key): (&str, &str)) -> Result<(), Refusal> {
        let ledger = &self.inner.ledger;
        ledger.set_email(tx, &owner.id, email, key).await?;
        ledger.drop_links(tx, Purpose::Reset, &owner.id.0).await?;
        ledger.drop_links(tx, Purpose::Confirm, &owner.id.0).await?;
        Ok(ledger.drop_registrations(tx, key, &owner.username).await?)
    }

    async fn enabled(&self, tx: &mut Tx, id: &AccountId) -> Result<Option<Account>, Refusal> {
        Ok(self.inner.ledger.load(tx, id).await?.filter(|owner| !owner.disabled))
    }

    fn mail_change(&self, owner: &Account, to: &str, token: &str) -> Result<(), Refusal> {
        let settings = &self.inner.settings;
        let body = words::ChangeAddress {
            site_name: &settings.portal.name,
            username: &owner.username,
            link: &settings.link(&format!("email/change?token={token}")),
            lives: LIVES,
        };
        Ok(self.mail(to, body.body(), LIVES)?)
    }

    pub(super) fn mail_address_held(&self, to: &str) -> Result<(), Refusal> {
        let settings = &self.inner.settings;
        let body = words::AddressHeld { site_name: &settings.portal.name, login: &settings.link("login") };
        Ok(self.mail(to, body.body(), LIVES)?)
    }

    fn tell_email_changed(&self, before: &Account, after: &Account, undo: &str, now: UnixMillis) {
        let settings = &self.inner.settings;
        let body = words::AddressChanged {
            site_name: &settings.portal.name,
            first_name: &before.first_name,
            masked: &Destination::Email(after.email.clone()).masked(),
            at: now.0,
            undo: &settings.link(&format!("email/undo?token={undo}")),
            lives: UNDO_LIVES,
        };
        self.tell(before, body.body());
    }
}

/// Why an address does not do: who registered with an address of `accounts.registration_domains` stays within them.
fn outside(settings: &Accounts, owner: &Account, new: &Email) -> Option<String> {
    let domains = &settings.registration_domains;
    let within =
        |email: &Email| domains.iter().any(|domain| domain == "*" || domain.eq_ignore_ascii_case(email.domain()));
    let bound = Email::parse(&owner.email).is_ok_and(|old| within(&old));
    (bound && !within(new)).then(|| format!("Use an address of {}: others can't be used here.", domains.join(", ")))
}

/// How long a link to a new address works.
const LIVES: Duration = Duration::from_hours(24);
/// How long a change can be undone, and its old address is held.
const UNDO_LIVES: Duration = Duration::from_hours(7 * 24);
/// How old a factor has to be at the change, for its undo to leave it on.
const BEFORE: Duration = UNDO_LIVES;
/// No password has this hash.
const NO_PASSWORD: &str = "-";
