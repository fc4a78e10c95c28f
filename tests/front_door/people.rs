//! `admin/people`: administrators find people, keep them out and let them in. SCENARIO 25, "in the portal".

use std::time::Duration;

use crate::{
    approval::PEOPLE,
    authenticator,
    invitations::{button_of, stage},
    revocation::{SECOND, ends, open_socket},
    second_factor,
    sessions::with_redis,
    support::{
        PROMPTLY,
        client::{Browser, encode},
        eventually, html,
        nodes::{Nodes, browser_at},
        people::{PASSWORD, site},
        program::Program,
        services::Redis,
    },
};

async fn boss(program: &Program) -> Browser {
    program.add_person("boss", PASSWORD, true);
    Browser::new(program).signed_in("boss", PASSWORD).await
}

/// Presses a button beside a person.
async fn press(boss: &mut Browser, button: &str, username: &str) -> crate::support::client::Reply {
    let page = boss.get(&format!("{PEOPLE}?q={username}")).await.expect(200);
    let id = button_of(&page.text(), &format!("@{username}"), button);
    let csrf = html::input_value(&page.text(), "csrf").unwrap();
    boss.post(PEOPLE, &[(button, &id), ("q", username), ("csrf", &csrf)]).await
}

#[tokio::test]
async fn disabling_in_the_portal_ends_sessions_and_open_sockets() {
    let redis = Redis::start().await;
    for redis in [None, Some(&redis)] {
        let (_upstream, program, mut ada) = site(|setup| match redis {
            Some(redis) => with_redis(redis)(setup),
            None => setup,
        })
        .await;
        let mut boss = boss(&program).await;
        let mut socket = open_socket(&program, &ada, "/ws").await;
        let done = press(&mut boss, "disable", "ada").await.expect(303);
        // Success is said only once they are gone.
        ada.get("/").await.expect(303);
        ends("the socket", &mut socket, SECOND).await;
        let page = boss.get(done.location()).await.expect(200).words();
        assert!(page.contains("They are disabled, and signed out everywhere.") && page.contains("Disabled"), "{page}");
        Browser::new(&program).sign_in("ada", PASSWORD).await.expect(401);
        press(&mut boss, "enable", "ada").await.expect(303);
        Browser::new(&program).sign_in("ada", PASSWORD).await.expect(303);
        let output = program.output();
        let line = output.lines().find(|line| line.contains("event=\"disabled\"")).unwrap_or_default();
        assert!(line.contains("actor=\"administrator\"") && line.contains("network=127.0.0.0/24"), "{line}");
    }
}

#[tokio::test]
async fn disabling_in_the_portal_reaches_the_other_node_within_a_second() {
    let nodes = Nodes::start(|_| ()).await;
    let (one, two) = (&nodes.one, &nodes.two);
    one.add_person("boss", PASSWORD, true);
    let mut boss = browser_at(one).signed_in("boss", PASSWORD).await;
    let ada = browser_at(two).signed_in("ada", PASSWORD).await;
    ada.clone().get("/").await.expect(200);
    press(&mut boss, "disable", "ada").await.expect(303);
    eventually("the end on the other node", PROMPTLY, async || {
        (ada.clone().get("/").await.status == 303).then_some(())
    })
    .await;
}

#[tokio::test]
async fn only_administrators_see_people_and_the_page_is_linked_for_them() {
    let (_upstream, program, mut ada) = site(|setup| setup).await;
    let mut boss = boss(&program).await;
    let reply = Browser::new(&program).get(PEOPLE).await.expect(303);
    assert!(reply.location().starts_with("/.auth/login?return_to="), "{}", reply.location());
    let page = ada.get(PEOPLE).await.expect(403).words();
    assert!(page.contains("You're signed in as Test, but this page is for group admin."), "{page}");
    let id = button_of(&boss.get(PEOPLE).await.text(), "@boss", "disable");
    let csrf = html::input_value(&ada.get("/.auth/sessions").await.text(), "csrf").unwrap();
    for button in ["disable", "enable", "decline", "search", "nothing"] {
        ada.post(PEOPLE, &[(button, id.as_str()), ("csrf", &csrf)]).await.expect(403);
        ada.post(PEOPLE, &[(button, id.as_str())]).await.expect(403);
    }
    ada.get(&format!("{PEOPLE}?decline={id}")).await.expect(403);
    assert!(!ada.get("/.auth/profile").await.text().contains("admin/people"));
    assert!(boss.get("/.auth/profile").await.text().contains("href=\"/.auth/admin/people\""));
    boss.get("/").await.expect(200);
    // Who is none any more is none at once.
    program.add_person("other", PASSWORD, true);
    program.run(&["user", "groups", "boss", "--none"], "");
    eventually("the page to close", PROMPTLY, async || (boss.get(PEOPLE).await.status == 403).then_some(())).await;
}

