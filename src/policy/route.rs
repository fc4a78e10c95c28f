//! Where a request belongs: by host alone, ports never take part; the portal's pages under their prefix.

use std::sync::Arc;

use super::{Misdirected, Page, Place, Site};
use crate::{
    config::{
        portal::{Portal, is_this_machine},
        site::HostPattern,
    },
    inbound::{Connection, View},
};

/// The host of `portal.url` and the prefix of its pages.
#[derive(Debug)]
pub(super) struct Entrance {
    host: String,
    /// Every name and address of this machine means `host`.
    loopback: bool,
    prefix: String,
}

impl Entrance {
    pub(super) fn new(portal: &Portal) -> Self {
        Self { host: portal.url.host.clone(), loopback: is_this_machine(&portal.url.host), prefix: portal.path.clone() }
    }

    pub(super) fn route(
        &self,
        sites: &[Arc<Site>],
        view: &View,
        connection: &Connection,
    ) -> Result<Place, Misdirected> {
        let host = &*view.authority.host;
        let on_portal_host = self.is_portal(sites, host);
        let site = self.site(sites, host);
        // RFC 9110 §7.4: a connection made for one name must not ask for another. Without SNI there is nothing to compare.
        let name = connection.tls.as_ref().and_then(|tls| tls.server_name.as_deref());
        if name.is_some_and(|name| name != host) {
            return Err(Misdirected::ServerName);
        }
        if site.is_none() && !on_portal_host {
            // The page that says so is meant to be read: what it is dressed in is public anyway.
            let page = self.page(&view.target.path, on_portal_host).filter(|page| page.path.starts_with("assets/"));
            return page.map(Place::Portal).ok_or(Misdirected::UnknownHost);
        }
        match self.page(&view.target.path, on_portal_host) {
            Some(page) if on_portal_host || exists_everywhere(&page.path) => Ok(Place::Portal(page)),
            Some(_) => Err(Misdirected::NoSuchPage),
            None => match site {
                Some(site) => Ok(Place::Site(Arc::clone(site))),
                // A portal host of its own: people who type its name alone get to its pages.
                None if &*view.target.path == "/" => Ok(Place::Portal(Page { path: String::new(), on_portal_host })),
                None => Err(Misdirected::NoSuchPage),
            },
        }
    }

    /// The host of `portal.url`, or an alias of it.
    fn is_portal(&self, sites: &[Arc<Site>], host: &str) -> bool {
        host == self.host || (self.loopback && exactly(sites, host).is_none() && is_this_machine(host))
    }

    /// The site that a host stands for.
    pub(super) fn site<'a>(&self, sites: &'a [Arc<Site>], host: &str) -> Option<&'a Arc<Site>> {
        exactly(sites, host).or_else(|| self.behind_portal(sites).filter(|_| self.is_portal(sites, host)))
    }

    /// The site that the portal's host (or an alias of it) stands for.
    fn behind_portal<'a>(&self, sites: &'a [Arc<Site>]) -> Option<&'a Arc<Site>> {
        exactly(sites, &self.host).or_else(|| sites.iter().find(|site| site.settings.host == HostPattern::Any))
    }

    fn page(&self, path: &str, on_portal_host: bool) -> Option<Page> {
        if on_portal_host && path == "/.well-known/change-password" {
            return Some(Page { path: ".well-known/change-password".into(), on_portal_host });
        }
        let rest = path.strip_prefix(&self.prefix)?;
        let path = if rest.is_empty() { rest } else { rest.strip_prefix('/')? };
        Some(Page { path: path.to_owned(), on_portal_host })
    }
}

fn exactly<'a>(sites: &'a [Arc<Site>], host: &str) -> Option<&'a Arc<Site>> {
    sites.iter().find(|site| matches!(&site.settings.host, HostPattern::Exact(name) if name == host))
}

/// Pages that also exist on the hosts of other sites.
fn exists_everywhere(page: &str) -> bool {
    ["login", "callback", "logout", "me", "check"].contains(&page) || page.starts_with("assets/")
}

#[cfg(test)]
mod tests {
    use crate::{
        inbound::{Connection, Tls},
        policy::{Misdirected, Place, decide::examples},
    };

    fn connection(server_name: Option<&str>) -> Connection {
        let tls = server_name.map(|name| Tls { server_name: (!name.is_empty()).then(|| name.into()) });
        Connection::new("192.0.2.1:1".parse().unwrap(), tls)
    }

    /// `portal.url`, sites, host and path asked for; what comes of it: `site:<label>`, `page:<path>`, or the refusal.
    fn route(portal: &str, hosts: &[&str], host: &str, path: &str) -> String {
        let policy = examples::policy(portal, hosts, &[]);
        match policy.route(&examples::view("GET", host, path), &connection(None)) {
            Ok(Place::Site(site)) => format!("site:{}", site.label),
            Ok(Place::Portal(page)) => format!("page:{}", page.path),
            Err(misdirected) => format!("{misdirected:?}"),
        }
    }

