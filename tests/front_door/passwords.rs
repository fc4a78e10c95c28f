//! SCENARIOS 19, 20: forgotten passwords by mail.

use std::time::Duration;

use crate::{
    passkeys,
    support::{
        PROMPTLY,
        client::{Browser, Reply},
        html,
        key::Key,
        mailbox::Mailbox,
        people::{OTHER_PASSWORD, PASSWORD},
        program::{Program, Setup},
    },
};

struct Stage {
    mailbox: Mailbox,
    program: Program,
}

async fn stage() -> Stage {
    let mailbox = Mailbox::start().await;
    let mut setup = Setup::demo();
    setup.mail = format!("transport = \"{}\"\nfrom = \"Vestibule <no-reply@example.com>\"\n", mailbox.transport());
    setup.moved_clock = true;
    let program = setup.start().await;
    program.ready().await;
    program.add_person("ada", PASSWORD, false);
    Stage { mailbox, program }
}

impl Stage {
    async fn forgot(&self, email: &str) -> Reply {
        Browser::new(&self.program)
            .submit("/.auth/password/forgot", "/.auth/password/forgot", &[("email", email)])
            .await
    }

    async fn link(&self) -> String {
        self.forgot("ada@example.com").await;
        let count = self.mailbox.all().await.len();
        let _ = count;
        let mail = self.mailbox.wait_for("ada@example.com", "password").await;
        assert!(mail.link().starts_with(&self.program.origin()), "{}", mail.link());
        let url = url::Url::parse(&mail.link()).unwrap();
        format!("{}?{}", url.path(), url.query().unwrap())
    }

    async fn reset(&self, link: &str, password: &str) -> Reply {
        let mut browser = Browser::new(&self.program);
        let page = browser.get(link).await;
        let Some(csrf) = html::input_value(&page.text(), "csrf") else { return page };
        let token = html::input_value(&page.text(), "token").unwrap_or_default();
        let fields = [
            ("token", token.as_str()),
            ("password", password),
            ("password_confirm", password),
            ("csrf", csrf.as_str()),
        ];
        let reply = browser.post("/.auth/password/reset", &fields).await;
        assert!(browser.session_cookie().is_none(), "a reset never signs in");
        reply
    }
}

#[tokio::test]
async fn the_page_is_the_same_for_known_and_unknown_addresses() {
    let stage = stage().await;
    let known = stage.forgot("ada@example.com").await;
    let unknown = stage.forgot("nobody@example.com").await;
    assert_eq!((known.status, known.location()), (unknown.status, unknown.location()));
    let mail = stage.mailbox.wait_for("ada@example.com", "password").await;
    assert!(mail.text.contains("10 minutes"), "how long it lives: {}", mail.text);
    assert!(mail.text.contains("If this wasn't you"), "{}", mail.text);
    assert!(mail.html.contains("href=\"http"), "a button: {}", mail.html);
    assert!(stage.mailbox.all().await.iter().all(|mail| !mail.to.iter().any(|to| to.contains("nobody"))));
}

#[tokio::test]
async fn a_reset_works_once_ends_every_session_and_tells_the_owner() {
    let stage = stage().await;
    let mut elsewhere = Browser::new(&stage.program).signed_in("ada", PASSWORD).await;
    let link = stage.link().await;
    // A scanner's look consumes nothing.
    Browser::new(&stage.program).get(&link).await.expect(200);
    Browser::new(&stage.program).send(http::Method::HEAD, &link, &[("accept", "*/*")], bytes::Bytes::new()).await;
    stage.reset(&link, "short").await.expect(422);
    let reply = stage.reset(&link, OTHER_PASSWORD).await.expect(303);
    assert!(reply.location().starts_with("/.auth/login"), "{}", reply.location());
    elsewhere.get("/").await.expect(303);
    stage.mailbox.wait_for("ada@example.com", "changed").await;
    assert_eq!(stage.reset(&link, PASSWORD).await.status, 410, "single use");
    Browser::new(&stage.program).sign_in("ada", PASSWORD).await.expect(401);
    Browser::new(&stage.program).sign_in("ada", OTHER_PASSWORD).await.expect(303);
}

#[tokio::test]
async fn a_reset_link_expires_after_ten_minutes() {
    let stage = stage().await;
    let link = stage.link().await;
    stage.program.clock.as_ref().unwrap().advance(Duration::from_secs(601));
    Browser::new(&stage.program).get(&link).await.expect(410);
    assert_eq!(stage.reset(&link, OTHER_PASSWORD).await.status, 410);
}

