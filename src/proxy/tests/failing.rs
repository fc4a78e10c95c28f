//! Upstreams and clients that fail, each by its own status.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::{Instant, sleep},
};

use super::rig::{Rig, Script, open_site, quick, to_end};
use crate::{
    config::{
        limits::{ByteLimit, Limits},
        site::{Site, Upstream, Wire},
    },
    proxy::Upstreams,
    world::Entropy,
};

async fn nobody() -> Upstream {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    Upstream::one(Wire::Plain, "127.0.0.1", listener.local_addr().unwrap().port())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_refused_upstream_is_502_and_the_client_is_never_asked_for_its_body() {
    let upstream = nobody().await;
    let rig = Rig::new(open_site(upstream), quick()).await;
    let said = rig.ask("POST / HTTP/1.1\r\n{host}\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n").await;
    assert!(said.starts_with("HTTP/1.1 502"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_silent_upstream_is_504() {
    let script = Script::run(|mut upstream, _| async move {
        upstream.head().await;
        sleep(Duration::from_secs(60)).await;
    })
    .await;
    let rig = Rig::new(open_site(script.upstream.clone()), quick()).await;
    let said = rig.ask("GET / HTTP/1.1\r\n{host}\r\n\r\n").await;
    assert!(said.starts_with("HTTP/1.1 504"), "{said}");
    assert_eq!(script.accepted(), 1, "a silent upstream is not asked again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_upload_may_take_longer_than_the_upstream_may_be_silent() {
    let script = Script::run(|mut upstream, _| async move {
        upstream.head().await;
        upstream.until("end").await;
        upstream.echo("thanks").await;
    })
    .await;
    let rig = Rig::new(open_site(script.upstream.clone()), quick()).await;
    let mut stream = rig.open().await;
    stream.write_all(rig.fill("POST / HTTP/1.1\r\n{host}\r\nContent-Length: 9\r\n\r\n").as_bytes()).await.unwrap();
    for piece in ["on", "ce", "up", "end"] {
        sleep(Duration::from_millis(250)).await;
        stream.write_all(piece.as_bytes()).await.unwrap();
    }
    let said = to_end(&mut stream).await;
    assert!(said.ends_with("thanks"), "{said}");
}

/// Answers the first request of its first connection, and hangs up on the second.
async fn forgetful() -> Script {
    Script::run(|mut upstream, number| async move {
        upstream.head().await;
        upstream.echo(if number == 0 { "first" } else { "again" }).await;
        upstream.head().await;
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_idempotent_request_on_a_stale_connection_is_repeated_once() {
    let script = forgetful().await;
    let rig = Rig::new(open_site(script.upstream.clone()), quick()).await;
    assert!(rig.ask("GET / HTTP/1.1\r\n{host}\r\n\r\n").await.ends_with("first"));
    assert!(rig.ask("GET / HTTP/1.1\r\n{host}\r\n\r\n").await.ends_with("again"));
    assert_eq!(script.accepted(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_request_that_may_have_had_an_effect_is_not_repeated() {
    for request in ["POST / HTTP/1.1\r\n{host}\r\n\r\n", "PUT / HTTP/1.1\r\n{host}\r\nContent-Length: 1\r\n\r\nx"] {
        let script = forgetful().await;
        let rig = Rig::new(open_site(script.upstream.clone()), quick()).await;
        assert!(rig.ask("GET / HTTP/1.1\r\n{host}\r\n\r\n").await.ends_with("first"));
        let said = rig.ask(request).await;
        assert!(said.starts_with("HTTP/1.1 502"), "{said}");
        assert_eq!(script.accepted(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_fresh_connection_that_breaks_is_not_tried_again() {
    let script = Script::run(|mut upstream, _| async move {
        upstream.head().await;
    })
    .await;
    let rig = Rig::new(open_site(script.upstream.clone()), quick()).await;
    let said = rig.ask("GET / HTTP/1.1\r\n{host}\r\n\r\n").await;
    assert!(said.starts_with("HTTP/1.1 502"), "{said}");
    assert_eq!(script.accepted(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_answer_that_breaks_off_cuts_the_client_off() {
    for head in ["Content-Length: 100", "Transfer-Encoding: chunked"] {
        let script = Script::run(move |mut upstream, _| async move {
            upstream.head().await;
            upstream.say(&format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n5\r\nhello\r\n")).await;
            sleep(Duration::from_millis(50)).await;
        })
        .await;
        let rig = Rig::new(open_site(script.upstream.clone()), quick()).await;
        let said = rig.ask("GET / HTTP/1.1\r\n{host}\r\n\r\n").await;
        assert!(said.contains("hello"), "{said}");
        assert!(!said.ends_with("0\r\n\r\n"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_is_not_http_is_502() {
    for answer in [
        "SSH-2.0-OpenSSH_9\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    ] {
        let script = Script::run(move |mut upstream, _| async move {
            upstream.head().await;
            upstream.say(answer).await;
            sleep(Duration::from_millis(100)).await;
        })
        .await;
        let rig = Rig::new(open_site(script.upstream.clone()), quick()).await;
        let said = rig.ask("GET / HTTP/1.1\r\n{host}\r\n\r\n").await;
        assert!(said.starts_with("HTTP/1.1 502"), "{answer:?}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_body_over_the_limit_is_413_before_and_while_it_streams() {
    let script = Script::run(|mut upstream, _| async move {
        upstream.head().await;
        upstream.until("never").await;
    })
    .await;
    let site = Site { body: Some(ByteLimit::AtMost(10)), ..open_site(script.upstream.clone()) };
    let rig = Rig::new(site, quick()).await;
    let known = rig.ask("POST / HTTP/1.1\r\n{host}\r\nExpect: 100-continue\r\nContent-Length: 11\r\n\r\n").await;
    assert!(known.starts_with("HTTP/1.1 413"), "{known}");
    assert_eq!(script.accepted(), 0);
    let unknown =
        "POST / HTTP/1.1\r\n{host}\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nhello \r\n6\r\nworld!\r\n0\r\n\r\n";
    let unknown = rig.ask(unknown).await;
    assert!(unknown.starts_with("HTTP/1.1 413"), "{unknown}");
    let began = Instant::now();
    while script.accepted() == 0 {
        assert!(began.elapsed() < Duration::from_secs(2), "nothing was begun");
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_stalled_body_is_408() {
    let script = Script::run(|mut upstream, _| async move {
        upstream.head().await;
        upstream.until("never").await;
    })
    .await;
    let limits = Limits { upstream_response: Duration::from_secs(5), ..quick() };
    let rig = Rig::new(open_site(script.upstream.clone()), limits).await;
    let said = rig.ask("POST / HTTP/1.1\r\n{host}\r\nContent-Length: 10\r\n\r\nhel").await;
    assert!(said.starts_with("HTTP/1.1 408"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_client_that_goes_away_takes_its_upstream_request_with_it() {
    let gone = Arc::new(AtomicBool::new(false));
    let noticed = Arc::clone(&gone);
    let script = Script::run(move |mut upstream, _| {
        let noticed = Arc::clone(&noticed);
        async move {
            upstream.head().await;
            let mut rest = Vec::new();
            let _ = upstream.stream.read_to_end(&mut rest).await;
            noticed.store(true, Ordering::SeqCst);
        }
    })
    .await;
    let limits = Limits { upstream_response: Duration::from_secs(30), ..quick() };
    let rig = Rig::new(open_site(script.upstream.clone()), limits).await;
    let mut stream = rig.open().await;
    stream.write_all(rig.fill("GET / HTTP/1.1\r\n{host}\r\n\r\n").as_bytes()).await.unwrap();
    sleep(Duration::from_millis(100)).await;
    assert!(!gone.load(Ordering::SeqCst));
    drop(stream);
    let began = Instant::now();
    while !gone.load(Ordering::SeqCst) {
        assert!(began.elapsed() < Duration::from_secs(2), "the upstream still works for nobody");
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_upstream_whose_certificate_nobody_signed_is_not_reached() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = (folder.path().join("c.pem"), folder.path().join("k.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let listen = crate::config::listen::Listen {
        https: Some(([127, 0, 0, 1], 0).into()),
        certificates: vec![crate::config::listen::Certificate { cert, key }],
        ..Default::default()
    };
    let listener = crate::listener::Listener::bind(&listen, &quick()).unwrap();
    let port = listener.addresses().1.unwrap().port();
    struct Nothing;
    impl crate::listener::Service for Nothing {
        async fn serve(
            &self,
            _: crate::inbound::Received,
            _: &crate::inbound::Connection,
        ) -> crate::inbound::answer::Answer {
            http::Response::new(crate::inbound::answer::Outgoing::Empty)
        }
    }
    tokio::spawn(listener.run(1, || Nothing, std::future::pending()));
    let site = Site { upstream: Upstream::one(Wire::Tls, "localhost", port), ..Site::default() };
    let error = reach(site).await.unwrap_err();
    assert!(format!("{error:?}").contains("UnknownIssuer"), "{error:?}");
    reach(Site { upstream: Upstream::one(Wire::Plain, "localhost", port), ..Site::default() }).await.unwrap();
}

async fn reach(site: Site) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let upstreams = Upstreams::new(&[site], &quick(), &Entropy::System).unwrap();
    upstreams.reach(0).await.pop().unwrap().1
}
