//! `Forwarded`, `X-Forwarded-*`, `X-Real-IP`, `X-Request-Id`: rebuilt from the view (RFC 7239).
//!
//! A peer that is one of `listen.trusted_proxies` keeps its chain, with the peer itself appended; everybody else starts a new one.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::inbound::View;

/// Sets all of them. `received`: the fields as they came; `host`: the authority the client asked for.
pub(super) fn set(view: &View, received: &HeaderMap, peer: IpAddr, host: &HeaderValue, fields: &mut HeaderMap) {
    let client = view.client.address.to_canonical();
    let proto = if view.secure { "https" } else { "http" };
    let (chain, forwarded) = if view.client.via_trusted_proxy {
        trusted_chain(received, client, peer, &element(client, view, proto))
    } else {
        (text(&client.to_string()), text(&element(client, view, proto)))
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
    put(REAL_IP, text(&client.to_string()));
    put(REQUEST_ID, text(&view.id.0));
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
    format!("for={};proto={proto};host=\"{}\"", node(client), view.authority)
}

fn node(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => format!("\"[{v6}]\""),
    }
}

fn text(value: &str) -> Option<HeaderValue> {
    HeaderValue::from_str(value).ok()
}

const FORWARDED: HeaderName = http::header::FORWARDED;
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
