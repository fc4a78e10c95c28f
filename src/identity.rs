//! Who people are: accounts, passwords, second factors, links, throttles, and the outbox of guarded changes.
//!
//! [`Identity`] is the one door. The portal and the command line ask it; it answers in types that say whose
//! fault a refusal is. Answers never tell whether an account exists.

pub mod account;
pub mod challenge;
pub mod outbox;

use std::time::Duration;

use secrecy::SecretString;

use self::{
    account::{Account, AccountId, Factor},
    challenge::{Challenge, Enrolment},
};
use crate::{config::verify::Channel, inbound::Client, verify::VerifyError, world::UnixMillis};

/// Proof that somebody showed every factor their account asks for. Consumed by `session.start`.
///
/// Not `Clone`, and only this room makes one.
#[derive(Debug)]
pub struct Authenticated {
    account: Account,
    factors: Vec<Shown>,
}

impl Authenticated {
    /// Whose sign-in this was, as the account stood then.
    #[must_use]
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// What was shown, oldest first.
    #[must_use]
    pub fn factors(&self) -> &[Shown] {
        &self.factors
    }

    /// Takes the proof apart, at its one use.
    #[must_use]
    pub fn into_parts(self) -> (Account, Vec<Shown>) {
        (self.account, self.factors)
    }
}

/// One authentication method and when it was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Shown {
    /// RFC 8176.
    pub method: Method,
    /// When the check succeeded.
    pub at: UnixMillis,
}

/// Authentication method reference values (RFC 8176 `amr`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// A password.
    Pwd,
    /// A code by text message (or another message to the number).
    Sms,
    /// A code by telephone call.
    Tel,
    /// A one-time password (authenticator app; e-mailed code).
    Otp,
    /// A hardware-bound key.
    Hwk,
}

impl Method {
    /// The registered value.
    #[must_use]
    pub fn amr(self) -> &'static str {
        match self {
            Self::Pwd => "pwd",
            Self::Sms => "sms",
            Self::Tel => "tel",
            Self::Otp => "otp",
            Self::Hwk => "hwk",
        }
    }
}

/// The first step's result.
#[derive(Debug)]
pub enum SignIn {
    /// No second factor is set.
    Done(Authenticated),
    /// The password was right; the second factor is owed.
    Owed(Box<Challenge>),
}

/// The second step's result.
#[derive(Debug)]
pub enum Answered {
    /// Every factor shown.
    Done(Authenticated),
    /// Not the code.
    Wrong {
        /// Tries left with this code.
        left: u32,
    },
    /// No more tries until then, or another way.
    Spent {
        /// When a new code may be asked for.
        until: UnixMillis,
    },
    /// The code expired or was used: ask for a new one.
    Gone,
}

/// One form field and what is wrong with it, in words for its page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// The form's field name.
    pub field: &'static str,
    /// A sentence.
    pub message: String,
}

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// What was typed has to be mended; one or more fields.
    #[error("the form has to be mended")]
    Fields(Vec<FieldError>),
    /// Wrong, unknown and disabled alike.
    #[error("that name and password do not match")]
    Mismatch,
    /// The right password, but the address is not confirmed yet.
    #[error("the e-mail address is not confirmed yet")]
    Unconfirmed,
    /// Registration is not open.
    #[error("registration is closed")]
    Closed,
    /// Too many tries by this account or network.
    #[error("too many tries")]
    Throttled {
        /// When the next try counts.
        until: UnixMillis,
    },
    /// A link that is unknown, used, expired or replaced.
    #[error("the link is dead")]
    DeadLink,
    /// The account is gone or disabled meanwhile, or the flow no longer fits it.
    #[error("the flow no longer fits the account")]
    Stale,
    /// All hashing places are taken: 503 with `Retry-After`.
    #[error("too many sign-ins at once")]
    Busy {
        /// When to come back.
        retry_after: Duration,
    },
    /// The code provider's part.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// The accounts database's part: 503.
    #[error("the accounts database is not reachable")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
}

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
    pub password: SecretString,
    /// Typed again.
    pub password_confirm: SecretString,
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
    Active(Box<Account>),
    /// A mail is on its way (to the owner of a taken address, too).
    MailSent,
}

/// The door of this room. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Identity {}

#[expect(clippy::todo, clippy::unused_async, unused_variables, reason = "being laid")]
impl Identity {
    /// Whether anyone may register.
    pub fn registration_open(&self) -> bool {
        todo!()
    }
    /// Shortest password, code points.
    pub fn password_min_length(&self) -> usize {
        todo!()
    }

    /// Registers a person. Fields are judged all at once.
    pub async fn register(&self, new: NewAccount, client: &Client, now: UnixMillis) -> Result<Registered, Refusal> {
        todo!()
    }
    /// Whether a confirmation link is alive; consumes nothing (mail scanners GET it).
    pub async fn confirmation_alive(&self, token: &str, now: UnixMillis) -> Result<(), Refusal> {
        todo!()
    }
    /// Redeems a confirmation link: creates the account.
    pub async fn confirm(&self, token: &str, now: UnixMillis) -> Result<Account, Refusal> {
        todo!()
    }

