//! The PROXY protocol before plain HTTP and before TLS: whom a load balancer names is the client, and nobody else is believed.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{
    client::encrypt,
    program::{Program, Setup},
    raw, services,
    upstream::Upstream,
};

const QUIET: Duration = Duration::from_secs(5);
const LINE: &str = "PROXY TCP4 192.0.2.9 10.0.0.1 4711 80\r\n";

/// An upstream that is open to anyone, and the program before it.
async fn open_site(listen: &str, limits: &str) -> (Upstream, Program) {
    let upstream = Upstream::start().await;
    let mut setup = Setup::before(&upstream.url());
    setup.sites += "[[site.rule]]\npath = \"/\"\nallow = \"anyone\"\n";
    setup.listen = listen.into();
    setup.limits = limits.into();
    let program = setup.start().await;
    program.ready().await;
    (upstream, program)
}

fn ask(program: &Program, more: &str) -> String {
    format!("GET /x HTTP/1.1\r\nHost: localhost:{}\r\n{more}Connection: close\r\n\r\n", program.http.port())
}

/// Version 2, IPv4, with something unknown after the addresses.
fn binary(command: u8) -> Vec<u8> {
    let addresses = [192, 0, 2, 10, 10, 0, 0, 1, 0x12, 0x67, 0, 80];
    [&b"\r\n\r\n\0\r\nQUIT\n"[..], &[command, 0x11, 0, 16], &addresses, &[0xe0, 0, 1, 7]].concat()
}

#[tokio::test]
async fn the_client_that_a_load_balancer_names_is_the_peer() {
    let (upstream, program) = open_site("proxy_protocol = [\"127.0.0.0/8\"]\n", "").await;
    for (header, client) in [
        (LINE.as_bytes().to_vec(), "192.0.2.9"),
        (binary(0x21), "192.0.2.10"),
        (binary(0x20), "127.0.0.1"),
        (b"PROXY UNKNOWN\r\n".to_vec(), "127.0.0.1"),
        (b"PROXY TCP6 2001:db8::9 ::1 1 2\r\n".to_vec(), "2001:db8::9"),
    ] {
        let bytes = [&header[..], ask(&program, "X-Forwarded-For: 6.6.6.6\r\n").as_bytes()].concat();
        let (came, _) = raw::exchange(program.http, &bytes, QUIET).await;
        assert_eq!(raw::statuses(&came), [200], "{came}");
        assert_eq!(upstream.last().field("x-forwarded-for"), Some(client), "{}", String::from_utf8_lossy(&header));
    }
}

#[tokio::test]
async fn the_named_client_is_no_trusted_proxy_unless_it_is_listed() {
    for (trusted, client) in [("127.0.0.0/8", "192.0.2.9"), ("192.0.2.0/24", "198.51.100.7")] {
        let listen = format!("proxy_protocol = [\"127.0.0.1\"]\ntrusted_proxies = [\"{trusted}\"]\n");
        let (upstream, program) = open_site(&listen, "").await;
        let bytes = format!("{LINE}{}", ask(&program, "X-Forwarded-For: 198.51.100.7\r\n"));
        let (came, _) = raw::exchange(program.http, bytes.as_bytes(), QUIET).await;
        assert_eq!(raw::statuses(&came), [200], "{came}");
        let seen = upstream.last();
        assert!(seen.field("x-forwarded-for").is_some_and(|list| list.starts_with(client)), "{seen:?}");
    }
}

#[tokio::test]
async fn a_header_in_pieces_stands_before_tls_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key, _) = services::certificate(folder.path(), &["localhost"]);
    let listen = format!(
        "proxy_protocol = [\"127.0.0.1\"]\nhttps = \"127.0.0.1:{{tls}}\"\ncertificates = [{{ cert = {cert:?}, key = {key:?} }}]\n"
    );
    let (upstream, program) = open_site(&listen, "").await;
    let mut socket = TcpStream::connect(program.tls).await.unwrap();
    socket.set_nodelay(true).unwrap();
    for piece in binary(0x21).chunks(5) {
        socket.write_all(piece).await.unwrap();
        tokio::task::yield_now().await;
    }
    let mut stream = encrypt(socket, "localhost", b"http/1.1").await;
    stream.write_all(ask(&program, "").as_bytes()).await.unwrap();
    let mut came = Vec::new();
    let _ = stream.read_to_end(&mut came).await;
    assert!(came.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&came));
    assert_eq!(upstream.last().field("x-forwarded-for"), Some("192.0.2.10"));
}

#[tokio::test]
async fn without_a_header_such_a_connection_is_closed_unanswered() {
    let (upstream, program) = open_site("proxy_protocol = [\"127.0.0.1\"]\n", "head_timeout = \"1s\"\n").await;
    let long = format!("PROXY UNKNOWN {}\r\n{}", "x".repeat(200), ask(&program, ""));
    let huge = [&b"\r\n\r\n\0\r\nQUIT\n"[..], &[0x21, 0x11, 0xff, 0xff], &[0; 9000]].concat();
    let sent =
        [ask(&program, "").into_bytes(), long.into_bytes(), huge, b"PROXY TCP4 192.0.2.9 10.0".to_vec(), Vec::new()];
    for bytes in sent {
        let (came, closed) = raw::exchange(program.http, &bytes, Duration::from_secs(20)).await;
        assert!(closed && came.is_empty(), "{}: {came}", String::from_utf8_lossy(&bytes));
    }
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn a_header_of_anybody_else_is_bad_http() {
    let (upstream, program) = open_site("proxy_protocol = [\"192.0.2.0/24\"]\n", "").await;
    for header in [LINE.as_bytes().to_vec(), binary(0x21)] {
        let bytes = [&header[..], ask(&program, "").as_bytes()].concat();
        let (came, closed) = raw::exchange(program.http, &bytes, QUIET).await;
        assert_eq!(raw::statuses(&came), [400], "{came}");
        assert!(closed);
    }
    assert!(upstream.seen().is_empty());
}
