//! SCENARIO 43 (and 8, 17, 36, 50): access tokens for scripts: how they come in, what they open, and who may make them.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::Method;

use crate::{
    second_factor::stage_with,
    support::{
        client::{Browser, Reply, Wire},
        eventually, html,
        mailbox::Mailbox,
        people::{PASSWORD, cookie_line, site},
        program::{Program, Setup},
        upstream::Upstream,
    },
};

pub const PAGE: &str = "/.auth/tokens";

/// Asks for a token; nothing is asserted.
pub async fn ask(browser: &mut Browser, name: &str, more: &[(&str, &str)]) -> Reply {
    let fields = [&[("name", name), ("days", "30")], more].concat();
    browser.submit(PAGE, PAGE, &fields).await
}

/// The token that a page shows.
pub fn shown(reply: &Reply) -> Option<String> {
    let text = reply.text();
    let start = text.find("vst_")?;
    Some(text[start..].chars().take_while(|c| c.is_ascii_alphanumeric() || "_-".contains(*c)).collect())
}

/// A token for every site.
pub async fn made(browser: &mut Browser, name: &str) -> String {
    shown(&ask(browser, name, &[("all", "on")]).await.expect(200)).expect("a token on the page")
}

/// The public name of the token that was made last.
pub async fn newest(browser: &mut Browser) -> String {
    let page = browser.get(PAGE).await.expect(200).text();
    let button = html::tags(&page, "button").find(|tag| html::attribute(tag, "name").as_deref() == Some("token"));
    html::attribute(button.expect("a token to revoke"), "value").unwrap()
}

pub async fn revoke(browser: &mut Browser, token: &str) -> Reply {
    browser.submit(PAGE, PAGE, &[("token", token)]).await
}

/// A program without cookies.
pub fn script(program: &Program) -> Browser {
    Browser::new(program)
}

pub async fn bearer(script: &mut Browser, target: &str, token: &str) -> Reply {
    with(script, target, &[("authorization", &format!("Bearer {token}"))]).await
}

async fn with(script: &mut Browser, target: &str, fields: &[(&str, &str)]) -> Reply {
    script.send(Method::GET, target, fields, Bytes::new()).await
}

fn basic(name: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{name}:{password}")))
}

fn challenges(reply: &Reply) -> Vec<&str> {
    reply.fields.get_all("www-authenticate").iter().map(|value| value.to_str().unwrap()).collect()
}

/// JSON 401, nothing else.
fn refused(reply: &Reply, what: &str) {
    assert_eq!(reply.status, 401, "{what}: {}", reply.text());
    assert_eq!(reply.json()["error"], "unauthenticated", "{what}");
    assert!(challenges(reply).contains(&"Bearer error=\"invalid_token\""), "{what}: {:?}", reply.fields);
    assert!(reply.set_cookies().is_empty(), "{what}");
}

/// What a browser says of itself when somebody types an address.
const NAVIGATION: [(&str, &str); 4] = [
    ("accept", "text/html"),
    ("sec-fetch-site", "none"),
    ("sec-fetch-mode", "navigate"),
    ("sec-fetch-dest", "document"),
];

