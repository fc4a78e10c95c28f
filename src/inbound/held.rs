//! What another gateway holds while it asks `check` about it (forward-auth): by the fields that such a gateway sets, and from a
//! trusted peer alone. Anybody else could make them up.

use http::{HeaderMap, HeaderName, Method};

use super::{Authority, View, authority};

/// As far as it is said in one way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// The authority that was asked for, canonical: `X-Forwarded-Host`.
    pub authority: Option<Authority>,
    /// `X-Forwarded-Method` (Caddy, Traefik) or `X-Original-Method` (nginx).
    pub method: Option<Method>,
}

impl Held {
    /// Of the request by which `check` is asked.
    #[must_use]
    pub fn of(view: &View, fields: &HeaderMap) -> Self {
        if !view.client.via_trusted_proxy {
            return Self::default();
        }
        let authority = one(fields, &HOST).and_then(|host| authority::parse(host, view.secure).ok());
        Self { authority, method: method(fields) }
    }
}

/// Two that differ name none.
fn method(fields: &HeaderMap) -> Option<Method> {
    let said = |name: HeaderName| fields.contains_key(&name).then(|| one(fields, &name));
    let named = match METHODS.map(said) {
        [Some(method), None] | [None, Some(method)] => method,
        [Some(method), Some(other)] if method == other => method,
        _ => None,
    };
    Method::from_bytes(named?).ok()
}

/// What is sent twice, or is a list, was added to by somebody on the way.
fn one<'f>(fields: &'f HeaderMap, name: &HeaderName) -> Option<&'f [u8]> {
    let mut lines = fields.get_all(name).iter();
    let line = lines.next()?.as_bytes().trim_ascii();
    (lines.next().is_none() && !line.contains(&b',')).then_some(line)
}

const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const METHODS: [HeaderName; 2] =
    [HeaderName::from_static("x-forwarded-method"), HeaderName::from_static("x-original-method")];
