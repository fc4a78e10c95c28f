//! Tunnels and streams: opened only by the upstream's 101, ended with their session.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

use super::rig::{Rig, Script, open_site, quick, to_end};

const HANDSHAKE: &str = "GET /ws HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\
                         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// Switches, then echoes bytes.
async fn echo() -> Script {
    Script::run(|mut upstream, _| async move {
        let head = upstream.head().await.unwrap();
        if !head.contains("\r\nupgrade: websocket\r\n") || !head.contains("\r\nconnection: upgrade\r\n") {
            upstream.echo(&head).await;
            return;
        }
        upstream.say("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n").await;
        let mut piece = [0; 1024];
        while let Ok(count @ 1..) = upstream.stream.read(&mut piece).await {
            upstream.stream.write_all(&piece[..count]).await.unwrap();
        }
    })
    .await
}

async fn shake_hands(rig: &Rig, more: &str) -> (TcpStream, String) {
    let mut stream = rig.open().await;
    let request = HANDSHAKE.replace("{port}", &rig.address.port().to_string());
    stream.write_all(rig.fill(&format!("{request}{more}\r\n")).as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let byte = timeout(Duration::from_secs(5), stream.read_u8()).await.unwrap();
        head.push(byte.unwrap_or_else(|_| panic!("ended: {}", String::from_utf8_lossy(&head))));
    }
    (stream, String::from_utf8(head).unwrap())
}

