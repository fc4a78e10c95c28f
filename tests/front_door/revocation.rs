//! SCENARIOS 23, 25: what lasts (sockets, streams, uploads) ends with the session it was granted to.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{
    sessions::with_redis,
    support::{
        PROMPTLY,
        client::Browser,
        nodes::{Nodes, browser_at},
        people::{PASSWORD, cookie_line, site},
        program::Program,
        raw,
        services::Redis,
    },
    wires::tunnel,
};

/// A WebSocket that carries bytes.
pub async fn open_socket(program: &Program, browser: &Browser, path: &str) -> TcpStream {
    let (mut socket, head) = tunnel(program, browser, path, &program.origin()).await;
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    socket.write_all(b"hello").await.unwrap();
    let mut back = [0; 5];
    socket.read_exact(&mut back).await.unwrap();
    socket
}

pub async fn ends(what: &str, socket: &mut TcpStream, within: Duration) {
    let (_, closed) = timeout(within, raw::read_until_quiet(socket, within)).await.unwrap_or_default();
    assert!(closed, "{what} outlived its session by {within:?}");
}

/// A stream of events, the first ones read.
async fn open_stream(program: &Program, browser: &Browser) -> TcpStream {
    let mut socket = TcpStream::connect(program.http).await.unwrap();
    let ask = format!(
        "GET /sse HTTP/1.1\r\nHost: {}\r\nCookie: {}\r\nAccept: text/event-stream\r\n\r\n",
        browser.authority,
        cookie_line(browser)
    );
    socket.write_all(ask.as_bytes()).await.unwrap();
    let mut came = String::new();
    let mut part = [0; 4096];
    while !came.contains("data: 1") {
        let count = timeout(PROMPTLY, socket.read(&mut part)).await.expect("events").unwrap();
        assert_ne!(count, 0, "{came}");
        came += &String::from_utf8_lossy(&part[..count]);
    }
    socket
}

/// What "within a second" is on a machine that is busy with other tests; `cargo xtask bench revocation` measures it.
pub const SECOND: Duration = PROMPTLY;

#[tokio::test]
async fn disabling_by_the_command_line_ends_sockets_and_streams() {
    let redis = Redis::start().await;
    for redis in [None, Some(&redis)] {
        let (_upstream, program, browser) = site(|setup| match redis {
            Some(redis) => with_redis(redis)(setup),
            None => setup,
        })
        .await;
        let mut socket = open_socket(&program, &browser, "/ws").await;
        let mut stream = open_stream(&program, &browser).await;
        program.run(&["user", "disable", "ada"], "");
        ends("the socket", &mut socket, SECOND).await;
        ends("the stream", &mut stream, SECOND).await;
    }
}

#[tokio::test]
async fn losing_the_group_that_opened_it_ends_a_socket() {
    let (_upstream, program, _) = site(|mut setup| {
        setup.sites += "[[site.rule]]\npath = \"/ws\"\nallow = \"signed-in\"\ngroups = [\"staff\"]\n";
        setup
    })
    .await;
    program.run(&["user", "groups", "ada", "staff"], "");
    let browser = Browser::new(&program).signed_in("ada", PASSWORD).await;
    let mut socket = open_socket(&program, &browser, "/ws").await;
    program.run(&["user", "groups", "ada", "wiki"], "");
    ends("the socket", &mut socket, SECOND).await;
    browser.clone().get("/").await.expect(200);
}

#[tokio::test]
async fn signing_out_on_one_node_ends_sockets_on_the_other() {
    let nodes = Nodes::start(|_| ()).await;
    let (one, two) = (&nodes.one, &nodes.two);
    let mut browser = browser_at(one);
    browser.sign_in("ada", PASSWORD).await.expect(303);
    let mut on_two = browser.clone();
    on_two.address = two.http;
    let mut socket = open_socket(two, &on_two, "/ws").await;
    let mut stream = open_stream(two, &on_two).await;
    browser.submit("/.auth/logout", "/.auth/logout", &[]).await.expect(303);
    ends("the socket", &mut socket, SECOND).await;
    ends("the stream", &mut stream, SECOND).await;
}

#[tokio::test]
async fn a_socket_whose_session_cannot_be_asked_about_ends() {
    let mut redis = Redis::start().await;
    let (_upstream, program, browser) = site(with_redis(&redis)).await;
    let mut socket = open_socket(&program, &browser, "/ws").await;
    redis.stop();
    ends("the socket", &mut socket, Duration::from_secs(9)).await;
}

#[tokio::test]
async fn an_upload_ends_with_its_session() {
    let (upstream, program, browser) = site(|setup| setup).await;
    let ask = format!(
        "POST /echo HTTP/1.1\r\nHost: localhost:{}\r\nCookie: {}\r\nAccept: */*\r\nTransfer-Encoding: chunked\r\n\r\n",
        program.http.port(),
        cookie_line(&browser)
    );
    let (mut read, mut write) = TcpStream::connect(program.http).await.unwrap().into_split();
    write.write_all(ask.as_bytes()).await.unwrap();
    let drip = tokio::spawn(async move {
        while write.write_all(b"4\r\ndrip\r\n").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    let mut came = [0; 64];
    let early = tokio::time::timeout(Duration::from_millis(1500), read.read(&mut came)).await;
    assert!(early.is_err(), "an upload goes on as long as its session: {early:?}");
    program.run(&["user", "disable", "ada"], "");
    let ended = tokio::time::timeout(PROMPTLY, read.read(&mut came)).await.expect("the upload went on");
    let said = String::from_utf8_lossy(&came[..ended.unwrap_or(0)]).into_owned();
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 403"), "{said}");
    assert!(upstream.seen_at("/echo").iter().all(|seen| !seen.whole), "it never became whole");
    drip.abort();
}

#[tokio::test]
async fn a_download_may_take_longer_than_a_session_may_idle_and_a_stream_may_not() {
    let (_upstream, program, browser) = site(|mut setup| {
        setup.session = "idle = \"3s\"\n".into();
        setup
    })
    .await;
    let mut stream = open_stream(&program, &browser).await;
    let mut idle = Browser::new(&program).signed_in("ada", PASSWORD).await;
    idle.jar.clone_from(&browser.jar);
    // Five seconds of bytes, on a session that is not used otherwise.
    let whole = idle.get("/drip/25").await.expect(200);
    assert_eq!(whole.body.len(), 25);
    idle.get("/").await.expect(200);
    ends("the stream", &mut stream, Duration::from_secs(8)).await;
}
