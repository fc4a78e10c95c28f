//! What this gateway tells upstreams of the client and of what it asked for: made once for a connection and a host.
//!
//! The values of `Forwarded` (RFC 7239), `X-Forwarded-*` and `X-Real-IP`; when they are sent is the proxy's affair.

use std::net::IpAddr;

use http::{HeaderName, HeaderValue, header::FORWARDED};

use super::{Authority, Client, Written};

/// Ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forwarded {
    /// The authority asked for.
    pub host: HeaderValue,
    /// `Forwarded`, `X-Forwarded-*` and `X-Real-IP`.
    pub written: Written,
}

impl Forwarded {
    /// Of a client that asked for `authority`; `peer`: who is at the other end of the connection; `secure` as the client sees it.
    #[must_use]
    pub fn of(authority: &Authority, client: &Client, peer: IpAddr, secure: bool) -> Self {
        let (client, peer) = (client.address.to_canonical(), peer.to_canonical());
        let (proto, default) = if secure { ("https", 443) } else { ("http", 80) };
        let text = authority.to_string();
        // Quoted: a host with a port holds a colon, which no token does.
        let mut chain = format!("for={};proto={proto};host=\"{text}\"", node(client));
        let mut addresses = client.to_string();
        // A trusted proxy that speaks for the client.
        if peer != client {
            chain += &format!(", for={}", node(peer));
            addresses += &format!(", {peer}");
        }
        let host = value(text);
        let written = Written::of([
            (FORWARDED, value(chain)),
            (FORWARDED_FOR, value(addresses)),
            (FORWARDED_PROTO, HeaderValue::from_static(proto)),
            (FORWARDED_HOST, host.clone()),
            (FORWARDED_PORT, HeaderValue::from(authority.port.unwrap_or(default))),
            (REAL_IP, value(client.to_string())),
        ]);
        Self { host, written }
    }
}

/// An address as RFC 7239 §6 writes it.
fn node(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => format!("\"[{v6}]\""),
    }
}

/// Hosts and addresses are visible ASCII; what is not says nothing.
fn value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("unknown"))
}

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

#[cfg(test)]
mod tests {
    use super::*;

    fn told(client: &str, peer: &str, port: Option<u16>) -> String {
        let client = Client { address: client.parse().unwrap(), via_trusted_proxy: client != peer };
        let authority = Authority { host: "wiki.example.com".into(), port };
        let told = Forwarded::of(&authority, &client, peer.parse().unwrap(), true);
        assert_eq!(told.written.fields().len(), 6);
        String::from_utf8(told.written.lines().to_vec()).unwrap()
    }

    #[test]
    fn a_client_stands_for_itself() {
        assert_eq!(
            told("2001:db8::7", "2001:db8::7", None),
            "forwarded: for=\"[2001:db8::7]\";proto=https;host=\"wiki.example.com\"\r\n\
             x-forwarded-for: 2001:db8::7\r\nx-forwarded-proto: https\r\nx-forwarded-host: wiki.example.com\r\n\
             x-forwarded-port: 443\r\nx-real-ip: 2001:db8::7\r\n"
        );
    }

    #[test]
    fn a_proxy_that_speaks_for_a_client_is_named_after_it() {
        assert_eq!(
            told("192.0.2.1", "::ffff:10.0.0.9", Some(8443)),
            "forwarded: for=192.0.2.1;proto=https;host=\"wiki.example.com:8443\", for=10.0.0.9\r\n\
             x-forwarded-for: 192.0.2.1, 10.0.0.9\r\nx-forwarded-proto: https\r\nx-forwarded-host: wiki.example.com:8443\r\n\
             x-forwarded-port: 8443\r\nx-real-ip: 192.0.2.1\r\n"
        );
    }
}
