//! The head of an upstream's answer on its way to the client: what stays behind, what is said otherwise. RFC 9110 §7.6.1.

use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Version, header};
use http_body::Body;
use hyper::body::Incoming;

use super::{
    Proxy, ProxyError,
    download::Download,
    endpoint::Lease,
    errand::Errand,
    fields, location, tunnel, via,
    watch::{Granted, Watch},
};
use crate::{
    inbound::answer::{Answer, Outgoing},
    policy::Subject,
    session::Sessions,
};

impl Proxy {
    /// hyper has swallowed 100, 102 and 103 by now: this is the answer itself.
    pub(super) fn receive(
        &self,
        errand: &mut Errand,
        response: Response<Incoming>,
        lease: Lease,
    ) -> Result<Answer, ProxyError> {
        let (mut parts, incoming) = response.into_parts();
        let opens = if lease.http2().is_some() && errand.upgrade.is_some() { StatusCode::OK } else { SWITCHING };
        if parts.status == opens {
            return tunnel::open(self, errand, parts, lease);
        }
        if errand.asked_by_connect() && parts.status.is_success() {
            return Err(ProxyError::Broken("an ordinary answer to a WebSocket's handshake".into()));
        }
        decodable(&parts.headers)?;
        clean(&mut parts.headers, &self.sessions);
        location::rewrite(&mut parts.headers, errand, lease.authority());
        via::sign_answer(&mut parts.headers, parts.version);
        if errand.signed_in() && !errand.site.settings.shared_cache {
            keep_private(&mut parts.headers);
        }
        // An HTTP/1.0 upstream says nothing about our client.
        parts.version = Version::HTTP_11;
        parts.extensions.clear();
        let body = if incoming.is_end_stream() {
            lease.release();
            Outgoing::Empty
        } else {
            let granted = match &errand.subject {
                Subject::Session(live) => {
                    Some(Granted { sessions: self.sessions.clone(), live: live.clone(), clock: self.clock.clone() })
                }
                _ => None,
            };
            let watch = Watch::new(granted, lasts(&parts.headers), self.limits.upstream_stall);
            Outgoing::stream(Download::new(incoming, lease, watch, &self.names))
        };
        Ok(Response::from_parts(parts, body))
    }
}

/// What of an answer's head belongs to the upstream's connection, or to us, stays behind.
pub(super) fn clean(fields: &mut HeaderMap, sessions: &Sessions) {
    for name in fields::named_by_connection(fields) {
        // Names that frame the message or guard the client are not the upstream's to take away.
        if !KEPT.contains(&name) {
            fields.remove(name);
        }
    }
    // Looked at first: most answers carry none, and each removal costs a hash.
    if fields.keys().any(|name| HOP_BY_HOP.contains(name)) {
        for name in HOP_BY_HOP {
            fields.remove(name);
        }
    }
    if fields.get_all(header::SET_COOKIE).iter().any(|cookie| sessions.sets_ours(cookie)) {
        let others: Vec<_> =
            fields.get_all(header::SET_COOKIE).iter().filter(|cookie| !sessions.sets_ours(cookie)).cloned().collect();
        fields.remove(header::SET_COOKIE);
        for cookie in others {
            fields.append(header::SET_COOKIE, cookie);
        }
    }
}

/// hyper took `chunked` away; any other coding is still in the body and nobody would be told.
fn decodable(fields: &HeaderMap) -> Result<(), ProxyError> {
    let mut codings = fields.get_all(header::TRANSFER_ENCODING).iter();
    let plain = match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(one), None) => one.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked"),
        _ => false,
    };
    if plain { Ok(()) } else { Err(ProxyError::Broken("the answer's Transfer-Encoding is not `chunked`".into())) }
}

