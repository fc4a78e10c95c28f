//! What upstreams are told of the client, always rebuilt. RFC 7239.
//!
//! A trusted proxy speaks for the client it had before it, and for nobody before that one: whatever else stands in a chain
//! may be the client's own invention.

use http::HeaderName;

use super::fields::Sink;
use crate::inbound::View;

/// Puts all of them.
pub(super) fn put(view: &View, sink: &mut impl Sink) {
    sink.put_all(&view.forwarded.written);
    sink.put_text(&REQUEST_ID, view.id.as_str());
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
