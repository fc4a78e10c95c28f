//! `password`: change it.

use maud::{Markup, html};

use crate::{Alert, FieldError, Frame};

/// The form. Posts `current_password`, `password`, `password_confirm`, `csrf` to `password`.
#[derive(Clone, Copy, Debug)]
pub struct ChangePassword<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// Whose; tells password managers which entry to change.
    pub username: &'a str,
    /// `password.min_length`
    pub min_length: usize,
    /// Fields to mend.
    pub errors: &'a [FieldError<'a>],
    /// Why the form came back, when it is not a field's fault.
    pub alert: Option<Alert<'a>>,
}

impl ChangePassword<'_> {
    /// The page.
    #[must_use]
    pub fn render(&self) -> Markup {
        self.frame.page("Change password", !self.errors.is_empty() || self.alert.is_some(), &html! {})
    }
}
