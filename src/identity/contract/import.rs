//! People from another system come in together, or not at all.

use super::*;
use crate::identity::import::{Imported, NotImported, Problem, Remedy, Report, Terms};

facts!(
    imported_people_sign_in_with_the_password_they_had,
    one_problem_keeps_everybody_out_and_all_are_told,
    a_dry_run_judges_and_writes_nothing,
    names_and_addresses_are_compared_in_every_spelling,
    who_is_here_already_is_left_out_when_asked,
    without_a_usable_hash_nobody_signs_in_until_a_reset,
    administrators_come_by_the_operators_word_only,
    names_of_deleted_people_and_waiting_ones_are_taken,
);

/// Werkzeug's, of [`PASSWORD`].
const WERKZEUG: &str =
    "pbkdf2:sha256:600000$Byi61cO0rDL1gurU$1b04f9d6262032ac17f3ab69768669d909818f17b6d1ce22737ab84b94111370";

fn person(username: &str) -> Imported {
    Imported {
        at: format!("line of {username}"),
        username: username.into(),
        email: format!("{username}@example.org"),
        confirmed: true,
        groups: vec!["staff".into(), "staff".into()],
        hash: WERKZEUG.into(),
        ..Imported::default()
    }
}

async fn import(house: &House, people: Vec<Imported>, terms: Terms) -> Result<Report, Vec<Problem>> {
    match house.identity.import(people, terms, house.now(), |_| ()).await {
        Ok(report) => Ok(report),
        Err(NotImported::Problems(problems)) => Err(problems),
        Err(NotImported::Refused(refusal)) => panic!("{refusal:?}"),
    }
}

/// `at field` of each.
fn places(problems: &[Problem]) -> Vec<String> {
    problems.iter().map(|problem| format!("{} {}", problem.at, problem.field)).collect()
}

async fn count(house: &House) -> usize {
    house.identity.list("", 100).await.unwrap().len()
}

async fn stored(house: &House, username: &str) -> String {
    let id = house.identity.find(username).await.unwrap().unwrap().id;
    let ledger = &house.identity.inner.ledger;
    let mut tx = ledger.db().read().await.unwrap();
    ledger.credentials(&mut tx, &id).await.unwrap().unwrap().password_hash
}

async fn enter(house: &House, username: &str, password: &str) -> Result<SignIn, Refusal> {
    house.identity.authenticate(username, &password.into(), &client(), house.now()).await
}

async fn imported_people_sign_in_with_the_password_they_had(house: &House) {
    let ada = Imported { first_name: "Ada".into(), last_name: "Lovelace".into(), ..person("ada") };
    let eve = Imported { disabled: true, confirmed: false, ..person("eve") };
    let report = import(house, vec![ada, person("bob"), eve], Terms::default()).await.unwrap();
    assert_eq!(report, Report { imported: 3, disabled: 1, unconfirmed: 1, ..Report::default() });
    let ada = house.identity.find("ada").await.unwrap().unwrap();
    assert_eq!((ada.name().as_str(), ada.groups.as_slice()), ("Ada Lovelace", &["staff".to_owned()][..]));
    assert!(!ada.chose_username && !ada.disabled && ada.email_confirmed);
    assert_eq!(house.identity.find("bob").await.unwrap().unwrap().name(), "bob");
    // Of the two, only the one who asks for confirmation reads it.
    assert!(!house.confirming().find("eve").await.unwrap().unwrap().email_confirmed);
    assert!(house.confirming().find("ada").await.unwrap().unwrap().email_confirmed);

    assert_eq!(stored(house, "ada").await, WERKZEUG);
    assert!(matches!(enter(house, "ada", OTHER_PASSWORD).await, Err(Refusal::Mismatch)));
    assert_eq!(stored(house, "ada").await, WERKZEUG);
    assert!(matches!(enter(house, "ada", PASSWORD).await, Ok(SignIn::Done(_))));
    assert!(stored(house, "ada").await.starts_with("$argon2id$"), "{}", stored(house, "ada").await);
    assert!(matches!(enter(house, "ada", PASSWORD).await, Ok(SignIn::Done(_))));
    assert_eq!(stored(house, "bob").await, WERKZEUG);
    assert!(matches!(enter(house, "eve", PASSWORD).await, Err(Refusal::Mismatch)), "disabled");
}

async fn one_problem_keeps_everybody_out_and_all_are_told(house: &House) {
    house.person("taken").await;
    let people = vec![
        person("ada"),
        Imported { username: "No Name".into(), email: "nowhere".into(), ..person("x") },
        Imported { hash: "$1$salt$x".into(), groups: vec!["a,b".into()], ..person("bob") },
        Imported { email: "other@example.org".into(), ..person("taken") },
        Imported { email: "Taken@Example.org".into(), ..person("eve") },
    ];
    let problems = import(house, people, Terms::default()).await.unwrap_err();
    let expected = [
        "line of x username",
        "line of x email",
        "line of bob groups",
        "line of bob password_hash",
        "line of taken username",
        "line of eve email",
    ];
    assert_eq!(places(&problems), expected);
    assert_eq!(problems[3].remedy, Some(Remedy::WithoutPassword));
    assert_eq!(count(house).await, 1, "nobody came in");
}

