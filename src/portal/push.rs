//! `second-factor/push`: adding a telephone that approves sign-ins.

use http::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use templates::Alert;

use super::{
    done::Done,
    form::{Fields, Form, Sent},
    page::{Back, Page},
    respond::Guard,
    stop::{Outcome, Stop},
    visit::{Bound, Visit},
};
use crate::{
    identity::{PushEnrolment, Refusal},
    inbound::answer::Answer,
    session::{FlowId, Pending},
};

/// The page.
pub(super) struct Push;

/// Its form: a button.
pub(super) struct Nothing;

impl Fields for Nothing {
    fn take(_sent: &mut Sent) -> Self {
        Self
    }
}

impl Page for Push {
    const BOUND: Bound = Bound::Session;
    type Fields = Nothing;

    async fn get(visit: &Visit<'_>) -> Outcome {
        match not_now(visit)? {
            Some(answer) => Ok(answer),
            None => begin(visit, &Back::fresh()).await,
        }
    }

    async fn post(visit: &Visit<'_>, _form: Form<Nothing>) -> Outcome {
        if let Some(answer) = not_now(visit)? {
            return Ok(answer);
        }
        let live = visit.signed_in()?;
        let Some((flow, enrolment)) = enrolling(visit).await? else {
            return Ok(visit.to_page(&format!("{HERE}?done={}", Done::Anew.name())));
        };
        let (identity, client, spared) = (&visit.identity(), &visit.view.client, Some(&*live.record.sid.0));
        let back = match identity.enrol_push_answer(&enrolment, spared, client, visit.now).await {
            Ok(Some((proof, row))) => {
                visit.room.sessions.release(flow).await?;
                return visit.factors_changed(live, proof, row, Done::PushAdded).await;
            }
            Ok(None) => Back::alert(StatusCode::UNPROCESSABLE_ENTITY, Alert::PushNotThere),
            Err(Refusal::Stale) => {
                visit.room.sessions.release(flow).await?;
                return Ok(visit.to_page(&format!("{HERE}?done={}", Done::Anew.name())));
            }
            Err(other) => Back::of(other, visit.now)?,
        };
        Ok(show(visit, None, &back))
    }

    async fn again(visit: &Visit<'_>, _typed: Nothing, back: Back) -> Outcome {
        visit.signed_in()?;
        Ok(show(visit, None, &back))
    }
}

/// It guards the account from now on: adding one asks for a recent sign-in.
fn not_now(visit: &Visit<'_>) -> Result<Option<Answer>, Stop> {
    visit.signed_in()?;
    if !visit.room.identity.offers_push() {
        return Ok(Some(visit.to_page("second-factor")));
    }
    if !visit.recent() {
        return Ok(Some(visit.confirm_first(HERE)));
    }
    Ok(None)
}

/// Every page has a fresh token; what there was before stays what it was, so that a reload loses no telephone.
async fn begin(visit: &Visit<'_>, back: &Back) -> Outcome {
    let live = visit.signed_in()?;
    // The browser has to bring the flow cookie back before anything is held under it.
    let Some(flow) = visit.flow.carried() else { return Ok(visit.with_flow(visit.to_page(HERE))) };
    let begun = enrolling(visit).await?.map(|(_, enrolment)| enrolment);
    let (account, client) = (&live.record.account, &visit.view.client);
    let (enrolment, token) = match visit.room.identity.enrol_push(account, begun, client, visit.now).await {
        Ok(begun) => begun,
        Err(Refusal::Stale) => return Ok(visit.to_page("second-factor")),
        Err(other) => return Ok(show(visit, None, &Back::of(other, visit.now)?)),
    };
    let pending = Pending::EnrolPush { sid: live.record.sid.clone(), enrolment: Box::new(enrolment) };
    visit.room.sessions.hold(flow, &pending, PATIENCE, visit.now).await?;
    Ok(show(visit, Some(&token), back))
}

/// What this session is enrolling.
async fn enrolling<'v>(visit: &'v Visit<'_>) -> Result<Option<(&'v FlowId, PushEnrolment)>, Stop> {
    let record = &visit.signed_in()?.record;
    let Some(flow) = visit.flow.carried() else { return Ok(None) };
    match visit.room.sessions.held(flow, visit.now).await? {
        Some(Pending::EnrolPush { sid, enrolment }) if sid == record.sid && enrolment.account == record.account => {
            Ok(Some((flow, *enrolment)))
        }
        _ => Ok(None),
    }
}

fn show(visit: &Visit<'_>, token: Option<&SecretString>, back: &Back) -> Answer {
    let view = templates::page::EnrolPush {
        frame: visit.frame(),
        token: token.map(ExposeSecret::expose_secret),
        alert: back.shown_alert(),
        notice: Done::parse(&visit.query("done")).filter(|done| *done == Done::Anew).map(Done::notice),
    };
    back.finish(visit.page(back.status, Guard::Page, view.render()))
}

const HERE: &str = "second-factor/push";
const PATIENCE: std::time::Duration = std::time::Duration::from_mins(15);
