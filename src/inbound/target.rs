//! What is asked for: the path in one spelling, the query as sent. RFC 3986 §5.2.4 and §6.2.2, RFC 9112 §3.2.
//!
//! A `#` never gets here: the `http` crate cuts a fragment off while parsing, so that neither rules nor upstreams see it.

use std::sync::Arc;

use http::{Method, request::Parts};

use super::{Malformed, Target};

/// The target of a request.
pub(super) fn of(parts: &Parts) -> Result<Target, Malformed> {
    let raw = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    if !raw.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Malformed::Target("The address holds characters that have to be percent-encoded."));
    }
    if raw == "*" && parts.method == Method::OPTIONS {
        return Ok(Target { raw: raw.into(), path: raw.into(), query: None, ambiguous: Vec::new() });
    }
    match raw.as_bytes().first() {
        Some(b'/') => Ok(target(raw)),
        // `http://host?query`: the path is empty, which RFC 9110 §4.2.3 reads as `/`.
        Some(b'?') => Ok(target(&format!("/{raw}"))),
        _ => Err(Malformed::Target("The target of the request is not a path.")),
    }
}

fn target(raw: &str) -> Target {
    let (path, query) = match raw.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (raw, None),
    };
    let whole: Arc<str> = raw.into();
    let (path, ambiguous) = match canonical(path) {
        Some((canonical, ambiguous)) => (canonical.into(), ambiguous),
        None if query.is_none() => (Arc::clone(&whole), Vec::new()),
        None => (path.into(), Vec::new()),
    };
    Target { raw: whole, path, query: query.map(Into::into), ambiguous }
}

/// The canonical form and what in it is ambiguous; `None` when the path, as it is, is canonical and clear.
fn canonical(path: &str) -> Option<(String, Vec<&'static str>)> {
    if !path.contains(['%', '\\']) && !path.contains("/.") {
        return None;
    }
    let (decoded, ambiguous) = decode(path);
    Some((without_dot_segments(&decoded), ambiguous))
}

/// Unreserved characters decoded, other encodings in upper case, a stray `%` encoded.
fn decode(path: &str) -> (String, Vec<&'static str>) {
    let mut out = String::with_capacity(path.len());
    let mut ambiguous = Vec::new();
    let mut rest = path;
    while let Some(at) = rest.find(['%', '\\']) {
        let (clear, special) = rest.split_at(at);
        out.push_str(clear);
        let (mark, length) = step(special, &mut out);
        if let Some(mark) = mark.filter(|mark| !ambiguous.contains(mark)) {
            ambiguous.push(mark);
        }
        rest = special.get(length..).unwrap_or("");
    }
    out.push_str(rest);
    (out, ambiguous)
}

/// Writes what stands at the start of `special` (a `%` or a `\`) and says how long it was and whether it is ambiguous.
fn step(special: &str, out: &mut String) -> (Option<&'static str>, usize) {
    if special.starts_with('\\') {
        out.push('\\');
        return (Some("\\"), 1);
    }
    match special.get(1..3).and_then(hex) {
        Some(byte) if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
            out.push(char::from(byte));
            (None, 3)
        }
        Some(byte) => {
            out.push_str(&format!("%{byte:02X}"));
            let next = special.get(3..6).and_then(|next| next.strip_prefix('%')).and_then(hex);
            (ambiguous(byte, next), 3)
        }
        None => {
            out.push_str("%25");
            (Some("%"), 1)
        }
    }
}

/// The name by which a site may allow an encoding that two readers may read differently: what separates or ends a path
/// to some, control characters (cut, trimmed or skipped by some), and beginnings of overlong UTF-8 (RFC 3629 §3: never valid,
/// and read as `.` or `/` by some). Whether E0 and F0 begin one, the byte after them tells.
fn ambiguous(byte: u8, next: Option<u8>) -> Option<&'static str> {
    let at = usize::from(byte) * "%00".len();
    match (byte, next) {
        (b'/', _) => Some("%2F"),
        (b'\\', _) => Some("%5C"),
        (b'#', _) => Some("%23"),
        (..=0x1f, _) => CONTROLS.get(at..at + "%00".len()),
        (0x7f, _) => Some("%7F"),
        (0xc0, _) => Some("%C0"),
        (0xc1, _) => Some("%C1"),
        (0xe0, Some(0x80..=0x9f)) => Some("%E0"),
        (0xf0, Some(0x80..=0x8f)) => Some("%F0"),
        _ => None,
    }
}

