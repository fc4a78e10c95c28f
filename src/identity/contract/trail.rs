//! The trail: one with each change, batched for tries, paged, trimmed.

use super::*;
use crate::identity::trail::{Actor, DISABLED, Event, Recorded, THROTTLED, WRONG_PASSWORD};

facts!(
    a_change_and_its_entry_are_one,
    operators_changes_name_the_operator,
    tries_are_written_together_and_name_their_network,
    a_storm_of_refusals_is_kept_once_a_minute,
    nobody_is_named_who_has_no_account,
    pages_go_from_the_newest_to_the_oldest_and_hold_one_account,
    a_try_stands_before_a_later_change_although_it_is_written_after_it,
    what_is_old_goes_and_what_strangers_cause_goes_first,
    entries_outlive_their_account,
    what_waits_survives_a_database_that_is_down,
);

async fn trail(house: &House, account: &Account) -> Vec<Recorded> {
    house.identity.write_trail().await.unwrap();
    house.identity.activity(&account.id, None, 1000).await.unwrap()
}

async fn events(house: &House, account: &Account) -> Vec<Event> {
    trail(house, account).await.into_iter().filter_map(|entry| entry.event).collect()
}

async fn wrong(house: &House, name: &str) -> Refusal {
    let password = "not her password".into();
    house.identity.authenticate(name, &password, &client(), house.now()).await.unwrap_err()
}

async fn a_change_and_its_entry_are_one(house: &House) {
    let ada = house.person("ada").await;
    let at_home = house.identity.for_client(&client());
    at_home.end_other_sessions(&ada.id, "sid", house.now()).await.unwrap();
    let entries = house.identity.activity(&ada.id, None, 10).await.unwrap();
    assert_eq!(entries[0].event, Some(Event::OthersEnded), "nothing waits to be written: {entries:?}");
    assert_eq!(entries[0].network, "192.0.2.0/24");
    assert_eq!(entries[0].actor, Actor::Own);
    assert_eq!((entries[1].event, &*entries[1].network), (Some(Event::Registered), ""));
    // What fails leaves none.
    let edit = ProfileEdit {
        first_name: String::new(),
        last_name: "King".into(),
        username: "ada".into(),
        about_me: String::new(),
    };
    house.identity.edit_profile(&ada.id, edit, house.now()).await.unwrap_err();
    house.identity.reset_factors(&account::AccountId("nobody".into()), house.now()).await.unwrap_err();
    assert_eq!(events(house, &ada).await, [Event::OthersEnded, Event::Registered]);
}

async fn operators_changes_name_the_operator(house: &House) {
    house.administrator("root2").await;
    let grace = house.identity.add(addition("grace", false), house.now()).await.unwrap();
    let (identity, id, now) = (&house.identity, &grace.id, house.now());
    identity.set_groups(id, &["wiki".into(), "staff".into()], now).await.unwrap();
    identity.set_password(id, &OTHER_PASSWORD.into(), now).await.unwrap();
    identity.reset_factors(id, now).await.unwrap();
    identity.disable(id, now).await.unwrap();
    identity.enable(id, now).await.unwrap();
    identity.delete(id, now).await.unwrap();
    let entries = trail(house, &grace).await;
    let seen: Vec<_> = entries.iter().rev().filter_map(|entry| entry.event).collect();
    let expected = [
        Event::Added,
        Event::GroupsSet,
        Event::PasswordSet,
        Event::FactorsReset,
        Event::Disabled,
        Event::Enabled,
        Event::Deleted,
    ];
    assert_eq!(seen, expected);
    assert!(entries.iter().all(|entry| entry.actor == Actor::Operator && !entry.refused), "{entries:?}");
    assert_eq!(entries.iter().find(|entry| entry.event == Some(Event::GroupsSet)).unwrap().detail, "staff wiki");
}

async fn tries_are_written_together_and_name_their_network(house: &House) {
    let ada = house.person("ada").await;
    for _ in 0..3 {
        wrong(house, "ada").await;
    }
    assert_eq!(house.identity.activity(&ada.id, None, 10).await.unwrap().len(), 1, "they wait for their writer");
    let entries = trail(house, &ada).await;
    assert_eq!(entries.len(), 4);
    for entry in &entries[..3] {
        assert_eq!(entry.event, Some(Event::SignInRefused));
        assert_eq!((&*entry.detail, &*entry.network, entry.refused), (WRONG_PASSWORD, "192.0.2.0/24", true));
    }
    assert_eq!(trail(house, &ada).await.len(), 4, "each is written once");
    house.administrator("root2").await;
    house.identity.disable(&ada.id, house.now()).await.unwrap();
    let right = house.identity.authenticate("ada", &PASSWORD.into(), &client(), house.now()).await;
    assert!(matches!(right, Err(Refusal::Mismatch)), "{right:?}");
    assert_eq!(trail(house, &ada).await[0].detail, DISABLED);
}

async fn a_storm_of_refusals_is_kept_once_a_minute(house: &House) {
    let ada = house.person("ada").await;
    for _ in 0..30 {
        wrong(house, "ada").await;
    }
    let throttled = async |house: &House| {
        let entries = trail(house, &ada).await;
        entries.iter().filter(|entry| entry.detail == THROTTLED).count()
    };
    assert_eq!(throttled(house).await, 1);
    let mut refusal = Refusal::Closed;
    house.later(Duration::from_secs(61));
    for _ in 0..10 {
        refusal = wrong(house, "ada").await;
    }
    assert!(matches!(refusal, Refusal::Throttled { .. }), "{refusal:?}");
    assert_eq!(throttled(house).await, 2);
}

