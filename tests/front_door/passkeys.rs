//! SCENARIO 16: passkeys, in Chromium with its virtual authenticator, and by a key of our own that can also be hostile.

use std::time::Duration;

use serde_json::json;

use crate::{
    second_factor::{NUMBER, Stage, answer, stage, stage_with},
    support::{
        PROMPTLY,
        chromium::Window,
        client::{Browser, Reply},
        eventually, html,
        key::{Key, PRESENT, asked},
        mailbox::Mailbox,
        people::{OTHER_PASSWORD, PASSWORD},
        program::{Program, Setup},
    },
};

const PAGE: &str = "/.auth/second-factor/passkey";
const SECURITY: &str = "/.auth/second-factor";

/// Adds that key to the account of whoever is signed in there.
pub async fn add(browser: &mut Browser, key: &mut Key, name: &str) -> Reply {
    let page = browser.get(PAGE).await.expect(200);
    let (token, credential) = (html::input_value(&page.text(), "csrf").unwrap(), key.create(&asked(&page)));
    browser.post(PAGE, &[("csrf", &token), ("credential", &credential), ("name", name)]).await
}

/// Ada's browser with a passkey on, and the key.
pub async fn with_passkey(stage: &Stage) -> (Browser, Key) {
    let mut browser = stage.signed_in().await;
    let mut key = Key::new(&stage.program.origin());
    let reply = add(&mut browser, &mut key, "Yubi").await.expect(303);
    assert!(reply.location().ends_with("?done=passkey-added"), "{}", reply.location());
    (browser, key)
}

/// The form of a sign-in page, signed by that key.
pub async fn signed(browser: &mut Browser, key: &Key) -> Vec<(&'static str, String)> {
    let page = browser.get("/.auth/login?return_to=/inside").await.expect(200);
    let field = |name| html::input_value(&page.text(), name).unwrap();
    vec![
        ("csrf", field("csrf")),
        ("ceremony", field("ceremony")),
        ("return_to", field("return_to")),
        ("credential", key.sign(&asked(&page))),
    ]
}

