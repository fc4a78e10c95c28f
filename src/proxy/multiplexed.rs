//! HTTP/2 towards an upstream: one connection, many streams (RFC 9113), tunnels by extended CONNECT (RFC 8441).
//!
//! A stream's window times the streams we open fits into the connection's window: a client that reads slowly holds up
//! nobody else, and what one connection can hold in memory is bounded.

use std::{
    error::Error,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use http::Request;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Notify,
    time::{Instant, sleep},
};
use tracing::debug;

use super::body::ClientBody;

/// One connection.
pub(super) struct Link {
    sender: SendRequest<ClientBody>,
    opened: Instant,
    streams: AtomicUsize,
    said: Arc<Said>,
    /// The upstream closes it, or broke a rule on it.
    spent: AtomicBool,
}

/// What the upstream allows, as far as its settings were looked at.
struct Said {
    streams: AtomicUsize,
    /// Extended CONNECT.
    tunnels: AtomicBool,
    /// Settings arrive without waking anybody: this asks for another look.
    look: Notify,
}

/// One stream of it, open until dropped.
pub(super) struct Stream {
    link: Arc<Link>,
    sender: SendRequest<ClientBody>,
}

/// Shakes hands. The connection ends when nobody holds it any more.
///
/// # Errors
/// The socket broke off.
pub(super) async fn open<T>(stream: T) -> hyper::Result<Arc<Link>>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, mut connection) = builder().handshake(TokioIo::new(stream)).await?;
    let said =
        Arc::new(Said { streams: AtomicUsize::new(STREAMS), tunnels: AtomicBool::new(false), look: Notify::new() });
    let settings = Arc::clone(&said);
    tokio::spawn(async move {
        let mut look = pin!(settings.look.notified());
        let ended = poll_fn(|cx| {
            while look.as_mut().poll(cx).is_ready() {
                look.set(settings.look.notified());
            }
            let polled = Pin::new(&mut connection).poll(cx);
            settings.streams.store(connection.current_max_send_streams(), Relaxed);
            settings.tunnels.store(connection.is_extended_connect_protocol_enabled(), Relaxed);
            polled
        })
        .await;
        if let Err(error) = ended {
            debug!(%error, "an upstream connection ended");
        }
    });
    let streams = AtomicUsize::new(0);
    Ok(Arc::new(Link { sender, opened: Instant::now(), streams, said, spent: AtomicBool::new(false) }))
}

fn builder() -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .initial_max_send_streams(STREAMS)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW * 128)
        .max_send_buf_size(64 << 10)
        .max_header_list_size(64 << 10)
        // A stream that waits for ever must find out that the other end vanished.
        .keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(20));
    builder
}

impl Link {
    /// Open streams.
    pub fn load(&self) -> usize {
        self.streams.load(Relaxed)
    }

    /// Whether another stream may be opened without waiting.
    pub fn has_room(&self) -> bool {
        self.load() < self.said.streams.load(Relaxed).min(STREAMS)
    }

    /// Whether it takes new streams: not after GOAWAY.
    pub fn lives(&self) -> bool {
        !self.sender.is_closed() && !self.spent.load(Relaxed)
    }

    /// No more requests on it; what is open may finish.
    pub fn retire(&self) {
        self.spent.store(true, Relaxed);
    }

    /// A place for one request.
    pub fn stream(self: &Arc<Self>) -> Stream {
        self.streams.fetch_add(1, Relaxed);
        Stream { link: Arc::clone(self), sender: self.sender.clone() }
    }

    /// Whether a WebSocket may go through it. A server says so in its first frame, which a new connection has to wait for.
    pub async fn tunnels(&self) -> bool {
        loop {
            let late = self.opened.elapsed() > SETTLED;
            if self.said.tunnels.load(Relaxed) {
                return true;
            }
            self.said.look.notify_one();
            sleep(LOOK).await;
            if late {
                return self.said.tunnels.load(Relaxed);
            }
        }
    }
}

impl Stream {
    /// Sends a request of HTTP/2 form: scheme and authority stand in its URI.
    pub fn send(
        &mut self,
        request: Request<ClientBody>,
    ) -> impl Future<Output = Result<http::Response<hyper::body::Incoming>, Unsent>> + use<> {
        self.sender.try_send_request(request)
    }

    /// See [`Link::tunnels`].
    pub async fn tunnels(&self) -> bool {
        self.link.tunnels().await
    }

    /// No more requests on the connection below.
    pub fn retire(&self) {
        self.link.retire();
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.link.streams.fetch_sub(1, Relaxed);
    }
}

/// What HTTP/2 has to say about it.
pub(super) fn http2_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a h2::Error> {
    error.downcast_ref::<hyper::Error>()?.source()?.downcast_ref()
}

/// Whether the upstream promises that it has done nothing with the request (RFC 9113 §8.7).
pub(super) fn untouched(error: &hyper::Error) -> bool {
    http2_error(error).is_some_and(|error| match error.reason() {
        Some(h2::Reason::REFUSED_STREAM) => error.is_remote(),
        Some(h2::Reason::NO_ERROR) => error.is_remote() && error.is_go_away(),
        _ => false,
    })
}

/// With the request itself, when none of it was sent.
pub(super) type Unsent = hyper::client::conn::TrySendError<Request<ClientBody>>;

/// Most streams on one connection; common servers allow 100 to 128.
const STREAMS: usize = 100;
/// Bytes an upstream may send on a stream that nobody reads.
const WINDOW: u32 = 128 << 10;
const LOOK: Duration = Duration::from_millis(5);
/// A server that has not allowed tunnels by then does not.
const SETTLED: Duration = Duration::from_secs(1);
