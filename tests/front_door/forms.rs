//! SCENARIO 10 and DESIGN §6 "CSRF": what a form has to bring, and what every page carries for its safety.

use http::Method;

use crate::{
    getting_in::site_with_ada,
    support::{
        client::{Browser, encode},
        html,
        people::PASSWORD,
    },
};

#[tokio::test]
async fn stale_form_shows_the_form_anew_with_its_reason() {
    let (_upstream, program) = site_with_ada().await;
    let mut browser = Browser::new(&program);
    browser.get("/.auth/login").await;
    let fields = [("identifier", "ada"), ("password", PASSWORD), ("csrf", "c3RhbGU")];
    let reply = browser.post("/.auth/login", &fields).await.expect(403);
    assert!(html::input_value(&reply.text(), "csrf").is_some(), "a form to go on with: {}", reply.words());
    assert_eq!(html::input_value(&reply.text(), "identifier").as_deref(), Some("ada"), "nothing typed is lost");
    assert_eq!(
        html::input_value(&reply.text(), "password").unwrap_or_default(),
        "",
        "but passwords are never sent back"
    );
    let token = html::input_value(&reply.text(), "csrf").unwrap();
    browser.post("/.auth/login", &[("identifier", "ada"), ("password", PASSWORD), ("csrf", &token)]).await.expect(303);
}

#[tokio::test]
async fn forms_of_other_origins_are_refused() {
    let (_upstream, program) = site_with_ada().await;
    let mut browser = Browser::new(&program);
    let token = html::input_value(&browser.get("/.auth/login").await.text(), "csrf").unwrap();
    let body = encode(&[("identifier", "ada"), ("password", PASSWORD), ("csrf", &token)]);
    let own = program.origin();
    let form = ("content-type", "application/x-www-form-urlencoded");
    for fields in [
        vec![form, ("origin", "http://evil.example")],
        vec![form, ("origin", "null")],
        vec![form, ("origin", "http://localhost:1")],
        vec![form, ("sec-fetch-site", "cross-site")],
        vec![form, ("sec-fetch-site", "same-site"), ("origin", own.as_str())],
    ] {
        let reply = browser.send(Method::POST, "/.auth/login", &fields, body.clone()).await;
        assert_eq!(reply.status, 403, "{fields:?}");
    }
    // Neither sent: the token decides.
    browser.send(Method::POST, "/.auth/login", &[form], body).await.expect(303);
}

#[tokio::test]
async fn doubled_fields_and_other_encodings_are_refused() {
    let (_upstream, program) = site_with_ada().await;
    let mut browser = Browser::new(&program);
    let token = html::input_value(&browser.get("/.auth/login").await.text(), "csrf").unwrap();
    let twice = [("identifier", "ada"), ("identifier", "eve"), ("password", PASSWORD), ("csrf", token.as_str())];
    assert_eq!(browser.post("/.auth/login", &twice).await.status, 400);
    let reply = browser
        .send(Method::POST, "/.auth/login", &[("content-type", "text/plain")], encode(&[("csrf", &token)]))
        .await;
    assert!([400, 415].contains(&reply.status.as_u16()), "{}", reply.status);
    let huge = "x".repeat(80 << 10);
    let reply = browser.post("/.auth/login", &[("identifier", &huge), ("csrf", &token)]).await;
    assert_eq!(reply.status, 413);
    assert!(browser.session_cookie().is_none());
}

#[tokio::test]
async fn every_page_carries_its_safety_fields() {
    let (_upstream, program) = site_with_ada().await;
    let mut browser = Browser::new(&program).signed_in("ada", PASSWORD).await;
    let mut stranger = Browser::new(&program);
    let mut replies = Vec::new();
    for path in ["login", "register", "password/forgot", "logout", "nowhere", "password/reset?token=x"] {
        replies.push((path, stranger.get(&format!("/.auth/{path}")).await));
    }
    for path in ["profile", "profile/edit", "password", "second-factor", "second-factor/phone", "sessions"] {
        replies.push((path, browser.get(&format!("/.auth/{path}")).await.expect(200)));
    }
    for (path, reply) in replies {
        let policy = reply.field("content-security-policy").to_owned();
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
        assert!(policy.contains("base-uri 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(reply.field("x-content-type-options"), "nosniff", "{path}");
        assert!(reply.field("cache-control").contains("no-store"), "{path}");
        assert!(["same-origin", "no-referrer"].contains(&reply.field("referrer-policy")), "{path}");
        assert_eq!(reply.field("cross-origin-opener-policy"), "same-origin", "{path}");
        assert_eq!(reply.field("content-type"), "text/html; charset=utf-8", "{path}");
        assert_eq!(reply.field("server"), "", "{path}");
        assert!(!reply.text().contains(" style=") && !reply.text().contains("<style"), "{path} has inline style");
        let scripts: Vec<_> = html::tags(&reply.text(), "script").map(str::to_owned).collect();
        assert!(scripts.iter().all(|tag| html::attribute(tag, "src").is_some()), "{path} has an inline script");
    }
}

#[tokio::test]
async fn what_is_typed_is_never_reflected_unescaped() {
    let (_upstream, program) = site_with_ada().await;
    let mut browser = Browser::new(&program);
    let hostile = "\"><script>alert(1)</script>'`\r\nX: y";
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("return_to", hostile).finish();
    for target in [format!("/.auth/login?{query}"), format!("/.auth/{query}"), "/.auth/%3Cscript%3E".to_owned()] {
        let reply = browser.get(&target).await;
        assert!(!reply.text().contains("<script>alert") && reply.field("x").is_empty(), "{target}");
    }
    let fields = [
        ("first_name", hostile),
        ("last_name", hostile),
        ("username", hostile),
        ("email", hostile),
        ("password", "short"),
        ("password_confirm", "other"),
    ];
    let reply = browser.submit("/.auth/register", "/.auth/register", &fields).await.expect(422);
    assert!(!reply.text().contains("<script>alert"));
    assert_eq!(
        html::input_value(&reply.text(), "first_name").as_deref().map(|v| v.contains("<script>")),
        Some(true),
        "and not lost"
    );
}
