//! Which fields travel.
//!
//! Names are compared after folding: CGI, WSGI and Rack make `HTTP_REMOTE_USER` of `Remote-User`, `Remote_User` and
//! (some) `Remote.User` alike, so every character that is no letter or digit counts as `-`. RFC 9110 §7.6.1.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};

use crate::{
    config::identity::IdentityFields,
    inbound::{Written, bearer},
};

/// Where fields are put: a map, or the very bytes that are sent.
pub(super) trait Sink {
    /// One more line.
    fn put(&mut self, name: &HeaderName, value: &HeaderValue);

    /// More lines, written before.
    fn put_all(&mut self, written: &Written);

    /// One more line, unless `text` cannot be a value.
    fn put_text(&mut self, name: &HeaderName, text: &str);
}

impl Sink for HeaderMap {
    fn put(&mut self, name: &HeaderName, value: &HeaderValue) {
        self.append(name, value.clone());
    }

    fn put_all(&mut self, written: &Written) {
        for (name, value) in written.fields() {
            self.append(name, value.clone());
        }
    }

    fn put_text(&mut self, name: &HeaderName, text: &str) {
        if let Ok(value) = HeaderValue::from_str(text) {
            self.append(name, value);
        }
    }
}

/// The names that only we may use towards a site.
#[derive(Debug)]
pub(super) struct Names {
    /// Under which names identity travels.
    pub identity: IdentityFields,
    /// Names that the operator chose; empty, mostly.
    chosen: Vec<String>,
}

impl Names {
    /// `set`: the site's `set_fields`.
    pub fn new(identity: IdentityFields, set: &[(HeaderName, HeaderValue)]) -> Self {
        let chosen = Self::all(&identity).chain(set.iter().map(|(name, _)| name));
        let chosen = chosen.map(|name| fold(name.as_str()).into_owned()).filter(|name| !reserved(name));
        Self { chosen: chosen.collect(), identity }
    }

    /// The configured names of the identity fields.
    pub fn all(identity: &IdentityFields) -> impl Iterator<Item = &HeaderName> {
        let IdentityFields { user, name, email, groups, id, assertion } = identity;
        [user, name, email, groups, id, assertion].into_iter().flatten()
    }

    /// Whether it belongs to one connection or to us.
    fn stays(&self, name: &HeaderName) -> bool {
        let folded = fold(name.as_str());
        hop_by_hop(name.as_str(), &folded) || reserved(&folded) || self.chosen.iter().any(|ours| *ours == *folded)
    }

