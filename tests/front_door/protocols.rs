//! SCENARIO 38: HTTP/1.1 and HTTP/2 on both sides, calls with trailers, events, WebSockets over both, and what resets what.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Empty, StreamBody, combinators::UnsyncBoxBody};
use hyper::{body::Frame, body::Incoming, client::conn::http2::SendRequest, ext::Protocol};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
};

use crate::{
    support::{
        PROMPTLY,
        client::{Browser, Wire},
        eventually,
        frames::{Frames, frame, literal},
        people::{PASSWORD, cookie_line},
        program::{Program, Setup},
        streams::{Manner, Streams},
        upstream::Upstream,
    },
    wires::{tunnel, unlike},
};

/// The program before `url`, and Ada, signed in.
pub async fn before(url: &str) -> (Program, Browser) {
    signed_in(Setup::before(url)).await
}

pub async fn signed_in(setup: Setup) -> (Program, Browser) {
    let program = setup.start().await;
    program.ready().await;
    program.add_person("ada", PASSWORD, false);
    let browser = Browser::new(&program).signed_in("ada", PASSWORD).await;
    (program, browser)
}

fn prior_knowledge() -> Manner {
    Manner { http2: true, web_sockets: true, ..Manner::default() }
}

pub type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// A connection of HTTP/2 to the program, its settings known.
pub async fn http2(program: &Program) -> SendRequest<Body> {
    let socket = TcpStream::connect(program.http).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(socket)).await.unwrap();
    tokio::spawn(connection);
    let first = Request::get(format!("{}/.auth/me", program.origin())).body(nothing()).unwrap();
    assert_eq!(sender.send_request(first).await.unwrap().status(), StatusCode::UNAUTHORIZED);
    sender
}

pub fn nothing() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

pub fn asks(method: Method, program: &Program, browser: &Browser, path: &str) -> http::request::Builder {
    let uri = format!("{}{path}", program.origin());
    Request::builder().method(method).uri(uri).header("cookie", cookie_line(browser)).header("accept", "*/*")
}

#[tokio::test]
async fn every_wire_carries_bodies_both_ways_to_an_upstream_of_http2() {
    let upstream = Streams::start(prior_knowledge()).await;
    let (program, browser) = before(&upstream.url).await;
    let body = Bytes::from("x".repeat(1_000_000));
    for wire in [Wire::Http1, Wire::Http2] {
        let mut browser = browser.clone();
        browser.wire = wire;
        for _ in 0..2 {
            let lies = [("accept", "*/*"), ("remote_user", "root"), ("x-forwarded-for", "6.6.6.6")];
            let reply = browser.send(Method::POST, "/echo", &lies, body.clone()).await.expect(200);
            assert_eq!(reply.body, body, "{wire:?}");
            assert!(reply.field("via").starts_with("2.0 vestibule"), "{:?}", reply.fields);
            let seen = upstream.last();
            assert_eq!(seen.body.len(), body.len());
            assert_eq!(seen.field("remote-user"), Some("ada"));
            assert_eq!(seen.field("x-forwarded-for"), Some("127.0.0.1"));
            assert_eq!(seen.field(":authority"), Some(&*format!("localhost:{}", program.http.port())));
            for gone in ["host", "remote_user", "connection", "transfer-encoding", "cookie"] {
                assert_eq!(seen.field(gone), None, "{wire:?}");
            }
        }
    }
    let threads = std::thread::available_parallelism().unwrap().get();
    assert!(upstream.connections() <= threads, "streams share: {}", upstream.connections());
}

/// Sends a message, waits for its echo, sends another: nothing is held back, and the status comes in the trailers.
#[tokio::test]
async fn a_grpc_call_streams_both_ways_and_ends_with_its_trailers() {
    let upstream = Streams::start(prior_knowledge()).await;
    let (program, browser) = before(&upstream.url).await;
    let mut sender = http2(&program).await;
    let (send, mut receive) = mpsc::unbounded_channel::<Result<Frame<Bytes>, std::io::Error>>();
    let body = StreamBody::new(futures_util::stream::poll_fn(move |cx| receive.poll_recv(cx))).boxed_unsync();
    let call = asks(Method::POST, &program, &browser, "/grpc")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(body)
        .unwrap();
    let answer = sender.send_request(call).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let mut body = answer.into_body();
    for message in ["one", "two"] {
        send.send(Ok(Frame::data(message.into()))).unwrap();
        let frame = tokio::time::timeout(PROMPTLY, body.frame()).await.expect("not held back").unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), message);
    }
    drop(send);
    let frame = tokio::time::timeout(PROMPTLY, body.frame()).await.expect("an end").unwrap().unwrap();
    assert_eq!(frame.into_trailers().unwrap()["grpc-status"], "0");
    assert_eq!(upstream.last().field("te"), Some("trailers"));
}

