//! Authenticator apps (SCENARIOS 15), against an implementation that is not ours: `oathtool`.

use std::{
    process::Command,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::{
    second_factor::{NUMBER, Stage, answer, stage_with},
    support::{
        client::{Browser, Reply},
        people::PASSWORD,
    },
};

const PAGE: &str = "/.auth/second-factor/app";
const STEP: Duration = Duration::from_secs(30);

/// An app that was told a secret, and the time it goes by.
pub struct App {
    pub secret: String,
    pub ahead: Duration,
}

impl App {
    /// Reads the key off the page, as people without a camera do.
    pub fn told_by(page: &Reply) -> Self {
        let words = page.words();
        let (_, rest) = words.split_once("Type this key: ").expect("a key on the page");
        let secret =
            rest.chars().take_while(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || *c == ' ').collect::<String>();
        let secret: String = secret.chars().filter(|c| *c != ' ').take(32).collect();
        assert_eq!(secret.len(), 32, "20 bytes: {secret}");
        Self { secret, ahead: Duration::ZERO }
    }

    pub fn code(&self) -> String {
        self.code_after(0)
    }

    /// The code of so many steps from now.
    fn code_after(&self, steps: i64) -> String {
        self.code_of(self.step() + steps)
    }

    /// Which step it is now.
    pub fn step(&self) -> i64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + self.ahead;
        i64::try_from(now.as_secs() / STEP.as_secs()).unwrap()
    }

    /// Goes by a clock that was moved.
    pub fn advance(&mut self, span: Duration) {
        self.ahead += span;
    }

    /// The code of that step.
    pub fn code_of(&self, step: i64) -> String {
        let at = step * 30;
        let output = Command::new("oathtool")
            .args(["--totp", "-b", &self.secret, "--now", &format!("@{at}")])
            .output()
            .expect("oathtool");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

async fn moved() -> Stage {
    stage_with(|setup| setup.moved_clock = true).await
}

/// Moves the clock, and a little further where a step would soon end: codes that a test has at hand stay what they are.
pub fn wait(stage: &Stage, app: &mut App, span: Duration) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + app.ahead + span;
    let into = now.as_secs() % STEP.as_secs();
    let span = if into > 15 { span + STEP - Duration::from_secs(into) } else { span };
    app.advance(span);
    stage.program.clock.as_ref().unwrap().advance(span);
}

pub async fn enrolled(stage: &Stage) -> (Browser, App) {
    let mut browser = stage.signed_in().await;
    let mut app = App::told_by(&browser.get(PAGE).await.expect(200));
    wait(stage, &mut app, Duration::ZERO);
    let done = browser.submit(PAGE, PAGE, &[("code", &app.code())]).await.expect(303);
    assert_eq!(done.location(), "/.auth/second-factor?done=on");
    (browser, app)
}

async fn owing(stage: &Stage) -> Browser {
    let mut browser = Browser::new(&stage.program);
    let reply = browser.sign_in("ada", PASSWORD).await.expect(303);
    assert_eq!(reply.location(), "/.auth/login/verify");
    browser
}

#[tokio::test]
async fn an_app_is_enrolled_by_its_code_and_asked_for_at_every_sign_in() {
    let stage = moved().await;
    let mut browser = stage.signed_in().await;
    let page = browser.get(PAGE).await.expect(200);
    assert!(page.text().contains("<svg") && page.text().contains("href=\"otpauth://totp/"), "{}", page.text());
    let mut app = App::told_by(&page);
    assert_eq!(App::told_by(&browser.get(PAGE).await).secret, app.secret, "reloading keeps it");
    let wrong = browser.submit(PAGE, PAGE, &[("code", "000000")]).await.expect(401);
    assert!(wrong.words().contains("That code isn't right."), "{}", wrong.words());
    assert_eq!(App::told_by(&wrong).secret, app.secret, "a mistake loses nothing");
    browser.submit(PAGE, PAGE, &[("code", &app.code())]).await.expect(303);
    let list = browser.get("/.auth/second-factor").await.expect(200).words();
    assert!(list.contains("authenticator app"), "{list}");
    wait(&stage, &mut app, STEP);
    let mut other = owing(&stage).await;
    let page = other.get("/.auth/login/verify").await.expect(200);
    assert!(page.words().contains("Enter the code from your authenticator app."), "{}", page.words());
    assert!(other.session_cookie().is_none(), "no session before the code");
    answer(&mut other, &app.code()).await.expect(303);
    other.get("/").await.expect(200);
    let me = other.api("/.auth/me").await.json();
    assert_eq!(me["amr"], serde_json::json!(["pwd", "otp", "mfa"]), "{me}");
    assert!(stage.twilio.sends().is_empty(), "nothing is sent to anybody");
}

#[tokio::test]
async fn each_code_is_good_once_and_a_step_early_or_late() {
    let stage = moved().await;
    let (_browser, mut app) = enrolled(&stage).await;
    let used = app.code();
    let mut browser = owing(&stage).await;
    let again = answer(&mut browser, &used).await.expect(401);
    assert!(again.words().contains("That code isn't right."), "the enrolment used it up: {}", again.words());
    wait(&stage, &mut app, STEP * 4);
    for steps in [-2, 2] {
        answer(&mut browser, &app.code_after(steps)).await.expect(401);
    }
    let late = app.code_after(-1);
    answer(&mut browser, &late).await.expect(303);
    let mut browser = owing(&stage).await;
    answer(&mut browser, &late).await.expect(401);
    answer(&mut browser, &app.code_after(1)).await.expect(303);
    let mut browser = owing(&stage).await;
    answer(&mut browser, &app.code()).await.expect(401);
}

#[tokio::test]
async fn one_code_from_many_browsers_at_once_opens_one_session() {
    let stage = moved().await;
    let (_browser, mut app) = enrolled(&stage).await;
    wait(&stage, &mut app, STEP * 2);
    let mut browsers = Vec::new();
    for _ in 0..4 {
        browsers.push(owing(&stage).await);
    }
    let code = app.code();
    let mut answers = tokio::task::JoinSet::new();
    for mut browser in browsers {
        let code = code.clone();
        answers.spawn(async move { answer(&mut browser, &code).await.status.as_u16() });
    }
    let mut statuses = answers.join_all().await;
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 401, 401, 401]);
}

