//! Head in, [`View`] out, or the rule it breaks.
//!
//! What hyper already refuses (obs-fold, NUL and CR in values, bad `Content-Length` syntax, too many fields) never gets
//! here; what it lets pass is refused here. RFC 9110 §7, RFC 9112 §3, RFC 9113 §8.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use http::{Method, request::Parts};
use ipnet::IpNet;

use super::{Connection, Malformed, RequestId, View, client, fetch, framing, target};
use crate::world::{Entropy, NoEntropy};

/// Reads requests. One per process; clones share the list of peers already warned about.
#[derive(Clone, Debug)]
pub struct Reader {
    believed: client::Believed,
    ids: Arc<Ids>,
}

impl Reader {
    /// `trusted_proxies`: the networks whose `Forwarded` and `X-Forwarded-*` are believed.
    ///
    /// # Errors
    /// [`NoEntropy`]: references of requests start at a random place.
    pub fn new(trusted_proxies: Vec<IpNet>, entropy: &Entropy) -> Result<Self, NoEntropy> {
        let seed = u64::from_be_bytes(entropy.bytes()?);
        Ok(Self { believed: client::Believed::new(trusted_proxies), ids: Arc::new(Ids(AtomicU64::new(seed))) })
    }

    /// The one view of a request.
    ///
    /// # Errors
    /// [`Malformed`] names the rule it breaks.
    pub fn read(&self, parts: &Parts, connection: &Connection) -> Result<View, Malformed> {
        // First of all: when the framing is doubtful, nothing else in the head deserves belief.
        framing::check(parts)?;
        let method = served(parts)?;
        let (client, secure) = self.believed.read(&parts.headers, connection)?;
        let (authority, forwarded) = connection.known.of(parts, &client, connection.peer.ip(), secure)?;
        let target = target::of(parts)?;
        let (fetch, asks) = fetch::of(&parts.headers);
        let upgrade = framing::upgrade(parts);
        Ok(View { id: self.ids.next(), method, authority, secure, target, client, forwarded, fetch, asks, upgrade })
    }

    /// A reference for a request that could not be read.
    #[must_use]
    pub fn next_id(&self) -> RequestId {
        self.ids.next()
    }
}

/// The method that rules see. CONNECT would make us an open proxy, TRACE would show our own fields. Small letters make another
/// method of a known one (RFC 9110 §9.1), which rules would not know and many an upstream (Django, Werkzeug) takes for it all the
/// same. A WebSocket's extended CONNECT is the GET it would be over HTTP/1.1 (RFC 8441 §5).
fn served(parts: &Parts) -> Result<Method, Malformed> {
    if framing::web_socket_by_connect(parts) {
        return Ok(Method::GET);
    }
    let name = parts.method.as_str();
    if ["CONNECT", "TRACE", "TRACK"].contains(&name)
        || name.len() > LONGEST_METHOD
        || name.bytes().any(|byte| byte.is_ascii_lowercase())
    {
        return Err(Malformed::Method);
    }
    Ok(parts.method.clone())
}

/// Twice the longest registered one (`UPDATEREDIRECTREF`).
const LONGEST_METHOD: usize = 34;

/// Distinct references that look random: a counter from a random place, stirred (splitmix64 is a bijection).
#[derive(Debug)]
struct Ids(AtomicU64);

impl Ids {
    fn next(&self) -> RequestId {
        let mut x = self.0.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        RequestId::of(x ^ (x >> 31))
    }
}

#[cfg(test)]
mod tests {
    use http::{Request, Version};
    use proptest::prelude::*;

    use super::*;

    /// What is wrong, then the head.
    type Row<'a> = (&'a str, Version, &'a str, &'a str, &'a [(&'a str, &'a str)]);

    fn reader() -> Reader {
        Reader::new(vec!["10.0.0.0/8".parse().unwrap()], &Entropy::counting()).unwrap()
    }

    fn connection(peer: &str) -> Connection {
        Connection::new(peer.parse().unwrap(), None)
    }

