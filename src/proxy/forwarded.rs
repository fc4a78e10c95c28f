//! `Forwarded`, `X-Forwarded-*`, `X-Real-IP`, `X-Request-Id`: rebuilt from the view (RFC 7239).
//!
//! A peer that is one of `listen.trusted_proxies` keeps its chain, with the peer itself appended; everybody else starts a new one.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::inbound::View;

/// Sets all of them. `received`: the fields as they came; `host`: the authority the client asked for.
pub(super) fn set(view: &View, received: &HeaderMap, peer: IpAddr, host: &HeaderValue, fields: &mut HeaderMap) {
    let client = view.client.address.to_canonical();
    let address = HeaderValue::try_from(client.to_string()).ok();
    let proto = if view.secure { "https" } else { "http" };
    let (chain, forwarded) = if view.client.via_trusted_proxy {
        trusted_chain(received, client, peer, &element(client, view, proto))
    } else {
        (address.clone(), HeaderValue::try_from(element(client, view, proto)).ok())
    };
    let port = view.authority.port.unwrap_or(if view.secure { 443 } else { 80 });
    let mut put = |name: HeaderName, value: Option<HeaderValue>| {
        if let Some(value) = value {
            fields.insert(name, value);
        }
    };
    put(FORWARDED, forwarded);
    put(FORWARDED_FOR, chain);
    put(FORWARDED_PROTO, Some(HeaderValue::from_static(proto)));
    put(FORWARDED_HOST, Some(host.clone()));
    put(FORWARDED_PORT, Some(HeaderValue::from(port)));
    put(REAL_IP, address);
    put(REQUEST_ID, HeaderValue::from_str(&view.id.0).ok());
}

/// What the trusted peer said, and the peer. Without a chain of one kind, one is made of what the view knows.
fn trusted_chain(
    received: &HeaderMap,
    client: IpAddr,
    peer: IpAddr,
    element: &str,
) -> (Option<HeaderValue>, Option<HeaderValue>) {
    let before = |name: HeaderName, otherwise: String| {
        let lines: Vec<&[u8]> = received.get_all(name).iter().map(HeaderValue::as_bytes).collect();
        if lines.is_empty() { otherwise.into_bytes() } else { lines.join(&b", "[..]) }
    };
    let append = |mut chain: Vec<u8>, last: String| {
        chain.extend_from_slice(b", ");
        chain.extend_from_slice(last.as_bytes());
        HeaderValue::from_maybe_shared(bytes::Bytes::from(chain)).ok()
    };
    let chain = append(before(FORWARDED_FOR, client.to_string()), peer.to_string());
    let forwarded = append(before(FORWARDED, element.to_owned()), format!("for={}", node(peer)));
    (chain, forwarded)
}

fn element(client: IpAddr, view: &View, proto: &str) -> String {
    // Quoted: a host with a port holds a colon, which no token does.
    match client {
        IpAddr::V4(v4) => format!("for={v4};proto={proto};host=\"{}\"", view.authority),
        v6 @ IpAddr::V6(_) => format!("for={};proto={proto};host=\"{}\"", node(v6), view.authority),
    }
}

fn node(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => format!("\"[{v6}]\""),
    }
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
        View {
            id: RequestId("00".into()),
            method: Method::GET,
            authority: Authority { host: "wiki.example.com".into(), port: None },
            secure: true,
            target: Target { raw: "/".into(), path, query: None, ambiguous: Vec::new() },
            client: Client { address: client.parse().unwrap(), via_trusted_proxy },
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
        let host = HeaderValue::from_static("wiki.example.com");
        set(&view(client, trusted), &received, "10.0.0.9".parse().unwrap(), &host, &mut fields);
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
