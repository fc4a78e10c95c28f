//! Mails about accounts that somebody else has to let in.

use std::time::Duration;

use super::{Letter, MailBody};
use crate::time::{exact, span};

/// To somebody an administrator invited. Names nobody: the address may be mistyped.
#[derive(Clone, Copy, Debug)]
pub struct Invitation<'a> {
    /// `portal.name`
    pub site_name: &'a str,
    /// Whole URL of `register?invitation=…`.
    pub link: &'a str,
    /// How long it lives.
    pub lives: Duration,
}

impl Invitation<'_> {
    /// The mail.
    #[must_use]
    pub fn body(&self) -> MailBody {
        Letter {
            site_name: self.site_name,
            first_name: "",
            subject: format!("You are invited to {}", self.site_name),
            before: vec![format!("An administrator of {} invites you to make an account there.", self.site_name)],
            link: ("Create account", self.link),
            after: vec![
                format!("The link works once, for {}. It is for you alone: don't pass it on.", span(self.lives)),
                "If this wasn't you they meant, do nothing: without the link no account is made.".to_owned(),
            ],
        }
        .body()
    }
}

/// To the administrator who made an invitation.
#[derive(Clone, Copy, Debug)]
pub struct InvitationMade<'a> {
    /// `portal.name`
    pub site_name: &'a str,
    /// "Ada"
    pub first_name: &'a str,
    /// For whom, masked; `None`: for whoever brings it.
    pub masked: Option<&'a str>,
    /// "staff, wiki"; may be empty.
    pub groups: &'a str,
    /// Unix milliseconds.
    pub at: i64,
    /// Until when it works; unix milliseconds.
    pub until: i64,
    /// Whole URL of `admin/invitations`: there it is revoked.
    pub invitations: &'a str,
}

impl InvitationMade<'_> {
    /// The mail.
    #[must_use]
    pub fn body(&self) -> MailBody {
        let groups = match self.groups {
            "" => String::new(),
            groups => format!(" Who uses it is in these groups at once: {groups}."),
        };
        Letter {
            site_name: self.site_name,
            first_name: self.first_name,
            subject: format!("A new invitation to {}", self.site_name),
            before: vec![format!(
                "Your account at {} made an invitation on {}, for {}. It works until {}.{groups}",
                self.site_name,
                exact(self.at),
                self.masked.unwrap_or("whoever has the link"),
                exact(self.until)
            )],
            link: ("See open invitations", self.invitations),
            after: vec![
                "If this was you, there is nothing to do.".to_owned(),
                "If this wasn't you, revoke it with the link above, change your password, and look on People whether \
                 somebody used it already."
                    .to_owned(),
            ],
        }
        .body()
    }
}

/// To somebody an administrator let in.
#[derive(Clone, Copy, Debug)]
pub struct Approved<'a> {
    /// `portal.name`
    pub site_name: &'a str,
    /// "Ada"
    pub first_name: &'a str,
    /// Without `@`.
    pub username: &'a str,
    /// Whole URL of `login`.
    pub login: &'a str,
}

impl Approved<'_> {
    /// The mail.
    #[must_use]
    pub fn body(&self) -> MailBody {
        Letter {
            site_name: self.site_name,
            first_name: self.first_name,
            subject: format!("Your account at {} is approved", self.site_name),
            before: vec![format!(
                "An administrator approved your account {} at {}. Sign in with the password you chose.",
                self.username, self.site_name
            )],
            link: ("Sign in", self.login),
            after: vec!["If this wasn't you who asked for an account, tell the administrator.".to_owned()],
        }
        .body()
    }
}

/// To somebody an administrator did not let in.
#[derive(Clone, Copy, Debug)]
pub struct NotApproved<'a> {
    /// `portal.name`
    pub site_name: &'a str,
    /// "Ada"
    pub first_name: &'a str,
    /// Whole URL of `login`.
    pub login: &'a str,
}

impl NotApproved<'_> {
    /// The mail.
    #[must_use]
    pub fn body(&self) -> MailBody {
        Letter {
            site_name: self.site_name,
            first_name: self.first_name,
            subject: format!("Your account at {} was not approved", self.site_name),
            before: vec![format!(
                "You asked for an account at {}. An administrator did not approve it, and what you entered is deleted.",
                self.site_name
            )],
            link: ("Where it was", self.login),
            after: vec![
                "If you think this is a mistake, ask the administrator.".to_owned(),
                "If this wasn't you, there is nothing to do.".to_owned(),
            ],
        }
        .body()
    }
}

/// To administrators: somebody waits. Says no names: whoever registers chooses them.
#[derive(Clone, Copy, Debug)]
pub struct PeopleWait<'a> {
    /// `portal.name`
    pub site_name: &'a str,
    /// "Ada"
    pub first_name: &'a str,
    /// How many.
    pub waiting: u64,
    /// Whole URL of `admin/people`.
    pub people: &'a str,
}

impl PeopleWait<'_> {
    /// The mail.
    #[must_use]
    pub fn body(&self) -> MailBody {
        let who = match self.waiting {
            1 => "1 person waits".to_owned(),
            many => format!("{many} people wait"),
        };
        Letter {
            site_name: self.site_name,
            first_name: self.first_name,
            subject: format!("{who} for your approval at {}", self.site_name),
            before: vec![format!("{who} for an administrator to approve their account at {}.", self.site_name)],
            link: ("Look at them", self.people),
            after: vec!["You get this at most once an hour, and so does every administrator.".to_owned()],
        }
        .body()
    }
}