#[tokio::test]
async fn guesses_are_counted_across_sign_ins_and_a_right_password_does_not_forget_them() {
    let stage = moved().await;
    let (_browser, mut app) = enrolled(&stage).await;
    wait(&stage, &mut app, STEP * 2);
    let mut statuses = Vec::new();
    for _ in 0..5 {
        let mut browser = owing(&stage).await;
        statuses.push(answer(&mut browser, "000000").await.status.as_u16());
    }
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 4, "{statuses:?}");
    let mut browser = owing(&stage).await;
    let reply = answer(&mut browser, &app.code()).await.expect(429);
    assert!(!reply.words().contains("Ask for a new code"), "an app has no new code to ask for: {}", reply.words());
    wait(&stage, &mut app, Duration::from_secs(1800));
    let mut browser = owing(&stage).await;
    answer(&mut browser, &app.code()).await.expect(303);
}

#[tokio::test]
async fn who_has_an_app_and_a_phone_may_choose_and_loses_one_at_a_time() {
    let stage = moved().await;
    let mut browser = stage.enrolled().await;
    let mut app = App::told_by(&browser.get(PAGE).await.expect(200));
    browser.submit(PAGE, PAGE, &[("code", &app.code())]).await.expect(303);
    wait(&stage, &mut app, STEP * 3);
    stage.twilio.advance(STEP * 3);
    let sent = stage.twilio.sends().len();
    let mut other = owing(&stage).await;
    let page = other.get("/.auth/login/verify").await.expect(200);
    assert!(page.words().contains("Send a code by SMS to •••• 56"), "{}", page.words());
    assert_eq!(stage.twilio.sends().len(), sent, "the app is asked first");
    let factor = crate::support::html::input_value(&page.text(), "factor").expect("another way");
    let way = [("factor", factor.as_str())];
    other.submit("/.auth/login/verify", "/.auth/login/verify/send", &way).await.expect(303);
    assert_eq!(stage.twilio.sends().len(), sent + 1);
    let page = other.get("/.auth/login/verify").await.expect(200).words();
    assert!(page.contains("We sent a code by SMS to •••• 56") && page.contains("Use your authenticator app"), "{page}");
    answer(&mut other, &stage.twilio.code_for(NUMBER).unwrap()).await.expect(303);
    let me = other.api("/.auth/me").await.json();
    assert_eq!(me["amr"], serde_json::json!(["pwd", "sms", "mfa"]), "{me}");
    // Off goes the one that was meant, and the other stays.
    let list = other.get("/.auth/second-factor").await.expect(200);
    let link = format!("/.auth/second-factor/disable?factor={factor}");
    assert!(list.text().contains(&link), "{}", list.text());
    let done =
        other.submit(&link, "/.auth/second-factor/disable", &[("password", PASSWORD), ("factor", &factor)]).await;
    assert_eq!(done.expect(303).location(), "/.auth/second-factor?done=less");
    let list = other.get("/.auth/second-factor").await.expect(200).words();
    assert!(list.contains("authenticator app") && !list.contains("•••• 56"), "{list}");
    wait(&stage, &mut app, STEP * 2);
    let mut third = owing(&stage).await;
    answer(&mut third, &app.code()).await.expect(303);
}

