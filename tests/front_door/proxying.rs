//! SCENARIOS 33–36: what travels to the site behind, and what comes back.

use std::time::Duration;

use bytes::Bytes;
use http::Method;

use crate::support::{
    client::{Browser, Wire},
    people::{PASSWORD, cookie_line, site},
    program::Setup,
    raw, services,
    upstream::Upstream,
};

#[tokio::test]
async fn identity_fields_tell_the_site_who_is_there() {
    let (upstream, _program, mut browser) = site(|setup| setup).await;
    browser.get("/").await.expect(200);
    let seen = upstream.last();
    assert_eq!(seen.field("remote-user"), Some("ada"));
    assert_eq!(seen.field("remote-name"), Some("Test ada"));
    assert_eq!(seen.field("remote-email"), Some("ada@example.com"));
    assert_eq!(seen.field("remote-id").map(str::len), Some(36));
}

const FORGED: &[&str] = &[
    "Remote-User",
    "remote-user",
    "REMOTE-USER",
    "Remote_User",
    "Remote.User",
    "remote_user",
    "Remote-Groups",
    "Remote_Groups",
    "Remote-Name",
    "Remote-Email",
    "Remote_Email",
    "Remote-Id",
    "Remote_ID",
    "Vestibule-Assertion",
    "Vestibule_Assertion",
    "X-Forwarded-User-Agent",
    "X_Forwarded_For",
    "X_Real_IP",
    "X-Forwarded-Prefix",
];

#[tokio::test]
async fn forged_identity_fields_never_arrive() {
    let (upstream, program, browser) = site(|mut setup| {
        setup.sites += "[[site.rule]]\npath = \"/public/\"\nallow = \"anyone\"\n";
        setup
    })
    .await;
    let authority = format!("localhost:{}", program.http.port());
    for name in FORGED {
        for (cookie, path) in [(true, "/x"), (false, "/public/x"), (true, "/public/x")] {
            let cookie = if cookie { format!("Cookie: {}\r\n", cookie_line(&browser)) } else { String::new() };
            let ask = format!(
                "GET {path} HTTP/1.1\r\nHost: {authority}\r\nAccept: */*\r\n{cookie}{name}: forged\r\n{name}: forged too\r\nConnection: close, {name}\r\n\r\n"
            );
            upstream.forget();
            let (came, _) = raw::exchange(program.http, ask.as_bytes(), Duration::from_secs(3)).await;
            assert_eq!(raw::statuses(&came), [200], "{name}: {came}");
            let seen = upstream.last();
            let forged: Vec<_> = seen.fields.iter().filter(|(_, value)| value.contains("forged")).collect();
            assert!(forged.is_empty(), "{name} on {path}: {forged:?}");
        }
    }
}

#[tokio::test]
async fn naming_a_field_in_connection_does_not_remove_our_own() {
    let (upstream, program, browser) = site(|setup| setup).await;
    let authority = format!("localhost:{}", program.http.port());
    let ask = format!(
        "GET / HTTP/1.1\r\nHost: {authority}\r\nAccept: */*\r\nCookie: {}; keep=me\r\nX-Own: 1\r\nConnection: close, Remote-User, Cookie, Host, X-Forwarded-For, X-Own\r\n\r\n",
        cookie_line(&browser)
    );
    let (came, _) = raw::exchange(program.http, ask.as_bytes(), Duration::from_secs(3)).await;
    let status = raw::statuses(&came);
    if status == [200] {
        let seen = upstream.last();
        assert_eq!(seen.field("remote-user"), Some("ada"));
        assert_eq!(seen.field("x-forwarded-for"), Some("127.0.0.1"));
        assert_eq!(seen.field("x-own"), None, "hop-by-hop by name");
        assert_eq!(seen.all("host").len(), 1);
    } else {
        assert_eq!(status, [400], "or refused: {came}");
    }
}

