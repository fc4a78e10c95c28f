//! `tokens`: access tokens for scripts; make one, revoke one.

use std::time::Duration;

use maud::{Markup, html};

use crate::{
    Alert, FieldError, Frame, Notice,
    form::{self, Field, Kind},
    frame::{Section, Sheet, notice},
    time,
};

/// One token.
#[derive(Clone, Copy, Debug)]
pub struct TokenLine<'a> {
    /// Its public name: the value of `token`.
    pub id: &'a str,
    /// What its owner calls it.
    pub name: &'a str,
    /// The hosts it is for; empty: every site.
    pub sites: &'a [&'a str],
    /// Unix milliseconds.
    pub made: i64,
    /// Unix milliseconds; `None` when it was never used.
    pub last_used: Option<i64>,
    /// Unix milliseconds.
    pub expires: i64,
}

/// A site to choose.
#[derive(Clone, Copy, Debug)]
pub struct SiteChoice<'a> {
    /// Its host; `site-<host>` is its field.
    pub host: &'a str,
    /// Whether its box is ticked.
    pub chosen: bool,
}

/// A token that was just made.
#[derive(Clone, Copy, Debug)]
pub struct FreshToken<'a> {
    /// What its owner calls it.
    pub name: &'a str,
    /// Shown this once.
    pub value: &'a str,
    /// Where an example may ask.
    pub url: &'a str,
}

/// The list and the form. Posts `name`, `all`, `site-<host>`, `days`, or `token`, and `csrf`, to `tokens`.
#[derive(Clone, Copy, Debug)]
pub struct Tokens<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// The newest first.
    pub lines: &'a [TokenLine<'a>],
    /// Made just now: nothing else is shown.
    pub fresh: Option<FreshToken<'a>>,
    /// Where to sign in once more before one can be made; `None`: the form is shown.
    pub confirm: Option<&'a str>,
    /// As typed.
    pub name: &'a str,
    /// Every site there is.
    pub sites: &'a [SiteChoice<'a>],
    /// Whether the box for every site is ticked.
    pub all: bool,
    /// Days it shall live.
    pub days: u64,
    /// Unix milliseconds.
    pub now: i64,
    /// What just happened.
    pub notice: Option<Notice<'a>>,
    /// Fields to mend.
    pub errors: &'a [FieldError<'a>],
    /// Why the form came back, when it is not a field's fault.
    pub alert: Option<Alert<'a>>,
}

impl Tokens<'_> {
    /// How long a token may live, days.
    pub const DAYS: [u64; 3] = [30, 90, 365];

    /// The page.
    #[must_use]
    pub fn render(&self) -> Markup {
        let frame = &self.frame;
        frame.page(
            &Sheet::new("Access tokens", form::failed(self.alert, self.errors)).within(Section::Security),
            &html! {
                h1 { "Access tokens" }
                (notice(self.notice))
                (form::above(self.alert, self.errors))
                @if let Some(fresh) = self.fresh { (made(&fresh)) } @else { (self.list()) (self.form()) }
                p.links {
                    @if self.fresh.is_some() { a href=(frame.to("tokens")) { "Your access tokens" } }
                    a href=(frame.to("sessions")) { "Where you are signed in" }
                    a href=(frame.to("second-factor")) { "Back to security" }
                }
            },
        )
    }

    fn list(&self) -> Markup {
        html! {
            p { "For scripts and programs. Whoever has one comes in as you, without your password, on its sites, until it expires." }
            @if self.lines.is_empty() {
                p.hint { "You have none." }
            } @else {
                // One form for all buttons: one token of the form, however long the list.
                (form::post(&self.frame, "tokens", &html! { dl { @for line in self.lines { (line.render(self.now)) } } }))
            }
        }
    }

    fn form(&self) -> Markup {
        let frame = &self.frame;
        html! {
            h2 { "Make a token" }
            @if let Some(confirm) = self.confirm {
                p { "A token guards your account as your password does: sign in once more, then make it here." }
                div.actions { a.button.primary href=(frame.to(confirm)) { "Sign in once more" } }
            } @else {
                (form::post(frame, "tokens", &html! {
                    (Field::new(Kind::Name, "name", "Name", "off").value(self.name).hint("What it is for: \u{201c}backup on my laptop\u{201d}.").errors(self.errors).render())
                    (self.sites())
                    (self.spans())
                    (form::submit("Make the token"))
                }))
            }
        }
    }

    fn spans(&self) -> Markup {
        let error = form::error_of("days", self.errors);
        html! {
            div.field .wrong[error.is_some()] {
                label for="days" { "Works for" }
                (form::said_beside("days", None, error))
                select #days name="days" aria-invalid=[error.map(|_| "true")] aria-describedby=[error.map(|_| "days-error")] {
                    @for days in Self::DAYS { option value=(days) selected[days == self.days] { (time::span(Duration::from_hours(24 * days))) } }
                }
            }
        }
    }

    fn sites(&self) -> Markup {
        let error = form::error_of("sites", self.errors);
        html! {
            @if let [only] = self.sites {
                (form::hidden(&format!("site-{}", only.host), "on"))
                p.hint { "It will open " (only.host) ", as far as you may." }
            } @else {
                fieldset #sites .wrong[error.is_some()] {
                    legend { "What it opens" }
                    (form::said_beside("sites", None, error))
                    @for site in self.sites {
                        label.check { input type="checkbox" name={ "site-" (site.host) } value="on" checked[site.chosen]; span { (site.host) } }
                    }
                    label.check { input type="checkbox" name="all" value="on" checked[self.all]; span { "Every site, those to come as well" } }
                }
            }
        }
    }
}

impl TokenLine<'_> {
    fn render(&self, now: i64) -> Markup {
        html! {
            dt { strong { (self.name) } }
            dd {
                @if self.sites.is_empty() { "Every site" } @else { (self.sites.join(", ")) }
                " · made " (time::day(self.made)) " · "
                @match self.last_used {
                    Some(used) => { "last used " (time::ago(used, now)) }
                    None => "never used",
                }
                " · until " (time::day(self.expires))
                div { button.plain type="submit" name="token" value=(self.id) { "Revoke" span.aside { " " (self.name) } } }
            }
        }
    }
}

/// The value, this once, and how it is used.
fn made(fresh: &FreshToken<'_>) -> Markup {
    html! {
        p { "This is " strong { (fresh.name) } ". Copy it now: it is shown this once." }
        p { code { (fresh.value) } }
        p { "A program sends it like this:" }
        p { code { "curl -H \"Authorization: Bearer " (fresh.value) "\" " (fresh.url) } }
        p.hint { "Where a program asks for a name and a password, as git does, it is the password, with any name." }
    }
}
