//! `profile/edit`

use maud::{Markup, html};

use crate::{Alert, FieldError, Frame};

/// The profile's form. Posts `first_name`, `last_name`, `username`, `about_me`, `csrf` to `profile/edit`.
#[derive(Clone, Copy, Debug)]
pub struct EditProfile<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// As stored, or what was typed.
    pub first_name: &'a str,
    /// As stored, or what was typed.
    pub last_name: &'a str,
    /// As stored, or what was typed.
    pub username: &'a str,
    /// Others gave the name: it is shown, and posted unchanged.
    pub username_fixed: bool,
    /// As stored, or what was typed.
    pub about_me: &'a str,
    /// Fields to mend.
    pub errors: &'a [FieldError<'a>],
    /// Why the form came back, when it is not a field's fault.
    pub alert: Option<Alert<'a>>,
}

impl EditProfile<'_> {
    /// The page.
    #[must_use]
    pub fn render(&self) -> Markup {
        self.frame.page("Edit profile", !self.errors.is_empty() || self.alert.is_some(), &html! {})
    }
}
