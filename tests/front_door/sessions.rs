//! SCENARIOS 22, 23, 25–29: how sessions live and end, on both stores.

use std::time::Duration;

use crate::support::{
    PROMPTLY,
    client::Browser,
    eventually,
    people::{OTHER_PASSWORD, PASSWORD, site},
    program::{Program, Setup},
    services::{self, Redis},
    upstream::Upstream,
};

pub fn with_redis(redis: &Redis) -> impl FnOnce(Setup) -> Setup {
    let store = format!("store = \"{}\"\n", redis.url());
    move |mut setup| {
        setup.session += &store;
        setup
    }
}

fn moved(session: &str) -> impl FnOnce(Setup) -> Setup {
    let session = session.to_owned();
    move |mut setup| {
        setup.session += &session;
        setup.moved_clock = true;
        setup
    }
}

async fn signs_out_for_good(program: &Program, mut browser: Browser) {
    let stolen = browser.clone();
    browser.get("/").await.expect(200);
    let reply = browser.submit("/.auth/logout", "/.auth/logout", &[]).await.expect(303);
    assert!(reply.location().contains("/.auth/login"), "{}", reply.location());
    assert!(browser.session_cookie().is_none(), "the cookie is removed");
    stolen.clone().get("/").await.expect(303);
    assert_eq!(stolen.clone().api("/.auth/me").await.status, 401);
    drop(program.output());
}

#[tokio::test]
async fn signing_out_kills_the_id_on_the_server() {
    let (_upstream, program, browser) = site(|setup| setup).await;
    signs_out_for_good(&program, browser).await;
    let redis = Redis::start().await;
    let (_upstream, program, browser) = site(with_redis(&redis)).await;
    signs_out_for_good(&program, browser).await;
}

#[tokio::test]
async fn a_link_from_elsewhere_does_not_sign_out() {
    let (_upstream, _program, mut browser) = site(|setup| setup).await;
    let page = browser.get("/.auth/logout").await.expect(200);
    assert!(page.text().contains("<form"), "a button, not a deed");
    browser.get("/").await.expect(200);
}

