//! Where to go after signing in: parsed once, never an open redirect (OWASP ASVS 5.0 §3.7.2).
//!
//! Origin-form with one leading `/` stays on the host asked; an absolute URL is taken only when it begins with the
//! very origin of a configured site. Nothing is parsed by a lenient URL parser, so that no two readers can differ:
//! origins are compared as bytes. Anything else is `/`.

use std::{collections::BTreeSet, fmt::Write as _};

use crate::config::{portal::PortalUrl, site};

/// Longest target kept, bytes.
pub const LONGEST: usize = 4096;

/// A place this gateway serves, fit for `Location`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnTo {
    /// `None`: the host the answer is given on.
    origin: Option<String>,
    /// Origin-form, ASCII.
    path: String,
}

impl ReturnTo {
    /// The front page.
    #[must_use]
    pub fn root() -> Self {
        Self { origin: None, path: "/".into() }
    }

    /// The value of `Location`.
    #[must_use]
    pub fn location(&self) -> String {
        format!("{}{}", self.origin.as_deref().unwrap_or_default(), self.path)
    }

    /// What to say after "to continue to", with `here` as the name of the portal's host; nothing for the front page.
    #[must_use]
    pub fn label(&self, here: &str) -> Option<String> {
        let host =
            self.origin.as_deref().map_or(here, |origin| origin.split_once("://").map_or(origin, |(_, host)| host));
        let path = self.path.split(['?', '#']).next().unwrap_or("/");
        match (&self.origin, path) {
            (None, "/") => None,
            (_, "/") => Some(host.to_owned()),
            _ => Some(format!("{host}{}", shortened(path))),
        }
    }

    /// Whether there is anything to carry along.
    #[must_use]
    pub fn is_root(&self) -> bool {
        *self == Self::root()
    }
}

/// The origins a [`ReturnTo`] may name, and the pages it may not.
#[derive(Clone, Debug)]
pub struct Destinations {
    /// `https://portal.example.com`
    own: String,
    /// `https://wiki.example.com`
    others: BTreeSet<String>,
    /// `/.auth`
    portal_path: String,
    scheme: &'static str,
    /// `:8080`, or nothing for the scheme's default.
    port: String,
}

impl Destinations {
    /// From `portal.url`, `portal.path` and the configured sites.
    #[must_use]
    pub fn new(url: &PortalUrl, portal_path: &str, sites: &[site::Site]) -> Self {
        let port = url.authority().strip_prefix(url.host.as_str()).unwrap_or_default().to_owned();
        let scheme = url.scheme();
        let others = sites
            .iter()
            .filter_map(|site| match &site.host {
                site::HostPattern::Exact(host) if *host != url.host => Some(format!("{scheme}://{host}{port}")),
                _ => None,
            })
            .collect();
        Self { own: url.origin(), others, portal_path: portal_path.to_ascii_lowercase(), scheme, port }
    }

    /// The absolute form of a target on another site's host.
    #[must_use]
    pub fn absolute(&self, host: &str, target: &str) -> String {
        format!("{}://{host}{}{target}", self.scheme, self.port)
    }

    /// Reads what came as `return_to`; whatever is not plainly ours is `/`.
    #[must_use]
    pub fn parse(&self, sent: &str) -> ReturnTo {
        self.read(sent).unwrap_or_else(ReturnTo::root)
    }

    fn read(&self, sent: &str) -> Option<ReturnTo> {
        if sent.len() > LONGEST {
            return None;
        }
        if sent.starts_with('/') {
            return self.path(sent).map(|path| ReturnTo { origin: None, path });
        }
        // `portal.url` itself becomes relative: people may have opened it by another loopback name.
        let (origin, rest) = split_origin(sent)?;
        let path = if rest.is_empty() { "/".to_owned() } else { self.path(rest)? };
        if origin == self.own {
            Some(ReturnTo { origin: None, path })
        } else if self.others.contains(origin) {
            Some(ReturnTo { origin: Some(origin.to_owned()), path })
        } else {
            None
        }
    }

