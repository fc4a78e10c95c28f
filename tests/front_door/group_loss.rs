//! SCENARIO 25 on Redis: a group taken away by the command line beside the running server, also while Redis is down.

use crate::{
    revocation::{SECOND, ends, open_socket},
    sessions::with_redis,
    support::{
        PROMPTLY,
        client::Browser,
        eventually,
        people::{PASSWORD, site},
        program::Program,
        services::Redis,
        upstream::Upstream,
    },
};

const RULES: &str = "[[site.rule]]\npath = \"/staff/\"\nallow = \"signed-in\"\ngroups = [\"staff\"]\n[[site.rule]]\npath = \"/ws\"\nallow = \"signed-in\"\ngroups = [\"staff\"]\n";

/// Ada, of two groups, inside; and what Redis keeps.
async fn inside(redis: &Redis) -> (Upstream, Program, Browser) {
    let (upstream, program, _) = site(|mut setup| {
        setup.sites += RULES;
        with_redis(redis)(setup)
    })
    .await;
    program.run(&["user", "groups", "ada", "staff", "wiki"], "");
    let mut browser = Browser::new(&program).signed_in("ada", PASSWORD).await;
    browser.get("/staff/").await.expect(200);
    (upstream, program, browser)
}

/// The session goes on, without what the group opened.
async fn is_out(upstream: &Upstream, browser: &Browser) {
    eventually("the end of the group", PROMPTLY, async || {
        (browser.clone().get("/staff/").await.status == 403).then_some(())
    })
    .await;
    browser.clone().get("/").await.expect(200);
    assert_eq!(upstream.last().field("remote-groups"), Some("wiki"));
    assert_eq!(browser.clone().api("/.auth/me").await.json()["groups"], serde_json::json!(["wiki"]));
}

#[tokio::test]
async fn a_group_taken_away_ends_on_redis_with_its_open_sockets() {
    let redis = Redis::start().await;
    let (upstream, program, browser) = inside(&redis).await;
    let mut socket = open_socket(&program, &browser, "/ws").await;
    program.run(&["user", "groups", "ada", "wiki"], "");
    ends("the socket", &mut socket, SECOND).await;
    is_out(&upstream, &browser).await;
}

#[tokio::test]
async fn a_group_taken_away_while_redis_is_down_ends_when_it_is_back() {
    let mut redis = Redis::start().await;
    let (upstream, program, browser) = inside(&redis).await;
    redis.stop();
    program.run(&["user", "groups", "ada", "wiki"], "");
    let meanwhile = browser.clone().get("/staff/").await;
    assert_eq!(meanwhile.status, 503, "nobody knows who this is: {}", meanwhile.words());
    redis.resume().await;
    is_out(&upstream, &browser).await;
}
