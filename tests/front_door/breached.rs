//! `password.breached`: a new password is held against a list of breaches, of which only five digits are ever asked.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

use crate::support::{
    client::{Browser, Reply},
    mailbox::Mailbox,
    people::{OTHER_PASSWORD, PASSWORD},
    program::{Program, Setup},
};

/// Strong, but known from a breach at the range service.
const STOLEN: &str = "thirsty-badger-58-compass";

/// How the range service answers.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mood {
    /// As it should: `STOLEN` is listed, `OTHER_PASSWORD` only as padding.
    Well,
    /// Nothing ever comes.
    Silent,
    /// A part of the answer, then nothing.
    Stuck,
    /// A page instead of a list, although it says 200 and lists the hash.
    Garbled,
    /// More than anybody should read.
    Endless,
    /// 503.
    Broken,
    /// 302 to an address where everything is listed.
    Elsewhere,
}

/// A range service that remembers what it was asked, head by head.
struct Ranges {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    mood: Arc<Mutex<Mood>>,
}

impl Ranges {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let mood = Arc::new(Mutex::new(Mood::Well));
        let (record, now) = (asked.clone(), mood.clone());
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, record.clone(), now.clone()));
            }
        });
        Self { address, asked, mood }
    }

    fn feels(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// What was asked since the last call.
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    async fn before(&self, change: impl FnOnce(&mut Setup)) -> Program {
        let mut setup = Setup::demo();
        setup.password = format!("breached = \"http://{}/range/\"\n", self.address);
        change(&mut setup);
        let program = setup.start().await;
        program.ready().await;
        program
    }
}

async fn serve(socket: TcpStream, asked: Arc<Mutex<Vec<String>>>, mood: Arc<Mutex<Mood>>) {
    let mut socket = BufReader::new(socket);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if socket.read_line(&mut head).await.is_ok_and(|count| count > 0) {
                continue;
            }
            return;
        }
        let elsewhere = head.starts_with("GET /elsewhere");
        asked.lock().unwrap().push(head);
        let mood = *mood.lock().unwrap();
        let list = list();
        let answer = match mood {
            Mood::Elsewhere if !elsewhere => {
                "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n".into()
            }
            Mood::Well | Mood::Elsewhere => ok(&list),
            Mood::Garbled => ok(&format!("<html>\n{list}")),
            Mood::Endless => ok(&list.repeat(20_000)),
            Mood::Broken => "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n".into(),
            Mood::Stuck => ok(&list).trim_end().to_owned(),
            Mood::Silent => String::new(),
        };
        if socket.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn list() -> String {
    format!("{}:12\r\n{}:3\r\n{}:0\r\n", "0".repeat(35), &sha1(STOLEN)[5..], &sha1(OTHER_PASSWORD)[5..])
}

fn sha1(password: &str) -> String {
    let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes());
    hash.as_ref().iter().map(|byte| format!("{byte:02X}")).collect()
}

async fn register(program: &Program, username: &str, password: &str) -> Reply {
    Browser::new(program).register(username, password).await
}

fn refused(reply: &Reply) {
    assert_eq!(reply.status, 422, "{}", reply.words());
    assert!(reply.words().contains("because it was in a breach. Choose another."), "{}", reply.words());
}

#[tokio::test]
async fn a_password_of_a_breach_is_refused_and_five_digits_of_its_hash_are_all_that_leaves() {
    let ranges = Ranges::start().await;
    let program = ranges.before(|_| {}).await;
    refused(&register(&program, "ada", STOLEN).await);
    let asked = ranges.asked();
    assert_eq!(asked.len(), 1, "{asked:?}");
    let head = asked[0].to_ascii_lowercase();
    let (prefix, rest) = (&sha1(STOLEN)[..5], &sha1(STOLEN)[5..]);
    assert!(asked[0].starts_with(&format!("GET /range/{prefix} HTTP/1.1\r\n")), "{}", asked[0]);
    assert!(head.contains("\r\nadd-padding: true\r\n") && head.contains("\r\nuser-agent: vestibule/"), "{head}");
    for secret in [&rest[..6], STOLEN, "ada", "cookie"] {
        assert!(!head.contains(&secret.to_ascii_lowercase()), "{secret}: {head}");
    }
    // Padding is no breach, and neither is what is not listed.
    register(&program, "ada", OTHER_PASSWORD).await.expect(303);
    register(&program, "grace", PASSWORD).await.expect(303);
    assert_eq!(ranges.asked().len(), 2);
}

