//! `check`: forward-auth, for other gateways (nginx `auth_request`, Caddy `forward_auth`, Traefik, Envoy): 200 with the
//! identity fields, or 401; never a redirect.

use http::{HeaderName, HeaderValue, StatusCode};

use super::{Settings, respond, visit::Visit};
use crate::{config::identity::IdentityFields, inbound::answer::Answer, session::Record};

/// The session as such; rules for foreign URLs come later.
pub(super) fn get(visit: &Visit<'_>) -> Answer {
    let Some(live) = visit.live() else { return visit.unauthenticated() };
    let Settings { fields, .. } = &visit.room.settings;
    let mut answer = respond::bare(StatusCode::OK);
    for (name, value) in identity(fields, &live.record) {
        // A name that no field can carry is left out rather than mangled; the identity room admits none.
        if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
            answer.headers_mut().insert(name, value);
        }
    }
    answer
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