#[tokio::test]
async fn forged_identity_never_arrives_over_http2_or_in_trailers() {
    let (upstream, program, mut browser) = site(|setup| setup).await;
    browser.wire = Wire::Http2;
    for name in ["remote-user", "remote_user", "remote.user", "vestibule-assertion"] {
        browser.send(Method::GET, "/", &[(name, "forged"), ("accept", "*/*")], Bytes::new()).await.expect(200);
        let seen = upstream.last();
        assert!(!seen.fields.iter().any(|(_, value)| value == "forged"), "{name}: {seen:?}");
        assert_eq!(seen.field("remote-user"), Some("ada"));
    }
    let authority = format!("localhost:{}", program.http.port());
    let ask = format!(
        "POST /echo HTTP/1.1\r\nHost: {authority}\r\nAccept: */*\r\nCookie: {}\r\nTransfer-Encoding: chunked\r\nTrailer: Remote-User, X-Sum\r\nConnection: close\r\n\r\n4\r\nbody\r\n0\r\nRemote-User: forged\r\nRemote_User: forged\r\nX-Sum: 7\r\n\r\n",
        cookie_line(&browser)
    );
    let (came, _) = raw::exchange(program.http, ask.as_bytes(), Duration::from_secs(3)).await;
    assert_eq!(raw::statuses(&came), [200], "{came}");
    let seen = upstream.last();
    assert_eq!(seen.body, b"body");
    assert!(!seen.trailers.iter().any(|(_, value)| value.contains("forged")), "{:?}", seen.trailers);
}

#[tokio::test]
async fn a_public_path_carries_identity_with_a_live_session_and_none_without() {
    let (upstream, program, mut browser) = site(|mut setup| {
        setup.sites += "[[site.rule]]\npath = \"/public/\"\nallow = \"anyone\"\n";
        setup
    })
    .await;
    browser.get("/public/page").await.expect(200);
    assert_eq!(upstream.last().field("remote-user"), Some("ada"));
    Browser::new(&program).get("/public/page").await.expect(200);
    let seen = upstream.last();
    assert!(!seen.fields.iter().any(|(name, _)| name.to_lowercase().starts_with("remote")), "{:?}", seen.fields);
}

