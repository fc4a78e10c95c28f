//! SCENARIOS 33–38: what travels to the site behind, and what comes back.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{
    client::{Browser, Wire},
    people::PASSWORD,
    program::{Program, Setup},
    raw,
    upstream::Upstream,
};

async fn site(setup: impl FnOnce(Setup) -> Setup) -> (Upstream, Program, Browser) {
    let upstream = Upstream::start().await;
    let program = setup(Setup::before(&upstream.url())).start().await;
    program.ready().await;
    program.add_person("ada", PASSWORD, false);
    let browser = Browser::new(&program).signed_in("ada", PASSWORD).await;
    (upstream, program, browser)
}

fn cookie_line(browser: &Browser) -> String {
    let (name, value) = browser.session_cookie().unwrap();
    format!("{name}={value}")
}

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
    assert!(
        !seen.field("x-forwarded-for").unwrap().starts_with("6.6.6.6,")
            || seen.field("x-real-ip") == Some("203.0.113.9")
    );
}

#[tokio::test]
async fn our_cookies_stay_here_and_others_arrive_untouched_in_order() {
    let (upstream, program, browser) = site(|setup| setup).await;
    let (name, value) = browser.session_cookie().unwrap();
    let authority = format!("localhost:{}", program.http.port());
    let ask = format!(
        "GET / HTTP/1.1\r\nHost: {authority}\r\nAccept: */*\r\nCookie: a=1; {name}={value}; b=\"2 3\";c=x=y; {name}-flow=z; vestibule-flow-{}=z\r\nConnection: close\r\n\r\n",
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
    let reply = browser.get("/cookies").await.expect(200);
    let set = reply.set_cookies();
    assert!(set.contains(&"a=1".to_owned()) && set.contains(&"b=2".to_owned()), "others pass unmerged: {set:?}");
    assert!(!set.iter().any(|line| line.starts_with(&own)), "{set:?}");
    assert_eq!(browser.jar[&own], before);
}

#[tokio::test]
async fn answers_that_needed_a_session_are_kept_from_shared_caches() {
    let (_upstream, _program, mut browser) = site(|setup| setup).await;
    let reply = browser.get("/cache").await.expect(200);
    let control = reply.field("cache-control").to_owned();
    assert!(control.contains("private") && !control.contains("public") && !control.contains("s-maxage"), "{control}");
    assert!(control.contains("max-age=30"), "{control}");
}

/// Each is either refused and closed, or arrives as exactly one request.
#[tokio::test]
async fn two_framings_never_become_two_requests() {
    let (upstream, program, browser) = site(|setup| setup).await;
    let head = |rest: &str| {
        format!(
            "POST /smuggle HTTP/1.1\r\nHost: localhost:{}\r\nAccept: */*\r\nCookie: {}\r\n{rest}",
            program.http.port(),
            cookie_line(&browser)
        )
    };
    let inner = "GET /inner HTTP/1.1\r\nHost: x\r\n\r\n";
    let corpus = [
        format!("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{inner}"),
        format!("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n{inner}"),
        format!("Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n{inner}"),
        format!("Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n{inner}"),
        format!("Transfer-Encoding: identity\r\n\r\n{inner}"),
        format!("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n{inner}"),
        format!("Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{inner}"),
        format!("Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n{inner}"),
        format!("Transfer-Encoding:\u{b}chunked\r\n\r\n0\r\n\r\n{inner}"),
        format!("Content-Length: 0\r\nContent-Length: 36\r\n\r\n{inner}"),
        format!("Content-Length: 0, 36\r\n\r\n{inner}"),
        format!("Content-Length: +0\r\n\r\n{inner}"),
        format!("Content-Length: 0x0\r\n\r\n{inner}"),
        format!("X: y\r\n folded: z\r\nContent-Length: 0\r\n\r\n{inner}"),
        format!("Transfer-Encoding: chunked\r\n\r\n1;\n0\r\n\r\n{inner}"),
        format!("Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n{inner}"),
        format!("Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n\r\n{inner}"),
    ];
    for rest in &corpus {
        upstream.forget();
        let (came, closed) = raw::exchange(program.http, head(rest).as_bytes(), Duration::from_millis(1500)).await;
        let statuses = raw::statuses(&came);
        let arrived = upstream.seen();
        assert!(!arrived.iter().any(|seen| seen.target == "/inner"), "smuggled: {rest:?} {arrived:?}");
        assert_eq!(statuses.len(), 1, "{rest:?}: {came}");
        assert!(closed, "{rest:?} left the connection open");
        // Content-Length beside Transfer-Encoding: read as chunked, or refused.
        let both = rest.contains("Content-Length: 4") && rest.contains("Transfer-Encoding: chunked\r\n");
        if both && statuses == [200] {
            assert_eq!(arrived.len(), 1, "{arrived:?}");
            assert_eq!(arrived[0].body, b"");
        } else {
            assert_eq!(statuses, [400], "{rest:?}: {came}");
            assert!(arrived.is_empty(), "{rest:?} arrived: {arrived:?}");
        }
    }
}

#[tokio::test]
async fn hosts_that_could_be_read_two_ways_are_refused() {
    let (upstream, program, browser) = site(|setup| setup).await;
    upstream.forget();
    let own = format!("localhost:{}", program.http.port());
    let cookie = cookie_line(&browser);
    let ask = |line: &str, fields: &str| {
        format!("{line}\r\n{fields}Accept: */*\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n")
    };
    for (text, expected) in [
        (ask("GET / HTTP/1.1", ""), 400),
        (ask("GET / HTTP/1.1", "Host:\r\n"), 400),
        (ask("GET / HTTP/1.1", &format!("Host: {own}\r\nHost: {own}\r\n")), 400),
        (ask("GET / HTTP/1.1", "Host: a b\r\n"), 400),
        (ask("GET / HTTP/1.1", "Host: user@localhost\r\n"), 400),
        (ask("GET / HTTP/1.1", "Host: localhost:99999\r\n"), 400),
        (ask("GET / HTTP/1.1", "Host: localhost/evil\r\n"), 400),
        (ask("GET / HTTP/1.1", "Host: localhost,evil\r\n"), 400),
        (ask(&format!("GET http://{own}/ HTTP/1.1"), "Host: evil.example\r\n"), 400),
        (ask("GET http://evil.example/ HTTP/1.1", &format!("Host: {own}\r\n")), 400),
        (ask("GET / HTTP/1.1", "Host: evil.example\r\n"), 421),
        (ask(&format!("CONNECT {own} HTTP/1.1"), &format!("Host: {own}\r\n")), 405),
        (ask("TRACE / HTTP/1.1", &format!("Host: {own}\r\n")), 405),
    ] {
        let (came, _) = raw::exchange(program.http, text.as_bytes(), Duration::from_secs(2)).await;
        let status = raw::statuses(&came).first().copied();
        let fits = status == Some(expected) || (expected == 405 && matches!(status, Some(400 | 501)));
        assert!(fits, "{text}\ngave {came}");
    }
    assert!(upstream.seen().is_empty(), "{:?}", upstream.seen());
    let (came, _) = raw::exchange(
        program.http,
        ask(&format!("GET http://{own}/ok HTTP/1.1"), &format!("Host: {own}\r\n")).as_bytes(),
        Duration::from_secs(2),
    )
    .await;
    assert_eq!(raw::statuses(&came), [200], "absolute-form is fine: {came}");
    assert_eq!(upstream.last().target, "/ok");
}

async fn tunnel(program: &Program, browser: &Browser, path: &str, origin: &str) -> (TcpStream, String) {
    let mut socket = TcpStream::connect(program.http).await.unwrap();
    let ask = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost:{}\r\nCookie: {}\r\nOrigin: {origin}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        program.http.port(),
        cookie_line(browser)
    );
    socket.write_all(ask.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match socket.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    (socket, String::from_utf8(head).unwrap())
}

#[tokio::test]
async fn websocket_tunnels_after_the_upstreams_101_and_closes_at_sign_out() {
    let (upstream, program, mut browser) = site(|setup| setup).await;
    let (mut socket, head) = tunnel(&program, &browser, "/ws", &program.origin()).await;
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    let seen = upstream.last();
    assert_eq!(seen.field("upgrade"), Some("websocket"));
    assert_eq!(seen.field("remote-user"), Some("ada"));
    socket.write_all(b"hello").await.unwrap();
    let mut back = [0; 5];
    socket.read_exact(&mut back).await.unwrap();
    assert_eq!(&back, b"hello");
    browser.submit("/.auth/logout", "/.auth/logout", &[]).await.expect(303);
    let ended = tokio::time::timeout(Duration::from_secs(2), socket.read(&mut back)).await;
    assert!(matches!(ended, Ok(Ok(0) | Err(_))), "the socket outlived its session: {ended:?}");
}

#[tokio::test]
async fn upgrade_without_the_upstreams_101_is_an_ordinary_answer() {
    let (_upstream, program, browser) = site(|setup| setup).await;
    let (_socket, head) = tunnel(&program, &browser, "/nows", &program.origin()).await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
}

#[tokio::test]
async fn websocket_from_a_foreign_origin_is_refused() {
    let (upstream, program, browser) = site(|setup| setup).await;
    upstream.forget();
    let (_socket, head) = tunnel(&program, &browser, "/ws", "http://evil.example").await;
    assert!(head.starts_with("HTTP/1.1 403"), "{head}");
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn events_arrive_as_they_happen_and_end_with_the_session() {
    let (_upstream, program, mut browser) = site(|setup| setup).await;
    let mut socket = TcpStream::connect(program.http).await.unwrap();
    let ask = format!(
        "GET /sse HTTP/1.1\r\nHost: localhost:{}\r\nCookie: {}\r\nAccept: text/event-stream\r\n\r\n",
        program.http.port(),
        cookie_line(&browser)
    );
    socket.write_all(ask.as_bytes()).await.unwrap();
    let mut came = String::new();
    let mut part = [0; 4096];
    while !came.contains("data: 3") {
        let count =
            tokio::time::timeout(Duration::from_secs(3), socket.read(&mut part)).await.expect("events").unwrap();
        assert_ne!(count, 0, "{came}");
        came += &String::from_utf8_lossy(&part[..count]);
    }
    browser.submit("/.auth/logout", "/.auth/logout", &[]).await.expect(303);
    let (_, closed) =
        tokio::time::timeout(Duration::from_secs(4), raw::read_until_quiet(&mut socket, Duration::from_secs(1)))
            .await
            .expect("the stream outlived its session");
    assert!(closed);
}

#[tokio::test]
async fn early_hints_are_never_mistaken_for_the_answer() {
    let (_upstream, _program, mut browser) = site(|setup| setup).await;
    assert_eq!(browser.get("/hints").await.expect(200).text(), "after hints");
}

#[tokio::test]
async fn trailers_reach_the_client() {
    let (_upstream, program, browser) = site(|setup| setup).await;
    let ask = format!(
        "GET /trailers HTTP/1.1\r\nHost: localhost:{}\r\nCookie: {}\r\nTE: trailers\r\nAccept: */*\r\nConnection: close, TE\r\n\r\n",
        program.http.port(),
        cookie_line(&browser)
    );
    let (came, _) = raw::exchange(program.http, ask.as_bytes(), Duration::from_secs(2)).await;
    assert!(came.contains("body") && came.to_lowercase().contains("grpc-status: 0"), "{came}");
}

#[tokio::test]
async fn every_wire_carries_bodies_both_ways() {
    let (upstream, _program, browser) = site(|setup| setup).await;
    let body = Bytes::from("x".repeat(300_000));
    for wire in [Wire::Http1, Wire::Http2] {
        let mut browser = browser.clone();
        browser.wire = wire;
        let reply = browser.send(Method::POST, "/echo", &[("accept", "*/*")], body.clone()).await.expect(200);
        assert_eq!(reply.body, body, "{wire:?}");
        assert_eq!(upstream.last().body.len(), body.len());
        assert_eq!(upstream.last().field("remote-user"), Some("ada"));
    }
}

#[tokio::test]
async fn upstream_troubles_have_their_pages() {
    let (_upstream, _program, mut browser) = site(|mut setup| {
        setup.limits = "upstream_response = \"500ms\"\n".into();
        setup
    })
    .await;
    let silent = browser.get("/slow/3000").await.expect(504);
    assert!(silent.field("content-type").starts_with("text/html"));
    browser.get("/drop").await.expect(502);
    assert_eq!(browser.get("/status/503").await.status, 503, "the site's own errors pass");
    assert_eq!(browser.get("/close").await.expect(200).text(), "close");
    browser.get("/").await.expect(200);
}

#[tokio::test]
async fn a_refused_upstream_is_named_to_visitors_by_its_site_only() {
    let upstream = Upstream::start().await;
    let gone = upstream.address;
    drop(upstream);
    let program = Setup::before(&format!("http://{gone}")).start().await;
    program.ready().await;
    program.add_person("ada", PASSWORD, false);
    let mut browser = Browser::new(&program).signed_in("ada", PASSWORD).await;
    let reply = browser.get("/").await.expect(502);
    assert!(reply.words().contains("isn't answering. Try again in a minute."), "{}", reply.words());
    assert!(!reply.text().contains(&gone.port().to_string()), "a visitor does not learn the upstream's address");
    let reply = browser.api("/").await.expect(502);
    assert!(reply.field("content-type").starts_with("application/problem+json"), "programs get JSON: {reply:?}");
}

#[tokio::test]
async fn a_broken_off_answer_is_cut_off_rather_than_completed() {
    let (_upstream, program, browser) = site(|setup| setup).await;
    let ask = format!(
        "GET /cut HTTP/1.1\r\nHost: localhost:{}\r\nCookie: {}\r\nAccept: */*\r\n\r\n",
        program.http.port(),
        cookie_line(&browser)
    );
    let (came, closed) = raw::exchange(program.http, ask.as_bytes(), Duration::from_secs(2)).await;
    assert!(closed, "{came}");
    assert!(came.ends_with("half") || raw::statuses(&came) == [502], "{came}");
}

#[tokio::test]
async fn sizes_and_slowness_are_bounded() {
    let (upstream, program, mut browser) = site(|mut setup| {
        setup.limits = "body = \"1KiB\"\nhead_timeout = \"500ms\"\nidle_timeout = \"1s\"\n".into();
        setup
    })
    .await;
    upstream.forget();
    browser.send(Method::POST, "/echo", &[("accept", "*/*")], Bytes::from(vec![b'x'; 2048])).await.expect(413);
    assert!(upstream.seen().is_empty());
    let chunked = format!(
        "POST /echo HTTP/1.1\r\nHost: localhost:{}\r\nCookie: {}\r\nAccept: */*\r\nTransfer-Encoding: chunked\r\n\r\n800\r\n{}\r\n0\r\n\r\n",
        program.http.port(),
        cookie_line(&browser),
        "x".repeat(0x800)
    );
    let (came, _) = raw::exchange(program.http, chunked.as_bytes(), Duration::from_secs(2)).await;
    assert_eq!(raw::statuses(&came).first(), Some(&413), "{came}");
    let long = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(40 << 10));
    let (came, closed) = raw::exchange(program.http, long.as_bytes(), Duration::from_secs(2)).await;
    assert_eq!(raw::statuses(&came).first(), Some(&431), "{came}");
    assert!(closed);
    let (_, closed) = raw::exchange(program.http, b"GET / HTTP/1.1\r\nHost: loc", Duration::from_secs(4)).await;
    assert!(closed, "half a head is cut off");
    let stalled = format!(
        "POST /echo HTTP/1.1\r\nHost: localhost:{}\r\nCookie: {}\r\nAccept: */*\r\nContent-Length: 100\r\n\r\nhalf",
        program.http.port(),
        cookie_line(&browser)
    );
    let (came, closed) = raw::exchange(program.http, stalled.as_bytes(), Duration::from_secs(4)).await;
    assert!(raw::statuses(&came).first() == Some(&408) || closed, "{came}");
}

#[tokio::test]
async fn a_hundred_megabytes_pass_in_flat_memory() {
    let (_upstream, program, browser) = site(|setup| setup).await;
    let resident = || -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", program.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap().to_owned();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    browser.clone().get("/").await.expect(200);
    let before = resident();
    let mut socket = TcpStream::connect(program.http).await.unwrap();
    let ask = format!(
        "GET /big/104857600 HTTP/1.1\r\nHost: localhost:{}\r\nCookie: {}\r\nAccept: */*\r\nConnection: close\r\n\r\n",
        program.http.port(),
        cookie_line(&browser)
    );
    socket.write_all(ask.as_bytes()).await.unwrap();
    let mut total = 0;
    let mut part = vec![0; 256 << 10];
    while let Ok(count) = socket.read(&mut part).await {
        if count == 0 {
            break;
        }
        total += count;
    }
    assert!(total > 104_857_600, "{total}");
    let grown = resident().saturating_sub(before);
    assert!(grown < 16 << 10, "memory grew by {grown} KiB");
}

#[tokio::test]
async fn upstream_connections_are_reused_and_a_stale_one_is_retried() {
    let (upstream, _program, mut browser) = site(|setup| setup).await;
    for _ in 0..20 {
        browser.get("/").await.expect(200);
    }
    let used: std::collections::BTreeSet<_> = upstream.seen().iter().map(|seen| seen.connection).collect();
    assert!(used.len() <= 4, "20 requests on {} connections", used.len());
}
