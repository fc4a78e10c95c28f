//! SCENARIO 11: how people come to have an account.

use std::time::Duration;

use crate::support::{
    PROMPTLY,
    client::Browser,
    eventually, html,
    mailbox::Mailbox,
    people::PASSWORD,
    program::{Program, Setup},
    services,
    upstream::Upstream,
};

fn form<'a>(username: &'a str, email: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("first_name", "Ada"),
        ("last_name", "Lovelace"),
        ("username", username),
        ("email", email),
        ("password", PASSWORD),
        ("password_confirm", PASSWORD),
    ]
}

async fn demo() -> Program {
    let program = Setup::demo().start().await;
    program.ready().await;
    program
}

#[tokio::test]
async fn before_the_demo_anyone_registers_and_is_active_at_once() {
    let program = demo().await;
    let mut browser = Browser::new(&program);
    let page = browser.get("/.auth/login").await.expect(200);
    assert!(page.words().contains("Create account"), "{}", page.words());
    browser.register("ada", PASSWORD).await.expect(303);
    let mut browser = Browser::new(&program).signed_in("ada", PASSWORD).await;
    let demo = browser.get("/").await.expect(200);
    for word in ["ada", "Ada Lovelace", "ada@example.com", "Remote-User"] {
        assert!(demo.words().contains(word), "the demo shows {word}: {}", demo.words());
    }
}

#[tokio::test]
async fn before_a_real_site_registration_is_closed() {
    let upstream = Upstream::start().await;
    let mut setup = Setup::before(&upstream.url());
    setup.accounts = String::new();
    let program = setup.start().await;
    program.ready().await;
    let mut browser = Browser::new(&program);
    assert!(!browser.get("/.auth/login").await.expect(200).words().contains("Create account"));
    let reply = browser.get("/.auth/register").await;
    assert!([403, 404].contains(&reply.status.as_u16()), "{}", reply.status);
    let token = html::input_value(&browser.get("/.auth/login").await.text(), "csrf").unwrap();
    let mut fields = form("ada", "ada@example.com");
    fields.push(("csrf", &token));
    let reply = browser.post("/.auth/register", &fields).await;
    assert!([403, 404].contains(&reply.status.as_u16()), "{}", reply.status);
    browser.sign_in("ada", PASSWORD).await.expect(401);
}

#[tokio::test]
async fn every_mistake_is_shown_beside_its_field_and_nothing_typed_is_lost() {
    let program = demo().await;
    let mut browser = Browser::new(&program);
    let fields = [
        ("first_name", ""),
        ("last_name", "Lovelace"),
        ("username", "no spaces allowed"),
        ("email", "not-an-address"),
        ("password", "short"),
        ("password_confirm", "different"),
    ];
    let reply = browser.submit("/.auth/register", "/.auth/register", &fields).await.expect(422);
    let text = reply.text();
    assert_eq!(html::input_value(&text, "last_name").as_deref(), Some("Lovelace"));
    assert_eq!(html::input_value(&text, "username").as_deref(), Some("no spaces allowed"));
    assert_eq!(html::input_value(&text, "email").as_deref(), Some("not-an-address"));
    assert_eq!(html::input_value(&text, "password").unwrap_or_default(), "");
    assert_eq!(html::input_value(&text, "password_confirm").unwrap_or_default(), "");
    let invalid: Vec<_> = html::tags(&text, "input")
        .filter(|tag| html::attribute(tag, "aria-invalid").as_deref() == Some("true"))
        .filter_map(|tag| html::attribute(tag, "name"))
        .collect();
    for name in ["first_name", "username", "email", "password_confirm"] {
        assert!(invalid.contains(&name.to_owned()), "{name} is not marked: {invalid:?}");
    }
    assert!(text.contains("<title>Error: "), "the title says so");
}