pub async fn send(browser: &mut Browser, fields: &[(&'static str, String)]) -> Reply {
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    browser.post("/.auth/login/passkey", &fields).await
}

/// Signs in by the key alone. Nothing is asserted.
async fn alone(browser: &mut Browser, key: &Key) -> Reply {
    let fields = signed(browser, key).await;
    send(browser, &fields).await
}

/// Answers the second step by the key. Nothing is asserted.
pub async fn second_step(browser: &mut Browser, key: &Key) -> Reply {
    let page = browser.get("/.auth/login/verify").await.expect(200);
    let (token, credential) = (html::input_value(&page.text(), "csrf").unwrap(), key.sign(&asked(&page)));
    browser.post("/.auth/login/verify", &[("csrf", &token), ("credential", &credential)]).await
}

fn refused(reply: &Reply, browser: &Browser, why: &str) {
    assert_eq!(reply.status, 401, "{why}: {}", reply.words());
    assert!(reply.words().contains("That passkey didn't work here"), "{why}: {}", reply.words());
    assert!(browser.session_cookie().is_none(), "{why}");
}

#[tokio::test]
async fn a_passkey_opens_the_door_after_the_password_and_alone() {
    let stage = stage().await;
    let (_, key) = with_passkey(&stage).await;
    let mut browser = stage.owing().await;
    assert!(browser.session_cookie().is_none(), "no session before the passkey");
    second_step(&mut browser, &key).await.expect(303);
    assert_eq!(browser.api("/.auth/me").await.json()["amr"], json!(["pwd", "hwk", "mfa"]));
    let mut browser = Browser::new(&stage.program);
    let reply = alone(&mut browser, &key).await.expect(303);
    assert_eq!(reply.location(), "/inside");
    browser.get("/inside").await.expect(200);
    assert_eq!(stage.upstream.last().field("remote-user"), Some("ada"));
    assert_eq!(browser.api("/.auth/me").await.json()["amr"], json!(["hwk", "mfa"]), "device and user: two factors");
}

#[tokio::test]
async fn what_another_site_asked_for_or_nobody_unlocked_is_refused() {
    let stage = stage().await;
    let (_, mut key) = with_passkey(&stage).await;
    let origin = stage.program.origin();
    let try_both = async |key: &Key, why: &str| {
        let mut browser = Browser::new(&stage.program);
        let reply = alone(&mut browser, key).await;
        refused(&reply, &browser, why);
        let mut browser = stage.owing().await;
        let reply = second_step(&mut browser, key).await;
        refused(&reply, &browser, why);
        // What was refused asks anew, and another way stays open.
        assert!(reply.text().contains("data-options"), "{why}");
    };
    for wrong in ["http://localhost:1", "https://localhost", "http://evil.example", "null"] {
        key.origin = wrong.into();
        try_both(&key, wrong).await;
    }
    key.origin = origin;
    key.party = Some("evil.example".into());
    try_both(&key, "another relying party").await;
    key.party = None;
    key.flags = PRESENT;
    try_both(&key, "the user was not verified").await;
    let mut other = Key::new(&key.origin);
    other.claim(&key);
    try_both(&other, "a key nobody enrolled").await;
}

#[tokio::test]
async fn each_ceremony_is_good_once() {
    let stage = stage().await;
    let (_, key) = with_passkey(&stage).await;
    let mut browser = Browser::new(&stage.program);
    let fields = signed(&mut browser, &key).await;
    let mut tries: Vec<_> = (0..8).map(|_| browser.clone()).collect();
    let replies = futures_util::future::join_all(tries.iter_mut().map(|browser| send(browser, &fields))).await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 303).count(), 1, "eight at once, one session");
    assert_eq!(tries.iter().filter(|browser| browser.session_cookie().is_some()).count(), 1);
    let reply = send(&mut browser, &fields).await;
    refused(&reply, &browser, "a replay");
    // The second step: what was answered once is worth nothing in a sign-in of its own.
    let mut first = stage.owing().await;
    let page = first.get("/.auth/login/verify").await;
    let credential = key.sign(&asked(&page));
    first.submit("/.auth/login/verify", "/.auth/login/verify", &[("credential", &credential)]).await.expect(303);
    let mut second = stage.owing().await;
    let reply = second.submit("/.auth/login/verify", "/.auth/login/verify", &[("credential", &credential)]).await;
    refused(&reply, &second, "another sign-in's answer");
}

#[tokio::test]
async fn a_ceremony_is_the_portals_own_and_lasts_an_hour() {
    let stage = stage_with(|setup| setup.moved_clock = true).await;
    let (_, key) = with_passkey(&stage).await;
    let mut browser = Browser::new(&stage.program);
    let fields = signed(&mut browser, &key).await;
    for (name, value) in [("ceremony", ""), ("ceremony", "AAAA"), ("credential", "{}"), ("credential", "")] {
        let mut bad = fields.clone();
        bad.iter_mut().find(|(own, _)| *own == name).unwrap().1 = value.into();
        let reply = send(&mut browser, &bad).await;
        refused(&reply, &browser, name);
    }
    let mut bent = fields.clone();
    let ceremony = &mut bent[1].1;
    let last = ceremony.pop().unwrap();
    ceremony.push(if last == 'A' { 'B' } else { 'A' });
    let reply = send(&mut browser, &bent).await;
    refused(&reply, &browser, "a ceremony somebody changed");
    stage.program.clock.as_ref().unwrap().advance(Duration::from_secs(3601));
    let reply = send(&mut browser, &fields).await;
    refused(&reply, &browser, "a page left open");
    alone(&mut browser, &key).await.expect(303);
}

