//! `[portal]`: the address people type, and everything that follows from it.

use url::Url;

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

fn reach(host: &url::Host<&str>) -> Reach {
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