async fn a_dry_run_judges_and_writes_nothing(house: &House) {
    let dry = Terms { dry_run: true, ..Terms::default() };
    let report = import(house, vec![person("ada"), person("bob")], dry).await.unwrap();
    assert_eq!(report.imported, 2);
    assert_eq!(count(house).await, 0);
    house.person("ada").await;
    assert!(import(house, vec![person("ada")], dry).await.is_err());
}

async fn names_and_addresses_are_compared_in_every_spelling(house: &House) {
    let people = vec![
        person("ada"),
        Imported { at: "2".into(), username: "ＡDA".into(), email: "x@example.org".into(), ..person("xx") },
        Imported { at: "3".into(), email: "Ada@EXAMPLE.org".into(), ..person("yy") },
    ];
    let problems = import(house, people, Terms::default()).await.unwrap_err();
    assert_eq!(places(&problems), ["2 username", "3 email"]);
    assert!(problems.iter().all(|problem| problem.message.contains("line of ada")), "{problems:?}");
}

async fn who_is_here_already_is_left_out_when_asked(house: &House) {
    let before = house.person("ada").await;
    let skip = Terms { skip_existing: true, ..Terms::default() };
    let problems = import(house, vec![person("ada")], Terms::default()).await.unwrap_err();
    assert_eq!(
        (places(&problems)[0].as_str(), problems[0].remedy),
        ("line of ada username", Some(Remedy::SkipExisting))
    );
    // What they had there is of no matter.
    let ada = Imported { hash: "$1$salt$x".into(), ..person("Ada") };
    let report = import(house, vec![ada, person("bob")], skip).await.unwrap();
    assert_eq!(report, Report { imported: 1, skipped: 1, ..Report::default() });
    assert_eq!(house.reload(&before).await, before);
    // The same name with another address is somebody else.
    let other = Imported { email: "else@example.org".into(), ..person("ada") };
    assert_eq!(places(&import(house, vec![other], skip).await.unwrap_err()), ["line of ada username"]);
}

async fn without_a_usable_hash_nobody_signs_in_until_a_reset(house: &House) {
    let people = || -> Vec<Imported> {
        let with = |(name, hash): (&str, &str)| Imported { hash: hash.into(), ..person(name) };
        [("ada", ""), ("bob", "!"), ("cleo", "$1$salt$x"), ("dan", WERKZEUG)].map(with).into()
    };
    let problems = import(house, people(), Terms::default()).await.unwrap_err();
    assert_eq!(problems.len(), 3);
    let without = Terms { without_password: true, ..Terms::default() };
    let report = import(house, people(), without).await.unwrap();
    assert_eq!((report.imported, report.without_password), (4, 3));
    for password in ["", "!", PASSWORD] {
        assert!(matches!(enter(house, "ada", password).await, Err(Refusal::Mismatch)));
    }
    assert!(matches!(enter(house, "dan", PASSWORD).await, Ok(SignIn::Done(_))));
    house.identity.forgot("ada@example.org", &client(), house.now()).await.unwrap();
    let token = token(&house.mail().await);
    house.identity.reset(&token, OTHER_PASSWORD.into(), OTHER_PASSWORD.into(), house.now()).await.unwrap();
    assert!(matches!(enter(house, "ada", OTHER_PASSWORD).await, Ok(SignIn::Done(_))));
}

async fn administrators_come_by_the_operators_word_only(house: &House) {
    let members = || vec![Imported { groups: vec!["admin".into()], ..person("ada") }];
    let supers = || vec![Imported { superuser: true, ..person("bob") }];
    let problems = import(house, members(), Terms::default()).await.unwrap_err();
    assert_eq!((places(&problems)[0].as_str(), problems[0].remedy), ("line of ada groups", Some(Remedy::Admins)));
    let report = import(house, supers(), Terms { dry_run: true, ..Terms::default() }).await.unwrap();
    assert_eq!((report.administrators, report.demoted), (0, 1));
    let both = members().into_iter().chain(supers()).collect();
    let report = import(house, both, Terms { admins: true, ..Terms::default() }).await.unwrap();
    assert_eq!((report.administrators, report.demoted), (2, 0));
    assert_eq!(house.identity.find("bob").await.unwrap().unwrap().groups, ["admin", "staff"]);
}

async fn names_of_deleted_people_and_waiting_ones_are_taken(house: &House) {
    let gone = house.person("gone").await;
    house.identity.delete(&gone.id, house.now()).await.unwrap();
    house.confirming().register(form("waiting"), &client(), house.now()).await.unwrap();
    let letter = house.mail().await;
    let other = Imported { email: "other@example.org".into(), ..person("waiting") };
    let problems = import(house, vec![person("gone"), other], Terms::default()).await.unwrap_err();
    assert_eq!(places(&problems), ["line of gone username", "line of waiting username"]);
    // Whoever waits with the same address is this person; the link of the registration is dead now.
    import(house, vec![person("waiting")], Terms::default()).await.unwrap();
    assert!(matches!(house.identity.confirm(&token(&letter), house.now()).await, Err(Refusal::DeadLink)));
}
