//! What an operator sets is what people, sites and programs meet (DESIGN §3 "Configuration").

use std::time::Duration;

use bytes::Bytes;
use http::Method;

use crate::support::{
    client::Browser,
    people::{PASSWORD, site},
    program::Setup,
    raw,
};

#[tokio::test]
async fn path_and_name_of_the_pages_and_the_identity_fields_are_the_operators() {
    let (upstream, program, _) = site(|mut setup| {
        setup.extra = "[identity]\nuser = \"X-Who\"\nemail = \"\"\n".into();
        setup
    })
    .await;
    let mut ada = Browser::new(&program).signed_in("ada", PASSWORD).await;
    ada.always.push(("x-who".into(), "root".into()));
    ada.get("/").await.expect(200);
    let seen = upstream.last();
    assert_eq!(seen.field("x-who"), Some("ada"), "the operator's name is guarded like ours");
    assert_eq!((seen.field("remote-user"), seen.field("remote-email")), (None, None));

    let mut setup = Setup::demo();
    setup.url = "http://localhost:{port}\"\npath = \"/door\"\nname = \"Wiki".into();
    let program = setup.start().await;
    program.ready().await;
    let mut browser = Browser::new(&program);
    let sent = browser.get("/").await.expect(303);
    assert!(sent.location().starts_with("/door/login"), "{}", sent.location());
    let page = browser.get("/door/login").await.expect(200);
    assert!(page.text().contains("<title>Sign in – Wiki</title>"), "{}", page.text());
    program.add_person("ada", PASSWORD, false);
    let fields = [("identifier", "ada"), ("password", PASSWORD)];
    browser.submit("/door/login", "/door/login", &fields).await.expect(303);
    browser.api("/door/me").await.expect(200);
    assert_eq!(browser.api("/.well-known/change-password").await.location(), "/door/password");
}

#[tokio::test]
async fn administrators_and_the_shortest_password_are_the_operators() {
    let mut setup = Setup::demo();
    setup.accounts = "admin_group = \"ops\"\n".into();
    setup.password = "min_length = 26\n".into();
    let program = setup.start().await;
    program.ready().await;
    let refused = program
        .command(&["user", "add", "ada", "--email", "ada@example.com", "--password-stdin"], &format!("{PASSWORD}\n"));
    assert_eq!(refused.status.code(), Some(65));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("26"), "the length is named");
    let long = format!("{PASSWORD}-and-more");
    program.add_person("ada", &long, true);
    let mut ada = Browser::new(&program).signed_in("ada", &long).await;
    assert_eq!(ada.api("/.auth/me").await.json()["groups"], serde_json::json!(["ops"]));
    let form = Browser::new(&program).get("/.auth/register").await.expect(200);
    assert!(form.words().contains("At least 26 characters."), "{}", form.words());
}

