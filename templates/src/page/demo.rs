//! The built-in demo site: an upstream that shows what an upstream receives.

use std::sync::LazyLock;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::asset::lean_style;

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
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { "Vestibule's demo site" }
                    style { (PreEscaped(STYLE.as_str())) }
                }
                body { main { (self.head()) (self.who()) (self.request()) (self.next()) } }
            }
        }
    }

    fn head(&self) -> Markup {
        let signed_in = self.received().next().is_some();
        html! {
            p.tag { "Vestibule's built-in demo site" }
            h1 { @if signed_in { "You're in" } @else { "Nobody is signed in" } }
            p {
                @if signed_in { "This is what a site behind Vestibule sees of you. It never sees your password, code or cookie." }
                @else { "This page is open to anyone, so the request carries no identity." }
            }
            p.links {
                @if signed_in {
                    a href={ (self.portal) "/profile" } { "Your profile" }
                    a href={ (self.portal) "/logout" } { "Sign out" }
                } @else {
                    a href={ (self.portal) "/login" } { "Sign in" }
                }
            }
        }
    }

    fn who(&self) -> Markup {
        html! {
            @if self.received().next().is_some() {
                h2 { "Who you are" }
                dl {
                    @for (name, value) in self.received() {
                        div { dt { (meaning(name)) " " code { (titled(name)) } } dd { (value) } }
                    }
                }
                p.note { "Whatever a visitor sends under these names is removed; these values were written by Vestibule." }
            }
        }
    }

    fn request(&self) -> Markup {
        html! {
            h2 { "The whole request" }
            pre tabindex="0" { (self.method) " " (self.target) "\n" @for (name, value) in self.fields { (titled(name)) ": " (value) "\n" } }
        }
    }

    fn next(&self) -> Markup {
        html! {
            h2 { "Your own site instead" }
            p { "Start Vestibule with the address of a running site:" }
            pre tabindex="0" { "vestibule --upstream http://127.0.0.1:3000" }
            p { "or set " code { "upstream" } " under " code { "[[site]]" } " in " code { "config.toml" } "." }
        }
    }

    fn received(&self) -> impl Iterator<Item = (&str, &str)> {
        let is_identity = |name: &str| self.identity.iter().any(|field| field.eq_ignore_ascii_case(name));
        self.fields.iter().copied().filter(move |(name, _)| is_identity(name))
    }
}

/// `Remote-User` of `remote-user`: as configuration and documentation write names.
fn titled(name: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        letters.next().map_or_else(String::new, |first| format!("{}{}", first.to_ascii_uppercase(), letters.as_str()))
    };
    name.split('-').map(word).collect::<Vec<_>>().join("-")
}

/// What the customary names mean; a name of the operator's own speaks for itself.
fn meaning(name: &str) -> &'static str {
    match name.to_ascii_lowercase().as_str() {
        "remote-user" => "Username",
        "remote-name" => "Name",
        "remote-email" => "E-mail",
        "remote-groups" => "Groups",
        "remote-id" => "Permanent id",
        "vestibule-assertion" => "Signed assertion",
        _ => "",
    }
}

static STYLE: LazyLock<String> = LazyLock::new(|| lean_style(include_str!("../../assets/demo.css")));
