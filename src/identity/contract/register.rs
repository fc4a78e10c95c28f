//! Registration, setup, and what is unique.

use super::*;

facts!(
    a_registration_without_confirmation_is_active_at_once,
    a_name_in_other_spelling_is_taken,
    a_taken_address_is_said_only_without_confirmation,
    every_fault_of_a_form_is_told_at_once,
    closed_registration_and_foreign_domains_are_refused,
    a_confirmed_registration_makes_the_account_once,
    a_taken_address_gets_the_same_answer_and_its_owner_a_mail,
    an_unconfirmed_name_is_held_for_a_day,
    signing_in_before_confirming_tells_nothing_of_the_address,
    whoever_confirms_first_has_the_address,
    raced_registrations_make_one_account,
    registrations_that_are_not_admitted_are_counted_too,
    a_deleted_persons_name_is_never_given_again,
    the_setup_link_makes_one_administrator_even_when_raced,
    a_newer_setup_link_replaces_the_older,
    migrations_run_twice_do_no_harm,
);

async fn a_registration_without_confirmation_is_active_at_once(house: &House) {
    let ada = house.person("ada").await;
    assert_eq!(house.reload(&ada).await, ada);
    assert_eq!(
        (ada.username.as_str(), ada.email.as_str(), ada.name().as_str()),
        ("ada", "ada@example.org", "Ada Lovelace")
    );
    assert!(ada.email_confirmed && ada.chose_username && ada.groups.is_empty());
    let strict = house.confirming();
    let seen = strict.account(&ada.id).await.unwrap().unwrap();
    assert!(!seen.email_confirmed, "nobody vouches for it any more");
    house.no_mail().await;
}

async fn a_name_in_other_spelling_is_taken(house: &House) {
    house.person("ada").await;
    for spelling in ["ADA", " Ada ", "ａｄａ"] {
        let new = NewAccount { username: spelling.into(), email: "other@example.org".into(), ..form("ada") };
        let refusal = house.identity.register(new, &client(), house.now()).await.unwrap_err();
        assert_eq!(faulty_fields(&refusal), ["username"], "{spelling}");
    }
}

async fn a_taken_address_is_said_only_without_confirmation(house: &House) {
    house.person("ada").await;
    let again = || NewAccount { email: "ADA@Example.org".into(), ..form("lovelace") };
    let refusal = house.identity.register(again(), &client(), house.now()).await.unwrap_err();
    assert_eq!(faulty_fields(&refusal), ["email"]);
    let answer = house.confirming().register(again(), &client(), house.now()).await.unwrap();
    assert!(matches!(answer, Registered::MailSent));
}

async fn every_fault_of_a_form_is_told_at_once(house: &House) {
    house.person("ada").await;
    let new = NewAccount {
        first_name: " ".into(),
        last_name: "\u{0}".into(),
        username: "Ada".into(),
        email: "nobody".into(),
        password: "short".into(),
        password_confirm: "short".into(),
    };
    let refusal = house.identity.register(new, &client(), house.now()).await.unwrap_err();
    assert_eq!(faulty_fields(&refusal), ["first_name", "last_name", "email", "password", "username"]);
    let new = NewAccount { password_confirm: OTHER_PASSWORD.into(), username: "root".into(), ..form("x") };
    let refusal = house.identity.register(new, &client(), house.now()).await.unwrap_err();
    assert_eq!(faulty_fields(&refusal), ["username", "password_confirm"]);
}

async fn closed_registration_and_foreign_domains_are_refused(house: &House) {
    let closed = house.with(|settings| settings.accounts.registration = Registration::Closed);
    assert!(!closed.registration_open());
    assert!(matches!(closed.register(form("ada"), &client(), house.now()).await, Err(Refusal::Closed)));
    let fenced = house.with(|settings| settings.accounts.registration_domains = vec!["example.net".into()]);
    let refusal = fenced.register(form("ada"), &client(), house.now()).await.unwrap_err();
    assert_eq!(faulty_fields(&refusal), ["email"]);
    let new = NewAccount { email: "ada@EXAMPLE.net".into(), ..form("ada") };
    fenced.register(new, &client(), house.now()).await.unwrap();
}

