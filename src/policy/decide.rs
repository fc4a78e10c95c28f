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
pub(super) mod examples {
    //! Policies, requests and people for the tables of this room.

    use std::time::Duration;

    use super::*;
    use crate::{
        config::{
            portal::{Portal, PortalUrl},
            site::{HostPattern, PathPattern, Rule, Site as Settings},
        },
        identity::{self, Shown, account::AccountId},
        inbound::{Connection, Reader},
        policy::Policy,
        session::{Live, Sid},
        world::Entropy,
    };

    pub(in crate::policy) fn rule(path: &str, allow: Allow) -> Rule {
        let path = match path.strip_prefix('=') {
            Some(exact) => PathPattern::Exact(exact.into()),
            None => PathPattern::Prefix(path.into()),
        };
        Rule { path, methods: Vec::new(), networks: Vec::new(), allow, groups: Vec::new() }
    }

    pub(in crate::policy) fn policy(portal: &str, hosts: &[&str], rules: &[Rule]) -> Policy {
        let site = |host: &&str| Settings {
            host: if *host == "*" { HostPattern::Any } else { HostPattern::Exact((*host).into()) },
            rules: rules.to_vec(),
            ..Settings::default()
        };
        let portal = Portal { url: PortalUrl::parse(portal).unwrap(), ..Portal::default() };
        Policy::new(&portal, &Demanding::Nobody, &hosts.iter().map(site).collect::<Vec<_>>())
    }

    pub(in crate::policy) fn view(method: &str, host: &str, target: &str) -> View {
        let request = http::Request::builder().method(method).uri(target).header("host", host).body(()).unwrap();
        let connection = Connection::new("192.0.2.1:1".parse().unwrap(), None);
        Reader::new(Vec::new(), &Entropy::counting()).unwrap().read(&request.into_parts().0, &connection).unwrap()
    }

