//! Mails of registration, and of an address confirmed later.

use std::time::Duration;

use super::{Letter, MailBody};
use crate::time::span;

/// To a new address. Names nobody: whoever typed the address chose the name, and the mail goes to anybody.
#[derive(Clone, Copy, Debug)]
pub struct ConfirmRegistration<'a> {
    /// `portal.name`
    pub site_name: &'a str,
    /// Whole URL of `register/confirm?token=…`.
    pub link: &'a str,
    /// How long it lives.
    pub lives: Duration,
}

impl ConfirmRegistration<'_> {
    /// The mail.
    #[must_use]
    pub fn body(&self) -> MailBody {
        Letter {
            site_name: self.site_name,
            first_name: "",
            subject: format!("Confirm your e-mail for {}", self.site_name),
            before: vec![format!(
                "You asked for an account at {}. One step is left: confirm that this is your address.",
                self.site_name
            )],
            link: ("Confirm e-mail", self.link),
            after: vec![
                format!("The link works once, for {}.", span(self.lives)),
                "If this wasn't you, do nothing: without the link no account is made.".to_owned(),
            ],
        }
        .body()
    }
}

/// To the unconfirmed address of an account that is there already.
#[derive(Clone, Copy, Debug)]
pub struct ConfirmAddress<'a> {
    /// `portal.name`
    pub site_name: &'a str,
    /// "Ada"
    pub first_name: &'a str,
    /// Without `@`: whose address it is said to be.
    pub username: &'a str,
    /// Whole URL of `email/confirm?token=…`.
    pub link: &'a str,
    /// How long it lives.
    pub lives: Duration,
}

impl ConfirmAddress<'_> {
    /// The mail.
    #[must_use]
    pub fn body(&self) -> MailBody {
        Letter {
            site_name: self.site_name,
            first_name: self.first_name,
            subject: format!("Confirm your e-mail for {}", self.site_name),
            before: vec![format!(
                "{} at {} says that this is their address. Confirm it, and the sites behind may know it.",
                self.username, self.site_name
            )],
            link: ("Confirm e-mail", self.link),
            after: vec![
                format!("The link works once, for {}. A newer link replaces it.", span(self.lives)),
                "If this wasn't you, do nothing: the address stays unconfirmed.".to_owned(),
            ],
        }
        .body()
    }
}

/// What somebody wanted with an address that is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// To register with it.
    Register,
    /// To change another account's address to it.
    Change,
}

/// To the owner of an address somebody tried to register with, or to change to.
#[derive(Clone, Copy, Debug)]
pub struct AddressTaken<'a> {
    /// `portal.name`
    pub site_name: &'a str,
    /// "Ada"
    pub first_name: &'a str,
    /// What somebody wanted.
    pub claim: Claim,
    /// Whole URL of `login`.
    pub login: &'a str,
    /// Whole URL of `password/forgot`.
    pub forgot: &'a str,
}

impl AddressTaken<'_> {
    /// The mail.
    #[must_use]
    pub fn body(&self) -> MailBody {
        Letter {
            site_name: self.site_name,
            first_name: self.first_name,
            subject: format!("You already have an account at {}", self.site_name),
            before: vec![match self.claim {
                Claim::Register => format!(
                    "Somebody, perhaps you, tried to register at {} with this address. It already has an account, so no new one was made.",
                    self.site_name
                ),
                Claim::Change => format!(
                    "Somebody, perhaps you, tried to give this address to another account at {}. It already has one, so nothing was changed.",
                    self.site_name
                ),
            }],
            link: ("Sign in", self.login),
            after: vec![
                format!("Forgot your password? Choose a new one at {}", self.forgot),
                "If this wasn't you, do nothing: your account is unchanged.".to_owned(),
            ],
        }
        .body()
    }
}
