//! People leave, and take with them what is known of them.

use std::time::Duration;

use base64::{
    Engine,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};

use crate::{
    authenticator, passkeys,
    revocation::{SECOND, ends, open_socket},
    second_factor,
    support::{
        PROMPTLY,
        client::Browser,
        eventually, html,
        key::Key,
        mailbox::Mailbox,
        people::{PASSWORD, site},
        program::{Program, Setup},
        upstream::Upstream,
    },
};

const DATA: &str = "/.auth/profile/data";
const DELETE: &str = "/.auth/profile/delete";

async fn stage() -> (Mailbox, Upstream, Program, Browser) {
    let mailbox = Mailbox::start().await;
    let mail = format!("transport = \"{}\"\nfrom = \"no-reply@example.com\"\n", mailbox.transport());
    let (upstream, program, browser) = site(|setup| Setup { mail, moved_clock: true, ..setup }).await;
    (mailbox, upstream, program, browser)
}

#[tokio::test]
async fn who_deletes_their_account_is_signed_out_everywhere_and_nobody_gets_the_name() {
    let (mailbox, _upstream, program, mut browser) = stage().await;
    let mut elsewhere = Browser::new(&program).signed_in("ada", PASSWORD).await;
    let mut socket = open_socket(&program, &elsewhere, "/ws").await;
    assert!(browser.get("/.auth/profile").await.text().contains("href=\"/.auth/profile/delete\""), "linked");
    let page = browser.get(DELETE).await.expect(200).words();
    assert!(page.contains("What goes") && page.contains("What stays") && page.contains("can't be undone"), "{page}");
    let wrong = browser.submit(DELETE, DELETE, &[("password", "not the password")]).await.expect(422);
    assert!(wrong.words().contains("That isn't your password."), "{}", wrong.words());
    browser.get("/").await.expect(200);

    let reply = browser.submit(DELETE, DELETE, &[("password", PASSWORD)]).await.expect(303);
    assert!(browser.session_cookie().is_none(), "the cookie is taken back");
    let page = browser.get(reply.location()).await.expect(200).words();
    assert!(page.contains("Your account is deleted"), "{page}");
    elsewhere.get("/").await.expect(303);
    ends("the socket", &mut socket, SECOND).await;
    Browser::new(&program).sign_in("ada", PASSWORD).await.expect(401);
    let mail = mailbox.wait_for("ada@example.com", "was deleted").await;
    assert!(mail.subject.starts_with("Your account at "), "{}", mail.subject);
    let again = program.command(
        &[
            "user",
            "add",
            "ada",
            "--email",
            "eve@example.com",
            "--first-name",
            "E",
            "--last-name",
            "S",
            "--password-stdin",
        ],
        PASSWORD,
    );
    assert!(!again.status.success(), "the name is given to nobody else");
    let output = program.output();
    assert!(output.contains("event=\"deleted\"") && output.contains("actor=\"self\""), "{output}");
}

#[tokio::test]
async fn the_last_administrator_cannot_leave_before_another_comes() {
    let (_mailbox, _upstream, program, _ada) = stage().await;
    program.add_person("root2", PASSWORD, true);
    let mut browser = Browser::new(&program).signed_in("root2", PASSWORD).await;
    let reply = browser.submit(DELETE, DELETE, &[("password", PASSWORD)]).await.expect(422);
    assert!(reply.words().contains("You are the last administrator here."), "{}", reply.words());
    browser.get("/").await.expect(200);
    program.add_person("grace", PASSWORD, true);
    browser.submit(DELETE, DELETE, &[("password", PASSWORD)]).await.expect(303);
    Browser::new(&program).sign_in("root2", PASSWORD).await.expect(401);
}

#[tokio::test]
async fn leaving_asks_for_a_recent_sign_in_before_it_looks_at_the_password() {
    let (_mailbox, _upstream, program, mut browser) = stage().await;
    let page = browser.get(DELETE).await.expect(200);
    let csrf = html::input_value(&page.text(), "csrf").unwrap();
    program.clock.as_ref().unwrap().advance(Duration::from_secs(11 * 60));
    for password in [PASSWORD, "not the password"] {
        let reply = browser.post(DELETE, &[("password", password), ("csrf", &csrf)]).await.expect(303);
        assert!(reply.location().starts_with("/.auth/login?again=1"), "{}", reply.location());
    }
    browser.get("/").await.expect(200);
}

/// The first column of every row, as bytes.
async fn column(program: &Program, sql: &'static str) -> Vec<Vec<u8>> {
    let file = program.data.join("accounts.db");
    let pool = sqlx::SqlitePool::connect(&format!("sqlite:{}", file.display())).await.unwrap();
    let rows: Vec<Vec<u8>> = sqlx::query_scalar(sql).fetch_all(&pool).await.unwrap();
    pool.close().await;
    assert!(!rows.is_empty(), "nothing to look for: {sql}");
    rows
}

