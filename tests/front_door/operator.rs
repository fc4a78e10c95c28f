//! Failures reach the operator by mail, at most once an hour.

use std::time::Duration;

use crate::{
    second_factor::{LOCAL, NUMBER, stage_with},
    sessions::with_redis,
    support::{
        client::Browser,
        eventually,
        mailbox::Mailbox,
        people::site,
        services::{self, Redis},
    },
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
    let second =
        eventually("the next mail", Duration::from_secs(15), async || mailbox.all().await.get(1).cloned()).await;
    assert!(second.text.contains("2 times: the code provider refused our settings"), "{}", second.text);
    for mail in mailbox.all().await {
        for secret in [NUMBER, LOCAL, "ada", crate::twilio::AUTH_TOKEN] {
            assert!(!mail.text.contains(secret) && !mail.html.contains(secret), "{secret}: {}", mail.text);
        }
    }
}

#[tokio::test]
async fn a_lost_store_is_mailed_once_however_long_it_stays_away() {
    let (mailbox, mut redis) = (Mailbox::start().await, Redis::start().await);
    let database = services::postgres_database().await;
    let (_upstream, program, ada) = site(|setup| {
        let mut setup = with_redis(&redis)(setup);
        setup.accounts += &format!("database = \"{database}\"\n");
        setup.mail = format!(
            "transport = \"{}\"\nfrom = \"no-reply@example.com\"\noperator = \"ops@example.com\"\n",
            mailbox.transport()
        );
        setup.moved_clock = true;
        setup
    })
    .await;
    let digests = async || {
        let mails = mailbox.all().await;
        mails.into_iter().filter(|mail| mail.to.iter().any(|to| to.contains("ops@"))).collect::<Vec<_>>()
    };
    redis.stop();
    let first = mailbox.wait_for("ops@example.com", "failures at").await;
    assert!(first.text.contains("Once: the session store stays away"), "{}", first.text);
    for _ in 0..20 {
        ada.clone().get("/").await.expect(503);
        Browser::new(&program).get("/.auth/login").await;
    }
    program.clock.as_ref().unwrap().advance(Duration::from_hours(1));
    services::drop_postgres_database(&database).await;
    let second = eventually("the next mail", Duration::from_secs(30), async || digests().await.get(1).cloned()).await;
    assert!(second.text.contains("Once: the accounts database does not answer"), "{}", second.text);
    assert!(!second.text.contains("session store"), "it was said: {}", second.text);
    redis.resume().await;
    eventually("its return in the log", Duration::from_secs(15), async || {
        program.output().contains("the session store answers again").then_some(())
    })
    .await;
    assert_eq!(program.output().matches("the session store stays away").count(), 1);
    assert_eq!(digests().await.len(), 2);
}
