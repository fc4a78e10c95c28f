//! The mail about a sign-in with a browser that never signed in before.

use super::{Letter, MailBody};
use crate::time::exact;

/// After a sign-in with a new device.
#[derive(Clone, Copy, Debug)]
pub struct NewDevice<'a> {
    /// `portal.name`
    pub site_name: &'a str,
    /// "Ada"
    pub first_name: &'a str,
    /// "Firefox on Windows"
    pub device: &'a str,
    /// `192.0.2.0/24`; empty when it is not known.
    pub network: &'a str,
    /// Unix milliseconds.
    pub at: i64,
    /// Whole URL of `sessions`.
    pub sessions: &'a str,
}

impl NewDevice<'_> {
    /// The mail.
    #[must_use]
    pub fn body(&self) -> MailBody {
        let from = if self.network.is_empty() { String::new() } else { format!(", from {}", self.network) };
        Letter {
            site_name: self.site_name,
            first_name: self.first_name,
            subject: format!("New sign-in to your account at {}", self.site_name),
            before: vec![format!(
                "Somebody signed in to your account at {} on {} with {}{from}.",
                self.site_name,
                exact(self.at),
                self.device
            )],
            link: ("See where you are signed in", self.sessions),
            after: vec![
                "If this was you, there is nothing to do.".to_owned(),
                "If this wasn't you, sign that device out with the link above, change your password, and tell your \
                 administrator."
                    .to_owned(),
            ],
        }
        .body()
    }
}
