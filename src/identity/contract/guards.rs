//! Guarded changes: the outbox, generations, the last administrator.

use super::*;
use crate::{
    config::verify::Channel,
    identity::{
        account::{Factor, FactorKind},
        outbox::{Effect, RowId},
    },
};

facts!(
    every_guarded_change_moves_the_generation_and_writes_its_row,
    a_rewrite_carries_the_account_as_it_stands_when_drained,
    an_account_that_cannot_be_read_keeps_no_other_waiting,
    a_change_that_fails_writes_no_row,
    a_change_from_before_another_is_stale,
    the_last_administrator_stays,
    two_administrators_cannot_demote_each_other_at_once,
    rows_come_in_order_and_go_when_applied,
    a_factor_comes_and_goes,
    only_who_chose_a_username_may_change_it,
    a_former_username_stays_its_owners,
    people_are_found_and_listed,
    who_leaves_takes_everything_but_the_name,
);

fn factor(house: &House) -> Factor {
    let kind = FactorKind::Phone { number: "+254712123456".into(), channel: Channel::Call };
    Factor { id: uuid::Uuid::new_v4().to_string(), kind, since: house.now() }
}

fn edit(username: &str) -> ProfileEdit {
    ProfileEdit {
        first_name: "Augusta".into(),
        last_name: "King".into(),
        username: username.into(),
        about_me: "Poetical science".into(),
    }
}

async fn every_guarded_change_moves_the_generation_and_writes_its_row(house: &House) {
    house.administrator("root2").await;
    let ada = house.person("ada").await;
    let (identity, id, now) = (&house.identity, &ada.id, house.now());
    let mut rows = vec![
        identity.set_groups(id, &["b".into(), "a".into(), "b".into()], now).await.unwrap(),
        identity.set_password(id, &OTHER_PASSWORD.into(), now).await.unwrap(),
        identity.add_factor(id, 2, &factor(house), Some("s"), now).await.unwrap().1,
        identity.reset_factors(id, now).await.unwrap(),
        identity.edit_profile(id, edit("ada"), now).await.unwrap(),
        identity.disable(id, now).await.unwrap(),
        identity.enable(id, now).await.unwrap(),
    ];
    let stands = house.reload(&ada).await;
    assert_eq!(stands.generation, 7);
    assert_eq!(stands.groups, ["a", "b"]);
    rows.push(identity.delete(id, now).await.unwrap());
    let drained = house.drained().await;
    assert_eq!(drained.iter().map(|row| row.id).collect::<Vec<_>>(), rows);
    assert_eq!(drained.iter().map(|row| row.generation).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 7, i64::MAX]);
    let effects: Vec<_> = drained.into_iter().map(|row| row.effect).collect();
    assert_eq!(effects[2], Effect::EndOthers("s".into()));
    for number in [0, 1, 3, 4, 5, 6, 7] {
        assert_eq!(effects[number], Effect::End, "nothing is left to rewrite: {number}");
    }
    assert!(house.drained().await.is_empty());
}

async fn an_account_that_cannot_be_read_keeps_no_other_waiting(house: &House) {
    let (ada, grace) = (house.person("ada").await, house.person("grace").await);
    let identity = &house.identity;
    identity.add_factor(&ada.id, 0, &factor(house), None, house.now()).await.unwrap();
    identity.edit_profile(&ada.id, edit("ada"), house.now()).await.unwrap();
    identity.edit_profile(&grace.id, edit("grace"), house.now()).await.unwrap();
    // As a newer version would have left it.
    let mut tx = house.db.write().await.unwrap();
    crate::storage::run!(tx, sqlx::query("UPDATE factors SET kind = 'newer'")).unwrap();
    tx.commit().await.unwrap();
    let effects: Vec<_> = house.drained().await.into_iter().map(|row| (row.account, row.effect)).collect();
    assert!(effects.contains(&(ada.id.clone(), Effect::End)), "{effects:?}");
    assert!(effects.iter().any(|(id, effect)| *id == grace.id && matches!(effect, Effect::Rewrite(_))), "{effects:?}");
}

async fn a_rewrite_carries_the_account_as_it_stands_when_drained(house: &House) {
    let ada = house.person("ada").await;
    house.identity.edit_profile(&ada.id, edit("ada"), house.now()).await.unwrap();
    house.identity.set_groups(&ada.id, &["staff".into()], house.now()).await.unwrap();
    let stands = house.reload(&ada).await;
    assert_eq!((stands.name().as_str(), stands.about_me.as_str()), ("Augusta King", "Poetical science"));
    for row in house.drained().await {
        assert_eq!(row.effect, Effect::Rewrite(Box::new(stands.clone())));
    }
}

