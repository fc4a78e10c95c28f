//! What the browser says of itself, and which refusal the asker can use. Fetch Metadata, RFC 9110 §12.5.1.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::{Fetch, Wants, bearer, framing::members};

/// What a refusal is made after; most requests are not refused, so it is read only then.
#[derive(Clone, Debug, Default)]
pub struct Asks {
    /// A token of ours was shown.
    pub(super) token: bool,
    /// `Upgrade` was sent.
    pub(super) upgrade: bool,
    /// `X-Requested-With` was sent.
    by_script: bool,
    content_type: Option<HeaderValue>,
    /// One line for each that was sent.
    accept: Vec<HeaderValue>,
}

/// Fetch metadata and `Origin`, and what a refusal is made after.
pub(super) fn of(fields: &HeaderMap) -> (Fetch, Asks) {
    let (mut fetch, mut asks) = (Fetch::default(), Asks::default());
    // One look at each name instead of a search for each that matters: most programs send none of them.
    for name in fields.keys() {
        match name.as_str() {
            "sec-fetch-site" => fetch.site = one(fields, name),
            "sec-fetch-mode" => fetch.mode = one(fields, name),
            "sec-fetch-dest" => fetch.dest = one(fields, name),
            "origin" => fetch.origin = one(fields, name),
            "authorization" | "vestibule-token" => {
                asks.token |= fields.get_all(name).iter().any(|line| bearer::is_ours(name, line));
            }
            "upgrade" => asks.upgrade = true,
            "x-requested-with" => asks.by_script = true,
            "content-type" => asks.content_type = fields.get(name).cloned(),
            "accept" => asks.accept = fields.get_all(name).iter().cloned().collect(),
            _ => {}
        }
    }
    (fetch, asks)
}

/// `None` when not sent; what is sent twice, too long or not text becomes `""`, which equals nothing that is asked for.
fn one(fields: &HeaderMap, name: &HeaderName) -> Option<Arc<str>> {
    const LONGEST: usize = 512;
    let mut lines = fields.get_all(name).iter();
    let line = lines.next()?;
    match line.to_str() {
        Ok(text) if text.len() <= LONGEST && lines.next().is_none() => Some(text.into()),
        _ => Some("".into()),
    }
}

/// DESIGN, "Unauthenticated".
pub(super) fn wants(method: &Method, fetch: &Fetch, asks: &Asks) -> Wants {
    if asks.upgrade || asks.content_type().starts_with("application/grpc") {
        return Wants::Program;
    }
    let reads = *method == Method::GET || *method == Method::HEAD;
    let metadata = fetch.site.is_some() || fetch.mode.is_some() || fetch.dest.is_some();
    if metadata { by_metadata(method, reads, fetch) } else { by_accept(method, reads, asks) }
}

fn by_metadata(method: &Method, reads: bool, fetch: &Fetch) -> Wants {
    if fetch.mode.as_deref() != Some("navigate") {
        return Wants::Program;
    }
    match fetch.dest.as_deref() {
        _ if *method == Method::POST => Wants::FormPost,
        Some("document") if reads => Wants::Document,
        Some("iframe" | "frame" | "embed" | "object" | "fencedframe") if reads => Wants::Frame,
        _ => Wants::Program,
    }
}

/// Browsers send fetch metadata only to https and loopback; elsewhere `Accept` has to tell.
fn by_accept(method: &Method, reads: bool, asks: &Asks) -> Wants {
    if asks.by_script || !asks.prefer_html() {
        return Wants::Program;
    }
    let form = ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"];
    match asks.content_type() {
        _ if reads => Wants::Document,
        sent if *method == Method::POST && form.contains(&sent.as_str()) => Wants::FormPost,
        _ => Wants::Program,
    }
}

impl Asks {
    /// The media type without its parameters, lower case; empty when there is none.
    fn content_type(&self) -> String {
        let sent = self.content_type.as_ref().and_then(|value| value.to_str().ok()).unwrap_or("");
        sent.split(';').next().unwrap_or("").trim().to_ascii_lowercase()
    }

    /// Whether HTML is named, and nothing else that is named counts more or, at the same weight, comes first.
    fn prefer_html(&self) -> bool {
        let mut best: Option<(u16, bool)> = None;
        for member in members(self.accept.iter()) {
            let (weight, html) = weighed(member);
            if weight > best.map_or(0, |(weight, _)| weight) {
                best = Some((weight, html));
            }
        }
        best.is_some_and(|(_, html)| html)
    }
}

