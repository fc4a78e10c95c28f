//! One connection: handshake, protocol, requests.
//!
//! TLS says its protocol by ALPN; plain connections that begin with the HTTP/2 preface speak HTTP/2 (RFC 9113 §3.3).

use std::{convert::Infallible, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Request, Version, header};
use http_body::{Body, Frame, SizeHint};
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::{
    Service,
    flood::FrameMeter,
    io::Watched,
    watch::{Graceful, LAST_REQUEST, Late, Patience, Progress, Serving, supervise},
};
use crate::{
    config::limits::Limits,
    inbound::{
        Connection, Tls,
        answer::{Answer, BodyError, Outgoing},
    },
};

/// Why a connection did not end of its own accord.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    #[error("the socket broke off")]
    Socket(#[from] std::io::Error),
    #[error("the handshake did not come in time")]
    Handshake,
    #[error(transparent)]
    Late(#[from] Late),
    #[error("not HTTP, or broken off")]
    Http(#[from] hyper::Error),
}

/// A data thread's service and hyper's settings.
pub(super) struct Server<S> {
    service: Arc<S>,
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
    head: Duration,
    idle: Duration,
    stopping: CancellationToken,
}

impl<S: Service> Server<S> {
    pub fn new(service: S, limits: &Limits, stopping: CancellationToken) -> Self {
        Self {
            service: Arc::new(service),
            http1: http1(limits),
            http2: http2(limits),
            head: limits.head_timeout,
            idle: limits.idle_timeout,
            stopping,
        }
    }

    /// Serves one socket to its end.
    pub async fn serve(&self, stream: TcpStream, peer: SocketAddr, tls: Option<TlsAcceptor>) -> Result<(), Ended> {
        let mut connection = Connection { peer: canonical(peer), local: canonical(stream.local_addr()?), tls: None };
        let Some(acceptor) = tls else {
            let http2 = tokio::select! {
                http2 = timeout(self.head, speaks_http2(&stream)) => http2.map_err(|_| Ended::Handshake)??,
                () = self.too_late() => return Ok(()),
            };
            return self.speak(stream, connection, http2).await;
        };
        let stream = timeout(self.head, acceptor.accept(stream)).await.map_err(|_| Ended::Handshake)??;
        let session = stream.get_ref().1;
        let http2 = session.alpn_protocol() == Some(b"h2");
        let server_name = session.server_name().map(|name| name.to_ascii_lowercase().into());
        connection.tls = Some(Tls { server_name });
        self.speak(stream, connection, http2).await
    }

    /// Stopped, and the time for a last request is over.
    async fn too_late(&self) {
        self.stopping.cancelled().await;
        sleep(LAST_REQUEST).await;
    }

    async fn speak<T>(&self, stream: T, connection: Connection, http2: bool) -> Result<(), Ended>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let progress = Arc::new(Progress::new());
        let service = service_fn({
            let (service, progress) = (Arc::clone(&self.service), Arc::clone(&progress));
            let connection = Arc::new(connection);
            move |request| {
                let serving = Serving::begin(&progress);
                answer(Arc::clone(&service), request, Arc::clone(&connection), Arc::clone(&progress), serving)
            }
        });
        let frames = http2.then(|| FrameMeter::new(std::time::Instant::now()));
        let io = TokioIo::new(Watched::new(stream, Arc::clone(&progress), frames));
        let head = (!http2).then_some(self.head);
        let patience = Patience { head, idle: self.idle };
        if http2 {
            supervise(self.http2.serve_connection(io, service), &progress, patience, &self.stopping).await??;
        } else {
            let connection = self.http1.serve_connection(io, service).with_upgrades();
            supervise(connection, &progress, patience, &self.stopping).await??;
        }
        Ok(())
    }
}

async fn answer<S: Service>(
    service: Arc<S>,
    request: Request<Incoming>,
    connection: Arc<Connection>,
    progress: Arc<Progress>,
    serving: Serving,
) -> Result<http::Response<Served>, Infallible> {
    let version = request.version();
    let mut answer: Answer = service.serve(request, &connection).await;
    let upgraded = answer.status() == http::StatusCode::SWITCHING_PROTOCOLS;
    if progress.closing() && version < Version::HTTP_2 && !upgraded {
        answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    // HTTP/1 has one answer at a time, and a blocked write says the same of it.
    let offer = (version >= Version::HTTP_2 && !answer.body().is_end_stream()).then(|| Offer::new(progress));
    Ok(answer.map(|body| Served { body, rest: Bytes::new(), _serving: serving, offer }))
}

/// A body whose request is open until its last byte.
struct Served {
    body: Outgoing,
    /// What of the last piece HTTP/2 has still to be given.
    rest: Bytes,
    _serving: Serving,
    offer: Option<Offer>,
}

/// On HTTP/2 a body is asked for more only when its stream has room: between two askings the client reads, or does not.
struct Offer {
    progress: Arc<Progress>,
    open: bool,
}

impl Offer {
    fn new(progress: Arc<Progress>) -> Self {
        progress.offered();
        Self { progress, open: true }
    }

    fn set(&mut self, open: bool) {
        if open != self.open {
            self.open = open;
            if open { self.progress.offered() } else { self.progress.taken() }
        }
    }
}

impl Drop for Offer {
    fn drop(&mut self) {
        self.set(false);
    }
}

impl Body for Served {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Self { body, rest, offer, .. } = &mut *self;
        let Some(offer) = offer else { return Pin::new(body).poll_frame(cx) };
        let frame = match rest.is_empty() {
            true => Pin::new(body).poll_frame(cx).map_ok(|frame| piece(frame, rest)),
            false => std::task::Poll::Ready(Some(Ok(piece(Frame::data(std::mem::take(rest)), rest)))),
        };
        offer.set(false);
        offer.set(matches!(frame, std::task::Poll::Ready(Some(Ok(_)))));
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.rest.is_empty() { self.body.size_hint() } else { SizeHint::default() }
    }
}

/// As much as shows, by the next asking, that a slow client reads: a piece of an upstream's may be half a megabyte.
fn piece(frame: Frame<Bytes>, rest: &mut Bytes) -> Frame<Bytes> {
    match frame.into_data() {
        Ok(mut data) => {
            *rest = data.split_off(data.len().min(PIECE));
            Frame::data(data)
        }
        Err(frame) => frame,
    }
}

/// Looks at the first bytes without taking them. No request line begins with `PRI * HTTP/2.0`.
async fn speaks_http2(stream: &TcpStream) -> std::io::Result<bool> {
    let mut seen = [0; PREFACE.len()];
    let mut pause = Duration::from_millis(5);
    loop {
        let count = stream.peek(&mut seen).await?;
        match seen.get(..count) {
            Some(bytes) if count > 0 && PREFACE.starts_with(bytes) => {
                if count == PREFACE.len() {
                    return Ok(true);
                }
            }
            _ => return Ok(false),
        }
        // The preface in pieces; peeking does not wait for more than is there. Ever longer: many who send a `P` and wait must
        // not keep us looking.
        sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(500));
    }
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

fn http1(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        // `watch` knows heads from idleness; hyper's timer does not.
        .header_read_timeout(None)
        .max_header_size(limits.head)
        .max_buf_size(limits.head.saturating_add(1024).max(64 << 10));
    builder
}

fn http2(limits: &Limits) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(limits.head).unwrap_or(u32::MAX))
        .max_concurrent_streams(128)
        // CVE-2023-44487, CVE-2025-8671: resets that cost us work.
        .max_pending_accept_reset_streams(32)
        .max_local_error_reset_streams(128)
        .adaptive_window(false)
        .initial_stream_window_size(256 << 10)
        .initial_connection_window_size(1 << 20)
        .max_send_buf_size(64 << 10)
        .keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(20));
    builder
}

impl<I, S, B> Graceful for http1::UpgradeableConnection<I, S>
where
    S: hyper::service::HttpService<Incoming, ResBody = B>,
    S::Error: Into<BodyError>,
    I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
    B: Body + 'static,
    B::Error: Into<BodyError>,
{
    fn shut_down(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<I, S, B, E> Graceful for http2::Connection<I, S, E>
where
    S: hyper::service::HttpService<Incoming, ResBody = B>,
    S::Error: Into<BodyError>,
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
    B: Body + 'static,
    B::Error: Into<BodyError>,
    E: hyper::rt::bounds::Http2ServerConnExec<S::Future, B>,
{
    fn shut_down(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

const PIECE: usize = 16 << 10;
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
