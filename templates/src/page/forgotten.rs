//! `password/forgot`: ask for a link.

use std::time::Duration;

use maud::{Markup, html};

use crate::{
    Alert, FieldError, Frame,
    form::{self, Field, Kind},
    frame::Sheet,
    time::span,
};

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
        let frame = &self.frame;
        let fields = html! {
            (Field::new(Kind::Email, "email", "E-mail", "email")
                .value(self.email).errors(self.errors).focus(self.errors.is_empty()).render())
            (form::submit("Send link"))
        };
        frame.page(
            &Sheet::new("Forgotten password", form::failed(self.alert, self.errors)),
            &html! {
                h1 { "Forgotten password" }
                p.lead { "Tell us your e-mail, and we send you a link to choose a new one." }
                (form::above(self.alert, self.errors))
                (form::post(frame, "password/forgot", &fields))
                p.links { a href=(frame.to("login")) { "Back to sign-in" } }
            },
        )
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
        let frame = &self.frame;
        frame.page(&Sheet::new("Check your mail", false), &html! {
            h1 { "Check your mail" }
            p { "If that address belongs to an account, a link to choose a new password is on its way. It works once, for "
                (span(self.lives)) "." }
            p.hint { "Nothing there? Look among unwanted mail, or try another address." }
            p.links { a href=(frame.to("password/forgot")) { "Send another" } a href=(frame.to("login")) { "Back to sign-in" } }
        })
    }
}
