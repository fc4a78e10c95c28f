//! Mails of registration.

use std::time::Duration;

use super::MailBody;

/// To a new address.
#[derive(Clone, Copy, Debug)]
pub struct ConfirmRegistration<'a> {
    /// `portal.name`
    pub site_name: &'a str,
    /// "Ada"
    pub first_name: &'a str,
    /// Whole URL of `register/confirm?token=…`.
    pub link: &'a str,
    /// How long it lives.
    pub lives: Duration,
}

impl ConfirmRegistration<'_> {
    /// The mail.
    #[must_use]
    pub fn body(&self) -> MailBody {
        MailBody { subject: String::new(), text: String::new(), html: String::new() }
    }
}

/// To the owner of an address somebody tried to register with.
#[derive(Clone, Copy, Debug)]
pub struct AddressTaken<'a> {
    /// `portal.name`
    pub site_name: &'a str,
    /// "Ada"
    pub first_name: &'a str,
    /// Whole URL of `login`.
    pub login: &'a str,
    /// Whole URL of `password/forgot`.
    pub forgot: &'a str,
}

impl AddressTaken<'_> {
    /// The mail.
    #[must_use]
    pub fn body(&self) -> MailBody {
        MailBody { subject: String::new(), text: String::new(), html: String::new() }
    }
}