#[tokio::test]
async fn a_key_that_counts_backwards_signs_nobody_in_and_its_owner_hears_of_it() {
    let mailbox = Mailbox::start().await;
    let stage = stage_with(|setup| {
        setup.mail = format!("transport = \"{}\"\nfrom = \"no-reply@example.com\"\n", mailbox.transport());
    })
    .await;
    let mut browser = stage.signed_in().await;
    let mut key = Key::new(&stage.program.origin());
    key.counter = 5;
    add(&mut browser, &mut key, "Yubi").await.expect(303);
    key.counter = 9;
    alone(&mut Browser::new(&stage.program), &key).await.expect(303);
    for counter in [9, 3] {
        key.counter = counter;
        let mut browser = Browser::new(&stage.program);
        let reply = alone(&mut browser, &key).await;
        refused(&reply, &browser, "alone");
        let mut browser = stage.owing().await;
        let reply = second_step(&mut browser, &key).await;
        refused(&reply, &browser, "after the password");
    }
    let mail = mailbox.wait_for("ada@example.com", "A passkey for").await;
    assert!(mail.text.contains("Yubi") && mail.text.contains("nobody was let in"), "{}", mail.text);
    assert!(stage.program.output().contains("counts backwards"), "the operator's log says so");
    key.counter = 10;
    alone(&mut Browser::new(&stage.program), &key).await.expect(303);
}

#[tokio::test]
async fn passkeys_have_names_and_go_one_by_one() {
    let stage = stage().await;
    let (mut browser, first) = with_passkey(&stage).await;
    let mut second = Key::new(&stage.program.origin());
    browser.always =
        vec![("user-agent".into(), "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko Firefox/140.0".into())];
    let page = browser.get(PAGE).await.expect(200);
    assert_eq!(html::input_value(&page.text(), "name").as_deref(), Some("Firefox on Linux"), "a name to begin with");
    assert!(asked(&page)["excludeCredentials"].as_array().is_some_and(|known| known.len() == 1), "not the same twice");
    add(&mut browser, &mut second, "").await.expect(303);
    let list = browser.get(SECURITY).await.expect(200);
    assert!(list.words().contains("Passkey Yubi , since"), "{}", list.words());
    assert!(list.words().contains("Passkey Firefox on Linux"), "{}", list.words());
    assert!(!list.words().contains("last used"), "none was shown yet");
    alone(&mut Browser::new(&stage.program), &first).await.expect(303);
    assert!(browser.get(SECURITY).await.words().contains("last used"));
    let link = |page: &Reply, what: &str| {
        let text = page.text();
        let tags: Vec<_> = html::tags(&text, "a").filter_map(|tag| html::attribute(tag, "href")).collect();
        tags.into_iter().filter(|href| href.contains(what)).collect::<Vec<_>>()
    };
    let rename = link(&list, "/passkey?factor=").remove(0);
    let factor = rename.split_once('=').unwrap().1.to_owned();
    assert_eq!(html::input_value(&browser.get(&rename).await.expect(200).text(), "name").as_deref(), Some("Yubi"));
    let reply = browser.submit(&rename, PAGE, &[("factor", &factor), ("name", " ")]).await.expect(422);
    assert!(reply.words().contains("Enter your passkey's name"), "{}", reply.words());
    browser.submit(&rename, PAGE, &[("factor", &factor), ("name", "On my key ring")]).await.expect(303);
    assert!(browser.get(SECURITY).await.words().contains("Passkey On my key ring"));
    let told = browser.get("/.auth/activity").await.words();
    assert!(told.contains("You gave a passkey another name"), "{told}");
    let output = stage.program.output();
    let line = output.lines().find(|line| line.contains("event=\"passkey-renamed\"")).unwrap_or_default();
    assert!(line.contains("actor=\"self\"") && line.contains("network=127.0.0.0/24"), "{line}");
    // Somebody else's is nothing one could name, see or remove.
    stage.program.add_person("grace", PASSWORD, false);
    let mut grace = Browser::new(&stage.program).signed_in("grace", PASSWORD).await;
    assert_eq!(grace.get(&rename).await.expect(303).location(), SECURITY);
    grace.submit("/.auth/profile/edit", PAGE, &[("factor", &factor), ("name", "Mine")]).await.expect(303);
    assert!(browser.get(SECURITY).await.words().contains("Passkey On my key ring"));
    // Removed, it opens nothing; the other one still does.
    let remove = format!("/.auth/second-factor/disable?factor={factor}");
    assert!(browser.get(&remove).await.expect(200).words().contains("Passkey On my key ring"));
    browser
        .submit(&remove, "/.auth/second-factor/disable", &[("factor", &factor), ("password", PASSWORD)])
        .await
        .expect(303);
    let mut gone = Browser::new(&stage.program);
    let reply = alone(&mut gone, &first).await;
    refused(&reply, &gone, "removed");
    alone(&mut Browser::new(&stage.program), &second).await.expect(303);
}

