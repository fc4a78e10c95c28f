//! A second factor owed: what is kept between its pages.

use serde::{Deserialize, Serialize};

use super::account::AccountId;
use crate::{config::verify::Channel, verify::Started, world::UnixMillis};

/// A sign-in that still owes its second factor. Kept by `session.hold`, never by the client.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Challenge {
    /// Whose.
    pub account: AccountId,
    /// When the password was right.
    pub password_at: UnixMillis,
    /// Changes with every guarded change of the account: a challenge from before it is stale.
    pub generation: i64,
    /// The factor chosen.
    pub factor: String,
    /// `•••• 42` or `a•••@example.org`.
    pub masked: String,
    /// An authenticator app is asked: nothing is sent.
    #[serde(default)]
    pub app: bool,
    /// The account's other factors, to choose instead.
    #[serde(default)]
    pub others: Vec<Other>,
    /// Ways to send, in the order shown.
    pub channels: Vec<Channel>,
    /// Preferred or last used.
    pub channel: Channel,
    /// The verification under way; `None` until the first send succeeded.
    pub started: Option<Started>,
    /// Set when SMS could not reach the number and a call was made instead.
    pub fell_back: bool,
    /// When "send again" works.
    pub resend_at: UnixMillis,
    /// How many codes were sent: each wait is longer than the last.
    #[serde(default)]
    pub sends: u32,
    /// The language messages are asked for in; `None` leaves it to the provider.
    #[serde(default)]
    pub locale: Option<String>,
}

/// Another factor of the account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Other {
    /// Its id.
    pub factor: String,
    /// How its codes travel; `None` for an authenticator app.
    pub channel: Option<Channel>,
    /// Where to; empty for an authenticator app.
    pub masked: String,
}

/// A phone, or the account's own address, being enrolled.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Enrolment {
    /// Whose.
    pub account: AccountId,
    /// Changes with every guarded change of the account: an enrolment from before it is stale.
    pub generation: i64,
    /// E.164; `None` when the codes go to the account's address.
    pub number: Option<String>,
    /// `•••• 42`
    pub masked: String,
    /// Ways to send, in the order shown.
    pub channels: Vec<Channel>,
    /// Last used; becomes the preferred one.
    pub channel: Channel,
    /// The verification under way.
    pub started: Started,
    /// No tries are left: its code is worth nothing any more.
    #[serde(default)]
    pub spent: bool,
    /// Set when SMS could not reach the number and a call was made instead.
    pub fell_back: bool,
    /// When "send again" works.
    pub resend_at: UnixMillis,
    /// How many codes were sent: each wait is longer than the last.
    #[serde(default)]
    pub sends: u32,
    /// The language messages are asked for in; `None` leaves it to the provider.
    #[serde(default)]
    pub locale: Option<String>,
}