/// The weight of one member of `Accept` in thousandths, and whether it is HTML.
fn weighed(member: &str) -> (u16, bool) {
    let mut pieces = member.split(';').map(str::trim);
    let media = pieces.next().unwrap_or("");
    let html = ["text/html", "application/xhtml+xml"].into_iter().any(|html| media.eq_ignore_ascii_case(html));
    let weight = pieces.find_map(|piece| piece.strip_prefix("q=").or_else(|| piece.strip_prefix("Q=")));
    (weight.map_or(1000, thousandths), html)
}

/// `qvalue` of RFC 9110 §12.4.2; what is none counts nothing.
fn thousandths(qvalue: &str) -> u16 {
    let (whole, fraction) = qvalue.trim().split_once('.').unwrap_or((qvalue.trim(), ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if fraction.len() > 3 || !digits(fraction) {
        return 0;
    }
    match whole {
        "0" => format!("{fraction:0<3}").parse().unwrap_or(0),
        "1" => 1000,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wants_of(method: &str, fields: &[(&str, &str)]) -> Wants {
        let mut map = HeaderMap::new();
        for (name, value) in fields {
            map.append(HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        let (fetch, asks) = of(&map);
        wants(&Method::try_from(method).unwrap(), &fetch, &asks)
    }

    type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], Wants);

    const BROWSER: (&str, &str) = ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");
    const NAVIGATE: (&str, &str) = ("sec-fetch-mode", "navigate");

    #[test]
    fn each_asker_gets_a_refusal_it_can_use() {
        let form = ("content-type", "application/x-www-form-urlencoded; charset=utf-8");
        let table: &[Row<'_>] = &[
            ("GET", &[NAVIGATE, ("sec-fetch-dest", "document")], Wants::Document),
            ("HEAD", &[NAVIGATE, ("sec-fetch-dest", "document")], Wants::Document),
            ("GET", &[BROWSER], Wants::Document),
            ("HEAD", &[BROWSER], Wants::Document),
            ("GET", &[("accept", "text/html")], Wants::Document),
            ("GET", &[NAVIGATE, ("sec-fetch-dest", "iframe"), BROWSER], Wants::Frame),
            ("GET", &[NAVIGATE, ("sec-fetch-dest", "object")], Wants::Frame),
            ("GET", &[NAVIGATE, ("sec-fetch-dest", "empty"), BROWSER], Wants::Program),
            ("POST", &[NAVIGATE, ("sec-fetch-dest", "document"), form], Wants::FormPost),
            ("POST", &[BROWSER, form], Wants::FormPost),
            ("POST", &[BROWSER, ("content-type", "multipart/form-data; boundary=x")], Wants::FormPost),
            ("POST", &[BROWSER, ("content-type", "application/json")], Wants::Program),
            ("POST", &[form], Wants::Program),
            ("DELETE", &[NAVIGATE, ("sec-fetch-dest", "document")], Wants::Program),
            ("GET", &[("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty"), BROWSER], Wants::Program),
            ("GET", &[("sec-fetch-mode", "websocket"), ("upgrade", "websocket")], Wants::Program),
            ("GET", &[("upgrade", "websocket"), BROWSER], Wants::Program),
            ("POST", &[("content-type", "application/grpc+proto"), BROWSER], Wants::Program),
            ("GET", &[BROWSER, ("x-requested-with", "XMLHttpRequest")], Wants::Program),
            ("GET", &[NAVIGATE, NAVIGATE, ("sec-fetch-dest", "document"), BROWSER], Wants::Program),
            ("GET", &[("accept", "application/json")], Wants::Program),
            ("GET", &[("accept", "application/json, text/html")], Wants::Program),
            ("GET", &[("accept", "application/json;q=0.5, text/html;q=0.9")], Wants::Document),
            ("GET", &[("accept", "text/html;q=0.2, application/json")], Wants::Program),
            ("GET", &[("accept", "text/html;q=0")], Wants::Program),
            ("GET", &[("accept", "text/html;q=nonsense")], Wants::Program),
            ("GET", &[("accept", "*/*")], Wants::Program),
            ("GET", &[], Wants::Program),
        ];
        for (method, fields, expected) in table {
            assert_eq!(wants_of(method, fields), *expected, "{method} {fields:?}");
        }
    }

    #[test]
    fn what_is_sent_twice_equals_nothing() {
        let mut map = HeaderMap::new();
        let of = |map: &HeaderMap| of(map).0;
        assert_eq!(of(&map).origin, None);
        map.append("origin", "http://a".parse().unwrap());
        assert_eq!(of(&map).origin.as_deref(), Some("http://a"));
        map.append("origin", "http://a".parse().unwrap());
        assert_eq!(of(&map).origin.as_deref(), Some(""));
    }
}
