//! Factors and Challenges. Strict on what decides: a challenge counts for the sid, identity and factor it was made for.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{Answer, Garbled, Twilio, down, is_sid};
use crate::verify::{
    VerifyError, failure,
    push::{PushDevice, Pushed, Question},
};

/// The part of an `access_token` that matters.
#[derive(Deserialize)]
struct Token {
    token: String,
}

/// The part of a list of factors that matters.
#[derive(Deserialize)]
struct Factors {
    factors: Vec<Factor>,
}

#[derive(Deserialize)]
struct Factor {
    sid: String,
    identity: String,
    friendly_name: Option<String>,
    status: String,
    factor_type: String,
}

/// The parts of a `challenge` that matter.
#[derive(Deserialize)]
struct Challenge {
    sid: String,
    identity: String,
    factor_sid: String,
    status: String,
}

impl Challenge {
    fn of(answer: &Answer, identity: &str, factor: &str) -> Result<Self, VerifyError> {
        let challenge: Self = answer.json()?;
        if !is_sid(&challenge.sid, "YC") || challenge.identity != identity || challenge.factor_sid != factor {
            return Err(down(Garbled::Other));
        }
        Ok(challenge)
    }
}

impl Twilio {
    pub(in crate::verify) async fn push_token(
        &self,
        identity: &str,
        life: Duration,
    ) -> Result<SecretString, VerifyError> {
        let life = life.as_secs().to_string();
        let form = [("Identity", identity), ("FactorType", "push"), ("Ttl", &life)];
        let answer = self.post(&["AccessTokens"], &form).await?;
        if !answer.status.is_success() {
            return Err(failure::of_send(answer.failed()));
        }
        Ok(answer.json::<Token>()?.token.into())
    }

    pub(in crate::verify) async fn push_devices(&self, identity: &str) -> Result<Vec<PushDevice>, VerifyError> {
        let answer = self.plain(Method::GET, &["Entities", identity, "Factors"], &[("PageSize", "100")]).await?;
        // Nobody of that name: nothing was ever enrolled.
        if (answer.status, answer.failed().code) == (StatusCode::NOT_FOUND, Some(20404)) {
            return Ok(Vec::new());
        }
        if !answer.status.is_success() {
            return Err(failure::of_send(answer.failed()));
        }
        let factors = answer.json::<Factors>()?.factors;
        let ready = factors.into_iter().filter(|factor| {
            factor.status == "verified"
                && factor.factor_type == "push"
                && factor.identity == identity
                && is_sid(&factor.sid, "YF")
        });
        let device = |one: Factor| PushDevice { factor: one.sid, name: one.friendly_name.unwrap_or_default() };
        Ok(ready.map(device).collect())
    }

    pub(in crate::verify) async fn push(
        &self,
        identity: &str,
        factor: &str,
        question: Question<'_>,
    ) -> Result<String, VerifyError> {
        let until = OffsetDateTime::from_unix_timestamp(question.until).ok().and_then(|at| at.format(&Rfc3339).ok());
        let until = until.ok_or_else(|| down(Garbled::Other))?;
        let fields: Vec<_> = question.fields.iter().map(|(label, value)| field(label, value)).collect();
        let mut form = vec![("FactorSid", factor), ("ExpirationDate", &*until), ("Details.Message", question.message)];
        form.extend(fields.iter().map(|field| ("Details.Fields", &**field)));
        let answer = self.post(&["Entities", identity, "Challenges"], &form).await?;
        match answer.failed().code {
            _ if answer.status.is_success() => Ok(Challenge::of(&answer, identity, factor)?.sid),
            Some(code @ 20404) => Err(VerifyError::Unreachable { code }),
            _ => Err(failure::of_send(answer.failed())),
        }
    }

    pub(in crate::verify) async fn pushed(
        &self,
        identity: &str,
        factor: &str,
        challenge: &str,
    ) -> Result<Pushed, VerifyError> {
        let answer = self.plain(Method::GET, &["Entities", identity, "Challenges", challenge], &[]).await?;
        if !answer.status.is_success() {
            return failure::of_push(answer.failed());
        }
        let read = Challenge::of(&answer, identity, factor)?;
        if read.sid != challenge {
            return Err(down(Garbled::Other));
        }
        Ok(match read.status.as_str() {
            "approved" => Pushed::Approved,
            "pending" => Pushed::Pending,
            "denied" => Pushed::Denied,
            _ => Pushed::Gone,
        })
    }

    pub(in crate::verify) async fn forget_push(&self, identity: &str, factor: &str) -> Result<(), VerifyError> {
        let answer = self.plain(Method::DELETE, &["Entities", identity, "Factors", factor], &[]).await?;
        if answer.status.is_success() || answer.status == StatusCode::NOT_FOUND {
            return Ok(());
        }
        Err(failure::of_send(answer.failed()))
    }

    /// Asks without a form. Sent once: who asked can ask again.
    async fn plain(&self, method: Method, path: &[&str], query: &[(&str, &str)]) -> Result<Answer, VerifyError> {
        let mut url = self.url(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let sent = self.authorized(self.client.request(method, url)).send().await;
        Answer::read(sent.map_err(super::cannot_reach)?).await
    }
}

/// As the API takes them: JSON in a field of the form. Cut to what it allows.
fn field(label: &str, value: &str) -> String {
    let cut = |text: &str, most| text.chars().take(most).collect::<String>();
    json!({ "label": cut(label, 36), "value": cut(value, 128) }).to_string()
}
