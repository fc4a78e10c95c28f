//! People from another system, with the hashes it kept of their passwords (`vestibule user import`).
//!
//! Each is judged as `vestibule user add` judges, except for the password, of which only the hash is there. All problems
//! are told together; either everybody comes in, in one transaction, or nobody.

mod judge;

use std::collections::HashSet;

use secrecy::SecretString;

use self::judge::{Candidate, Desk};
use super::{
    Identity, Refusal,
    account::Account,
    hasher::{Adopted, Unfit},
    ledger::Ledger,
    names::{Email, Identifier, Username},
    trail::Event,
};
use crate::{
    storage::{StoreError, Tx},
    world::UnixMillis,
};

/// Somebody as another system knows them.
#[derive(Clone, Debug, Default)]
pub struct Imported {
    /// Where they stand in the file, like `line 3`.
    pub at: String,
    /// `[a-z0-9._-]{2,32}` after folding case.
    pub username: String,
    /// An address.
    pub email: String,
    /// Whether that address counts as confirmed.
    pub confirmed: bool,
    /// 0–64 code points; the username stands for it when both names are empty.
    pub first_name: String,
    /// 0–64 code points.
    pub last_name: String,
    /// At most 100.
    pub groups: Vec<String>,
    /// The other system lets them do everything.
    pub superuser: bool,
    /// What the other system keeps of the password; empty for nothing.
    pub hash: SecretString,
    /// They shall not sign in.
    pub disabled: bool,
}

/// What the operator says of all of them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Terms {
    /// Only judge.
    pub dry_run: bool,
    /// Leave out who is here with the same name and address.
    pub skip_existing: bool,
    /// Whose hash is of no use comes in without a password.
    pub without_password: bool,
    /// Superusers, and members of a group called as the administrators' is here, may administrate.
    pub admins: bool,
}

/// How an import went (or would go).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// People who came in.
    pub imported: usize,
    /// Of these, who may administrate.
    pub administrators: usize,
    /// Of these, who cannot sign in.
    pub disabled: usize,
    /// Of these, who have no password yet.
    pub without_password: usize,
    /// Of these, superusers who may not administrate here.
    pub demoted: usize,
    /// Of these, who have to confirm their address.
    pub unconfirmed: usize,
    /// Who was here already.
    pub skipped: usize,
}

/// What is wrong with one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// [`Imported::at`]
    pub at: String,
    /// `username`, `email`, `first_name`, `last_name`, `groups`, `password_hash`, or empty.
    pub field: String,
    /// A sentence.
    pub message: String,
    /// What in [`Terms`] would let it pass.
    pub remedy: Option<Remedy>,
}

/// What of [`Terms`] would let somebody pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Remedy {
    /// [`Terms::skip_existing`]
    SkipExisting,
    /// [`Terms::without_password`]
    WithoutPassword,
    /// [`Terms::admins`]
    Admins,
}

/// Why nobody was imported.
#[derive(Debug, thiserror::Error)]
pub enum NotImported {
    /// What has to be mended, in the order of the people.
    #[error("the list has to be mended")]
    Problems(Vec<Problem>),
    /// The database's part, or ours.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl From<StoreError> for NotImported {
    fn from(error: StoreError) -> Self {
        Self::Refused(error.into())
    }
}

impl Identity {
    /// Brings everybody in, or nobody. `progress` hears how many are written, every thousand. Others' changes wait
    /// meanwhile: there is one writer at a time. With [`Terms::dry_run`] nothing is written and nobody waits.
    ///
    /// # Errors
    /// [`NotImported::Problems`] of all people, [`Refusal::Store`].
    pub async fn import(
        &self,
        people: Vec<Imported>,
        terms: Terms,
        now: UnixMillis,
        progress: impl Fn(usize),
    ) -> Result<Report, NotImported> {
        if people.len() > MOST_PEOPLE {
            let message = format!("A list holds at most {MOST_PEOPLE} people: split it.");
            let problem = Problem { at: String::new(), field: String::new(), message, remedy: None };
            return Err(NotImported::Problems(vec![problem]));
        }
        let mut desk = Desk::new(terms, &self.inner.settings.accounts.admin_group);
        // Parsed before the turn of writing begins: whoever writes meanwhile waits for nothing of it.
        let candidates: Vec<Candidate> = people.into_iter().map(|person| desk.judge(person)).collect();
        let ledger = &self.inner.ledger;
        let mut tx = if terms.dry_run { ledger.db().read().await? } else { ledger.db().write().await? };
        let mut skipped = HashSet::new();
        for (index, candidate) in candidates.iter().enumerate() {
            if !desk.judge_free(ledger, &mut tx, (index, candidate), now).await? {
                skipped.insert(index);
            }
        }
        desk.verdict(&skipped).map_err(NotImported::Problems)?;
        let coming = candidates.into_iter().enumerate().filter(|(index, _)| !skipped.contains(index));
        let mut report = Report { skipped: skipped.len(), ..Report::default() };
        for (_, candidate) in coming {
            report.count(&candidate);
            if !terms.dry_run {
                self.write(&mut tx, candidate, now).await?;
                if report.imported.is_multiple_of(1000) {
                    progress(report.imported);
                }
            }
        }
        if !terms.dry_run {
            tx.commit().await?;
        }
        Ok(report)
    }

    async fn write(&self, tx: &mut Tx, candidate: Candidate, now: UnixMillis) -> Result<(), NotImported> {
        // Without a problem, nothing is missing.
        let (Some(username), Some(email)) = (candidate.username, candidate.email) else { return Ok(()) };
        let account = Account {
            id: self.fresh_id(now)?,
            username: username.as_str().to_owned(),
            first_name: candidate.first_name,
            last_name: candidate.last_name,
            email: email.address().to_string(),
            email_confirmed: candidate.confirmed,
            about_me: String::new(),
            groups: candidate.groups,
            disabled: candidate.disabled,
            waiting_since: None,
            // Sites behind know them by it.
            chose_username: false,
            created_at: now,
            last_seen_at: None,
            factors: Vec::new(),
            asked_first: None,
            generation: 0,
        };
        let ledger = &self.inner.ledger;
        ledger.insert(tx, &account, email.key(), candidate.hash.as_str()).await?;
        let entry = self.by_operator(Event::Added, &account.id, now);
        ledger.append(tx, std::slice::from_ref(&entry)).await?;
        Ok(ledger.drop_registrations(tx, email.key(), username.as_str()).await?)
    }
}

impl Report {
    fn count(&mut self, person: &Candidate) {
        self.imported += 1;
        self.administrators += usize::from(person.administrates);
        self.disabled += usize::from(person.disabled);
        self.without_password += usize::from(person.hash == Adopted::none());
        self.demoted += usize::from(person.superuser && !person.administrates);
        self.unconfirmed += usize::from(!person.confirmed);
    }
}

/// In one list.
pub const MOST_PEOPLE: usize = 100_000;