#[tokio::test]
async fn weak_passwords_are_refused_with_a_reason() {
    let program = demo().await;
    for weak in [
        "password1234567",
        "qwertyuiopasdfg",
        "aaaaaaaaaaaaaa",
        "adalovelace1",
        "Lovelace2026",
        "vestibule123",
        "9charslon",
    ] {
        let mut fields = form("ada", "ada@example.com");
        fields[4].1 = weak;
        fields[5].1 = weak;
        let reply = Browser::new(&program).submit("/.auth/register", "/.auth/register", &fields).await;
        assert_eq!(reply.status, 422, "{weak} was taken");
    }
    let long: String = "Zoë 🦉 wandert im Nebel ".repeat(5).chars().take(100).collect();
    let mut fields = form("ada", "ada@example.com");
    fields[4].1 = &long;
    fields[5].1 = &long;
    Browser::new(&program).submit("/.auth/register", "/.auth/register", &fields).await.expect(303);
    Browser::new(&program).sign_in("ada", &long).await.expect(303);
    let shorter: String = long.chars().take(99).collect();
    Browser::new(&program).sign_in("ada", &shorter).await.expect(401);
}

#[tokio::test]
async fn a_name_in_another_spelling_is_taken() {
    let program = demo().await;
    Browser::new(&program).register("ada", PASSWORD).await.expect(303);
    for spelling in ["ada", "ADA", "\u{ff41}da", " ada "] {
        let fields = form(spelling, "other@example.com");
        let reply = Browser::new(&program).submit("/.auth/register", "/.auth/register", &fields).await.expect(422);
        assert!(reply.words().contains("taken"), "{spelling}: {}", reply.words());
    }
    for reserved in ["admin", "root", "Admin"] {
        let fields = form(reserved, "other@example.com");
        Browser::new(&program).submit("/.auth/register", "/.auth/register", &fields).await.expect(422);
    }
    for (email, taken) in [("ADA@example.com", true), ("ada@EXAMPLE.com", true), ("ada2@example.com", false)] {
        let fields = form("someone", email);
        let reply = Browser::new(&program).submit("/.auth/register", "/.auth/register", &fields).await;
        assert_eq!(reply.status == 422, taken, "{email}");
    }
}

async fn with_mail() -> (Mailbox, Program) {
    let mailbox = Mailbox::start().await;
    let mut setup = Setup::demo();
    setup.mail = format!("transport = \"{}\"\nfrom = \"Vestibule <no-reply@example.com>\"\n", mailbox.transport());
    let program = setup.start().await;
    program.ready().await;
    (mailbox, program)
}

fn path_of(link: &str) -> String {
    let url = url::Url::parse(link).unwrap();
    format!("{}?{}", url.path(), url.query().unwrap())
}

#[tokio::test]
async fn with_mail_an_account_waits_for_its_address_to_be_confirmed() {
    let (mailbox, program) = with_mail().await;
    let mut browser = Browser::new(&program);
    let reply = browser.submit("/.auth/register", "/.auth/register", &form("ada", "ada@example.com")).await.expect(303);
    assert!(reply.location().starts_with("/.auth/register/sent"), "{}", reply.location());
    browser.get(reply.location()).await.expect(200);
    Browser::new(&program).sign_in("ada", "another-wrong-one-17").await.expect(401);
    let mail = mailbox.wait_for("ada@example.com", "").await;
    assert!(mail.link().starts_with(&program.origin()), "the link follows the configuration: {}", mail.link());
    assert!(mail.html.contains(&mail.link().replace('&', "&amp;")), "text and HTML alike");
    let target = path_of(&mail.link());
    // A mail scanner looks first, by GET and HEAD: nothing is used up.
    Browser::new(&program).get(&target).await.expect(200);
    Browser::new(&program).send(http::Method::HEAD, &target, &[("accept", "*/*")], bytes::Bytes::new()).await;
    let mut confirming = Browser::new(&program);
    let page = confirming.get(&target).await.expect(200);
    let csrf = html::input_value(&page.text(), "csrf").unwrap();
    let token = html::input_value(&page.text(), "token").unwrap();
    let fields = [("csrf", csrf.as_str()), ("token", token.as_str())];
    confirming.post("/.auth/register/confirm", &fields).await.expect(303);
    Browser::new(&program).sign_in("ada", PASSWORD).await.expect(303);
    assert_eq!(confirming.post("/.auth/register/confirm", &fields).await.status, 410, "single use");
    Browser::new(&program).get(&target).await.expect(410);
}

