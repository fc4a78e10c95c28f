//! `login/verify/send`: a code is sent again or by another way, or another factor is asked; and why none could be sent.

use http::StatusCode;
use templates::Alert;

use super::{Owed, Typed, Verify, keep, nothing_waits, owed, restart, show};
use crate::{
    config::verify::Channel,
    identity::{Refusal, challenge::Asked},
    portal::{
        channel,
        done::Done,
        form::{Fields, Form, Sent},
        page::{Back, Page},
        stop::{Outcome, Stop, chain},
        visit::{Bound, Visit},
    },
    session::FlowId,
    verify::{Started, VerifyError},
    world::UnixMillis,
};

/// `login/verify/send`: the same code again, or another way.
pub(in crate::portal) struct Send;

/// Its form.
pub(in crate::portal) struct Way {
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
        if matches!(owed.challenge.asked, Asked::Push { .. }) {
            return ask_again(visit, flow, owed).await;
        }
        let Some(delivery) = owed.challenge.asked.delivery() else { return Ok(visit.to_page("login/verify")) };
        let channel = Channel::parse(&way.channel);
        let tried = channel.unwrap_or(delivery.channel);
        let before = delivery.started.clone();
        let resend_at = owed.challenge.resend_at;
        // Then there is no earlier message that still works.
        let spent = before.is_none() && visit.now < resend_at;
        let (identity, client) = (&visit.room.identity, &visit.view.client);
        let sent = identity.begin(&mut owed.challenge, channel, client, visit.now).await;
        if !keep(visit, flow, &owed).await? {
            return Ok(visit.to_sign_in(Done::Anew, &owed.to));
        }
        match sent {
            Ok(()) => {
                let now = owed.challenge.asked.delivery().and_then(|delivery| delivery.started.as_ref());
                let done = sent_done(before.as_ref(), now);
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
        Verify::again(visit, Typed::nothing(), back).await
    }
}

/// The telephone is asked again.
async fn ask_again(visit: &Visit<'_>, flow: &FlowId, mut owed: Owed) -> Outcome {
    let (identity, client) = (&visit.room.identity, &visit.view.client);
    let sent = identity.begin(&mut owed.challenge, None, client, visit.now).await;
    if !keep(visit, flow, &owed).await? {
        return Ok(visit.to_sign_in(Done::Anew, &owed.to));
    }
    match sent {
        Ok(()) => Ok(visit.to_page("login/verify")),
        Err(Refusal::Stale) => restart(visit, flow, &owed.to).await,
        Err(refusal) => Ok(show(visit, &owed, &not_asked(refusal, visit.now)?)),
    }
}

/// Why the telephone was not asked.
fn not_asked(refusal: Refusal, now: UnixMillis) -> Result<Back, Stop> {
    match refusal {
        Refusal::Throttled { until } => Ok(Back::wait(Alert::PushTooEarly { wait: until.since(now) }, until, now)),
        Refusal::Verify(VerifyError::Unreachable { .. }) => {
            Ok(Back::alert(StatusCode::UNPROCESSABLE_ENTITY, Alert::PushUnreachable))
        }
        other => Back::of(other, now),
    }
}

/// Another factor is asked from now on; its code is sent at once, if one has to be.
async fn switch(visit: &Visit<'_>, flow: &FlowId, mut owed: Owed, factor: &str) -> Outcome {
    let (identity, client) = (&visit.room.identity, &visit.view.client);
    let sent = match identity.switch(&mut owed.challenge, factor).await {
        // Who comes back to a code that was sent finds its message still good.
        Ok(()) if owed.code_is_there() => Ok(()),
        Ok(()) => identity.begin(&mut owed.challenge, None, client, visit.now).await,
        Err(refusal) => Err(refusal),
    };
    if !keep(visit, flow, &owed).await? {
        return Ok(visit.to_sign_in(Done::Anew, &owed.to));
    }
    let tried = owed.challenge.asked.delivery().map_or(Channel::Sms, |delivery| delivery.channel);
    let resend_at = owed.challenge.resend_at;
    match sent {
        Ok(()) => Ok(visit.to_page("login/verify")),
        Err(Refusal::Stale) => restart(visit, flow, &owed.to).await,
        Err(refusal) if matches!(owed.challenge.asked, Asked::Push { .. }) => {
            Ok(show(visit, &owed, &not_asked(refusal, visit.now)?))
        }
        Err(refusal) => Ok(show(visit, &owed, &not_sent(refusal, tried, resend_at, visit.now)?)),
    }
}

/// Why no code could be sent, in the query of the page after: fixed words only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unsent {
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

    pub(super) fn of(refusal: Refusal) -> Result<Self, Stop> {
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

    pub(super) fn name(self) -> &'static str {
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

    pub(super) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|why| why.name() == name)
    }

    pub(super) fn back(self, owed: &Owed, now: UnixMillis) -> Back {
        let until = owed.challenge.resend_at;
        match self {
            Self::Limit if until > now => Back::wait(Alert::SendLimit { until: Some(until.0) }, until, now),
            Self::Limit => Back::alert(StatusCode::TOO_MANY_REQUESTS, Alert::SendLimit { until: None }),
            Self::Unreachable if matches!(owed.challenge.asked, Asked::Push { .. }) => {
                Back::alert(StatusCode::UNPROCESSABLE_ENTITY, Alert::PushUnreachable)
            }
            Self::Unreachable => {
                let tried = owed.challenge.asked.delivery().map_or(Channel::Sms, |delivery| delivery.channel);
                Back::alert(StatusCode::UNPROCESSABLE_ENTITY, Alert::Unreachable { channel: channel::shown(tried) })
            }
            Self::Destination => Back::alert(StatusCode::UNPROCESSABLE_ENTITY, Alert::BadDestination),
            Self::Blocked => Back::alert(StatusCode::UNPROCESSABLE_ENTITY, Alert::Blocked),
            Self::HeldBack => Back::alert(StatusCode::UNPROCESSABLE_ENTITY, Alert::HeldBack),
            Self::Country => Back::alert(StatusCode::UNPROCESSABLE_ENTITY, Alert::NotThatCountry),
            Self::Down => Back::alert(StatusCode::SERVICE_UNAVAILABLE, Alert::CodesDown),
        }
    }
}

/// Sending again before the verification ends sends the same code.
pub(in crate::portal) fn sent_done(before: Option<&Started>, now: Option<&Started>) -> Done {
    let name = |started: Option<&Started>| started.map(|started| started.verification.clone());
    if before.is_some() && name(before) == name(now) { Done::Sent } else { Done::NewCode }
}

/// Why a code was not sent, as its form says it. `resend_at`: before it, the earlier message still works.
pub(in crate::portal) fn not_sent(
    refusal: Refusal,
    tried: Channel,
    resend_at: UnixMillis,
    now: UnixMillis,
) -> Result<Back, Stop> {
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