#[tokio::test]
async fn buttons_ask_for_the_token_and_a_recent_sign_in() {
    let (_mailbox, _upstream, program, mut boss) = stage("open").await;
    program.add_person("ada", PASSWORD, false);
    let mut ada = Browser::new(&program).signed_in("ada", PASSWORD).await;
    let page = boss.get(PEOPLE).await.expect(200);
    let id = button_of(&page.text(), "@ada", "disable");
    let csrf = html::input_value(&page.text(), "csrf").unwrap();
    boss.post(PEOPLE, &[("disable", &id)]).await.expect(403);
    boss.post(PEOPLE, &[("disable", &id), ("csrf", "made-up")]).await.expect(403);
    let form = ("content-type", "application/x-www-form-urlencoded");
    let body = encode(&[("disable", &id), ("csrf", &csrf)]);
    for fields in [
        vec![form, ("origin", "http://evil.example")],
        vec![form, ("sec-fetch-site", "cross-site")],
        vec![form, ("origin", "null")],
    ] {
        boss.send(http::Method::POST, PEOPLE, &fields, body.clone()).await.expect(403);
    }
    // No link disables anybody.
    boss.get(&format!("{PEOPLE}?disable={id}&csrf={csrf}")).await.expect(200);
    program.clock.as_ref().unwrap().advance(Duration::from_secs(11 * 60));
    boss.get(PEOPLE).await.expect(200);
    let reply = boss.post(PEOPLE, &[("disable", &id), ("csrf", &csrf)]).await.expect(303);
    assert!(reply.location().starts_with("/.auth/login?again=1"), "{}", reply.location());
    ada.get("/").await.expect(200);
    let fields = [("identifier", "boss"), ("password", PASSWORD), ("return_to", PEOPLE)];
    boss.submit(reply.location(), "/.auth/login", &fields).await.expect(303);
    press(&mut boss, "disable", "ada").await.expect(303);
    ada.get("/").await.expect(303);
}

#[tokio::test]
async fn an_administrator_with_a_second_factor_shows_it_again() {
    let stage = second_factor::stage_with(|setup| setup.moved_clock = true).await;
    stage.program.run(&["user", "groups", "ada", "admin"], "");
    stage.program.add_person("grace", PASSWORD, false);
    let (mut ada, _app) = authenticator::enrolled(&stage).await;
    stage.program.clock.as_ref().unwrap().advance(Duration::from_secs(11 * 60));
    let reply = press(&mut ada, "disable", "grace").await.expect(303);
    let again = reply.location().to_owned();
    assert!(again.starts_with("/.auth/login?again=1"), "{again}");
    let page = ada.get(&again).await.expect(200);
    let csrf = html::input_value(&page.text(), "csrf").unwrap();
    let fields = [("identifier", "ada"), ("password", PASSWORD), ("return_to", PEOPLE), ("csrf", &csrf)];
    let owed = ada.post("/.auth/login", &fields).await.expect(303);
    assert_eq!(owed.location(), "/.auth/login/verify");
    let reply = press(&mut ada, "disable", "grace").await.expect(303);
    assert!(reply.location().starts_with("/.auth/login?again=1"), "the password alone is not enough");
}

#[tokio::test]
async fn the_last_administrator_cannot_disable_themselves() {
    let (_mailbox, _upstream, program, mut boss) = stage("open").await;
    let reply = press(&mut boss, "disable", "boss").await.expect(422);
    assert!(reply.words().contains("That is the last administrator here."), "{}", reply.words());
    boss.get("/").await.expect(200);
    program.add_person("other", PASSWORD, true);
    press(&mut boss, "disable", "boss").await.expect(303);
    boss.get("/").await.expect(303);
    Browser::new(&program).sign_in("boss", PASSWORD).await.expect(401);
}

