//! One person's groups.

use http::StatusCode;
use templates::page::PersonGroups;

use super::{HERE, LAST_ADMINISTRATOR, Looked};
use crate::{
    identity::{Administration, Refusal, account::AccountId},
    portal::{
        done::Done,
        page::Back,
        respond::Guard,
        stop::Outcome,
        visit::{Visit, encoded},
    },
};

/// The form, with what is or what was typed.
pub(super) async fn ask(visit: &Visit<'_>, id: &AccountId, typed: Option<&str>, back: &Back) -> Outcome {
    visit.administration().await?;
    let Some(person) = visit.room.identity.account(id).await? else {
        return Ok(visit.to_page(&Looked::default().path(Some(Done::Changed))));
    };
    if !visit.recent() {
        return Ok(visit.confirm_first(&here(id)));
    }
    let groups = person.groups.join(", ");
    let view = PersonGroups {
        frame: visit.frame(),
        id: &id.0,
        name: &person.name(),
        username: &person.username,
        groups: typed.unwrap_or(&groups),
        errors: &back.shown_errors(),
        alert: back.shown_alert(),
    };
    Ok(back.finish(visit.page(back.status, Guard::Page, view.render())))
}

/// Sets them. Success is said only once the sessions know it.
pub(super) async fn set(visit: &Visit<'_>, administration: &Administration, id: &AccountId, typed: &str) -> Outcome {
    if !visit.recent() {
        return Ok(visit.confirm_first(&here(id)));
    }
    match administration.set_groups(id, typed, visit.now).await {
        Ok(row) => {
            visit.room.sessions.settled(row).await?;
            let person = visit.room.identity.account(id).await?;
            let sought = person.map(|person| person.username).unwrap_or_default();
            Ok(visit.to_page(&Looked { sought, ..Looked::default() }.path(Some(Done::Groups))))
        }
        // Somebody else was quicker, or this administrator is none any more: then the page says so.
        Err(Refusal::Stale) => Ok(visit.to_page(&Looked::default().path(Some(Done::Changed)))),
        Err(Refusal::LastAdministrator) => {
            let back = Back::say(StatusCode::UNPROCESSABLE_ENTITY, LAST_ADMINISTRATOR);
            ask(visit, id, Some(typed), &back).await
        }
        Err(other) => ask(visit, id, Some(typed), &Back::of(other, visit.now)?).await,
    }
}

fn here(id: &AccountId) -> String {
    format!("{HERE}?groups={}", encoded(&id.0))
}
