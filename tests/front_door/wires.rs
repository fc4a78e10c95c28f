//! SCENARIOS 37, 38: framing, tunnels, streams: what may travel on a connection, and what ends it.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{
    PROMPTLY,
    client::{Browser, Wire},
    people::{cookie_line, site},
    program::Program,
    raw,
};

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

/// Asks for a WebSocket; what came as its head.
pub async fn tunnel(program: &Program, browser: &Browser, path: &str, origin: &str) -> (TcpStream, String) {
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
async fn a_page_over_http_opens_no_websocket_of_a_site_over_https() {
    let (_upstream, program, browser) = site(|mut setup| {
        setup.listen = "trusted_proxies = [\"127.0.0.0/8\"]\n".into();
        setup
    })
    .await;
    let port = program.http.port();
    for (scheme, status) in [("http", "403"), ("https", "101")] {
        let origin = format!("{scheme}://localhost:{port}\r\nX-Forwarded-Proto: https");
        let (_socket, head) = tunnel(&program, &browser, "/ws", &origin).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{scheme}: {head}");
    }
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
    let ended = tokio::time::timeout(PROMPTLY, socket.read(&mut back)).await;
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
        let count = tokio::time::timeout(PROMPTLY, socket.read(&mut part)).await.expect("events").unwrap();
        assert_ne!(count, 0, "{came}");
        came += &String::from_utf8_lossy(&part[..count]);
    }
    browser.submit("/.auth/logout", "/.auth/logout", &[]).await.expect(303);
    let (_, closed) = tokio::time::timeout(PROMPTLY, raw::read_until_quiet(&mut socket, PROMPTLY))
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
async fn nothing_that_reframes_the_connection_is_offered_to_the_site() {
    let (upstream, program, browser) = site(|setup| setup).await;
    for offered in ["h2c", "H2C", "HTTP/2.0", "TLS/1.0", "\"h2c\"", "h2c;q=1", "(h2c)"] {
        let ask = format!(
            "GET /x HTTP/1.1\r\nHost: localhost:{}\r\nCookie: {}\r\nAccept: */*\r\nConnection: close, Upgrade, HTTP2-Settings\r\nUpgrade: {offered}\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n",
            program.http.port(),
            cookie_line(&browser)
        );
        let (came, _) = raw::exchange(program.http, ask.as_bytes(), Duration::from_secs(2)).await;
        assert_eq!(raw::statuses(&came), [200], "{offered}: {came}");
        let seen = upstream.last();
        for name in ["upgrade", "http2-settings", "connection"] {
            assert_eq!(seen.field(name), None, "{offered}");
        }
    }
}

/// A client that waits for it would wait for ever if nobody answered; the upstream is not asked to.
#[tokio::test]
async fn a_body_that_waits_for_100_is_asked_for_and_arrives() {
    let (upstream, program, browser) = site(|setup| setup).await;
    for (framing, body) in [("Content-Length: 4", "body"), ("Transfer-Encoding: chunked", "4\r\nbody\r\n0\r\n\r\n")] {
        upstream.forget();
        let mut socket = TcpStream::connect(program.http).await.unwrap();
        let ask = format!(
            "POST /echo HTTP/1.1\r\nHost: localhost:{}\r\nCookie: {}\r\nAccept: */*\r\nConnection: close\r\nExpect: 100-continue\r\n{framing}\r\n\r\n",
            program.http.port(),
            cookie_line(&browser)
        );
        socket.write_all(ask.as_bytes()).await.unwrap();
        let mut first = [0; b"HTTP/1.1 100 Continue\r\n\r\n".len()];
        tokio::time::timeout(PROMPTLY, socket.read_exact(&mut first)).await.expect("100 (Continue)").unwrap();
        assert_eq!(&first, b"HTTP/1.1 100 Continue\r\n\r\n");
        assert!(upstream.seen().is_empty(), "nothing is whole yet");
        socket.write_all(body.as_bytes()).await.unwrap();
        let (came, closed) = raw::read_until_quiet(&mut socket, PROMPTLY).await;
        assert_eq!(raw::statuses(&came), [200], "{came}");
        assert!(came.ends_with("body") && closed, "{came}");
        let seen = upstream.last();
        assert_eq!((&*seen.body, seen.field("expect")), (&b"body"[..], None));
    }
}

/// Bytes among which nothing that is lost, doubled or out of order goes unnoticed.
pub fn unlike(count: usize) -> Vec<u8> {
    (0..count.div_ceil(4)).flat_map(|number| u32::try_from(number).unwrap().to_be_bytes()).take(count).collect()
}

#[tokio::test]
async fn a_chunked_upload_arrives_byte_for_byte_with_its_trailers() {
    let (upstream, program, browser) = site(|setup| setup).await;
    let body = unlike(200 << 10);
    let (large, small) = body.split_at((200 << 10) - 7);
    let head = format!(
        "POST /echo HTTP/1.1\r\nHost: localhost:{}\r\nCookie: {}\r\nAccept: */*\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n",
        program.http.port(),
        cookie_line(&browser),
        large.len()
    );
    let between = b"\r\n7;an=extension\r\n";
    let end = b"\r\n0\r\nX-Sum: 7\r\nRemote_User: root\r\nX-Other: a b\r\n\r\n";
    let ask = [head.as_bytes(), large, between, small, end].concat();
    let (came, _) = raw::exchange(program.http, &ask, PROMPTLY).await;
    assert_eq!(raw::statuses(&came).first(), Some(&200));
    let seen = upstream.last();
    assert!(seen.body == body, "{} bytes arrived, or others", seen.body.len());
    assert_eq!(seen.field("transfer-encoding"), Some("chunked"));
    assert_eq!(seen.field("content-length"), None);
    let trailers: Vec<_> = seen.trailers.iter().map(|(name, value)| (name.to_lowercase(), value.as_str())).collect();
    assert_eq!(trailers, [("x-sum".to_owned(), "7"), ("x-other".to_owned(), "a b")]);
}
