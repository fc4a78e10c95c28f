//! The frame around every portal page: head, top bar, notices.

use maud::{DOCTYPE, Markup, html};

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
    /// Says "Trying out: codes appear in the terminal".
    pub trying_out: bool,
    /// The token of every form on this page (hidden field `csrf`).
    pub csrf: &'a str,
}

/// Who is signed in.
#[derive(Clone, Copy, Debug)]
pub struct Person<'a> {
    /// "Ada" – what the bar calls them.
    pub name: &'a str,
}

impl Frame<'_> {
    /// `/.auth/login` for `login`.
    #[must_use]
    pub fn to(&self, path: &str) -> String {
        format!("{}/{path}", self.portal)
    }

    /// The whole page. `failed` prefixes the title with "Error: ".
    pub(crate) fn page(&self, title: &str, failed: bool, content: &Markup) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    title { @if failed { "Error: " } (title) " – " (self.site_name) }
                }
                body { main { (content) } }
            }
        }
    }
}