#[tokio::test]
async fn a_reset_link_dies_with_a_newer_one_and_with_a_password_change() {
    let stage = stage().await;
    let old = stage.link().await;
    stage.program.clock.as_ref().unwrap().advance(Duration::from_secs(120));
    stage.forgot("ada@example.com").await;
    let newer = crate::support::eventually("a second mail", Duration::from_secs(10), async || {
        let mails = stage.mailbox.all().await;
        let links: Vec<_> =
            mails.iter().filter(|mail| mail.text.contains("password/reset?token=")).map(|mail| mail.link()).collect();
        (links.len() == 2).then(|| links[1].clone())
    })
    .await;
    Browser::new(&stage.program).get(&old).await.expect(410);
    let url = url::Url::parse(&newer).unwrap();
    let newer = format!("{}?{}", url.path(), url.query().unwrap());
    let mut browser = Browser::new(&stage.program).signed_in("ada", PASSWORD).await;
    let fields = [("current_password", PASSWORD), ("password", OTHER_PASSWORD), ("password_confirm", OTHER_PASSWORD)];
    browser.submit("/.auth/password", "/.auth/password", &fields).await.expect(303);
    Browser::new(&stage.program).get(&newer).await.expect(410);
}

#[tokio::test]
async fn fifty_parallel_uses_of_one_link_change_the_password_once() {
    let stage = stage().await;
    let link = stage.link().await;
    let token = link.split("token=").nth(1).unwrap().to_owned();
    let mut uses = Vec::new();
    for number in 0..50 {
        let mut browser = Browser::new(&stage.program);
        let (link, token) = (link.clone(), token.clone());
        uses.push(tokio::spawn(async move {
            let csrf = html::input_value(&browser.get(&link).await.text(), "csrf")?;
            let password = format!("{OTHER_PASSWORD}-{number}");
            let fields =
                [("token", token.as_str()), ("password", &password), ("password_confirm", &password), ("csrf", &csrf)];
            (browser.post("/.auth/password/reset", &fields).await.status == 303).then_some(password)
        }));
    }
    let mut won = Vec::new();
    for one in uses {
        won.extend(one.await.unwrap());
    }
    assert_eq!(won.len(), 1, "{won:?}");
    Browser::new(&stage.program).sign_in("ada", &won[0]).await.expect(303);
}

#[tokio::test]
async fn the_links_host_comes_from_the_configuration_never_from_the_request() {
    let stage = stage().await;
    let mut browser = Browser::new(&stage.program);
    browser.authority = format!("127.0.0.1:{}", stage.program.http.port());
    browser.always.push(("x-forwarded-host".into(), "evil.example".into()));
    browser.submit("/.auth/password/forgot", "/.auth/password/forgot", &[("email", "ada@example.com")]).await;
    let mail = stage.mailbox.wait_for("ada@example.com", "password").await;
    assert!(mail.link().starts_with(&stage.program.origin()), "{}", mail.link());
    assert!(!mail.text.contains("evil") && !mail.html.contains("evil"));
}

#[tokio::test]
async fn addresses_cannot_smuggle_mail_fields() {
    let stage = stage().await;
    for address in
        ["ada@example.com\r\nBcc: eve@evil.example", "ada@example.com, eve@evil.example", "ada@example.com%0aBcc:x"]
    {
        stage.forgot(address).await;
    }
    stage.forgot("ada@example.com").await;
    stage.mailbox.wait_for("ada@example.com", "password").await;
    assert!(stage.mailbox.all().await.iter().all(|mail| mail.to.len() == 1 && mail.to[0].contains("ada@example.com")));
}

