//! `me`: who is signed in, or whose token it is, for scripts of the sites (OpenID Connect's names for claims). Times are
//! seconds (`NumericDate`).

use http::StatusCode;
use serde::Serialize;

use super::{respond, visit::Visit};
use crate::inbound::answer::Answer;

/// JSON, or 401.
pub(super) fn get(visit: &Visit<'_>) -> Answer {
    let Some(live) = visit.subject.live() else { return visit.unauthenticated() };
    let record = &live.record;
    let me = Me {
        sub: &record.account.0,
        username: &record.username,
        name: &record.name,
        email: record.email.as_deref(),
        groups: &record.groups,
        amr: record.amr(),
        auth_time: record.auth_time().seconds(),
        idle_expires_at: live.idle_expires_at.seconds(),
        expires_at: record.expires_at.seconds(),
    };
    respond::json(StatusCode::OK, &me)
}

#[derive(Serialize)]
struct Me<'a> {
    sub: &'a str,
    username: &'a str,
    name: &'a str,
    email: Option<&'a str>,
    groups: &'a [String],
    amr: Vec<&'static str>,
    auth_time: i64,
    idle_expires_at: i64,
    expires_at: i64,
}