#[tokio::test]
async fn a_token_comes_in_three_ways_as_its_owner_and_does_not_reach_the_site() {
    let (upstream, program, mut ada) = site(|setup| setup).await;
    let page = ask(&mut ada, "backup", &[("site-localhost", "on")]).await.expect(200);
    let token = shown(&page).unwrap();
    assert_eq!(token.len(), 68);
    let example = format!("curl -H \"Authorization: Bearer {token}\" {}/", program.origin());
    assert!(page.words().contains(&example), "{}", page.words());
    assert!(page.field("cache-control").contains("no-store"));
    let list = ada.get(PAGE).await.expect(200);
    assert!(!list.text().contains("vst_"), "shown once");
    assert!(list.words().contains("backup") && list.words().contains("never used"), "{}", list.words());
    let sid = newest(&mut ada).await;
    assert_eq!(sid.len(), 32);
    let mut script = script(&program);
    for wire in [Wire::Http1, Wire::Http2] {
        script.wire = wire;
        for (name, value) in [
            ("authorization", format!("Bearer {token}")),
            ("authorization", basic("x", &token)),
            ("authorization", basic("", &token)),
            ("vestibule-token", token.clone()),
        ] {
            upstream.forget();
            let reply = with(&mut script, "/some/page", &[(name, &value), ("accept", "text/html")]).await.expect(200);
            assert!(reply.set_cookies().is_empty());
            let seen = upstream.last();
            assert_eq!(seen.field("remote-user"), Some("ada"), "{name}");
            assert_eq!(seen.field("authorization"), None);
            assert_eq!(seen.field("vestibule-token"), None);
            assert!(!format!("{seen:?}").contains(&token[4..]), "{seen:?}");
            let claims = seen.field("vestibule-assertion").unwrap().split('.').nth(1).unwrap().to_owned();
            let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(claims).unwrap();
            let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
            assert_eq!((claims["sid"].as_str(), claims["amr"][0].as_str()), (Some(&*sid), Some("pwd")));
        }
    }
    program.add_person("bob", PASSWORD, false);
    let bobs = cookie_line(&Browser::new(&program).signed_in("bob", PASSWORD).await);
    with(&mut script, "/page", &[("cookie", &bobs), ("vestibule-token", &token)]).await.expect(200);
    assert_eq!(upstream.last().field("remote-user"), Some("ada"), "the token alone speaks");
    let me = bearer(&mut script, "/.auth/me", &token).await.expect(200).json();
    assert_eq!(me["username"], "ada");
    let every = made(&mut ada, "every").await;
    let check = bearer(&mut script, "/.auth/check", &every).await.expect(200);
    assert_eq!(check.field("remote-user"), "ada");
    eventually("the use on the page", Duration::from_secs(5), async || {
        ada.get(PAGE).await.words().contains("last used").then_some(())
    })
    .await;
}

#[tokio::test]
async fn whatever_does_not_begin_so_travels_untouched() {
    let (upstream, program, ada) = site(|setup| setup).await;
    let cookie = cookie_line(&ada);
    let mut script = script(&program);
    for value in ["Bearer abc", "Basic dXNlcjpwYXNz", "Digest username=\"x\"", "Bearer VST_abc"] {
        with(&mut script, "/page", &[("authorization", value), ("cookie", &cookie)]).await.expect(200);
        assert_eq!(upstream.last().field("authorization"), Some(value));
        assert_eq!(upstream.last().field("remote-user"), Some("ada"), "the cookie still counts");
        upstream.forget();
        let without = with(&mut script, "/page", &[("authorization", value)]).await.expect(401);
        assert_eq!(challenges(&without), ["Bearer"]);
        assert!(upstream.seen().is_empty());
    }
    let mut ada = ada;
    let token = made(&mut ada, "beside").await;
    let both = [("authorization", "Basic dXNlcjpwYXNz"), ("vestibule-token", &*token)];
    with(&mut script, "/page", &both).await.expect(200);
    assert_eq!(upstream.last().field("authorization"), Some("Basic dXNlcjpwYXNz"), "the site's own login beside ours");
}

