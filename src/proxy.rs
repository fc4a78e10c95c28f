//! Forwarding: what a granted request looks like to the upstream, and what its answer looks like to the client.
//!
//! Order matters (RFC 9110 §7.6): fields named by `Connection` and hop-by-hop fields go first; then every spelling of the
//! identity and forwarding names; then ours are set or left absent. The gateway asks, with a [`Grant`] in hand; each data
//! thread has a proxy, and upstream connections, of its own.

mod body;
mod connect;
mod demo;
mod exchange;
mod fields;
mod forwarded;
mod identity;
mod pool;
mod response;
mod tunnel;

use std::{error::Error, sync::Arc};

use tracing::debug;

use self::{body::ClientBody, connect::Connector, exchange::Errand, fields::Names, pool::Pool};
use crate::{
    config,
    inbound::{Connection, answer::Answer},
    policy::{Grant, Place, Site},
    session::Sessions,
    world::Clock,
};

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
    /// The client went away or its body broke off.
    #[error("the client broke off")]
    Client(#[source] Box<dyn Error + Send + Sync>),
}

/// One data thread's proxy: its own upstream connections, never shared with other threads.
pub struct Proxy {
    upstreams: Vec<Upstream>,
    names: Arc<Names>,
    limits: config::limits::Limits,
    portal_path: String,
    sessions: Sessions,
    clock: Clock,
}

/// What stands behind a site.
enum Upstream {
    Demo,
    Http(Arc<Pool>),
}

impl Proxy {
    /// `portal_path` is for the demo's links; `sessions` strips our cookies and ends tunnels with their session.
    ///
    /// # Errors
    /// When an upstream is `https://` and `SSL_CERT_FILE` cannot be used.
    pub fn new(
        sites: &[Arc<Site>],
        portal_path: &str,
        fields: config::identity::IdentityFields,
        limits: config::limits::Limits,
        sessions: Sessions,
        clock: Clock,
    ) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let mut tls = connect::Tls::default();
        let upstreams = sites
            .iter()
            .map(|site| {
                let connector = Connector::new(&site.settings.upstream, &limits, &mut tls)?;
                Ok(connector.map_or(Upstream::Demo, |connector| Upstream::Http(Pool::new(connector))))
            })
            .collect::<Result<_, Box<dyn Error + Send + Sync>>>()?;
        let names = Arc::new(Names::new(fields));
        Ok(Self { upstreams, names, limits, portal_path: portal_path.to_owned(), sessions, clock })
    }

    /// Forwards. Only a [`Grant`] can be forwarded.
    ///
    /// # Errors
    /// [`ProxyError`], by whose fault.
    pub async fn forward(&self, grant: Grant, connection: &Connection) -> Result<Answer, ProxyError> {
        let target = grant.forward_target();
        let (request, subject, place) = grant.into_parts();
        let Place::Site(site) = place else {
            return Err(ProxyError::Broken("only a site has an upstream".into()));
        };
        let upstream = self.upstreams.get(site.index).ok_or_else(|| ProxyError::Broken("an unknown site".into()))?;
        let (mut errand, body) = Errand::new(request, subject, site, target, connection.peer.ip())?;
        errand.same_origin()?;
        let limit = errand.site.settings.body.unwrap_or(self.limits.body);
        let (body, upload) = ClientBody::new(body, limit, self.limits.idle_timeout, &self.names)?;
        match upstream {
            Upstream::Demo => {
                let request = errand.request(self, body);
                demo::answer(request, &self.portal_path, &self.names).await
            }
            Upstream::Http(pool) => self.exchange(pool, &mut errand, body, upload.as_deref()).await,
        }
        .inspect_err(|error| debug!(site = %errand.site.label, id = %errand.view.id.0, %error, "not forwarded"))
    }

    /// Reaches a site's upstream once (`vestibule check`).
    ///
    /// # Errors
    /// Why it does not answer.
    pub async fn reach(
        site: &config::site::Site,
        limits: &config::limits::Limits,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        match Connector::new(&site.upstream, limits, &mut connect::Tls::default())? {
            None => Ok(()),
            Some(connector) => match connector.connect().await {
                Ok(_) => Ok(()),
                Err(ProxyError::Unreachable(why)) => Err(why),
                Err(other) => Err(other.into()),
            },
        }
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
