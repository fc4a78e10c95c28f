//! Access tokens: who makes them, how long they live, what ends them.

use super::*;
use crate::identity::{
    access_token::{AccessToken, MOST_TOKENS, NewToken, Sites, Worth},
    account::AccountId,
    outbox::Effect,
    trail::Event,
};

facts!(
    a_token_is_found_by_its_hash_as_long_as_it_said,
    a_disabled_owners_token_rests,
    what_somebody_else_may_have_made_ends_with_the_account_taken_back,
    other_changes_leave_tokens_alone,
    names_are_told_apart_and_there_are_only_so_many,
    only_its_owner_revokes_a_token,
    a_session_that_is_about_to_end_makes_none,
    who_leaves_takes_their_tokens_along,
    the_owner_is_mailed_and_the_trail_names_it,
);

const DAY: Duration = Duration::from_hours(24);
const SITES: [&str; 2] = ["wiki.example.com", "files.example.com"];

fn shown() -> Vec<Shown> {
    vec![Shown { method: Method::Pwd, at: UnixMillis(5) }, Shown { method: Method::Otp, at: UnixMillis(7) }]
}

fn new(name: &str) -> NewToken {
    NewToken { name: name.into(), sites: Sites::Of(SITES.map(str::to_owned).to_vec()), lives: 30 * DAY }
}

async fn try_to_make(house: &House, id: &AccountId, name: &str, hash: u8) -> Result<AccessToken, Refusal> {
    house.identity.make_token((id, "sid"), new(name), &[hash; 32], &shown(), house.now()).await
}

async fn made(house: &House, account: &Account, name: &str, hash: u8) -> AccessToken {
    let token = try_to_make(house, &account.id, name, hash).await.unwrap();
    house.mail().await;
    token
}

async fn lives(house: &House, hash: u8) -> bool {
    matches!(house.identity.token_worth(&[hash; 32], house.now()).await.unwrap(), Worth::Live(_))
}

async fn a_token_is_found_by_its_hash_as_long_as_it_said(house: &House) {
    let ada = house.person("ada").await;
    let token = made(house, &ada, "  nightly\tbackup ", 7).await;
    assert_eq!((token.id.len(), token.name.as_str()), (32, "nightly backup"));
    let Worth::Live(live) = house.identity.token_worth(&[7; 32], house.now()).await.unwrap() else { panic!("dead") };
    assert_eq!((&live.0, &live.1.id), (&token, &ada.id));
    assert_eq!(live.0.shown, shown());
    assert!(live.0.sites.contain("wiki.example.com") && !live.0.sites.contain("example.com"));
    assert!(!lives(house, 8).await);
    house.identity.token_used(&token.id, house.later(DAY)).await.unwrap();
    house.identity.token_used(&token.id, UnixMillis(1)).await.unwrap();
    let listed = house.identity.tokens(&ada.id, house.now()).await.unwrap();
    assert_eq!(listed[0].last_used_at, Some(house.now()), "never backwards");
    house.later(29 * DAY - Duration::from_millis(1));
    assert!(lives(house, 7).await);
    house.later(Duration::from_millis(1));
    assert!(!lives(house, 7).await);
    assert!(house.identity.tokens(&ada.id, house.now()).await.unwrap().is_empty());
    made(house, &ada, "nightly backup", 9).await;
}

async fn a_disabled_owners_token_rests(house: &House) {
    let ada = house.person("ada").await;
    made(house, &ada, "backup", 7).await;
    house.identity.disable(&ada.id, house.now()).await.unwrap();
    let worth = house.identity.token_worth(&[7; 32], house.now()).await.unwrap();
    assert!(matches!(worth, Worth::Resting), "{worth:?}");
    assert!(matches!(try_to_make(house, &ada.id, "another", 8).await, Err(Refusal::Stale)));
    house.identity.enable(&ada.id, house.now()).await.unwrap();
    assert!(lives(house, 7).await);
}