#[tokio::test]
async fn a_bad_token_is_401_everywhere_and_never_a_login_page_whatever_the_cookie_says() {
    let (upstream, program, mut ada) = site(|mut setup| {
        setup.sites += "[[site.rule]]\npath = \"/public/\"\nallow = \"anyone\"\n";
        setup
    })
    .await;
    let (token, other) = (made(&mut ada, "one").await, made(&mut ada, "two").await);
    let cookie = cookie_line(&ada);
    let session = ada.session_cookie().unwrap().1;
    let mut flipped = token.clone().into_bytes();
    flipped[10] ^= 1;
    let (flipped, bearer) = (String::from_utf8(flipped).unwrap(), format!("Bearer {token}"));
    let cases: Vec<Vec<(&str, String)>> = vec![
        vec![("authorization", format!("Bearer {flipped}"))],
        vec![("authorization", "Bearer vst_".into())],
        vec![("authorization", format!("{bearer}x"))],
        vec![("authorization", format!("{bearer} x"))],
        // A cookie's value is no token.
        vec![("authorization", format!("Bearer vst_{session}"))],
        vec![("authorization", token.clone())],
        vec![("vestibule-token", format!("{token}, {token}"))],
        vec![("vestibule-token", token.clone()), ("vestibule-token", token.clone())],
        vec![("authorization", bearer.clone()), ("authorization", bearer.clone())],
        vec![("authorization", bearer.clone()), ("authorization", "Basic dXNlcjpwYXNz".into())],
        vec![("authorization", bearer.clone()), ("vestibule-token", other.clone())],
        vec![("authorization", format!("Negotiate abc, {bearer}"))],
        vec![("authorization", basic("ada", &flipped))],
    ];
    upstream.forget();
    let mut script = script(&program);
    for case in &cases {
        for target in ["/page", "/public/page", "/.auth/me", "/.auth/check"] {
            for with_cookie in [false, true] {
                let mut fields: Vec<_> = case.iter().map(|(name, value)| (*name, value.as_str())).collect();
                fields.extend(NAVIGATION);
                if with_cookie {
                    fields.push(("cookie", &cookie));
                }
                let reply = with(&mut script, target, &fields).await;
                refused(&reply, &format!("{target} {case:?}"));
                let by_basic = case[0].1.starts_with("Basic");
                assert_eq!(challenges(&reply).iter().any(|one| one.starts_with("Basic")), by_basic, "{case:?}");
            }
        }
    }
    assert!(upstream.seen().is_empty(), "nothing was forwarded");
    let form = [("authorization", "Bearer vst_x"), ("content-type", "application/x-www-form-urlencoded")];
    refused(&script.send(Method::POST, "/page", &form, "a=b".into()).await, "a form");
    assert!(script.send(Method::HEAD, "/page", &form[..1], Bytes::new()).await.expect(401).body.is_empty());
    // The value of a token is no cookie.
    let name = ada.session_cookie().unwrap().0;
    let forged = format!("{name}={}", &token[4..]);
    assert_eq!(with(&mut script, "/.auth/me", &[("cookie", &forged)]).await.status, 401);
    // The same one under both names is one.
    with(&mut script, "/page", &[("authorization", &bearer), ("vestibule-token", &token)]).await.expect(200);
}

#[tokio::test]
async fn basic_is_asked_for_where_the_site_says_so() {
    let (_upstream, program, _ada) = site(|mut setup| {
        setup.sites += "basic_challenge = true\n";
        setup
    })
    .await;
    let reply = bearer(&mut script(&program), "/", "vst_x").await;
    refused(&reply, "a bad one");
    assert!(challenges(&reply).iter().any(|one| one.starts_with("Basic realm=")), "{:?}", reply.fields);
}

#[tokio::test]
async fn a_password_that_a_browser_remembers_does_not_help_pages_of_other_sites() {
    let (upstream, program, mut ada) = site(|setup| setup).await;
    let basic = basic("ada", &made(&mut ada, "typed into a dialog").await);
    let mut browser = script(&program);
    let mut sent = async |method: Method, site: &str, mode: &str, dest: &str| {
        let fields =
            [("authorization", &*basic), ("sec-fetch-site", site), ("sec-fetch-mode", mode), ("sec-fetch-dest", dest)];
        browser.send(method, "/page", &fields, Bytes::new()).await.status.as_u16()
    };
    upstream.forget();
    assert_eq!(sent(Method::GET, "cross-site", "no-cors", "image").await, 401);
    assert_eq!(sent(Method::POST, "cross-site", "cors", "empty").await, 401);
    assert_eq!(sent(Method::POST, "cross-site", "navigate", "document").await, 401);
    assert!(upstream.seen().is_empty());
    assert_eq!(sent(Method::GET, "cross-site", "navigate", "document").await, 200, "a link is followed");
    assert_eq!(sent(Method::POST, "same-origin", "navigate", "document").await, 200);
    assert_eq!(sent(Method::GET, "none", "navigate", "document").await, 200);
}

