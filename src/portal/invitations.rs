//! `admin/invitations`: administrators make invitations, and revoke them.
//!
//! A link lets somebody in, so even the form asks for a recent sign-in. The link is shown once, in the answer to the form.

use http::StatusCode;
use templates::page::InvitationLine;

use super::{
    done::Done,
    form::{Fields, Form, Sent},
    page::{Back, Page},
    respond::Guard,
    stop::Outcome,
    visit::{Bound, Visit},
};
use crate::identity::{Invitation, OpenInvitation, Refusal, USUAL_DAYS};

/// The page.
pub(super) struct Invitations;

/// Its forms.
pub(super) struct Typed {
    email: String,
    groups: String,
    days: String,
    revoke: String,
}

impl Fields for Typed {
    fn take(sent: &mut Sent) -> Self {
        Self {
            email: sent.text("email"),
            groups: sent.text("groups"),
            days: sent.text("days"),
            revoke: sent.text("revoke"),
        }
    }
}

impl Typed {
    fn nothing() -> Self {
        Self { days: USUAL_DAYS.to_string(), ..Self::take(&mut Sent::default()) }
    }
}

impl Page for Invitations {
    const BOUND: Bound = Bound::Session;
    type Fields = Typed;

    async fn get(visit: &Visit<'_>) -> Outcome {
        // First whether they may at all: nobody shall sign in once more to hear a no.
        visit.administration().await?;
        if !visit.recent() {
            return Ok(visit.confirm_first(HERE));
        }
        show(visit, &Typed::nothing(), &Back::fresh()).await
    }

    async fn post(visit: &Visit<'_>, form: Form<Typed>) -> Outcome {
        let typed = form.into_fields();
        let administration = visit.administration_to_change().await?;
        if !visit.recent() {
            return Ok(visit.confirm_first(HERE));
        }
        if !typed.revoke.is_empty() {
            let done = match administration.revoke(&typed.revoke, visit.now).await {
                Ok(true) => Done::Revoked,
                Ok(false) | Err(Refusal::Stale) => Done::NoInvitation,
                Err(other) => return show(visit, &Typed::nothing(), &Back::of(other, visit.now)?).await,
            };
            return Ok(visit.to_page(&format!("{HERE}?done={}", done.name())));
        }
        if !visit.room.identity.takes_invitations() {
            return show(visit, &typed, &Back::fresh()).await;
        }
        match administration.invite(&typed.email, &typed.groups, &typed.days, visit.now).await {
            Ok(made) => Ok(made_page(visit, &made)),
            // No administrator any more: the page says so.
            Err(Refusal::Stale) => Ok(visit.to_page(HERE)),
            Err(other) => show(visit, &typed, &Back::of(other, visit.now)?).await,
        }
    }

    async fn again(visit: &Visit<'_>, typed: Typed, back: Back) -> Outcome {
        show(visit, &typed, &back).await
    }
}

fn made_page(visit: &Visit<'_>, made: &Invitation) -> crate::inbound::answer::Answer {
    let view = templates::page::InvitationMade {
        frame: visit.frame(),
        link: &made.link,
        mailed_to: made.mailed_to.as_deref(),
        confirms: made.confirms,
        lives: made.lives,
    };
    visit.page(StatusCode::OK, Guard::Page, view.render())
}

async fn show(visit: &Visit<'_>, typed: &Typed, back: &Back) -> Outcome {
    let administration = visit.administration().await?;
    let from: u32 = visit.query("from").parse().unwrap_or(0);
    let mut open = administration.invitations(from, ASKED, visit.now).await?;
    let more = open.len() > A_PAGE;
    open.truncate(A_PAGE);
    let groups: Vec<_> = open.iter().map(|one| one.groups.join(", ")).collect();
    let lines: Vec<_> = open.iter().zip(&groups).map(|(one, groups)| line(one, groups)).collect();
    let older = more.then(|| format!("{HERE}?from={}", from.saturating_add(ASKED - 1)));
    let view = templates::page::Invitations {
        frame: visit.frame(),
        taken: visit.room.identity.takes_invitations(),
        email: &typed.email,
        groups: &typed.groups,
        days: &typed.days,
        lines: &lines,
        older: older.as_deref(),
        notice: Done::parse(&visit.query("done")).map(Done::notice),
        errors: &back.shown_errors(),
        alert: back.shown_alert(),
    };
    Ok(back.finish(visit.page(back.status, Guard::Page, view.render())))
}

fn line<'l>(one: &'l OpenInvitation, groups: &'l str) -> InvitationLine<'l> {
    InvitationLine { id: &one.id, email: one.email.as_deref(), groups, maker: &one.maker, expires_at: one.expires_at.0 }
}

const HERE: &str = "admin/invitations";
const A_PAGE: usize = templates::page::Invitations::A_PAGE;
/// One more than shown tells whether there are older ones.
const ASKED: u32 = 21;
const _: () = assert!(ASKED as usize == A_PAGE + 1);
