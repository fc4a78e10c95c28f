//! Our cookies: their form, reading them from a request, keeping them from the upstream.
//!
//! The form follows `portal.url`, never the connection (RFC 6265bis §4.1.3 on the `__Host-` and `__Secure-` prefixes).
//! Only the exact name is read, and only when it comes once: what could be read two ways is nobody's.

use std::{borrow::Cow, time::Duration};

use bytes::Bytes;
use cookie::{Cookie, SameSite};
use http::{HeaderMap, HeaderValue, header::COOKIE};
use memchr::memchr;

use crate::config::portal::PortalUrl;

/// The cookies of this gateway.
#[derive(Debug)]
pub(crate) struct Cookies {
    /// Who is signed in.
    pub session: Form,
    /// Which flow a form belongs to; never leaves the portal's host.
    pub flow: Form,
    /// Which browser it is; never leaves the portal's host.
    pub device: Form,
}

/// Name and attributes of one cookie.
#[derive(Debug)]
pub(crate) struct Form {
    name: String,
    secure: bool,
    domain: Option<String>,
}

/// What a request carries under one of our names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presented<'a> {
    /// Nothing.
    Absent,
    /// One value; not judged yet.
    Once(&'a [u8]),
    /// Two or more: whoever reads them may pick either.
    Ambiguous,
}

impl Cookies {
    /// The form that `portal.url` and `session.domain` ask for.
    pub fn new(portal: &PortalUrl, domain: Option<&str>) -> Self {
        let session = match (portal.secure, domain) {
            (true, None) => "__Host-vestibule".to_owned(),
            (true, Some(_)) => "__Secure-vestibule".to_owned(),
            // Browsers refuse the prefixes over http; the port keeps neighbours on one host apart.
            (false, _) => format!("vestibule-{}", portal.port),
        };
        let on_its_host = |what: &str| {
            let name = match portal.secure {
                true => format!("__Host-vestibule-{what}"),
                false => format!("vestibule-{what}-{}", portal.port),
            };
            Form { name, secure: portal.secure, domain: None }
        };
        Self {
            session: Form { name: session, secure: portal.secure, domain: domain.map(str::to_owned) },
            flow: on_its_host("flow"),
            device: on_its_host("device"),
        }
    }

    /// All cookies but ours in one line, each with its bytes and in its place: HTTP/2 may cut `Cookie` into pieces, HTTP/1.1 has
    /// one line (RFC 9113 §8.2.3).
    pub fn others(&self, fields: &HeaderMap) -> Option<HeaderValue> {
        let mut lines = fields.get_all(COOKIE).iter().filter_map(|line| self.without_ours(line));
        let first = lines.next()?;
        let mut joined = None;
        for line in lines {
            let joined = joined.get_or_insert_with(|| first.as_bytes().to_vec());
            joined.extend_from_slice(b"; ");
            joined.extend_from_slice(line.as_bytes());
        }
        match joined {
            // Bytes of valid values are a valid value; if that ever fails, losing the line is the safe side.
            Some(joined) => HeaderValue::from_maybe_shared(Bytes::from(joined)).ok(),
            None => Some(first.into_owned()),
        }
    }

    /// Whether a `Set-Cookie` value would set one of our cookies in some browser.
    ///
    /// Wider than the exact name: case does not count, control characters around it neither, and a nameless cookie
    /// (`=vestibule-8080=…`) comes back as ours.
    pub fn sets_ours(&self, value: &HeaderValue) -> bool {
        let pair = segments(value.as_bytes()).next().unwrap_or_default();
        let from = pair.iter().position(|byte| *byte > b' ' && *byte != b'=').unwrap_or(pair.len());
        let name = pair.get(from..).unwrap_or_default().split(|byte| *byte == b'=').next().unwrap_or_default();
        let name: Vec<u8> = name.iter().copied().filter(|byte| !byte.is_ascii_control() && *byte != b' ').collect();
        self.names().any(|ours| name.eq_ignore_ascii_case(ours.as_bytes()))
    }

    fn without_ours<'a>(&self, line: &'a HeaderValue) -> Option<Cow<'a, HeaderValue>> {
        let bytes = line.as_bytes();
        let (mut ours, mut foreign) = (0_usize, 0_usize);
        for segment in segments(bytes) {
            match segment.trim_ascii() {
                pair if self.is_ours(pair) => ours += 1,
                pair if !pair.is_empty() => foreign += 1,
                _ => {}
            }
        }
        if ours == 0 {
            return if bytes.is_empty() { None } else { Some(Cow::Borrowed(line)) };
        }
        // Mostly ours are the only ones.
        if foreign == 0 {
            return None;
        }
        let mut kept = Vec::with_capacity(bytes.len());
        for segment in segments(bytes).filter(|segment| !self.is_ours(segment)) {
            kept.extend_from_slice(segment);
            kept.push(b';');
        }
        kept.pop();
        HeaderValue::from_bytes(kept.trim_ascii_start()).ok().map(Cow::Owned)
    }

    /// Wider than reading, too: a name with blanks around it or without a value does not travel either.
    fn is_ours(&self, segment: &[u8]) -> bool {
        let end = memchr(b'=', segment).unwrap_or(segment.len());
        let name = segment.get(..end).unwrap_or_default().trim_ascii();
        self.names().any(|ours| name == ours.as_bytes())
    }

    /// Every cookie this program sets.
    fn names(&self) -> impl Iterator<Item = &str> {
        [self.session.name.as_str(), self.flow.name.as_str(), self.device.name.as_str(), HOPS].into_iter()
    }
}

