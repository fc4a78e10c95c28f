//! The data threads: how many, and a gateway for each.

use http::StatusCode;
use hyper::body::Incoming;
use tracing::error;

use super::rooms::Rooms;
use crate::{
    config::Config,
    gateway::{self, Gateway},
    inbound::{
        Connection,
        answer::{Answer, Outgoing},
    },
    listener::Service,
    proxy::Proxy,
    telemetry::access::{AccessLog, Lines},
};

/// What one data thread serves with.
pub(super) enum Desk {
    /// As it should be.
    Open(Box<Gateway>),
    /// The gateway could not be made on this thread: nothing passes.
    Closed,
}

impl Service for Desk {
    async fn serve(&self, request: http::Request<Incoming>, connection: &Connection) -> Answer {
        match self {
            Self::Open(gateway) => gateway.serve(request, connection).await,
            Self::Closed => {
                let mut answer = Answer::new(Outgoing::Empty);
                *answer.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                answer
            }
        }
    }
}

/// One per core.
pub(super) fn count() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Makes a gateway; called once on each data thread.
pub(super) fn make(config: &Config, rooms: &Rooms, access: AccessLog) -> impl Fn() -> Desk + Clone + Send + 'static {
    let (config, rooms) = (config.clone(), rooms.clone());
    move || match gateway(&config, &rooms, access.lines()) {
        Ok(gateway) => Desk::Open(Box::new(gateway)),
        Err(error) => {
            error!(error = &*error as &dyn std::error::Error, "a data thread has no gateway: it refuses everything");
            Desk::Closed
        }
    }
}

fn gateway(config: &Config, rooms: &Rooms, access: Lines) -> Result<Gateway, Box<dyn std::error::Error + Send + Sync>> {
    let proxy = Proxy::new(
        rooms.policy.sites(),
        &config.portal.path,
        config.identity.clone(),
        config.limits.clone(),
        rooms.sessions.clone(),
        rooms.clock.clone(),
    )?;
    let parts = gateway::Rooms {
        reader: rooms.reader.clone(),
        policy: rooms.policy.clone(),
        sessions: rooms.sessions.clone(),
        proxy,
        portal: rooms.portal.clone(),
        identity: rooms.identity.clone(),
        service: rooms.service.clone(),
        clock: rooms.clock.clone(),
        access,
    };
    Ok(Gateway::new(parts, &config.portal, &config.accounts.admin_group))
}
