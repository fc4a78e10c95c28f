//! Browsers an account signed in with, and the mail about a new one.

use super::*;
use crate::{identity::trail::Event, storage::on};

facts!(
    a_new_device_beside_another_is_mailed_once,
    devices_of_one_account_are_no_news_of_another,
    an_account_keeps_fifty_and_the_oldest_go,
    devices_go_with_their_account_and_hold_up_nothing,
    two_nodes_that_meet_one_device_tell_of_it_once,
);

async fn meets(house: &House, account: &Account, device: u8) {
    let now = house.later(Duration::from_secs(1));
    house.identity.for_client(&client()).note_device(&account.id, [device; 32], "Firefox on Windows".into(), now);
    house.identity.write_trail().await.unwrap();
}

async fn count(house: &House) -> i64 {
    let mut tx = house.db.read().await.unwrap();
    on!(tx, link => sqlx::query_scalar("SELECT COUNT(*) FROM devices").fetch_one(link)).unwrap()
}

async fn a_new_device_beside_another_is_mailed_once(house: &House) {
    let ada = house.person("ada").await;
    meets(house, &ada, 1).await;
    meets(house, &ada, 1).await;
    house.no_mail().await;
    meets(house, &ada, 2).await;
    let mail = house.mail().await;
    assert_eq!(mail.subject, "New sign-in to your account at Vestibule");
    assert_eq!(mail.to.to_string(), "ada@example.org");
    let text = mail.text.replace('\n', " ");
    assert!(text.contains("2023, 22:13 UTC with Firefox on Windows, from 192.0.2.0/24."), "{text}");
    assert!(text.contains("http://localhost:8080/.auth/sessions "), "{text}");
    for device in [2, 1, 2] {
        meets(house, &ada, device).await;
    }
    house.no_mail().await;
}

async fn devices_of_one_account_are_no_news_of_another(house: &House) {
    let (ada, bob) = (house.person("ada").await, house.person("bob").await);
    meets(house, &ada, 1).await;
    meets(house, &bob, 2).await;
    house.no_mail().await;
    meets(house, &bob, 1).await;
    assert_eq!(house.mail().await.to.to_string(), "bob@example.org");
}

async fn an_account_keeps_fifty_and_the_oldest_go(house: &House) {
    let ada = house.person("ada").await;
    for device in 0..50 {
        meets(house, &ada, device).await;
    }
    meets(house, &ada, 0).await;
    meets(house, &ada, 50).await;
    assert_eq!(count(house).await, 50);
    // Of every device but the first; the post brings them in its own time.
    for _ in 0..50 {
        house.one_mail().await;
    }
    house.no_mail().await;
    meets(house, &ada, 0).await;
    house.no_mail().await;
    meets(house, &ada, 1).await;
    house.mail().await;
}

async fn devices_go_with_their_account_and_hold_up_nothing(house: &House) {
    house.administrator("root2").await;
    let (ada, bob) = (house.person("ada").await, house.person("bob").await);
    meets(house, &ada, 1).await;
    house.identity.note_device(&ada.id, [2; 32], "Safari".into(), house.now());
    house.identity.note(Event::SignedIn, &bob.id, "pwd", house.now());
    house.identity.delete(&ada.id, house.now()).await.unwrap();
    house.identity.write_trail().await.unwrap();
    assert_eq!(count(house).await, 0);
    house.no_mail().await;
    let bobs = house.identity.activity(&bob.id, None, 10).await.unwrap();
    assert_eq!(bobs[0].event, Some(Event::SignedIn), "what waited behind it is written");
}

async fn two_nodes_that_meet_one_device_tell_of_it_once(house: &House) {
    let ada = house.person("ada").await;
    meets(house, &ada, 1).await;
    let other = house.other_node();
    for node in [&house.identity, &other] {
        node.note_device(&ada.id, [2; 32], "Safari".into(), house.now());
    }
    let (one, two) = tokio::join!(house.identity.write_trail(), other.write_trail());
    one.and(two).unwrap();
    house.mail().await;
    house.no_mail().await;
}
