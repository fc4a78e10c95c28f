//! `login/verify`: the second step.

use maud::{Markup, html};

use super::code::{CodeEntry, Other, recovery};
use crate::{
    Alert, Channel, Frame, Notice, form,
    frame::{Sheet, notice},
};

/// The second step at sign-in. Posts `code`, `csrf` to `login/verify`; "send again" and "another way" post `channel`
/// (or `factor`), `csrf` to `login/verify/send`; "Start over" links to `login`.
#[derive(Clone, Copy, Debug)]
pub struct Verify<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// `•••• 42` or `a•••@example.org`
    pub masked: &'a str,
    /// The way it went, or would go.
    pub channel: Channel,
    /// Whether a code was sent; if not, the page offers to send one.
    pub sent: bool,
    /// Ways offered.
    pub channels: &'a [Channel],
    /// The account's other factors.
    pub others: &'a [Other<'a>],
    /// When "Send again" may be pressed, unix milliseconds.
    pub resend_at: i64,
    /// Unix milliseconds.
    pub now: i64,
    /// The path of `login` with its `return_to`, for "Start over": `login?return_to=%2Fpage`.
    pub start_over: &'a str,
    /// What just happened.
    pub notice: Option<Notice<'a>>,
    /// Why the form came back.
    pub alert: Option<Alert<'a>>,
}

impl Verify<'_> {
    /// The page.
    #[must_use]
    pub fn render(&self) -> Markup {
        let frame = &self.frame;
        let code = CodeEntry {
            frame,
            check: "login/verify",
            send: "login/verify/send",
            submit: "Sign in",
            masked: self.masked,
            channel: self.channel,
            channels: self.channels,
            resend_at: self.resend_at,
            now: self.now,
        };
        frame.page(
            &Sheet::new("Enter the code", self.alert.is_some()),
            &html! {
                h1 { @if self.sent { "Enter the code" } @else { "One more step" } }
                (notice(self.notice))
                (form::above(self.alert, &[]))
                @if self.sent { (code.entry()) (code.again()) } @else { (code.offer()) }
                div.links {
                    (code.other_ways(&recovery(frame), self.others))
                    a href=(frame.to(self.start_over)) { "Start over" }
                }
            },
        )
    }
}
