//! `password`: change it. Asks for the current one and, as all that guards an account, for a recent sign-in as strong as the
//! account has; ends the other sessions; this one goes on under a new id.

use secrecy::SecretString;

use super::{
    done::Done,
    form::{Fields, Form, Sent},
    page::{Back, Page},
    respond::{self, Guard},
    return_to::ReturnTo,
    stop::Outcome,
    visit::{Bound, Visit},
};
use crate::{identity::Refusal, inbound::answer::Answer, session::NotStarted};

/// The page.
pub(super) struct Password;

/// Its form.
pub(super) struct Typed {
    current: SecretString,
    password: SecretString,
    password_confirm: SecretString,
}

impl Fields for Typed {
    fn take(sent: &mut Sent) -> Self {
        Self {
            current: sent.secret("current_password"),
            password: sent.secret("password"),
            password_confirm: sent.secret("password_confirm"),
        }
    }
}

impl Page for Password {
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
        let live = visit.signed_in()?;
        let (identity, sessions) = (&visit.identity(), &visit.room.sessions);
        let account = &live.record.account;
        let proof = match identity.check_password(account, &typed.current, &visit.view.client, visit.now).await {
            Ok(proof) => proof,
            Err(Refusal::Mismatch) => {
                return show(visit, &Back::field("current_password", "That isn't your current password."));
            }
            Err(other) => return show(visit, &Back::of(other, visit.now)?),
        };
        let keep = Some(&*live.record.sid.0);
        let changed = identity.change_password(proof, typed.password, typed.password_confirm, keep, visit.now).await;
        // The proof comes back as the account stands now: an older one starts and changes no session any more.
        let (proof, row) = match changed {
            Ok(changed) => changed,
            Err(other) => return show(visit, &Back::of(other, visit.now)?),
        };
        let rotated = sessions.rotate(live, proof, visit.now).await;
        // Success is said only once the other sessions are gone.
        sessions.settled(row).await?;
        match rotated {
            Ok(cookie) => {
                let answer = visit.to_page(&format!("profile?done={}", Done::Password.name()));
                Ok(respond::with_cookie(answer, cookie))
            }
            // Another change came between: the password is the new one all the same.
            Err(NotStarted::Overtaken) => Ok(visit.to_sign_in(Done::Reset, &ReturnTo::root())),
            Err(other) => Err(other.into()),
        }
    }

    async fn again(visit: &Visit<'_>, _typed: Typed, back: Back) -> Outcome {
        show(visit, &back)
    }
}

fn show(visit: &Visit<'_>, back: &Back) -> Outcome {
    let live = visit.signed_in()?;
    let view = templates::page::ChangePassword {
        frame: visit.frame(),
        username: &live.record.username,
        min_length: visit.room.identity.password_min_length(),
        errors: &back.shown_errors(),
        alert: back.shown_alert(),
    };
    let answer: Answer = visit.page(back.status, Guard::Page, view.render());
    Ok(back.finish(answer))
}

const HERE: &str = "password";