async fn nobody_is_named_who_has_no_account(house: &House) {
    let ada = house.person("ada").await;
    wrong(house, "hunter2-typed-as-a-name").await;
    house.identity.forgot("nobody@example.org", &client(), house.now()).await.unwrap();
    assert_eq!(events(house, &ada).await, [Event::Registered]);
    let mut tx = house.db.read().await.unwrap();
    let rows: i64 =
        crate::storage::on!(tx, link => sqlx::query_scalar("SELECT COUNT(*) FROM trail").fetch_one(link)).unwrap();
    assert_eq!(rows, 1);
}

async fn pages_go_from_the_newest_to_the_oldest_and_hold_one_account(house: &House) {
    let (ada, bob) = (house.person("ada").await, house.person("bob").await);
    for number in 0..7 {
        for account in [&ada, &bob] {
            house.identity.note(Event::SignedIn, &account.id, format!("{} {number}", account.username), house.now());
        }
    }
    house.identity.write_trail().await.unwrap();
    let (mut details, mut before) = (Vec::new(), None);
    loop {
        let page = house.identity.activity(&ada.id, before, 3).await.unwrap();
        assert!(page.is_sorted_by(|one, other| one.id > other.id), "{page:?}");
        let Some(last) = page.last() else { break };
        before = Some(last.id);
        details.extend(page.into_iter().map(|entry| entry.detail));
    }
    assert_eq!(details, ["ada 6", "ada 5", "ada 4", "ada 3", "ada 2", "ada 1", "ada 0", ""]);
    let bobs = house.identity.activity(&bob.id, None, 1).await.unwrap()[0].id;
    for nowhere in [i64::MIN, i64::MAX, bobs] {
        assert_eq!(house.identity.activity(&ada.id, Some(nowhere), 3).await.unwrap(), [], "not one of hers");
    }
}

async fn a_try_stands_before_a_later_change_although_it_is_written_after_it(house: &House) {
    let ada = house.person("ada").await;
    house.identity.note(Event::SignedIn, &ada.id, "pwd", house.later(Duration::from_millis(1)));
    house.identity.end_other_sessions(&ada.id, "sid", house.later(Duration::from_millis(1))).await.unwrap();
    assert_eq!(events(house, &ada).await, [Event::OthersEnded, Event::SignedIn, Event::Registered]);
    let all = house.identity.activity(&ada.id, None, 3).await.unwrap();
    assert_eq!(house.identity.activity(&ada.id, Some(all[0].id), 3).await.unwrap(), all[1..]);
}

async fn what_is_old_goes_and_what_strangers_cause_goes_first(house: &House) {
    const DAY: Duration = Duration::from_hours(24);
    let ada = house.person("ada").await;
    wrong(house, "ada").await;
    house.later(DAY * 89);
    house.identity.note(Event::SignedOut, &ada.id, "", house.now());
    wrong(house, "ada").await;
    house.identity.write_trail().await.unwrap();
    house.identity.trim_trail(house.now()).await.unwrap();
    assert_eq!(events(house, &ada).await.len(), 4);
    house.later(DAY * 2);
    house.identity.trim_trail(house.now()).await.unwrap();
    assert_eq!(events(house, &ada).await, [Event::SignInRefused, Event::SignedOut, Event::Registered]);
    house.later(DAY * 310);
    house.identity.trim_trail(house.now()).await.unwrap();
    assert_eq!(events(house, &ada).await, [Event::SignedOut]);
    house.later(DAY * 88);
    house.identity.trim_trail(house.now()).await.unwrap();
    assert_eq!(events(house, &ada).await, [Event::SignedOut], "400 days are not over yet");
    house.later(DAY * 2);
    house.identity.trim_trail(house.now()).await.unwrap();
    assert_eq!(events(house, &ada).await, []);

    for number in 0..5 {
        house.identity.note(Event::SignedIn, &ada.id, number.to_string(), house.now());
        house.later(Duration::from_hours(2));
        wrong(house, "ada").await;
    }
    house.identity.write_trail().await.unwrap();
    let mut tx = house.db.write().await.unwrap();
    house.identity.inner.ledger.trim_trail(&mut tx, UnixMillis(0), UnixMillis(0), 2).await.unwrap();
    tx.commit().await.unwrap();
    let refusals: Vec<_> = trail(house, &ada).await.iter().map(|entry| entry.refused).collect();
    assert_eq!(refusals, [true, false, true, false, false, false, false], "the newest two refusals stay");
}

async fn entries_outlive_their_account(house: &House) {
    house.administrator("root2").await;
    let ada = house.person("ada").await;
    house.identity.delete(&ada.id, house.now()).await.unwrap();
    assert_eq!(events(house, &ada).await, [Event::Deleted, Event::Registered]);
}

async fn what_waits_survives_a_database_that_is_down(house: &House) {
    let ada = house.person("ada").await;
    house.identity.note(Event::SignedOut, &ada.id, "", house.now());
    let mut tx = house.db.write().await.unwrap();
    crate::storage::run!(tx, sqlx::query("ALTER TABLE trail RENAME TO away")).unwrap();
    tx.commit().await.unwrap();
    house.identity.write_trail().await.unwrap_err();
    let mut tx = house.db.write().await.unwrap();
    crate::storage::run!(tx, sqlx::query("ALTER TABLE away RENAME TO trail")).unwrap();
    tx.commit().await.unwrap();
    assert_eq!(events(house, &ada).await, [Event::SignedOut, Event::Registered]);
}

#[test]
fn every_event_has_a_word_of_its_own() {
    for event in Event::ALL {
        assert_eq!(Event::parse(event.word()), Some(*event));
    }
}