#[tokio::test]
async fn people_are_found_by_the_beginning_of_their_names_and_listed_by_pages() {
    let (_mailbox, _upstream, program, mut boss) = stage("open").await;
    let file = program.data.join("accounts.db");
    let pool = sqlx::SqlitePool::connect(&format!("sqlite:{}", file.display())).await.unwrap();
    sqlx::query(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 120)
        INSERT INTO accounts (id, username, email, email_key, email_confirmed, first_name, last_name, about_me,
        password_hash, disabled, chose_username, generation, created_at)
        SELECT 'p' || i, printf('p%03d', i), 'p' || i, 'p' || i, TRUE, 'P', 'P', '', '-', FALSE, TRUE, 0, 0 FROM n",
    )
    .execute(&pool)
    .await
    .unwrap();
    pool.close().await;
    for number in [7, 42] {
        program.add_person(&format!("q{number:03}"), PASSWORD, false);
    }
    let words = boss.submit(PEOPLE, PEOPLE, &[("q", "Q0"), ("search", "1")]).await.expect(303).location().to_owned();
    assert_eq!(words, "/.auth/admin/people?q=Q0");
    let page = boss.get(&words).await.expect(200).words();
    assert!(page.contains("@q007") && page.contains("@q042") && !page.contains("@boss"), "{page}");
    let page = boss.get(&format!("{PEOPLE}?q=q007%40EXAMPLE")).await.expect(200).words();
    assert!(page.contains("@q007") && !page.contains("@q042"), "{page}");
    let mut next = PEOPLE.to_owned();
    let mut seen = Vec::new();
    for expected in [25, 25, 25, 25, 23] {
        let page = boss.get(&next).await.expect(200).text();
        let names: Vec<_> =
            page.split("</strong> @").skip(1).map(|rest| rest.split([' ', '<']).next().unwrap()).collect();
        assert_eq!(names.len(), expected, "{next}: {names:?}");
        seen.extend(names.into_iter().map(str::to_owned));
        let more = page.split("href=\"").find(|rest| rest.contains(">More</a>")).map(str::to_owned);
        next = more.map_or(String::new(), |rest| rest.split('"').next().unwrap().replace("&amp;", "&"));
    }
    assert_eq!(next, "", "no more after the last");
    assert!(seen.is_sorted() && seen.len() == 123, "{seen:?}");
    for strange in ["%25", "_", "%27%22%3Cscript%3E", "zz%00"] {
        let page = boss.get(&format!("{PEOPLE}?q={strange}")).await;
        assert!(page.status == 200 && page.words().contains("Nobody here."), "{strange}: {}", page.words());
    }
}

/// Sets a person's groups in the portal.
async fn set_groups(boss: &mut Browser, username: &str, groups: &str) -> crate::support::client::Reply {
    let page = boss.get(&format!("{PEOPLE}?q={username}")).await.expect(200);
    let id = button_of(&page.text(), &format!("@{username}"), "disable");
    let form = format!("{PEOPLE}?groups={id}");
    assert!(page.text().contains(&form), "a link to the form");
    boss.submit(&form, PEOPLE, &[("person", &id), ("groups", groups)]).await
}

#[tokio::test]
async fn taking_a_group_away_in_the_portal_closes_what_it_opened_sockets_too() {
    let redis = Redis::start().await;
    for redis in [None, Some(&redis)] {
        let (_upstream, program, _) = site(|mut setup| {
            setup.sites += "[[site.rule]]\npath = \"/ws\"\nallow = \"signed-in\"\ngroups = [\"staff\"]\n";
            match redis {
                Some(redis) => with_redis(redis)(setup),
                None => setup,
            }
        })
        .await;
        let mut boss = boss(&program).await;
        let mut ada = Browser::new(&program).signed_in("ada", PASSWORD).await;
        ada.get("/ws").await.expect(403);
        let done = set_groups(&mut boss, "ada", " wiki ,staff,,wiki").await.expect(303);
        assert_eq!(done.location(), "/.auth/admin/people?q=ada&done=groups");
        let page = boss.get(done.location()).await.expect(200).words();
        assert!(page.contains("Their groups are changed.") && page.contains("staff, wiki"), "{page}");
        // No waiting: success is said only once the sessions know it.
        assert_ne!(ada.get("/ws").await.status, 403);
        let mut socket = open_socket(&program, &ada, "/ws").await;
        set_groups(&mut boss, "ada", "wiki").await.expect(303);
        ada.get("/ws").await.expect(403);
        ends("the socket", &mut socket, SECOND).await;
        ada.get("/").await.expect(200);
        assert_eq!(ada.api("/.auth/me").await.json()["groups"], serde_json::json!(["wiki"]));
        let output = program.output();
        let line = output.lines().rfind(|line| line.contains("event=\"groups-set\"")).unwrap_or_default();
        assert!(line.contains("actor=\"administrator\"") && line.contains("detail=\"wiki\""), "{line}");
    }
}

