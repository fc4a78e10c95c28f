//! The nouns of an account. Parsed once, at the edge.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{config::verify::Channel, verify::Destination, world::UnixMillis};

/// `sub`: a UUIDv7 as text; never changes, never reused.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccountId(pub Arc<str>);

/// One person, as the accounts database knows them (without the password hash).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// `sub`
    pub id: AccountId,
    /// `preferred_username`; `[a-z0-9._-]{2,32}`
    pub username: String,
    /// Given name.
    pub first_name: String,
    /// Family name.
    pub last_name: String,
    /// As typed, for sending.
    pub email: String,
    /// Whether the owner (or the operator for them) confirmed it.
    pub email_confirmed: bool,
    /// At most 140 code points.
    pub about_me: String,
    /// Sorted; no commas inside.
    pub groups: Vec<String>,
    /// Disabled people cannot sign in; their sessions are gone. So are people who wait for an approval.
    pub disabled: bool,
    /// Since when the account waits for an administrator's approval.
    pub waiting_since: Option<UnixMillis>,
    /// Whether they chose their own username, and so may change it.
    pub chose_username: bool,
    /// Member since.
    pub created_at: UnixMillis,
    /// Last use, to the minute.
    pub last_seen_at: Option<UnixMillis>,
    /// Second factors, oldest first.
    pub factors: Vec<Factor>,
    /// The name of the way (see `challenge::Way`) its owner wants to be asked for first.
    pub asked_first: Option<String>,
    /// Grows with every guarded change (password, factors, groups, disabling) and every row of the outbox: what was
    /// begun under an older one is stale.
    pub generation: i64,
}

impl Account {
    /// Somebody for tests to work with.
    #[cfg(test)]
    pub(crate) fn for_testing(username: &str) -> Self {
        Self {
            id: AccountId(format!("00000000-0000-7000-8000-{username:0>12}").into()),
            username: username.into(),
            first_name: "Ada".into(),
            last_name: "Lovelace".into(),
            email: format!("{username}@example.org"),
            email_confirmed: true,
            about_me: String::new(),
            groups: Vec::new(),
            disabled: false,
            waiting_since: None,
            chose_username: true,
            created_at: UnixMillis(1_700_000_000_000),
            last_seen_at: None,
            factors: Vec::new(),
            asked_first: None,
            generation: 0,
        }
    }

    /// "Ada Lovelace"
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} {}", self.first_name, self.last_name).trim().to_owned()
    }

    /// What mails call the person: "Ada". Nobody proved to own an unconfirmed address, and whoever typed it chose the
    /// name: mails there carry none.
    #[must_use]
    pub fn greeted(&self) -> &str {
        if self.email_confirmed { &self.first_name } else { "" }
    }

    /// Where that factor's codes go, as pages show it: `•••• 42` or `a•••@example.org`; empty when they go nowhere.
    #[must_use]
    pub fn masked(&self, factor: &FactorKind) -> String {
        match factor {
            FactorKind::Phone { number, .. } => Destination::Phone(number.clone()).masked(),
            FactorKind::Email => Destination::Email(self.email.clone()).masked(),
            FactorKind::App { .. } | FactorKind::Passkey { .. } | FactorKind::Push { .. } => String::new(),
        }
    }
}

/// A second factor that is on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Factor {
    /// Own id; never reused.
    pub id: String,
    /// What it is.
    pub kind: FactorKind,
    /// Since when.
    pub since: UnixMillis,
}

impl Factor {
    /// Whether it is an authenticator app.
    #[must_use]
    pub fn is_app(&self) -> bool {
        matches!(self.kind, FactorKind::App { .. })
    }
}

/// The kinds of factors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum FactorKind {
    /// Twilio Verify to this number, by the preferred channel.
    Phone {
        /// E.164.
        number: String,
        /// What the person prefers.
        channel: Channel,
    },
    /// Twilio Verify to the account's own confirmed address. A code there says nothing about a phone, so there is none.
    Email,
    /// An authenticator app (TOTP, RFC 6238).
    App {
        /// The secret, sealed under the account's id; base 64.
        sealed: String,
    },
    /// A passkey (WebAuthn). Its key stands in a table of its own.
    Passkey {
        /// What its owner calls it.
        name: String,
    },
    /// A telephone with the operator's own app (Twilio Verify Push). The provider knows it under the account's id.
    Push {
        /// What the app called it.
        name: String,
        /// `YF…`
        factor_sid: String,
    },
}

impl FactorKind {
    /// How its codes travel, as the person prefers; `None` when none is sent.
    #[must_use]
    pub fn channel(&self) -> Option<Channel> {
        match self {
            Self::Phone { channel, .. } => Some(*channel),
            Self::Email => Some(Channel::Email),
            Self::App { .. } | Self::Passkey { .. } | Self::Push { .. } => None,
        }
    }
}
