//! The mail with the link to a new password.

use std::time::Duration;

use super::{Letter, MailBody, security::revoked};
use crate::time::span;

/// Why somebody is to choose a new password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// They, or somebody, asked for it.
    Asked,
    /// The change of their address was undone, which ended the password.
    Undone {
        /// Access tokens ended with it.
        tokens: bool,
        /// Invitations that nobody had used ended with it.
        invitations: bool,
    },
}

/// To a known address.
#[derive(Clone, Copy, Debug)]
pub struct ResetLink<'a> {
    /// `portal.name`
    pub site_name: &'a str,
    /// "Ada"
    pub first_name: &'a str,
    /// Without `@`: people forget it as well.
    pub username: &'a str,
    /// What it comes of.
    pub why: Why,
    /// Whole URL of `password/reset?token=…`.
    pub link: &'a str,
    /// How long it lives.
    pub lives: Duration,
}

impl ResetLink<'_> {
    /// The mail.
    #[must_use]
    pub fn body(&self) -> MailBody {
        let (before, otherwise) = match self.why {
            Why::Asked => (
                format!("You asked for a new password at {}.", self.site_name),
                "If this wasn't you, do nothing: your password stays as it is.",
            ),
            Why::Undone { tokens, invitations } => (
                format!(
                    "The change of your e-mail address at {} was undone: it is this one again. Every device was signed out, and your password{} stopped working.{}",
                    self.site_name,
                    if tokens { " and your access tokens" } else { "" },
                    revoked(invitations)
                ),
                "If this wasn't you, tell your administrator: somebody else reads your mails.",
            ),
        };
        Letter {
            site_name: self.site_name,
            first_name: self.first_name,
            subject: format!("Choose a new password for {}", self.site_name),
            before: vec![format!("{before} Your username there is {}.", self.username)],
            link: ("Choose a new password", self.link),
            after: vec![
                format!("The link works once, for {}. A newer link replaces it.", span(self.lives)),
                otherwise.to_owned(),
            ],
        }
        .body()
    }
}
