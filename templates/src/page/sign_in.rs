//! `login`: name and password.

use std::time::Duration;

use maud::{Markup, html};

use crate::{Alert, Frame, Notice};

/// The sign-in page. Posts `identifier`, `password`, `remember` (`1` or absent), `return_to`, `csrf` to `login`.
#[derive(Clone, Copy, Debug)]
pub struct SignIn<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// Where the person wants to go, in words: `wiki.example.com/page`. `None` leaves the line out.
    pub to_label: Option<&'a str>,
    /// The hidden field `return_to`.
    pub return_to: &'a str,
    /// What was typed.
    pub identifier: &'a str,
    /// Whether "Stay signed in" is ticked.
    pub remember: bool,
    /// How long "Stay signed in" lasts; `None` leaves the box out.
    pub remember_for: Option<Duration>,
    /// Whether "Create account" is offered.
    pub can_register: bool,
    /// Why this page, if there is a reason.
    pub notice: Option<Notice<'a>>,
    /// Why the form came back.
    pub alert: Option<Alert<'a>>,
}

impl SignIn<'_> {
    /// The page.
    #[must_use]
    pub fn render(&self) -> Markup {
        self.frame.page("Sign in", self.alert.is_some(), &html! {})
    }
}