#[tokio::test]
async fn everything_kept_of_a_person_comes_as_a_file_without_secrets_or_other_people() {
    let stage = second_factor::stage_with(|setup| setup.moved_clock = true).await;
    stage.program.add_person("grace", PASSWORD, false);
    Browser::new(&stage.program).signed_in("grace", PASSWORD).await;
    let (mut browser, app) = authenticator::enrolled(&stage).await;
    let mut key = Key::new(&stage.program.origin());
    passkeys::add(&mut browser, &mut key, "Yubi").await.expect(303);
    stage.enrol(&mut browser, "KE", second_factor::LOCAL, "sms").await.expect(303);
    let code = stage.twilio.code_for(second_factor::NUMBER).unwrap();
    let page = "/.auth/second-factor/phone";
    browser.submit(page, page, &[("code", &code)]).await.expect(303);
    let page = "/.auth/second-factor/recovery-codes";
    let codes = browser.submit(page, page, &[]).await.expect(200).text();
    let codes: Vec<String> =
        codes.split("<pre>").nth(1).unwrap().split("</pre>").next().unwrap().lines().map(str::to_owned).collect();

    assert!(browser.get("/.auth/profile").await.text().contains("href=\"/.auth/profile/data\""), "linked");
    let file = eventually("the sign-in in the trail", PROMPTLY, async || {
        let file = browser.get(DATA).await.expect(200);
        file.text().contains("signed-in").then_some(file)
    })
    .await;
    assert_eq!(file.field("content-type"), "application/json");
    assert_eq!(file.field("content-disposition"), "attachment; filename=\"vestibule-ada.json\"");
    assert_eq!(file.field("cache-control"), "no-store");
    let known = file.json();
    assert_eq!(known["account"]["username"], "ada");
    assert_eq!(known["account"]["email"], "ada@example.com");
    assert_eq!(known["recovery_codes_left"], 10);
    let factors: Vec<_> = known["second_factors"].as_array().unwrap().iter().collect();
    let kinds: Vec<_> = factors.iter().map(|factor| factor["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["app", "passkey", "phone"]);
    assert_eq!((&factors[1]["name"], &factors[2]["to"]), (&"Yubi".into(), &"•••• 56".into()));
    assert_eq!(known["sessions"][0]["this_one"], true);
    assert_eq!(known["sessions"][0]["network"], "127.0.0.0/24");
    assert_eq!(known["devices"].as_array().unwrap().len(), 1);
    let since = known["account"]["member_since"].as_str().unwrap();
    assert!(since.len() == 20 && since.ends_with('Z'), "{since}");

    let text = file.text();
    let mut secrets = vec![PASSWORD.to_owned(), app.secret, second_factor::NUMBER.to_owned(), "grace".to_owned()];
    secrets.extend(codes.into_iter().filter(|code| !code.is_empty()));
    secrets.extend(browser.jar.values().cloned());
    for sql in [
        "SELECT CAST(password_hash AS BLOB) FROM accounts",
        "SELECT CAST(kind->>'sealed' AS BLOB) FROM factors WHERE kind LIKE '%sealed%'",
        "SELECT hash FROM recovery_codes",
        "SELECT credential_id FROM passkeys",
        "SELECT CAST(credential AS BLOB) FROM passkeys",
        "SELECT device FROM devices",
    ] {
        for bytes in column(&stage.program, sql).await {
            secrets.push(STANDARD_NO_PAD.encode(&bytes));
            secrets.push(URL_SAFE_NO_PAD.encode(&bytes));
            secrets.push(bytes.iter().map(|byte| format!("{byte:02x}")).collect());
            secrets.extend(String::from_utf8(bytes).ok());
        }
    }
    assert!(secrets.len() > 60, "{}", secrets.len());
    for secret in secrets {
        assert!(!text.contains(&secret), "{secret} stands in {text}");
    }
    let words = eventually("its own entry", PROMPTLY, async || {
        let words = browser.get("/.auth/activity").await.expect(200).words();
        words.contains("You downloaded your data").then_some(words)
    });
    words.await;
}

#[tokio::test]
async fn the_file_asks_for_a_recent_sign_in() {
    let (_mailbox, _upstream, program, mut browser) = stage().await;
    browser.get(DATA).await.expect(200);
    program.clock.as_ref().unwrap().advance(Duration::from_secs(11 * 60));
    let reply = browser.get(DATA).await.expect(303);
    assert!(reply.location().starts_with("/.auth/login?again=1"), "{}", reply.location());
    Browser::new(&program).get(DATA).await.expect(303);
}
