//! `Forwarded`, `X-Forwarded-*`, `X-Real-IP`, `X-Request-Id`: rebuilt from the view (RFC 7239).
//!
//! A peer that is one of `listen.trusted_proxies` keeps its chain, with the peer itself appended; everybody else starts a new one.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::inbound::{Forwarded, View, forwarded::node};

/// Sets all of them. `received`: the fields as they came.
pub(super) fn set(view: &View, received: &HeaderMap, peer: IpAddr, fields: &mut HeaderMap) {
    let Forwarded { element, client, host, port } = &*view.forwarded;
    let mut put = |name: HeaderName, value: Option<HeaderValue>| {
        if let Some(value) = value {
            fields.insert(name, value);
        }
    };
    let (chain, forwarded) = if view.client.via_trusted_proxy {
        (
            append(received, FORWARDED_FOR, client, &peer.to_string()),
            append(received, FORWARDED, element, &format!("for={}", node(peer))),
        )
    } else {
        (Some(client.clone()), Some(element.clone()))
    };
    put(FORWARDED, forwarded);
    put(FORWARDED_FOR, chain);
    put(FORWARDED_PROTO, Some(HeaderValue::from_static(if view.secure { "https" } else { "http" })));
    put(FORWARDED_HOST, Some(host.clone()));
    put(FORWARDED_PORT, Some(port.clone()));
    put(REAL_IP, Some(client.clone()));
    put(REQUEST_ID, HeaderValue::from_str(&view.id.0).ok());
}

/// What the trusted peer said, and the peer. Without a chain, one is made of what the view knows.
fn append(received: &HeaderMap, name: HeaderName, otherwise: &HeaderValue, last: &str) -> Option<HeaderValue> {
    let mut chain: Vec<&[u8]> = received.get_all(name).iter().map(HeaderValue::as_bytes).collect();
    if chain.is_empty() {
        chain.push(otherwise.as_bytes());
    }
    chain.push(last.as_bytes());
    HeaderValue::from_maybe_shared(bytes::Bytes::from(chain.join(&b", "[..]))).ok()
}

const FORWARDED: HeaderName = http::header::FORWARDED;
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;
    use crate::inbound::{Authority, Client, Fetch, RequestId, Target, Wants};

    fn view(client: &str, via_trusted_proxy: bool) -> View {
        let path = std::sync::Arc::from("/");
        let authority = Authority { host: "wiki.example.com".into(), port: None };
        let address = client.parse().unwrap();
        View {
            id: RequestId("00".into()),
            method: Method::GET,
            forwarded: std::sync::Arc::new(Forwarded::of(&authority, address, true)),
            authority,
            secure: true,
            target: Target { raw: "/".into(), path, query: None, ambiguous: Vec::new() },
            client: Client { address, via_trusted_proxy },
            wants: Wants::Program,
            fetch: Fetch::default(),
            upgrade: None,
        }
    }

    fn sent(client: &str, trusted: bool, received: &[(&'static str, &'static str)]) -> HeaderMap {
        let received = received
            .iter()
            .map(|&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        let mut fields = HeaderMap::new();
        set(&view(client, trusted), &received, "10.0.0.9".parse().unwrap(), &mut fields);
        fields
    }

    #[test]
    fn a_stranger_starts_a_new_chain() {
        let fields = sent("2001:db8::7", false, &[("x-forwarded-for", "6.6.6.6"), ("forwarded", "for=6.6.6.6")]);
        assert_eq!(fields["x-forwarded-for"], "2001:db8::7");
        assert_eq!(fields["forwarded"], "for=\"[2001:db8::7]\";proto=https;host=\"wiki.example.com\"");
        assert_eq!(fields["x-real-ip"], "2001:db8::7");
        assert_eq!(fields["x-forwarded-port"], "443");
        assert_eq!(fields["x-forwarded-host"], "wiki.example.com");
    }

    #[test]
    fn a_trusted_proxy_keeps_its_chain_and_is_appended() {
        let fields = sent("192.0.2.1", true, &[("x-forwarded-for", "6.6.6.6, 192.0.2.1")]);
        assert_eq!(fields["x-forwarded-for"], "6.6.6.6, 192.0.2.1, 10.0.0.9");
        assert_eq!(fields["forwarded"], "for=192.0.2.1;proto=https;host=\"wiki.example.com\", for=10.0.0.9");
        assert_eq!(fields["x-real-ip"], "192.0.2.1");
    }
}
