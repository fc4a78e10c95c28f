//! Approvals on a telephone by Twilio Verify Push. The double plays the service and the owner's app.

use std::time::Duration;

use serde_json::json;

use crate::{
    address,
    second_factor::{LOCAL, NUMBER, Stage, answer, stage, stage_with},
    support::{
        PROMPTLY,
        client::{Browser, Reply},
        eventually, html,
        mailbox::Mailbox,
        people::{OTHER_PASSWORD, PASSWORD},
        program::Setup,
    },
    twilio::Fault,
};

const PAGE: &str = "/.auth/second-factor/push";
const SECURITY: &str = "/.auth/second-factor";
const VERIFY: &str = "/.auth/login/verify";
const SEND: &str = "/.auth/login/verify/send";

fn on(setup: &mut Setup) {
    setup.verify += "push = true\n";
}

fn on_and_moved(setup: &mut Setup) {
    on(setup);
    setup.moved_clock = true;
}

fn advance(stage: &Stage, seconds: u64) {
    let span = Duration::from_secs(seconds);
    stage.program.clock.as_ref().unwrap().advance(span);
    stage.twilio.advance(span);
}

/// The token that a page shows.
fn token(page: &Reply) -> String {
    let text = page.text();
    let (_, rest) = text.split_once("<code>").unwrap_or_else(|| panic!("a token: {}", page.words()));
    rest.split_once("</code>").unwrap().0.to_owned()
}

/// Adds a telephone to whoever is signed in there.
pub async fn add(stage: &Stage, browser: &mut Browser) -> String {
    let page = browser.get(PAGE).await.expect(200);
    let factor = stage.twilio.install(&token(&page), "Pixel 9", true);
    let done = browser.submit(PAGE, PAGE, &[]).await.expect(303);
    assert!(done.location().ends_with("?done=push-added"), "{}", done.location());
    factor
}

/// Ada with a telephone that approves.
async fn enrolled(change: impl FnOnce(&mut Setup)) -> (Stage, Browser) {
    let stage = stage_with(change).await;
    let mut browser = stage.signed_in().await;
    add(&stage, &mut browser).await;
    (stage, browser)
}

/// The last question that went out.
pub fn asked(stage: &Stage) -> String {
    stage.twilio.challenges().pop().expect("a question")
}

/// "I approved it". Nothing is asserted.
pub async fn approved(browser: &mut Browser) -> Reply {
    browser.submit(VERIFY, VERIFY, &[]).await
}

fn refused(browser: &Browser, reply: &Reply, words: &str) {
    assert_eq!(reply.status, 401, "{}", reply.words());
    assert!(reply.words().contains(words), "{}", reply.words());
    assert!(browser.session_cookie().is_none(), "{words}");
}

#[tokio::test]
async fn push_is_off_by_default() {
    let stage = stage().await;
    let mut browser = stage.signed_in().await;
    let list = browser.get(SECURITY).await.expect(200);
    assert!(!list.text().contains("second-factor/push"), "{}", list.words());
    let page = browser.get(PAGE).await.expect(303);
    assert_eq!(page.location(), SECURITY);
    let csrf = html::input_value(&browser.get("/.auth/second-factor/app").await.text(), "csrf").unwrap();
    browser.post(PAGE, &[("csrf", &csrf)]).await.expect(303);
    assert!(stage.twilio.requests().is_empty(), "nobody is asked");
}

