//! Where a message ends, and which protocol may follow it. RFC 9112 §6, RFC 9110 §7.8.
//!
//! hyper frames by the last transfer coding alone and would pass a list on as it came, which desynchronises strict
//! upstreams; with `Transfer-Encoding` it drops `Content-Length` before we see it, and frames both sides by chunks.

use std::sync::Arc;

use http::{
    HeaderMap, HeaderValue, Method, Version,
    header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING, UPGRADE},
    request::Parts,
};
use hyper::ext::Protocol;

use super::Malformed;

/// One framing, or none.
pub(super) fn check(parts: &Parts) -> Result<(), Malformed> {
    let chunked = chunked(parts)?;
    let length = length(&parts.headers)?;
    if chunked && length {
        return Err(Malformed::Framing("The request says twice, in two ways, where it ends."));
    }
    Ok(())
}

fn chunked(parts: &Parts) -> Result<bool, Malformed> {
    let mut codings = parts.headers.get_all(TRANSFER_ENCODING).iter();
    let Some(coding) = codings.next() else { return Ok(false) };
    let exact = coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked");
    if !exact || codings.next().is_some() || parts.version != Version::HTTP_11 {
        return Err(Malformed::Framing("Only one transfer coding is served here: chunked."));
    }
    Ok(true)
}

fn length(fields: &HeaderMap) -> Result<bool, Malformed> {
    let mut lengths = fields.get_all(CONTENT_LENGTH).iter();
    let Some(length) = lengths.next() else { return Ok(false) };
    let digits = !length.is_empty() && length.as_bytes().iter().all(u8::is_ascii_digit);
    if !digits || lengths.next().is_some() {
        return Err(Malformed::Framing("The request's length is not one number."));
    }
    Ok(true)
}

/// What of `Upgrade` may be offered to an upstream: only when asked for properly, and nothing that changes how the
/// connection itself speaks (`h2c` would tunnel requests past the rules). WebSockets begin with GET (RFC 6455 §4.1).
pub(super) fn upgrade(parts: &Parts) -> Option<Arc<str>> {
    if web_socket_by_connect(parts) {
        return Some(WEB_SOCKET.into());
    }
    if parts.version != Version::HTTP_11 || !tokens(&parts.headers, &CONNECTION).any(is("upgrade")) {
        return None;
    }
    let may = |token: &&str| {
        is_protocol(token) && !reframes(token) && (parts.method == Method::GET || !names(token, WEB_SOCKET))
    };
    let kept: Vec<_> = tokens(&parts.headers, &UPGRADE).filter(may).collect();
    (!kept.is_empty()).then(|| kept.join(", ").into())
}

/// Extended CONNECT with `:protocol = websocket` (RFC 8441 §4), which has a scheme and a path where plain CONNECT has neither.
pub(super) fn web_socket_by_connect(parts: &Parts) -> bool {
    let protocol = || parts.extensions.get::<Protocol>().map(Protocol::as_str);
    parts.method == Method::CONNECT
        && parts.version == Version::HTTP_2
        && parts.uri.scheme().is_some()
        && protocol().is_some_and(|protocol| protocol.eq_ignore_ascii_case(WEB_SOCKET))
}

const WEB_SOCKET: &str = "websocket";

/// `token[/token]`: what is spelt otherwise (`"h2c"`, `h2c;x`) may be anything to a lenient upstream.
fn is_protocol(text: &str) -> bool {
    !text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._+/".contains(&byte))
}

fn reframes(protocol: &str) -> bool {
    ["h2c", "h2", "h3", "http", "https", "tls"].into_iter().any(|refused| names(protocol, refused))
}

/// Whether this is the protocol, in any version.
fn names(protocol: &str, name: &str) -> bool {
    protocol.split('/').next().unwrap_or(protocol).trim().eq_ignore_ascii_case(name)
}

fn is(wanted: &str) -> impl Fn(&str) -> bool {
    move |token| token.eq_ignore_ascii_case(wanted)
}

/// The comma-separated members of a field, over all its lines; lines that are not text are left out.
pub(super) fn tokens<'a>(fields: &'a HeaderMap, name: &http::HeaderName) -> impl Iterator<Item = &'a str> {
    members(fields.get_all(name).iter())
}

/// The comma-separated members of a field's lines.
pub(super) fn members<'a>(lines: impl Iterator<Item = &'a HeaderValue>) -> impl Iterator<Item = &'a str> {
    lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(version: Version, connection: &str, upgrade_field: &str) -> Option<Arc<str>> {
        offered_to(&Method::GET, version, connection, upgrade_field)
    }

    fn offered_to(method: &Method, version: Version, connection: &str, upgrade_field: &str) -> Option<Arc<str>> {
        let request = http::Request::builder()
            .method(method)
            .version(version)
            .header(CONNECTION, connection)
            .header(UPGRADE, upgrade_field)
            .body(())
            .unwrap();
        upgrade(&request.into_parts().0)
    }

    #[test]
    fn websocket_may_be_offered_and_h2c_never() {
        assert_eq!(offered(Version::HTTP_11, "keep-alive, Upgrade", "websocket").as_deref(), Some("websocket"));
        assert_eq!(offered(Version::HTTP_11, "Upgrade, HTTP2-Settings", "h2c"), None);
        assert_eq!(offered(Version::HTTP_11, "Upgrade", "H2C, websocket").as_deref(), Some("websocket"));
        assert_eq!(offered(Version::HTTP_11, "Upgrade", "TLS/1.0, HTTP/2.0"), None);
        for spelt in ["\"h2c\"", "h2c;q=1", "h2c h2c", "(h2c)", "/h2c"] {
            assert_eq!(offered(Version::HTTP_11, "Upgrade", spelt), None, "{spelt}");
        }
        assert_eq!(offered(Version::HTTP_11, "keep-alive", "websocket"), None);
        assert_eq!(offered(Version::HTTP_10, "Upgrade", "websocket"), None);
    }

    #[test]
    fn websockets_begin_with_get() {
        for method in [Method::OPTIONS, Method::POST, Method::HEAD] {
            for spelt in ["websocket", "WebSocket/13"] {
                assert_eq!(offered_to(&method, Version::HTTP_11, "Upgrade", spelt), None, "{method} {spelt}");
            }
            assert_eq!(offered_to(&method, Version::HTTP_11, "Upgrade", "chat, websocket").as_deref(), Some("chat"));
        }
    }
}
