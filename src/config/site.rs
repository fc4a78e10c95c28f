//! `[[site]]`: an authority and the upstream behind it, with its rules.

use http::{HeaderName, HeaderValue, Method};
use ipnet::IpNet;

use super::{identity, reader::Section, units};

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
    /// Leave the `Cache-Control` of the upstream as it is: no `private` for who is signed in.
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

pub(super) fn read(mut section: Section<'_>) -> Site {
    let default = Site::default();
    let host = section.parse("host", |text| match text.trim() {
        "*" => Ok(HostPattern::Any),
        text if text.contains('*') => {
            Err(format!("`{text}`: `*` stands alone; other hosts are written out, one site each"))
        }
        text => units::host(text).map(HostPattern::Exact),
    });
    let upstream = upstream_of(&mut section);
    let host_header = section.parse("host_header", |text| match text {
        "original" => Ok(HostHeader::Original),
        "upstream" => Ok(HostHeader::Upstream),
        other => Err(format!("`{other}` is neither \"original\" nor \"upstream\"")),
    });
    let allow_encoded = section.list("allow_encoded", |text| match text.to_ascii_uppercase() {
        upper if AMBIGUOUS.contains(&upper.as_str()) => Ok(upper),
        _ => Err(format!("`{text}` is none of {}", AMBIGUOUS.join(", "))),
    });
    let site = Site {
        host: host.unwrap_or(default.host),
        upstream: upstream.unwrap_or(default.upstream),
        host_header: host_header.unwrap_or_default(),
        set_fields: set_fields(section.section("set_fields")),
        allow_encoded: allow_encoded.unwrap_or_default(),
        rules: section.sections("rule").into_iter().map(rule).collect(),
        basic_challenge: section.truth("basic_challenge").unwrap_or(false),
        allow_preflight: section.truth("allow_preflight").unwrap_or(false),
        shared_cache: section.truth("shared_cache").unwrap_or(false),
        body: section.parse("body", units::byte_limit),
    };
    section.finish();
    site
}

fn upstream_of(section: &mut Section<'_>) -> Option<Upstream> {
    if section.is_list("upstream") {
        section
            .refuse("upstream", "a list of upstreams is not supported yet: write one, like \"http://127.0.0.1:3000\"");
        section.know("upstream");
        return None;
    }
    section.parse("upstream", upstream)
}

fn upstream(text: &str) -> Result<Upstream, String> {
    const FORMS: &str = "write \"demo\", \"http://127.0.0.1:3000\" or \"https://wiki.internal\"";
    let text = text.trim();
    if text == "demo" {
        return Ok(Upstream::Demo);
    }
    if text.starts_with("unix:") {
        return Err(format!("unix sockets are not supported yet: {FORMS}"));
    }
    if !text.contains("://") {
        return Err(format!("`{text}` has no scheme: {FORMS}"));
    }
    let url = url::Url::parse(text).map_err(|error| format!("`{text}` is not a URL ({error}): {FORMS}"))?;
    let secure = match url.scheme() {
        "http" => false,
        "https" => true,
        other => return Err(format!("`{other}` is no scheme for an upstream: {FORMS}")),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a user name or password has no place here: set Authorization in site.set_fields".into());
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err(format!(
            "`{text}` holds a path: the request's own path is used, only scheme, host and port belong here"
        ));
    }
    let host = match url.host() {
        Some(url::Host::Domain(name)) => name.to_owned(),
        Some(url::Host::Ipv4(address)) => address.to_string(),
        Some(url::Host::Ipv6(address)) => address.to_string(),
        None => return Err(format!("`{text}` names no host: {FORMS}")),
    };
    let port = url.port_or_known_default().unwrap_or(if secure { 443 } else { 80 });
    Ok(Upstream::Http { secure, host, port })
}

