//! `register/confirm` and `email/confirm`: a button, because mail scanners follow links.

use maud::{Markup, html};

use crate::{Alert, Frame, form, frame::Sheet};

/// The page behind the link of the registration mail. Posts `token`, `csrf` to `register/confirm`.
#[derive(Clone, Copy, Debug)]
pub struct Confirm<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// From the link.
    pub token: &'a str,
    /// Why the page came back.
    pub alert: Option<Alert<'a>>,
}

impl Confirm<'_> {
    /// The page.
    #[must_use]
    pub fn render(&self) -> Markup {
        let frame = &self.frame;
        let fields = html! {
            (form::hidden("token", self.token))
            (form::submit("Confirm and create account"))
        };
        frame.page(
            &Sheet::new("Confirm your e-mail", self.alert.is_some()),
            &html! {
                h1 { "Confirm your e-mail" }
                (form::above(self.alert, &[]))
                p { "One step is left: press the button, and your account is ready." }
                (form::post(frame, "register/confirm", &fields))
            },
        )
    }
}

/// The page behind the link that confirms an account's address. Posts `token`, `csrf` to `email/confirm`.
#[derive(Clone, Copy, Debug)]
pub struct ConfirmAddress<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// From the link.
    pub token: &'a str,
    /// Why the page came back.
    pub alert: Option<Alert<'a>>,
}

impl ConfirmAddress<'_> {
    /// The page.
    #[must_use]
    pub fn render(&self) -> Markup {
        let frame = &self.frame;
        let fields = html! {
            (form::hidden("token", self.token))
            (form::submit("Confirm e-mail"))
        };
        frame.page(
            &Sheet::new("Confirm your e-mail", self.alert.is_some()),
            &html! {
                h1 { "Confirm your e-mail" }
                (form::above(self.alert, &[]))
                p { "Press the button if you asked for this mail: your address is confirmed then." }
                (form::post(frame, "email/confirm", &fields))
            },
        )
    }
}
