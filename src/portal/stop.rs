//! What ends a page early, the same way on every page: handlers use `?`, one place renders.

use http::StatusCode;
use templates::{Alert, page::Trouble};

use super::{Problem, respond, visit::Visit};
use crate::{
    identity::{FieldError, Refusal},
    inbound::answer::Answer,
    session::{NotStarted, Unreachable},
    verify::VerifyError,
    world::{NoEntropy, UnixMillis},
};

/// How a handler ends.
pub(super) type Outcome = Result<Answer, Stop>;

/// Why a handler could not go on.
#[derive(Debug, thiserror::Error)]
pub(super) enum Stop {
    /// Nobody is signed in (any more).
    #[error("nobody is signed in")]
    SignInFirst,
    /// Somebody is signed in who does not administrate.
    #[error("only administrators may do this")]
    NotTheirs,
    /// The identity room refused, and the page has no words of its own for it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The session store does not answer.
    #[error(transparent)]
    Sessions(#[from] Unreachable),
    /// No session could be started or changed.
    #[error(transparent)]
    NotStarted(#[from] NotStarted),
    /// No random bytes.
    #[error(transparent)]
    Entropy(#[from] NoEntropy),
}

impl Visit<'_> {
    /// The answer to a handler that could not go on; logs what is not the visitor's fault.
    pub(super) fn stopped(&self, stop: Stop) -> Answer {
        let problem = match &stop {
            Stop::SignInFirst => return self.room.sign_in_first(&self.view, &self.fields),
            Stop::NotTheirs => Problem::Forbidden {
                name: self.live().map(|live| live.record.name.clone()).unwrap_or_default(),
                wanted: format!("group {}", self.room.identity.admin_group()),
            },
            Stop::Refused(refusal) => match refusal {
                Refusal::Throttled { until } => Problem::Throttled(*until),
                Refusal::Busy { retry_after } => Problem::Resting(seconds(*retry_after)),
                Refusal::Store(_) | Refusal::Verify(_) => Problem::Resting(RESTING),
                Refusal::Closed => return self.unregistered(Trouble::RegistrationClosed),
                Refusal::InvitationOnly => return self.unregistered(Trouble::InvitationOnly),
                Refusal::Full => return self.unregistered(Trouble::RegistrationFull),
                Refusal::Stale => return self.room.sign_in_first(&self.view, &self.fields),
                Refusal::Internal(_) => Problem::Internal,
                Refusal::Fields(_)
                | Refusal::Mismatch
                | Refusal::Unconfirmed
                | Refusal::Waiting
                | Refusal::DeadLink
                | Refusal::LastAdministrator => {
                    Problem::BadRequest("Go back, check what you typed, and send it again.".into())
                }
            },
            Stop::NotStarted(NotStarted::Overtaken) => return self.room.sign_in_first(&self.view, &self.fields),
            Stop::Sessions(_) | Stop::NotStarted(NotStarted::Unreachable(_)) => Problem::Resting(RESTING),
            Stop::Entropy(_) => Problem::Internal,
        };
        let id = self.view.id.as_str();
        match problem {
            // Ours to mend: the operator is mailed. A store that rests is said once, by who looks after it.
            Problem::Internal => tracing::error!(request_id = id, error = chain(&stop), "a page failed"),
            Problem::Resting(_) => tracing::warn!(request_id = id, error = chain(&stop), "a page could not be served"),
            _ => {}
        }
        self.problem(&problem)
    }
}

/// A refusal as one alert of a page and its status, where every page says it alike; else the page ends.
pub(super) fn spoken(refusal: Refusal, now: UnixMillis) -> Result<(StatusCode, Alert<'static>, Option<u64>), Stop> {
    Ok(match refusal {
        Refusal::Throttled { until } => (
            StatusCode::TOO_MANY_REQUESTS,
            Alert::Throttled { until: until.0 },
            Some(respond::seconds_between(now, until)),
        ),
        Refusal::Busy { retry_after } => {
            (StatusCode::SERVICE_UNAVAILABLE, Alert::Busy { retry_after }, Some(u64::from(seconds(retry_after))))
        }
        Refusal::Verify(error) => provider(&error, now),
        other => return Err(Stop::Refused(other)),
    })
}

/// What a provider's answer means to the person.
fn provider(error: &VerifyError, now: UnixMillis) -> (StatusCode, Alert<'static>, Option<u64>) {
    match error {
        VerifyError::Unreachable { .. } | VerifyError::BadDestination { .. } => {
            (StatusCode::UNPROCESSABLE_ENTITY, Alert::BadDestination, None)
        }
        VerifyError::Limited { retry_after, .. } => {
            let until = retry_after.map(|wait| now.plus(wait).0);
            (
                StatusCode::TOO_MANY_REQUESTS,
                Alert::SendLimit { until },
                Some(retry_after.map_or(600, |wait| wait.as_secs())),
            )
        }
        VerifyError::Blocked { code } => (StatusCode::UNPROCESSABLE_ENTITY, blocked(*code), None),
        VerifyError::Settings { .. } | VerifyError::Down(_) => {
            tracing::warn!(error = chain(error), "the code provider did not serve a page");
            (StatusCode::SERVICE_UNAVAILABLE, Alert::CodesDown, Some(u64::from(RESTING)))
        }
    }
}

/// Fraud guard, geographic permissions, and everything else that blocks a number.
pub(super) fn blocked(code: u32) -> Alert<'static> {
    match code {
        60410 => Alert::HeldBack,
        60605 => Alert::NotThatCountry,
        _ => Alert::Blocked,
    }
}

/// Field errors as the templates want them.
pub(super) fn shown(errors: &[FieldError]) -> Vec<templates::FieldError<'_>> {
    errors.iter().map(|error| templates::FieldError { field: error.field, message: &error.message }).collect()
}

/// An error and what lies behind it, on one line.
pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn seconds(span: std::time::Duration) -> u32 {
    u32::try_from(span.as_secs().max(1)).unwrap_or(u32::MAX)
}

/// What we say in `Retry-After` when nothing better is known.
pub(super) const RESTING: u32 = 5;
