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
}

/// A phone being enrolled.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Enrolment {
    /// Whose.
    pub account: AccountId,
    /// E.164.
    pub number: String,
    /// `•••• 42`
    pub masked: String,
    /// Ways to send.
    pub channels: Vec<Channel>,
    /// Preferred.
    pub channel: Channel,
    /// The verification under way.
    pub started: Started,
    /// Set when SMS could not reach the number and a call was made instead.
    pub fell_back: bool,
    /// When "send again" works.
    pub resend_at: UnixMillis,
}
