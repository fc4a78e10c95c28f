//! `password/forgot`: asks for a link. The answer is the same for every address.

use std::time::Duration;

use http::StatusCode;

use super::{
    done::Done,
    form::{Fields, Form, Sent},
    page::{Back, Page},
    respond::Guard,
    stop::Outcome,
    visit::{Bound, Visit},
};
use crate::inbound::answer::Answer;

/// The page.
pub(super) struct Forgotten;

/// Its form.
pub(super) struct Typed {
    email: String,
}

impl Fields for Typed {
    fn take(sent: &mut Sent) -> Self {
        Self { email: sent.text("email") }
    }
}

impl Page for Forgotten {
    const BOUND: Bound = Bound::Flow;
    type Fields = Typed;

    async fn get(visit: &Visit<'_>) -> Outcome {
        if Done::parse(&visit.query("done")) == Some(Done::Sent) {
            let view = templates::page::ForgottenSent { frame: visit.frame(), lives: LIVES };
            return Ok(visit.page(StatusCode::OK, Guard::Page, view.render()));
        }
        Ok(show(visit, "", &Back::fresh()))
    }

    async fn post(visit: &Visit<'_>, form: Form<Typed>) -> Outcome {
        let typed = form.into_fields();
        if typed.email.trim().is_empty() {
            return Ok(show(visit, "", &Back::field("email", "Enter your e-mail address.")));
        }
        match visit.room.identity.forgot(&typed.email, &visit.view.client, visit.now).await {
            Ok(()) => Ok(visit.to_page(&format!("password/forgot?done={}", Done::Sent.name()))),
            Err(refusal) => {
                let back = Back::of(refusal, visit.now)?;
                Ok(show(visit, &typed.email, &back))
            }
        }
    }

    async fn again(visit: &Visit<'_>, typed: Typed, back: Back) -> Outcome {
        Ok(show(visit, &typed.email, &back))
    }
}

fn show(visit: &Visit<'_>, email: &str, back: &Back) -> Answer {
    let view = templates::page::Forgotten {
        frame: visit.frame(),
        email,
        errors: &back.shown_errors(),
        alert: back.shown_alert(),
    };
    back.finish(visit.page(back.status, Guard::Page, view.render()))
}

/// How long a reset link works.
const LIVES: Duration = Duration::from_mins(10);