    /// Puts the client's end-to-end fields, as the upstream may see them, less `Cookie` and `Content-Length`: those are written
    /// anew. Whatever is put besides is ours, and no client can take it away by naming it in `Connection`.
    /// `except` stays behind, too.
    pub fn put_end_to_end(&self, received: &HeaderMap, except: Option<&HeaderName>, sink: &mut impl Sink) {
        let named = named_by_connection(received);
        for (name, value) in received {
            let stays = *name == header::COOKIE
                || *name == header::CONTENT_LENGTH
                || except == Some(name)
                || self.stays(name)
                || named.contains(name)
                || (*name == header::EXPECT && value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
                || (*name == header::AUTHORIZATION && bearer::is_ours(name, value));
            if !stays {
                sink.put(name, value);
            }
        }
    }

    /// Trailers are fields too: the same names stay behind, and those that must never come late (RFC 9110 §6.5.1).
    pub fn clean_trailers(&self, trailers: &mut HeaderMap) {
        let late: Vec<_> = trailers
            .keys()
            .filter(|&name| {
                self.stays(name)
                    || matches!(fold(name.as_str()).as_ref(), "authorization" | "cookie" | "set-cookie" | "trailer")
                    || name.as_str().starts_with("content-")
            })
            .cloned()
            .collect();
        for name in late {
            trailers.remove(name);
        }
    }
}

/// Whether a client's field of this (folded) name stays behind, whatever names the operator chose.
///
/// The names by which identity travels unless told otherwise: where one is left out or renamed, an upstream may still believe it.
/// `Proxy` becomes `HTTP_PROXY` (CVE-2016-5385). The others replace the path that rules were decided on (CVE-2018-14773), in
/// gunicorn's case (`SCRIPT_NAME`) by cutting off its beginning.
fn reserved(folded: &str) -> bool {
    match folded {
        "remote-user"
        | "remote-name"
        | "remote-email"
        | "remote-groups"
        | "remote-id"
        | "forwarded"
        | "proxy"
        | "path-info"
        | "path-translated"
        | "request-uri"
        | "script-name"
        | "x-envoy-original-path"
        | "x-forwarded"
        | "x-original-path"
        | "x-original-uri"
        | "x-original-url"
        | "x-real-ip"
        | "x-request-id"
        | "x-rewrite-url"
        | "x-script-name" => true,
        _ => ["vestibule-", "x-forwarded-"].iter().any(|ours| folded.starts_with(ours)),
    }
}

/// Fields of one connection only, and those that frame a message when misspelt.
fn hop_by_hop(spelt: &str, folded: &str) -> bool {
    match folded {
        "connection"
        | "keep-alive"
        | "proxy-connection"
        | "proxy-authenticate"
        | "proxy-authorization"
        | "proxy-authentication-info"
        | "te"
        | "transfer-encoding"
        | "upgrade"
        | "http2-settings"
        | "host" => true,
        "content-length" => spelt != "content-length",
        _ => false,
    }
}

/// The names a `Connection` field lists, less those that are always removed: only fields that are there, each once, so that a long
/// list costs no more than its length.
pub(super) fn named_by_connection(fields: &HeaderMap) -> Vec<HeaderName> {
    let mut named = Vec::new();
    for line in fields.get_all(header::CONNECTION) {
        let tokens = line.as_bytes().split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
        let telling = tokens.filter(|token| !USUAL.iter().any(|usual| token.eq_ignore_ascii_case(usual)));
        for name in telling.filter_map(|token| HeaderName::from_bytes(token).ok()) {
            if fields.contains_key(&name) && !named.contains(&name) {
                named.push(name);
            }
        }
    }
    named
}

/// What `Connection` says on most messages: nothing of these names travels in any case.
const USUAL: [&[u8]; 4] = [b"keep-alive", b"close", b"upgrade", b"te"];

/// Puts what frames the body in HTTP/1.1. An empty POST says so: some upstreams refuse one without a length.
pub(super) fn put_framing(received: &HeaderMap, method: &Method, body: &impl http_body::Body, sink: &mut impl Sink) {
    if body.is_end_stream() {
        let expected = [Method::POST, Method::PUT, Method::PATCH].contains(method);
        if expected || received.contains_key(header::CONTENT_LENGTH) {
            sink.put_text(&header::CONTENT_LENGTH, "0");
        }
        return;
    }
    match body.size_hint().exact() {
        Some(length) => sink.put(&header::CONTENT_LENGTH, &HeaderValue::from(length)),
        None => sink.put_text(&header::TRANSFER_ENCODING, "chunked"),
    }
}

/// `TE: trailers` of a gRPC call, which does not work without. Over HTTP/1.1 nobody else needs it said.
pub(super) fn grpc_trailers(received: &HeaderMap) -> bool {
    let grpc = received.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"));
    grpc && trailers(received)
}

/// `TE: trailers`: the client can use them (RFC 9110 §6.5.1).
pub(super) fn trailers(received: &HeaderMap) -> bool {
    received.get_all(header::TE).iter().any(|te| {
        te.as_bytes().split(|&byte| byte == b',').any(|token| token.trim_ascii().eq_ignore_ascii_case(b"trailers"))
    })
}

/// The name as a lenient upstream may read it. `HeaderName` is lower case already.
fn fold(name: &str) -> Cow<'_, str> {
    if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        Cow::Borrowed(name)
    } else {
        Cow::Owned(name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect())
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::STANDARD};
    use proptest::prelude::*;

    use super::*;

    fn names() -> Names {
        let set = [(HeaderName::from_static("x-api-key"), HeaderValue::from_static("ours"))];
        let user = Some(HeaderName::from_static("x-webauth-user"));
        Names::new(IdentityFields { user, ..IdentityFields::default() }, &set)
    }

    fn sent(received: &HeaderMap) -> HeaderMap {
        let mut sent = HeaderMap::new();
        names().put_end_to_end(received, None, &mut sent);
        sent
    }

    fn fields(lines: &[(&str, &str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| {
                (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap())
            })
            .collect()
    }

    fn travels(name: &str, value: &str) -> bool {
        !sent(&fields(&[(name, value)])).is_empty()
    }

    #[test]
    fn identity_and_forwarding_names_stay_behind_in_every_spelling() {
        for name in [
            "Remote-Groups",
            "REMOTE_GROUPS",
            "remote.groups",
            "Remote~Email",
            "Vestibule-Assertion",
            "vestibule_anything",
            "X-WebAuth-User",
            "X_WEBAUTH_USER",
            "Forwarded",
            "X-Forwarded-For",
            "X_Forwarded_User",
            "x-forwarded.proto",
            "X-Real-IP",
            "X_Real_Ip",
            "X-Request-Id",
            "Proxy",
            "X-Original-URL",
            "X_Rewrite_Url",
            // Not configured here, and believed all the same by upstreams that were set up for it.
            "Remote-User",
            "SCRIPT_NAME",
            "Script-Name",
            "Path_Info",
            "X-Original-URI",
            "Vestibule-Token",
            // Set by the operator.
            "X-API-Key",
            "X_Api_Key",
        ] {
            assert!(!travels(name, "x"), "{name}");
        }
    }

    #[test]
    fn connection_fields_stay_behind_in_every_spelling() {
        for name in [
            "Connection",
            "Keep-Alive",
            "Proxy-Connection",
            "Proxy-Authorization",
            "TE",
            "Transfer-Encoding",
            "Transfer_Encoding",
            "Upgrade",
            "HTTP2-Settings",
            "Host",
            "Content_Length",
        ] {
            assert!(!travels(name, "x"), "{name}");
        }
    }

    #[test]
    fn other_fields_travel() {
        for (name, value) in [
            ("Accept", "*/*"),
            ("X-Custom_Thing", "1"),
            ("Remote-Users", "x"),
            ("X-Forwardedness", "x"),
            ("Trailer", "x"),
            ("Authorization", "Bearer vs_else"),
            ("Authorization", "Basic dXNlcjpwYXNz"),
            ("Expect", "something-else"),
        ] {
            assert!(travels(name, value), "{name}: {value}");
        }
    }

    #[test]
    fn our_tokens_stay_behind_and_other_authorization_travels() {
        assert!(!travels("Authorization", "Bearer vst_abc"));
        assert!(!travels("Authorization", "bearer  vst_abc"));
        let basic = format!("Basic {}", STANDARD.encode("ada:vst_abc"));
        assert!(!travels("Authorization", &basic));
        assert!(!travels("Expect", "100-Continue"));
    }

    #[test]
    fn fields_named_by_connection_stay_behind() {
        let received =
            fields(&[("Connection", "close, X-Mine"), ("Connection", "x-other"), ("X-Mine", "1"), ("X-Other", "2")]);
        assert!(sent(&received).is_empty());
    }

    #[test]
    fn values_keep_their_order_and_number() {
        let received = fields(&[("X-A", "1"), ("X-B", "2"), ("X-A", "3")]);
        assert_eq!(sent(&received).get_all("x-a").iter().collect::<Vec<_>>(), ["1", "3"]);
    }

    #[test]
    fn trailers_are_cleaned() {
        let mut trailers = fields(&[
            ("Remote_Groups", "admin"),
            ("X_Api_Key", "theirs"),
            ("Content-Length", "1"),
            ("Cookie", "a=b"),
            ("Grpc-Status", "0"),
            ("X-Sum", "1"),
        ]);
        names().clean_trailers(&mut trailers);
        let mut left: Vec<_> = trailers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["grpc-status", "x-sum"]);
    }

    proptest! {
        #[test]
        fn no_spelling_of_an_identity_name_survives(
            which in 0usize..6, upper in any::<u32>(), marks in proptest::collection::vec("[-_.~!#$%&'*+^`|]", 3),
        ) {
            let names = names();
            let ours = Names::all(&names.identity).nth(which).unwrap().as_str();
            let mut marks = marks.iter().cycle();
            let spelt: String = ours.chars().enumerate().map(|(at, c)| match c {
                '-' => marks.next().unwrap().clone(),
                c if upper >> (at % 32) & 1 == 1 => c.to_ascii_uppercase().to_string(),
                c => c.to_string(),
            }).collect();
            prop_assert!(sent(&fields(&[(&spelt, "admin")])).is_empty(), "{}", spelt);
            let mut trailers = fields(&[(&spelt, "admin")]);
            names.clean_trailers(&mut trailers);
            prop_assert!(trailers.is_empty());
        }
    }
}
