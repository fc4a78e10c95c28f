//! SCENARIO 10, "with its reason": what cannot go on begins anew and says why, in the words of the pages.

use std::time::Duration;

use crate::{
    authenticator::{self, App},
    getting_in::site_with_ada,
    second_factor::{LOCAL, NUMBER, answer, stage, stage_with},
    support::{
        client::{Browser, Reply},
        html,
        people::PASSWORD,
    },
};

const ANEW: &str = "That sign-in had run out or went on in another tab. Start again here.";
const TOO_LONG: &str = "This page had been open too long. Check what you typed and send it again.";
const LOGIN: &str = "/.auth/login";
const VERIFY: &str = "/.auth/login/verify";
const APP: &str = "/.auth/second-factor/app";
const PHONE: &str = "/.auth/second-factor/phone";

/// The answer leads to the sign-in page, which says so and has a form to go on with.
async fn begins_anew(browser: &mut Browser, reply: Reply) {
    assert!(browser.session_cookie().is_none());
    let reply = reply.expect(303);
    assert!(reply.location().starts_with("/.auth/login?done=anew"), "{}", reply.location());
    let page = browser.follow(reply.location()).await.expect(200);
    assert!(page.words().contains(ANEW), "{}", page.words());
    assert!(html::has_control(&page.text(), "password"), "{}", page.words());
}

fn open_too_long(reply: Reply) -> Reply {
    let reply = reply.expect(403);
    assert!(reply.words().contains(TOO_LONG), "{}", reply.words());
    assert!(html::input_value(&reply.text(), "csrf").is_some(), "a form to go on with: {}", reply.words());
    reply
}

#[tokio::test]
async fn a_form_whose_token_is_stale_says_it_had_been_open_too_long() {
    let (_upstream, program) = site_with_ada().await;
    let mut browser = Browser::new(&program);
    browser.get(LOGIN).await;
    let fields = [("identifier", "ada"), ("password", PASSWORD), ("csrf", "c3RhbGU")];
    open_too_long(browser.post(LOGIN, &fields).await);
    let mut browser = browser.signed_in("ada", PASSWORD).await;
    for (page, field) in [("/.auth/profile/edit", "first_name"), ("/.auth/password", "password")] {
        let old = html::input_value(&browser.get(page).await.expect(200).text(), "csrf").unwrap();
        // Signed in anew meanwhile: the form was another session's.
        browser.submit("/.auth/logout", "/.auth/logout", &[]).await.expect(303);
        browser = browser.signed_in("ada", PASSWORD).await;
        open_too_long(browser.post(page, &[(field, "x"), ("csrf", &old)]).await);
    }
}

#[tokio::test]
async fn a_second_step_that_is_stale_says_so_and_keeps_what_waits() {
    let stage = stage().await;
    stage.enrolled().await;
    let mut browser = stage.owing().await;
    let code = stage.twilio.code_for(NUMBER).unwrap();
    open_too_long(browser.post(VERIFY, &[("code", &code), ("csrf", "c3RhbGU")]).await);
    assert!(browser.session_cookie().is_none());
    answer(&mut browser, &code).await.expect(303);
}

#[tokio::test]
async fn a_second_step_sent_again_begins_anew_with_its_reason() {
    let stage = stage().await;
    stage.enrolled().await;
    let mut browser = stage.owing().await;
    let code = stage.twilio.code_for(NUMBER).unwrap();
    let csrf = html::input_value(&browser.get(VERIFY).await.text(), "csrf").unwrap();
    let (mut tab, fields) = (browser.clone(), [("code", &*code), ("csrf", &*csrf)]);
    browser.post(VERIFY, &fields).await.expect(303);
    for (action, fields) in [(VERIFY, &fields[..]), ("/.auth/login/verify/send", &[("channel", "call"), fields[1]])] {
        let reply = tab.post(action, fields).await;
        begins_anew(&mut tab, reply).await;
    }
    let reply = tab.get(VERIFY).await;
    begins_anew(&mut tab, reply).await;
    // Where somebody is signed in, the way leads on instead.
    assert_eq!(browser.post(VERIFY, &fields).await.expect(303).location(), "/");
}

#[tokio::test]
async fn a_right_password_waits_for_its_factor_a_quarter_of_an_hour() {
    let stage = stage_with(|setup| setup.moved_clock = true).await;
    let (_, mut app) = authenticator::enrolled(&stage).await;
    let mut browser = stage.owing().await;
    authenticator::wait(&stage, &mut app, Duration::from_secs(14 * 60));
    browser.clone().get(VERIFY).await.expect(200);
    let csrf = html::input_value(&browser.get(VERIFY).await.text(), "csrf").unwrap();
    authenticator::wait(&stage, &mut app, Duration::from_secs(60));
    let reply = browser.post(VERIFY, &[("code", &app.code()), ("csrf", &csrf)]).await;
    begins_anew(&mut browser, reply).await;
}

#[tokio::test]
async fn starting_over_ends_what_waits_and_a_link_from_elsewhere_does_not() {
    let stage = stage().await;
    stage.enrolled().await;
    let mut browser = stage.owing().await;
    let code = stage.twilio.code_for(NUMBER).unwrap();
    let page = browser.get(VERIFY).await.expect(200).text();
    let hrefs: Vec<_> = html::tags(&page, "a").filter_map(|tag| html::attribute(tag, "href")).collect();
    let over = hrefs.into_iter().find(|href| href.contains("over=1")).expect("Start over");
    // Typed, from a mail, or on another site: it would end somebody's sign-in behind their back.
    browser.get(&over).await.expect(200);
    browser.clone().get(VERIFY).await.expect(200);
    let csrf = html::input_value(&page, "csrf").unwrap();
    browser.follow(&over).await.expect(200);
    let reply = browser.post(VERIFY, &[("code", &code), ("csrf", &csrf)]).await;
    begins_anew(&mut browser, reply).await;
}

#[tokio::test]
async fn an_enrolment_that_is_over_begins_anew_with_its_reason() {
    let stage = stage_with(|setup| setup.moved_clock = true).await;
    let mut browser = stage.signed_in().await;
    let app = App::told_by(&browser.get(APP).await.expect(200));
    // Another tab began another one.
    stage.enrol(&mut browser, "KE", LOCAL, "sms").await.expect(303);
    let reply = browser.submit("/.auth/profile/edit", APP, &[("code", &app.code())]).await.expect(303);
    assert!(browser.get(reply.location()).await.expect(200).words().contains(ANEW));
    let code = stage.twilio.code_for(NUMBER).unwrap();
    let reply = browser.submit("/.auth/profile/edit", PHONE, &[("code", &code)]).await.expect(303);
    assert!(browser.get(reply.location()).await.expect(200).words().contains(ANEW));
    assert!(!browser.get("/.auth/second-factor").await.words().contains("•••• 56"), "and nothing is on");
}
