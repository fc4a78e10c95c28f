//! The frame around every portal page: head, bar, notices.

use maud::{DOCTYPE, Markup, html};

use crate::{assets, form};

/// What every page needs besides its own content.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// `portal.name`
    pub site_name: &'a str,
    /// Prefix of links and form targets, without a slash at the end: `/.auth`, or `https://login.example.com/.auth` for a
    /// page shown on another site's host.
    pub portal: &'a str,
    /// Prefix of this host's own assets, without a slash at the end: `/.auth/assets`.
    pub assets: &'a str,
    /// Who is signed in; brings the bar with Profile, Security and Sign out.
    pub person: Option<Person<'a>>,
    /// Where "Back to site" leads.
    pub back: Option<&'a str>,
    /// What appears in the terminal instead of reaching people.
    pub trying_out: Option<TryingOut>,
    /// The token of every form on this page (hidden field `csrf`).
    pub csrf: &'a str,
}

/// What goes to the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryingOut {
    /// Codes, whatever mails do: a newcomer would wait for their telephone.
    Codes,
    /// Mails alone: codes are sent.
    Mails,
}

impl TryingOut {
    fn word(self) -> &'static str {
        match self {
            Self::Codes => "codes",
            Self::Mails => "mails",
        }
    }
}

/// Who is signed in.
#[derive(Clone, Copy, Debug)]
pub struct Person<'a> {
    /// "Ada" – what the bar calls them.
    pub name: &'a str,
}

/// The part of the bar that a page belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    Profile,
    Security,
    Elsewhere,
}

/// A page's title, whether its form came back, and its part of the bar.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sheet<'a> {
    pub title: &'a str,
    pub failed: bool,
    pub section: Section,
    /// Brings the script that speaks to the browser about passkeys.
    pub passkeys: bool,
}

impl<'a> Sheet<'a> {
    pub(crate) fn new(title: &'a str, failed: bool) -> Self {
        Self { title, failed, section: Section::Elsewhere, passkeys: false }
    }

    pub(crate) fn within(self, section: Section) -> Self {
        Self { section, ..self }
    }

    pub(crate) fn with_passkeys(self) -> Self {
        Self { passkeys: true, ..self }
    }
}

impl Frame<'_> {
    /// `/.auth/login` for `login`.
    #[must_use]
    pub fn to(&self, path: &str) -> String {
        format!("{}/{path}", self.portal)
    }

    /// The whole page.
    pub(crate) fn page(&self, sheet: &Sheet<'_>, content: &Markup) -> Markup {
        let [style, script, icon, passkey] = assets();
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta name="robots" content="noindex";
                    title { @if sheet.failed { "Error: " } (sheet.title) " – " (self.site_name) }
                    link rel="icon" type="image/svg+xml" href={ (self.assets) "/" (icon.file_name()) };
                    link rel="stylesheet" href={ (self.assets) "/" (style.file_name()) };
                    script defer src={ (self.assets) "/" (script.file_name()) } {}
                    @if sheet.passkeys { script defer src={ (self.assets) "/" (passkey.file_name()) } {} }
                }
                body {
                    a.skip href="#main" { "Skip to the page" }
                    @if let Some(what) = self.trying_out { aside.trying { "Trying out: " (what.word()) " appear in the terminal." } }
                    header.bar {
                        span.name {
                            img src={ (self.assets) "/" (icon.file_name()) } alt="" width="28" height="28";
                            span { (self.site_name) }
                        }
                        @if let Some(person) = self.person {
                            span.who { "Signed in as " (person.name) }
                            (self.account_links(sheet.section))
                        }
                    }
                    main #main { (content) }
                }
            }
        }
    }

    fn account_links(&self, here: Section) -> Markup {
        let current = |section| (section == here).then_some("page");
        html! {
            nav aria-label="Your account" {
                a href=(self.to("profile")) aria-current=[current(Section::Profile)] { "Profile" }
                a href=(self.to("second-factor")) aria-current=[current(Section::Security)] { "Security" }
                @if let Some(back) = self.back { a href=(back) { "Back to site" } }
                (form::post(self, "logout", &html! { button.plain type="submit" { "Sign out" } }))
            }
        }
    }
}

/// The note above a page's content: what just happened, or why this page.
pub(crate) fn notice(notice: Option<crate::Notice<'_>>) -> Markup {
    html! {
        @if let Some(notice) = notice {
            div.box.good[notice.is_success()] role="status" { p { (notice.words()) } }
        }
    }
}
