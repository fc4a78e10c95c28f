//! What strangers and neighbours try without an account: another's address, another method, another spelling, mails to anybody.

use std::time::Duration;

use crate::support::{
    client::Browser,
    mailbox::Mailbox,
    people::{PASSWORD, site},
    program::{Program, Setup},
    raw,
    upstream::Upstream,
};

const RULES: &str = r#"
[[site.rule]]
path = "/inside"
networks = ["127.0.0.0/8"]
allow = "anyone"
[[site.rule]]
path = "/form"
methods = ["GET"]
allow = "anyone"
[[site.rule]]
path = "/public/"
allow = "anyone"
[[site.rule]]
path = "/closed"
allow = "nobody"
"#;

async fn guarded() -> (Upstream, Program, Browser) {
    site(|mut setup| {
        setup.sites += RULES;
        setup.listen = "trusted_proxies = [\"127.0.0.0/8\"]\n".into();
        setup
    })
    .await
}

async fn ask(program: &Program, target: &str, fields: &[u8]) -> Vec<u16> {
    let head = format!(
        "GET {target} HTTP/1.1\r\nHost: localhost:{}\r\nAccept: application/json\r\nConnection: close\r\n",
        program.http.port()
    );
    let whole = [head.as_bytes(), fields, b"\r\n"].concat();
    raw::statuses(&raw::exchange(program.http, &whole, Duration::from_secs(5)).await.0)
}

#[tokio::test]
async fn nobody_takes_the_place_of_the_trusted_proxy() {
    let (upstream, program, _) = guarded().await;
    upstream.forget();
    for (fields, status) in [
        (&b"X-Forwarded-For: \xff, 203.0.113.9\r\n"[..], 401),
        (b"X-Forwarded-For: 203.0.113.9, \xff\r\n", 400),
        (b"X-Forwarded-For: unknown\r\n", 400),
        (b"Forwarded: for=1.1.1.1;x=\", for=203.0.113.9\r\n", 400),
        (b"Forwarded: for=\"\xff, for=203.0.113.9\r\n", 400),
    ] {
        assert_eq!(ask(&program, "/inside", fields).await, [status], "{}", String::from_utf8_lossy(fields));
    }
    assert!(upstream.seen().is_empty(), "{:?}", upstream.seen());
    assert_eq!(ask(&program, "/inside", b"").await, [200], "the proxy's own check of health");
}

#[tokio::test]
async fn a_method_named_in_a_field_is_judged_as_well() {
    let (upstream, program, _) = guarded().await;
    upstream.forget();
    assert_eq!(ask(&program, "/form", b"X-HTTP-Method-Override: DELETE\r\n").await, [401]);
    assert_eq!(ask(&program, "/form", b"X_Method_Override: delete\r\n").await, [401]);
    assert!(upstream.seen().is_empty(), "{:?}", upstream.seen());
    assert_eq!(ask(&program, "/form", b"X-HTTP-Method-Override: GET\r\n").await, [200]);
    assert_eq!(ask(&program, "/public/x", b"X-HTTP-Method-Override: DELETE\r\n").await, [200]);
}

#[tokio::test]
async fn formats_blanks_and_control_characters_open_nothing() {
    let (upstream, program, mut ada) = guarded().await;
    upstream.forget();
    for target in ["/closed.json", "/closed.", "/closed%20", "/closed%2Ehtml", "/CLOSED.XML/"] {
        assert_eq!(ada.api(target).await.status, 403, "{target}");
    }
    for target in ["/public/%01", "/public/%0a", "/public/%7f", "/public/%e0%80%af", "/public/%F0%80%80%AF"] {
        assert_eq!(ask(&program, target, b"").await, [400], "{target}");
    }
    assert!(upstream.seen().is_empty(), "{:?}", upstream.seen());
    assert_eq!(ask(&program, "/public/file.txt", b"").await, [200]);
    assert_eq!(ask(&program, "/public/%E0%A4%B9", b"").await, [200]);
}

#[tokio::test]
async fn a_neighbour_guessing_at_names_does_not_lock_the_owner_out() {
    let mut setup = Setup::demo();
    setup.password = "argon2 = { memory_kib = 64, iterations = 1, parallelism = 1 }\n".into();
    let program = setup.start().await;
    program.ready().await;
    program.add_person("ada", PASSWORD, false);
    Browser::new(&program).signed_in("ada", PASSWORD).await;
    let mut neighbour = Browser::new(&program);
    let page = neighbour.get("/.auth/login").await;
    let csrf = crate::support::html::input_value(&page.text(), "csrf").unwrap();
    let mut answers = Vec::new();
    for number in 0..101 {
        let name = format!("made.up{number}");
        let fields = [("identifier", name.as_str()), ("password", "wrong"), ("csrf", csrf.as_str())];
        answers.push(neighbour.post("/.auth/login", &fields).await.status.as_u16());
    }
    assert_eq!((answers[99], answers[100]), (401, 429), "the network is slowed");
    Browser::new(&program).sign_in("ada", PASSWORD).await.expect(303);
}

#[tokio::test]
async fn a_registration_carries_no_strangers_words_to_anybody() {
    let mailbox = Mailbox::start().await;
    let mut setup = Setup::demo();
    setup.mail = format!("transport = \"{}\"\nfrom = \"Vestibule <no-reply@example.com>\"\n", mailbox.transport());
    let program = setup.start().await;
    program.ready().await;
    let mut stranger = Browser::new(&program);
    let mut fields = [
        ("first_name", "Win at https://evil.example"),
        ("last_name", "Winner"),
        ("username", "winner"),
        ("email", "victim@example.com"),
        ("password", PASSWORD),
        ("password_confirm", PASSWORD),
    ];
    let refused = stranger.submit("/.auth/register", "/.auth/register", &fields).await.expect(422);
    assert!(refused.words().contains("This looks like an address. Enter your first name only."), "{}", refused.words());
    fields[0].1 = "Winifred";
    stranger.submit("/.auth/register", "/.auth/register", &fields).await.expect(303);
    let mail = mailbox.wait_for("victim@example.com", "Confirm").await;
    for text in [&mail.text, &mail.html] {
        assert!(!text.contains("Winifred") && !text.contains("Winner"), "{text}");
    }
    let added = program.command(
        &["user", "add", "eve", "--email", "eve@example.com", "--first-name", "www.evil.example", "--last-name", "E"],
        "",
    );
    assert!(!added.status.success());
    assert!(String::from_utf8_lossy(&added.stderr).contains("looks like an address"), "{added:?}");
}
