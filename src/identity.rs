//! Who people are: accounts, passwords, second factors, links, throttles, and the outbox of guarded changes.
//!
//! [`Identity`] is the one door. The portal and the command line ask it; it answers in types that say whose
//! fault a refusal is. Answers never tell whether an account exists.
//!
//! Its methods stand where their subject is: `sign_in`, `register`, `invitation`, `approval`, `address`, `address_change`,
//! `setup`, `reset`, `profile`, `second_factor`, `access_token`, `people` and `import` (the command line), `administration`
//! (the portal's administrators), `outbox`, `trail`. SQL is in `ledger` only. OWASP Authentication, Password Storage and
//! Forgot Password Cheat Sheets; NIST SP 800-63B-4.

pub mod access_token;
pub mod account;
mod address;
mod address_change;
mod administration;
mod approval;
pub mod challenge;
mod devices;
mod export;
mod fields;
mod hasher;
pub mod import;
mod invitation;
mod leaving;
mod ledger;
mod letters;
mod limits;
pub mod names;
pub mod outbox;
pub mod password;
pub mod people;
pub mod phone;
mod profile;
mod proof;
mod refusal;
mod register;
mod reset;
mod second_factor;
mod setup;
mod sign_in;
pub mod throttle;
mod token;
pub mod trail;

#[cfg(test)]
mod contract;

use std::sync::Arc;

use ipnet::IpNet;

pub use self::second_factor::{
    Answer, AppEnrolment, AppSecret, MOST_PASSKEYS, PasskeyEnrolment, PasskeyLine, PasskeySignIn, Passkeys,
    PushEnrolment, RecoveryCodes,
};
use self::{account::AccountId, hasher::Hasher, ledger::Ledger, throttle::Throttle};
pub use self::{
    administration::Administration,
    export::{Export, KnownDevice},
    invitation::{Invitation, Invited, OpenInvitation, USUAL_DAYS},
    limits::Limits,
    proof::{Answered, Authenticated, Enrolled, Method, Shown, SignIn},
    refusal::{FieldError, Refusal},
};
use crate::{
    config::{
        accounts::{Accounts, Registration},
        password::Password,
        portal::Portal,
    },
    mail::Post,
    storage::Db,
    telemetry::metrics,
    verify::Verifier,
    world::{Entropy, UnixMillis, vault::Vault},
};

/// What a person types to register (`register`, `setup`).
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// 1–64 code points.
    pub first_name: String,
    /// 1–64 code points.
    pub last_name: String,
    /// `[a-z0-9._-]{2,32}` after folding case.
    pub username: String,
    /// An address.
    pub email: String,
    /// Typed once.
    pub password: secrecy::SecretString,
    /// Typed again.
    pub password_confirm: secrecy::SecretString,
}

/// What `profile/edit` can change.
#[derive(Clone, Debug)]
pub struct ProfileEdit {
    /// 1–64 code points.
    pub first_name: String,
    /// 1–64 code points.
    pub last_name: String,
    /// Only for accounts that chose their own.
    pub username: String,
    /// At most 140 code points.
    pub about_me: String,
}

/// How a registration ended.
#[derive(Debug)]
pub enum Registered {
    /// The account is active at once.
    Active(Box<account::Account>),
    /// A mail is on its way (to the owner of a taken address, too).
    MailSent,
    /// The account waits for an administrator's approval.
    Waiting,
}

/// The sections of the configuration this room works by.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Who may register, whether addresses are confirmed, which group administrates.
    pub accounts: Accounts,
    /// How long a password is and what its hash costs.
    pub password: Password,
    /// Where links in mails lead, and the site's name.
    pub portal: Portal,
    /// Seals the secrets of authenticator apps. Without it (commands) there are none.
    pub vault: Option<Arc<Vault>>,
    /// Knows passwords of breaches. Without it nobody is asked.
    pub breached: Option<Arc<password::Breached>>,
    /// Makes and asks for passkeys. Without it there are none.
    pub passkeys: Option<Arc<Passkeys>>,
    /// Where tries are counted. By default in memory only.
    pub limits: Limits,
}

/// The door of this room. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Identity {
    inner: Arc<Inner>,
    /// From where it is asked, where that is known: for the trail.
    network: Option<IpNet>,
}

