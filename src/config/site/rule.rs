//! `[[site.rule]]`: who may use which part of a site.

use http::Method;
use ipnet::IpNet;

use crate::config::{reader::Section, units};

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

impl Rule {
    /// Whether it asks for more than being signed in.
    #[must_use]
    pub fn asks_more(&self) -> bool {
        self.allow > Allow::SignedIn || !self.groups.is_empty()
    }
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

pub(super) fn read(mut section: Section<'_>) -> Rule {
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

/// `site.strip_prefix`: a whole path, read as a rule's.
pub(super) fn prefix(text: &str) -> Result<String, String> {
    let PathPattern::Prefix(path) = path(text)? else {
        return Err(format!("`{text}` has to begin with `/`: everything below it is meant"));
    };
    let path = path.trim_end_matches('/');
    if path.is_empty() { Err("`/` is no prefix: leave the key out".into()) } else { Ok(path.to_owned()) }
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