    #[test]
    fn a_host_nobody_knows_gets_what_its_error_page_is_dressed_in_and_nothing_else() {
        let ask = |path: &str| route("https://login.example.com", &["wiki.example.com"], "unknown.example", path);
        assert_eq!(ask("/.auth/assets/style.0123456789abcdef.css"), "page:assets/style.0123456789abcdef.css");
        for path in ["/", "/.auth", "/.auth/login", "/.auth/assets", "/.auth/me", "/assets/x", "/.auth/../.auth/login"]
        {
            assert_eq!(ask(path), "UnknownHost", "{path}");
        }
    }

    #[test]
    fn hosts_choose_sites_and_ports_do_not() {
        let local = "http://localhost:8080";
        for (host, expected) in [
            ("localhost:8080", "site:localhost:8080"),
            ("LOCALHOST.", "site:localhost:8080"),
            ("127.0.0.1:9999", "site:localhost:8080"),
            ("127.8.8.8", "site:localhost:8080"),
            ("[::1]:8080", "site:localhost:8080"),
            ("app.localhost", "UnknownHost"),
            ("localhost.evil.example", "UnknownHost"),
            ("notlocalhost", "UnknownHost"),
            ("192.168.0.1", "UnknownHost"),
        ] {
            assert_eq!(route(local, &["*"], host, "/"), expected, "{host}");
        }
        let hosts = ["wiki.example.com", "files.example.com"];
        for (host, expected) in [
            ("WIKI.example.com.:8443", "site:wiki.example.com"),
            ("files.example.com", "site:files.example.com"),
            ("example.com", "UnknownHost"),
            ("xwiki.example.com", "UnknownHost"),
            ("wiki.example.com.evil.example", "UnknownHost"),
        ] {
            assert_eq!(route("https://auth.example.com", &hosts, host, "/"), expected, "{host}");
        }
        assert_eq!(route(local, &["*", "wiki.localhost"], "wiki.localhost", "/"), "site:wiki.localhost");
        assert_eq!(route(local, &["localhost"], "127.0.0.1", "/"), "site:localhost");
    }

    #[test]
    fn portal_pages_stand_under_their_prefix_by_whole_segment() {
        let local = "http://localhost:8080";
        for (path, expected) in [
            ("/.auth", "page:"),
            ("/.auth/", "page:"),
            ("/.auth/login", "page:login"),
            ("/x/../.auth/login", "page:login"),
            ("/%2eauth/profile/edit", "page:profile/edit"),
            ("/.authentic", "site:localhost:8080"),
            ("//.auth/login", "site:localhost:8080"),
            ("/.well-known/change-password", "page:.well-known/change-password"),
            ("/.well-known/other", "site:localhost:8080"),
        ] {
            assert_eq!(route(local, &["*"], "localhost", path), expected, "{path}");
        }
    }

    #[test]
    fn other_hosts_have_only_the_pages_they_need() {
        let asked = |host: &str, path: &str| route("https://auth.example.com", &["wiki.example.com"], host, path);
        for page in ["login", "callback", "logout", "me", "check", "assets/a.css"] {
            assert_eq!(asked("wiki.example.com", &format!("/.auth/{page}")), format!("page:{page}"));
        }
        for page in ["", "/profile", "/login/verify", "/admin", "/password", "/assetsx", "/setup"] {
            assert_eq!(asked("wiki.example.com", &format!("/.auth{page}")), "NoSuchPage", "{page}");
        }
        assert_eq!(asked("wiki.example.com", "/.well-known/change-password"), "site:wiki.example.com");
        assert_eq!(asked("auth.example.com", "/.auth/profile"), "page:profile");
        assert_eq!(asked("auth.example.com", "/"), "page:");
        assert_eq!(asked("auth.example.com", "/wiki"), "NoSuchPage");
    }

    #[test]
    fn a_connection_made_for_one_name_cannot_ask_for_another() {
        let policy = examples::policy("https://wiki.example.com", &["*", "b.example.com"], &[]);
        let view = examples::view("GET", "wiki.example.com", "/");
        assert!(policy.route(&view, &connection(Some("wiki.example.com"))).is_ok());
        assert!(policy.route(&view, &connection(Some(""))).is_ok(), "no SNI: no comparison");
        assert!(policy.route(&view, &connection(None)).is_ok());
        let other = policy.route(&view, &connection(Some("b.example.com")));
        assert!(matches!(other, Err(Misdirected::ServerName)));
    }
}
