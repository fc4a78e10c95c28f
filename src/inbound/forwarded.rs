//! What this gateway tells upstreams of the client and of what it asked for: made once for a connection and a host.
//!
//! The values of `Forwarded` (RFC 7239), `X-Forwarded-*` and `X-Real-IP`; who sends them, and in which chain, is the proxy's affair.

use std::net::IpAddr;

use http::HeaderValue;

use super::Authority;

/// Ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forwarded {
    /// `for=192.0.2.1;proto=https;host="wiki.example.com"`
    pub element: HeaderValue,
    /// The client's address, bare.
    pub client: HeaderValue,
    /// The authority asked for.
    pub host: HeaderValue,
    /// Its port, the scheme's default included.
    pub port: HeaderValue,
}

impl Forwarded {
    /// Of a client that asked for `authority`; `secure` as the client sees it.
    #[must_use]
    pub fn of(authority: &Authority, client: IpAddr, secure: bool) -> Self {
        let client = client.to_canonical();
        let (proto, default) = if secure { ("https", 443) } else { ("http", 80) };
        let host = authority.to_string();
        Self {
            // Quoted: a host with a port holds a colon, which no token does.
            element: value(format!("for={};proto={proto};host=\"{host}\"", node(client))),
            client: value(client.to_string()),
            port: HeaderValue::from(authority.port.unwrap_or(default)),
            host: value(host),
        }
    }
}

/// An address as RFC 7239 §6 writes it.
#[must_use]
pub fn node(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => format!("\"[{v6}]\""),
    }
}

/// Hosts and addresses are visible ASCII; what is not says nothing.
fn value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("unknown"))
}
