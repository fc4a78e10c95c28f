//! `activity`: what happened to the account, the newest first.

use maud::{Markup, html};

use crate::{
    Frame,
    frame::{Section, Sheet},
    time,
};

/// One thing that happened.
#[derive(Clone, Copy, Debug)]
pub struct ActivityLine<'a> {
    /// "You signed in with your password".
    pub words: &'a str,
    /// It was not let through.
    pub refused: bool,
    /// `192.0.2.0/24`, or empty when there is none.
    pub network: &'a str,
    /// Unix milliseconds.
    pub at: i64,
}

impl ActivityLine<'_> {
    fn render(&self) -> Markup {
        html! {
            dt { (self.words) @if self.refused { " " span.mark { "Refused" } } }
            dd { (time::moment(self.at)) @if !self.network.is_empty() { " · network " (self.network) } }
        }
    }
}

/// The list. No form.
#[derive(Clone, Copy, Debug)]
pub struct Activity<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// A page of them; at most [`Activity::A_PAGE`], or the page grows too heavy.
    pub lines: &'a [ActivityLine<'a>],
    /// Whether this is the list's beginning.
    pub newest: bool,
    /// Portal path of the older ones, where there are more.
    pub older: Option<&'a str>,
}

impl Activity<'_> {
    /// Entries on one page.
    pub const A_PAGE: usize = 50;

    /// The page.
    #[must_use]
    pub fn render(&self) -> Markup {
        let frame = &self.frame;
        frame.page(
            &Sheet::new("Activity", false).within(Section::Security),
            &html! {
                h1 { "Activity" }
                p {
                    "What happened to your account. If something here wasn't you, change your password and tell your \
                     administrator."
                }
                @if self.lines.is_empty() {
                    p.hint { @if self.newest { "Nothing has happened yet." } @else { "There is nothing older." } }
                } @else {
                    dl { @for line in self.lines { (line.render()) } }
                }
                p.links {
                    @if let Some(older) = self.older { a href=(frame.to(older)) { "Older ones" } }
                    @if !self.newest { a href=(frame.to("activity")) { "Newest ones" } }
                    a href=(frame.to("sessions")) { "Where you are signed in" }
                    a href=(frame.to("password")) { "Change password" }
                    a href=(frame.to("second-factor")) { "Back to security" }
                }
            },
        )
    }
}
