//! The listener over real sockets.

mod parking;

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
    task::JoinHandle,
    time::{Instant, timeout},
};

use super::*;
use crate::{
    config::limits::Limits,
    inbound::answer::{Held, Outgoing},
};

/// Answers with the path; `/slow` after 300 ms; `/pieces` with large ones; `/tunnel` gives back what comes after it.
struct Echo;

impl Service for Echo {
    async fn serve(&self, received: Received, _connection: &Connection) -> Answer {
        let path = received.parts.uri.path();
        if path == "/slow" {
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        if path == "/endless" {
            return http::Response::new(Outgoing::from(vec![7_u8; 64 << 20]));
        }
        if path == "/pieces" {
            let piece = || Ok(http_body::Frame::data(vec![7_u8; 400 << 10].into()));
            let pieces = futures_util::stream::iter([piece(), piece()]);
            return http::Response::new(Outgoing::stream(http_body_util::StreamBody::new(pieces)));
        }
        if path == "/tunnel" {
            return tunnel(received);
        }
        http::Response::new(Outgoing::from(path.to_owned()))
    }
}

fn tunnel(mut received: Received) -> Answer {
    let held = Held::default();
    let consent = http::Response::builder().status(101).header("connection", "upgrade").header("upgrade", "echo");
    let mut answer = consent.body(Outgoing::Empty).unwrap();
    answer.extensions_mut().insert(held.clone());
    let client = received.parts.extensions.remove::<hyper::upgrade::OnUpgrade>().unwrap();
    tokio::spawn(async move {
        let socket = hyper_util::rt::TokioIo::new(client.await.unwrap());
        let (mut from, mut to) = tokio::io::split(socket);
        let _ = tokio::io::copy(&mut from, &mut to).await;
        drop(held);
    });
    answer
}

struct Running {
    address: SocketAddr,
    connections: Gauge,
    parked: Gauge,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<()>,
}

fn start(limits: &Limits) -> Running {
    start_with(limits, |_| ())
}

fn start_with(limits: &Limits, change: impl FnOnce(&mut Listener)) -> Running {
    let listen = config::listen::Listen { http: Some(([127, 0, 0, 1], 0).into()), ..Default::default() };
    let mut listener = Listener::bind(&listen, limits).unwrap();
    change(&mut listener);
    let (address, connections) = (listener.addresses().0.unwrap(), listener.connections());
    let parked = listener.terms.parked.clone();
    let (stop, stopped) = oneshot::channel::<()>();
    let ended = tokio::spawn(listener.run(2, || Echo, async {
        let _ = stopped.await;
    }));
    Running { address, connections, parked, stop, ended }
}

fn quick() -> Limits {
    Limits {
        head: 8 << 10,
        head_timeout: Duration::from_millis(300),
        idle_timeout: Duration::from_millis(900),
        drain: Duration::from_secs(5),
        ..Limits::default()
    }
}

async fn answer_to(stream: &mut TcpStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut buffer = vec![0; 64 << 10];
    let count = stream.read(&mut buffer).await.unwrap();
    String::from_utf8_lossy(&buffer[..count]).into_owned()
}

/// How long the server took to close; `None` when it did not within twenty seconds.
async fn closed_after(stream: &mut TcpStream) -> Option<Duration> {
    let began = Instant::now();
    let mut rest = Vec::new();
    timeout(Duration::from_secs(20), stream.read_to_end(&mut rest)).await.ok().map(|_| began.elapsed())
}

#[tokio::test]
async fn a_kept_alive_connection_lives_for_the_idle_timeout_and_not_the_head_timeout() {
    let server = start(&Limits { idle_timeout: Duration::from_secs(3), ..quick() });
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    for _ in 0..2 {
        let answer = answer_to(&mut stream, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("/a"), "{answer}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let closed = closed_after(&mut stream).await.unwrap();
    assert!(closed > Duration::from_millis(500), "{closed:?}");
}

#[tokio::test]
async fn a_head_that_trickles_in_is_cut_off() {
    let server = start(&quick());
    for before in ["", "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        if !before.is_empty() {
            answer_to(&mut stream, before).await;
        }
        let began = Instant::now();
        let (mut reader, mut writer) = stream.split();
        let trickle = async {
            for byte in "GET /b HTTP/1.1\r\nHost: example.com\r\nX-Slow: yes".bytes().cycle() {
                if writer.write_all(&[byte]).await.is_err() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(40)).await;
            }
        };
        let mut rest = Vec::new();
        tokio::select! {
            () = trickle => {}
            _ = reader.read_to_end(&mut rest) => {}
        }
        assert!(began.elapsed() < Duration::from_secs(10), "{:?} after {before:?}", began.elapsed());
    }
}

#[tokio::test]
async fn a_silent_connection_is_closed_after_the_head_timeout() {
    let server = start(&Limits { idle_timeout: Duration::from_secs(60), ..quick() });
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    assert!(closed_after(&mut stream).await.is_some());
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answer_is_cut_off() {
    let server = start(&quick());
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(1800)).await;
    let mut all = Vec::new();
    let _ = stream.read_to_end(&mut all).await;
    assert!(all.len() < 64 << 20, "{} bytes", all.len());
}

#[tokio::test]
async fn a_slow_http2_client_that_goes_on_reading_is_not_cut_off() {
    let server = start(&Limits { idle_timeout: Duration::from_secs(2), ..quick() });
    let stream = TcpStream::connect(server.address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http2::Builder::new(hyper_util::rt::TokioExecutor::new())
        .initial_stream_window_size(16 << 10)
        .handshake(hyper_util::rt::TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let ask = http::Request::get(format!("http://{}/pieces", server.address));
    let answer = sender.send_request(ask.body(String::new()).unwrap()).await.unwrap();
    let mut body = answer.into_body();
    for read in 0..20 {
        let frame = http_body_util::BodyExt::frame(&mut body).await;
        assert!(matches!(frame, Some(Ok(_))), "cut off after {read} pieces: {frame:?}");
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
}

#[tokio::test]
async fn an_answer_that_is_not_read_for_now_takes_no_later_one_with_it() {
    let server = start(&quick());
    let stream = TcpStream::connect(server.address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http2::Builder::new(hyper_util::rt::TokioExecutor::new())
        .initial_stream_window_size(16 << 10)
        .handshake(hyper_util::rt::TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let ask = |path| http::Request::get(format!("http://{}{path}", server.address)).body(String::new()).unwrap();
    let paused = sender.send_request(ask("/pieces")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(750)).await;
    let answer = sender.send_request(ask("/slow")).await;
    assert!(answer.is_ok(), "{answer:?}");
    drop((paused, answer));
}

#[tokio::test]
async fn a_head_over_the_limit_is_431() {
    let server = start(&quick());
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let request = format!("GET / HTTP/1.1\r\nHost: x\r\nX-Long: {}\r\n\r\n", "a".repeat(9 << 10));
    let answer = answer_to(&mut stream, &request).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
}

#[tokio::test]
async fn requests_in_flight_finish_after_stop() {
    let server = start(&Limits { idle_timeout: Duration::from_secs(60), ..quick() });
    let mut busy = TcpStream::connect(server.address).await.unwrap();
    let mut idle = TcpStream::connect(server.address).await.unwrap();
    answer_to(&mut idle, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n").await;
    busy.write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    server.stop.send(()).unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let last = answer_to(&mut idle, "GET /last HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(last.contains("200 OK") && last.to_lowercase().contains("connection: close"), "{last}");
    let mut answer = String::new();
    busy.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("/slow"), "{answer}");
    timeout(Duration::from_secs(20), server.ended).await.unwrap().unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn a_tunnel_is_a_connection_to_its_end_and_the_drain_waits_for_it() {
    let server = start(&quick());
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    let ask = "GET /tunnel HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";
    let head = answer_to(&mut socket, ask).await;
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    assert_eq!(answer_to(&mut socket, "there").await, "there");
    assert_eq!(server.connections.get(), 1, "hyper is done with it, the peer is not");
    server.stop.send(()).unwrap();
    // Longer than an ordinary idle connection is waited for.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(answer_to(&mut socket, "still there").await, "still there");
    drop(socket);
    timeout(Duration::from_secs(20), server.ended).await.expect("ended with the tunnel").unwrap();
    assert_eq!(server.connections.get(), 0);
}

#[tokio::test]
async fn when_all_connections_are_in_use_those_idle_for_longest_make_room() {
    let patient = Limits { head_timeout: Duration::from_secs(60), idle_timeout: Duration::from_secs(60), ..quick() };
    let server = start_with(&patient, |listener| listener.most = 8);
    let ask = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut tunnel = TcpStream::connect(server.address).await.unwrap();
    let wish = "GET /tunnel HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";
    assert!(answer_to(&mut tunnel, wish).await.starts_with("HTTP/1.1 101"));
    let mut reader = TcpStream::connect(server.address).await.unwrap();
    reader.write_all(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut silent = Vec::new();
    for _ in 0..6 {
        silent.push(TcpStream::connect(server.address).await.unwrap());
    }
    tokio::time::sleep(Duration::from_millis(1100)).await;
    // One after the other they come in, though nobody goes of their own accord.
    for _ in 0..6 {
        let mut visitor = TcpStream::connect(server.address).await.unwrap();
        let answer = timeout(Duration::from_secs(10), answer_to(&mut visitor, ask)).await.expect("room for a visitor");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        silent.push(visitor);
    }
    assert_eq!(answer_to(&mut tunnel, "there").await, "there", "a tunnel is not idle");
    let mut whole = vec![0; 64 << 20];
    reader.read_exact(&mut whole).await.expect("nor is who has an answer to read");
    let (mut first, mut byte) = (silent.swap_remove(0), [0]);
    assert_eq!(timeout(Duration::from_secs(1), first.read(&mut byte)).await.unwrap().unwrap_or(0), 0, "closed");
}

#[tokio::test]
async fn http2_with_prior_knowledge_is_spoken_on_the_plain_port() {
    let server = start(&quick());
    let stream = TcpStream::connect(server.address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http2::handshake(
        hyper_util::rt::TokioExecutor::new(),
        hyper_util::rt::TokioIo::new(stream),
    )
    .await
    .unwrap();
    let connection = tokio::spawn(connection);
    let request = http::Request::get(format!("http://{}/two", server.address)).body(String::new()).unwrap();
    let answer = sender.send_request(request).await.unwrap();
    let body = http_body_util::BodyExt::collect(answer.into_body()).await.unwrap().to_bytes();
    assert_eq!(body, "/two");
    // Idle long enough, it is told to go away.
    drop(timeout(Duration::from_secs(3), connection).await.unwrap());
}

#[tokio::test]
async fn a_taken_address_names_its_key() {
    let server = start(&quick());
    let listen = config::listen::Listen { http: Some(server.address), ..Default::default() };
    let said = Listener::bind(&listen, &quick()).unwrap_err();
    assert!(said.contains("`listen.http`") && said.contains("another program"), "{said}");
}

/// Answers with the server name of the handshake.
struct Named;

impl Service for Named {
    async fn serve(&self, _received: Received, connection: &Connection) -> Answer {
        let name = connection.tls.as_ref().and_then(|tls| tls.server_name.as_deref());
        http::Response::new(Outgoing::from(name.unwrap_or("-").to_owned()))
    }
}

#[tokio::test]
async fn tls_chooses_its_certificate_and_its_protocol() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let folder = tempfile::tempdir().unwrap();
    let mut roots = rustls::RootCertStore::empty();
    let mut certificates = Vec::new();
    for name in ["a.test", "b.test"] {
        let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
        let (cert, key) = (folder.path().join(format!("{name}.pem")), folder.path().join(format!("{name}.key")));
        std::fs::write(&cert, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        roots.add(made.cert.der().clone()).unwrap();
        certificates.push(config::listen::Certificate { cert, key });
    }
    let listen = config::listen::Listen { https: Some(([127, 0, 0, 1], 0).into()), certificates, ..Default::default() };
    let listener = Listener::bind(&listen, &quick()).unwrap();
    let address = listener.addresses().1.unwrap();
    tokio::spawn(listener.run(1, || Named, std::future::pending()));
    for (name, offered, spoken) in
        [("a.test", &["http/1.1"][..], "http/1.1"), ("B.test", &["h2", "http/1.1"][..], "h2")]
    {
        let mut client = rustls::ClientConfig::builder().with_root_certificates(roots.clone()).with_no_client_auth();
        client.alpn_protocols = offered.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(client));
        let server_name = rustls::pki_types::ServerName::try_from(name.to_owned()).unwrap();
        let stream = connector.connect(server_name, TcpStream::connect(address).await.unwrap()).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(spoken.as_bytes()));
        let io = hyper_util::rt::TokioIo::new(stream);
        let request = http::Request::get("https://x.test/").header("host", "x.test").body(String::new()).unwrap();
        let answer = if spoken == "h2" {
            let executor = hyper_util::rt::TokioExecutor::new();
            let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
            tokio::spawn(connection);
            sender.send_request(request).await.unwrap()
        } else {
            let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
            tokio::spawn(connection);
            sender.send_request(request).await.unwrap()
        };
        let body = http_body_util::BodyExt::collect(answer.into_body()).await.unwrap().to_bytes();
        assert_eq!(body, name.to_lowercase());
    }
}
