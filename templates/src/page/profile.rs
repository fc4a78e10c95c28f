//! `profile`: what others and the upstream know of you.

use maud::{Markup, html};

use super::FactorLine;
use crate::{Frame, Notice};

/// The profile page. Posts nothing but `csrf` to [`Profile::confirm_email`].
#[derive(Clone, Copy, Debug)]
pub struct Profile<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// The account's id; the avatar is drawn from it.
    pub id: &'a str,
    /// "Ada Lovelace"
    pub name: &'a str,
    /// Without `@`.
    pub username: &'a str,
    /// May be empty.
    pub about_me: &'a str,
    /// As typed.
    pub email: &'a str,
    /// Shows "confirmed".
    pub email_confirmed: bool,
    /// Portal path that sends a confirmation mail, where there is one; else an unconfirmed address is only marked so.
    pub confirm_email: Option<&'a str>,
    /// Unix milliseconds.
    pub member_since: i64,
    /// Unix milliseconds.
    pub last_seen: Option<i64>,
    /// Unix milliseconds.
    pub now: i64,
    /// Second factors that are on.
    pub factors: &'a [FactorLine<'a>],
    /// Whether a second factor can be enabled here.
    pub factors_offered: bool,
    /// What just happened.
    pub notice: Option<Notice<'a>>,
}

impl Profile<'_> {
    /// The page.
    #[must_use]
    pub fn render(&self) -> Markup {
        self.frame.page("Profile", false, &html! {})
    }
}
