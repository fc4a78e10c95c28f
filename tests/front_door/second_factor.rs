//! SCENARIOS 7, 12–14, 18: the second factor by Twilio Verify, played by a double that keeps Twilio's rules.

use std::time::Duration;

use crate::{
    support::{
        client::{Browser, Reply},
        html,
        mailbox::Mailbox,
        people::{OTHER_PASSWORD, PASSWORD},
        program::{Program, Setup},
        upstream::Upstream,
    },
    twilio::{ACCOUNT_SID, AUTH_TOKEN, SERVICE_SID, Twilio},
};

/// Kenyan, as PAGES shows it.
pub const NUMBER: &str = "+254712123456";

pub const LOCAL: &str = "0712 123456";

pub struct Stage {
    pub upstream: Upstream,
    pub twilio: Twilio,
    pub program: Program,
}

pub async fn stage_with(change: impl FnOnce(&mut Setup)) -> Stage {
    let (upstream, twilio) = (Upstream::start().await, Twilio::start().await);
    let mut setup = Setup::before(&upstream.url());
    setup.verify = format!(
        "account_sid = \"{ACCOUNT_SID}\"\nauth_token = \"{AUTH_TOKEN}\"\nservice_sid = \"{SERVICE_SID}\"\nbase_url = \"{}\"\nchannels = [\"sms\", \"call\", \"whatsapp\"]\n",
        twilio.base_url()
    );
    change(&mut setup);
    let program = setup.start().await;
    program.ready().await;
    program.add_person("ada", PASSWORD, false);
    Stage { upstream, twilio, program }
}

pub async fn stage() -> Stage {
    stage_with(|_| {}).await
}

impl Stage {
    pub async fn signed_in(&self) -> Browser {
        Browser::new(&self.program).signed_in("ada", PASSWORD).await
    }

    /// Ada, signed in, with the factor on.
    pub async fn enrolled(&self) -> Browser {
        let mut browser = self.signed_in().await;
        self.enrol(&mut browser, "KE", LOCAL, "sms").await.expect(303);
        let code = self.twilio.code_for(NUMBER).expect("a code under way");
        browser
            .submit("/.auth/second-factor/phone", "/.auth/second-factor/phone", &[("code", &code)])
            .await
            .expect(303);
        browser
    }

    pub async fn enrol(&self, browser: &mut Browser, country: &str, phone: &str, channel: &str) -> Reply {
        let fields = [("country", country), ("phone", phone), ("channel", channel)];
        browser.submit("/.auth/second-factor/phone", "/.auth/second-factor/phone", &fields).await
    }

    /// A browser that has shown the password and owes the code.
    pub async fn owing(&self) -> Browser {
        // A code is sent anew only when the earlier verification ended or enough time passed; the double keeps count.
        let mut browser = Browser::new(&self.program);
        let reply = browser.sign_in("ada", PASSWORD).await.expect(303);
        assert!(reply.location().starts_with("/.auth/login/verify"), "{}", reply.location());
        browser
    }
}

pub async fn answer(browser: &mut Browser, code: &str) -> Reply {
    browser.submit("/.auth/login/verify", "/.auth/login/verify", &[("code", code)]).await
}

#[tokio::test]
async fn enrolled_people_get_in_with_password_and_code() {
    let stage = stage().await;
    let mut enrolling = stage.enrolled().await;
    let list = enrolling.get("/.auth/second-factor").await.expect(200);
    assert!(list.words().contains("•••• 56"), "masked: {}", list.words());
    assert!(!list.text().contains("712123456") && !list.text().contains("712 123456"), "shown masked everywhere");
    let mut browser = stage.owing().await;
    assert!(browser.session_cookie().is_none(), "no session before the code");
    let page = browser.get("/.auth/login/verify").await.expect(200);
    assert!(page.words().contains("We sent a code by SMS to •••• 56"), "{}", page.words());
    let code = stage.twilio.code_for(NUMBER).unwrap();
    let spaced = format!(" {} {} ", &code[..3], &code[3..]);
    answer(&mut browser, &spaced).await.expect(303);
    browser.get("/").await.expect(200);
    assert_eq!(stage.upstream.last().field("remote-user"), Some("ada"));
    let me = browser.api("/.auth/me").await.json();
    assert_eq!(me["amr"], serde_json::json!(["pwd", "sms", "mfa"]), "{me}");
    // Checks go by the verification itself, never by the number alone.
    for check in stage.twilio.checks() {
        assert!(check.field("VerificationSid").is_some_and(|sid| sid.starts_with("VE")), "{check:?}");
    }
}

