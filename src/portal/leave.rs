//! `profile/delete`: deletes one's own account. Asks the password, and a recent sign-in with every factor.

use http::StatusCode;
use secrecy::SecretString;

use super::{
    done::Done,
    form::{Fields, Form, Sent},
    page::{Back, Page},
    respond::{self, Guard},
    return_to::ReturnTo,
    stop::{Outcome, Stop},
    visit::{Bound, Visit},
};
use crate::identity::Refusal;

/// The page.
pub(super) struct Leave;

/// Its form.
pub(super) struct Typed {
    password: SecretString,
}

impl Fields for Typed {
    fn take(sent: &mut Sent) -> Self {
        Self { password: sent.secret("password") }
    }
}

impl Page for Leave {
    const BOUND: Bound = Bound::Session;
    type Fields = Typed;

    async fn get(visit: &Visit<'_>) -> Outcome {
        if visit.recent() { show(visit, &Back::fresh()) } else { Ok(visit.confirm_first(HERE)) }
    }

    async fn post(visit: &Visit<'_>, form: Form<Typed>) -> Outcome {
        let typed = form.into_fields();
        // Before the password is looked at: who found the session open learns nothing of it.
        if !visit.recent() {
            return Ok(visit.confirm_first(HERE));
        }
        let (identity, sessions) = (&visit.identity(), &visit.room.sessions);
        let account = &visit.signed_in()?.record.account;
        let proof = match identity.check_password(account, &typed.password, &visit.view.client, visit.now).await {
            Ok(proof) => proof,
            Err(Refusal::Mismatch) => return show(visit, &Back::field("password", "That isn't your password.")),
            Err(other) => return show(visit, &Back::of(other, visit.now)?),
        };
        match identity.leave(proof, visit.now).await {
            Ok(row) => {
                // Success is said only once every session is gone.
                sessions.settled(row).await?;
                let answer = visit.to_sign_in(Done::Left, &ReturnTo::root());
                Ok(respond::with_cookie(answer, sessions.removal()))
            }
            Err(Refusal::LastAdministrator) => {
                show(visit, &Back::say(StatusCode::UNPROCESSABLE_ENTITY, LAST_ADMINISTRATOR))
            }
            Err(Refusal::Stale) => Err(Stop::SignInFirst),
            Err(other) => show(visit, &Back::of(other, visit.now)?),
        }
    }

    async fn again(visit: &Visit<'_>, _typed: Typed, back: Back) -> Outcome {
        show(visit, &back)
    }
}

fn show(visit: &Visit<'_>, back: &Back) -> Outcome {
    let live = visit.signed_in()?;
    let view = templates::page::DeleteAccount {
        frame: visit.frame(),
        username: &live.record.username,
        errors: &back.shown_errors(),
        alert: back.shown_alert(),
    };
    Ok(back.finish(visit.page(back.status, Guard::Page, view.render())))
}

const HERE: &str = "profile/delete";
const LAST_ADMINISTRATOR: &str = "You are the last administrator here. Make somebody else one first, then come back.";
