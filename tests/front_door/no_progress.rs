//! SCENARIO 9 for somebody signed in, in the middle of adding a factor: a form with nothing in it and a step whose earlier
//! one was skipped change nothing.

use crate::{
    passkeys::with_passkey,
    second_factor::{LOCAL, NUMBER, stage_with},
    support::{
        client::Browser,
        html,
        key::{Key, asked},
        people::PASSWORD,
        program::Setup,
    },
};

const SECURITY: &str = "/.auth/second-factor";
const EDIT: &str = "/.auth/profile/edit";
const APP: &str = "/.auth/second-factor/app";
const PASSKEY: &str = "/.auth/second-factor/passkey";
const PHONE: &str = "/.auth/second-factor/phone";
const RESEND: &str = "/.auth/second-factor/phone/send";
const PUSH: &str = "/.auth/second-factor/push";
const DISABLE: &str = "/.auth/second-factor/disable";

fn with_push(setup: &mut Setup) {
    setup.verify += "push = true\n";
}

/// Posts with a token that fits, and nothing is done by it: no success said, the account as it was.
async fn nothing_comes_of(browser: &mut Browser, action: &str, fields: &[(&str, &str)]) {
    let before = seen(browser).await;
    let reply = browser.submit(EDIT, action, fields).await;
    let what = format!("{action} {fields:?}: {} {}", reply.status, reply.location());
    let back = reply.status == 303
        && (reply.location() == SECURITY
            || reply.location() == PHONE
            || reply.location().ends_with("?done=anew")
            || reply.location().starts_with("/.auth/login?again=1"));
    assert!(back || reply.status.is_client_error(), "{what}");
    assert_eq!(seen(browser).await, before, "{what}");
}

async fn seen(browser: &Browser) -> (String, String, String) {
    let mut browser = browser.clone();
    let list = browser.get(SECURITY).await.expect(200).words();
    let profile = html::lasting_words(&browser.get("/.auth/profile").await.expect(200).text());
    let me = browser.api("/.auth/me").await.json();
    (list, profile, format!("{} {}", me["email"], me["amr"]))
}

#[tokio::test]
async fn a_step_whose_earlier_one_was_skipped_adds_no_factor() {
    let stage = stage_with(with_push).await;
    let mut browser = stage.signed_in().await;
    let mut key = Key::new(&stage.program.origin());
    let made = {
        let mut other = stage.signed_in().await;
        key.create(&asked(&other.get(PASSKEY).await.expect(200)))
    };
    for (action, fields) in [
        (PHONE, &[("code", "123456")][..]),
        (PHONE, &[("code", "")]),
        (RESEND, &[("channel", "sms")]),
        (RESEND, &[]),
        (APP, &[("code", "123456")]),
        (APP, &[]),
        (PASSKEY, &[("credential", &made), ("name", "Skipped")]),
        (PASSKEY, &[("credential", ""), ("factor", "")]),
        (PASSKEY, &[("factor", "nothing"), ("name", "x")]),
        (PUSH, &[]),
        ("/.auth/second-factor/recovery-codes", &[]),
        ("/.auth/second-factor/first", &[]),
        ("/.auth/second-factor/first", &[("factor", "passkey")]),
        (DISABLE, &[]),
        (DISABLE, &[("password", PASSWORD)]),
        ("/.auth/profile/delete", &[]),
        ("/.auth/profile/email", &[]),
        ("/.auth/password", &[]),
        ("/.auth/email/confirm", &[]),
        ("/.auth/email/change", &[("token", "")]),
        ("/.auth/email/undo", &[("token", "")]),
        ("/.auth/tokens", &[]),
    ] {
        nothing_comes_of(&mut browser, action, fields).await;
    }
    assert!(stage.twilio.requests().is_empty(), "nobody is sent anything");
    assert_eq!(Browser::new(&stage.program).sign_in("ada", PASSWORD).await.expect(303).location(), "/");
}

#[tokio::test]
async fn a_form_with_nothing_in_it_finishes_no_enrolment() {
    let stage = stage_with(with_push).await;
    let mut browser = stage.signed_in().await;
    let blanks = [&[][..], &[("code", "")], &[("code", " \t\u{a0}")]];

    browser.get(APP).await.expect(200);
    for fields in blanks {
        nothing_comes_of(&mut browser, APP, fields).await;
    }
    browser.get(PUSH).await.expect(200);
    nothing_comes_of(&mut browser, PUSH, &[]).await;
    nothing_comes_of(&mut browser, PUSH, &[("code", "123456")]).await;
    // Each answer asks anew, so that a second empty one is an empty one again.
    browser.get(PASSKEY).await.expect(200);
    for fields in [&[][..], &[("credential", "")], &[("credential", "{}"), ("name", "Nothing")]] {
        nothing_comes_of(&mut browser, PASSKEY, fields).await;
    }
    stage.enrol(&mut browser, "KE", LOCAL, "sms").await.expect(303);
    let checks = stage.twilio.checks().len();
    for fields in blanks {
        nothing_comes_of(&mut browser, PHONE, fields).await;
    }
    nothing_comes_of(&mut browser, RESEND, &[]).await;
    assert_eq!(stage.twilio.checks().len(), checks, "nobody is asked about nothing");
    // What was begun still goes on.
    let code = stage.twilio.code_for(NUMBER).unwrap();
    browser.submit(PHONE, PHONE, &[("code", &code)]).await.expect(303);
    assert!(browser.get(SECURITY).await.words().contains("•••• 56"));
}

#[tokio::test]
async fn a_form_with_nothing_in_it_removes_and_renames_nothing() {
    let stage = stage_with(with_push).await;
    let (mut browser, _key) = with_passkey(&stage).await;
    let list = browser.get(SECURITY).await.expect(200).text();
    let links: Vec<_> = html::tags(&list, "a").filter_map(|tag| html::attribute(tag, "href")).collect();
    let link = links.iter().find(|href| href.contains("disable?factor=")).expect("a passkey");
    let factor = link.split_once('=').unwrap().1;
    for (action, fields) in [
        (DISABLE, &[][..]),
        (DISABLE, &[("factor", factor)]),
        (DISABLE, &[("factor", factor), ("password", "")]),
        (PASSKEY, &[("factor", factor)]),
        (PASSKEY, &[("factor", factor), ("name", " ")]),
        ("/.auth/second-factor/first", &[]),
        ("/.auth/second-factor/first", &[("factor", "")]),
    ] {
        nothing_comes_of(&mut browser, action, fields).await;
    }
}
