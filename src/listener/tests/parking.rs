//! Connections that were taken apart between two requests. [`PARK`] is waited out: a test of it is as long.

use std::sync::Mutex;

use http_body_util::BodyExt;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::mpsc::{UnboundedSender, unbounded_channel},
};

use super::{super::park::PARK, *};

const ASK: &str = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";

fn patient() -> Limits {
    Limits { head_timeout: Duration::from_secs(5), idle_timeout: Duration::from_secs(60), ..quick() }
}

/// Until so many connections are parked, as they will be when nothing hinders them.
async fn parked(parked: &Gauge, count: i64) {
    let all = async {
        while parked.get() != count {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PARK * 8, all).await.unwrap_or_else(|_| panic!("{} of {count} parked", parked.get()));
}

async fn ask(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    read(stream).await
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut buffer = vec![0; 64 << 10];
    let count = timeout(Duration::from_secs(10), stream.read(&mut buffer)).await.expect("an answer").unwrap();
    String::from_utf8_lossy(&buffer[..count]).into_owned()
}

#[tokio::test]
async fn a_connection_is_parked_between_requests_and_answers_again() {
    let server = start(&patient());
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    for _ in 0..2 {
        let answer = ask(&mut stream, ASK).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("/a"), "{answer}");
        assert_eq!(server.parked.get(), 0);
        parked(&server.parked, 1).await;
        assert_eq!(server.connections.get(), 1, "it is open");
    }
    drop(stream);
    parked(&server.parked, 0).await;
    parked(&server.connections, 0).await;
}

#[tokio::test]
async fn a_tls_connection_is_parked_between_requests_and_answers_again() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["a.test".to_owned()]).unwrap();
    let (cert, key) = (folder.path().join("a.pem"), folder.path().join("a.key"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let certificates = vec![config::listen::Certificate { cert, key }];
    let listen = config::listen::Listen { https: Some(([127, 0, 0, 1], 0).into()), certificates, ..Default::default() };
    let idle = PARK * 2;
    let listener = Listener::bind(&listen, &Limits { idle_timeout: idle, ..patient() }).unwrap();
    let (address, rest) = (listener.addresses().1.unwrap(), listener.terms.parked.clone());
    tokio::spawn(listener.run(1, || Echo, std::future::pending()));
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let client = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(client));
    let name = rustls::pki_types::ServerName::try_from("a.test").unwrap();
    let mut stream = connector.connect(name, TcpStream::connect(address).await.unwrap()).await.unwrap();
    for _ in 0..2 {
        let answer = ask(&mut stream, ASK).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("/a"), "{answer}");
        parked(&rest, 1).await;
    }
    // More than one record holds: what TLS has read of it already must not wait for more to come.
    let long = format!("GET /a HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "x".repeat(7 << 10));
    let both = format!("{long}{long}{long}");
    stream.write_all(both.as_bytes()).await.unwrap();
    let mut all = String::new();
    while all.matches("HTTP/1.1 200").count() < 3 {
        all.push_str(&read(&mut stream).await);
    }
    parked(&rest, 1).await;
    // With a farewell: rustls calls its lack an error.
    let mut left = Vec::new();
    timeout(idle * 4, stream.read_to_end(&mut left)).await.expect("closed").expect("close_notify");
    parked(&rest, 0).await;
}

#[tokio::test]
async fn a_tunnel_opens_on_a_connection_that_was_parked() {
    let server = start(&patient());
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    ask(&mut socket, ASK).await;
    parked(&server.parked, 1).await;
    let wish = "GET /tunnel HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";
    let head = ask(&mut socket, wish).await;
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    tokio::time::sleep(PARK * 3 / 2).await;
    assert_eq!((server.connections.get(), server.parked.get()), (1, 0), "a tunnel is not parked");
    assert_eq!(ask(&mut socket, "there").await, "there");
}

