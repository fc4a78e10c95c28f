//! SCENARIO 24: people see where they are signed in, sign one device out, or all others.

use crate::{
    revocation::{SECOND, ends, open_socket},
    sessions::with_redis,
    support::{
        PROMPTLY,
        client::Browser,
        eventually, html,
        nodes::{Nodes, browser_at},
        people::{PASSWORD, site},
        program::{Program, Setup},
        services::Redis,
        upstream::Upstream,
    },
};

const PAGE: &str = "/.auth/sessions";
const WINDOWS: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0";
const IPHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
     Version/18.5 Mobile/15E148 Safari/604.1";

/// Somebody's browser of that kind, signed in.
async fn signed_in_with(program: &Program, username: &str, agent: &str) -> Browser {
    let mut browser = Browser::new(program);
    browser.always = vec![("user-agent".into(), agent.into())];
    browser.signed_in(username, PASSWORD).await
}

/// The rows of the page: what a person reads, and the value of the row's button.
async fn rows(browser: &mut Browser) -> Vec<(String, Option<String>)> {
    let page = browser.get(PAGE).await.expect(200).text();
    let rows = page.split("<dt>").skip(1);
    rows.map(|row| {
        let row = row.split("</dd>").next().unwrap();
        let button = html::tags(row, "button").find_map(|tag| html::attribute(tag, "value"));
        (html::words(row), button)
    })
    .collect()
}

/// What the only other row's button sends.
async fn other(browser: &mut Browser) -> String {
    let mut others = rows(browser).await.into_iter().filter_map(|(_, button)| button);
    let other = others.next().expect("another session");
    assert_eq!(others.next(), None, "just one other");
    other
}

/// Presses a button of the page; answers what the next page says.
async fn press(browser: &mut Browser, button: (&str, &str)) -> String {
    let reply = browser.submit(PAGE, PAGE, &[button]).await.expect(303);
    assert!(reply.location().starts_with("/.auth/sessions?done="), "{}", reply.location());
    browser.get(reply.location()).await.expect(200).words()
}

/// Ada's two browsers on a store.
async fn two_browsers(setup: impl FnOnce(Setup) -> Setup) -> (Upstream, Program, Browser, Browser) {
    let upstream = Upstream::start().await;
    let program = setup(Setup::before(&upstream.url())).start().await;
    program.ready().await;
    program.add_person("ada", PASSWORD, false);
    let one = signed_in_with(&program, "ada", WINDOWS).await;
    let two = signed_in_with(&program, "ada", IPHONE).await;
    (upstream, program, one, two)
}

#[tokio::test]
async fn two_browsers_of_one_account_see_each_other_and_which_is_theirs() {
    let (_upstream, _program, mut one, mut two) = two_browsers(|setup| setup).await;
    for (browser, own, others) in
        [(&mut one, "Firefox on Windows", "Safari on iPhone"), (&mut two, "Safari on iPhone", "Firefox on Windows")]
    {
        let rows = rows(browser).await;
        assert_eq!(rows.len(), 2, "{rows:?}");
        assert!(rows[0].0.starts_with("Safari on iPhone"), "the newest first: {rows:?}");
        for (words, button) in &rows {
            let this = words.contains("This device");
            assert_eq!(this, button.is_none(), "{words}");
            assert!(words.starts_with(if this { own } else { others }), "{words}");
            for part in ["Network 127.0.0.0/24", "signed in with password", "first seen", "last seen just now"] {
                assert!(words.contains(part), "{part} is missing in {words}");
            }
        }
    }
}

#[tokio::test]
async fn the_page_holds_nothing_that_signs_in_and_nothing_the_browser_said() {
    let (_upstream, _program, mut one, two) = two_browsers(|setup| setup).await;
    let page = one.get(PAGE).await.expect(200).text();
    for secret in [one.session_cookie().unwrap().1, two.session_cookie().unwrap().1, "Mozilla".into()] {
        assert!(!page.contains(&secret), "{secret} stands on the page");
    }
    let sid = other(&mut one).await;
    let mut thief = one.clone();
    let (name, _) = one.session_cookie().unwrap();
    thief.jar.insert(name, sid);
    assert_eq!(thief.api("/.auth/me").await.status, 401);
}

#[tokio::test]
async fn one_device_signed_out_loses_access_and_its_sockets_at_once_and_the_other_stays() {
    let redis = Redis::start().await;
    for redis in [None, Some(&redis)] {
        let (_upstream, program, mut one, mut two) = two_browsers(|setup| match redis {
            Some(redis) => with_redis(redis)(setup),
            None => setup,
        })
        .await;
        two.get("/").await.expect(200);
        let mut socket = open_socket(&program, &two, "/ws").await;
        let sid = other(&mut one).await;
        let words = press(&mut one, ("session", &sid)).await;
        assert!(words.contains("That device is signed out."), "{words}");
        two.get("/").await.expect(303);
        ends("the socket", &mut socket, SECOND).await;
        one.get("/").await.expect(200);
        assert_eq!(rows(&mut one).await.len(), 1);
        let words = press(&mut one, ("session", &sid)).await;
        assert!(words.contains("not signed in here any more"), "pressed twice: {words}");
    }
}