impl Form {
    /// What a request carries under this name.
    pub fn read<'a>(&self, fields: &'a HeaderMap) -> Presented<'a> {
        let mut found = Presented::Absent;
        for line in fields.get_all(COOKIE) {
            for segment in segments(line.as_bytes()) {
                if let Some(value) = self.value_in(segment) {
                    if found != Presented::Absent {
                        return Presented::Ambiguous;
                    }
                    found = Presented::Once(value);
                }
            }
        }
        found
    }

    /// A `Set-Cookie` value; without `max_age` the cookie goes with the browser's session.
    pub fn set(&self, value: &str, max_age: Option<Duration>) -> HeaderValue {
        let mut cookie = Cookie::build((self.name.as_str(), value)).path("/").http_only(true).same_site(SameSite::Lax);
        if self.secure {
            cookie = cookie.secure(true);
        }
        if let Some(domain) = &self.domain {
            cookie = cookie.domain(domain.as_str());
        }
        if let Some(span) = max_age {
            let seconds = i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
            cookie = cookie.max_age(cookie::time::Duration::seconds(seconds));
        }
        // A domain that is no field value sets no cookie: nobody gets in, nothing leaks.
        HeaderValue::from_str(&cookie.build().to_string()).unwrap_or_else(|_| HeaderValue::from_static(""))
    }

    fn value_in<'a>(&self, segment: &'a [u8]) -> Option<&'a [u8]> {
        let rest = segment.trim_ascii().strip_prefix(self.name.as_bytes())?;
        rest.strip_prefix(b"=")
    }
}

/// What stands between semicolons: as `split` would, and several times faster on long values.
fn segments(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let line = rest?;
        let (segment, after) = match memchr(b';', line) {
            Some(at) => (line.get(..at)?, line.get(at + 1..)),
            None => (line, None),
        };
        rest = after;
        Some(segment)
    })
}

