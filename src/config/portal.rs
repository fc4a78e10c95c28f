//! `[portal]`: the address people type, and everything that follows from it.

use url::Url;

use super::reader::Section;

/// `[portal]`
#[derive(Clone, Debug)]
pub struct Portal {
    /// Links, cookies, redirects and origin checks follow it, never the connection.
    pub url: PortalUrl,
    /// The reserved prefix: one leading slash, none at the end; `/.auth`.
    pub path: String,
    /// Shown in the frame and in mails.
    pub name: String,
}

/// `portal.url`: scheme, host and port, nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortalUrl {
    /// `https`
    pub secure: bool,
    /// Canonical host: lower case, IDNA, no trailing dot; IPv6 in brackets.
    pub host: String,
    /// The explicit or default port.
    pub port: u16,
    /// What the host says about who can reach it.
    pub reach: Reach,
}

/// How far away the people are who can open `portal.url`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// `localhost`, `*.localhost`, 127.0.0.0/8, `[::1]`
    Loopback,
    /// Private addresses, `.lan`, `.local`, `.home.arpa`, a name without dots.
    Private,
    /// Everything else.
    Public,
}

impl PortalUrl {
    /// Takes a URL apart.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|error| format!("`{text}` is not a URL: {error}"))?;
        let secure = match url.scheme() {
            "https" => true,
            "http" => false,
            other => return Err(format!("`{other}` is not a scheme people can open: use https or http")),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err("a user name or password has no place in it".into());
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err("only scheme, host and port belong in it; the path of the pages is `portal.path`".into());
        }
        let host = url.host().ok_or("it names no host")?;
        let reach = reach(&host);
        let host = host.to_string().trim_end_matches('.').to_owned();
        let port = url.port_or_known_default().ok_or("it names no port")?;
        Ok(Self { secure, host, port, reach })
    }

    /// `https://wiki.example.com` or `http://localhost:8080`: the origin of RFC 6454, without a default port.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("{}://{}", self.scheme(), self.authority())
    }

    /// `wiki.example.com` or `localhost:8080`, without a default port.
    #[must_use]
    pub fn authority(&self) -> String {
        let default = if self.secure { 443 } else { 80 };
        if self.port == default { self.host.clone() } else { format!("{}:{}", self.host, self.port) }
    }

    /// `https` or `http`.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        if self.secure { "https" } else { "http" }
    }
}

/// Whether a canonical host is this machine itself: `localhost`, 127.0.0.0/8, `[::1]`. Names under `.localhost` are hosts of
/// their own: people give them to different sites.
#[must_use]
pub fn is_this_machine(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

pub(super) fn reach(host: &url::Host<&str>) -> Reach {
    match host {
        url::Host::Ipv4(address) if address.is_loopback() => Reach::Loopback,
        url::Host::Ipv4(address) if address.is_private() || address.is_link_local() => Reach::Private,
        url::Host::Ipv6(address) if address.is_loopback() => Reach::Loopback,
        url::Host::Ipv6(address) if address.is_unique_local() || address.is_unicast_link_local() => Reach::Private,
        url::Host::Ipv4(_) | url::Host::Ipv6(_) => Reach::Public,
        url::Host::Domain(name) => name_reach(name.trim_end_matches('.')),
    }
}

fn name_reach(name: &str) -> Reach {
    let under = |parent: &str| name.strip_suffix(parent).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    if under("localhost") {
        Reach::Loopback
    } else if !name.contains('.') || ["lan", "local", "home.arpa"].into_iter().any(under) {
        Reach::Private
    } else {
        Reach::Public
    }
}

impl Default for Portal {
    fn default() -> Self {
        Self {
            url: PortalUrl { secure: false, host: "localhost".into(), port: 8080, reach: Reach::Loopback },
            path: "/.auth".into(),
            name: "Vestibule".into(),
        }
    }
}

/// `http_port`: where the default URL leads, when nobody gave one.
pub(super) fn read(mut section: Section<'_>, http_port: Option<u16>, https_port: Option<u16>) -> Portal {
    let default = Portal::default();
    let followed = match (http_port, https_port) {
        (Some(port), _) => PortalUrl { port, ..default.url },
        (None, Some(port)) => PortalUrl { secure: true, port, ..default.url },
        (None, None) => default.url,
    };
    let portal = Portal {
        url: section.parse("url", PortalUrl::parse).unwrap_or(followed),
        path: section.parse("path", path).unwrap_or(default.path),
        name: section.parse("name", name).unwrap_or(default.name),
    };
    section.finish();
    portal
}

fn path(text: &str) -> Result<String, String> {
    let wrong = "has to be one or more plain segments, like \"/.auth\"";
    let path = text.trim_end_matches('/');
    let segments = path.strip_prefix('/').ok_or(format!("`{text}` {wrong}, beginning with `/`"))?;
    let plain = |segment: &str| {
        !matches!(segment, "" | "." | "..")
            && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
    };
    if segments.split('/').all(plain) { Ok(path.to_owned()) } else { Err(format!("`{text}` {wrong}")) }
}

fn name(text: &str) -> Result<String, String> {
    let text = text.trim();
    let good = !text.is_empty() && text.chars().count() <= 64 && !text.chars().any(char::is_control);
    if good { Ok(text.to_owned()) } else { Err("has to be 1 to 64 characters on one line".into()) }
}

#[cfg(test)]
mod tests {
    use super::is_this_machine;

    #[test]
    fn only_loopback_names_are_this_machine() {
        assert!(["localhost", "127.0.0.1", "127.255.0.1", "[::1]", "::1"].into_iter().all(is_this_machine));
        let others = ["a.localhost", "localhost.a", "alocalhost", "128.0.0.1", "[::2]", "0.0.0.0"];
        assert!(!others.into_iter().any(is_this_machine));
    }
}
