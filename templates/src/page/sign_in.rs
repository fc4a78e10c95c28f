//! `login`: name and password.

use std::time::Duration;

use maud::{Markup, html};

use super::{
    passkey::PasskeySignIn,
    second_factor::{FactorLine, still_on},
};
use crate::{
    Alert, Frame, Notice,
    form::{self, Field, Kind},
    frame::{Sheet, notice},
    time::span,
};

/// The sign-in page. Posts `identifier`, `password`, `remember` (`1` or absent), `return_to`, `csrf` to `login`.
#[derive(Clone, Copy, Debug)]
pub struct SignIn<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// Where the person wants to go, in words: `wiki.example.com/page`. `None` leaves the line out.
    pub to_label: Option<&'a str>,
    /// The hidden field `return_to`.
    pub return_to: &'a str,
    /// What was typed.
    pub identifier: &'a str,
    /// Whether "Stay signed in" is ticked.
    pub remember: bool,
    /// How long "Stay signed in" lasts; `None` leaves the box out.
    pub remember_for: Option<Duration>,
    /// Whether "Create account" is offered.
    pub can_register: bool,
    /// For signing in by a passkey alone; `None` where that is not offered.
    pub passkey: Option<PasskeySignIn<'a>>,
    /// Why this page, if there is a reason.
    pub notice: Option<Notice<'a>>,
    /// After a reset of the password: the second factors that outlived it.
    pub still_on: &'a [FactorLine<'a>],
    /// Why the form came back.
    pub alert: Option<Alert<'a>>,
}

impl SignIn<'_> {
    /// The page.
    #[must_use]
    pub fn render(&self) -> Markup {
        let frame = &self.frame;
        let focus_password = matches!(self.alert, Some(Alert::Mismatch)) && !self.identifier.is_empty();
        let fields = html! {
            (form::hidden("return_to", self.return_to))
            (Field::new(Kind::Handle, "identifier", "Username or e-mail", "username webauthn")
                .value(self.identifier).focus(!focus_password).render())
            (Field::new(Kind::Password, "password", "Password", "current-password").focus(focus_password).render())
            @if let Some(length) = self.remember_for {
                label.check { input type="checkbox" name="remember" value="1" checked[self.remember]; span { "Stay signed in for " (span(length)) } }
            }
            (form::submit("Sign in"))
        };
        let sheet = Sheet::new("Sign in", self.alert.is_some());
        frame.page(
            &if self.passkey.is_some() { sheet.with_passkeys() } else { sheet },
            &html! {
                h1 { "Sign in to " (frame.site_name) }
                @if let Some(to) = self.to_label { p.lead { "to continue to " (to) } }
                (notice(self.notice))
                (still_on(frame, self.still_on))
                (form::above(self.alert, &[]))
                (form::post(frame, "login", &fields))
                @if let Some(passkey) = self.passkey { (passkey.render(frame, self.return_to)) }
                p.links {
                    a href=(frame.to("password/forgot")) { "Forgot password?" }
                    @if self.can_register { a href=(frame.to("register")) { "Create account" } }
                }
            },
        )
    }
}
