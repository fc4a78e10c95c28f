//! SCENARIOS 17, 18, 20: enabling and disabling the second factor.

use crate::{
    authenticator, passkeys, push,
    second_factor::{LOCAL, NUMBER, answer, stage, stage_with},
    support::{
        client::Browser,
        html,
        key::Key,
        people::{OTHER_PASSWORD, PASSWORD},
    },
};

#[tokio::test]
async fn numbers_are_entered_nationally_or_internationally_and_mistakes_explained() {
    let stage = stage().await;
    for (country, phone, expected) in [
        ("KE", "0712 123456", "+254712123456"),
        ("DE", "+254 712 123457", "+254712123457"),
        ("US", "(201) 555-0123", "+12015550123"),
        ("GB", "07400 123456", "+447400123456"),
    ] {
        stage.program.run(&["user", "list"], "");
        let mut browser = stage.signed_in().await;
        let reply = stage.enrol(&mut browser, country, phone, "sms").await;
        assert_eq!(reply.status, 303, "{country} {phone}: {}", reply.words());
        assert_eq!(stage.twilio.sends().last().unwrap().field("To"), Some(expected));
    }
    let mut browser = stage.signed_in().await;
    let before = stage.twilio.sends().len();
    for (country, phone) in [
        ("KE", "0712 1234"),
        ("KE", ""),
        ("KE", "letters"),
        ("", "0712 123456"),
        ("XX", "123"),
        ("KE", &"9".repeat(500)),
        ("KE", "+999 123"),
    ] {
        let reply = stage.enrol(&mut browser, country, phone, "sms").await.expect(422);
        assert!(reply.text().contains("aria-invalid"), "{country} {phone}: {}", reply.words());
    }
    let reply = stage.enrol(&mut browser, "KE", "0712 1234", "sms").await.expect(422);
    assert!(reply.words().contains("Kenya") && reply.words().contains("+254"), "{}", reply.words());
    assert_eq!(html::input_value(&reply.text(), "phone").as_deref(), Some("0712 1234"));
    assert_eq!(stage.twilio.sends().len(), before, "no code is sent to what is no number");
}

#[tokio::test]
async fn the_example_is_shown_without_scripts_and_keeps_what_was_typed() {
    let stage = stage().await;
    let mut browser = stage.signed_in().await;
    let fields = [("country", "KE"), ("phone", "07"), ("channel", "call"), ("example", "1")];
    let reply = browser.submit("/.auth/second-factor/phone", "/.auth/second-factor/phone", &fields).await.expect(200);
    assert!(reply.words().contains("0712 123456"), "{}", reply.words().chars().take(400).collect::<String>());
    assert_eq!(html::input_value(&reply.text(), "phone").as_deref(), Some("07"));
    assert!(stage.twilio.sends().is_empty());
}

#[tokio::test]
async fn disabling_asks_for_the_password_and_ends_other_sessions() {
    let stage = stage().await;
    let mut browser = stage.enrolled().await;
    let mut other = stage.owing().await;
    let code = stage.twilio.code_for(NUMBER).unwrap();
    answer(&mut other, &code).await.expect(303);
    let list = browser.get("/.auth/second-factor").await.expect(200);
    let link = html::tags(&list.text(), "a")
        .filter_map(|tag| html::attribute(tag, "href"))
        .find(|href| href.contains("disable"))
        .expect("a way to disable");
    let page = browser.get(&link).await.expect(200);
    let action = html::action_of(&page.text(), "password").expect("a form that asks for the password");
    let factor = html::input_value(&page.text(), "factor").unwrap_or_default();
    let try_with = |password: &'static str| vec![("password", password), ("factor", factor.as_str())];
    browser.submit(&link, &action, &try_with("")).await.expect(422);
    browser.submit(&link, &action, &try_with(OTHER_PASSWORD)).await.expect(422);
    assert!(browser.get("/.auth/second-factor").await.words().contains("•••• 56"));
    browser.submit(&link, &action, &try_with(PASSWORD)).await.expect(303);
    browser.get("/").await.expect(200);
    other.get("/").await.expect(303);
    let reply = Browser::new(&stage.program).sign_in("ada", PASSWORD).await.expect(303);
    assert_eq!(reply.location(), "/", "the password alone is enough again");
}

