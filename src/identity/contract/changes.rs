//! Changes of an address, and taking them back.

use super::*;
use crate::identity::{
    account::{Factor, FactorKind},
    outbox::Effect,
};

facts!(
    an_address_changes_only_by_the_link_to_the_new_one,
    a_change_ends_what_the_old_address_was_sent,
    an_undo_brings_the_address_back_and_ends_sessions_and_password,
    an_address_that_is_only_vouched_for_gets_no_undo,
    an_undo_takes_the_factors_that_came_with_the_change_and_leaves_older_ones,
    the_first_undo_outweighs_every_later_change,
    a_later_undo_leaves_the_earlier_one_alive,
    an_address_taken_meanwhile_makes_a_dead_link,
    an_old_address_is_held_while_the_change_can_be_undone,
    a_taken_address_is_answered_alike_and_its_owner_told,
    what_signs_devices_out_ends_a_change_under_way,
    links_to_addresses_run_out_and_newer_ones_replace_them,
    an_old_address_that_nobody_confirmed_gets_no_hold,
    a_change_redeemed_and_undone_many_times_at_once_happens_once,
    tokens_of_changes_stand_as_hashes_only,
);

async fn asked(house: &House, account: &Account, email: &str) -> String {
    house.identity.ask_to_change_email(&account.id, email, &client(), house.now()).await.unwrap();
    let letter = house.mail().await;
    assert_eq!(letter.to.to_string(), email);
    assert!(letter.text.contains("/.auth/email/change?token="), "{}", letter.text);
    token(&letter)
}

/// Changes the address; answers the token that undoes it.
async fn changed(house: &House, account: &Account, email: &str) -> String {
    proved(house, account).await;
    let old = house.reload(account).await.email;
    let link = asked(house, account, email).await;
    house.identity.change_email(&link, house.now()).await.unwrap();
    let letter = house.mail().await;
    assert_eq!(letter.to.to_string(), old, "the old address hears of it");
    assert!(letter.text.contains("/.auth/email/undo?token="), "{}", letter.text);
    assert!(!letter.text.contains(email), "the new address is masked: {}", letter.text);
    token(&letter)
}

/// The owner proved to read the address, as the link in a mail does.
async fn proved(house: &House, account: &Account) {
    let ledger = &house.identity.inner.ledger;
    let mut tx = ledger.db().write().await.unwrap();
    ledger.set_confirmed(&mut tx, &account.id).await.unwrap();
    tx.commit().await.unwrap();
}

async fn undone(house: &House, undo: &str) -> Result<outbox::RowId, Refusal> {
    house.identity.undo_email_change(undo, house.now()).await
}

fn dead<T: std::fmt::Debug>(outcome: &Result<T, Refusal>) -> bool {
    matches!(outcome, Err(Refusal::DeadLink))
}

async fn an_address_changes_only_by_the_link_to_the_new_one(house: &House) {
    let ada = house.person("ada").await;
    proved(house, &ada).await;
    let link = asked(house, &ada, "new@example.org").await;
    assert_eq!(house.reload(&ada).await.email, "ada@example.org");
    assert!(house.drained().await.is_empty(), "asking guards nothing");
    for _ in 0..2 {
        assert_eq!(house.identity.email_change_asked(&link, house.now()).await.unwrap(), "new@example.org");
    }
    assert!(dead(&house.identity.confirm_address(&link, house.now()).await), "good for one purpose");
    assert!(dead(&undone(house, &link).await), "good for one purpose");
    let (owner, row) = house.identity.change_email(&link, house.now()).await.unwrap();
    house.mail().await;
    assert_eq!(owner, ada.id);
    let stands = house.reload(&ada).await;
    assert_eq!((stands.email.as_str(), stands.email_confirmed), ("new@example.org", true));
    assert_eq!(
        house.drained().await,
        [outbox::Row {
            id: row,
            account: ada.id.clone(),
            generation: ada.generation + 1,
            effect: Effect::Rewrite(Box::new(stands)),
        }]
    );
    assert!(dead(&house.identity.change_email(&link, house.now()).await), "once");
    assert!(dead(&house.identity.email_change_asked(&link, house.now()).await.map(drop)));
    let by_new = house.identity.authenticate("NEW@example.org", &PASSWORD.into(), &client(), house.now()).await;
    assert!(matches!(by_new, Ok(SignIn::Done(_))));
    let by_old = house.identity.authenticate("ada@example.org", &PASSWORD.into(), &client(), house.now()).await;
    assert!(matches!(by_old, Err(Refusal::Mismatch)));
}