#[tokio::test]
async fn basic_and_preflights_are_only_for_sites_that_ask() {
    const PREFLIGHT: [(&str, &str); 2] = [("origin", "https://app.example"), ("access-control-request-method", "POST")];
    let (upstream, plain, _) = site(|setup| setup).await;
    let challenges = |reply: &crate::support::client::Reply| -> Vec<String> {
        let values = reply.fields.get_all("www-authenticate");
        values.iter().map(|value| value.to_str().unwrap().to_owned()).collect()
    };
    let reply = Browser::new(&plain).api("/x").await.expect(401);
    assert_eq!(challenges(&reply), ["Bearer"]);
    upstream.forget();
    Browser::new(&plain).send(Method::OPTIONS, "/x", &PREFLIGHT, Bytes::new()).await.expect(401);
    assert!(upstream.seen().is_empty());

    let (upstream, asked, _) = site(|mut setup| {
        setup.sites += "basic_challenge = true\nallow_preflight = true\nhost_header = \"upstream\"\n";
        setup
    })
    .await;
    let reply = Browser::new(&asked).api("/x").await.expect(401);
    let basic = |value: &String| value.starts_with("Basic realm=");
    assert!(challenges(&reply).iter().any(basic), "{:?}", reply.fields);
    upstream.forget();
    let reply = Browser::new(&asked).send(Method::OPTIONS, "/x", &PREFLIGHT, Bytes::new()).await;
    assert_ne!(reply.status, 401);
    assert_eq!(upstream.last().field("host"), Some(upstream.address.to_string().as_str()), "its own, as set");
    Browser::new(&asked).send(Method::OPTIONS, "/x", &[], Bytes::new()).await.expect(401);
    // What browsers never add to one opens no tunnel.
    for (protocol, arrives) in [("websocket", true), ("chat", false)] {
        upstream.forget();
        let ask = format!(
            "OPTIONS /ws HTTP/1.1\r\nHost: localhost:{}\r\nOrigin: https://app.example\r\nAccess-Control-Request-Method: GET\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\n\r\n",
            asked.http.port()
        );
        let (came, _) = raw::exchange(asked.http, ask.as_bytes(), Duration::from_secs(2)).await;
        assert!(!came.starts_with("HTTP/1.1 101"), "{protocol}: {came}");
        let seen = upstream.seen();
        assert_eq!(seen.len(), usize::from(arrives), "{protocol}: {seen:?}");
        assert!(seen.iter().all(|seen| seen.field("upgrade").is_none()), "{protocol}: {seen:?}");
    }
}

#[tokio::test]
async fn a_secret_is_changed_without_signing_anybody_out() {
    let (old, new) = ["first", "second"].map(|name| format!("{name}-secret-of-at-least-32-characters")).into();
    let (_upstream, mut program, mut ada) = site(|mut setup| {
        setup.extra = format!("[secrets]\ncurrent = \"{old}\"\n");
        setup
    })
    .await;
    let config = std::fs::read_to_string(&program.config).unwrap();
    let line = format!("current = \"{old}\"\n");
    for (secrets, status) in
        [(format!("current = \"{new}\"\nprevious = [\"{old}\"]\n"), 200), (format!("current = \"{new}\"\n"), 401)]
    {
        program.kill();
        std::fs::write(&program.config, config.replace(&line, &secrets)).unwrap();
        program.resume().await;
        program.ready().await;
        assert_eq!(ada.api("/.auth/me").await.status, status, "{secrets}");
    }
}

#[tokio::test]
async fn a_log_that_nobody_reads_stops_no_request() {
    let (_upstream, program, browser) = site(|setup| setup).await;
    program.leave_unread(true);
    // Far more than a pipe holds, on every data thread.
    let malformed = "GET / HTTP/1.1\r\nHost: a b\r\n\r\n".repeat(299);
    let malformed = malformed + "GET / HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n";
    let mut flood = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let (address, ask) = (program.http, malformed.clone());
        flood.spawn(async move { raw::exchange(address, ask.as_bytes(), Duration::from_secs(5)).await });
    }
    let answered: usize = flood.join_all().await.iter().map(|(came, _)| raw::statuses(came).len()).sum();
    assert_eq!(answered, 16 * 300, "each has its 400");
    for _ in 0..16 {
        let mut browser = browser.clone();
        let asked = tokio::time::timeout(Duration::from_secs(10), browser.api("/x")).await;
        asked.expect("an answer, whoever reads the log").expect(200);
    }
    program.leave_unread(false);
    program.printed("what waited", |line| line.contains("refused as malformed").then_some(())).await;
}

#[tokio::test]
async fn the_log_is_json_where_asked_for() {
    let (_upstream, program, _) = site(|mut setup| {
        setup.extra = "[log]\nformat = \"json\"\n".into();
        setup
    })
    .await;
    let line = |line: &str| line.starts_with('{').then(|| serde_json::from_str::<serde_json::Value>(line).unwrap());
    program.printed("an access line", |printed| line(printed).filter(|line| line["target"] == "access")).await;
    let output = program.output();
    assert!(output.lines().filter_map(line).count() > 1, "{output}");
    assert!(!output.lines().any(|line| line.contains(" INFO ")), "nothing in the other form:\n{output}");
}
