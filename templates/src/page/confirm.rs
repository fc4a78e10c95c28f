//! `register/confirm`: a button, because mail scanners follow links.

use maud::{Markup, html};

use crate::{Alert, Frame};

/// The page behind the link of the registration mail. Posts `token`, `csrf` to `register/confirm`.
#[derive(Clone, Copy, Debug)]
pub struct Confirm<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// From the link.
    pub token: &'a str,
    /// Why the page came back.
    pub alert: Option<Alert<'a>>,
}

impl Confirm<'_> {
    /// The page.
    #[must_use]
    pub fn render(&self) -> Markup {
        self.frame.page("Confirm your e-mail", self.alert.is_some(), &html! {})
    }
}