async fn a_change_ends_what_the_old_address_was_sent(house: &House) {
    let ada = house.person("ada").await;
    proved(house, &ada).await;
    house.identity.forgot("ada@example.org", &client(), house.now()).await.unwrap();
    let reset = token(&house.mail().await);
    let link = asked(house, &ada, "new@example.org").await;
    house.identity.reset_alive(&reset, house.now()).await.unwrap();
    house.identity.change_email(&link, house.now()).await.unwrap();
    house.mail().await;
    let outcome = house.identity.reset(&reset, OTHER_PASSWORD.into(), OTHER_PASSWORD.into(), house.now()).await;
    assert!(dead(&outcome));
}

async fn an_undo_brings_the_address_back_and_ends_sessions_and_password(house: &House) {
    let ada = house.person("ada").await;
    let undo = changed(house, &ada, "thief@example.org").await;
    house.identity.forgot("thief@example.org", &client(), house.now()).await.unwrap();
    let held = token(&house.mail().await);
    let under_way = asked(house, &ada, "third@example.org").await;
    house.drained().await;
    for _ in 0..2 {
        assert_eq!(house.identity.email_change_undoable(&undo, house.now()).await.unwrap(), "ada@example.org");
    }
    let row = undone(house, &undo).await.unwrap();
    let letter = house.mail().await;
    assert_eq!(letter.to.to_string(), "ada@example.org");
    let rows = house.drained().await;
    assert_eq!(rows.iter().map(|row| (row.id, &row.effect)).collect::<Vec<_>>(), [(row, &Effect::End)]);
    let stands = house.reload(&ada).await;
    assert_eq!((stands.email.as_str(), stands.email_confirmed), ("ada@example.org", true));
    let old = house.identity.authenticate("ada", &PASSWORD.into(), &client(), house.now()).await;
    assert!(matches!(old, Err(Refusal::Mismatch)), "the password may be the thief's: {old:?}");
    assert!(dead(&house.identity.reset_alive(&held, house.now()).await), "the thief's reset link");
    assert!(dead(&house.identity.change_email(&under_way, house.now()).await), "the thief's next change");
    assert!(dead(&undone(house, &undo).await), "once");
    let reset = token(&letter);
    house.identity.reset(&reset, OTHER_PASSWORD.into(), OTHER_PASSWORD.into(), house.now()).await.unwrap();
    house.mail().await;
    let new = house.identity.authenticate("ada@example.org", &OTHER_PASSWORD.into(), &client(), house.now()).await;
    assert!(matches!(new, Ok(SignIn::Done(_))));
}

async fn an_address_that_is_only_vouched_for_gets_no_undo(house: &House) {
    let ada = house.person("ada").await;
    assert!(house.reload(&ada).await.email_confirmed, "by the operator's word: nobody is asked to confirm");
    let link = asked(house, &ada, "new@example.org").await;
    house.identity.change_email(&link, house.now()).await.unwrap();
    house.no_mail().await;
}

async fn an_undo_takes_the_factors_that_came_with_the_change_and_leaves_older_ones(house: &House) {
    let ada = house.person("ada").await;
    let add = async |id: &str, kind: FactorKind| {
        let factor = Factor { id: id.into(), kind, since: house.now() };
        let generation = house.reload(&ada).await.generation;
        house.identity.add_factor(&ada.id, generation, &factor, None, house.now()).await.unwrap();
    };
    add("own", FactorKind::Email).await;
    house.later(Duration::from_hours(8 * 24));
    add("thiefs", FactorKind::Passkey { name: "x".into() }).await;
    let undo = changed(house, &ada, "thief@example.org").await;
    house.later(Duration::from_hours(30));
    add("thiefs-too", FactorKind::App { sealed: "x".into() }).await;
    undone(house, &undo).await.unwrap();
    let left = house.reload(&ada).await.factors;
    assert_eq!(left.iter().map(|factor| &*factor.id).collect::<Vec<_>>(), ["own"]);
}

