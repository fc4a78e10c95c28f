//! What is counted across rooms, and the one list of it that `/metrics` shows.

use std::sync::Arc;

use super::rooms::Rooms;
use crate::{
    config::site::Upstream,
    policy::Site,
    telemetry::metrics::{Forwarding, Gauge, Registry, Requests, Upstreams},
};

/// What the data threads count; rooms keep their own. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Measures {
    pub(super) requests: Requests,
    upstreams: Upstreams,
    tunnels: Gauge,
}

impl Measures {
    /// Labels are what the configuration names, and nothing else.
    pub(super) fn new(sites: &[Arc<Site>]) -> Self {
        Self {
            requests: Requests::new(sites.iter().map(|site| site.label.clone()).collect()),
            upstreams: Upstreams::new(sites.iter().flat_map(|site| upstreams(site)).collect()),
            tunnels: Gauge::default(),
        }
    }

    /// For one more data thread's proxy.
    pub(super) fn forwarding(&self) -> Forwarding {
        Forwarding { pools: self.upstreams.thread(), tunnels: self.tunnels.clone() }
    }

    /// Everything there is to show.
    pub(super) fn registry(&self, rooms: &Rooms, connections: &Gauge) -> Registry {
        Registry::default()
            .requests(&self.requests)
            .upstreams(&self.upstreams)
            .accounts(rooms.identity.measures())
            .lookups(rooms.sessions.lookups())
            .open(connections, &self.tunnels)
    }
}

/// A site's addresses, in configuration order; the demo has none.
fn upstreams(site: &Site) -> Vec<(String, String)> {
    match &site.settings.upstream {
        Upstream::Demo => Vec::new(),
        Upstream::Servers { wire, addresses } => {
            addresses.iter().map(|address| (site.label.clone(), address.written(*wire))).collect()
        }
    }
}
