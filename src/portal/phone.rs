//! `second-factor/phone` and `second-factor/phone/send`: enabling by phone. Country and number, then the code.
//!
//! What is being enrolled waits under the flow cookie and belongs to one session; another session, or another person in
//! the same browser, does not see it.

use std::time::Duration;

use http::{StatusCode, header};
use templates::{Alert, Notice};

use super::{
    channel,
    done::Done,
    form::{Fields, Form, Sent},
    page::{Back, Page},
    respond::Guard,
    stop::{Outcome, Stop},
    verify,
    visit::{Bound, Visit},
};
use crate::{
    config::verify::Channel,
    identity::{Enrolled, Refusal, challenge::Enrolment, phone},
    inbound::answer::Answer,
    session::{FlowId, Pending},
};

/// The number's page, then the code's.
pub(super) struct Phone;

/// Its form: a number, or a code, or one of two buttons.
pub(super) struct Typed {
    country: String,
    phone: String,
    channel: String,
    example: bool,
    restart: bool,
    code: Option<String>,
}

impl Fields for Typed {
    fn take(sent: &mut Sent) -> Self {
        Self {
            country: sent.text("country"),
            phone: sent.text("phone"),
            channel: sent.text("channel"),
            example: sent.flag("example"),
            restart: sent.flag("restart"),
            code: sent.maybe("code"),
        }
    }
}

impl Page for Phone {
    const BOUND: Bound = Bound::Session;
    type Fields = Typed;

    async fn get(visit: &Visit<'_>) -> Outcome {
        if let Some(answer) = not_now(visit)? {
            return Ok(answer);
        }
        match enrolling(visit).await? {
            Some((_, enrolment)) => Ok(ask_code(visit, &enrolment, &Back::fresh())),
            None => Ok(ask_number(visit, &Typed::take(&mut Sent::default()), &Back::fresh())),
        }
    }

    async fn post(visit: &Visit<'_>, form: Form<Typed>) -> Outcome {
        let typed = form.into_fields();
        if let Some(answer) = not_now(visit)? {
            return Ok(answer);
        }
        if typed.restart {
            if let Some((flow, _)) = enrolling(visit).await? {
                visit.room.sessions.release(flow).await?;
            }
            return Ok(visit.to_page(HERE));
        }
        if typed.example {
            return Ok(ask_number(visit, &typed, &Back::fresh()));
        }
        match &typed.code {
            Some(code) => answer(visit, code).await,
            None => enrol(visit, &typed).await,
        }
    }

    async fn again(visit: &Visit<'_>, typed: Typed, back: Back) -> Outcome {
        visit.signed_in()?;
        match enrolling(visit).await? {
            Some((_, enrolment)) if typed.code.is_some() => Ok(ask_code(visit, &enrolment, &back)),
            _ => Ok(ask_number(visit, &typed, &back)),
        }
    }
}

/// `second-factor/phone/send`: the same code again, or another way.
pub(super) struct Send;

/// Its form.
pub(super) struct Way {
    channel: String,
}

impl Fields for Way {
    fn take(sent: &mut Sent) -> Self {
        Self { channel: sent.text("channel") }
    }
}

impl Page for Send {
    const BOUND: Bound = Bound::Session;
    type Fields = Way;

    async fn get(visit: &Visit<'_>) -> Outcome {
        Ok(visit.to_page(HERE))
    }

    async fn post(visit: &Visit<'_>, form: Form<Way>) -> Outcome {
        let way = form.into_fields();
        if let Some(answer) = not_now(visit)? {
            return Ok(answer);
        }
        let Some((flow, mut enrolment)) = enrolling(visit).await? else { return Ok(visit.to_page(HERE)) };
        let channel = Channel::parse(&way.channel);
        let (tried, resend_at) = (channel.unwrap_or(enrolment.channel), enrolment.resend_at);
        let (identity, client) = (&visit.room.identity, &visit.view.client);
        let (before, spent) = (enrolment.started.clone(), enrolment.spent && visit.now < resend_at);
        let sent = identity.enrol_send(&mut enrolment, channel, client, visit.now).await;
        if !keep(visit, flow, &enrolment).await? {
            return Ok(visit.to_page("second-factor"));
        }
        match sent {
            Ok(()) => {
                let done = verify::sent_done(Some(&before), Some(&enrolment.started));
                Ok(visit.to_page(&format!("{HERE}?done={}", done.name())))
            }
            // There is no earlier message that still works.
            Err(Refusal::Throttled { until }) if spent => {
                Ok(ask_code(visit, &enrolment, &Back::wait(Alert::CodeSpent { until: until.0 }, until, visit.now)))
            }
            Err(Refusal::Stale) => begin_anew(visit, flow).await,
            Err(refusal) => Ok(ask_code(visit, &enrolment, &verify::not_sent(refusal, tried, resend_at, visit.now)?)),
        }
    }