#[tokio::test]
async fn a_telephone_is_added_when_its_app_has_finished() {
    let mailbox = Mailbox::start().await;
    let stage = stage_with(|setup| {
        on(setup);
        setup.mail = format!("transport = \"{}\"\nfrom = \"no-reply@example.com\"\n", mailbox.transport());
    })
    .await;
    let mut browser = stage.signed_in().await;
    assert!(browser.get(SECURITY).await.text().contains("second-factor/push"));
    let first = token(&browser.get(PAGE).await.expect(200));
    let early = browser.submit(PAGE, PAGE, &[]).await.expect(422);
    assert!(early.words().contains("We can't see your phone yet"), "{}", early.words());
    let factor = stage.twilio.install(&first, "Pixel 9", false);
    browser.submit(PAGE, PAGE, &[]).await.expect(422);
    stage.twilio.finish(&factor);
    // The page itself was loaded again meanwhile: the telephone is found all the same.
    browser.submit(PAGE, PAGE, &[]).await.expect(303);
    let list = browser.get(SECURITY).await.expect(200).words();
    assert!(list.contains("Approvals on Pixel 9"), "{list}");
    assert_eq!(browser.get(PAGE).await.expect(303).location(), SECURITY, "one of each");
    let mail = mailbox.wait_for("ada@example.com", "Two-factor authentication is on").await;
    assert!(mail.text.contains("Pixel 9"), "{}", mail.text);
    // Nothing personal names her there.
    for seen in stage.twilio.requests() {
        let said = format!("{}{:?}", seen.path, seen.form);
        assert!(!said.contains("ada") && !said.contains("Lovelace") && !said.contains("example.com"), "{said}");
    }
    assert!(!stage.program.output().contains(&first), "no token in the log");
}

#[tokio::test]
async fn a_telephone_that_was_there_before_is_never_taken_for_the_new_one() {
    let (stage, mut browser) = enrolled(on).await;
    // A second one takes a token as well, and is left behind when the factor goes.
    let disable = format!("{SECURITY}/disable");
    browser.submit(&disable, &disable, &[("password", PASSWORD)]).await.expect(303);
    eventually("the provider forgets it", PROMPTLY, async || (stage.twilio.devices() == 0).then_some(())).await;
    let stale = token(&browser.get(PAGE).await.expect(200));
    stage.twilio.install(&stale, "Thief", true);
    // Another session of hers begins anew: what is there by then is not hers to take.
    let mut other = stage.signed_in().await;
    other.get(PAGE).await.expect(200);
    other.submit(PAGE, PAGE, &[]).await.expect(422);
    let own = token(&other.get(PAGE).await);
    stage.twilio.install(&own, "Pixel 9", true);
    other.submit(PAGE, PAGE, &[]).await.expect(303);
    let list = other.get(SECURITY).await.words();
    assert!(list.contains("Pixel 9") && !list.contains("Thief"), "{list}");
}

#[tokio::test]
async fn of_two_telephones_that_took_one_token_neither_is_added() {
    let stage = stage_with(on).await;
    let mut browser = stage.signed_in().await;
    let shown = token(&browser.get(PAGE).await.expect(200));
    stage.twilio.install(&shown, "Pixel 9", true);
    stage.twilio.install(&shown, "Thief", true);
    let reply = browser.submit(PAGE, PAGE, &[]).await.expect(303);
    assert!(reply.location().ends_with("push?done=anew"), "{}", reply.location());
    assert!(!browser.get(SECURITY).await.words().contains("Approvals on"));
}

#[tokio::test]
async fn a_sign_in_approved_on_the_telephone_goes_ahead() {
    let (stage, _) = enrolled(on).await;
    let mut browser = Browser::new(&stage.program);
    browser.always =
        vec![("user-agent".into(), "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko Firefox/140.0".into())];
    browser.sign_in("ada", PASSWORD).await.expect(303);
    assert!(browser.session_cookie().is_none(), "no session before the answer");
    let page = browser.get(VERIFY).await.expect(200);
    assert!(page.words().contains("Approve it on your phone") && page.words().contains("Pixel 9"), "{}", page.words());
    let seen = stage.twilio.asked().pop().unwrap();
    assert!(seen.field("Details.Message").is_some_and(|message| message.starts_with("Sign in to ")), "{seen:?}");
    let details: Vec<_> = seen.form.iter().filter(|(name, _)| name == "Details.Fields").map(|(_, json)| json).collect();
    let details: Vec<serde_json::Value> = details.iter().map(|json| serde_json::from_str(json).unwrap()).collect();
    let detail = |label: &str| details.iter().find(|one| one["label"] == label).unwrap()["value"].as_str().unwrap();
    assert_eq!((detail("Browser"), detail("Network")), ("Firefox on Linux", "127.0.0.0/24"));
    assert!(page.words().contains(&format!("the number {}", detail("Number"))), "{}", page.words());
    for _ in 0..2 {
        let reply = approved(&mut browser).await;
        refused(&browser, &reply, "Not approved yet");
    }
    let reply = answer(&mut browser, "123456").await;
    refused(&browser, &reply, "Not approved yet");
    stage.twilio.approve(&asked(&stage));
    approved(&mut browser).await.expect(303);
    browser.get("/").await.expect(200);
    assert_eq!(browser.api("/.auth/me").await.json()["amr"], json!(["pwd", "swk", "mfa"]));
    assert_eq!(stage.twilio.asked().len(), 1, "one sign-in, one question");
    assert!(browser.get("/.auth/sessions").await.words().contains("approval on a phone"));
    let row = async || {
        let words = browser.clone().get("/.auth/activity").await.words();
        words.contains("an approval on your phone").then_some(())
    };
    eventually("the trail tells", PROMPTLY, row).await;
}

