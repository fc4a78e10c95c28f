//! One address on one data thread: its connections, how busy it is, and whether it deserves a rest.
//!
//! The lock is never held across an await and in effect never contended, for an endpoint belongs to one thread.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError, Weak,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use http::{HeaderValue, uri::Scheme};
use tokio::time::sleep;

use super::{
    ProxyError,
    connect::{Opened, Speak},
    http1::Http1,
    multiplexed::Stream,
    pool::{Idle, TURN},
    rest::Rest,
    upstreams::Target,
};
use crate::{
    config::site::Wire,
    telemetry::metrics::{Held, PoolState},
};

/// See the head of this file.
pub(super) struct Endpoint {
    target: Arc<Target>,
    idle: Mutex<Idle>,
    /// Held by whoever opens a connection that others could share. Nobody waits here who has a connection.
    opening: tokio::sync::Mutex<()>,
    in_flight: AtomicUsize,
    rest: Rest,
    state: PoolState,
}

/// A connection in use, or a stream of one; dropped unreturned, it closes.
pub(super) struct Lease {
    pub connection: Connection,
    /// Made for this request: what breaks on it was not broken before.
    pub fresh: bool,
    busy: Busy,
}

pub(super) enum Connection {
    /// Counted as open.
    Http1(Box<Http1>, Held),
    Http2(Stream),
}

/// Counts as a request in flight.
struct Busy(Arc<Endpoint>);

impl Endpoint {
    pub fn new(target: &Arc<Target>, state: PoolState) -> Arc<Self> {
        Arc::new(Self {
            target: Arc::clone(target),
            idle: Mutex::default(),
            opening: tokio::sync::Mutex::default(),
            in_flight: AtomicUsize::new(0),
            rest: Rest::default(),
            state,
        })
    }

    /// Requests on their way.
    pub fn load(&self) -> usize {
        self.in_flight.load(Relaxed)
    }

    /// Whether nothing speaks against asking it.
    pub fn well(&self) -> bool {
        self.target.well() && !self.rest.now()
    }

    /// A connection that was used before and still looks alive, or a new one.
    pub async fn lease(self: &Arc<Self>) -> Result<Lease, ProxyError> {
        match self.reuse() {
            Some(lease) => Ok(lease),
            // Boxed: handshakes are large, and every request would carry the room for one.
            None => Box::pin(self.connect()).await,
        }
    }

    /// A new connection; of one that many can share, the newest is new enough.
    pub async fn connect(self: &Arc<Self>) -> Result<Lease, ProxyError> {
        if self.target.connector.wire() == Wire::Plain || self.lock().speaks_http1 {
            return self.open(Speak::Any).await;
        }
        let failed = self.rest.failures();
        let turn = self.opening.lock().await;
        let (stream, speaks_http1) = {
            let mut idle = self.lock();
            (idle.stream(), idle.speaks_http1)
        };
        if let Some(stream) = stream {
            return Ok(self.leased(Connection::Http2(stream), true));
        }
        if speaks_http1 {
            drop(turn);
        } else if self.rest.failures() != failed {
            return Err(ProxyError::Unreachable("another request could not connect a moment ago".into()));
        }
        self.open(Speak::Any).await
    }

    /// For a tunnel: a connection of its own, or a stream where the upstream lets WebSockets through streams.
    pub async fn tunnel(self: &Arc<Self>, web_socket: bool) -> Result<Lease, ProxyError> {
        let wire = self.target.connector.wire();
        if wire == Wire::Plain {
            return self.open(Speak::Http1).await;
        }
        if web_socket {
            let stream = self.lock().stream();
            let lease = match stream {
                Some(stream) => self.leased(Connection::Http2(stream), false),
                None => self.connect().await?,
            };
            match &lease.connection {
                Connection::Http2(stream) if !stream.tunnels().await => {}
                _ => return Ok(lease),
            }
        }
        if wire == Wire::PriorKnowledge {
            return Err(ProxyError::Broken("the upstream takes no such tunnel over HTTP/2".into()));
        }
        self.open(Speak::Http1).await
    }

