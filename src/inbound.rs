//! What is known of a request before judging it.
//!
//! [`read`](Reader::read) turns a received head into one canonical [`View`]; everything later (routes, rules, forwarding,
//! sign-in pages) asks the view and never parses the request again. RFC 9110 §7, RFC 9112 §3.

pub mod answer;
mod authority;
pub mod bearer;
mod client;
mod device;
mod fetch;
mod foreign;
pub mod forwarded;
mod framing;
#[cfg(any(test, fuzzing))]
pub mod fuzzed;
mod held;
mod known;
mod reader;
pub mod target;
#[cfg(test)]
mod wire;
mod written;

use std::{net::SocketAddr, sync::Arc};

use http::Method;
use hyper::body::Incoming;

pub use self::{device::Device, fetch::Asks, forwarded::Forwarded, held::Held, reader::Reader, written::Written};

/// The client sent something that can be read in two ways or in none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// CONNECT and TRACE: 405.
    #[error("this method is not served here")]
    Method,
    /// No valid host, two of them, or two that differ: 400.
    #[error("{0}")]
    Authority(&'static str),
    /// The target is not a path: 400.
    #[error("{0}")]
    Target(&'static str),
    /// Where the body ends is doubtful: 400, and the connection closes.
    #[error("{0}")]
    Framing(&'static str),
    /// A trusted proxy contradicts itself: 400.
    #[error("{0}")]
    Forwarding(&'static str),
}

/// What the listener knows of a connection.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The TCP peer, or whom a PROXY protocol header names in its place.
    pub peer: SocketAddr,
    /// `Some` on TLS.
    pub tls: Option<Tls>,
    known: known::Known,
}

impl Connection {
    /// A connection that nothing came on yet.
    #[must_use]
    pub fn new(peer: SocketAddr, tls: Option<Tls>) -> Self {
        Self { peer, tls, known: known::Known::default() }
    }
}

/// What the TLS handshake said.
#[derive(Clone, Debug)]
pub struct Tls {
    /// The server name the client asked for, canonical (lower case).
    pub server_name: Option<Arc<str>>,
}

/// A request as it came.
#[derive(Debug)]
pub struct Received {
    /// Its head; passed from hand to hand, and large.
    pub parts: Box<http::request::Parts>,
    /// Not polled yet: polling sends 100 (Continue).
    pub body: Incoming,
}

impl From<http::Request<Incoming>> for Received {
    fn from(request: http::Request<Incoming>) -> Self {
        let (parts, body) = request.into_parts();
        Self { parts: Box::new(parts), body }
    }
}

/// A request that could be read in exactly one way.
#[derive(Debug)]
pub struct Request {
    /// The canonical view; shared with the log.
    pub view: Arc<View>,
    /// Head as received (HTTP/2's `:authority` stands in `uri`).
    pub parts: Box<http::request::Parts>,
    /// Not polled yet: polling sends 100 (Continue).
    pub body: Incoming,
}

/// The one view of a request.
#[derive(Clone, Debug)]
pub struct View {
    /// Short reference that pages show and the log has too.
    pub id: RequestId,
    /// As received; CONNECT and TRACE never get here. A WebSocket's extended CONNECT (RFC 8441) is GET.
    pub method: Method,
    /// The authority asked for, canonical.
    pub authority: Authority,
    /// `https` as the client sees it (TLS here, or said so by a trusted proxy).
    pub secure: bool,
    /// What was asked for.
    pub target: Target,
    /// Who asks: the peer, or what trusted proxies say, taken from the right.
    pub client: Client,
    /// The same for upstreams.
    pub forwarded: Arc<Forwarded>,
    /// What the browser says about the request's origin.
    pub fetch: Fetch,
    /// See [`View::wants`].
    pub asks: Asks,
    /// The protocols of `Upgrade` that may be offered to the upstream (`websocket`): asked for properly, and never
    /// `h2c`, `HTTP/…` or `TLS/…`. `None`: `Upgrade` and `HTTP2-Settings` do not travel.
    pub upgrade: Option<Arc<str>>,
}

impl View {
    /// Whether a token of ours was shown ([`bearer::brought`] reads it).
    #[must_use]
    pub fn shows_token(&self) -> bool {
        self.asks.token
    }

    /// Pages that know no tokens answer as if none was shown.
    pub fn ignore_token(&mut self) {
        self.asks.token = false;
    }

    /// What kind of answer the asker can use. Whoever shows a token is a program.
    #[must_use]
    pub fn wants(&self) -> Wants {
        if self.upgrade.is_some() || self.asks.token {
            Wants::Program
        } else {
            fetch::wants(&self.method, &self.fetch, &self.asks)
        }
    }
}

/// 16 hex digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RequestId([u8; 16]);

impl RequestId {
    /// A good deal cheaper than formatting.
    #[must_use]
    pub fn of(number: u64) -> Self {
        let mut digits = [b'0'; 16];
        for (place, byte) in number.to_be_bytes().into_iter().enumerate() {
            for (digit, half) in digits.iter_mut().skip(2 * place).zip([byte >> 4, byte & 15]) {
                *digit = if half < 10 { b'0' + half } else { b'a' - 10 + half };
            }
        }
        Self(digits)
    }

    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl std::fmt::Debug for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Host and port, canonical: lower case, no trailing dot, default port left out.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Authority {
    /// `wiki.example.com`, `127.0.0.1`, `[::1]`
    pub host: Arc<str>,
    /// `None` when it is the scheme's default or was left out.
    pub port: Option<u16>,
}

impl std::fmt::Display for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.host),
            None => f.write_str(&self.host),
        }
    }
}

