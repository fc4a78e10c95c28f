//! `password/reset`: choose a new password.

use maud::{Markup, html};

use crate::{Alert, FieldError, Frame};

/// The form. Posts `token`, `password`, `password_confirm`, `csrf` to `password/reset`.
#[derive(Clone, Copy, Debug)]
pub struct Reset<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// From the link.
    pub token: &'a str,
    /// `password.min_length`
    pub min_length: usize,
    /// Fields to mend.
    pub errors: &'a [FieldError<'a>],
    /// Why the form came back, when it is not a field's fault.
    pub alert: Option<Alert<'a>>,
}

impl Reset<'_> {
    /// The page.
    #[must_use]
    pub fn render(&self) -> Markup {
        self.frame.page("New password", !self.errors.is_empty() || self.alert.is_some(), &html! {})
    }
}
