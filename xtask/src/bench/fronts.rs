//! The proxies side by side: each a process with a plain and a TLS listener, before the same upstream.

use super::{
    Bench, haproxy,
    nginx::{self, Upstream},
    redis::Redis,
    stage::Process,
    usage::Usage,
    vestibule::{Node, Wanted},
};
use crate::Failure;

/// One proxy (or the upstream itself), as load sees it.
pub(super) struct Front {
    /// `nginx`, `vestibule`, …
    pub(super) name: &'static str,
    pub(super) process: Process,
    /// HTTP/1.1.
    pub(super) plain: u16,
    /// TLS 1.3 with HTTP/1.1 and HTTP/2.
    pub(super) secure: u16,
    /// What every request carries: the session's cookie.
    pub(super) fields: Vec<String>,
}

impl Front {
    /// `http://…` of a path.
    pub(super) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.plain)
    }

    /// `https://…` of a path.
    pub(super) fn secure_url(&self, path: &str) -> String {
        format!("https://127.0.0.1:{}{path}", self.secure)
    }

    pub(super) fn usage(&self) -> Usage {
        self.process.usage()
    }
}

/// Everything that is compared, and what stands behind it.
pub(super) struct Fronts {
    pub(super) all: Vec<Front>,
    _upstream: Upstream,
    /// Behind the Vestibule of that name; it ends after it.
    _redis: Redis,
}

/// Names in tables.
pub(super) const NGINX: &str = "nginx";
pub(super) const NGINX_AUTH: &str = "nginx auth_request";
pub(super) const HAPROXY: &str = "haproxy";
pub(super) const EMBEDDED: &str = "vestibule, embedded store";
pub(super) const WITH_REDIS: &str = "vestibule, Redis";

impl Fronts {
    /// nginx, nginx with `auth_request`, haproxy, Vestibule with either store, each signed in.
    pub(super) fn every(bench: &Bench) -> Result<Self, Failure> {
        let upstream = Upstream::start(bench)?;
        let redis = Redis::start(bench)?;
        let all = vec![
            nginx::plain(bench, &upstream)?,
            nginx::with_auth_request(bench, &upstream)?,
            haproxy::start(bench, &upstream)?,
            Node::start(bench, &Wanted::embedded(EMBEDDED, "embedded", upstream.port))?.front,
            Node::start(bench, &Wanted::with_redis(WITH_REDIS, "redis", upstream.port, &redis))?.front,
        ];
        Ok(Self { all, _upstream: upstream, _redis: redis })
    }
}

/// nginx, then Vestibule with its embedded store, before one upstream.
pub(super) fn two(bench: &Bench, upstream: &Upstream) -> Result<[Front; 2], Failure> {
    let vestibule = Node::start(bench, &Wanted::embedded(EMBEDDED, "embedded", upstream.port))?.front;
    Ok([nginx::plain(bench, upstream)?, vestibule])
}
