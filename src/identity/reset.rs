//! A forgotten password: a link by mail, ten minutes, once. OWASP Forgot Password Cheat Sheet.
//!
//! A reset sets the password and ends every session, access token and unused invitation of theirs; it never signs in and never
//! touches the second factor.

use std::time::Duration;

use secrecy::SecretString;
use templates::mail as words;

use super::{
    Identity, Refusal,
    account::{Account, AccountId},
    ledger::Purpose,
    letters::Outlived,
    names::{Email, Identifier},
    outbox,
    password::own_words,
    throttle, token,
    trail::Event,
};
use crate::{inbound::Client, world::UnixMillis};

impl Identity {
    /// Sends a reset link if the address is known; says nothing either way, and takes no longer either way.
    ///
    /// # Errors
    /// [`Refusal::Fields`] for what is no address, [`Refusal::Throttled`], [`Refusal::Store`].
    pub async fn forgot(&self, email: &str, client: &Client, now: UnixMillis) -> Result<(), Refusal> {
        let email = Email::parse(email).map_err(|message| Refusal::field("email", message))?;
        let _counted = self.inner.throttle.admit(throttle::Purpose::Forgot, email.key(), client, now).await?;
        let ledger = &self.inner.ledger;
        let found = ledger.find(&mut ledger.db().read().await?, Identifier::Email(email.key())).await?;
        if let Some(found) = found {
            let identity = self.for_client(client);
            // After the answer: writing the link and the mail takes time that must not show, nor compete with the answer.
            tokio::spawn(async move {
                tokio::time::sleep(ANSWERED).await;
                if let Err(error) = identity.send_reset(&AccountId(found.id.into()), now).await {
                    tracing::warn!(error = &error as &dyn std::error::Error, "a reset link was not sent");
                }
            });
        } else {
            self.log_unknown_reset(client);
        }
        Ok(())
    }

    /// Whether a reset link is alive; consumes nothing.
    ///
    /// # Errors
    /// [`Refusal::DeadLink`], [`Refusal::Store`].
    pub async fn reset_alive(&self, token: &str, now: UnixMillis) -> Result<(), Refusal> {
        self.link_owner(Purpose::Reset, &token::hash(token)?, now).await.map(drop)
    }

    /// Redeems a reset link: sets the password, ends every session. Never signs in. Whose it was: second factors outlive it.
    ///
    /// # Errors
    /// [`Refusal::DeadLink`], [`Refusal::Fields`] (the link stays alive), [`Refusal::Busy`], [`Refusal::Store`].
    pub async fn reset(
        &self,
        token: &str,
        password: SecretString,
        confirm: SecretString,
        now: UnixMillis,
    ) -> Result<(AccountId, outbox::RowId), Refusal> {
        let token = token::hash(token)?;
        let owner = self.link_owner(Purpose::Reset, &token, now).await?;
        let hash = self.new_hash(&owner, &password, &confirm).await?;

        let ledger = &self.inner.ledger;
        let mut tx = ledger.db().write().await?;
        let holder = ledger.take_link(&mut tx, Purpose::Reset, &token, now).await?.ok_or(Refusal::DeadLink)?;
        let id = AccountId(holder.into());
        let owner = ledger.load(&mut tx, &id).await?.filter(|owner| !owner.disabled).ok_or(Refusal::DeadLink)?;
        ledger.set_password(&mut tx, &owner.id, &hash).await?;
        // Whoever knew the old password may have made ways in.
        let (owner, row, ended) = self.recovered(tx, self.entry(Event::PasswordReset, &id, now)).await?;
        self.tell_password_changed(&owner, Outlived::Ended(ended), now);
        Ok((owner.id, row))
    }

    /// Judges a new password of somebody who has an account, and hashes it.
    pub(super) async fn new_hash(
        &self,
        owner: &Account,
        password: &SecretString,
        confirm: &SecretString,
    ) -> Result<String, Refusal> {
        let place = self.inner.hasher.enter()?;
        let own = own_words(&owner.first_name, &owner.last_name, &owner.username, &owner.email);
        let password = self.new_password(&place, password, confirm, own).await?;
        let password = password.map_err(|fault| Refusal::Fields(vec![fault]))?;
        place.hash(&password, &self.inner.entropy).await
    }

    /// Whose living link that is.
    pub(super) async fn link_owner(
        &self,
        purpose: Purpose,
        token: &token::Hash,
        now: UnixMillis,
    ) -> Result<Account, Refusal> {
        let ledger = &self.inner.ledger;
        let mut tx = ledger.db().read().await?;
        let holder = ledger.link_holder(&mut tx, purpose, token, now).await?.ok_or(Refusal::DeadLink)?;
        let owner = ledger.load(&mut tx, &AccountId(holder.into())).await?;
        owner.filter(|owner| !owner.disabled).ok_or(Refusal::DeadLink)
    }

    async fn send_reset(&self, id: &AccountId, now: UnixMillis) -> Result<(), Refusal> {
        let token = self.fresh_token()?;
        let ledger = &self.inner.ledger;
        let mut tx = ledger.db().write().await?;
        let Some(owner) = ledger.load(&mut tx, id).await?.filter(|owner| !owner.disabled) else { return Ok(()) };
        ledger.put_link(&mut tx, Purpose::Reset, &id.0, &token.hash, now, now.plus(RESET_LIVES)).await?;
        self.recorded(tx, self.entry(Event::ResetAsked, id, now)).await?;
        self.mail_reset(&owner, words::Why::Asked, &token.text)
    }

    pub(super) fn mail_reset(&self, owner: &Account, why: words::Why, token: &str) -> Result<(), Refusal> {
        let settings = &self.inner.settings;
        let body = words::ResetLink {
            site_name: &settings.portal.name,
            first_name: owner.greeted(),
            username: &owner.username,
            why,
            link: &settings.link(&format!("password/reset?token={token}")),
            lives: RESET_LIVES,
        };
        Ok(self.mail(&owner.email, body.body(), RESET_LIVES)?)
    }
}

/// By then the answer has left.
const ANSWERED: Duration = Duration::from_millis(100);
/// How long a link to a new password works.
pub(super) const RESET_LIVES: Duration = Duration::from_mins(10);
