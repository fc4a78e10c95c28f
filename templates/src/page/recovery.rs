//! Recovery codes: `second-factor/recovery-codes` makes them, `login/verify?way=recovery` takes one.

use maud::{Markup, html};

use crate::{
    Alert, Frame, form,
    form::{Field, Kind},
    frame::{Section, Sheet},
};

/// How many are left, and the button that makes new ones. Posts `csrf` to `second-factor/recovery-codes`.
#[derive(Clone, Copy, Debug)]
pub struct RecoveryCodes<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// Not used yet.
    pub left: u32,
    /// Just made, shown this once: `abcd-efgh-ijkl-mnop`.
    pub codes: &'a [&'a str],
    /// Why the form came back.
    pub alert: Option<Alert<'a>>,
}

impl RecoveryCodes<'_> {
    /// The page.
    #[must_use]
    pub fn render(&self) -> Markup {
        let frame = &self.frame;
        let title = "Recovery codes";
        frame.page(
            &Sheet::new(title, self.alert.is_some()).within(Section::Security),
            &html! {
                h1 { (title) }
                (form::above(self.alert, &[]))
                @if self.codes.is_empty() { (self.offer()) } @else { (self.fresh()) }
                p.links { a href=(frame.to("second-factor")) { "Back to Security" } }
            },
        )
    }

    fn offer(&self) -> Markup {
        html! {
            p { "Each signs you in once, after your password, when your phone or app is out of reach. Keep them somewhere safe: on paper, or in a password manager." }
            @match self.left {
                0 => p { "You have none." }
                1 => p { "One is left." }
                left => p { (left) " are left." }
            }
            (form::post(&self.frame, "second-factor/recovery-codes", &form::submit(if self.left == 0 { "Make ten codes" } else { "Make ten new codes" })))
            @if self.left > 0 { p.hint { "Those you have now stop working then." } }
        }
    }

    fn fresh(&self) -> Markup {
        let lines: String = self.codes.iter().flat_map(|code| [code, "%0A"]).collect();
        let file = format!("data:text/plain;charset=utf-8,{lines}");
        html! {
            p { "Save them now: they are shown this once. Each signs you in once, after your password, when your phone or app is out of reach. Older ones no longer work." }
            pre { @for code in self.codes { (code) "\n" } }
            p { a.button.primary href=(file) download="recovery-codes.txt" { "Download" } }
            p.hint { "Or print this page." }
        }
    }
}

/// The second step at sign-in, by a recovery code. Posts `code`, `csrf` to `login/verify?way=recovery`.
#[derive(Clone, Copy, Debug)]
pub struct VerifyRecovery<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// The path of `login` with its `return_to`, for "Start over".
    pub start_over: &'a str,
    /// Why the form came back.
    pub alert: Option<Alert<'a>>,
}

impl VerifyRecovery<'_> {
    /// The page.
    #[must_use]
    pub fn render(&self) -> Markup {
        let frame = &self.frame;
        let fields = html! {
            (Field::new(Kind::RecoveryCode, "code", "Recovery code", "off").hint("Sixteen letters and digits: abcd-efgh-ijkl-mnop").focus(true).render())
            (form::submit("Sign in"))
        };
        frame.page(
            &Sheet::new("Use a recovery code", self.alert.is_some()),
            &html! {
                h1 { "Use a recovery code" }
                (form::above(self.alert, &[]))
                p { "Enter one of the codes you saved. Each works once." }
                (form::post(frame, "login/verify?way=recovery", &fields))
                p.links {
                    a href=(frame.to("login/verify")) { "Back" }
                    a href=(frame.to(self.start_over)) { "Start over" }
                }
            },
        )
    }
}
