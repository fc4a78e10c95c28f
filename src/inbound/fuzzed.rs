//! For `fuzz/targets/request_view.rs`: whatever the head, its view can be read in one way only.

use std::sync::OnceLock;

use http::{HeaderName, HeaderValue, Version, request::Parts};

use super::{Connection, Reader, View};
use crate::world::Entropy;

/// The first byte chooses version and peer, then come lines: `METHOD TARGET`, and `name:value` as often as wanted.
pub fn request_view(bytes: &[u8]) {
    static READER: OnceLock<Option<Reader>> = OnceLock::new();
    let trusted = || "10.0.0.0/8".parse().map(|network| vec![network]).unwrap_or_default();
    let Some(reader) = READER.get_or_init(|| Reader::new(trusted(), &Entropy::System).ok()) else { return };
    let Some((parts, connection)) = head(bytes) else { return };
    if let Ok(view) = reader.read(&parts, &connection) {
        check(&view, &parts);
    }
}

fn head(bytes: &[u8]) -> Option<(Parts, Connection)> {
    let (&kind, text) = bytes.split_first()?;
    let mut lines = text.split(|&byte| byte == b'\n');
    let mut first = lines.next()?.splitn(2, |&byte| byte == b' ');
    let version = if kind & 1 == 0 { Version::HTTP_11 } else { Version::HTTP_2 };
    let request = http::Request::builder().method(first.next()?).uri(first.next()?).version(version);
    let mut parts = request.body(()).ok()?.into_parts().0;
    for line in lines {
        let mut halves = line.splitn(2, |&byte| byte == b':');
        let name = HeaderName::from_bytes(halves.next()?).ok()?;
        parts.headers.append(name, HeaderValue::from_bytes(halves.next()?.trim_ascii()).ok()?);
    }
    let peer = if kind & 2 == 0 { ([10, 0, 0, 1], 1) } else { ([192, 0, 2, 1], 1) };
    Some((parts, Connection::new(peer.into(), None)))
}

fn check(view: &View, parts: &Parts) {
    let path = &*view.target.path;
    assert!(path.starts_with('/') || path == "*", "no path: {path:?}");
    assert!(!path.split('/').any(|segment| segment == "." || segment == ".."), "dot segments: {path:?}");
    assert!(!path.bytes().any(|byte| byte <= b' ' || byte == 0x7f), "control bytes: {path:?}");
    if view.target.ambiguous.is_empty() {
        // An upstream that decodes once must not find what was hidden from the rules.
        let decoded = percent_encoding::percent_decode_str(path).collect::<Vec<u8>>();
        let segments = decoded.split(|&byte| byte == b'/');
        assert!(path == "*" || !segments.into_iter().any(|one| one == b"." || one == b".."), "hidden dots: {path:?}");
        assert_eq!(
            decoded.iter().filter(|&&byte| byte == b'/').count(),
            path.matches('/').count(),
            "hidden slash: {path:?}"
        );
    }
    let host = &*view.authority.host;
    let plain = |byte: u8| byte.is_ascii_graphic() && !byte.is_ascii_uppercase() && !b"/\\@?#%".contains(&byte);
    assert!(!host.is_empty() && host.bytes().all(plain) && !host.ends_with('.'), "no canonical host: {host:?}");
    let url = url::Url::parse(&format!("http://{}/", view.authority));
    assert!(url.is_err() || url.is_ok_and(|url| url.username().is_empty() && url.path() == "/"), "{host:?}");
    assert!(!["CONNECT", "TRACE"].contains(&view.method.as_str()));
    let both = parts.headers.contains_key("transfer-encoding") && parts.headers.contains_key("content-length");
    assert!(!both, "framed twice");
    let reframes = |upgrade: &str| {
        let names = upgrade.split(", ").map(|one| one.split('/').next().unwrap_or_default().to_ascii_lowercase());
        names.into_iter().any(|name| ["h2", "h2c", "h3", "http", "https", "tls"].contains(&name.as_str()))
    };
    assert!(!view.upgrade.as_deref().is_some_and(reframes), "{:?} speaks another way", view.upgrade);
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_fuzzing_found_stays_fixed() {
        crate::world::replay("request_view", super::request_view);
    }
}