#[tokio::test]
async fn a_head_comes_in_pieces_to_a_parked_connection_and_not_for_ever() {
    let server = start(&Limits { head_timeout: Duration::from_secs(2), ..patient() });
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    ask(&mut stream, ASK).await;
    parked(&server.parked, 1).await;
    stream.write_all(b"GET /pie").await.unwrap();
    // A head that has begun is not parked, however long it takes.
    tokio::time::sleep(PARK * 5 / 4).await;
    assert_eq!(server.parked.get(), 0);
    let answer = ask(&mut stream, "ces-of HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(answer.ends_with("/pieces-of"), "{answer}");
    parked(&server.parked, 1).await;
    stream.write_all(b"GET /never").await.unwrap();
    closed_after(&mut stream).await.expect("closed after the head timeout");
}

#[tokio::test]
async fn what_was_read_of_a_next_head_is_not_lost() {
    let server = start(&patient());
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    // In one piece: hyper has the second one's beginning in its buffer while nobody is served.
    let answer = ask(&mut stream, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\nGET /next HT").await;
    assert!(answer.ends_with("/slow"), "{answer}");
    tokio::time::sleep(PARK * 3 / 2).await;
    let answer = ask(&mut stream, "TP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("/next"), "{answer}");
    // While an empty line is nothing.
    let answer = ask(&mut stream, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n\r\n").await;
    assert!(answer.ends_with("/slow"), "{answer}");
    parked(&server.parked, 1).await;
    assert!(ask(&mut stream, ASK).await.ends_with("/a"));
}

#[tokio::test]
async fn requests_that_come_while_a_connection_is_parked_are_all_answered() {
    let server = start(&patient());
    let visitors = (0_u64..48).map(|number| async move {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        for round in 0..3 {
            // Around the moment, on either side of it.
            tokio::time::sleep(PARK - Duration::from_millis(24) + Duration::from_millis(number)).await;
            let path = |n| format!("/{number}-{round}-{n}.");
            let heads: String = (0..4).map(|n| format!("GET {} HTTP/1.1\r\nHost: x\r\n\r\n", path(n))).collect();
            let (first, second) = heads.split_at(1 + (usize::try_from(number).unwrap() * 7) % (heads.len() - 1));
            stream.write_all(first.as_bytes()).await.unwrap();
            tokio::time::sleep(Duration::from_millis(number % 3)).await;
            stream.write_all(second.as_bytes()).await.unwrap();
            let mut answers = String::new();
            while !answers.ends_with(&path(3)) {
                let more = read(&mut stream).await;
                assert!(!more.is_empty(), "closed after {answers}");
                answers.push_str(&more);
            }
            let found: Vec<_> = (0..4).filter_map(|n| answers.find(&path(n))).collect();
            assert!(found.len() == 4 && found.is_sorted(), "{answers}");
        }
        stream
    });
    let open = futures_util::future::join_all(visitors).await;
    parked(&server.parked, i64::try_from(open.len()).unwrap()).await;
}

#[tokio::test]
async fn a_parked_connection_is_closed_after_the_idle_timeout() {
    let idle = PARK * 3 / 2;
    let server = start(&Limits { idle_timeout: idle, ..patient() });
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    ask(&mut stream, ASK).await;
    let answered = Instant::now();
    parked(&server.parked, 1).await;
    closed_after(&mut stream).await.expect("closed");
    // From the answer and not from the parking, which would be a second more.
    let after = answered.elapsed();
    assert!(after > idle * 9 / 10 && after < idle + PARK * 9 / 10, "{after:?}");
    parked(&server.connections, 0).await;
}

#[tokio::test]
async fn stop_ends_parked_connections_and_a_last_request_is_answered() {
    let server = start(&patient());
    let mut streams = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        ask(&mut stream, ASK).await;
        streams.push(stream);
    }
    parked(&server.parked, 2).await;
    server.stop.send(()).unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let last = ask(&mut streams[0], "GET /last HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(last.contains("200 OK") && last.to_lowercase().contains("connection: close"), "{last}");
    closed_after(&mut streams[1]).await.expect("closed");
    timeout(Duration::from_secs(3), server.ended).await.expect("ended").unwrap();
}

/// Answers at once and goes on reading the request's body; tells its length.
struct Reads(Mutex<UnboundedSender<usize>>);

impl Service for Reads {
    async fn serve(&self, received: Received, _connection: &Connection) -> Answer {
        let lengths = self.0.lock().unwrap().clone();
        tokio::spawn(async move {
            let body = received.body.collect().await;
            let _ = lengths.send(body.map_or(0, |body| body.to_bytes().len()));
        });
        http::Response::new(Outgoing::from("early"))
    }
}

#[tokio::test]
async fn a_connection_whose_request_is_not_read_whole_is_not_parked() {
    let listen = config::listen::Listen { http: Some(([127, 0, 0, 1], 0).into()), ..Default::default() };
    let listener = Listener::bind(&listen, &patient()).unwrap();
    let (address, rest) = (listener.addresses().0.unwrap(), listener.terms.parked.clone());
    let (sender, mut lengths) = unbounded_channel();
    let running = listener.run(1, move || Reads(Mutex::new(sender.clone())), std::future::pending());
    tokio::spawn(running);
    let mut stream = TcpStream::connect(address).await.unwrap();
    let answer = ask(&mut stream, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf-").await;
    assert!(answer.ends_with("early"), "{answer}");
    tokio::time::sleep(PARK * 3 / 2).await;
    parked(&rest, 0).await;
    stream.write_all(b"whole").await.unwrap();
    let length = timeout(Duration::from_secs(5), lengths.recv()).await.expect("the body");
    assert_eq!(length, Some(10));
}
