//! Registration, with and without confirmation by mail.
//!
//! With confirmation, a taken address gets the same answer, at the same cost, as a free one: the username is held and a
//! registration is kept for both, and one mail leaves. Only for a taken address its token is in nobody's hands.

use std::time::Duration;

use templates::mail as words;

use super::{
    Identity, Invited, NewAccount, Refusal, Registered,
    account::{Account, AccountId},
    fields::{Faults, Person},
    ledger::{Brought, Holder, Registration},
    names::{Email, Username},
    people::named,
    throttle::{Purpose, Ticket},
    token,
    trail::{Entry, Event},
};
use crate::{inbound::Client, storage::Tx, world::UnixMillis};

impl Identity {
    /// Registers a person. Fields are judged all at once.
    ///
    /// # Errors
    /// Those of [`Identity::may_register`]; [`Refusal::Fields`], [`Refusal::Throttled`], [`Refusal::Busy`].
    pub async fn register(&self, new: NewAccount, client: &Client, now: UnixMillis) -> Result<Registered, Refusal> {
        self.may_register().await?;
        let form = self.inner.throttle.admit(Purpose::Form, "", client, now).await?;
        self.newcomer(new, None, form, client, now).await
    }

    /// Registers somebody who brings an invitation, which is used up only when the account is made. Answers also what was
    /// brought, for the form that comes back.
    ///
    /// # Errors
    /// [`Refusal::Closed`], [`Refusal::DeadLink`], [`Refusal::Fields`], [`Refusal::Throttled`], [`Refusal::Busy`],
    /// [`Refusal::Store`].
    pub async fn register_invited(
        &self,
        token: &str,
        new: NewAccount,
        client: &Client,
        now: UnixMillis,
    ) -> (Option<Invited>, Result<Registered, Refusal>) {
        match self.admit_invitation(token, client, now).await {
            Ok((form, brought)) => {
                let invited = Invited { email: brought.email.clone() };
                (Some(invited), self.newcomer(new, Some(brought), form, client, now).await)
            }
            Err(refusal) => (None, Err(refusal)),
        }
    }

