//! The mail that tells the operator what failed.

use super::{Letter, MailBody};
use crate::time::exact;

/// What was logged as an error since the last one.
#[derive(Clone, Copy, Debug)]
pub struct Digest<'a> {
    /// `portal.name`
    pub site_name: &'a str,
    /// The origin of `portal.url`.
    pub site: &'a str,
    /// By their words.
    pub failed: &'a [Failed<'a>],
    /// How often anything else failed.
    pub others: u64,
}

/// One kind of failure.
#[derive(Clone, Copy, Debug)]
pub struct Failed<'a> {
    /// As in the log, without its fields.
    pub words: &'a str,
    /// How often.
    pub times: u64,
    /// Unix milliseconds.
    pub first: i64,
    /// Unix milliseconds.
    pub last: i64,
}

impl Digest<'_> {
    /// The mail.
    #[must_use]
    pub fn body(&self) -> MailBody {
        let mut before =
            vec![format!("Something at {} needs a look. Since the last such mail, these were logged:", self.site_name)];
        before.extend(self.failed.iter().map(Failed::line));
        match self.others {
            0 => {}
            1 => before.push("And one other failure.".to_owned()),
            others => before.push(format!("And {others} other failures.")),
        }
        Letter {
            site_name: self.site_name,
            first_name: "",
            subject: format!("Failures at {}", self.site_name),
            before,
            link: ("The site", self.site),
            after: vec![
                "The log of the server says more of each, as an error.".to_owned(),
                "A server sends at most one such mail an hour, to mail.operator of its configuration.".to_owned(),
            ],
        }
        .body()
    }
}

impl Failed<'_> {
    fn line(&self) -> String {
        match self.times {
            1 => format!("Once: {} ({})", self.words, exact(self.first)),
            times => format!("{times} times: {} (first {}, last {})", self.words, exact(self.first), exact(self.last)),
        }
    }
}
