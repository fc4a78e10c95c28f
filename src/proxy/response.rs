//! The head of an upstream's answer on its way to the client: what stays behind, what is said otherwise. RFC 9110 §7.6.1.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Version, header, response::Parts};

use super::{
    Proxy, ProxyError,
    body::Upload,
    download::{Download, Source},
    endpoint::Lease,
    errand::Errand,
    location, tunnel, via,
    watch::{Granted, Watch},
};
use crate::{
    inbound::answer::{Answer, Outgoing},
    session::Sessions,
};

impl Proxy {
    /// 100, 102 and 103 are over by now: this is the answer itself.
    pub(super) fn receive(
        &self,
        errand: &mut Errand,
        mut parts: Parts,
        mut source: Source,
        mut lease: Lease,
        upload: Option<Arc<Upload>>,
    ) -> Result<Answer, ProxyError> {
        let opens = if lease.http2() && errand.upgrade.is_some() { StatusCode::OK } else { SWITCHING };
        if parts.status == opens {
            return tunnel::open(self, errand, parts, lease);
        }
        if errand.asked_by_connect() && parts.status.is_success() {
            return Err(ProxyError::Broken("an ordinary answer to a WebSocket's handshake".into()));
        }
        let noted = Noted::of(&parts.headers);
        clean(&mut parts.headers, &noted, &self.sessions);
        if noted.leads {
            location::rewrite(&mut parts.headers, errand, lease.authority());
        }
        via::sign_answer(&mut parts.headers, parts.version);
        if errand.signed_in() && !errand.site.settings.shared_cache {
            keep_private(&mut parts.headers, &noted);
        }
        // An HTTP/1.0 upstream says nothing about our client.
        parts.version = Version::HTTP_11;
        parts.extensions.clear();
        let body = if let Some(whole) = source.whole(&mut lease) {
            lease.release();
            Outgoing::from(whole)
        } else {
            let granted = errand.subject.live().map(|live| Granted {
                sessions: self.sessions.clone(),
                live: live.clone(),
                clock: self.clock.clone(),
            });
            let watch = Watch::new(granted, lasts(&parts.headers), (self.limits.upstream_stall, errand.end), upload);
            let (source, lease) = source.beside_upload(lease);
            Outgoing::stream(Download::new(source, lease, watch, &errand.names))
        };
        Ok(Response::from_parts(parts, body))
    }
}

/// What there is to do about an answer's fields: one look at each name is cheaper than a search for every name that matters.
#[derive(Default)]
pub(super) struct Noted {
    /// Fields of the upstream's connection.
    hops: Vec<HeaderName>,
    cookies: bool,
    /// Somewhere else.
    leads: bool,
    cached: bool,
    /// Fields that speak to content delivery networks alone, and count more there than `Cache-Control` (RFC 9213).
    networks: Vec<HeaderName>,
}

impl Noted {
    pub fn of(fields: &HeaderMap) -> Self {
        let mut noted = Self::default();
        for name in fields.keys() {
            match name.as_str() {
                "set-cookie" => noted.cookies = true,
                "location" | "content-location" | "refresh" => noted.leads = true,
                "cache-control" => noted.cached = true,
                "proxy-authenticate" | "proxy-authentication-info" => noted.hops.push(name.clone()),
                other if is_for_networks(other) => noted.networks.push(name.clone()),
                _ => {}
            }
        }
        noted
    }
}

fn is_for_networks(name: &str) -> bool {
    name.ends_with("cdn-cache-control")
        || matches!(name, "surrogate-control" | "edge-control" | "akamai-cache-control" | "x-accel-expires")
}

/// What of an answer's head is between the upstream and us, or ours, stays behind. What belongs to a connection of HTTP/1.1 is
/// gone by now ([`super::http1`]).
pub(super) fn clean(fields: &mut HeaderMap, noted: &Noted, sessions: &Sessions) {
    for name in &noted.hops {
        fields.remove(name);
    }
    let ours = |cookie: &HeaderValue| sessions.sets_ours(cookie);
    if noted.cookies && fields.get_all(header::SET_COOKIE).iter().any(ours) {
        let others: Vec<_> =
            fields.get_all(header::SET_COOKIE).iter().filter(|cookie| !ours(cookie)).cloned().collect();
        fields.remove(header::SET_COOKIE);
        for cookie in others {
            fields.append(header::SET_COOKIE, cookie);
        }
    }
}

/// A page made for one person is not stored for others: `public` and `s-maxage` become `private` (RFC 9111 §5.2.2), and
/// what speaks to content delivery networks alone goes (RFC 9213). Neither is needed for a shared cache to keep an answer to
/// a request with cookies (RFC 9111 §3: `max-age`, or a status that is cacheable as such), so `private` is said always; to
/// browsers it changes nothing.
fn keep_private(fields: &mut HeaderMap, noted: &Noted) {
    for name in &noted.networks {
        fields.remove(name);
    }
    if !noted.cached {
        fields.append(header::CACHE_CONTROL, HeaderValue::from_static("private"));
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
            for name in ["cdn-cache-control", "cloudflare-cdn-cache-control", "surrogate-control", "x-accel-expires"] {
                fields.insert(name, HeaderValue::from_static("max-age=60"));
            }
            let noted = Noted::of(&fields);
            keep_private(&mut fields, &noted);
            assert_eq!(fields[header::CACHE_CONTROL], after);
            assert_eq!(fields.len(), 1);
        }
    }

    #[test]
    fn an_answer_that_says_nothing_is_private() {
        let mut fields = HeaderMap::new();
        keep_private(&mut fields, &Noted::default());
        assert_eq!(fields[header::CACHE_CONTROL], "private");
    }
}
