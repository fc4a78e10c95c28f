//! SCENARIOS 12, 13: what Twilio refuses, and Twilio slow or down.

use crate::{
    second_factor::{LOCAL, NUMBER, answer, stage},
    support::html,
    twilio::Fault,
};

#[tokio::test]
async fn sms_that_cannot_reach_the_number_becomes_a_call() {
    let stage = stage().await;
    stage.twilio.make_landline("+493012345678");
    let mut browser = stage.signed_in().await;
    stage.enrol(&mut browser, "DE", "030 12345678", "sms").await.expect(303);
    let ways: Vec<_> = stage.twilio.sends().iter().map(|send| send.field("Channel").unwrap().to_owned()).collect();
    assert_eq!(ways, ["sms", "call"]);
    let page = browser.get("/.auth/second-factor/phone").await.expect(200);
    assert!(page.words().to_lowercase().contains("call"), "it is said: {}", page.words());
}

#[tokio::test]
async fn limits_and_fraud_answers_never_become_a_call() {
    for fault in [
        Fault::MAX_SENDS,
        Fault::FRAUD,
        Fault::GEO_PERMISSION,
        Fault::TOO_MANY_CONCURRENT,
        Fault::UNAUTHORIZED,
        Fault::Bare(503),
    ] {
        let stage = stage().await;
        let mut browser = stage.signed_in().await;
        stage.twilio.fail_next(fault.clone());
        let reply = stage.enrol(&mut browser, "KE", LOCAL, "sms").await;
        assert!(reply.status.is_client_error() || reply.status.is_server_error(), "{fault:?}: {}", reply.status);
        assert_eq!(stage.twilio.sends().len(), 1, "{fault:?}: {:?}", stage.twilio.sends());
        for code in ["60203", "60410", "60605", "60212", "20003"] {
            assert!(!reply.words().contains(code), "no provider codes on pages: {}", reply.words());
        }
        assert_eq!(html::input_value(&reply.text(), "phone").as_deref(), Some(LOCAL), "{fault:?} lost what was typed");
    }
}

#[tokio::test]
async fn when_twilio_fails_nobody_gets_in_without_the_factor() {
    const DOWN: &str = "Codes can't be sent or checked right now. Try again in a minute, or use another way.";
    let faults = [
        (Fault::Reset, DOWN),
        (Fault::Hangup, DOWN),
        (Fault::Garbage, DOWN),
        (Fault::Nonsense, DOWN),
        (Fault::Truncated, DOWN),
        (Fault::Oversized, DOWN),
        (Fault::Redirect, DOWN),
        (Fault::Bare(500), DOWN),
        (Fault::Bare(503), DOWN),
        (Fault::TOO_MANY_REQUESTS, DOWN),
        (Fault::UNAUTHORIZED, DOWN),
    ];
    // One after the other: eleven programs that start at once are too many for a small machine.
    for (fault, sentence) in faults {
        Box::pin(nobody_gets_in(fault, sentence)).await;
    }
}

/// A stage of its own, so that no throttle of an earlier fault speaks instead.
async fn nobody_gets_in(fault: Fault, sentence: &str) {
    let stage = stage().await;
    stage.enrolled().await;
    let mut browser = stage.owing().await;
    let page = browser.get("/.auth/login/verify").await.expect(200);
    let csrf = html::input_value(&page.text(), "csrf").unwrap();
    let code = stage.twilio.code_for(NUMBER).unwrap();
    let asked = stage.twilio.checks().len();
    stage.twilio.fail_always(Some(fault.clone()));
    let reply = browser.post("/.auth/login/verify", &[("code", &code), ("csrf", &csrf)]).await;
    stage.twilio.fail_always(None);
    assert!(stage.twilio.checks().len() > asked, "{fault:?}: nobody was asked");
    assert!(reply.words().contains(sentence), "{fault:?}: {}", reply.words());
    assert_eq!(reply.status, 503, "{fault:?}");
    assert!(browser.session_cookie().is_none(), "{fault:?} let somebody in");
    browser.get("/").await.expect(303);
    assert_eq!(stage.twilio.complaints(), Vec::<String>::new(), "{fault:?}");
    answer(&mut browser, &code).await.expect(303);
}

