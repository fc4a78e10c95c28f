//! SCENARIOS 30–32: who may use which part of a site, however its path is spelled.

use std::time::Duration;

use bytes::Bytes;
use http::Method;

use crate::support::{
    client::Browser,
    html,
    people::{PASSWORD, site},
    program::{Program, Setup},
    raw,
    upstream::Upstream,
};

const RULES: &str = r#"
[[site.rule]]
path = "/public/"
allow = "anyone"
[[site.rule]]
path = "=/exact"
allow = "anyone"
[[site.rule]]
path = "/admin"
allow = "signed-in"
groups = ["staff"]
[[site.rule]]
path = "/form"
methods = ["GET"]
allow = "anyone"
[[site.rule]]
path = "/closed"
allow = "nobody"
[[site.rule]]
path = "/strong"
allow = "two-factor"
[[site.rule]]
path = "/elsewhere"
networks = ["203.0.113.0/24"]
allow = "anyone"
"#;

async fn ruled() -> (Upstream, Program) {
    let upstream = Upstream::start().await;
    let mut setup = Setup::before(&upstream.url());
    setup.sites += RULES;
    let program = setup.start().await;
    program.ready().await;
    program.add_person("ada", PASSWORD, false);
    program.add_person("sam", PASSWORD, false);
    program.run(&["user", "groups", "sam", "staff"], "");
    (upstream, program)
}

#[tokio::test]
async fn a_table_of_people_and_addresses_gives_the_expected_answers() {
    let (upstream, program) = ruled().await;
    let mut people = [
        Browser::new(&program),
        Browser::new(&program).signed_in("ada", PASSWORD).await,
        Browser::new(&program).signed_in("sam", PASSWORD).await,
    ];
    // (method, target, stranger, ada, sam of staff)
    let table: &[(&str, &str, u16, u16, u16)] = &[
        ("GET", "/", 401, 200, 200),
        ("GET", "/public/", 200, 200, 200),
        ("GET", "/public", 200, 200, 200),
        ("POST", "/public/deep/er?x=/admin", 200, 200, 200),
        ("GET", "/publicity", 401, 200, 200),
        ("GET", "/exact", 200, 200, 200),
        ("GET", "/exact/more", 401, 200, 200),
        ("GET", "/admin", 401, 403, 200),
        ("GET", "/admin/users", 401, 403, 200),
        ("DELETE", "/admin/users", 401, 403, 200),
        ("GET", "/administrators", 401, 200, 200),
        ("GET", "/form", 200, 200, 200),
        ("HEAD", "/form", 200, 200, 200),
        ("POST", "/form", 401, 200, 200),
        ("GET", "/closed/x", 401, 403, 403),
        ("GET", "/strong", 401, 403, 403),
        ("GET", "/elsewhere", 401, 200, 200),
        ("OPTIONS", "/", 401, 200, 200),
    ];
    for (method, target, stranger, ada, sam) in table {
        for (person, expected) in people.iter_mut().zip([stranger, ada, sam]) {
            upstream.forget();
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let reply = person.send(method.clone(), target, &[("accept", "application/json")], Bytes::new()).await;
            let who = person.session_cookie().is_some();
            // A rule that lets nobody pass may say so to strangers, too.
            let fits = reply.status == *expected || (*target == "/closed/x" && reply.status == 403);
            assert!(fits, "{method} {target} signed in: {who} gave {} not {expected}", reply.status);
            assert_eq!(upstream.seen().len(), usize::from(*expected == 200), "{method} {target}");
        }
    }
}

#[tokio::test]
async fn the_forbidden_get_a_page_that_names_them_and_never_a_loop() {
    let (_upstream, program) = ruled().await;
    let mut ada = Browser::new(&program).signed_in("ada", PASSWORD).await;
    let reply = ada.get("/admin").await.expect(403);
    assert!(reply.words().contains("this page is for group staff"), "{}", reply.words());
    assert!(reply.words().contains("You're signed in as Test, but this page is for"), "{}", reply.words());
}

#[tokio::test]
async fn a_two_factor_rule_sends_people_without_a_factor_to_enable_one() {
    let (_upstream, program) = ruled().await;
    let mut ada = Browser::new(&program).signed_in("ada", PASSWORD).await;
    let reply = ada.get("/strong").await.expect(303);
    assert!(reply.location().starts_with("/.auth/second-factor"), "{}", reply.location());
    let page = ada.get(reply.location()).await.expect(200);
    assert!(page.words().to_lowercase().contains("two-factor"), "{}", page.words());
}

