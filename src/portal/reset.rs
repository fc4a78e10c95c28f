//! `password/reset`: a new password by the mailed link (OWASP Forgot Password Cheat Sheet). Never signs in, and the second
//! factor stays.

use std::time::Duration;

use secrecy::SecretString;

use super::{
    done::Done,
    factors::{self, Line},
    form::{Fields, Form, Sent},
    page::{Back, Page},
    respond::Guard,
    return_to::ReturnTo,
    stop::{Outcome, Stop},
    trouble,
    visit::{Bound, Visit},
};
use crate::{identity::Refusal, inbound::answer::Answer, session::Pending};

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
            Ok((account, row)) => {
                // Success is said only once the old sessions are gone.
                visit.room.sessions.settled(row).await?;
                if let Some(flow) = visit.flow.carried() {
                    visit.room.sessions.hold(flow, &Pending::WasReset { account }, READING, visit.now).await?;
                }
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

/// What outlived the reset that this browser just made: a thief's passkey would be among it.
pub(super) async fn still_on(visit: &Visit<'_>) -> Result<Vec<Line>, Stop> {
    let Some(flow) = visit.flow.carried() else { return Ok(Vec::new()) };
    let Some(Pending::WasReset { account }) = visit.room.sessions.held(flow, visit.now).await? else {
        return Ok(Vec::new());
    };
    let account = visit.room.identity.account(&account).await?;
    Ok(account.map(|account| factors::lines(&account, &[])).unwrap_or_default())
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

/// How long the page after it can be loaded again.
const READING: Duration = Duration::from_mins(10);
