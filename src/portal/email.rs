//! `profile/email` mails a link to a new address; `email/change` is where it leads, and `email/undo` where the link to the
//! old address does. GET shows a button, because mail scanners follow links; POST acts. Links may be opened in any browser.

use super::{
    done::Done,
    form::{Fields, Form, Sent},
    page::{Back, Page},
    respond::Guard,
    return_to::ReturnTo,
    stop::{Outcome, Stop},
    trouble,
    visit::{Bound, Visit},
};
use crate::{
    identity::{Refusal, account::FactorKind},
    inbound::answer::Answer,
};

/// `profile/email`
pub(super) struct Ask;

/// Its form.
pub(super) struct Typed {
    email: String,
}

impl Fields for Typed {
    fn take(sent: &mut Sent) -> Self {
        Self { email: sent.text("email") }
    }
}

impl Page for Ask {
    const BOUND: Bound = Bound::Session;
    type Fields = Typed;

    async fn get(visit: &Visit<'_>) -> Outcome {
        if !visit.recent() {
            return Ok(visit.confirm_first(HERE));
        }
        show(visit, "", &Back::fresh()).await
    }

    async fn post(visit: &Visit<'_>, form: Form<Typed>) -> Outcome {
        let typed = form.into_fields();
        if !visit.recent() {
            return Ok(visit.confirm_first(HERE));
        }
        let account = &visit.signed_in()?.record.account;
        if typed.email.trim().is_empty() {
            return show(visit, "", &Back::field("email", "Enter your new e-mail address.")).await;
        }
        let client = &visit.view.client;
        match visit.identity().ask_to_change_email(account, &typed.email, client, visit.now).await {
            Ok(()) => Ok(visit.to_page(&format!("profile?done={}", Done::EmailAsked.name()))),
            Err(Refusal::Stale) => Err(Stop::SignInFirst),
            Err(refusal) => show(visit, &typed.email, &Back::of(refusal, visit.now)?).await,
        }
    }

    async fn again(visit: &Visit<'_>, typed: Typed, back: Back) -> Outcome {
        show(visit, &typed.email, &back).await
    }
}

async fn show(visit: &Visit<'_>, email: &str, back: &Back) -> Outcome {
    let account = visit.account().await?;
    let view = templates::page::ChangeEmail {
        frame: visit.frame(),
        current: &account.email,
        email,
        codes: account.factors.iter().any(|factor| factor.kind == FactorKind::Email),
        errors: &back.shown_errors(),
        alert: back.shown_alert(),
    };
    Ok(back.finish(visit.page(back.status, Guard::Page, view.render())))
}

/// The form of a page behind a link.
pub(super) struct Brought {
    token: String,
}

impl Fields for Brought {
    fn take(sent: &mut Sent) -> Self {
        Self { token: sent.text("token") }
    }
}

/// `email/change`
pub(super) struct Change;

impl Page for Change {
    const BOUND: Bound = Bound::Flow;
    type Fields = Brought;

    async fn get(visit: &Visit<'_>) -> Outcome {
        show_change(visit, &visit.query("token"), &Back::fresh()).await
    }

    async fn post(visit: &Visit<'_>, form: Form<Brought>) -> Outcome {
        let token = form.into_fields().token;
        match visit.identity().change_email(&token, visit.now).await {
            Ok((owner, row)) => {
                // Success is said only once the sessions know it.
                visit.room.sessions.settled(row).await?;
                let theirs = visit.live().is_some_and(|live| live.record.account == owner);
                Ok(if theirs {
                    visit.to_page(&format!("profile?done={}", Done::Email.name()))
                } else {
                    visit.to_sign_in(Done::Email, &ReturnTo::root())
                })
            }
            Err(Refusal::DeadLink | Refusal::Stale) => Ok(dead(visit, templates::page::Link::NewEmail)),
            Err(other) => show_change(visit, &token, &Back::of(other, visit.now)?).await,
        }
    }

    async fn again(visit: &Visit<'_>, brought: Brought, back: Back) -> Outcome {
        show_change(visit, &brought.token, &back).await
    }
}

async fn show_change(visit: &Visit<'_>, token: &str, back: &Back) -> Outcome {
    let email = match visit.room.identity.email_change_asked(token, visit.now).await {
        Ok(email) => email,
        Err(Refusal::DeadLink) => return Ok(dead(visit, templates::page::Link::NewEmail)),
        Err(other) => return Err(other.into()),
    };
    let view = templates::page::NewEmail { frame: visit.frame(), token, email: &email, alert: back.shown_alert() };
    Ok(back.finish(visit.page(back.status, Guard::Token, view.render())))
}

/// `email/undo`
pub(super) struct Undo;

impl Page for Undo {
    const BOUND: Bound = Bound::Flow;
    type Fields = Brought;

    async fn get(visit: &Visit<'_>) -> Outcome {
        show_undo(visit, &visit.query("token"), &Back::fresh()).await
    }

    async fn post(visit: &Visit<'_>, form: Form<Brought>) -> Outcome {
        let token = form.into_fields().token;
        match visit.identity().undo_email_change(&token, visit.now).await {
            Ok(row) => {
                // Success is said only once every session is gone.
                visit.room.sessions.settled(row).await?;
                Ok(visit.to_sign_in(Done::EmailUndone, &ReturnTo::root()))
            }
            Err(Refusal::DeadLink | Refusal::Stale) => Ok(dead(visit, templates::page::Link::UndoEmail)),
            Err(other) => show_undo(visit, &token, &Back::of(other, visit.now)?).await,
        }
    }

    async fn again(visit: &Visit<'_>, brought: Brought, back: Back) -> Outcome {
        show_undo(visit, &brought.token, &back).await
    }
}

async fn show_undo(visit: &Visit<'_>, token: &str, back: &Back) -> Outcome {
    let email = match visit.room.identity.email_change_undoable(token, visit.now).await {
        Ok(email) => email,
        Err(Refusal::DeadLink) => return Ok(dead(visit, templates::page::Link::UndoEmail)),
        Err(other) => return Err(other.into()),
    };
    let view = templates::page::UndoEmail { frame: visit.frame(), token, email: &email, alert: back.shown_alert() };
    Ok(back.finish(visit.page(back.status, Guard::Token, view.render())))
}

fn dead(visit: &Visit<'_>, link: templates::page::Link) -> Answer {
    trouble::dead_link(visit, link)
}

const HERE: &str = "profile/email";