#[tokio::test]
async fn trailers_pass_both_ways_and_forged_identity_in_them_does_not() {
    let upstream = Streams::start(prior_knowledge()).await;
    let (program, browser) = before(&upstream.url).await;
    let mut sender = http2(&program).await;
    let trailers = [("x-sum", "7"), ("remote-user", "root"), ("remote_groups", "admin"), ("cookie", "a=b")];
    let trailers = trailers.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).into_iter().collect();
    let frames = [Ok(Frame::data("body".into())), Ok(Frame::trailers(trailers))];
    let body = StreamBody::new(futures_util::stream::iter(frames)).boxed_unsync();
    let answer =
        sender.send_request(asks(Method::POST, &program, &browser, "/echo").body(body).unwrap()).await.unwrap();
    let whole = answer.into_body().collect().await.unwrap();
    assert_eq!(upstream.last().trailers, [("x-sum".to_owned(), "7".to_owned())]);
    assert_eq!(whole.trailers().unwrap()["x-sum"], "7");
    assert_eq!(whole.to_bytes(), "body");
}

#[tokio::test]
async fn events_arrive_as_they_happen_on_every_wire() {
    let (plain, streams) = (Upstream::start().await, Streams::start(prior_knowledge()).await);
    for url in [plain.url(), streams.url.clone()] {
        let (program, browser) = before(&url).await;
        let mut sender = http2(&program).await;
        let answer = sender.send_request(asks(Method::GET, &program, &browser, "/sse").body(nothing()).unwrap()).await;
        let mut body = answer.unwrap().into_body();
        for number in 0..4 {
            let frame = tokio::time::timeout(PROMPTLY, body.frame()).await.expect("events").unwrap().unwrap();
            assert_eq!(frame.into_data().unwrap(), format!("data: {number}\n\n"), "one at a time from {url}");
        }
    }
}

async fn open_by_connect(sender: &mut SendRequest<Body>, request: http::request::Builder) -> http::Response<Incoming> {
    let request = request.extension(Protocol::from_static("websocket")).header("sec-websocket-version", "13");
    sender.send_request(request.body(nothing()).unwrap()).await.unwrap()
}

/// Echoes through `io`.
async fn echoes(io: &mut (impl AsyncReadExt + AsyncWriteExt + Unpin)) {
    io.write_all(b"hello").await.unwrap();
    let mut back = [0; 5];
    tokio::time::timeout(PROMPTLY, io.read_exact(&mut back)).await.expect("an echo").unwrap();
    assert_eq!(&back, b"hello");
}

#[tokio::test]
async fn a_web_socket_over_http2_reaches_every_upstream_and_closes_at_sign_out() {
    let streams = Streams::start(prior_knowledge()).await;
    let plain = Streams::start(Manner::default()).await;
    for upstream in [streams, plain] {
        let (program, mut browser) = before(&upstream.url).await;
        let mut sender = http2(&program).await;
        let asked = asks(Method::CONNECT, &program, &browser, "/ws").header("origin", program.origin());
        let answer = open_by_connect(&mut sender, asked).await;
        assert_eq!(answer.status(), StatusCode::OK, "{}", upstream.url);
        for gone in ["sec-websocket-accept", "upgrade", "connection"] {
            assert!(!answer.headers().contains_key(gone), "{gone}");
        }
        let mut io = TokioIo::new(hyper::upgrade::on(answer).await.unwrap());
        echoes(&mut io).await;
        let seen = upstream.last();
        assert_eq!(seen.field("remote-user"), Some("ada"));
        let by_connect = upstream.url.starts_with("h2c");
        assert_eq!(seen.method, if by_connect { "CONNECT" } else { "GET" });
        assert_eq!(seen.field(":protocol").is_some(), by_connect);
        browser.submit("/.auth/logout", "/.auth/logout", &[]).await.expect(303);
        let mut back = [0; 5];
        let ended = tokio::time::timeout(PROMPTLY, io.read(&mut back)).await;
        assert!(matches!(ended, Ok(Ok(0) | Err(_))), "the socket outlived its session: {ended:?}");
    }
}

