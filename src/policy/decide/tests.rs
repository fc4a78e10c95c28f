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
    for path in
        ["second-factor", "second-factor/app", "second-factor/passkey", "login", "login/verify", "logout", "assets/x"]
    {
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
    !policy.out_of_scope(&place, (&view, &HeaderMap::new()), subject)
}

/// SCENARIO 43: where a token may be used, and how strong it is.
#[test]
fn a_token_is_for_its_sites_and_as_strong_as_who_made_it() {
    let of = |hosts: &[&str]| Sites::Of(hosts.iter().map(|host| (*host).to_owned()).collect());
    let policy = site_policy();
    assert!(in_place(&policy, "/.auth/check", &token(&[], &[Pwd], Sites::All)));
    assert!(
        !in_place(&policy, "/.auth/check", &token(&[], &[Pwd], of(&["localhost"]))),
        "nobody says what it is about"
    );
    for target in ["/", "/public/", "/.auth/me"] {
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
