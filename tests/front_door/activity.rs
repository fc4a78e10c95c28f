//! The audit trail and the page that shows it: what it tells, and what it never holds.

use std::time::Duration;

use sqlx::SqlitePool;

use crate::{
    second_factor::{NUMBER, answer, stage},
    support::{
        PROMPTLY,
        client::Browser,
        eventually, html,
        mailbox::Mailbox,
        people::{OTHER_PASSWORD, PASSWORD, site},
        program::{Program, Setup},
        upstream::Upstream,
    },
};

const PAGE: &str = "/.auth/activity";
const TYPED_AMISS: &str = "my-secret-of-another-site-81";
const TYPED_AS_A_NAME: &str = "violet-password-as-a-name";

/// The rows of the page, the newest first.
async fn rows(browser: &mut Browser) -> Vec<String> {
    let page = browser.get(PAGE).await.expect(200).text();
    page.split("<dt>").skip(1).map(|row| html::words(row.split("</dd>").next().unwrap())).collect()
}

/// Waits until the page's rows begin so, the newest first. Tries to sign in are written a moment later.
async fn shows(browser: &mut Browser, beginnings: &[&str]) -> Vec<String> {
    let mut seen = Vec::new();
    for _ in 0..100 {
        seen = rows(browser).await;
        if seen.len() == beginnings.len() && seen.iter().zip(beginnings).all(|(row, start)| row.starts_with(start)) {
            return seen;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("not {beginnings:#?} but {seen:#?}");
}

/// Every row of the trail as text.
async fn table(program: &Program) -> Vec<String> {
    let file = program.data.join("accounts.db");
    let pool = SqlitePool::connect(&format!("sqlite:{}", file.display())).await.unwrap();
    let rows: Vec<(String, String, String, String, String, String)> =
        sqlx::query_as("SELECT account, actor, event, result, network, detail FROM trail ORDER BY id")
            .fetch_all(&pool)
            .await
            .unwrap();
    pool.close().await;
    rows.into_iter().map(|(a, b, c, d, e, f)| [a, b, c, d, e, f].join("|")).collect()
}

fn audit_lines(program: &Program) -> Vec<String> {
    program.output().lines().filter(|line| line.contains("event=\"")).map(str::to_owned).collect()
}

#[tokio::test]
async fn the_page_tells_sign_ins_failures_and_changes_of_factors_in_words() {
    let stage = stage().await;
    let mut ada = stage.enrolled().await;
    let mut stranger = Browser::new(&stage.program);
    stranger.sign_in("ada", TYPED_AMISS).await.expect(401);
    let mut owing = stage.owing().await;
    let wrong = stage.twilio.wrong_code_for(NUMBER);
    answer(&mut owing, &wrong).await.expect(401);
    let told = shows(
        &mut ada,
        &[
            "Somebody who knew your password entered a wrong code Refused",
            "Somebody entered a wrong password Refused",
            "You added a second factor: codes to your phone",
            "You signed in with your password",
            "The administrator added your account",
        ],
    )
    .await;
    for row in &told[..4] {
        assert!(row.contains("network 127.0.0.0/24"), "{row}");
    }
    assert!(!told[4].contains("network") && told.iter().all(|row| row.contains(" UTC")), "{told:?}");
    assert_eq!(told.iter().filter(|row| row.contains("Refused")).count(), 2);
    answer(&mut owing, &stage.twilio.code_for(NUMBER).unwrap()).await.expect(303);
    ada.submit("/.auth/logout", "/.auth/logout", &[]).await.expect(303);
    let newest = eventually("the sign-out", PROMPTLY, async || {
        let rows = rows(&mut owing.clone()).await;
        rows[0].starts_with("You signed out").then_some(rows)
    })
    .await;
    assert!(newest[1].starts_with("You signed in with your password and a code by message"), "{newest:?}");
}

#[tokio::test]
async fn two_accounts_never_see_each_others() {
    let (_upstream, program, mut ada) = site(|setup| setup).await;
    program.add_person("bob", OTHER_PASSWORD, false);
    Browser::new(&program).sign_in("bob", TYPED_AMISS).await.expect(401);
    let mut bob = Browser::new(&program).signed_in("bob", OTHER_PASSWORD).await;
    shows(&mut bob, &["You signed in", "Somebody entered a wrong password", "The administrator added your account"])
        .await;
    shows(&mut ada, &["You signed in with your password", "The administrator added your account"]).await;
    for number in 0..10 {
        let page = ada.get(&format!("{PAGE}?before={number}&account=bob")).await.expect(200).words();
        assert!(!page.contains("wrong password"), "{page}");
    }
    Browser::new(&program).get(PAGE).await.expect(303);
}

#[tokio::test]
async fn confirming_who_one_is_shows_as_that() {
    let (_upstream, program, mut ada) = site(|mut setup| {
        setup.moved_clock = true;
        setup
    })
    .await;
    program.clock.as_ref().unwrap().advance(Duration::from_secs(20 * 60));
    let fields = [("identifier", "ada"), ("password", PASSWORD)];
    ada.submit("/.auth/login?again=1", "/.auth/login", &fields).await.expect(303);
    let expected = [
        "You confirmed that it's you with your password",
        "You signed in with",
        "The administrator added your account",
    ];
    shows(&mut ada, &expected).await;
}

#[tokio::test]
async fn nothing_that_was_typed_is_kept_logged_or_shown() {
    let stage = stage().await;
    let mut ada = stage.enrolled().await;
    let mut stranger = Browser::new(&stage.program);
    stranger.sign_in("ada", TYPED_AMISS).await.expect(401);
    stranger.sign_in(TYPED_AS_A_NAME, TYPED_AMISS).await.expect(401);
    let forgot = "/.auth/password/forgot";
    stranger.submit(forgot, forgot, &[("email", &format!("{TYPED_AS_A_NAME}@example.com"))]).await.expect(303);
    let mut owing = stage.owing().await;
    let (wrong, code) = (stage.twilio.wrong_code_for(NUMBER), stage.twilio.code_for(NUMBER).unwrap());
    answer(&mut owing, &wrong).await.expect(401);
    answer(&mut owing, &code).await.expect(303);
    stranger.post("/.auth/login", &[("identifier", "ada"), ("password", TYPED_AMISS)]).await.expect(403);
    eventually("all entries", PROMPTLY, async || {
        (table(&stage.program).await.len() == 6 && audit_lines(&stage.program).len() == 8).then_some(())
    })
    .await;
    let (table, lines) = (table(&stage.program).await.join("\n"), audit_lines(&stage.program).join("\n"));
    let page = ada.get(PAGE).await.expect(200).text();
    let output = stage.program.output();
    let cookies = [ada.session_cookie().unwrap().1, owing.session_cookie().unwrap().1];
    for secret in [PASSWORD, TYPED_AMISS, TYPED_AS_A_NAME, &cookies[0], &cookies[1]] {
        for (what, text) in [("table", &table), ("page", &page), ("log", &output)] {
            assert!(!text.contains(secret), "{secret} is in the {what}: {text}");
        }
    }
    for secret in [&*wrong, &*code, "ada@example.com", "127.0.0.1", "712123456"] {
        for (what, text) in [("table", &table), ("page", &page)] {
            assert!(!text.contains(secret), "{secret} is in the {what}: {text}");
        }
    }
    assert!(!lines.contains("127.0.0.1") && !lines.contains("ada"), "{lines}");
    // Of a name that nobody has, the log says so and no more; the table nothing.
    assert!(lines.contains(r#"event="sign-in-refused" account="unknown""#), "{lines}");
    assert!(lines.contains(r#"event="reset-asked" account="unknown""#), "{lines}");
    assert!(lines.contains(r#"event="form-refused""#), "{lines}");
    assert!(!table.contains("unknown"), "{table}");
}

#[tokio::test]
async fn a_thousand_wrong_passwords_fail_no_page_and_push_nothing_out() {
    let (_upstream, program, mut ada) = site(|setup| setup).await;
    let mut stranger = Browser::new(&program);
    let token = html::input_value(&stranger.get("/.auth/login").await.text(), "csrf").unwrap();
    let fields = [("identifier", "ada"), ("password", TYPED_AMISS), ("csrf", token.as_str())];
    for number in 0..1000 {
        let reply = stranger.post("/.auth/login", &fields).await;
        assert!([401, 429].contains(&reply.status.as_u16()), "{number}: {}", reply.status);
    }
    ada.get("/").await.expect(200);
    let rows = eventually("the refusals", PROMPTLY, async || {
        let rows = rows(&mut ada.clone()).await;
        rows.iter().any(|row| row.starts_with("Somebody tried passwords too often")).then_some(rows)
    })
    .await;
    assert!(rows.len() < 50 && rows.last().unwrap().starts_with("The administrator added"), "{rows:#?}");
    ada.get(PAGE).await.expect(200);
}

#[tokio::test]
async fn what_the_operator_does_names_the_operator() {
    let (_upstream, program, _) = site(|setup| setup).await;
    program.add_person("grace", OTHER_PASSWORD, true);
    program.run(&["user", "groups", "ada", "staff"], "");
    program.run(&["user", "set-password", "ada", "--password-stdin"], &format!("{OTHER_PASSWORD}\n"));
    program.run(&["user", "disable", "ada"], "");
    program.run(&["user", "enable", "ada"], "");
    // Her session ended with the change of her password.
    let mut ada = Browser::new(&program).signed_in("ada", OTHER_PASSWORD).await;
    shows(
        &mut ada,
        &[
            "You signed in",
            "The administrator enabled your account",
            "The administrator disabled your account",
            "The administrator set your password",
            "The administrator changed your groups",
            "You signed in",
            "The administrator added your account",
        ],
    )
    .await;
    program.run(&["user", "delete", "ada", "--yes"], "");
    let table = table(&program).await;
    let last = table.last().unwrap();
    assert!(last.ends_with("|operator|deleted|done||"), "{table:#?}");
    let account = last.split('|').next().unwrap();
    let operators: Vec<_> = table.iter().filter(|row| row.starts_with(account) && row.contains("|operator|")).collect();
    assert_eq!(operators.len(), 6, "{table:#?}");
    assert!(operators.iter().any(|row| row.ends_with("|groups-set|done||staff")), "{table:#?}");
}

#[tokio::test]
async fn audit_lines_can_be_had_without_the_others() {
    let (_upstream, program, mut ada) = site(|mut setup| {
        setup.environment.push(("RUST_LOG".into(), "warn,vestibule::audit=info".into()));
        setup.extra = "[log]\nformat = \"json\"\n".into();
        setup
    })
    .await;
    ada.submit("/.auth/logout", "/.auth/logout", &[]).await.expect(303);
    let line = program.printed("the sign-out", |line| line.contains("signed-out").then(|| line.to_owned())).await;
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["target"], "vestibule::audit");
    for (name, value) in
        [("event", "signed-out"), ("actor", "self"), ("result", "done"), ("network", "127.0.0.0/24"), ("detail", "")]
    {
        assert_eq!(line[name], value, "{line}");
    }
    assert_eq!(line["account"].as_str().unwrap().len(), 36);
    assert!(!program.output().contains("\"target\":\"access\""), "{}", program.output());
}

#[tokio::test]
async fn a_long_list_has_pages() {
    let (_upstream, program, mut ada) = site(|setup| setup).await;
    for _ in 0..52 {
        program.run(&["user", "groups", "ada", "staff"], "");
    }
    let page = eventually("the sign-in", PROMPTLY, async || {
        let page = ada.clone().get(PAGE).await.expect(200).text();
        (page.matches("<dt>").count() == 50).then_some(page)
    })
    .await;
    assert!(!page.contains("Newest ones"));
    let older = html::tags(&page, "a").filter_map(|tag| html::attribute(tag, "href"));
    let older = older.into_iter().find(|link| link.contains("before=")).expect("a link to the older ones");
    let page = ada.get(&older).await.expect(200);
    assert!((3..=4).contains(&page.text().matches("<dt>").count()), "{}", page.words());
    assert!(page.words().contains("The administrator added your account"));
    assert!(page.words().contains("Newest ones") && !page.words().contains("Older ones"));
    for odd in ["-1", "x", "", "9223372036854775807", "99999999999999999999999"] {
        ada.get(&format!("{PAGE}?before={odd}")).await.expect(200);
    }
    assert!(ada.get(&format!("{PAGE}?before=0")).await.words().contains("There is nothing older."));
    ada.post(PAGE, &[]).await.expect(405);
}

const SUBJECT: &str = "New sign-in to your account at Vestibule";

#[tokio::test]
async fn a_new_device_is_mailed_once_and_neither_the_first_nor_a_known_one() {
    let (upstream, mailbox) = (Upstream::start().await, Mailbox::start().await);
    let mut setup = Setup::before(&upstream.url());
    setup.mail = format!("transport = \"{}\"\nfrom = \"no-reply@example.com\"\n", mailbox.transport());
    let program = setup.start().await;
    program.ready().await;
    program.add_person("ada", PASSWORD, false);
    let with = |agent: &str| {
        let mut browser = Browser::new(&program);
        browser.always = vec![("user-agent".into(), agent.into())];
        browser
    };
    let out = async |browser: &mut Browser| {
        browser.submit("/.auth/logout", "/.auth/logout", &[]).await.expect(303);
    };
    let mut first = with("curl/8.14.1").signed_in("ada", PASSWORD).await;
    out(&mut first).await;
    first.sign_in("ada", PASSWORD).await.expect(303);
    // Only a wrong password: nobody signed in.
    with("Wget/1.25").sign_in("ada", TYPED_AMISS).await.expect(401);
    let mut second = with("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0");
    second.sign_in("ada", PASSWORD).await.expect(303);
    let mail = mailbox.wait_for("ada@example.com", SUBJECT).await;
    let text = mail.text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("UTC with Firefox on Windows, from 127.0.0.0/24."), "{text}");
    assert!(text.contains(&format!("See where you are signed in: {}/.auth/sessions ", program.origin())), "{text}");
    out(&mut second).await;
    second.sign_in("ada", PASSWORD).await.expect(303);
    // Forgotten by the browser, it is a new one.
    let mut third = second.clone();
    out(&mut third).await;
    third.jar.retain(|name, _| !name.contains("device"));
    third.sign_in("ada", PASSWORD).await.expect(303);
    eventually("the second mail", PROMPTLY, async || (mailbox.all().await.len() == 2).then_some(())).await;
    for browser in [&mut first, &mut second, &mut third] {
        browser.jar.retain(|name, _| name.contains("device"));
        browser.sign_in("ada", PASSWORD).await.expect(303);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let subjects: Vec<_> = mailbox.all().await.into_iter().map(|mail| mail.subject).collect();
    assert_eq!(subjects, [SUBJECT; 2]);
}

#[tokio::test]
async fn the_device_cookie_outlives_sessions_and_never_reaches_the_site_behind() {
    let (upstream, program, mut ada) = site(|setup| setup).await;
    let name = format!("vestibule-device-{}", program.http.port());
    let value = ada.jar[&name].clone();
    ada.jar.insert("of-the-site".into(), "1".into());
    ada.get("/").await.expect(200);
    assert_eq!(upstream.last().field("cookie"), Some("of-the-site=1"));
    ada.submit("/.auth/logout", "/.auth/logout", &[]).await.expect(303);
    assert_eq!(ada.jar[&name], value, "signing out keeps it");
    let reply = ada.sign_in("ada", PASSWORD).await.expect(303);
    let line = reply.set_cookies().into_iter().find(|line| line.starts_with(&name)).expect("renewed");
    assert!(line.starts_with(&format!("{name}={value};")), "the same one: {line}");
    for part in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=34560000"] {
        assert!(line.contains(part), "{line}");
    }
    // It opens nothing, and one that is not ours is replaced.
    let mut thief = Browser::new(&program);
    thief.jar.insert(name.clone(), value.clone());
    assert_eq!(thief.api("/.auth/me").await.status, 401);
    for made_up in ["", "made-up", &value.replace(|c: char| c.is_ascii_lowercase(), "x")] {
        let mut browser = Browser::new(&program);
        browser.jar.insert(name.clone(), made_up.into());
        browser.sign_in("ada", PASSWORD).await.expect(303);
        assert_eq!(browser.jar[&name].len(), 64);
        assert!(browser.jar[&name] != made_up && browser.jar[&name] != value);
    }
}

#[tokio::test]
async fn a_mail_server_that_is_down_keeps_nobody_from_signing_in_with_a_new_device() {
    let (_upstream, program, _ada) = site(|mut setup| {
        setup.mail = "transport = \"smtp://127.0.0.1:1\"\nfrom = \"no-reply@example.com\"\n".into();
        setup
    })
    .await;
    for _ in 0..3 {
        Browser::new(&program).signed_in("ada", PASSWORD).await.get("/").await.expect(200);
    }
}