#[tokio::test]
async fn mails_sent_to_one_address_are_limited() {
    let stage = stage().await;
    for _ in 0..30 {
        stage.forgot("ada@example.com").await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let sent = stage.mailbox.all().await.len();
    assert!((1..=10).contains(&sent), "{sent} mails");
}

#[tokio::test]
async fn a_reset_never_skips_the_second_factor() {
    let stage = stage().await;
    let mut browser = Browser::new(&stage.program).signed_in("ada", PASSWORD).await;
    let before = stage.program.output().len();
    let fields = [("country", "KE"), ("phone", "0712 123456"), ("channel", "sms")];
    browser.submit("/.auth/second-factor/phone", "/.auth/second-factor/phone", &fields).await.expect(303);
    let code = stage.program.console_code(before).await;
    browser.submit("/.auth/second-factor/phone", "/.auth/second-factor/phone", &[("code", &code)]).await.expect(303);
    let mail = stage.mailbox.wait_for("ada@example.com", "two-factor").await;
    assert!(mail.text.contains("If this wasn't you"), "the owner is told: {}", mail.text);
    stage.forgot("ada@example.com").await;
    let mail = stage.mailbox.wait_for("ada@example.com", "password").await;
    let url = url::Url::parse(&mail.link()).unwrap();
    stage.reset(&format!("{}?{}", url.path(), url.query().unwrap()), OTHER_PASSWORD).await.expect(303);
    let mut again = Browser::new(&stage.program);
    let reply = again.sign_in("ada", OTHER_PASSWORD).await.expect(303);
    assert!(reply.location().starts_with("/.auth/login/verify"), "{}", reply.location());
    assert!(again.session_cookie().is_none());
}

#[tokio::test]
async fn what_outlives_a_reset_is_named_on_the_page_and_in_the_mail() {
    let stage = stage().await;
    let mut thief = Browser::new(&stage.program).signed_in("ada", PASSWORD).await;
    passkeys::add(&mut thief, &mut Key::new(&stage.program.origin()), "Not <mine>").await.expect(303);
    let link = stage.link().await;
    let mut browser = Browser::new(&stage.program);
    let token = url::Url::parse(&format!("http://x{link}")).unwrap().query_pairs().next().unwrap().1.into_owned();
    let fields = [("token", token.as_str()), ("password", OTHER_PASSWORD), ("password_confirm", OTHER_PASSWORD)];
    let after = browser.submit(&link, "/.auth/password/reset", &fields).await.expect(303).location().to_owned();
    let page = browser.get(&after).await.expect(200);
    let words = page.words();
    assert!(words.contains("Your password is changed"), "{words}");
    assert!(
        words.contains("Passkey Not <mine> , added ") && words.contains("If you don't know one, remove it"),
        "{words}"
    );
    assert!(page.text().contains("href=\"/.auth/second-factor\""), "the way there");
    let mail = stage.mailbox.wait_for("ada@example.com", "was changed").await;
    assert!(mail.text.contains("\n- Passkey Not <mine>, added "), "{}", mail.text);
    assert!(mail.text.contains("If you don't know one, remove it"), "{}", mail.text);
    let security = format!("{}/.auth/second-factor", stage.program.origin());
    assert!(mail.text.lines().any(|line| line == security), "{}", mail.text);
    assert!(mail.html.contains("Passkey Not &lt;mine&gt;"), "{}", mail.html);
    // Nobody else reads it, whatever address they open.
    let other = Browser::new(&stage.program).get(&after).await.expect(200);
    assert!(!other.text().contains("&lt;mine"), "{}", other.words());
    assert!(!browser.get("/.auth/login").await.text().contains("&lt;mine"));
}

#[tokio::test]
async fn a_mail_server_that_is_down_blocks_no_page() {
    let mailbox = Mailbox::start().await;
    let mut setup = Setup::demo();
    setup.mail = format!("transport = \"{}\"\nfrom = \"no-reply@example.com\"\n", mailbox.transport());
    drop(mailbox);
    let program = setup.start().await;
    program.ready().await;
    program.add_person("ada", PASSWORD, false);
    let start = std::time::Instant::now();
    let reply = Browser::new(&program)
        .submit("/.auth/password/forgot", "/.auth/password/forgot", &[("email", "ada@example.com")])
        .await;
    assert!(reply.status.is_success() || reply.status == 303, "{}", reply.status);
    assert!(start.elapsed() < PROMPTLY);
}

#[tokio::test]
async fn the_change_password_address_of_browsers_leads_to_the_page() {
    let stage = stage().await;
    let mut browser = Browser::new(&stage.program).signed_in("ada", PASSWORD).await;
    let reply = browser.get("/.well-known/change-password").await;
    assert!(
        reply.status.is_redirection() && reply.location().ends_with("/.auth/password"),
        "{} {}",
        reply.status,
        reply.location()
    );
}

#[tokio::test]
async fn no_page_of_a_mailed_link_tells_it_to_the_next_one() {
    let stage = stage().await;
    let link = stage.link().await;
    let mut browser = Browser::new(&stage.program);
    let alive = browser.get(&link).await.expect(200);
    assert_eq!(alive.field("referrer-policy"), "no-referrer");
    // What fails for a reason that passes leaves the link alive.
    let framed = [("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe"), ("sec-fetch-site", "same-origin")];
    let failed = browser.send(http::Method::GET, &link, &framed, bytes::Bytes::new()).await;
    assert_eq!((failed.status.as_u16(), failed.field("referrer-policy")), (403, "no-referrer"));
}

#[tokio::test]
async fn a_new_password_asks_for_a_recent_sign_in_though_the_current_one_is_known() {
    let stage = stage().await;
    let clock = stage.program.clock.as_ref().unwrap();
    let mut browser = Browser::new(&stage.program).signed_in("ada", PASSWORD).await;
    let page = "/.auth/password";
    let fields = [("current_password", PASSWORD), ("password", OTHER_PASSWORD), ("password_confirm", OTHER_PASSWORD)];
    clock.advance(Duration::from_secs(9 * 60));
    let csrf = html::input_value(&browser.get(page).await.expect(200).text(), "csrf").unwrap();
    clock.advance(Duration::from_secs(2 * 60));
    let asked = browser.get(page).await.expect(303).location().to_owned();
    assert!(asked.starts_with("/.auth/login?again=1&return_to="), "{asked}");
    // The form was open all the while, and whoever found the device knows the password.
    let forced = browser.post(page, &[&fields[..], &[("csrf", &csrf)]].concat()).await.expect(303);
    assert_eq!(forced.location(), asked);
    Browser::new(&stage.program).sign_in("ada", OTHER_PASSWORD).await.expect(401);
    let again = [("identifier", "ada"), ("password", PASSWORD), ("return_to", page)];
    let back = browser.submit(&asked, "/.auth/login", &again).await.expect(303);
    assert_eq!(back.location(), page);
    browser.submit(page, page, &fields).await.expect(303);
    browser.get("/.auth/profile").await.expect(200);
    Browser::new(&stage.program).sign_in("ada", OTHER_PASSWORD).await.expect(303);
}
