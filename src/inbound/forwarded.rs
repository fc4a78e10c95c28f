//! What this gateway tells upstreams of the client and of what it asked for: made once for a connection and a host.
//!
//! The values of `Forwarded` (RFC 7239), `X-Forwarded-*` and `X-Real-IP`; when they are sent is the proxy's affair.

use std::net::IpAddr;

use http::HeaderValue;

use super::{Authority, Client};

/// Ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forwarded {
    /// `for=192.0.2.1;proto=https;host="wiki.example.com"`, then the trusted proxy that speaks for it: `, for=10.0.0.9`
    pub chain: HeaderValue,
    /// The addresses in it, bare: `192.0.2.1, 10.0.0.9`
    pub addresses: HeaderValue,
    /// The client's address.
    pub client: HeaderValue,
    /// The authority asked for.
    pub host: HeaderValue,
    /// Its port, the scheme's default included.
    pub port: HeaderValue,
}

impl Forwarded {
    /// Of a client that asked for `authority`; `peer`: who is at the other end of the connection; `secure` as the client sees it.
    #[must_use]
    pub fn of(authority: &Authority, client: &Client, peer: IpAddr, secure: bool) -> Self {
        let (client, peer) = (client.address.to_canonical(), peer.to_canonical());
        let (proto, default) = if secure { ("https", 443) } else { ("http", 80) };
        let host = authority.to_string();
        // Quoted: a host with a port holds a colon, which no token does.
        let mut chain = format!("for={};proto={proto};host=\"{host}\"", node(client));
        let mut addresses = client.to_string();
        if peer != client {
            chain += &format!(", for={}", node(peer));
            addresses += &format!(", {peer}");
        }
        Self {
            chain: value(chain),
            addresses: value(addresses),
            client: value(client.to_string()),
            port: HeaderValue::from(authority.port.unwrap_or(default)),
            host: value(host),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn told(client: &str, peer: &str, port: Option<u16>) -> Forwarded {
        let client = Client { address: client.parse().unwrap(), via_trusted_proxy: client != peer };
        let authority = Authority { host: "wiki.example.com".into(), port };
        Forwarded::of(&authority, &client, peer.parse().unwrap(), true)
    }

    #[test]
    fn a_client_stands_for_itself() {
        let told = told("2001:db8::7", "2001:db8::7", None);
        assert_eq!(told.chain, "for=\"[2001:db8::7]\";proto=https;host=\"wiki.example.com\"");
        assert_eq!((told.addresses, told.client), ("2001:db8::7".parse().unwrap(), "2001:db8::7".parse().unwrap()));
        assert_eq!((told.host, told.port), ("wiki.example.com".parse().unwrap(), "443".parse().unwrap()));
    }

    #[test]
    fn a_proxy_that_speaks_for_a_client_is_named_after_it() {
        let told = told("192.0.2.1", "::ffff:10.0.0.9", Some(8443));
        assert_eq!(told.chain, "for=192.0.2.1;proto=https;host=\"wiki.example.com:8443\", for=10.0.0.9");
        assert_eq!(told.addresses, "192.0.2.1, 10.0.0.9");
        assert_eq!((told.client, told.port), ("192.0.2.1".parse().unwrap(), "8443".parse().unwrap()));
    }
}
