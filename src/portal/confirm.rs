//! `register/confirm`: the link of the registration mail. GET shows a button, because mail scanners follow links; POST
//! creates the account.

use super::{
    done::Done,
    form::{Fields, Form, Sent},
    page::{Back, Page},
    respond::Guard,
    return_to::ReturnTo,
    stop::Outcome,
    trouble,
    visit::{Bound, Visit},
};
use crate::{identity::Refusal, inbound::answer::Answer};

/// The page.
pub(super) struct Confirm;

/// Its form.
pub(super) struct Typed {
    token: String,
}

impl Fields for Typed {
    fn take(sent: &mut Sent) -> Self {
        Self { token: sent.text("token") }
    }
}

impl Page for Confirm {
    const BOUND: Bound = Bound::Flow;
    type Fields = Typed;

    async fn get(visit: &Visit<'_>) -> Outcome {
        let token = visit.query("token");
        match visit.room.identity.confirmation_alive(&token, visit.now).await {
            Ok(()) => Ok(show(visit, &token, &Back::fresh())),
            Err(Refusal::DeadLink) => Ok(dead(visit)),
            Err(other) => Err(other.into()),
        }
    }

    async fn post(visit: &Visit<'_>, form: Form<Typed>) -> Outcome {
        let typed = form.into_fields();
        match visit.identity().confirm(&typed.token, visit.now).await {
            Ok(account) => {
                let done = if account.waiting_since.is_some() { Done::Waiting } else { Done::Confirmed };
                Ok(visit.to_sign_in(done, &ReturnTo::root()))
            }
            Err(Refusal::DeadLink) => Ok(dead(visit)),
            Err(other) => {
                let back = Back::of(other, visit.now)?;
                Ok(show(visit, &typed.token, &back))
            }
        }
    }

    async fn again(visit: &Visit<'_>, typed: Typed, back: Back) -> Outcome {
        Ok(show(visit, &typed.token, &back))
    }
}

fn show(visit: &Visit<'_>, token: &str, back: &Back) -> Answer {
    let view = templates::page::Confirm { frame: visit.frame(), token, alert: back.shown_alert() };
    back.finish(visit.page(back.status, Guard::Token, view.render()))
}

fn dead(visit: &Visit<'_>) -> Answer {
    trouble::dead_link(visit, templates::page::Link::Confirm)
}
