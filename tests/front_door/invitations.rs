//! SCENARIO 11, "invite": administrators invite people, and nobody else comes in.

use std::time::Duration;

use crate::support::{
    client::{Browser, Reply, encode, navigation},
    html,
    mailbox::Mailbox,
    people::{OTHER_PASSWORD, PASSWORD},
    program::{Program, Setup},
    services,
    upstream::Upstream,
};

pub const INVITATIONS: &str = "/.auth/admin/invitations";
const REGISTER: &str = "/.auth/register";

/// A site with mail, a root who administrates, and a clock to move.
pub async fn stage(registration: &str) -> (Mailbox, Upstream, Program, Browser) {
    stage_with(|setup| setup.accounts = format!("registration = \"{registration}\"\n")).await
}

pub async fn stage_with(change: impl FnOnce(&mut Setup)) -> (Mailbox, Upstream, Program, Browser) {
    let (mailbox, upstream) = (Mailbox::start().await, Upstream::start().await);
    let mut setup = Setup::before(&upstream.url());
    setup.mail = format!("transport = \"{}\"\nfrom = \"Vestibule <no-reply@example.com>\"\n", mailbox.transport());
    setup.moved_clock = true;
    change(&mut setup);
    let program = setup.start().await;
    program.ready().await;
    program.add_person("boss", PASSWORD, true);
    let boss = Browser::new(&program).signed_in("boss", PASSWORD).await;
    (mailbox, upstream, program, boss)
}

/// Makes an invitation; the link's path and query.
async fn invite(boss: &mut Browser, email: &str, groups: &str) -> String {
    let fields = [("email", email), ("groups", groups), ("days", "7")];
    let page = boss.submit(INVITATIONS, INVITATIONS, &fields).await.expect(200);
    path_of(&html::input_value(&page.text(), "link").expect("the link, to copy"))
}

pub fn path_of(link: &str) -> String {
    let url = url::Url::parse(link).unwrap();
    format!("{}?{}", url.path(), url.query().unwrap())
}

fn person<'a>(username: &'a str, email: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("first_name", "Ada"),
        ("last_name", "Lovelace"),
        ("username", username),
        ("email", email),
        ("password", PASSWORD),
        ("password_confirm", PASSWORD),
    ]
}

/// Registers with the link of an invitation.
async fn register(browser: &mut Browser, link: &str, username: &str, email: &str, more: &[(&str, &str)]) -> Reply {
    let (_, token) = link.split_once("invitation=").unwrap();
    let mut fields = person(username, email);
    fields.push(("invitation", token));
    fields.extend(more);
    browser.submit(link, REGISTER, &fields).await
}

async fn confirm(program: &Program, link: &str) -> Reply {
    let target = path_of(link);
    let (_, token) = target.split_once("token=").unwrap();
    Browser::new(program).submit(&target, "/.auth/register/confirm", &[("token", token)]).await
}

#[tokio::test]
async fn without_an_invitation_the_page_says_that_one_is_needed() {
    let (_mailbox, _upstream, program, _boss) = stage("invite").await;
    let mut browser = Browser::new(&program);
    let login = browser.get("/.auth/login").await.expect(200);
    assert!(!login.words().contains("Create account"), "{}", login.words());
    let page = browser.get(REGISTER).await.expect(403).words();
    assert!(page.contains("You need an invitation"), "{page}");
    let csrf = html::input_value(&login.text(), "csrf").unwrap();
    let mut fields = person("ada", "ada@example.com");
    fields.push(("csrf", &csrf));
    browser.post(REGISTER, &fields).await.expect(403);
    for token in ["x", "ä", &"A".repeat(43)] {
        let mut dead = fields.clone();
        dead.push(("invitation", token));
        browser.post(REGISTER, &dead).await.expect(410);
        browser.get(&format!("{REGISTER}?invitation={}", urlencode(token))).await.expect(410);
    }
    browser.sign_in("ada", PASSWORD).await.expect(401);
}

fn urlencode(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[tokio::test]
async fn an_invitation_makes_one_account_even_when_raced_and_looking_uses_nothing_up() {
    let (_mailbox, _upstream, program, mut boss) =
        stage_with(|setup| setup.accounts = "registration = \"invite\"\nconfirm_email = false\n".into()).await;
    let link = invite(&mut boss, "", "").await;
    for method in [http::Method::GET, http::Method::HEAD, http::Method::GET] {
        let reply = Browser::new(&program).send(method, &link, &navigation("none"), bytes::Bytes::new()).await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.field("referrer-policy"), "no-referrer", "the link holds the token");
    }
    let mut racers = Vec::new();
    for number in 0..6 {
        let (mut browser, link) = (Browser::new(&program), link.clone());
        racers.push(tokio::spawn(async move {
            let (name, email) = (format!("ada{number}"), format!("ada{number}@example.com"));
            let reply = register(&mut browser, &link, &name, &email, &[]).await;
            (reply.status == 303).then_some(name)
        }));
    }
    let mut winners = Vec::new();
    for racer in racers {
        winners.extend(racer.await.unwrap());
    }
    assert_eq!(winners.len(), 1, "{winners:?}");
    Browser::new(&program).sign_in(&winners[0], PASSWORD).await.expect(303);
    let page = Browser::new(&program).get(&link).await.expect(410).words();
    assert!(page.contains("used or revoked"), "{page}");
}