#[tokio::test]
async fn full_width_digits_and_dashes_are_understood() {
    let stage = stage().await;
    stage.enrolled().await;
    let mut browser = stage.owing().await;
    let code = stage.twilio.code_for(NUMBER).unwrap();
    let wide: String = code.chars().map(|digit| char::from_u32(digit as u32 - 0x30 + 0xff10).unwrap()).collect();
    answer(
        &mut browser,
        &format!("{}-{}", wide.chars().take(3).collect::<String>(), wide.chars().skip(3).collect::<String>()),
    )
    .await
    .expect(303);
}

#[tokio::test]
async fn wrong_codes_are_explained_and_counted_across_restarted_sign_ins() {
    let stage = stage().await;
    stage.enrolled().await;
    let mut wrong = 0;
    let mut spent = None;
    for _round in 0..4 {
        let mut browser = stage.owing().await;
        for _ in 0..3 {
            let code = stage.twilio.wrong_code_for(NUMBER);
            let reply = answer(&mut browser, &code).await;
            assert!(browser.session_cookie().is_none());
            if reply.status == 429 {
                spent = Some(reply);
                break;
            }
            assert_eq!(reply.status, 401, "{}", reply.words());
            wrong += 1;
            let left = match 5 - wrong {
                1 => "1 try left.".into(),
                left => format!("{left} tries left."),
            };
            let said = format!("That code isn't right. {left}");
            assert!(reply.words().contains(&said), "{said} {}", reply.words());
        }
        if spent.is_some() {
            break;
        }
    }
    assert!(wrong <= 5, "{wrong} wrong codes were taken");
    let reply = spent.expect("an end to guessing");
    assert!(reply.words().contains("Too many tries. Ask for a new code after"), "{}", reply.words());
    // The right code opens nothing now, in a fresh sign-in either.
    let mut browser = Browser::new(&stage.program);
    browser.sign_in("ada", PASSWORD).await;
    if let Some(code) = stage.twilio.code_for(NUMBER) {
        let page = browser.get("/.auth/login/verify").await;
        if html::has_control(&page.text(), "code") {
            let reply = answer(&mut browser, &code).await;
            assert_ne!(reply.status, 303, "guessing went on");
        }
    }
    assert!(browser.session_cookie().is_none());
}

#[tokio::test]
async fn an_expired_code_asks_for_a_new_one() {
    let stage = stage().await;
    stage.enrolled().await;
    let mut browser = stage.owing().await;
    let code = stage.twilio.code_for(NUMBER).unwrap();
    stage.twilio.advance(Duration::from_secs(601));
    let reply = answer(&mut browser, &code).await;
    assert_eq!(reply.status, 401, "{}", reply.words());
    assert!(reply.words().contains("Ask for a new code"), "{}", reply.words());
    assert!(browser.session_cookie().is_none());
}

#[tokio::test]
async fn a_code_works_once_and_for_its_account_only() {
    let stage = stage().await;
    stage.program.add_person("eve", OTHER_PASSWORD, false);
    stage.enrolled().await;
    // Eve enrols a number of her own; Ada's code is worthless to her.
    let mut eve = Browser::new(&stage.program).signed_in("eve", OTHER_PASSWORD).await;
    stage.enrol(&mut eve, "DE", "0151 23456789", "sms").await.expect(303);
    let mut ada = stage.owing().await;
    let code = stage.twilio.code_for(NUMBER).unwrap();
    let reply = eve.submit("/.auth/second-factor/phone", "/.auth/second-factor/phone", &[("code", &code)]).await;
    if stage.twilio.code_for("+4915123456789") != Some(code.clone()) {
        assert_eq!(reply.status, 401, "{}", reply.words());
    }
    let second_tab = ada.clone();
    answer(&mut ada, &code).await.expect(303);
    let mut replay = second_tab;
    let page = replay.get("/.auth/login/verify").await;
    assert!(page.status == 303, "the flow is over: {}", page.status);
    assert!(replay.session_cookie().is_none());
}

#[tokio::test]
async fn a_number_pending_for_another_account_is_refused() {
    let stage = stage().await;
    stage.program.add_person("eve", OTHER_PASSWORD, false);
    let mut ada = stage.signed_in().await;
    stage.enrol(&mut ada, "KE", LOCAL, "sms").await.expect(303);
    let mut eve = Browser::new(&stage.program).signed_in("eve", OTHER_PASSWORD).await;
    let reply = stage.enrol(&mut eve, "KE", LOCAL, "sms").await;
    assert!([422, 429].contains(&reply.status.as_u16()), "{}: {}", reply.status, reply.words());
}

