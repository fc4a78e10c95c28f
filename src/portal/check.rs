//! `check`: forward-auth, for other gateways (nginx `auth_request`, Caddy `forward_auth`, Traefik, Envoy): 200 with the
//! identity fields, 401 or 403; never a redirect.
//!
//! It knows sessions and no rules yet: where a rule asks for more than being signed in, it grants nothing at all.

use http::{HeaderName, HeaderValue, StatusCode};

use super::{Settings, respond, visit::Visit};
use crate::{
    config::{identity::IdentityFields, site::Rule},
    inbound::answer::Answer,
    session::Record,
};

/// The session as such; rules for foreign URLs come later.
pub(super) fn get(visit: &Visit<'_>) -> Answer {
    let Settings { fields, .. } = &visit.room.settings;
    // Signing in would change nothing, so nobody is asked to.
    if overruled(&visit.room.settings) {
        return respond::bare(StatusCode::FORBIDDEN);
    }
    let Some(live) = visit.subject.live() else { return visit.unauthenticated() };
    let mut answer = respond::bare(StatusCode::OK);
    for (name, value) in identity(fields, &live.record) {
        // A name that no field can carry is left out rather than mangled; the identity room admits none.
        if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
            answer.headers_mut().insert(name, value);
        }
    }
    answer
}

/// Whether some site asks somebody for more than being signed in: a 200 would pass over that rule.
pub(super) fn overruled(settings: &Settings) -> bool {
    settings.sites.iter().flat_map(|site| &site.rules).any(Rule::asks_more)
}

fn identity<'a>(names: &'a IdentityFields, record: &'a Record) -> impl Iterator<Item = (&'a HeaderName, String)> {
    [
        (&names.user, Some(record.username.clone())),
        (&names.name, Some(record.name.clone())),
        (&names.email, record.email.clone()),
        (&names.groups, Some(record.groups.join(","))),
        (&names.id, Some(record.account.0.to_string())),
    ]
    .into_iter()
    // Set or left out, as towards the upstream.
    .filter_map(|(name, value)| Some((name.as_ref()?, value.filter(|value| !value.is_empty())?)))
}
