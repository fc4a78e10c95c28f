//! `password/reset`: a new password by the mailed link (OWASP Forgot Password Cheat Sheet). Never signs in, and the second
//! factor stays.

use secrecy::SecretString;

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
pub(super) struct Reset;

/// Its form.
pub(super) struct Typed {
    token: String,
    password: SecretString,
    password_confirm: SecretString,
}

impl Fields for Typed {
    fn take(sent: &mut Sent) -> Self {
        Self {
            token: sent.text("token"),
            password: sent.secret("password"),
            password_confirm: sent.secret("password_confirm"),
        }
    }
}

impl Page for Reset {
    const BOUND: Bound = Bound::Flow;
    type Fields = Typed;

    async fn get(visit: &Visit<'_>) -> Outcome {
        let token = visit.query("token");
        match visit.room.identity.reset_alive(&token, visit.now).await {
            Ok(()) => Ok(show(visit, &token, &Back::fresh())),
            Err(Refusal::DeadLink) => Ok(dead(visit)),
            Err(other) => Err(other.into()),
        }
    }

    async fn post(visit: &Visit<'_>, form: Form<Typed>) -> Outcome {
        let Typed { token, password, password_confirm } = form.into_fields();
        match visit.identity().reset(&token, password, password_confirm, visit.now).await {
            Ok(row) => {
                // Success is said only once the old sessions are gone.
                visit.room.sessions.settled(row).await?;
                Ok(visit.to_sign_in(Done::Reset, &ReturnTo::root()))
            }
            Err(Refusal::DeadLink | Refusal::Stale) => Ok(dead(visit)),
            Err(other) => {
                let back = Back::of(other, visit.now)?;
                Ok(show(visit, &token, &back))
            }
        }
    }

    async fn again(visit: &Visit<'_>, typed: Typed, back: Back) -> Outcome {
        Ok(show(visit, &typed.token, &back))
    }
}

fn show(visit: &Visit<'_>, token: &str, back: &Back) -> Answer {
    let view = templates::page::Reset {
        frame: visit.frame(),
        token,
        min_length: visit.room.identity.password_min_length(),
        errors: &back.shown_errors(),
        alert: back.shown_alert(),
    };
    back.finish(visit.page(back.status, Guard::Token, view.render()))
}

fn dead(visit: &Visit<'_>) -> Answer {
    trouble::dead_link(visit, templates::page::Link::Reset)
}
