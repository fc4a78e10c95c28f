//! Against a real SMTP sink in this process.

use std::net::TcpListener;

use super::*;
use crate::config::mail::{Smtp, SmtpTls};

fn letter(subject: &str) -> Letter {
    Letter {
        to: "ada@example.org".parse().unwrap(),
        subject: subject.into(),
        text: "Hello Ada ☃\nhttps://wiki.example.com/.auth/register/confirm?token=abc\n".into(),
        html: "<p>Hello Ada ☃</p>".into(),
    }
}

fn settings(port: u16) -> Mail {
    let server = Smtp { host: "127.0.0.1".into(), port, tls: SmtpTls::Plain, credentials: None };
    let from = "Wiki <no-reply@wiki.example.com>".parse().unwrap();
    Mail { transport: Transport::Smtp(server), from, ..Mail::default() }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

async fn next_mail(sink: &mut mailcrab::TestMailServerHandle) -> (serde_json::Value, String) {
    let mail = tokio::time::timeout(Duration::from_secs(10), sink.rx.recv()).await.unwrap().unwrap();
    let raw = String::from_utf8_lossy(&mail.raw_bytes().unwrap()).into_owned();
    (serde_json::to_value(&mail).unwrap(), raw)
}

#[tokio::test]
async fn a_mail_arrives_with_both_bodies_and_our_own_message_id() {
    let port = free_port();
    let mut sink = mailcrab::development_mail_server([127, 0, 0, 1], port).await;
    let post = Post::start(settings(port)).unwrap();
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
    let port = free_port();
    let mut sink = mailcrab::development_mail_server([127, 0, 0, 1], port).await;
    let post = Post::start(settings(port)).unwrap();
    post.send(letter("Hello\r\nBcc: eve@example.net\r\n\r\nbody")).unwrap();
    let (mail, raw) = next_mail(&mut sink).await;
    assert_eq!(mail["envelope_recipients"], serde_json::json!(["ada@example.org"]));
    assert!(!raw.contains("\nBcc:"), "{raw}");
    assert_eq!(mail["subject"], "Hello  Bcc: eve@example.net    body");
    sink.token.cancel();
}

#[tokio::test]
async fn a_mail_waits_for_a_server_that_is_away_and_then_leaves() {
    let port = free_port();
    let post = Post::start(settings(port)).unwrap();
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
    let post = Post::start(settings(free_port())).unwrap();
    let mut taken = 0;
    while post.send(letter("Flood")).is_ok() {
        taken += 1;
        assert!(taken <= WAITING, "the queue has no bound");
    }
    assert_eq!(taken, WAITING);
}

#[tokio::test]
async fn reach_tells_a_server_that_listens_from_one_that_does_not() {
    let port = free_port();
    assert!(Post::reach(&settings(port)).await.is_err());
    let sink = mailcrab::development_mail_server([127, 0, 0, 1], port).await;
    let reached = async {
        while Post::reach(&settings(port)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), reached).await.unwrap();
    sink.token.cancel();
}

#[test]
fn waits_grow_and_end_after_ten_minutes() {
    let seconds = |tries, waited| next_wait(tries, Duration::from_secs(waited)).map(|wait| wait.as_secs());
    assert_eq!(seconds(1, 0), Some(1));
    assert_eq!(seconds(2, 1), Some(5));
    assert_eq!(seconds(3, 6), Some(30));
    assert_eq!(seconds(4, 36), Some(120));
    assert_eq!(seconds(7, 480), Some(120));
    assert_eq!(seconds(8, 481), None);
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
