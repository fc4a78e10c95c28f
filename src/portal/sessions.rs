//! `sessions`: where the account is signed in; ends one session, or all others.
//!
//! Nothing here asks for a recent sign-in: it only takes away. A session of somebody else is answered like one that does
//! not exist. All others end by way of the outbox, as with every change of an account, so that a sign-in under way and a
//! store that is down at that moment leave none of them alive.

use templates::page::{SessionLine, Way};

use super::{
    done::Done,
    form::{Fields, Form, Sent},
    page::{Back, Page},
    respond::{self, Guard},
    return_to::ReturnTo,
    stop::Outcome,
    visit::{Bound, Visit},
};
use crate::{
    identity::{Method, Shown, trail::Event},
    session::{Listed, Sid},
};

/// The page.
pub(super) struct Sessions;

/// Its form: which button was pressed.
pub(super) struct Pressed {
    session: String,
    all: String,
}

impl Fields for Pressed {
    fn take(sent: &mut Sent) -> Self {
        Self { session: sent.text("session"), all: sent.text("all") }
    }
}

impl Page for Sessions {
    const BOUND: Bound = Bound::Session;
    type Fields = Pressed;

    async fn get(visit: &Visit<'_>) -> Outcome {
        show(visit, &Back::fresh()).await
    }

    async fn post(visit: &Visit<'_>, form: Form<Pressed>) -> Outcome {
        let pressed = form.into_fields();
        let live = visit.signed_in()?;
        let (identity, sessions) = (visit.identity(), &visit.room.sessions);
        let (account, this) = (&live.record.account, &live.record.sid);
        let done = if pressed.all == "others" {
            let row = identity.end_other_sessions(account, &this.0, visit.now).await?;
            // Success is said only once they are gone.
            sessions.settled(row).await?;
            Done::OthersOut
        } else if pressed.session == *this.0 {
            // The page has no button for it; whoever asks all the same signs out.
            sessions.end(live).await?;
            identity.note(Event::SignedOut, account, "", visit.now);
            return Ok(respond::with_cookie(visit.to_sign_in(Done::SignedOut, &ReturnTo::root()), sessions.removal()));
        } else if sessions.end_of(account, &Sid(pressed.session.into())).await? {
            identity.forget_asked_change(account).await?;
            identity.note(Event::SessionEnded, account, "", visit.now);
            Done::DeviceOut
        } else {
            Done::NoDevice
        };
        Ok(visit.to_page(&format!("sessions?done={}", done.name())))
    }

    async fn again(visit: &Visit<'_>, _pressed: Pressed, back: Back) -> Outcome {
        show(visit, &back).await
    }
}

async fn show(visit: &Visit<'_>, back: &Back) -> Outcome {
    let live = visit.signed_in()?;
    let listed = visit.room.sessions.list(&live.record.account, visit.now).await?;
    let from: usize = visit.query("from").parse().unwrap_or(0);
    let page: Vec<_> = listed.iter().skip(from).take(A_PAGE).collect();
    let ways: Vec<Vec<Way>> = page.iter().map(|session| session.factors.iter().map(way).collect()).collect();
    let lines: Vec<_> = page.iter().zip(&ways).map(|(session, ways)| line(session, ways, &live.record.sid)).collect();
    let next = from.saturating_add(A_PAGE);
    let older = (next < listed.len()).then(|| format!("sessions?from={next}"));
    let view = templates::page::Sessions {
        frame: visit.frame(),
        lines: &lines,
        others: listed.iter().any(|session| session.sid != live.record.sid),
        older: older.as_deref(),
        now: visit.now.0,
        notice: visit.just_done().await?,
        alert: back.shown_alert(),
    };
    Ok(back.finish(visit.page(back.status, Guard::Page, view.render())))
}

fn line<'l>(session: &'l Listed, ways: &'l [Way], this: &Sid) -> SessionLine<'l> {
    SessionLine {
        id: &session.sid.0,
        device: &session.place.device,
        network: &session.place.network,
        ways,
        first_seen: session.created_at.0,
        last_seen: session.seen_at.0,
        this: session.sid == *this,
    }
}

fn way(shown: &Shown) -> Way {
    match shown.method {
        Method::Pwd => Way::Password,
        Method::Sms => Way::Message,
        Method::Tel => Way::Call,
        Method::Otp => Way::Code,
        Method::Hwk => Way::Key,
        Method::Swk => Way::Push,
    }
}

const A_PAGE: usize = templates::page::Sessions::A_PAGE;
