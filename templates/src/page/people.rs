//! `admin/people`: everyone, for administrators: who waits, who is in, who is out.

use maud::{Markup, html};

use crate::{
    Alert, FieldError, Frame, Notice, form,
    form::{Field, Kind, hidden},
    frame::{Sheet, notice},
    time,
};

/// How an account stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Can sign in.
    Active,
    /// Cannot.
    Disabled,
    /// Since when it waits for an approval; unix milliseconds.
    Waiting(i64),
}

/// One person.
#[derive(Clone, Copy, Debug)]
pub struct PersonLine<'a> {
    /// The account's id.
    pub id: &'a str,
    /// "Ada Lovelace"
    pub name: &'a str,
    /// Without `@`.
    pub username: &'a str,
    /// As typed.
    pub email: &'a str,
    /// Its owner proved it.
    pub email_confirmed: bool,
    /// "staff, wiki"; may be empty.
    pub groups: &'a str,
    /// How the account stands.
    pub standing: Standing,
    /// Unix milliseconds.
    pub last_seen: Option<i64>,
    /// The one who looks at the page.
    pub own: bool,
}

impl PersonLine<'_> {
    fn render(&self, frame: &Frame<'_>, now: i64) -> Markup {
        let of_whom = html! { span.aside { " @" (self.username) } };
        html! {
            dt {
                strong { (self.name) } " @" (self.username)
                @match self.standing {
                    Standing::Active => {}
                    Standing::Disabled => { " " span.mark { "Disabled" } }
                    Standing::Waiting(_) => { " " span.mark { "Waiting" } }
                }
                @if self.own { " " span.mark.good { "You" } }
            }
            dd {
                (self.email) @if !self.email_confirmed { " (not confirmed)" }
                @if !self.groups.is_empty() { " · " (self.groups) }
                @if let Standing::Waiting(since) = self.standing { " · waiting since " (time::moment(since)) }
                @else if let Some(seen) = self.last_seen { " · last seen " (time::ago(seen, now)) }
                @else { " · never seen" }
                div {
                    @match self.standing {
                        Standing::Active => button.plain type="submit" name="disable" value=(self.id) { "Disable" (of_whom) },
                        Standing::Disabled => button.plain type="submit" name="enable" value=(self.id) { "Enable" (of_whom) },
                        Standing::Waiting(_) => {
                            button.plain type="submit" name="enable" value=(self.id) { "Approve" (of_whom) }
                            " · " a href=(frame.to(&format!("admin/people?decline={}", form::query_value(self.id)))) { "Decline" (of_whom) }
                        }
                    }
                    @if !matches!(self.standing, Standing::Waiting(_)) {
                        " · " a href=(frame.to(&format!("admin/people?groups={}", form::query_value(self.id)))) { "Groups" (of_whom) }
                    }
                }
            }
        }
    }
}

/// The list. Posts `q` and `search`; or `enable` or `disable` with an id, beside `q`, `state`, `after`; and `csrf`, to
/// `admin/people`.
#[derive(Clone, Copy, Debug)]
pub struct People<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// A page of them, in the order of their usernames; at most [`People::A_PAGE`], or the page grows too
    /// heavy.
    pub lines: &'a [PersonLine<'a>],
    /// What was searched for.
    pub sought: &'a str,
    /// Only those who wait.
    pub only_waiting: bool,
    /// How many wait.
    pub waiting: u64,
    /// The username before this page; empty on the first.
    pub after: &'a str,
    /// Portal path of the next page, where there is one.
    pub more: Option<&'a str>,
    /// Unix milliseconds.
    pub now: i64,
    /// What just happened.
    pub notice: Option<Notice<'a>>,
    /// Why the page came back.
    pub alert: Option<Alert<'a>>,
}

impl People<'_> {
    /// People on one page.
    pub const A_PAGE: usize = 25;

    /// The page.
    #[must_use]
    pub fn render(&self) -> Markup {
        let frame = &self.frame;
        let narrowed = self.only_waiting || !self.sought.is_empty() || !self.after.is_empty();
        frame.page(
            &Sheet::new("People", self.alert.is_some()),
            &html! {
                h1 { "People" }
                (notice(self.notice))
                (form::above(self.alert, &[]))
                @if self.waiting > 0 && !self.only_waiting {
                    p { a href=(frame.to("admin/people?state=waiting")) { (waiting(self.waiting)) } }
                }
                (form::post(frame, "admin/people", &html! {
                    (Field::new(Kind::Handle, "q", "Search", "off").value(self.sought)
                        .hint("How a name, username or e-mail address begins.").optional(true).render())
                    button type="submit" name="search" value="1" { "Search" }
                }))
                @if self.lines.is_empty() {
                    p.hint { @if narrowed { "Nobody here." } @else { "Nobody yet." } }
                } @else {
                    // One form for all buttons: one token, however long the list.
                    (form::post(frame, "admin/people", &html! {
                        (hidden("q", self.sought))
                        (hidden("state", if self.only_waiting { "waiting" } else { "" }))
                        (hidden("after", self.after))
                        dl { @for line in self.lines { (line.render(frame, self.now)) } }
                    }))
                    @if self.only_waiting && self.lines.len() > 1 {
                        p { a href=(frame.to(&self.decline_all())) { "Decline all shown" } }
                    }
                }
                p.links {
                    @if let Some(more) = self.more { a href=(frame.to(more)) { "More" } }
                    @if narrowed { a href=(frame.to("admin/people")) { "Everyone" } }
                    a href=(frame.to("admin/invitations")) { "Invitations" }
                    a href=(frame.to("profile")) { "Back to profile" }
                }
            },
        )
    }
}

