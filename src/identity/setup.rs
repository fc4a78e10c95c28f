//! The first administrator: a one-time link, printed at every start until it is redeemed.

use super::{
    Identity, NewAccount, Refusal,
    account::Account,
    fields::Faults,
    ledger::{self, Registration},
    register::blank,
    token,
    trail::Event,
};
use crate::{inbound::Client, world::UnixMillis};

impl Identity {
    /// Whether a setup link is alive.
    ///
    /// # Errors
    /// [`Refusal::DeadLink`], [`Refusal::Store`].
    pub async fn setup_alive(&self, token: &str, now: UnixMillis) -> Result<(), Refusal> {
        let hash = token::hash(token)?;
        let ledger = &self.inner.ledger;
        let mut tx = ledger.db().read().await?;
        let holder = ledger.link_holder(&mut tx, ledger::Purpose::Setup, &hash, now).await?;
        let needed = ledger.administrators_beside(&mut tx, None).await? == 0;
        if holder.is_some() && needed { Ok(()) } else { Err(Refusal::DeadLink) }
    }

    /// Redeems the setup link: creates the first administrator, once, even when raced. A form with faults leaves the link
    /// alive.
    ///
    /// # Errors
    /// [`Refusal::DeadLink`], [`Refusal::Fields`], [`Refusal::Busy`], [`Refusal::Store`].
    pub async fn redeem_setup(
        &self,
        token: &str,
        new: NewAccount,
        client: &Client,
        now: UnixMillis,
    ) -> Result<Account, Refusal> {
        let token_hash = token::hash(token)?;
        // Before anything costly: without a living link there is nothing to do.
        self.setup_alive(token, now).await?;
        let place = self.inner.hasher.enter()?;
        let person = self.judge_person(&place, new, async |_, _, _| Ok(())).await?;
        let hash = place.hash(&person.password, &self.inner.entropy).await?;
        drop(place);

        let ledger = &self.inner.ledger;
        let mut tx = ledger.db().write().await?;
        ledger.take_link(&mut tx, ledger::Purpose::Setup, &token_hash, now).await?.ok_or(Refusal::DeadLink)?;
        if ledger.administrators_beside(&mut tx, None).await? > 0 {
            return Err(Refusal::DeadLink);
        }
        let mut faults = Faults::default();
        self.judge_free(&mut tx, &person.username, &person.email, &mut faults, now).await?;
        faults.verdict()?;
        let account = Account {
            // The operator gave them the link: their word is good.
            email_confirmed: true,
            groups: vec![self.inner.settings.accounts.admin_group.clone()],
            ..blank(self.fresh_id(now)?, &Registration::of(&person, String::new()), now)
        };
        ledger.insert(&mut tx, &account, person.email.key(), &hash).await?;
        ledger.drop_registrations(&mut tx, person.email.key(), person.username.as_str()).await?;
        let entry = self.for_client(client).entry(Event::SetupUsed, &account.id, now);
        self.recorded(tx, entry).await?;
        Ok(account)
    }

    /// A fresh setup token while there is no administrator; `None` once there is one. Older ones die.
    ///
    /// # Errors
    /// [`Refusal::Store`]
    pub async fn setup_token(&self, now: UnixMillis) -> Result<Option<String>, Refusal> {
        let token = self.fresh_token()?;
        let ledger = &self.inner.ledger;
        let mut tx = ledger.db().write().await?;
        if ledger.administrators_beside(&mut tx, None).await? > 0 {
            return Ok(None);
        }
        ledger.put_link(&mut tx, ledger::Purpose::Setup, NOBODY, &token.hash, now, NEVER).await?;
        tx.commit().await?;
        Ok(Some(token.text))
    }
}

const NOBODY: &str = "";
/// It lives until it is redeemed or replaced: a server may wait long for its first administrator.
const NEVER: UnixMillis = UnixMillis(i64::MAX);