/// A page made for one person is not stored for others: `public` and `s-maxage` become `private` (RFC 9111 §5.2.2), and
/// what speaks to content delivery networks alone goes (RFC 9213). Neither is needed for a shared cache to keep an answer to
/// a request with cookies (RFC 9111 §3: `max-age`, or a status that is cacheable as such), so `private` is said always; to
/// browsers it changes nothing.
fn keep_private(fields: &mut HeaderMap) {
    if fields.keys().any(|name| [CDN_CACHE_CONTROL, SURROGATE_CONTROL].contains(name)) {
        fields.remove(CDN_CACHE_CONTROL);
        fields.remove(SURROGATE_CONTROL);
    }
    if !fields.contains_key(header::CACHE_CONTROL) {
        fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("private"));
        return;
    }
    let lines: Vec<&[u8]> = fields.get_all(header::CACHE_CONTROL).iter().map(HeaderValue::as_bytes).collect();
    let line = lines.join(&b","[..]);
    let (shared, mut kept): (Vec<&[u8]>, Vec<&[u8]>) = directives(&line).into_iter().partition(|directive| {
        let name = directive.split(|&byte| byte == b'=').next().unwrap_or_default().trim_ascii();
        name.eq_ignore_ascii_case(b"public") || name.eq_ignore_ascii_case(b"s-maxage")
    });
    let says = |name: &[u8]| kept.iter().any(|directive| directive.eq_ignore_ascii_case(name));
    let unshared = says(b"private") || says(b"no-store");
    if unshared && shared.is_empty() {
        return;
    }
    if !unshared {
        kept.insert(0, b"private");
    }
    let private = HeaderValue::from_bytes(&kept.join(&b", "[..])).unwrap_or(HeaderValue::from_static("private"));
    fields.insert(header::CACHE_CONTROL, private);
}

/// Cuts at commas outside quotes.
fn directives(line: &[u8]) -> Vec<&[u8]> {
    let mut quoted = false;
    line.split(|&byte| {
        quoted ^= byte == b'"';
        byte == b',' && !quoted
    })
    .map(<[u8]>::trim_ascii)
    .filter(|directive| !directive.is_empty())
    .collect()
}

/// Event streams and gRPC calls are made to last.
fn lasts(fields: &HeaderMap) -> bool {
    fields.get(header::CONTENT_TYPE).is_some_and(|kind| {
        let begins =
            |with: &[u8]| kind.as_bytes().get(..with.len()).is_some_and(|kind| kind.eq_ignore_ascii_case(with));
        begins(b"text/event-stream") || begins(b"application/grpc")
    })
}

const SWITCHING: StatusCode = StatusCode::SWITCHING_PROTOCOLS;
const HOP_BY_HOP: [HeaderName; 8] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    HeaderName::from_static("proxy-authentication-info"),
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];
const KEPT: [HeaderName; 4] =
    [header::CONTENT_LENGTH, header::SET_COOKIE, header::CACHE_CONTROL, header::CONTENT_SECURITY_POLICY];
const CDN_CACHE_CONTROL: HeaderName = HeaderName::from_static("cdn-cache-control");
const SURROGATE_CONTROL: HeaderName = HeaderName::from_static("surrogate-control");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_caching_becomes_private_and_the_rest_stays() {
        for (before, after) in [
            ("public, max-age=60", "private, max-age=60"),
            ("s-maxage=10", "private"),
            ("Public, S-MaxAge=\"5\", no-transform", "private, no-transform"),
            ("private, s-maxage=5", "private"),
            ("max-age=60", "private, max-age=60"),
            ("private=\"set-cookie\", max-age=60", "private, private=\"set-cookie\", max-age=60"),
            ("public, no-store", "no-store"),
            ("no-store", "no-store"),
            ("ext=\"a, public\", max-age=1", "private, ext=\"a, public\", max-age=1"),
        ] {
            let mut fields = HeaderMap::new();
            fields.insert(header::CACHE_CONTROL, HeaderValue::from_static(before));
            fields.insert(CDN_CACHE_CONTROL, HeaderValue::from_static("max-age=60"));
            keep_private(&mut fields);
            assert_eq!(fields[header::CACHE_CONTROL], after);
            assert!(!fields.contains_key(CDN_CACHE_CONTROL));
        }
    }

    #[test]
    fn an_answer_that_says_nothing_is_private() {
        let mut fields = HeaderMap::new();
        keep_private(&mut fields);
        assert_eq!(fields[header::CACHE_CONTROL], "private");
    }

    #[test]
    fn a_coding_besides_chunked_is_not_passed_on() {
        for (coding, good) in [("chunked", true), ("Chunked", true), ("gzip, chunked", false), ("identity", false)] {
            let mut fields = HeaderMap::new();
            fields.insert(header::TRANSFER_ENCODING, HeaderValue::from_static(coding));
            assert_eq!(decodable(&fields).is_ok(), good, "{coding}");
        }
    }
}