#[tokio::test]
async fn the_person_chooses_another_way() {
    let stage = stage_with(|setup| setup.moved_clock = true).await;
    stage.enrolled().await;
    let mut browser = stage.owing().await;
    let early =
        browser.submit("/.auth/login/verify", "/.auth/login/verify/send", &[("channel", "sms")]).await.expect(429);
    assert!(early.words().contains("the earlier message still works, it has the same code"), "{}", early.words());
    stage.program.clock.as_ref().unwrap().advance(Duration::from_secs(61));
    stage.twilio.advance(Duration::from_secs(61));
    browser.submit("/.auth/login/verify", "/.auth/login/verify/send", &[("channel", "call")]).await.expect(303);
    assert_eq!(stage.twilio.sends().last().unwrap().field("Channel"), Some("call"));
    let page = browser.get("/.auth/login/verify").await.expect(200);
    assert!(page.words().to_lowercase().contains("call"), "{}", page.words());
    let code = stage.twilio.code_for(NUMBER).unwrap();
    answer(&mut browser, &code).await.expect(303);
    let me = browser.api("/.auth/me").await.json();
    assert_eq!(me["amr"], serde_json::json!(["pwd", "tel", "mfa"]));
    let foreign = browser.post("/.auth/login/verify/send", &[("channel", "pigeon")]).await;
    assert!(!foreign.status.is_success());
}

#[tokio::test]
async fn a_code_by_email_goes_to_the_confirmed_address() {
    let stage = stage_with(|setup| {
        setup.verify = setup.verify.replace("[\"sms\", \"call\", \"whatsapp\"]", "[\"email\"]");
    })
    .await;
    let mut enrolling = stage.signed_in().await;
    let page = enrolling.get("/.auth/second-factor/phone").await.expect(200);
    for control in ["country", "phone", "example"] {
        assert!(!html::has_control(&page.text(), control), "{control} is of no use: {}", page.words());
    }
    let form = "/.auth/second-factor/phone";
    enrolling.submit(form, form, &[("channel", "email")]).await.expect(303);
    let send = stage.twilio.sends().pop().unwrap();
    assert_eq!((send.field("To"), send.field("Channel")), (Some("ada@example.com"), Some("email")));
    let code = stage.twilio.code_for("ada@example.com").unwrap();
    enrolling.submit(form, form, &[("code", &code)]).await.expect(303);
    let mut browser = stage.owing().await;
    let page = browser.get("/.auth/login/verify").await.expect(200);
    assert!(page.words().contains("We sent a code by e-mail to a") && !page.text().contains("ada@example.com"));
    let code = stage.twilio.code_for("ada@example.com").unwrap();
    answer(&mut browser, &code).await.expect(303);
    assert_eq!(browser.api("/.auth/me").await.json()["amr"], serde_json::json!(["pwd", "otp", "mfa"]));
}

#[tokio::test]
async fn a_number_may_stay_empty_only_where_codes_go_by_email() {
    let stage = stage_with(|setup| setup.verify = setup.verify.replace("\"whatsapp\"", "\"email\"")).await;
    let mut browser = stage.signed_in().await;
    let page = browser.get("/.auth/second-factor/phone").await.expect(200);
    let text = page.text();
    let phone = html::tags(&text, "input").find(|tag| html::attribute(tag, "name").as_deref() == Some("phone"));
    assert_eq!(html::attribute(phone.unwrap(), "required"), None, "a browser sends the form without it");
    stage.enrol(&mut browser, "KE", "", "sms").await.expect(422);
    assert!(stage.twilio.sends().is_empty());
    stage.enrol(&mut browser, "", "", "email").await.expect(303);
    assert_eq!(stage.twilio.sends().pop().unwrap().field("To"), Some("ada@example.com"));
}

