//! Approval: who waits, what they hear, and what administrators do about it.

use super::*;
use crate::{
    identity::{
        contract::invitations::doers,
        trail::{Actor, Event},
    },
    storage::run,
};

facts!(
    who_registers_waits_and_hears_so_only_with_the_right_password,
    who_confirms_waits_and_administrators_are_told_once_an_hour,
    an_approved_person_signs_in_and_is_mailed,
    the_operator_approves_and_declines_too,
    a_declined_registration_is_gone_and_its_name_is_free_again,
    who_waits_gets_no_links,
    domains_bind_who_waits_for_approval,
    a_thousand_wait_and_no_more,
    administrators_find_people,
    two_administrators_cannot_disable_each_other,
    who_waits_for_a_fortnight_is_gone_and_their_name_is_free_again,
    an_address_counts_as_confirmed_for_administrators_only_where_it_was_proved,
    a_mailed_invitation_pushes_out_who_waits_with_that_address_unproved,
    who_was_enabled_by_an_older_version_does_not_wait,
);

fn approving(house: &House) -> Identity {
    house.with(|settings| settings.accounts.registration = Registration::Approve)
}

fn approving_by_mail(house: &House) -> Identity {
    house.with(|settings| {
        settings.accounts.registration = Registration::Approve;
        settings.accounts.confirm_email = true;
    })
}

async fn waiting(identity: &Identity, house: &House, username: &str) -> Account {
    let registered = identity.register(form(username), &client(), house.now()).await;
    assert!(matches!(registered, Ok(Registered::Waiting)), "{registered:?}");
    identity.find(username).await.unwrap().unwrap()
}

async fn sign_in(identity: &Identity, house: &House, password: &str) -> Result<SignIn, Refusal> {
    identity.authenticate("ada", &password.into(), &client(), house.now()).await
}

async fn who_registers_waits_and_hears_so_only_with_the_right_password(house: &House) {
    let identity = approving(house);
    let ada = waiting(&identity, house, "ada").await;
    assert!(ada.disabled && ada.waiting_since == Some(house.now()));
    for _ in 0..3 {
        assert!(matches!(sign_in(&identity, house, OTHER_PASSWORD).await, Err(Refusal::Mismatch)));
    }
    for _ in 0..20 {
        assert!(matches!(sign_in(&identity, house, PASSWORD).await, Err(Refusal::Waiting)), "no try was wrong");
    }
    // Under other settings, and for an older program, it is a disabled account.
    assert!(matches!(sign_in(&house.identity, house, PASSWORD).await, Err(Refusal::Waiting)));
    assert!(matches!(house.identity.current(&ada.id, ada.generation).await, Err(Refusal::Stale)));
}

async fn who_confirms_waits_and_administrators_are_told_once_an_hour(house: &House) {
    let identity = approving_by_mail(house);
    house.administrator("boss").await;
    let confirmed = async |name: &str| {
        identity.register(form(name), &client(), house.now()).await.unwrap();
        let link = token(&house.mail().await);
        let account = identity.confirm(&link, house.now()).await.unwrap();
        assert!(account.email_confirmed && account.waiting_since.is_some());
    };
    confirmed("ada").await;
    let letter = house.mail().await;
    assert_eq!(letter.to.to_string(), "boss@example.org");
    assert!(letter.subject.starts_with("1 person waits"), "{}", letter.subject);
    assert!(letter.text.contains("http://localhost:8080/.auth/admin/people?state=waiting"), "{}", letter.text);
    confirmed("bob").await;
    confirmed("eve").await;
    house.no_mail().await;
    house.other_node().tell_administrators(house.now()).await.unwrap();
    house.no_mail().await;
    let later = house.later(Duration::from_hours(1));
    identity.tell_administrators(later).await.unwrap();
    assert!(house.mail().await.subject.starts_with("3 people wait"));
    let later = house.later(Duration::from_hours(9));
    identity.tell_administrators(later).await.unwrap();
    house.no_mail().await;
}

