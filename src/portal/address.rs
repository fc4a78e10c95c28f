//! `profile/confirm` mails a link to one's own unconfirmed address; `email/confirm` is where the link leads. GET shows a
//! button, because mail scanners follow links; POST confirms. The link may be opened in any browser.

use super::{
    done::Done,
    form::{Fields, Form, Sent},
    page::{Back, Page},
    profile,
    respond::Guard,
    return_to::ReturnTo,
    stop::{Outcome, Stop},
    trouble,
    visit::{Bound, Visit},
};
use crate::{identity::Refusal, inbound::answer::Answer};

/// `profile/confirm`
pub(super) struct Ask;

/// Its form has the token of every form, and nothing else.
pub(super) struct Nothing;

impl Fields for Nothing {
    fn take(_sent: &mut Sent) -> Self {
        Self
    }
}

impl Page for Ask {
    const BOUND: Bound = Bound::Session;
    type Fields = Nothing;

    async fn get(visit: &Visit<'_>) -> Outcome {
        Ok(visit.to_page("profile"))
    }

    async fn post(visit: &Visit<'_>, _form: Form<Nothing>) -> Outcome {
        let account = &visit.signed_in()?.record.account;
        match visit.room.identity.ask_to_confirm(account, &visit.view.client, visit.now).await {
            Ok(()) => Ok(visit.to_page(&format!("profile?done={}", Done::Asked.name()))),
            Err(Refusal::Stale) => Err(Stop::SignInFirst),
            Err(refusal) => {
                let back = Back::of(refusal, visit.now)?;
                profile::show(visit, &back).await
            }
        }
    }

    async fn again(visit: &Visit<'_>, _typed: Nothing, back: Back) -> Outcome {
        profile::show(visit, &back).await
    }
}

/// `email/confirm`
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
        match visit.room.identity.address_link_alive(&token, visit.now).await {
            Ok(()) => Ok(show(visit, &token, &Back::fresh())),
            Err(Refusal::DeadLink) => Ok(dead(visit)),
            Err(other) => Err(other.into()),
        }
    }

    async fn post(visit: &Visit<'_>, form: Form<Typed>) -> Outcome {
        let typed = form.into_fields();
        match visit.identity().confirm_address(&typed.token, visit.now).await {
            Ok((owner, row)) => {
                // Success is said only once the sessions know it.
                visit.room.sessions.settled(row).await?;
                let theirs = visit.live().is_some_and(|live| live.record.account == owner);
                Ok(if theirs {
                    visit.to_page(&format!("profile?done={}", Done::Address.name()))
                } else {
                    visit.to_sign_in(Done::Address, &ReturnTo::root())
                })
            }
            Err(Refusal::DeadLink | Refusal::Stale) => Ok(dead(visit)),
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
    let view = templates::page::ConfirmAddress { frame: visit.frame(), token, alert: back.shown_alert() };
    back.finish(visit.page(back.status, Guard::Token, view.render()))
}

fn dead(visit: &Visit<'_>) -> Answer {
    trouble::dead_link(visit, templates::page::Link::Address)
}
