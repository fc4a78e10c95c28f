//! Mails that tell the owner of a guarded change.

use super::MailBody;
use crate::Channel;

/// After a change or a reset of the password.
#[derive(Clone, Copy, Debug)]
pub struct PasswordChanged<'a> {
    /// `portal.name`
    pub site_name: &'a str,
    /// "Ada"
    pub first_name: &'a str,
    /// Unix milliseconds.
    pub at: i64,
    /// Whole URL of `password/forgot`: the way back in.
    pub forgot: &'a str,
}

/// After enrolling.
#[derive(Clone, Copy, Debug)]
pub struct FactorOn<'a> {
    /// `portal.name`
    pub site_name: &'a str,
    /// "Ada"
    pub first_name: &'a str,
    /// The preferred way.
    pub channel: Channel,
    /// `•••• 42`
    pub masked: &'a str,
    /// Unix milliseconds.
    pub at: i64,
    /// Whole URL of `password/forgot`.
    pub forgot: &'a str,
}

/// After disabling.
#[derive(Clone, Copy, Debug)]
pub struct FactorOff<'a> {
    /// `portal.name`
    pub site_name: &'a str,
    /// "Ada"
    pub first_name: &'a str,
    /// Unix milliseconds.
    pub at: i64,
    /// Whole URL of `password/forgot`.
    pub forgot: &'a str,
}

impl PasswordChanged<'_> {
    /// The mail.
    #[must_use]
    pub fn body(&self) -> MailBody {
        MailBody { subject: String::new(), text: String::new(), html: String::new() }
    }
}

impl FactorOn<'_> {
    /// The mail.
    #[must_use]
    pub fn body(&self) -> MailBody {
        MailBody { subject: String::new(), text: String::new(), html: String::new() }
    }
}

impl FactorOff<'_> {
    /// The mail.
    #[must_use]
    pub fn body(&self) -> MailBody {
        MailBody { subject: String::new(), text: String::new(), html: String::new() }
    }
}
