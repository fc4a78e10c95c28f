//! Codes sent and checked by somebody else: Twilio Verify v2, or the terminal for trying out.
//!
//! Codes are held by the provider, never by us. An answer counts only as `status == "approved"`.

use std::time::Duration;

pub use crate::config::verify::Channel;
use crate::world::UnixMillis;

/// Where a code goes.
#[derive(Clone, Debug, PartialEq, Eq)]
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

/// A provider of codes. Cheap to clone; called on the service runtime.
#[derive(Clone, Debug)]
pub struct Verifier {}

#[expect(clippy::todo, clippy::unused_async, unused_variables, reason = "being laid")]
impl Verifier {
    /// The provider the configuration chose.
    pub fn new(
        settings: crate::config::verify::Verify,
        clock: crate::world::Clock,
        entropy: crate::world::Entropy,
    ) -> Result<Self, VerifyError> {
        todo!()
    }
    /// Ways this provider offers, in the order shown; empty when it is off.
    pub fn channels(&self) -> &[Channel] {
        todo!()
    }
    /// Sends a code; sending again before it expires sends the same one.
    pub async fn start(
        &self,
        to: &Destination,
        channel: Channel,
        locale: Option<&str>,
    ) -> Result<Started, VerifyError> {
        todo!()
    }
    /// Checks a code of that verification.
    pub async fn check(&self, started: &Started, code: &str) -> Result<Checked, VerifyError> {
        todo!()
    }
    /// Ends a verification that is no longer wanted. Best effort.
    pub async fn cancel(&self, started: &Started) {
        todo!()
    }
}
