//! Twilio's error answers, sorted by what the person can do about them. Pure; VERIFY-API has the codes.

use std::time::Duration;

use super::{Channel, Checked, VerifyError, push::Pushed};

/// An answer that is not 2xx.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Failed {
    /// HTTP status.
    pub status: u16,
    /// `code` of the body, if the body was Twilio's.
    pub code: Option<u32>,
    /// `Retry-After` in seconds, if sent.
    pub retry_after: Option<Duration>,
}

/// The provider answered, and the answer says that it cannot serve now.
#[derive(Debug, thiserror::Error)]
#[error("status {status}, provider code {code:?}")]
struct Resting {
    status: u16,
    code: Option<u32>,
}

/// Why a code was not sent.
pub(super) fn of_send(failed: Failed) -> VerifyError {
    let Failed { status, code, retry_after } = failed;
    match code {
        Some(code @ (60205 | 60223)) => VerifyError::Unreachable { code },
        Some(code @ 60200) => VerifyError::BadDestination { code },
        // 60202 on a send: the number's checks are used up, and a new code has to wait until that ends.
        // 60308, 60310, 60312: the same of challenges.
        Some(code @ (60202 | 60203 | 60207 | 60212 | 60308 | 60310 | 60312)) => {
            VerifyError::Limited { code, retry_after }
        }
        Some(code @ (60238 | 60410 | 60413 | 60605)) => VerifyError::Blocked { code },
        Some(20003 | 60201) => VerifyError::Settings { status, code },
        // A limit on us, not on the number: the operator's affair, and it passes.
        Some(20429) => resting(status, code),
        _ if status == 429 || status == 408 || status >= 500 => resting(status, code),
        _ => VerifyError::Settings { status, code },
    }
}

/// What an error answer to a check means.
pub(super) fn of_check(failed: Failed) -> Result<Checked, VerifyError> {
    match (failed.status, failed.code) {
        (404, Some(20404)) => Ok(Checked::Gone),
        (_, Some(60202)) => Ok(Checked::Spent),
        // The provider does not take the code's form: it was not the code.
        (_, Some(60200)) => Ok(Checked::Wrong),
        _ => Err(of_send(failed)),
    }
}

/// What an error answer means to who asks what became of a question.
pub(super) fn of_push(failed: Failed) -> Result<Pushed, VerifyError> {
    match (failed.status, failed.code) {
        (404, Some(20404)) | (_, Some(60323)) => Ok(Pushed::Gone),
        _ => Err(of_send(failed)),
    }
}

fn resting(status: u16, code: Option<u32>) -> VerifyError {
    VerifyError::Down(Some(Box::new(Resting { status, code })))
}

/// One event for what the operator should know; what only the person can mend is no event.
pub(super) fn log(what: &'static str, channel: Option<Channel>, error: &VerifyError) {
    let channel = channel.map(Channel::name);
    match error {
        VerifyError::Settings { status, code } => tracing::error!(
            what,
            channel,
            status,
            code,
            "the code provider refused our settings: see verify.account_sid, verify.auth_token, verify.service_sid"
        ),
        VerifyError::Down(source) => {
            let source = source.as_ref().map(|source| chain(source.as_ref()));
            tracing::warn!(what, channel, source, "the code provider did not answer properly");
        }
        VerifyError::Blocked { code } => tracing::warn!(what, channel, code, "the code provider blocks a number"),
        VerifyError::Limited { code, .. } => {
            tracing::warn!(what, channel, code, "the code provider's limit for a number is reached");
        }
        VerifyError::Unreachable { .. } | VerifyError::BadDestination { .. } => {}
    }
}

/// The whole chain of causes on one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(status: u16, code: u32) -> Failed {
        Failed { status, code: Some(code).filter(|&code| code != 0), retry_after: None }
    }

    #[test]
    fn every_error_code_of_a_send_is_named_by_what_the_person_can_do() {
        let name = |status, code| match of_send(failed(status, code)) {
            VerifyError::Unreachable { .. } => "another way",
            VerifyError::BadDestination { .. } => "mend the number",
            VerifyError::Limited { .. } => "later",
            VerifyError::Blocked { .. } => "another number",
            VerifyError::Settings { .. } => "operator",
            VerifyError::Down(_) => "resting",
        };
        let table = [
            (403, 60205, "another way"),
            (400, 60223, "another way"),
            (400, 60200, "mend the number"),
            (429, 60202, "later"),
            (429, 60203, "later"),
            (429, 60207, "later"),
            (429, 60212, "later"),
            (429, 60308, "later"),
            (429, 60310, "later"),
            (429, 60312, "later"),
            (403, 60238, "another number"),
            (403, 60410, "another number"),
            (403, 60413, "another number"),
            (403, 60605, "another number"),
            (401, 20003, "operator"),
            (400, 60201, "operator"),
            (401, 0, "operator"),
            (404, 20404, "operator"),
            (302, 0, "operator"),
            (429, 20429, "resting"),
            (429, 0, "resting"),
            (500, 20500, "resting"),
            (503, 0, "resting"),
        ];
        for (status, code, expected) in table {
            assert_eq!(name(status, code), expected, "{status} {code}");
        }
    }

    #[test]
    fn a_check_tells_spent_and_gone_from_an_outage() {
        assert_eq!(of_check(failed(429, 60202)).unwrap(), Checked::Spent);
        assert_eq!(of_check(failed(404, 20404)).unwrap(), Checked::Gone);
        // A 404 that is not Twilio's own is a wrong address, not an expired code.
        assert!(matches!(of_check(failed(404, 0)), Err(VerifyError::Settings { .. })));
        assert!(matches!(of_check(failed(429, 20429)), Err(VerifyError::Down(_))));
        assert!(matches!(of_check(failed(500, 0)), Err(VerifyError::Down(_))));
        assert_eq!(of_push(failed(404, 20404)).unwrap(), Pushed::Gone);
        assert_eq!(of_push(failed(403, 60323)).unwrap(), Pushed::Gone);
        assert!(matches!(of_push(failed(404, 0)), Err(VerifyError::Settings { .. })));
        assert!(matches!(of_push(failed(429, 60312)), Err(VerifyError::Limited { .. })));
    }
}
