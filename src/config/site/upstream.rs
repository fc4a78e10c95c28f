//! `site.upstream`, `[site.tls]` and `site.check`: where a site's granted requests go.
//!
//! One address or several. All of one site speak the same way, for a request goes to any of them.

use std::{fmt, path::PathBuf, time::Duration};

use rustls_pki_types::ServerName;

use crate::config::{reader::Section, units};

/// `site.upstream`
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upstream {
    /// The built-in site that shows the identity fields and the request.
    Demo,
    /// Servers that answer alike.
    Servers {
        /// How all of them are spoken to.
        wire: Wire,
        /// At least one; none twice.
        addresses: Vec<Address>,
    },
}

/// How an upstream is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// `http://` and `unix:`: HTTP/1.1.
    Plain,
    /// `h2c://`: HTTP/2 with prior knowledge (RFC 9113 §3.3).
    PriorKnowledge,
    /// `https://`: TLS, verified; HTTP/2 or HTTP/1.1, whichever ALPN chooses.
    Tls,
}

/// Where an upstream listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A name or an address, and a port.
    Tcp {
        /// Host as written: name, IPv4, or IPv6 without brackets.
        host: String,
        /// Explicit or default port.
        port: u16,
    },
    /// A socket in the file system; an absolute path.
    Unix(PathBuf),
}

/// `[site.tls]`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpstreamTls {
    /// PEM: the only authorities believed for this site. `None`: Mozilla's and those of `SSL_CERT_FILE`.
    pub ca: Option<PathBuf>,
    /// What its certificate has to hold, and what is asked for; `None`: the host of its address.
    pub server_name: Option<String>,
    /// PEM: our own certificate chain and its key.
    pub client: Option<(PathBuf, PathBuf)>,
}

/// `site.check`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Asked with GET; well is whoever answers 2xx or 3xx.
    pub path: String,
    /// From one end to the next beginning.
    pub every: Duration,
    /// For the whole: connection, TLS, answer.
    pub timeout: Duration,
}

impl Upstream {
    /// One server.
    #[must_use]
    pub fn one(wire: Wire, host: &str, port: u16) -> Self {
        Self::Servers { wire, addresses: vec![Address::Tcp { host: host.into(), port }] }
    }
}

impl Wire {
    /// `443` for TLS, else `80`.
    #[must_use]
    pub fn default_port(self) -> u16 {
        if self == Self::Tls { 443 } else { 80 }
    }

    fn scheme(self) -> &'static str {
        match self {
            Self::Plain => "http",
            Self::PriorKnowledge => "h2c",
            Self::Tls => "https",
        }
    }
}

impl Address {
    /// `host:port` as the upstream would want it in `Host`, without a default port; `localhost` for a socket in the file system.
    #[must_use]
    pub fn authority(&self, wire: Wire) -> String {
        match self {
            Self::Unix(_) => "localhost".into(),
            Self::Tcp { host, port } => {
                let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
                if *port == wire.default_port() { host } else { format!("{host}:{port}") }
            }
        }
    }

    /// As it is written in the configuration.
    #[must_use]
    pub fn written(&self, wire: Wire) -> String {
        match self {
            Self::Unix(path) => format!("unix:{}", path.display()),
            Self::Tcp { .. } => format!("{}://{}", wire.scheme(), self.authority(wire)),
        }
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Demo => f.write_str("demo"),
            Self::Servers { wire, addresses } => {
                let all: Vec<_> = addresses.iter().map(|address| address.written(*wire)).collect();
                f.write_str(&all.join(", "))
            }
        }
    }
}

pub(super) fn read(section: &mut Section<'_>) -> Option<Upstream> {
    if !section.is_list("upstream") {
        return section.parse("upstream", one).map(|(wire, address)| match address {
            None => Upstream::Demo,
            Some(address) => Upstream::Servers { wire, addresses: vec![address] },
        });
    }
    let all = section.list("upstream", one)?;
    together(all).map_err(|message| section.refuse("upstream", message)).ok()
}

/// Of a list: all alike, or a request would depend on where it goes.
fn together(all: Vec<(Wire, Option<Address>)>) -> Result<Upstream, String> {
    let wire = all.first().map(|(wire, _)| *wire).ok_or("is an empty list: write at least one upstream")?;
    let mut addresses = Vec::with_capacity(all.len());
    for (other, address) in all {
        let address = address.ok_or("\"demo\" stands alone: it is in this process")?;
        if other != wire {
            return Err(format!("mixes {} and {}: all of one site speak alike", wire.scheme(), other.scheme()));
        }
        if addresses.contains(&address) {
            return Err(format!("names {} twice", address.written(wire)));
        }
        addresses.push(address);
    }
    Ok(Upstream::Servers { wire, addresses })
}

