//! What every suite stands on: the program, a client, an upstream, services.

pub mod chromium;
pub mod client;
pub mod clock;
pub mod frames;
pub mod html;
pub mod key;
pub mod mailbox;
pub mod people;
pub mod program;
pub mod raw;
pub mod services;
pub mod streams;
pub mod strict_mail;
pub mod upstream;

use std::{
    net::{SocketAddr, TcpListener},
    time::{Duration, Instant},
};

/// What is promised within a second: a loaded machine gets more, since timings decide no test.
pub const PROMPTLY: Duration = Duration::from_secs(3);

/// A free loopback port. Kept open until several were picked, so that two calls never give the same.
pub fn free_ports<const N: usize>() -> [u16; N] {
    let listeners: [TcpListener; N] = std::array::from_fn(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

/// A loopback address.
pub fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// Polls until `found` gives something; panics with `what` after `within`.
pub async fn eventually<T>(what: &str, within: Duration, mut found: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = found().await {
            return value;
        }
        assert!(start.elapsed() < within, "waited {within:?} for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
