//! SCENARIOS 1, 2, 4, 5, 7, 9, 10: how one gets in, and how one does not.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method};

use crate::support::{
    client::{Browser, Reply, encode, navigation},
    html,
    key::asked,
    people::{OTHER_PASSWORD, PASSWORD},
    program::{Program, Setup},
    raw,
    upstream::Upstream,
};

pub async fn site_with_ada() -> (Upstream, Program) {
    let upstream = Upstream::start().await;
    let program = Setup::before(&upstream.url()).start().await;
    program.ready().await;
    program.add_person("ada", PASSWORD, false);
    (upstream, program)
}

#[tokio::test]
async fn unknown_document_navigation_is_sent_to_sign_in_with_its_exact_target() {
    let (upstream, program) = site_with_ada().await;
    let mut browser = Browser::new(&program);
    let reply = browser.get("/a%20b/c?x=1&y=%2F%20z").await.expect(303);
    let location = reply.location();
    assert!(location.starts_with("/.auth/login?return_to="), "{location}");
    let sent = form_urlencoded::parse(location.split_once('?').unwrap().1.as_bytes())
        .find(|(name, _)| name == "return_to")
        .unwrap()
        .1
        .into_owned();
    assert_eq!(sent, "/a%20b/c?x=1&y=%2F%20z");
    assert!(upstream.seen().is_empty(), "the upstream saw nothing");
}

#[tokio::test]
async fn html_without_fetch_metadata_is_sent_to_sign_in_too() {
    let (_upstream, program) = site_with_ada().await;
    let mut browser = Browser::new(&program);
    let reply = browser.send(Method::GET, "/", &[("accept", "text/html")], Bytes::new()).await.expect(303);
    assert_eq!(reply.location(), "/.auth/login?return_to=%2F");
    browser.send(Method::HEAD, "/", &[("accept", "text/html")], Bytes::new()).await.expect(303);
}