async fn an_approved_person_signs_in_and_is_mailed(house: &House) {
    let identity = approving(house);
    let ada = waiting(&identity, house, "ada").await;
    let boss = house.administrator("boss").await;
    let administration = identity.administration(&boss, "sid").unwrap();
    assert_eq!(administration.waiting().await.unwrap(), 1);
    administration.enable(&ada.id, house.now()).await.unwrap();
    let letter = house.mail().await;
    assert_eq!((letter.to.to_string().as_str(), letter.subject.contains("is approved")), ("ada@example.org", true));
    assert!(letter.text.contains("http://localhost:8080/.auth/login"), "{}", letter.text);
    assert!(matches!(sign_in(&identity, house, PASSWORD).await, Ok(SignIn::Done(_))));
    assert_eq!(administration.waiting().await.unwrap(), 0);
    let entries = identity.activity(&ada.id, None, 1).await.unwrap();
    assert_eq!((entries[0].event, entries[0].actor), (Some(Event::Approved), Actor::Administrator));
    assert_eq!(doers(house, &ada.id).await.last(), Some(&boss.id.0.to_string()));
    // Once only: afterwards it is enabling.
    administration.disable(&ada.id, house.now()).await.unwrap();
    assert!(matches!(administration.decline(&ada.id, house.now()).await, Err(Refusal::Stale)), "they do not wait");
    administration.enable(&ada.id, house.now()).await.unwrap();
    house.no_mail().await;
}

async fn the_operator_approves_and_declines_too(house: &House) {
    let identity = approving(house);
    let ada = waiting(&identity, house, "ada").await;
    let bob = waiting(&identity, house, "bob").await;
    identity.enable(&ada.id, house.now()).await.unwrap();
    assert!(house.mail().await.subject.contains("is approved"));
    identity.delete(&bob.id, house.now()).await.unwrap();
    assert!(house.mail().await.subject.contains("was not approved"));
    for (id, event) in [(&ada.id, Event::Approved), (&bob.id, Event::Declined)] {
        let entries = identity.activity(id, None, 1).await.unwrap();
        assert_eq!((entries[0].event, entries[0].actor), (Some(event), Actor::Operator));
    }
}

async fn a_declined_registration_is_gone_and_its_name_is_free_again(house: &House) {
    let identity = approving(house);
    let ada = waiting(&identity, house, "ada").await;
    let boss = identity.administration(&house.administrator("boss").await, "sid").unwrap();
    boss.decline(&ada.id, house.now()).await.unwrap();
    let letter = house.mail().await;
    assert!(letter.subject.contains("was not approved"), "{}", letter.subject);
    assert!(identity.account(&ada.id).await.unwrap().is_none());
    assert!(matches!(boss.decline(&ada.id, house.now()).await, Err(Refusal::Stale)));
    assert!(matches!(boss.enable(&ada.id, house.now()).await, Err(Refusal::Stale)));
    // No site ever saw that name.
    let again = waiting(&identity, house, "ada").await;
    assert_ne!(again.id, ada.id);
    // Whom an older version let in for a while, sites may have seen.
    let mut tx = house.db.write().await.unwrap();
    run!(tx, sqlx::query("UPDATE accounts SET last_seen_at = 1 WHERE username = 'ada'")).unwrap();
    tx.commit().await.unwrap();
    boss.decline(&again.id, house.now()).await.unwrap();
    let again = identity.register(form("ada"), &client(), house.now()).await.unwrap_err();
    assert_eq!(faulty_fields(&again), ["username"]);
}

async fn who_waits_gets_no_links(house: &House) {
    let identity = approving(house);
    let ada = waiting(&identity, house, "ada").await;
    identity.forgot("ada@example.org", &client(), house.now()).await.unwrap();
    house.no_mail().await;
    let asked = identity.ask_to_confirm(&ada.id, &client(), house.now()).await;
    assert!(matches!(asked, Err(Refusal::Stale)));
}

async fn domains_bind_who_waits_for_approval(house: &House) {
    let identity = house.with(|settings| {
        settings.accounts.registration = Registration::Approve;
        settings.accounts.registration_domains = vec!["example.net".into()];
    });
    let refused = identity.register(form("ada"), &client(), house.now()).await.unwrap_err();
    assert_eq!(faulty_fields(&refused), ["email"]);
}