    fn path(&self, sent: &str) -> Option<String> {
        let rest = sent.strip_prefix('/')?;
        let clean = sent.bytes().all(|byte| byte > b' ' && byte != 0x7f && byte != b'\\');
        if !clean || begins_with_slash(rest) {
            return None;
        }
        let path = sent.split(['?', '#']).next().unwrap_or(sent);
        let reading = resolved(path);
        (!reading.starts_with("//") && !self.loops(&reading)).then(|| ascii(sent))
    }

    /// Pages that would send a signed-in person round in circles, or out again, or nowhere.
    fn loops(&self, reading: &str) -> bool {
        let Some(page) = reading.strip_prefix(self.portal_path.as_str()) else { return false };
        if !page.is_empty() && !page.starts_with('/') {
            return false;
        }
        let page = page.trim_matches('/');
        let first = page.split('/').next().unwrap_or_default();
        !["profile", "password", "second-factor", "sessions", "activity", "tokens", "admin"].contains(&first)
            || ["password/forgot", "password/reset"].contains(&page)
    }
}

/// `https://host:port` and what follows it.
fn split_origin(sent: &str) -> Option<(&str, &str)> {
    let after = sent.find("://")? + 3;
    let end = sent.get(after..)?.find('/').map_or(sent.len(), |at| after + at);
    Some(sent.split_at(end))
}

/// Whether a reader could take the next byte for a slash: plain, or percent-encoded any number of times.
fn begins_with_slash(rest: &str) -> bool {
    let mut rest = rest;
    if rest.starts_with(['/', '\\']) {
        return true;
    }
    let Some(mut tail) = rest.strip_prefix('%') else { return false };
    while let Some(next) = tail.strip_prefix("25") {
        rest = next;
        tail = rest;
    }
    tail.get(..2).is_some_and(|code| code.eq_ignore_ascii_case("2f") || code.eq_ignore_ascii_case("5c"))
}

/// The path as a browser would ask for it, lower case: unreserved characters decoded, dot segments removed.
fn resolved(path: &str) -> String {
    let decoded = percent_encoding::percent_decode_str(path).decode_utf8_lossy().to_lowercase();
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = decoded.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            "." if last => kept.push(""),
            "." => {}
            ".." => {
                kept.pop();
                if last {
                    kept.push("");
                }
            }
            other => kept.push(other),
        }
    }
    format!("/{}", kept.join("/"))
}

