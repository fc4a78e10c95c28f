//! `login/verify`: the second step of a sign-in.
//!
//! What is owed waits under the flow cookie. Nothing here is a session: without an approved answer this ends where it
//! began. Exactly one answer releases what waits, and only that one starts a session.

mod send;
mod show;

use std::time::Duration;

use http::StatusCode;
use templates::Alert;

pub(super) use self::send::{Send, not_sent, sent_done};
use self::{send::Unsent, show::show};
use super::{
    app,
    done::Done,
    form::{Fields, Form, Sent},
    page::{Back, Page},
    respond,
    return_to::ReturnTo,
    stop::{Outcome, Stop},
    visit::{Bound, Visit},
};
use crate::{
    identity::{
        self, Answered, Refusal,
        challenge::{Asked, Challenge},
    },
    inbound::{Device, answer::Answer},
    session::{FlowId, Pending},
    world::UnixMillis,
};

/// The second step's page.
pub(super) struct Verify;

/// Its form.
pub(super) struct Typed {
    code: String,
    credential: String,
}

impl Fields for Typed {
    fn take(sent: &mut Sent) -> Self {
        Self { code: sent.text("code"), credential: sent.text("credential") }
    }
}

impl Typed {
    fn nothing() -> Self {
        Self { code: String::new(), credential: String::new() }
    }
}

/// A sign-in that owes its second factor.
struct Owed {
    challenge: Challenge,
    remember: bool,
    to: ReturnTo,
}

impl Page for Verify {
    const BOUND: Bound = Bound::Flow;
    type Fields = Typed;

    async fn get(visit: &Visit<'_>) -> Outcome {
        let Some((_, owed)) = owed(visit).await? else { return Ok(nothing_waits(visit)) };
        let back = Unsent::parse(&visit.query("failed")).map_or_else(Back::fresh, |why| why.back(&owed, visit.now));
        Ok(show(visit, &owed, &back))
    }

    async fn post(visit: &Visit<'_>, form: Form<Typed>) -> Outcome {
        let typed = form.into_fields();
        let Some((flow, mut owed)) = owed(visit).await? else { return Ok(nothing_waits(visit)) };
        let answer = match owed.read(&typed, by_recovery(visit)) {
            Ok(answer) => answer,
            Err(back) => return Ok(show(visit, &owed, &back)),
        };
        let (identity, client) = (&visit.identity(), &visit.view.client);
        let answered = identity.answer(&mut owed.challenge, answer, client, visit.now).await;
        // There is nothing to ask for anew.
        let plain = by_recovery(visit) || owed.challenge.asked.delivery().is_none();
        let back = match answered {
            Ok(Answered::Done(proof)) => {
                // Exactly one caller gets true: a second tab, or a replay, begins anew.
                if !visit.room.sessions.release(flow).await? {
                    return Ok(visit.to_sign_in(Done::Anew, &owed.to));
                }
                return visit.enter(proof, owed.remember, &owed.to).await;
            }
            Ok(Answered::Wrong { left }) => Back::alert(StatusCode::UNAUTHORIZED, Alert::WrongCode { left }),
            Ok(Answered::Pending) => Back::alert(StatusCode::UNAUTHORIZED, Alert::PushPending),
            Ok(Answered::Denied { until }) => {
                Back::alert(StatusCode::UNAUTHORIZED, Alert::PushDenied { until: until.0 })
            }
            Ok(Answered::Gone) if matches!(owed.challenge.asked, Asked::Push { .. }) => {
                Back::alert(StatusCode::UNAUTHORIZED, Alert::PushGone)
            }
            Ok(Answered::Failed) => Back::alert(StatusCode::UNAUTHORIZED, Alert::PasskeyFailed),
            Ok(Answered::Spent { until }) | Err(Refusal::Throttled { until }) if plain => app::spent(until, visit.now),
            Ok(Answered::Spent { until }) | Err(Refusal::Throttled { until }) => {
                Back::wait(Alert::CodeSpent { until: until.0 }, until, visit.now)
            }
            Ok(Answered::Gone) => Back::alert(StatusCode::UNAUTHORIZED, Alert::CodeGone),
            Err(Refusal::Stale) => return restart(visit, flow, &owed.to).await,
            Err(other) => Back::of(other, visit.now)?,
        };
        if keep(visit, flow, &owed).await? {
            return Ok(show(visit, &owed, &back));
        }
        // Another tab finished meanwhile (a button pressed twice): on from there.
        Ok(visit.to_sign_in(Done::Anew, &owed.to))
    }

    async fn again(visit: &Visit<'_>, _typed: Typed, back: Back) -> Outcome {
        let Some((_, owed)) = owed(visit).await? else { return Ok(nothing_waits(visit)) };
        Ok(show(visit, &owed, &back))
    }
}

