//! Bodies of any size at anybody's pace: memory stays flat, and who sends goes no faster than who reads.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Method, StatusCode};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket},
    task::JoinHandle,
};

use crate::{
    protocols::{asks, before, http2, nothing},
    support::{
        PROMPTLY,
        client::Browser,
        eventually,
        people::{cookie_line, site},
        program::Program,
    },
};

/// The most memory a program had at once, from some moment on.
pub struct Peak<'a> {
    program: &'a Program,
    before: u64,
}

impl<'a> Peak<'a> {
    /// From now on. What passwords' hashes took before would hide what comes.
    pub fn of(program: &'a Program) -> Self {
        std::fs::write(format!("/proc/{}/clear_refs", program.pid()), "5").unwrap();
        let mut peak = Self { program, before: 0 };
        peak.before = peak.grown();
        peak
    }

    /// By how many bytes it grew.
    pub fn grown(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.program.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
        let bytes = line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10;
        bytes.saturating_sub(self.before)
    }
}

const GIGABYTE: u64 = 1 << 30;

#[tokio::test]
async fn a_gigabyte_passes_down_http2_in_flat_memory() {
    let (_upstream, program, browser) = site(|setup| setup).await;
    let mut sender = http2(&program).await;
    let peak = Peak::of(&program);
    let ask = asks(Method::GET, &program, &browser, &format!("/big/{GIGABYTE}")).body(nothing()).unwrap();
    let mut body = sender.send_request(ask).await.unwrap().into_body();
    let mut total = 0;
    while let Some(frame) = body.frame().await {
        total += frame.unwrap().into_data().unwrap().len() as u64;
    }
    assert_eq!(total, GIGABYTE);
    assert!(peak.grown() < 32 << 20, "memory grew by {} bytes", peak.grown());
}

#[tokio::test]
async fn a_gigabyte_passes_up_http2_in_flat_memory() {
    let (upstream, program, browser) = site(|setup| setup).await;
    let mut sender = http2(&program).await;
    let peak = Peak::of(&program);
    let piece = Bytes::from(vec![b'x'; 64 << 10]);
    let pieces = (0..GIGABYTE / piece.len() as u64).map(move |_| Ok(Frame::data(piece.clone())));
    let body = StreamBody::new(futures_util::stream::iter(pieces)).boxed_unsync();
    let ask = asks(Method::POST, &program, &browser, "/").header("content-length", GIGABYTE).body(body).unwrap();
    assert_eq!(sender.send_request(ask).await.unwrap().status(), StatusCode::OK);
    assert!(upstream.last().whole);
    assert!(peak.grown() < 32 << 20, "memory grew by {} bytes", peak.grown());
}

/// Answers every request without an end, as fast as it is read.
struct Endless {
    url: String,
    sent: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Endless {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let sent = Arc::<AtomicU64>::default();
        let count = sent.clone();
        let task = tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let count = count.clone();
                tokio::spawn(async move {
                    let mut piece = vec![b'x'; 16 << 10];
                    let _ = socket.read(&mut piece).await;
                    let _ = socket.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n").await;
                    piece.fill(b'x');
                    while let Ok(written @ 1..) = socket.write(&piece).await {
                        count.fetch_add(written as u64, Ordering::SeqCst);
                    }
                });
            }
        });
        Self { url, sent, task }
    }

    fn sent(&self) -> u64 {
        self.sent.load(Ordering::SeqCst)
    }

    /// How much it sent when it could send nothing for half a second.
    async fn blocked(&self) -> u64 {
        eventually("the upstream to be blocked", Duration::from_secs(10), async || {
            let before = self.sent();
            tokio::time::sleep(Duration::from_millis(500)).await;
            (before > 0 && self.sent() == before).then_some(before)
        })
        .await
    }
}

impl Drop for Endless {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn endless() -> (Endless, Program, Browser) {
    let upstream = Endless::start().await;
    let (program, browser) = before(&upstream.url).await;
    (upstream, program, browser)
}

/// What the sockets' buffers may hold besides ours.
const FEW: u64 = 32 << 20;

#[tokio::test]
async fn an_upstream_sends_no_faster_than_an_http1_client_reads() {
    let (upstream, program, browser) = endless().await;
    let peak = Peak::of(&program);
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(64 << 10).unwrap();
    let mut socket = socket.connect(program.http).await.unwrap();
    let ask = format!(
        "GET /endless HTTP/1.1\r\nHost: localhost:{}\r\nCookie: {}\r\nAccept: */*\r\n\r\n",
        program.http.port(),
        cookie_line(&browser)
    );
    socket.write_all(ask.as_bytes()).await.unwrap();
    let mut status = [0; 12];
    tokio::time::timeout(PROMPTLY, socket.read_exact(&mut status)).await.expect("a head").unwrap();
    assert_eq!(&status, b"HTTP/1.1 200");
    let sent = upstream.blocked().await;
    assert!(sent < FEW, "{sent} bytes went to nobody");
    assert!(peak.grown() < 8 << 20, "memory grew by {} bytes", peak.grown());
    let mut part = vec![0; 64 << 10];
    eventually("more to be sent", Duration::from_secs(10), async || {
        for _ in 0..64 {
            assert!(socket.read(&mut part).await.unwrap() > 0, "cut off");
        }
        (upstream.sent() > sent + FEW).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_upstream_sends_no_faster_than_an_http2_client_reads() {
    let (upstream, program, browser) = endless().await;
    let mut sender = http2(&program).await;
    let peak = Peak::of(&program);
    let ask = asks(Method::GET, &program, &browser, "/endless").body(nothing()).unwrap();
    let answer = tokio::time::timeout(PROMPTLY, sender.send_request(ask)).await.expect("a head").unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let sent = upstream.blocked().await;
    assert!(sent < FEW, "{sent} bytes went to nobody");
    assert!(peak.grown() < 8 << 20, "memory grew by {} bytes", peak.grown());
    let mut body = answer.into_body();
    eventually("more to be sent", Duration::from_secs(10), async || {
        for _ in 0..64 {
            body.frame().await.expect("more").expect("not cut off");
        }
        (upstream.sent() > sent + FEW).then_some(())
    })
    .await;
}
