//! SCENARIOS 8 and 9, for somebody who showed a password and owes the second factor: nothing opens, nothing changes, and
//! nothing but the factor goes on.

use std::time::Duration;

use crate::{
    authenticator::{self, recover, recovery_codes, wait},
    invitations::button_of,
    passkeys::{second_step, with_passkey},
    push,
    second_factor::{LOCAL, NUMBER, answer, stage, stage_with},
    support::{
        client::{Browser, Reply},
        html,
        people::{OTHER_PASSWORD, PASSWORD},
    },
};

const SECURITY: &str = "/.auth/second-factor";
const VERIFY: &str = "/.auth/login/verify";

/// Every page that needs somebody signed in.
const PAGES: &[&str] = &[
    "",
    "profile",
    "profile/edit",
    "profile/email",
    "profile/delete",
    "profile/data",
    "profile/confirm",
    "password",
    "second-factor",
    "second-factor/app",
    "second-factor/passkey",
    "second-factor/push",
    "second-factor/phone",
    "second-factor/phone/send",
    "second-factor/recovery-codes",
    "second-factor/first",
    "second-factor/disable",
    "sessions",
    "tokens",
    "activity",
    "admin/people",
    "admin/invitations",
];

/// What an account is, and what there is of others, as an administrator sees it.
async fn seen(browser: &mut Browser) -> Vec<String> {
    let mut seen = Vec::new();
    for page in ["second-factor", "profile", "tokens", "admin/people", "admin/invitations"] {
        seen.push(html::lasting_words(&browser.get(&format!("/.auth/{page}")).await.expect(200).text()));
    }
    seen.push(browser.api("/.auth/me").await.json()["email"].to_string());
    seen
}

#[tokio::test]
async fn a_session_that_owes_its_factor_opens_nothing() {
    let stage = stage_with(|setup| {
        setup.verify += "push = true\n";
        setup.accounts = "registration = \"invite\"\n".into();
    })
    .await;
    stage.program.add_person("eve", OTHER_PASSWORD, false);
    stage.program.run(&["user", "groups", "ada", "admin"], "");
    let mut owner = stage.enrolled().await;
    // One used up: new ones would be seen.
    let codes = recovery_codes(&mut owner).await;
    recover(&mut stage.owing().await, &codes[0]).await.expect(303);
    let eve = button_of(&owner.get("/.auth/admin/people?q=eve").await.text(), "@eve", "disable");
    let before = seen(&mut owner).await;
    assert!(before[0].contains("9 are left."), "{}", before[0]);
    let list = owner.get(SECURITY).await.text();
    let links: Vec<_> = html::tags(&list, "a").filter_map(|tag| html::attribute(tag, "href")).collect();
    let factor = links.iter().find_map(|href| href.split_once("disable?factor=")).expect("the phone").1.to_owned();

    let mut browser = stage.owing().await;
    stage.upstream.forget();
    let asked = stage.twilio.requests().len();
    let to_sign_in = |reply: &Reply, path: &str| {
        let sent = reply.status == 303 && reply.location().starts_with("/.auth/login");
        assert!(sent || reply.status == 401, "{path}: {} {}", reply.status, reply.location());
    };
    browser.clone().get("/").await.expect(303);
    for path in PAGES {
        let reply = browser.clone().get(&format!("/.auth/{path}")).await.expect(303);
        to_sign_in(&reply, path);
    }
    for path in ["me", "check"] {
        assert_eq!(browser.api(&format!("/.auth/{path}")).await.status, 401, "{path}");
    }
    let page = browser.get(VERIFY).await.expect(200);
    let csrf = html::input_value(&page.text(), "csrf").unwrap();
    let passwords =
        vec![("current_password", PASSWORD), ("password", OTHER_PASSWORD), ("password_confirm", OTHER_PASSWORD)];
    let code = stage.twilio.code_for(NUMBER).unwrap();
    let forms: &[(&str, Vec<(&str, &str)>)] = &[
        ("second-factor/phone", vec![("country", "KE"), ("phone", LOCAL), ("channel", "sms")]),
        ("second-factor/phone", vec![("code", &code)]),
        ("second-factor/phone/send", vec![("channel", "call")]),
        ("second-factor/app", vec![("code", "123456")]),
        ("second-factor/passkey", vec![("credential", "{}"), ("name", "Thief")]),
        ("second-factor/push", vec![]),
        ("second-factor/recovery-codes", vec![]),
        ("second-factor/first", vec![("factor", &factor)]),
        ("second-factor/disable", vec![("password", PASSWORD), ("factor", &factor)]),
        ("profile/delete", vec![("password", PASSWORD)]),
        ("profile/email", vec![("email", "eve@example.org")]),
        ("profile/confirm", vec![]),
        ("profile/edit", vec![("first_name", "Eve"), ("last_name", "X"), ("username", "ada"), ("about_me", "")]),
        ("password", passwords),
        ("sessions", vec![("all", "others")]),
        ("tokens", vec![("name", "thief"), ("days", "30"), ("all", "on")]),
        ("admin/people", vec![("disable", &eve)]),
        ("admin/invitations", vec![("email", "mallory@example.org"), ("days", "7")]),
    ];
    for (path, fields) in forms {
        let mut fields = fields.clone();
        fields.push(("csrf", &csrf));
        let reply = browser.clone().post(&format!("/.auth/{path}"), &fields).await;
        to_sign_in(&reply, path);
        assert!(!reply.text().contains("vst_"), "{path}");
    }
    assert!(stage.upstream.seen().is_empty());
    assert_eq!(stage.twilio.requests().len(), asked, "nobody is sent anything");
    // Nothing of it was done: the owner's session is there, and sees what was there.
    assert_eq!(seen(&mut owner).await, before);
    answer(&mut browser, &code).await.expect(303);
    assert_eq!(seen(&mut browser).await, before);
    Browser::new(&stage.program).sign_in("eve", OTHER_PASSWORD).await.expect(303);
}