/// The password was right and a second factor is owed: asks for it, and holds what is owed even when no code could be
/// sent, so that another way can be chosen.
pub(super) async fn begin(visit: &Visit<'_>, challenge: Challenge, remember: bool, to: &ReturnTo) -> Outcome {
    let mut owed = Owed { challenge, remember, to: to.clone() };
    owed.challenge.locale = visit.locale().map(str::to_owned);
    owed.challenge.device = Device::of(&visit.fields).to_string();
    let (identity, client) = (&visit.room.identity, &visit.view.client);
    let sent = identity.begin(&mut owed.challenge, None, client, visit.now).await;
    let Some(flow) = visit.flow.carried() else { return Ok(nothing_waits(visit)) };
    hold(visit, flow, &owed).await?;
    match sent {
        Ok(()) => Ok(visit.to_page("login/verify")),
        // Asked for again too soon: the earlier message still works.
        Err(Refusal::Throttled { until }) if owed.code_is_there() && until <= owed.challenge.resend_at => {
            Ok(visit.to_page("login/verify"))
        }
        Err(Refusal::Stale) => restart(visit, flow, to).await,
        Err(refusal) => {
            let why = Unsent::of(refusal)?;
            Ok(visit.to_page(&format!("login/verify?failed={}", why.name())))
        }
    }
}

/// "Start over".
pub(super) async fn drop_pending(visit: &Visit<'_>) -> Result<(), Stop> {
    if let Some((flow, _)) = owed(visit).await? {
        visit.room.sessions.release(flow).await?;
    }
    Ok(())
}

async fn owed<'v>(visit: &'v Visit<'_>) -> Result<Option<(&'v FlowId, Owed)>, Stop> {
    let Some(flow) = visit.flow.carried() else { return Ok(None) };
    let Some(Pending::SignIn { challenge, remember, return_to }) = visit.room.sessions.held(flow, visit.now).await?
    else {
        return Ok(None);
    };
    if left(&challenge, visit.now).is_zero() {
        return Ok(None);
    }
    let to = visit.room.destinations.parse(&return_to);
    Ok(Some((flow, Owed { challenge: *challenge, remember, to })))
}

/// Begins to wait.
async fn hold(visit: &Visit<'_>, flow: &FlowId, owed: &Owed) -> Result<(), Stop> {
    let ttl = left(&owed.challenge, visit.now);
    Ok(visit.room.sessions.hold(flow, &owed.pending(), ttl, visit.now).await?)
}

/// Goes on waiting; false when another tab ended it.
async fn keep(visit: &Visit<'_>, flow: &FlowId, owed: &Owed) -> Result<bool, Stop> {
    let ttl = left(&owed.challenge, visit.now);
    Ok(visit.room.sessions.keep(flow, &owed.pending(), ttl, visit.now).await?)
}

impl Owed {
    /// Whether a code was sent (or the telephone asked) that is still good.
    fn code_is_there(&self) -> bool {
        match &self.challenge.asked {
            Asked::Push { .. } => self.challenge.pushes.open.is_some(),
            asked => asked.delivery().is_some_and(|delivery| delivery.started.is_some()),
        }
    }

    /// What was answered, or what the form says instead.
    fn read<'t>(&self, typed: &'t Typed, by_recovery: bool) -> Result<identity::Answer<'t>, Back> {
        let empty = typed.code.trim().is_empty();
        let say = |what| Err(Back::say(StatusCode::UNPROCESSABLE_ENTITY, what));
        match &self.challenge.asked {
            _ if by_recovery && empty => say("Enter one of your recovery codes."),
            _ if by_recovery => Ok(identity::Answer::Code(&typed.code)),
            Asked::Passkey { .. } if empty => Ok(identity::Answer::Credential(&typed.credential)),
            Asked::Push { .. } if empty => Ok(identity::Answer::Push),
            Asked::App { .. } if empty => say("Enter the code that your app shows."),
            Asked::Code(_) if empty => say("Enter the code we sent you."),
            Asked::Code(_) if !self.code_is_there() => Err(Back::alert(StatusCode::UNAUTHORIZED, Alert::CodeGone)),
            Asked::Code(_) | Asked::App { .. } | Asked::Passkey { .. } | Asked::Push { .. } => {
                Ok(identity::Answer::Code(&typed.code))
            }
        }
    }

    fn pending(&self) -> Pending {
        Pending::SignIn {
            challenge: Box::new(self.challenge.clone()),
            remember: self.remember,
            return_to: self.to.location(),
        }
    }
}

/// However often it is sent again: a right password waits this long for its second factor.
fn left(challenge: &Challenge, now: UnixMillis) -> Duration {
    challenge.password_at.plus(PATIENCE).since(now)
}

/// The flow no longer fits the account: what waits goes, and sign-in begins anew with the reason.
async fn restart(visit: &Visit<'_>, flow: &FlowId, to: &ReturnTo) -> Outcome {
    visit.room.sessions.release(flow).await?;
    Ok(visit.to_sign_in(Done::Anew, to))
}

/// Expired, finished in another tab, or never begun: never a dead end.
fn nothing_waits(visit: &Visit<'_>) -> Answer {
    if visit.live().is_some() {
        return respond::see_other("/");
    }
    visit.to_sign_in(Done::Anew, &ReturnTo::root())
}

fn by_recovery(visit: &Visit<'_>) -> bool {
    visit.query("way") == "recovery"
}

const PATIENCE: Duration = Duration::from_mins(15);
