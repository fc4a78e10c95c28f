//! Which host is asked for: exactly one, valid, in one spelling. RFC 9110 §4.2.4 and §7.2, RFC 9112 §3.2.
//!
//! Stricter than the grammar of RFC 3986: no user-info, no percent-encoding, no bytes beyond letters, digits, `-`, `.`
//! and `_` in names. IDNA A-labels (`xn--…`) stay as they are; U-labels do not travel in HTTP.

use std::net::Ipv6Addr;

use http::{Uri, Version, header::HOST, request::Parts, uri::Scheme};

use super::{Authority, Malformed};

/// The authority of a request.
pub(super) fn of(parts: &Parts, secure: bool) -> Result<Authority, Malformed> {
    let target = match parts.uri.authority() {
        Some(authority) => Some(in_target(&parts.uri, authority.as_str(), secure)?),
        None => None,
    };
    let field = field(parts, secure)?;
    match (target, field) {
        (Some(target), Some(field)) if target == field => Ok(target),
        (Some(_), Some(_)) => Err(Malformed::Authority("The request names two different hosts.")),
        // RFC 9112 §3.2: HTTP/1.1 needs Host even beside an absolute target; HTTP/2 has `:authority` for it.
        (Some(target), None) if parts.version >= Version::HTTP_2 => Ok(target),
        (None, Some(field)) => Ok(field),
        (_, None) => Err(Malformed::Authority("The request names no host.")),
    }
}

fn in_target(uri: &Uri, authority: &str, secure: bool) -> Result<Authority, Malformed> {
    match uri.scheme() {
        Some(scheme) if *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS => parse(authority.as_bytes(), secure),
        Some(_) => Err(Malformed::Target("Only http and https are served here.")),
        None => Err(Malformed::Target("The target of the request is not a path.")),
    }
}

fn field(parts: &Parts, secure: bool) -> Result<Option<Authority>, Malformed> {
    let mut hosts = parts.headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) => Ok(None),
        (Some(host), None) => parse(host.as_bytes(), secure).map(Some),
        (Some(_), Some(_)) => Err(Malformed::Authority("The request names its host twice.")),
    }
}

/// Canonical form of `host[:port]`; `secure` says which port is the default.
pub(super) fn parse(bytes: &[u8], secure: bool) -> Result<Authority, Malformed> {
    const WRONG: Malformed = Malformed::Authority("The request's host is not valid.");
    let text = std::str::from_utf8(bytes).map_err(|_| WRONG)?;
    let (host, port) = split(text).ok_or(WRONG)?;
    let host = if let Some(address) = host.strip_prefix('[') { v6(address) } else { name(host) }.ok_or(WRONG)?;
    let default = if secure { 443 } else { 80 };
    let port = port_number(port).ok_or(WRONG)?.filter(|port| *port != default);
    Ok(Authority { host: host.into(), port })
}

/// Host (an address still in its brackets) and what follows the colon, empty when there is none.
fn split(text: &str) -> Option<(&str, &str)> {
    let end = if text.starts_with('[') { text.find(']')? + 1 } else { text.find(':').unwrap_or(text.len()) };
    let (host, rest) = text.split_at(end);
    if rest.is_empty() { Some((host, "")) } else { Some((host, rest.strip_prefix(':')?)) }
}

/// `Some(None)`: none given (RFC 3986 lets `host:` stand for it).
fn port_number(digits: &str) -> Option<Option<u16>> {
    if digits.is_empty() {
        return Some(None);
    }
    if digits.len() > 5 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok().filter(|port| *port != 0).map(Some)
}

fn v6(bracketed: &str) -> Option<String> {
    let address: Ipv6Addr = bracketed.strip_suffix(']')?.parse().ok()?;
    Some(format!("[{address}]"))
}

fn name(host: &str) -> Option<String> {
    let host = host.strip_suffix('.').unwrap_or(host);
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    if host.len() > 253 || !host.split('.').all(label) {
        return None;
    }
    let host = host.to_ascii_lowercase();
    let last = host.rsplit('.').next().unwrap_or(&host);
    if last.starts_with(|first: char| first.is_ascii_digit()) { address_or_name(host) } else { Some(host) }
}

/// What ends in a number is an IPv4 address in one of its spellings (`127.1`, `0x7f000001`) or nothing, as browsers have it.
fn address_or_name(host: String) -> Option<String> {
    match url::Host::parse(&host).ok()? {
        url::Host::Ipv4(address) => Some(address.to_string()),
        url::Host::Domain(_) => Some(host),
        url::Host::Ipv6(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_host_becomes_one() {
        for (spelling, canonical) in [
            ("a.example.com", "a.example.com"),
            ("A.EXAMPLE.com", "a.example.com"),
            ("a.example.com.", "a.example.com"),
            ("a.example.com:80", "a.example.com"),
            ("a.example.com:0080", "a.example.com"),
            ("a.example.com:", "a.example.com"),
            ("a.example.com:8080", "a.example.com:8080"),
            ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
            ("my_host", "my_host"),
            ("3com.example", "3com.example"),
            ("a.1host", "a.1host"),
            ("127.0.0.1", "127.0.0.1"),
            ("127.1", "127.0.0.1"),
            ("0x7f000001", "127.0.0.1"),
            ("2130706433", "127.0.0.1"),
            ("127.0.0.1.:81", "127.0.0.1:81"),
            ("[::1]", "[::1]"),
            ("[0:0:0:0:0:0:0:1]:80", "[::1]"),
            ("[2001:DB8::A]:444", "[2001:db8::a]:444"),
        ] {
            assert_eq!(parse(spelling.as_bytes(), false).unwrap().to_string(), canonical, "{spelling}");
        }
        assert_eq!(parse(b"a:443", true).unwrap().to_string(), "a");
        assert_eq!(parse(b"a:80", true).unwrap().to_string(), "a:80");
    }

    #[test]
    fn what_is_not_a_host_is_refused() {
        for wrong in [
            "",
            ".",
            "..",
            ":80",
            "a..b",
            ".a",
            "a..",
            "a b",
            "a\tb",
            "a@b",
            "me:pw@b",
            "a%2eb",
            "a/b",
            "a\\b",
            "a?b",
            "a#b",
            "a,b",
            "a:b",
            "a:80:80",
            "a:0",
            "a:65536",
            "a:99999",
            "a:+80",
            "a:-1",
            "[::1",
            "::1",
            "[::1]80",
            "[::1]:x",
            "[fe80::1%25eth0]",
            "[v1.x]",
            "[127.0.0.1]",
            "[]",
            "256.0.0.1",
            "1.2.3.4.5",
            "b\u{fc}cher.example",
            "a\u{0}b",
            "*",
        ] {
            assert!(parse(wrong.as_bytes(), false).is_err(), "{wrong:?}");
        }
        assert!(parse(&[b'a'; 64], false).is_err());
        assert!(parse("a.".repeat(127).as_bytes(), false).is_ok());
        assert!(parse("a.".repeat(128).as_bytes(), false).is_err());
        assert!(parse(b"a\xff", false).is_err());
    }
}
