//! `second-factor/app`: turning an authenticator app on.

use http::StatusCode;
use qrcode::{Color, EcLevel, QrCode};
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
    identity::{AppEnrolment, Enrolled, Refusal},
    inbound::answer::Answer,
    session::{FlowId, Pending},
    world::UnixMillis,
};

/// The page.
pub(super) struct App;

/// Its form.
pub(super) struct Typed {
    code: String,
}

impl Fields for Typed {
    fn take(sent: &mut Sent) -> Self {
        Self { code: sent.text("code") }
    }
}

impl Page for App {
    const BOUND: Bound = Bound::Session;
    type Fields = Typed;

    async fn get(visit: &Visit<'_>) -> Outcome {
        if let Some(answer) = not_now(visit)? {
            return Ok(answer);
        }
        match enrolling(visit).await? {
            Some((_, enrolment)) => show(visit, &enrolment, &Back::fresh()).await,
            None => begin(visit).await,
        }
    }

    async fn post(visit: &Visit<'_>, form: Form<Typed>) -> Outcome {
        let typed = form.into_fields();
        if let Some(answer) = not_now(visit)? {
            return Ok(answer);
        }
        let live = visit.signed_in()?;
        let Some((flow, enrolment)) = enrolling(visit).await? else {
            return Ok(visit.to_page(&format!("{HERE}?done={}", Done::Anew.name())));
        };
        if typed.code.trim().is_empty() {
            let back = Back::say(StatusCode::UNPROCESSABLE_ENTITY, "Enter the code that your app shows.");
            return show(visit, &enrolment, &back).await;
        }
        let (identity, client, spared) = (&visit.identity(), &visit.view.client, Some(&*live.record.sid.0));
        let back = match identity.enrol_app_answer(&enrolment, &typed.code, spared, client, visit.now).await {
            Ok(Enrolled::Done(_, proof, row)) => {
                visit.room.sessions.release(flow).await?;
                return visit.factors_changed(live, proof, row, Done::On).await;
            }
            Ok(Enrolled::Wrong { left }) => Back::alert(StatusCode::UNAUTHORIZED, Alert::WrongCode { left }),
            Ok(Enrolled::Spent { until }) | Err(Refusal::Throttled { until }) => spent(until, visit.now),
            Ok(Enrolled::Gone) | Err(Refusal::Stale) => return begin_anew(visit, flow).await,
            Err(other) => Back::of(other, visit.now)?,
        };
        show(visit, &enrolment, &back).await
    }

    async fn again(visit: &Visit<'_>, _typed: Typed, back: Back) -> Outcome {
        visit.signed_in()?;
        match enrolling(visit).await? {
            Some((_, enrolment)) => show(visit, &enrolment, &back).await,
            None => Ok(visit.to_page(HERE)),
        }
    }
}

/// No code is taken before then; there is nothing to ask for anew.
pub(super) fn spent(until: UnixMillis, now: UnixMillis) -> Back {
    Back::wait(Alert::Throttled { until: until.0 }, until, now)
}

/// Enrolling guards the account from now on: it asks for a recent sign-in, and for an account without an app.
fn not_now(visit: &Visit<'_>) -> Result<Option<Answer>, Stop> {
    visit.signed_in()?;
    if !visit.room.identity.offers_apps() {
        return Ok(Some(visit.to_page("second-factor")));
    }
    if !visit.recent() {
        return Ok(Some(visit.confirm_first(HERE)));
    }
    Ok(None)
}