#[tokio::test]
async fn no_spelling_of_a_path_opens_what_it_should_not() {
    let (upstream, program) = ruled().await;
    let spellings = [
        "/public/../admin",
        "/public/%2e%2e/admin",
        "/public/%2E%2E/admin",
        "/public/.%2e/admin",
        "//admin",
        "/./admin",
        "/%61dmin",
        "/public%2f..%2fadmin",
        "/public/..%2fadmin",
        "/public/%2e%2e%2fadmin",
        "/admin;x",
        "/admin;x=1/y",
        "/;/admin",
        "/PUBLIC",
        "/Public/",
        "/public/..;/admin",
        "/public\\..\\admin",
        "/public/..\\admin",
        "/public%5c..%5cadmin",
        "/public%00/admin",
        "/ADMIN",
        "/Admin/users",
        "/public//../admin",
        "/public/.//../admin",
        "/public/x/../../admin",
        "/%2561dmin",
        "/public/%252e%252e/admin",
        "/public/%23/../admin",
        "/exact/../admin",
        "/exact;x",
        "/exact/",
        "//exact",
        "/public/%ff%fe/../../admin",
        "/public/%zz/../admin",
        "/public/%2",
        "/.//public/../admin",
        "///admin",
        "/public/../../admin",
        "/public/..%c0%af..admin",
        // Tomcat cuts parameters, merges slashes, and resolves dot segments only then.
        "/public/x//..;/..;/admin",
        "/public/x//..;a/..;b/admin",
        "/public/x//%252e%252e/%252e%252e/admin",
        "/public/x/%252e%252e;/%252e%252e/admin",
        "/public/.;/../;/..;/admin",
    ];
    for target in spellings {
        upstream.forget();
        let ask = format!(
            "GET {target} HTTP/1.1\r\nHost: localhost:{}\r\nAccept: application/json\r\nConnection: close\r\n\r\n",
            program.http.port()
        );
        let (came, _) = raw::exchange(program.http, ask.as_bytes(), Duration::from_secs(2)).await;
        let status = raw::statuses(&came).first().copied();
        // What stays below /public under every reading may open; all that opened must look public to a lenient reader.
        if status == Some(200) {
            let arrived = upstream.last().target;
            let lower = percent_encoding::percent_decode_str(&arrived.to_lowercase()).decode_utf8_lossy().into_owned();
            assert!(
                lower.starts_with("/public/") && !lower.contains("..") && !lower.contains('\\'),
                "{target} opened as {arrived}"
            );
        } else {
            assert!(matches!(status, Some(400 | 401 | 403)), "{target}: {came}");
            assert!(upstream.seen().is_empty(), "{target} reached the upstream");
        }
    }
    // Queries and fragments never take part.
    let mut stranger = Browser::new(&program);
    assert_eq!(stranger.api("/?x=/public/").await.status, 401);
    assert_eq!(stranger.api("/admin?/public/").await.status, 401);
}

#[tokio::test]
async fn an_ambiguous_path_names_the_key_that_allows_it() {
    let (upstream, program) = ruled().await;
    let mut ada = Browser::new(&program).signed_in("ada", PASSWORD).await;
    upstream.forget();
    let reply = ada.get("/files/a%2Fb").await.expect(400);
    assert!(reply.words().contains("allow_encoded"), "{}", reply.words());
    assert!(upstream.seen().is_empty());
    let upstream = Upstream::start().await;
    let mut setup = Setup::before(&upstream.url());
    setup.sites += "allow_encoded = [\"%2F\"]\n";
    setup.sites += RULES;
    let program = setup.start().await;
    program.ready().await;
    program.add_person("ada", PASSWORD, false);
    let mut ada = Browser::new(&program).signed_in("ada", PASSWORD).await;
    ada.get("/files/a%2Fb").await.expect(200);
    assert_eq!(upstream.last().target, "/files/a%2Fb");
    assert_eq!(Browser::new(&program).api("/public%2f..%2fadmin").await.status, 403);
}

