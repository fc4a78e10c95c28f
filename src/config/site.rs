//! `[[site]]`: an authority and the upstream behind it, with its rules.

use http::{HeaderName, HeaderValue, Method};
use ipnet::IpNet;

/// One `[[site]]`.
#[derive(Clone, Debug)]
pub struct Site {
    /// Which authorities belong to it.
    pub host: HostPattern,
    /// Where granted requests go.
    pub upstream: Upstream,
    /// Which `Host` the upstream sees.
    pub host_header: HostHeader,
    /// Fields set on every request to the upstream (Authorization for an application with its own Basic login).
    pub set_fields: Vec<(HeaderName, HeaderValue)>,
    /// Percent-encodings (`%2F`) that path rules would otherwise refuse as ambiguous; upper case.
    pub allow_encoded: Vec<String>,
    /// First match wins; without a match: sign-in needed.
    pub rules: Vec<Rule>,
    /// Answer 401 with `Basic` beside `Bearer`: it pops a dialog.
    pub basic_challenge: bool,
    /// Let CORS preflights (OPTIONS with `Access-Control-Request-Method`) through without a session.
    pub allow_preflight: bool,
    /// Leave `public` and `s-maxage` of the upstream as they are.
    pub shared_cache: bool,
    /// Overrides `limits.body`; `None` when the site says nothing.
    pub body: Option<super::limits::ByteLimit>,
}

/// `site.host`
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostPattern {
    /// `*`: the host of `portal.url`, with all loopback aliases when that is one. Other hosts are unknown (421).
    Any,
    /// A canonical host without port.
    Exact(String),
}

/// `site.upstream`
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upstream {
    /// The built-in site that shows the identity fields and the request.
    Demo,
    /// `http://host:port` or `https://host:port`.
    Http {
        /// TLS towards the upstream, verified.
        secure: bool,
        /// Host as written: name, IPv4, or IPv6 without brackets.
        host: String,
        /// Explicit or default port.
        port: u16,
    },
}

impl Upstream {
    /// `host:port` as the upstream would want it in `Host`, without a default port.
    #[must_use]
    pub fn authority(&self) -> String {
        match self {
            Self::Demo => "demo".into(),
            Self::Http { secure, host, port } => {
                let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
                let default = if *secure { 443 } else { 80 };
                if *port == default { host } else { format!("{host}:{port}") }
            }
        }
    }
}

/// `site.host_header`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HostHeader {
    /// The authority the client asked for.
    #[default]
    Original,
    /// The upstream's own.
    Upstream,
}

/// One `[[site.rule]]`.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Which paths it covers.
    pub path: PathPattern,
    /// Empty: every method.
    pub methods: Vec<Method>,
    /// Empty: every client network.
    pub networks: Vec<IpNet>,
    /// Who may pass.
    pub allow: Allow,
    /// With `signed-in` or `two-factor`: only members of one of these; empty: everyone signed in.
    pub groups: Vec<String>,
}

/// `rule.path`, canonical (dot segments and percent-encoding resolved).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathPattern {
    /// `/public/` or `/public`: that path and everything below, by whole segments. `/` is everything.
    Prefix(String),
    /// `=/exact`
    Exact(String),
}

/// `rule.allow`
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Allow {
    /// No sign-in needed; identity is carried when there is a live session.
    Anyone,
    /// A live session.
    SignedIn,
    /// A live session with a second factor.
    TwoFactor,
    /// Nobody at all.
    Nobody,
}

impl Default for Site {
    fn default() -> Self {
        Self {
            host: HostPattern::Any,
            upstream: Upstream::Demo,
            host_header: HostHeader::Original,
            set_fields: Vec::new(),
            allow_encoded: Vec::new(),
            rules: Vec::new(),
            basic_challenge: false,
            allow_preflight: false,
            shared_cache: false,
            body: None,
        }
    }
}
