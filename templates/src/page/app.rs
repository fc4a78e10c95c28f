//! Authenticator apps: `second-factor/app` turns one on, `login/verify` asks for its code.

use maud::{Markup, html};

use super::code::{Other, other_ways, recovery};
use crate::{
    Alert, Frame, Notice,
    form::{self, Field, Kind},
    frame::{Section, Sheet, notice},
};

/// The secret as a picture and as text, and its first code. Posts `code`, `csrf` to `second-factor/app`.
#[derive(Clone, Copy, Debug)]
pub struct EnrolApp<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// The QR code's dark modules as an SVG path, one unit each, without a margin.
    pub path: &'a str,
    /// Modules on a side.
    pub side: usize,
    /// Base 32.
    pub secret: &'a str,
    /// `otpauth://totp/…`
    pub url: &'a str,
    /// Why the form came back.
    pub alert: Option<Alert<'a>>,
    /// Why this page.
    pub notice: Option<Notice<'a>>,
}

impl EnrolApp<'_> {
    /// The page.
    #[must_use]
    pub fn render(&self) -> Markup {
        let frame = &self.frame;
        let fields = html! {
            (Field::new(Kind::Code, "code", "Code", "one-time-code").hint("Six digits; a new one every half minute.").focus(self.alert.is_some()).render())
            (form::submit("Enable"))
        };
        let title = "Add an authenticator app";
        frame.page(&Sheet::new(title, self.alert.is_some()).within(Section::Security), &html! {
            h1 { (title) }
            (notice(self.notice))
            (form::above(self.alert, &[]))
            p { "Scan this with the app, or " a href=(self.url) { "open it on this device" } ". Then enter the code it shows." }
            (self.picture())
            p { "Can't scan it? Type this key: " code { (groups(self.secret)) } }
            (form::post(frame, "second-factor/app", &fields))
            p.links { a href=(frame.to("second-factor")) { "Cancel" } }
        })
    }

    /// Dark on white in every colour scheme, with the margin of four modules that scanners need.
    fn picture(&self) -> Markup {
        let side = self.side + 8;
        html! {
            p {
                svg xmlns="http://www.w3.org/2000/svg" viewBox={ "-4 -4 " (side) " " (side) } width="220" height="220"
                    role="img" aria-label="QR code of the key below" shape-rendering="crispEdges" {
                    rect x="-4" y="-4" width=(side) height=(side) fill="#fff" {}
                    path d=(self.path) fill="#000" {}
                }
            }
        }
    }
}

/// The second step at sign-in, by an authenticator app. Posts `code`, `csrf` to `login/verify`; "another way" posts `factor`,
/// `csrf` to `login/verify/send`; "Start over" links to `login`.
#[derive(Clone, Copy, Debug)]
pub struct VerifyApp<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// The account's other factors.
    pub others: &'a [Other<'a>],
    /// The path of `login` with its `return_to`, for "Start over".
    pub start_over: &'a str,
    /// Why the form came back.
    pub alert: Option<Alert<'a>>,
}

impl VerifyApp<'_> {
    /// The page.
    #[must_use]
    pub fn render(&self) -> Markup {
        let frame = &self.frame;
        let fields = html! {
            (Field::new(Kind::Code, "code", "Code", "one-time-code").focus(true).render())
            (form::submit("Sign in"))
        };
        frame.page(
            &Sheet::new("Enter the code", self.alert.is_some()),
            &html! {
                h1 { "Enter the code" }
                (form::above(self.alert, &[]))
                p { "Enter the code from your authenticator app." }
                (form::post(frame, "login/verify", &fields))
                div.links {
                    details {
                        summary { "Another way" }
                        (other_ways(frame, "login/verify/send", self.others))
                        (recovery(frame))
                    }
                    a href=(frame.to(self.start_over)) { "Start over" }
                }
            },
        )
    }
}

/// In groups of four, as people read and type.
fn groups(secret: &str) -> String {
    let mut text = String::with_capacity(secret.len() + secret.len() / 4);
    for (at, character) in secret.chars().enumerate() {
        if at > 0 && at % 4 == 0 {
            text.push(' ');
        }
        text.push(character);
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_key_is_shown_in_groups_of_four() {
        assert_eq!(super::groups("ABCDEFGHIJ"), "ABCD EFGH IJ");
    }
}
