//! SCENARIO 46: SIGTERM under load. What was asked is answered, and the deadline holds.

use std::time::{Duration, Instant};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    task::JoinSet,
};

use crate::{
    support::{
        client::{Browser, Wire},
        eventually,
        people::{PASSWORD, cookie_line},
        program::{Program, Setup},
        services,
        upstream::Upstream,
    },
    wires::tunnel,
};

async fn encrypted_site(limits: &str) -> (Upstream, Program, Browser, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key, _) = services::certificate(folder.path(), &["localhost"]);
    let upstream = Upstream::start().await;
    let mut setup = Setup::before(&upstream.url());
    setup.listen = format!("https = \"127.0.0.1:{{tls}}\"\ncertificates = [{{ cert = {cert:?}, key = {key:?} }}]\n");
    setup.limits = limits.into();
    let program = setup.start().await;
    program.ready().await;
    program.add_person("ada", PASSWORD, false);
    let browser = Browser::new(&program).signed_in("ada", PASSWORD).await;
    (upstream, program, browser, folder)
}

/// Asks on one kept-alive connection until the answer says that it was the last; how many were answered.
async fn keep_asking(address: std::net::SocketAddr, ask: String) -> usize {
    let mut socket = BufReader::new(TcpStream::connect(address).await.unwrap());
    for answered in 0.. {
        socket.write_all(ask.as_bytes()).await.unwrap();
        let mut line = String::new();
        socket.read_line(&mut line).await.unwrap();
        assert!(line.starts_with("HTTP/1.1 200"), "request {answered} was lost: {line:?}");
        let (mut length, mut last) = (0, false);
        while line != "\r\n" {
            line.clear();
            socket.read_line(&mut line).await.unwrap();
            let field = line.to_ascii_lowercase();
            last |= field.starts_with("connection: close");
            length = field.strip_prefix("content-length:").map_or(length, |text| text.trim().parse().unwrap());
        }
        let mut body = vec![0; length];
        socket.read_exact(&mut body).await.unwrap();
        if last {
            return answered + 1;
        }
    }
    unreachable!("the loop above ends by the last answer only")
}

#[tokio::test]
async fn no_request_is_lost_when_it_is_told_to_stop() {
    let (upstream, mut program, browser, _folder) = encrypted_site("drain = \"6s\"\n").await;
    let (mut socket, head) = tunnel(&program, &browser, "/ws", &program.origin()).await;
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    let mut flights = JoinSet::new();
    for (number, wire) in [Wire::Http1, Wire::Http2, Wire::Tls1, Wire::Tls2].into_iter().enumerate() {
        for half in 0..2 {
            let mut browser = browser.clone();
            browser.wire = wire;
            if matches!(wire, Wire::Tls1 | Wire::Tls2) {
                browser.address = program.tls;
            }
            let target = format!("/slow/{}", 1500 + 2 * number + half);
            flights.spawn(async move {
                browser.send(http::Method::GET, &target, &[("accept", "*/*")], bytes::Bytes::new()).await
            });
        }
    }
    let ask = format!(
        "GET /x HTTP/1.1\r\nHost: localhost:{}\r\nAccept: */*\r\nCookie: {}\r\n\r\n",
        program.http.port(),
        cookie_line(&browser)
    );
    let mut load = JoinSet::new();
    for _ in 0..8 {
        load.spawn(keep_asking(program.http, ask.clone()));
    }
    eventually("the slow requests upstream", Duration::from_secs(10), async || {
        (upstream.seen().iter().filter(|seen| seen.target.starts_with("/slow/")).count() == 8).then_some(())
    })
    .await;
    assert_eq!(program.terminate().await, Some(0));
    while let Some(flight) = flights.join_next().await {
        assert_eq!(flight.unwrap().expect(200).text(), "slow");
    }
    let answered: usize = load.join_all().await.into_iter().sum();
    assert!(answered >= 8, "{answered}");
    let mut rest = Vec::new();
    let closed = tokio::time::timeout(Duration::from_secs(10), socket.read_to_end(&mut rest)).await;
    assert!(closed.is_ok(), "the tunnel ended with the program");
}

#[tokio::test]
async fn a_web_socket_has_the_whole_drain() {
    let (_upstream, mut program, browser, _folder) = encrypted_site("drain = \"4s\"\n").await;
    let (mut socket, head) = tunnel(&program, &browser, "/ws", &program.origin()).await;
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    let asking = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        socket.write_all(b"hello").await.unwrap();
        let mut back = [0; 5];
        socket.read_exact(&mut back).await.expect("the tunnel goes on while others are finished");
    };
    let began = Instant::now();
    let (ended, ()) = tokio::join!(program.terminate(), asking);
    assert_eq!(ended, Some(0));
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

#[tokio::test]
async fn the_deadline_of_the_drain_holds() {
    let (upstream, mut program, browser, _folder) = encrypted_site("drain = \"1s\"\n").await;
    let mut endless = JoinSet::new();
    for wire in [Wire::Http1, Wire::Http2] {
        let mut browser = browser.clone();
        browser.wire = wire;
        endless.spawn(async move { browser.api("/slow/30000").await });
    }
    eventually("the slow requests upstream", Duration::from_secs(10), async || {
        (upstream.seen_at("/slow/30000").len() == 2).then_some(())
    })
    .await;
    let began = Instant::now();
    assert_eq!(program.terminate().await, Some(0));
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    while let Some(cut) = endless.join_next().await {
        assert!(cut.is_err(), "an answer came from a program that has ended");
    }
}