    pub(in crate::policy) fn person(groups: &[&str], methods: &[identity::Method]) -> Subject {
        let at = UnixMillis(0);
        Subject::Session(Live::for_testing(Record {
            sid: Sid("s".into()),
            account: AccountId("a".into()),
            username: "ada".into(),
            name: "Ada".into(),
            email: None,
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            factors: methods.iter().map(|method| Shown { method: *method, at }).collect(),
            created_at: at,
            expires_at: UnixMillis(1000),
            idle: Duration::from_secs(1),
            generation: 0,
            proved: 0,
            remember: false,
            ..Record::for_testing()
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{examples::*, *};
    use crate::{
        config::site::Rule,
        identity::Method::{Pwd, Sms},
        inbound::Connection,
        policy::Policy,
        session::Live,
    };

    fn site_policy() -> Policy {
        let staff = Rule { groups: vec!["staff".into(), "board".into()], ..rule("/staff", Allow::SignedIn) };
        let vault = Rule { groups: vec!["staff".into()], ..rule("/vault/staff", Allow::TwoFactor) };
        let read = Rule { methods: vec![Method::GET], ..rule("/docs", Allow::Anyone) };
        policy(
            "http://localhost",
            &["*"],
            &[
                rule("/public/", Allow::Anyone),
                rule("/closed", Allow::Nobody),
                staff,
                vault,
                rule("/vault", Allow::TwoFactor),
                read,
            ],
        )
    }

    fn verdict(policy: &Policy, method: &str, target: &str, subject: &Subject) -> Verdict {
        let view = view(method, "localhost", target);
        site(&policy.sites[0], &policy.rules[0], &view, &HeaderMap::new(), subject)
    }

    /// SCENARIOS 30: nobody, Ada (password only), Ben (staff), Cleo (staff, second factor), and a store that is down.
    #[test]
    fn people_urls_and_methods_get_the_expected_answers() {
        let staff = || Verdict::Deny("groups staff or board".into());
        let vault = || Verdict::Deny("group staff".into());
        let nobody = || Verdict::Deny("nobody".into());
        use Verdict::{Allow as Yes, Authenticate as Login, StepUp as Step, Unavailable as Down};
        let table: [(&str, &str, [Verdict; 5]); 16] = [
            ("GET", "/", [Login, Yes, Yes, Yes, Down]),
            ("POST", "/", [Login, Yes, Yes, Yes, Down]),
            ("GET", "/public/", [Yes, Yes, Yes, Yes, Yes]),
            ("DELETE", "/public/x", [Yes, Yes, Yes, Yes, Yes]),
            ("GET", "/publication", [Login, Yes, Yes, Yes, Down]),
            ("GET", "/closed", [nobody(), nobody(), nobody(), nobody(), nobody()]),
            ("POST", "/closed/x", [nobody(), nobody(), nobody(), nobody(), nobody()]),
            ("GET", "/staff", [Login, staff(), Yes, Yes, Down]),
            ("PUT", "/staff/x?y=/public/", [Login, staff(), Yes, Yes, Down]),
            ("GET", "/STAFF", [Login, staff(), Yes, Yes, Down]),
            ("GET", "/vault", [Login, Step, Step, Yes, Down]),
            ("POST", "/public/..;/vault", [nobody(), nobody(), nobody(), nobody(), nobody()]),
            ("GET", "/vault/staff", [Login, vault(), Step, Yes, Down]),
            ("GET", "/docs/a", [Yes, Yes, Yes, Yes, Yes]),
            ("HEAD", "/docs/a", [Yes, Yes, Yes, Yes, Yes]),
            ("POST", "/docs/a", [Login, Yes, Yes, Yes, Down]),
        ];
        let people = [
            Subject::Anonymous { ended: false },
            person(&[], &[Pwd]),
            person(&["staff"], &[Pwd]),
            person(&["staff"], &[Pwd, Sms]),
            Subject::Unknown,
        ];
        let policy = site_policy();
        for (method, target, expected) in &table {
            for (subject, expected) in people.iter().zip(expected) {
                assert_eq!(verdict(&policy, method, target, subject), *expected, "{method} {target} {subject:?}");
            }
        }
    }

    /// A session whose group demands a second factor, without one.
    #[test]
    fn a_demanded_factor_leaves_open_the_way_to_it_and_the_way_out_only() {
        let staff = Demanding::Groups(vec!["board".into(), "staff".into()]);
        for (demanding, groups, methods, owes) in [
            (&staff, &["staff"][..], &[Pwd][..], true),
            (&staff, &["staff"], &[Pwd, Sms], false),
            (&staff, &["kitchen"], &[Pwd], false),
            (&staff, &[], &[Pwd], false),
            (&Demanding::Everybody, &[], &[Pwd], true),
            (&Demanding::Nobody, &["staff"], &[Pwd], false),
        ] {
            assert_eq!(owes_factor(demanding, &person(groups, methods)), owes, "{demanding:?} {groups:?} {methods:?}");
        }
        for nobody in [Subject::Anonymous { ended: true }, Subject::Unknown] {
            assert!(!owes_factor(&Demanding::Everybody, &nobody));
        }
        let policy = site_policy();
        assert_eq!(owing(&Place::Site(Arc::clone(&policy.sites()[0]))), Verdict::StepUp);
        let place = |path: &str| Place::Portal(Page { path: path.into(), on_portal_host: true });
        for path in [
            "second-factor",
            "second-factor/app",
            "second-factor/passkey",
            "login",
            "login/verify",
            "logout",
            "assets/x",
        ] {
            assert_eq!(owing(&place(path)), Verdict::Allow, "{path}");
        }
        for path in ["", "profile", "profile/edit", "password", "sessions", "activity", "second-factorx", "nowhere"] {
            assert_eq!(owing(&place(path)), Verdict::StepUp, "{path}");
        }
        for path in ["me", "check"] {
            assert!(matches!(owing(&place(path)), Verdict::Deny(_)), "{path}");
        }
    }

    /// The same person, by a token for these sites.
    fn token(groups: &[&str], methods: &[crate::identity::Method], sites: Sites) -> Subject {
        let Subject::Session(live) = person(groups, methods) else { return Subject::Unknown };
        Subject::Token(Live::for_testing(Record { token: Some(sites), ..(*live.record).clone() }))
    }

    fn in_place(policy: &Policy, target: &str, subject: &Subject) -> bool {
        let view = view("GET", "localhost", target);
        let place = policy.route(&view, &Connection::new("192.0.2.1:1".parse().unwrap(), None)).unwrap();
        !policy.out_of_scope(&place, &view, subject)
    }

    /// SCENARIO 43: where a token may be used, and how strong it is.
    #[test]
    fn a_token_is_for_its_sites_and_as_strong_as_who_made_it() {
        let of = |hosts: &[&str]| Sites::Of(hosts.iter().map(|host| (*host).to_owned()).collect());
        let policy = site_policy();
        for target in ["/", "/public/", "/.auth/me", "/.auth/check"] {
            assert!(in_place(&policy, target, &token(&[], &[Pwd], Sites::All)), "{target}");
            assert!(in_place(&policy, target, &token(&[], &[Pwd], of(&["localhost"]))), "{target}");
            for hosts in [&["*"][..], &[], &["localhost:80"], &["a.localhost", "localhos"]] {
                assert!(!in_place(&policy, target, &token(&[], &[Pwd], of(hosts))), "{target} {hosts:?}");
            }
        }
        assert!(!in_scope(None, Some(&of(&["localhost"]))) && in_scope(None, Some(&Sites::All)));
        assert!(!in_scope(Some("localhost"), None), "a session's record is no token's");
        let weak = token(&["staff"], &[Pwd], Sites::All);
        assert_eq!(verdict(&policy, "GET", "/vault", &weak), Verdict::StepUp);
        assert_eq!(verdict(&policy, "GET", "/vault", &token(&["staff"], &[Pwd, Sms], Sites::All)), Verdict::Allow);
        assert!(owes_factor(&Demanding::Everybody, &weak));
        assert!(matches!(still_alive(weak.clone(), UnixMillis(999)), Subject::Token(_)));
        assert!(matches!(still_alive(weak, UnixMillis(1000)), Subject::Anonymous { ended: true }));
    }

    #[test]
    fn ambiguous_paths_are_refused_unless_allowed_by_name() {
        let subject = person(&[], &[Pwd]);
        let mut policy = site_policy();
        for (path, mark) in [
            ("/a%2fb", "%2F"),
            ("/public%2f..%2fclosed", "%2F"),
            ("/a%5Cb", "%5C"),
            ("/a\\b", "%5C"),
            ("/a%00", "%00"),
            ("/a%23", "%23"),
            ("/a%zz", "%25"),
        ] {
            assert_eq!(verdict(&policy, "GET", path, &subject), Verdict::Ambiguous(mark), "{path}");
        }
        assert_eq!(verdict(&policy, "GET", "/a?b=%2f", &subject), Verdict::Allow);
        let mut allowed = super::super::Site {
            index: 0,
            settings: policy.sites[0].settings.clone(),
            host: String::new(),
            label: String::new(),
        };
        allowed.settings.allow_encoded = vec!["%2F".into()];
        policy.sites[0] = std::sync::Arc::new(allowed);
        assert_eq!(verdict(&policy, "GET", "/a%2fb", &subject), Verdict::Allow);
        let closed = verdict(&policy, "GET", "/public%2f..%2fclosed", &subject);
        assert_eq!(closed, Verdict::Deny(NOBODY.into()), "allowed, and still decided on what it may mean");
        let without_rules = examples::policy("http://localhost", &["*"], &[]);
        assert_eq!(verdict(&without_rules, "GET", "/a%2fb%zz\\", &subject), Verdict::Allow);
    }

    #[test]
    fn preflights_pass_where_the_site_says_so() {
        let mut policy = site_policy();
        let preflight: HeaderMap = [(ORIGIN, "https://a.example"), (ACCESS_CONTROL_REQUEST_METHOD, "PUT")]
            .into_iter()
            .map(|(name, value)| (name, value.parse().unwrap()))
            .collect();
        let stranger = Subject::Anonymous { ended: false };
        let ask = |policy: &Policy, method: &str, target: &str, fields: &HeaderMap| {
            site(&policy.sites[0], &policy.rules[0], &view(method, "localhost", target), fields, &stranger)
        };
        assert_eq!(ask(&policy, "OPTIONS", "/", &preflight), Verdict::Authenticate);
        let mut settings = policy.sites[0].settings.clone();
        settings.allow_preflight = true;
        policy.sites[0] =
            std::sync::Arc::new(super::super::Site { index: 0, settings, host: String::new(), label: String::new() });
        assert_eq!(ask(&policy, "OPTIONS", "/", &preflight), Verdict::Allow);
        assert_eq!(ask(&policy, "OPTIONS", "/", &HeaderMap::new()), Verdict::Authenticate);
        assert_eq!(ask(&policy, "GET", "/", &preflight), Verdict::Authenticate);
        assert_eq!(ask(&policy, "OPTIONS", "/closed", &preflight), Verdict::Deny(NOBODY.into()));
        let mut tunnelled = preflight.clone();
        tunnelled.insert("x-http-method-override", "GET".parse().unwrap());
        assert_eq!(ask(&policy, "OPTIONS", "/", &tunnelled), Verdict::Authenticate, "no browser sends that");
        let upgrading = View { upgrade: Some("chat".into()), ..view("OPTIONS", "localhost", "/") };
        let verdict = |view: &View| site(&policy.sites[0], &policy.rules[0], view, &preflight, &stranger);
        assert_eq!(verdict(&upgrading), Verdict::Authenticate, "a tunnel is no preflight");
    }

    #[test]
    fn a_method_named_in_a_field_is_judged_too() {
        let policy = site_policy();
        let stranger = Subject::Anonymous { ended: false };
        let ask = |name: &'static str, value: &str| {
            let fields = HeaderMap::from_iter([(http::HeaderName::from_static(name), value.parse().unwrap())]);
            site(&policy.sites[0], &policy.rules[0], &view("GET", "localhost", "/docs/a"), &fields, &stranger)
        };
        assert_eq!(ask("x-http-method-override", "DELETE"), Verdict::Authenticate);
        assert_eq!(ask("x_http_method", "post"), Verdict::Authenticate);
        assert_eq!(ask("x-method-override", "HEAD"), Verdict::Allow);
        assert_eq!(ask("x-method-override", "DE LETE"), Verdict::Deny(NOBODY.into()));
        assert_eq!(ask("x-other", "DELETE"), Verdict::Allow);
    }

    #[test]
    fn the_portal_opens_only_named_pages_to_strangers() {
        let ask = |path: &str, subject: &Subject| page(&Page { path: path.into(), on_portal_host: true }, subject);
        let stranger = Subject::Anonymous { ended: true };
        for path in [
            "login",
            "login/verify",
            "login/verify/send",
            "logout",
            "me",
            "check",
            "assets/a.css",
            "setup",
            "register",
            "register/confirm",
            "email/confirm",
            "email/change",
            "email/undo",
            "password/forgot",
            "password/reset",
            ".well-known/change-password",
        ] {
            assert_eq!(ask(path, &stranger), Verdict::Allow, "{path}");
            assert_eq!(ask(path, &Subject::Unknown), Verdict::Allow, "{path}");
        }
        for path in [
            "",
            "profile",
            "profile/edit",
            "profile/confirm",
            "profile/email",
            "profile/delete",
            "profile/data",
            "email",
            "password",
            "password/",
            "second-factor",
            "second-factor/phone",
            "sessions",
            "activity",
            "tokens",
            "admin",
            "admin/people",
            "loginx",
            "LOGIN",
            "nowhere",
            "assets",
        ] {
            assert_eq!(ask(path, &stranger), Verdict::Authenticate, "{path}");
            assert_eq!(ask(path, &Subject::Unknown), Verdict::Unavailable, "{path}");
            assert_eq!(ask(path, &person(&[], &[Pwd])), Verdict::Allow, "{path}");
        }
    }

    #[test]
    fn a_session_past_its_deadline_is_nobody() {
        let alive = |now, idle_until| {
            let Subject::Session(mut live) = person(&[], &[Pwd]) else { return false };
            live.idle_expires_at = UnixMillis(idle_until);
            matches!(still_alive(Subject::Session(live), UnixMillis(now)), Subject::Session(_))
        };
        assert!(alive(499, 500));
        assert!(!alive(500, 500), "idle");
        assert!(alive(999, 5000));
        assert!(!alive(1000, 5000), "absolute");
    }
}