#[tokio::test]
async fn an_invitation_gives_its_groups_and_no_others_and_outlives_a_mistake_in_the_form() {
    let (mailbox, _upstream, program, mut boss) = stage("invite").await;
    let link = invite(&mut boss, "", "wiki, staff").await;
    let mut browser = Browser::new(&program);
    // Whatever else a form brings: who is invited chooses nothing but their person.
    let greedy = [("groups", "admin"), ("days", "30"), ("email_confirmed", "true")];
    let reply = register(&mut browser, &link, "root", "ada@example.com", &greedy).await.expect(422);
    assert!(html::input_value(&reply.text(), "invitation").is_some(), "the form keeps the invitation");
    register(&mut browser, &link, "ada", "ada@example.com", &greedy).await.expect(303);
    Browser::new(&program).sign_in("ada", PASSWORD).await.expect(401);
    Browser::new(&program).get(&link).await.expect(200);
    let mail = mailbox.wait_for("ada@example.com", "confirm").await;
    confirm(&program, &mail.link()).await.expect(303);
    Browser::new(&program).get(&link).await.expect(410);
    let mut ada = Browser::new(&program).signed_in("ada", PASSWORD).await;
    let me = ada.api("/.auth/me").await.json();
    assert_eq!(me["groups"], serde_json::json!(["staff", "wiki"]), "{me}");
    let output = program.output();
    assert!(output.contains("event=\"invited\"") && output.contains("event=\"invitation-made\""), "{output}");
    let (_, token) = link.split_once("invitation=").unwrap();
    assert!(!output.contains(token), "never in a log");
}

#[tokio::test]
async fn a_mailed_invitation_prefills_its_address_and_proves_it() {
    let (mailbox, _upstream, program, mut boss) = stage("invite").await;
    let shown = invite(&mut boss, "Ada@example.com", "staff").await;
    let mail = mailbox.wait_for("Ada@example.com", "You are invited to").await;
    assert!(mail.link().starts_with(&program.origin()), "the link follows the configuration: {}", mail.link());
    let link = path_of(&mail.link());
    assert_ne!(link, shown);
    let mut browser = Browser::new(&program);
    let page = browser.get(&link).await.expect(200);
    assert_eq!(html::input_value(&page.text(), "email").as_deref(), Some("Ada@example.com"));
    assert!(page.words().contains("You are invited."), "{}", page.words());
    let reply = register(&mut browser, &link, "eve", "eve@example.com", &[]).await.expect(422);
    assert!(reply.words().contains("This invitation is for Ada@example.com."), "{}", reply.words());
    let reply = register(&mut browser, &link, "ada", "ada@EXAMPLE.com", &[]).await.expect(303);
    assert!(reply.location().starts_with("/.auth/login?done=ready"), "{}", reply.location());
    let mut ada = Browser::new(&program).signed_in("ada", PASSWORD).await;
    assert!(ada.get("/.auth/profile").await.words().contains("confirmed"));
    let me = ada.api("/.auth/me").await.json();
    assert_eq!(me["email"], "Ada@example.com", "the address that was mailed: {me}");
    Browser::new(&program).get(&shown).await.expect(410);
    assert_eq!(mailbox.all().await.iter().filter(|mail| mail.subject.starts_with("Confirm")).count(), 0);
}

#[tokio::test]
async fn the_link_an_administrator_was_shown_does_not_prove_an_address() {
    let (mailbox, _upstream, program, mut boss) = stage("invite").await;
    let shown = invite(&mut boss, "ceo@example.com", "").await;
    let mut browser = Browser::new(&program);
    let reply = register(&mut browser, &shown, "ada", "ceo@example.com", &[]).await.expect(303);
    assert!(reply.location().starts_with("/.auth/register/sent"), "{}", reply.location());
    Browser::new(&program).sign_in("ada", PASSWORD).await.expect(401);
    let mail = mailbox.wait_for("ceo@example.com", "confirm").await;
    confirm(&program, &mail.link()).await.expect(303);
    Browser::new(&program).sign_in("ada", PASSWORD).await.expect(303);
}

