//! SCENARIOS 25, 43: what ends access tokens, how soon, and what does not.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    revocation::{SECOND, ends},
    second_factor::{stage, stage_with},
    sessions::with_redis,
    support::{
        PROMPTLY,
        client::{Browser, Reply},
        eventually, html,
        mailbox::Mailbox,
        nodes::{AUTHORITY, Nodes, browser_at},
        people::{OTHER_PASSWORD, PASSWORD, site},
        program::Program,
        services::Redis,
    },
    tokens::{PAGE, ask, bearer, made, newest, revoke, script, shown},
};

/// A WebSocket that a token opened and that carries bytes.
async fn open_socket(program: &Program, authority: &str, token: &str) -> TcpStream {
    let mut socket = TcpStream::connect(program.http).await.unwrap();
    let ask = format!(
        "GET /ws HTTP/1.1\r\nHost: {authority}\r\nAuthorization: Bearer {token}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    socket.write_all(ask.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    echoes(&mut socket).await;
    socket
}

async fn echoes(socket: &mut TcpStream) {
    socket.write_all(b"hello").await.unwrap();
    let mut back = [0; 5];
    socket.read_exact(&mut back).await.unwrap();
}

async fn dies(script: &mut Browser, token: &str) {
    eventually("the token to die", PROMPTLY, async || (bearer(script, "/", token).await.status == 401).then_some(()))
        .await;
}

async fn lives(script: &mut Browser, token: &str) {
    eventually("the token to live", PROMPTLY, async || (bearer(script, "/", token).await.status == 200).then_some(()))
        .await;
}

#[tokio::test]
async fn a_revoked_token_is_dead_at_once_with_its_sockets_and_others_live() {
    let redis = Redis::start().await;
    for redis in [None, Some(&redis)] {
        let (_upstream, program, mut ada) = site(|setup| match redis {
            Some(redis) => with_redis(redis)(setup),
            None => setup,
        })
        .await;
        let (kept, token) = (made(&mut ada, "kept").await, made(&mut ada, "revoked").await);
        let mut script = script(&program);
        let mut socket = open_socket(&program, &script.authority, &token).await;
        let mut other = open_socket(&program, &script.authority, &kept).await;
        let sid = newest(&mut ada).await;
        let reply = revoke(&mut ada, &sid).await.expect(303);
        assert!(reply.location().ends_with("tokens?done=token-revoked"), "{}", reply.location());
        assert_eq!(bearer(&mut script, "/", &token).await.status, 401, "when the page says so, it is so");
        ends("the socket", &mut socket, SECOND).await;
        echoes(&mut other).await;
        bearer(&mut script, "/", &kept).await.expect(200);
        let again = revoke(&mut ada, &sid).await.expect(303);
        assert!(again.location().ends_with("done=no-token"), "{}", again.location());
        assert!(!ada.get(PAGE).await.words().contains("revoked ·"));
    }
}

#[tokio::test]
async fn nobody_revokes_somebody_elses() {
    let (_upstream, program, mut ada) = site(|setup| setup).await;
    let token = made(&mut ada, "hers").await;
    let sid = newest(&mut ada).await;
    program.add_person("bob", PASSWORD, false);
    let mut bob = Browser::new(&program).signed_in("bob", PASSWORD).await;
    assert!(!bob.get(PAGE).await.words().contains("hers"));
    let reply = revoke(&mut bob, &sid).await.expect(303);
    assert!(reply.location().ends_with("done=no-token"), "{}", reply.location());
    bearer(&mut script(&program), "/", &token).await.expect(200);
}

#[tokio::test]
async fn revoking_on_one_node_ends_it_and_its_sockets_on_the_other() {
    let nodes = Nodes::start(|_| ()).await;
    let (one, two) = (&nodes.one, &nodes.two);
    let mut browser = browser_at(one);
    browser.sign_in("ada", PASSWORD).await.expect(303);
    let token = made(&mut browser, "shared").await;
    let mut on_two = script(two);
    on_two.authority = AUTHORITY.into();
    bearer(&mut on_two, "/", &token).await.expect(200);
    let mut socket = open_socket(two, AUTHORITY, &token).await;
    let sid = newest(&mut browser).await;
    revoke(&mut browser, &sid).await.expect(303);
    ends("the socket", &mut socket, SECOND).await;
    dies(&mut on_two, &token).await;
}

#[tokio::test]
async fn disabling_rests_a_person_s_tokens_and_enabling_wakes_them() {
    let redis = Redis::start().await;
    for redis in [None, Some(&redis)] {
        let (_upstream, program, mut ada) = site(|setup| match redis {
            Some(redis) => with_redis(redis)(setup),
            None => setup,
        })
        .await;
        let token = made(&mut ada, "backup").await;
        let mut script = script(&program);
        let mut socket = open_socket(&program, &script.authority, &token).await;
        program.run(&["user", "disable", "ada"], "");
        ends("the socket", &mut socket, SECOND).await;
        dies(&mut script, &token).await;
        program.run(&["user", "enable", "ada"], "");
        lives(&mut script, &token).await;
    }
}

#[tokio::test]
async fn a_revocation_while_redis_is_down_is_carried_out_once_it_is_back() {
    let mut redis = Redis::start().await;
    let (_upstream, program, mut ada) = site(with_redis(&redis)).await;
    let token = made(&mut ada, "backup").await;
    let mut script = script(&program);
    bearer(&mut script, "/", &token).await.expect(200);
    redis.stop();
    eventually("the door to rest", PROMPTLY, async || {
        let reply = bearer(&mut script, "/", &token).await;
        (reply.status == 503 && !reply.field("retry-after").is_empty()).then_some(())
    })
    .await;
    program.run(&["user", "set-password", "ada", "--password-stdin"], &format!("{OTHER_PASSWORD}\n"));
    redis.resume().await;
    eventually("the token to die", Duration::from_secs(10), async || {
        (bearer(&mut script, "/", &token).await.status == 401).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_the_operator_does_to_a_stolen_account_ends_its_tokens() {
    let stage = stage().await;
    let program = &stage.program;
    let mut script = script(program);
    let token = made(&mut stage.enrolled().await, "one").await;
    lives(&mut script, &token).await;
    program.run(&["user", "reset-factors", "ada"], "");
    dies(&mut script, &token).await;
    let mut ada = Browser::new(program).signed_in("ada", PASSWORD).await;
    let token = made(&mut ada, "two").await;
    lives(&mut script, &token).await;
    program.run(&["user", "set-password", "ada", "--password-stdin"], &format!("{OTHER_PASSWORD}\n"));
    dies(&mut script, &token).await;
    let mut ada = Browser::new(program).signed_in("ada", OTHER_PASSWORD).await;
    assert!(ada.get(PAGE).await.words().contains("You have none."));
    let token = made(&mut ada, "three").await;
    lives(&mut script, &token).await;
    program.run(&["user", "delete", "ada"], "");
    dies(&mut script, &token).await;
}

// Commands mail by themselves, and this test waits for them: another thread has to take their mails.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_gets_an_account_back_hears_that_its_tokens_ended() {
    let mailbox = Mailbox::start().await;
    let stage = stage_with(|setup| {
        setup.mail = format!("transport = \"{}\"\nfrom = \"no-reply@example.com\"\n", mailbox.transport());
    })
    .await;
    let program = &stage.program;
    let mut script = script(program);
    let mailed = async |subject: &str, words: &str| {
        eventually(words, Duration::from_secs(10), async || {
            let mails = mailbox.all().await;
            mails
                .iter()
                .any(|mail| mail.subject.contains(subject) && html::words(&mail.html).contains(words))
                .then_some(())
        })
        .await;
    };
    // While the last command's change has not reached every session, none may be made.
    let anew = async |name: &str| {
        eventually("a new token", PROMPTLY, async || {
            let mut ada = Browser::new(program).signed_in("ada", PASSWORD).await;
            shown(&ask(&mut ada, name, &[("all", "on")]).await)
        })
        .await
    };
    made(&mut stage.enrolled().await, "one").await;
    program.run(&["user", "reset-factors", "ada"], "");
    mailed("Two-factor authentication is off", "Your access tokens stopped working.").await;
    // Without a factor there are tokens all the same, and the operator means them.
    let token = anew("two").await;
    lives(&mut script, &token).await;
    let said = program.run(&["user", "reset-factors", "ada"], "");
    assert!(said.contains("had no second factor; their sessions and access tokens end"), "{said}");
    dies(&mut script, &token).await;
    mailed("Your access tokens for", "The administrator ended the access tokens of your account").await;
    anew("three").await;
    program.run(&["user", "set-password", "ada", "--password-stdin"], &format!("{OTHER_PASSWORD}\n"));
    mailed("password", "your access tokens stopped working").await;
    program.run(&["user", "set-password", "ada", "--password-stdin"], &format!("{PASSWORD}\n"));
    program.run(&["user", "reset-factors", "ada"], "");
    let mut ada = Browser::new(program).signed_in("ada", PASSWORD).await;
    let activity = ada.get("/.auth/activity").await.expect(200).words();
    assert_eq!(
        activity.matches("Your access tokens ended").count(),
        3,
        "once for each, none where there was none: {activity}"
    );
}

#[tokio::test]
async fn a_reset_by_mail_ends_tokens_and_a_changed_password_or_signing_others_out_does_not() {
    let mailbox = Mailbox::start().await;
    let (_upstream, program, mut ada) = site(|mut setup| {
        setup.mail = format!("transport = \"{}\"\nfrom = \"no-reply@example.com\"\n", mailbox.transport());
        setup
    })
    .await;
    let token = made(&mut ada, "backup").await;
    let mut script = script(&program);
    let mut socket = open_socket(&program, &script.authority, &token).await;
    Browser::new(&program).signed_in("ada", PASSWORD).await;
    let done = ada.submit("/.auth/sessions", "/.auth/sessions", &[("all", "others")]).await.expect(303);
    let page = ada.get(done.location()).await.expect(200);
    let link = |page: &Reply| {
        html::tags(&page.text(), "a").any(|tag| html::attribute(tag, "href").as_deref() == Some("tokens"))
    };
    assert!(page.words().contains("signed out everywhere else. 1 access token still works ."), "{}", page.words());
    assert!(link(&page));
    made(&mut ada, "another").await;
    let fields = [("current_password", PASSWORD), ("password", OTHER_PASSWORD), ("password_confirm", OTHER_PASSWORD)];
    let done = ada.submit("/.auth/password", "/.auth/password", &fields).await.expect(303);
    let page = ada.get(done.location()).await.expect(200);
    assert!(page.words().contains("Your password is changed.") && page.words().contains("2 access tokens still work"));
    assert!(link(&page));
    let mail = mailbox.wait_for("ada@example.com", "was changed").await;
    let said = html::words(&mail.html);
    assert!(said.contains("2 access tokens still work: who has one comes in as you, without your password."), "{said}");
    let tokens_page = format!("{}/.auth/tokens", program.origin());
    assert!(mail.text.lines().any(|line| line == tokens_page), "{}", mail.text);
    assert!(!said.contains("stopped working"), "{said}");
    bearer(&mut script, "/", &token).await.expect(200);
    tokio::time::sleep(SECOND).await;
    echoes(&mut socket).await;

    let forgotten = [("email", "ada@example.com")];
    Browser::new(&program).submit("/.auth/password/forgot", "/.auth/password/forgot", &forgotten).await;
    let link = mailbox.wait_for("ada@example.com", "new password").await.link();
    let link = url::Url::parse(&link).unwrap();
    let path = format!("{}?{}", link.path(), link.query().unwrap());
    let mut other = Browser::new(&program);
    let page = other.get(&path).await.expect(200);
    assert!(page.words().contains("Access tokens"), "{}", page.words());
    let field = |name| html::input_value(&page.text(), name).unwrap();
    let (csrf, one_time) = (field("csrf"), field("token"));
    let fields = [("token", &*one_time), ("password", PASSWORD), ("password_confirm", PASSWORD), ("csrf", &*csrf)];
    other.post("/.auth/password/reset", &fields).await.expect(303);
    ends("the socket", &mut socket, SECOND).await;
    assert_eq!(bearer(&mut script, "/", &token).await.status, 401);
    eventually("a mail that says so", Duration::from_secs(5), async || {
        let said =
            |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").contains("your access tokens stopped");
        mailbox.all().await.iter().any(|mail| said(&mail.text)).then_some(())
    })
    .await;
    let mut ada = Browser::new(&program).signed_in("ada", PASSWORD).await;
    assert!(ada.get("/.auth/activity").await.words().contains("Your access tokens ended"));
}

#[tokio::test]
async fn a_token_ends_when_it_said_and_a_socket_outlives_what_is_kept_of_it() {
    let redis = Redis::start().await;
    for redis in [None, Some(&redis)] {
        let (_upstream, program, mut ada) = site(|mut setup| {
            setup.moved_clock = true;
            match redis {
                Some(redis) => with_redis(redis)(setup),
                None => setup,
            }
        })
        .await;
        let clock = program.clock.as_ref().unwrap();
        let token = made(&mut ada, "backup").await;
        let mut script = script(&program);
        let mut socket = open_socket(&program, &script.authority, &token).await;
        for _ in 0..3 {
            clock.advance(Duration::from_secs(11 * 60));
            tokio::time::sleep(SECOND).await;
            echoes(&mut socket).await;
            bearer(&mut script, "/", &token).await.expect(200);
        }
        clock.advance(Duration::from_secs(31 * 24 * 3600));
        ends("the socket", &mut socket, Duration::from_secs(3)).await;
        assert_eq!(bearer(&mut script, "/", &token).await.status, 401);
        let mut ada = Browser::new(&program).signed_in("ada", PASSWORD).await;
        assert!(ada.get(PAGE).await.words().contains("You have none."));
    }
}

#[tokio::test]
async fn tokens_survive_a_flushed_store_and_a_restart() {
    let redis = Redis::start().await;
    let (_upstream, mut program, mut ada) = site(with_redis(&redis)).await;
    let token = made(&mut ada, "backup").await;
    let mut script = script(&program);
    bearer(&mut script, "/", &token).await.expect(200);
    redis.command(&["FLUSHALL"]).await;
    lives(&mut script, &token).await;
    program.kill();
    program.resume().await;
    program.ready().await;
    lives(&mut script, &token).await;
}
