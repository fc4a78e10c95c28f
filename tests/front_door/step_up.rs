//! SCENARIO 17, "needs a recent sign-in of at least that strength": everything that guards an account, after ten minutes.

use std::time::Duration;

use crate::{
    authenticator::App,
    passkeys::{second_step, with_passkey},
    second_factor::{LOCAL, NUMBER, Stage, stage_with},
    support::{
        client::{Browser, Reply},
        html,
        key::{Key, asked},
        people::{OTHER_PASSWORD, PASSWORD},
    },
};

const SECURITY: &str = "/.auth/second-factor";
const APP: &str = "/.auth/second-factor/app";
const PASSKEY: &str = "/.auth/second-factor/passkey";
const PHONE: &str = "/.auth/second-factor/phone";
const PUSH: &str = "/.auth/second-factor/push";
const CODES: &str = "/.auth/second-factor/recovery-codes";

/// A form that would change something, ready to be sent from a tab of its own.
struct Deed {
    tab: Browser,
    action: &'static str,
    csrf: String,
    fields: Vec<(&'static str, String)>,
}

/// The same session under a flow of its own, with that page open.
async fn tab(browser: &Browser, page: &str) -> (Browser, Reply) {
    let mut tab = browser.clone();
    let session = browser.session_cookie().unwrap();
    tab.jar.retain(|name, _| *name == session.0);
    // Some pages hand out the flow cookie first.
    tab.get(page).await;
    let page = tab.get(page).await.expect(200);
    (tab, page)
}

async fn deed(browser: &Browser, page: &str, action: &'static str, fields: &[(&'static str, &str)]) -> (Deed, Reply) {
    let (tab, page) = tab(browser, page).await;
    let csrf = html::input_value(&page.text(), "csrf").expect("a form");
    let fields = fields.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    (Deed { tab, action, csrf, fields }, page)
}

impl Deed {
    async fn send(&self) -> Reply {
        let mut fields: Vec<_> = self.fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        fields.push(("csrf", &self.csrf));
        self.tab.clone().post(self.action, &fields).await
    }
}

/// Everything begun while the sign-in was fresh, so that one form more would finish it.
async fn prepared(stage: &Stage, browser: &Browser) -> (Vec<Deed>, App) {
    let mut deeds = Vec::new();
    let number = [("country", "KE"), ("phone", LOCAL), ("channel", "sms")];
    deeds.push(deed(browser, PHONE, PHONE, &number).await.0);
    let (begun, _) = deed(browser, PHONE, PHONE, &number).await;
    begun.send().await.expect(303);
    let code = stage.twilio.code_for(NUMBER).unwrap();
    let again = Deed {
        tab: begun.tab.clone(),
        action: "/.auth/second-factor/phone/send",
        csrf: begun.csrf.clone(),
        fields: vec![("channel", "call".into())],
    };
    deeds.push(Deed { fields: vec![("code", code)], ..begun });
    deeds.push(again);
    let (mut app, page) = deed(browser, APP, APP, &[]).await;
    let told = App::told_by(&page);
    app.fields.push(("code", String::new()));
    deeds.push(app);
    let (mut passkey, page) = deed(browser, PASSKEY, PASSKEY, &[("name", "Thief")]).await;
    passkey.fields.push(("credential", Key::new(&stage.program.origin()).create(&asked(&page))));
    deeds.push(passkey);
    let (push, page) = deed(browser, PUSH, PUSH, &[]).await;
    let token = page.text().split_once("<code>").unwrap().1.split_once("</code>").unwrap().0.to_owned();
    stage.twilio.install(&token, "Thief's", true);
    deeds.push(push);
    let factor = own_passkey(browser).await;
    let rename = format!("{PASSKEY}?factor={factor}");
    deeds.push(deed(browser, &rename, PASSKEY, &[("factor", &factor), ("name", "Renamed")]).await.0);
    deeds.push(deed(browser, CODES, CODES, &[]).await.0);
    deeds.push(deed(browser, CODES, "/.auth/second-factor/first", &[("factor", "passkey")]).await.0);
    let off = [("password", PASSWORD), ("factor", factor.as_str())];
    deeds.push(deed(browser, CODES, "/.auth/second-factor/disable", &off).await.0);
    let email = "/.auth/profile/email";
    deeds.push(deed(browser, email, email, &[("email", "eve@example.org")]).await.0);
    let delete = "/.auth/profile/delete";
    deeds.push(deed(browser, delete, delete, &[("password", PASSWORD)]).await.0);
    let password = "/.auth/password";
    let fields = [("current_password", PASSWORD), ("password", OTHER_PASSWORD), ("password_confirm", OTHER_PASSWORD)];
    deeds.push(deed(browser, password, password, &fields).await.0);
    (deeds, told)
}

