//! The sentences that several pages share: notices, alerts, and the ways a code can travel.

use std::time::Duration;

/// The way a code travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// A text message.
    Sms,
    /// A voice call.
    Call,
    /// A WhatsApp message.
    Whatsapp,
    /// To the account's confirmed address.
    Email,
}

impl Channel {
    /// The value of the form field `channel`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sms => "sms",
            Self::Call => "call",
            Self::Whatsapp => "whatsapp",
            Self::Email => "email",
        }
    }
}

/// Good or neutral news, shown above the content (`role=status`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice<'a> {
    /// A known cookie expired: "Your session ended. Sign in to go back to …" (the label, if any).
    SessionEnded(Option<&'a str>),
    /// After `logout`.
    SignedOut,
    /// After `password/reset`.
    PasswordReset,
    /// After `password`.
    PasswordChanged,
    /// After `register` without confirmation, and after `setup`.
    AccountReady,
    /// After `register/confirm`.
    EmailConfirmed,
    /// After `profile/edit`.
    ProfileSaved,
    /// After enrolling.
    FactorOn,
    /// After disabling.
    FactorOff,
    /// A flow that had expired or belonged to another tab begins anew.
    StartedAnew,
    /// A rule asks for a second factor and the person has none yet; the label of the place they wanted.
    FactorWanted(Option<&'a str>),
    /// A code was just sent again.
    SentAgain,
    /// SMS could not reach the number; a call is on its way.
    FellBackToCall,
}

/// Why the form came back (`role=alert`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alert<'a> {
    /// Wrong, unknown and disabled alike.
    Mismatch,
    /// The right password, but the address is not confirmed yet.
    Unconfirmed,
    /// Too many tries until then (unix milliseconds).
    Throttled {
        /// When the next try counts.
        until: i64,
    },
    /// All hashing places are taken.
    Busy {
        /// When to come back.
        retry_after: Duration,
    },
    /// The CSRF token did not fit: the page was old, or cookies changed.
    FormExpired,
    /// The flow no longer fits: it begins anew.
    StartOver,
    /// The current password is not right (change password, disable).
    WrongPassword,
    /// Not the code.
    WrongCode {
        /// Tries left.
        left: u32,
    },
    /// No more tries with this code.
    CodeSpent {
        /// When a new code may be asked for.
        until: i64,
    },
    /// The code expired or was used.
    CodeGone,
    /// "Send again" pressed too early.
    SentTooEarly {
        /// How long to wait.
        wait: Duration,
    },
    /// This channel cannot reach the number.
    Unreachable {
        /// The way tried.
        channel: Channel,
    },
    /// The provider does not take the number or address.
    BadDestination,
    /// Too many codes were sent to this number.
    SendLimit {
        /// When to try again, if known.
        until: Option<i64>,
    },
    /// The number or its country is blocked.
    Blocked,
    /// The provider of codes does not answer (or refuses our settings).
    CodesDown,
    /// The accounts database does not answer.
    StoreDown,
    /// Any other sentence.
    Say(&'a str),
}
