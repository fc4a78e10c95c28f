//! The operations listener: `/healthz` (alive), `/readyz` (stores reachable) and `/metrics`, on an address of its own.
//!
//! Plain HTTP/1.1 on the service runtime; never on the public listener.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{net::TcpListener, runtime::Runtime, sync::Semaphore, time::timeout};
use tracing::{info, warn};

use super::{ServeError, rooms::Rooms, signals::Signals};
use crate::{
    assertion::Assertions,
    config,
    identity::Identity,
    session::Sessions,
    telemetry::metrics::{self, Gauge, Registry},
};

/// The bound listener, or none.
#[derive(Debug)]
pub(super) struct Operations {
    socket: Option<TcpListener>,
}

/// What `/readyz` looks at. Cheap to clone.
#[derive(Clone, Debug)]
struct Stores {
    identity: Identity,
    sessions: Sessions,
    assertions: Assertions,
    metrics: Arc<Registry>,
    signals: Signals,
}

impl Operations {
    pub(super) fn bind(settings: &config::listen::Operations, service: &Runtime) -> Result<Self, ServeError> {
        let Some(address) = settings.listen else { return Ok(Self { socket: None }) };
        let socket = service.block_on(TcpListener::bind(address)).map_err(|error| {
            ServeError::Setup(format!(
                "operations.listen: {address} cannot be used: {error}. Choose another port, or \"off\""
            ))
        })?;
        Ok(Self { socket: Some(socket) })
    }

    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.socket.as_ref()?.local_addr().ok()
    }

    /// Answers until the program ends.
    pub(super) async fn run(self, rooms: Rooms, connections: Gauge, signals: Signals) {
        let Some(socket) = self.socket else { return };
        let metrics = Arc::new(rooms.measures.registry(&rooms, &connections));
        let Rooms { identity, sessions, assertions, .. } = rooms;
        let stores = Stores { identity, sessions, assertions, metrics, signals };
        let seats = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let Ok(seat) = Arc::clone(&seats).acquire_owned().await else { return };
            let stream = match socket.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    warn!(%error, "the operations listener cannot accept");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let stores = stores.clone();
            tokio::spawn(async move {
                let serve = service_fn(move |request| {
                    let stores = stores.clone();
                    async move { Ok::<_, Infallible>(stores.answer(&request).await) }
                });
                let connection = hyper::server::conn::http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(PATIENCE)
                    .serve_connection(TokioIo::new(stream), serve);
                // Whatever goes wrong on such a connection concerns only the one who opened it.
                let _ = timeout(LONGEST, connection).await;
                drop(seat);
            });
        }
    }
}

impl Stores {
    async fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return json(StatusCode::METHOD_NOT_ALLOWED, &serde_json::json!({ "error": "method_not_allowed" }));
        }
        match request.uri().path() {
            "/healthz" => json(StatusCode::OK, &serde_json::json!({ "status": "alive" })),
            "/readyz" => self.ready().await,
            "/metrics" => self.metrics(),
            _ => json(StatusCode::NOT_FOUND, &serde_json::json!({ "error": "not_found" })),
        }
    }

    fn metrics(&self) -> Response<Full<Bytes>> {
        match self.metrics.text() {
            Ok(text) => whole(StatusCode::OK, metrics::CONTENT_TYPE, text),
            Err(_) => json(StatusCode::INTERNAL_SERVER_ERROR, &serde_json::json!({ "error": "unreadable" })),
        }
    }

    async fn ready(&self) -> Response<Full<Bytes>> {
        let (accounts, sessions) =
            tokio::join!(timeout(PATIENCE, self.identity.ready()), timeout(PATIENCE, self.sessions.ready()));
        // The first keys are there a moment after the tables.
        let accounts = matches!(accounts, Ok(Ok(()))) && self.assertions.ready();
        let sessions = matches!(sessions, Ok(Ok(())));
        let draining = self.signals.draining();
        let ready = accounts && sessions && !draining;
        if !ready {
            info!(accounts, sessions, draining, "not ready");
        }
        let word = |up| if up { "up" } else { "down" };
        let body = serde_json::json!({
            "status": if ready { "ready" } else if draining { "draining" } else { "not ready" },
            "accounts": word(accounts),
            "sessions": word(sessions),
        });
        json(if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, &body)
    }
}

fn json(status: StatusCode, body: &serde_json::Value) -> Response<Full<Bytes>> {
    whole(status, "application/json", format!("{body}\n"))
}

fn whole(status: StatusCode, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(content_type));
    fields.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    response
}

/// How long a store may take before it counts as down, and a client to send its head.
const PATIENCE: Duration = Duration::from_secs(4);
/// The longest life of one connection.
const LONGEST: Duration = Duration::from_secs(60);
const CONNECTIONS: usize = 64;
