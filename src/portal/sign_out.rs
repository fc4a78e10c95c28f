//! `logout`: POST ends the session on every node; GET only shows the button, for a link from elsewhere must not sign
//! anybody out.

use super::{
    done::Done,
    form::{Fields, Form, Sent},
    page::{Back, Page},
    respond::{self, Guard},
    return_to::ReturnTo,
    stop::Outcome,
    visit::{Bound, Visit},
};
use crate::{identity::trail::Event, inbound::answer::Answer};

/// The page.
pub(super) struct SignOut;

/// Its form has nothing but the token.
pub(super) struct Pressed;

impl Fields for Pressed {
    fn take(_sent: &mut Sent) -> Self {
        Self
    }
}

impl Page for SignOut {
    const BOUND: Bound = Bound::Session;
    type Fields = Pressed;

    async fn get(visit: &Visit<'_>) -> Outcome {
        Ok(show(visit, &Back::fresh()))
    }

    async fn post(visit: &Visit<'_>, form: Form<Pressed>) -> Outcome {
        let Pressed = form.into_fields();
        let Some(live) = visit.live() else { return Ok(out(visit)) };
        // The server first: a cookie removed from a browser may have been copied before.
        visit.room.sessions.end(live).await?;
        visit.identity().note(Event::SignedOut, &live.record.account, "", visit.now);
        Ok(respond::with_cookie(out(visit), visit.room.sessions.removal()))
    }

    async fn again(visit: &Visit<'_>, _typed: Pressed, back: Back) -> Outcome {
        Ok(show(visit, &back))
    }
}

fn out(visit: &Visit<'_>) -> Answer {
    if visit.on_portal_host {
        visit.to_sign_in(Done::SignedOut, &ReturnTo::root())
    } else {
        respond::see_other(&visit.room.url_to(&format!("login?done={}", Done::SignedOut.name())))
    }
}

fn show(visit: &Visit<'_>, back: &Back) -> Answer {
    let view = templates::page::SignOut { frame: visit.frame(), alert: back.shown_alert() };
    back.finish(visit.page(back.status, Guard::SignIn, view.render()))
}
