//! The profile: shown, edited, bad input explained.

use crate::support::{
    client::Browser,
    html,
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
