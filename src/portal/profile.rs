//! `profile`: what others and the upstream know of you.

use super::{factors, page::Back, respond::Guard, stop::Outcome, visit::Visit};

/// The page. Its one form, for an address not confirmed yet, goes to `profile/confirm`.
pub(super) async fn get(visit: &Visit<'_>) -> Outcome {
    show(visit, &Back::fresh()).await
}

/// The same, with what was in the way of that form.
pub(super) async fn show(visit: &Visit<'_>, back: &Back) -> Outcome {
    let account = visit.account().await?;
    let lines = factors::lines(&account, &[]);
    let name = account.name();
    let view = templates::page::Profile {
        frame: visit.frame(),
        id: &account.id.0,
        name: &name,
        username: &account.username,
        about_me: &account.about_me,
        email: &account.email,
        email_confirmed: account.email_confirmed,
        confirm_email: Some("profile/confirm"),
        member_since: account.created_at.0,
        // Who looks at it is here now, whether or not that is written already.
        last_seen: account.last_seen_at.or(Some(visit.now)).map(|at| at.0),
        now: visit.now.0,
        factors: &factors::borrowed(&lines),
        factors_offered: !visit.room.identity.channels().is_empty()
            || visit.room.identity.offers_apps()
            || visit.room.identity.offers_passkeys()
            || visit.room.identity.offers_push(),
        administrator: visit.room.identity.administrates(&account),
        notice: visit.just_done().await?,
        alert: back.shown_alert(),
    };
    Ok(back.finish(visit.page(back.status, Guard::Page, view.render())))
}
