//! `register` and `register/sent`.

use maud::{Markup, html};

use crate::{
    Alert, FieldError, Frame,
    form::{self, NewAccount},
    frame::Sheet,
    time::span,
};

/// With what somebody came to register.
#[derive(Clone, Copy, Debug)]
pub struct Invited<'a> {
    /// From the link.
    pub token: &'a str,
    /// The address is settled: the invitation is for it.
    pub bound: bool,
}

/// The registration form. Posts `first_name`, `last_name`, `username`, `email`, `password`, `password_confirm`, `csrf` to
/// `register`; with an invitation also `invitation`.
#[derive(Clone, Copy, Debug)]
pub struct Register<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// The invitation, if there is one.
    pub invited: Option<Invited<'a>>,
    /// An administrator approves the account.
    pub approved: bool,
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
        let frame = &self.frame;
        let fields = html! {
            @if let Some(invited) = self.invited { (form::hidden("invitation", invited.token)) }
            (NewAccount {
                first_name: self.first_name,
                last_name: self.last_name,
                username: self.username,
                email: self.email,
                email_fixed: self.invited.is_some_and(|invited| invited.bound),
                min_length: self.min_length,
                errors: self.errors,
                focus: self.errors.is_empty(),
            }.render())
            (form::submit("Create account"))
        };
        frame.page(
            &Sheet::new("Create account", form::failed(self.alert, self.errors)),
            &html! {
                h1 { "Create account" }
                @if self.invited.is_some() { p.lead { "You are invited. The link you followed works once." } }
                @else if self.approved { p.lead { "An administrator looks at new accounts before they open." } }
                (form::above(self.alert, self.errors))
                (form::post(frame, "register", &fields))
                p.links { "Have one already?" a href=(frame.to("login")) { "Sign in" } }
            },
        )
    }
}

/// "Check your mail to finish": the same for a free and a taken address.
#[derive(Clone, Copy, Debug)]
pub struct RegisterSent<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// An administrator approves the account afterwards.
    pub approved: bool,
    /// How long the link lives.
    pub lives: std::time::Duration,
}

impl RegisterSent<'_> {
    /// The page.
    #[must_use]
    pub fn render(&self) -> Markup {
        let frame = &self.frame;
        frame.page(
            &Sheet::new("Check your mail", false),
            &html! {
                h1 { "Check your mail to finish." }
                p { "We sent you a mail. Open the link in it to finish; it works for " (span(self.lives)) "." }
                @if self.approved { p { "An administrator looks at your account then. A mail tells you when you can sign in." } }
                p.hint { "Nothing there? Look among unwanted mail, or check the address and register again." }
                p.links { a href=(frame.to("register")) { "Register again" } a href=(frame.to("login")) { "Sign in" } }
            },
        )
    }
}