const CONTROLS: &str =
    concat!("%00%01%02%03%04%05%06%07%08%09%0A%0B%0C%0D%0E%0F", "%10%11%12%13%14%15%16%17%18%19%1A%1B%1C%1D%1E%1F",);

fn hex(digits: &str) -> Option<u8> {
    // `from_str_radix` alone would take "+f".
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    u8::from_str_radix(digits, 16).ok()
}

/// RFC 3986 §5.2.4. Empty segments stay: merging them is another reader's habit, not ours.
fn without_dot_segments(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut open = false;
    for segment in path.strip_prefix('/').unwrap_or(path).split('/') {
        // A dot segment at the end names a folder: `/a/..` is `/`, `/a/.` is `/a/`.
        open = matches!(segment, "." | "..");
        match segment {
            "." => {}
            ".." => {
                kept.pop();
            }
            _ => kept.push(segment),
        }
    }
    if open {
        kept.push("");
    }
    let mut out = String::with_capacity(path.len() + 1);
    for segment in kept {
        out.push('/');
        out.push_str(segment);
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_spelling_of_a_path_becomes_one() {
        for (spelling, canonical) in [
            ("/", "/"),
            ("/a/b", "/a/b"),
            ("/%61dmin", "/admin"),
            ("/%41%2d%2E%5f%7e", "/A-._~"),
            ("/a%2fb%c3%a9", "/a%2Fb%C3%A9"),
            ("/public/../admin", "/admin"),
            ("/public/%2e%2e/admin", "/admin"),
            ("/public/%2E./admin", "/admin"),
            ("/./admin", "/admin"),
            ("/a/.", "/a/"),
            ("/a/..", "/"),
            ("/..", "/"),
            ("/../../a", "/a"),
            ("//admin", "//admin"),
            ("/a//../b", "/a/b"),
            ("/...", "/..."),
            ("/.well-known/x", "/.well-known/x"),
            ("/a/..;/b", "/a/..;/b"),
            ("/%%34%31", "/%2541"),
            ("/%zz%2", "/%25zz%252"),
            ("/%252e", "/%252e"),
        ] {
            assert_eq!(&*target(spelling).path, canonical, "{spelling}");
            assert_eq!(&*target(spelling).raw, spelling);
        }
    }

    #[test]
    fn ambiguous_encodings_are_named_once_each() {
        assert_eq!(target("/a%2f%2F%5c%00%23").ambiguous, ["%2F", "%5C", "%00", "%23"]);
        assert_eq!(target("/..%c0%af..%C1%9c").ambiguous, ["%C0", "%C1"]);
        assert_eq!(target("/a\\b%zz%+f").ambiguous, ["\\", "%"]);
        assert_eq!(target("/a%01%1f%0A%09%7f").ambiguous, ["%01", "%1F", "%0A", "%09", "%7F"]);
        assert_eq!(target("/%e0%80%af/%F0%80%80%af/%e0%9F%81").ambiguous, ["%E0", "%F0"]);
        assert!(target("/%E0%A4%B9/%F0%9F%8E%89/%E0/%F0%8").ambiguous == ["%"], "valid beginnings, and none at all");
        assert!(target("/a%20b?c=%2F\\%").ambiguous.is_empty(), "queries never take part");
    }

    proptest! {
        #[test]
        fn canonicalisation_is_idempotent_and_leaves_no_dot_segments(path in "/([a-c./%\\\\;]|%2[eEfF]|%[0-9a-fA-F]{2}){0,30}") {
            let once = target(&path).path;
            prop_assert_eq!(&target(&once).path, &once);
            prop_assert!(once.starts_with('/'));
            prop_assert!(!once.contains("/../") && !once.contains("/./"));
            prop_assert!(!once.ends_with("/..") && !once.ends_with("/."));
        }
    }
}