#[tokio::test]
async fn idle_sessions_end_and_used_ones_slide() {
    let (_upstream, program, mut browser) = site(moved("idle = \"10m\"\nlifetime = \"2h\"\n")).await;
    let clock = program.clock.as_ref().unwrap();
    for _ in 0..4 {
        clock.advance(Duration::from_secs(8 * 60));
        browser.get("/").await.expect(200);
        // The write of the activity happens beside the request.
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    clock.advance(Duration::from_secs(11 * 60));
    let login = browser.get("/page").await.expect(303).location().to_owned();
    let page = browser.get(&login).await.expect(200);
    assert!(page.words().contains("Your session ended. Sign in to go back to"), "{}", page.words());
}

#[tokio::test]
async fn sliding_never_passes_the_absolute_deadline() {
    let (_upstream, program, mut browser) = site(moved("idle = \"1h\"\nlifetime = \"2h\"\n")).await;
    let clock = program.clock.as_ref().unwrap();
    for _ in 0..3 {
        clock.advance(Duration::from_secs(39 * 60));
        browser.get("/").await.expect(200);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    clock.advance(Duration::from_secs(4 * 60));
    browser.get("/").await.expect(303);
}

#[tokio::test]
async fn deadlines_hold_on_redis_too() {
    let redis = Redis::start().await;
    let (_upstream, program, mut browser) = site(|setup| {
        let setup = with_redis(&redis)(setup);
        moved("idle = \"10m\"\nlifetime = \"15m\"\n")(setup)
    })
    .await;
    let clock = program.clock.as_ref().unwrap();
    clock.advance(Duration::from_secs(9 * 60));
    browser.get("/").await.expect(200);
    tokio::time::sleep(Duration::from_millis(200)).await;
    clock.advance(Duration::from_secs(7 * 60));
    browser.get("/").await.expect(303);
}

#[tokio::test]
async fn remembered_sessions_outlive_both_deadlines_and_the_browser() {
    let upstream = Upstream::start().await;
    let program =
        moved("idle = \"10m\"\nlifetime = \"20m\"\nremember = \"30d\"\n")(Setup::before(&upstream.url())).start().await;
    program.ready().await;
    program.add_person("ada", PASSWORD, false);
    let clock = program.clock.as_ref().unwrap();
    let mut browser = Browser::new(&program);
    let fields = [("identifier", "ada"), ("password", PASSWORD), ("remember", "on")];
    let reply = browser.submit("/.auth/login", "/.auth/login", &fields).await.expect(303);
    assert!(
        reply.set_cookies().iter().any(|line| line.to_lowercase().contains("max-age=2592000")),
        "{:?}",
        reply.set_cookies()
    );
    clock.advance(Duration::from_secs(29 * 24 * 3600));
    browser.get("/").await.expect(200);
    clock.advance(Duration::from_secs(2 * 24 * 3600));
    browser.get("/").await.expect(303);
}

#[tokio::test]
async fn sessions_without_remember_die_with_the_browser() {
    let upstream = Upstream::start().await;
    let program = Setup::before(&upstream.url()).start().await;
    program.ready().await;
    program.add_person("ada", PASSWORD, false);
    let mut browser = Browser::new(&program);
    let reply = browser.sign_in("ada", PASSWORD).await.expect(303);
    let (name, _) = browser.session_cookie().unwrap();
    assert_eq!(name, format!("vestibule-{}", program.http.port()));
    let line = reply.set_cookies().into_iter().find(|line| line.starts_with(&format!("{name}="))).unwrap();
    let lower = line.to_lowercase();
    assert!(lower.contains("httponly") && lower.contains("samesite=lax") && lower.contains("path=/"), "{line}");
    assert!(
        !lower.contains("max-age")
            && !lower.contains("expires")
            && !lower.contains("domain")
            && !lower.contains("secure"),
        "{line}"
    );
    assert!(line.split(';').next().unwrap().len() >= 22, "at least 128 bits");
}

#[tokio::test]
async fn over_https_the_cookie_is_host_bound_and_secure() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key, _) = services::certificate(folder.path(), &["wiki.example.com"]);
    let upstream = Upstream::start().await;
    let mut setup = Setup::before(&upstream.url());
    setup.url = "https://wiki.example.com".into();
    setup.accounts = String::new();
    setup.mail = "allow_console = true\n".into();
    setup.verify = "allow_console = true\n".into();
    setup.listen = format!("https = \"127.0.0.1:{{tls}}\"\ncertificates = [{{ cert = {cert:?}, key = {key:?} }}]\n");
    let program = setup.start().await;
    program.ready().await;
    program.add_person("ada", PASSWORD, false);
    let mut browser = Browser::tls(&program, "wiki.example.com");
    browser.authority = "wiki.example.com".into();
    let reply = browser.sign_in("ada", PASSWORD).await.expect(303);
    let line =
        reply.set_cookies().into_iter().find(|line| line.starts_with("__Host-vestibule=")).expect("the session cookie");
    let lower = line.to_lowercase();
    assert!(
        lower.contains("secure") && lower.contains("httponly") && lower.contains("path=/") && !lower.contains("domain"),
        "{line}"
    );
    assert!(reply.field("strict-transport-security").contains("max-age="), "{:?}", reply.fields);
    browser.get("/").await.expect(200);
    assert_eq!(upstream.last().field("x-forwarded-proto"), Some("https"));
    // SNI and Host must agree.
    let mut other = browser.clone();
    other.wire = crate::support::client::Wire::Tls2;
    other.get("/").await.expect(200);
}

