//! Serve one request. The outer half times, logs and turns errors into answers; the inner half is straight `?`.

use std::sync::Arc;

use hyper::body::Incoming;
use tokio::runtime::Handle;

use crate::{
    config,
    identity::Identity,
    inbound::{Connection, Reader, answer::Answer},
    listener::Service,
    policy::Policy,
    portal::Portal,
    proxy::Proxy,
    session::Sessions,
    world::Clock,
};

/// What a gateway stands on. One per data thread; everything but `proxy` is a cheap clone.
#[derive(Debug)]
pub struct Rooms {
    /// Reads requests.
    pub reader: Reader,
    /// Sites and rules.
    pub policy: Arc<Policy>,
    /// Who asks.
    pub sessions: Sessions,
    /// This thread's own.
    pub proxy: Proxy,
    /// Pages.
    pub portal: Portal,
    /// For "last seen".
    pub identity: Identity,
    /// The service runtime, where pages run.
    pub service: Handle,
    /// The time.
    pub clock: Clock,
}

/// One data thread's gateway.
#[derive(Debug)]
pub struct Gateway {}

#[expect(clippy::todo, unused_variables, reason = "being laid")]
impl Gateway {
    /// `portal`: for the Strict-Transport-Security of every answer and the host that pages name; `admin_group`: its members see which upstream
    /// does not answer.
    #[must_use]
    pub fn new(rooms: Rooms, portal: &config::portal::Portal, admin_group: &str) -> Self {
        todo!()
    }
}

#[expect(clippy::todo, reason = "being laid")]
impl Service for Gateway {
    async fn serve(&self, _request: http::Request<Incoming>, _connection: &Connection) -> Answer {
        todo!()
    }
}