#[tokio::test]
async fn a_silent_twilio_times_out_with_a_clear_page() {
    let stage = stage().await;
    let mut browser = stage.signed_in().await;
    stage.twilio.fail_next(Fault::TimeOut);
    let reply = stage.enrol(&mut browser, "KE", LOCAL, "sms").await;
    assert_eq!(reply.status, 503, "{}", reply.words());
    assert!(reply.words().contains("Codes can't be sent or checked right now."), "{}", reply.words());
    assert_eq!(stage.twilio.sends().len(), 1, "a send that may have worked is not repeated");
    assert_eq!(html::input_value(&reply.text(), "phone").as_deref(), Some(LOCAL));
    browser.get("/").await.expect(200);
}

#[tokio::test]
async fn another_way_is_open_at_once_but_no_volley_of_them() {
    let stage = stage().await;
    stage.enrolled().await;
    let mut browser = stage.owing().await;
    let (page, send) = ("/.auth/login/verify", "/.auth/login/verify/send");
    browser.submit(page, send, &[("channel", "call")]).await.expect(303);
    assert_eq!(stage.twilio.sends().last().unwrap().field("Channel"), Some("call"));
    let sent = stage.twilio.sends().len();
    for channel in ["call", "sms", "whatsapp"] {
        let reply = browser.submit(page, send, &[("channel", channel)]).await.expect(429);
        assert!(reply.field("retry-after").parse::<u32>().is_ok_and(|seconds| seconds > 0), "{channel}");
    }
    assert_eq!(stage.twilio.sends().len(), sent, "nothing more was sent");
    let code = stage.twilio.code_for(NUMBER).unwrap();
    answer(&mut browser, &code).await.expect(303);
}

#[tokio::test]
async fn held_back_numbers_and_countries_are_explained_apart_at_sign_in_and_while_enrolling() {
    let table = [
        (Fault::FRAUD, "held back for up to 12 hours, because of fraud elsewhere"),
        (Fault::GEO_PERMISSION, "Codes can't be sent to that country from here."),
        (Fault::Error { status: 403, code: 60238 }, "Codes can't be sent to that number."),
    ];
    for (fault, sentence) in table {
        let stage = stage().await;
        let mut browser = stage.signed_in().await;
        stage.twilio.fail_next(fault.clone());
        let reply = stage.enrol(&mut browser, "KE", LOCAL, "sms").await.expect(422);
        assert!(reply.words().contains(sentence), "{}", reply.words());
        stage.enrolled().await;
        stage.twilio.fail_next(fault);
        let mut browser = stage.owing().await;
        let page = browser.get("/.auth/login/verify?failed=blocked").await;
        assert!(page.words().contains("Codes can't be sent to that number."), "{}", page.words());
        let mut other = crate::support::client::Browser::new(&stage.program);
        stage.twilio.fail_always(Some(Fault::FRAUD));
        let reply = other.sign_in("ada", crate::support::people::PASSWORD).await.expect(303);
        assert_eq!(reply.location(), "/.auth/login/verify?failed=held-back");
        let page = other.get(reply.location()).await.expect(422);
        assert!(page.words().contains("because of fraud elsewhere"), "{}", page.words());
    }
}

#[tokio::test]
async fn messages_are_asked_for_in_the_browsers_language() {
    let stage = stage().await;
    stage.enrolled().await;
    stage.owing().await;
    let locales: Vec<_> = stage.twilio.sends().iter().map(|send| send.field("Locale").map(str::to_owned)).collect();
    assert_eq!(locales, [Some("en-GB".to_owned()), Some("en-GB".to_owned())]);
}
