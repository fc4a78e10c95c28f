//! Registration, with and without confirmation by mail.
//!
//! With confirmation, a taken address gets the same answer, at the same cost, as a free one: the username is held and a
//! registration is kept for both, and one mail leaves. Only for a taken address its token is in nobody's hands.

use std::time::Duration;

use templates::mail as words;

use super::{
    Identity, NewAccount, Refusal, Registered,
    account::{Account, AccountId},
    fields::{Faults, Person},
    ledger::{Holder, Registration},
    names::{Email, Username},
    throttle::Purpose,
    token,
    trail::Event,
};
use crate::{inbound::Client, storage::Tx, world::UnixMillis};

impl Identity {
    /// Registers a person. Fields are judged all at once.
    ///
    /// # Errors
    /// [`Refusal::Closed`], [`Refusal::Fields`], [`Refusal::Throttled`], [`Refusal::Busy`], [`Refusal::Store`].
    pub async fn register(&self, new: NewAccount, client: &Client, now: UnixMillis) -> Result<Registered, Refusal> {
        if !self.registration_open() {
            return Err(Refusal::Closed);
        }
        let form = self.inner.throttle.admit(Purpose::Form, "", client, now).await?;
        let place = self.inner.hasher.enter()?;
        let judged = self
            .judge_person(&place, new, async |username, email, faults| {
                self.judge_domain(email, faults);
                self.judge_names(username, email, faults, now).await
            })
            .await;
        // An address is counted only now: mending a form is no abuse of it.
        let admitted = match judged {
            Ok(person) => {
                let counted = self.inner.throttle.admit(Purpose::Register, person.email.key(), client, now).await;
                counted.map(|_counted| person)
            }
            Err(refusal) => Err(refusal),
        };
        if !matches!(admitted, Err(Refusal::Fields(_) | Refusal::Throttled { .. })) {
            form.undo(now).await;
        }
        let person = admitted?;
        let hash = place.hash(&person.password, &self.inner.entropy).await?;
        drop(place);
        if self.inner.settings.accounts.confirm_email {
            self.register_by_mail(person, hash, now).await
        } else {
            let account = self.register_at_once(person, &hash, now).await?;
            Ok(Registered::Active(Box::new(account)))
        }
    }

    /// Whether a confirmation link is alive; consumes nothing (mail scanners GET it).
    ///
    /// # Errors
    /// [`Refusal::DeadLink`], [`Refusal::Store`].
    pub async fn confirmation_alive(&self, token: &str, now: UnixMillis) -> Result<(), Refusal> {
        let hash = token::hash(token)?;
        let ledger = &self.inner.ledger;
        let found = ledger.registration(&mut ledger.db().read().await?, &hash, now).await?;
        found.map(drop).ok_or(Refusal::DeadLink)
    }

    /// Redeems a confirmation link: creates the account.
    ///
    /// # Errors
    /// [`Refusal::DeadLink`] also when somebody else confirmed the address meanwhile; [`Refusal::Store`].
    pub async fn confirm(&self, token: &str, now: UnixMillis) -> Result<Account, Refusal> {
        let hash = token::hash(token)?;
        let ledger = &self.inner.ledger;
        let mut tx = ledger.db().write().await?;
        let waiting = ledger.registration(&mut tx, &hash, now).await?.ok_or(Refusal::DeadLink)?;
        let (name, key) = (waiting.username.as_str(), waiting.email_key.as_str());
        let taken = ledger.address_holder(&mut tx, key, None, now).await?.is_some()
            || ledger.name_taken(&mut tx, name, None, Some(key), now).await?;
        if taken {
            return Err(Refusal::DeadLink);
        }
        let account = Account { email_confirmed: true, ..blank(self.fresh_id(now)?, &waiting, now) };
        ledger.insert(&mut tx, &account, key, &waiting.password_hash).await?;
        ledger.drop_registrations(&mut tx, key, name).await?;
        self.recorded(tx, self.entry(Event::Registered, &account.id, now)).await?;
        Ok(account)
    }

    fn judge_domain(&self, email: Option<&Email>, faults: &mut Faults) {
        let domains = &self.inner.settings.accounts.registration_domains;
        let Some(email) = email else { return };
        let fits = |domain: &String| domain == "*" || domain.eq_ignore_ascii_case(email.domain());
        if !domains.is_empty() && !domains.iter().any(fits) {
            let domains = domains.join(", ");
            let message = format!("Use an address of {domains}: others can't register here.");
            faults.fault("email", &message);
        }
    }

    /// The first look, so that a taken name is told with the form's other faults. The transaction looks again.
    async fn judge_names(
        &self,
        username: Option<&Username>,
        email: Option<&Email>,
        faults: &mut Faults,
        now: UnixMillis,
    ) -> Result<(), Refusal> {
        let mut tx = self.inner.ledger.db().read().await?;
        self.judge_names_in(&mut tx, username, email, faults, now).await
    }

