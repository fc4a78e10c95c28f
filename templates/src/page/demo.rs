//! The built-in demo site: an upstream that shows what an upstream receives.

use maud::{Markup, html};

/// The demo's page: self-contained, for it plays an upstream and has no portal assets.
#[derive(Clone, Copy, Debug)]
pub struct Demo<'a> {
    /// `portal.path`: `/.auth`.
    pub portal: &'a str,
    /// `GET`
    pub method: &'a str,
    /// The target as the upstream received it.
    pub target: &'a str,
    /// Every field as received, in order; values lossily decoded.
    pub fields: &'a [(&'a str, &'a str)],
    /// Names of the identity fields (`Remote-User`, …); compared without case.
    pub identity: &'a [&'a str],
}

impl Demo<'_> {
    /// The page.
    #[must_use]
    pub fn render(&self) -> Markup {
        html! {}
    }
}
