//! Connections between requests, kept without what HTTP/1.1 needs for one.
//!
//! hyper holds two buffers of 8 KiB as long as its connection lives. A browser's lives for a minute after its last request:
//! so it is taken apart after [`PARK`], and put together again around the same socket when bytes come.

use std::{
    future::poll_fn,
    io,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::{sleep_until, timeout},
};
use tokio_rustls::server::TlsStream;

use super::{
    stop::Stop,
    watch::{LAST_REQUEST, Patience, Progress},
};

/// A socket that can be waited for without being read.
pub(super) trait Socket: AsyncRead + AsyncWrite + Unpin + Send + Sync + 'static {
    /// Ready when there is something to read: bytes, the end, or an error. True only of one whose last read was pending.
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

impl Socket for TcpStream {
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_read_ready(cx)
    }
}

/// Boxed: a session is large, and moves from hand to hand.
impl Socket for Box<TlsStream<TcpStream>> {
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A read that was pending left nothing in the session.
        self.get_ref().0.poll_read_ready(cx)
    }
}

/// What ended the rest of a parked connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Woken {
    /// Something came.
    Readable,
    /// Nothing came in time.
    Late,
}

/// Waits for the next request: `patience.idle` after the last one, and [`LAST_REQUEST`] after `stop`.
pub(super) async fn wait(socket: &impl Socket, progress: &Progress, patience: Patience, stop: &Stop) -> Woken {
    // What is wrong with a socket is for its reader to find.
    let readable = || poll_fn(|cx| socket.poll_readable(cx));
    tokio::select! {
        biased;
        _ = readable() => {}
        () = stop.heard() => {
            progress.close();
            if timeout(LAST_REQUEST, readable()).await.is_err() {
                return Woken::Late;
            }
        }
        () = sleep_until(progress.idle_until(patience)) => return Woken::Late,
    }
    if stop.was_said() {
        progress.close();
    }
    Woken::Readable
}

/// How long nothing is served before a connection is parked: the pause between a page and what it fetches is shorter.
pub(super) const PARK: Duration = Duration::from_secs(1);
