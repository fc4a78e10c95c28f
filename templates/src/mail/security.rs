//! Mails that tell the owner of a guarded change.

use super::{Letter, List, MailBody};
use crate::{
    Factor,
    time::{day_in_words, exact},
    words::still_work,
};

/// What became of access tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tokens<'a> {
    /// They ended with it, if there were any.
    Ended(bool),
    /// So many still work; whole URL of `tokens`: there they are revoked.
    Working(usize, &'a str),
}

/// After a change or a reset of the password.
#[derive(Clone, Copy, Debug)]
pub struct PasswordChanged<'a> {
    /// `portal.name`
    pub site_name: &'a str,
    /// "Ada"
    pub first_name: &'a str,
    /// Access tokens outlive a change, not a reset.
    pub tokens: Tokens<'a>,
    /// Invitations that nobody had used ended with it.
    pub invitations: bool,
    /// Unix milliseconds.
    pub at: i64,
    /// Whole URL of `password/forgot`: the way back in.
    pub forgot: &'a str,
    /// What else signs in, or guards, that account, and when each was added (unix milliseconds): a thief's is among them.
    pub still_on: &'a [(Factor<'a>, i64)],
    /// Whole URL of `second-factor`.
    pub security: &'a str,
}

/// After enrolling.
#[derive(Clone, Copy, Debug)]
pub struct FactorOn<'a> {
    /// `portal.name`
    pub site_name: &'a str,
    /// "Ada"
    pub first_name: &'a str,
    /// What was added.
    pub factor: Factor<'a>,
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
    /// Nothing but the password guards the account now.
    pub last: bool,
    /// Invitations that nobody had used ended with it.
    pub invitations: bool,
    /// Access tokens ended with it.
    pub tokens: bool,
    /// Unix milliseconds.
    pub at: i64,
    /// Whole URL of `password/forgot`.
    pub forgot: &'a str,
}

/// What became different of factors that stay on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FactorChange {
    /// A passkey has another name.
    PasskeyRenamed,
    /// Another way is asked first.
    AskedFirst,
}

/// After such a change.
#[derive(Clone, Copy, Debug)]
pub struct FactorChanged<'a> {
    /// `portal.name`
    pub site_name: &'a str,
    /// "Ada"
    pub first_name: &'a str,
    /// What changed.
    pub what: FactorChange,
    /// Unix milliseconds.
    pub at: i64,
    /// Whole URL of `second-factor`.
    pub security: &'a str,
}

impl FactorChanged<'_> {
    /// The mail.
    #[must_use]
    pub fn body(&self) -> MailBody {
        let (subject, what) = match self.what {
            FactorChange::PasskeyRenamed => {
                ("A passkey was renamed", "A passkey of your account was given another name")
            }
            FactorChange::AskedFirst => {
                ("What is asked first was changed", "What signing in to your account asks for first was changed")
            }
        };
        Letter {
            site_name: self.site_name,
            first_name: self.first_name,
            subject: format!("{subject} for {}", self.site_name),
            before: vec![format!("{what} at {} on {}.", self.site_name, exact(self.at))],
            link: ("Look at it", self.security),
            after: vec![
                "If this was you, there is nothing to do.".to_owned(),
                "If this wasn't you, change it back with the link above, change your password, and tell your administrator."
                    .to_owned(),
            ],
        }
        .body()
    }
}

/// What happened to recovery codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// New ones were made.
    Made,
    /// One signed somebody in.
    Used {
        /// How many are left.
        left: u32,
    },
}

/// After recovery codes were made, or one was used.
#[derive(Clone, Copy, Debug)]
pub struct RecoveryCodes<'a> {
    /// `portal.name`
    pub site_name: &'a str,
    /// "Ada"
    pub first_name: &'a str,
    /// What happened.
    pub what: Recovery,
    /// Unix milliseconds.
    pub at: i64,
    /// Whole URL of `password/forgot`.
    pub forgot: &'a str,
}

/// The sentence about invitations that ended.
pub(super) fn revoked(invitations: bool) -> &'static str {
    if invitations { " Invitations that you made and nobody had used are revoked." } else { "" }
}

impl RecoveryCodes<'_> {
    /// The mail.
    #[must_use]
    pub fn body(&self) -> MailBody {
        let (subject, before) = match self.what {
            Recovery::Made => (
                format!("New recovery codes for {}", self.site_name),
                format!(
                    "New recovery codes were made for your account at {} on {}. Older ones no longer work.",
                    self.site_name,
                    exact(self.at)
                ),
            ),
            Recovery::Used { left } => (
                format!("A recovery code was used for {}", self.site_name),
                format!(
                    "Somebody signed in to your account at {} on {} with your password and a recovery code. {}",
                    self.site_name,
                    exact(self.at),
                    match left {
                        0 => "None is left: make new ones on the Security page.".to_owned(),
                        1 => "One is left: make new ones on the Security page.".to_owned(),
                        left => format!("{left} are left."),
                    }
                ),
            ),
        };
        Letter {
            site_name: self.site_name,
            first_name: self.first_name,
            subject,
            before: vec![before],
            link: ("This wasn't me", self.forgot),
            after: vec![
                "If this was you, there is nothing to do.".to_owned(),
                "If this wasn't you, choose a new password at once with the link above, and tell your administrator."
                    .to_owned(),
            ],
        }
        .body()
    }
}

