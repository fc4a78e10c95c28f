//! The last mail to somebody who left.

use super::{Letter, MailBody};
use crate::time::exact;

/// After an account was deleted by its owner.
#[derive(Clone, Copy, Debug)]
pub struct AccountDeleted<'a> {
    /// `portal.name`
    pub site_name: &'a str,
    /// "Ada"
    pub first_name: &'a str,
    /// Without `@`.
    pub username: &'a str,
    /// Unix milliseconds.
    pub at: i64,
    /// Whole URL of `login`.
    pub login: &'a str,
}

impl AccountDeleted<'_> {
    /// The mail.
    #[must_use]
    pub fn body(&self) -> MailBody {
        Letter {
            site_name: self.site_name,
            first_name: self.first_name,
            subject: format!("Your account at {} was deleted", self.site_name),
            before: vec![format!(
                "Your account {} at {} was deleted on {}, and every device is signed out. Nobody else is ever given that username.",
                self.username,
                self.site_name,
                exact(self.at)
            )],
            link: ("Where it was", self.login),
            after: vec![
                "If this was you, there is nothing to do.".to_owned(),
                "If this wasn't you, tell your administrator: somebody knew your password. Change it wherever else you use it.".to_owned(),
            ],
        }
        .body()
    }
}