async fn a_change_that_fails_writes_no_row(house: &House) {
    let ada = house.person("ada").await;
    house.person("bob").await;
    let refusal = house.identity.edit_profile(&ada.id, edit("bob"), house.now()).await.unwrap_err();
    assert_eq!(faulty_fields(&refusal), ["username"]);
    let refusal = house.identity.set_groups(&ada.id, &["a,b".into()], house.now()).await.unwrap_err();
    assert_eq!(faulty_fields(&refusal), ["groups"]);
    let nobody = AccountId("nobody".into());
    assert!(matches!(house.identity.disable(&nobody, house.now()).await, Err(Refusal::Stale)));
    assert!(matches!(house.identity.enable(&nobody, house.now()).await, Err(Refusal::Stale)));
    assert!(matches!(house.identity.delete(&nobody, house.now()).await, Err(Refusal::Stale)));
    assert!(matches!(house.identity.set_groups(&nobody, &[], house.now()).await, Err(Refusal::Stale)));
    assert!(house.drained().await.is_empty());
    assert_eq!(house.reload(&ada).await, ada);
}

async fn a_change_from_before_another_is_stale(house: &House) {
    let ada = house.person("ada").await;
    let proof = house.identity.check_password(&ada.id, &PASSWORD.into(), &client(), house.now()).await.unwrap();
    house.identity.set_groups(&ada.id, &[], house.now()).await.unwrap();
    let changed =
        house.identity.change_password(proof, OTHER_PASSWORD.into(), OTHER_PASSWORD.into(), None, house.now()).await;
    assert!(matches!(changed, Err(Refusal::Stale)));
    let added = house.identity.add_factor(&ada.id, ada.generation, &factor(house), None, house.now()).await;
    assert!(matches!(added, Err(Refusal::Stale)));
    assert!(matches!(house.identity.current(&ada.id, ada.generation).await, Err(Refusal::Stale)));
    assert_eq!(house.identity.current(&ada.id, ada.generation + 1).await.unwrap(), house.reload(&ada).await);
}

async fn the_last_administrator_stays(house: &House) {
    let grace = house.administrator("grace").await;
    let (identity, now) = (&house.identity, house.now());
    let last = |answer: Result<RowId, Refusal>| matches!(answer, Err(Refusal::LastAdministrator));
    assert!(last(identity.disable(&grace.id, now).await));
    assert!(last(identity.delete(&grace.id, now).await));
    assert!(last(identity.set_groups(&grace.id, &["staff".into()], now).await));
    identity.set_groups(&grace.id, &["admin".into(), "other".into()], now).await.unwrap();

    let second = house.administrator("second").await;
    identity.disable(&second.id, now).await.unwrap();
    assert!(last(identity.disable(&grace.id, now).await), "a disabled one does not count");
    identity.enable(&second.id, now).await.unwrap();
    identity.disable(&grace.id, now).await.unwrap();
    assert!(last(identity.delete(&second.id, now).await));
}

async fn two_administrators_cannot_demote_each_other_at_once(house: &House) {
    let other_node = house.other_node();
    for round in 0..5 {
        let first = house.administrator(&format!("first{round}")).await;
        let second = house.administrator(&format!("second{round}")).await;
        let others: Vec<_> = house.identity.list("", 100).await.unwrap();
        for other in others.iter().filter(|other| ![&first.id, &second.id].contains(&&other.id)) {
            house.identity.delete(&other.id, house.now()).await.unwrap();
        }
        let (here, there, now) = (house.identity.clone(), other_node.clone(), house.now());
        let here = tokio::spawn(async move { here.disable(&first.id, now).await.is_ok() });
        let there = tokio::spawn(async move { there.set_groups(&second.id, &[], now).await.is_ok() });
        let (one, two) = (here.await.unwrap(), there.await.unwrap());
        assert!(one != two, "round {round}: {one} {two}");
        house.administrator(&format!("spare{round}")).await;
    }
    other_node.close().await;
}

async fn rows_come_in_order_and_go_when_applied(house: &House) {
    let ada = house.person("ada").await;
    let mut rows = Vec::new();
    for _ in 0..5 {
        rows.push(house.identity.set_groups(&ada.id, &[], house.now()).await.unwrap());
    }
    assert!(rows.is_sorted());
    let ids = async |limit| house.identity.changes(limit).await.unwrap().iter().map(|row| row.id).collect::<Vec<_>>();
    assert_eq!(ids(3).await, rows[..3]);
    house.identity.applied(rows[0]).await.unwrap();
    house.identity.applied(rows[0]).await.unwrap();
    assert_eq!(ids(9).await, rows[1..]);
    for row in &rows {
        house.identity.applied(*row).await.unwrap();
    }
    let next = house.identity.set_groups(&ada.id, &[], house.now()).await.unwrap();
    assert!(next > rows[4], "numbers are never used again");
}

