//! `[[site]]`: an authority and the upstream behind it, with its rules.

mod rule;
mod upstream;

use http::{HeaderName, HeaderValue};

pub use self::{
    rule::{Allow, PathPattern, Rule},
    upstream::{Address, Check, Upstream, UpstreamTls, Wire},
};
use super::{identity, portal::PortalUrl, reader::Section, units};

/// One `[[site]]`.
#[derive(Clone, Debug)]
pub struct Site {
    /// Which authorities belong to it.
    pub host: HostPattern,
    /// Where granted requests go.
    pub upstream: Upstream,
    /// How its https upstreams are verified, and who we are to them.
    pub tls: UpstreamTls,
    /// Whether and how its upstreams are asked for their health; `None`: not at all.
    pub check: Option<Check>,
    /// A canonical path that is cut off before the upstream sees a path: begins with `/`, ends without.
    pub strip_prefix: Option<String>,
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

impl Site {
    /// The host by which access tokens know the site.
    #[must_use]
    pub fn name<'s>(&'s self, portal: &'s PortalUrl) -> &'s str {
        match &self.host {
            HostPattern::Any => &portal.host,
            HostPattern::Exact(host) => host,
        }
    }

    /// `https://wiki.example.com`: the site's origin as people type it. Scheme and port are those of `portal.url`.
    #[must_use]
    pub fn origin(&self, portal: &PortalUrl) -> String {
        match &self.host {
            HostPattern::Any => portal.origin(),
            HostPattern::Exact(host) => PortalUrl { host: host.clone(), ..portal.clone() }.origin(),
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

impl Default for Site {
    fn default() -> Self {
        Self {
            host: HostPattern::Any,
            upstream: Upstream::Demo,
            tls: UpstreamTls::default(),
            check: None,
            strip_prefix: None,
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
    let upstream = upstream::read(&mut section);
    let host_header = section.parse("host_header", |text| match text {
        "original" => Ok(HostHeader::Original),
        "upstream" => Ok(HostHeader::Upstream),
        other => Err(format!("`{other}` is neither \"original\" nor \"upstream\"")),
    });
    let allow_encoded = section.list("allow_encoded", ambiguous);
    let site = Site {
        host: host.unwrap_or(default.host),
        tls: upstream::tls(section.section("tls"), upstream.as_ref()),
        check: upstream::check(section.section("check"), upstream.as_ref()),
        strip_prefix: section.parse("strip_prefix", rule::prefix),
        upstream: upstream.unwrap_or(default.upstream),
        host_header: host_header.unwrap_or_default(),
        set_fields: set_fields(section.section("set_fields")),
        allow_encoded: allow_encoded.unwrap_or_default(),
        rules: section.sections("rule").into_iter().map(rule::read).collect(),
        basic_challenge: section.truth("basic_challenge").unwrap_or(false),
        allow_preflight: section.truth("allow_preflight").unwrap_or(false),
        shared_cache: section.truth("shared_cache").unwrap_or(false),
        body: section.parse("body", units::byte_limit),
    };
    section.finish();
    site
}

/// An encoding that path rules refuse.
fn ambiguous(text: &str) -> Result<String, String> {
    let byte = text.strip_prefix('%').filter(|digits| digits.len() == 2 && !digits.starts_with('+'));
    match byte.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
        Some(0..=0x1f | 0x7f | b'/' | b'\\' | b'#' | b'%' | 0xc0 | 0xc1 | 0xe0 | 0xf0) => Ok(text.to_ascii_uppercase()),
        _ => Err(format!("`{text}` is none of %2F, %5C, %23, %25, %00 to %1F, %7F, %C0, %C1, %E0, %F0")),
    }
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