#[tokio::test]
async fn enabling_steps_up_with_a_new_id_and_opens_two_factor_rules() {
    let stage = stage_with(|setup| setup.sites += "[[site.rule]]\npath = \"/strong\"\nallow = \"two-factor\"\n").await;
    let mut browser = stage.signed_in().await;
    let before = browser.clone();
    let mut elsewhere = stage.signed_in().await;
    elsewhere.get("/").await.expect(200);
    stage.enrol(&mut browser, "KE", LOCAL, "sms").await.expect(303);
    let code = stage.twilio.code_for(NUMBER).unwrap();
    browser.submit("/.auth/second-factor/phone", "/.auth/second-factor/phone", &[("code", &code)]).await.expect(303);
    assert_ne!(before.session_cookie(), browser.session_cookie());
    before.clone().get("/").await.expect(303);
    elsewhere.get("/").await.expect(303);
    assert_eq!(elsewhere.api("/.auth/me").await.status, 401, "the other browser's session is over");
    browser.get("/strong").await.expect(200);
}

#[tokio::test]
async fn a_way_that_is_not_offered_is_refused_beside_its_field() {
    let stage = stage().await;
    let mut browser = stage.signed_in().await;
    let fields = [("country", "KE"), ("phone", LOCAL), ("channel", "email")];
    let reply = browser.submit("/.auth/second-factor/phone", "/.auth/second-factor/phone", &fields).await.expect(422);
    assert!(reply.words().contains("Codes don't travel that way here."), "{}", reply.words());
    assert!(stage.twilio.sends().is_empty(), "nothing was sent");
}

#[tokio::test]
async fn adding_or_removing_any_factor_ends_the_other_sessions() {
    let stage = stage_with(|setup| {
        setup.moved_clock = true;
        setup.verify += "push = true\n";
    })
    .await;
    let over = async |other: &mut Browser, what: &str| {
        assert_eq!(other.api("/.auth/me").await.status, 401, "{what} leaves the other session");
        other.get("/").await.expect(303);
    };
    let remove = async |browser: &mut Browser, kind: &str| {
        let list = browser.get("/.auth/second-factor").await.expect(200).text();
        let row = list.split("<div").find(|row| row.contains(kind) && row.contains("disable?factor="));
        let hrefs: Vec<_> =
            html::tags(row.expect("that factor"), "a").filter_map(|tag| html::attribute(tag, "href")).collect();
        let link = hrefs.into_iter().find(|href| href.contains("disable?factor=")).expect("a way to remove it");
        let fields = [("password", PASSWORD), ("factor", link.split_once('=').unwrap().1)];
        browser.submit(&link, "/.auth/second-factor/disable", &fields).await.expect(303);
    };
    let mut other = stage.signed_in().await;
    other.get("/").await.expect(200);
    let (mut browser, _app) = authenticator::enrolled(&stage).await;
    over(&mut other, "adding an app").await;

    let codes = authenticator::recovery_codes(&mut browser).await;
    let mut codes = codes.into_iter();
    let mut elsewhere = async || {
        let mut other = Browser::new(&stage.program);
        other.sign_in("ada", PASSWORD).await.expect(303);
        authenticator::recover(&mut other, &codes.next().unwrap()).await.expect(303);
        other.get("/").await.expect(200);
        other
    };
    let mut other = elsewhere().await;
    let mut key = Key::new(&stage.program.origin());
    passkeys::add(&mut browser, &mut key, "Yubi").await.expect(303);
    over(&mut other, "adding a passkey").await;

    let mut other = elsewhere().await;
    push::add(&stage, &mut browser).await;
    over(&mut other, "adding a phone that approves").await;

    let mut other = elsewhere().await;
    remove(&mut browser, "Pixel 9").await;
    over(&mut other, "removing that phone").await;

    let mut other = elsewhere().await;
    remove(&mut browser, "Yubi").await;
    over(&mut other, "removing a passkey").await;

    let mut other = elsewhere().await;
    remove(&mut browser, "authenticator app").await;
    over(&mut other, "removing the app").await;
    browser.get("/").await.expect(200);
}