#[tokio::test]
async fn a_key_is_enrolled_by_its_own_answer_after_a_recent_sign_in_once() {
    let stage = stage_with(|setup| setup.moved_clock = true).await;
    let (mut browser, mut key) = with_passkey(&stage).await;
    // The same key once more.
    let reply = add(&mut browser, &mut key, "Again").await;
    assert_eq!(reply.status, 422, "{}", reply.words());
    for (why, change) in [
        ("another origin", (|key| key.origin = "https://evil.example".into()) as fn(&mut Key)),
        ("another party", |key| key.party = Some("evil.example".into())),
        ("nobody unlocked it", |key| key.flags = PRESENT),
    ] {
        let mut bad = Key::new(&stage.program.origin());
        change(&mut bad);
        let reply = add(&mut browser, &mut bad, "Bad").await;
        assert_eq!(reply.status, 422, "{why}: {}", reply.words());
    }
    // One page's question, another page's answer.
    let old = browser.get(PAGE).await;
    let stale = Key::new(&stage.program.origin()).create(&asked(&old));
    let reply = browser.submit(PAGE, PAGE, &[("credential", &stale), ("name", "Stale")]).await;
    assert_eq!(reply.status, 422, "{}", reply.words());
    assert_eq!(browser.get(SECURITY).await.words().matches("Passkey ").count(), 1);
    stage.program.clock.as_ref().unwrap().advance(Duration::from_secs(601));
    let reply = browser.get(PAGE).await.expect(303);
    assert!(reply.location().starts_with("/.auth/login?again=1"), "{}", reply.location());
    // Nor is one renamed, or another way put first.
    for (action, fields) in
        [(PAGE, &[("factor", "x"), ("name", "y")][..]), ("/.auth/second-factor/first", &[("factor", "passkey")])]
    {
        let reply = browser.submit("/.auth/profile/edit", action, fields).await.expect(303);
        assert!(reply.location().starts_with("/.auth/login?again=1"), "{action}: {}", reply.location());
    }
}

#[tokio::test]
async fn somebody_elses_passkey_is_no_second_factor_of_mine() {
    let stage = stage().await;
    let (_, key) = with_passkey(&stage).await;
    stage.program.add_person("grace", OTHER_PASSWORD, false);
    let mut grace = Browser::new(&stage.program).signed_in("grace", OTHER_PASSWORD).await;
    let mut hers = Key::new(&stage.program.origin());
    add(&mut grace, &mut hers, "Hers").await.expect(303);
    let mut browser = stage.owing().await;
    let reply = second_step(&mut browser, &hers).await;
    refused(&reply, &browser, "her key in my sign-in");
    // With my handle it is still her key.
    hers.claim(&key);
    let mut browser = Browser::new(&stage.program);
    let reply = alone(&mut browser, &hers).await;
    refused(&reply, &browser, "her key under my name");
    stage.program.run(&["user", "disable", "ada"], "");
    let mut browser = Browser::new(&stage.program);
    let reply = alone(&mut browser, &key).await;
    refused(&reply, &browser, "a disabled account");
}

