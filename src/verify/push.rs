//! Push factors (Factors and Challenges of VERIFY-API): a question on the owner's telephone, answered in the operator's own
//! app. The provider holds the key; an answer counts only as `status == "approved"` of the very challenge that was asked.

use std::time::Duration;

use secrecy::SecretString;

use super::{Backend, SWITCHED_OFF, Verifier, VerifyError, failure};

/// A device that answers pushes, as the provider knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushDevice {
    /// `YF…`
    pub factor: String,
    /// What the app called it. Written by somebody else's program.
    pub name: String,
}

/// What the person is asked.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// One sentence, at most 256 characters.
    pub message: &'a str,
    /// Labels (36 characters at most) and values (128 at most).
    pub fields: &'a [(&'a str, &'a str)],
    /// Unix seconds: no answer counts from then on.
    pub until: i64,
}

/// What the provider says of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// `status == "approved"`
    Approved,
    /// Nobody answered yet.
    Pending,
    /// Its owner said no.
    Denied,
    /// Expired or unknown: ask anew.
    Gone,
}

impl Verifier {
    /// Whether push factors are offered.
    #[must_use]
    pub fn offers_push(&self) -> bool {
        self.push && matches!(self.backend, Backend::Twilio(_))
    }

    /// What the app enrols with, good for [`TOKEN_LIFE`]. `identity`: 8–64 of `[A-Za-z0-9-]`, nothing personal.
    ///
    /// # Errors
    /// [`VerifyError`]
    pub async fn push_token(&self, identity: &str) -> Result<SecretString, VerifyError> {
        let token = match &self.backend {
            Backend::Twilio(twilio) if self.push => twilio.push_token(identity, TOKEN_LIFE).await,
            _ => Err(SWITCHED_OFF),
        };
        token.inspect_err(|error| failure::log("push token", None, error))
    }

    /// The devices that finished enrolling, at most a hundred.
    ///
    /// # Errors
    /// [`VerifyError`]
    pub async fn push_devices(&self, identity: &str) -> Result<Vec<PushDevice>, VerifyError> {
        let devices = match &self.backend {
            Backend::Twilio(twilio) if self.push => twilio.push_devices(identity).await,
            _ => Err(SWITCHED_OFF),
        };
        devices.inspect_err(|error| failure::log("push devices", None, error))
    }

    /// Asks on that device; answers the question's name (`YC…`).
    ///
    /// # Errors
    /// [`VerifyError`]; [`VerifyError::Unreachable`] when the provider knows the device no more.
    pub async fn push(&self, identity: &str, factor: &str, question: Question<'_>) -> Result<String, VerifyError> {
        let asked = match &self.backend {
            Backend::Twilio(twilio) if self.push => twilio.push(identity, factor, question).await,
            _ => Err(SWITCHED_OFF),
        };
        asked.inspect_err(|error| failure::log("push", None, error))
    }

    /// What became of a question to that device. An answer about any other question, device or person is none.
    ///
    /// # Errors
    /// [`VerifyError`] when the provider gave no judgement: nobody gets in.
    pub async fn pushed(&self, identity: &str, factor: &str, challenge: &str) -> Result<Pushed, VerifyError> {
        let state = match &self.backend {
            Backend::Twilio(twilio) if self.push => twilio.pushed(identity, factor, challenge).await,
            _ => Err(SWITCHED_OFF),
        };
        state.inspect_err(|error| failure::log("push answer", None, error))
    }

    /// Has the provider forget a device. Best effort.
    pub async fn forget_push(&self, identity: &str, factor: &str) {
        if let Backend::Twilio(twilio) = &self.backend
            && let Err(error) = twilio.forget_push(identity, factor).await
        {
            failure::log("push removal", None, &error);
        }
    }
}

/// The longest that the provider allows.
pub const TOKEN_LIFE: Duration = Duration::from_mins(5);