/// The id of Ada's one passkey.
async fn own_passkey(browser: &Browser) -> String {
    let list = browser.clone().get(SECURITY).await.expect(200).text();
    let links = html::tags(&list, "a").filter_map(|tag| html::attribute(tag, "href")).collect::<Vec<_>>();
    let link = links.iter().find(|href| href.contains("/passkey?factor=")).expect("a passkey");
    link.split_once('=').unwrap().1.to_owned()
}

fn pages(factor: &str) -> Vec<String> {
    let disable = format!("/.auth/second-factor/disable?factor={factor}");
    let pages = [PHONE, APP, PASSKEY, PUSH, CODES, &disable];
    let others = ["/.auth/profile/email", "/.auth/profile/delete", "/.auth/profile/data", "/.auth/password"];
    pages.into_iter().chain(others).map(str::to_owned).collect()
}

fn asks_to_confirm(reply: &Reply, what: &str) {
    assert_eq!(reply.status, 303, "{what}: {}", reply.words());
    assert!(reply.location().starts_with("/.auth/login?again=1&return_to="), "{what}: {}", reply.location());
}

/// What the account is, as its owner sees it.
async fn seen(browser: &Browser) -> (String, String, serde_json::Value) {
    let mut browser = browser.clone();
    let (list, profile) = (browser.get(SECURITY).await.expect(200), browser.get("/.auth/profile").await.expect(200));
    let mut me = browser.api("/.auth/me").await.json();
    // It slides with every look.
    me["idle_expires_at"].take();
    (list.words(), html::lasting_words(&profile.text()), me)
}

#[tokio::test]
async fn nothing_that_guards_an_account_changes_ten_minutes_after_its_factor_whatever_password_is_typed() {
    let stage = stage_with(|setup| {
        setup.moved_clock = true;
        setup.verify += "push = true\n";
    })
    .await;
    let (mut browser, key) = with_passkey(&stage).await;
    let factor = own_passkey(&browser).await;
    let (mut deeds, mut app) = prepared(&stage, &browser).await;
    for page in pages(&factor) {
        browser.clone().get(&page).await.expect(200);
    }
    let (before, requests) = (seen(&browser).await, stage.twilio.requests().len());

    let span = Duration::from_secs(11 * 60);
    stage.program.clock.as_ref().unwrap().advance(span);
    app.advance(span);
    for again in [false, true] {
        if again {
            // Whoever finds the session open and knows the password types it once more.
            let fields = [("identifier", "ada"), ("password", PASSWORD), ("return_to", SECURITY)];
            let reply = browser.submit("/.auth/login?again=1", "/.auth/login", &fields).await.expect(303);
            assert_eq!(reply.location(), "/.auth/login/verify", "and owes the factor");
        }
        for page in pages(&factor) {
            asks_to_confirm(&browser.clone().get(&page).await, &page);
        }
        for deed in &mut deeds {
            if deed.action == APP {
                deed.fields[0].1 = app.code();
            }
            let names: Vec<_> = deed.fields.iter().map(|(name, _)| *name).collect();
            asks_to_confirm(&deed.send().await, &format!("{} {names:?}", deed.action));
        }
        assert_eq!(seen(&browser).await, before);
        assert_eq!(stage.twilio.requests().len(), requests, "nobody is sent anything");
    }

    // With the factor shown the same pages open.
    second_step(&mut browser, &key).await.expect(303);
    for page in pages(&factor) {
        browser.clone().get(&page).await.expect(200);
    }
}
