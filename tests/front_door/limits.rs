//! SCENARIOS 39, 40: upstreams that fail, sizes and times that are bounded.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    pace::Peak,
    support::{
        client::Browser,
        people::{PASSWORD, cookie_line, site},
        program::{Program, Setup},
        raw,
        upstream::Upstream,
    },
};

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
async fn a_refused_upstream_is_named_to_the_administrator_and_to_visitors_by_its_site_only() {
    let upstream = Upstream::start().await;
    let gone = upstream.address;
    drop(upstream);
    let program = Setup::before(&format!("http://{gone}")).start().await;
    program.ready().await;
    program.add_person("ada", PASSWORD, false);
    program.add_person("boss", PASSWORD, true);
    let mut boss = Browser::new(&program).signed_in("boss", PASSWORD).await;
    let reply = boss.get("/").await.expect(502);
    assert!(reply.words().contains(&format!("(upstream http://{gone}) isn't answering.")), "{}", reply.words());
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

/// RFC 9112 §9.6: a socket that is closed with unread bytes is reset, and what was still to be sent goes with it.
#[tokio::test]
async fn an_answer_arrives_whole_though_much_of_the_upload_was_never_read() {
    const MUCH: usize = 64 << 20;
    const ANSWER: usize = 1 << 20;
    // A site that answers at once and reads no upload.
    let site = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = site.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        let mut kept = Vec::new();
        loop {
            let (mut socket, _) = site.accept().await.unwrap();
            let _ = socket.read(&mut [0; 4096]).await;
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {ANSWER}\r\nConnection: close\r\n\r\n");
            let _ = socket.write_all(head.as_bytes()).await;
            let _ = socket.write_all(&vec![b'z'; ANSWER]).await;
            kept.push(socket);
        }
    });
    let mut setup = Setup::before(&format!("http://{address}"));
    setup.sites += "[[site.rule]]\npath = \"/\"\nallow = \"anyone\"\n";
    let program = setup.start().await;
    program.ready().await;
    let port = program.http.port();
    let head = format!("POST /early HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Length: {MUCH}\r\n\r\n");
    // Little of the answer fits on the way: the rest waits on our side while the client still sends.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(16 << 10).unwrap();
    let (mut reading, mut writing) = socket.connect(program.http).await.unwrap().into_split();
    writing.write_all(head.as_bytes()).await.unwrap();
    let uploading = tokio::spawn(async move {
        for _ in 0..MUCH / 65536 {
            if writing.write_all(&[b'a'; 65536]).await.is_err() {
                break;
            }
        }
        writing
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut came = Vec::new();
    let whole = tokio::time::timeout(Duration::from_secs(10), async {
        let mut part = vec![0; 65536];
        while let Ok(count @ 1..) = reading.read(&mut part).await {
            came.extend_from_slice(&part[..count]);
        }
    });
    whole.await.unwrap();
    uploading.abort();
    serving.abort();
    let body = came.windows(4).position(|end| end == b"\r\n\r\n").map_or(0, |at| came.len() - at - 4);
    assert_eq!(body, ANSWER, "{}", String::from_utf8_lossy(&came[..came.len().min(200)]));
}

#[tokio::test]
async fn a_hundred_megabytes_pass_in_flat_memory() {
    let (_upstream, program, browser) = site(|setup| setup).await;
    browser.clone().get("/").await.expect(200);
    let peak = Peak::of(&program);
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
    assert!(peak.grown() < 16 << 20, "memory grew by {} bytes", peak.grown());
}

#[tokio::test]
async fn upstream_connections_are_reused_and_a_stale_one_is_retried() {
    let (upstream, _program, mut browser) = site(|setup| setup).await;
    for _ in 0..20 {
        browser.get("/").await.expect(200);
    }
    let used: std::collections::BTreeSet<_> = upstream.seen().iter().map(|seen| seen.connection).collect();
    assert!(used.len() <= 4, "20 requests on {} connections", used.len());
    for _ in 0..20 {
        browser.get("/stale").await.expect(200);
        assert_eq!(browser.get("/after").await.expect(200).text(), "the site behind");
    }
    assert_eq!(upstream.seen_at("/stale").len(), 20, "each was sent once");
    assert_eq!(upstream.seen_at("/after").len(), 20, "each was sent once");
}

#[tokio::test]
async fn a_flood_of_sign_ins_is_shed_and_pages_go_on() {
    let (_upstream, _program, mut browser) = site(|mut setup| {
        setup.password = "argon2 = { memory_kib = 32768, iterations = 1, parallelism = 1 }\n".into();
        // A network each, so that the throttle does not speak first.
        setup.listen = "trusted_proxies = [\"127.0.0.0/8\"]\n".into();
        setup
    })
    .await;
    let mut stranger = browser.clone();
    stranger.jar.clear();
    let page = stranger.get("/.auth/login").await.expect(200);
    let csrf = crate::support::html::input_value(&page.text(), "csrf").unwrap();
    let flood: Vec<_> = (0..150)
        .map(|number: u8| {
            let (mut one, csrf) = (stranger.clone(), csrf.clone());
            one.always.push(("x-forwarded-for".into(), format!("203.0.{number}.9")));
            tokio::spawn(async move {
                let name = format!("nobody{number}");
                one.post("/.auth/login", &[("identifier", &name), ("password", "x"), ("csrf", &csrf)]).await
            })
        })
        .collect();
    while !flood.iter().any(tokio::task::JoinHandle::is_finished) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    browser.get("/").await.expect(200);
    let mut shed = 0;
    for one in flood {
        let reply = one.await.unwrap();
        assert!([401, 503].contains(&reply.status.as_u16()), "{}: {}", reply.status, reply.words());
        if reply.status == 503 {
            shed += 1;
            assert!(reply.field("retry-after").parse::<u32>().is_ok_and(|seconds| seconds > 0));
        }
    }
    assert!((1..150).contains(&shed), "{shed} of 150 were shed");
}

/// User and system time the program used so far.
fn processor_time(program: &Program) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", program.pid())).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

#[tokio::test]
async fn many_who_send_one_byte_and_wait_cost_nothing() {
    let program = Setup::demo().start().await;
    program.ready().await;
    let mut waiting = Vec::new();
    for _ in 0..300 {
        let mut socket = TcpStream::connect(program.http).await.unwrap();
        socket.write_all(b"P").await.unwrap();
        waiting.push(socket);
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let before = processor_time(&program);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let used = processor_time(&program) - before;
    assert!(used < Duration::from_millis(250), "300 silent connections used {used:?} of two seconds");
}
