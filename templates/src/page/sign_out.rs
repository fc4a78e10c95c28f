//! `logout`: a button, because a link from elsewhere must not sign anybody out.

use maud::{Markup, html};

use crate::{Alert, Frame};

/// The page. Posts `csrf` to `logout`.
#[derive(Clone, Copy, Debug)]
pub struct SignOut<'a> {
    /// The frame; without a person the page says that nobody is signed in.
    pub frame: Frame<'a>,
    /// Why the page came back.
    pub alert: Option<Alert<'a>>,
}

impl SignOut<'_> {
    /// The page.
    #[must_use]
    pub fn render(&self) -> Markup {
        self.frame.page("Sign out", self.alert.is_some(), &html! {})
    }
}
