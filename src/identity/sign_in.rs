//! The first step of a sign-in: name or address, and password. OWASP Authentication Cheat Sheet.
//!
//! Order matters: a place to hash first (no account is looked at without one), the account next (so that its name and
//! its address share a throttle), the throttle, one hash whatever was found, and only then what the account says.

use secrecy::SecretString;

use super::{
    Authenticated, Identity, Method, Refusal, Shown, SignIn,
    account::{Account, AccountId},
    hasher::{Place, Verified},
    ledger::Credentials,
    names::{Identifier, canonical_identifier},
    password::normal,
    second_factor,
    throttle::Purpose,
    trail,
};
use crate::{inbound::Client, telemetry::metrics::SignInResult, world::UnixMillis};

/// What a password is compared with.
struct Candidates {
    account: Option<Credentials>,
    /// The hash of a registration that waits for its mail under this name or address.
    waiting: Option<String>,
}

/// Whose password it was.
enum Owner {
    Account(AccountId, i64),
    Waiting,
    Nobody,
}

impl Identity {
    /// The first step: name or address, and password.
    ///
    /// # Errors
    /// [`Refusal::Mismatch`] for wrong, unknown and disabled alike, [`Refusal::Unconfirmed`] and
    /// [`Refusal::Waiting`] only after the right password, [`Refusal::Throttled`], [`Refusal::Busy`], [`Refusal::Store`].
    pub async fn authenticate(
        &self,
        identifier: &str,
        password: &SecretString,
        client: &Client,
        now: UnixMillis,
    ) -> Result<SignIn, Refusal> {
        let judged = self.judge_password(identifier, password, client, now).await;
        self.inner.measures.sign_ins.count(result(&judged));
        judged
    }

    async fn judge_password(
        &self,
        identifier: &str,
        password: &SecretString,
        client: &Client,
        now: UnixMillis,
    ) -> Result<SignIn, Refusal> {
        let place = self.inner.hasher.enter()?;
        let canonical = canonical_identifier(identifier);
        let candidates = self.candidates(&canonical, now).await?;
        let subject = candidates.account.as_ref().map_or(canonical.as_str(), |found| &found.id).to_owned();
        let known = candidates.account.as_ref().map(|found| AccountId(found.id.as_str().into()));
        let judged = self.throttled(&subject, client, now, self.first_step(&place, candidates, password)).await;
        let account = self.noted(judged, known.as_ref(), client, now)?;
        let channels = self.channels();
        Ok(match second_factor::challenge(&account, now, &channels, self.offers_push()) {
            Some(challenge) => SignIn::Owed(Box::new(challenge)),
            None => SignIn::Done(by_password(account, now)),
        })
    }

    /// Checks the password of somebody signed in (before a guarded change); throttled like a sign-in.
    ///
    /// # Errors
    /// As [`Identity::authenticate`], without [`Refusal::Unconfirmed`].
    pub async fn check_password(
        &self,
        account: &AccountId,
        password: &SecretString,
        client: &Client,
        now: UnixMillis,
    ) -> Result<Authenticated, Refusal> {
        let place = self.inner.hasher.enter()?;
        let ledger = &self.inner.ledger;
        let found = ledger.credentials(&mut ledger.db().read().await?, account).await?;
        let candidates = Candidates { account: found, waiting: None };
        let step = self.first_step(&place, candidates, password);
        let judged = self.throttled(&account.0, client, now, step).await;
        Ok(by_password(self.noted(judged, Some(account), client, now)?, now))
    }

    /// Has a refusal written into the trail, which tells more than the asker hears.
    fn noted(
        &self,
        judged: Result<Account, Refusal>,
        known: Option<&AccountId>,
        client: &Client,
        now: UnixMillis,
    ) -> Result<Account, Refusal> {
        let (why, refusal) = match judged {
            // Disabled, or changed while the hash was made: to the asker the same as a wrong password.
            Err(Refusal::Stale) => (trail::DISABLED, Refusal::Mismatch),
            Err(Refusal::Mismatch) => (trail::WRONG_PASSWORD, Refusal::Mismatch),
            Err(Refusal::Throttled { until }) => (trail::THROTTLED, Refusal::Throttled { until }),
            other => return other,
        };
        self.note_refused(known, why, client, now);
        Err(refusal)
    }

