//! Mails about access tokens.

use super::{Letter, MailBody, security::revoked};
use crate::time::exact;

/// After one was made.
#[derive(Clone, Copy, Debug)]
pub struct TokenMade<'a> {
    /// `portal.name`
    pub site_name: &'a str,
    /// "Ada"
    pub first_name: &'a str,
    /// What it is called; may be empty.
    pub name: &'a str,
    /// Unix milliseconds.
    pub at: i64,
    /// Unix milliseconds.
    pub expires: i64,
    /// Whole URL of `tokens`: there it is revoked.
    pub tokens: &'a str,
}

impl TokenMade<'_> {
    /// The mail.
    #[must_use]
    pub fn body(&self) -> MailBody {
        let name = if self.name.is_empty() { String::new() } else { format!(" \u{201c}{}\u{201d}", self.name) };
        Letter {
            site_name: self.site_name,
            first_name: self.first_name,
            subject: format!("A new access token for {}", self.site_name),
            before: vec![format!(
                "An access token{name} was made for your account at {} on {}. Until {}, programs that have it come in as you.",
                self.site_name,
                exact(self.at),
                exact(self.expires)
            )],
            link: ("See your access tokens", self.tokens),
            after: vec![
                "If this was you, there is nothing to do.".to_owned(),
                "If this wasn't you, revoke it with the link above, change your password, and tell your administrator."
                    .to_owned(),
            ],
        }
        .body()
    }
}

/// After the operator ended them all, and invitations that nobody had used.
#[derive(Clone, Copy, Debug)]
pub struct TokensEnded<'a> {
    /// `portal.name`
    pub site_name: &'a str,
    /// "Ada"
    pub first_name: &'a str,
    /// There were some. `invitations` are said as well.
    pub any: bool,
    /// There were invitations.
    pub invitations: bool,
    /// Unix milliseconds.
    pub at: i64,
    /// Whole URL of `tokens`: there new ones are made.
    pub tokens: &'a str,
    /// Whole URL of the profile.
    pub profile: &'a str,
}

impl TokensEnded<'_> {
    /// The mail.
    #[must_use]
    pub fn body(&self) -> MailBody {
        let Self { site_name, .. } = self;
        let (subject, before, link) = if self.any {
            (
                format!("Your access tokens for {site_name} stopped working"),
                format!(
                    "The administrator ended the access tokens of your account at {site_name} on {}, and signed you out everywhere. Programs that have one of them come in no more.",
                    exact(self.at)
                ),
                ("Make new ones", self.tokens),
            )
        } else {
            (
                format!("Your invitations to {site_name} stopped working"),
                format!("The administrator signed you out everywhere at {site_name} on {}.", exact(self.at)),
                ("See your profile", self.profile),
            )
        };
        Letter {
            site_name,
            first_name: self.first_name,
            subject,
            before: vec![before + revoked(self.invitations)],
            link,
            after: vec!["If this wasn't you who asked for it, ask your administrator why.".to_owned()],
        }
        .body()
    }
}
