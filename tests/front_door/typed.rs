//! Passwords, codes and numbers as people type and read them: how long, in which spelling, how often, how much of them.

use std::time::Duration;

use crate::{
    authenticator::{self, recovery_codes},
    second_factor::{LOCAL, NUMBER, answer, stage_with},
    support::{
        client::{Browser, Reply},
        html,
        mailbox::Mailbox,
        people::PASSWORD,
        program::{Program, Setup},
    },
};

async fn demo() -> Program {
    let program = Setup::demo().start().await;
    program.ready().await;
    program
}

/// So many code points, each two bytes long, hard to guess.
fn long(count: usize) -> String {
    "žřčšýáíéúůďťňóöüäßæøåłńśźżćęą".chars().cycle().step_by(7).take(count).collect()
}

#[tokio::test]
async fn a_password_of_128_code_points_is_taken_and_one_of_129_refused() {
    let program = demo().await;
    let refused = Browser::new(&program).register("ada", &long(129)).await.expect(422);
    assert!(refused.words().contains("Use at most 128 characters."), "{}", refused.words());
    Browser::new(&program).register("ada", &long(128)).await.expect(303);
    let mut ada = Browser::new(&program).signed_in("ada", &long(128)).await;
    ada.get("/").await.expect(200);
    // Nothing of it is cut off.
    for other in [long(127), long(129)] {
        Browser::new(&program).sign_in("ada", &other).await.expect(401);
    }
    let (longest, too_long) = (long(128).replace('ž', "x"), long(129));
    for (password, status) in [(too_long.as_str(), 422), (longest.as_str(), 303)] {
        let fields = [("current_password", &*long(128)), ("password", password), ("password_confirm", password)];
        ada.submit("/.auth/password", "/.auth/password", &fields).await.expect(status);
    }
}

#[tokio::test]
async fn composed_and_decomposed_spellings_of_one_password_sign_in_alike() {
    const COMPOSED: &str = "caf\u{e9}-h\u{e4}fen-\u{ac00}-93-lantern";
    const DECOMPOSED: &str = "cafe\u{301}-ha\u{308}fen-\u{1100}\u{1161}-93-lantern";
    let program = demo().await;
    for (username, chosen) in [("ada", COMPOSED), ("grace", DECOMPOSED)] {
        Browser::new(&program).register(username, chosen).await.expect(303);
        for typed in [COMPOSED, DECOMPOSED] {
            Browser::new(&program).sign_in(username, typed).await.expect(303);
        }
        let plain = "cafe-hafen-93-lantern";
        Browser::new(&program).sign_in(username, plain).await.expect(401);
    }
    // Typed twice by two keyboards, it is the same one twice.
    let fields = [
        ("first_name", "Alan"),
        ("last_name", "Turing"),
        ("username", "alan"),
        ("email", "alan@example.com"),
        ("password", COMPOSED),
        ("password_confirm", DECOMPOSED),
    ];
    Browser::new(&program).submit("/.auth/register", "/.auth/register", &fields).await.expect(303);
    program.add_person("sam", DECOMPOSED, false);
    Browser::new(&program).sign_in("sam", COMPOSED).await.expect(303);
}

async fn recover(browser: &mut Browser, code: &str) -> Reply {
    let way = "/.auth/login/verify?way=recovery";
    browser.submit(way, way, &[("code", code)]).await
}

#[tokio::test]
async fn guessing_at_recovery_codes_is_slowed_over_all_sign_ins_and_leaves_the_other_ways_open() {
    let stage = stage_with(|setup| setup.moved_clock = true).await;
    let (mut enrolling, mut app) = authenticator::enrolled(&stage).await;
    let codes = recovery_codes(&mut enrolling).await;
    let mut wait = |seconds| {
        stage.program.clock.as_ref().unwrap().advance(Duration::from_secs(seconds));
        app.ahead += Duration::from_secs(seconds);
        app.code()
    };
    let owing = async || {
        let mut browser = Browser::new(&stage.program);
        browser.sign_in("ada", PASSWORD).await.expect(303);
        browser
    };
    let mut statuses = Vec::new();
    for number in 0..8 {
        // Each guess in a sign-in of its own, after a right password: that wins no tries back.
        let mut browser = owing().await;
        statuses.push(recover(&mut browser, &format!("aaaa-bbbb-cccc-{number:04}")).await.status.as_u16());
        assert!(browser.session_cookie().is_none());
    }
    assert_eq!(statuses[0], 401, "{statuses:?}");
    assert!(statuses.iter().filter(|status| **status == 401).count() <= 5, "{statuses:?}");
    let mut browser = owing().await;
    let reply = recover(&mut browser, &codes[0]).await.expect(429);
    assert!(reply.words().contains("Too many tries. Wait until"), "{}", reply.words());
    assert!(reply.field("retry-after").parse::<u64>().is_ok_and(|seconds| seconds > 60), "{:?}", reply.fields);
    // The app is another matter.
    answer(&mut browser, &wait(90)).await.expect(303);
    // And the code that was right all along is none the worse.
    wait(3600);
    recover(&mut owing().await, &codes[0]).await.expect(303);
}

/// Whether more of it is written there than its last two digits.
fn tells(text: &str) -> bool {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    digits.contains("12123456") || text.contains(LOCAL) || text.contains(NUMBER) || text.contains("123456")
}

#[tokio::test]
async fn mails_profile_and_trail_show_a_number_by_its_last_two_digits() {
    let mailbox = Mailbox::start().await;
    let stage = stage_with(|setup| {
        setup.mail = format!("transport = \"{}\"\nfrom = \"no-reply@example.com\"\n", mailbox.transport());
    })
    .await;
    let mut browser = stage.enrolled().await;
    let mail = mailbox.wait_for("ada@example.com", "Two-factor authentication is on").await;
    for part in [html::words(&mail.html), mail.text.clone()] {
        assert!(part.contains("•••• 56"), "{part}");
    }
    for part in [&mail.text, &mail.html, &mail.subject] {
        assert!(!tells(part), "{part}");
    }
    let profile = browser.get("/.auth/profile").await.expect(200);
    assert!(profile.words().contains("•••• 56"), "{}", profile.words());
    for path in ["profile", "second-factor", "second-factor/disable", "activity", "sessions", "profile/edit"] {
        let page = browser.get(&format!("/.auth/{path}")).await.expect(200);
        assert!(!tells(&page.words()), "{path}: {}", page.words());
        assert!(!page.text().contains("712123456"), "{path}");
    }
}
