//! For `fuzz/targets/return_to.rs`: whatever is sent, a browser that follows `Location` stays on a configured host. The
//! browser's reading is that of the WHATWG parser (the `url` crate), which the code under test never asks.

use http::HeaderValue;
use url::Url;

use super::return_to::{Destinations, LONGEST};
use crate::config::{
    portal::PortalUrl,
    site::{HostPattern, Site},
};

/// The value of `return_to`.
pub fn return_to(bytes: &[u8]) {
    let Ok(sent) = std::str::from_utf8(bytes) else { return };
    for portal in ["http://localhost:8080", "https://id.example.com"] {
        let (Ok(url), Ok(page)) = (PortalUrl::parse(portal), Url::parse(&format!("{portal}/.auth/login"))) else {
            return;
        };
        let sites = ["wiki.example.com", "git.example.com"]
            .map(|host| Site { host: HostPattern::Exact(host.into()), ..Site::default() });
        check(&Destinations::new(&url, "/.auth", &sites), &page, sent);
    }
}

fn check(destinations: &Destinations, page: &Url, sent: &str) {
    let location = destinations.parse(sent).location();
    let clean = |byte: u8| byte.is_ascii_graphic() && byte != b'\\';
    assert!(location.bytes().all(clean) && HeaderValue::from_str(&location).is_ok(), "{location:?}");
    assert!(location.len() <= 3 * LONGEST + 64, "{} bytes", location.len());
    // Resolved against the page, and against another page of the same host.
    for base in [page.join("/a/b/c"), Ok(page.clone())].into_iter().flatten() {
        let followed = base.join(&location);
        assert!(followed.is_ok(), "{location:?} cannot be followed");
        let Ok(target) = followed else { return };
        let host = target.host_str().unwrap_or_default();
        let known = target.origin() == page.origin()
            || (["wiki.example.com", "git.example.com"].contains(&host)
                && target.scheme() == page.scheme()
                && target.port() == page.port());
        assert!(known, "{sent:?} leads to {target}");
        assert!(target.username().is_empty() && target.password().is_none(), "{target}");
    }
    // Encoding makes it longer, too long perhaps.
    if location.len() <= LONGEST {
        assert_eq!(destinations.parse(&location).location(), location, "read again, it is the same");
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_fuzzing_found_stays_fixed() {
        crate::world::replay("return_to", super::return_to);
    }
}