#[tokio::test]
async fn all_others_are_signed_out_and_this_one_stays() {
    let redis = Redis::start().await;
    for redis in [None, Some(&redis)] {
        let (_upstream, program, mut one, mut two) = two_browsers(|setup| match redis {
            Some(redis) => with_redis(redis)(setup),
            None => setup,
        })
        .await;
        let mut three = signed_in_with(&program, "ada", "curl/8.14.1").await;
        program.add_person("bob", PASSWORD, false);
        let mut bob = signed_in_with(&program, "bob", WINDOWS).await;
        let mut socket = open_socket(&program, &two, "/ws").await;
        let mut kept = open_socket(&program, &one, "/ws").await;
        let words = press(&mut one, ("all", "others")).await;
        assert!(words.contains("You are signed out everywhere else."), "{words}");
        two.get("/").await.expect(303);
        three.get("/").await.expect(303);
        ends("the socket", &mut socket, SECOND).await;
        one.get("/").await.expect(200);
        still_carries(&mut kept).await;
        bob.get("/").await.expect(200);
        let page = one.get(PAGE).await.expect(200);
        assert!(page.words().contains("You are signed in nowhere else."), "{}", page.words());
        // Who is signed out may come back.
        two.sign_in("ada", PASSWORD).await.expect(303);
        two.get("/").await.expect(200);
        assert_eq!(rows(&mut one).await.len(), 2);
    }
}

async fn still_carries(socket: &mut tokio::net::TcpStream) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    socket.write_all(b"there").await.unwrap();
    let mut back = [0; 5];
    tokio::time::timeout(SECOND, socket.read_exact(&mut back)).await.expect("an echo").unwrap();
    assert_eq!(&back, b"there");
}

#[tokio::test]
async fn a_sign_in_under_way_elsewhere_does_not_outlast_signing_out_everywhere_else() {
    let stage = crate::second_factor::stage().await;
    let mut browser = stage.enrolled().await;
    let mut owing = stage.owing().await;
    let code = stage.twilio.code_for(crate::second_factor::NUMBER).unwrap();
    press(&mut browser, ("all", "others")).await;
    let reply = crate::second_factor::answer(&mut owing, &code).await.expect(303);
    assert!(reply.location().contains("/.auth/login"), "{}", reply.location());
    owing.get("/").await.expect(303);
    browser.get("/").await.expect(200);
}

#[tokio::test]
async fn somebody_elses_session_is_answered_like_one_that_does_not_exist() {
    let (_upstream, program, mut ada, _) = two_browsers(|setup| setup).await;
    program.add_person("bob", PASSWORD, false);
    let mut bob = signed_in_with(&program, "bob", WINDOWS).await;
    let adas = other(&mut ada).await;
    assert!(!bob.get(PAGE).await.text().contains(&adas));
    let mut answers = Vec::new();
    for sid in [adas.as_str(), "AAAAAAAAAAAAAAAAAAAAAA", "", "<script>"] {
        let reply = bob.submit(PAGE, PAGE, &[("session", sid)]).await.expect(303);
        answers.push(reply.location().to_owned());
    }
    answers.dedup();
    assert_eq!(answers, ["/.auth/sessions?done=no-device"]);
    assert_eq!(rows(&mut ada).await.len(), 2, "nothing ended");
    bob.get("/").await.expect(200);
}

#[tokio::test]
async fn without_its_token_the_form_ends_nothing() {
    let (_upstream, _program, mut one, mut two) = two_browsers(|setup| setup).await;
    let sid = other(&mut one).await;
    one.post(PAGE, &[("session", &sid)]).await.expect(403);
    one.post(PAGE, &[("all", "others"), ("csrf", "made-up")]).await.expect(403);
    one.get(&format!("{PAGE}?session={sid}&all=others")).await.expect(200);
    two.get("/").await.expect(200);
    assert_eq!(rows(&mut one).await.len(), 2);
}

#[tokio::test]
async fn ones_own_session_sent_by_hand_is_a_sign_out() {
    let (_upstream, _program, mut one, mut two) = two_browsers(|setup| setup).await;
    let own = other(&mut two).await;
    let stolen = one.clone();
    let reply = one.submit(PAGE, PAGE, &[("session", &own)]).await.expect(303);
    assert_eq!(reply.location(), "/.auth/login?done=signed-out");
    assert!(one.session_cookie().is_none());
    stolen.clone().get("/").await.expect(303);
    two.get("/").await.expect(200);
}

#[tokio::test]
async fn a_long_list_has_pages() {
    let (_upstream, program, mut browser) = site(|setup| setup).await;
    for _ in 0..21 {
        let _ = signed_in_with(&program, "ada", "curl/8.14.1").await;
    }
    let page = browser.get(PAGE).await.expect(200).text();
    assert_eq!(page.matches("<dt>").count(), 20);
    assert!(page.contains(r#"href="/.auth/sessions?from=20""#), "{page}");
    let older = browser.get("/.auth/sessions?from=20").await.expect(200);
    assert_eq!(older.text().matches("<dt>").count(), 2);
    assert!(older.words().contains("This device") && !older.words().contains("Older ones"), "{}", older.words());
    for odd in ["-1", "x", "18446744073709551615", "99999999999999999999999"] {
        browser.get(&format!("{PAGE}?from={odd}")).await.expect(200);
    }
}

#[tokio::test]
async fn a_device_signed_out_on_one_node_is_out_on_the_other_within_a_second() {
    let nodes = Nodes::start(|_| ()).await;
    let (one, two) = (&nodes.one, &nodes.two);
    let mut here = browser_at(one).signed_in("ada", PASSWORD).await;
    let mut there = browser_at(two).signed_in("ada", PASSWORD).await;
    there.get("/").await.expect(200);
    let mut socket = open_socket(two, &there, "/ws").await;
    let sid = other(&mut here).await;
    press(&mut here, ("session", &sid)).await;
    eventually("its end on the other node", PROMPTLY, async || {
        (there.clone().get("/").await.status == 303).then_some(())
    })
    .await;
    ends("the socket", &mut socket, SECOND).await;
    here.get("/").await.expect(200);
}