#[tokio::test]
async fn where_browsers_send_no_fetch_metadata_the_origin_tells_another_site() {
    let (upstream, program, mut ada) = site(|setup| setup).await;
    let token = made(&mut ada, "typed into a dialog").await;
    let (basic, bearer) = (basic("ada", &token), format!("Bearer {token}"));
    let own = program.origin();
    let mut browser = script(&program);
    let mut sent = async |method: Method, authorization: &str, more: &[(&str, &str)]| {
        let fields = [&[("authorization", authorization)], more].concat();
        browser.send(method, "/page", &fields, Bytes::new()).await.status.as_u16()
    };
    upstream.forget();
    let websocket = [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    for origin in [
        "http://evil.example",
        "null",
        "",
        &format!("{own}.evil.example"),
        "http://localhost",
        &own.replace("http", "https"),
    ] {
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
            assert_eq!(sent(method.clone(), &basic, &[("origin", origin)]).await, 401, "{method} {origin}");
        }
        let fields = [&websocket[..], &[("origin", origin)]].concat();
        assert_eq!(sent(Method::GET, &basic, &fields).await, 401, "a web socket of {origin}");
        let other = [("connection", "upgrade"), ("upgrade", "x"), ("origin", origin)];
        assert_eq!(sent(Method::GET, &basic, &other).await, 401, "another protocol of {origin}");
    }
    let twice = [("origin", &*own), ("origin", "http://evil.example")];
    assert_eq!(sent(Method::POST, &basic, &twice).await, 401);
    assert!(upstream.seen().is_empty());
    assert_eq!(sent(Method::POST, &basic, &[("origin", &own)]).await, 200, "its own pages");
    assert_eq!(sent(Method::POST, &basic, &[]).await, 200, "a program says nothing of itself");
    assert_eq!(
        sent(Method::GET, &basic, &[("origin", "http://evil.example")]).await,
        200,
        "nothing to read from there"
    );
    assert_eq!(
        sent(Method::POST, &bearer, &[("origin", "http://evil.example")]).await,
        200,
        "no browser adds this one"
    );
}