#[tokio::test]
async fn unknown_frame_gets_a_page_that_opens_sign_in_at_the_top() {
    let (upstream, program) = site_with_ada().await;
    let fields = [
        ("accept", "text/html"),
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-dest", "iframe"),
        ("sec-fetch-site", "same-origin"),
    ];
    let reply = Browser::new(&program).send(Method::GET, "/frame", &fields, Bytes::new()).await.expect(401);
    assert!(reply.field("content-type").starts_with("text/html"));
    assert!(reply.text().contains("_top"), "{}", reply.text());
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn unknown_form_post_gets_a_page_that_keeps_the_typed_text_safe() {
    let (upstream, program) = site_with_ada().await;
    let mut fields = navigation("same-origin");
    fields.push(("content-type", "application/x-www-form-urlencoded"));
    let reply =
        Browser::new(&program).send(Method::POST, "/comment", &fields, encode(&[("text", "long")])).await.expect(401);
    assert!(reply.words().contains("Your session ended before this was sent"), "{}", reply.words());
    assert!(reply.text().contains("_blank"), "sign-in opens in a new tab");
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn unknown_programs_get_json_and_nothing_is_forwarded() {
    let (upstream, program) = site_with_ada().await;
    let asks: [&[(&str, &str)]; 5] = [
        &[("accept", "application/json")],
        &[
            ("accept", "*/*"),
            ("sec-fetch-mode", "cors"),
            ("sec-fetch-dest", "empty"),
            ("sec-fetch-site", "same-origin"),
        ],
        &[
            ("accept", "text/html"),
            ("x-requested-with", "XMLHttpRequest"),
            ("sec-fetch-mode", "cors"),
            ("sec-fetch-dest", "empty"),
        ],
        &[
            ("connection", "upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ],
        &[("content-type", "application/grpc"), ("te", "trailers")],
    ];
    for fields in asks {
        let reply = Browser::new(&program).send(Method::GET, "/api", fields, Bytes::new()).await.expect(401);
        assert_eq!(reply.json()["error"], "unauthenticated", "{fields:?}");
        assert!(reply.json()["login"].as_str().unwrap().starts_with(&program.origin()), "{}", reply.text());
        assert_eq!(reply.field("www-authenticate"), "Bearer", "never Basic: it pops a dialog");
    }
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn refusing_a_body_asks_for_none_of_it() {
    let (upstream, program) = site_with_ada().await;
    let authority = format!("localhost:{}", program.http.port());
    let ask = format!(
        "POST /upload HTTP/1.1\r\nHost: {authority}\r\nAccept: application/json\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n\r\n"
    );
    let (came, closed) = raw::exchange(program.http, ask.as_bytes(), Duration::from_secs(3)).await;
    assert_eq!(raw::statuses(&came), [401], "no 100 (Continue): {came}");
    assert!(closed, "the unread body ends the connection");
    let small = format!(
        "POST /upload HTTP/1.1\r\nHost: {authority}\r\nAccept: application/json\r\nContent-Length: 4\r\n\r\nbodyGET /x HTTP/1.1\r\nHost: {authority}\r\nAccept: application/json\r\nConnection: close\r\n\r\n"
    );
    let (came, _) = raw::exchange(program.http, small.as_bytes(), Duration::from_secs(3)).await;
    assert!(raw::statuses(&came).iter().all(|status| *status == 401), "{came}");
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn after_sign_in_the_person_lands_where_they_wanted() {
    let (upstream, program) = site_with_ada().await;
    let mut browser = Browser::new(&program);
    let asked = "/a%2Bb/%C3%A9?x=%2F%26&y=+";
    let login = browser.get(asked).await.expect(303).location().to_owned();
    let page = browser.get(&login).await.expect(200);
    let return_to = html::input_value(&page.text(), "return_to").unwrap();
    let csrf = html::input_value(&page.text(), "csrf").unwrap();
    let fields =
        [("identifier", "ada"), ("password", PASSWORD), ("return_to", return_to.as_str()), ("csrf", csrf.as_str())];
    let reply = browser.post("/.auth/login", &fields).await.expect(303);
    assert_eq!(reply.location(), asked);
    browser.get(asked).await.expect(200);
    assert_eq!(upstream.last().target, asked);
    assert_eq!(upstream.last().field("remote-user"), Some("ada"));
}

#[tokio::test]
async fn signed_in_people_are_sent_straight_onward() {
    let (_upstream, program) = site_with_ada().await;
    let mut browser = Browser::new(&program).signed_in("ada", PASSWORD).await;
    let reply = browser.get("/.auth/login?return_to=%2Fwiki%3Fa%3D1").await.expect(303);
    assert_eq!(reply.location(), "/wiki?a=1");
}

#[tokio::test]
async fn wrong_unknown_and_disabled_look_alike() {
    let (_upstream, program) = site_with_ada().await;
    program.add_person("eve", PASSWORD, false);
    program.run(&["user", "disable", "eve"], "");
    let mut replies = Vec::new();
    for (name, password) in
        [("ada", OTHER_PASSWORD), ("nobody", OTHER_PASSWORD), ("eve", PASSWORD), ("ada@example.com", OTHER_PASSWORD)]
    {
        let reply = Browser::new(&program).sign_in(name, password).await.expect(401);
        assert!(
            reply.words().contains("That name and password don't match. Check both and try again."),
            "{}",
            reply.words()
        );
        replies.push(look(&reply, name));
    }
    for reply in &replies[1..] {
        assert_eq!(reply, &replies[0]);
    }
}

/// What tells two answers to sign-ins apart: fields and page without what is fresh in each and without the name typed.
fn look(reply: &Reply, name: &str) -> (Vec<(String, HeaderValue)>, String) {
    let csrf = html::input_value(&reply.text(), "csrf").unwrap();
    let text = reply.text().replace(&csrf, "CSRF").replace(&format!("\"{name}\""), "\"NAME\"");
    // Every page asks passkeys for something fresh.
    let ceremony = html::input_value(&text, "ceremony").unwrap();
    let challenge = asked(reply)["challenge"].as_str().unwrap().to_owned();
    let text = text.replace(&ceremony, "CEREMONY").replace(&challenge, "CHALLENGE");
    let fresh = ["date", "set-cookie", "content-length", "x-request-id"];
    let fields = reply.fields.iter().filter(|(name, _)| !fresh.contains(&name.as_str()));
    (fields.map(|(name, value)| (name.to_string(), value.clone())).collect(), text)
}

#[tokio::test]
async fn known_unknown_and_disabled_names_wait_alike() {
    let upstream = Upstream::start().await;
    let mut setup = Setup::before(&upstream.url());
    setup.moved_clock = true;
    let program = setup.start().await;
    program.ready().await;
    program.add_person("ada", PASSWORD, false);
    program.add_person("eve", PASSWORD, false);
    program.run(&["user", "disable", "eve"], "");
    let mut looks = Vec::new();
    for (name, password) in [("ada", OTHER_PASSWORD), ("bob", OTHER_PASSWORD), ("eve", OTHER_PASSWORD)] {
        let mut waits = Vec::new();
        for _ in 0..40 {
            let reply = Browser::new(&program).sign_in(name, password).await;
            if reply.status == 401 {
                continue;
            }
            assert_eq!(reply.status, 429, "{name}: {}", reply.words());
            let wait: u64 = reply.field("retry-after").parse().unwrap();
            // The step it belongs to: some of it may have passed by now, and the first ones may be over.
            let step = [5, 30, 300].into_iter().find(|step| wait <= *step).expect("no longer wait");
            if step > 5 {
                let (mut fields, text) = look(&reply, name);
                fields.retain(|(field, _)| field != "retry-after");
                // The moment to come back at.
                waits.push((step, fields, text.replace(|c: char| c.is_ascii_digit(), "0")));
            }
            if step == 300 {
                // Nor does the right password tell whether somebody is there.
                let right = Browser::new(&program).sign_in(name, PASSWORD).await.expect(429);
                assert_eq!(look(&right, name).1.replace(|c: char| c.is_ascii_digit(), "0"), waits.last().unwrap().2);
                break;
            }
            program.clock.as_ref().unwrap().advance(Duration::from_secs(wait));
        }
        assert_eq!(waits.iter().map(|(step, ..)| *step).collect::<Vec<_>>(), [30, 300], "{name}");
        looks.push(waits);
    }
    assert_eq!(looks[1], looks[0], "an unknown name");
    assert_eq!(looks[2], looks[0], "a disabled person");
}

#[tokio::test]
async fn too_many_tries_are_throttled_alike_for_known_and_unknown_names() {
    let (_upstream, program) = site_with_ada().await;
    let mut tries = Vec::new();
    for name in ["ada", "nobody-here"] {
        let mut count = 0;
        let reply = loop {
            let reply = Browser::new(&program).sign_in(name, OTHER_PASSWORD).await;
            count += 1;
            assert!(count < 40, "{name} is never throttled");
            if reply.status != 401 {
                break reply;
            }
        };
        assert_eq!(reply.status, 429, "{}", reply.words());
        assert!(reply.words().contains("Too many tries. Wait until "), "{}", reply.words());
        assert!(reply.field("retry-after").parse::<u32>().is_ok_and(|seconds| seconds > 0), "{:?}", reply.fields);
        tries.push(count);
    }
    assert_eq!(tries[0], tries[1], "the throttle tells nothing of whether a name exists");
}

#[tokio::test]
async fn spelling_variants_share_one_throttle() {
    let (_upstream, program) = site_with_ada().await;
    let spellings = ["ada", "ADA", " ada ", "Ada", "\u{ff41}da", "ada@example.com", "ADA@EXAMPLE.COM"];
    let mut throttled = false;
    for round in 0..40 {
        let reply = Browser::new(&program).sign_in(spellings[round % spellings.len()], OTHER_PASSWORD).await;
        throttled |= reply.status == 429;
        if throttled {
            assert!(round < 16, "variants had {round} tries");
            break;
        }
    }
    assert!(throttled);
}

#[tokio::test]
async fn sign_in_gives_a_new_session_id_and_a_planted_one_is_worthless() {
    let (upstream, program) = site_with_ada().await;
    let first = Browser::new(&program).signed_in("ada", PASSWORD).await;
    let (name, old) = first.session_cookie().unwrap();
    // The id known before: planted into the victim's browser.
    let mut victim = Browser::new(&program);
    victim.jar.insert(name.clone(), "x".repeat(old.len()));
    let mut victim = victim.signed_in("ada", PASSWORD).await;
    let (_, fresh) = victim.session_cookie().unwrap();
    assert_ne!(fresh, old);
    assert_ne!(fresh, "x".repeat(old.len()));
    victim.get("/").await.expect(200);
    let mut attacker = Browser::new(&program);
    attacker.jar.insert(name, "x".repeat(old.len()));
    upstream.forget();
    attacker.get("/").await.expect(303);
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn signing_in_again_ends_the_session_before() {
    let (_upstream, program) = site_with_ada().await;
    program.add_person("eve", OTHER_PASSWORD, false);
    let mut browser = Browser::new(&program);
    let token = html::input_value(&browser.get("/.auth/login").await.text(), "csrf").unwrap();
    let fields = |name, password| vec![("identifier", name), ("password", password), ("csrf", token.as_str())];
    browser.post("/.auth/login", &fields("eve", OTHER_PASSWORD)).await.expect(303);
    let before = browser.clone();
    assert!(before.session_cookie().is_some());
    let page = browser.get("/.auth/profile").await.expect(200);
    assert!(page.words().contains("@eve"));
    // Another tab still shows the sign-in page.
    browser.post("/.auth/login", &fields("ada", PASSWORD)).await.expect(303);
    let signed_in = browser.session_cookie().unwrap();
    assert_ne!(before.session_cookie().unwrap().1, signed_in.1);
    assert!(browser.get("/.auth/profile").await.expect(200).words().contains("@ada"));
    let mut ended = before.clone();
    ended.get("/").await.expect(303);
    assert_eq!(ended.api("/.auth/me").await.status, 401);
}

#[tokio::test]
async fn empty_posts_and_skipped_steps_make_no_progress() {
    let (upstream, program) = site_with_ada().await;
    let refused = |reply: &Reply| {
        let to_sign_in = reply.status == 303 && reply.location().contains("/.auth/login");
        reply.status.is_client_error() || to_sign_in
    };
    for path in [
        "login",
        "login/verify",
        "login/verify/send",
        "login/passkey",
        "logout",
        "register",
        "register/confirm",
        "setup",
        "profile/edit",
        "profile/email",
        "profile/delete",
        "profile/data",
        "profile/confirm",
        "email/confirm",
        "email/change",
        "email/undo",
        "password",
        "password/forgot",
        "password/reset",
        "second-factor",
        "second-factor/phone",
        "second-factor/phone/send",
        "second-factor/app",
        "second-factor/passkey",
        "second-factor/push",
        "second-factor/recovery-codes",
        "second-factor/first",
        "second-factor/disable",
        "sessions",
        "tokens",
        "admin/people",
        "admin/invitations",
    ] {
        let mut browser = Browser::new(&program);
        let target = format!("/.auth/{path}");
        for fields in [&[][..], &[("csrf", "")], &[("csrf", "made-up")]] {
            let reply = browser.post(&target, fields).await;
            assert!(refused(&reply), "{path} {fields:?}: {} {}", reply.status, reply.location());
            assert!(browser.session_cookie().is_none(), "{path} gave a session");
        }
        // A step whose earlier steps were skipped, with a valid token of the sign-in page.
        let token = html::input_value(&browser.get("/.auth/login").await.text(), "csrf").unwrap();
        let reply = browser.post(&target, &[("csrf", &token), ("code", ""), ("token", ""), ("password", "")]).await;
        assert!(refused(&reply), "{path}: {} {}", reply.status, reply.location());
        assert!(browser.session_cookie().is_none(), "{path} gave a session");
    }
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn two_tabs_may_sign_in_at_the_same_time() {
    let (_upstream, program) = site_with_ada().await;
    let mut browser = Browser::new(&program);
    let one = html::input_value(&browser.get("/.auth/login?return_to=%2Fone").await.text(), "csrf").unwrap();
    let two = html::input_value(&browser.get("/.auth/login?return_to=%2Ftwo").await.text(), "csrf").unwrap();
    let mut other_tab = browser.clone();
    for (tab, token, to) in [(&mut browser, one, "/one"), (&mut other_tab, two, "/two")] {
        let fields = [("identifier", "ada"), ("password", PASSWORD), ("return_to", to), ("csrf", token.as_str())];
        assert_eq!(tab.post("/.auth/login", &fields).await.expect(303).location(), to);
    }
}

#[tokio::test]
async fn a_target_too_long_to_come_back_to_still_leads_to_sign_in() {
    let program = Setup::demo().start().await;
    program.ready().await;
    let mut browser = Browser::new(&program);
    let kept = format!("/page?x={}", "%20".repeat(1000));
    let reply = browser.get(&kept).await.expect(303);
    assert!(reply.location().contains("return_to="), "{}", reply.location());
    let lost = format!("/page?x={}", "%20".repeat(9500));
    let reply = browser.get(&lost).await.expect(303);
    browser.get(reply.location()).await.expect(200);
}