/// Sends forms with nothing in them, each with a token that fits. No session begins, and none of it is the end.
async fn nothing_goes_on(browser: &mut Browser) {
    let empty: &[(&str, &[(&str, &str)])] = &[
        (VERIFY, &[]),
        (VERIFY, &[("code", "")]),
        (VERIFY, &[("code", " \u{a0}\t")]),
        (VERIFY, &[("credential", "")]),
        (VERIFY, &[("code", ""), ("credential", "")]),
        (VERIFY, &[("csrf", "")]),
        ("/.auth/login/verify?way=recovery", &[]),
        ("/.auth/login/verify?way=recovery", &[("code", "")]),
        ("/.auth/login/verify?way=recovery", &[("code", "- - -")]),
        ("/.auth/login/verify?way=", &[("code", "")]),
        ("/.auth/login/verify/send", &[("factor", "nothing"), ("channel", "")]),
        ("/.auth/login/passkey", &[]),
        ("/.auth/login/passkey", &[("ceremony", ""), ("credential", "")]),
        ("/.auth/login", &[]),
        ("/.auth/login", &[("identifier", "ada"), ("password", "")]),
    ];
    let csrf = html::input_value(&browser.get(VERIFY).await.expect(200).text(), "csrf").unwrap();
    for (action, fields) in empty {
        let mut fields = fields.to_vec();
        if fields.iter().all(|(name, _)| *name != "csrf") {
            fields.push(("csrf", &csrf));
        }
        let reply = browser.post(action, &fields).await;
        assert!(browser.session_cookie().is_none(), "{action} {fields:?}: {}", reply.status);
        let refused = [401, 403, 422, 429].contains(&reply.status.as_u16());
        assert!(refused, "{action} {fields:?}: {} {}", reply.status, reply.location());
    }
    browser.clone().get("/").await.expect(303);
}

#[tokio::test]
async fn who_owes_a_factor_gets_nowhere_with_empty_forms() {
    // A code of a message.
    let by_code = stage().await;
    by_code.enrolled().await;
    let mut browser = by_code.owing().await;
    let checks = by_code.twilio.checks().len();
    nothing_goes_on(&mut browser).await;
    assert_eq!(by_code.twilio.checks().len(), checks, "nobody is asked about nothing");
    answer(&mut browser, &by_code.twilio.code_for(NUMBER).unwrap()).await.expect(303);

    // An app.
    let by_app = stage_with(|setup| setup.moved_clock = true).await;
    let (_, mut app) = authenticator::enrolled(&by_app).await;
    let mut browser = by_app.owing().await;
    nothing_goes_on(&mut browser).await;
    wait(&by_app, &mut app, Duration::from_secs(60));
    answer(&mut browser, &app.code()).await.expect(303);

    // A passkey.
    let by_key = stage().await;
    let (_, key) = with_passkey(&by_key).await;
    let mut browser = by_key.owing().await;
    nothing_goes_on(&mut browser).await;
    second_step(&mut browser, &key).await.expect(303);

    // An approval: pressing the button is no more than asking whether it came.
    let by_phone = stage_with(|setup| setup.verify += "push = true\n").await;
    push::add(&by_phone, &mut by_phone.signed_in().await).await;
    let mut browser = by_phone.owing().await;
    nothing_goes_on(&mut browser).await;
    by_phone.twilio.approve(&push::asked(&by_phone));
    push::approved(&mut browser).await.expect(303);
    assert!(browser.session_cookie().is_some());
}
