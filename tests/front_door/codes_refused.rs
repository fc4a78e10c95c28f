//! SCENARIOS 12, 13 at sign-in: what Twilio refuses or leaves unanswered there, and the way that is open all the same.

use std::time::Duration;

use crate::{
    passkeys,
    second_factor::{NUMBER, Stage, answer, stage, stage_with},
    support::{
        client::{Browser, Reply},
        html,
        key::{Key, asked},
        people::PASSWORD,
    },
    twilio::Fault,
};

const VERIFY: &str = "/.auth/login/verify";
const SEND: &str = "/.auth/login/verify/send";
const DOWN: &str = "Codes can't be sent or checked right now. Try again in a minute, or use another way.";
const GONE: &str = "That code has run out. Ask for a new code.";

fn channels(stage: &Stage) -> Vec<String> {
    stage.twilio.sends().iter().map(|send| send.field("Channel").unwrap().to_owned()).collect()
}

/// Ada with codes by SMS and a passkey, asked for a code first; and the key.
async fn with_two_ways() -> (Stage, Key) {
    let stage = stage().await;
    let mut browser = stage.enrolled().await;
    let mut key = Key::new(&stage.program.origin());
    passkeys::add(&mut browser, &mut key, "Yubi").await.expect(303);
    let phone = html::input_value(&stage.owing().await.get(VERIFY).await.text(), "factor").expect("the telephone");
    let security = "/.auth/second-factor";
    browser.submit(security, "/.auth/second-factor/first", &[("factor", &phone)]).await.expect(303);
    (stage, key)
}

/// From the page of codes to the passkey, and in.
async fn in_by_passkey(browser: &mut Browser, key: &Key) {
    browser.submit(VERIFY, SEND, &[("factor", "passkey")]).await.expect(303);
    let credential = key.sign(&asked(&browser.get(VERIFY).await.expect(200)));
    browser.submit(VERIFY, VERIFY, &[("credential", &credential)]).await.expect(303);
    browser.get("/").await.expect(200);
}

fn nobody(browser: &Browser, reply: &Reply, status: u16, words: &str) {
    assert_eq!(reply.status.as_u16(), status, "{}", reply.words());
    assert!(reply.words().contains(words), "{words}: {}", reply.words());
    assert!(browser.session_cookie().is_none(), "{words} let somebody in");
}

#[tokio::test]
async fn a_check_that_is_never_answered_lets_nobody_in_and_another_factor_does() {
    let (stage, key) = with_two_ways().await;
    let mut browser = stage.owing().await;
    let code = stage.twilio.code_for(NUMBER).unwrap();
    let before = stage.twilio.checks().len();
    stage.twilio.fail_next(Fault::TimeOut);
    let reply = answer(&mut browser, &code).await;
    nobody(&browser, &reply, 503, DOWN);
    assert_eq!(stage.twilio.checks().len(), before + 1, "asked once: the first check may have counted");
    assert!(reply.words().contains("Use a passkey"), "{}", reply.words());
    browser.get("/").await.expect(303);
    in_by_passkey(&mut browser, &key).await;
    // Nor was a try spent on it: the code that nobody judged is still good.
    let mut browser = stage.owing().await;
    answer(&mut browser, &code).await.expect(303);
}

#[tokio::test]
async fn who_is_asked_for_a_code_that_cannot_be_sent_signs_in_another_way() {
    let (stage, key) = with_two_ways().await;
    for fault in [Fault::Bare(503), Fault::TimeOut, Fault::MAX_SENDS, Fault::FRAUD] {
        let sent = stage.twilio.sends().len();
        stage.twilio.fail_next(fault.clone());
        let mut browser = Browser::new(&stage.program);
        let owed = browser.sign_in("ada", PASSWORD).await.expect(303);
        assert!(owed.location().starts_with("/.auth/login/verify?failed="), "{fault:?}: {}", owed.location());
        let page = browser.get(owed.location()).await;
        assert!(page.status.is_client_error() || page.status.is_server_error(), "{fault:?}: {}", page.status);
        assert!(browser.session_cookie().is_none(), "{fault:?}");
        assert_eq!(stage.twilio.sends().len(), sent + 1, "{fault:?}: neither repeated nor a call");
        in_by_passkey(&mut browser, &key).await;
    }
}

#[tokio::test]
async fn sms_that_cannot_reach_the_number_becomes_a_call_at_sign_in() {
    for code in [60205, 60223] {
        let stage = stage().await;
        stage.enrolled().await;
        match code {
            60205 => stage.twilio.make_landline(NUMBER),
            _ => stage.twilio.disable_channel("sms"),
        }
        let mut browser = stage.owing().await;
        assert_eq!(channels(&stage), ["sms", "sms", "call"], "{code}");
        let page = browser.get(VERIFY).await.expect(200).words();
        assert!(page.contains("A text message couldn't reach that number, so we're calling it instead."), "{page}");
        assert!(page.contains("We're calling •••• 56 to read you a code."), "{page}");
        answer(&mut browser, &stage.twilio.code_for(NUMBER).unwrap()).await.expect(303);
        assert_eq!(browser.api("/.auth/me").await.json()["amr"], serde_json::json!(["pwd", "tel", "mfa"]), "{code}");
    }
}

