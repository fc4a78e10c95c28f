//! `password/reset`: choose a new password.

use maud::{Markup, html};

use crate::{Alert, FieldError, Frame, form, frame::Sheet};

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
        let frame = &self.frame;
        let fields = html! {
            (form::hidden("token", self.token))
            (form::new_password(form::REPLACED, self.min_length, self.errors, self.errors.is_empty()))
            (form::submit("Set password"))
        };
        frame.page(
            &Sheet::new("Choose a new password", form::failed(self.alert, self.errors)),
            &html! {
                h1 { "Choose a new password" }
                p.lead { "You will be signed out everywhere, then sign in with the new one. Access tokens for scripts stop working, too." }
                (form::above(self.alert, self.errors))
                (form::post(frame, "password/reset", &fields))
            },
        )
    }
}
