//! Forgotten passwords and their links.

use super::*;

facts!(
    a_reset_link_sets_the_password_and_ends_every_session,
    only_known_addresses_get_a_reset_mail,
    a_reset_link_lives_ten_minutes,
    a_newer_reset_link_kills_the_older,
    a_password_change_kills_the_reset_link,
    a_reset_link_used_fifty_times_at_once_works_once,
    a_reset_leaves_the_second_factor_alone,
    a_weak_password_leaves_the_reset_link_alive,
    links_stand_in_the_database_as_hashes_only,
    an_address_link_confirms_once_and_tells_the_sessions,
    an_address_link_lives_a_day_and_dies_with_a_newer_one,
);

async fn reset_link(house: &House, email: &str) -> String {
    house.identity.forgot(email, &client(), house.now()).await.unwrap();
    token(&house.mail().await)
}

async fn reset(house: &House, token: &str) -> Result<outbox::RowId, Refusal> {
    let done = house.identity.reset(token, OTHER_PASSWORD.into(), OTHER_PASSWORD.into(), house.now()).await;
    done.map(|(_, row)| row)
}

async fn a_reset_link_sets_the_password_and_ends_every_session(house: &House) {
    let ada = house.person("ada").await;
    house.identity.forgot("ADA@example.ORG", &client(), house.now()).await.unwrap();
    let letter = house.mail().await;
    assert_eq!(letter.to.to_string(), "ada@example.org");
    assert!(letter.text.contains("http://localhost:8080/.auth/password/reset?token="), "{}", letter.text);
    let token = token(&letter);
    house.identity.reset_alive(&token, house.now()).await.unwrap();
    house.identity.reset_alive(&token, house.now()).await.unwrap();
    let row = reset(house, &token).await.unwrap();
    house.mail().await;
    let ada_now = house.reload(&ada).await;
    assert_eq!(ada_now.generation, ada.generation + 1);
    let expected =
        outbox::Row { id: row, account: ada.id.clone(), generation: ada_now.generation, effect: outbox::Effect::End };
    assert_eq!(house.drained().await, [expected]);
    let old = house.identity.authenticate("ada", &PASSWORD.into(), &client(), house.now()).await;
    assert!(matches!(old, Err(Refusal::Mismatch)));
    let new = house.identity.authenticate("ada", &OTHER_PASSWORD.into(), &client(), house.now()).await;
    assert!(matches!(new, Ok(SignIn::Done(_))));
    assert!(matches!(reset(house, &token).await, Err(Refusal::DeadLink)));
    assert!(matches!(house.identity.reset_alive(&token, house.now()).await, Err(Refusal::DeadLink)));
}

async fn only_known_addresses_get_a_reset_mail(house: &House) {
    let ada = house.person("ada").await;
    house.identity.forgot("nobody@example.org", &client(), house.now()).await.unwrap();
    house.identity.disable(&ada.id, house.now()).await.unwrap();
    house.identity.forgot("ada@example.org", &client(), house.now()).await.unwrap();
    house.no_mail().await;
    let refusal = house.identity.forgot("ada", &client(), house.now()).await.unwrap_err();
    assert_eq!(faulty_fields(&refusal), ["email"]);
    for _ in 0..4 {
        house.identity.forgot("nobody@example.org", &client(), house.now()).await.unwrap();
    }
    let refusal = house.identity.forgot("NOBODY@example.org", &client(), house.now()).await.unwrap_err();
    assert!(matches!(refusal, Refusal::Throttled { .. }));
}

async fn a_reset_link_lives_ten_minutes(house: &House) {
    house.person("ada").await;
    let token = reset_link(house, "ada@example.org").await;
    house.later(Duration::from_secs(599));
    house.identity.reset_alive(&token, house.now()).await.unwrap();
    house.later(Duration::from_secs(1));
    assert!(matches!(house.identity.reset_alive(&token, house.now()).await, Err(Refusal::DeadLink)));
    assert!(matches!(reset(house, &token).await, Err(Refusal::DeadLink)));
}

async fn a_newer_reset_link_kills_the_older(house: &House) {
    house.person("ada").await;
    let older = reset_link(house, "ada@example.org").await;
    let newer = reset_link(house, "ada@example.org").await;
    assert!(matches!(reset(house, &older).await, Err(Refusal::DeadLink)));
    reset(house, &newer).await.unwrap();
}