    /// `form` counted this form, and what it brought.
    async fn newcomer(
        &self,
        new: NewAccount,
        brought: Option<Brought>,
        form: Ticket,
        client: &Client,
        now: UnixMillis,
    ) -> Result<Registered, Refusal> {
        let place = match self.inner.hasher.enter() {
            Ok(place) => place,
            Err(busy) => {
                // Nobody looked at it.
                form.undo(now).await;
                return Err(busy);
            }
        };
        // Who brings a link that was mailed to them proved to own that address.
        let proven = brought.as_ref().is_some_and(|brought| brought.by_mail);
        let judged = self
            .judge_person(&place, new, async |username, email, faults| {
                let fits = match &brought {
                    Some(brought) => judge_bound(brought, email, faults),
                    None => {
                        self.judge_domain(email, faults);
                        true
                    }
                };
                // Of another address than theirs they proved nothing, and hear nothing.
                self.judge_names(username, email, proven && fits, faults, now).await
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
        let mut waiting = Registration::of(&person, hash);
        if let Some(brought) = brought {
            waiting.invitation = Some(brought.id);
            // The very address that the link was mailed to: another spelling with the same key may be another mailbox.
            waiting.email = brought.email.unwrap_or(waiting.email);
        }
        if self.inner.settings.accounts.confirm_email && !proven {
            self.register_by_mail(waiting, now).await
        } else {
            self.register_at_once(&person, &waiting, proven, now).await
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

    /// Redeems a confirmation link: creates the account, which may have to wait for an approval.
    ///
    /// # Errors
    /// [`Refusal::DeadLink`] also when somebody else confirmed the address meanwhile, and when its invitation was used or
    /// revoked; [`Refusal::Full`], [`Refusal::Store`].
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
        if waiting.invitation.is_none() && !self.registration_open() {
            // It was open when this registration began.
            return Err(Refusal::DeadLink);
        }
        // The invitation was alive when the registration began, which itself lives for so long only.
        self.make(tx, &waiting, true, now.minus(CONFIRMATION_LIVES), now).await
    }

    /// The end of every registration. An invitation that did not expire before `alive` is used up, and gives its groups;
    /// without one the account waits where an administrator approves.
    async fn make(
        &self,
        mut tx: Tx,
        person: &Registration,
        confirmed: bool,
        alive: UnixMillis,
        now: UnixMillis,
    ) -> Result<Account, Refusal> {
        let ledger = &self.inner.ledger;
        let blank = blank(self.fresh_id(now)?, person, now);
        let mut entry = self.entry(Event::Registered, &blank.id, now);
        let mut account = Account { email_confirmed: confirmed, ..blank };
        if let Some(invitation) = &person.invitation {
            if !self.takes_invitations() {
                return Err(Refusal::DeadLink);
            }
            let taken = ledger.take_invitation(&mut tx, invitation, &account.id, alive, now).await?;
            let (groups, by) = taken.ok_or(Refusal::DeadLink)?;
            entry = Entry { event: Event::Invited, ..entry }.with(named(&groups)).owed_to(by);
            account.groups = groups;
        } else if self.approves() {
            self.room_to_wait(&mut tx).await?;
            account = Account { disabled: true, waiting_since: Some(now), ..account };
            ledger.one_more_waits(&mut tx).await?;
        }
        let pushed_out = if confirmed { self.push_out(&mut tx, &person.email_key, now).await? } else { None };
        ledger.insert(&mut tx, &account, &person.email_key, &person.password_hash).await?;
        ledger.drop_registrations(&mut tx, &person.email_key, &person.username).await?;
        self.recorded(tx, entry).await?;
        if let Some(entry) = pushed_out {
            entry.log();
        }
        if account.waiting_since.is_some() {
            self.told_of_waiting(now).await;
        }
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
        proven: bool,
        faults: &mut Faults,
        now: UnixMillis,
    ) -> Result<(), Refusal> {
        let mut tx = self.inner.ledger.db().read().await?;
        self.judge_names_in(&mut tx, (username, email), proven, faults, now).await
    }

    async fn judge_names_in(
        &self,
        tx: &mut Tx,
        (username, email): (Option<&Username>, Option<&Email>),
        proven: bool,
        faults: &mut Faults,
        now: UnixMillis,
    ) -> Result<(), Refusal> {
        let ledger = &self.inner.ledger;
        if let Some(username) = username
            && ledger.name_taken(tx, username.as_str(), None, email.map(Email::key), now).await?
        {
            faults.fault("username", NAME_TAKEN);
        }
        // With confirmation nobody learns this, but the owner: by mail, or who came by a mail.
        if (proven || !self.inner.settings.accounts.confirm_email)
            && let Some(email) = email
            && ledger.address_holder(tx, email.key(), None, now).await?.is_some()
            && !(proven && ledger.squatter(tx, email.key()).await?.is_some())
        {
            faults.fault("email", ADDRESS_TAKEN);
        }
        Ok(())
    }

    async fn register_at_once(
        &self,
        person: &Person,
        waiting: &Registration,
        proven: bool,
        now: UnixMillis,
    ) -> Result<Registered, Refusal> {
        let mut tx = self.inner.ledger.db().write().await?;
        let mut faults = Faults::default();
        let names = (Some(&person.username), Some(&person.email));
        self.judge_names_in(&mut tx, names, proven, &mut faults, now).await?;
        faults.verdict()?;
        let account = self.make(tx, waiting, proven, now, now).await?;
        if account.waiting_since.is_some() {
            return Ok(Registered::Waiting);
        }
        // Where nothing is confirmed the operator vouches.
        Ok(Registered::Active(Box::new(Account { email_confirmed: true, ..account })))
    }

    async fn register_by_mail(&self, waiting: Registration, now: UnixMillis) -> Result<Registered, Refusal> {
        let (name, key) = (waiting.username.as_str(), waiting.email_key.as_str());
        let token = self.fresh_token()?;
        let expires = now.plus(CONFIRMATION_LIVES);
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
            invitation: None,
        }
    }
}

/// Who is invited by their address registers with it. Answers whether they do.
fn judge_bound(brought: &Brought, email: Option<&Email>, faults: &mut Faults) -> bool {
    match (&brought.email, &brought.email_key, email) {
        (Some(address), Some(key), Some(email)) if email.key() != key => {
            faults.fault("email", &format!("This invitation is for {address}. Use that address."));
            false
        }
        _ => true,
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
        waiting_since: None,
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