/// The portal's marker that counts redirects to sign-in.
pub const HOPS: &str = "vestibule-hops";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cookies(url: &str, domain: Option<&str>) -> Cookies {
        Cookies::new(&PortalUrl::parse(url).unwrap(), domain)
    }

    fn request(lines: &[&str]) -> HeaderMap {
        lines.iter().map(|line| (COOKIE, HeaderValue::from_str(line).unwrap())).collect()
    }

    fn others(lines: &[&str]) -> Option<String> {
        let others = cookies("http://localhost:8080", None).others(&request(lines));
        others.map(|line| line.to_str().unwrap().to_owned())
    }

    #[test]
    fn the_form_follows_the_portal_url() {
        let set = |url, domain| cookies(url, domain).session.set("v", None).to_str().unwrap().to_owned();
        assert_eq!(set("https://example.com", None), "__Host-vestibule=v; HttpOnly; SameSite=Lax; Secure; Path=/");
        assert_eq!(
            set("https://sso.example.com", Some("example.com")),
            "__Secure-vestibule=v; HttpOnly; SameSite=Lax; Secure; Path=/; Domain=example.com"
        );
        assert_eq!(set("http://localhost:8080", None), "vestibule-8080=v; HttpOnly; SameSite=Lax; Path=/");
    }

    #[test]
    fn the_flow_cookie_keeps_to_its_own_host() {
        let set = |url, domain| cookies(url, domain).flow.set("v", None).to_str().unwrap().to_owned();
        assert_eq!(
            set("https://sso.example.com", Some("example.com")),
            "__Host-vestibule-flow=v; HttpOnly; SameSite=Lax; Secure; Path=/"
        );
        assert_eq!(set("http://localhost:8080", None), "vestibule-flow-8080=v; HttpOnly; SameSite=Lax; Path=/");
    }

    #[test]
    fn the_device_cookie_keeps_to_its_own_host() {
        let set = |url, domain| cookies(url, domain).device.set("v", None).to_str().unwrap().to_owned();
        assert_eq!(
            set("https://sso.example.com", Some("example.com")),
            "__Host-vestibule-device=v; HttpOnly; SameSite=Lax; Secure; Path=/"
        );
        assert_eq!(set("http://localhost:8080", None), "vestibule-device-8080=v; HttpOnly; SameSite=Lax; Path=/");
    }

    #[test]
    fn a_remembered_session_says_how_long() {
        let set = cookies("http://localhost:8080", None).session.set("v", Some(Duration::from_secs(60)));
        assert!(set.to_str().unwrap().contains("; Max-Age=60"), "{set:?}");
    }

    #[test]
    fn only_the_exact_name_is_read_and_only_once() {
        let session = cookies("http://localhost:8080", None).session;
        for (lines, expected) in [
            (vec!["a=1; vestibule-8080=x; b=2"], Presented::Once(b"x")),
            (vec!["a=1", "vestibule-8080=x"], Presented::Once(b"x")),
            (vec!["vestibule-8080="], Presented::Once(b"")),
            (vec!["vestibule-8080=x=y"], Presented::Once(b"x=y")),
            (vec!["Vestibule-8080=x; vestibule-80801=x; xvestibule-8080=x; vestibule-8080"], Presented::Absent),
            (vec!["vestibule-8080 =x"], Presented::Absent),
            (vec!["vestibule-8080=x; vestibule-8080=x"], Presented::Ambiguous),
            (vec!["vestibule-8080=x", "vestibule-8080=y"], Presented::Ambiguous),
        ] {
            assert_eq!(session.read(&request(&lines)), expected, "{lines:?}");
        }
    }

    #[test]
    fn our_cookies_do_not_travel_and_others_are_untouched() {
        for (lines, expected) in [
            (vec!["a=1; vestibule-8080=x; b=2"], Some("a=1; b=2")),
            (vec!["vestibule-8080=x; b=2;c =\"3\""], Some("b=2;c =\"3\"")),
            (vec!["a=1;vestibule-flow-8080=x"], Some("a=1")),
            (vec!["vestibule-device-8080=x;a=1"], Some("a=1")),
            (vec!["a=1", "vestibule-8080=x", "b=2; c=3"], Some("a=1; b=2; c=3")),
            (vec!["vestibule-8080=x; vestibule-8080=y"], None),
            (vec!["vestibule-8080=x", "vestibule-hops=1"], None),
            (vec!["vestibule-8080 = x; vestibule-8080; z"], Some("z")),
            (vec!["  a=1;; b=2 "], Some("  a=1;; b=2 ")),
            (vec!["vestibule-80801=x"], Some("vestibule-80801=x")),
            (vec![], None),
            (vec![""], None),
        ] {
            assert_eq!(others(&lines).as_deref(), expected, "{lines:?}");
        }
    }

    #[test]
    fn an_upstream_cannot_set_our_cookie_under_any_spelling() {
        let cookies = cookies("http://localhost:8080", None);
        let ours = |value: &str| cookies.sets_ours(&HeaderValue::from_str(value).unwrap());
        for value in [
            "vestibule-8080=x",
            " vestibule-8080 =x; Path=/",
            "VESTIBULE-8080=x",
            "=vestibule-8080=x",
            " = vestibule-flow-8080=x",
            "Vestibule-Device-8080=x",
            "vestibule-8080",
            "\tvestibule-8080\t=x",
        ] {
            assert!(ours(value), "{value:?}");
        }
        for value in ["a=vestibule-8080", "vestibule-80801=x", "", "=", "a=1; vestibule-8080=x"] {
            assert!(!ours(value), "{value:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_left_after_stripping_never_names_us(
            line in proptest::collection::vec(
                prop_oneof![
                    Just("vestibule-8080"), Just("vestibule-flow-8080"), Just("vestibule-device-8080"), Just("="), Just(";"), Just(" "), Just("a"), Just("\t"),
                ],
                0..24,
            ),
        ) {
            let line = line.concat();
            let cookies = cookies("http://localhost:8080", None);
            let fields: HeaderMap = cookies.others(&request(&[&line])).map(|line| (COOKIE, line)).into_iter().collect();
            prop_assert_eq!(cookies.session.read(&fields), Presented::Absent);
            prop_assert_eq!(cookies.flow.read(&fields), Presented::Absent);
            prop_assert_eq!(cookies.device.read(&fields), Presented::Absent);
            let others = |fields: &HeaderMap| -> Vec<Vec<u8>> {
                fields
                    .get_all(COOKIE)
                    .iter()
                    .flat_map(|line| segments(line.as_bytes()).map(|one| one.trim_ascii().to_vec()).collect::<Vec<_>>())
                    .filter(|one| !one.is_empty() && !cookies.is_ours(one))
                    .collect()
            };
            prop_assert_eq!(others(&fields), others(&request(&[&line])), "other cookies and their order stay");
        }

        #[test]
        fn any_bytes_can_be_read_and_stripped(line in proptest::collection::vec(32u8..=255, 0..300)) {
            if let Ok(line) = HeaderValue::from_bytes(&line) {
                let cookies = cookies("https://example.com", None);
                let fields = HeaderMap::from_iter([(COOKIE, line.clone())]);
                let _ = cookies.session.read(&fields);
                let _ = cookies.sets_ours(&line);
                let _ = cookies.others(&fields);
            }
        }
    }
}