async fn a_password_change_kills_the_reset_link(house: &House) {
    let ada = house.person("ada").await;
    let token = reset_link(house, "ada@example.org").await;
    let proof = house.identity.check_password(&ada.id, &PASSWORD.into(), &client(), house.now()).await.unwrap();
    let changed = house
        .identity
        .change_password(proof, OTHER_PASSWORD.into(), OTHER_PASSWORD.into(), Some("sid-1"), house.now())
        .await;
    let (proof, row) = changed.unwrap();
    assert_eq!(proof.account(), &house.reload(&ada).await);
    let rows = house.drained().await;
    assert_eq!((rows.len(), rows[0].id), (1, row));
    assert_eq!(rows[0].effect, outbox::Effect::EndOthers("sid-1".into()));
    assert!(matches!(reset(house, &token).await, Err(Refusal::DeadLink)));
    house.mail().await;
}

async fn a_reset_link_used_fifty_times_at_once_works_once(house: &House) {
    house.person("ada").await;
    let token = reset_link(house, "ada@example.org").await;
    let tries = (0..50).map(|_| {
        let (identity, token, now) = (house.identity.clone(), token.clone(), house.now());
        tokio::spawn(async move { identity.reset(&token, OTHER_PASSWORD.into(), OTHER_PASSWORD.into(), now).await })
    });
    let mut done = 0;
    for outcome in tries.collect::<Vec<_>>() {
        match outcome.await.unwrap() {
            Ok(_) => done += 1,
            Err(Refusal::DeadLink) => (),
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(done, 1);
    assert_eq!(house.drained().await.len(), 1);
    house.mail().await;
}

async fn a_reset_leaves_the_second_factor_alone(house: &House) {
    let ada = house.person("ada").await;
    let factor = account::Factor {
        id: "f1".into(),
        kind: account::FactorKind::Phone {
            number: "+254712123456".into(),
            channel: crate::config::verify::Channel::Sms,
        },
        since: house.now(),
    };
    house.identity.add_factor(&ada.id, ada.generation, &factor, None, house.now()).await.unwrap();
    reset(house, &reset_link(house, "ada@example.org").await).await.unwrap();
    assert_eq!(house.reload(&ada).await.factors, [factor]);
}

async fn a_weak_password_leaves_the_reset_link_alive(house: &House) {
    house.person("ada").await;
    let token = reset_link(house, "ada@example.org").await;
    let refusal = house.identity.reset(&token, "lovelaceada".into(), "lovelaceada".into(), house.now()).await;
    assert_eq!(faulty_fields(&refusal.unwrap_err()), ["password"]);
    reset(house, &token).await.unwrap();
}

async fn links_stand_in_the_database_as_hashes_only(house: &House) {
    house.person("ada").await;
    let token = reset_link(house, "ada@example.org").await;
    let mut tx = house.db.read().await.unwrap();
    let kept =
        crate::storage::on!(tx, link => sqlx::query_scalar::<_, Vec<u8>>("SELECT token FROM links").fetch_one(link));
    assert_eq!(kept.unwrap(), super::super::token::hash(&token).unwrap());
}

async fn an_address_link_confirms_once_and_tells_the_sessions(house: &House) {
    let ada = house.person("ada").await;
    let identity = house.confirming();
    let confirmed = async || identity.account(&ada.id).await.unwrap().unwrap().email_confirmed;
    assert!(!confirmed().await);
    identity.ask_to_confirm(&ada.id, &client(), house.now()).await.unwrap();
    let letter = house.mail().await;
    assert_eq!(letter.to.to_string(), "ada@example.org");
    assert!(letter.text.contains("http://localhost:8080/.auth/email/confirm?token="), "{}", letter.text);
    let token = token(&letter);
    identity.address_link_alive(&token, house.now()).await.unwrap();
    assert!(matches!(identity.reset_alive(&token, house.now()).await, Err(Refusal::DeadLink)), "good for one purpose");
    let (owner, row) = identity.confirm_address(&token, house.now()).await.unwrap();
    assert_eq!(owner, ada.id);
    assert!(confirmed().await);
    assert_eq!(house.drained().await.iter().map(|row| row.id).collect::<Vec<_>>(), [row]);
    assert!(matches!(identity.confirm_address(&token, house.now()).await, Err(Refusal::DeadLink)));
    identity.ask_to_confirm(&ada.id, &client(), house.now()).await.unwrap();
    house.no_mail().await;
}

async fn an_address_link_lives_a_day_and_dies_with_a_newer_one(house: &House) {
    let ada = house.person("ada").await;
    let identity = house.confirming();
    let mut links = Vec::new();
    for _ in 0..2 {
        identity.ask_to_confirm(&ada.id, &client(), house.now()).await.unwrap();
        links.push(token(&house.mail().await));
    }
    assert!(matches!(identity.confirm_address(&links[0], house.now()).await, Err(Refusal::DeadLink)));
    house.later(Duration::from_hours(24));
    assert!(matches!(identity.confirm_address(&links[1], house.now()).await, Err(Refusal::DeadLink)));
}
