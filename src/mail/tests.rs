//! Against a real SMTP sink in this process.

use super::*;
use crate::{
    config::mail::{Smtp, SmtpTls},
    ports::free_port,
    world::{Clock, Entropy, vault::Vault},
};

fn letter(subject: &str) -> Letter {
    Letter {
        to: "ada@example.org".parse().unwrap(),
        subject: subject.into(),
        text: "Hello Ada ☃\nhttps://wiki.example.com/.auth/register/confirm?token=abc\n".into(),
        html: "<p>Hello Ada ☃</p>".into(),
        patience: Duration::from_mins(10),
    }
}

fn settings(port: u16) -> Mail {
    let server = Smtp { host: "127.0.0.1".into(), port, tls: SmtpTls::Plain, credentials: None };
    let from = "Wiki <no-reply@wiki.example.com>".parse().unwrap();
    Mail { transport: Transport::Smtp(server), from, ..Mail::default() }
}

/// A mail server that is away for as long as the socket lives: bound, so that nobody else's test gets the port, and not listening.
fn away() -> (tokio::net::TcpSocket, Mail) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let settings = settings(socket.local_addr().unwrap().port());
    (socket, settings)
}

async fn next_mail(sink: &mut mailcrab::TestMailServerHandle) -> (serde_json::Value, String) {
    let mail = tokio::time::timeout(Duration::from_secs(10), sink.rx.recv()).await.unwrap().unwrap();
    let raw = String::from_utf8_lossy(&mail.raw_bytes().unwrap()).into_owned();
    (serde_json::to_value(&mail).unwrap(), raw)
}

#[tokio::test]
async fn a_mail_arrives_with_both_bodies_and_our_own_message_id() {
    let port = free_port().unwrap();
    let mut sink = mailcrab::development_mail_server([127, 0, 0, 1], port).await;
    let post = Post::start(settings(port), None).unwrap();
    post.send(letter("Confirm your address ☃")).unwrap();
    let (mail, raw) = next_mail(&mut sink).await;
    assert_eq!(mail["subject"], "Confirm your address ☃");
    assert!(mail["text"].as_str().unwrap().contains("token=abc"));
    assert!(mail["html"].as_str().unwrap().contains("<p>Hello Ada ☃</p>"));
    assert_eq!(mail["envelope_recipients"], serde_json::json!(["ada@example.org"]));
    assert!(raw.contains("@wiki.example.com>\r\n"), "{raw}");
    assert!(raw.contains("Auto-Submitted: auto-generated\r\n"), "{raw}");
    assert!(raw.contains("multipart/alternative"), "{raw}");
    sink.token.cancel();
}

#[tokio::test]
async fn a_subject_cannot_carry_another_header() {
    let port = free_port().unwrap();
    let mut sink = mailcrab::development_mail_server([127, 0, 0, 1], port).await;
    let post = Post::start(settings(port), None).unwrap();
    post.send(letter("Hello\r\nBcc: eve@example.net\r\n\r\nbody")).unwrap();
    let (mail, raw) = next_mail(&mut sink).await;
    assert_eq!(mail["envelope_recipients"], serde_json::json!(["ada@example.org"]));
    assert!(!raw.contains("\nBcc:"), "{raw}");
    assert_eq!(mail["subject"], "Hello  Bcc: eve@example.net    body");
    sink.token.cancel();
}

#[tokio::test]
async fn a_mail_waits_for_a_server_that_is_away_and_then_leaves() {
    let port = free_port().unwrap();
    let post = Post::start(settings(port), None).unwrap();
    post.send(letter("Patience")).unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let mut sink = mailcrab::development_mail_server([127, 0, 0, 1], port).await;
    assert_eq!(next_mail(&mut sink).await.0["subject"], "Patience");
    post.flush(Duration::from_secs(5)).await;
    assert_eq!(post.office.places.available_permits(), WAITING as usize);
    sink.token.cancel();
}

#[tokio::test]
async fn the_queue_is_bounded_and_never_waits() {
    let (_away, settings) = away();
    let post = Post::start(settings, None).unwrap();
    let mut taken = 0;
    while post.send(letter("Flood")).is_ok() {
        taken += 1;
        assert!(taken <= WAITING, "the queue has no bound");
    }
    assert_eq!(taken, WAITING);
}

#[tokio::test]
async fn reach_tells_a_server_that_listens_from_one_that_does_not() {
    let port = free_port().unwrap();
    assert!(Post::reach(&settings(port)).await.is_err());
    let sink = mailcrab::development_mail_server([127, 0, 0, 1], port).await;
    let reached = async {
        while Post::reach(&settings(port)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), reached).await.unwrap();
    sink.token.cancel();
}