#[tokio::test]
async fn a_factor_that_is_off_counts_for_nothing_after_the_next_sign_in() {
    let stage = moved().await;
    let (mut browser, mut app) = enrolled(&stage).await;
    browser
        .submit("/.auth/second-factor/disable", "/.auth/second-factor/disable", &[("password", PASSWORD)])
        .await
        .expect(303);
    wait(&stage, &mut app, Duration::from_secs(11 * 60));
    let asked = browser.get(PAGE).await.expect(303).location().to_owned();
    let fields = [("identifier", "ada"), ("password", PASSWORD), ("return_to", PAGE)];
    browser.submit(&asked, "/.auth/login", &fields).await.expect(303);
    let me = browser.api("/.auth/me").await.json();
    assert_eq!(me["amr"], serde_json::json!(["pwd"]), "{me}");
    browser.get(PAGE).await.expect(200);
}

#[tokio::test]
async fn an_app_signs_in_while_the_code_provider_is_down() {
    let stage = moved().await;
    let (_browser, mut app) = enrolled(&stage).await;
    stage.twilio.fail_always(Some(crate::twilio::Fault::Bare(503)));
    wait(&stage, &mut app, STEP * 2);
    let mut browser = owing(&stage).await;
    answer(&mut browser, &app.code()).await.expect(303);
    browser.get("/").await.expect(200);
}

/// Makes ten and reads them off the page.
pub async fn recovery_codes(browser: &mut Browser) -> Vec<String> {
    let page = browser.submit(RECOVERY, RECOVERY, &[]).await.expect(200).text();
    let list = page.split_once("<pre>").unwrap().1.split_once("</pre>").unwrap().0;
    list.lines().map(str::to_owned).collect()
}

pub async fn recover(browser: &mut Browser, code: &str) -> Reply {
    browser.submit("/.auth/login/verify?way=recovery", "/.auth/login/verify?way=recovery", &[("code", code)]).await
}

#[tokio::test]
async fn a_recovery_code_stands_in_for_the_second_factor_once() {
    let stage = moved().await;
    let mut browser = stage.signed_in().await;
    let none = browser.get(RECOVERY).await.expect(303);
    assert_eq!(none.location(), "/.auth/second-factor", "there is nothing to recover yet");
    let (mut browser, mut app) = enrolled(&stage).await;
    let list = browser.get("/.auth/second-factor").await.expect(200).words();
    assert!(list.contains("a lost device locks you out"), "{list}");
    let codes = recovery_codes(&mut browser).await;
    assert_eq!(codes.len(), 10);
    assert_eq!(codes.iter().collect::<std::collections::HashSet<_>>().len(), 10, "{codes:?}");
    assert!(browser.get(RECOVERY).await.expect(200).words().contains("10 are left."), "and never shown again");
    let mut lost = owing(&stage).await;
    recover(&mut lost, "aaaa-aaaa-aaaa-aaaa").await.expect(401);
    recover(&mut lost, &codes[0].to_uppercase().replace('-', " ")).await.expect(303);
    lost.get("/").await.expect(200);
    let me = lost.api("/.auth/me").await.json();
    assert_eq!(me["amr"], serde_json::json!(["pwd", "otp", "mfa"]), "{me}");
    assert!(lost.get("/.auth/second-factor").await.words().contains("9 are left."));
    let mut again = owing(&stage).await;
    let used = recover(&mut again, &codes[0]).await.expect(401);
    assert!(used.words().contains("That code isn't right."), "{}", used.words());
    // New ones replace the old, used or not.
    let fresh = recovery_codes(&mut browser).await;
    recover(&mut again, &codes[1]).await.expect(401);
    recover(&mut again, &fresh[0]).await.expect(303);
    let database = std::fs::read(stage.program.data.join("accounts.db")).unwrap();
    let wal = std::fs::read(stage.program.data.join("accounts.db-wal")).unwrap_or_default();
    for secret in fresh.iter().flat_map(|code| [code.clone(), code.replace('-', "")]).chain([app.secret.clone()]) {
        let secret = secret.as_bytes();
        assert!(![&database, &wal].iter().any(|file| file.windows(secret.len()).any(|part| part == secret)));
    }
    // With the last factor, its codes go.
    wait(&stage, &mut app, STEP);
    browser
        .submit("/.auth/second-factor/disable", "/.auth/second-factor/disable", &[("password", PASSWORD)])
        .await
        .expect(303);
    browser.get(RECOVERY).await.expect(303);
}

#[tokio::test]
async fn four_uses_of_one_recovery_code_at_once_open_one_session() {
    let stage = moved().await;
    let (mut browser, _app) = enrolled(&stage).await;
    let codes = recovery_codes(&mut browser).await;
    let mut browsers = Vec::new();
    for _ in 0..4 {
        browsers.push(owing(&stage).await);
    }
    let mut answers = tokio::task::JoinSet::new();
    for mut browser in browsers {
        let code = codes[3].clone();
        answers.spawn(async move { recover(&mut browser, &code).await.status.as_u16() });
    }
    let mut statuses = answers.join_all().await;
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 401, 401, 401]);
}

const RECOVERY: &str = "/.auth/second-factor/recovery-codes";