#[tokio::test]
async fn taking_a_group_away_in_the_portal_reaches_the_other_node_within_a_second() {
    let nodes = Nodes::start(|setup| {
        setup.sites += "[[site.rule]]\npath = \"/ws\"\nallow = \"signed-in\"\ngroups = [\"staff\"]\n"
    })
    .await;
    let (one, two) = (&nodes.one, &nodes.two);
    one.add_person("boss", PASSWORD, true);
    one.run(&["user", "groups", "ada", "staff"], "");
    let mut boss = browser_at(one).signed_in("boss", PASSWORD).await;
    let ada = browser_at(two).signed_in("ada", PASSWORD).await;
    let mut socket = open_socket(two, &ada, "/ws").await;
    set_groups(&mut boss, "ada", "").await.expect(303);
    eventually("the 403 on the other node", PROMPTLY, async || {
        (ada.clone().get("/ws").await.status == 403).then_some(())
    })
    .await;
    ends("the socket", &mut socket, SECOND).await;
    ada.clone().get("/").await.expect(200);
}

#[tokio::test]
async fn groups_are_set_by_administrators_alone_soon_after_they_signed_in_and_never_the_last_ones() {
    let (_mailbox, _upstream, program, mut boss) = stage("open").await;
    program.add_person("ada", PASSWORD, false);
    let mut ada = Browser::new(&program).signed_in("ada", PASSWORD).await;
    let id = button_of(&boss.get(&format!("{PEOPLE}?q=ada")).await.text(), "@ada", "disable");
    let form = format!("{PEOPLE}?groups={id}");
    ada.get(&form).await.expect(403);
    let csrf = html::input_value(&ada.get("/.auth/sessions").await.text(), "csrf").unwrap();
    ada.post(PEOPLE, &[("person", &id), ("groups", "admin"), ("csrf", &csrf)]).await.expect(403);
    boss.post(PEOPLE, &[("person", &id), ("groups", "admin")]).await.expect(403);
    let faulty = set_groups(&mut boss, "ada", "a\u{202e}b").await.expect(422);
    assert_eq!(html::input_value(&faulty.text(), "groups").as_deref(), Some("a\u{202e}b"), "what was typed stays");
    let last = set_groups(&mut boss, "boss", "staff").await.expect(422);
    assert!(last.words().contains("That is the last administrator here."), "{}", last.words());
    boss.get(&format!("{PEOPLE}?groups=nobody")).await.expect(303);
    assert_eq!(ada.api("/.auth/me").await.json()["groups"], serde_json::json!([]));

    let csrf = html::input_value(&boss.get(&form).await.expect(200).text(), "csrf").unwrap();
    program.clock.as_ref().unwrap().advance(Duration::from_secs(11 * 60));
    assert!(boss.get(&form).await.expect(303).location().starts_with("/.auth/login?again=1"));
    let reply = boss.post(PEOPLE, &[("person", &id), ("groups", "admin"), ("csrf", &csrf)]).await.expect(303);
    assert!(reply.location().starts_with("/.auth/login?again=1"), "{}", reply.location());
    let mut boss = Browser::new(&program).signed_in("boss", PASSWORD).await;
    // Who takes it from themselves is out at once, and nobody is left who could not.
    set_groups(&mut boss, "ada", "admin").await.expect(303);
    set_groups(&mut boss, "boss", "").await.expect(303);
    boss.get(PEOPLE).await.expect(403);
    let mut ada = Browser::new(&program).signed_in("ada", PASSWORD).await;
    let reply = set_groups(&mut ada, "ada", "").await.expect(422);
    assert!(reply.words().contains("That is the last administrator here."), "{}", reply.words());
}
