//! `admin/invitations`: administrators invite people, and see which invitations are open.

use std::time::Duration;

use maud::{Markup, html};

use crate::{
    Alert, FieldError, Frame, Notice,
    form::{self, Field, Kind},
    frame::{Sheet, notice},
    time,
};

/// One invitation that can be used.
#[derive(Clone, Copy, Debug)]
pub struct InvitationLine<'a> {
    /// Its number: the value of `revoke`.
    pub id: &'a str,
    /// For whom, where it is bound to an address.
    pub email: Option<&'a str>,
    /// "staff, wiki"; may be empty.
    pub groups: &'a str,
    /// The username of who made it.
    pub maker: &'a str,
    /// Unix milliseconds.
    pub expires_at: i64,
}

impl InvitationLine<'_> {
    fn render(&self) -> Markup {
        let whom = self.email.unwrap_or("Whoever has the link");
        html! {
            dt { strong { (whom) } }
            dd {
                "made by @" (self.maker) " · works until " (time::moment(self.expires_at))
                @if !self.groups.is_empty() { " · " (self.groups) }
                div { button.plain type="submit" name="revoke" value=(self.id) { "Revoke" span.aside { " " (whom) } } }
            }
        }
    }
}

/// The form and the list. Posts `email`, `groups`, `days`, or `revoke`; and `csrf`, to `admin/invitations`.
#[derive(Clone, Copy, Debug)]
pub struct Invitations<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// Whether an invitation opens a registration; else the page says which key to change.
    pub taken: bool,
    /// What was typed.
    pub email: &'a str,
    /// What was typed.
    pub groups: &'a str,
    /// What was typed.
    pub days: &'a str,
    /// A page of open ones, the newest first; at most [`Invitations::A_PAGE`].
    pub lines: &'a [InvitationLine<'a>],
    /// Portal path of the older ones, where there are more.
    pub older: Option<&'a str>,
    /// What just happened.
    pub notice: Option<Notice<'a>>,
    /// Fields to mend.
    pub errors: &'a [FieldError<'a>],
    /// Why the form came back, when it is not a field's fault.
    pub alert: Option<Alert<'a>>,
}

impl Invitations<'_> {
    /// Invitations on one page.
    pub const A_PAGE: usize = 20;

    /// The page.
    #[must_use]
    pub fn render(&self) -> Markup {
        let frame = &self.frame;
        frame.page(
            &Sheet::new("Invitations", form::failed(self.alert, self.errors)),
            &html! {
                h1 { "Invitations" }
                (notice(self.notice))
                (form::above(self.alert, self.errors))
                @if self.taken { (self.form()) } @else {
                    p { "Registration is closed here, so invitations would open nothing." }
                    p.hint { "If you run it: set " code { "accounts.registration" } " to " code { "\"invite\"" } ", " code { "\"approve\"" } " or " code { "\"open\"" } "." }
                }
                @if !self.lines.is_empty() {
                    h2 { "Open invitations" }
                    (form::post(frame, "admin/invitations", &html! { dl { @for line in self.lines { (line.render()) } } }))
                }
                p.links {
                    @if let Some(older) = self.older { a href=(frame.to(older)) { "Older ones" } }
                    a href=(frame.to("admin/people")) { "People" }
                }
            },
        )
    }

    fn form(&self) -> Markup {
        let errors = self.errors;
        let fields = html! {
            (Field::new(Kind::Email, "email", "E-mail", "off").value(self.email)
                .hint("May stay empty. With one, the invitation is mailed there and works for that address only.")
                .optional(true).errors(errors).render())
            (Field::new(Kind::Name, "groups", "Groups", "off").value(self.groups)
                .hint("Separated by commas; may stay empty. The new account is in them at once.")
                .optional(true).errors(errors).render())
            (Field::new(Kind::Number, "days", "Works for how many days", "off").value(self.days).hint("1 to 30.").errors(errors).render())
            (form::submit("Make invitation"))
        };
        html! {
            p { "An invitation lets one person make an account. No approval is needed then." }
            (form::post(&self.frame, "admin/invitations", &fields))
        }
    }
}

/// The link, this once. No form.
#[derive(Clone, Copy, Debug)]
pub struct InvitationMade<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// The whole URL.
    pub link: &'a str,
    /// To whom a link was mailed.
    pub mailed_to: Option<&'a str>,
    /// Whether addresses are confirmed: who comes by this link has not proved theirs.
    pub confirms: bool,
    /// How long it works.
    pub lives: Duration,
}

impl InvitationMade<'_> {
    /// The page.
    #[must_use]
    pub fn render(&self) -> Markup {
        let frame = &self.frame;
        let lives = time::span(self.lives);
        frame.page(
            &Sheet::new("Invitation made", false),
            &html! {
                h1 { "Invitation made" }
                @if let Some(email) = self.mailed_to {
                    p { "A link is on its way to " strong { (email) } ". It works once, for " (lives) "." }
                    p {
                        "If that mail gets lost, pass on this link instead. It is shown this once"
                        @if self.confirms { ", and asks for one more mail to confirm the address" }
                        "."
                    }
                } @else {
                    p { "Pass this link on to the one person it is for. It works once, for " (lives) ", and is shown this once." }
                }
                (Field::new(Kind::Handle, "link", "Link", "off").value(self.link).readonly(true).render())
                p.links {
                    a href=(frame.to("admin/invitations")) { "Back to invitations" }
                    a href=(frame.to("admin/people")) { "People" }
                }
            },
        )
    }
}