async fn a_factor_comes_and_goes(house: &House) {
    let ada = house.person("ada").await;
    let factor = factor(house);
    let added = house.identity.add_factor(&ada.id, ada.generation, &factor, None, house.now()).await.unwrap().0;
    assert_eq!(added.factors, std::slice::from_ref(&factor));
    assert_eq!(house.reload(&ada).await, added);
    let removed =
        house.identity.remove_factor(&ada.id, added.generation, &factor.id, Some("sid"), house.now()).await.unwrap().0;
    assert!(removed.factors.is_empty());
}

async fn only_who_chose_a_username_may_change_it(house: &House) {
    let grace = house.administrator("grace").await;
    let refusal = house.identity.edit_profile(&grace.id, edit("amazing"), house.now()).await.unwrap_err();
    assert_eq!(faulty_fields(&refusal), ["username"]);
    house.identity.edit_profile(&grace.id, edit("Grace"), house.now()).await.unwrap();
    let ada = house.person("ada").await;
    house.identity.edit_profile(&ada.id, edit("Ada.King"), house.now()).await.unwrap();
    assert_eq!(house.reload(&ada).await.username, "ada.king");
    let long = ProfileEdit { about_me: "x".repeat(141), first_name: String::new(), ..edit("root") };
    let refusal = house.identity.edit_profile(&ada.id, long, house.now()).await.unwrap_err();
    assert_eq!(faulty_fields(&refusal), ["first_name", "about_me", "username"]);
}

async fn a_former_username_stays_its_owners(house: &House) {
    let ada = house.person("ada").await;
    house.identity.edit_profile(&ada.id, edit("countess"), house.now()).await.unwrap();
    let rival = NewAccount { email: "rival@example.org".into(), ..form("ada") };
    let refusal = house.identity.register(rival, &client(), house.now()).await.unwrap_err();
    assert_eq!(faulty_fields(&refusal), ["username"]);
    house.identity.edit_profile(&ada.id, edit("ada"), house.now()).await.unwrap();
    assert_eq!(house.reload(&ada).await.username, "ada");
}

async fn people_are_found_and_listed(house: &House) {
    let grace = house.administrator("grace").await;
    let ada = house.person("ada").await;
    assert_eq!(grace.groups, ["admin", "staff"]);
    assert_eq!(house.identity.list("", 10).await.unwrap(), [ada.clone(), grace.clone()]);
    assert_eq!(house.identity.list("ada", 10).await.unwrap(), std::slice::from_ref(&grace));
    assert_eq!(house.identity.find(" GRACE@example.org").await.unwrap(), Some(grace));
    assert_eq!(house.identity.find("Ada").await.unwrap(), Some(ada));
    assert_eq!(house.identity.find("nobody").await.unwrap(), None);
    let refusal = house.identity.add(addition("ada", false), house.now()).await.unwrap_err();
    assert_eq!(faulty_fields(&refusal), ["username", "email"]);
}

async fn who_leaves_takes_everything_but_the_name(house: &House) {
    let ada = house.person("ada").await;
    let identity = &house.identity;
    identity.add_factor(&ada.id, 0, &factor(house), None, house.now()).await.unwrap();
    identity.ask_to_change_email(&ada.id, "new@example.org", &client(), house.now()).await.unwrap();
    house.mail().await;
    let stale = identity.check_password(&ada.id, &PASSWORD.into(), &client(), house.now()).await.unwrap();
    identity.set_groups(&ada.id, &["staff".into()], house.now()).await.unwrap();
    assert!(matches!(identity.leave(stale, house.now()).await, Err(Refusal::Stale)), "proved before a change");
    house.drained().await;
    let proof = identity.check_password(&ada.id, &PASSWORD.into(), &client(), house.now()).await.unwrap();
    let row = identity.leave(proof, house.now()).await.unwrap();
    assert_eq!(house.mail().await.to.to_string(), "ada@example.org");
    assert_eq!(identity.account(&ada.id).await.unwrap(), None);
    let gone = outbox::Row { id: row, account: ada.id.clone(), generation: i64::MAX, effect: Effect::End };
    assert_eq!(house.drained().await, [gone]);
    let mut tx = house.db.read().await.unwrap();
    for table in ["factors", "account_groups", "address_changes", "links"] {
        let sql = || sqlx::AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}"));
        let left = crate::storage::on!(tx, link => sqlx::query_scalar::<_, i64>(sql()).fetch_one(link));
        assert_eq!(left.unwrap(), 0, "{table}");
    }
    drop(tx);
    let again = NewAccount { email: "eve@example.org".into(), ..form("ada") };
    assert_eq!(faulty_fields(&identity.register(again, &client(), house.now()).await.unwrap_err()), ["username"]);
    let root = house.administrator("root2").await;
    let proof = identity.check_password(&root.id, &PASSWORD.into(), &client(), house.now()).await.unwrap();
    assert!(matches!(identity.leave(proof, house.now()).await, Err(Refusal::LastAdministrator)));
    assert_eq!(house.reload(&root).await, root);
}
