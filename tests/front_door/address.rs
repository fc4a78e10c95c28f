//! SCENARIOS 17, 19: an address changes by the link to the new one, and the old one can take it back.

use std::time::Duration;

use crate::{
    support::{
        client::{Browser, Reply},
        html,
        mailbox::{Mail, Mailbox},
        people::{OTHER_PASSWORD, PASSWORD},
        program::{Program, Setup},
    },
    tokens,
};

const PAGE: &str = "/.auth/profile/email";
const OLD: &str = "ada@example.com";
const NEW: &str = "ada@example.org";

/// Ada, signed in, before the demo that shows what a site is told.
async fn stage() -> (Mailbox, Program, Browser) {
    let mailbox = Mailbox::start().await;
    let mut setup = Setup::demo();
    setup.mail = format!("transport = \"{}\"\nfrom = \"no-reply@example.com\"\n", mailbox.transport());
    setup.moved_clock = true;
    let program = setup.start().await;
    program.ready().await;
    program.add_person("ada", PASSWORD, false);
    let browser = Browser::new(&program).signed_in("ada", PASSWORD).await;
    (mailbox, program, browser)
}

async fn ask(browser: &mut Browser, email: &str) -> Reply {
    browser.submit(PAGE, PAGE, &[("email", email)]).await
}

/// The path of a mail's link.
fn path(mail: &Mail) -> String {
    let url = url::Url::parse(&mail.link()).unwrap();
    format!("{}?{}", url.path(), url.query().unwrap())
}

/// Opens a link and presses its button.
pub async fn press(browser: &mut Browser, link: &str) -> Reply {
    let page = browser.get(link).await;
    let Some(token) = html::input_value(&page.text(), "token") else { return page };
    let csrf = html::input_value(&page.text(), "csrf").unwrap();
    browser.post(link.split('?').next().unwrap(), &[("token", &token), ("csrf", &csrf)]).await
}

/// Changes the address; answers the path that undoes it.
pub async fn change(mailbox: &Mailbox, program: &Program, browser: &mut Browser, from: &str, to: &str) -> String {
    ask(browser, to).await.expect(303);
    let link = path(&mailbox.wait_for(to, "new e-mail").await);
    press(&mut Browser::new(program), &link).await.expect(303);
    path(&mailbox.wait_for(from, "was changed").await)
}

#[tokio::test]
async fn the_link_to_the_new_address_changes_it_in_any_browser_and_nothing_else_does() {
    let (mailbox, program, mut browser) = stage().await;
    let profile = browser.get("/.auth/profile").await.expect(200);
    assert!(profile.text().contains("href=\"/.auth/profile/email\""), "linked from the profile");
    assert!(browser.get(PAGE).await.expect(200).words().contains(OLD));
    let reply = ask(&mut browser, NEW).await.expect(303);
    let said = browser.get(reply.location()).await.expect(200).words();
    assert!(said.contains("A mail is on its way to the new address.") && said.contains(OLD), "{said}");
    let link = path(&mailbox.wait_for(NEW, "new e-mail").await);
    let mut other = Browser::new(&program);
    for _ in 0..2 {
        // A mail scanner looks first.
        let page = other.get(&link).await.expect(200);
        assert_eq!(page.field("referrer-policy"), "no-referrer");
    }
    assert!(browser.get("/").await.expect(200).words().contains(OLD), "not by a look");
    let reply = press(&mut other, &link).await.expect(303);
    assert!(reply.location().starts_with("/.auth/login"), "{}", reply.location());
    assert!(other.get(reply.location()).await.expect(200).words().contains("Your e-mail is changed."));
    assert!(other.session_cookie().is_none(), "it signs nobody in");
    let site = browser.get("/").await.expect(200).words();
    assert!(site.contains(NEW) && !site.contains(OLD), "the owner's session knows: {site}");
    press(&mut other, &link).await.expect(410);
    let mail = mailbox.wait_for(OLD, "was changed").await;
    assert!(
        mail.text.contains("a•••@example.org") && mail.text.contains("Mails no longer come here."),
        "{}",
        mail.text
    );
    assert!(mail.text.contains("7 days") && !mail.text.contains(NEW), "{}", mail.text);
    Browser::new(&program).sign_in(NEW, PASSWORD).await.expect(303);
    Browser::new(&program).sign_in(OLD, PASSWORD).await.expect(401);
    let trail = browser.get("/.auth/activity").await.expect(200).words();
    assert!(trail.contains("You asked to change your e-mail") && trail.contains("was changed by the link"), "{trail}");
}

#[tokio::test]
async fn who_opens_the_link_where_they_are_signed_in_sees_it_on_their_profile() {
    let (mailbox, _program, mut browser) = stage().await;
    ask(&mut browser, NEW).await.expect(303);
    let link = path(&mailbox.wait_for(NEW, "new e-mail").await);
    let reply = press(&mut browser, &link).await.expect(303);
    let profile = browser.get(reply.location()).await.expect(200).words();
    assert!(profile.contains("Your e-mail is changed.") && profile.contains(NEW), "{profile}");
}

#[tokio::test]
async fn a_change_asks_for_a_recent_sign_in() {
    let (mailbox, program, mut browser) = stage().await;
    let page = browser.get(PAGE).await.expect(200);
    let csrf = html::input_value(&page.text(), "csrf").unwrap();
    program.clock.as_ref().unwrap().advance(Duration::from_secs(11 * 60));
    for reply in [browser.get(PAGE).await, browser.post(PAGE, &[("email", NEW), ("csrf", &csrf)]).await] {
        let reply = reply.expect(303);
        assert!(reply.location().starts_with("/.auth/login?again=1"), "{}", reply.location());
    }
    assert!(mailbox.all().await.is_empty());
}

