//! SCENARIO 50, the metrics: they move for success, failure and throttle, and are nobody's but the operator's.

use std::time::Duration;

use crate::{
    second_factor,
    support::{
        PROMPTLY,
        client::Browser,
        eventually,
        people::{OTHER_PASSWORD, PASSWORD, site},
        program::{Program, Setup},
        raw,
        upstream::Upstream,
    },
};

/// What `/metrics` says now.
async fn shown(program: &Program) -> String {
    let ask = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let (came, _) = raw::exchange(program.operations, ask, Duration::from_secs(5)).await;
    assert!(came.starts_with("HTTP/1.1 200"), "{came}");
    assert!(came.contains("application/openmetrics-text"), "{came}");
    came
}

/// The number behind a name and these labels, in any order; 0 when it is not there.
async fn number(program: &Program, name: &str, labels: &[&str]) -> f64 {
    let text = shown(program).await;
    let fits =
        |line: &&str| line.split(['{', ' ']).next() == Some(name) && labels.iter().all(|label| line.contains(label));
    text.lines().filter(fits).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

/// Waits for it: a request is counted a moment after its answer's head has left.
async fn reaches(program: &Program, name: &str, labels: &[&str], at_least: f64) {
    eventually(&format!("{name} {labels:?} to reach {at_least}"), PROMPTLY, async || {
        (number(program, name, labels).await >= at_least).then_some(())
    })
    .await;
}

#[tokio::test]
async fn requests_are_counted_by_site_and_outcome() {
    let (_upstream, program, mut browser) = site(|setup| setup).await;
    let site = format!("site=\"localhost:{}\"", program.http.port());
    for _ in 0..3 {
        browser.get("/").await.expect(200);
    }
    browser.get("/status/404").await.expect(404);
    browser.get("/drop").await.expect(502);
    Browser::new(&program).get("/").await.expect(303);
    raw::exchange(program.http, b"GET / HTTP/1.1\r\n\r\n", Duration::from_secs(5)).await;
    let requests = "vestibule_requests_total";
    reaches(&program, requests, &[&site, "forwarded", "2xx"], 3.0).await;
    reaches(&program, requests, &[&site, "forwarded", "4xx"], 1.0).await;
    reaches(&program, requests, &[&site, "failed", "5xx"], 1.0).await;
    reaches(&program, requests, &[&site, "sign-in-first", "3xx"], 1.0).await;
    reaches(&program, requests, &["site=\"-\"", "refused", "4xx"], 1.0).await;
    reaches(&program, requests, &["portal", "page"], 2.0).await;
    reaches(&program, "vestibule_request_duration_seconds_count", &[&site, "forwarded"], 4.0).await;
    reaches(&program, "vestibule_upstream_connects_total", &[&site], 1.0).await;
    reaches(&program, "vestibule_session_cache_hits_total", &[], 1.0).await;
    reaches(&program, "vestibule_session_store_seconds_count", &[], 1.0).await;
}

#[tokio::test]
async fn sign_ins_are_counted_for_success_failure_and_throttle() {
    let (_upstream, program, _browser) = site(|setup| setup).await;
    let sign_ins = "vestibule_sign_ins_total";
    reaches(&program, sign_ins, &["\"done\""], 1.0).await;
    assert_eq!(number(&program, sign_ins, &["\"refused\""]).await, 0.0);
    let mut stranger = Browser::new(&program);
    stranger.sign_in("ada", OTHER_PASSWORD).await.expect(401);
    reaches(&program, sign_ins, &["\"refused\""], 1.0).await;
    for _ in 0..40 {
        if stranger.sign_in("ada", OTHER_PASSWORD).await.status == 429 {
            return reaches(&program, sign_ins, &["\"throttled\""], 1.0).await;
        }
    }
    panic!("never throttled");
}

#[tokio::test]
async fn codes_and_their_answers_are_counted() {
    let stage = second_factor::stage().await;
    stage.enrolled().await;
    let mut browser = stage.owing().await;
    second_factor::answer(&mut browser, &stage.twilio.wrong_code_for(second_factor::NUMBER)).await.expect(401);
    let code = stage.twilio.code_for(second_factor::NUMBER).unwrap();
    second_factor::answer(&mut browser, &code).await.expect(303);
    let program = &stage.program;
    reaches(program, "vestibule_codes_sent_total", &["\"sms\""], 2.0).await;
    reaches(program, "vestibule_sign_ins_total", &["\"second-factor\""], 1.0).await;
    reaches(program, "vestibule_second_factors_total", &["\"wrong\""], 1.0).await;
    reaches(program, "vestibule_second_factors_total", &["\"approved\""], 1.0).await;
    assert!(!shown(program).await.contains(second_factor::NUMBER));
}

#[tokio::test]
async fn what_is_open_is_counted_until_it_closes() {
    let upstream = Upstream::start().await;
    let mut setup = Setup::before(&upstream.url());
    setup.sites += "[[site.rule]]\nallow = \"anyone\"\n";
    let program = setup.start().await;
    program.ready().await;
    let mut socket = tokio::net::TcpStream::connect(program.http).await.unwrap();
    reaches(&program, "vestibule_connections", &[], 1.0).await;
    let ask = format!(
        "GET /ws HTTP/1.1\r\nHost: localhost:{}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        program.http.port()
    );
    tokio::io::AsyncWriteExt::write_all(&mut socket, ask.as_bytes()).await.unwrap();
    reaches(&program, "vestibule_tunnels", &[], 1.0).await;
    assert_eq!(number(&program, "vestibule_connections", &[]).await, 1.0, "a tunnel is a connection still");
    reaches(&program, "vestibule_upstream_connections", &["in-use"], 1.0).await;
    drop(socket);
    eventually("the tunnel's end", PROMPTLY, async || {
        (number(&program, "vestibule_tunnels", &[]).await == 0.0).then_some(())
    })
    .await;
    Browser::new(&program).get("/").await.expect(200);
    reaches(&program, "vestibule_upstream_connections", &["idle"], 1.0).await;
}

#[tokio::test]
async fn metrics_are_not_on_the_public_listener_and_tell_no_secrets() {
    let (_upstream, program, mut browser) = site(|setup| setup).await;
    browser.get("/?token=a-secret-of-the-query").await.expect(200);
    browser.get("/metrics").await.expect(200);
    assert!(!browser.get("/metrics").await.text().contains("vestibule_requests"), "that is the site's own");
    browser.get("/.auth/metrics").await.expect(404);
    let (_, cookie) = browser.session_cookie().unwrap();
    let text = shown(&program).await;
    for secret in [cookie.as_str(), PASSWORD, "a-secret-of-the-query", "ada"] {
        assert!(!text.contains(secret), "{secret} is in\n{text}");
    }
}
