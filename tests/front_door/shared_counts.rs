//! SCENARIOS 5, 6: whose tries are counted together: those of a network, and those by every way in.

use std::time::Duration;

use crate::{
    second_factor::stage_with,
    support::{
        client::Browser,
        html,
        people::{OTHER_PASSWORD, PASSWORD},
        program::{Program, Setup},
    },
};

const CHEAP: &str = "argon2 = { memory_kib = 64, iterations = 1, parallelism = 1 }\n";
/// What has to be waited for before each of eight tries; after the last one it is five minutes.
const WAITS: [u64; 8] = [0, 0, 0, 0, 0, 1, 5, 30];

fn wait(program: &Program, seconds: u64) {
    program.clock.as_ref().unwrap().advance(Duration::from_secs(seconds));
}

async fn behind_a_proxy() -> Program {
    let mut setup = Setup::demo();
    (setup.password, setup.moved_clock) = (CHEAP.into(), true);
    setup.listen = "trusted_proxies = [\"127.0.0.0/8\"]\n".into();
    let program = setup.start().await;
    program.ready().await;
    program.add_person("ada", PASSWORD, false);
    program
}

fn from(program: &Program, address: &str) -> Browser {
    let mut browser = Browser::new(program);
    browser.always.push(("x-forwarded-for".into(), address.into()));
    browser
}

#[tokio::test]
async fn two_addresses_of_one_network_share_a_count_and_the_next_network_does_not() {
    for (one, other, elsewhere) in [
        ("2001:db8:7:1::1", "2001:db8:7:1:ffff:ffff:ffff:ffff", "2001:db8:7:2::1"),
        ("192.0.2.1", "192.0.2.254", "192.0.3.1"),
        // The same network, written as an address of the other family.
        ("198.51.100.1", "::ffff:198.51.100.2", "::ffff:198.51.101.2"),
    ] {
        let program = behind_a_proxy().await;
        for (number, seconds) in WAITS.into_iter().enumerate() {
            wait(&program, seconds);
            from(&program, [one, other][number % 2]).sign_in("ada", "wrong").await.expect(401);
        }
        for address in [one, other] {
            let reply = from(&program, address).sign_in("ada", PASSWORD).await.expect(429);
            let left: u64 = reply.field("retry-after").parse().unwrap();
            assert!(left > 200, "{address}: {left}");
        }
        from(&program, elsewhere).sign_in("ada", PASSWORD).await.expect(303);
        from(&program, one).sign_in("ada", PASSWORD).await.expect(429);
    }
}

#[tokio::test]
async fn tries_by_every_way_in_count_as_one() {
    let stage = stage_with(|setup| (setup.password, setup.moved_clock) = (CHEAP.into(), true)).await;
    let mut browser = stage.enrolled().await;
    let pages = ["/.auth/password", "/.auth/second-factor/disable", "/.auth/profile/delete"];
    let fields = |password| {
        let new = [("password_confirm", OTHER_PASSWORD), ("current_password", password)];
        [&new[..], &[("password", password)]].concat()
    };
    for (number, seconds) in WAITS.into_iter().enumerate() {
        wait(&stage.program, seconds);
        let page = pages[number % 3];
        browser.submit(page, page, &fields("wrong")).await.expect(422);
    }
    // By whichever of these pages, and at the door under either name.
    for page in pages {
        let reply = browser.submit(page, page, &fields(PASSWORD)).await.expect(429);
        assert!(reply.words().contains("Too many tries. Wait until"), "{page}: {}", reply.words());
    }
    for name in ["ada", "ada@example.com"] {
        Browser::new(&stage.program).sign_in(name, PASSWORD).await.expect(429);
    }
    browser.get("/").await.expect(200);
    // And what is guessed at the door is counted on the pages.
    wait(&stage.program, 301);
    Browser::new(&stage.program).sign_in("ada", "wrong").await.expect(401);
    for page in pages {
        browser.submit(page, page, &fields(PASSWORD)).await.expect(429);
    }
}

#[tokio::test]
async fn a_network_has_only_so_many_mails_sent_whomever_they_are_for() {
    let program = behind_a_proxy().await;
    let form = "/.auth/password/forgot";
    let mut statuses = Vec::new();
    let mut browser = from(&program, "2001:db8:7:1::1");
    let csrf = html::input_value(&browser.get(form).await.expect(200).text(), "csrf").unwrap();
    for number in 0..60 {
        browser.always[0].1 = format!("2001:db8:7:1::{number:x}");
        let email = format!("somebody{number}@example.com");
        statuses.push(browser.post(form, &[("email", &email), ("csrf", &csrf)]).await.status.as_u16());
    }
    assert!(statuses[..50].iter().all(|status| *status == 303), "{statuses:?}");
    assert!(statuses[50..].contains(&429), "{statuses:?}");
    let reply = from(&program, "2001:db8:7:2::1").submit(form, form, &[("email", "ada@example.com")]).await;
    assert_eq!(reply.status, 303, "another network goes on");
}