impl People<'_> {
    /// Those of this page and no others: more may have come meanwhile.
    fn decline_all(&self) -> String {
        let waiting = self.lines.iter().filter(|line| matches!(line.standing, Standing::Waiting(_)));
        let ids: Vec<_> = waiting.map(|line| form::query_value(line.id)).collect();
        format!("admin/people?decline={}", ids.join("."))
    }
}

fn waiting(count: u64) -> String {
    match count {
        1 => "1 person waits for your approval".to_owned(),
        many => format!("{many} people wait for your approval"),
    }
}

/// The groups of one person. Posts `person` with the id, `groups`, and `csrf`, to `admin/people`.
#[derive(Clone, Copy, Debug)]
pub struct PersonGroups<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// The account's id.
    pub id: &'a str,
    /// "Ada Lovelace"
    pub name: &'a str,
    /// Without `@`.
    pub username: &'a str,
    /// "staff, wiki", as they are or as they were typed.
    pub groups: &'a str,
    /// Fields to mend.
    pub errors: &'a [FieldError<'a>],
    /// Why the form came back, when it is not a field's fault.
    pub alert: Option<Alert<'a>>,
}

impl PersonGroups<'_> {
    /// The page.
    #[must_use]
    pub fn render(&self) -> Markup {
        let frame = &self.frame;
        let fields = html! {
            (hidden("person", self.id))
            (Field::new(Kind::Name, "groups", "Groups", "off").value(self.groups)
                .hint("Separated by commas; may stay empty.").optional(true).errors(self.errors).render())
            (form::submit("Save groups"))
        };
        frame.page(
            &Sheet::new("Groups", form::failed(self.alert, self.errors)),
            &html! {
                h1 { "Groups of " (self.name) }
                p { "What @" (self.username) " may open follows at once, on pages that are open, too." }
                (form::above(self.alert, self.errors))
                (form::post(frame, "admin/people", &fields))
                p.links { a href=(frame.to("admin/people")) { "People" } }
            },
        )
    }
}

/// "Decline Ada Lovelace?" Posts `decline` with the id, and `csrf`, to `admin/people`.
#[derive(Clone, Copy, Debug)]
pub struct DeclinePerson<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// The account's id.
    pub id: &'a str,
    /// "Ada Lovelace"
    pub name: &'a str,
    /// Without `@`.
    pub username: &'a str,
    /// As typed.
    pub email: &'a str,
}

impl DeclinePerson<'_> {
    /// The page.
    #[must_use]
    pub fn render(&self) -> Markup {
        let frame = &self.frame;
        let fields = html! {
            (hidden("decline", self.id))
            div.actions {
                button.primary.danger type="submit" { "Decline" }
                a.button href=(frame.to("admin/people?state=waiting")) { "Back" }
            }
        };
        frame.page(
            &Sheet::new("Decline a registration", false),
            &html! {
                h1 { "Decline " (self.name) "?" }
                p.lead { "This can't be undone." }
                p {
                    "What they entered is deleted, and a mail to " strong { (self.email) } " says so. The username "
                    strong { (self.username) } " is free again."
                }
                (form::post(frame, "admin/people", &fields))
            },
        )
    }
}

/// "Decline 25 people?" Posts `decline` with the ids, and `csrf`, to `admin/people`.
#[derive(Clone, Copy, Debug)]
pub struct DeclinePeople<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// The accounts' ids, as the form sends them.
    pub ids: &'a str,
    /// "Ada Lovelace", "ada", "ada@example.org"
    pub people: &'a [(String, &'a str, &'a str)],
}

impl DeclinePeople<'_> {
    /// The page.
    #[must_use]
    pub fn render(&self) -> Markup {
        let frame = &self.frame;
        let fields = html! {
            (hidden("decline", self.ids))
            div.actions {
                button.primary.danger type="submit" { "Decline all" }
                a.button href=(frame.to("admin/people?state=waiting")) { "Back" }
            }
        };
        frame.page(
            &Sheet::new("Decline registrations", false),
            &html! {
                h1 { "Decline " (self.people.len()) " people?" }
                p.lead { "This can't be undone." }
                p { "What they entered is deleted, a mail to each says so, and their usernames are free again." }
                dl {
                    @for (name, username, email) in self.people {
                        dt { strong { (name) } " @" (username) }
                        dd { (email) }
                    }
                }
                (form::post(frame, "admin/people", &fields))
            },
        )
    }
}
