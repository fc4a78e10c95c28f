//! One connection against an upstream that is a script: what is sent, and how every kind of answer is read.

use std::time::Duration;

use http::HeaderMap;
use proptest::prelude::*;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    time::timeout,
};

use super::*;

const GET: Asked = Asked { head: false, upgrade: false };

/// Both ends of a connection that holds `room` bytes.
fn pair(room: usize) -> (Http1, DuplexStream) {
    let (ours, theirs) = duplex(room);
    (Http1::new(ours), theirs)
}

/// What becomes of an answer that comes in pieces of `step` bytes, and then nothing more.
async fn read(answer: &[u8], step: usize, asked: Asked) -> Result<(Parts, Vec<u8>, HeaderMap, bool), String> {
    let (mut connection, mut upstream) = pair(1 << 20);
    connection.begin(&Method::GET, "/").end();
    let pieces: Vec<Vec<u8>> = answer.chunks(step.max(1)).map(<[u8]>::to_vec).collect();
    let said = tokio::spawn(async move {
        for piece in pieces {
            // Given up by now, perhaps.
            let _ = upstream.write_all(&piece).await;
            tokio::task::yield_now().await;
        }
        let _ = upstream.shutdown().await;
        upstream
    });
    let (parts, mut framing) =
        connection.exchange(ClientBody::default(), asked).await.map_err(|error| error.to_string())?;
    let (mut body, mut trailers) = (Vec::new(), HeaderMap::new());
    if let Some(whole) = connection.whole(&mut framing) {
        body.extend_from_slice(&whole);
    }
    while let Some(frame) = poll_fn(|cx| connection.poll_body(cx, &mut framing)).await {
        match frame.map_err(|error| error.to_string())?.into_data() {
            Ok(data) => body.extend_from_slice(&data),
            Err(frame) => trailers = frame.into_trailers().unwrap(),
        }
    }
    assert!(framing.is_over());
    let reusable = connection.reusable();
    drop(said.await.unwrap());
    Ok((parts, body, trailers, reusable))
}

/// Body, and whether the connection may be used again; the same however the answer is cut.
async fn told(answer: &str, asked: Asked) -> Result<(String, bool), String> {
    let mut all = Vec::new();
    for step in [1, 3, 7, usize::MAX] {
        let read = read(answer.as_bytes(), step.min(answer.len()), asked).await;
        all.push(read.map(|(_, body, _, reusable)| (String::from_utf8(body).unwrap(), reusable)));
    }
    assert!(all.windows(2).all(|two| two[0].is_ok() == two[1].is_ok()), "{answer:?}: {all:?}");
    if all[0].is_ok() {
        assert!(all.windows(2).all(|two| two[0] == two[1]), "{answer:?}: {all:?}");
    }
    all.pop().unwrap()
}

#[tokio::test]
async fn every_framing_of_an_answer_is_read_to_its_end() {
    let chunked =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n4;ext=\"a;b\"\r\nwiki\r\n5\r\npedia\r\n0\r\n\r\n";
    for (answer, body, reusable) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok", true),
        ("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", "", true),
        ("HTTP/1.1 200 OK\nContent-Length: 2\n\nok", "ok", true),
        (chunked, "wikipedia", true),
        ("HTTP/1.1 200 OK\r\n\r\nto the end", "to the end", false),
        ("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok", false),
        ("HTTP/1.1 200 OK\r\nConnection: X, close\r\nContent-Length: 2\r\n\r\nok", "ok", false),
        ("HTTP/1.1 204 No Content\r\n\r\n", "", true),
        ("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", "", true),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", "ok", true),
        (
            "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            "ok",
            true,
        ),
        // Two lengths, of which chunks count: read, and the connection is not trusted any further.
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "ok", false),
    ] {
        let told = told(answer, GET).await;
        assert_eq!(told.as_ref().map(|(body, _)| body.as_str()), Ok(body), "{answer:?}");
        if answer.ends_with("ok") || body.is_empty() {
            assert_eq!(told.unwrap().1, reusable, "{answer:?}");
        }
    }
    let head = Asked { head: true, upgrade: false };
    assert_eq!(told("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", head).await, Ok((String::new(), true)));
    assert_eq!(told("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", head).await, Ok((String::new(), true)));
}

#[tokio::test]
async fn what_could_be_read_two_ways_or_never_ends_is_no_answer() {
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(200));
    let long = format!("HTTP/1.1 200 OK\r\nA: {}\r\n\r\n", "b".repeat(70_000));
    let endless =
        format!("{}HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(40));
    let chunks = |rest: &str| format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{rest}");
    for answer in [
        "",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no",
        "SSH-2.0-OpenSSH_9\r\n\r\n",
        "\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!",
        "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nA: b\r\n folded: c\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        &many,
        &long,
        &endless,
        &chunks("2\r\nok\r\n"),
        &chunks("2\r\nokay\r\n0\r\n\r\n"),
        &chunks("2\nok\r\n0\r\n\r\n"),
        &chunks("0x2\r\nok\r\n0\r\n\r\n"),
        &chunks("+2\r\nok\r\n0\r\n\r\n"),
        &chunks("-2\r\nok\r\n0\r\n\r\n"),
        &chunks(" 2\r\nok\r\n0\r\n\r\n"),
        &chunks("2 x\r\nok\r\n0\r\n\r\n"),
        &chunks("2\rx\r\nok\r\n0\r\n\r\n"),
        &chunks("\r\nok\r\n0\r\n\r\n"),
        &chunks("10000000000000000\r\nok\r\n0\r\n\r\n"),
        &chunks(&format!("2;{}\r\nok\r\n0\r\n\r\n", "x".repeat(5000))),
        &chunks("0\r\nA: b\r\n"),
        &chunks("0\r\nno colon\r\n\r\n"),
        &chunks(&format!("0\r\nA: {}\r\n\r\n", "b".repeat(20_000))),
    ] {
        let told = told(answer, GET).await;
        assert!(told.is_err(), "{:?} is read as {told:?}", answer.get(..80).unwrap_or(answer));
    }
}

