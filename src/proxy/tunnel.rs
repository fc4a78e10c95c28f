//! WebSockets and other upgrades: bytes both ways after the upstream's consent, until the session ends.
//!
//! RFC 9110 §7.8: nothing but the answer 101 naming a protocol that was offered opens a tunnel (CVE-2026-2833); on a stream of
//! HTTP/2 that was asked for one, it is 200 (RFC 8441 §5). The handshakes are in [`super::web_socket`].

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::{Response, response::Parts};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional},
    time::{Instant, timeout},
};
use tracing::debug;

use super::{
    Proxy, ProxyError, TOUCH_EVERY,
    endpoint::{Connection, Lease},
    errand::Errand,
    http1::Io,
    response::{self, Noted},
};
use crate::{
    inbound::answer::{Answer, Held, Outgoing},
    session::{Live, Sessions},
    world::Clock,
};

/// Answers the client with the upstream's consent and ties the two connections together.
pub(super) fn open(
    proxy: &Proxy,
    errand: &mut Errand,
    mut parts: Parts,
    mut lease: Lease,
) -> Result<Answer, ProxyError> {
    let broken = |why: &str| ProxyError::Broken(why.into());
    let upgrade = errand.upgrade.take().ok_or_else(|| broken("a 101 that nobody asked for"))?;
    let http2 = lease.http2();
    let stream = parts.extensions.remove::<OnUpgrade>();
    let agreed = upgrade.agreed(&parts, http2)?;
    let noted = Noted::of(&parts.headers);
    response::clean(&mut parts.headers, &noted, &proxy.sessions);
    upgrade.consent(&mut parts, agreed, http2)?;
    parts.extensions.clear();
    let held = Held::default();
    parts.extensions.insert(held.clone());
    let session = errand.subject.live().cloned();
    let tunnel = Tunnel { session, sessions: proxy.sessions.clone(), clock: proxy.clock.clone() };
    let (site, id) = (Arc::clone(&errand.site), errand.view.id);
    let counted = proxy.tunnels.hold();
    tokio::spawn(async move {
        let ended = tunnel.run(upgrade.client, stream, &mut lease).await;
        drop((lease, held, counted));
        debug!(site = %site.label, id = id.as_str(), ended, "tunnel closed");
    });
    Ok(Response::from_parts(parts, Outgoing::Empty))
}

struct Tunnel {
    session: Option<Live>,
    sessions: Sessions,
    clock: Clock,
}

impl Tunnel {
    /// Says why it ended. `stream`: the upstream's side, when it is not the leased connection itself.
    async fn run(self, client: OnUpgrade, stream: Option<OnUpgrade>, lease: &mut Lease) -> &'static str {
        let both = async {
            let client = client.await?;
            let stream = match stream {
                Some(stream) => Some(stream.await?),
                None => None,
            };
            Ok::<_, hyper::Error>((client, stream.map(TokioIo::new)))
        };
        let Ok(Ok((client, mut stream))) = timeout(SWITCH, both).await else { return "one side did not switch" };
        let upstream: &mut dyn Io = match (&mut stream, &mut lease.connection) {
            (Some(stream), _) => stream,
            (None, Connection::Http1(connection, _)) => &mut **connection,
            (None, Connection::Http2(_)) => return "the upstream gave no stream",
        };
        let ended = self.ended();
        let mut client = Active { io: TokioIo::new(client), tunnel: &self, touched: None };
        tokio::select! {
            copied = copy_bidirectional(&mut client, upstream) => {
                if copied.is_ok() { "by its ends" } else { "broken off" }
            }
            // Both sides are dropped, and so closed.
            () = ended => "with its session",
        }
    }

    async fn ended(&self) {
        match &self.session {
            Some(live) => self.sessions.ended(live).await,
            None => std::future::pending().await,
        }
    }

    fn touch(&self) {
        if let Some(live) = &self.session {
            self.sessions.touch(live, self.clock.now());
        }
    }
}

/// The client's side: bytes from it are activity, said at most once a second.
struct Active<'a> {
    io: TokioIo<Upgraded>,
    tunnel: &'a Tunnel,
    touched: Option<Instant>,
}

impl AsyncRead for Active<'_> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        if buf.filled().len() > before && self.touched.is_none_or(|at| at.elapsed() >= TOUCH_EVERY) {
            self.touched = Some(Instant::now());
            self.tunnel.touch();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Active<'_> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// How long both sides may take to hand over their connections.
const SWITCH: Duration = Duration::from_secs(10);