/// No address: the demo.
fn one(text: &str) -> Result<(Wire, Option<Address>), String> {
    let text = text.trim();
    if text == "demo" {
        return Ok((Wire::Plain, None));
    }
    if let Some(path) = text.strip_prefix("unix:") {
        let path = PathBuf::from(path.strip_prefix("//").unwrap_or(path));
        if !path.is_absolute() {
            return Err(format!("`{text}` needs the whole path of the socket: write unix:/run/wiki.sock"));
        }
        return Ok((Wire::Plain, Some(Address::Unix(path))));
    }
    if !text.contains("://") {
        return Err(format!("`{text}` has no scheme: {FORMS}"));
    }
    let url = url::Url::parse(text).map_err(|error| format!("`{text}` is not a URL ({error}): {FORMS}"))?;
    let wire = [Wire::Plain, Wire::PriorKnowledge, Wire::Tls].into_iter().find(|wire| wire.scheme() == url.scheme());
    let wire = wire.ok_or_else(|| format!("`{}` is no scheme for an upstream: {FORMS}", url.scheme()))?;
    tcp(text, &url, wire).map(|address| (wire, Some(address)))
}

fn tcp(text: &str, url: &url::Url, wire: Wire) -> Result<Address, String> {
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a user name or password has no place here: set Authorization in site.set_fields".into());
    }
    // A scheme the URL standard does not know has an empty path.
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        return Err(format!(
            "`{text}` holds a path: the request's own path is used, only scheme, host and port belong here (site.strip_prefix \
             takes a prefix away)"
        ));
    }
    let host = match url.host() {
        Some(url::Host::Domain(name)) if !name.is_empty() => name.to_ascii_lowercase(),
        Some(url::Host::Ipv4(address)) => address.to_string(),
        Some(url::Host::Ipv6(address)) => address.to_string(),
        _ => return Err(format!("`{text}` names no host: {FORMS}")),
    };
    Ok(Address::Tcp { host, port: url.port_or_known_default().unwrap_or(wire.default_port()) })
}

pub(super) fn tls(mut section: Section<'_>, upstream: Option<&Upstream>) -> UpstreamTls {
    let tls = UpstreamTls {
        ca: section.path("ca"),
        server_name: section.parse("server_name", |text| match ServerName::try_from(text) {
            Ok(_) => Ok(text.to_owned()),
            Err(_) => Err(format!("`{text}` is no name a certificate could hold")),
        }),
        client: match (section.path("cert"), section.path("key")) {
            (Some(cert), Some(key)) => Some((cert, key)),
            (Some(_), None) => {
                section.refuse("cert", "needs its key: set site.tls.key as well");
                None
            }
            (None, Some(_)) => {
                section.refuse("key", "belongs to a certificate: set site.tls.cert as well");
                None
            }
            (None, None) => None,
        },
    };
    let encrypted = matches!(upstream, None | Some(Upstream::Servers { wire: Wire::Tls, .. }));
    let given = ["ca", "server_name", "cert", "key"].into_iter().find(|key| section.has(key));
    if let Some(key) = given.filter(|_| !encrypted) {
        section.refuse(key, "means nothing here: only an https:// upstream is spoken to over TLS");
    }
    section.finish();
    tls
}

pub(super) fn check(mut section: Section<'_>, upstream: Option<&Upstream>) -> Option<Check> {
    let given = ["path", "every", "timeout"].into_iter().find(|key| section.has(key));
    let path = section.parse("path", |text| match text.parse::<http::uri::PathAndQuery>() {
        Ok(path) if text.starts_with('/') => Ok(path.as_str().to_owned()),
        _ => Err(format!("`{text}` is no path to ask for: it begins with `/`")),
    });
    let check = Check {
        path: path.unwrap_or_else(|| "/".into()),
        every: section.parse("every", units::duration).unwrap_or(Duration::from_secs(5)),
        timeout: section.parse("timeout", units::duration).unwrap_or(Duration::from_secs(2)),
    };
    if let Some(key) = given.filter(|_| upstream == Some(&Upstream::Demo)) {
        section.refuse(key, "means nothing here: the demo is in this process");
    }
    section.finish();
    given.map(|_| check)
}

const FORMS: &str = "write \"demo\", \"http://127.0.0.1:3000\", \"https://wiki.internal\", \"h2c://127.0.0.1:50051\" or \
                     \"unix:/run/wiki.sock\"";