async fn a_thousand_wait_and_no_more(house: &House) {
    let (identity, by_mail) = (approving(house), approving_by_mail(house));
    by_mail.register(form("bob"), &client(), house.now()).await.unwrap();
    let link = token(&house.mail().await);
    let mut tx = house.db.write().await.unwrap();
    for number in 0..1000 {
        run!(
            tx,
            sqlx::query(
                "INSERT INTO accounts (id, username, email, email_key, email_confirmed, first_name, last_name, about_me,
                password_hash, disabled, chose_username, generation, created_at, waiting_since)
                VALUES ($1, $1, $1, $1, TRUE, '', '', '', '-', TRUE, TRUE, 0, 0, 1)"
            )
            .bind(format!("w{number}"))
        )
        .unwrap();
    }
    tx.commit().await.unwrap();
    assert!(matches!(identity.may_register().await, Err(Refusal::Full)));
    // Before anything is looked at: a taken name or address is not told from a free one.
    for name in ["ada", "w1"] {
        let refused = identity.register(form(name), &client(), house.now()).await;
        assert!(matches!(refused, Err(Refusal::Full)), "{refused:?}");
    }
    assert!(matches!(by_mail.confirm(&link, house.now()).await, Err(Refusal::Full)));
    identity.delete(&account::AccountId("w1".into()), house.now()).await.unwrap();
    by_mail.confirm(&link, house.now()).await.unwrap();
}

async fn administrators_find_people(house: &House) {
    let identity = approving(house);
    let boss = identity.administration(&house.administrator("boss").await, "sid").unwrap();
    let add = async |username: &str, first: &str, last: &str, email: &str| {
        let addition = Addition {
            first_name: first.into(),
            last_name: last.into(),
            email: email.into(),
            ..addition(username, false)
        };
        identity.add(addition, house.now()).await.unwrap();
    };
    add("ada", "Ada", "Lovelace", "countess@example.org").await;
    add("a_b", "Östen", "Warner", "osten@example.org").await;
    add("axb", "Percy", "100% Pure", "percy@example.net").await;
    waiting(&identity, house, "wanda").await;
    for (text, found) in [
        ("", "a_b ada axb boss wanda"),
        ("a", "a_b ada axb wanda"),
        ("ADA", "ada wanda"),
        ("ada l", "ada wanda"),
        ("love", "ada wanda"),
        ("a_", "a_b"),
        ("100%", "axb"),
        ("%", ""),
        ("Countess@EXAMPLE", "ada"),
        ("Öst", "a_b"),
        ("opper", ""),
        ("x' OR '1'='1", ""),
    ] {
        let people = boss.people(text, false, "", 50).await.unwrap();
        let names: Vec<_> = people.iter().map(|person| person.username.as_str()).collect();
        let mut expected: Vec<_> = found.split_whitespace().collect();
        // The databases may order signs as they like.
        let mut names_sorted = names.clone();
        names_sorted.sort_unstable();
        expected.sort_unstable();
        assert_eq!(names_sorted, expected, "{text:?}");
    }
    let people = boss.people("", true, "", 50).await.unwrap();
    assert_eq!(people.iter().map(|person| person.username.as_str()).collect::<Vec<_>>(), ["wanda"]);
    let page = boss.people("", false, "", 2).await.unwrap();
    let next = boss.people("", false, &page[1].username, 50).await.unwrap();
    assert_eq!((page.len(), next.len()), (2, 3));
}

async fn two_administrators_cannot_disable_each_other(house: &House) {
    let (one, two) = (house.administrator("one").await, house.administrator("two").await);
    let first = house.identity.administration(&one, "sid").unwrap();
    let second = house.other_node().administration(&two, "sid").unwrap();
    let now = house.now();
    let (to, back) = tokio::join!(first.disable(&two.id, now), second.disable(&one.id, now));
    assert!(to.is_ok() != back.is_ok(), "{to:?} {back:?}");
    let (left, alone) = if to.is_ok() { (first, one) } else { (second, two) };
    assert!(matches!(left.disable(&alone.id, now).await, Err(Refusal::LastAdministrator)));
}

async fn who_was_enabled_by_an_older_version_does_not_wait(house: &House) {
    let identity = approving(house);
    let ada = waiting(&identity, house, "ada").await;
    let boss = identity.administration(&house.administrator("boss").await, "sid").unwrap();
    assert_eq!(boss.waiting().await.unwrap(), 1);
    let mut tx = house.db.write().await.unwrap();
    run!(tx, sqlx::query("UPDATE accounts SET disabled = FALSE WHERE username = 'ada'")).unwrap();
    tx.commit().await.unwrap();
    assert_eq!(boss.waiting().await.unwrap(), 0);
    assert!(boss.people("", true, "", 50).await.unwrap().is_empty());
    assert!(matches!(boss.decline(&ada.id, house.now()).await, Err(Refusal::Stale)));
}