#[tokio::test]
async fn a_site_without_rules_passes_the_path_as_it_came() {
    let upstream = Upstream::start().await;
    let program = Setup::before(&upstream.url()).start().await;
    program.ready().await;
    program.add_person("ada", PASSWORD, false);
    let mut ada = Browser::new(&program).signed_in("ada", PASSWORD).await;
    for target in ["/a//b/./c/../d", "/%61%2Fb%20c;x=1?q=%2F&r", "/x%5Cy", "/~%7e"] {
        ada.get(target).await.expect(200);
        assert_eq!(upstream.last().target, target);
    }
}

#[tokio::test]
async fn spellings_of_one_host_are_one_site() {
    let (upstream, program) = ruled().await;
    let mut ada = Browser::new(&program).signed_in("ada", PASSWORD).await;
    let port = program.http.port();
    for host in [
        format!("LOCALHOST:{port}"),
        format!("localhost.:{port}"),
        "localhost".into(),
        format!("127.0.0.1:{port}"),
        format!("[::1]:{port}"),
    ] {
        ada.authority.clone_from(&host);
        assert_eq!(ada.api("/public/x").await.status, 200, "{host}");
        assert_eq!(ada.api("/admin").await.status, 403, "{host}: the same rules");
    }
    upstream.forget();
    for host in ["evil.example", "localhost.evil.example", "192.0.2.1"] {
        ada.authority = host.into();
        let reply = ada.get("/public/x").await.expect(421);
        let words = reply.words();
        assert!(words.contains(host) && words.contains("localhost") && words.contains("portal.url"), "{words}");
        let link = format!("href=\"{}\"", program.origin());
        assert!(reply.text().contains(&link), "its one link leads out of here: {}", reply.text());
    }
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn each_host_has_its_own_site_and_sign_in_happens_at_the_portal() {
    let (wiki, blog) = (Upstream::start().await, Upstream::start().await);
    let mut setup = Setup::demo();
    setup.sites = format!(
        "[[site]]\nhost = \"wiki.localhost\"\nupstream = \"{}\"\n[[site]]\nhost = \"blog.localhost\"\nupstream = \"{}\"\n[[site.rule]]\npath = \"/\"\nallow = \"anyone\"\n",
        wiki.url(),
        blog.url()
    );
    setup.url = "http://auth.localhost:{port}".into();
    let program = setup.start().await;
    program.ready().await;
    let port = program.http.port();
    let mut browser = Browser::new(&program);
    browser.authority = format!("blog.localhost:{port}");
    browser.get("/post").await.expect(200);
    assert_eq!((wiki.seen().len(), blog.seen().len()), (0, 1));
    browser.authority = format!("wiki.localhost:{port}");
    let reply = browser.get("/page?x=1").await.expect(303);
    let location = reply.location().to_owned();
    assert!(location.starts_with(&format!("http://auth.localhost:{port}/.auth/login?return_to=")), "{location}");
    let asked = form_urlencoded::parse(location.split_once('?').unwrap().1.as_bytes()).next().unwrap().1.into_owned();
    assert_eq!(asked, format!("http://wiki.localhost:{port}/page?x=1"));
}

#[tokio::test]
async fn sites_under_one_parent_share_one_sign_in() {
    let upstream = Upstream::start().await;
    let mut setup = Setup::demo();
    setup.sites = format!("[[site]]\nhost = \"wiki.x.localhost\"\nupstream = \"{}\"\n", upstream.url());
    setup.url = "http://auth.x.localhost:{port}".into();
    setup.session = "domain = \"x.localhost\"\n".into();
    let program = setup.start().await;
    program.ready().await;
    program.add_person("ada", PASSWORD, false);
    let (wiki, auth) = ["wiki", "auth"].map(|name| format!("{name}.x.localhost:{}", program.http.port())).into();
    let mut browser = Browser::new(&program);
    browser.authority.clone_from(&wiki);
    let asked = browser.get("/page?x=1").await.expect(303);
    let login = asked.location().strip_prefix(&format!("http://{auth}")).expect("the portal's own host").to_owned();
    browser.authority.clone_from(&auth);
    let form = browser.get(&login).await.expect(200);
    assert!(form.words().contains("to continue to wiki.x.localhost"), "{}", form.words());
    let [csrf, return_to] = ["csrf", "return_to"].map(|name| html::input_value(&form.text(), name).unwrap());
    let fields = [("identifier", "ada"), ("password", PASSWORD), ("csrf", &*csrf), ("return_to", &*return_to)];
    let entered = browser.post("/.auth/login", &fields).await.expect(303);
    assert_eq!(entered.location(), format!("http://{wiki}/page?x=1"));
    assert!(entered.set_cookies().iter().any(|line| line.contains("Domain=x.localhost")), "{:?}", entered.fields);
    browser.authority.clone_from(&wiki);
    browser.get("/page?x=1").await.expect(200);
    assert_eq!(upstream.last().field("remote-user"), Some("ada"));
    // On a site's own host only what sites need.
    for (page, status) in
        [("me", 200), ("check", 200), ("logout", 200), ("login", 303), ("profile", 404), ("password", 404)]
    {
        assert_eq!(browser.get(&format!("/.auth/{page}")).await.status, status, "{page}");
    }
    let out = browser.submit("/.auth/logout", "/.auth/logout", &[]).await.expect(303);
    assert!(out.location().starts_with(&format!("http://{auth}/.auth/login")), "{}", out.location());
    browser.get("/page").await.expect(303);
}

#[tokio::test]
async fn check_answers_other_gateways_with_the_identity_or_401() {
    let (_upstream, program, mut ada) = site(|mut setup| {
        setup.sites += "[[site.rule]]\npath = \"/public/\"\nallow = \"anyone\"\n";
        setup
    })
    .await;
    let known = ada.api("/.auth/check").await.expect(200);
    assert_eq!((known.field("remote-user"), known.field("remote-email")), ("ada", "ada@example.com"));
    assert!(known.fields.get("remote-groups").is_none(), "set or left out, never empty");
    let unknown = Browser::new(&program).get("/.auth/check").await.expect(401);
    assert_eq!(unknown.field("www-authenticate"), "Bearer");
    assert_eq!(unknown.json()["error"], "unauthenticated", "never a redirect unless asked");
}

#[tokio::test]
async fn check_grants_nothing_where_a_rule_asks_for_more_than_being_signed_in() {
    let (_upstream, program) = ruled().await;
    assert!(program.output().contains("/.auth/check answers other gateways with 403"), "{}", program.output());
    let mut sam = Browser::new(&program).signed_in("sam", PASSWORD).await;
    let refused = sam.api("/.auth/check").await.expect(403);
    assert!(refused.fields.get("remote-user").is_none(), "nothing another gateway could take for a yes");
    Browser::new(&program).get("/.auth/check").await.expect(403);
}

#[tokio::test]
async fn no_spelling_of_a_method_escapes_a_rule() {
    let (upstream, program) = ruled().await;
    upstream.forget();
    for (method, target, expected) in [
        ("get", "/form", 405),
        ("Post", "/form", 405),
        ("post", "/public/x", 405),
        ("trace", "/public/x", 405),
        ("PROPFIND", "/form", 401),
        ("GETX", "/form", 401),
    ] {
        let ask = format!(
            "{method} {target} HTTP/1.1\r\nHost: localhost:{}\r\nAccept: application/json\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            program.http.port()
        );
        let (came, _) = raw::exchange(program.http, ask.as_bytes(), Duration::from_secs(2)).await;
        assert_eq!(raw::statuses(&came), [expected], "{method} {target}: {came}");
    }
    assert!(upstream.seen().is_empty(), "{:?}", upstream.seen());
}

#[tokio::test]
async fn asking_about_the_whole_server_follows_the_rules_of_its_root() {
    let upstream = Upstream::start().await;
    let mut setup = Setup::before(&upstream.url());
    setup.sites += "[[site.rule]]\npath = \"/\"\nallow = \"signed-in\"\ngroups = [\"staff\"]\n";
    let program = setup.start().await;
    program.ready().await;
    program.add_person("ada", PASSWORD, false);
    let ada = Browser::new(&program).signed_in("ada", PASSWORD).await;
    let (name, value) = ada.session_cookie().unwrap();
    let ask = format!(
        "OPTIONS * HTTP/1.1\r\nHost: localhost:{}\r\nCookie: {name}={value}\r\nAccept: application/json\r\nConnection: close\r\n\r\n",
        program.http.port()
    );
    let (came, _) = raw::exchange(program.http, ask.as_bytes(), Duration::from_secs(2)).await;
    assert_eq!(raw::statuses(&came), [403], "{came}");
    assert!(upstream.seen().is_empty());
}