#[tokio::test]
async fn where_nobody_calls_another_way_is_offered_instead() {
    let stage = stage_with(|setup| setup.verify = setup.verify.replace("\"call\", ", "")).await;
    stage.enrolled().await;
    stage.twilio.make_landline(NUMBER);
    let mut browser = Browser::new(&stage.program);
    let owed = browser.sign_in("ada", PASSWORD).await.expect(303);
    let page = browser.get(owed.location()).await;
    nobody(&browser, &page, 422, "Choose another way.");
    assert_eq!(channels(&stage), ["sms", "sms"], "no call");
    browser.submit(VERIFY, SEND, &[("channel", "whatsapp")]).await.expect(303);
    answer(&mut browser, &stage.twilio.code_for(NUMBER).unwrap()).await.expect(303);
}

#[tokio::test]
async fn after_five_sends_the_provider_sends_no_more_and_the_last_code_is_still_good() {
    let stage = stage_with(|setup| setup.moved_clock = true).await;
    stage.enrolled().await;
    let wait = |seconds| {
        stage.program.clock.as_ref().unwrap().advance(Duration::from_secs(seconds));
        stage.twilio.advance(Duration::from_secs(seconds));
    };
    let mut browser = stage.owing().await;
    for channel in ["call", "sms", "call", "sms"] {
        wait(11);
        browser.submit(VERIFY, SEND, &[("channel", channel)]).await.expect(303);
    }
    let sent = stage.twilio.sends().len();
    // Ours lets one more go by now; Twilio's own count does not (60203).
    wait(61);
    let reply = browser.submit(VERIFY, SEND, &[("channel", "call")]).await;
    assert_eq!(stage.twilio.sends().len(), sent + 1, "it was Twilio that refused");
    nobody(&browser, &reply, 429, "Too many codes were sent there. Try again in ten minutes, or use another way.");
    assert_eq!(reply.field("retry-after"), "600");
    assert!(!reply.text().contains("60203"), "no provider codes on pages");
    answer(&mut browser, &stage.twilio.code_for(NUMBER).unwrap()).await.expect(303);
}

#[tokio::test]
async fn a_first_send_that_meets_the_limit_says_so() {
    let stage = stage().await;
    stage.enrolled().await;
    stage.twilio.fail_next(Fault::MAX_SENDS);
    let mut browser = Browser::new(&stage.program);
    let owed = browser.sign_in("ada", PASSWORD).await.expect(303);
    assert_eq!(owed.location(), "/.auth/login/verify?failed=limit");
    let page = browser.get(owed.location()).await;
    nobody(&browser, &page, 429, "Too many codes were sent there. Try again in ten minutes, or use another way.");
}

#[tokio::test]
async fn a_code_that_the_provider_judges_no_more_ends_and_a_new_one_opens() {
    let stage = stage_with(|setup| setup.moved_clock = true).await;
    stage.enrolled().await;
    let mut browser = stage.owing().await;
    let code = stage.twilio.code_for(NUMBER).unwrap();
    stage.twilio.fail_next(Fault::MAX_CHECKS);
    let reply = answer(&mut browser, &code).await;
    nobody(&browser, &reply, 429, "Too many tries. Ask for a new code after");
    let wait: u64 = reply.field("retry-after").parse().expect("seconds");
    assert!((500..=600).contains(&wait), "as long as Twilio keeps its verification: {wait}");
    // Right or not, nobody judges it any more.
    let again = answer(&mut browser, &code).await;
    nobody(&browser, &again, 401, GONE);
    stage.program.clock.as_ref().unwrap().advance(Duration::from_secs(601));
    stage.twilio.advance(Duration::from_secs(601));
    browser.submit(VERIFY, SEND, &[("channel", "sms")]).await.expect(303);
    let fresh = stage.twilio.code_for(NUMBER).unwrap();
    assert_ne!(fresh, code);
    answer(&mut browser, &fresh).await.expect(303);
}

#[tokio::test]
async fn a_verification_cancelled_at_the_provider_asks_for_a_new_code() {
    let stage = stage().await;
    stage.enrolled().await;
    let mut browser = stage.owing().await;
    let code = stage.twilio.code_for(NUMBER).unwrap();
    stage.twilio.cancel(NUMBER);
    let reply = answer(&mut browser, &code).await;
    nobody(&browser, &reply, 401, GONE);
    browser.submit(VERIFY, SEND, &[("channel", "sms")]).await.expect(303);
    let fresh = stage.twilio.code_for(NUMBER).unwrap();
    let old = answer(&mut browser, &code).await;
    nobody(&browser, &old, 401, "That code isn't right.");
    answer(&mut browser, &fresh).await.expect(303);
}

#[tokio::test]
async fn only_approved_opens_whatever_else_the_provider_says() {
    let ended = ["canceled", "deleted", "failed", "expired"].map(|status| (status, 401, GONE));
    let table = [("max_attempts_reached", 429, "Too many tries."), ("pending", 401, "That code isn't right.")];
    let unknown = [("Approved", 401, "That code isn't right."), ("", 401, "That code isn't right.")];
    for (status, answered, words) in ended.into_iter().chain(table).chain(unknown) {
        // A stage of its own, so that no count of an earlier one speaks instead.
        Box::pin(judged(status, answered, words)).await;
    }
}

async fn judged(status: &'static str, answered: u16, words: &str) {
    let stage = stage().await;
    stage.enrolled().await;
    let mut browser = stage.owing().await;
    let code = stage.twilio.code_for(NUMBER).unwrap();
    stage.twilio.fail_next(Fault::Judges(status));
    let reply = answer(&mut browser, &code).await;
    nobody(&browser, &reply, answered, words);
}
