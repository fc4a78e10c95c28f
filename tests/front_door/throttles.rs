//! SCENARIOS 6, 14: what was tried too often is remembered across restarts and by all nodes, and locks no owner out.

use std::time::Duration;

use crate::{
    second_factor::{LOCAL, NUMBER, answer, stage_with},
    sessions::with_redis,
    support::{
        client::Browser,
        html,
        nodes::{browser_at, shared},
        people::{OTHER_PASSWORD, PASSWORD},
        program::{Program, Setup},
        services::{self, Redis},
    },
    twilio::{ACCOUNT_SID, AUTH_TOKEN, SERVICE_SID, Twilio},
};

const CHEAP: &str = "argon2 = { memory_kib = 64, iterations = 1, parallelism = 1 }\n";

/// Two programs on one Redis and one accounts database.
struct Nodes {
    redis: Redis,
    twilio: Twilio,
    one: Program,
    two: Program,
}

async fn nodes() -> Nodes {
    let (redis, twilio) = (Redis::start().await, Twilio::start().await);
    let database = services::postgres_database().await;
    let node = async || {
        let mut setup = with_redis(&redis)(Setup::demo());
        setup.password = CHEAP.into();
        setup.listen = "trusted_proxies = [\"127.0.0.0/8\"]\n".into();
        setup.verify = format!(
            "account_sid = \"{ACCOUNT_SID}\"\nauth_token = \"{AUTH_TOKEN}\"\nservice_sid = \"{SERVICE_SID}\"\nbase_url = \"{}\"\nchannels = [\"sms\"]\n",
            twilio.base_url()
        );
        let program = shared(setup, &database).start().await;
        program.ready().await;
        program
    };
    let (one, two) = (node().await, node().await);
    one.add_person("ada", PASSWORD, false);
    one.add_person("eve", OTHER_PASSWORD, false);
    Nodes { redis, twilio, one, two }
}

/// A browser before one node, from a network of its own.
fn from(program: &Program, address: &str) -> Browser {
    let mut browser = browser_at(program);
    browser.always.push(("x-forwarded-for".into(), address.into()));
    browser
}

/// A browser that is about to answer the form on `page`, and its token.
async fn ready(mut browser: Browser, page: &str) -> (Browser, String) {
    let page = browser.get(page).await.expect(200);
    let csrf = html::input_value(&page.text(), "csrf").unwrap();
    (browser, csrf)
}

/// Posts the same to all of them at once, several times each; the statuses.
async fn volley(browsers: &[(Browser, String)], times: usize, target: &str, fields: &[(&str, &str)]) -> Vec<u16> {
    let all = browsers.iter().cycle().take(times * browsers.len()).map(async |(browser, csrf)| {
        let fields = [fields, &[("csrf", csrf.as_str())]].concat();
        browser.clone().post(target, &fields).await.status.as_u16()
    });
    futures_util::future::join_all(all).await
}

fn count(statuses: &[u16], status: u16) -> usize {
    statuses.iter().filter(|found| **found == status).count()
}

#[tokio::test]
async fn guessing_stays_throttled_when_the_program_starts_again() {
    let mut setup = Setup::demo();
    (setup.password, setup.moved_clock) = (CHEAP.into(), true);
    let mut program = setup.start().await;
    program.ready().await;
    program.add_person("ada", PASSWORD, false);
    let mut guesser = Browser::new(&program);
    for wait in [0, 0, 0, 0, 0, 1, 5, 30] {
        program.clock.as_ref().unwrap().advance(Duration::from_secs(wait));
        guesser.sign_in("ada", "wrong").await.expect(401);
    }
    guesser.sign_in("ada", PASSWORD).await.expect(429);
    program.terminate().await;
    program.resume().await;
    program.ready().await;
    let refused = Browser::new(&program).sign_in("ADA", PASSWORD).await.expect(429);
    let wait: u64 = refused.field("retry-after").parse().unwrap();
    assert!(wait > 30, "five minutes, less what the start took: {wait}");
    program.clock.as_ref().unwrap().advance(Duration::from_secs(301));
    Browser::new(&program).sign_in("ada", PASSWORD).await.expect(303);
}

