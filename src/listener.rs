//! Accept, TLS, HTTP/1.1 and HTTP/2, drain.
//!
//! One acceptor hands sockets to the data thread with the fewest connections; each data thread is a current-thread
//! Tokio runtime with a service of its own. `app` binds first (so that a taken address stops the start) and runs later.

mod accept;
mod bind;
mod connection;
mod crowd;
mod flood;
#[cfg(any(test, fuzzing))]
pub mod fuzzed;
mod io;
mod park;
pub mod proxy_protocol;
mod request;
mod stop;
mod thread;
mod tls;
mod watch;

use std::{
    future::Future,
    net::{SocketAddr, TcpListener},
};

use tokio_rustls::TlsAcceptor;
use tracing::{error, info};

use self::{connection::Terms, stop::Stop};
use crate::{
    config,
    inbound::{Connection, Received, answer::Answer},
    telemetry::metrics::Gauge,
};

/// What serves requests on one data thread.
pub trait Service: Send + Sync + 'static {
    /// Serves one request. Never fails: errors are answers.
    fn serve(&self, received: Received, connection: &Connection) -> impl Future<Output = Answer> + Send;
}

/// Bound sockets, not accepting yet.
pub struct Listener {
    http: Option<TcpListener>,
    https: Option<(TcpListener, TlsAcceptor)>,
    renewal: Option<tls::Renewal>,
    terms: Terms,
    /// Connections at a time.
    most: usize,
}

impl Listener {
    /// Binds the addresses and reads certificates and keys.
    ///
    /// # Errors
    /// A sentence that names the key and what to do.
    pub fn bind(listen: &config::listen::Listen, limits: &config::limits::Limits) -> Result<Self, String> {
        // Certificates first: a missing key file should not cost a bound port.
        let (acceptor, renewal) = listen.https.map(|_| tls::acceptor(&listen.certificates)).transpose()?.unzip();
        let http = listen.http.map(|address| bind::socket("listen.http", address)).transpose()?;
        let https = listen.https.map(|address| bind::socket("listen.https", address)).transpose()?;
        if http.is_none() && https.is_none() {
            return Err("nothing to listen on: set `listen.http` or `listen.https`".into());
        }
        let terms = Terms {
            limits: limits.clone(),
            proxies: listen.proxy_protocol.clone().into(),
            stop: Stop::default(),
            connections: Gauge::default(),
            parked: Gauge::default(),
        };
        let most = accept::most_connections();
        Ok(Self { http, https: https.zip(acceptor), renewal, terms, most })
    }

    /// The bound addresses (port 0 resolved): http, https.
    #[must_use]
    pub fn addresses(&self) -> (Option<SocketAddr>, Option<SocketAddr>) {
        let address = |socket: &TcpListener| socket.local_addr().ok();
        (self.http.as_ref().and_then(address), self.https.as_ref().and_then(|(socket, _)| address(socket)))
    }

    /// How many connections are open.
    #[must_use]
    pub fn connections(&self) -> Gauge {
        self.terms.connections.clone()
    }

    /// Serves until `stop` resolves, then drains within `limits.drain`. `make` is called once on each data thread, inside
    /// its runtime.
    pub async fn run<S: Service>(
        self,
        threads: usize,
        make: impl Fn() -> S + Clone + Send + 'static,
        stop: impl Future<Output = ()> + Send,
    ) {
        let (http, secure) = self.addresses();
        let mut desks = Vec::new();
        let mut handles = Vec::new();
        for number in 0..threads.max(1) {
            match thread::start(number, make.clone(), self.terms.clone()) {
                Ok((desk, handle)) => {
                    desks.push(desk);
                    handles.push(handle);
                }
                Err(error) => error!(number, %error, "a data thread cannot start"),
            }
        }
        let _following = match self.renewal.map(tls::Renewal::follow).transpose() {
            Ok(following) => following,
            Err(error) => {
                error!(%error, "renewed certificates are taken up by a restart only: no thread to look for them");
                None
            }
        };
        info!(
            http = http.map(tracing::field::display),
            https = secure.map(tracing::field::display),
            threads = desks.len(),
            "accepting connections"
        );
        accept::until(stop, self.http, self.https, &desks, self.most).await;
        info!("no longer accepting connections; finishing open requests");
        self.terms.stop.say();
        // The data threads end when nobody can hand them sockets any more and their connections are done.
        drop(desks);
        let ended = tokio::task::spawn_blocking(move || handles.into_iter().all(|handle| handle.join().is_ok())).await;
        if !ended.unwrap_or(false) {
            error!("a data thread ended in a panic");
        }
    }
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listener").field("addresses", &self.addresses()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