#[tokio::test]
async fn people_choose_what_is_asked_first_and_may_pick_another_way_each_time() {
    let stage = stage().await;
    let mut browser = stage.enrolled().await;
    let mut key = Key::new(&stage.program.origin());
    add(&mut browser, &mut key, "Yubi").await.expect(303);
    let sent = stage.twilio.sends().len();
    let mut owing = stage.owing().await;
    let page = owing.get("/.auth/login/verify").await.expect(200);
    assert!(page.words().contains("Use your passkey"), "the strongest first: {}", page.words());
    assert_eq!(stage.twilio.sends().len(), sent, "and no message for it");
    let phone = html::input_value(&page.text(), "factor").unwrap();
    let verify = "/.auth/login/verify";
    owing.submit(verify, "/.auth/login/verify/send", &[("factor", &phone)]).await.expect(303);
    let code = stage.twilio.code_for(NUMBER).unwrap();
    let sent = stage.twilio.sends().len();
    // There and back again: the message that was sent is still good, and none is sent for it.
    owing.submit(verify, "/.auth/login/verify/send", &[("factor", "passkey")]).await.expect(303);
    assert!(owing.get(verify).await.words().contains("Use your passkey"));
    owing.submit(verify, "/.auth/login/verify/send", &[("factor", &phone)]).await.expect(303);
    let page = owing.get(verify).await.expect(200);
    assert!(page.words().contains("We sent a code by SMS to •••• 56"), "{}", page.words());
    assert_eq!(stage.twilio.sends().len(), sent);
    answer(&mut owing, &code).await.expect(303);
    let list = browser.get(SECURITY).await.expect(200);
    assert!(list.words().contains("we ask for a passkey first"), "{}", list.words());
    let reply = browser.submit(SECURITY, "/.auth/second-factor/first", &[("factor", &phone)]).await.expect(303);
    assert!(browser.get(reply.location()).await.words().contains("we ask for codes first"));
    let told = browser.get("/.auth/activity").await.words();
    assert!(told.contains("You chose what is asked first"), "{told}");
    for unknown in ["", "nothing", "passkey2"] {
        browser.submit(SECURITY, "/.auth/second-factor/first", &[("factor", unknown)]).await.expect(303);
    }
    let mut owing = stage.owing().await;
    assert!(owing.get(verify).await.words().contains("code by SMS"), "as chosen");
}

#[tokio::test]
async fn without_scripts_passkey_pages_say_what_they_need_and_the_password_works_beside_them() {
    const NEED: &str =
        "<noscript><p class=\"hint\">Passkeys need scripts: allow them on this page, or use another way.";
    let stage = stage().await;
    let (mut browser, _key) = with_passkey(&stage).await;
    let adding = browser.get(PAGE).await.expect(200);
    assert!(adding.text().contains(NEED), "{}", adding.text());
    // Signing in: nothing of passkeys shows until the script takes the attribute away.
    let mut other = Browser::new(&stage.program);
    let page = other.get("/.auth/login").await.expect(200).text();
    let (_, form) = page.split_once("data-passkey=\"fill\"").expect("the form of passkeys");
    assert!(form.split('>').next().unwrap().ends_with(" hidden"), "{page}");
    let (_, form) = page.split_once("action=\"/.auth/login\"").expect("the form of passwords");
    let (form, _) = form.split_once("</form>").unwrap();
    assert!(form.contains("name=\"password\"") && form.contains("type=\"submit\""), "{form}");
    other.sign_in("ada", PASSWORD).await.expect(303);
    let owed = other.get("/.auth/login/verify").await.expect(200);
    assert!(owed.text().contains(NEED) && owed.text().contains("Another way"), "{}", owed.text());
    // Somebody without a passkey needs no scripts at all.
    stage.program.add_person("eve", OTHER_PASSWORD, false);
    Browser::new(&stage.program).sign_in("eve", OTHER_PASSWORD).await.expect(303);
}

#[tokio::test]
async fn where_browsers_know_no_passkeys_none_is_offered() {
    let setup = Setup { url: "http://127.0.0.1:{port}".into(), ..Setup::demo() };
    let program = setup.start().await;
    program.ready().await;
    program.add_person("ada", PASSWORD, false);
    let mut browser = Browser::new(&program);
    browser.authority = format!("127.0.0.1:{}", program.http.port());
    let page = browser.get("/.auth/login").await.expect(200);
    assert!(!page.text().contains("data-passkey") && !page.text().contains("passkey."), "{}", page.text());
    let mut browser = browser.signed_in("ada", PASSWORD).await;
    assert!(!browser.get(SECURITY).await.expect(200).words().contains("passkey"));
    assert_eq!(browser.get(PAGE).await.expect(303).location(), SECURITY);
}

