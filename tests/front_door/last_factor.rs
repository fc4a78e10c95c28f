//! Losing the last factor: said plainly where it may go, impossible where the rule of a site asks for two.

use crate::{
    passkeys,
    second_factor::{Stage, stage, stage_with},
    support::{
        client::{Browser, Reply},
        html,
        key::Key,
        people::PASSWORD,
    },
};

const SECURITY: &str = "/.auth/second-factor";
const DISABLE: &str = "/.auth/second-factor/disable";
const WARNING: &str = "Codes by SMS to •••• 56 will no longer be asked for: your password alone will sign you in.";
const STAYS: &str = "Your account has to have a second factor here. Add another one first, then remove this one.";

async fn ruled(rule: &str) -> Stage {
    stage_with(|setup| setup.sites += &format!("[[site.rule]]\npath = \"/strong/\"\nallow = \"two-factor\"\n{rule}"))
        .await
}

/// Presses "Disable" for the only factor there is, whatever its page shows. Nothing is asserted.
async fn disable(browser: &mut Browser) -> Reply {
    browser.submit("/.auth/profile/edit", DISABLE, &[("password", PASSWORD)]).await
}

/// The page neither offers nor does it.
async fn stays_on(browser: &mut Browser) {
    let page = browser.get(DISABLE).await.expect(200);
    assert!(page.words().contains(STAYS), "{}", page.words());
    assert!(page.words().contains("can't be removed until there is another one."), "{}", page.words());
    assert!(!html::has_control(&page.text(), "password"), "there is nothing to press");
    let reply = disable(browser).await.expect(403);
    assert!(reply.words().contains(STAYS), "{}", reply.words());
}

/// The page warns, and does it.
async fn goes(stage: &Stage, browser: &mut Browser) {
    let page = browser.get(DISABLE).await.expect(200);
    assert!(page.words().contains(WARNING), "{}", page.words());
    assert!(!page.words().contains(STAYS), "{}", page.words());
    let done = disable(browser).await.expect(303);
    let list = browser.get(done.location()).await.expect(200).words();
    assert!(list.contains("Two-factor authentication is off. Your password alone signs you in now."), "{list}");
    assert_eq!(Browser::new(&stage.program).sign_in("ada", PASSWORD).await.expect(303).location(), "/");
}

#[tokio::test]
async fn a_last_factor_goes_after_a_plain_warning_where_nothing_asks_for_two() {
    let stage = stage().await;
    let mut browser = stage.enrolled().await;
    goes(&stage, &mut browser).await;
}

#[tokio::test]
async fn a_last_factor_stays_where_the_rule_of_a_site_asks_for_two() {
    let stage = ruled("").await;
    let mut browser = stage.enrolled().await;
    browser.get("/strong/").await.expect(200);
    stays_on(&mut browser).await;
    browser.get("/strong/").await.expect(200);
    stage.owing().await;
    // One of two may go; then the other one is the last.
    let mut key = Key::new(&stage.program.origin());
    passkeys::add(&mut browser, &mut key, "Yubi").await.expect(303);
    let list = browser.get(SECURITY).await.expect(200).text();
    let links: Vec<_> = html::tags(&list, "a")
        .filter_map(|tag| html::attribute(tag, "href"))
        .filter_map(|href| href.split_once("disable?factor=").map(|(_, factor)| factor.to_owned()))
        .collect();
    assert_eq!(links.len(), 2, "{list}");
    let page = browser.get(&format!("{DISABLE}?factor={}", links[0])).await.expect(200).words();
    assert!(page.contains("Your other factors will.") && !page.contains("your password alone"), "{page}");
    let fields = [("password", PASSWORD), ("factor", links[0].as_str())];
    browser.submit(SECURITY, DISABLE, &fields).await.expect(303);
    stays_on(&mut browser).await;
}

#[tokio::test]
async fn a_rule_for_a_group_keeps_the_last_factor_of_its_people_only() {
    let stage = ruled("groups = [\"staff\"]\n").await;
    stage.program.run(&["user", "groups", "ada", "staff"], "");
    let mut browser = stage.enrolled().await;
    stays_on(&mut browser).await;
    stage.program.run(&["user", "groups", "ada", "wiki"], "");
    goes(&stage, &mut browser).await;
}