    /// Counts the try before it is judged; takes it back when it was right, or never judged.
    async fn throttled(
        &self,
        subject: &str,
        client: &Client,
        now: UnixMillis,
        step: impl Future<Output = Result<Account, Refusal>>,
    ) -> Result<Account, Refusal> {
        let ticket = self.inner.throttle.admit(Purpose::Password, subject, client, now).await?;
        let outcome = step.await;
        match &outcome {
            Ok(_) => ticket.succeeded(now).await,
            // Dropped, the ticket stays counted.
            Err(Refusal::Mismatch | Refusal::Stale) => drop(ticket),
            Err(_) => ticket.undo(now).await,
        }
        outcome
    }

    async fn candidates(&self, canonical: &str, now: UnixMillis) -> Result<Candidates, Refusal> {
        let ledger = &self.inner.ledger;
        let by = Identifier::of(canonical);
        let mut tx = ledger.db().read().await?;
        let account = ledger.find(&mut tx, by).await?;
        let waiting = ledger.waiting(&mut tx, by, now).await?;
        Ok(Candidates { account, waiting })
    }

    async fn first_step(
        &self,
        place: &Place,
        candidates: Candidates,
        password: &SecretString,
    ) -> Result<Account, Refusal> {
        match self.owner(place, candidates, &normal(password)).await? {
            Owner::Account(id, generation) => match self.account(&id).await? {
                Some(account) if account.generation != generation => Err(Refusal::Stale),
                // Only now, that the password was right.
                Some(account) if account.waiting_since.is_some() => Err(Refusal::Waiting),
                Some(account) if !account.disabled => Ok(account),
                _ => Err(Refusal::Stale),
            },
            Owner::Waiting => Err(Refusal::Unconfirmed),
            Owner::Nobody => Err(Refusal::Mismatch),
        }
    }

    /// One hash for the account, there or not; one more only where a registration waits. A registration waits under a
    /// taken address as well, so neither answer nor time tells of an account.
    async fn owner(&self, place: &Place, candidates: Candidates, password: &SecretString) -> Result<Owner, Refusal> {
        let (id, generation, hash) = match candidates.account {
            Some(found) => (Some(AccountId(found.id.into())), found.generation, found.password_hash),
            None => (None, 0, self.inner.hasher.nobodys()),
        };
        let verified = place.verify(password, hash.clone()).await?;
        let waits = match candidates.waiting {
            Some(waiting) => place.verify(password, waiting).await? != Verified::Wrong,
            None => false,
        };
        match (id, verified) {
            (Some(id), Verified::Right) => Ok(Owner::Account(id, generation)),
            (Some(id), Verified::Outdated) => {
                self.rehash(place, &id, password, &hash).await;
                Ok(Owner::Account(id, generation))
            }
            _ if waits => Ok(Owner::Waiting),
            _ => Ok(Owner::Nobody),
        }
    }

    /// Brings a hash up to the settings. Best effort: the password was right either way.
    async fn rehash(&self, place: &Place, id: &AccountId, password: &SecretString, old: &str) {
        if let Err(error) = self.try_rehash(place, id, password, old).await {
            tracing::warn!(account = %id.0, error = &error as &dyn std::error::Error, "a password hash was not renewed");
        }
    }

    async fn try_rehash(
        &self,
        place: &Place,
        id: &AccountId,
        password: &SecretString,
        old: &str,
    ) -> Result<(), Refusal> {
        let hash = place.hash(password, &self.inner.entropy).await?;
        let ledger = &self.inner.ledger;
        let mut tx = ledger.db().write().await?;
        ledger.renew_hash(&mut tx, id, old, &hash).await?;
        Ok(tx.commit().await?)
    }
}

fn result(judged: &Result<SignIn, Refusal>) -> SignInResult {
    match judged {
        Ok(SignIn::Done(_)) => SignInResult::Done,
        Ok(SignIn::Owed(_)) => SignInResult::SecondFactor,
        Err(Refusal::Throttled { .. }) => SignInResult::Throttled,
        Err(Refusal::Busy { .. }) => SignInResult::Busy,
        Err(Refusal::Store(_)) => SignInResult::Failed,
        Err(_) => SignInResult::Refused,
    }
}

fn by_password(account: Account, at: UnixMillis) -> Authenticated {
    Authenticated::new(account, vec![Shown { method: Method::Pwd, at }])
}
