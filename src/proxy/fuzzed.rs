//! For `fuzz/targets/fields.rs`: no field or trailer of a client reaches an upstream under a name of ours, in any spelling;
//! what is nobody's but the client's arrives whole.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::fields::Names;
pub use super::http1::fuzzed::answer;
use crate::config::identity::IdentityFields;

/// Each line is one field, `name:value`.
pub fn fields(bytes: &[u8]) {
    let names = Names::new(IdentityFields::default(), &[]);
    let received: HeaderMap = bytes.split(|&byte| byte == b'\n').filter_map(field).collect();
    let mut sent = HeaderMap::new();
    names.put_end_to_end(&received, None, &mut sent);
    check(&sent);
    for name in received.keys().filter(|name| !may_go(name, &received)) {
        let values = |fields: &HeaderMap| fields.get_all(name).iter().cloned().collect::<Vec<_>>();
        assert_eq!(values(&sent), values(&received), "{name} is the client's own");
    }
    let mut trailers = received;
    names.clean_trailers(&mut trailers);
    check(&trailers);
}

fn field(line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let mut halves = line.splitn(2, |&byte| byte == b':');
    let name = HeaderName::from_bytes(halves.next()?).ok()?;
    Some((name, HeaderValue::from_bytes(halves.next()?).ok()?))
}

fn check(sent: &HeaderMap) {
    for name in sent.keys() {
        assert!(!is_ours(&folded(name)) && !HOPS.contains(&&*folded(name)), "{name} travels");
    }
}

/// How CGI, WSGI and Rack would see it; written apart from what it checks.
fn folded(name: &HeaderName) -> String {
    let letter = |character: char| if character.is_ascii_alphanumeric() { character } else { '-' };
    name.as_str().to_ascii_lowercase().chars().map(letter).collect()
}

fn is_ours(folded: &str) -> bool {
    let names = ["remote-user", "remote-name", "remote-email", "remote-groups", "remote-id", "vestibule-assertion"];
    names.contains(&folded)
        || ["forwarded", "x-real-ip", "x-request-id"].contains(&folded)
        || folded.starts_with("x-forwarded-")
}

/// Whether something allows to take it away.
fn may_go(name: &HeaderName, received: &HeaderMap) -> bool {
    let named = received.get_all("connection").iter().any(|line| {
        let mut tokens = line.as_bytes().split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
        tokens.any(|token| token.eq_ignore_ascii_case(name.as_str().as_bytes()))
    });
    let folded = folded(name);
    named
        || is_ours(&folded)
        || HOPS.contains(&&*folded)
        || folded.starts_with("vestibule-")
        || ["host", "expect", "authorization", "content-length", "cookie"].contains(&&*folded)
        // Removed as a matter of caution: some upstreams act on them (httpoxy; rewritten targets).
        || RESERVED_BESIDES.contains(&&*folded)
}

const HOPS: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
];
const RESERVED_BESIDES: &[&str] = &[
    "path-info",
    "path-translated",
    "proxy",
    "proxy-authentication-info",
    "request-uri",
    "script-name",
    "x-envoy-original-path",
    "x-forwarded",
    "x-original-path",
    "x-original-uri",
    "x-original-url",
    "x-rewrite-url",
    "x-script-name",
];

#[cfg(test)]
mod tests {
    #[test]
    fn what_fuzzing_found_stays_fixed() {
        crate::world::replay("fields", super::fields);
    }
}