#[tokio::test]
async fn an_approval_starts_one_session_and_no_other_sign_in() {
    let (stage, _) = enrolled(on).await;
    let mut mine = stage.owing().await;
    let own = asked(&stage);
    let mut other = stage.owing().await;
    stage.twilio.approve(&own);
    let reply = approved(&mut other).await;
    refused(&other, &reply, "Not approved yet");
    let csrf = html::input_value(&mine.get(VERIFY).await.text(), "csrf").unwrap();
    let mut tries: Vec<_> = (0..6).map(|_| mine.clone()).collect();
    let fields = [("csrf", &*csrf)];
    futures_util::future::join_all(tries.iter_mut().map(|browser| browser.post(VERIFY, &fields))).await;
    let begun = tries.iter().filter(|browser| browser.session_cookie().is_some()).count();
    assert_eq!(begun, 1, "six at once, one session");
    let replay = mine.post(VERIFY, &fields).await.expect(303);
    assert!(replay.location().starts_with("/.auth/login"), "{}", replay.location());
    assert!(mine.session_cookie().is_none(), "a replay");
}

#[tokio::test]
async fn the_approval_of_one_person_lets_nobody_else_in() {
    let (stage, _) = enrolled(on).await;
    stage.program.add_person("eve", OTHER_PASSWORD, false);
    let mut eve = Browser::new(&stage.program).signed_in("eve", OTHER_PASSWORD).await;
    add(&stage, &mut eve).await;
    let mut ada = stage.owing().await;
    let mut eve = Browser::new(&stage.program);
    eve.sign_in("eve", OTHER_PASSWORD).await.expect(303);
    stage.twilio.approve(&asked(&stage));
    let reply = approved(&mut ada).await;
    refused(&ada, &reply, "Not approved yet");
    stage.twilio.fail_next(Fault::Approves);
    let reply = approved(&mut ada).await.expect(503);
    assert!(ada.session_cookie().is_none(), "the provider speaks of somebody else: {}", reply.words());
    approved(&mut eve).await.expect(303);
    assert_eq!(eve.api("/.auth/me").await.json()["username"], "eve");
}

#[tokio::test]
async fn a_denied_sign_in_is_refused_recorded_and_asks_less_often() {
    let (stage, mut owner) = enrolled(on_and_moved).await;
    let mut browser = stage.owing().await;
    stage.twilio.deny(&asked(&stage));
    let reply = approved(&mut browser).await;
    refused(&browser, &reply, "It was denied on your phone");
    let again = browser.submit(VERIFY, SEND, &[]).await.expect(429);
    assert!(again.words().contains("then ask again"), "{}", again.words());
    // Twice as long as after a question that nobody denied, and more.
    advance(&stage, 90);
    browser.submit(VERIFY, SEND, &[]).await.expect(429);
    assert_eq!(stage.twilio.asked().len(), 1);
    advance(&stage, 31);
    browser.submit(VERIFY, SEND, &[]).await.expect(303);
    assert_eq!(stage.twilio.asked().len(), 2);
    let row = async || {
        let words = owner.clone().get("/.auth/activity").await.words();
        words.contains("turned away on your phone").then_some(())
    };
    eventually("the trail tells", PROMPTLY, row).await;
    stage.twilio.approve(&asked(&stage));
    approved(&mut browser).await.expect(303);
    owner.get("/").await.expect(200);
}

