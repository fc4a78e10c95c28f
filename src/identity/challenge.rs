//! A second factor owed: what is kept between its pages.

use serde::{Deserialize, Serialize};
use webauthn_rs::prelude::PasskeyAuthentication;

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
    /// What is asked for.
    pub asked: Asked,
    /// The account's other ways, to choose instead.
    pub others: Vec<Way>,
    /// The code that was asked for before another way was chosen: who comes back finds its message still good.
    pub aside: Option<Delivery>,
    /// When "send again" works.
    pub resend_at: UnixMillis,
    /// How many codes were sent: each wait is longer than the last.
    pub sends: u32,
    /// The language messages are asked for in; `None` leaves it to the provider.
    pub locale: Option<String>,
    /// The browser in words ("Firefox on Windows"), for who is asked on the telephone.
    #[serde(default)]
    pub device: String,
    /// What was asked on the telephone. Apart from what is asked for now: who comes back finds the question still open.
    #[serde(default)]
    pub pushes: Pushes,
}

/// Questions on a telephone.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Pushes {
    /// The one that is open.
    pub open: Option<Push>,
    /// When the next one may go.
    pub again_at: UnixMillis,
    /// How many went; a denied one counts for more: each wait is longer than the last.
    pub count: u32,
}

/// A question on a telephone.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Push {
    /// The factor.
    pub factor: String,
    /// `YC…`, made for this sign-in, and read for no other.
    pub challenge: String,
    /// Stands on both screens, so that nobody approves another's sign-in.
    pub number: String,
    /// When it was asked.
    pub sent_at: UnixMillis,
    /// How often it was read.
    pub reads: u32,
}

/// What is asked for: one arm for each kind of factor.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Asked {
    /// The code of a message or call.
    Code(Delivery),
    /// The code an authenticator app shows now.
    App {
        /// The factor.
        factor: String,
    },
    /// A signature by any of the account's passkeys.
    Passkey {
        /// What the browser was asked; `None` where passkeys are not offered (any more).
        ceremony: Option<Box<Ceremony>>,
    },
    /// An approval on a telephone.
    Push {
        /// The factor.
        factor: String,
        /// What its owner's app called it.
        name: String,
    },
}

/// How a code travels.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Delivery {
    /// The factor.
    pub factor: String,
    /// `•••• 42` or `a•••@example.org`.
    pub masked: String,
    /// Ways to send, in the order shown. Empty when none of the factor's is offered any more: it is owed all the same.
    pub channels: Vec<Channel>,
    /// Preferred or last used.
    pub channel: Channel,
    /// The verification under way; `None` until the first send succeeded.
    pub started: Option<Started>,
    /// Set when SMS could not reach the number and a call was made instead.
    pub fell_back: bool,
}

/// A WebAuthn authentication under way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ceremony {
    /// What the answer is judged by.
    pub state: PasskeyAuthentication,
    /// What the browser is asked: `PublicKeyCredentialRequestOptions` as JSON.
    pub options: String,
    /// When it began.
    pub began: UnixMillis,
}

/// One way to show a second factor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Way {
    /// The factor's id, or [`PASSKEY`] for whichever passkey.
    pub name: String,
    /// What it is.
    pub kind: WayKind,
}

/// The kinds of ways.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WayKind {
    /// A code by message or call.
    Code {
        /// How, as the person prefers.
        channel: Channel,
        /// Where to.
        masked: String,
    },
    /// An authenticator app.
    App,
    /// A passkey.
    Passkey,
    /// An approval on a telephone.
    Push {
        /// What its owner's app called it.
        name: String,
    },
}

/// The way that all passkeys of an account are together: the browser knows which it has.
pub const PASSKEY: &str = "passkey";

impl Asked {
    /// The code that is asked for, if it is one that travels.
    #[must_use]
    pub fn delivery(&self) -> Option<&Delivery> {
        if let Self::Code(delivery) = self { Some(delivery) } else { None }
    }

    /// The same, to change it.
    pub fn delivery_mut(&mut self) -> Option<&mut Delivery> {
        if let Self::Code(delivery) = self { Some(delivery) } else { None }
    }

    /// The way's name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Code(Delivery { factor, .. }) | Self::App { factor } | Self::Push { factor, .. } => factor,
            Self::Passkey { .. } => PASSKEY,
        }
    }
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