#[tokio::test]
async fn an_address_that_is_taken_is_answered_like_a_free_one() {
    let (mailbox, program, mut browser) = stage().await;
    program.add_person("grace", PASSWORD, false);
    let free = ask(&mut browser, NEW).await.expect(303);
    let taken = ask(&mut browser, "grace@example.com").await.expect(303);
    assert_eq!(free.location(), taken.location());
    let mail = mailbox.wait_for("grace@example.com", "already have an account").await;
    assert!(mail.text.contains("nothing was changed") && !mail.text.contains("token="), "{}", mail.text);
    let mut last = taken;
    for number in 0..5 {
        last = ask(&mut browser, &format!("n{number}@example.org")).await;
    }
    last.expect(429);
}

#[tokio::test]
async fn a_reset_link_dies_with_an_address_change() {
    let (mailbox, program, mut browser) = stage().await;
    let page = "/.auth/password/forgot";
    Browser::new(&program).submit(page, page, &[("email", OLD)]).await.expect(303);
    let reset = path(&mailbox.wait_for(OLD, "new password").await);
    Browser::new(&program).get(&reset).await.expect(200);
    change(&mailbox, &program, &mut browser, OLD, NEW).await;
    Browser::new(&program).get(&reset).await.expect(410);
}

#[tokio::test]
async fn an_undo_ends_every_session_and_gives_the_account_back() {
    let (mailbox, program, mut thief) = stage().await;
    let undo = change(&mailbox, &program, &mut thief, OLD, "thief@example.org").await;
    // A second change, and links held for later, do not help.
    let second = change(&mailbox, &program, &mut thief, "thief@example.org", "hideout@example.org").await;
    let access = tokens::made(&mut thief, "a way back in").await;
    let page = "/.auth/password/forgot";
    Browser::new(&program).submit(page, page, &[("email", "hideout@example.org")]).await.expect(303);
    let held_reset = path(&mailbox.wait_for("hideout@example.org", "new password").await);
    ask(&mut thief, "third@example.org").await.expect(303);
    let held_change = path(&mailbox.wait_for("third@example.org", "new e-mail").await);

    let mut owner = Browser::new(&program);
    let page = owner.get(&undo).await.expect(200);
    assert!(page.words().contains(OLD) && page.words().contains("Undo the change"), "{}", page.words());
    let reply = press(&mut owner, &undo).await.expect(303);
    let said = owner.get(reply.location()).await.expect(200).words();
    assert!(said.contains("The change is undone") && said.contains("new password"), "{said}");
    assert!(said.contains("access tokens no longer work"), "{said}");
    assert!(owner.session_cookie().is_none());
    tokens::bearer(&mut tokens::script(&program), "/", &access).await.expect(401);

    thief.get("/").await.expect(303);
    Browser::new(&program).sign_in("ada", PASSWORD).await.expect(401);
    for link in [&undo, &second, &held_reset, &held_change] {
        Browser::new(&program).get(link).await.expect(410);
        press(&mut thief, link).await.expect(410);
    }
    let mail = mailbox.wait_for(OLD, "new password").await;
    let said = html::words(&mail.html);
    assert!(said.contains("your password and your access tokens stopped working"), "{said}");
    let reset = path(&mail);
    let page = owner.get(&reset).await.expect(200).text();
    let (csrf, token) = (html::input_value(&page, "csrf").unwrap(), html::input_value(&page, "token").unwrap());
    let fields =
        [("token", &*token), ("password", OTHER_PASSWORD), ("password_confirm", OTHER_PASSWORD), ("csrf", &*csrf)];
    owner.post("/.auth/password/reset", &fields).await.expect(303);
    let mut owner = Browser::new(&program).signed_in(OLD, OTHER_PASSWORD).await;
    assert!(owner.get("/").await.expect(200).words().contains(OLD));
    let activity = owner.get("/.auth/activity").await.words();
    assert!(activity.contains("undone by the link to the old one"), "{activity}");
    assert!(activity.contains("Your access tokens ended"), "{activity}");
}

#[tokio::test]
async fn an_undo_runs_out_after_seven_days_and_nobody_registers_the_address_before() {
    let (mailbox, program, mut browser) = stage().await;
    let undo = change(&mailbox, &program, &mut browser, OLD, NEW).await;
    let register = async |username: &str| {
        let fields = [
            ("first_name", "Eve"),
            ("last_name", "Stranger"),
            ("username", username),
            ("email", OLD),
            ("password", OTHER_PASSWORD),
            ("password_confirm", OTHER_PASSWORD),
        ];
        Browser::new(&program).submit("/.auth/register", "/.auth/register", &fields).await.expect(303)
    };
    register("eve").await;
    let mail = mailbox.wait_for(OLD, "not free yet").await;
    assert!(!mail.text.contains("token="), "{}", mail.text);
    let clock = program.clock.as_ref().unwrap();
    clock.advance(Duration::from_hours(7 * 24) - Duration::from_mins(10));
    Browser::new(&program).get(&undo).await.expect(200);
    clock.advance(Duration::from_mins(10));
    Browser::new(&program).get(&undo).await.expect(410);
    register("eve2").await;
    mailbox.wait_for(OLD, "confirm your e-mail").await;
}
