//! Mails to people about their accounts: words by `templates`, links by the configuration.

use std::time::Duration;

use templates::mail::{self as words, MailBody};

use super::{Identity, account::Account, second_factor::words_of};
use crate::{
    mail::{Letter, Overfull},
    world::UnixMillis,
};

/// What ended with a change: whether there was any of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ended {
    /// Access tokens.
    pub(super) tokens: bool,
    /// Invitations that nobody had used.
    pub(super) invitations: bool,
}

/// What became of other ways in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outlived {
    /// They ended.
    Ended(Ended),
    /// So many access tokens still work.
    Working(usize),
}

impl Identity {
    /// Hands a mail to the post, worth sending for `patience`. An address that no longer parses (it did when it was written) is
    /// a mail less, no fault.
    pub(super) fn mail(&self, to: &str, body: MailBody, patience: Duration) -> Result<(), Overfull> {
        let Ok(to) = to.parse() else {
            tracing::warn!("an account's e-mail address cannot be written to");
            return Ok(());
        };
        self.inner.post.send(Letter { to, subject: body.subject, text: body.text, html: body.html, patience })
    }

    /// Tells the owner of a guarded change that is already done: a full queue cannot undo it.
    pub(super) fn tell(&self, account: &Account, body: MailBody) {
        if self.mail(&account.email, body, NOTICE).is_err() {
            tracing::warn!(account = %account.id.0, "the mail queue is full: a security notice was not sent");
        }
    }

    /// After a change or reset of the password, and what became of other ways in.
    pub(super) fn tell_password_changed(&self, account: &Account, others: Outlived, now: UnixMillis) {
        let settings = &self.inner.settings;
        let page = settings.link("tokens");
        let (tokens, invitations) = match others {
            Outlived::Ended(Ended { tokens, invitations }) => (words::Tokens::Ended(tokens), invitations),
            Outlived::Working(number) => (words::Tokens::Working(number, &page), false),
        };
        let masked: Vec<_> = account.factors.iter().map(|factor| account.masked(&factor.kind)).collect();
        let still_on = account.factors.iter().zip(&masked);
        let still_on: Vec<_> =
            still_on.map(|(factor, masked)| (words_of(&factor.kind, masked), factor.since.0)).collect();
        let body = words::PasswordChanged {
            site_name: &settings.portal.name,
            first_name: account.greeted(),
            tokens,
            invitations,
            at: now.0,
            forgot: &settings.link("password/forgot"),
            still_on: &still_on,
            security: &settings.link("second-factor"),
        };
        self.tell(account, body.body());
    }

    /// After the operator ended all access tokens and invitations, and nothing else of the account.
    pub(super) fn tell_ended(&self, account: &Account, ended: Ended, now: UnixMillis) {
        let settings = &self.inner.settings;
        let body = words::TokensEnded {
            site_name: &settings.portal.name,
            first_name: account.greeted(),
            any: ended.tokens,
            invitations: ended.invitations,
            at: now.0,
            tokens: &settings.link("tokens"),
            profile: &settings.link("profile"),
        };
        self.tell(account, body.body());
    }
}

/// A notice is worth reading for this long: days after, it is still news to somebody whose account was taken.
const NOTICE: Duration = Duration::from_hours(48);