    async fn again(visit: &Visit<'_>, _typed: Way, back: Back) -> Outcome {
        match enrolling(visit).await? {
            Some((_, enrolment)) => Ok(ask_code(visit, &enrolment, &back)),
            None => Ok(visit.to_page(HERE)),
        }
    }
}

/// Enrolling guards the account from now on: it asks for a recent sign-in, and for somebody who sends codes.
fn not_now(visit: &Visit<'_>) -> Result<Option<Answer>, Stop> {
    visit.signed_in()?;
    if visit.room.identity.channels().is_empty() {
        return Ok(Some(visit.to_page("second-factor")));
    }
    if !visit.recent() {
        return Ok(Some(visit.confirm_first(HERE)));
    }
    Ok(None)
}

async fn enrol(visit: &Visit<'_>, typed: &Typed) -> Outcome {
    let live = visit.signed_in()?;
    let Some(flow) = visit.flow.carried() else { return Ok(visit.to_page(HERE)) };
    let identity = &visit.room.identity;
    if !typed.channel.is_empty() && Channel::parse(&typed.channel).is_none_or(|way| !identity.channels().contains(&way))
    {
        let back = Back::field("channel", "Codes don't travel that way here. Choose one of these.");
        return Ok(ask_number(visit, typed, &back));
    }
    let channel = chosen(visit, typed);
    let account = &live.record.account;
    let wish = (&*typed.country, &*typed.phone, channel);
    let begun = identity.enrol(account, wish, visit.locale(), &visit.view.client, visit.now).await;
    match begun {
        Ok(enrolment) => {
            hold(visit, flow, &enrolment).await?;
            Ok(visit.to_page(HERE))
        }
        Err(refusal) => {
            let back = verify::not_sent(refusal, channel, visit.now, visit.now)?;
            Ok(ask_number(visit, typed, &back))
        }
    }
}

async fn answer(visit: &Visit<'_>, code: &str) -> Outcome {
    let live = visit.signed_in()?;
    let Some((flow, mut enrolment)) = enrolling(visit).await? else {
        return Ok(visit.to_page(&format!("{HERE}?done={}", Done::Anew.name())));
    };
    if code.trim().is_empty() {
        let back = Back::say(StatusCode::UNPROCESSABLE_ENTITY, "Enter the code we sent you.");
        return Ok(ask_code(visit, &enrolment, &back));
    }
    let (identity, client, spared) = (&visit.identity(), &visit.view.client, Some(&*live.record.sid.0));
    let back = match identity.enrol_answer(&mut enrolment, code, spared, client, visit.now).await {
        Ok(Enrolled::Done(_, proof, row)) => {
            visit.room.sessions.release(flow).await?;
            return visit.factors_changed(live, proof, row, Done::On).await;
        }
        Ok(Enrolled::Wrong { left }) => Back::alert(StatusCode::UNAUTHORIZED, Alert::WrongCode { left }),
        Ok(Enrolled::Spent { until }) => Back::wait(Alert::CodeSpent { until: until.0 }, until, visit.now),
        Ok(Enrolled::Gone) => Back::alert(StatusCode::UNAUTHORIZED, Alert::CodeGone),
        Err(Refusal::Throttled { until }) => Back::wait(Alert::CodeSpent { until: until.0 }, until, visit.now),
        Err(Refusal::Stale) => return begin_anew(visit, flow).await,
        Err(other) => Back::of(other, visit.now)?,
    };
    // Another tab may have finished meanwhile (a button pressed twice).
    if !keep(visit, flow, &enrolment).await? {
        return Ok(visit.to_page("second-factor"));
    }
    Ok(ask_code(visit, &enrolment, &back))
}

