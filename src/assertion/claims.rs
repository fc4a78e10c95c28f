//! What an assertion says (RFC 7519; OpenID Connect Core §2 and §5.1 for the names).

use serde::Serialize;

use super::schedule::LIFE;
use crate::{session::Record, world::UnixMillis};

/// The claims. Times are seconds since the epoch (`NumericDate`).
#[derive(Debug, Serialize)]
pub(super) struct Claims<'a> {
    /// The origin of `portal.url`.
    iss: &'a str,
    /// The origin of the site.
    aud: &'a str,
    sub: &'a str,
    sid: &'a str,
    preferred_username: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    auth_time: i64,
    amr: Vec<&'static str>,
    /// An array also of none or one: a reader that takes a text for a list of letters lets the wrong people in.
    groups: &'a [String],
    iat: i64,
    exp: i64,
}

impl<'a> Claims<'a> {
    /// Of a session, for a site; `with_email` as the plain fields do it.
    pub fn new(record: &'a Record, (iss, aud): (&'a str, &'a str), with_email: bool, now: UnixMillis) -> Self {
        Self {
            iss,
            aud,
            sub: &record.account.0,
            sid: &record.sid.0,
            preferred_username: &record.username,
            name: &record.name,
            email: record.email.as_deref().filter(|_| with_email),
            auth_time: record.auth_time().seconds(),
            amr: record.amr(),
            groups: &record.groups,
            iat: now.seconds(),
            exp: expires(record, now).seconds(),
        }
    }
}

/// When an assertion made now ends: never after its session.
fn expires(record: &Record, now: UnixMillis) -> UnixMillis {
    now.plus(LIFE).min(record.expires_at)
}

/// Until when an assertion made now is sent again: half its life, but to the end when a new one could not last longer.
pub(super) fn reused_until(record: &Record, now: UnixMillis) -> UnixMillis {
    let expires = expires(record, now);
    if expires == record.expires_at { expires } else { now.plus(LIFE / 2) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(record: &Record, now: i64) -> serde_json::Value {
        serde_json::to_value(Claims::new(record, ("https://a", "https://b"), true, UnixMillis(now))).unwrap()
    }

    #[test]
    fn an_assertion_ends_with_its_session() {
        let record = Record { expires_at: UnixMillis(1_000_999), ..Record::for_testing() };
        for (now, expires) in [(0, 300), (700_000, 1_000), (701_000, 1_000), (1_000_500, 1_000)] {
            assert_eq!(claims(&record, now)["exp"], expires, "at {now}");
        }
    }

    #[test]
    fn half_a_life_is_reused_and_the_last_one_to_the_end() {
        let record = Record { expires_at: UnixMillis(1_000_000), ..Record::for_testing() };
        for (now, until) in [(0, 150_000), (600_000, 750_000), (700_000, 1_000_000), (999_999, 1_000_000)] {
            assert_eq!(reused_until(&record, UnixMillis(now)), UnixMillis(until), "at {now}");
        }
    }

    #[test]
    fn groups_are_always_an_array() {
        for groups in [vec![], vec!["staff".to_owned()], vec!["a".to_owned(), "b".to_owned()]] {
            let record = Record { groups: groups.clone(), ..Record::for_testing() };
            assert_eq!(claims(&record, 0)["groups"], serde_json::json!(groups));
        }
    }
}
