//! `second-factor/passkey` adds a passkey or gives one another name; `login/passkey` signs in by one alone.

use http::StatusCode;
use templates::{
    Alert,
    page::{EnrolPasskey, RenamePasskey},
};

use super::{
    done::Done,
    form::{Fields, Form, Sent},
    page::{Back, Page},
    respond::Guard,
    sign_in,
    stop::{Outcome, Stop},
    visit::{Bound, Visit, encoded},
};
use crate::{
    identity::{PasskeyEnrolment, Refusal, account::FactorKind},
    inbound::{Device, answer::Answer},
    session::{FlowId, Pending},
};

/// The page of one's passkeys.
pub(super) struct Passkey;

/// Its forms: a new one (`credential`, `name`), or another name (`factor`, `name`).
pub(super) struct Typed {
    factor: String,
    credential: String,
    name: String,
}

impl Fields for Typed {
    fn take(sent: &mut Sent) -> Self {
        Self { factor: sent.text("factor"), credential: sent.text("credential"), name: sent.text("name") }
    }
}

impl Page for Passkey {
    const BOUND: Bound = Bound::Session;
    type Fields = Typed;

    async fn get(visit: &Visit<'_>) -> Outcome {
        let factor = visit.query("factor");
        if !factor.is_empty() {
            return rename(visit, &factor, None, &Back::fresh()).await;
        }
        match not_now(visit)? {
            Some(answer) => Ok(answer),
            None => begin(visit, None, Back::fresh()).await,
        }
    }

    async fn post(visit: &Visit<'_>, form: Form<Typed>) -> Outcome {
        let typed = form.into_fields();
        let live = visit.signed_in()?;
        if !typed.factor.is_empty() && !visit.recent() {
            return Ok(visit.confirm_first(&format!("{HERE}?factor={}", encoded(&typed.factor))));
        }
        let identity = &visit.identity();
        if !typed.factor.is_empty() {
            return match identity.rename_passkey(&live.record.account, &typed.factor, &typed.name, visit.now).await {
                Ok(()) => Ok(visit.to_page(&format!("second-factor?done={}", Done::PasskeyRenamed.name()))),
                Err(Refusal::Stale) => Ok(visit.to_page("second-factor")),
                Err(Refusal::Fields(errors)) => {
                    rename(visit, &typed.factor, Some(&typed.name), &Back::fields(errors)).await
                }
                Err(other) => Err(other.into()),
            };
        }
        if let Some(answer) = not_now(visit)? {
            return Ok(answer);
        }
        let failed = || Back::alert(StatusCode::UNPROCESSABLE_ENTITY, Alert::PasskeyFailed);
        let Some((flow, enrolment)) = enrolling(visit).await? else {
            return begin(visit, Some(&typed), failed()).await;
        };
        // What the browser was asked is answered once, rightly or not.
        if !visit.room.sessions.release(flow).await? {
            return begin(visit, Some(&typed), failed()).await;
        }
        // The device has made its key already: it is not thrown away for a name.
        let named = (&*typed.credential, [&*typed.name, &device(visit)]);
        match identity.enrol_passkey_answer(&enrolment, named, Some(&live.record.sid.0), visit.now).await {
            Ok(Some((proof, row))) => visit.factors_changed(live, proof, row, Done::PasskeyAdded).await,
            Ok(None) | Err(Refusal::Stale) => begin(visit, Some(&typed), failed()).await,
            Err(other) => Err(other.into()),
        }
    }

    async fn again(visit: &Visit<'_>, typed: Typed, back: Back) -> Outcome {
        visit.signed_in()?;
        if typed.factor.is_empty() {
            return begin(visit, Some(&typed), back).await;
        }
        rename(visit, &typed.factor, Some(&typed.name), &back).await
    }
}

/// A passkey guards the account from now on: adding one asks for a recent sign-in.
fn not_now(visit: &Visit<'_>) -> Result<Option<Answer>, Stop> {
    visit.signed_in()?;
    if !visit.room.identity.offers_passkeys() {
        return Ok(Some(visit.to_page("second-factor")));
    }
    if !visit.recent() {
        return Ok(Some(visit.confirm_first(HERE)));
    }
    Ok(None)
}

