//! SCENARIO 11, "approve": who registers waits until an administrator lets them in.

use std::time::Duration;

use crate::{
    invitations::{button_of, path_of, stage, stage_with},
    support::{
        PROMPTLY,
        client::{Browser, Reply},
        eventually, html,
        people::PASSWORD,
        program::Program,
    },
};

pub const PEOPLE: &str = "/.auth/admin/people";
const WAITING: &str = "Your account is waiting for an administrator's approval.";

async fn confirm(program: &Program, link: &str) -> Reply {
    let target = path_of(link);
    let (_, token) = target.split_once("token=").unwrap();
    Browser::new(program).submit(&target, "/.auth/register/confirm", &[("token", token)]).await
}

/// What an answer says, without what is new in each.
fn said(reply: &Reply) -> (u16, String) {
    (reply.status.as_u16(), reply.words())
}

#[tokio::test]
async fn who_confirms_waits_until_an_administrator_approves_them() {
    let (mailbox, _upstream, program, mut boss) = stage("approve").await;
    let mut browser = Browser::new(&program);
    assert!(browser.get("/.auth/login").await.expect(200).words().contains("Create account"));
    let page = browser.get("/.auth/register").await.expect(200).words();
    assert!(page.contains("An administrator looks at new accounts"), "{page}");
    let sent = browser.register("ada", PASSWORD).await.expect(303).location().to_owned();
    assert!(browser.get(&sent).await.words().contains("An administrator looks at your account then."));
    let mail = mailbox.wait_for("ada@example.com", "confirm").await;
    let done = confirm(&program, &mail.link()).await.expect(303);
    let page = browser.get(done.location()).await.expect(200).words();
    assert!(page.contains("An administrator looks at it now"), "{page}");

    let reply = browser.sign_in("ada", PASSWORD).await.expect(401);
    assert!(reply.words().contains(WAITING), "{}", reply.words());
    assert!(browser.session_cookie().is_none());
    let told = mailbox.wait_for("boss@example.com", "1 person waits for your approval").await;
    assert!(!told.text.contains("ada") && !told.text.contains("Lovelace"), "no stranger's words: {}", told.text);
    let list = boss.get(&path_of(&told.link())).await.expect(200);
    assert!(list.words().contains("Ada Lovelace @ada Waiting"), "{}", list.words());
    let id = button_of(&list.text(), "@ada", "enable");
    let done = boss.submit(PEOPLE, PEOPLE, &[("enable", &id), ("state", "waiting")]).await.expect(303);
    assert!(boss.get(done.location()).await.words().contains("They are approved and can sign in."));
    let mail = mailbox.wait_for("ada@example.com", "is approved").await;
    assert_eq!(mail.link(), format!("{}/.auth/login", program.origin()));
    browser.sign_in("ada", PASSWORD).await.expect(303);
    browser.get("/").await.expect(200);
    let output = program.output();
    assert!(output.contains("event=\"approved\"") && output.contains("actor=\"administrator\""), "{output}");
}

#[tokio::test]
async fn before_the_right_password_a_waiting_account_is_like_none() {
    let (_mailbox, _upstream, program, _boss) =
        stage_with(|setup| setup.accounts = "registration = \"approve\"\nconfirm_email = false\n".into()).await;
    let mut browser = Browser::new(&program);
    let done = browser.register("ada", PASSWORD).await.expect(303);
    assert!(browser.get(done.location()).await.words().contains("An administrator looks at it now"));
    let wrong = browser.sign_in("ada", "another-wrong-one-17").await.expect(401);
    let nobody = Browser::new(&program).sign_in("nobody", "another-wrong-one-17").await.expect(401);
    assert_eq!(said(&wrong), said(&nobody));
    assert!(browser.sign_in("ada@example.com", PASSWORD).await.expect(401).words().contains(WAITING));
    // The way round by a new password is closed as well: the page is everybody's, and no mail leaves.
    let page =
        browser.submit("/.auth/password/forgot", "/.auth/password/forgot", &[("email", "ada@example.com")]).await;
    assert!(page.status.is_redirection() || page.status == 200, "{}", page.status);
}

