//! SCENARIO 17, "mails the owner": every change of what guards an account reaches its owner's mailbox, and says what to do
//! if it was somebody else's.

use std::time::Duration;

use crate::{
    authenticator::{self, recover, recovery_codes},
    passkeys,
    second_factor::{LOCAL, NUMBER, stage_with},
    support::{
        client::Browser,
        eventually, html,
        key::Key,
        mailbox::{Mail, Mailbox},
        people::{OTHER_PASSWORD, PASSWORD},
    },
};

const SECURITY: &str = "/.auth/second-factor";
const DISABLE: &str = "/.auth/second-factor/disable";
const PHONE: &str = "/.auth/second-factor/phone";
const PASSWORDS: &str = "/.auth/password";

/// Waits for the one mail of that subject with those words, and holds it against what every such mail says.
async fn told(mailbox: &Mailbox, portal: &str, subject: &str, words: &str) {
    let folded = |mail: &Mail| mail.text.split_whitespace().collect::<Vec<_>>().join(" ");
    let is_it = |mail: &Mail| mail.subject.starts_with(subject) && folded(mail).contains(words);
    let mail = eventually(&format!("{subject}: {words}"), Duration::from_secs(30), async || {
        mailbox.all().await.into_iter().find(is_it)
    })
    .await;
    assert!(mail.to.iter().all(|to| to.contains("ada@example.com")), "{:?}", mail.to);
    let text = folded(&mail);
    assert!(text.contains("If this wasn't you, choose a new password"), "{text}");
    assert!(text.contains(&format!("{portal}/.auth/password/forgot")), "where to do that: {text}");
    assert_eq!(mailbox.all().await.iter().filter(|mail| is_it(mail)).count(), 1, "told once: {subject}");
}

/// Removes the first factor of the list.
async fn remove_one(browser: &mut Browser) {
    let list = browser.get(SECURITY).await.expect(200).text();
    let links = html::tags(&list, "a").filter_map(|tag| html::attribute(tag, "href"));
    let link = links.into_iter().find(|href| href.contains("disable?factor=")).expect("a factor to remove");
    let factor = link.split_once('=').unwrap().1.to_owned();
    browser.submit(&link, DISABLE, &[("factor", &factor), ("password", PASSWORD)]).await.expect(303);
}

#[tokio::test]
async fn every_change_of_what_guards_an_account_is_mailed_to_its_owner() {
    let mailbox = Mailbox::start().await;
    let stage = stage_with(|setup| {
        setup.moved_clock = true;
        setup.mail = format!("transport = \"{}\"\nfrom = \"no-reply@example.com\"\n", mailbox.transport());
    })
    .await;
    let portal = stage.program.origin();
    let told = async |subject: &str, words: &str| told(&mailbox, &portal, subject, words).await;
    let on = "Two-factor authentication is on for";

    let (mut browser, _app) = authenticator::enrolled(&stage).await;
    told(on, "a code from the authenticator app").await;

    let mut key = Key::new(&portal);
    passkeys::add(&mut browser, &mut key, "Yubi").await.expect(303);
    told(on, "the passkey “Yubi”").await;

    stage.enrol(&mut browser, "KE", LOCAL, "sms").await.expect(303);
    let code = stage.twilio.code_for(NUMBER).unwrap();
    browser.submit(PHONE, PHONE, &[("code", &code)]).await.expect(303);
    told(on, "a code that we send by SMS to •••• 56").await;

    let codes = recovery_codes(&mut browser).await;
    told("New recovery codes for", "Older ones no longer work.").await;

    let mut lost = Browser::new(&stage.program);
    lost.sign_in("ada", PASSWORD).await.expect(303);
    recover(&mut lost, &codes[0]).await.expect(303);
    told("A recovery code was used for", "9 are left.").await;

    remove_one(&mut browser).await;
    told("A second factor was removed for", "Another one still guards it.").await;

    let fields = [("current_password", PASSWORD), ("password", OTHER_PASSWORD), ("password_confirm", OTHER_PASSWORD)];
    browser.submit(PASSWORDS, PASSWORDS, &fields).await.expect(303);
    told("Your password for", "was changed on").await;
}

#[tokio::test]
async fn losing_the_last_factor_is_mailed_as_what_it_is() {
    let mailbox = Mailbox::start().await;
    let stage = stage_with(|setup| {
        setup.mail = format!("transport = \"{}\"\nfrom = \"no-reply@example.com\"\n", mailbox.transport());
    })
    .await;
    let (mut browser, _key) = passkeys::with_passkey(&stage).await;
    remove_one(&mut browser).await;
    let subject = "Two-factor authentication is off for";
    let words = "If this wasn't you, choose a new password with the link above, sign in, and enable it again.";
    told(&mailbox, &stage.program.origin(), subject, "your password alone signs you in.").await;
    told(&mailbox, &stage.program.origin(), subject, words).await;
}
