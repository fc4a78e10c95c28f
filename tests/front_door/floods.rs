//! SCENARIO 40 on HTTP/2: floods, windows that never open, heads that trickle in.

use std::{cell::Cell, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, tcp::OwnedReadHalf},
};

use crate::support::{
    client::Browser,
    frames::{PREFACE, frame, literal},
    program::{Program, Setup},
};

#[tokio::test]
async fn http2_streams_that_are_never_read_do_not_hold_a_connection_for_ever() {
    let mut setup = Setup::demo();
    setup.limits = "idle_timeout = \"1s\"\n".into();
    let program = setup.start().await;
    program.ready().await;
    let mut socket = TcpStream::connect(program.http).await.unwrap();
    let fields = [
        literal(":method", "GET"),
        literal(":scheme", "http"),
        literal(":path", "/.auth/login"),
        literal(":authority", &format!("localhost:{}", program.http.port())),
    ];
    // SETTINGS_INITIAL_WINDOW_SIZE = 0
    let settings = frame(4, 0, 0, &[0, 4, 0, 0, 0, 0]);
    let opening = [PREFACE, &settings, &frame(1, 5, 1, &fields.concat())].concat();
    socket.write_all(&opening).await.unwrap();
    let cut = async {
        let mut part = [0; 4096];
        while socket.read(&mut part).await.is_ok_and(|count| count > 0) {}
    };
    tokio::time::timeout(Duration::from_secs(20), cut).await.expect("the connection is still open");
}

#[tokio::test]
async fn a_head_that_trickles_in_over_http2_does_not_hold_a_connection() {
    let mut setup = Setup::demo();
    setup.limits = "idle_timeout = \"1s\"\n".into();
    let program = setup.start().await;
    program.ready().await;
    let (read, mut write) = opened(&program).await;
    // HEADERS without END_HEADERS, said to be longer than what ever comes.
    write.write_all(&[0, 0x20, 0, 1, 1, 0, 0, 0, 1]).await.unwrap();
    let trickle = async {
        while write.write_all(&[0]).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        std::future::pending::<()>().await;
    };
    let cut = tokio::time::timeout(Duration::from_secs(15), to_its_end(read));
    tokio::select! {
        cut = cut => cut.expect("the connection is still open"),
        () = trickle => {}
    }
}

/// The frame of a flood with that number.
type Flood<'a> = &'a dyn Fn(u32) -> Vec<u8>;

/// A connection with the preface and empty settings sent.
async fn opened(program: &Program) -> (OwnedReadHalf, tokio::net::tcp::OwnedWriteHalf) {
    let mut socket = TcpStream::connect(program.http).await.unwrap();
    let opening = [PREFACE, &frame(4, 0, 0, &[])].concat();
    socket.write_all(&opening).await.unwrap();
    socket.into_split()
}

async fn to_its_end(mut read: OwnedReadHalf) {
    let mut part = vec![0; 16 << 10];
    while read.read(&mut part).await.is_ok_and(|count| count > 0) {}
}

/// Resident memory of the program, in bytes.
fn resident(program: &Program) -> u64 {
    let statm = std::fs::read_to_string(format!("/proc/{}/statm", program.pid())).unwrap();
    statm.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

#[tokio::test]
async fn http2_floods_end_their_connection_while_everybody_else_is_served() {
    let program = Setup::demo().start().await;
    program.ready().await;
    let mut other = Browser::new(&program);
    other.get("/.auth/login").await.expect(200);
    let ask = [
        literal(":method", "GET"),
        literal(":scheme", "http"),
        literal(":path", "/.auth/login"),
        literal(":authority", &format!("localhost:{}", program.http.port())),
    ]
    .concat();
    let reset = |number: u32| [frame(1, 5, 2 * number + 1, &ask), frame(3, 0, 2 * number + 1, &[0, 0, 0, 8])].concat();
    let endless = |number: u32| if number == 0 { frame(1, 1, 1, &ask) } else { frame(9, 0, 1, &[]) };
    let empty = |number: u32| if number == 0 { frame(1, 4, 1, &ask) } else { frame(0, 0, 1, &[]) };
    let kinds: [(&str, Flood<'_>); 8] = [
        ("pings", &|_| frame(6, 0, 0, &[7; 8])),
        ("settings", &|_| frame(4, 0, 0, &[])),
        ("settings that change", &|number| frame(4, 0, 0, &[0, 4, 0, 0, (number & 0x7f) as u8, 0])),
        ("priorities", &|number| frame(2, 0, 2 * number + 1, &[0, 0, 0, 0, 16])),
        ("window updates", &|_| frame(8, 0, 0, &[0, 0, 0, 1])),
        ("empty data", &empty),
        ("resets", &reset),
        ("continuations", &endless),
    ];
    let before = resident(&program);
    for (kind, flood) in kinds {
        let over = Cell::new(false);
        // The flood goes on, on one connection after the other, until others were served meanwhile.
        let flooding = async {
            while !over.get() {
                flood_until_cut_off(&program, kind, flood).await;
            }
        };
        let others = async {
            for _ in 0..3 {
                let served = tokio::time::timeout(Duration::from_secs(10), other.get("/.auth/login")).await;
                served.unwrap_or_else(|_| panic!("nobody else is served during a flood of {kind}")).expect(200);
            }
            over.set(true);
        };
        tokio::join!(flooding, others);
    }
    let grown = resident(&program).saturating_sub(before);
    assert!(grown < 32 << 20, "memory grew by {grown} bytes");
}

async fn flood_until_cut_off(program: &Program, kind: &str, flood: Flood<'_>) {
    let (read, mut write) = opened(program).await;
    let drained = tokio::spawn(to_its_end(read));
    for batch in 0..200 {
        let frames: Vec<u8> = (0..100).flat_map(|number| flood(batch * 100 + number)).collect();
        if write.write_all(&frames).await.is_err() {
            break;
        }
    }
    let ended = tokio::time::timeout(Duration::from_secs(10), drained).await;
    assert!(ended.is_ok(), "a flood of {kind} goes on");
}
