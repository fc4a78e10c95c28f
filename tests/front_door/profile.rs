//! The profile: shown, edited, bad input explained.

use crate::support::{
    client::Browser,
    html,
    mailbox::Mailbox,
    people::PASSWORD,
    program::{Program, Setup},
};

async fn registered() -> (Program, Browser) {
    let program = Setup::demo().start().await;
    program.ready().await;
    Browser::new(&program).register("ada", PASSWORD).await.expect(303);
    let browser = Browser::new(&program).signed_in("ada", PASSWORD).await;
    (program, browser)
}

#[tokio::test]
async fn the_profile_shows_who_one_is() {
    let (_program, mut browser) = registered().await;
    let page = browser.get("/.auth/profile").await.expect(200);
    let words = page.words();
    for word in [
        "Ada Lovelace",
        "@ada",
        "ada@example.com",
        "Member since",
        "last seen",
        "Edit profile",
        "Change password",
        "Enable two-factor authentication",
    ] {
        assert!(words.contains(word), "{word}: {words}");
    }
    assert!(page.text().contains("<svg"), "an avatar drawn here");
    assert!(page.text().contains("<time"), "{words}");
}

#[tokio::test]
async fn edits_show_at_once_everywhere() {
    let (_program, mut browser) = registered().await;
    let fields = [
        ("first_name", "Augusta"),
        ("last_name", "King"),
        ("username", "countess"),
        ("about_me", "Notes on <engines> & more 🦉"),
    ];
    browser.submit("/.auth/profile/edit", "/.auth/profile/edit", &fields).await.expect(303);
    let page = browser.get("/.auth/profile").await.expect(200);
    assert!(page.words().contains("Augusta King") && page.words().contains("@countess"), "{}", page.words());
    assert!(page.words().contains("Notes on <engines> & more 🦉") && !page.text().contains("<engines>"));
    assert_eq!(browser.api("/.auth/me").await.json()["username"], "countess");
    assert!(browser.get("/").await.words().contains("countess"), "the site behind knows, too");
}

#[tokio::test]
async fn mistakes_in_an_edit_are_explained_and_nothing_is_lost() {
    let (program, mut browser) = registered().await;
    program.add_person("grace", PASSWORD, false);
    let long = "x".repeat(141);
    for (fields, bad) in [
        ([("first_name", ""), ("last_name", "King"), ("username", "ada"), ("about_me", "")], "first_name"),
        ([("first_name", "Ada"), ("last_name", "King"), ("username", "grace"), ("about_me", "")], "username"),
        ([("first_name", "Ada"), ("last_name", "King"), ("username", "a b"), ("about_me", "")], "username"),
        ([("first_name", "Ada"), ("last_name", "King"), ("username", "ada"), ("about_me", long.as_str())], "about_me"),
    ] {
        let reply = browser.submit("/.auth/profile/edit", "/.auth/profile/edit", &fields).await.expect(422);
        let text = reply.text();
        let marked = ["input", "textarea"].into_iter().any(|element| {
            html::tags(&text, element).any(|tag| {
                html::attribute(tag, "name").as_deref() == Some(bad)
                    && html::attribute(tag, "aria-invalid").as_deref() == Some("true")
            })
        });
        assert!(marked, "{bad}: {}", reply.words());
        assert_eq!(html::input_value(&text, "last_name").as_deref(), Some("King"));
    }
    let exact: String = "é".repeat(140);
    let fields = [("first_name", "Ada"), ("last_name", "King"), ("username", "ada"), ("about_me", exact.as_str())];
    browser.submit("/.auth/profile/edit", "/.auth/profile/edit", &fields).await.expect(303);
}