async fn demo() -> Program {
    let program = Setup::demo().start().await;
    program.ready().await;
    program.add_person("ada", PASSWORD, false);
    program
}

#[tokio::test]
async fn in_a_browser_a_passkey_is_added_used_after_the_password_and_alone_renamed_and_removed() {
    let program = demo().await;
    let window = Window::open(true).await;
    let device = window.authenticator().await;
    let origin = program.origin();
    let sign_in = async || {
        window.open_page(&format!("{origin}/.auth/login?return_to=/.auth/second-factor")).await;
        window.fill("identifier", "ada").await;
        window.fill("password", PASSWORD).await;
    };
    sign_in().await;
    window.press("Sign in").await;
    window.sees("Add a passkey").await;
    window.press("Add a passkey").await;
    window.sees("fingerprint, face or PIN").await;
    window.pictures("passkey-add").await;
    window.press("Add a passkey").await;
    window.sees("Your passkey is added.").await;
    window.pictures("security-passkey").await;
    // The same device once more: said in words, nothing lost.
    window.press("Add a passkey").await;
    window.sees("fingerprint, face or PIN").await;
    window.press("Add a passkey").await;
    window.sees("This device has a passkey for your account already.").await;
    // The browser offers the passkey in the name's field as well: until the button is pressed, nobody touches the device.
    window.answers_by_itself(&device, false).await;
    window.open_page(&format!("{origin}/.auth/logout")).await;
    window.press("Sign out").await;
    window.sees("Sign in with a passkey").await;
    window.pictures("sign-in-passkey").await;
    sign_in().await;
    window.press("Sign in").await;
    window.sees("Use your passkey").await;
    window.pictures("verify-passkey").await;
    window.answers_by_itself(&device, true).await;
    window.press("Use a passkey").await;
    window.sees("last used").await;
    window.open_page(&format!("{origin}/.auth/logout")).await;
    window.answers_by_itself(&device, false).await;
    window.press("Sign out").await;
    window.sees("Sign in with a passkey").await;
    // Alone.
    window.open_page(&format!("{origin}/.auth/login?return_to=/welcome")).await;
    window.sees("Sign in with a passkey").await;
    window.answers_by_itself(&device, true).await;
    window.press("Sign in with a passkey").await;
    window.sees("Remote-User").await;
    window.open_page(&format!("{origin}/.auth/second-factor")).await;
    window.press("Rename").await;
    window.fill("name", "Test device").await;
    window.pictures("passkey-rename").await;
    window.press("Rename").await;
    window.sees("Passkey Test device").await;
    window.press("Remove").await;
    window.fill("password", PASSWORD).await;
    window.press("Disable").await;
    window.sees("Two-factor authentication is off").await;
    window.close().await;
}

#[tokio::test]
async fn a_browser_fills_the_passkey_in_where_the_name_is_typed() {
    let program = demo().await;
    let window = Window::open(true).await;
    let device = window.authenticator().await;
    let origin = program.origin();
    window.open_page(&format!("{origin}/.auth/login?return_to=/.auth/second-factor/passkey")).await;
    window.fill("identifier", "ada").await;
    window.fill("password", PASSWORD).await;
    window.press("Sign in").await;
    window.sees("fingerprint, face or PIN").await;
    window.press("Add a passkey").await;
    window.sees("Your passkey is added.").await;
    window.open_page(&format!("{origin}/.auth/logout")).await;
    window.press("Sign out").await;
    // Conditional UI: the virtual device's user picks it without a button.
    window.answers_by_itself(&device, true).await;
    window.open_page(&format!("{origin}/.auth/login?return_to=/welcome")).await;
    window.sees("Remote-User").await;
    window.close().await;
}