#[tokio::test]
async fn a_volley_of_passwords_at_two_nodes_gets_no_more_tries_than_at_one() {
    let nodes = nodes().await;
    let login = "/.auth/login";
    let (one, two) = (from(&nodes.one, "198.51.100.1"), from(&nodes.two, "198.51.100.1"));
    let browsers = [ready(one, login).await, ready(two, login).await];
    let statuses = volley(&browsers, 20, login, &[("identifier", "ada"), ("password", "wrong")]).await;
    // A place to hash is taken first: some may find none.
    assert_eq!(count(&statuses, 401) + count(&statuses, 429) + count(&statuses, 503), 40, "{statuses:?}");
    // Five are free; one more after a second and another after five, should it last that long.
    assert!((1..=7).contains(&count(&statuses, 401)), "{statuses:?}");
    let mut admitted = count(&statuses, 401);
    let mut refused = 0;
    for (browser, csrf) in browsers.iter().cycle().take(14) {
        let fields = [("identifier", "ada"), ("password", "wrong"), ("csrf", csrf.as_str())];
        match browser.clone().post(login, &fields).await.status.as_u16() {
            401 => admitted += 1,
            429 => refused += 1,
            other => panic!("{other}"),
        }
    }
    assert!(admitted <= 8 && refused > 0, "{admitted} admitted, {refused} refused");
}

#[tokio::test]
async fn wrong_codes_at_two_nodes_are_counted_together() {
    let nodes = nodes().await;
    let mut ada = from(&nodes.one, "192.0.2.1").signed_in("ada", PASSWORD).await;
    let phone = "/.auth/second-factor/phone";
    let fields = [("country", "KE"), ("phone", LOCAL), ("channel", "sms")];
    ada.submit(phone, phone, &fields).await.expect(303);
    let code = nodes.twilio.code_for(NUMBER).unwrap();
    ada.submit(phone, phone, &[("code", &code)]).await.expect(303);
    let before = nodes.twilio.checks().len();
    let mut owing = from(&nodes.one, "192.0.2.1");
    owing.sign_in("ada", PASSWORD).await.expect(303);
    let verify = "/.auth/login/verify";
    let at_one = ready(owing, verify).await;
    let mut at_two = at_one.clone();
    at_two.0.address = nodes.two.http;
    let wrong = nodes.twilio.wrong_code_for(NUMBER);
    let statuses = volley(&[at_one.clone(), at_two.clone()], 10, verify, &[("code", &wrong)]).await;
    let judged = nodes.twilio.checks().len() - before;
    assert!((1..=5).contains(&judged), "{judged} were judged: {statuses:?}");
    let right = nodes.twilio.code_for(NUMBER).unwrap_or(wrong);
    for mut browser in [at_one.0, at_two.0] {
        answer(&mut browser, &right).await;
        assert!(browser.session_cookie().is_none(), "guessing went on");
    }
}

#[tokio::test]
async fn a_number_waits_for_one_account_on_all_nodes() {
    let nodes = nodes().await;
    let phone = "/.auth/second-factor/phone";
    let fields = [("country", "KE"), ("phone", LOCAL), ("channel", "sms")];
    let mut ada = from(&nodes.one, "192.0.2.1").signed_in("ada", PASSWORD).await;
    ada.submit(phone, phone, &fields).await.expect(303);
    let mut eve = from(&nodes.two, "198.51.100.1").signed_in("eve", OTHER_PASSWORD).await;
    let reply = eve.submit(phone, phone, &fields).await;
    assert_eq!(reply.status, 429, "{}", reply.words());
    let code = nodes.twilio.code_for(NUMBER).unwrap();
    ada.submit(phone, phone, &[("code", &code)]).await.expect(303);
    eve.submit(phone, phone, &fields).await.expect(303);
}

#[tokio::test]
async fn guessing_from_many_networks_is_slowed_and_the_owner_gets_in_from_home() {
    let nodes = nodes().await;
    from(&nodes.one, "192.0.2.1").signed_in("ada", PASSWORD).await;
    let login = "/.auth/login";
    let (guesser, csrf) = ready(from(&nodes.one, "10.0.0.1"), login).await;
    let mut statuses = Vec::new();
    for network in 0..130_usize {
        let mut browser = guesser.clone();
        browser.address = [nodes.one.http, nodes.two.http][network % 2];
        browser.always = vec![("x-forwarded-for".into(), format!("10.1.{network}.1"))];
        let fields = [("identifier", "ada"), ("password", "wrong"), ("csrf", csrf.as_str())];
        statuses.push(browser.post(login, &fields).await.status.as_u16());
    }
    assert_eq!(count(&statuses[..100], 401), 100, "{statuses:?}");
    assert!(count(&statuses, 429) > 0, "{statuses:?}");
    from(&nodes.two, "192.0.2.77").sign_in("ada", PASSWORD).await.expect(303);
}

