//! Who may: the table of the portal's pages, and a site's rules held against a subject. Pure.

use http::{
    HeaderMap, Method,
    header::{ACCESS_CONTROL_REQUEST_METHOD, ORIGIN},
};

use super::{
    Page, Place, Site, Subject, overrides,
    rules::{Asked, Demand, Rules},
};
use crate::{
    config::{accounts::Demanding, site::Allow},
    identity::access_token::Sites,
    inbound::View,
    session::Record,
    world::UnixMillis,
};

/// Whom a place is for that asks for a second factor.
pub(super) const TWO_FACTOR: &str = "people with two-factor authentication";
/// The words of a rule that opens to nobody.
pub(super) const NOBODY: &str = "nobody";

/// A decision without the request it is about.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Allow,
    Authenticate,
    StepUp,
    Deny(String),
    OutOfScope,
    Ambiguous(&'static str),
    Unavailable,
}

/// The session room answers only for live sessions; a deadline that passed in between counts here again.
pub(super) fn still_alive(subject: Subject, now: UnixMillis) -> Subject {
    match subject {
        Subject::Session(live) if now >= live.record.expires_at || now >= live.idle_expires_at => {
            Subject::Anonymous { ended: true }
        }
        Subject::Token(live) if now >= live.record.expires_at => Subject::Anonymous { ended: true },
        subject => subject,
    }
}

/// Who may open a page of the portal.
pub(super) fn page(page: &Page, subject: &Subject) -> Verdict {
    if open(&page.path) { Verdict::Allow } else { signed_in(subject) }
}

/// Whether a token for these sites is for the site of that host. Where a place belongs to no site, only tokens for every site
/// are; and what says of no site is no token.
pub(super) fn in_scope(host: Option<&str>, sites: Option<&Sites>) -> bool {
    match (sites, host) {
        (Some(Sites::All), _) => true,
        (Some(sites), Some(host)) => sites.contain(host),
        (Some(_), None) | (None, _) => false,
    }
}

/// Whether somebody is signed in whose group demands a second factor, and has shown none. Whoever has one shows it at
/// sign-in: so they have none yet.
pub(super) fn owes_factor(demanding: &Demanding, subject: &Subject) -> bool {
    subject.live().is_some_and(|live| demanding.binds(&live.record.groups) && !live.record.two_factor())
}

/// Nothing opens for them but the way to a second factor, and the way out. Other gateways and programs that ask who they
/// are hear a no.
pub(super) fn owing(place: &Place) -> Verdict {
    let Place::Portal(page) = place else { return Verdict::StepUp };
    match page.path.as_str() {
        "me" | "check" => Verdict::Deny(TWO_FACTOR.into()),
        "second-factor" => Verdict::Allow,
        path if path.starts_with("second-factor/") || open(path) => Verdict::Allow,
        _ => Verdict::StepUp,
    }
}

/// Pages for people who are not signed in (some answer them with 401 themselves). Whatever is not named here, pages
/// that do not exist too, needs a session.
fn open(page: &str) -> bool {
    const PAGES: [&str; 16] = [
        "login",
        "callback",
        "logout",
        "me",
        "check",
        "jwks.json",
        "setup",
        "register",
        "password/forgot",
        "password/reset",
        ".well-known/change-password",
        "register/sent",
        "register/confirm",
        "email/confirm",
        "email/change",
        "email/undo",
    ];
    PAGES.contains(&page) || ["login/", "assets/"].iter().any(|folder| page.starts_with(folder))
}

/// Who may use a site.
pub(super) fn site(site: &Site, rules: &Rules, view: &View, fields: &HeaderMap, subject: &Subject) -> Verdict {
    // Without rules the path decides nothing, and travels as it came.
    if rules.is_empty() {
        return if is_preflight(site, view, fields) { Verdict::Allow } else { signed_in(subject) };
    }
    if let Some(mark) = ambiguous(site, view) {
        return Verdict::Ambiguous(mark);
    }
    // `OPTIONS *` asks about everything there is: the rules of `/` decide.
    let path = if &*view.target.path == "*" { "/" } else { &view.target.path };
    let demand = demand(rules, path, view, fields);
    if demand.allow != Allow::Nobody && is_preflight(site, view, fields) {
        return Verdict::Allow;
    }
    meets(&demand, subject)
}

/// What the rules ask for, whichever of the methods it names the upstream goes by.
fn demand<'a>(rules: &'a Rules, path: &str, view: &View, fields: &HeaderMap) -> Demand<'a> {
    let asked = |method| rules.demand(path, Asked { method, client: view.client.address });
    let demand = asked(&view.method);
    if !rules.by_method() {
        return demand;
    }
    let Some(methods) = overrides::methods(fields) else { return Demand::nobody() };
    methods.iter().fold(demand, |demand, method| demand.and(asked(method)))
}

/// CORS preflights carry no cookie (Fetch §4.8); the site says whether its upstream answers them itself. Browsers put
/// nothing of a page's choice into one: what names another method is no preflight, nor what asks for a tunnel.
fn is_preflight(site: &Site, view: &View, fields: &HeaderMap) -> bool {
    site.settings.allow_preflight
        && view.method == Method::OPTIONS
        && fields.contains_key(ORIGIN)
        && fields.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
        && view.upgrade.is_none()
        && !overrides::any(fields)
}

/// What in the path could be read in two ways and is not allowed by name. A raw backslash goes by `%5C`, a stray `%` by `%25`.
fn ambiguous(site: &Site, view: &View) -> Option<&'static str> {
    let name = |mark: &&'static str| match *mark {
        "\\" => "%5C",
        "%" => "%25",
        encoding => encoding,
    };
    let mut names = view.target.ambiguous.iter().map(name);
    names.find(|name| !site.settings.allow_encoded.iter().any(|allowed| allowed.eq_ignore_ascii_case(name)))
}

fn signed_in(subject: &Subject) -> Verdict {
    meets(&Demand { allow: Allow::SignedIn, groups: Vec::new() }, subject)
}

fn meets(demand: &Demand<'_>, subject: &Subject) -> Verdict {
    match (demand.allow, subject) {
        (Allow::Anyone, _) => Verdict::Allow,
        (Allow::Nobody, _) => Verdict::Deny(NOBODY.into()),
        (_, Subject::Anonymous { .. }) => Verdict::Authenticate,
        (_, Subject::Unknown) => Verdict::Unavailable,
        (allow, Subject::Session(live) | Subject::Token(live)) => has_shown(allow, demand, &live.record),
    }
}

fn has_shown(allow: Allow, demand: &Demand<'_>, record: &Record) -> Verdict {
    let member = |groups: &&[String]| groups.iter().any(|group| record.groups.contains(group));
    // Groups first: a second factor would not help somebody who is not in them.
    if !demand.groups.iter().all(member) {
        return Verdict::Deny(wanted(&demand.groups));
    }
    if allow == Allow::TwoFactor && !record.two_factor() {
        return Verdict::StepUp;
    }
    Verdict::Allow
}

/// "group staff", "groups staff or board"
fn wanted(groups: &[&[String]]) -> String {
    let list = |names: &&[String]| {
        let word = if names.len() == 1 { "group" } else { "groups" };
        format!("{word} {}", names.join(" or "))
    };
    groups.iter().map(list).collect::<Vec<_>>().join(" and ")
}

#[cfg(test)]
pub(super) mod examples;
#[cfg(test)]
mod tests;
