//! Codes sent and checked by somebody else: Twilio Verify v2, or the terminal for trying out.
//!
//! Codes are held by the provider, never by us. An answer counts only as `status == "approved"`.
//! [`Codes`] is the contract, [`Verifier`] the door that `identity` uses; the configuration chooses who stands behind it.
//! Nothing here logs a destination or a code.

mod console;
mod failure;
mod push;
mod twilio;

use std::{fmt, sync::Arc, time::Duration};

pub use self::push::{PushDevice, Pushed, Question, TOKEN_LIFE};
pub use crate::config::verify::Channel;
use crate::{
    config::verify::{Provider, Verify},
    world::{Clock, Entropy, UnixMillis, client::NoClient},
};

/// Where a code goes. Its debug form is masked.
#[derive(Clone, PartialEq, Eq)]
pub enum Destination {
    /// E.164, `+254712123456`.
    Phone(String),
    /// An e-mail address.
    Email(String),
}

/// A started verification.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Started {
    /// The provider's own name for it (`VE…`): later checks go by it.
    pub verification: String,
    /// The way it really went (SMS may have become a call).
    pub channel: Channel,
    /// When it was sent.
    pub sent_at: UnixMillis,
}

/// What the provider says of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checked {
    /// `status == "approved"`
    Approved,
    /// Not the code.
    Wrong,
    /// The provider takes no more checks for this verification (60202).
    Spent,
    /// Expired, used or unknown (20404): ask for a new one.
    Gone,
}

/// Why a code could not be sent or checked, named by what the person can do about it.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// 60205, 60223: this channel cannot reach the number; another may.
    #[error("this channel cannot reach the number (provider code {code})")]
    Unreachable {
        /// Twilio's number.
        code: u32,
    },
    /// 60200: not a number or address the provider takes.
    #[error("the provider refused the destination (provider code {code})")]
    BadDestination {
        /// Twilio's number.
        code: u32,
    },
    /// 60203, 60212, 60207: too many sends; try again later.
    #[error("the provider's limit for this number is reached (provider code {code})")]
    Limited {
        /// Twilio's number.
        code: u32,
        /// When the provider said so.
        retry_after: Option<Duration>,
    },
    /// 60410, 60605, 60238, 60413: this number or country is blocked.
    #[error("the provider does not serve this number (provider code {code})")]
    Blocked {
        /// Twilio's number.
        code: u32,
    },
    /// 20003, 60201 and the like: the operator's settings.
    #[error("the provider refused our settings (status {status}, provider code {code:?})")]
    Settings {
        /// HTTP status.
        status: u16,
        /// Twilio's number.
        code: Option<u32>,
    },
    /// Time-out, reset, garbage, 5xx, 20429.
    #[error("the provider did not answer properly")]
    Down(#[source] Option<Box<dyn std::error::Error + Send + Sync>>),
}

/// The provider's settings cannot be used as they are.
#[derive(Debug, thiserror::Error)]
pub enum Unready {
    /// The certificate authorities, TLS, or the HTTP client.
    #[error(transparent)]
    Client(#[from] NoClient),
    /// `verify.base_url` cannot carry a path.
    #[error("verify.base_url is not an http or https address")]
    BaseUrl,
}

/// The contract of a provider of codes (VERIFY-API): codes live ten minutes, sending again sends the same one,
/// five sends and five checks each, and a code is good once.
trait Codes {
    /// Sends a code, or the same one again.
    async fn start(&self, to: &Destination, channel: Channel, locale: Option<&str>) -> Result<Started, VerifyError>;
    /// Checks a code of the verification of that name.
    async fn check(&self, verification: &str, code: &str) -> Result<Checked, VerifyError>;
    /// Ends a verification. Best effort.
    async fn cancel(&self, verification: &str);
}

/// A provider of codes. Cheap to clone; called on the service runtime.
#[derive(Clone, Debug)]
pub struct Verifier {
    channels: Arc<[Channel]>,
    push: bool,
    backend: Backend,
}

#[derive(Clone, Debug)]
enum Backend {
    Twilio(Arc<twilio::Twilio>),
    Console(Arc<console::Console>),
    Off,
}

impl Verifier {
    /// The provider the configuration chose. Reaches for nobody yet.
    ///
    /// # Errors
    /// [`Unready`] when the settings cannot work.
    pub fn new(settings: Verify, clock: Clock, entropy: Entropy) -> Result<Self, Unready> {
        let (channels, backend) = match settings.provider {
            Provider::Twilio(twilio) => {
                (settings.channels, Backend::Twilio(Arc::new(twilio::Twilio::new(twilio, clock)?)))
            }
            Provider::Console => (settings.channels, Backend::Console(Arc::new(console::Console::new(clock, entropy)))),
            Provider::Off => (Vec::new(), Backend::Off),
        };
        Ok(Self { channels: channels.into(), push: settings.push, backend })
    }

    /// Ways this provider offers, in the order shown; empty when it is off.
    #[must_use]
    pub fn channels(&self) -> &[Channel] {
        &self.channels
    }

    /// Whether codes appear in the terminal.
    #[must_use]
    pub fn is_console(&self) -> bool {
        matches!(self.backend, Backend::Console(_))
    }

    /// Sends a code; sending again before it expires sends the same one.
    ///
    /// # Errors
    /// [`VerifyError`], by what the person can do about it.
    pub async fn start(
        &self,
        to: &Destination,
        channel: Channel,
        locale: Option<&str>,
    ) -> Result<Started, VerifyError> {
        let started = match &self.backend {
            Backend::Twilio(twilio) => twilio.start(to, channel, locale).await,
            Backend::Console(console) => console.start(to, channel, locale).await,
            Backend::Off => Err(SWITCHED_OFF),
        };
        started.inspect_err(|error| failure::log("send", Some(channel), error))
    }

    /// Checks a code of that verification.
    ///
    /// # Errors
    /// [`VerifyError`] when the provider gave no judgement: nobody gets in.
    pub async fn check(&self, started: &Started, code: &str) -> Result<Checked, VerifyError> {
        let checked = match &self.backend {
            Backend::Twilio(twilio) => twilio.check(&started.verification, code).await,
            Backend::Console(console) => console.check(&started.verification, code).await,
            Backend::Off => Err(SWITCHED_OFF),
        };
        checked.inspect_err(|error| failure::log("check", Some(started.channel), error))
    }

    /// Ends a verification that is no longer wanted. Best effort.
    pub async fn cancel(&self, started: &Started) {
        match &self.backend {
            Backend::Twilio(twilio) => twilio.cancel(&started.verification).await,
            Backend::Console(console) => console.cancel(&started.verification).await,
            Backend::Off => {}
        }
    }
}

const SWITCHED_OFF: VerifyError = VerifyError::Settings { status: 0, code: None };

impl Destination {
    /// What pages and the terminal show: `•••• 42` or `a•••@example.org`.
    #[must_use]
    pub fn masked(&self) -> String {
        match self {
            Self::Phone(number) => {
                let digits: Vec<char> = number.chars().filter(char::is_ascii_digit).collect();
                let last: String = digits.iter().skip(digits.len().saturating_sub(2)).collect();
                format!("•••• {last}")
            }
            Self::Email(address) => {
                let (name, domain) = address.rsplit_once('@').unwrap_or((address, ""));
                let first: String = name.chars().take(1).collect();
                format!("{first}•••@{domain}")
            }
        }
    }

    /// As the provider wants it.
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Phone(to) | Self::Email(to) => to,
        }
    }
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

#[cfg(test)]
#[path = "../tests/front_door/twilio.rs"]
pub(crate) mod double;
#[cfg(test)]
mod tests;