#[tokio::test]
async fn revoked_and_expired_invitations_are_gone() {
    let (_mailbox, _upstream, program, mut boss) = stage("invite").await;
    let (revoked, expired) = (invite(&mut boss, "", "one").await, invite(&mut boss, "", "two").await);
    let page = boss.get(INVITATIONS).await.expect(200);
    assert!(page.words().contains("Open invitations") && page.words().contains("made by @boss"), "{}", page.words());
    let (_, token) = revoked.split_once("invitation=").unwrap();
    assert!(!page.text().contains(token), "shown once");
    let id = button_of(&page.text(), "one", "revoke");
    let done = boss.submit(INVITATIONS, INVITATIONS, &[("revoke", &id)]).await.expect(303);
    assert!(boss.get(done.location()).await.words().contains("That invitation is revoked."));
    let again = boss.submit(INVITATIONS, INVITATIONS, &[("revoke", &id)]).await.expect(303);
    assert!(again.location().ends_with("done=no-invitation"), "{}", again.location());
    Browser::new(&program).get(&revoked).await.expect(410);
    Browser::new(&program).get(&expired).await.expect(200);
    program.clock.as_ref().unwrap().advance(Duration::from_secs(7 * 86_400));
    Browser::new(&program).get(&expired).await.expect(410);
}

/// The value of the button of that name in the list's entry that holds `text`.
pub fn button_of(page: &str, text: &str, name: &str) -> String {
    let entry = page.split("<dt>").skip(1).find(|entry| entry.contains(text)).unwrap_or_else(|| panic!("no {text}"));
    html::tags(entry, "button")
        .find(|tag| html::attribute(tag, "name").as_deref() == Some(name))
        .and_then(|tag| html::attribute(tag, "value"))
        .unwrap_or_else(|| panic!("no {name} for {text}: {entry}"))
}

#[tokio::test]
async fn only_administrators_invite_and_only_soon_after_they_signed_in() {
    let (_mailbox, _upstream, program, mut boss) = stage("invite").await;
    program.add_person("ada", PASSWORD, false);
    let login = Browser::new(&program).get(INVITATIONS).await.expect(303).location().to_owned();
    assert!(login.starts_with("/.auth/login?return_to="), "{login}");
    let mut ada = Browser::new(&program).signed_in("ada", PASSWORD).await;
    let page = ada.get(INVITATIONS).await.expect(403).words();
    assert!(page.contains("this page is for group admin"), "{page}");
    let csrf = html::input_value(&ada.get("/.auth/sessions").await.text(), "csrf").unwrap();
    let fields = [("email", ""), ("groups", "admin"), ("days", "7"), ("csrf", csrf.as_str())];
    ada.post(INVITATIONS, &fields).await.expect(403);
    assert!(!ada.get("/.auth/profile").await.text().contains("admin/people"));

    let page = boss.get(INVITATIONS).await.expect(200);
    let csrf = html::input_value(&page.text(), "csrf").unwrap();
    let fields = [("email", ""), ("groups", "admin"), ("days", "7"), ("csrf", csrf.as_str())];
    for (fields, origin) in [(&fields[..3], program.origin()), (&fields[..], "http://evil.example".to_owned())] {
        let head = [("content-type", "application/x-www-form-urlencoded"), ("origin", origin.as_str())];
        let reply = boss.send(http::Method::POST, INVITATIONS, &head, encode(fields)).await.expect(403);
        assert!(!reply.text().contains("register?invitation="), "nothing is made: {}", reply.text());
    }
    program.clock.as_ref().unwrap().advance(Duration::from_secs(11 * 60));
    let reply = boss.post(INVITATIONS, &fields).await.expect(303);
    assert!(reply.location().starts_with("/.auth/login?again=1"), "{}", reply.location());
    let mut boss = Browser::new(&program).signed_in("boss", PASSWORD).await;
    assert!(!boss.get(INVITATIONS).await.expect(200).words().contains("Open invitations"), "nothing was made");
}

#[tokio::test]
async fn what_an_ended_administrator_left_behind_opens_nothing() {
    let (_mailbox, _upstream, program, mut boss) = stage("invite").await;
    let link = invite(&mut boss, "", "admin").await;
    program.add_person("other", PASSWORD, true);
    program.run(&["user", "groups", "boss", "--none"], "");
    Browser::new(&program).get(&link).await.expect(410);
}

