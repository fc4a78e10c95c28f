//! `logout`: a button, because a link from elsewhere must not sign anybody out.

use maud::{Markup, html};

use crate::{Alert, Frame, form, frame::Sheet};

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
        let frame = &self.frame;
        frame.page(
            &Sheet::new("Sign out", self.alert.is_some()),
            &html! {
                @if let Some(person) = frame.person {
                    h1 { "Sign out?" }
                    (form::above(self.alert, &[]))
                    p { "You're signed in as " strong { (person.name) } " on this device." }
                    (form::post(frame, "logout", &form::submit("Sign out")))
                    @if let Some(back) = frame.back { p.links { a href=(back) { "Stay signed in" } } }
                } @else {
                    h1 { "You are signed out" }
                    p { a.button.primary href=(frame.to("login")) { "Sign in" } }
                }
            },
        )
    }
}
