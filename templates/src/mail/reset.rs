//! The mail with the link to a new password.

use std::time::Duration;

use super::MailBody;

/// To a known address.
#[derive(Clone, Copy, Debug)]
pub struct ResetLink<'a> {
    /// `portal.name`
    pub site_name: &'a str,
    /// "Ada"
    pub first_name: &'a str,
    /// Without `@`: people forget it as well.
    pub username: &'a str,
    /// Whole URL of `password/reset?token=…`.
    pub link: &'a str,
    /// How long it lives.
    pub lives: Duration,
}

impl ResetLink<'_> {
    /// The mail.
    #[must_use]
    pub fn body(&self) -> MailBody {
        MailBody { subject: String::new(), text: String::new(), html: String::new() }
    }
}