#[tokio::test]
async fn who_knows_the_password_cannot_ask_until_the_owner_gives_in() {
    let (stage, _) = enrolled(on_and_moved).await;
    for _ in 0..20 {
        let mut browser = Browser::new(&stage.program);
        browser.sign_in("ada", PASSWORD).await.expect(303);
        let page = browser.get(VERIFY).await;
        if page.text().contains("I approved it") {
            stage.twilio.deny(&asked(&stage));
            approved(&mut browser).await;
        }
        advance(&stage, 1);
    }
    assert!(stage.twilio.asked().len() <= 3, "{} questions in twenty sign-ins", stage.twilio.asked().len());
}

#[tokio::test]
async fn a_question_that_ran_out_is_asked_anew() {
    let (stage, _) = enrolled(on_and_moved).await;
    let mut browser = stage.owing().await;
    let first = asked(&stage);
    stage.twilio.approve(&first);
    advance(&stage, 301);
    let reply = approved(&mut browser).await;
    refused(&browser, &reply, "That has run out on your phone");
    browser.submit(VERIFY, SEND, &[]).await.expect(303);
    assert_ne!(asked(&stage), first);
    stage.twilio.approve(&asked(&stage));
    approved(&mut browser).await.expect(303);
}

#[tokio::test]
async fn while_the_provider_is_down_other_factors_still_work() {
    let (stage, mut browser) = enrolled(on).await;
    let codes = "/.auth/second-factor/recovery-codes";
    let page = browser.submit(codes, codes, &[]).await.expect(200).text();
    let code = page.split("<pre>").nth(1).unwrap().lines().next().unwrap().to_owned();
    for fault in [Fault::Bare(503), Fault::Hangup, Fault::UNAUTHORIZED, Fault::Garbage, Fault::Approves] {
        stage.twilio.fail_always(Some(fault.clone()));
        let mut browser = stage.owing().await;
        let page = browser.get("/.auth/login/verify?failed=down").await;
        assert!(
            page.words().contains("Your phone can't be asked right now") && page.words().contains("Ask my phone"),
            "{fault:?}: {}",
            page.words()
        );
        stage.twilio.fail_always(None);
        assert!(browser.session_cookie().is_none());
    }
    stage.twilio.fail_always(Some(Fault::Bare(503)));
    let mut browser = stage.owing().await;
    let way = "/.auth/login/verify?way=recovery";
    browser.submit(way, way, &[("code", &code)]).await.expect(303);
    browser.get("/").await.expect(200);
}

#[tokio::test]
async fn a_telephone_that_the_provider_forgot_says_what_to_do() {
    let (stage, _) = enrolled(on).await;
    stage.twilio.fail_next(Fault::Error { status: 404, code: 20404 });
    let mut browser = Browser::new(&stage.program);
    let page = browser.sign_in("ada", PASSWORD).await.expect(303).location().to_owned();
    let page = browser.get(&page).await.expect(422);
    assert!(page.words().contains("Your phone can't be asked any more"), "{}", page.words());
    stage.twilio.fail_next(Fault::Error { status: 429, code: 60312 });
    let limited = browser.submit(VERIFY, SEND, &[]).await.expect(429);
    assert!(limited.words().contains("That was asked for too often. Try again"), "{}", limited.words());
}

#[tokio::test]
async fn while_the_provider_is_down_no_telephone_is_added_and_no_page_speaks_of_codes() {
    let stage = stage_with(on).await;
    let mut browser = stage.signed_in().await;
    stage.twilio.fail_always(Some(Fault::Bare(503)));
    let page = browser.get(PAGE).await.expect(503);
    assert!(page.words().contains("A phone can't be added right now"), "{}", page.words());
    assert!(!page.words().contains("Codes"), "{}", page.words());
    stage.twilio.fail_always(Some(Fault::Error { status: 429, code: 60312 }));
    let page = browser.get(PAGE).await.expect(429);
    assert!(
        page.words().contains("That was asked for too often") && !page.words().contains("codes"),
        "{}",
        page.words()
    );
}