#[tokio::test]
async fn made_up_names_from_one_network_leave_few_keys_in_redis() {
    let nodes = nodes().await;
    let login = "/.auth/login";
    let (mut guesser, csrf) = ready(from(&nodes.one, "198.51.100.1"), login).await;
    let mut admitted = 0;
    for name in 0..400 {
        let name = format!("made.up{name}");
        let fields = [("identifier", name.as_str()), ("password", "wrong"), ("csrf", csrf.as_str())];
        admitted += usize::from(guesser.post(login, &fields).await.status == 401);
    }
    let keys: Vec<String> = redis::from_redis_value(nodes.redis.command(&["KEYS", "vestibule:l:*"]).await).unwrap();
    // The answer to each question is kept for ten seconds, in case the link breaks and it is asked again.
    let (answers, counts): (Vec<&String>, Vec<_>) = keys.iter().partition(|key| key.contains(":once:"));
    assert!(admitted < 200, "{admitted}");
    assert_eq!(counts.len(), 2 * admitted + 1, "a refused try leaves none");
    for (key, longest) in counts.iter().map(|key| (key, i64::MAX)).chain(answers.iter().map(|key| (key, 10_000))) {
        let left: i64 = redis::from_redis_value(nodes.redis.command(&["PTTL", key]).await).unwrap();
        assert!(left == -2 || (0..=longest).contains(&left), "{key} would stay too long: {left}");
    }
}

// Toll fraud: somebody earns by every message to numbers that they rent as a block.
#[tokio::test]
async fn many_accounts_from_many_networks_ring_one_block_of_numbers_only_so_often() {
    let stage = stage_with(|setup| {
        setup.password = CHEAP.into();
        setup.listen = "trusted_proxies = [\"127.0.0.0/8\"]\n".into();
    })
    .await;
    let mut refused = None;
    for account in 0..15 {
        let name = format!("eve{account}");
        stage.program.add_person(&name, OTHER_PASSWORD, false);
        let mut eve = Browser::new(&stage.program);
        eve.always.push(("x-forwarded-for".into(), format!("81.{account}.7.1")));
        let mut eve = eve.signed_in(&name, OTHER_PASSWORD).await;
        for number in 0..4 {
            let phone = format!("0712 1{account:02}{number:03}");
            // One after the other, each under a flow of its own.
            let mut tab = eve.clone();
            let reply = stage.enrol(&mut tab, "KE", &phone, "sms").await;
            match reply.status.as_u16() {
                303 => {}
                429 => refused = Some((eve.clone(), reply)),
                other => panic!("{other}: {}", reply.words()),
            }
            if refused.is_some() {
                break;
            }
        }
        if refused.is_some() {
            break;
        }
        eve.get("/.auth/second-factor").await.expect(200);
    }
    let (mut eve, reply) = refused.expect("sixty messages to one block");
    let sends = stage.twilio.sends().len();
    // Fifty are free; a slow machine may have waited for one or two more.
    assert!((50..=53).contains(&sends), "{sends} messages");
    assert!(reply.words().contains("Too many codes were sent there. Try again after"), "{}", reply.words());
    assert!(reply.field("retry-after").parse::<u64>().unwrap() <= 300);
    assert!(html::input_value(&reply.text(), "phone").is_some_and(|phone| phone.contains("0712 1")), "it stays typed");
    // Other numbers, of the very same account too, and other people go on.
    stage.enrol(&mut eve, "KE", "0722 123456", "sms").await.expect(303);
    let mut ada = stage.signed_in().await;
    stage.enrol(&mut ada, "FR", "06 12 34 56 78", "sms").await.expect(303);
    assert_eq!(stage.twilio.sends().len(), sends + 2);
}