/// What this session is enrolling.
async fn enrolling<'v>(visit: &'v Visit<'_>) -> Result<Option<(&'v FlowId, Enrolment)>, Stop> {
    let record = &visit.signed_in()?.record;
    let Some(flow) = visit.flow.carried() else { return Ok(None) };
    match visit.room.sessions.held(flow, visit.now).await? {
        Some(Pending::Enrol { sid, enrolment }) if sid == record.sid && enrolment.account == record.account => {
            Ok(Some((flow, *enrolment)))
        }
        _ => Ok(None),
    }
}

async fn hold(visit: &Visit<'_>, flow: &FlowId, enrolment: &Enrolment) -> Result<(), Stop> {
    Ok(visit.room.sessions.hold(flow, &pending(visit, enrolment)?, PATIENCE, visit.now).await?)
}

/// The same for what waits already; false when another tab ended it.
async fn keep(visit: &Visit<'_>, flow: &FlowId, enrolment: &Enrolment) -> Result<bool, Stop> {
    Ok(visit.room.sessions.keep(flow, &pending(visit, enrolment)?, PATIENCE, visit.now).await?)
}

fn pending(visit: &Visit<'_>, enrolment: &Enrolment) -> Result<Pending, Stop> {
    let sid = visit.signed_in()?.record.sid.clone();
    Ok(Pending::Enrol { sid, enrolment: Box::new(enrolment.clone()) })
}

async fn begin_anew(visit: &Visit<'_>, flow: &FlowId) -> Outcome {
    visit.room.sessions.release(flow).await?;
    Ok(visit.to_page(&format!("{HERE}?done={}", Done::Anew.name())))
}

/// The way chosen; the first one offered when none was.
fn chosen(visit: &Visit<'_>, typed: &Typed) -> Channel {
    let offered = visit.room.identity.channels();
    Channel::parse(&typed.channel)
        .filter(|channel| offered.contains(channel))
        .or_else(|| offered.first().copied())
        .unwrap_or(Channel::Sms)
}

fn ask_number(visit: &Visit<'_>, typed: &Typed, back: &Back) -> Answer {
    let countries: Vec<_> = phone::countries()
        .iter()
        .map(|country| templates::page::Country {
            code: country.code,
            name: country.name,
            dial: country.dial,
            example: &country.example,
        })
        .collect();
    let channels: Vec<_> = visit.room.identity.channels().into_iter().map(channel::shown).collect();
    let country = phone::country(&typed.country).map(|country| country.code).or_else(|| preselected(visit));
    let view = templates::page::EnablePhone {
        frame: visit.frame(),
        countries: &countries,
        country: country.unwrap_or_default(),
        phone: &typed.phone,
        channels: &channels,
        channel: channel::shown(chosen(visit, typed)),
        errors: &back.shown_errors(),
        alert: back.shown_alert(),
        notice: Done::parse(&visit.query("done")).filter(|done| *done == Done::Anew).map(Done::notice),
    };
    back.finish(visit.page(back.status, Guard::Page, view.render()))
}

fn preselected(visit: &Visit<'_>) -> Option<&'static str> {
    let wish = visit.fields.get(header::ACCEPT_LANGUAGE)?.to_str().ok()?;
    phone::country_from_language(wish)
}

fn ask_code(visit: &Visit<'_>, enrolment: &Enrolment, back: &Back) -> Answer {
    let channels: Vec<_> = enrolment.channels.iter().copied().map(channel::shown).collect();
    let notice = if back.shown_alert().is_some() {
        None
    } else if enrolment.fell_back {
        Some(Notice::FellBackToCall)
    } else {
        let done = Done::parse(&visit.query("done"));
        done.filter(|done| matches!(done, Done::Sent | Done::NewCode)).map(Done::notice)
    };
    let view = templates::page::EnrolCode {
        frame: visit.frame(),
        masked: &enrolment.masked,
        channel: channel::shown(enrolment.started.channel),
        channels: &channels,
        resend_at: enrolment.resend_at.0,
        now: visit.now.0,
        notice,
        alert: back.shown_alert(),
    };
    back.finish(visit.page(back.status, Guard::Page, view.render()))
}

const HERE: &str = "second-factor/phone";
const PATIENCE: Duration = Duration::from_mins(15);