async fn a_confirmed_registration_makes_the_account_once(house: &House) {
    let identity = house.confirming();
    identity.register(form("ada"), &client(), house.now()).await.unwrap();
    let letter = house.mail().await;
    assert_eq!(letter.to.to_string(), "ada@example.org");
    assert!(letter.text.contains("http://localhost:8080/.auth/register/confirm?token="), "{}", letter.text);
    let token = token(&letter);
    assert!(identity.find("ada").await.unwrap().is_none());
    identity.confirmation_alive(&token, house.now()).await.unwrap();
    identity.confirmation_alive(&token, house.now()).await.unwrap();
    let tries = (0..20).map(|_| {
        let (identity, token, now) = (identity.clone(), token.clone(), house.now());
        tokio::spawn(async move { identity.confirm(&token, now).await.is_ok() })
    });
    let mut made = 0;
    for outcome in tries.collect::<Vec<_>>() {
        made += usize::from(outcome.await.unwrap());
    }
    assert_eq!(made, 1);
    assert!(matches!(identity.confirmation_alive(&token, house.now()).await, Err(Refusal::DeadLink)));
    assert!(identity.find("ADA@example.org").await.unwrap().unwrap().email_confirmed);
    for garbage in ["", "x", "ä", &"A".repeat(43), &"A".repeat(5000)] {
        assert!(matches!(identity.confirm(garbage, house.now()).await, Err(Refusal::DeadLink)));
    }
}

async fn a_taken_address_gets_the_same_answer_and_its_owner_a_mail(house: &House) {
    house.person("ada").await;
    let identity = house.confirming();
    let new = NewAccount { email: "ada@example.org".into(), ..form("mallory") };
    assert!(matches!(identity.register(new, &client(), house.now()).await, Ok(Registered::MailSent)));
    let letter = house.mail().await;
    assert!(!letter.text.contains("token="), "{}", letter.text);
    // The name is held as for a free address.
    let other = form("mallory");
    let refusal = identity.register(other, &client(), house.now()).await.unwrap_err();
    assert_eq!(faulty_fields(&refusal), ["username"]);
}

async fn an_unconfirmed_name_is_held_for_a_day(house: &House) {
    let identity = house.confirming();
    identity.register(form("ada"), &client(), house.now()).await.unwrap();
    let first = token(&house.mail().await);
    let rival = || NewAccount { email: "rival@example.org".into(), ..form("ada") };
    let refusal = identity.register(rival(), &client(), house.now()).await.unwrap_err();
    assert_eq!(faulty_fields(&refusal), ["username"]);
    // Whoever lost the mail may ask again.
    identity.register(form("ada"), &client(), house.now()).await.unwrap();
    house.mail().await;
    let next_day = house.later(Duration::from_hours(24) + Duration::from_secs(1));
    assert!(matches!(identity.confirm(&first, next_day).await, Err(Refusal::DeadLink)));
    identity.register(rival(), &client(), next_day).await.unwrap();
}

async fn signing_in_before_confirming_tells_nothing_of_the_address(house: &House) {
    house.identity.add(addition("ada", false), house.now()).await.unwrap();
    let identity = house.confirming();
    let taken = NewAccount {
        email: "ada@example.org".into(),
        password: OTHER_PASSWORD.into(),
        password_confirm: OTHER_PASSWORD.into(),
        ..form("one")
    };
    let free = NewAccount { email: "free@example.org".into(), username: "two".into(), ..taken.clone() };
    identity.register(taken, &client(), house.now()).await.unwrap();
    identity.register(free, &client(), house.now()).await.unwrap();
    for name in ["one", "ada@example.org", "two", "free@example.org"] {
        let answer = identity.authenticate(name, &OTHER_PASSWORD.into(), &client(), house.now()).await;
        assert!(matches!(answer, Err(Refusal::Unconfirmed)), "{name}: {answer:?}");
        let answer = identity.authenticate(name, &"not that either".into(), &client(), house.now()).await;
        assert!(matches!(answer, Err(Refusal::Mismatch)), "{name}: {answer:?}");
    }
    let owner = identity.authenticate("ada@example.org", &PASSWORD.into(), &client(), house.now()).await;
    assert!(matches!(owner, Ok(SignIn::Done(_))));
}

