//! The data threads: how many, and a gateway for each.

use super::rooms::Rooms;
use crate::{
    config::Config,
    gateway::{self, Gateway},
    proxy::Proxy,
    telemetry::access::{AccessLog, Lines},
};

/// One per core.
pub(super) fn count() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Makes a gateway; called once on each data thread.
pub(super) fn make(config: &Config, rooms: &Rooms, access: AccessLog) -> impl Fn() -> Gateway + Clone + Send + 'static {
    let (config, rooms) = (config.clone(), rooms.clone());
    move || gateway(&config, &rooms, access.lines())
}

fn gateway(config: &Config, rooms: &Rooms, access: Lines) -> Gateway {
    let proxy = Proxy::new(
        &rooms.upstreams,
        &config.portal.path,
        config.identity.clone(),
        config.limits.clone(),
        (rooms.sessions.clone(), rooms.assertions.clone()),
        rooms.measures.forwarding(),
        rooms.clock.clone(),
    );
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
        board: rooms.measures.requests.thread(),
    };
    Gateway::new(parts, &config.portal, &config.accounts.admin_group)
}
