//! The first step, its throttle, and the hashes.

use super::*;

facts!(
    name_and_address_in_any_spelling_sign_in,
    wrong_unknown_and_disabled_look_alike,
    spellings_of_one_name_share_one_throttle,
    unknown_names_are_throttled_like_known_ones,
    checking_the_password_shares_the_throttle,
    a_hash_of_older_settings_is_renewed_at_sign_in,
    a_full_queue_refuses_before_any_account_is_looked_at,
    last_seen_is_written_once_a_minute,
);

async fn try_once(house: &House, name: &str, password: &str) -> Result<SignIn, Refusal> {
    house.identity.authenticate(name, &password.into(), &client(), house.now()).await
}

async fn name_and_address_in_any_spelling_sign_in(house: &House) {
    let ada = house.person("ada").await;
    for name in ["ada", "ADA", " ada ", "ａｄａ", "ada@example.org", "Ada@EXAMPLE.org"] {
        match try_once(house, name, PASSWORD).await {
            Ok(SignIn::Done(proof)) => {
                assert_eq!(proof.account(), &ada);
                assert_eq!(proof.factors(), [Shown { method: Method::Pwd, at: house.now() }]);
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

async fn wrong_unknown_and_disabled_look_alike(house: &House) {
    house.person("ada").await;
    let bob = house.person("bob").await;
    house.identity.disable(&bob.id, house.now()).await.unwrap();
    let tries = [
        ("ada", OTHER_PASSWORD),
        ("nobody", PASSWORD),
        ("bob", PASSWORD),
        ("", ""),
        ("bob@example.org", PASSWORD),
        ("nobody@example.org", PASSWORD),
    ];
    for (name, password) in tries {
        let taken = || house.identity.inner.hasher.taken.load(std::sync::atomic::Ordering::SeqCst);
        let before = taken();
        let answer = try_once(house, name, password).await;
        assert!(matches!(answer, Err(Refusal::Mismatch)), "{name}: {answer:?}");
        assert_eq!(taken() - before, 1, "{name}: one hash, whatever was found");
    }
}

async fn spellings_of_one_name_share_one_throttle(house: &House) {
    house.person("ada").await;
    for name in ["ada", "ADA", " ada", "ａｄａ", "Ada@example.org"] {
        assert!(matches!(try_once(house, name, OTHER_PASSWORD).await, Err(Refusal::Mismatch)), "{name}");
    }
    for name in ["ada", "ada@EXAMPLE.org", "ADA "] {
        let until = house.now().plus(Duration::from_secs(1));
        match try_once(house, name, PASSWORD).await {
            Err(Refusal::Throttled { until: told }) => assert_eq!(told, until),
            other => panic!("{name}: {other:?}"),
        }
    }
    let elsewhere = house.identity.authenticate("ada", &PASSWORD.into(), &from("198.51.100.7"), house.now()).await;
    assert!(matches!(elsewhere, Ok(SignIn::Done(_))));
    house.later(Duration::from_secs(1));
    assert!(matches!(try_once(house, "ada", PASSWORD).await, Ok(SignIn::Done(_))));
    assert!(matches!(try_once(house, "ada", OTHER_PASSWORD).await, Err(Refusal::Mismatch)), "success starts anew");
}

async fn unknown_names_are_throttled_like_known_ones(house: &House) {
    house.person("ada").await;
    let mut waits = Vec::new();
    for name in ["ada", "nobody"] {
        for _ in 0..5 {
            assert!(matches!(try_once(house, name, OTHER_PASSWORD).await, Err(Refusal::Mismatch)));
        }
        match try_once(house, name, OTHER_PASSWORD).await {
            Err(Refusal::Throttled { until }) => waits.push(until),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(waits[0], waits[1]);
}

async fn checking_the_password_shares_the_throttle(house: &House) {
    let ada = house.person("ada").await;
    let check = |password: &'static str| {
        let (identity, id, now) = (house.identity.clone(), ada.id.clone(), house.now());
        async move { identity.check_password(&id, &password.into(), &client(), now).await }
    };
    assert_eq!(check(PASSWORD).await.unwrap().account(), &ada);
    for _ in 0..5 {
        assert!(matches!(check(OTHER_PASSWORD).await, Err(Refusal::Mismatch)));
    }
    assert!(matches!(check(PASSWORD).await, Err(Refusal::Throttled { .. })));
    assert!(matches!(try_once(house, "ada", PASSWORD).await, Err(Refusal::Throttled { .. })));
}

async fn a_hash_of_older_settings_is_renewed_at_sign_in(house: &House) {
    let ada = house.person("ada").await;
    let hash = async || {
        let ledger = &house.identity.inner.ledger;
        let mut tx = ledger.db().read().await.unwrap();
        ledger.credentials(&mut tx, &ada.id).await.unwrap().unwrap().password_hash
    };
    let before = hash().await;
    try_once(house, "ada", PASSWORD).await.unwrap();
    assert_eq!(hash().await, before, "nothing to renew");
    let stronger = house.with(|settings| settings.password.memory_kib = 128);
    stronger.authenticate("ada", &PASSWORD.into(), &client(), house.now()).await.unwrap();
    assert!(hash().await.starts_with("$argon2id$v=19$m=128,t=1,p=1$"), "{}", hash().await);
    try_once(house, "ada", PASSWORD).await.unwrap();
    assert_eq!(house.reload(&ada).await.generation, ada.generation);
}

async fn a_full_queue_refuses_before_any_account_is_looked_at(house: &House) {
    house.person("ada").await;
    let places: Vec<_> = std::iter::from_fn(|| house.identity.inner.hasher.enter().ok()).collect();
    assert!(places.len() > 64);
    for name in ["ada", "nobody"] {
        assert!(matches!(try_once(house, name, PASSWORD).await, Err(Refusal::Busy { .. })));
    }
    drop(places);
    assert!(matches!(try_once(house, "ada", PASSWORD).await, Ok(SignIn::Done(_))));
}

async fn last_seen_is_written_once_a_minute(house: &House) {
    let ada = house.person("ada").await;
    let first = house.now();
    house.identity.seen(&ada.id, first).await.unwrap();
    house.identity.seen(&ada.id, house.later(Duration::from_secs(59))).await.unwrap();
    assert_eq!(house.reload(&ada).await.last_seen_at, Some(first));
    let second = house.later(Duration::from_secs(1));
    house.identity.seen(&ada.id, second).await.unwrap();
    assert_eq!(house.reload(&ada).await.last_seen_at, Some(second));
    assert!(house.drained().await.is_empty(), "no guarded change");
}
