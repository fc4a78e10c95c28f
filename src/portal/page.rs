//! What a page with a form is, and how its form comes back.

use std::future::Future;

use http::StatusCode;
use templates::Alert;

use super::{
    form::{Fields, Forgery, Form},
    respond,
    stop::{self, Outcome, Stop},
    trouble,
    visit::{Bound, Visit},
};
use crate::{
    identity::{FieldError, Refusal},
    inbound::answer::Answer,
    world::UnixMillis,
};

/// One page: its GET, its POST, and its form anew.
pub(super) trait Page {
    /// What its form is bound to.
    const BOUND: Bound;
    /// The form's fields.
    type Fields: Fields;

    /// Shows it. Changes nothing that matters: mail scanners and prefetchers GET.
    fn get(visit: &Visit<'_>) -> impl Future<Output = Outcome> + Send;

    /// Does what the form asks.
    fn post(visit: &Visit<'_>, form: Form<Self::Fields>) -> impl Future<Output = Outcome> + Send;

    /// The form again, with what was typed (never passwords or codes) and why.
    fn again(visit: &Visit<'_>, typed: Self::Fields, back: Back) -> impl Future<Output = Outcome> + Send;
}

/// With what a form comes back.
#[derive(Debug)]
pub(super) struct Back {
    /// The answer's status.
    pub(super) status: StatusCode,
    /// Fields to mend.
    pub(super) errors: Vec<FieldError>,
    alert: Option<Alert<'static>>,
    sentence: Option<String>,
    retry_after: Option<u64>,
}

impl Back {
    /// The form for the first time.
    pub(super) fn fresh() -> Self {
        Self::plain(StatusCode::OK)
    }

    /// With an alert above it.
    pub(super) fn alert(status: StatusCode, alert: Alert<'static>) -> Self {
        Self { alert: Some(alert), ..Self::plain(status) }
    }

    /// With a sentence above it.
    pub(super) fn say(status: StatusCode, sentence: impl Into<String>) -> Self {
        Self { sentence: Some(sentence.into()), ..Self::plain(status) }
    }

    /// 422 with one field to mend.
    pub(super) fn field(field: &'static str, message: impl Into<String>) -> Self {
        Self::fields(vec![FieldError { field, message: message.into() }])
    }

    /// 422 with fields to mend.
    pub(super) fn fields(errors: Vec<FieldError>) -> Self {
        Self { errors, ..Self::plain(StatusCode::UNPROCESSABLE_ENTITY) }
    }

    /// What a refusal means where the page has no words of its own for it; some end the page.
    pub(super) fn of(refusal: Refusal, now: UnixMillis) -> Result<Self, Stop> {
        if let Refusal::Fields(errors) = refusal {
            return Ok(Self::fields(errors));
        }
        let (status, alert, retry_after) = stop::spoken(refusal, now)?;
        Ok(Self { retry_after, ..Self::alert(status, alert) })
    }

    /// 429 until then.
    pub(super) fn wait(alert: Alert<'static>, until: UnixMillis, now: UnixMillis) -> Self {
        let retry_after = Some(respond::seconds_between(now, until));
        Self { retry_after, ..Self::alert(StatusCode::TOO_MANY_REQUESTS, alert) }
    }

    /// 403 with the reason why the form was not taken.
    pub(super) fn forged(visit: &Visit<'_>, forgery: Forgery) -> Self {
        match forgery {
            Forgery::NoCookie => Self::say(StatusCode::FORBIDDEN, trouble::cookie_sentence(visit.room, &visit.view)),
            Forgery::OtherOrigin => Self::say(StatusCode::FORBIDDEN, trouble::origin_sentence(visit.room, &visit.view)),
            Forgery::Token => Self::alert(StatusCode::FORBIDDEN, Alert::FormExpired),
        }
    }

    /// What stands above the form.
    pub(super) fn shown_alert(&self) -> Option<Alert<'_>> {
        self.sentence.as_deref().map(Alert::Say).or(self.alert)
    }

    /// The fields to mend, as the templates want them.
    pub(super) fn shown_errors(&self) -> Vec<templates::FieldError<'_>> {
        stop::shown(&self.errors)
    }

    /// Adds `Retry-After` where there is one.
    pub(super) fn finish(&self, answer: Answer) -> Answer {
        match self.retry_after {
            Some(seconds) => respond::retry_after(answer, seconds),
            None => answer,
        }
    }

    fn plain(status: StatusCode) -> Self {
        Self { status, errors: Vec::new(), alert: None, sentence: None, retry_after: None }
    }
}