async fn the_first_undo_outweighs_every_later_change(house: &House) {
    let ada = house.person("ada").await;
    let first = changed(house, &ada, "thief@example.org").await;
    let second = changed(house, &ada, "hideout@example.org").await;
    house.later(Duration::from_hours(7 * 24 - 1));
    undone(house, &first).await.unwrap();
    house.mail().await;
    assert_eq!(house.reload(&ada).await.email, "ada@example.org");
    assert!(dead(&undone(house, &second).await), "a later undo gives the account to nobody");
    assert_eq!(house.reload(&ada).await.email, "ada@example.org");
}

async fn a_later_undo_leaves_the_earlier_one_alive(house: &House) {
    let ada = house.person("ada").await;
    let first = changed(house, &ada, "thief@example.org").await;
    // Its owner takes the address back by hand, and the thief undoes that.
    let second = changed(house, &ada, "ada@example.org").await;
    undone(house, &second).await.unwrap();
    assert_eq!(house.mail().await.to.to_string(), "thief@example.org");
    undone(house, &first).await.unwrap();
    assert_eq!(house.mail().await.to.to_string(), "ada@example.org");
    assert_eq!(house.reload(&ada).await.email, "ada@example.org");
}

async fn an_address_taken_meanwhile_makes_a_dead_link(house: &House) {
    let ada = house.person("ada").await;
    let link = asked(house, &ada, "grace@example.org").await;
    house.person("grace").await;
    assert!(dead(&house.identity.email_change_asked(&link, house.now()).await.map(drop)));
    assert!(dead(&house.identity.change_email(&link, house.now()).await));
    assert_eq!(house.reload(&ada).await.email, "ada@example.org");
    assert!(house.drained().await.is_empty());
}

async fn an_old_address_is_held_while_the_change_can_be_undone(house: &House) {
    let (ada, grace) = (house.person("ada").await, house.person("grace").await);
    let early = asked(house, &grace, "next@example.org").await;
    let undo = changed(house, &ada, "next@example.org").await;
    assert!(dead(&house.identity.change_email(&early, house.now()).await));
    let form = || NewAccount { email: "ADA@example.org".into(), ..form("eve") };
    let refusal = house.identity.register(form(), &client(), house.now()).await.unwrap_err();
    assert_eq!(faulty_fields(&refusal), ["email"]);
    let addition = people::Addition { email: "ada@example.org".into(), ..addition("eve", false) };
    assert_eq!(faulty_fields(&house.identity.add(addition, house.now()).await.unwrap_err()), ["email"]);
    // With confirmation, and by a change, only the address itself hears of it.
    let by_mail = house.confirming().register(form(), &client(), house.now()).await.unwrap();
    assert!(matches!(by_mail, Registered::MailSent));
    let letter = house.mail().await;
    assert!(letter.to.to_string() == "ada@example.org" && !letter.text.contains("token="), "{}", letter.text);
    house.identity.ask_to_change_email(&grace.id, "ada@example.org", &client(), house.now()).await.unwrap();
    let letter = house.mail().await;
    assert!(letter.to.to_string() == "ada@example.org" && !letter.text.contains("token="), "{}", letter.text);
    house.later(Duration::from_hours(7 * 24));
    assert!(dead(&undone(house, &undo).await));
    house.identity.register(form(), &client(), house.now()).await.unwrap();
}

async fn a_taken_address_is_answered_alike_and_its_owner_told(house: &House) {
    let (ada, grace) = (house.person("ada").await, house.person("grace").await);
    house.identity.ask_to_change_email(&ada.id, "Grace@example.org", &client(), house.now()).await.unwrap();
    let letter = house.mail().await;
    assert_eq!(letter.to.to_string(), "grace@example.org");
    assert!(letter.text.contains("nothing was changed"), "{}", letter.text);
    assert!(!letter.text.contains("token="));
    for (typed, why) in [("ada@EXAMPLE.org", "one's own"), ("nonsense", "none at all")] {
        let refusal = house.identity.ask_to_change_email(&ada.id, typed, &client(), house.now()).await.unwrap_err();
        assert_eq!(faulty_fields(&refusal), ["email"], "{why}");
    }
    assert_eq!(house.reload(&grace).await, grace);
    let mut last = Ok(());
    for number in 0..6 {
        let typed = format!("new{number}@example.org");
        last = house.identity.ask_to_change_email(&ada.id, &typed, &client(), house.now()).await;
    }
    assert!(matches!(last, Err(Refusal::Throttled { .. })), "{last:?}");
}

