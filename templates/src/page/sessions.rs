//! `sessions`: where the account is signed in; sign one out, or all others.

use maud::{Markup, html};

use crate::{
    Alert, Frame, Notice, form,
    frame::{Section, Sheet, notice},
    time,
};

/// What was shown to sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The password.
    Password,
    /// A code by text message.
    Message,
    /// A code by telephone call.
    Call,
    /// A one-time code of another kind.
    Code,
    /// A key or passkey.
    Key,
    /// An approval on a telephone.
    Push,
}

impl Way {
    fn words(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Message => "code by message",
            Self::Call => "code by phone call",
            Self::Code => "one-time code",
            Self::Key => "passkey",
            Self::Push => "approval on a phone",
        }
    }
}

/// One session.
#[derive(Clone, Copy, Debug)]
pub struct SessionLine<'a> {
    /// Its public name: the value of `session`.
    pub id: &'a str,
    /// "Firefox on Windows", or empty when it is not known.
    pub device: &'a str,
    /// `192.0.2.0/24`, or empty when it is not known.
    pub network: &'a str,
    /// How its owner signed in.
    pub ways: &'a [Way],
    /// Unix milliseconds.
    pub first_seen: i64,
    /// Unix milliseconds.
    pub last_seen: i64,
    /// The one that looks at the page.
    pub this: bool,
}

impl SessionLine<'_> {
    fn render(&self, now: i64) -> Markup {
        let device = if self.device.is_empty() { "A browser" } else { self.device };
        let ways: Vec<_> = self.ways.iter().map(|way| way.words()).collect();
        html! {
            dt { strong { (device) } @if self.this { " " span.mark.good { "This device" } } }
            dd {
                @if !self.network.is_empty() { "Network " (self.network) " · " }
                @if !ways.is_empty() { "signed in with " (ways.join(" and ")) " · " }
                "first seen " (time::day(self.first_seen)) " · last seen " (time::ago(self.last_seen, now))
                @if !self.this {
                    div {
                        button.plain type="submit" name="session" value=(self.id) { "Sign out" span.aside { " " (device) } }
                    }
                }
            }
        }
    }
}

/// The list. Posts `session` or `all=others`, and `csrf`, to `sessions`.
#[derive(Clone, Copy, Debug)]
pub struct Sessions<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// A page of them, the newest first; at most [`Sessions::A_PAGE`], or the page grows too heavy.
    pub lines: &'a [SessionLine<'a>],
    /// Whether there are sessions but this one, here or on another page of the list.
    pub others: bool,
    /// Portal path of the older ones, where there are more.
    pub older: Option<&'a str>,
    /// Unix milliseconds.
    pub now: i64,
    /// What just happened.
    pub notice: Option<Notice<'a>>,
    /// Why the page came back.
    pub alert: Option<Alert<'a>>,
}

impl Sessions<'_> {
    /// Sessions on one page.
    pub const A_PAGE: usize = 20;

    /// The page.
    #[must_use]
    pub fn render(&self) -> Markup {
        let frame = &self.frame;
        let list = html! { dl { @for line in self.lines { (line.render(self.now)) } } };
        frame.page(
            &Sheet::new("Where you are signed in", self.alert.is_some()).within(Section::Security),
            &html! {
                h1 { "Where you are signed in" }
                (notice(self.notice))
                (form::above(self.alert, &[]))
                p { "If you don't know one of these, sign it out and change your password." }
                // One form for all buttons: one token, however long the list.
                @if self.others {
                    (form::post(frame, "sessions", &html! {
                        (list)
                        button.primary type="submit" name="all" value="others" { "Sign out everywhere else" }
                    }))
                } @else {
                    (list)
                    p.hint { "You are signed in nowhere else." }
                }
                p.links {
                    @if let Some(older) = self.older { a href=(frame.to(older)) { "Older ones" } }
                    a href=(frame.to("activity")) { "Activity" }
                    a href=(frame.to("password")) { "Change password" }
                    a href=(frame.to("second-factor")) { "Back to security" }
                }
            },
        )
    }
}
