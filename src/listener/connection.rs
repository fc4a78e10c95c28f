//! One connection: who it is, handshake, protocol, requests.
//!
//! TLS says its protocol by ALPN; plain connections that begin with the HTTP/2 preface speak HTTP/2 (RFC 9113 §3.3).

use std::{net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http_body::Body;
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::{HttpService, service_fn},
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use ipnet::IpNet;
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;

use super::{
    Service,
    flood::FrameMeter,
    io::Watched,
    park::{self, PARK, Socket, Woken},
    proxy_protocol,
    request::{Host, Serving, answer},
    stop::Stop,
    thread::Place,
    watch::{CLOSE, Graceful, LAST_REQUEST, Late, Left, Patience, supervise},
};
use crate::{
    config::limits::Limits,
    inbound::{Connection, Received, Tls, answer::BodyError},
    telemetry::metrics::Gauge,
};

/// Why a connection did not end of its own accord.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    #[error("the socket broke off")]
    Socket(#[from] std::io::Error),
    #[error("the handshake did not come in time")]
    Handshake,
    #[error("no PROXY protocol header came, though the peer is one of listen.proxy_protocol")]
    ProxyProtocol(#[source] std::io::Error),
    #[error(transparent)]
    Late(#[from] Late),
    #[error("not HTTP, or broken off")]
    Http(#[from] hyper::Error),
}

/// What holds for every connection of every thread.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    pub limits: Limits,
    /// Networks whose connections begin with a PROXY protocol header.
    pub proxies: Arc<[IpNet]>,
    pub stop: Stop,
    /// Open ones, for the metrics.
    pub connections: Gauge,
    /// Those of them that are parked.
    pub parked: Gauge,
}

/// A data thread's service and hyper's settings.
pub(super) struct Server<S> {
    service: Arc<S>,
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
    terms: Terms,
}

impl<S: Service> Server<S> {
    pub fn new(service: S, terms: Terms) -> Self {
        let (http1, http2) = (http1(&terms.limits), http2(&terms.limits));
        Self { service: Arc::new(service), http1, http2, terms }
    }

    /// Serves one socket to its end.
    ///
    /// In two boxes: what the handshake needs is gone before hours of serving begin, and each protocol takes its own room.
    pub async fn serve(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        tls: Option<TlsAcceptor>,
        place: Place,
    ) -> Result<(), Ended> {
        let opened = Box::pin(self.open(stream, peer, tls, place)).await?;
        match opened {
            Some(speaking) => speaking.await,
            None => Ok(()),
        }
    }

    /// Everything before the first request. `None`: stopped before there was one.
    async fn open(
        &self,
        mut stream: TcpStream,
        peer: SocketAddr,
        tls: Option<TlsAcceptor>,
        place: Place,
    ) -> Result<Option<Speaking<'_>>, Ended> {
        let peer = tokio::select! {
            peer = self.peer(&mut stream, canonical(peer)) => peer?,
            () = self.too_late() => return Ok(None),
        };
        let Some(acceptor) = tls else {
            let http2 = tokio::select! {
                http2 = timeout(self.terms.limits.head_timeout, speaks_http2(&stream)) => http2.map_err(|_| Ended::Handshake)??,
                () = self.too_late() => return Ok(None),
            };
            return Ok(Some(self.speak(stream, Connection::new(peer, None), http2, place)));
        };
        let handshake = timeout(self.terms.limits.head_timeout, acceptor.accept(stream));
        let stream = handshake.await.map_err(|_| Ended::Handshake)??;
        let session = stream.get_ref().1;
        let http2 = session.alpn_protocol() == Some(b"h2");
        // In lower case already.
        let tls = Tls { server_name: session.server_name().map(Into::into) };
        Ok(Some(self.speak(Box::new(stream), Connection::new(peer, Some(tls)), http2, place)))
    }

    /// Who is at the other end: the TCP peer, or whom a load balancer names, before it says anything else.
    async fn peer(&self, stream: &mut TcpStream, peer: SocketAddr) -> Result<SocketAddr, Ended> {
        if !self.terms.proxies.iter().any(|network| network.contains(&peer.ip())) {
            return Ok(peer);
        }
        let header = timeout(self.terms.limits.head_timeout, proxy_protocol::read(stream));
        let client = header.await.map_err(|_| Ended::Handshake)?.map_err(Ended::ProxyProtocol)?;
        Ok(client.map_or(peer, canonical))
    }

    /// Stopped, and the time for a last request is over.
    async fn too_late(&self) {
        self.terms.stop.heard().await;
        sleep(LAST_REQUEST).await;
    }

    fn speak(&self, stream: impl Socket, connection: Connection, http2: bool, place: Place) -> Speaking<'_> {
        let progress = Arc::clone(&place.progress);
        progress.opened();
        let host = Arc::new(Host {
            service: Arc::clone(&self.service),
            connection,
            progress: Arc::clone(&progress),
            _place: place,
        });
        if !http2 {
            return Box::pin(self.speak_http1(stream, host));
        }
        let frames = FrameMeter::new(std::time::Instant::now());
        let io = TokioIo::new(Watched::new(stream, Arc::clone(&progress), Some(frames)));
        let patience = Patience { head: None, idle: self.terms.limits.idle_timeout, park: None };
        let service = service_fn(move |request| answer(Serving::begin(&host), Received::from(request)));
        // hyper's connections are large, and a future that is moved into another takes its room twice: they are boxed first.
        let mut connection = Box::pin(self.http2.serve_connection(io, service));
        Box::pin(async move {
            match supervise(&mut connection, &progress, patience, &self.terms.stop).await? {
                Left::Ended(end) => Ok(end?),
                Left::Parked => Ok(()),
            }
        })
    }

    /// Whenever nothing was served for [`PARK`], hyper's connection, and the room it holds, are given up until bytes come.
    async fn speak_http1<T: Socket>(&self, mut socket: T, host: Arc<Host<S>>) -> Result<(), Ended> {
        let Terms { limits, stop, parked, .. } = &self.terms;
        let patience = Patience { head: Some(limits.head_timeout), idle: limits.idle_timeout, park: Some(PARK) };
        let progress = Arc::clone(&host.progress);
        // hyper keeps room for one request as long as its connection lives. Boxed, an idle one keeps none, and busy ones
        // take turns with memory that is warm.
        let mut service = service_fn(move |request| Box::pin(answer(Serving::begin(&host), Received::from(request))));
        let mut replay = Bytes::new();
        loop {
            let io = TokioIo::new(Watched::new(socket, Arc::clone(&progress), None).replaying(replay));
            let mut connection = Box::pin(self.http1.serve_connection(io, service).with_upgrades());
            match supervise(&mut connection, &progress, patience, stop).await? {
                Left::Ended(end) => return Ok(end?),
                Left::Parked => {}
            }
            let Some(parts) = take_apart(connection) else { return Ok(()) };
            (socket, replay, service) = parts;
            // Not empty: the next head has begun, in one piece with the request before.
            if !replay.is_empty() {
                continue;
            }
            let counted = parked.hold();
            if park::wait(&socket, &progress, patience, stop).await == Woken::Late {
                // Who does not take our farewell either has had it.
                let _ = timeout(CLOSE, socket.shutdown()).await;
                return Ok(());
            }
            drop(counted);
        }
    }
}

/// The socket under hyper's connection, what was read of a next head, and the service. `None`: a tunnel has the socket.
fn take_apart<T, S>(connection: Pin<Box<Http1<T, S>>>) -> Option<(T, Bytes, S)>
where
    T: Socket,
    S: HttpService<Incoming> + Unpin,
    S::Future: Unpin,
    S::Error: Into<BodyError>,
    S::ResBody: 'static,
    <S::ResBody as Body>::Error: Into<BodyError>,
{
    let parts = Pin::into_inner(connection).into_parts()?;
    // Empty, it may still hold its room. An empty line after a request is no beginning of another (RFC 9112 §2.2).
    let nothing = parts.read_buf.iter().all(|byte| matches!(byte, b'\r' | b'\n'));
    let read = if nothing { Bytes::new() } else { parts.read_buf };
    Some((parts.io.into_inner().into_socket(), read, parts.service))
}

type Http1<T, S> = http1::UpgradeableConnection<TokioIo<Watched<T>>, S>;

/// Requests and answers, until the connection ends.
type Speaking<'s> = BoxFuture<'s, Result<(), Ended>>;

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
        // WebSockets (RFC 8441); `inbound` refuses every other CONNECT.
        .enable_connect_protocol()
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

const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
