//! `profile/data`: what is kept of an account, as one JSON file. Times are RFC 3339.

use http::{HeaderValue, Method, StatusCode, header};
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    respond,
    stop::{Outcome, Stop},
    visit::Visit,
};
use crate::{
    identity::{
        Export, KnownDevice, Refusal,
        access_token::{AccessToken, Sites},
        account::{Account, Factor, FactorKind},
        trail::{Event, Recorded},
    },
    session::{Listed, Sid},
    world::UnixMillis,
};

/// The file.
pub(super) async fn get(visit: &Visit<'_>) -> Outcome {
    let record = &visit.signed_in()?.record;
    if !visit.recent() {
        return Ok(visit.confirm_first("profile/data"));
    }
    let export = match visit.room.identity.export(&record.account, visit.now).await {
        Ok(export) => export,
        Err(Refusal::Stale) => return Err(Stop::SignInFirst),
        Err(other) => return Err(other.into()),
    };
    let sessions = visit.room.sessions.list(&record.account, visit.now).await?;
    let file = json!({
        "site": visit.room.settings.portal.url.origin(),
        "exported_at": moment(visit.now),
        "account": account(&export),
        "second_factors": export.account.factors.iter().map(|one| factor(&export, one)).collect::<Vec<_>>(),
        "recovery_codes_left": export.recovery_codes,
        "sessions": sessions.iter().map(|one| session(one, &record.sid)).collect::<Vec<_>>(),
        "devices": export.devices.iter().map(device).collect::<Vec<_>>(),
        "access_tokens": export.tokens.iter().map(token).collect::<Vec<_>>(),
        "activity": export.activity.iter().map(entry).collect::<Vec<_>>(),
    });
    if visit.view.method == Method::GET {
        visit.identity().note(Event::DataTaken, &record.account, "", visit.now);
    }
    let mut answer = respond::json(StatusCode::OK, &file);
    // A username holds no quotes and nothing beyond ASCII.
    let name = format!("attachment; filename=\"vestibule-{}.json\"", export.account.username);
    let disposition = HeaderValue::try_from(name).unwrap_or(HeaderValue::from_static("attachment"));
    answer.headers_mut().insert(header::CONTENT_DISPOSITION, disposition);
    Ok(answer)
}

fn account(export: &Export) -> Value {
    let Account { id, username, first_name, last_name, email, email_confirmed, about_me, groups, .. } = &export.account;
    json!({
        "id": id.0,
        "username": username,
        "former_usernames": export.former_usernames,
        "first_name": first_name,
        "last_name": last_name,
        "email": email,
        "email_confirmed": email_confirmed,
        "about_me": about_me,
        "groups": groups,
        "member_since": moment(export.account.created_at),
        "last_seen": export.account.last_seen_at.map(moment),
    })
}

fn factor(export: &Export, factor: &Factor) -> Value {
    let last_used = export.passkeys.iter().find(|known| known.factor == factor.id).and_then(|known| known.last_used_at);
    let (kind, name) = match &factor.kind {
        FactorKind::Phone { .. } => ("phone", None),
        FactorKind::Email => ("email", None),
        FactorKind::App { .. } => ("app", None),
        FactorKind::Passkey { name } => ("passkey", Some(name)),
        FactorKind::Push { name, .. } => ("push", Some(name)),
    };
    json!({
        "kind": kind,
        "way": factor.kind.channel().map(crate::config::verify::Channel::name),
        "to": export.account.masked(&factor.kind),
        "name": name,
        "since": moment(factor.since),
        "last_used": last_used.map(moment),
    })
}

fn session(session: &Listed, this: &Sid) -> Value {
    json!({
        "device": session.place.device,
        "network": session.place.network,
        "ways": session.factors.iter().map(|shown| shown.method.amr()).collect::<Vec<_>>(),
        "began": moment(session.created_at),
        "last_seen": moment(session.seen_at),
        "this_one": session.sid == *this,
    })
}

fn device(device: &KnownDevice) -> Value {
    json!({
        "device": device.words,
        "network": device.network,
        "first_seen": moment(device.first_seen),
        "last_seen": moment(device.last_seen),
    })
}

fn token(token: &AccessToken) -> Value {
    json!({
        "id": token.id,
        "name": token.name,
        // Nothing named: every site.
        "sites": match &token.sites { Sites::All => None, Sites::Of(hosts) => Some(hosts) },
        "ways": token.shown.iter().map(|shown| shown.method.amr()).collect::<Vec<_>>(),
        "made": moment(token.created_at),
        "expires": moment(token.expires_at),
        "last_used": token.last_used_at.map(moment),
    })
}

fn entry(entry: &Recorded) -> Value {
    json!({
        "at": moment(entry.at),
        "event": entry.event.map(Event::word),
        "by": entry.actor.word(),
        "refused": entry.refused,
        "network": entry.network,
        "detail": entry.detail,
    })
}

fn moment(at: UnixMillis) -> Option<String> {
    OffsetDateTime::from_unix_timestamp(at.seconds()).ok()?.format(&Rfc3339).ok()
}