async fn begin(visit: &Visit<'_>) -> Outcome {
    let live = visit.signed_in()?;
    // The browser has to bring the flow cookie back before anything is held under it.
    let Some(flow) = visit.flow.carried() else { return Ok(visit.with_flow(visit.to_page(HERE))) };
    let enrolment = match visit.room.identity.enrol_app(&live.record.account).await {
        Ok(enrolment) => enrolment,
        Err(Refusal::Stale) => return Ok(visit.to_page("second-factor")),
        Err(other) => return Err(other.into()),
    };
    let pending = Pending::EnrolApp { sid: live.record.sid.clone(), enrolment: Box::new(enrolment.clone()) };
    visit.room.sessions.hold(flow, &pending, PATIENCE, visit.now).await?;
    show(visit, &enrolment, &Back::fresh()).await
}

async fn begin_anew(visit: &Visit<'_>, flow: &FlowId) -> Outcome {
    visit.room.sessions.release(flow).await?;
    Ok(visit.to_page(&format!("{HERE}?done={}", Done::Anew.name())))
}

/// What this session is enrolling.
async fn enrolling<'v>(visit: &'v Visit<'_>) -> Result<Option<(&'v FlowId, AppEnrolment)>, Stop> {
    let record = &visit.signed_in()?.record;
    let Some(flow) = visit.flow.carried() else { return Ok(None) };
    match visit.room.sessions.held(flow, visit.now).await? {
        Some(Pending::EnrolApp { sid, enrolment }) if sid == record.sid && enrolment.account == record.account => {
            Ok(Some((flow, *enrolment)))
        }
        _ => Ok(None),
    }
}

async fn show(visit: &Visit<'_>, enrolment: &AppEnrolment, back: &Back) -> Outcome {
    let secret = match visit.room.identity.app_secret(enrolment).await {
        Ok(secret) => secret,
        // The account changed since: another tab enabled something.
        Err(Refusal::Stale) => {
            if let Some(flow) = visit.flow.carried() {
                visit.room.sessions.release(flow).await?;
            }
            return Ok(visit.to_page("second-factor"));
        }
        Err(other) => return Err(other.into()),
    };
    let code = QrCode::with_error_correction_level(&**secret.url, EcLevel::M);
    let code = code.map_err(|error| Refusal::Internal(error.to_string().into()))?;
    let view = templates::page::EnrolApp {
        frame: visit.frame(),
        path: &path(&code),
        side: code.width(),
        secret: &secret.typed,
        url: &secret.url,
        alert: back.shown_alert(),
        notice: Done::parse(&visit.query("done")).filter(|done| *done == Done::Anew).map(Done::notice),
    };
    Ok(back.finish(visit.page(back.status, Guard::Page, view.render())))
}

/// The dark modules, a rectangle for each run in a row: a third of what one for each module would weigh.
fn path(code: &QrCode) -> String {
    use std::fmt::Write as _;
    let mut path = String::new();
    for (y, row) in code.to_colors().chunks(code.width()).enumerate() {
        let mut x = 0;
        while let Some(start) = row.iter().skip(x).position(|color| *color == Color::Dark).map(|at| at + x) {
            let length = row.iter().skip(start).take_while(|color| **color == Color::Dark).count();
            // Into memory: cannot fail.
            let _ = write!(path, "M{start} {y}h{length}v1h-{length}z");
            x = start + length;
        }
    }
    path
}

const HERE: &str = "second-factor/app";
const PATIENCE: std::time::Duration = std::time::Duration::from_mins(15);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_has_exactly_the_modules_of_the_code() {
        let code = QrCode::with_error_correction_level("otpauth://totp/x?secret=ABC", EcLevel::M).unwrap();
        let mut drawn = vec![Color::Light; code.width() * code.width()];
        for run in path(&code).split_terminator('z') {
            let run = run.strip_prefix('M').unwrap();
            let (place, run) = run.split_once('h').unwrap();
            let (x, y) = place.split_once(' ').unwrap();
            let length: usize = run.split_once('v').unwrap().0.parse().unwrap();
            let start = y.parse::<usize>().unwrap() * code.width() + x.parse::<usize>().unwrap();
            drawn[start..start + length].fill(Color::Dark);
        }
        assert_eq!(drawn, code.to_colors());
    }
}