// Commands block their thread, and the service has to answer meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_way_to_set_a_password_asks() {
    let ranges = Ranges::start().await;
    let mailbox = Mailbox::start().await;
    let program = ranges
        .before(|setup| {
            setup.mail = format!("transport = \"{}\"\nfrom = \"no-reply@example.com\"\n", mailbox.transport());
        })
        .await;
    let token = program.setup_token().await;
    let setup = format!("/.auth/setup?token={token}");
    let fields = [
        ("first_name", "Ada"),
        ("last_name", "King"),
        ("username", "king"),
        ("email", "king@example.com"),
        ("password", STOLEN),
        ("password_confirm", STOLEN),
        ("token", &token),
    ];
    refused(&Browser::new(&program).submit(&setup, "/.auth/setup", &fields).await);

    let words = ["user", "add", "ada", "--email", "ada@example.com", "--password-stdin"];
    let added = program.command(&words, &format!("{STOLEN}\n"));
    assert_eq!(added.status.code(), Some(65));
    assert!(String::from_utf8_lossy(&added.stderr).contains("in a breach"), "{added:?}");
    program.add_person("ada", PASSWORD, false);
    let set = program.command(&["user", "set-password", "ada", "--password-stdin"], &format!("{STOLEN}\n"));
    assert!(String::from_utf8_lossy(&set.stderr).contains("in a breach"), "{set:?}");

    let mut ada = Browser::new(&program).signed_in("ada", PASSWORD).await;
    let fields = [("current_password", PASSWORD), ("password", STOLEN), ("password_confirm", STOLEN)];
    refused(&ada.submit("/.auth/password", "/.auth/password", &fields).await);

    let form = "/.auth/password/forgot";
    Browser::new(&program).submit(form, form, &[("email", "ada@example.com")]).await.expect(303);
    let mail = mailbox.wait_for("ada@example.com", "password").await;
    let url = url::Url::parse(&mail.link()).unwrap();
    let token = url.query_pairs().find(|(name, _)| name == "token").unwrap().1.into_owned();
    let link = format!("{}?token={token}", url.path());
    let fields = [("token", token.as_str()), ("password", STOLEN), ("password_confirm", STOLEN)];
    refused(&Browser::new(&program).submit(&link, "/.auth/password/reset", &fields).await);
    let fields = [("token", token.as_str()), ("password", OTHER_PASSWORD), ("password_confirm", OTHER_PASSWORD)];
    Browser::new(&program).submit(&link, "/.auth/password/reset", &fields).await.expect(303);
}

#[tokio::test]
async fn nothing_is_asked_when_it_is_off_or_the_password_was_refused_before() {
    let ranges = Ranges::start().await;
    let program = ranges.before(|setup| setup.password = "breached = \"off\"\n".into()).await;
    register(&program, "ada", STOLEN).await.expect(303);
    drop(program);
    let program = ranges.before(|_| {}).await;
    for weak in ["short", "password1234567", "adalovelace1"] {
        register(&program, "ada", weak).await.expect(422);
    }
    assert_eq!(ranges.asked(), Vec::<String>::new());
    refused(&register(&program, "ada", STOLEN).await);
}

#[tokio::test]
async fn a_service_that_fails_in_any_way_lets_the_password_through_with_one_warning() {
    let ranges = Ranges::start().await;
    let program = ranges.before(|_| {}).await;
    let moods = [Mood::Silent, Mood::Stuck, Mood::Garbled, Mood::Endless, Mood::Broken, Mood::Elsewhere];
    for (number, mood) in moods.into_iter().enumerate() {
        ranges.feels(mood);
        let before = program.output().lines().filter(|line| line.contains("password.breached")).count();
        register(&program, &format!("person{number}"), STOLEN).await.expect(303);
        assert_eq!(ranges.asked().len(), 1, "{mood:?}: asked once, and nowhere else");
        let lines = crate::support::eventually("the warning", Duration::from_secs(10), async || {
            let output = program.output();
            let lines: Vec<_> =
                output.lines().filter(|line| line.contains("password.breached")).map(str::to_owned).collect();
            (lines.len() > before).then_some(lines)
        })
        .await;
        assert_eq!(lines.len(), before + 1, "{mood:?}: {lines:?}");
    }
    ranges.feels(Mood::Well);
    refused(&register(&program, "grace", STOLEN).await);
    let output = program.output().to_uppercase();
    for secret in [STOLEN, &sha1(STOLEN)[..5], &sha1(STOLEN)[5..]] {
        assert!(!output.contains(&secret.to_uppercase()), "{secret} is in the log");
    }
}

#[tokio::test]
async fn a_service_that_is_gone_lets_the_password_through() {
    let program = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let mut setup = Setup::demo();
        setup.password = format!("breached = \"http://{address}/range/\"\n");
        setup.start().await
    };
    program.ready().await;
    register(&program, "ada", STOLEN).await.expect(303);
    program.printed("the warning", |line| line.contains("password.breached").then_some(())).await;
}

#[tokio::test]
async fn a_taken_address_is_asked_about_like_a_free_one() {
    let ranges = Ranges::start().await;
    let mailbox = Mailbox::start().await;
    let program = ranges
        .before(|setup| {
            setup.mail = format!("transport = \"{}\"\nfrom = \"no-reply@example.com\"\n", mailbox.transport());
        })
        .await;
    ranges.feels(Mood::Broken);
    Browser::new(&program).register("ada", PASSWORD).await.expect(303);
    mailbox.wait_for("ada@example.com", "").await;
    ranges.asked();
    let taken = |username: &'static str| {
        let fields = [
            ("first_name", "Ada"),
            ("last_name", "Lovelace"),
            ("username", username),
            ("email", "ada@example.com"),
            ("password", STOLEN),
            ("password_confirm", STOLEN),
        ];
        let mut browser = Browser::new(&program);
        async move { browser.submit("/.auth/register", "/.auth/register", &fields).await }
    };
    ranges.feels(Mood::Well);
    refused(&taken("countess").await);
    assert_eq!(ranges.asked().len(), 1);
}
