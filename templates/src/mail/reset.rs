//! The mail with the link to a new password.

use std::time::Duration;

use super::{Letter, MailBody, security::revoked};
use crate::time::span;

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
    /// Invitations that nobody had used were just revoked.
    pub invitations: bool,
}

impl ResetLink<'_> {
    /// The mail.
    #[must_use]
    pub fn body(&self) -> MailBody {
        Letter {
            site_name: self.site_name,
            first_name: self.first_name,
            subject: format!("Choose a new password for {}", self.site_name),
            before: vec![format!(
                "You asked for a new password at {}. Your username there is {}.{}",
                self.site_name,
                self.username,
                revoked(self.invitations)
            )],
            link: ("Choose a new password", self.link),
            after: vec![
                format!("The link works once, for {}. A newer link replaces it.", span(self.lives)),
                "If this wasn't you, do nothing: your password stays as it is.".to_owned(),
            ],
        }
        .body()
    }
}
