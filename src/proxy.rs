//! Forwarding: what a granted request looks like to the upstream, and what its answer looks like to the client.
//!
//! Order matters (RFC 9110 §7.6): fields named by `Connection` and hop-by-hop fields go first; then every spelling of the
//! identity and forwarding names; then ours are set or left absent. The gateway asks, with a [`Grant`] in hand; each data
//! thread has a proxy, and upstream connections, of its own.

mod balance;
mod body;
mod connect;
mod demo;
mod download;
mod endpoint;
mod errand;
mod exchange;
mod fields;
mod forwarded;
#[cfg(any(test, fuzzing))]
pub mod fuzzed;
mod http1;
mod identity;
mod location;
mod multiplexed;
mod pool;
mod probe;
mod response;
mod rest;
mod tls;
mod tunnel;
mod upstreams;
mod via;
mod watch;
mod web_socket;

use std::{error::Error, sync::Arc};

use tokio::time::Instant;
use tracing::debug;

use self::{balance::Group, body::ClientBody, errand::Errand, fields::Names, upstreams::Behind, via::Pseudonym};
use crate::{
    assertion::Assertions,
    config,
    inbound::answer::Answer,
    policy::{Grant, Place},
    session::Sessions,
    telemetry::metrics::{Forwarding, Gauge},
    world::{Clock, Entropy},
};

pub use self::upstreams::{Reached, Upstreams};

/// Why the upstream's answer could not be had; the gateway makes the page.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// Not connected: 502.
    #[error("the upstream does not answer")]
    Unreachable(#[source] Box<dyn Error + Send + Sync>),
    /// Connected, then broken off or not HTTP: 502.
    #[error("the upstream broke off")]
    Broken(#[source] Box<dyn Error + Send + Sync>),
    /// No first byte within `limits.upstream_response`: 504.
    #[error("the upstream took too long")]
    Silent,
    /// The client's body is over the limit: 413.
    #[error("the request's body is too large")]
    TooLarge,
    /// The client's body stalled: 408.
    #[error("the request's body stalled")]
    Stalled,
    /// The session ended while the request was under way: 403.
    #[error("the session ended")]
    Ended,
    /// A WebSocket handshake with a session, asked for by a page of another origin: 403.
    #[error("a page of another origin asked for a web socket")]
    ForeignOrigin,
    /// Not below `site.strip_prefix`: 404.
    #[error("the path is outside site.strip_prefix")]
    Outside,
    /// This process has sent the request already: 502.
    #[error("the request came back here: site.upstream leads to this Vestibule itself")]
    Loop,
    /// The client went away or its body broke off.
    #[error("the client broke off")]
    Client(#[source] Box<dyn Error + Send + Sync>),
}

impl ProxyError {
    fn broken(why: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Broken(why.into())
    }

    /// Why, for whoever runs the site.
    fn into_source(self) -> Box<dyn Error + Send + Sync> {
        match self {
            Self::Unreachable(why) | Self::Broken(why) => why,
            other => other.into(),
        }
    }
}

/// One data thread's proxy: its own upstream connections, never shared with other threads.
pub struct Proxy {
    upstreams: Vec<(Upstream, Arc<Names>)>,
    limits: config::limits::Limits,
    portal_path: String,
    sessions: Sessions,
    assertions: Assertions,
    tunnels: Gauge,
    clock: Clock,
    entropy: Entropy,
    pseudonym: Pseudonym,
}

/// What stands behind a site.
enum Upstream {
    Demo,
    Servers(Group),
}

impl Proxy {
    /// `upstreams`: of all threads; `portal_path` is for the demo's links; `sessions` strips our cookies and ends tunnels with
    /// their session; `assertions` signs what the site behind is told.
    #[must_use]
    pub fn new(
        upstreams: &Upstreams,
        portal_path: &str,
        fields: config::identity::IdentityFields,
        limits: config::limits::Limits,
        (sessions, assertions): (Sessions, Assertions),
        Forwarding { pools, tunnels }: Forwarding,
        clock: Clock,
    ) -> Self {
        let mut pools = pools.into_iter();
        let threads_own = |(behind, set)| {
            let upstream = match behind {
                &Behind::Demo => Upstream::Demo,
                Behind::Servers(targets, _) => Upstream::Servers(Group::new(targets, &mut pools)),
            };
            (upstream, Arc::new(Names::new(fields.clone(), set)))
        };
        Self {
            upstreams: upstreams.sites().map(threads_own).collect(),
            limits,
            portal_path: portal_path.to_owned(),
            sessions,
            assertions,
            tunnels,
            clock,
            entropy: upstreams.entropy.clone(),
            pseudonym: upstreams.pseudonym.clone(),
        }
    }

    /// Forwards. Only a [`Grant`] can be forwarded.
    ///
    /// # Errors
    /// [`ProxyError`], by whose fault.
    pub async fn forward(&self, grant: Grant) -> Result<Answer, ProxyError> {
        let mut target = grant.forward_target();
        let (request, subject, place) = grant.into_parts();
        let Place::Site(site) = place else {
            return Err(ProxyError::Broken("only a site has an upstream".into()));
        };
        if let Some(prefix) = &site.settings.strip_prefix {
            target = location::strip(&request.view.target, prefix)?.into();
        }
        let known = self.upstreams.get(site.index).ok_or_else(|| ProxyError::Broken("an unknown site".into()))?;
        let (upstream, names) = known;
        let end = self.limits.total.map(|total| Instant::now() + total);
        let (mut errand, body) = Errand::new(request, subject, site, &target, names, end)?;
        errand.first_time(self)?;
        errand.same_origin()?;
        let limit = errand.site.settings.body.unwrap_or(self.limits.body);
        let (body, upload) = ClientBody::new(body, limit, self.limits.idle_timeout, names)?;
        match upstream {
            Upstream::Demo if errand.asked_by_connect() => Err(ProxyError::broken("the demo speaks no WebSocket")),
            Upstream::Demo => {
                let request = errand.by_http1(self, body, &errand.authority);
                demo::answer(request, &self.portal_path, names).await
            }
            Upstream::Servers(group) => self.exchange(group, &mut errand, body, upload).await,
        }
        .inspect_err(|error| debug!(site = %errand.site.label, id = errand.view.id.as_str(), %error, "not forwarded"))
    }
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proxy").field("upstreams", &self.upstreams.len()).finish_non_exhaustive()
    }
}

/// How often moving bytes are told to the session as activity.
const TOUCH_EVERY: std::time::Duration = std::time::Duration::from_secs(1);

#[cfg(test)]
mod tests;