#[tokio::test]
async fn what_belongs_to_the_connection_stays_there() {
    let answer = b"HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Hop, Content-Length, Set-Cookie\r\nKeep-Alive: timeout=5\r\n\
                   Proxy-Connection: x\r\nTE: x\r\nUpgrade: h2c\r\nX-Hop: 1\r\nSet-Cookie: a=1\r\nX-Kept: 1\r\nContent-Length: 2\r\n\r\nok";
    let (parts, body, ..) = read(answer, usize::MAX, GET).await.unwrap();
    let mut names: Vec<_> = parts.headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!((names, body), (vec!["content-length", "set-cookie", "x-kept"], b"ok".to_vec()));
}

#[tokio::test]
async fn trailers_come_after_the_body() {
    let answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nGrpc-Status: 0\r\nX: \r\n\r\n";
    for step in [1, 5, 1000] {
        let (_, body, trailers, _) = read(answer, step, GET).await.unwrap();
        assert_eq!((body, trailers.len()), (b"ok".to_vec(), 2));
        assert_eq!(trailers["grpc-status"], "0");
    }
}

#[tokio::test]
async fn a_connection_that_rests_is_open_and_silent() {
    let (mut connection, mut upstream) = pair(1024);
    assert!(connection.rests());
    upstream.write_all(b"HTTP/1.1 408 Request Timeout\r\n\r\n").await.unwrap();
    assert!(!connection.rests(), "an answer to nothing");
    let (mut connection, upstream) = pair(1024);
    drop(upstream);
    assert!(!connection.rests());
    let more = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n";
    let (_, body, _, reusable) = read(more, usize::MAX, GET).await.unwrap();
    assert_eq!((body, reusable), (b"ok".to_vec(), false), "more than was asked for");
}

#[tokio::test]
async fn a_switched_connection_begins_with_what_came_with_the_101() {
    let (mut connection, mut upstream) = pair(1024);
    connection.begin(&Method::GET, "/ws").end();
    upstream.write_all(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\nhello").await.unwrap();
    let asked = Asked { head: false, upgrade: true };
    let (parts, _) = connection.exchange(ClientBody::default(), asked).await.unwrap();
    assert_eq!((parts.status.as_u16(), &parts.headers["upgrade"]), (101, &HeaderValue::from_static("websocket")));
    upstream.write_all(b" there").await.unwrap();
    let mut came = [0; 11];
    connection.read_exact(&mut came).await.unwrap();
    assert_eq!(&came, b"hello there");
    connection.write_all(b"bytes").await.unwrap();
    let mut sent = vec![0; 64];
    let count = upstream.read(&mut sent).await.unwrap();
    assert_eq!(&sent[..count], b"GET /ws HTTP/1.1\r\n\r\nbytes");
}

#[tokio::test]
async fn a_head_is_written_line_by_line_and_no_text_breaks_out_of_its_line() {
    let (mut connection, mut upstream) = pair(1024);
    let mut wire = connection.begin(&Method::GET, "/a?b");
    wire.put(&http::header::HOST, &HeaderValue::from_static("x"));
    wire.put_text(&http::header::VIA, "one\r\nEvil: 1");
    wire.put_text(&http::header::VIA, "two");
    wire.end();
    let waits = connection.exchange(ClientBody::default(), GET);
    assert!(timeout(Duration::from_millis(20), waits).await.is_err());
    let mut sent = vec![0; 64];
    let count = upstream.read(&mut sent).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&sent[..count]), "GET /a?b HTTP/1.1\r\nhost: x\r\nvia: two\r\n\r\n");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn chunks_are_put_together_however_they_were_cut(
        pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..200), 0..8), step in 1usize..64,
    ) {
        let mut answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        for piece in &pieces {
            answer.extend_from_slice(format!("{:X}\r\n", piece.len()).as_bytes());
            answer.extend_from_slice(piece);
            answer.extend_from_slice(b"\r\n");
        }
        answer.extend_from_slice(b"0\r\n\r\n");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (_, body, ..) = runtime.block_on(read(&answer, step, GET)).unwrap();
        prop_assert_eq!(body, pieces.concat());
    }

    #[test]
    fn no_bytes_make_it_panic_or_wait_after_the_end(
        bytes in proptest::collection::vec(prop_oneof![
            Just(b"HTTP/1.1 200 OK\r\n".to_vec()), Just(b"Transfer-Encoding: chunked\r\n".to_vec()),
            Just(b"Content-Length: 3\r\n".to_vec()), Just(b"\r\n".to_vec()), Just(b"3\r\nabc\r\n".to_vec()),
            Just(b"0\r\n".to_vec()), Just(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec()), proptest::collection::vec(any::<u8>(), 0..6),
        ], 0..12),
        step in 1usize..40,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let read = runtime.block_on(async { timeout(Duration::from_secs(5), read(&bytes.concat(), step, GET)).await });
        prop_assert!(read.is_ok());
    }
}