    fn reuse(self: &Arc<Self>) -> Option<Lease> {
        let mut idle = self.lock();
        let connection = match idle.take() {
            Some((connection, open)) => Connection::Http1(connection, open),
            None => Connection::Http2(idle.stream()?),
        };
        self.state.idle(idle.count());
        drop(idle);
        Some(self.leased(connection, false))
    }

    async fn open(self: &Arc<Self>, speak: Speak) -> Result<Lease, ProxyError> {
        match self.target.connector.connect(speak).await {
            Err(error) => {
                // One that speaks HTTP/2 alone may refuse a tunnel's connection, and is as well as before.
                if speak == Speak::Any || self.target.connector.wire() == Wire::Plain {
                    self.rest.failed();
                    self.state.failed();
                }
                Err(error)
            }
            Ok(Opened::Http1(connection)) => {
                if speak == Speak::Any {
                    self.lock().speaks_http1 = true;
                }
                Ok(self.leased(Connection::Http1(connection, self.state.connected()), true))
            }
            Ok(Opened::Http2(link)) => {
                let stream = link.stream();
                let mut idle = self.lock();
                idle.speaks_http1 = false;
                idle.share(link, self.state.connected());
                self.reap_later(&mut idle);
                drop(idle);
                Ok(self.leased(Connection::Http2(stream), true))
            }
        }
    }

    fn leased(self: &Arc<Self>, connection: Connection, fresh: bool) -> Lease {
        self.in_flight.fetch_add(1, Relaxed);
        Lease { connection, fresh, busy: Busy(Arc::clone(self)) }
    }

    fn keep(self: &Arc<Self>, connection: Box<Http1>, open: Held) {
        let mut idle = self.lock();
        idle.put(connection, open);
        self.state.idle(idle.count());
        self.reap_later(&mut idle);
    }

    fn reap_later(self: &Arc<Self>, idle: &mut Idle) {
        if !std::mem::replace(&mut idle.reaping, true) {
            tokio::spawn(reap(Arc::downgrade(self)));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    /// Whether it is a stream of HTTP/2.
    pub fn http2(&self) -> bool {
        matches!(self.connection, Connection::Http2(_))
    }

    /// Whether its request is still being sent.
    pub fn uploads(&self) -> bool {
        matches!(&self.connection, Connection::Http1(connection, _) if connection.uploads())
    }

    /// Of what is spoken to the upstream.
    pub fn scheme(&self) -> Scheme {
        if self.busy.0.target.connector.wire() == Wire::Tls { Scheme::HTTPS } else { Scheme::HTTP }
    }

    /// The upstream's own authority.
    pub fn authority(&self) -> &HeaderValue {
        &self.busy.0.target.authority
    }

    /// Where it leads.
    pub fn endpoint(&self) -> &Arc<Endpoint> {
        &self.busy.0
    }

    /// The upstream answered: whatever was wrong with it is over.
    pub fn answered(&self) {
        self.busy.0.rest.over();
    }

    /// The connection broke: a mark against the upstream, if it was new; no other request goes there in any case.
    pub fn broke(&self) {
        if self.fresh {
            self.busy.0.rest.failed();
        }
        if let Connection::Http2(stream) = &self.connection {
            stream.retire();
        }
    }

    /// The answer was read to its end: another request may use the connection, if nothing speaks against it.
    pub fn release(self) {
        let Self { connection: Connection::Http1(mut connection, open), busy, .. } = self else { return };
        if connection.reusable() {
            connection.shrink();
            busy.0.keep(connection, open);
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}

/// Closes what grew old; ends when nothing is left.
async fn reap(endpoint: Weak<Endpoint>) {
    loop {
        sleep(TURN).await;
        let Some(endpoint) = endpoint.upgrade() else { return };
        let mut idle = endpoint.lock();
        idle.close_old();
        endpoint.state.idle(idle.count());
        if idle.is_empty() {
            idle.reaping = false;
            return;
        }
    }
}
