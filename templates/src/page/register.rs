//! `register` and `register/sent`.

use maud::{Markup, html};

use crate::{Alert, FieldError, Frame};

/// The registration form. Posts `first_name`, `last_name`, `username`, `email`, `password`, `password_confirm`, `csrf` to
/// `register`.
#[derive(Clone, Copy, Debug)]
pub struct Register<'a> {
    /// The frame.
    pub frame: Frame<'a>,
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

impl Register<'_> {
    /// The page.
    #[must_use]
    pub fn render(&self) -> Markup {
        self.frame.page("Create account", !self.errors.is_empty() || self.alert.is_some(), &html! {})
    }
}

/// "Check your mail to finish": the same for a free and a taken address.
#[derive(Clone, Copy, Debug)]
pub struct RegisterSent<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// How long the link lives.
    pub lives: std::time::Duration,
}

impl RegisterSent<'_> {
    /// The page.
    #[must_use]
    pub fn render(&self) -> Markup {
        self.frame.page("Check your mail", false, &html! {})
    }
}