    /// Whether a setup link is alive.
    pub async fn setup_alive(&self, token: &str, now: UnixMillis) -> Result<(), Refusal> {
        todo!()
    }
    /// Redeems the setup link: creates the first administrator, once, even when raced.
    pub async fn redeem_setup(
        &self,
        token: &str,
        new: NewAccount,
        client: &Client,
        now: UnixMillis,
    ) -> Result<Account, Refusal> {
        todo!()
    }
    /// A fresh setup token while there is no administrator; `None` once there is one. Older ones die.
    pub async fn setup_token(&self, now: UnixMillis) -> Result<Option<String>, Refusal> {
        todo!()
    }

    /// The first step: name or address, and password.
    pub async fn authenticate(
        &self,
        identifier: &str,
        password: &SecretString,
        client: &Client,
        now: UnixMillis,
    ) -> Result<SignIn, Refusal> {
        todo!()
    }
    /// Sends (or sends again, or switches to `channel`) the challenge's code; SMS that cannot reach falls back to a call.
    pub async fn send(
        &self,
        challenge: &mut Challenge,
        channel: Option<Channel>,
        client: &Client,
        now: UnixMillis,
    ) -> Result<(), Refusal> {
        todo!()
    }
    /// The second step. Counts wrong answers per account, across restarted sign-ins.
    pub async fn answer(
        &self,
        challenge: &mut Challenge,
        code: &str,
        client: &Client,
        now: UnixMillis,
    ) -> Result<Answered, Refusal> {
        todo!()
    }
    /// Checks the password of somebody signed in (before a guarded change); throttled like a sign-in.
    pub async fn check_password(
        &self,
        account: &AccountId,
        password: &SecretString,
        client: &Client,
        now: UnixMillis,
    ) -> Result<Authenticated, Refusal> {
        todo!()
    }

    /// The account as it stands now.
    pub async fn account(&self, id: &AccountId) -> Result<Option<Account>, Refusal> {
        todo!()
    }
    /// Writes `last_seen_at`, at most once a minute.
    pub async fn seen(&self, id: &AccountId, now: UnixMillis) -> Result<(), Refusal> {
        todo!()
    }
    /// Changes names and about me. Returns the outbox row that carries it to the sessions.
    pub async fn edit_profile(
        &self,
        id: &AccountId,
        edit: ProfileEdit,
        now: UnixMillis,
    ) -> Result<outbox::RowId, Refusal> {
        todo!()
    }
    /// Changes the password (the current one was checked: `proof`), ends all other sessions, mails the owner.
    pub async fn change_password(
        &self,
        proof: &Authenticated,
        password: SecretString,
        confirm: SecretString,
        now: UnixMillis,
    ) -> Result<outbox::RowId, Refusal> {
        todo!()
    }

    /// Sends a reset link if the address is known; says nothing either way.
    pub async fn forgot(&self, email: &str, client: &Client, now: UnixMillis) -> Result<(), Refusal> {
        todo!()
    }
    /// Whether a reset link is alive; consumes nothing.
    pub async fn reset_alive(&self, token: &str, now: UnixMillis) -> Result<(), Refusal> {
        todo!()
    }
    /// Redeems a reset link: sets the password, ends every session. Never signs in.
    pub async fn reset(
        &self,
        token: &str,
        password: SecretString,
        confirm: SecretString,
        now: UnixMillis,
    ) -> Result<outbox::RowId, Refusal> {
        todo!()
    }

    /// Channels the Verify service offers, in the order shown. Empty when the second factor is off.
    pub fn channels(&self) -> Vec<Channel> {
        todo!()
    }
    /// Starts enrolling a phone: parses the number, sends the code.
    pub async fn enrol(
        &self,
        account: &AccountId,
        country: &str,
        phone: &str,
        channel: Channel,
        client: &Client,
        now: UnixMillis,
    ) -> Result<Enrolment, Refusal> {
        todo!()
    }
    /// Sends the enrolment's code again or another way.
    pub async fn enrol_send(
        &self,
        enrolment: &mut Enrolment,
        channel: Option<Channel>,
        client: &Client,
        now: UnixMillis,
    ) -> Result<(), Refusal> {
        todo!()
    }
    /// Answers an enrolment. `Done` means: the factor is on, other sessions end (outbox), the owner is mailed.
    pub async fn enrol_answer(
        &self,
        enrolment: &mut Enrolment,
        code: &str,
        client: &Client,
        now: UnixMillis,
    ) -> Result<Enrolled, Refusal> {
        todo!()
    }
    /// Turns the second factor off (the password was checked: `proof`), ends other sessions, mails the owner.
    pub async fn disable_factor(&self, proof: &Authenticated, now: UnixMillis) -> Result<outbox::RowId, Refusal> {
        todo!()
    }

    /// The oldest outbox rows not yet applied.
    pub async fn changes(&self, limit: u32) -> Result<Vec<outbox::Row>, Refusal> {
        todo!()
    }
    /// Removes an applied row.
    pub async fn applied(&self, row: outbox::RowId) -> Result<(), Refusal> {
        todo!()
    }
    /// Whether the database answers.
    pub async fn ready(&self) -> Result<(), Refusal> {
        todo!()
    }
}

/// The result of an enrolment's answer.
#[derive(Debug)]
pub enum Enrolled {
    /// The factor is on. The proof lets the session step up.
    Done(Factor, Authenticated, outbox::RowId),
    /// Not the code.
    Wrong {
        /// Tries left.
        left: u32,
    },
    /// No more tries until then.
    Spent {
        /// When a new code may be asked for.
        until: UnixMillis,
    },
    /// Expired or used.
    Gone,
}