#[test]
fn waits_grow_and_end_with_the_patience() {
    let seconds = |tries, waited| {
        next_wait(tries, Duration::from_secs(waited), Duration::from_mins(10)).map(|wait| wait.as_secs())
    };
    assert_eq!(seconds(1, 0), Some(1));
    assert_eq!(seconds(2, 1), Some(5));
    assert_eq!(seconds(3, 6), Some(30));
    assert_eq!(seconds(4, 36), Some(120));
    assert_eq!(seconds(7, 480), Some(120));
    assert_eq!(seconds(8, 481), None);
    assert_eq!(next_wait(40, Duration::from_hours(40), Duration::from_hours(48)), Some(LONGEST_WAIT));
}

fn spool(folder: &std::path::Path) -> Spool {
    let vault = Vault::new("test", &"0123456789abcdef0123456789abcdef".into(), &[]).unwrap();
    Spool::open(folder.join("mail"), vault, Clock::System, Entropy::System).unwrap()
}

fn files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let files = std::fs::read_dir(folder.join("mail")).unwrap().map(|entry| entry.unwrap());
    // What begins with a dot is still being written.
    files.filter(|file| !file.file_name().as_encoded_bytes().starts_with(b".")).map(|file| file.path()).collect()
}

async fn until(what: &str, mut is: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is() {
        assert!(begin.elapsed() < Duration::from_secs(10), "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_mail_that_has_not_left_waits_sealed_for_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let (_away, unanswered) = away();
    let post = Post::start(unanswered, Some(spool(folder.path()))).unwrap();
    post.send(letter("Patience")).unwrap();
    until("it is kept", || files(folder.path()).len() == 1).await;
    let sealed = String::from_utf8_lossy(&std::fs::read(&files(folder.path())[0]).unwrap()).into_owned();
    assert!(!sealed.contains("token=abc") && !sealed.contains("ada@example.org"), "{sealed}");
    // The next start, with the server back.
    let port = free_port().unwrap();
    let mut sink = mailcrab::development_mail_server([127, 0, 0, 1], port).await;
    let next = Post::start(settings(port), Some(spool(folder.path()))).unwrap();
    let sending = tokio::spawn(next.clone().send_spooled());
    assert_eq!(next_mail(&mut sink).await.0["subject"], "Patience");
    until("it is not kept any more", || files(folder.path()).is_empty()).await;
    sending.abort();
    sink.token.cancel();
}

#[tokio::test]
async fn what_has_no_place_waits_in_the_spool_and_what_nobody_can_open_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let (_away, unanswered) = away();
    let post = Post::start(unanswered, Some(spool(folder.path()))).unwrap();
    for _ in 0..WAITING + 9 {
        post.send(letter("Flood")).unwrap();
    }
    until("all are kept", || files(folder.path()).len() == WAITING as usize + 9).await;
    let spool = spool(folder.path());
    let some = spool.take(5).unwrap();
    assert_eq!(some.len(), 5);
    let others = spool.take(5).unwrap();
    assert!(others.iter().all(|(name, ..)| some.iter().all(|(taken, ..)| taken != name)), "each once");
    for (name, ..) in some.iter().chain(&others) {
        spool.remove(name);
    }
    let bad = files(folder.path()).into_iter().min().unwrap();
    std::fs::write(&bad, "not sealed").unwrap();
    assert_eq!(spool.take(1).unwrap().len(), 1);
    assert!(!bad.exists());
}

#[tokio::test]
async fn a_mail_that_ran_out_is_not_sent_after_a_start() {
    let folder = tempfile::tempdir().unwrap();
    let kept = spool(folder.path());
    kept.put(&letter("Late"), crate::world::UnixMillis(1), false).unwrap();
    assert!(kept.take(9).unwrap().is_empty());
    assert!(files(folder.path()).is_empty());
}

#[test]
fn a_report_that_does_not_leave_is_no_failure_to_report() {
    use tracing_subscriber::layer::SubscriberExt;

    use crate::{telemetry::failures::Failures, world::Clock};

    let failures = Failures::new(Clock::System);
    tracing::subscriber::with_default(tracing_subscriber::registry().with(failures.clone()), || {
        smtp::Failure::TimedOut.log(9, None, Kind::Report);
        assert!(failures.take().is_empty());
        smtp::Failure::TimedOut.log(9, None, Kind::Mail);
        assert_eq!(failures.take().kinds.len(), 1);
    });
}