#[tokio::test]
async fn check_lets_a_remembered_password_visit_only_where_a_trusted_gateway_says_it_is_a_visit() {
    let (_upstream, program, mut ada) = site(|mut setup| {
        setup.listen += "trusted_proxies = [\"127.0.0.0/8\"]\n";
        setup
    })
    .await;
    let (_other, untrusting, mut bob) = site(|setup| setup).await;
    let basic_of = async |ada: &mut Browser| basic("ada", &made(ada, "typed into a dialog").await);
    let (trusted_basic, other_basic) = (basic_of(&mut ada).await, basic_of(&mut bob).await);
    let visit = [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
    let client = ("x-forwarded-for", "192.0.2.1");
    let ask = async |program: &Program, basic: &str, more: &[(&str, &str)]| {
        let fields = [&[("authorization", basic), client], more].concat();
        with(&mut script(program), "/.auth/check", &fields).await.status.as_u16()
    };
    for name in ["x-forwarded-method", "x-original-method"] {
        for method in ["GET", "HEAD"] {
            let fields = [&visit[..], &[(name, method)]].concat();
            assert_eq!(ask(&program, &trusted_basic, &fields).await, 200, "{name}: {method}");
            assert_eq!(ask(&untrusting, &other_basic, &fields).await, 401, "{name} of a stranger");
        }
        let fields = [&visit[..], &[(name, "POST")]].concat();
        assert_eq!(ask(&program, &trusted_basic, &fields).await, 401, "{name}: POST");
    }
    assert_eq!(ask(&program, &trusted_basic, &visit).await, 401, "nobody says what it is");
    let differ = [&visit[..], &[("x-forwarded-method", "GET"), ("x-original-method", "POST")]].concat();
    assert_eq!(ask(&program, &trusted_basic, &differ).await, 401);
    let get = ("x-forwarded-method", "GET");
    assert_eq!(ask(&program, &trusted_basic, &[get, ("origin", "http://evil.example")]).await, 401, "a web socket's");
    let own = [get, ("x-forwarded-host", "app.example"), ("origin", "http://app.example")];
    assert_eq!(ask(&program, &trusted_basic, &own).await, 200);
    assert_eq!(ask(&program, &trusted_basic, &[]).await, 200, "a program");
}

#[tokio::test]
async fn a_token_opens_its_own_sites_only() {
    let upstream = Upstream::start().await;
    let mut setup = Setup::before(&upstream.url());
    setup.sites += &format!(
        "[[site.rule]]\npath = \"/public/\"\nallow = \"anyone\"\n[[site]]\nhost = \"wiki.localhost\"\nupstream = \"{}\"\n",
        upstream.url()
    );
    let program = setup.start().await;
    program.ready().await;
    program.add_person("ada", PASSWORD, false);
    let mut ada = Browser::new(&program).signed_in("ada", PASSWORD).await;
    let none = ask(&mut ada, "none", &[]).await.expect(422);
    assert!(none.words().contains("Choose at least one site."), "{}", none.words());
    let unknown = ask(&mut ada, "unknown", &[("site-elsewhere.example", "on")]).await.expect(422);
    assert!(shown(&unknown).is_none());
    let wiki = shown(&ask(&mut ada, "wiki", &[("site-wiki.localhost", "on")]).await.expect(200)).unwrap();
    let every = made(&mut ada, "every").await;
    assert!(ada.get(PAGE).await.words().contains("wiki.localhost · made"));
    let (mut here, mut there) = (script(&program), script(&program));
    there.authority = format!("wiki.localhost:{}", program.http.port());
    upstream.forget();
    for target in ["/page", "/public/page", "/.auth/me", "/.auth/check"] {
        let reply = bearer(&mut here, target, &wiki).await.expect(403);
        assert_eq!(challenges(&reply), ["Bearer error=\"insufficient_scope\""], "{target}");
        assert!(reply.field("content-type").contains("json"), "{target}");
    }
    assert!(upstream.seen().is_empty());
    for target in ["/page", "/.auth/me"] {
        bearer(&mut there, target, &wiki).await.expect(200);
    }
    for target in ["/page", "/.auth/me", "/.auth/check"] {
        bearer(&mut there, target, &every).await.expect(200);
        bearer(&mut here, target, &every).await.expect(200);
    }
}

#[tokio::test]
async fn check_holds_a_token_s_sites_against_the_application_that_a_trusted_gateway_names() {
    let upstream = Upstream::start().await;
    let node = async |listen: &str| {
        let mut setup = Setup::before(&upstream.url());
        setup.listen += listen;
        setup.sites += &format!("[[site]]\nhost = \"wiki.localhost\"\nupstream = \"{}\"\n", upstream.url());
        let program = setup.start().await;
        program.ready().await;
        program.add_person("ada", PASSWORD, false);
        let mut ada = Browser::new(&program).signed_in("ada", PASSWORD).await;
        let wiki = shown(&ask(&mut ada, "wiki", &[("site-wiki.localhost", "on")]).await.expect(200)).unwrap();
        let every = made(&mut ada, "every").await;
        (program, wiki, every)
    };
    let (trusting, wiki, every) = node("trusted_proxies = [\"127.0.0.0/8\"]\n").await;
    // Where `check` is asked, whose token, the hosts that are named.
    let asked = async |program: &Program, on_wiki: bool, token: &str, hosts: &[&str]| {
        let mut script = script(program);
        if on_wiki {
            script.authority = format!("wiki.localhost:{}", program.http.port());
        }
        let bearer = format!("Bearer {token}");
        let mut fields = vec![("authorization", &*bearer), ("x-forwarded-for", "192.0.2.1")];
        fields.extend(hosts.iter().map(|host| ("x-forwarded-host", *host)));
        let reply = with(&mut script, "/.auth/check", &fields).await;
        let scope = challenges(&reply).contains(&"Bearer error=\"insufficient_scope\"");
        assert_eq!(scope, reply.status == 403, "{hosts:?}: {reply:?}");
        reply.status.as_u16()
    };
    for on_wiki in [false, true] {
        for hosts in [&["wiki.localhost"][..], &["WIKI.localhost.:8443"]] {
            assert_eq!(asked(&trusting, on_wiki, &wiki, hosts).await, 200, "{hosts:?}");
        }
        for hosts in [
            &[][..],
            &["localhost"],
            &["git.example.com"],
            &["wiki.localhost.git.example.com"],
            &["git.example.com, wiki.localhost"],
            &["wiki.localhost", "git.example.com"],
            &[""],
            &["wiki.localhost/"],
        ] {
            assert_eq!(asked(&trusting, on_wiki, &wiki, hosts).await, 403, "{on_wiki} {hosts:?}");
            assert_eq!(asked(&trusting, on_wiki, &every, hosts).await, 200, "{on_wiki} {hosts:?}");
        }
    }
    let (untrusting, wiki, _) = node("").await;
    for on_wiki in [false, true] {
        assert_eq!(asked(&untrusting, on_wiki, &wiki, &["wiki.localhost"]).await, 403, "anybody may say so");
    }
}

#[tokio::test]
async fn a_token_goes_by_the_rules_and_is_denied_in_json() {
    let mailbox = Mailbox::start().await;
    let stage = stage_with(|setup| {
        setup.mail = format!("transport = \"{}\"\nfrom = \"no-reply@example.com\"\n", mailbox.transport());
        setup.accounts += "two_factor_groups = [\"board\"]\n";
        setup.sites += "[[site.rule]]\npath = \"/strong\"\nallow = \"two-factor\"\n[[site.rule]]\npath = \"/staff\"\nallow = \"signed-in\"\ngroups = [\"staff\"]\n[[site.rule]]\npath = \"/closed\"\nallow = \"nobody\"\n";
    })
    .await;
    let program = &stage.program;
    let weak = made(&mut stage.signed_in().await, "weak").await;
    let strong = made(&mut stage.enrolled().await, "strong").await;
    let mut script = script(program);
    let mut statuses = async |token: &str, paths: &[&str]| {
        let mut found = Vec::new();
        for path in paths {
            let bearer = format!("Bearer {token}");
            let fields = [&[("authorization", bearer.as_str())], &NAVIGATION[..]].concat();
            let reply = with(&mut script, path, &fields).await;
            let bare = reply.body.is_empty() && *path == "/.auth/check";
            assert!(reply.status == 200 || bare || reply.field("content-type").contains("json"), "{path}: {reply:?}");
            found.push(reply.status.as_u16());
        }
        found
    };
    let paths = ["/", "/strong", "/staff", "/closed"];
    assert_eq!(statuses(&weak, &paths).await, [200, 403, 403, 403]);
    assert_eq!(statuses(&strong, &paths).await, [200, 200, 403, 403], "as strong as the sign-in that made it");
    program.run(&["user", "groups", "ada", "staff"], "");
    eventually("the group", Duration::from_secs(3), async || {
        (statuses(&weak, &["/staff"]).await == [200]).then_some(())
    })
    .await;
    program.run(&["user", "groups", "ada", "board"], "");
    eventually("the demand", Duration::from_secs(3), async || {
        (statuses(&weak, &["/", "/.auth/me", "/.auth/check"]).await == [403, 403, 403]).then_some(())
    })
    .await;
    assert_eq!(statuses(&strong, &["/", "/.auth/me"]).await, [200, 200]);
}

#[tokio::test]
async fn pages_know_no_tokens() {
    let (_upstream, program, mut ada) = site(|setup| setup).await;
    let token = made(&mut ada, "backup").await;
    let mut script = script(&program);
    for page in ["profile", "sessions", "tokens", "second-factor", "profile/data", "password", "nowhere"] {
        let target = format!("/.auth/{page}");
        let reply = bearer(&mut script, &target, &token).await;
        assert!([401, 404].contains(&reply.status.as_u16()), "{page}: {}", reply.status);
        let fields = [("authorization", &*format!("Bearer {token}")), ("cookie", &*cookie_line(&ada))];
        let reply = with(&mut script, &target, &fields).await;
        assert_ne!(reply.status, 401, "{page}: the cookie counts");
    }
    let bearer_line = format!("Bearer {token}");
    let typed = [&[("authorization", bearer_line.as_str())], &NAVIGATION[..]].concat();
    let page = with(&mut script, "/.auth/profile", &typed).await.expect(303);
    assert!(page.location().starts_with("/.auth/login"), "as if none was shown: {}", page.location());
    let login = bearer(&mut script, "/.auth/login", &token).await.expect(200);
    assert!(login.words().contains("Password"), "a program may look at it");
    let sessions = ada.get("/.auth/sessions").await.expect(200);
    assert!(sessions.words().contains("You are signed in nowhere else."), "{}", sessions.words());
    let sid = newest(&mut ada).await;
    let reply = ada.submit("/.auth/logout", "/.auth/sessions", &[("session", &sid)]).await.expect(303);
    assert!(reply.location().ends_with("done=no-device"), "{}", reply.location());
    bearer(&mut script, "/", &token).await.expect(200);
}

#[tokio::test]
async fn making_one_needs_a_recent_sign_in_its_own_form_and_no_factor_owed() {
    let stage = stage_with(|setup| {
        setup.moved_clock = true;
        setup.accounts += "two_factor_groups = [\"board\"]\n";
    })
    .await;
    let mut ada = stage.enrolled().await;
    let fields = [("name", "x"), ("days", "30"), ("site-localhost", "on")];
    assert!(shown(&ada.post(PAGE, &fields).await.expect(403)).is_none(), "without the form's token");
    let csrf = html::input_value(&ada.get(PAGE).await.text(), "csrf").unwrap();
    // Who owes the second factor.
    let mut owing = stage.owing().await;
    owing.get(PAGE).await.expect(303);
    let reply = owing.post(PAGE, &[&fields[..], &[("csrf", &csrf)]].concat()).await;
    assert!(shown(&reply).is_none() && reply.status != 200, "{}", reply.status);
    stage.program.clock.as_ref().unwrap().advance(Duration::from_secs(11 * 60));
    let page = ada.get(PAGE).await.expect(200);
    assert!(!html::has_control(&page.text(), "days") && page.words().contains("Sign in once more"));
    let late = ada.post(PAGE, &[&fields[..], &[("csrf", &csrf)]].concat()).await.expect(303);
    assert!(late.location().starts_with("/.auth/login?again=1&return_to="), "{}", late.location());
    // Whose group demands a factor that they do not have.
    stage.program.add_person("bob", PASSWORD, false);
    let mut bob = Browser::new(&stage.program).signed_in("bob", PASSWORD).await;
    let csrf = html::input_value(&bob.get(PAGE).await.text(), "csrf").unwrap();
    stage.program.run(&["user", "groups", "bob", "board"], "");
    eventually("the demand", Duration::from_secs(3), async || (bob.get(PAGE).await.status == 303).then_some(())).await;
    let reply = bob.post(PAGE, &[&fields[..], &[("csrf", &csrf)]].concat()).await;
    assert!(shown(&reply).is_none(), "{}", reply.text());
}

#[tokio::test]
async fn names_are_judged_and_fifty_are_enough() {
    let (_upstream, program, mut ada) = site(|mut setup| {
        setup.moved_clock = true;
        setup
    })
    .await;
    for name in ["", "  ", &"n".repeat(61), "a\u{202e}b"] {
        let reply = ask(&mut ada, name, &[("site-localhost", "on")]).await.expect(422);
        assert!(shown(&reply).is_none());
    }
    for number in 0..50 {
        // Not all of them in one hour.
        if number % 10 == 0 {
            program.clock.as_ref().unwrap().advance(Duration::from_hours(12));
            ada = Browser::new(&program).signed_in("ada", PASSWORD).await;
        }
        made(&mut ada, &format!("number {number} <b>")).await;
    }
    assert!(!ada.get(PAGE).await.text().contains("<b>"), "escaped");
    let twice = ask(&mut ada, "number 7 <b>", &[("all", "on")]).await.expect(422);
    assert!(twice.words().contains("You have a token of that name."), "{}", twice.words());
    let more = ask(&mut ada, "one more", &[("all", "on")]).await.expect(422);
    assert!(more.words().contains("You have 50 tokens"), "{}", more.words());
    let sid = newest(&mut ada).await;
    revoke(&mut ada, &sid).await.expect(303);
    made(&mut ada, "one more").await;
}

#[tokio::test]
async fn no_more_than_twenty_are_made_in_an_hour_and_how_long_they_live_is_one_of_the_choices() {
    let (_upstream, program, mut ada) = site(|mut setup| {
        setup.moved_clock = true;
        setup
    })
    .await;
    for days in ["", "0", "1", "91", "36500", "-30", "30.0", "ninety"] {
        let fields = [("name", "x"), ("all", "on"), ("days", days)];
        let reply = ada.submit(PAGE, PAGE, &fields).await.expect(422);
        assert!(shown(&reply).is_none() && reply.words().contains("Choose how long it works"), "{days}");
        assert!(reply.text().contains("aria-describedby=\"days-error\""), "beside its field");
    }
    assert!(ada.get(PAGE).await.words().contains("You have none."));
    for number in 0..20 {
        made(&mut ada, &format!("number {number}")).await;
    }
    let refused = ask(&mut ada, "one more", &[("all", "on")]).await.expect(429);
    assert!(shown(&refused).is_none() && !refused.field("retry-after").is_empty(), "{:?}", refused.fields);
    assert!(refused.words().contains("Too many tries. Wait until"), "{}", refused.words());
    // From wherever it is asked, and by whichever session.
    let mut elsewhere = Browser::new(&program).signed_in("ada", PASSWORD).await;
    ask(&mut elsewhere, "one more", &[("all", "on")]).await.expect(429);
    let sid = newest(&mut ada).await;
    revoke(&mut ada, &sid).await.expect(303);
    ask(&mut ada, "one more", &[("all", "on")]).await.expect(429);
    program.add_person("bob", PASSWORD, false);
    made(&mut Browser::new(&program).signed_in("bob", PASSWORD).await, "his own").await;
    program.clock.as_ref().unwrap().advance(Duration::from_hours(1));
    let mut ada = Browser::new(&program).signed_in("ada", PASSWORD).await;
    made(&mut ada, "one more").await;
}

#[tokio::test]
async fn the_owner_is_mailed_the_trail_tells_and_the_log_never_has_the_value() {
    let mailbox = Mailbox::start().await;
    let (_upstream, program, mut ada) = site(|mut setup| {
        setup.mail = format!("transport = \"{}\"\nfrom = \"no-reply@example.com\"\n", mailbox.transport());
        setup.environment.push(("RUST_LOG".into(), "trace".into()));
        setup
    })
    .await;
    let token = made(&mut ada, "nightly backup").await;
    let mail = mailbox.wait_for("ada@example.com", "access token").await;
    assert!(mail.text.contains("nightly backup") && !mail.text.contains("vst_"), "{}", mail.text);
    assert!(mail.link().ends_with("/.auth/tokens"), "{}", mail.link());
    let mut script = script(&program);
    bearer(&mut script, "/", &token).await.expect(200);
    with(&mut script, "/", &[("authorization", &basic("git", &token))]).await.expect(200);
    with(&mut script, "/", &[("vestibule-token", &format!("{token}x"))]).await.expect(401);
    let data = ada.get("/.auth/profile/data").await.expect(200);
    assert_eq!(data.json()["access_tokens"][0]["name"], "nightly backup");
    assert!(!data.text().contains("vst_") && !data.text().contains("hash"), "{}", data.text());
    let sid = newest(&mut ada).await;
    revoke(&mut ada, &sid).await.expect(303);
    let activity = ada.get("/.auth/activity").await.expect(200).words();
    assert!(activity.contains("You made the access token “nightly backup”"), "{activity}");
    assert!(activity.contains("You revoked the access token “nightly backup”"), "{activity}");
    assert!(!activity.contains(&sid));
    bearer(&mut script, "/", &token).await.expect(401);
    let output = program.output();
    assert!(output.contains("event=\"token-made\"") && output.contains(&sid), "{output}");
    assert!(!output.contains(&token[4..]) && !output.contains(&STANDARD.encode(format!("git:{token}"))));
    let folder = std::fs::read_dir(&program.data).unwrap();
    for file in folder.map(|file| file.unwrap().path()).filter(|file| file.is_file()) {
        let bytes = std::fs::read(&file).unwrap();
        let held = bytes.windows(token.len() - 4).any(|window| window == &token.as_bytes()[4..]);
        assert!(!held, "{} holds the value", file.display());
    }
}
