//! SCENARIOS 23, 26, 27 with the near cache before Redis: warm requests ask it nothing, and what it tells is obeyed.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

use crate::{
    sessions::with_redis,
    support::{PROMPTLY, client::Browser, eventually, people::site, program::Setup, services, services::Redis},
};

/// How often each command was asked, by its name in lower case.
async fn asked(redis: &Redis) -> HashMap<String, u64> {
    let redis::Value::BulkString(text) = redis.command(&["INFO", "commandstats"]).await else { panic!("no text") };
    let text = String::from_utf8_lossy(&text).into_owned();
    let calls = |line: &str| {
        let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
        Some((name.to_owned(), rest.split(',').next()?.parse().ok()?))
    };
    text.lines().filter_map(calls).collect()
}

/// Waits until a request needs no lookup: the link that tells of changes is up.
async fn warm(redis: &Redis, browser: &Browser) {
    eventually("a warm request", Duration::from_secs(10), async || {
        browser.clone().get("/").await.expect(200);
        let before = asked(redis).await.get("mget").copied();
        browser.clone().get("/").await.expect(200);
        (asked(redis).await.get("mget").copied() == before).then_some(())
    })
    .await;
}

#[tokio::test]
async fn warm_requests_ask_redis_nothing() {
    let redis = Redis::start().await;
    let (upstream, _program, mut browser) = site(with_redis(&redis)).await;
    warm(&redis, &browser).await;
    upstream.forget();
    let before = asked(&redis).await;
    for _ in 0..100 {
        browser.get("/").await.expect(200);
    }
    let mut after = asked(&redis).await;
    // The heartbeat, and this test's own questions.
    for name in ["ping", "info", "hello", "client|setinfo", "client|setname", "client"] {
        after.remove(name);
    }
    after.retain(|name, calls| before.get(name) != Some(calls));
    assert!(after.is_empty(), "{after:?}");
    assert_eq!(upstream.seen().len(), 100);
}

#[tokio::test]
async fn an_emptied_redis_signs_out_warm_sessions_too() {
    let redis = Redis::start().await;
    let (_upstream, _program, browser) = site(with_redis(&redis)).await;
    warm(&redis, &browser).await;
    redis.command(&["FLUSHALL"]).await;
    eventually("sign-out", PROMPTLY, async || (browser.clone().get("/").await.status == 303).then_some(())).await;
}

#[tokio::test]
async fn a_warm_session_is_served_no_longer_than_redis_is_heard() {
    let mut redis = Redis::start().await;
    let (_upstream, _program, browser) = site(with_redis(&redis)).await;
    warm(&redis, &browser).await;
    redis.stop();
    let reply =
        eventually("503", PROMPTLY, async || Some(browser.clone().get("/").await).filter(|reply| reply.status == 503))
            .await;
    assert!(reply.set_cookies().is_empty(), "the cookie stays: {:?}", reply.set_cookies());
    redis.resume().await;
    eventually("recovery", Duration::from_secs(10), async || {
        (browser.clone().get("/").await.status == 200).then_some(())
    })
    .await;
    warm(&redis, &browser).await;
}

#[tokio::test]
async fn a_silent_link_does_not_keep_a_revoked_session_alive() {
    let redis = Redis::start().await;
    let deaf = Arc::new(AtomicBool::new(false));
    let way = forward(redis.port, Arc::clone(&deaf)).await;
    let (_upstream, _program, browser) = site(|mut setup| {
        setup.session += &format!("store = \"redis://{way}\"\n");
        setup
    })
    .await;
    warm(&redis, &browser).await;
    deaf.store(true, Ordering::SeqCst);
    // What another node's sign-out does.
    let redis::Value::Array(names) = redis.command(&["KEYS", "vestibule:s:*"]).await else { panic!("no names") };
    for name in names {
        let redis::Value::BulkString(name) = name else { panic!("no name") };
        redis.command(&["DEL", &String::from_utf8_lossy(&name)]).await;
    }
    eventually("sign-out", PROMPTLY, async || (browser.clone().get("/").await.status == 303).then_some(())).await;
}

#[tokio::test]
async fn redis_over_tls_is_believed_by_our_roots_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key, pem) = services::certificate(folder.path(), &["localhost"]);
    let redis = Redis::encrypted(&cert, &key).await;
    let bundle = folder.path().join("authority.pem");
    std::fs::write(&bundle, pem).unwrap();
    let store = format!("store = \"rediss://localhost:{}\"\n", redis.port);
    let (_upstream, program, mut browser) = site(|mut setup| {
        setup.session += &store;
        setup.environment.push(("SSL_CERT_FILE".into(), bundle.display().to_string()));
        setup
    })
    .await;
    browser.get("/").await.expect(200);
    // A handshake has a second; a busy machine may need a second try.
    eventually("`vestibule check`", Duration::from_secs(20), async || {
        String::from_utf8_lossy(&program.command(&["check"], "").stdout).contains("Redis answers").then_some(())
    })
    .await;
    let mut distrusting = Setup::demo();
    distrusting.session += &store;
    let distrusting = distrusting.start().await;
    let output = distrusting.command(&["check"], "");
    assert_eq!(output.status.code(), Some(69), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A way to Redis that swallows what listens for changes, once told to.
async fn forward(port: u16, deaf: Arc<AtomicBool>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else { continue };
            let ((client_in, client_out), (server_in, server_out)) = (client.into_split(), server.into_split());
            let listens = Arc::new(AtomicBool::new(false));
            tokio::spawn(pump(client_in, server_out, Arc::clone(&deaf), Arc::clone(&listens)));
            tokio::spawn(pump(server_in, client_out, Arc::clone(&deaf), listens));
        }
    });
    address
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, deaf: Arc<AtomicBool>, listens: Arc<AtomicBool>) {
    let mut bytes = [0; 4096];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        if bytes[..read].windows(8).any(|word| word == b"TRACKING") {
            listens.store(true, Ordering::SeqCst);
        }
        if deaf.load(Ordering::SeqCst) && listens.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        if to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}
