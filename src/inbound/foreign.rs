//! Whether a page of another site sent a request. Browsers add a password that was once typed into their dialog (Basic) by
//! themselves, whoever sends: a token that comes so must not serve another site's page.
//!
//! Fetch metadata tells, where it is sent: to https and loopback only. `Origin` tells everywhere, of whatever may change
//! something and of WebSockets. Fetch §3.2, W3C Fetch Metadata, RFC 6455 §10.2.

use http::Method;

use super::{Authority, Fetch, Held, View};

impl View {
    /// Whether a browser says that a page of another site sent this, and it is no visit by a link: what a cookie with
    /// `SameSite=Lax` does not travel with. `secure`: people come by https, whatever is seen here.
    #[must_use]
    pub fn from_another_site(&self, secure: bool) -> bool {
        let reads = reads(&self.method) && !self.asks.upgrade && self.upgrade.is_none();
        let other_origin = !reads && is_foreign(&self.fetch, &self.authority, secure || self.secure);
        other_origin || is_said_foreign(&self.fetch, reads)
    }

    /// The same of what another gateway holds while it asks `check`. What it holds is a visit only where it says so; an
    /// `Origin` may belong to a WebSocket whose `Upgrade` stayed behind.
    #[must_use]
    pub fn holds_from_another_site(&self, held: &Held, secure: bool) -> bool {
        let reads = reads(&self.method) && held.method.as_ref().is_some_and(reads);
        let asked_for = held.authority.as_ref().unwrap_or(&self.authority);
        is_foreign(&self.fetch, asked_for, secure || self.secure) || is_said_foreign(&self.fetch, reads)
    }
}

fn reads(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// By fetch metadata.
fn is_said_foreign(fetch: &Fetch, reads: bool) -> bool {
    let visit = reads && fetch.mode.as_deref() == Some("navigate") && fetch.dest.as_deref() == Some("document");
    !visit && fetch.site.as_deref().is_some_and(|site| !matches!(site, "same-origin" | "same-site" | "none"))
}

/// By `Origin`: `null`, which any page may have, is nobody's own.
fn is_foreign(fetch: &Fetch, own: &Authority, secure: bool) -> bool {
    let scheme = if secure { "https" } else { "http" };
    fetch.origin.as_deref().is_some_and(|origin| !origin.eq_ignore_ascii_case(&format!("{scheme}://{own}")))
}
