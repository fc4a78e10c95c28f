//! Twilio Verify v2 by reqwest. What is sent and what comes back: VERIFY-API.
//!
//! Strict on what decides (2xx, `sid`, `status == "approved"`), lenient on everything else. Anything that cannot be
//! read is "down", and down lets nobody in.

mod push;

use std::{fmt, time::Duration};

use reqwest::{RequestBuilder, Response, StatusCode, header::RETRY_AFTER};
use secrecy::ExposeSecret;
use serde::Deserialize;
use url::Url;

use super::{Channel, Checked, Codes, Destination, Started, Unready, VerifyError, failure};
use crate::{
    config,
    world::{Clock, client},
};

/// A Verify service.
pub(super) struct Twilio {
    settings: config::verify::Twilio,
    client: reqwest::Client,
    clock: Clock,
}

/// The parts of a `verification` that matter.
#[derive(Deserialize)]
struct Verification {
    sid: String,
    channel: Option<String>,
}

/// The part of a `verification_check` that matters.
#[derive(Deserialize)]
struct Check {
    status: String,
}

/// The part of an error body that matters.
#[derive(Deserialize)]
struct ErrorBody {
    code: Option<u32>,
}

/// An answer, read within its bound.
struct Answer {
    status: StatusCode,
    retry_after: Option<Duration>,
    body: Vec<u8>,
}

/// Answers that no Twilio sends.
#[derive(Debug, thiserror::Error)]
enum Garbled {
    #[error("its answer is longer than 64 KiB")]
    TooLong,
    #[error("its answer is not the JSON expected")]
    Json(#[from] serde_json::Error),
    #[error("its answer names no verification")]
    Sid,
    #[error("its answer is about something else")]
    Other,
}

impl Codes for Twilio {
    async fn start(&self, to: &Destination, channel: Channel, locale: Option<&str>) -> Result<Started, VerifyError> {
        let mut form = vec![("To", to.as_str()), ("Channel", channel.name())];
        // Mails know no languages.
        form.extend(locale.filter(|_| channel != Channel::Email).map(|locale| ("Locale", locale)));
        let mut answer = self.post(&["Verifications"], &form).await?;
        // So it answers for a language that the message does not speak; nothing was sent.
        if answer.status == StatusCode::NOT_FOUND && form.pop_if(|(name, _)| *name == "Locale").is_some() {
            answer = self.post(&["Verifications"], &form).await?;
        }
        if !answer.status.is_success() {
            return Err(failure::of_send(answer.failed()));
        }
        let verification: Verification = answer.json()?;
        if !is_sid(&verification.sid, "VE") {
            return Err(down(Garbled::Sid));
        }
        let went = verification.channel.as_deref().map(str::to_ascii_lowercase);
        Ok(Started {
            verification: verification.sid,
            channel: went.as_deref().and_then(Channel::parse).unwrap_or(channel),
            sent_at: self.clock.now(),
        })
    }

    async fn check(&self, verification: &str, code: &str) -> Result<Checked, VerifyError> {
        let answer = self.post(&["VerificationCheck"], &[("VerificationSid", verification), ("Code", code)]).await?;
        if !answer.status.is_success() {
            return failure::of_check(answer.failed());
        }
        let check: Check = answer.json()?;
        Ok(match check.status.as_str() {
            "approved" => Checked::Approved,
            "max_attempts_reached" => Checked::Spent,
            "canceled" | "deleted" | "failed" | "expired" => Checked::Gone,
            _ => Checked::Wrong,
        })
    }

    async fn cancel(&self, verification: &str) {
        if let Err(error) = self.post(&["Verifications", verification], &[("Status", "canceled")]).await {
            failure::log("cancel", None, &error);
        }
    }
}

impl Twilio {
    /// A client of its own, with every limit set.
    pub(super) fn new(settings: config::verify::Twilio, clock: Clock) -> Result<Self, Unready> {
        if settings.base_url.cannot_be_a_base() {
            return Err(Unready::BaseUrl);
        }
        let client = client::new(&settings.base_url, CONNECT, WHOLE)?;
        Ok(Self { settings, client, clock })
    }

    /// Sends a form. Sent a second time only if no connection came about: Verify has no idempotency key, and a
    /// second message or a second check would count.
    async fn post(&self, path: &[&str], form: &[(&str, &str)]) -> Result<Answer, VerifyError> {
        let request = || self.request(path, form);
        let sent = match request().send().await {
            Err(error) if error.is_connect() => {
                tokio::time::sleep(PAUSE).await;
                request().send().await
            }
            first => first,
        };
        Answer::read(sent.map_err(cannot_reach)?).await
    }

    fn request(&self, path: &[&str], form: &[(&str, &str)]) -> RequestBuilder {
        self.authorized(self.client.post(self.url(path))).form(form)
    }

    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.settings.base_url.clone();
        // `new` saw to it that the address can carry a path.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["v2", "Services", &self.settings.service_sid]).extend(path);
        }
        url
    }

    fn authorized(&self, request: RequestBuilder) -> RequestBuilder {
        request.basic_auth(&self.settings.account_sid, Some(self.settings.auth_token.expose_secret()))
    }
}

impl Answer {
    async fn read(mut response: Response) -> Result<Self, VerifyError> {
        let status = response.status();
        let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let retry_after = seconds.map(|seconds: u64| Duration::from_secs(seconds.min(LONGEST_RETRY_AFTER)));
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(cannot_reach)? {
            if body.len() + chunk.len() > LONGEST_BODY {
                return Err(down(Garbled::TooLong));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Self { status, retry_after, body })
    }

    fn json<'a, T: Deserialize<'a>>(&'a self) -> Result<T, VerifyError> {
        serde_json::from_slice(&self.body).map_err(|error| down(Garbled::Json(error)))
    }

    fn failed(&self) -> failure::Failed {
        let code = serde_json::from_slice(&self.body).ok().and_then(|body: ErrorBody| body.code);
        failure::Failed { status: self.status.as_u16(), code, retry_after: self.retry_after }
    }
}

/// reqwest's error without its address.
fn cannot_reach(error: reqwest::Error) -> VerifyError {
    VerifyError::Down(Some(Box::new(error.without_url())))
}

fn down(garbled: Garbled) -> VerifyError {
    VerifyError::Down(Some(Box::new(garbled)))
}

/// `^VE[0-9a-fA-F]{32}$`, with that prefix.
fn is_sid(sid: &str, prefix: &str) -> bool {
    sid.strip_prefix(prefix).is_some_and(|hex| hex.len() == 32 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

impl fmt::Debug for Twilio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Twilio").field("service_sid", &self.settings.service_sid).finish_non_exhaustive()
    }
}

const CONNECT: Duration = Duration::from_secs(3);
const WHOLE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(250);
const LONGEST_BODY: usize = 64 * 1024;
const LONGEST_RETRY_AFTER: u64 = 3600;
