//! `setup`: the first administrator.

use maud::{Markup, html};

use crate::{Alert, FieldError, Frame};

/// The set-up form. Posts the fields of registration and `token`, `csrf` to `setup`.
#[derive(Clone, Copy, Debug)]
pub struct Setup<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// From the link.
    pub token: &'a str,
    /// What was typed.
    pub first_name: &'a str,
    /// What was typed.
    pub last_name: &'a str,
    /// What was typed.
    pub username: &'a str,
    /// What was typed.
    pub email: &'a str,
    /// `password.min_length`
    pub min_length: usize,
    /// Fields to mend.
    pub errors: &'a [FieldError<'a>],
    /// Why the form came back, when it is not a field's fault.
    pub alert: Option<Alert<'a>>,
}

impl Setup<'_> {
    /// The page.
    #[must_use]
    pub fn render(&self) -> Markup {
        self.frame.page("Create the first administrator", !self.errors.is_empty() || self.alert.is_some(), &html! {})
    }
}