#[tokio::test]
async fn keys_that_say_much_of_themselves_close_no_way_in() {
    let stage = stage().await;
    let mut browser = stage.enrolled().await;
    let origin = stage.program.origin();
    let mut talkative = Key::new(&origin);
    talkative.transports = 3000;
    add(&mut browser, &mut talkative, "Talkative").await.expect(303);
    let mut long = Key::new(&origin);
    long.id = vec![7; 257];
    assert_eq!(add(&mut browser, &mut long, "Long").await.status, 422);
    // As many as there may be, as long as they may be.
    for number in 0..9 {
        let mut key = Key::new(&origin);
        key.id = vec![number; 256];
        key.transports = 200;
        add(&mut browser, &mut key, "Long").await.expect(303);
    }
    assert_eq!(browser.get(PAGE).await.expect(303).location(), SECURITY, "ten are enough");
    let mut owing = Browser::new(&stage.program);
    let far = format!("/.auth/login?return_to=/{}", "x".repeat(3000));
    let fields = [("identifier", "ada"), ("password", PASSWORD), ("return_to", &far[28..])];
    owing.submit(&far, "/.auth/login", &fields).await.expect(303);
    second_step(&mut owing, &talkative).await.expect(303);
}

#[tokio::test]
async fn junk_is_bounded_for_its_account_and_closes_the_way_for_nobody_else() {
    let stage = stage().await;
    let (_, key) = with_passkey(&stage).await;
    // Of no account: nothing that a neighbour feels.
    let mut junk = Browser::new(&stage.program);
    for _ in 0..130 {
        junk.post("/.auth/login/passkey", &[("csrf", "x"), ("credential", "{}")]).await;
    }
    let fields = signed(&mut junk, &key).await;
    for _ in 0..130 {
        let mut bad = fields.clone();
        bad[3].1 = "{}".into();
        assert_eq!(send(&mut junk, &bad).await.status, 401);
    }
    alone(&mut Browser::new(&stage.program), &key).await.expect(303);
    // With the password, of this account: so many, and then slowly.
    let mut owing = stage.owing().await;
    let mut refused = 0;
    for _ in 0..40 {
        let reply = owing.submit("/.auth/login/verify", "/.auth/login/verify", &[("credential", "{}")]).await;
        refused += usize::from(reply.status == 429);
    }
    assert!(refused > 10, "{refused} of 40 were held back");
}

#[tokio::test]
async fn a_form_sent_twice_is_no_copy_of_the_key() {
    let stage = stage().await;
    let mut browser = stage.signed_in().await;
    let mut key = Key::new(&stage.program.origin());
    key.counter = 1;
    add(&mut browser, &mut key, "Yubi").await.expect(303);
    key.counter = 2;
    let mut other = Browser::new(&stage.program);
    let fields = signed(&mut other, &key).await;
    send(&mut other, &fields).await.expect(303);
    let mut again = Browser { jar: other.jar.clone(), ..Browser::new(&stage.program) };
    assert_eq!(send(&mut again, &fields).await.status, 401);
    assert!(!stage.program.output().contains("counts backwards"));
}