#[tokio::test]
async fn a_taken_address_gets_the_same_page_and_its_owner_a_mail() {
    let (mailbox, program) = with_mail().await;
    program.add_person("holder", PASSWORD, false);
    let free =
        Browser::new(&program).submit("/.auth/register", "/.auth/register", &form("first", "free@example.com")).await;
    let taken = Browser::new(&program)
        .submit("/.auth/register", "/.auth/register", &form("second", "HOLDER@example.com"))
        .await;
    assert_eq!((free.status, free.location()), (taken.status, taken.location()));
    let mail = mailbox.wait_for("holder@example.com", "").await;
    assert!(!mail.text.contains("confirm?token"), "no way in for the one who typed it: {}", mail.text);
    mailbox.wait_for("free@example.com", "").await;
}

#[tokio::test]
async fn the_setup_link_makes_one_administrator_even_when_raced() {
    let program = demo().await;
    let token = program.setup_token().await;
    let target = format!("/.auth/setup?token={token}");
    Browser::new(&program).get("/.auth/setup?token=made-up").await.expect(410);
    let mut racers = Vec::new();
    for number in 0..6 {
        let (mut browser, target, token) = (Browser::new(&program), target.clone(), token.clone());
        racers.push(tokio::spawn(async move {
            let page = browser.get(&target).await;
            let csrf = html::input_value(&page.text(), "csrf")?;
            let (name, email) = (format!("boss{number}"), format!("boss{number}@example.com"));
            let mut fields = form(&name, &email);
            fields.extend([("csrf", csrf.as_str()), ("token", token.as_str())]);
            let reply = browser.post("/.auth/setup", &fields).await;
            (reply.status == 303).then_some(name)
        }));
    }
    let mut winners = Vec::new();
    for racer in racers {
        winners.extend(racer.await.unwrap());
    }
    assert_eq!(winners.len(), 1, "{winners:?}");
    let mut boss = Browser::new(&program).signed_in(&winners[0], PASSWORD).await;
    assert_eq!(boss.api("/.auth/me").await.json()["groups"], serde_json::json!(["admin"]));
    Browser::new(&program).get(&target).await.expect(410);
    let output = program.command(&["setup-link"], "");
    assert!(
        !String::from_utf8_lossy(&output.stdout).contains("token="),
        "no further link once there is an administrator"
    );
}

#[tokio::test]
async fn a_new_setup_link_kills_the_one_before() {
    let program = demo().await;
    let old = program.setup_token().await;
    let printed = program.run(&["setup-link"], "");
    let fresh: String = printed.split("token=").nth(1).unwrap().chars().take_while(|c| !c.is_whitespace()).collect();
    assert_ne!(old, fresh);
    Browser::new(&program).get(&format!("/.auth/setup?token={old}")).await.expect(410);
    Browser::new(&program).get(&format!("/.auth/setup?token={fresh}")).await.expect(200);
}

#[tokio::test]
async fn people_added_by_the_administrator_can_sign_in_on_postgres_too() {
    let database = services::postgres_database().await;
    let mut setup = Setup::demo();
    setup.accounts = format!("database = \"{database}\"\n");
    let program = setup.start().await;
    program.ready().await;
    program.add_person("ada", PASSWORD, true);
    Browser::new(&program).register("grace", PASSWORD).await.expect(303);
    let mut ada = Browser::new(&program).signed_in("ada", PASSWORD).await;
    assert_eq!(ada.api("/.auth/me").await.json()["groups"], serde_json::json!(["admin"]));
    let list = program.run(&["user", "list"], "");
    assert!(list.contains("ada") && list.contains("grace"), "{list}");
    let refused = program.command(&["user", "delete", "ada"], "");
    assert!(!refused.status.success(), "the last administrator cannot be removed");
    program.run(&["user", "disable", "grace"], "");
    eventually("grace to be out", PROMPTLY, async || {
        (Browser::new(&program).sign_in("grace", PASSWORD).await.status == 401).then_some(())
    })
    .await;
}