#[tokio::test]
async fn a_code_by_whatsapp_signs_in() {
    let stage = stage().await;
    let mut enrolling = stage.signed_in().await;
    stage.enrol(&mut enrolling, "KE", LOCAL, "whatsapp").await.expect(303);
    let code = stage.twilio.code_for(NUMBER).unwrap();
    let form = "/.auth/second-factor/phone";
    enrolling.submit(form, form, &[("code", &code)]).await.expect(303);
    let mut browser = stage.owing().await;
    assert_eq!(stage.twilio.sends().pop().unwrap().field("Channel"), Some("whatsapp"));
    let page = browser.get("/.auth/login/verify").await.expect(200);
    assert!(page.words().contains("We sent a code by WhatsApp to •••• 56"), "{}", page.words());
    let code = stage.twilio.code_for(NUMBER).unwrap();
    answer(&mut browser, &code).await.expect(303);
    browser.get("/").await.expect(200);
}

#[tokio::test]
async fn reset_factors_by_the_command_line_lets_the_owner_in_again() {
    let stage = stage().await;
    stage.enrolled().await;
    stage.program.run(&["user", "reset-factors", "ada"], "");
    let reply = Browser::new(&stage.program).sign_in("ada", PASSWORD).await.expect(303);
    assert_eq!(reply.location(), "/");
}

#[tokio::test]
async fn a_factor_changed_meanwhile_makes_a_pending_sign_in_stale() {
    let stage = stage().await;
    stage.enrolled().await;
    let mut browser = stage.owing().await;
    let code = stage.twilio.code_for(NUMBER).unwrap();
    stage.program.run(&["user", "set-password", "ada", "--password-stdin"], &format!("{OTHER_PASSWORD}\n"));
    let reply = answer(&mut browser, &code).await;
    assert!(browser.session_cookie().is_none(), "{}", reply.status);
    assert!(reply.status == 401 || reply.location().starts_with("/.auth/login"), "{} {}", reply.status, reply.words());
}

#[tokio::test]
async fn secrets_codes_and_numbers_never_reach_the_log() {
    let mailbox = Mailbox::start().await;
    let stage = stage_with(|setup| {
        setup.environment.push(("RUST_LOG".into(), "trace".into()));
        setup.mail = format!("transport = \"{}\"\nfrom = \"no-reply@example.com\"\n", mailbox.transport());
    })
    .await;
    stage.enrolled().await;
    mailbox.wait_for("ada@example.com", "two-factor").await;
    let mut browser = stage.owing().await;
    let wrong = stage.twilio.wrong_code_for(NUMBER);
    answer(&mut browser, &wrong).await.expect(401);
    let code = stage.twilio.code_for(NUMBER).unwrap();
    answer(&mut browser, &code).await.expect(303);
    browser.get("/page?secret=canary-in-query").await.expect(200);
    let (_, cookie) = browser.session_cookie().unwrap();
    let output = stage.program.output();
    for secret in [
        AUTH_TOKEN,
        PASSWORD,
        &code,
        &wrong,
        "712123456",
        "712 123456",
        cookie.as_str(),
        "canary-in-query",
        "ada@example.com",
    ] {
        let line = output.lines().find(|line| line.contains(secret));
        assert!(line.is_none(), "{secret} was logged: {}", line.unwrap());
    }
    stage.program.run(&["user", "show", "ada"], "");
}

#[tokio::test]
async fn pages_do_not_look_for_codes_in_the_terminal_that_are_sent() {
    let stage = stage().await;
    let page = Browser::new(&stage.program).get("/.auth/login").await.expect(200);
    assert!(page.words().contains("Trying out: mails appear in the terminal"), "{}", page.words());
}

#[tokio::test]
async fn console_codes_are_marked_as_for_trying_out() {
    let program = Setup::demo().start().await;
    program.ready().await;
    program.add_person("ada", PASSWORD, false);
    let mut browser = Browser::new(&program).signed_in("ada", PASSWORD).await;
    let before = program.output().len();
    let fields = [("country", "KE"), ("phone", LOCAL), ("channel", "sms")];
    browser.submit("/.auth/second-factor/phone", "/.auth/second-factor/phone", &fields).await.expect(303);
    let page = browser.get("/.auth/second-factor/phone").await.expect(200);
    assert!(page.words().contains("Trying out: codes appear in the terminal"), "{}", page.words());
    let code = program.console_code(before).await;
    assert!(program.output()[before..].to_lowercase().contains("trying out"), "{}", &program.output()[before..]);
    browser.submit("/.auth/second-factor/phone", "/.auth/second-factor/phone", &[("code", &code)]).await.expect(303);
    let mut again = Browser::new(&program);
    let before = program.output().len();
    again.sign_in("ada", PASSWORD).await.expect(303);
    let code = program.console_code(before).await;
    answer(&mut again, &code).await.expect(303);
    again.get("/").await.expect(200);
}