    pub(super) async fn judge_names_in(
        &self,
        tx: &mut Tx,
        username: Option<&Username>,
        email: Option<&Email>,
        faults: &mut Faults,
        now: UnixMillis,
    ) -> Result<(), Refusal> {
        let ledger = &self.inner.ledger;
        if let Some(username) = username
            && ledger.name_taken(tx, username.as_str(), None, email.map(Email::key), now).await?
        {
            faults.fault("username", NAME_TAKEN);
        }
        // With confirmation nobody learns this, but the owner by mail.
        if !self.inner.settings.accounts.confirm_email
            && let Some(email) = email
            && ledger.address_holder(tx, email.key(), None, now).await?.is_some()
        {
            faults.fault("email", ADDRESS_TAKEN);
        }
        Ok(())
    }

    async fn register_at_once(&self, person: Person, hash: &str, now: UnixMillis) -> Result<Account, Refusal> {
        let ledger = &self.inner.ledger;
        let mut tx = ledger.db().write().await?;
        let mut faults = Faults::default();
        self.judge_names_in(&mut tx, Some(&person.username), Some(&person.email), &mut faults, now).await?;
        faults.verdict()?;
        let waiting = Registration::of(&person, String::new());
        let account = blank(self.fresh_id(now)?, &waiting, now);
        ledger.insert(&mut tx, &account, person.email.key(), hash).await?;
        ledger.drop_registrations(&mut tx, person.email.key(), person.username.as_str()).await?;
        self.recorded(tx, self.entry(Event::Registered, &account.id, now)).await?;
        // Nothing is confirmed, but without confirmation the operator vouches.
        Ok(Account { email_confirmed: true, ..account })
    }

    async fn register_by_mail(&self, person: Person, hash: String, now: UnixMillis) -> Result<Registered, Refusal> {
        let (name, key) = (person.username.as_str(), person.email.key());
        let token = self.fresh_token()?;
        let expires = now.plus(CONFIRMATION_LIVES);
        let waiting = Registration::of(&person, hash);
        let ledger = &self.inner.ledger;
        let mut tx = ledger.db().write().await?;
        if ledger.name_taken(&mut tx, name, None, Some(key), now).await? {
            return Err(Refusal::field("username", NAME_TAKEN));
        }
        ledger.hold_name(&mut tx, name, key, expires).await?;
        ledger.put_registration(&mut tx, &waiting, &token.hash, now, expires).await?;
        let holder = ledger.address_holder(&mut tx, key, None, now).await?;
        let owner = match &holder {
            Some(Holder::Account(owner)) => ledger.load(&mut tx, owner).await?,
            _ => None,
        };
        tx.commit().await?;
        match (holder, owner) {
            (Some(Holder::Former(address)), _) => self.mail_address_held(&address)?,
            (_, Some(owner)) => self.mail_address_taken(&owner, words::Claim::Register)?,
            (_, None) => self.mail_confirmation(&waiting, &token.text)?,
        }
        Ok(Registered::MailSent)
    }

    fn mail_confirmation(&self, waiting: &Registration, token: &str) -> Result<(), Refusal> {
        let settings = &self.inner.settings;
        let body = words::ConfirmRegistration {
            site_name: &settings.portal.name,
            link: &settings.link(&format!("register/confirm?token={token}")),
            lives: CONFIRMATION_LIVES,
        };
        Ok(self.mail(&waiting.email, body.body(), CONFIRMATION_LIVES)?)
    }

    pub(super) fn mail_address_taken(&self, owner: &Account, claim: words::Claim) -> Result<(), Refusal> {
        let settings = &self.inner.settings;
        let body = words::AddressTaken {
            site_name: &settings.portal.name,
            first_name: owner.greeted(),
            claim,
            login: &settings.link("login"),
            forgot: &settings.link("password/forgot"),
        };
        Ok(self.mail(&owner.email, body.body(), CONFIRMATION_LIVES)?)
    }
}

impl Registration {
    pub(super) fn of(person: &Person, password_hash: String) -> Self {
        Self {
            username: person.username.as_str().to_owned(),
            email: person.email.address().to_string(),
            email_key: person.email.key().to_owned(),
            first_name: person.first_name.clone(),
            last_name: person.last_name.clone(),
            password_hash,
        }
    }
}

/// An account as it begins: nothing confirmed, no groups, the name their own choice.
pub(super) fn blank(id: AccountId, person: &Registration, now: UnixMillis) -> Account {
    Account {
        id,
        username: person.username.clone(),
        first_name: person.first_name.clone(),
        last_name: person.last_name.clone(),
        email: person.email.clone(),
        email_confirmed: false,
        about_me: String::new(),
        groups: Vec::new(),
        disabled: false,
        chose_username: true,
        created_at: now,
        last_seen_at: None,
        factors: Vec::new(),
        asked_first: None,
        generation: 0,
    }
}

const CONFIRMATION_LIVES: Duration = Duration::from_hours(24);
pub(super) const NAME_TAKEN: &str = "That username is taken. Choose another one.";
const ADDRESS_TAKEN: &str = "There is an account with this e-mail address already. Sign in, or reset your password.";