/// Non-ASCII characters as their percent-encoded UTF-8, everything else as sent.
fn ascii(sent: &str) -> String {
    let mut out = String::with_capacity(sent.len());
    for byte in sent.bytes() {
        if byte.is_ascii() {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

fn shortened(path: &str) -> String {
    const SHOWN: usize = 60;
    if path.len() <= SHOWN { path.to_owned() } else { format!("{}…", path.chars().take(SHOWN).collect::<String>()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::{portal::PortalUrl, site::HostPattern};

    fn destinations() -> Destinations {
        let url = PortalUrl::parse("https://id.example.com").unwrap();
        let sites = ["wiki.example.com", "git.example.com"]
            .map(|host| site::Site { host: HostPattern::Exact(host.into()), ..site::Site::default() });
        Destinations::new(&url, "/.auth", &sites)
    }

    #[test]
    fn a_target_on_this_gateway_is_kept_byte_for_byte() {
        for kept in [
            "/",
            "/a/b?c=d&e=%2F%00#f",
            "/a%2Fb?x=1",
            "/a%252Fb",
            "/?next=https://evil.test//x",
            "/a//b",
            "/a/../b",
            "/.auth/profile",
            "/.auth/second-factor/phone?x",
            "/.authority",
            "/%41",
            "https://wiki.example.com/page?q=1",
            "https://git.example.com",
        ] {
            let expected = if kept == "https://git.example.com" { "https://git.example.com/" } else { kept };
            assert_eq!(destinations().parse(kept).location(), expected, "{kept}");
        }
        assert_eq!(destinations().parse("https://id.example.com/x?y").location(), "/x?y");
        assert_eq!(destinations().parse("/é").location(), "/%C3%A9");
    }

    #[test]
    fn a_target_elsewhere_is_the_front_page() {
        for refused in [
            "",
            " /x",
            "x",
            "//evil.test",
            "///evil.test",
            "/\\evil.test",
            "\\\\evil.test",
            "/\t/evil.test",
            "/\n/evil.test",
            "/x\r\nSet-Cookie: a=b",
            "/%2Fevil.test",
            "/%2fevil.test",
            "/%5Cevil.test",
            "/%252fevil.test",
            "/%25255cevil.test",
            "/x\\..\\y",
            "/x y",
            "/\u{7f}",
            "/.//evil.test",
            "/..//evil.test",
            "/%2e//evil.test",
            "/a/..//evil.test",
            "/a/%2e%2E/%2Fevil.test",
            "http://wiki.example.com/",
            "https://wiki.example.com:8443/",
            "https://wiki.example.com:443/",
            "https://user@wiki.example.com/",
            "https://user:pass@wiki.example.com/",
            "https://wiki.example.com@evil.test/",
            "https://wiki.example.com.evil.test/",
            "https://evilwiki.example.com/",
            "https://WIKI.example.com/",
            "https://wiki.example.com./",
            "https://wiki.example.com\\@evil.test/",
            "https://wiki.example.com//evil.test",
            "https://wiki.example.com?x",
            "https:/wiki.example.com/",
            "https:wiki.example.com",
            "HTTPS://wiki.example.com/",
            "javascript:alert(1)",
            "javascript://wiki.example.com/%0aalert(1)",
            "data:text/html,x",
            "https://evil.test/",
            "https:///evil.test",
            "ftp://wiki.example.com/",
        ] {
            assert_eq!(destinations().parse(refused), ReturnTo::root(), "{refused:?}");
        }
        assert_eq!(destinations().parse(&format!("/{}", "a".repeat(LONGEST))), ReturnTo::root());
    }

    #[test]
    fn a_target_that_would_loop_is_the_front_page() {
        for refused in [
            "/.auth",
            "/.auth/",
            "/.auth/login?return_to=/x",
            "/.AUTH/LOGIN",
            "/.auth/logout",
            "/x/../.auth/logout",
            "/%2eauth/login",
            "/.auth/register",
            "/.auth/password/reset?token=x",
            "/.auth/check",
            "https://wiki.example.com/.auth/login",
        ] {
            assert_eq!(destinations().parse(refused), ReturnTo::root(), "{refused:?}");
        }
    }

    #[test]
    fn a_label_names_the_host_and_page_without_the_query() {
        let label = |sent: &str| destinations().parse(sent).label("id.example.com");
        assert_eq!(label("/"), None);
        assert_eq!(label("/page?token=secret").as_deref(), Some("id.example.com/page"));
        assert_eq!(label("https://wiki.example.com/").as_deref(), Some("wiki.example.com"));
    }

    proptest! {
        #[test]
        fn whatever_comes_leads_to_a_configured_origin(sent in "(https?:)?[/\\\\]{0,3}[a-z./\\\\%@:?#2fF5cC\\t ]{0,40}") {
            let base = url::Url::parse("https://id.example.com/.auth/login").unwrap();
            let end = base.join(&destinations().parse(&sent).location()).unwrap();
            let hosts = ["id.example.com", "wiki.example.com", "git.example.com"];
            prop_assert!(hosts.contains(&end.host_str().unwrap()), "{sent:?} led to {end}");
            prop_assert_eq!(end.scheme(), "https");
            prop_assert!(end.port().is_none() && end.username().is_empty());
        }

        #[test]
        fn whatever_comes_fits_a_location_field(sent in ".{0,200}") {
            let location = destinations().parse(&sent).location();
            prop_assert!(http::HeaderValue::from_str(&location).is_ok());
        }
    }
}