async fn whoever_confirms_first_has_the_address(house: &House) {
    let identity = house.confirming();
    identity.register(form("ada"), &client(), house.now()).await.unwrap();
    let owners = token(&house.mail().await);
    let squat = NewAccount { email: "ada@example.org".into(), ..form("squatter") };
    identity.register(squat, &client(), house.now()).await.unwrap();
    let squatters = token(&house.mail().await);
    identity.confirm(&owners, house.now()).await.unwrap();
    assert!(matches!(identity.confirm(&squatters, house.now()).await, Err(Refusal::DeadLink)));
    assert!(identity.find("squatter").await.unwrap().is_none());
}

async fn raced_registrations_make_one_account(house: &House) {
    let tries = (0..8u8).map(|number| {
        let (identity, now) = (house.identity.clone(), house.now());
        let new = NewAccount { email: format!("ada{}@example.org", number % 2), ..form("ada") };
        tokio::spawn(async move { identity.register(new, &from("192.0.2.1"), now).await.is_ok() })
    });
    let mut made = 0;
    for outcome in tries.collect::<Vec<_>>() {
        made += usize::from(outcome.await.unwrap());
    }
    assert_eq!(made, 1);
    assert_eq!(house.identity.list("", 100).await.unwrap().len(), 1);
}

async fn registrations_that_are_not_admitted_are_counted_too(house: &House) {
    let identity = house.confirming();
    for _ in 0..110 {
        let _ = identity.register(form("ada"), &client(), house.now()).await;
    }
    let faulty = NewAccount { first_name: " ".into(), ..form("ada") };
    let refusal = identity.register(faulty, &client(), house.now()).await.unwrap_err();
    assert!(matches!(refusal, Refusal::Throttled { .. }), "each cost an estimate: {refusal}");
}

async fn a_deleted_persons_name_is_never_given_again(house: &House) {
    let ada = house.person("ada").await;
    house.identity.delete(&ada.id, house.now()).await.unwrap();
    assert!(house.identity.account(&ada.id).await.unwrap().is_none());
    let refusal = house.identity.register(form("ada"), &client(), house.later(Duration::from_hours(9999))).await;
    assert_eq!(faulty_fields(&refusal.unwrap_err()), ["username"], "the address is free again, the name is not");
}

async fn the_setup_link_makes_one_administrator_even_when_raced(house: &House) {
    let identity = house.with(|settings| settings.accounts.registration = Registration::Closed);
    let token = identity.setup_token(house.now()).await.unwrap().unwrap();
    let weak = NewAccount { password: "weak".into(), password_confirm: "weak".into(), ..form("ada") };
    let refusal = identity.redeem_setup(&token, weak, &client(), house.now()).await.unwrap_err();
    assert_eq!(faulty_fields(&refusal), ["password"]);
    identity.setup_alive(&token, house.later(Duration::from_hours(9999))).await.unwrap();
    let tries = (0..8u8).map(|number| {
        let (identity, token, now) = (identity.clone(), token.clone(), house.now());
        tokio::spawn(async move {
            identity.redeem_setup(&token, form(&format!("ada{number}")), &client(), now).await.is_ok()
        })
    });
    let mut made = 0;
    for outcome in tries.collect::<Vec<_>>() {
        made += usize::from(outcome.await.unwrap());
    }
    assert_eq!(made, 1);
    let people = identity.list("", 100).await.unwrap();
    assert_eq!(people.len(), 1);
    assert_eq!(people[0].groups, ["admin"]);
    assert!(matches!(identity.setup_alive(&token, house.now()).await, Err(Refusal::DeadLink)));
    assert_eq!(identity.setup_token(house.now()).await.unwrap(), None);
}

async fn a_newer_setup_link_replaces_the_older(house: &House) {
    let older = house.identity.setup_token(house.now()).await.unwrap().unwrap();
    let newer = house.identity.setup_token(house.now()).await.unwrap().unwrap();
    assert!(matches!(house.identity.setup_alive(&older, house.now()).await, Err(Refusal::DeadLink)));
    house.identity.setup_alive(&newer, house.now()).await.unwrap();
    house.administrator("grace").await;
    assert!(matches!(house.identity.setup_alive(&newer, house.now()).await, Err(Refusal::DeadLink)));
}

async fn migrations_run_twice_do_no_harm(house: &House) {
    let ada = house.person("ada").await;
    house.identity.migrate().await.unwrap();
    assert_eq!(house.reload(&ada).await, ada);
    house.identity.ready().await.unwrap();
}
