//! What arrives upstream, and what comes back.

use tokio::io::AsyncWriteExt;

use super::rig::{Rig, Script, open_site, quick, to_end};
use crate::config::{
    limits::ByteLimit,
    site::{HostHeader, Site, Upstream},
};

/// Answers every request with its own head.
async fn mirror() -> Script {
    Script::run(|mut upstream, _| async move {
        while let Some(head) = upstream.head().await {
            upstream.echo(&head).await;
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn forged_identity_is_replaced_and_our_cookie_stays_behind() {
    let script = mirror().await;
    let rig = Rig::new(open_site(script.upstream.clone()), quick()).await;
    let forged = "GET /a?b=%2F HTTP/1.1\r\n{host}\r\nConnection: Remote-User\r\nRemote-User: root\r\nremote_groups: admin\r\n\
                  Remote.Id: 1\r\nX-Forwarded-For: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\nX-Mine: kept\r\n";
    let signed_in = rig.ask(&format!("{forged}{{cookie}}\r\n\r\n")).await;
    for line in [
        "GET /a?b=%2F HTTP/1.1\r\n",
        "\r\nremote-user: ada\r\n",
        "\r\nremote-name: Ada Lovelace\r\n",
        "\r\nx-mine: kept\r\n",
        "\r\ncookie: a=1; b=2\r\n",
        "\r\nx-forwarded-for: 127.0.0.1\r\n",
        "\r\nx-real-ip: 127.0.0.1\r\n",
        "\r\nx-forwarded-proto: http\r\n",
        "\r\nx-request-id: ",
    ] {
        assert!(signed_in.contains(line), "{line:?} in {signed_in}");
    }
    let authority = format!("localhost:{}", rig.address.port());
    assert!(signed_in.contains(&format!("\r\nhost: {authority}\r\n")), "{signed_in}");
    assert!(
        signed_in.contains(&format!("\r\nforwarded: for=127.0.0.1;proto=http;host=\"{authority}\"\r\n")),
        "{signed_in}"
    );
    let anonymous = rig.ask(&format!("{forged}\r\n")).await;
    assert!(anonymous.contains("x-mine: kept"), "{anonymous}");
    for said in [&signed_in, &anonymous] {
        let said = said.to_lowercase();
        assert!(!said.contains("root") && !said.contains("6.6.6.6") && !said.contains("remote_groups"), "{said}");
    }
    assert!(!anonymous.contains("remote-"), "{anonymous}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_host_and_the_operators_fields_follow_the_configuration() {
    let script = mirror().await;
    let site = Site {
        host_header: HostHeader::Upstream,
        set_fields: vec![("authorization".parse().unwrap(), "Basic c2l0ZQ==".parse().unwrap())],
        ..open_site(script.upstream.clone())
    };
    let rig = Rig::new(site, quick()).await;
    let said = rig.ask("GET / HTTP/1.1\r\n{host}\r\nAuthorization: Basic bWluZQ==\r\n\r\n").await;
    let authority = script.upstream.to_string().replace("http://", "");
    assert!(said.contains(&format!("\r\nhost: {authority}\r\n")), "{said}");
    assert!(said.contains("\r\nauthorization: Basic c2l0ZQ==\r\n") && !said.contains("bWluZQ"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_connection_is_used_again_whatever_kind_of_answer_it_brought() {
    let script = Script::run(|mut upstream, _| async move {
        let answers = [
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            "HTTP/1.1 204 No Content\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        ];
        for answer in answers.into_iter().cycle() {
            if upstream.head().await.is_none() {
                return;
            }
            upstream.say(answer).await;
        }
    })
    .await;
    let rig = Rig::new(open_site(script.upstream.clone()), quick()).await;
    for _ in 0..10 {
        let said = rig.ask("GET / HTTP/1.1\r\n{host}\r\n\r\n").await;
        assert!(said.starts_with("HTTP/1.1 2") || said.starts_with("HTTP/1.1 304"), "{said}");
    }
    assert_eq!(script.accepted(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn bodies_and_trailers_arrive_whole_and_clean() {
    let script = Script::run(|mut upstream, _| async move {
        while let Some(head) = upstream.head().await {
            let body = upstream.until("0\r\n").await.unwrap();
            let trailers = upstream.until("\r\n\r\n").await.unwrap_or_default();
            upstream.echo(&format!("{head}{body}{trailers}")).await;
        }
    })
    .await;
    let rig = Rig::new(open_site(script.upstream.clone()), quick()).await;
    for method in ["GET", "POST"] {
        let said = rig
            .ask(&format!(
                "{method} / HTTP/1.1\r\n{{host}}\r\nTrailer: X-Sum, Remote_User\r\nTransfer-Encoding: chunked\r\n\r\n\
                 5\r\nhello\r\n0\r\nX-Sum: 5\r\nRemote_User: root\r\n\r\n"
            ))
            .await;
        assert!(said.contains("transfer-encoding: chunked") && said.contains("5\r\nhello\r\n"), "{said}");
        assert!(said.to_lowercase().contains("x-sum: 5") && !said.contains("root"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_connection_that_took_an_upload_is_used_again() {
    let script = Script::run(|mut upstream, _| async move {
        while upstream.head().await.is_some() {
            let body = upstream.until("end").await.unwrap();
            upstream.echo(&body.len().to_string()).await;
        }
    })
    .await;
    let rig = Rig::new(open_site(script.upstream.clone()), quick()).await;
    for length in [3, 4_096, 4_097, 20_000, 3] {
        let head = format!("POST / HTTP/1.1\r\n{{host}}\r\nContent-Length: {length}\r\n\r\n");
        let mut stream = rig.open().await;
        stream.write_all(rig.fill(&head).as_bytes()).await.unwrap();
        stream.write_all(format!("{}end", "x".repeat(length - 3)).as_bytes()).await.unwrap();
        assert!(to_end(&mut stream).await.ends_with(&length.to_string()));
    }
    assert_eq!(script.accepted(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_empty_post_says_its_length() {
    let script = mirror().await;
    let rig = Rig::new(open_site(script.upstream.clone()), quick()).await;
    let said = rig.ask("POST / HTTP/1.1\r\n{host}\r\n\r\n").await;
    assert!(said.contains("\r\ncontent-length: 0\r\n"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn early_hints_are_never_mistaken_for_the_answer() {
    let script = Script::run(|mut upstream, _| async move {
        while upstream.head().await.is_some() {
            upstream.say("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n").await;
            upstream.say("HTTP/1.1 100 Continue\r\n\r\n").await;
            upstream.echo("the answer").await;
        }
    })
    .await;
    let rig = Rig::new(open_site(script.upstream.clone()), quick()).await;
    let said = rig.ask("GET / HTTP/1.1\r\n{host}\r\n\r\n").await;
    assert!(said.starts_with("HTTP/1.1 200") && said.ends_with("the answer"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_upstream_cannot_set_our_cookie_and_its_others_are_not_merged() {
    let script = Script::run(|mut upstream, _| async move {
        while upstream.head().await.is_some() {
            upstream
                .say(
                    "HTTP/1.0 200 OK\r\nSet-Cookie: x=1, 2\r\nSet-Cookie: vestibule-8080=evil; Path=/\r\nSet-Cookie: y=3\r\n\
                     Connection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nCache-Control: public, max-age=9\r\n\
                     Content-Length: 2\r\n\r\nok",
                )
                .await;
        }
    })
    .await;
    let rig = Rig::new(open_site(script.upstream.clone()), quick()).await;
    let said = rig.ask("GET / HTTP/1.1\r\n{host}\r\n{cookie}\r\n\r\n").await;
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    assert!(said.contains("set-cookie: x=1, 2\r\n") && said.contains("set-cookie: y=3\r\n"), "{said}");
    assert!(!said.contains("evil") && !said.contains("x-hop") && !said.contains("timeout=5"), "{said}");
    assert!(said.contains("cache-control: private, max-age=9\r\n"), "{said}");
    let anonymous = rig.ask("GET / HTTP/1.1\r\n{host}\r\n\r\n").await;
    assert!(anonymous.contains("cache-control: public, max-age=9\r\n"), "{anonymous}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_head_of_head_keeps_its_length() {
    let script = Script::run(|mut upstream, _| async move {
        while upstream.head().await.is_some() {
            upstream.say("HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n").await;
        }
    })
    .await;
    let rig = Rig::new(open_site(script.upstream.clone()), quick()).await;
    for _ in 0..2 {
        let said = rig.ask("HEAD / HTTP/1.1\r\n{host}\r\n\r\n").await;
        assert!(said.contains("content-length: 1234\r\n") && said.ends_with("\r\n\r\n"), "{said}");
    }
    assert_eq!(script.accepted(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_demo_shows_the_request_an_upstream_would_get() {
    let rig = Rig::new(open_site(Upstream::Demo), quick()).await;
    let said = rig
        .ask("POST /x?y=1 HTTP/1.1\r\n{host}\r\n{cookie}\r\nRemote_User: root\r\nAccept: application/json\r\nContent-Length: 3\r\n\r\nabc")
        .await;
    let seen: serde_json::Value = serde_json::from_str(said.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!(seen["target"], "/x?y=1");
    assert_eq!(seen["body_bytes"], 3);
    let fields = seen["fields"].to_string();
    assert!(fields.contains(r#"["remote-user","ada"]"#) && !fields.contains("root"), "{fields}");
    let page = rig.ask("GET / HTTP/1.1\r\n{host}\r\nAccept: text/html\r\n\r\n").await;
    assert!(page.contains("text/html") && page.contains("<html"), "{page}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_large_body_passes_both_ways() {
    let script = Script::run(|mut upstream, _| async move {
        use tokio::io::AsyncReadExt;
        upstream.head().await.unwrap();
        upstream.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        let mut piece = vec![0; 64 << 10];
        let mut total = 0;
        while total < 32 << 20 {
            let early = upstream.early();
            let count = if early.is_empty() {
                upstream.stream.read(&mut piece).await.unwrap()
            } else {
                piece[..early.len()].copy_from_slice(&early);
                early.len()
            };
            if count == 0 {
                break;
            }
            total += count;
            upstream.say(&format!("{count:x}\r\n")).await;
            upstream.stream.write_all(&piece[..count]).await.unwrap();
            upstream.say("\r\n").await;
        }
        upstream.say("0\r\n\r\n").await;
    })
    .await;
    let site = Site { body: Some(ByteLimit::AtMost(64 << 20)), ..open_site(script.upstream.clone()) };
    let rig = Rig::new(site, quick()).await;
    let mut stream = rig.open().await;
    let head = rig.fill("POST / HTTP/1.1\r\n{host}\r\nContent-Length: 33554432\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let (reader, mut writer) = stream.into_split();
    let sent = tokio::spawn(async move {
        let piece = vec![b'x'; 1 << 20];
        for _ in 0..32 {
            writer.write_all(&piece).await.unwrap();
        }
        writer
    });
    let mut reader = reader;
    let mut all = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut reader, &mut all).await.unwrap();
    drop(sent.await.unwrap());
    let count = all.iter().filter(|&&byte| byte == b'x').count();
    assert!(count >= 32 << 20, "{count}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_request_by_http2_arrives_as_the_same_by_http1() {
    let script = mirror().await;
    let rig = Rig::new(open_site(script.upstream.clone()), quick()).await;
    let stream = hyper_util::rt::TokioIo::new(rig.open().await);
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, stream).await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::get(format!("http://localhost:{}/two?x", rig.address.port()))
        .header("cookie", "a=1")
        .header("cookie", &rig.cookie)
        .header("cookie", "b=2")
        .header("remote_user", "root")
        .header("te", "trailers")
        .body(String::new())
        .unwrap();
    let answer = sender.send_request(request).await.unwrap();
    let said = http_body_util::BodyExt::collect(answer.into_body()).await.unwrap().to_bytes();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(said.starts_with("GET /two?x HTTP/1.1\r\n"), "{said}");
    assert!(said.contains("\r\ncookie: a=1; b=2\r\n") && said.contains("\r\nremote-user: ada\r\n"), "{said}");
    assert!(said.contains(&format!("\r\nhost: localhost:{}\r\n", rig.address.port())), "{said}");
    assert!(!said.contains("root") && !said.contains("\r\nte:"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_upload_goes_on_while_nobody_reads_its_answer() {
    const ANSWER: usize = 8 << 20;
    const UPLOAD: usize = 16 << 20;
    let script = Script::run(|upstream, _| async move {
        let mut upstream = upstream;
        upstream.head().await.unwrap();
        let early = upstream.early().len();
        let (mut reader, mut writer) = upstream.stream.into_split();
        let answer = async {
            writer.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {ANSWER}\r\n\r\n").as_bytes()).await.unwrap();
            writer.write_all(&vec![b'y'; ANSWER - 1]).await.unwrap();
        };
        let upload = async {
            let (mut piece, mut left) = (vec![0; 64 << 10], UPLOAD - early);
            while left > 0 {
                left -= tokio::io::AsyncReadExt::read(&mut reader, &mut piece).await.unwrap();
            }
        };
        tokio::join!(answer, upload);
        // A whole answer would end the upload.
        writer.write_all(b"y").await.unwrap();
    })
    .await;
    let rig = Rig::new(open_site(script.upstream.clone()), crate::config::limits::Limits::default()).await;
    let mut stream = rig.open().await;
    let head = rig.fill(&format!("POST / HTTP/1.1\r\n{{host}}\r\nContent-Length: {UPLOAD}\r\n\r\n"));
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&vec![b'x'; UPLOAD]).await.unwrap();
    let said = to_end(&mut stream).await;
    assert_eq!(said.bytes().filter(|&byte| byte == b'y').count(), ANSWER);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_answer_waits_for_its_upload_as_long_as_that_moves() {
    let script = Script::run(|mut upstream, _| async move {
        upstream.head().await.unwrap();
        upstream.say("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n").await;
        upstream.until("end").await.unwrap();
        upstream.say("thanks").await;
    })
    .await;
    let second = std::time::Duration::from_secs(1);
    let limits = crate::config::limits::Limits { upstream_stall: second, idle_timeout: 5 * second, ..quick() };
    let rig = Rig::new(open_site(script.upstream.clone()), limits).await;
    let mut stream = rig.open().await;
    stream.write_all(rig.fill("POST / HTTP/1.1\r\n{host}\r\nContent-Length: 9\r\n\r\n").as_bytes()).await.unwrap();
    for piece in ["on", "ce", "up", "end"] {
        tokio::time::sleep(second * 2 / 5).await;
        stream.write_all(piece.as_bytes()).await.unwrap();
    }
    assert!(to_end(&mut stream).await.ends_with("thanks"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_answer_before_the_end_of_an_upload_arrives() {
    let script = Script::run(|mut upstream, _| async move {
        upstream.head().await.unwrap();
        upstream.say("HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 4\r\n\r\nmuch").await;
    })
    .await;
    let rig = Rig::new(open_site(script.upstream.clone()), quick()).await;
    let mut stream = rig.open().await;
    let head = rig.fill("POST / HTTP/1.1\r\n{host}\r\nContent-Length: 100000000\r\n\r\nbegun");
    stream.write_all(head.as_bytes()).await.unwrap();
    let said = to_end(&mut stream).await;
    assert!(said.starts_with("HTTP/1.1 413") && said.ends_with("much"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_body_that_waits_for_100_is_asked_for_and_arrives() {
    let script = Script::run(|mut upstream, _| async move {
        let head = upstream.head().await.unwrap();
        let body = upstream.until("lo").await.unwrap();
        upstream.echo(&format!("{head}{body}")).await;
    })
    .await;
    let rig = Rig::new(open_site(script.upstream.clone()), quick()).await;
    let mut stream = rig.open().await;
    let head = rig.fill("POST / HTTP/1.1\r\n{host}\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut said = [0; 25];
    tokio::io::AsyncReadExt::read_exact(&mut stream, &mut said).await.unwrap();
    assert_eq!(&said, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"hello").await.unwrap();
    let said = to_end(&mut stream).await;
    assert!(said.starts_with("HTTP/1.1 200") && said.ends_with("hello"), "{said}");
    assert!(!said.to_lowercase().contains("expect:"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_upstream_is_no_faster_than_its_client() {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };
    let sent = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    let script = Script::run(move |mut upstream, _| {
        let count = Arc::clone(&count);
        async move {
            upstream.head().await;
            upstream.say("HTTP/1.1 200 OK\r\n\r\n").await;
            let piece = vec![b'x'; 64 << 10];
            while upstream.stream.write_all(&piece).await.is_ok() {
                count.fetch_add(piece.len(), Ordering::SeqCst);
            }
        }
    })
    .await;
    let rig = Rig::new(open_site(script.upstream.clone()), crate::config::limits::Limits::default()).await;
    let mut stream = rig.open().await;
    stream.write_all(rig.fill("GET / HTTP/1.1\r\n{host}\r\n\r\n").as_bytes()).await.unwrap();
    let mut first = [0; 16];
    tokio::io::AsyncReadExt::read_exact(&mut stream, &mut first).await.unwrap();
    // Whatever the sockets hold between them; then nothing moves.
    let (mut before, began) = (usize::MAX, std::time::Instant::now());
    while sent.load(Ordering::SeqCst) != before {
        assert!(began.elapsed() < std::time::Duration::from_secs(10), "{before} bytes and no end");
        before = sent.load(Ordering::SeqCst);
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
    assert!(before < 32 << 20, "{before} bytes wait for somebody who reads nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn large_and_small_chunks_of_an_upload_arrive_byte_for_byte() {
    let script = Script::run(|mut upstream, _| async move {
        upstream.head().await.unwrap();
        let mut body = String::new();
        loop {
            let line = upstream.until("\r\n").await.unwrap();
            let size = usize::from_str_radix(line.trim_end(), 16).unwrap();
            while upstream.unread() < size + 2 {
                upstream.more().await;
            }
            let data = upstream.until("\r\n").await.unwrap();
            assert_eq!(data.len(), size + 2, "a chunk is as long as it says");
            if size == 0 {
                break;
            }
            body.push_str(data.trim_end());
        }
        upstream.echo(&body).await;
    })
    .await;
    let rig = Rig::new(open_site(script.upstream.clone()), quick()).await;
    let sizes = [200 << 10, 1, 4096, 4097, 17, 70_000];
    let mut stream = rig.open().await;
    stream
        .write_all(rig.fill("POST / HTTP/1.1\r\n{host}\r\nTransfer-Encoding: chunked\r\n\r\n").as_bytes())
        .await
        .unwrap();
    let mut whole = String::new();
    for (letter, size) in ('a'..).zip(sizes) {
        let piece = letter.to_string().repeat(size);
        stream.write_all(format!("{size:x}\r\n{piece}\r\n").as_bytes()).await.unwrap();
        whole.push_str(&piece);
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    let said = to_end(&mut stream).await;
    assert!(said.split("\r\n\r\n").nth(1) == Some(whole.as_str()), "{} bytes came back", said.len());
}