/// Path and query, as they came and canonical.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Origin-form exactly as sent (`/a%2Fb?x=1`); begins with `/`, or is `*` (OPTIONS).
    pub raw: Arc<str>,
    /// Path with dot segments removed and percent-encoded unreserved characters decoded, other encodings upper case; slashes unmerged.
    pub path: Arc<str>,
    /// Without `?`; as sent.
    pub query: Option<Arc<str>>,
    /// What in the path two readers could read differently: `%2F`, `%5C`, `%23`, `%00` to `%1F`, `%7F`, the beginnings of
    /// overlong UTF-8 (`%C0`, `%C1`, `%E0`, `%F0`), a raw `\`, and `%` without two hex digits after it.
    pub ambiguous: Vec<&'static str>,
}

impl Target {
    /// The canonical path with the query as sent.
    #[must_use]
    pub fn canonical(&self) -> Arc<str> {
        match &self.query {
            Some(query) => format!("{}?{query}", self.path).into(),
            None => Arc::clone(&self.path),
        }
    }
}

/// The asker's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// The address throttles and rules go by.
    pub address: std::net::IpAddr,
    /// Whether the TCP peer is one of `listen.trusted_proxies`.
    pub via_trusted_proxy: bool,
}

impl Client {
    /// The network throttles count by: /24 or /64.
    #[must_use]
    pub fn network(&self) -> ipnet::IpNet {
        let address = match self.address {
            std::net::IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(self.address, std::net::IpAddr::V4),
            v4 @ std::net::IpAddr::V4(_) => v4,
        };
        let prefix = if address.is_ipv4() { 24 } else { 64 };
        ipnet::IpNet::new(address, prefix).map_or_else(|_| ipnet::IpNet::from(address), |net| net.trunc())
    }
}

/// What the asker can use as a refusal (DESIGN, "Unauthenticated").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wants {
    /// A document at the top of a tab: redirect it to sign-in.
    Document,
    /// A frame: a small 401 page that opens sign-in at the top.
    Frame,
    /// A form sent from a page: a 401 page that keeps the typed text safe.
    FormPost,
    /// Everything else: JSON 401.
    Program,
}

/// Fetch metadata and `Origin`, parsed leniently: `None` when not sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fetch {
    /// `Sec-Fetch-Site`
    pub site: Option<Arc<str>>,
    /// `Sec-Fetch-Mode`
    pub mode: Option<Arc<str>>,
    /// `Sec-Fetch-Dest`
    pub dest: Option<Arc<str>>,
    /// `Origin`
    pub origin: Option<Arc<str>>,
}
