//! Proofs of a sign-in: which factors were shown, and when. Only this room makes them.

use super::{
    account::{Account, Factor},
    challenge::Challenge,
    outbox::RowId,
};
use crate::world::UnixMillis;

/// Proof that somebody showed every factor their account asks for. Consumed by `session.start`.
///
/// Not `Clone`, and only this room makes one.
#[derive(Debug)]
pub struct Authenticated {
    /// Boxed: results carry proofs by value.
    account: Box<Account>,
    factors: Vec<Shown>,
}

impl Authenticated {
    /// Only after the checks: `factors` were shown by the owner of `account`.
    pub(super) fn new(account: Account, factors: Vec<Shown>) -> Self {
        Self { account: Box::new(account), factors }
    }

    /// A proof that other rooms' tests may hold.
    #[cfg(test)]
    pub(crate) fn for_testing(account: Account, factors: Vec<Shown>) -> Self {
        Self::new(account, factors)
    }

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
        (*self.account, self.factors)
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
    /// A software-secured key: an approval in the operator's app. Where that app keeps its key nobody here can see, so no
    /// more is claimed.
    Swk,
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
            Self::Swk => "swk",
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
    /// Not what was asked of a passkey.
    Failed,
    /// Nobody answered on the telephone yet.
    Pending,
    /// Its owner said no on the telephone.
    Denied {
        /// When they may be asked again.
        until: UnixMillis,
    },
    /// No more tries until then, or another way.
    Spent {
        /// When a new code may be asked for.
        until: UnixMillis,
    },
    /// The code expired or was used: ask for a new one.
    Gone,
}

/// The result of an enrolment's answer.
#[derive(Debug)]
pub enum Enrolled {
    /// The factor is on. The proof lets the session step up.
    Done(Factor, Authenticated, RowId),
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