#[tokio::test]
async fn malformed_foreign_and_doubled_cookies_are_anonymous() {
    let (upstream, program, browser) = site(|setup| setup).await;
    upstream.forget();
    let (name, value) = browser.session_cookie().unwrap();
    let mut flipped = value.clone().into_bytes();
    let last = flipped.len() - 1;
    flipped[last] = if flipped[last] == b'A' { b'B' } else { b'A' };
    let flipped = String::from_utf8(flipped).unwrap();
    let huge = "A".repeat(8000);
    let lines = [
        format!("{name}="),
        name.clone(),
        format!("{name}=x"),
        format!("{name}={flipped}"),
        format!("{name}={}", &value[..value.len() - 1]),
        format!("{name}={value}A"),
        format!("{name}={value}={value}"),
        format!("{name}=\"{value}\"x"),
        format!("{name}={}", value.to_uppercase()),
        format!("{name}={huge}"),
        format!("{name}=x; {name}={value}"),
        format!("{name}={value}; {name}=x"),
        format!("{name}={value}; {name}={value}2"),
        format!("__Host-vestibule={value}"),
        format!("vestibule={value}"),
        format!("{}={value}", name.to_uppercase()),
        ";;;=;=".to_owned(),
    ];
    for line in lines {
        let ask = format!(
            "GET / HTTP/1.1\r\nHost: localhost:{}\r\nAccept: application/json\r\nCookie: {line}\r\nConnection: close\r\n\r\n",
            program.http.port()
        );
        let (came, _) = crate::support::raw::exchange(program.http, ask.as_bytes(), Duration::from_secs(2)).await;
        assert_eq!(crate::support::raw::statuses(&came), [401], "{line}: {came}");
    }
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn cookies_with_a_wrong_mac_cost_no_lookup() {
    let redis = Redis::start().await;
    let (_upstream, program, browser) = site(with_redis(&redis)).await;
    let (name, value) = browser.session_cookie().unwrap();
    let calls = async || -> u64 {
        let redis::Value::BulkString(bytes) = redis.command(&["INFO", "commandstats"]).await else {
            panic!("text expected")
        };
        let text = String::from_utf8_lossy(&bytes).into_owned();
        // Anything that reads a session, by whatever command.
        text.lines()
            .filter(|line| {
                ["cmdstat_get:", "cmdstat_mget:", "cmdstat_hgetall:", "cmdstat_evalsha:", "cmdstat_eval:"]
                    .iter()
                    .any(|c| line.starts_with(c))
            })
            .filter_map(|line| line.split("calls=").nth(1)?.split(',').next()?.parse::<u64>().ok())
            .sum()
    };
    // Let background work come to rest.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let before = calls().await;
    let mut made_up = Browser::new(&program);
    for number in 0..50 {
        made_up.jar.insert(name.clone(), format!("{number:02}{}", &value[2..]));
        if made_up.jar[&name] == value {
            continue;
        }
        assert_eq!(made_up.api("/").await.status, 401);
    }
    assert_eq!(calls().await, before);
    let _ = Browser::new(&program).signed_in("ada", PASSWORD).await;
    assert!(calls().await > before, "a real one is looked up");
}

#[tokio::test]
async fn disabling_by_the_command_line_acts_within_a_second() {
    for redis in [None, Some(Redis::start().await)] {
        let (_upstream, program, mut browser) = site(|setup| match &redis {
            Some(redis) => with_redis(redis)(setup),
            None => setup,
        })
        .await;
        browser.get("/").await.expect(200);
        program.run(&["user", "disable", "ada"], "");
        eventually("the end of the session", PROMPTLY, async || {
            (browser.clone().get("/").await.status == 303).then_some(())
        })
        .await;
        browser.sign_in("ada", PASSWORD).await.expect(401);
        program.run(&["user", "enable", "ada"], "");
        browser.sign_in("ada", PASSWORD).await.expect(303);
    }
}

#[tokio::test]
async fn taking_a_group_away_acts_within_a_second() {
    let (upstream, program, mut browser) = site(|mut setup| {
        setup.sites += "[[site.rule]]\npath = \"/staff/\"\nallow = \"signed-in\"\ngroups = [\"staff\"]\n";
        setup
    })
    .await;
    browser.get("/staff/").await.expect(403);
    program.run(&["user", "groups", "ada", "staff", "wiki"], "");
    eventually("the group", PROMPTLY, async || (browser.clone().get("/staff/").await.status == 200).then_some(()))
        .await;
    assert_eq!(upstream.last().field("remote-groups"), Some("staff,wiki"));
    program.run(&["user", "groups", "ada", "wiki"], "");
    eventually("its end", PROMPTLY, async || (browser.clone().get("/staff/").await.status == 403).then_some(())).await;
}

#[tokio::test]
async fn changing_the_password_rotates_this_session_and_ends_the_others() {
    let (_upstream, program, mut browser) = site(|setup| setup).await;
    let other = Browser::new(&program).signed_in("ada", PASSWORD).await;
    let before = browser.clone();
    let wrong =
        [("current_password", OTHER_PASSWORD), ("password", OTHER_PASSWORD), ("password_confirm", OTHER_PASSWORD)];
    browser.submit("/.auth/password", "/.auth/password", &wrong).await.expect(422);
    let fields = [("current_password", PASSWORD), ("password", OTHER_PASSWORD), ("password_confirm", OTHER_PASSWORD)];
    browser.submit("/.auth/password", "/.auth/password", &fields).await.expect(303);
    assert_ne!(browser.session_cookie(), before.session_cookie());
    browser.get("/").await.expect(200);
    before.clone().get("/").await.expect(303);
    other.clone().get("/").await.expect(303);
    Browser::new(&program).sign_in("ada", PASSWORD).await.expect(401);
    Browser::new(&program).sign_in("ada", OTHER_PASSWORD).await.expect(303);
}

#[tokio::test]
async fn me_tells_who_is_there() {
    let (_upstream, program, mut browser) = site(|setup| setup).await;
    let me = browser.api("/.auth/me").await.expect(200).json();
    assert_eq!(me["username"], "ada");
    assert_eq!(me["name"], "Test ada");
    assert_eq!(me["email"], "ada@example.com");
    assert_eq!(me["groups"], serde_json::json!([]));
    assert_eq!(me["amr"], serde_json::json!(["pwd"]));
    for name in ["sub", "auth_time", "idle_expires_at", "expires_at"] {
        assert!(!me[name].is_null(), "{name}: {me}");
    }
    let stranger = Browser::new(&program).api("/.auth/me").await.expect(401);
    assert_eq!(stranger.json()["error"], "unauthenticated");
}

#[tokio::test]
async fn what_guards_an_account_asks_for_a_sign_in_of_the_last_ten_minutes_which_keeps_the_session() {
    let upstream = Upstream::start().await;
    let program =
        moved("idle = \"1h\"\nlifetime = \"8h\"\nremember = \"30d\"\n")(Setup::before(&upstream.url())).start().await;
    program.ready().await;
    program.add_person("ada", PASSWORD, false);
    let clock = program.clock.as_ref().unwrap();
    let mut browser = Browser::new(&program);
    let fields = [("identifier", "ada"), ("password", PASSWORD), ("remember", "on")];
    browser.submit("/.auth/login", "/.auth/login", &fields).await.expect(303);
    let guarded = "/.auth/second-factor/app";
    clock.advance(Duration::from_secs(9 * 60));
    browser.get(guarded).await.expect(200);
    clock.advance(Duration::from_secs(2 * 60));
    let asked = browser.get(guarded).await.expect(303).location().to_owned();
    assert!(asked.starts_with("/.auth/login?again=1&return_to="), "{asked}");
    let mut before = browser.clone();
    before.get("/").await.expect(200);
    let fields = [("identifier", "ada"), ("password", PASSWORD), ("return_to", guarded)];
    let reply = browser.submit(&asked, "/.auth/login", &fields).await.expect(303);
    assert_eq!(reply.location(), guarded);
    let cookies = reply.set_cookies();
    assert!(cookies.iter().any(|line| line.contains("Max-Age=")), "stays signed in: {cookies:?}");
    assert_ne!(browser.session_cookie(), before.session_cookie(), "under a new id");
    before.get("/").await.expect(303);
    assert_eq!(before.api("/.auth/me").await.status, 401, "and the old one is dead");
    browser.get(guarded).await.expect(200);
    clock.advance(Duration::from_secs(20 * 24 * 3600));
    browser.get("/").await.expect(200);
}