async fn what_signs_devices_out_ends_a_change_under_way(house: &House) {
    let ada = house.person("ada").await;
    let link = asked(house, &ada, "thief@example.org").await;
    let edit = ProfileEdit {
        first_name: "Augusta".into(),
        last_name: "King".into(),
        username: "ada".into(),
        about_me: String::new(),
    };
    house.identity.edit_profile(&ada.id, edit, house.now()).await.unwrap();
    house.identity.email_change_asked(&link, house.now()).await.expect("a new name is no reason");
    house.identity.end_other_sessions(&ada.id, "s", house.now()).await.unwrap();
    assert!(dead(&house.identity.change_email(&link, house.now()).await));
    let link = asked(house, &ada, "thief@example.org").await;
    house.identity.set_password(&ada.id, &OTHER_PASSWORD.into(), house.now()).await.unwrap();
    house.mail().await;
    assert!(dead(&house.identity.change_email(&link, house.now()).await));
    let undo = changed(house, &ada, "next@example.org").await;
    house.identity.disable(&ada.id, house.now()).await.unwrap();
    assert!(dead(&undone(house, &undo).await), "not while disabled");
    house.identity.enable(&ada.id, house.now()).await.unwrap();
    undone(house, &undo).await.unwrap();
    house.mail().await;
}

async fn links_to_addresses_run_out_and_newer_ones_replace_them(house: &House) {
    let ada = house.person("ada").await;
    let older = asked(house, &ada, "one@example.org").await;
    let newer = asked(house, &ada, "two@example.org").await;
    assert!(dead(&house.identity.change_email(&older, house.now()).await));
    house.later(Duration::from_hours(24));
    assert!(dead(&house.identity.change_email(&newer, house.now()).await));
    assert!(dead(&house.identity.change_email("made-up", house.now()).await));
    assert!(dead(&undone(house, "made-up").await));
}

async fn an_old_address_that_nobody_confirmed_gets_no_hold(house: &House) {
    let ada = house.person("ada").await;
    let identity = house.confirming();
    let link = asked(house, &ada, "new@example.org").await;
    identity.change_email(&link, house.now()).await.unwrap();
    house.no_mail().await;
    assert!(identity.account(&ada.id).await.unwrap().unwrap().email_confirmed, "the new one is");
    house.identity.register(form("eve"), &client(), house.now()).await.unwrap();
    let form = NewAccount { email: "ada@example.org".into(), ..form("eve2") };
    house.identity.register(form, &client(), house.now()).await.unwrap();
}

async fn a_change_redeemed_and_undone_many_times_at_once_happens_once(house: &House) {
    let ada = house.person("ada").await;
    proved(house, &ada).await;
    let link = asked(house, &ada, "new@example.org").await;
    let now = house.now();
    let rooms: Vec<_> =
        (0..20).map(|number| if number % 2 == 0 { house.identity.clone() } else { house.other_node() }).collect();
    let redeem = |identity: Identity| {
        let link = link.clone();
        tokio::spawn(async move { identity.change_email(&link, now).await.is_ok() })
    };
    assert_eq!(successes(rooms.iter().cloned().map(redeem).collect()).await, 1);
    let undo = token(&house.mail().await);
    let take_back = |identity: Identity| {
        let undo = undo.clone();
        tokio::spawn(async move { identity.undo_email_change(&undo, now).await.is_ok() })
    };
    assert_eq!(successes(rooms.iter().cloned().map(take_back).collect()).await, 1);
    house.mail().await;
    assert_eq!(house.drained().await.len(), 2);
}

async fn successes(tries: Vec<tokio::task::JoinHandle<bool>>) -> usize {
    let mut done = 0;
    for outcome in tries {
        done += usize::from(outcome.await.unwrap());
    }
    done
}

async fn tokens_of_changes_stand_as_hashes_only(house: &House) {
    let ada = house.person("ada").await;
    proved(house, &ada).await;
    let link = asked(house, &ada, "new@example.org").await;
    house.identity.change_email(&link, house.now()).await.unwrap();
    let undo = token(&house.mail().await);
    let mut tx = house.db.read().await.unwrap();
    let kept = crate::storage::on!(tx, link => sqlx::query_as::<_, (Vec<u8>, Vec<u8>)>(
        "SELECT token, undo FROM address_changes").fetch_all(link));
    let hash = |text: &str| super::super::token::hash(text).unwrap().to_vec();
    assert_eq!(kept.unwrap(), [(hash(&link), hash(&undo))]);
}
