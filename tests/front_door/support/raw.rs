//! Bytes on a socket, for requests no library would send.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// Sends bytes and reads until the peer closes or is silent for `quiet`. (What came, whether it closed).
pub async fn exchange(to: SocketAddr, bytes: &[u8], quiet: Duration) -> (String, bool) {
    let mut socket = TcpStream::connect(to).await.unwrap();
    // The peer may close while we still write: what it said counts.
    let _ = socket.write_all(bytes).await;
    read_until_quiet(&mut socket, quiet).await
}

/// Reads until the peer closes or is silent for `quiet`.
pub async fn read_until_quiet(socket: &mut TcpStream, quiet: Duration) -> (String, bool) {
    let mut all = Vec::new();
    let mut part = [0; 16 * 1024];
    let closed = loop {
        match timeout(quiet, socket.read(&mut part)).await {
            Ok(Ok(0) | Err(_)) => break true,
            Ok(Ok(count)) => all.extend_from_slice(&part[..count]),
            Err(_) => break false,
        }
    };
    (String::from_utf8_lossy(&all).into_owned(), closed)
}

/// The status codes of the answers in what came.
pub fn statuses(came: &str) -> Vec<u16> {
    came.split("HTTP/1.").skip(1).filter_map(|answer| answer.get(2..5)?.parse().ok()).collect()
}
