//! `login/verify` and `login/verify/send`: the second step of a sign-in.
//!
//! What is owed waits under the flow cookie. Nothing here is a session: without an approved code this ends where it
//! began. Exactly one answer releases what waits, and only that one starts a session.

use std::time::Duration;

use http::StatusCode;
use templates::{Alert, Notice};

use super::{
    app, channel,
    done::Done,
    form::{Fields, Form, Sent},
    page::{Back, Page},
    respond::{self, Guard},
    return_to::ReturnTo,
    stop::{Outcome, Stop, chain},
    visit::{Bound, Visit, encoded},
};
use crate::{
    config::verify::Channel,
    identity::{
        Answered, Refusal,
        challenge::{Challenge, Other},
    },
    inbound::answer::Answer,
    session::{FlowId, Pending},
    verify::{Started, VerifyError},
    world::UnixMillis,
};

/// The code's page.
pub(super) struct Verify;

/// Its form.
pub(super) struct Typed {
    code: String,
}

impl Fields for Typed {
    fn take(sent: &mut Sent) -> Self {
        Self { code: sent.text("code") }
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
        if typed.code.trim().is_empty() {
            let what =
                if owed.challenge.app { "Enter the code that your app shows." } else { "Enter the code we sent you." };
            let back = Back::say(StatusCode::UNPROCESSABLE_ENTITY, what);
            return Ok(show(visit, &owed, &back));
        }
        if owed.challenge.started.is_none() && !owed.challenge.app && !by_recovery(visit) {
            return Ok(show(visit, &owed, &Back::alert(StatusCode::UNAUTHORIZED, Alert::CodeGone)));
        }
        let (identity, client) = (&visit.room.identity, &visit.view.client);
        let answered = identity.answer(&mut owed.challenge, &typed.code, client, visit.now).await;
        let back = match answered {
            Ok(Answered::Done(proof)) => {
                // Exactly one caller gets true: a second tab, or a replay, begins anew.
                if !visit.room.sessions.release(flow).await? {
                    return Ok(visit.to_sign_in(Done::Anew, &owed.to));
                }
                return visit.enter(proof, owed.remember, &owed.to).await;
            }
            Ok(Answered::Wrong { left }) => Back::alert(StatusCode::UNAUTHORIZED, Alert::WrongCode { left }),
            Ok(Answered::Spent { until }) | Err(Refusal::Throttled { until })
                if owed.challenge.app || by_recovery(visit) =>
            {
                app::spent(until, visit.now)
            }
            Ok(Answered::Spent { until }) => Back::wait(Alert::CodeSpent { until: until.0 }, until, visit.now),
            Ok(Answered::Gone) => Back::alert(StatusCode::UNAUTHORIZED, Alert::CodeGone),
            Err(Refusal::Throttled { until }) => Back::wait(Alert::CodeSpent { until: until.0 }, until, visit.now),
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

/// `login/verify/send`: the same code again, or another way.
pub(super) struct Send;

/// Its form.
pub(super) struct Way {
    channel: String,
    factor: String,
}

impl Fields for Way {
    fn take(sent: &mut Sent) -> Self {
        Self { channel: sent.text("channel"), factor: sent.text("factor") }
    }
}

impl Page for Send {
    const BOUND: Bound = Bound::Flow;
    type Fields = Way;

    async fn get(visit: &Visit<'_>) -> Outcome {
        Ok(visit.to_page("login/verify"))
    }

    async fn post(visit: &Visit<'_>, form: Form<Way>) -> Outcome {
        let way = form.into_fields();
        let Some((flow, mut owed)) = owed(visit).await? else { return Ok(nothing_waits(visit)) };
        if !way.factor.is_empty() {
            return switch(visit, flow, owed, &way.factor).await;
        }
        let channel = Channel::parse(&way.channel);
        let tried = channel.unwrap_or(owed.challenge.channel);
        let resend_at = owed.challenge.resend_at;
        // Then there is no earlier message that still works.
        let spent = owed.challenge.started.is_none() && visit.now < resend_at;
        let (identity, client) = (&visit.room.identity, &visit.view.client);
        let before = owed.challenge.started.clone();
        let sent = identity.send(&mut owed.challenge, channel, client, visit.now).await;
        if !keep(visit, flow, &owed).await? {
            return Ok(visit.to_sign_in(Done::Anew, &owed.to));
        }
        match sent {
            Ok(()) => {
                let done = sent_done(before.as_ref(), owed.challenge.started.as_ref());
                Ok(visit.to_page(&format!("login/verify?done={}", done.name())))
            }
            Err(Refusal::Stale) => restart(visit, flow, &owed.to).await,
            Err(Refusal::Throttled { until }) if spent => {
                Ok(show(visit, &owed, &Back::wait(Alert::CodeSpent { until: until.0 }, until, visit.now)))
            }
            Err(refusal) => Ok(show(visit, &owed, &not_sent(refusal, tried, resend_at, visit.now)?)),
        }
    }

    async fn again(visit: &Visit<'_>, _typed: Way, back: Back) -> Outcome {
        Verify::again(visit, Typed { code: String::new() }, back).await
    }
}

/// Another factor is asked from now on; its code is sent at once, if one has to be.
async fn switch(visit: &Visit<'_>, flow: &FlowId, mut owed: Owed, factor: &str) -> Outcome {
    let (identity, client) = (&visit.room.identity, &visit.view.client);
    let sent = match identity.switch(&mut owed.challenge, factor).await {
        Ok(()) => identity.send(&mut owed.challenge, None, client, visit.now).await,
        Err(refusal) => Err(refusal),
    };
    if !keep(visit, flow, &owed).await? {
        return Ok(visit.to_sign_in(Done::Anew, &owed.to));
    }
    let (tried, resend_at) = (owed.challenge.channel, owed.challenge.resend_at);
    match sent {
        Ok(()) => Ok(visit.to_page("login/verify")),
        Err(Refusal::Stale) => restart(visit, flow, &owed.to).await,
        Err(refusal) => Ok(show(visit, &owed, &not_sent(refusal, tried, resend_at, visit.now)?)),
    }
}

/// The password was right and a second factor is owed: sends the code, and holds what is owed even when it could not be
/// sent, so that another way can be chosen.
pub(super) async fn begin(visit: &Visit<'_>, challenge: Challenge, remember: bool, to: &ReturnTo) -> Outcome {
    let mut owed = Owed { challenge, remember, to: to.clone() };
    owed.challenge.locale = visit.locale().map(str::to_owned);
    let (identity, client) = (&visit.room.identity, &visit.view.client);
    let sent = identity.send(&mut owed.challenge, None, client, visit.now).await;
    let Some(flow) = visit.flow.carried() else { return Ok(nothing_waits(visit)) };
    hold(visit, flow, &owed).await?;
    match sent {
        Ok(()) => Ok(visit.to_page("login/verify")),
        // Asked for again too soon: the earlier message still works.
        Err(Refusal::Throttled { until }) if owed.challenge.started.is_some() && until <= owed.challenge.resend_at => {
            Ok(visit.to_page("login/verify"))
        }
        Err(Refusal::Stale) => restart(visit, flow, to).await,
        Err(refusal) => {
            let why = Unsent::of(refusal)?;
            Ok(visit.to_page(&format!("login/verify?failed={}", why.name())))
        }
    }
}

/// Why no code could be sent, in the query of the page after: fixed words only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unsent {
    Limit,
    Unreachable,
    Destination,
    Blocked,
    HeldBack,
    Country,
    Down,
}

impl Unsent {
    const ALL: [Self; 7] =
        [Self::Limit, Self::Unreachable, Self::Destination, Self::Blocked, Self::HeldBack, Self::Country, Self::Down];

    fn of(refusal: Refusal) -> Result<Self, Stop> {
        match refusal {
            Refusal::Throttled { .. } | Refusal::Verify(VerifyError::Limited { .. }) => Ok(Self::Limit),
            Refusal::Verify(VerifyError::Unreachable { .. }) => Ok(Self::Unreachable),
            Refusal::Verify(VerifyError::BadDestination { .. }) => Ok(Self::Destination),
            Refusal::Verify(VerifyError::Blocked { code: 60410 }) => Ok(Self::HeldBack),
            Refusal::Verify(VerifyError::Blocked { code: 60605 }) => Ok(Self::Country),
            Refusal::Verify(VerifyError::Blocked { .. }) => Ok(Self::Blocked),
            Refusal::Verify(error @ (VerifyError::Settings { .. } | VerifyError::Down(_))) => {
                tracing::warn!(error = chain(&error), "the code provider did not send a code");
                Ok(Self::Down)
            }
            other => Err(other.into()),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Limit => "limit",
            Self::Unreachable => "unreachable",
            Self::Destination => "destination",
            Self::Blocked => "blocked",
            Self::HeldBack => "held-back",
            Self::Country => "country",
            Self::Down => "down",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|why| why.name() == name)
    }

    fn back(self, owed: &Owed, now: UnixMillis) -> Back {
        let until = owed.challenge.resend_at;
        match self {
            Self::Limit if until > now => Back::wait(Alert::SendLimit { until: Some(until.0) }, until, now),
            Self::Limit => Back::alert(StatusCode::TOO_MANY_REQUESTS, Alert::SendLimit { until: None }),
            Self::Unreachable => {
                let channel = channel::shown(owed.challenge.channel);
                Back::alert(StatusCode::UNPROCESSABLE_ENTITY, Alert::Unreachable { channel })
            }
            Self::Destination => Back::alert(StatusCode::UNPROCESSABLE_ENTITY, Alert::BadDestination),
            Self::Blocked => Back::alert(StatusCode::UNPROCESSABLE_ENTITY, Alert::Blocked),
            Self::HeldBack => Back::alert(StatusCode::UNPROCESSABLE_ENTITY, Alert::HeldBack),
            Self::Country => Back::alert(StatusCode::UNPROCESSABLE_ENTITY, Alert::NotThatCountry),
            Self::Down => Back::alert(StatusCode::SERVICE_UNAVAILABLE, Alert::CodesDown),
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

/// Sending again before the verification ends sends the same code.
pub(super) fn sent_done(before: Option<&Started>, now: Option<&Started>) -> Done {
    let name = |started: Option<&Started>| started.map(|started| started.verification.clone());
    if before.is_some() && name(before) == name(now) { Done::Sent } else { Done::NewCode }
}

/// Why a code was not sent, as its form says it. `resend_at`: before it, the earlier message still works.
pub(super) fn not_sent(refusal: Refusal, tried: Channel, resend_at: UnixMillis, now: UnixMillis) -> Result<Back, Stop> {
    match refusal {
        Refusal::Throttled { until } if now < resend_at && until <= resend_at => {
            Ok(Back::wait(Alert::SentTooEarly { wait: until.since(now) }, until, now))
        }
        Refusal::Throttled { until } => Ok(Back::wait(Alert::SendLimit { until: Some(until.0) }, until, now)),
        Refusal::Verify(VerifyError::Unreachable { .. }) => {
            Ok(Back::alert(StatusCode::UNPROCESSABLE_ENTITY, Alert::Unreachable { channel: channel::shown(tried) }))
        }
        other => Back::of(other, now),
    }
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

fn show(visit: &Visit<'_>, owed: &Owed, back: &Back) -> Answer {
    let challenge = &owed.challenge;
    let channels: Vec<_> = challenge.channels.iter().copied().map(channel::shown).collect();
    let start_over = start_over(visit, &owed.to);
    let notice = if challenge.fell_back && back.shown_alert().is_none() {
        Some(Notice::FellBackToCall)
    } else {
        Done::parse(&visit.query("done"))
            .filter(|done| matches!(done, Done::Sent | Done::NewCode) && back.shown_alert().is_none())
            .map(Done::notice)
    };
    let others: Vec<_> = challenge.others.iter().map(other).collect();
    if by_recovery(visit) {
        let view = templates::page::VerifyRecovery {
            frame: visit.frame(),
            start_over: &start_over,
            alert: back.shown_alert(),
        };
        return back.finish(visit.page(back.status, Guard::SignIn, view.render()));
    }
    if challenge.app {
        let view = templates::page::VerifyApp {
            frame: visit.frame(),
            others: &others,
            start_over: &start_over,
            alert: back.shown_alert(),
        };
        return back.finish(visit.page(back.status, Guard::SignIn, view.render()));
    }
    let view = templates::page::Verify {
        frame: visit.frame(),
        masked: &challenge.masked,
        channel: channel::shown(challenge.started.as_ref().map_or(challenge.channel, |started| started.channel)),
        sent: challenge.started.is_some(),
        channels: &channels,
        others: &others,
        resend_at: challenge.resend_at.0,
        now: visit.now.0,
        start_over: &start_over,
        notice,
        alert: back.shown_alert(),
    };
    back.finish(visit.page(back.status, Guard::SignIn, view.render()))
}

fn by_recovery(visit: &Visit<'_>) -> bool {
    visit.query("way") == "recovery"
}

fn other(other: &Other) -> templates::page::Other<'_> {
    templates::page::Other { factor: &other.factor, channel: other.channel.map(channel::shown), masked: &other.masked }
}

fn start_over(visit: &Visit<'_>, to: &ReturnTo) -> String {
    let page = visit.room.to("login?over=1");
    if to.is_root() { page } else { format!("{page}&return_to={}", encoded(&to.location())) }
}

const PATIENCE: Duration = Duration::from_mins(15);
