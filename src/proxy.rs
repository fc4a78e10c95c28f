//! Forwarding: what a granted request looks like to the upstream, and what its answer looks like to the client.
//!
//! Order matters (RFC 9110 §7.6): fields named by `Connection` and hop-by-hop fields go first; then every spelling of the
//! identity and forwarding names; then ours are set or left absent.

use crate::{
    config,
    inbound::{Connection, answer::Answer},
    policy::{Grant, Site},
    session::Sessions,
};

/// Why the upstream's answer could not be had; the gateway makes the page.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// Not connected: 502.
    #[error("the upstream does not answer")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Connected, then broken off or not HTTP: 502.
    #[error("the upstream broke off")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No first byte within `limits.upstream_response`: 504.
    #[error("the upstream took too long")]
    Silent,
    /// The client's body is over the limit: 413.
    #[error("the request's body is too large")]
    TooLarge,
    /// The client's body stalled: 408.
    #[error("the request's body stalled")]
    Stalled,
    /// A WebSocket handshake with a session, asked for by a page of another origin: 403.
    #[error("a page of another origin asked for a web socket")]
    ForeignOrigin,
    /// The client went away or its body broke off.
    #[error("the client broke off")]
    Client(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// One data thread's proxy: its own upstream connections, never shared with other threads.
#[derive(Debug)]
pub struct Proxy {}

#[expect(clippy::todo, clippy::unused_async, unused_variables, reason = "being laid")]
impl Proxy {
    /// `portal_path` is for the demo's links; `sessions` strips our cookies and ends tunnels with their session.
    pub fn new(
        sites: &[std::sync::Arc<Site>],
        portal_path: &str,
        fields: config::identity::IdentityFields,
        limits: config::limits::Limits,
        sessions: Sessions,
        clock: crate::world::Clock,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        todo!()
    }
    /// Forwards. Only a [`Grant`] can be forwarded.
    pub async fn forward(&self, grant: Grant, connection: &Connection) -> Result<Answer, ProxyError> {
        todo!()
    }
    /// Reaches a site's upstream once (`vestibule check`).
    pub async fn reach(
        site: &config::site::Site,
        limits: &config::limits::Limits,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        todo!()
    }
}