#[tokio::test]
async fn acknowledged_registrations_survive_a_kill() {
    let mut program = demo().await;
    let mut names = Vec::new();
    for number in 0..5 {
        let name = format!("person{number}");
        Browser::new(&program).register(&name, PASSWORD).await.expect(303);
        names.push(name);
    }
    program.kill();
    program.resume().await;
    program.ready().await;
    for name in names {
        Browser::new(&program).sign_in(&name, PASSWORD).await.expect(303);
    }
}

#[tokio::test]
async fn registration_is_limited_per_network() {
    let program = demo().await;
    let mut limited = None;
    for number in 0..60 {
        let reply = Browser::new(&program).register(&format!("person{number}"), PASSWORD).await;
        if reply.status == 429 {
            limited = Some(reply);
            break;
        }
    }
    let reply = limited.expect("a limit within 60 registrations");
    assert!(reply.field("retry-after").parse::<u64>().is_ok(), "{:?}", reply.fields);
}

#[tokio::test]
async fn a_password_made_to_be_hard_to_estimate_costs_little() {
    let program = demo().await;
    let mut browser = Browser::new(&program);
    let costly = "4@8({[<369&#!1/|0$5+7%2".repeat(5)[..100].to_owned();
    let token = html::input_value(&browser.get("/.auth/register").await.text(), "csrf").unwrap();
    let mut shortest = Duration::MAX;
    for _ in 0..3 {
        let mut fields = form("ada", "nobody");
        fields.extend([("csrf", token.as_str())]);
        fields.retain(|(name, _)| !name.starts_with("password"));
        fields.extend([("password", costly.as_str()), ("password_confirm", &costly)]);
        let start = std::time::Instant::now();
        browser.post("/.auth/register", &fields).await.expect(422);
        shortest = shortest.min(start.elapsed());
    }
    assert!(shortest < Duration::from_millis(500), "{shortest:?}");
}

#[tokio::test]
async fn forms_that_have_to_be_mended_are_slowed_when_one_network_sends_very_many() {
    let program = demo().await;
    let mut browser = Browser::new(&program);
    let token = html::input_value(&browser.get("/.auth/register").await.text(), "csrf").unwrap();
    let mut answers = Vec::new();
    for number in 0..120 {
        let name = format!("x{number}");
        let mut fields = form(&name, "nobody");
        fields.push(("csrf", &token));
        let reply = browser.post("/.auth/register", &fields).await;
        answers.push(reply.status.as_u16());
        if reply.status == 429 {
            assert!(!reply.field("retry-after").is_empty());
            break;
        }
    }
    assert!(answers.iter().take(50).all(|status| *status == 422), "mending is free: {answers:?}");
    assert_eq!(answers.last(), Some(&429), "{answers:?}");
}

#[tokio::test]
async fn a_host_that_only_looks_like_a_registration_domain_is_another_one() {
    let mut setup = Setup::demo();
    setup.accounts = "registration = \"open\"\nregistration_domains = [\"grossbank.example\"]\n".into();
    let program = setup.start().await;
    program.ready().await;
    for (name, email) in [("eve", "eve@großbank.example"), ("eva", "eva@xn--grobank-hya.example")] {
        let reply = Browser::new(&program).submit("/.auth/register", "/.auth/register", &form(name, email)).await;
        assert_eq!(reply.status, 422, "{email}: {}", reply.location());
        assert!(reply.words().contains("Use an address of grossbank.example"), "{}", reply.words());
    }
    for (name, email) in [("ada", "ada@GrossBank.example"), ("ben", "ben@ｇrossbank.example")] {
        Browser::new(&program).submit("/.auth/register", "/.auth/register", &form(name, email)).await.expect(303);
    }
}
