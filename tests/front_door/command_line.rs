//! The command line beside and without a server: people, `check`, ranks of the settings (DESIGN §3 "Commands").

use crate::support::{
    client::Browser,
    people::PASSWORD,
    program::{Setup, refused},
};

#[tokio::test]
async fn a_username_an_address_and_a_password_are_enough_to_add_somebody() {
    let program = Setup::demo().start().await;
    program.ready().await;
    let words = ["user", "add", "bob", "--email", "bob@example.com", "--password-stdin"];
    program.run(&words, &format!("{PASSWORD}\n"));
    let mut bob = Browser::new(&program).signed_in("bob", PASSWORD).await;
    let me = bob.api("/.auth/me").await.expect(200).json();
    assert_eq!((&me["username"], &me["name"]), (&"bob".into(), &"bob".into()), "{me}");
    let again = program.command(&words, &format!("{PASSWORD}\n"));
    assert_eq!(again.status.code(), Some(65), "EX_DATAERR");
    assert!(String::from_utf8_lossy(&again.stderr).contains("--username"), "the flag to change is named");
}

#[tokio::test]
async fn deleting_asks_nobody_where_nobody_could_answer_and_keeps_the_name() {
    let program = Setup::demo().start().await;
    program.ready().await;
    program.add_person("bob", PASSWORD, false);
    let mut bob = Browser::new(&program).signed_in("bob", PASSWORD).await;
    program.run(&["user", "delete", "bob"], "");
    crate::support::eventually("the session to end", crate::support::PROMPTLY, async || {
        (bob.api("/.auth/me").await.status == 401).then_some(())
    })
    .await;
    assert_eq!(program.command(&["user", "show", "bob"], "").status.code(), Some(67), "EX_NOUSER");
    let words = ["user", "add", "bob", "--email", "other@example.com", "--password-stdin"];
    let again = program.command(&words, &format!("{PASSWORD}\n"));
    assert_eq!(again.status.code(), Some(65), "a name is never given to another person");
}

#[tokio::test]
async fn the_last_administrator_stays() {
    let program = Setup::demo().start().await;
    program.ready().await;
    program.add_person("ada", PASSWORD, true);
    for words in [&["user", "disable", "ada"][..], &["user", "delete", "ada"], &["user", "groups", "ada", "--none"]] {
        let output = program.command(words, "");
        assert_eq!(output.status.code(), Some(65), "{words:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("last administrator"), "{words:?}");
    }
    program.add_person("bob", PASSWORD, true);
    program.run(&["user", "disable", "ada"], "");
}

#[test]
fn flags_stand_above_the_environment_and_that_above_the_file() {
    let config = "[portal]\nurl = \"http://localhost:1111\"\n";
    let environment = &[("VESTIBULE_URL", "http://localhost:2222")];
    for (environment, flags, wins) in [
        (&[][..], &["setup-link"][..], "http://localhost:1111/.auth/setup?token="),
        (environment, &["setup-link"], "http://localhost:2222/.auth/setup?token="),
        (environment, &["setup-link", "--url", "http://localhost:3333"], "http://localhost:3333/.auth/setup?token="),
    ] {
        let (code, text) = refused(config, environment, flags);
        assert_eq!(code, Some(0), "{text}");
        assert!(text.contains(wins), "{text}");
    }
}

#[test]
fn unknown_variables_and_words_are_refused() {
    let (code, text) = refused("", &[("VESTIBULE_SESSION__STROE", "embedded")], &["check"]);
    assert_eq!(code, Some(64), "{text}");
    assert!(text.contains("VESTIBULE_SESSION__STROE") && text.contains("`store`"), "{text}");
    let (code, text) = refused("", &[], &["chek"]);
    assert_eq!(code, Some(64), "{text}");
}

#[test]
fn what_is_unreachable_is_told_with_its_key_and_place() {
    let config = "[[site]]\nhost = \"*\"\nupstream = \"http://127.0.0.1:1\"\n";
    let (code, text) = refused(config, &[], &["check"]);
    assert_eq!(code, Some(69), "{text}");
    let told = |line: &str| line.contains("config.toml:3:12") && line.contains("upstream") && line.contains(":1: ");
    assert!(text.lines().any(told), "{text}");
}

#[test]
fn plain_http_on_a_private_name_runs_with_a_warning() {
    for url in ["http://wiki.lan", "http://wiki.home.arpa:8080", "http://192.168.1.5:8080", "http://nas.local"] {
        let config =
            format!("[portal]\nurl = \"{url}\"\n[mail]\nallow_console = true\n[verify]\nallow_console = true\n");
        let (code, text) = refused(&config, &[], &["check"]);
        assert_eq!(code, Some(0), "{text}");
        assert!(text.lines().any(|line| line.contains("Warning") && line.contains("portal.url")), "{text}");
    }
}

#[test]
fn one_secret_under_two_names_of_the_environment_is_refused_with_both() {
    let twice = &[("TWILIO_AUTH_TOKEN", "one"), ("VESTIBULE_VERIFY__AUTH_TOKEN", "other")];
    let (code, text) = refused("", twice, &["check"]);
    assert_eq!(code, Some(64), "{text}");
    let both = |line: &str| line.contains("TWILIO_AUTH_TOKEN") && line.contains("VESTIBULE_VERIFY__AUTH_TOKEN");
    assert!(text.lines().any(both), "{text}");
}

#[test]
fn sites_that_will_not_get_the_cookie_are_warned_of() {
    let config = |domain: &str| {
        format!(
            "[portal]\nurl = \"https://auth.example.com\"\n[[site]]\nhost = \"wiki.example.com\"\nupstream = \"demo\"\n[session]\n{domain}[mail]\nallow_console = true\n[verify]\nprovider = \"off\"\n"
        )
    };
    let (_, text) = refused(&config(""), &[], &["check"]);
    let told = |line: &str| line.contains("session.domain") && line.contains("wiki.example.com");
    assert!(text.lines().any(told), "{text}");
    let (_, text) = refused(&config("domain = \"example.com\"\n"), &[], &["check"]);
    assert!(!text.contains("session.domain"), "{text}");
}