#[tokio::test]
async fn a_web_socket_over_http1_reaches_an_upstream_of_http2() {
    let upstream = Streams::start(prior_knowledge()).await;
    let (program, browser) = before(&upstream.url).await;
    let (mut socket, head) = tunnel(&program, &browser, "/ws", &program.origin()).await;
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    assert!(head.contains("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
    echoes(&mut socket).await;
    assert_eq!(upstream.last().field("sec-websocket-key"), None);
    let (_, refused) = tunnel(&program, &browser, "/missing", &program.origin()).await;
    assert!(refused.starts_with("HTTP/1.1 404"), "{refused}");
}

#[tokio::test]
async fn connect_opens_nothing_that_a_get_would_not() {
    let upstream = Streams::start(Manner::default()).await;
    let (program, browser) = before(&upstream.url).await;
    let mut sender = http2(&program).await;
    let foreign = asks(Method::CONNECT, &program, &browser, "/ws").header("origin", "http://evil.example");
    assert_eq!(open_by_connect(&mut sender, foreign).await.status(), StatusCode::FORBIDDEN);
    let page = asks(Method::CONNECT, &program, &browser, "/.auth/login");
    assert_eq!(open_by_connect(&mut sender, page).await.status(), StatusCode::NOT_FOUND);
    let ordinary = asks(Method::CONNECT, &program, &browser, "/not-a-socket");
    assert_eq!(open_by_connect(&mut sender, ordinary).await.status(), StatusCode::BAD_GATEWAY, "200 would open it");
    let stranger = Request::connect(format!("{}/ws", program.origin()));
    assert_eq!(open_by_connect(&mut sender, stranger).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(upstream.count("/ws"), 0);
    let other = asks(Method::CONNECT, &program, &browser, "/ws").extension(Protocol::from_static("connect-udp"));
    let refused = sender.send_request(other.body(nothing()).unwrap()).await.unwrap();
    assert_eq!(refused.status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn an_answer_that_is_reset_cuts_the_client_off() {
    let upstream = Streams::start(prior_knowledge()).await;
    let (program, browser) = before(&upstream.url).await;
    let mut sender = http2(&program).await;
    let answer =
        sender.send_request(asks(Method::GET, &program, &browser, "/cut").body(nothing()).unwrap()).await.unwrap();
    assert!(answer.into_body().collect().await.is_err(), "half a body is not a whole one");
    let ask = format!(
        "GET /cut HTTP/1.1\r\nHost: localhost:{}\r\nCookie: {}\r\n\r\n",
        program.http.port(),
        cookie_line(&browser)
    );
    let (came, closed) = crate::support::raw::exchange(program.http, ask.as_bytes(), PROMPTLY).await;
    assert!(came.contains("half") && !came.ends_with("0\r\n\r\n") && closed, "{came}");
}

#[tokio::test]
async fn a_client_that_gives_up_resets_its_stream_and_no_other() {
    let upstream = Streams::start(prior_knowledge()).await;
    let (program, browser) = before(&upstream.url).await;
    let mut sender = http2(&program).await;
    let request = asks(Method::GET, &program, &browser, "/silent").body(nothing()).unwrap();
    let waiting = tokio::time::timeout(Duration::from_millis(200), sender.send_request(request)).await;
    assert!(waiting.is_err(), "still silent");
    eventually("the reset", PROMPTLY, async || (upstream.given_up() == 1).then_some(())).await;
    let again = sender.send_request(asks(Method::GET, &program, &browser, "/").body(nothing()).unwrap()).await.unwrap();
    assert_eq!(again.status(), StatusCode::OK);
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn what_an_upstream_never_touched_is_sent_again() {
    let upstream = Streams::start(prior_knowledge()).await;
    let (_program, mut browser) = before(&upstream.url).await;
    let fields = [("accept", "*/*")];
    browser.send(Method::POST, "/refused", &fields, Bytes::new()).await.expect(200);
    assert_eq!(upstream.count("/refused"), 2);
    for _ in 0..3 {
        browser.send(Method::POST, "/last", &fields, Bytes::new()).await.expect(200);
        browser.send(Method::POST, "/", &fields, Bytes::from("x")).await.expect(200);
    }
}

/// HEADERS, and DATA that ends the stream.
fn whole_answer(stream: u32) -> Vec<u8> {
    [frame(1, 4, stream, &literal(":status", "200")), frame(0, 1, stream, b"the answer")].concat()
}

#[tokio::test]
async fn early_hints_over_http2_are_never_mistaken_for_the_answer() {
    let upstream = Frames::start(|_, stream| {
        let early = |status: &str| {
            frame(1, 4, stream, &[literal(":status", status), literal("link", "</a.css>; rel=preload")].concat())
        };
        [early("103"), early("103"), whole_answer(stream)].concat()
    })
    .await;
    let (_program, browser) = before(&upstream.url).await;
    for wire in [Wire::Http1, Wire::Http2] {
        let mut browser = browser.clone();
        browser.wire = wire;
        for (method, body) in [(Method::GET, ""), (Method::POST, "body")] {
            let reply = browser.send(method, "/", &[("accept", "*/*")], body.into()).await.expect(200);
            assert_eq!((&*reply.text(), reply.field("link")), ("the answer", ""), "{wire:?}");
        }
    }
}

#[tokio::test]
async fn after_goaway_a_body_is_not_sent_again_and_what_has_none_is() {
    // Whatever came first on it was not processed: GOAWAY, the last stream being 0, for no error.
    fn left_untouched(number: usize, stream: u32) -> Vec<u8> {
        if number == 0 { frame(7, 0, 0, &[0; 8]) } else { whole_answer(stream) }
    }
    for (method, body, status, requests) in
        [(Method::POST, "body", 502, 1), (Method::PUT, "body", 502, 1), (Method::POST, "", 200, 2)]
    {
        let upstream = Frames::start(left_untouched).await;
        let (_program, mut browser) = before(&upstream.url).await;
        browser.send(method, "/", &[("accept", "*/*")], body.into()).await.expect(status);
        assert_eq!(upstream.requests(), requests);
        browser.send(Method::POST, "/", &[("accept", "*/*")], "body".into()).await.expect(200);
    }
}

#[tokio::test]
async fn a_web_socket_over_http2_outlives_the_idle_timeout() {
    async fn through(upstream: Streams) {
        let mut setup = Setup::before(&upstream.url);
        setup.limits = "idle_timeout = \"1s\"\n".into();
        let (program, browser) = signed_in(setup).await;
        let mut sender = http2(&program).await;
        let asked = asks(Method::CONNECT, &program, &browser, "/ws").header("origin", program.origin());
        let answer = open_by_connect(&mut sender, asked).await;
        assert_eq!(answer.status(), StatusCode::OK, "{}", upstream.url);
        let mut io = TokioIo::new(hyper::upgrade::on(answer).await.unwrap());
        // Bytes now and then, and a silence that is longer.
        for pause in [600, 600, 2500] {
            tokio::time::sleep(Duration::from_millis(pause)).await;
            echoes(&mut io).await;
        }
    }
    tokio::join!(through(Streams::start(prior_knowledge()).await), through(Streams::start(Manner::default()).await));
}

#[tokio::test]
async fn a_body_of_unknown_length_arrives_chunked_at_an_upstream_of_http1() {
    let upstream = Upstream::start().await;
    let (program, browser) = before(&upstream.url()).await;
    let mut sender = http2(&program).await;
    let body = unlike(200 << 10);
    let trailers = [("x-sum".parse().unwrap(), "7".parse().unwrap())].into_iter().collect();
    let pieces = [&body[..150_000], &body[150_000..150_001], &[], &body[150_001..]];
    let frames = pieces.map(|piece| Ok(Frame::data(Bytes::copy_from_slice(piece)))).into_iter();
    let frames = futures_util::stream::iter(frames.chain([Ok(Frame::trailers(trailers))]));
    let request = asks(Method::POST, &program, &browser, "/echo").body(StreamBody::new(frames).boxed_unsync()).unwrap();
    let answer = sender.send_request(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(answer.into_body().collect().await.unwrap().to_bytes() == body, "other bytes came back");
    let seen = upstream.last();
    assert!(seen.body == body, "{} bytes arrived, or others", seen.body.len());
    assert_eq!(seen.field("transfer-encoding"), Some("chunked"));
    assert_eq!(seen.field("content-length"), None);
    assert_eq!(seen.trailers, [("x-sum".to_owned(), "7".to_owned())]);
}