/// A passkey's counter went backwards.
#[derive(Clone, Copy, Debug)]
pub struct PasskeyCopied<'a> {
    /// `portal.name`
    pub site_name: &'a str,
    /// "Ada"
    pub first_name: &'a str,
    /// What its owner calls it.
    pub name: &'a str,
    /// Unix milliseconds.
    pub at: i64,
    /// Whole URL of `second-factor`.
    pub security: &'a str,
}

impl PasskeyCopied<'_> {
    /// The mail.
    #[must_use]
    pub fn body(&self) -> MailBody {
        Letter {
            site_name: self.site_name,
            first_name: self.first_name,
            subject: format!("A passkey for {} may have been copied", self.site_name),
            before: vec![format!(
                "On {} somebody tried to sign in to your account at {} with your passkey \u{201c}{}\u{201d}. It counts backwards, as a copy would, so nobody was let in.",
                exact(self.at),
                self.site_name,
                self.name
            )],
            link: ("Your passkeys", self.security),
            after: vec![
                "Remove that passkey with the link above, and add a new one.".to_owned(),
                "If this wasn't you, tell your administrator as well.".to_owned(),
            ],
        }
        .body()
    }
}

impl PasswordChanged<'_> {
    /// The mail.
    #[must_use]
    pub fn body(&self) -> MailBody {
        let line = |(factor, since): &(Factor<'_>, i64)| {
            let (what, name) = factor.called();
            format!("{what} {name}, added {}", day_in_words(*since))
        };
        let mut lists = Vec::new();
        if !self.still_on.is_empty() {
            lists.push(List {
                before: "These are still on, as they were before:".to_owned(),
                lines: self.still_on.iter().map(line).collect(),
                link: ("If you don't know one, remove it on the Security page:", self.security),
            });
        }
        if let Tokens::Working(number @ 1.., page) = self.tokens {
            lists.push(List {
                before: format!("{}: who has one comes in as you, without your password.", still_work(number)),
                lines: Vec::new(),
                link: ("If you don't know one, revoke it there:", page),
            });
        }
        Letter {
            site_name: self.site_name,
            first_name: self.first_name,
            subject: format!("Your password for {} was changed", self.site_name),
            before: vec![format!(
                "The password of your account at {} was changed on {}. Other devices were signed out{}.{}",
                self.site_name,
                exact(self.at),
                if self.tokens == Tokens::Ended(true) { ", and your access tokens stopped working" } else { "" },
                revoked(self.invitations)
            )],
            link: ("This wasn't me", self.forgot),
            after: vec![
                "If this was you, there is nothing to do.".to_owned(),
                "If this wasn't you, choose a new password at once with the link above, and tell your administrator."
                    .to_owned(),
            ],
        }
        .body_with(&lists)
    }
}

impl FactorOn<'_> {
    /// The mail.
    #[must_use]
    pub fn body(&self) -> MailBody {
        let asks = match self.factor {
            Factor::Code { channel, masked } => format!("a code that we send {} to {masked}", channel.by()),
            Factor::App => "a code from the authenticator app that was just added".to_owned(),
            Factor::Push { name } => format!("an approval on the phone \u{201c}{name}\u{201d}"),
            Factor::Passkey { name } => {
                format!("a second factor; the passkey \u{201c}{name}\u{201d} is one, and signs in alone")
            }
        };
        Letter {
            site_name: self.site_name,
            first_name: self.first_name,
            subject: format!("Two-factor authentication is on for {}", self.site_name),
            before: vec![format!(
                "Two-factor authentication was enabled for your account at {} on {}. From now on, signing in asks for {asks}.",
                self.site_name,
                exact(self.at),
            )],
            link: ("This wasn't me", self.forgot),
            after: vec![
                "If this was you, there is nothing to do.".to_owned(),
                "If this wasn't you, choose a new password with the link above, and tell your administrator: signing in now asks for something that you do not have.".to_owned(),
            ],
        }
        .body()
    }
}

impl FactorOff<'_> {
    /// The mail.
    #[must_use]
    pub fn body(&self) -> MailBody {
        let (subject, before) = if self.last {
            (
                format!("Two-factor authentication is off for {}", self.site_name),
                format!(
                    "Two-factor authentication was disabled for your account at {} on {}. From now on, your password alone signs you in.",
                    self.site_name,
                    exact(self.at)
                ),
            )
        } else {
            (
                format!("A second factor was removed for {}", self.site_name),
                format!(
                    "One of the second factors of your account at {} was removed on {}. Another one still guards it.",
                    self.site_name,
                    exact(self.at)
                ),
            )
        };
        let tokens = if self.tokens { " Your access tokens stopped working." } else { "" };
        Letter {
            site_name: self.site_name,
            first_name: self.first_name,
            subject,
            before: vec![before + tokens + revoked(self.invitations)],
            link: ("This wasn't me", self.forgot),
            after: vec![
                "If this was you, there is nothing to do.".to_owned(),
                "If this wasn't you, choose a new password with the link above, sign in, and enable it again."
                    .to_owned(),
            ],
        }
        .body()
    }
}