async fn what_somebody_else_may_have_made_ends_with_the_account_taken_back(house: &House) {
    let ada = house.person("ada").await;
    let identity = &house.identity;
    made(house, &ada, "one", 1).await;
    identity.set_password(&ada.id, &OTHER_PASSWORD.into(), house.now()).await.unwrap();
    assert!(house.mail().await.text.contains("your access tokens"));
    assert!(!lives(house, 1).await);
    house.drained().await;

    made(house, &ada, "two", 2).await;
    identity.reset_factors(&ada.id, house.now()).await.unwrap();
    assert!(house.mail().await.text.contains("The administrator ended the access tokens"));
    assert!(!lives(house, 2).await);
    house.drained().await;

    made(house, &ada, "three", 3).await;
    identity.forgot("ada@example.org", &client(), house.now()).await.unwrap();
    let link = token(&house.mail().await);
    identity.reset(&link, PASSWORD.into(), PASSWORD.into(), house.now()).await.unwrap();
    house.mail().await;
    assert!(!lives(house, 3).await);
    house.drained().await;

    let mut tx = identity.inner.ledger.db().write().await.unwrap();
    identity.inner.ledger.set_confirmed(&mut tx, &ada.id).await.unwrap();
    tx.commit().await.unwrap();
    identity.ask_to_change_email(&ada.id, "new@example.org", &client(), house.now()).await.unwrap();
    identity.change_email(&token(&house.mail().await), house.now()).await.unwrap();
    let undo = token(&house.mail().await);
    made(house, &ada, "four", 4).await;
    identity.undo_email_change(&undo, house.now()).await.unwrap();
    assert!(house.mail().await.html.contains("your access tokens"));
    assert!(!lives(house, 4).await);
    assert!(identity.tokens(&ada.id, house.now()).await.unwrap().is_empty());
    house.drained().await;

    made(house, &ada, "five", 5).await;
    house.later(31 * DAY);
    identity.set_password(&ada.id, &OTHER_PASSWORD.into(), house.now()).await.unwrap();
    assert!(!house.mail().await.text.contains("access token"), "what had run out is no news");
    let trail = identity.activity(&ada.id, None, 50).await.unwrap();
    let ended = trail.iter().filter(|entry| entry.event == Some(Event::TokensEnded));
    assert_eq!(ended.count(), 4, "one entry for each way back: {trail:?}");
}

async fn other_changes_leave_tokens_alone(house: &House) {
    let ada = house.person("ada").await;
    made(house, &ada, "backup", 7).await;
    let now = house.now();
    house.identity.end_other_sessions(&ada.id, "sid", now).await.unwrap();
    house.identity.set_groups(&ada.id, &["night".into()], now).await.unwrap();
    let proof = house.identity.check_password(&ada.id, &PASSWORD.into(), &client(), now).await.unwrap();
    house
        .identity
        .change_password(proof, OTHER_PASSWORD.into(), OTHER_PASSWORD.into(), Some("sid"), now)
        .await
        .unwrap();
    assert!(house.mail().await.text.contains("1 access token still works"));
    let Worth::Live(live) = house.identity.token_worth(&[7; 32], now).await.unwrap() else { panic!("dead") };
    assert_eq!(live.1.groups, ["night"]);
}

async fn names_are_told_apart_and_there_are_only_so_many(house: &House) {
    let (ada, grace) = (house.person("ada").await, house.person("grace").await);
    for (number, name) in ["", " \n", &"n".repeat(61), "a\u{0}b", "a\u{202e}b"].into_iter().enumerate() {
        let refusal = try_to_make(house, &ada.id, name, u8::try_from(number).unwrap()).await.unwrap_err();
        assert_eq!(faulty_fields(&refusal), ["name"], "{name:?}");
    }
    let nowhere = NewToken { sites: Sites::Of(Vec::new()), ..new("nowhere") };
    let refused = house.identity.make_token((&ada.id, "sid"), nowhere, &[9; 32], &shown(), house.now()).await;
    assert_eq!(faulty_fields(&refused.unwrap_err()), ["sites"]);
    for number in 0..MOST_TOKENS {
        made(house, &ada, &format!("number {number}"), u8::try_from(number).unwrap()).await;
    }
    for name in ["number 7", "one more"] {
        let refusal = try_to_make(house, &ada.id, name, 99).await.unwrap_err();
        assert_eq!(faulty_fields(&refusal), ["name"], "{name}");
    }
    made(house, &grace, "number 7", 100).await;
    house.later(30 * DAY);
    made(house, &ada, "number 7", 101).await;
}