/// A session that has one factor too few for its group.
#[tokio::test]
async fn where_a_group_demands_a_second_factor_nothing_opens_without_one_and_the_last_one_stays() {
    let stage = stage_with(|setup| setup.accounts += "two_factor_groups = [\"staff\"]\n").await;
    let mut browser = stage.signed_in().await;
    browser.get("/").await.expect(200);
    // Put into the group, at once.
    stage.program.run(&["user", "groups", "ada", "staff"], "");
    eventually("the demand", PROMPTLY, async || (browser.get("/").await.status == 303).then_some(())).await;
    stage.upstream.forget();
    for path in ["/", "/page", "/.auth/profile", "/.auth/password", "/.auth/sessions", "/.auth/activity"] {
        let reply = browser.get(path).await.expect(303);
        assert!(reply.location().starts_with("/.auth/second-factor?reason=wanted"), "{path}: {}", reply.location());
    }
    for path in ["/api", "/.auth/me", "/.auth/check"] {
        assert_eq!(browser.api(path).await.status, 403, "{path}");
    }
    assert!(stage.upstream.seen().is_empty(), "nothing reached the site");
    let list = browser.get("/.auth/second-factor?reason=wanted&return_to=/page").await.expect(200);
    assert!(list.words().contains("asks for two-factor authentication"), "{}", list.words());
    let mut key = Key::new(&stage.program.origin());
    add(&mut browser, &mut key, "Yubi").await.expect(303);
    browser.get("/page").await.expect(200);
    let list = browser.get(SECURITY).await.expect(200).text();
    let disable =
        html::tags(&list, "a").find_map(|tag| html::attribute(tag, "href").filter(|href| href.contains("disable")));
    let disable = disable.expect("a link");
    let page = browser.get(&disable).await.expect(200);
    assert!(page.words().contains("has to have a second factor here"), "{}", page.words());
    let fields = [("password", PASSWORD), ("factor", disable.split_once('=').unwrap().1)];
    let reply = browser.submit(SECURITY, "/.auth/second-factor/disable", &fields).await.expect(403);
    assert!(reply.words().contains("Add another one first"), "{}", reply.words());
    let mut second = Key::new(&stage.program.origin());
    add(&mut browser, &mut second, "Spare").await.expect(303);
    browser.submit(SECURITY, "/.auth/second-factor/disable", &fields).await.expect(303);
    assert_eq!(browser.get(SECURITY).await.words().matches("Passkey ").count(), 1);
    // At the next sign-in of somebody without one, too.
    stage.program.add_person("sam", PASSWORD, false);
    stage.program.run(&["user", "groups", "sam", "staff"], "");
    let mut sam = Browser::new(&stage.program).signed_in("sam", PASSWORD).await;
    assert!(sam.get("/page").await.expect(303).location().starts_with("/.auth/second-factor?reason=wanted"));
    sam.submit("/.auth/second-factor", "/.auth/logout", &[]).await.expect(303);
    assert!(sam.session_cookie().is_none(), "the way out is open");
}

#[tokio::test]
async fn renaming_a_passkey_and_choosing_what_comes_first_are_mailed_to_the_owner() {
    let mailbox = Mailbox::start().await;
    let stage = stage_with(|setup| {
        setup.mail = format!("transport = \"{}\"\nfrom = \"no-reply@example.com\"\n", mailbox.transport());
    })
    .await;
    let mut browser = stage.enrolled().await;
    let mut key = Key::new(&stage.program.origin());
    add(&mut browser, &mut key, "Yubi").await.expect(303);
    let list = browser.get(SECURITY).await.expect(200).text();
    let hrefs = html::tags(&list, "a").filter_map(|tag| html::attribute(tag, "href"));
    let rename = hrefs.into_iter().find(|href| href.contains("/passkey?factor=")).expect("a link");
    let factor = rename.split_once('=').unwrap().1.to_owned();
    browser.submit(&rename, PAGE, &[("factor", &factor), ("name", "Key ring")]).await.expect(303);
    let mail = mailbox.wait_for("ada@example.com", "A passkey was renamed").await;
    assert!(mail.text.contains("If this wasn't you"), "{}", mail.text);
    browser.submit(SECURITY, "/.auth/second-factor/first", &[("factor", "passkey")]).await.expect(303);
    let mail = mailbox.wait_for("ada@example.com", "What is asked first was changed").await;
    assert!(mail.text.contains("If this wasn't you"), "{}", mail.text);
    // The same again changes nothing, and says nothing.
    browser.submit(&rename, PAGE, &[("factor", &factor), ("name", "Key ring")]).await.expect(303);
    browser.submit(SECURITY, "/.auth/second-factor/first", &[("factor", "passkey")]).await.expect(303);
    let told = browser.get("/.auth/activity").await.words();
    assert_eq!(told.matches("You gave a passkey another name").count(), 1, "{told}");
    assert_eq!(told.matches("You chose what is asked first").count(), 1, "{told}");
}
