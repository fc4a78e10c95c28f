//! Confirming the address of an account that is there already: a link by mail, for a day, once.
//!
//! For people who registered while mails went to the terminal. Registration's own links are in `register`.

use std::time::Duration;

use templates::mail as words;

use super::{
    Identity, Refusal,
    account::{Account, AccountId},
    ledger::{Carry, Purpose},
    outbox::RowId,
    throttle, token,
    trail::Event,
};
use crate::{inbound::Client, world::UnixMillis};

impl Identity {
    /// Mails a confirmation link to the account's own address; an older one dies. A confirmed address gets none.
    ///
    /// # Errors
    /// [`Refusal::Throttled`] per account, [`Refusal::Stale`] when the account is gone or disabled, [`Refusal::Busy`],
    /// [`Refusal::Store`].
    pub async fn ask_to_confirm(&self, id: &AccountId, client: &Client, now: UnixMillis) -> Result<(), Refusal> {
        let owner = self.account(id).await?.filter(|owner| !owner.disabled).ok_or(Refusal::Stale)?;
        if owner.email_confirmed {
            return Ok(());
        }
        let _counted = self.inner.throttle.admit(throttle::Purpose::Confirm, &id.0, client, now).await?;
        let token = self.fresh_token()?;
        let ledger = &self.inner.ledger;
        let mut tx = ledger.db().write().await?;
        ledger.put_link(&mut tx, Purpose::Confirm, &id.0, &token.hash, now, now.plus(LIVES)).await?;
        tx.commit().await?;
        self.mail_link(&owner, &token.text)
    }

    /// Whether such a link is alive; consumes nothing (mail scanners GET it).
    ///
    /// # Errors
    /// [`Refusal::DeadLink`], [`Refusal::Store`].
    pub async fn address_link_alive(&self, token: &str, now: UnixMillis) -> Result<(), Refusal> {
        self.link_owner(Purpose::Confirm, &token::hash(token)?, now).await.map(drop)
    }

    /// Redeems such a link: the address is confirmed, and the account's sessions learn it by the outbox. Answers whose
    /// it was.
    ///
    /// # Errors
    /// [`Refusal::DeadLink`], [`Refusal::Store`].
    pub async fn confirm_address(&self, token: &str, now: UnixMillis) -> Result<(AccountId, RowId), Refusal> {
        let token = token::hash(token)?;
        let ledger = &self.inner.ledger;
        let mut tx = ledger.db().write().await?;
        let holder = ledger.take_link(&mut tx, Purpose::Confirm, &token, now).await?.ok_or(Refusal::DeadLink)?;
        let id = AccountId(holder.into());
        ledger.load(&mut tx, &id).await?.filter(|owner| !owner.disabled).ok_or(Refusal::DeadLink)?;
        ledger.set_confirmed(&mut tx, &id).await?;
        let (owner, row) = self.guarded_as(tx, self.entry(Event::EmailConfirmed, &id, now), Carry::Rewrite).await?;
        Ok((owner.id, row))
    }

    fn mail_link(&self, owner: &Account, token: &str) -> Result<(), Refusal> {
        let settings = &self.inner.settings;
        let body = words::ConfirmAddress {
            site_name: &settings.portal.name,
            first_name: &owner.first_name,
            username: &owner.username,
            link: &settings.link(&format!("email/confirm?token={token}")),
            lives: LIVES,
        };
        Ok(self.mail(&owner.email, body.body(), LIVES)?)
    }
}

/// How long a link works.
const LIVES: Duration = Duration::from_hours(24);
