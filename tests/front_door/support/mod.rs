//! What every suite stands on: the program, a client, an upstream, services.

pub mod chromium;
pub mod client;
pub mod clock;
pub mod frames;
pub mod html;
pub mod key;
pub mod mailbox;
pub mod nodes;
pub mod people;
pub mod ports;
pub mod program;
pub mod raw;
pub mod services;
pub mod streams;
pub mod strict_mail;
pub mod upstream;

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

/// What is promised within a second: a loaded machine gets more, since timings decide no test.
pub const PROMPTLY: Duration = Duration::from_secs(10);

/// Free loopback ports, each given once.
pub fn free_ports<const N: usize>() -> [u16; N] {
    std::array::from_fn(|_| ports::free_port().expect("a free port"))
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