async fn echoes(stream: &mut TcpStream, word: &str) {
    stream.write_all(word.as_bytes()).await.unwrap();
    let mut back = vec![0; word.len()];
    timeout(Duration::from_secs(5), stream.read_exact(&mut back)).await.unwrap().unwrap();
    assert_eq!(back, word.as_bytes());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_web_socket_lives_longer_than_any_timeout_and_ends_with_its_session() {
    let script = echo().await;
    let rig = Rig::new(open_site(script.upstream.clone()), quick()).await;
    let origin = format!("Origin: http://localhost:{}\r\n", rig.address.port());
    let (mut stream, head) = shake_hands(&rig, &format!("{origin}{{cookie}}\r\n")).await;
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    echoes(&mut stream, "hello").await;
    sleep(Duration::from_millis(1200)).await;
    echoes(&mut stream, "still here").await;
    rig.end_session().await;
    assert_eq!(to_end(&mut stream).await, "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_page_of_another_origin_opens_no_web_socket_with_a_session() {
    let script = echo().await;
    let rig = Rig::new(open_site(script.upstream.clone()), quick()).await;
    for origin in ["http://evil.example", "http://localhost", "null"] {
        let (_, head) = shake_hands(&rig, &format!("Origin: {origin}\r\n{{cookie}}\r\n")).await;
        assert!(head.starts_with("HTTP/1.1 403"), "{origin}: {head}");
    }
    assert_eq!(script.accepted(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn nothing_but_a_101_opens_a_tunnel() {
    for answer in [
        "HTTP/1.1 200 OK\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 2\r\n\r\nno",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: something-else\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\r\n",
    ] {
        let smuggled = Arc::new(AtomicBool::new(false));
        let arrived = Arc::clone(&smuggled);
        let script = Script::run(move |mut upstream, _| {
            let arrived = Arc::clone(&arrived);
            async move {
                upstream.head().await;
                upstream.say(answer).await;
                if upstream.until("smuggled").await.is_some() {
                    arrived.store(true, Ordering::SeqCst);
                }
            }
        })
        .await;
        let rig = Rig::new(open_site(script.upstream.clone()), quick()).await;
        let (mut stream, head) = shake_hands(&rig, "").await;
        let expected = if answer.contains("200") { "HTTP/1.1 200" } else { "HTTP/1.1 502" };
        assert!(head.starts_with(expected), "{head}");
        assert!(!head.to_lowercase().contains("upgrade: "), "{head}");
        let _ = stream.write_all(b"smuggled").await;
        sleep(Duration::from_millis(100)).await;
        assert!(!smuggled.load(Ordering::SeqCst), "{answer:?} opened a tunnel");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_upgrade_to_h2c_does_not_travel() {
    let script = echo().await;
    let rig = Rig::new(open_site(script.upstream.clone()), quick()).await;
    let said = rig
        .ask("GET / HTTP/1.1\r\n{host}, Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n")
        .await;
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    assert!(!said.contains("h2c") && !said.to_lowercase().contains("http2-settings"), "{said}");
}

/// Sends an event every 100 ms, or only one.
async fn events(kind: &'static str, only_one: bool) -> Script {
    Script::run(move |mut upstream, _| async move {
        upstream.head().await;
        upstream.say(&format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n")).await;
        loop {
            if upstream.stream.write_all(b"9\r\ndata: 1\n\n\r\n").await.is_err() {
                return;
            }
            sleep(Duration::from_millis(if only_one { 60_000 } else { 100 })).await;
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_stream_passes_at_once_and_ends_with_its_session() {
    for (kind, only_one) in [("text/event-stream", true), ("application/octet-stream", true), ("text/plain", false)] {
        let script = events(kind, only_one).await;
        let rig = Rig::new(open_site(script.upstream.clone()), quick()).await;
        let mut stream = rig.open().await;
        stream.write_all(rig.fill("GET / HTTP/1.1\r\n{host}\r\n{cookie}\r\n\r\n").as_bytes()).await.unwrap();
        let mut first = vec![0; 4096];
        let mut seen = String::new();
        while !seen.contains("data: 1") {
            let count = timeout(Duration::from_millis(500), stream.read(&mut first)).await.unwrap().unwrap();
            assert!(count > 0, "{seen}");
            seen.push_str(&String::from_utf8_lossy(&first[..count]));
        }
        sleep(Duration::from_millis(1200)).await;
        rig.end_session().await;
        let rest = to_end(&mut stream).await;
        assert!(!rest.ends_with("0\r\n\r\n"), "{kind}: {rest}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn http_1_0_clients_are_served() {
    let script = Script::run(|mut upstream, _| async move {
        while upstream.head().await.is_some() {
            upstream.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n").await;
        }
    })
    .await;
    let rig = Rig::new(open_site(script.upstream.clone()), quick()).await;
    let mut stream = rig.open().await;
    let request = format!("GET / HTTP/1.0\r\nHost: localhost:{}\r\n\r\n", rig.address.port());
    stream.write_all(request.as_bytes()).await.unwrap();
    let said = to_end(&mut stream).await;
    assert!(said.ends_with("\r\n\r\nok") && !said.contains("chunked"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_answer_that_stalls_is_cut_off_and_an_event_stream_is_not() {
    let limits = crate::config::limits::Limits { upstream_stall: Duration::from_millis(300), ..quick() };
    for (kind, whole) in [("text/plain", false), ("Text/Event-Stream", true)] {
        let script = Script::run(move |mut upstream, _| async move {
            upstream.head().await;
            let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n");
            upstream.say(&format!("{head}5\r\nfirst\r\n")).await;
            sleep(Duration::from_millis(1500)).await;
            upstream.say("4\r\nlast\r\n0\r\n\r\n").await;
        })
        .await;
        let rig = Rig::new(open_site(script.upstream.clone()), limits.clone()).await;
        let said = rig.ask("GET / HTTP/1.1\r\n{host}\r\n{cookie}\r\n\r\n").await;
        assert!(said.contains("first"), "{said}");
        assert_eq!(said.contains("last"), whole, "{kind}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_request_takes_no_longer_than_it_may_and_an_event_stream_does() {
    let limits = crate::config::limits::Limits { total: Some(Duration::from_millis(600)), ..quick() };
    for (kind, whole) in [("text/plain", false), ("text/event-stream", true)] {
        let script = Script::run(move |mut upstream, _| async move {
            upstream.head().await;
            upstream
                .say(&format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n"))
                .await;
            for _ in 0..30 {
                upstream.say("4\r\ndrip\r\n").await;
                sleep(Duration::from_millis(50)).await;
            }
            upstream.say("4\r\nlast\r\n0\r\n\r\n").await;
        })
        .await;
        let rig = Rig::new(open_site(script.upstream.clone()), limits.clone()).await;
        let said = rig.ask("GET / HTTP/1.1\r\n{host}\r\n{cookie}\r\n\r\n").await;
        assert!(said.contains("drip"), "{said}");
        assert_eq!(said.contains("last"), whole, "{kind}: {said}");
    }
    let script = Script::run(|mut upstream, _| async move {
        upstream.head().await;
        upstream.until("never").await;
    })
    .await;
    let limits = crate::config::limits::Limits { upstream_response: Duration::from_secs(60), ..limits };
    let rig = Rig::new(open_site(script.upstream.clone()), limits).await;
    let said = rig.ask("GET / HTTP/1.1\r\n{host}\r\n{cookie}\r\n\r\n").await;
    assert!(said.starts_with("HTTP/1.1 504"), "{said}");
}