#[tokio::test]
async fn a_declined_person_is_told_and_their_name_is_free_again() {
    let (mailbox, _upstream, program, mut boss) =
        stage_with(|setup| setup.accounts = "registration = \"approve\"\nconfirm_email = false\n".into()).await;
    Browser::new(&program).register("ada", PASSWORD).await.expect(303);
    let list = boss.get(&format!("{PEOPLE}?state=waiting")).await.expect(200).text();
    let id = button_of(&list, "@ada", "enable");
    let ask = format!("{PEOPLE}?decline={id}");
    assert!(list.contains("ada@example.com (not confirmed)"), "nobody proved it: {list}");
    assert!(list.contains(&ask), "a link, which asks first");
    let page = boss.get(&ask).await.expect(200).words();
    assert!(page.contains("Decline Ada Lovelace?") && page.contains("can't be undone"), "{page}");
    assert!(Browser::new(&program).sign_in("ada", PASSWORD).await.words().contains(WAITING), "looking declines nobody");
    boss.submit(&ask, PEOPLE, &[("decline", &id)]).await.expect(303);
    mailbox.wait_for("ada@example.com", "was not approved").await;
    let gone = Browser::new(&program).sign_in("ada", PASSWORD).await.expect(401);
    assert!(!gone.words().contains(WAITING), "{}", gone.words());
    let again = boss.get(&ask).await.expect(303);
    assert!(again.location().ends_with("done=changed"), "{}", again.location());
    // No site ever saw it.
    Browser::new(&program).register("ada", PASSWORD).await.expect(303);
}

#[tokio::test]
async fn all_who_are_shown_are_declined_at_once_and_nobody_else() {
    let (mailbox, _upstream, program, mut boss) =
        stage_with(|setup| setup.accounts = "registration = \"approve\"\nconfirm_email = false\n".into()).await;
    for name in ["ada", "bob", "eve"] {
        Browser::new(&program).register(name, PASSWORD).await.expect(303);
    }
    let list = boss.get(&format!("{PEOPLE}?state=waiting")).await.expect(200).text();
    let link = list.split("href=\"").find(|rest| rest.contains(">Decline all shown<")).expect("a link");
    let link = link.split('"').next().unwrap().to_owned();
    // Who comes or is let in meanwhile is left alone.
    Browser::new(&program).register("late", PASSWORD).await.expect(303);
    program.run(&["user", "enable", "eve"], "");
    let page = boss.get(&link).await.expect(200);
    let words = page.words();
    assert!(words.contains("Decline 2 people?") && words.contains("@ada") && words.contains("@bob"), "{words}");
    assert!(!words.contains("@late") && !words.contains("@eve"), "{words}");
    let ids = html::input_value(&page.text(), "decline").unwrap();
    assert!(Browser::new(&program).sign_in("ada", PASSWORD).await.words().contains(WAITING), "looking declines nobody");
    boss.submit(&link, PEOPLE, &[("decline", &ids)]).await.expect(303);
    for name in ["ada", "bob"] {
        mailbox.wait_for(&format!("{name}@example.com"), "was not approved").await;
        let gone = Browser::new(&program).sign_in(name, PASSWORD).await.expect(401);
        assert!(!gone.words().contains(WAITING), "{}", gone.words());
    }
    assert!(Browser::new(&program).sign_in("late", PASSWORD).await.words().contains(WAITING));
    Browser::new(&program).sign_in("eve", PASSWORD).await.expect(303);
}