#[tokio::test]
async fn coming_back_to_the_telephone_finds_its_question_open() {
    let (stage, mut enrolling) = enrolled(on).await;
    stage.enrol(&mut enrolling, "KE", LOCAL, "sms").await.expect(303);
    let code = stage.twilio.code_for(NUMBER).unwrap();
    let phone = "/.auth/second-factor/phone";
    enrolling.submit(phone, phone, &[("code", &code)]).await.expect(303);
    let mut browser = stage.owing().await;
    let switch = async |browser: &mut Browser| {
        let factor = html::input_value(&browser.get(VERIFY).await.text(), "factor").unwrap();
        browser.submit(VERIFY, SEND, &[("factor", &factor)]).await.expect(303);
    };
    switch(&mut browser).await;
    assert!(browser.get(VERIFY).await.words().contains("We sent a code by SMS"), "at once");
    switch(&mut browser).await;
    assert_eq!(stage.twilio.asked().len(), 1, "not asked anew");
    stage.twilio.approve(&asked(&stage));
    approved(&mut browser).await.expect(303);
}

#[tokio::test]
async fn switched_off_again_other_ways_are_asked_for_and_alone_it_opens_nothing() {
    let (mut stage, mut browser) = enrolled(on).await;
    stage.program.add_person("eve", OTHER_PASSWORD, false);
    let mut eve = Browser::new(&stage.program).signed_in("eve", OTHER_PASSWORD).await;
    add(&stage, &mut eve).await;
    stage.enrol(&mut browser, "KE", LOCAL, "sms").await.expect(303);
    let code = stage.twilio.code_for(NUMBER).unwrap();
    let phone = "/.auth/second-factor/phone";
    browser.submit(phone, phone, &[("code", &code)]).await.expect(303);
    let mut open = stage.owing().await;
    let question = asked(&stage);
    stage.twilio.approve(&question);
    let config = std::fs::read_to_string(&stage.program.config).unwrap();
    std::fs::write(&stage.program.config, config.replace("push = true", "push = false")).unwrap();
    stage.program.kill();
    stage.program.resume().await;
    stage.program.ready().await;
    let mut browser = stage.owing().await;
    let page = browser.get(VERIFY).await.expect(200);
    assert!(page.words().contains("by SMS") && !page.words().contains("Approve it on"), "{}", page.words());
    answer(&mut browser, &stage.twilio.code_for(NUMBER).unwrap()).await.expect(303);
    let reply = open.submit("/.auth/login", VERIFY, &[]).await;
    assert!(open.session_cookie().is_none(), "a question from before opens nothing: {}", reply.words());
    // Eve has nothing else: it is owed all the same.
    let mut eve = Browser::new(&stage.program);
    eve.sign_in("eve", OTHER_PASSWORD).await.expect(303);
    let page = eve.get(VERIFY).await.expect(200);
    assert!(page.words().contains("Your phone can't be asked here at the moment"), "{}", page.words());
    assert!(eve.session_cookie().is_none());
}

#[tokio::test]
async fn who_leaves_is_forgotten_by_the_provider_too() {
    let (stage, mut browser) = enrolled(on).await;
    assert_eq!(stage.twilio.devices(), 1);
    let page = "/.auth/profile/delete";
    browser.submit(page, page, &[("password", PASSWORD)]).await.expect(303);
    eventually("the provider forgets it", PROMPTLY, async || (stage.twilio.devices() == 0).then_some(())).await;
}

// The command blocks its thread, and the double has to answer meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whom_the_operator_resets_or_deletes_is_forgotten_by_the_provider_too() {
    for words in [&["user", "reset-factors", "ada"][..], &["user", "delete", "--yes", "ada"]] {
        let (stage, _browser) = enrolled(on).await;
        assert_eq!(stage.twilio.devices(), 1);
        stage.program.run(words, "");
        assert_eq!(stage.twilio.devices(), 0, "{words:?}: at the end of the command");
    }
}

#[tokio::test]
async fn what_an_undone_change_of_the_address_takes_off_is_forgotten_by_the_provider_too() {
    let mailbox = Mailbox::start().await;
    let (stage, mut thief) = enrolled(|setup| {
        on(setup);
        setup.mail = format!("transport = \"{}\"\nfrom = \"no-reply@example.com\"\n", mailbox.transport());
    })
    .await;
    let undo = address::change(&mailbox, &stage.program, &mut thief, "ada@example.com", "thief@example.org").await;
    assert_eq!(stage.twilio.devices(), 1);
    address::press(&mut Browser::new(&stage.program), &undo).await.expect(303);
    eventually("the provider forgets it", PROMPTLY, async || (stage.twilio.devices() == 0).then_some(())).await;
}