    fn parts(version: Version, method: &str, uri: &str, fields: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().version(version).method(method).uri(uri);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn read(version: Version, method: &str, uri: &str, fields: &[(&str, &str)]) -> Result<View, Malformed> {
        reader().read(&parts(version, method, uri, fields), &connection("192.0.2.7:4000"))
    }

    #[test]
    fn a_plain_request_is_read() {
        let view = read(Version::HTTP_11, "GET", "/a/./b%41?x=1", &[("host", "Wiki.Example.com.:80")]).unwrap();
        assert_eq!(&*view.authority.host, "wiki.example.com");
        assert_eq!(view.authority.port, None);
        assert_eq!((&*view.target.raw, &*view.target.path), ("/a/./b%41?x=1", "/a/bA"));
        assert_eq!(view.target.query.as_deref(), Some("x=1"));
        assert_eq!(&*view.target.canonical(), "/a/bA?x=1");
        assert!(!view.secure);
        assert_eq!(view.id.0.len(), 16);
    }

    #[test]
    fn every_broken_head_is_refused() {
        let host = ("host", "a.example");
        let v11 = Version::HTTP_11;
        let table: &[Row<'_>] = &[
            ("no host", v11, "GET", "/", &[]),
            ("no host in HTTP/1.0", Version::HTTP_10, "GET", "/", &[]),
            ("two hosts", v11, "GET", "/", &[host, host]),
            ("two hosts beside a target", v11, "GET", "http://a.example/", &[host, host]),
            ("target and host differ", v11, "GET", "http://b.example/", &[host]),
            ("target and port differ", v11, "GET", "http://a.example:81/", &[host]),
            ("absolute target without host", v11, "GET", "http://a.example/", &[]),
            ("HTTP/2 authority and host differ", Version::HTTP_2, "GET", "https://b.example/", &[host]),
            ("user-info in the target", v11, "GET", "http://me@a.example/", &[host]),
            ("user-info in host", v11, "GET", "/", &[("host", "me@a.example")]),
            ("another scheme", v11, "GET", "ftp://a.example/", &[host]),
            ("authority-form", v11, "GET", "a.example:80", &[host]),
            ("asterisk but not OPTIONS", v11, "GET", "*", &[host]),
            ("CONNECT", v11, "CONNECT", "a.example:80", &[host]),
            ("TRACE", v11, "TRACE", "/", &[host]),
            ("trace", v11, "trace", "/", &[host]),
            ("two codings", v11, "POST", "/", &[host, ("transfer-encoding", "gzip, chunked")]),
            ("chunked twice", v11, "POST", "/", &[host, ("transfer-encoding", "chunked, chunked")]),
            (
                "chunked on two lines",
                v11,
                "POST",
                "/",
                &[host, ("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")],
            ),
            ("identity", v11, "POST", "/", &[host, ("transfer-encoding", "identity")]),
            ("a coding with a parameter", v11, "POST", "/", &[host, ("transfer-encoding", "chunked;q=1")]),
            ("an empty coding", v11, "POST", "/", &[host, ("transfer-encoding", "")]),
            ("chunked in HTTP/1.0", Version::HTTP_10, "POST", "/", &[host, ("transfer-encoding", "chunked")]),
            ("two framings", v11, "POST", "/", &[host, ("transfer-encoding", "chunked"), ("content-length", "3")]),
            ("two lengths", v11, "POST", "/", &[host, ("content-length", "3"), ("content-length", "4")]),
            ("a list of lengths", v11, "POST", "/", &[host, ("content-length", "3, 3")]),
            ("a length with a sign", v11, "POST", "/", &[host, ("content-length", "+3")]),
        ];
        for (name, version, method, uri, fields) in table {
            assert!(read(*version, method, uri, fields).is_err(), "{name}");
        }
        assert!(read(v11, "POST", "/", &[host, ("transfer-encoding", "Chunked")]).is_ok());
        assert!(read(v11, "GET", "http://A.example:80/", &[host]).is_ok());
        assert!(read(v11, "OPTIONS", "*", &[host]).is_ok());
        assert!(read(Version::HTTP_2, "GET", "https://a.example/", &[]).is_ok());
    }

    #[test]
    fn raw_bytes_beyond_ascii_in_the_target_are_refused() {
        let mut head = parts(Version::HTTP_11, "GET", "/", &[("host", "a.example")]);
        head.uri = http::Uri::try_from("/caf\u{e9}".as_bytes()).unwrap();
        assert!(matches!(reader().read(&head, &connection("192.0.2.7:4000")), Err(Malformed::Target(_))));
    }

    #[test]
    fn references_differ() {
        let reader = reader();
        let ids: std::collections::HashSet<_> = (0..1000).map(|_| reader.next_id().0).collect();
        assert_eq!(ids.len(), 1000);
    }

    proptest! {
        #[test]
        fn reading_never_panics(
            method in "[A-Za-z!#$%&'*+.^_`|~-]{1,12}",
            uri in prop::collection::vec(any::<u8>(), 1..60),
            path in "/[ -~]{0,40}",
            fields in prop::collection::vec((0..9_usize, prop::collection::vec(any::<u8>(), 0..40)), 0..8),
            version in prop::sample::select(vec![Version::HTTP_10, Version::HTTP_11, Version::HTTP_2]),
            trusted in any::<bool>(),
        ) {
            let names = ["host", "transfer-encoding", "content-length", "x-forwarded-for", "forwarded",
                "x-forwarded-proto", "accept", "connection", "upgrade"];
            for uri in [uri.as_slice(), path.as_bytes()] {
                let Ok(uri) = http::Uri::try_from(uri) else { continue };
                let mut head = parts(version, &method, "/", &[]);
                head.uri = uri;
                head.headers.insert("host", http::HeaderValue::from_static("a.example"));
                for (name, value) in &fields {
                    if let Ok(value) = http::HeaderValue::from_bytes(value) {
                        head.headers.append(names[*name], value);
                    }
                }
                let peer = if trusted { "10.0.0.1:1" } else { "192.0.2.1:1" };
                if let Ok(view) = reader().read(&head, &connection(peer)) {
                    prop_assert!(&*view.target.path == "*" || view.target.path.starts_with('/'));
                    prop_assert!(!view.authority.host.is_empty());
                }
            }
        }
    }
}