async fn only_its_owner_revokes_a_token(house: &House) {
    let (ada, grace) = (house.person("ada").await, house.person("grace").await);
    let token = made(house, &ada, "backup", 7).await;
    house.drained().await;
    for (id, name) in [(&grace.id, &*token.id), (&ada.id, "made-up"), (&ada.id, "")] {
        assert_eq!(house.identity.revoke_token(id, name, house.now()).await.unwrap(), None, "{name}");
    }
    assert!(lives(house, 7).await && house.drained().await.is_empty());
    let row = house.identity.revoke_token(&ada.id, &token.id, house.now()).await.unwrap();
    assert!(!lives(house, 7).await);
    let drained = house.drained().await;
    assert_eq!((Some(drained[0].id), drained.len()), (row, 1));
    assert_eq!(drained[0].effect, Effect::EndToken(token.id.clone()));
    assert_eq!(drained[0].generation, house.reload(&ada).await.generation);
    assert_eq!(house.identity.revoke_token(&ada.id, &token.id, house.now()).await.unwrap(), None);
}

async fn a_session_that_is_about_to_end_makes_none(house: &House) {
    let ada = house.person("ada").await;
    let make = async |sid: &str, name: &str, hash: u8| {
        house.identity.make_token((&ada.id, sid), new(name), &[hash; 32], &shown(), house.now()).await
    };
    house.identity.end_other_sessions(&ada.id, "spared", house.now()).await.unwrap();
    assert!(matches!(make("other", "one", 1).await, Err(Refusal::Stale)));
    make("spared", "two", 2).await.unwrap();
    house.drained().await;
    make("other", "one", 1).await.unwrap();
    house.identity.set_groups(&ada.id, &["night".into()], house.now()).await.unwrap();
    make("other", "three", 3).await.unwrap();
    house.identity.disable(&ada.id, house.now()).await.unwrap();
    house.identity.enable(&ada.id, house.now()).await.unwrap();
    assert!(matches!(make("spared", "four", 4).await, Err(Refusal::Stale)));
}

async fn who_leaves_takes_their_tokens_along(house: &House) {
    house.administrator("root2").await;
    let ada = house.person("ada").await;
    made(house, &ada, "backup", 7).await;
    house.identity.delete(&ada.id, house.now()).await.unwrap();
    assert!(!lives(house, 7).await);
    assert!(house.identity.tokens(&ada.id, house.now()).await.unwrap().is_empty());
}

async fn the_owner_is_mailed_and_the_trail_names_it(house: &House) {
    let ada = house.person("ada").await;
    let token = try_to_make(house, &ada.id, "backup", 7).await.unwrap();
    let letter = house.mail().await;
    assert!(letter.text.contains("backup") && letter.text.contains("/.auth/tokens"), "{}", letter.text);
    house.identity.revoke_token(&ada.id, &token.id, house.now()).await.unwrap();
    let trail = house.identity.activity(&ada.id, None, 2).await.unwrap();
    let said: Vec<_> = trail.iter().map(|entry| (entry.event.unwrap(), entry.detail.clone())).collect();
    let detail = format!("{} backup", token.id);
    assert_eq!(said, [(Event::TokenRevoked, detail.clone()), (Event::TokenMade, detail)]);
    let export = house.identity.export(&ada.id, house.now()).await.unwrap();
    assert!(export.tokens.is_empty());
}
