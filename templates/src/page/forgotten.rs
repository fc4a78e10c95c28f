//! `password/forgot`: ask for a link.

use std::time::Duration;

use maud::{Markup, html};

use crate::{Alert, FieldError, Frame};

/// The form. Posts `email`, `csrf` to `password/forgot`.
#[derive(Clone, Copy, Debug)]
pub struct Forgotten<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// What was typed.
    pub email: &'a str,
    /// Fields to mend.
    pub errors: &'a [FieldError<'a>],
    /// Why the form came back, when it is not a field's fault.
    pub alert: Option<Alert<'a>>,
}

impl Forgotten<'_> {
    /// The page.
    #[must_use]
    pub fn render(&self) -> Markup {
        self.frame.page("Forgotten password", !self.errors.is_empty() || self.alert.is_some(), &html! {})
    }
}

/// The same page for known and unknown addresses.
#[derive(Clone, Copy, Debug)]
pub struct ForgottenSent<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// How long the link lives.
    pub lives: Duration,
}

impl ForgottenSent<'_> {
    /// The page.
    #[must_use]
    pub fn render(&self) -> Markup {
        self.frame.page("Check your mail", false, &html! {})
    }
}