fn set_fields(mut section: Section<'_>) -> Vec<(HeaderName, HeaderValue)> {
    let mut fields = Vec::new();
    for (key, value) in section.entries() {
        match (HeaderName::from_bytes(key.as_bytes()), HeaderValue::from_str(value)) {
            (Ok(name), _) if identity::is_ours(&name) => {
                section.refuse(key, "the gateway sets this field itself: it cannot be chosen here");
            }
            (Ok(name), Ok(mut value)) => {
                // Credentials, mostly: kept out of every log.
                value.set_sensitive(true);
                fields.push((name, value));
            }
            (Err(_), _) => section.refuse(key, "cannot be the name of a field"),
            (_, Err(_)) => section.refuse(key, "holds characters a field's value cannot have"),
        }
    }
    fields
}

fn rule(mut section: Section<'_>) -> Rule {
    let allow = section.parse("allow", |text| match text {
        "anyone" => Ok(Allow::Anyone),
        "signed-in" => Ok(Allow::SignedIn),
        "two-factor" => Ok(Allow::TwoFactor),
        "nobody" => Ok(Allow::Nobody),
        other => Err(format!("`{other}` is none of \"anyone\", \"signed-in\", \"two-factor\", \"nobody\"")),
    });
    let allow = allow.unwrap_or(Allow::SignedIn);
    let groups = section.list("groups", units::group).unwrap_or_default();
    if !groups.is_empty() && matches!(allow, Allow::Anyone | Allow::Nobody) {
        section.refuse("groups", "means nothing here: groups narrow \"signed-in\" and \"two-factor\" only");
    }
    let rule = Rule {
        path: section.parse("path", path).unwrap_or(PathPattern::Prefix("/".into())),
        methods: section.list("methods", method).unwrap_or_default(),
        networks: section.list("networks", units::network).unwrap_or_default(),
        allow,
        groups,
    };
    section.finish();
    rule
}

fn method(text: &str) -> Result<Method, String> {
    match Method::from_bytes(text.as_bytes()) {
        Ok(method) if text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-') => Ok(method),
        _ => Err(format!("`{text}` is no method: they are written in capitals, like \"GET\"")),
    }
}

fn path(text: &str) -> Result<PathPattern, String> {
    let (exact, path) = match text.strip_prefix('=') {
        Some(path) => (true, path),
        None => (false, text),
    };
    if !path.starts_with('/') {
        return Err(format!("`{text}` has to begin with `/`, or `=/` for exactly that path"));
    }
    if path.contains(['?', '#', '*']) {
        return Err(format!(
            "`{text}`: a rule sees the path only, by whole segments: `?`, `#` and `*` have no meaning in it"
        ));
    }
    let path = canonical(path)?;
    if path.split('/').any(|segment| matches!(segment, "." | "..")) || path.contains("//") {
        return Err(format!("`{text}` holds `//`, `.` or `..`, which no request is decided by: write the plain path"));
    }
    Ok(if exact { PathPattern::Exact(path) } else { PathPattern::Prefix(path) })
}

/// Percent-encodes what a path cannot hold, decodes unreserved characters, writes other encodings in capitals
/// (RFC 3986 §6.2.2): as requests are read.
fn canonical(path: &str) -> Result<String, String> {
    let mut canonical = String::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
            let decoded =
                digit(bytes.next()).zip(digit(bytes.next())).and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
            match decoded.ok_or(format!("`{path}` holds a `%` without two hex digits"))? {
                plain if plain.is_ascii_alphanumeric() || b"-._~".contains(&plain) => canonical.push(char::from(plain)),
                other => canonical.push_str(&format!("%{other:02X}")),
            }
        } else if byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte) {
            canonical.push(char::from(byte));
        } else {
            canonical.push_str(&format!("%{byte:02X}"));
        }
    }
    Ok(canonical)
}

/// Encodings that two readers of a path read differently; `%25` also stands for a `%` that encodes nothing.
const AMBIGUOUS: [&str; 7] = ["%2F", "%5C", "%00", "%23", "%25", "%C0", "%C1"];