#[tokio::test]
async fn who_did_not_choose_their_name_cannot_change_it() {
    let program = Setup::demo().start().await;
    program.ready().await;
    program.add_person("ada", PASSWORD, false);
    let mut browser = Browser::new(&program).signed_in("ada", PASSWORD).await;
    let fields = [("first_name", "Ada"), ("last_name", "King"), ("username", "boss"), ("about_me", "")];
    let reply = browser.submit("/.auth/profile/edit", "/.auth/profile/edit", &fields).await;
    assert!([303, 422].contains(&reply.status.as_u16()), "{}", reply.status);
    assert_eq!(browser.api("/.auth/me").await.json()["username"], "ada");
}

#[tokio::test]
async fn who_was_added_with_one_name_may_keep_it_so() {
    let program = Setup::demo().start().await;
    program.ready().await;
    let added = ["user", "add", "cher", "--email", "cher@example.com", "--first-name", "Cher", "--password-stdin"];
    program.run(&added, &format!("{PASSWORD}\n"));
    let mut browser = Browser::new(&program).signed_in("cher", PASSWORD).await;
    let page = browser.get("/.auth/profile/edit").await.expect(200).text();
    let field = html::tags(&page, "input").find(|tag| html::attribute(tag, "name").as_deref() == Some("last_name"));
    assert_eq!(html::attribute(field.unwrap(), "required"), None);
    let form = "/.auth/profile/edit";
    let mut save = async |last_name: &str| {
        let fields = [("first_name", "Cher"), ("last_name", last_name), ("username", "cher"), ("about_me", "Sings")];
        browser.submit(form, form, &fields).await.status.as_u16()
    };
    assert_eq!(save("").await, 303);
    assert_eq!(save("Bono").await, 303);
    assert_eq!(save("").await, 422, "a name that was given stays");
}

/// Registered while mails went to the terminal; then the operator set a mail server.
async fn unconfirmed() -> (Mailbox, Program, Browser) {
    let mut setup = Setup::demo();
    setup.moved_clock = true;
    let mut program = setup.start().await;
    program.ready().await;
    Browser::new(&program).register("ada", PASSWORD).await.expect(303);
    let mailbox = Mailbox::start().await;
    let config = std::fs::read_to_string(&program.config).unwrap();
    let mail = format!("[mail]\ntransport = \"{}\"\nfrom = \"no-reply@example.com\"\n", mailbox.transport());
    std::fs::write(&program.config, [config, mail].concat()).unwrap();
    program.terminate().await;
    program.resume().await;
    program.ready().await;
    let browser = Browser::new(&program).signed_in("ada", PASSWORD).await;
    (mailbox, program, browser)
}

async fn ask_to_confirm(browser: &mut Browser) -> crate::support::client::Reply {
    browser.submit("/.auth/profile", "/.auth/profile/confirm", &[]).await
}

async fn link(mailbox: &Mailbox) -> String {
    let mail = mailbox.wait_for("ada@example.com", "confirm your e-mail").await;
    let url = url::Url::parse(&mail.link()).unwrap();
    format!("{}?{}", url.path(), url.query().unwrap())
}

/// Opens the link, in any browser, and presses its button.
async fn press(browser: &mut Browser, link: &str) -> crate::support::client::Reply {
    let page = browser.get(link).await;
    let Some(token) = html::input_value(&page.text(), "token") else { return page };
    let csrf = html::input_value(&page.text(), "csrf").unwrap();
    browser.post("/.auth/email/confirm", &[("token", &token), ("csrf", &csrf)]).await
}