#[tokio::test]
async fn forwarded_fields_are_rebuilt_for_untrusted_peers() {
    let (upstream, program, mut browser) = site(|setup| setup).await;
    let lies = [
        ("x-forwarded-for", "6.6.6.6"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-port", "1"),
        ("x-real-ip", "6.6.6.6"),
        ("forwarded", "for=6.6.6.6;host=evil.example"),
        ("x-request-id", "mine"),
        ("accept", "*/*"),
    ];
    browser.send(Method::GET, "/", &lies, Bytes::new()).await.expect(200);
    let seen = upstream.last();
    let authority = format!("localhost:{}", program.http.port());
    assert_eq!(seen.field("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(seen.field("x-real-ip"), Some("127.0.0.1"));
    assert_eq!(seen.field("x-forwarded-proto"), Some("http"));
    assert_eq!(seen.field("x-forwarded-host"), Some(authority.as_str()));
    assert_eq!(seen.field("x-forwarded-port"), Some(program.http.port().to_string().as_str()));
    assert_ne!(seen.field("x-request-id"), Some("mine"));
    let forwarded = seen.field("forwarded").unwrap();
    assert!(
        forwarded.contains("for=127.0.0.1") && forwarded.contains("proto=http") && !forwarded.contains("6.6.6.6"),
        "{forwarded}"
    );
    assert!(
        !seen.fields.iter().any(|(_, value)| value.contains("evil") || value.contains("6.6.6.6")),
        "{:?}",
        seen.fields
    );
    program
        .printed("the warning", |line| {
            (line.contains("trusted_proxies") && line.contains("127.0.0.1") && line.contains("throttle")).then_some(())
        })
        .await;
}

#[tokio::test]
async fn a_trusted_proxy_is_believed_from_the_right() {
    let (upstream, _program, mut browser) = site(|mut setup| {
        setup.listen = "trusted_proxies = [\"127.0.0.0/8\", \"10.0.0.0/8\"]\n".into();
        setup
    })
    .await;
    let said = [("x-forwarded-for", "6.6.6.6, 203.0.113.9, 10.1.2.3"), ("accept", "*/*")];
    browser.send(Method::GET, "/", &said, Bytes::new()).await.expect(200);
    let seen = upstream.last();
    assert_eq!(seen.field("x-real-ip"), Some("203.0.113.9"));
    assert_eq!(seen.field("x-forwarded-for"), Some("203.0.113.9, 127.0.0.1"), "what nobody vouches for stays behind");
    let expected = format!("for=203.0.113.9;proto=http;host=\"{}\", for=127.0.0.1", browser.authority);
    assert_eq!(seen.field("forwarded"), Some(expected.as_str()));
}

#[tokio::test]
async fn a_site_behind_tls_is_reached_with_a_private_authority() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key, _) = services::certificate(folder.path(), &["localhost"]);
    let upstream = Upstream::start().await;
    let port = services::tls_before(upstream.address, services::tls_acceptor(&cert, &key)).await;
    for (believed, status) in [(true, 200), (false, 502)] {
        let mut setup = Setup::before(&format!("https://localhost:{port}"));
        if believed {
            setup.environment.push(("SSL_CERT_FILE".into(), cert.display().to_string()));
        }
        let program = setup.start().await;
        program.ready().await;
        program.add_person("ada", PASSWORD, false);
        let mut browser = Browser::new(&program).signed_in("ada", PASSWORD).await;
        upstream.forget();
        browser.get("/page").await.expect(status);
        assert_eq!(upstream.seen_at("/page").len(), usize::from(believed));
    }
}

#[tokio::test]
async fn our_cookies_stay_here_and_others_arrive_untouched_in_order() {
    let (upstream, program, browser) = site(|setup| setup).await;
    let (name, value) = browser.session_cookie().unwrap();
    let authority = format!("localhost:{}", program.http.port());
    let ask = format!(
        "GET / HTTP/1.1\r\nHost: {authority}\r\nAccept: */*\r\nCookie: a=1; {name}={value}; b=\"2 3\";c=x=y; {name}-flow=z; vestibule-flow-{0}=z; vestibule-device-{0}=z\r\nConnection: close\r\n\r\n",
        program.http.port()
    );
    let (came, _) = raw::exchange(program.http, ask.as_bytes(), Duration::from_secs(3)).await;
    assert_eq!(raw::statuses(&came), [200], "{came}");
    let seen = upstream.last();
    let cookie = seen.field("cookie").unwrap_or_default().to_owned();
    assert!(!cookie.contains(&value), "{cookie}");
    let rest: Vec<_> = cookie.split(';').map(str::trim).filter(|pair| !pair.contains("-flow=")).collect();
    assert_eq!(rest, ["a=1", "b=\"2 3\"", "c=x=y"]);
}

#[tokio::test]
async fn the_upstream_cannot_set_our_cookie() {
    let (_upstream, program, mut browser) = site(|setup| setup).await;
    let own = format!("vestibule-{}", program.http.port());
    let before = browser.jar[&own].clone();
    let (port, capitals) = (program.http.port(), own.to_uppercase());
    let target = format!(
        "/cookies/{own}/{capitals}/vestibule-flow-{port}/VESTIBULE-Flow-{port}/vestibule-device-{port}/VESTIBULE-DEVICE-{port}/{own}0"
    );
    let reply = browser.get(&target).await.expect(200);
    assert_eq!(reply.set_cookies(), ["a=1", &format!("{own}0=x"), "b=2"], "others pass unmerged, in order");
    assert_eq!(browser.jar[&own], before);
    browser.get("/").await.expect(200);
}

#[tokio::test]
async fn answers_that_needed_a_session_are_kept_from_shared_caches() {
    let (_upstream, _program, mut browser) = site(|setup| setup).await;
    let reply = browser.get("/cache").await.expect(200);
    let control = reply.field("cache-control").to_owned();
    assert!(control.contains("private") && !control.contains("public") && !control.contains("s-maxage"), "{control}");
    assert!(control.contains("max-age=30"), "{control}");
    // A shared cache may keep what says nothing at all, or only how long it is fresh.
    assert_eq!(browser.get("/").await.expect(200).field("cache-control"), "private");
}

#[tokio::test]
async fn fields_the_operator_sets_are_nobody_elses_in_any_spelling() {
    let (upstream, _program, mut browser) = site(|mut setup| {
        setup.sites += "set_fields = { X-Role = \"reader\" }\n";
        setup
    })
    .await;
    let lies = [("x-role", "admin"), ("x_role", "admin"), ("x.role", "admin"), ("accept", "*/*")];
    browser.send(Method::GET, "/", &lies, Bytes::new()).await.expect(200);
    let seen = upstream.last();
    assert_eq!(seen.field("x-role"), Some("reader"));
    assert!(!seen.fields.iter().any(|(_, value)| value == "admin"), "{:?}", seen.fields);
}
