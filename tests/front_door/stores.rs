//! SCENARIOS 27, 28: the stores behind the sessions: down, silent, restarted, flushed, shared.

use std::time::Duration;

use crate::{
    sessions::with_redis,
    support::{
        PROMPTLY,
        client::Browser,
        eventually,
        nodes::{Nodes, browser_at},
        people::{PASSWORD, site},
        services::Redis,
    },
};

#[tokio::test]
async fn the_embedded_store_keeps_sessions_across_restart_and_kill() {
    let (_upstream, mut program, mut browser) = site(|setup| setup).await;
    browser.get("/").await.expect(200);
    program.kill();
    program.resume().await;
    program.ready().await;
    browser.get("/").await.expect(200);
    program.terminate().await;
    program.resume().await;
    program.ready().await;
    browser.get("/").await.expect(200);
    browser.submit("/.auth/logout", "/.auth/logout", &[]).await.expect(303);
    let ended = browser.clone();
    program.kill();
    program.resume().await;
    program.ready().await;
    ended.clone().get("/").await.expect(303);
}

#[tokio::test]
async fn redis_restarted_with_data_keeps_everyone_signed_in() {
    let mut redis = Redis::start().await;
    let (_upstream, program, mut browser) = site(with_redis(&redis)).await;
    redis.stop();
    let reply = browser.get("/").await.expect(503);
    assert!(reply.field("retry-after").parse::<u32>().is_ok());
    assert!(reply.set_cookies().is_empty(), "the cookie stays: {:?}", reply.set_cookies());
    assert!(reply.words().contains("Your session is safe"), "{}", reply.words());
    let login = Browser::new(&program).get("/.auth/login").await;
    assert!(login.status == 200 || login.status == 503, "the portal answers: {}", login.status);
    redis.resume().await;
    eventually("recovery by itself", Duration::from_secs(10), async || {
        (browser.clone().get("/").await.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn redis_flushed_means_signing_in_again_without_errors_or_loops() {
    let redis = Redis::start().await;
    let (_upstream, _program, mut browser) = site(with_redis(&redis)).await;
    redis.command(&["FLUSHALL"]).await;
    let login = browser.get("/page").await.expect(303).location().to_owned();
    browser.get(&login).await.expect(200);
    browser.sign_in("ada", PASSWORD).await.expect(303);
    browser.get("/page").await.expect(200);
}

#[tokio::test]
async fn silent_redis_is_not_an_anonymous_visitor() {
    let redis = Redis::start().await;
    let (_upstream, _program, browser) = site(with_redis(&redis)).await;
    redis.signal("STOP");
    let reply = browser.clone().get("/").await;
    redis.signal("CONT");
    assert_eq!(reply.status, 503, "{:?}", reply.fields);
    eventually("recovery by itself", Duration::from_secs(10), async || {
        (browser.clone().get("/").await.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_client_that_leaves_during_the_lookup_deletes_nothing() {
    let redis = Redis::start().await;
    let (_upstream, program, browser) = site(with_redis(&redis)).await;
    redis.signal("STOP");
    let (name, value) = browser.session_cookie().unwrap();
    for _ in 0..5 {
        let mut socket = tokio::net::TcpStream::connect(program.http).await.unwrap();
        let ask =
            format!("GET / HTTP/1.1\r\nHost: localhost:{}\r\nCookie: {name}={value}\r\n\r\n", program.http.port());
        tokio::io::AsyncWriteExt::write_all(&mut socket, ask.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    redis.signal("CONT");
    eventually("the session to answer", Duration::from_secs(10), async || {
        (browser.clone().get("/").await.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn two_nodes_share_sessions_and_sign_out_reaches_both_within_a_second() {
    let nodes = Nodes::start(|_| ()).await;
    let (one, two) = (&nodes.one, &nodes.two);
    let mut browser = browser_at(one);
    browser.sign_in("ada", PASSWORD).await.expect(303);
    let mut on_two = browser.clone();
    on_two.address = two.http;
    on_two.get("/").await.expect(200);
    browser.submit("/.auth/logout", "/.auth/logout", &[]).await.expect(303);
    eventually("sign-out on the other node", PROMPTLY, async || {
        (on_two.clone().get("/").await.status == 303).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_change_made_while_redis_was_down_is_applied_when_it_is_back() {
    let mut redis = Redis::start().await;
    let (_upstream, program, browser) = site(with_redis(&redis)).await;
    redis.stop();
    program.run(&["user", "disable", "ada"], "");
    redis.resume().await;
    eventually("the end of the session", Duration::from_secs(10), async || {
        (browser.clone().get("/").await.status == 303).then_some(())
    })
    .await;
}
