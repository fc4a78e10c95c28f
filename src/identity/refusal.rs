//! Why something was not done, named by whose part it is.

use std::time::Duration;

use crate::{
    mail::Overfull,
    storage::{StoreError, redis::Unreachable},
    verify::VerifyError,
    world::{NoEntropy, UnixMillis},
};

/// One form field and what is wrong with it, in words for its page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// The form's field name.
    pub field: &'static str,
    /// A sentence.
    pub message: String,
}

impl FieldError {
    pub(super) fn new(field: &'static str, message: impl Into<String>) -> Self {
        Self { field, message: message.into() }
    }
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
    /// The right password, but no administrator approved the account yet.
    #[error("the account waits for an administrator's approval")]
    Waiting,
    /// Only who brings an invitation may register.
    #[error("registration needs an invitation")]
    InvitationOnly,
    /// So many accounts wait for an approval that no more may.
    #[error("too many accounts wait for an administrator's approval")]
    Full,
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
    /// The last administrator cannot be removed, disabled or demoted.
    #[error("this is the last administrator: make somebody else one first")]
    LastAdministrator,
    /// All hashing places are taken, or too many mails wait to leave: 503 with `Retry-After`.
    #[error("too much at once")]
    Busy {
        /// When to come back.
        retry_after: Duration,
    },
    /// The code provider's part.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// A store's part, mostly the accounts database's: 503.
    #[error("a store is not reachable")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Our own part: 500.
    #[error("something failed that should not")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Refusal {
    /// One field's fault.
    pub(super) fn field(field: &'static str, message: impl Into<String>) -> Self {
        Self::Fields(vec![FieldError::new(field, message)])
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Store(Box::new(error))
    }
}

/// What was tried is counted where sessions are kept.
impl From<Unreachable> for Refusal {
    fn from(error: Unreachable) -> Self {
        Self::Store(Box::new(error))
    }
}

impl From<NoEntropy> for Refusal {
    fn from(error: NoEntropy) -> Self {
        Self::Internal(Box::new(error))
    }
}

impl From<Overfull> for Refusal {
    fn from(_: Overfull) -> Self {
        Self::Busy { retry_after: Duration::from_mins(1) }
    }
}
