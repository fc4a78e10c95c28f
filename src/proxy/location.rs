//! `site.strip_prefix` both ways, and redirects that name the upstream itself.
//!
//! The application sees paths without the prefix and writes its redirects accordingly; the client gets them with the prefix
//! put back, and with the authority it knows in place of the upstream's own. Pages are never rewritten.

use std::borrow::Cow;

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CONTENT_LOCATION, LOCATION},
};

use super::{ProxyError, errand::Errand};
use crate::inbound::Target;

/// The origin-form without `prefix`. The canonical path decides, so that every spelling of the prefix is one.
///
/// # Errors
/// [`ProxyError::Outside`]
pub(super) fn strip(target: &Target, prefix: &str) -> Result<String, ProxyError> {
    let rest = target.path.strip_prefix(prefix).filter(|rest| rest.is_empty() || rest.starts_with('/'));
    let path = rest.map(|rest| if rest.is_empty() { "/" } else { rest }).ok_or(ProxyError::Outside)?;
    Ok(match &target.query {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    })
}

/// Rewrites what leads elsewhere than the client can go. `own`: the authority of the upstream that answered.
pub(super) fn rewrite(fields: &mut HeaderMap, errand: &Errand, own: &HeaderValue) {
    for name in [LOCATION, CONTENT_LOCATION] {
        rewrite_one(fields, &name, |said| errand.seen_by_client(said, own).map(Cow::into_owned));
    }
    rewrite_one(fields, &REFRESH, |said| {
        let at = said.to_ascii_lowercase().find("url=")? + "url=".len();
        let (before, target) = said.split_at_checked(at)?;
        errand.seen_by_client(target, own).map(|target| format!("{before}{target}"))
    });
}

fn rewrite_one(fields: &mut HeaderMap, name: &HeaderName, rewritten: impl Fn(&str) -> Option<String>) {
    if let Some(said) = fields.get_mut(name)
        && let Some(rewritten) = said.to_str().ok().and_then(rewritten)
        && let Ok(value) = HeaderValue::try_from(rewritten)
    {
        *said = value;
    }
}

impl Errand {
    /// `None`: as it is.
    fn seen_by_client<'a>(&self, said: &'a str, own: &HeaderValue) -> Option<Cow<'a, str>> {
        let scheme = if self.view.secure { "https" } else { "http" };
        let prefix = self.site.settings.strip_prefix.as_deref().unwrap_or("");
        let client = self.authority.to_str().ok()?;
        seen(said, own.to_str().ok()?, scheme, client, prefix)
    }
}

fn seen<'a>(said: &'a str, own: &str, scheme: &str, client: &str, prefix: &str) -> Option<Cow<'a, str>> {
    if said.starts_with('/') && !said.starts_with("//") {
        return (!prefix.is_empty()).then(|| format!("{prefix}{said}").into());
    }
    let (said_scheme, rest) = said.split_once("://")?;
    if !["http", "https"].iter().any(|known| said_scheme.eq_ignore_ascii_case(known)) {
        return None;
    }
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if authority.eq_ignore_ascii_case(own) {
        Some(format!("{scheme}://{client}{prefix}{path}").into())
    } else if authority.eq_ignore_ascii_case(client) && !prefix.is_empty() {
        Some(format!("{said_scheme}://{authority}{prefix}{path}").into())
    } else {
        None
    }
}

const REFRESH: HeaderName = HeaderName::from_static("refresh");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_lead_where_the_client_can_go() {
        for (said, prefix, expected) in [
            ("/login?next=/x", "/wiki", "/wiki/login?next=/x"),
            ("/login", "", "/login"),
            ("login", "/wiki", "login"),
            ("//evil.example/x", "/wiki", "//evil.example/x"),
            ("http://10.0.0.5:3000/login", "/wiki", "https://wiki.example.com/wiki/login"),
            ("http://10.0.0.5:3000/login", "", "https://wiki.example.com/login"),
            ("HTTP://10.0.0.5:3000", "", "https://wiki.example.com"),
            ("http://10.0.0.5:3000?x", "/wiki", "https://wiki.example.com/wiki?x"),
            ("http://10.0.0.5:30001/login", "/wiki", "http://10.0.0.5:30001/login"),
            ("http://10.0.0.5:3000@evil.example/", "/wiki", "http://10.0.0.5:3000@evil.example/"),
            ("https://wiki.example.com/a", "/wiki", "https://wiki.example.com/wiki/a"),
            ("https://wiki.example.com/a", "", "https://wiki.example.com/a"),
            ("ftp://10.0.0.5:3000/a", "/wiki", "ftp://10.0.0.5:3000/a"),
        ] {
            let seen = seen(said, "10.0.0.5:3000", "https", "wiki.example.com", prefix);
            assert_eq!(seen.unwrap_or(Cow::Borrowed(said)), expected, "{said} under {prefix:?}");
        }
    }

    #[test]
    fn a_prefix_is_cut_off_by_whole_segments() {
        let target = |path: &str, query: Option<&str>| Target {
            raw: "/%77iki".into(),
            path: path.into(),
            query: query.map(Into::into),
            ambiguous: Vec::new(),
        };
        assert_eq!(strip(&target("/wiki", None), "/wiki").unwrap(), "/");
        assert_eq!(strip(&target("/wiki/a/b", Some("c=/wiki")), "/wiki").unwrap(), "/a/b?c=/wiki");
        for outside in ["/", "/wikis", "/Wiki/a", "/a/wiki", "*"] {
            assert!(matches!(strip(&target(outside, None), "/wiki"), Err(ProxyError::Outside)), "{outside}");
        }
    }
}