#[tokio::test]
async fn an_address_confirmed_later_reaches_the_site() {
    let (mailbox, _program, mut browser) = unconfirmed().await;
    assert!(!browser.get("/").await.expect(200).words().contains("ada@example.com"), "nobody vouches for it");
    assert!(browser.get("/.auth/profile").await.words().contains("not confirmed confirm"));
    let reply = ask_to_confirm(&mut browser).await.expect(303);
    let page = browser.get(reply.location()).await.expect(200);
    assert!(page.words().contains("A mail is on its way to your address."), "{}", page.words());
    let link = link(&mailbox).await;
    for _ in 0..2 {
        // A mail scanner looks first.
        browser.get(&link).await.expect(200);
    }
    let reply = press(&mut browser, &link).await.expect(303);
    let page = browser.get(reply.location()).await.expect(200);
    assert!(page.words().contains("Your e-mail is confirmed."), "{}", page.words());
    assert!(page.words().contains("ada@example.com confirmed"), "{}", page.words());
    let site = browser.get("/").await.expect(200).words();
    assert!(site.contains("Remote-Email") && site.contains("ada@example.com"), "{site}");
    press(&mut browser, &link).await.expect(410);
}

#[tokio::test]
async fn a_confirmation_link_works_in_another_browser_and_signs_nobody_in() {
    let (mailbox, program, mut browser) = unconfirmed().await;
    ask_to_confirm(&mut browser).await.expect(303);
    let mut other = Browser::new(&program);
    let reply = press(&mut other, &link(&mailbox).await).await.expect(303);
    assert!(reply.location().starts_with("/.auth/login"), "{}", reply.location());
    assert!(other.session_cookie().is_none());
    assert!(browser.get("/").await.expect(200).words().contains("ada@example.com"), "the owner's session knows");
}

#[tokio::test]
async fn a_confirmation_link_runs_out_and_asking_is_throttled() {
    let (mailbox, program, mut browser) = unconfirmed().await;
    browser.post("/.auth/profile/confirm", &[("csrf", "made-up")]).await.expect(403);
    Browser::new(&program).post("/.auth/profile/confirm", &[]).await.expect(401);
    ask_to_confirm(&mut browser).await.expect(303);
    let link = link(&mailbox).await;
    program.clock.as_ref().unwrap().advance(std::time::Duration::from_hours(24));
    press(&mut Browser::new(&program), &link).await.expect(410);
    let mut browser = Browser::new(&program).signed_in("ada", PASSWORD).await;
    let mut last = 303;
    for _ in 0..8 {
        last = ask_to_confirm(&mut browser).await.status.as_u16();
    }
    assert_eq!(last, 429);
}

#[tokio::test]
async fn nobody_is_given_a_rank_by_a_form() {
    let program = Setup::demo().start().await;
    program.ready().await;
    let mut browser = Browser::new(&program);
    let fields = [
        ("first_name", "Eve"),
        ("last_name", "X"),
        ("username", "eve"),
        ("email", "eve@example.com"),
        ("password", PASSWORD),
        ("password_confirm", PASSWORD),
        ("groups", "admin"),
        ("role", "admin"),
        ("admin", "1"),
        ("id", "1"),
        ("email_confirmed", "true"),
    ];
    browser.submit("/.auth/register", "/.auth/register", &fields).await.expect(303);
    let mut browser = Browser::new(&program).signed_in("eve", PASSWORD).await;
    assert_eq!(browser.api("/.auth/me").await.json()["groups"], serde_json::json!([]));
}

#[tokio::test]
async fn nobody_collects_usernames() {
    let program = Setup::demo().start().await;
    program.ready().await;
    let mut browser = Browser::new(&program);
    browser.register("eve", PASSWORD).await.expect(303);
    let mut browser = browser.signed_in("eve", PASSWORD).await;
    let rename = async |browser: &mut Browser, name: &str| {
        let fields = [("first_name", "Eve"), ("last_name", "X"), ("username", name), ("about_me", "")];
        browser.submit("/.auth/profile/edit", "/.auth/profile/edit", &fields).await
    };
    let mut taken = 0;
    for number in 0..15 {
        taken += usize::from(rename(&mut browser, &format!("name{number}")).await.status == 303);
    }
    assert!((3..=10).contains(&taken), "{taken} names");
    rename(&mut browser, "eve").await.expect(303);
    rename(&mut browser, "name0").await.expect(303);
    Browser::new(&program).register("name14", PASSWORD).await.expect(303);
}
