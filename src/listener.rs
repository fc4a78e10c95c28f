//! Accept, TLS, HTTP/1.1 and HTTP/2, drain.
//!
//! One acceptor hands sockets to the data thread with the fewest connections; each data thread is a current-thread
//! Tokio runtime with a service of its own.

use std::{future::Future, net::SocketAddr};

use hyper::body::Incoming;

use crate::{
    config,
    inbound::{Connection, answer::Answer},
};

/// What serves requests on one data thread.
pub trait Service: Send + Sync + 'static {
    /// Serves one request. Never fails: errors are answers.
    fn serve(&self, request: http::Request<Incoming>, connection: &Connection) -> impl Future<Output = Answer> + Send;
}

/// Bound sockets, not accepting yet.
#[derive(Debug)]
pub struct Listener {}

#[expect(clippy::todo, clippy::unused_async, unused_variables, reason = "being laid")]
impl Listener {
    /// Binds the addresses and reads certificates and keys. Errors name the key and what to do.
    pub fn bind(listen: &config::listen::Listen, limits: &config::limits::Limits) -> Result<Self, String> {
        todo!()
    }
    /// The bound addresses (port 0 resolved): http, https.
    pub fn addresses(&self) -> (Option<SocketAddr>, Option<SocketAddr>) {
        todo!()
    }
    /// Serves until `stop` resolves, then drains within `limits.drain`. `make` is called once on each data thread, inside its runtime.
    pub async fn run<S: Service>(
        self,
        threads: usize,
        make: impl Fn() -> S + Clone + Send + 'static,
        stop: impl Future<Output = ()> + Send,
    ) {
        todo!()
    }
}
