//! What upstreams are told of the client, always rebuilt. RFC 7239.
//!
//! A trusted proxy speaks for the client it had before it, and for nobody before that one: whatever else stands in a chain
//! may be the client's own invention.

use http::HeaderName;

use super::fields::Sink;
use crate::inbound::{Forwarded, View};

/// Puts all of them.
pub(super) fn put(view: &View, sink: &mut impl Sink) {
    let Forwarded { chain, addresses, client, host, port } = &*view.forwarded;
    sink.put(&FORWARDED, chain);
    sink.put(&FORWARDED_FOR, addresses);
    sink.put_text(&FORWARDED_PROTO, if view.secure { "https" } else { "http" });
    sink.put(&FORWARDED_HOST, host);
    sink.put(&FORWARDED_PORT, port);
    sink.put(&REAL_IP, client);
    sink.put_text(&REQUEST_ID, view.id.as_str());
}

const FORWARDED: HeaderName = http::header::FORWARDED;
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