/// Every page asks anew.
async fn begin(visit: &Visit<'_>, typed: Option<&Typed>, back: Back) -> Outcome {
    let live = visit.signed_in()?;
    // The browser has to bring the flow cookie back before anything is held under it.
    let Some(flow) = visit.flow.carried() else { return Ok(visit.with_flow(visit.to_page(HERE))) };
    let enrolment = match visit.room.identity.enrol_passkey(&live.record.account).await {
        Ok(enrolment) => enrolment,
        Err(Refusal::Stale) => return Ok(visit.to_page("second-factor")),
        Err(other) => return Err(other.into()),
    };
    let name = typed.map(|typed| typed.name.trim().to_owned()).filter(|name| !name.is_empty());
    let view = EnrolPasskey {
        frame: visit.frame(),
        options: &enrolment.options,
        name: &name.unwrap_or_else(|| device(visit)),
        alert: back.shown_alert(),
    };
    let page = view.render();
    let pending = Pending::EnrolPasskey { sid: live.record.sid.clone(), enrolment: Box::new(enrolment) };
    visit.room.sessions.hold(flow, &pending, PATIENCE, visit.now).await?;
    Ok(back.finish(visit.page(back.status, Guard::Page, page)))
}

/// What this session is enrolling.
async fn enrolling<'v>(visit: &'v Visit<'_>) -> Result<Option<(&'v FlowId, PasskeyEnrolment)>, Stop> {
    let record = &visit.signed_in()?.record;
    let Some(flow) = visit.flow.carried() else { return Ok(None) };
    match visit.room.sessions.held(flow, visit.now).await? {
        Some(Pending::EnrolPasskey { sid, enrolment }) if sid == record.sid && enrolment.account == record.account => {
            Ok(Some((flow, *enrolment)))
        }
        _ => Ok(None),
    }
}

async fn rename(visit: &Visit<'_>, factor: &str, typed: Option<&str>, back: &Back) -> Outcome {
    let account = visit.account().await?;
    let own = account.factors.iter().find(|own| own.id == factor).map(|own| &own.kind);
    let Some(FactorKind::Passkey { name }) = own else { return Ok(visit.to_page("second-factor")) };
    let view = RenamePasskey {
        frame: visit.frame(),
        factor,
        name: typed.unwrap_or(name),
        errors: &back.shown_errors(),
        alert: back.shown_alert(),
    };
    Ok(back.finish(visit.page(back.status, Guard::Page, view.render())))
}

/// "Firefox on Windows"
fn device(visit: &Visit<'_>) -> String {
    Device::of(&visit.fields).to_string()
}

/// `login/passkey`
pub(super) struct Alone;

/// Its form.
pub(super) struct Signed {
    credential: String,
    ceremony: String,
    remember: bool,
    return_to: String,
}

impl Fields for Signed {
    fn take(sent: &mut Sent) -> Self {
        Self {
            credential: sent.text("credential"),
            ceremony: sent.text("ceremony"),
            remember: sent.flag("remember"),
            return_to: sent.text("return_to"),
        }
    }
}

impl Page for Alone {
    const BOUND: Bound = Bound::Flow;
    type Fields = Signed;

    async fn get(visit: &Visit<'_>) -> Outcome {
        Ok(visit.to_page("login"))
    }

    async fn post(visit: &Visit<'_>, form: Form<Signed>) -> Outcome {
        let signed = form.into_fields();
        let to = visit.room.destinations.parse(&signed.return_to);
        let (identity, client) = (&visit.room.identity, &visit.view.client);
        let back = match identity.authenticate_by_passkey(&signed.ceremony, &signed.credential, client, visit.now).await
        {
            Ok(Some(proof)) => return visit.enter(proof, signed.remember, &to).await,
            Ok(None) => Back::alert(StatusCode::UNAUTHORIZED, Alert::PasskeyFailed),
            Err(refusal) => Back::of(refusal, visit.now)?,
        };
        Self::again(visit, signed, back).await
    }

    async fn again(visit: &Visit<'_>, signed: Signed, back: Back) -> Outcome {
        sign_in::after_passkey(visit, signed.remember, &signed.return_to, &back)
    }
}

const HERE: &str = "second-factor/passkey";
const PATIENCE: std::time::Duration = std::time::Duration::from_mins(15);