// The sink takes the command's mails while the test waits for the command.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_shows_approves_and_declines_beside_the_server() {
    let (mailbox, _upstream, program, _boss) =
        stage_with(|setup| setup.accounts = "registration = \"approve\"\nconfirm_email = false\n".into()).await;
    for name in ["ada", "bob"] {
        Browser::new(&program).register(name, PASSWORD).await.expect(303);
    }
    assert_eq!(program.run(&["user", "list"], "").matches("waiting for approval").count(), 2);
    assert!(program.run(&["user", "show", "ada"], "").contains("waiting for approval"));
    let json: serde_json::Value = serde_json::from_str(&program.run(&["user", "show", "ada", "--json"], "")).unwrap();
    assert!(json["waiting_since"].is_string() && json["disabled"] == false, "{json}");
    assert!(program.run(&["user", "disable", "bob"], "").contains("waits for approval"));
    assert!(program.run(&["user", "enable", "ada"], "").contains("is approved"));
    eventually("ada to sign in", PROMPTLY, async || {
        (Browser::new(&program).sign_in("ada", PASSWORD).await.status == 303).then_some(())
    })
    .await;
    mailbox.wait_for("ada@example.com", "is approved").await;
    assert!(program.run(&["user", "delete", "bob"], "").contains("is declined"));
    mailbox.wait_for("bob@example.com", "was not approved").await;
    let gone = Browser::new(&program).sign_in("bob", PASSWORD).await.expect(401);
    assert!(!gone.words().contains(WAITING), "{}", gone.words());
}

#[tokio::test]
async fn a_flood_of_registrations_mails_administrators_once_an_hour() {
    let (mailbox, _upstream, program, _boss) =
        stage_with(|setup| setup.accounts = "registration = \"approve\"\nconfirm_email = false\n".into()).await;
    for number in 0..6 {
        Browser::new(&program).register(&format!("ada{number}"), PASSWORD).await.expect(303);
    }
    mailbox.wait_for("boss@example.com", "for your approval").await;
    program.clock.as_ref().unwrap().advance(Duration::from_secs(3700));
    Browser::new(&program).register("ada6", PASSWORD).await.expect(303);
    mailbox.wait_for("boss@example.com", "7 people wait for your approval").await;
    let all = mailbox.all().await;
    let told = all.iter().filter(|mail| mail.subject.contains("for your approval")).count();
    assert_eq!(told, 2, "{:?}", all.iter().map(|mail| &mail.subject).collect::<Vec<_>>());
}

#[tokio::test]
async fn when_a_thousand_wait_registration_rests_for_everybody_alike() {
    let (_mailbox, _upstream, program, _boss) =
        stage_with(|setup| setup.accounts = "registration = \"approve\"\nconfirm_email = false\n".into()).await;
    let login = Browser::new(&program).get("/.auth/login").await.text();
    let mut browser = Browser::new(&program);
    browser.get("/.auth/register").await.expect(200);
    let file = program.data.join("accounts.db");
    let pool = sqlx::SqlitePool::connect(&format!("sqlite:{}", file.display())).await.unwrap();
    sqlx::query(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
        INSERT INTO accounts (id, username, email, email_key, email_confirmed, first_name, last_name, about_me,
        password_hash, disabled, chose_username, generation, created_at, waiting_since)
        SELECT 'w' || i, 'w' || i, 'w' || i || '@example.com', 'w' || i || '@example.com', TRUE, 'W', 'W', '', '-', TRUE,
        TRUE, 0, 0, 1 FROM n",
    )
    .execute(&pool)
    .await
    .unwrap();
    pool.close().await;
    let page = Browser::new(&program).get("/.auth/register").await.expect(503);
    assert!(page.words().contains("Too many people wait"), "{}", page.words());
    assert_eq!(page.field("retry-after"), "3600");
    let csrf = html::input_value(&browser.get("/.auth/login").await.text(), "csrf").unwrap();
    assert_ne!(login, "");
    for (name, email) in [("new", "new@example.com"), ("w1", "w1@example.com"), ("boss", "boss@example.com")] {
        let fields = [
            ("first_name", "A"),
            ("last_name", "B"),
            ("username", name),
            ("email", email),
            ("password", PASSWORD),
            ("password_confirm", PASSWORD),
            ("csrf", csrf.as_str()),
        ];
        let reply = browser.post("/.auth/register", &fields).await.expect(503);
        assert!(reply.words().contains("Too many people wait"), "{}", reply.words());
    }
}
