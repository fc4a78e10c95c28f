//! People leave, and take with them what is known of them.

use std::time::Duration;

use crate::{
    revocation::{SECOND, ends, open_socket},
    support::{
        client::Browser,
        html,
        mailbox::Mailbox,
        people::{PASSWORD, site},
        program::{Program, Setup},
        upstream::Upstream,
    },
};

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
