//! Several addresses of one site: who is asked, who is left alone, and who is asked again.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::AsyncWriteExt,
    sync::oneshot,
    time::{Instant, sleep, timeout},
};

use super::rig::{Rig, Script, open_site, quick};
use crate::config::{
    limits::Limits,
    site::{Address, Upstream, Wire},
};

/// One site's upstream of all these addresses.
fn all(ports: impl IntoIterator<Item = u16>) -> Upstream {
    let address = |port| Address::Tcp { host: "127.0.0.1".into(), port };
    Upstream::Servers { wire: Wire::Plain, addresses: ports.into_iter().map(address).collect() }
}

/// Answers every request with its name; a body of four bytes is read first.
async fn named(name: &'static str) -> Script {
    Script::run(move |mut upstream, _| async move {
        while let Some(head) = upstream.head().await {
            if head.contains("\r\ncontent-length: 4\r\n") {
                upstream.until("body").await.unwrap();
            }
            upstream.echo(name).await;
        }
    })
    .await
}

/// A port that refuses connections, and is nobody else's as long as this lives.
fn refusing() -> (socket2::Socket, u16) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let port = socket.local_addr().unwrap().as_socket().unwrap().port();
    (socket, port)
}

const GET: &str = "GET / HTTP/1.1\r\n{host}\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\n{host}\r\nContent-Length: 4\r\n\r\nbody";

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn one_address_that_answers_is_enough_for_every_request() {
    let well = named("well").await;
    let (one, two) = (refusing(), refusing());
    let rig = Rig::new(open_site(all([one.1, well.port(), two.1])), quick()).await;
    for request in [GET, POST].into_iter().cycle().take(20) {
        let said = rig.ask(request).await;
        assert!(said.starts_with("HTTP/1.1 200") && said.ends_with("well"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_address_that_failed_rests_and_is_then_asked_again() {
    let recovered = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&recovered);
    let failing = Script::run(move |mut upstream, _| {
        let answers = asked.load(Ordering::SeqCst);
        async move {
            while answers && upstream.head().await.is_some() {
                upstream.echo("recovered").await;
            }
        }
    })
    .await;
    let well = named("well").await;
    let rig = Rig::new(open_site(all([failing.port(), well.port()])), quick()).await;
    let began = Instant::now();
    for _ in 0..60 {
        let said = rig.ask(GET).await;
        assert!(said.starts_with("HTTP/1.1 200") && said.ends_with("well"), "{said}");
    }
    // Asked once; on a slow machine again after each rest, the shortest of which is a second.
    let (attempts, allowed) = (failing.accepted(), 1 + began.elapsed().as_secs());
    assert!(attempts >= 1, "it was never asked");
    assert!(attempts as u64 <= allowed, "asked {attempts} times in {:?}", began.elapsed());
    recovered.store(true, Ordering::SeqCst);
    let back = async {
        while !rig.ask(GET).await.ends_with("recovered") {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(20), back).await.expect("it is never asked again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn requests_go_where_fewer_are_on_their_way() {
    let (holds, held) = oneshot::channel();
    let holds = Arc::new(Mutex::new(Some(holds)));
    let script = |name: &'static str| {
        let holds = Arc::clone(&holds);
        Script::run(move |mut upstream, _| {
            let holds = Arc::clone(&holds);
            async move {
                while let Some(head) = upstream.head().await {
                    if head.starts_with("GET /held ") {
                        holds.lock().unwrap().take().unwrap().send(name).unwrap();
                        std::future::pending::<()>().await;
                    }
                    upstream.echo(name).await;
                }
            }
        })
    };
    let (one, two, three) = (script("one").await, script("two").await, script("three").await);
    let patient = Limits { upstream_response: Duration::from_secs(60), ..quick() };
    let rig = Rig::new(open_site(all([one.port(), two.port(), three.port()])), patient).await;
    let mut waiting = rig.open().await;
    waiting.write_all(rig.fill("GET /held HTTP/1.1\r\n{host}\r\n\r\n").as_bytes()).await.unwrap();
    let busy = timeout(Duration::from_secs(5), held).await.expect("an upstream is asked").unwrap();
    // Of any two addresses one has nothing to do.
    let mut said = Vec::new();
    for _ in 0..40 {
        said.push(rig.ask(GET).await);
    }
    for name in ["one", "two", "three"] {
        let count = said.iter().filter(|said| said.ends_with(&format!("\r\n\r\n{name}"))).count();
        assert_eq!(count == 0, name == busy, "{busy} is busy, and {name} got {count} of 40");
    }
}
