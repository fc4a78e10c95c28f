//! Approvals on a telephone, in the operator's own app: `second-factor/push` adds one, `login/verify` asks for one.

use maud::{Markup, html};

use super::code::{Other, other_ways, recovery};
use crate::{
    Alert, Frame, Notice,
    form::{self},
    frame::{Section, Sheet, notice},
};

/// What the app enrols with, and the button for afterwards. Posts `csrf` to `second-factor/push`.
#[derive(Clone, Copy, Debug)]
pub struct EnrolPush<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// For the app; `None` where the earlier one still stands.
    pub token: Option<&'a str>,
    /// Why the form came back.
    pub alert: Option<Alert<'a>>,
    /// Why this page.
    pub notice: Option<Notice<'a>>,
}

impl EnrolPush<'_> {
    /// The page.
    #[must_use]
    pub fn render(&self) -> Markup {
        let frame = &self.frame;
        let title = "Approve sign-ins on your phone";
        frame.page(
            &Sheet::new(title, self.alert.is_some()).within(Section::Security),
            &html! {
                h1 { "Approve " span.whole { "sign-ins" } " on your phone" }
                (notice(self.notice))
                (form::above(self.alert.map(|alert| alert.without_codes(true)), &[]))
                @if let Some(token) = self.token {
                    p { "Open this site's app on your phone, choose to add an account, and paste this code. It is good for five minutes." }
                    p { code { (token) } }
                    p.hint { "Give it to nobody: who has it could approve sign-ins instead of you." }
                }
                (form::post(frame, "second-factor/push", &form::submit("I added it")))
                p.links {
                    @if self.token.is_none() { a href=(frame.to("second-factor/push")) { "Show a new code" } }
                    a href=(frame.to("second-factor")) { "Cancel" }
                }
            },
        )
    }
}

/// The second step at sign-in, by an approval. Posts `csrf` to `login/verify`; "Ask again" posts `csrf` to
/// `login/verify/send`, "another way" `factor` as well; "Start over" links to `login`.
#[derive(Clone, Copy, Debug)]
pub struct VerifyPush<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// What the telephone is called.
    pub name: &'a str,
    /// Whether it can be asked here (any more).
    pub offered: bool,
    /// The number on both screens; `None` when no question is open.
    pub number: Option<&'a str>,
    /// The account's other factors.
    pub others: &'a [Other<'a>],
    /// The path of `login` with its `return_to`, for "Start over".
    pub start_over: &'a str,
    /// Why the form came back.
    pub alert: Option<Alert<'a>>,
}

impl VerifyPush<'_> {
    /// The page.
    #[must_use]
    pub fn render(&self) -> Markup {
        let frame = &self.frame;
        let title = "Approve it on your phone";
        let ask =
            |words| form::post(frame, "login/verify/send", &html! { div.actions { button type="submit" { (words) } } });
        frame.page(
            &Sheet::new(title, self.alert.is_some()),
            &html! {
                h1 { (title) }
                (form::above(self.alert.map(|alert| alert.without_codes(false)), &[]))
                @match self.number {
                    _ if !self.offered => { p { "Your phone can't be asked here at the moment. Use another way." } }
                    Some(number) => {
                        p { "We asked on " strong { (self.name) } ". Approve it there only if it shows the number " strong { (number) } "." }
                        (form::post(frame, "login/verify", &form::submit("I approved it")))
                        (ask("Ask again"))
                    }
                    None => { (form::post(frame, "login/verify/send", &form::submit("Ask my phone"))) }
                }
                div.links {
                    details open[!self.offered] {
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