#[tokio::test]
async fn what_a_thief_invited_with_an_administrators_session_ends_with_the_reset_by_mail() {
    let (mailbox, _upstream, program, mut boss) = stage("invite").await;
    let link = invite(&mut boss, "", "admin").await;
    let told = mailbox.wait_for("boss@example.com", "A new invitation to").await;
    assert!(told.text.contains("whoever has the link") && told.text.contains("admin"), "{}", told.text);
    assert!(told.text.contains("If this wasn't you") && told.link().ends_with("/.auth/admin/invitations"));
    Browser::new(&program).get(&link).await.expect(200);
    let forgot = "/.auth/password/forgot";
    Browser::new(&program).submit(forgot, forgot, &[("email", "boss@example.com")]).await;
    let reset = path_of(&mailbox.wait_for("boss@example.com", "Choose a new password").await.link());
    let (_, token) = reset.split_once("token=").unwrap();
    let fields = [("token", token), ("password", OTHER_PASSWORD), ("password_confirm", OTHER_PASSWORD)];
    Browser::new(&program).submit(&reset, "/.auth/password/reset", &fields).await.expect(303);
    Browser::new(&program).get(&link).await.expect(410);
    let told = mailbox.wait_for("boss@example.com", "was changed").await;
    assert!(told.text.contains("are revoked"), "{}", told.text);
    boss.get(INVITATIONS).await.expect(303);
}

#[tokio::test]
async fn where_registration_is_closed_the_page_says_which_key_to_change() {
    let (_mailbox, _upstream, program, mut boss) = stage("closed").await;
    let page = boss.get(INVITATIONS).await.expect(200).words();
    assert!(page.contains("Registration is closed here") && page.contains("accounts.registration"), "{page}");
    let csrf = html::input_value(&boss.get(INVITATIONS).await.text(), "csrf").unwrap();
    let fields = [("email", "ada@example.com"), ("groups", ""), ("days", "7"), ("csrf", csrf.as_str())];
    let page = boss.post(INVITATIONS, &fields).await;
    assert!(!page.text().contains("invitation="), "{}", page.text());
    Browser::new(&program).get(&format!("{REGISTER}?invitation={}", "A".repeat(43))).await.expect(403);
}

#[tokio::test]
async fn in_open_and_approve_mode_and_on_postgres_an_invitation_gives_its_groups_at_once() {
    for registration in ["open", "approve"] {
        let database = services::postgres_database().await;
        let (_mailbox, _upstream, program, mut boss) = stage_with(|setup| {
            setup.accounts =
                format!("registration = \"{registration}\"\nconfirm_email = false\ndatabase = \"{database}\"\n");
        })
        .await;
        let link = invite(&mut boss, "", "staff").await;
        register(&mut Browser::new(&program), &link, "ada", "ada@example.com", &[]).await.expect(303);
        let mut ada = Browser::new(&program).signed_in("ada", PASSWORD).await;
        assert_eq!(ada.api("/.auth/me").await.json()["groups"], serde_json::json!(["staff"]), "{registration}");
    }
}

#[tokio::test]
async fn a_form_that_is_held_back_keeps_what_was_typed_and_its_invitation() {
    let (_mailbox, _upstream, program, mut boss) = stage("invite").await;
    let link = invite(&mut boss, "", "").await;
    let (_, token) = link.split_once("invitation=").unwrap();
    let mut browser = Browser::new(&program);
    let csrf = html::input_value(&browser.get(&link).await.text(), "csrf").unwrap();
    let mut weak = person("ada", "ada@example.com");
    weak.retain(|(name, _)| !name.starts_with("password"));
    weak.extend([("password", "weak"), ("password_confirm", "weak"), ("invitation", token), ("csrf", &csrf)]);
    let mut seen = Vec::new();
    for _ in 0..150 {
        let reply = browser.post(REGISTER, &weak).await;
        let page = reply.text();
        assert_eq!(html::input_value(&page, "first_name").as_deref(), Some("Ada"), "{}", reply.status);
        assert_eq!(html::input_value(&page, "invitation").as_deref(), Some(token), "{}", reply.status);
        seen.push(reply.status.as_u16());
        if reply.status == 429 {
            break;
        }
    }
    assert_eq!(seen.first(), Some(&422));
    assert_eq!(seen.last(), Some(&429), "held back in the end: {seen:?}");
    let mut forged = weak.clone();
    forged.retain(|(name, _)| *name != "csrf");
    let reply = browser.post(REGISTER, &forged).await.expect(403);
    assert_eq!(html::input_value(&reply.text(), "first_name").as_deref(), Some("Ada"));
}

#[tokio::test]
async fn made_up_invitations_are_counted_like_other_tries() {
    let (_mailbox, _upstream, program, mut boss) = stage("invite").await;
    let link = invite(&mut boss, "", "").await;
    let mut browser = Browser::new(&program);
    let mut last = http::StatusCode::OK;
    for _ in 0..150 {
        last = browser.get(&format!("{REGISTER}?invitation={}", "A".repeat(43))).await.status;
    }
    assert_eq!(last, 429);
    browser.get(&link).await.expect(429);
    program.clock.as_ref().unwrap().advance(Duration::from_secs(3600));
    browser.get(&link).await.expect(200);
}
