//! `setup`: whoever holds the link printed at the start creates the first administrator, once.

use super::{
    done::Done,
    form::{Fields, Form, Sent},
    page::{Back, Page},
    register::Person,
    respond::Guard,
    return_to::ReturnTo,
    stop::Outcome,
    trouble,
    visit::{Bound, Visit},
};
use crate::{identity::Refusal, inbound::answer::Answer};

/// The page.
pub(super) struct Setup;

/// Its form.
pub(super) struct Typed {
    token: String,
    person: Person,
}

impl Fields for Typed {
    fn take(sent: &mut Sent) -> Self {
        Self { token: sent.text("token"), person: Person::take(sent) }
    }
}

impl Page for Setup {
    const BOUND: Bound = Bound::Flow;
    type Fields = Typed;

    async fn get(visit: &Visit<'_>) -> Outcome {
        let typed = Typed { token: visit.query("token"), person: Person::empty() };
        match visit.room.identity.setup_alive(&typed.token, visit.now).await {
            Ok(()) => Ok(show(visit, &typed, &Back::fresh())),
            Err(Refusal::DeadLink) => Ok(dead(visit)),
            Err(other) => Err(other.into()),
        }
    }

    async fn post(visit: &Visit<'_>, form: Form<Typed>) -> Outcome {
        let typed = form.into_fields();
        let (identity, client) = (&visit.room.identity, &visit.view.client);
        match identity.redeem_setup(&typed.token, typed.person.account(), client, visit.now).await {
            Ok(_) => Ok(visit.to_sign_in(Done::Ready, &ReturnTo::root())),
            Err(Refusal::DeadLink) => Ok(dead(visit)),
            Err(other) => {
                let back = Back::of(other, visit.now)?;
                Ok(show(visit, &typed, &back))
            }
        }
    }

    async fn again(visit: &Visit<'_>, typed: Typed, back: Back) -> Outcome {
        Ok(show(visit, &typed, &back))
    }
}

fn show(visit: &Visit<'_>, typed: &Typed, back: &Back) -> Answer {
    let view = templates::page::Setup {
        frame: visit.frame(),
        token: &typed.token,
        first_name: &typed.person.first_name,
        last_name: &typed.person.last_name,
        username: &typed.person.username,
        email: &typed.person.email,
        min_length: visit.room.identity.password_min_length(),
        errors: &back.shown_errors(),
        alert: back.shown_alert(),
    };
    back.finish(visit.page(back.status, Guard::Token, view.render()))
}

fn dead(visit: &Visit<'_>) -> Answer {
    trouble::dead_link(visit, templates::page::Link::Setup)
}