/// What every part of the room works with.
#[derive(Debug)]
struct Inner {
    ledger: Ledger,
    settings: Settings,
    post: Post,
    verifier: Verifier,
    hasher: Hasher,
    throttle: Throttle,
    /// Which account each number waits for.
    pending: second_factor::Pending,
    /// Wrong codes of each account.
    tries: second_factor::Tries,
    entropy: Entropy,
    /// When each account's `last_seen_at` was last written by this process.
    seen: quick_cache::sync::Cache<AccountId, UnixMillis>,
    trail: trail::Waiting,
    measures: metrics::Accounts,
    /// What the provider is being told to forget.
    forgetting: tokio_util::task::TaskTracker,
}

impl Identity {
    /// Puts the room together. Reaches nothing yet: while the database is down every call is [`Refusal::Store`].
    #[must_use]
    pub fn new(db: Db, settings: Settings, post: Post, verifier: Verifier, entropy: Entropy) -> Self {
        let ledger = Ledger::new(db, &settings.accounts);
        let hasher = Hasher::new(&settings.password);
        let seen = quick_cache::sync::Cache::new(SEEN_REMEMBERED);
        let limits = &settings.limits;
        let throttle = Throttle::new(limits.clone());
        let pending = second_factor::Pending::new(limits.clone());
        let tries = second_factor::Tries::new(limits.clone());
        let trail = trail::Waiting::default();
        Self {
            inner: Arc::new(Inner {
                ledger,
                settings,
                post,
                verifier,
                hasher,
                throttle,
                pending,
                tries,
                entropy,
                forgetting: tokio_util::task::TaskTracker::new(),
                seen,
                trail,
                measures: metrics::Accounts::default(),
            }),
            network: None,
        }
    }

    /// Brings the tables up to date, and seals anew what an older secret sealed. The composition root repeats it until it
    /// succeeds.
    ///
    /// # Errors
    /// [`Refusal::Store`]
    pub async fn migrate(&self) -> Result<(), Refusal> {
        self.inner.ledger.db().migrate().await?;
        if let Err(error) = self.reseal().await {
            // Nobody shall wait for it: the previous secret still opens them.
            tracing::warn!(%error, "the secrets of authenticator apps were not sealed anew");
        }
        Ok(())
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// [`Refusal::Store`]
    pub async fn ready(&self) -> Result<(), Refusal> {
        Ok(self.inner.ledger.db().ready().await?)
    }

    /// Writes what waits, and closes the database: at the end of the program.
    pub async fn close(&self) {
        if let Err(error) = self.write_trail().await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the last entries of the trail are in the log only"
            );
        }
        self.inner.settings.limits.close().await;
        self.inner.ledger.db().close().await;
    }

    /// What this room counts.
    #[must_use]
    pub fn measures(&self) -> &metrics::Accounts {
        &self.inner.measures
    }

    /// Whether anyone may register, perhaps to wait for an approval.
    #[must_use]
    pub fn registration_open(&self) -> bool {
        matches!(self.inner.settings.accounts.registration, Registration::Open | Registration::Approve)
    }

    /// Whether who registers without an invitation waits for an administrator's approval.
    #[must_use]
    pub fn approves(&self) -> bool {
        self.inner.settings.accounts.registration == Registration::Approve
    }

    /// Whether invitations open a registration. Where it is closed, the operator alone adds people.
    #[must_use]
    pub fn takes_invitations(&self) -> bool {
        self.inner.settings.accounts.registration != Registration::Closed
    }

    /// The group whose members may administrate.
    #[must_use]
    pub fn admin_group(&self) -> &str {
        &self.inner.settings.accounts.admin_group
    }

    /// Shortest password, code points.
    #[must_use]
    pub fn password_min_length(&self) -> usize {
        self.inner.settings.password.min_length
    }
}

impl Settings {
    /// The whole URL of a portal page. Its host comes from the configuration, never from a request.
    fn link(&self, page: &str) -> String {
        format!("{}{}/{page}", self.portal.url.origin(), self.portal.path)
    }
}

const SEEN_REMEMBERED: usize = 10_000;
