//! Failures reach the operator by mail, at most once an hour.

use std::time::Duration;

use crate::{
    second_factor::{LOCAL, NUMBER, stage_with},
    support::mailbox::Mailbox,
    twilio::Fault,
};

#[tokio::test]
async fn the_operator_is_mailed_what_failed_once_an_hour_and_nothing_of_anybody() {
    let mailbox = Mailbox::start().await;
    let stage = stage_with(|setup| {
        setup.mail = format!(
            "transport = \"{}\"\nfrom = \"no-reply@example.com\"\noperator = \"ops@example.com\"\n",
            mailbox.transport()
        );
        setup.moved_clock = true;
    })
    .await;
    let mut browser = stage.signed_in().await;
    let mut fail = async || {
        stage.twilio.fail_next(Fault::UNAUTHORIZED);
        stage.enrol(&mut browser, "KE", LOCAL, "sms").await.expect(503);
    };
    fail().await;
    let first = mailbox.wait_for("ops@example.com", "failures at").await;
    assert!(first.text.contains("Once: the code provider refused our settings"), "{}", first.text);
    for _ in 0..2 {
        fail().await;
    }
    assert_eq!(mailbox.all().await.len(), 1);
    stage.program.clock.as_ref().unwrap().advance(Duration::from_hours(1));
    let second = crate::support::eventually("the next mail", Duration::from_secs(15), async || {
        mailbox.all().await.get(1).cloned()
    })
    .await;
    assert!(second.text.contains("2 times: the code provider refused our settings"), "{}", second.text);
    for mail in mailbox.all().await {
        for secret in [NUMBER, LOCAL, "ada", crate::twilio::AUTH_TOKEN] {
            assert!(!mail.text.contains(secret) && !mail.html.contains(secret), "{secret}: {}", mail.text);
        }
    }
}
