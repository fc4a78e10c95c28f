//! Second-factor attacks: somebody else's number, many accounts, a mailbox in the telephone's place, a session found open.

use std::time::Duration;

use crate::{
    second_factor::{LOCAL, NUMBER, answer, stage, stage_with},
    support::{
        client::Browser,
        html,
        people::{OTHER_PASSWORD, PASSWORD},
    },
};

#[tokio::test]
async fn enrolling_somebodys_number_does_not_lock_them_out() {
    let stage = stage().await;
    stage.program.add_person("eve", OTHER_PASSWORD, false);
    stage.enrolled().await;
    let mut eve = Browser::new(&stage.program).signed_in("eve", OTHER_PASSWORD).await;
    stage.enrol(&mut eve, "KE", LOCAL, "sms").await.expect(303);
    let before = stage.twilio.code_for(NUMBER).unwrap();
    // Her guesses count against her own verification, never against Ada's.
    for _ in 0..3 {
        let code = stage.twilio.wrong_code_for(NUMBER);
        eve.submit("/.auth/second-factor/phone", "/.auth/second-factor/phone", &[("code", &code)]).await.expect(401);
    }
    let mut ada = Browser::new(&stage.program);
    let reply = ada.sign_in("ada", PASSWORD).await.expect(303);
    assert_eq!(reply.location(), "/.auth/login/verify", "the code was sent");
    let code = stage.twilio.code_for(NUMBER).unwrap();
    assert_ne!(code, before, "a verification of her own");
    for code in [&before, &code] {
        let reply = eve.submit("/.auth/second-factor/phone", "/.auth/second-factor/phone", &[("code", code)]).await;
        assert_eq!(reply.status, 401, "{}", reply.words());
        assert!(reply.words().contains("Ask for a new code"), "{}", reply.words());
    }
    eve.submit("/.auth/second-factor/phone", "/.auth/second-factor/phone/send", &[("channel", "call")])
        .await
        .expect(429);
    answer(&mut ada, &code).await.expect(303);
    ada.get("/").await.expect(200);
}

#[tokio::test]
async fn many_accounts_together_ring_one_number_no_more_often_than_one() {
    let stage = stage().await;
    for number in 0..8 {
        let name = format!("eve{number}");
        stage.program.add_person(&name, OTHER_PASSWORD, false);
        let mut eve = Browser::new(&stage.program).signed_in(&name, OTHER_PASSWORD).await;
        stage.enrol(&mut eve, "KE", LOCAL, "sms").await;
        // The earlier one ends with its tries, and the next account may begin.
        for _ in 0..5 {
            let Some(_) = stage.twilio.code_for(NUMBER) else { break };
            let code = stage.twilio.wrong_code_for(NUMBER);
            eve.submit("/.auth/second-factor/phone", "/.auth/second-factor/phone", &[("code", &code)]).await;
        }
        let start = std::time::Instant::now();
        while stage.twilio.code_for(NUMBER).is_some() && start.elapsed() < Duration::from_secs(2) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    let sends = stage.twilio.sends().len();
    assert!((2..=5).contains(&sends), "{sends} messages");
}

#[tokio::test]
async fn a_mailbox_never_stands_in_for_the_telephone() {
    let stage = stage_with(|setup| {
        setup.verify = setup.verify.replace("\"whatsapp\"", "\"whatsapp\", \"email\"");
        setup.moved_clock = true;
    })
    .await;
    stage.enrolled().await;
    let mut browser = stage.owing().await;
    stage.program.clock.as_ref().unwrap().advance(Duration::from_secs(61));
    let page = browser.get("/.auth/login/verify").await.expect(200);
    assert!(!page.text().contains("value=\"email\""), "{}", page.words());
    let sent = browser.submit("/.auth/login/verify", "/.auth/login/verify/send", &[("channel", "email")]).await;
    assert!(sent.status.is_client_error(), "{}", sent.status);
    assert!(stage.twilio.sends().iter().all(|send| send.field("Channel") != Some("email")));
}

#[tokio::test]
async fn disabling_needs_a_second_factor_shown_a_short_while_ago() {
    let stage = stage_with(|setup| setup.moved_clock = true).await;
    let mut browser = stage.enrolled().await;
    let csrf = html::input_value(&browser.get("/.auth/password").await.text(), "csrf").unwrap();
    stage.program.clock.as_ref().unwrap().advance(Duration::from_secs(20 * 60));
    stage.twilio.advance(Duration::from_secs(20 * 60));
    // Whoever finds the session open and knows the password types it once more: that is no second factor.
    let fields = [
        ("current_password", PASSWORD),
        ("password", OTHER_PASSWORD),
        ("password_confirm", OTHER_PASSWORD),
        ("csrf", csrf.as_str()),
    ];
    let changed = browser.post("/.auth/password", &fields).await.expect(303);
    assert!(changed.location().starts_with("/.auth/login?again=1&return_to="), "{}", changed.location());
    assert_eq!(browser.get("/.auth/password").await.expect(303).location(), changed.location());
    let page = browser.get("/.auth/second-factor/disable").await.expect(303);
    assert!(page.location().starts_with("/.auth/login?again=1&return_to="), "{}", page.location());
    let forced = browser.post("/.auth/second-factor/disable", &[("password", PASSWORD), ("csrf", &csrf)]).await;
    assert!(forced.location().starts_with("/.auth/login?again=1"), "{} {}", forced.status, forced.location());
    assert!(browser.get("/.auth/second-factor").await.words().contains("•••• 56"), "it is still on");
    let again = page.location().to_owned();
    let reply = browser
        .submit(
            &again,
            "/.auth/login",
            &[("identifier", "ada"), ("password", PASSWORD), ("return_to", "/.auth/second-factor/disable")],
        )
        .await
        .expect(303);
    assert_eq!(reply.location(), "/.auth/login/verify");
    let code = stage.twilio.code_for(NUMBER).unwrap();
    let reply = answer(&mut browser, &code).await.expect(303);
    assert_eq!(reply.location(), "/.auth/second-factor/disable");
    browser
        .submit("/.auth/second-factor/disable", "/.auth/second-factor/disable", &[("password", PASSWORD)])
        .await
        .expect(303);
    assert!(!browser.get("/.auth/second-factor").await.words().contains("•••• 56"));
}

#[tokio::test]
async fn a_code_sent_from_many_tabs_at_once_opens_one_session_and_leaves_nothing_waiting() {
    let stage = stage().await;
    stage.enrolled().await;
    let mut browser = stage.owing().await;
    let code = stage.twilio.code_for(NUMBER).unwrap();
    let csrf = html::input_value(&browser.get("/.auth/login/verify").await.text(), "csrf").unwrap();
    let tabs = (0..8).map(|_| {
        let (mut tab, code, csrf) = (browser.clone(), code.clone(), csrf.clone());
        tokio::spawn(async move {
            let reply = tab.post("/.auth/login/verify", &[("code", &code), ("csrf", &csrf)]).await;
            (reply, tab.session_cookie().is_some())
        })
    });
    let mut sessions = 0;
    for tab in futures_util::future::join_all(tabs).await {
        let (reply, session) = tab.unwrap();
        sessions += usize::from(session);
        assert!(session || !reply.location().is_empty() || reply.status.is_client_error(), "{}", reply.status);
    }
    assert_eq!(sessions, 1);
    let page = browser.get("/.auth/login/verify").await;
    assert_eq!(page.status, 303, "nothing waits: {}", page.words());
}
