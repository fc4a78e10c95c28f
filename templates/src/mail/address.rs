//! Mails about a change of an account's address.

use std::time::Duration;

use super::{Letter, MailBody};
use crate::time::{exact, span};

/// To a new address. Greets nobody: whoever typed the address need not be its owner.
#[derive(Clone, Copy, Debug)]
pub struct ChangeAddress<'a> {
    /// `portal.name`
    pub site_name: &'a str,
    /// Without `@`: whose address it is to be.
    pub username: &'a str,
    /// Whole URL of `email/change?token=…`.
    pub link: &'a str,
    /// How long it lives.
    pub lives: Duration,
}

/// To the old address, after a change.
#[derive(Clone, Copy, Debug)]
pub struct AddressChanged<'a> {
    /// `portal.name`
    pub site_name: &'a str,
    /// "Ada"
    pub first_name: &'a str,
    /// The new address: `a•••@example.org`
    pub masked: &'a str,
    /// Unix milliseconds.
    pub at: i64,
    /// Whole URL of `email/undo?token=…`.
    pub undo: &'a str,
    /// How long it lives.
    pub lives: Duration,
}

/// To an address that somebody wants to use while it is held for its former owner.
#[derive(Clone, Copy, Debug)]
pub struct AddressHeld<'a> {
    /// `portal.name`
    pub site_name: &'a str,
    /// Whole URL of `login`.
    pub login: &'a str,
}

impl ChangeAddress<'_> {
    /// The mail.
    #[must_use]
    pub fn body(&self) -> MailBody {
        Letter {
            site_name: self.site_name,
            first_name: "",
            subject: format!("Confirm your new e-mail for {}", self.site_name),
            before: vec![format!(
                "{} at {} asked to change their e-mail to this address. It changes once you confirm it.",
                self.username, self.site_name
            )],
            link: ("Change e-mail", self.link),
            after: vec![
                format!("The link works once, for {}. A newer link replaces it.", span(self.lives)),
                "If this wasn't you, do nothing: nothing is changed then.".to_owned(),
            ],
        }
        .body()
    }
}

impl AddressChanged<'_> {
    /// The mail.
    #[must_use]
    pub fn body(&self) -> MailBody {
        Letter {
            site_name: self.site_name,
            first_name: self.first_name,
            subject: format!("Your e-mail for {} was changed", self.site_name),
            before: vec![format!(
                "The e-mail of your account at {} is now {}, since {}. Mails no longer come here.",
                self.site_name,
                self.masked,
                exact(self.at)
            )],
            link: ("Undo the change", self.undo),
            after: vec![
                "If this was you, there is nothing to do.".to_owned(),
                "If this wasn't you, undo it at once: every device is signed out, second factors added lately go, and you choose a new password.".to_owned(),
                format!("The link works once, for {}, however often the e-mail is changed meanwhile.", span(self.lives)),
            ],
        }
        .body()
    }
}

impl AddressHeld<'_> {
    /// The mail.
    #[must_use]
    pub fn body(&self) -> MailBody {
        Letter {
            site_name: self.site_name,
            first_name: "",
            subject: format!("This address is not free yet at {}", self.site_name),
            before: vec![format!(
                "Somebody, perhaps you, wanted to use this address at {}. It was an account's until a few days ago, so it is kept for seven days, in case the change is undone.",
                self.site_name
            )],
            link: ("Sign in", self.login),
            after: vec![
                "To undo the change, follow the link in the mail that told you of it.".to_owned(),
                "If this wasn't you, do nothing.".to_owned(),
            ],
        }
        .body()
    }
}
