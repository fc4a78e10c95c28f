//! What hyper and the reader make together of bytes as they come: every corpus line is refused, or is exactly one request.

use std::{convert::Infallible, net::SocketAddr};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{Connection, Reader};
use crate::world::Entropy;

/// Answers 200 with the path and the body read, or 400.
async fn answer(
    request: http::Request<Incoming>,
    reader: Reader,
    peer: SocketAddr,
) -> Result<http::Response<Full<Bytes>>, Infallible> {
    let connection = Connection::new(peer, None);
    let (parts, body) = request.into_parts();
    let mut answer = http::Response::new(Full::default());
    match reader.read(&parts, &connection) {
        Ok(view) => match body.collect().await {
            Ok(body) => {
                let body = String::from_utf8_lossy(&body.to_bytes()).into_owned();
                *answer.body_mut() = format!("<{} {body}>", view.target.path).into();
            }
            Err(_) => *answer.status_mut() = http::StatusCode::BAD_REQUEST,
        },
        Err(_) => {
            *answer.status_mut() = http::StatusCode::BAD_REQUEST;
            answer.headers_mut().insert("connection", http::HeaderValue::from_static("close"));
        }
    }
    Ok(answer)
}

/// All that comes back for these bytes.
async fn send(bytes: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let reader = Reader::new(Vec::new(), &Entropy::counting()).unwrap();
    tokio::spawn(async move {
        let (stream, peer) = listener.accept().await.unwrap();
        let service = service_fn(move |request| answer(request, reader.clone(), peer));
        let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    });
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(bytes.as_bytes()).await.unwrap();
    client.shutdown().await.unwrap();
    let mut all = Vec::new();
    let _ = client.read_to_end(&mut all).await;
    String::from_utf8_lossy(&all).into_owned()
}

const HIDDEN: &str = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n";

#[tokio::test]
async fn smuggled_requests_are_never_read() {
    for head in [
        // The last coding is not the only one.
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: identity, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: x, chunked\r\nContent-Length: 5\r\n",
        "Transfer-Encoding: chunked;a=b\r\n",
        "Transfer-Encoding: \"chunked\"\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding: chunked, \r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: 5 5\r\n",
        "Content-Length: -0\r\n",
        "Content-Length:\r\n",
        "X: y\r\n Content-Length: 5\r\n",
        "Host: b\r\n",
    ] {
        let got = send(&format!("POST /seen HTTP/1.1\r\nHost: a\r\n{head}\r\n0\r\n\r\n{HIDDEN}")).await;
        assert!(got.starts_with("HTTP/1.1 400"), "{head:?}: {got}");
        assert!(!got.contains("/hidden") && got.matches("HTTP/1.1 ").count() == 1, "{head:?}: {got}");
    }
}

#[tokio::test]
async fn two_framings_are_exactly_one_request() {
    // hyper takes the chunks and forgets the length, whichever comes first; upstreams get a new framing.
    for head in
        ["Transfer-Encoding: chunked\r\nContent-Length: 40\r\n", "Content-Length: 40\r\nTransfer-Encoding: chunked\r\n"]
    {
        let got = send(&format!("POST /seen HTTP/1.1\r\nHost: a\r\n{head}\r\n2\r\nhi\r\n0\r\n\r\n")).await;
        assert!(got.starts_with("HTTP/1.1 400") || got.contains("</seen hi>"), "{head:?}: {got}");
        assert_eq!(got.matches("HTTP/1.1 ").count(), 1, "{head:?}: {got}");
    }
}

#[tokio::test]
async fn one_valid_host_is_asked_of_every_version() {
    for head in [
        "GET / HTTP/1.1\r\n",
        "GET / HTTP/1.0\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n",
        "GET / HTTP/1.1\r\nHost: a b\r\n",
        "GET / HTTP/1.1\r\nHost: u@a\r\n",
        "GET / HTTP/1.1\r\nHost: a:x\r\n",
        "GET / HTTP/1.1\r\nHost: a%2eb\r\n",
        "GET http://b/ HTTP/1.1\r\nHost: a\r\n",
        "GET http://u:p@a/ HTTP/1.1\r\nHost: a\r\n",
        "GET a:80 HTTP/1.1\r\nHost: a\r\n",
        "GET * HTTP/1.1\r\nHost: a\r\n",
        "GET /caf\u{e9} HTTP/1.1\r\nHost: a\r\n",
        "TRACE / HTTP/1.1\r\nHost: a\r\n",
        "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n",
    ] {
        let got = send(&format!("{head}\r\n")).await;
        assert!(got.starts_with("HTTP/1.1 400") || got.starts_with("HTTP/1.0 400"), "{head:?}: {got}");
    }
    for head in [
        "GET /x HTTP/1.1\r\nHost: A.:80\r\n",
        "GET http://a/x HTTP/1.1\r\nHost: a\r\n",
        "GET /x#/admin HTTP/1.1\r\nHost: a\r\n",
    ] {
        assert!(send(&format!("{head}\r\n")).await.contains("</x >"), "{head:?}");
    }
}