async fn who_waits_for_a_fortnight_is_gone_and_their_name_is_free_again(house: &House) {
    let (identity, by_mail) = (approving(house), approving_by_mail(house));
    let ada = waiting(&identity, house, "ada").await;
    by_mail.register(form("bob"), &client(), house.now()).await.unwrap();
    let link = token(&house.mail().await);
    let bob = by_mail.confirm(&link, house.now()).await.unwrap();
    let let_in = waiting(&identity, house, "eve").await;
    identity.enable(&let_in.id, house.now()).await.unwrap();
    house.mail_to("eve@example.org").await;
    // Let in by an older version, and disabled again.
    let seen = waiting(&identity, house, "seen").await;
    let mut tx = house.db.write().await.unwrap();
    run!(tx, sqlx::query("UPDATE accounts SET last_seen_at = 1 WHERE username = 'seen'")).unwrap();
    tx.commit().await.unwrap();
    let almost = house.later(Duration::from_hours(14 * 24) - Duration::from_millis(1));
    identity.expire_waiting(almost).await.unwrap();
    assert_eq!(identity.account(&ada.id).await.unwrap().unwrap().waiting_since, ada.waiting_since);
    let late = waiting(&identity, house, "late").await;
    let now = house.later(Duration::from_millis(1));
    // Two nodes, and a mode that asks for no approval any more.
    house.other_node().expire_waiting(now).await.unwrap();
    identity.expire_waiting(now).await.unwrap();
    for gone in [&ada, &bob] {
        assert!(identity.account(&gone.id).await.unwrap().is_none());
    }
    for kept in [&let_in, &late, &seen] {
        assert!(identity.account(&kept.id).await.unwrap().is_some());
    }
    // Only who proved to read a mailbox is told there.
    assert!(house.mail_to("bob@example.org").await.subject.contains("was not approved"));
    house.no_mail().await;
    let entries = identity.activity(&ada.id, None, 1).await.unwrap();
    assert_eq!((entries[0].event, entries[0].actor), (Some(Event::Declined), Actor::System));
    waiting(&identity, house, "ada").await;
}

async fn an_address_counts_as_confirmed_for_administrators_only_where_it_was_proved(house: &House) {
    let identity = approving(house);
    let ada = waiting(&identity, house, "ada").await;
    assert!(ada.email_confirmed, "elsewhere the operator vouches");
    let boss = identity.administration(&house.administrator("boss").await, "sid").unwrap();
    let people = boss.people("", false, "", 10).await.unwrap();
    let seen: Vec<_> = people.iter().map(|person| (person.username.as_str(), person.email_confirmed)).collect();
    assert_eq!(seen, [("ada", false), ("boss", true)]);
}

async fn a_mailed_invitation_pushes_out_who_waits_with_that_address_unproved(house: &House) {
    let identity = approving(house);
    let squatter = waiting(&identity, house, "ada").await;
    let boss = identity.administration(&house.administrator("boss").await, "sid").unwrap();
    let made = boss.invite("ada@example.org", "staff", "7", house.now()).await.unwrap();
    let letter = house.mail_to("ada@example.org").await;
    let of = |text: &str| {
        let (_, rest) = text.split_once("invitation=").unwrap();
        rest.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).collect::<String>()
    };
    let named = |username: &str| NewAccount { email: "ada@example.org".into(), ..form(username) };
    // The link that was shown proves nothing, and pushes nobody out.
    let refused = identity.register_invited(&of(&made.link), named("lady"), &client(), house.now()).await.1;
    assert_eq!(faulty_fields(&refused.unwrap_err()), ["email"]);
    let registered = identity.register_invited(&of(&letter.text), named("lady"), &client(), house.now()).await.1;
    assert!(matches!(registered, Ok(Registered::Active(_))), "{registered:?}");
    assert!(identity.account(&squatter.id).await.unwrap().is_none());
    assert_eq!(identity.find("ada@example.org").await.unwrap().unwrap().username, "lady");
    let entries = identity.activity(&squatter.id, None, 1).await.unwrap();
    assert_eq!((entries[0].event, entries[0].actor), (Some(Event::Declined), Actor::System));
    // An address that was proved is its owner's, waiting or not.
    let by_mail = approving_by_mail(house);
    by_mail.register(form("bob"), &client(), house.now()).await.unwrap();
    let link = token(&house.mail_to("bob@example.org").await);
    by_mail.confirm(&link, house.now()).await.unwrap();
    let refused = boss.invite("bob@example.org", "", "7", house.now()).await.unwrap_err();
    assert_eq!(faulty_fields(&refused), ["email"]);
}
