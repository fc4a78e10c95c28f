//! What is kept of a session, and what a request holds of a live one.

use std::{sync::Arc, time::Duration};

use http::HeaderMap;
use serde::{Deserialize, Serialize};

use super::{activity::Pulse, id::Key, told};
use crate::{
    identity::{
        Method, Shown,
        access_token::Sites,
        account::{Account, AccountId},
    },
    inbound::{Client, Device},
    world::UnixMillis,
};

/// The public name of a session: stable when the id rotates; may appear in logs.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sid(pub Arc<str>);

/// Where a session began, as its owner is shown it: words and a network, nothing that singles out a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// "Firefox on Windows"; empty when it was not kept.
    pub device: String,
    /// `192.0.2.0/24`; empty when it was not kept.
    pub network: String,
}

impl Place {
    /// Where this client sends these fields from.
    #[must_use]
    pub fn of(client: &Client, fields: &HeaderMap) -> Self {
        Self { device: Device::of(fields).to_string(), network: client.network().to_string() }
    }
}

/// Everything a request needs to know of its session. Written only for security reasons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Public name.
    pub sid: Sid,
    /// `sub`
    pub account: AccountId,
    /// The account's generation when these names and groups were read: an older reading never overwrites a newer one.
    #[serde(default)]
    pub generation: i64,
    /// The account's generation when its owner last proved who they are: changes up to it do not end this session.
    #[serde(default)]
    pub proved: i64,
    /// `preferred_username`
    pub username: String,
    /// Full name.
    pub name: String,
    /// Only once confirmed.
    pub email: Option<String>,
    /// Sorted.
    pub groups: Vec<String>,
    /// What was shown, oldest first.
    pub factors: Vec<Shown>,
    /// When the session began.
    pub created_at: UnixMillis,
    /// Absolute deadline.
    pub expires_at: UnixMillis,
    /// Idle span; activity older than this ends the session.
    pub idle: Duration,
    /// "Stay signed in".
    pub remember: bool,
    /// Where it began. Records from before this was kept have none.
    #[serde(default)]
    pub place: Place,
    /// Of an access token: where it may be used. `None`: a browser's session. Neither is ever taken for the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Sites>,
    /// See [`Record::told`].
    #[serde(skip)]
    pub(crate) told: told::Once,
}

impl Record {
    /// Whether a second factor was shown in this session.
    #[must_use]
    pub fn two_factor(&self) -> bool {
        self.factors.iter().any(|shown| shown.method != Method::Pwd)
    }

    /// `amr` of RFC 8176; `mfa` is added when there are two.
    #[must_use]
    pub fn amr(&self) -> Vec<&'static str> {
        let mut amr: Vec<_> = Vec::new();
        for shown in &self.factors {
            if !amr.contains(&shown.method.amr()) {
                amr.push(shown.method.amr());
            }
        }
        if self.two_factor() {
            amr.push("mfa");
        }
        amr
    }

    /// When the last factor was shown.
    #[must_use]
    pub fn auth_time(&self) -> UnixMillis {
        self.factors.iter().map(|shown| shown.at).max().unwrap_or(self.created_at)
    }

    /// Takes over what the account says now; keeps what the session says.
    pub(crate) fn describe(&mut self, account: &Account) {
        self.told = told::Once::default();
        self.generation = account.generation;
        self.username.clone_from(&account.username);
        self.name = account.name();
        self.email = account.email_confirmed.then(|| account.email.clone());
        self.groups.clone_from(&account.groups);
        self.groups.sort_unstable();
    }

    /// Adds what was shown; of one method only the latest showing counts.
    pub(crate) fn show(&mut self, shown: Vec<Shown>) {
        for new in shown {
            self.factors.retain(|old| old.method != new.method);
            self.factors.push(new);
        }
        self.factors.sort_by_key(|shown| shown.at);
    }

    /// When the session ends if nothing comes after `active_at`; never past the absolute deadline.
    pub(crate) fn deadline(&self, active_at: UnixMillis) -> UnixMillis {
        active_at.plus(self.idle).min(self.expires_at)
    }
}

/// A session that is alive right now, with the key to change it.
#[derive(Clone, Debug)]
pub struct Live {
    /// The record as read.
    pub record: Arc<Record>,
    /// When it would end if nothing more came.
    pub idle_expires_at: UnixMillis,
    /// SHA-256 of the id: the store's key.
    pub(crate) key: Key,
    /// Its activity, shared by everything in this process that speaks for the session.
    pub(crate) pulse: Arc<Pulse>,
}

impl Live {
    /// Whether its owner should be noted as seen now; says so once a minute.
    #[must_use]
    pub fn notes(&self, now: UnixMillis) -> bool {
        self.pulse.notes(now)
    }

    /// A live session without a store, for tests of other rooms.
    #[cfg(test)]
    #[must_use]
    pub fn for_testing(record: Record) -> Self {
        let record = Arc::new(record);
        let key = Key([0; 32]);
        let pulse = Arc::new(Pulse::new(&record, key, record.created_at));
        Self { idle_expires_at: record.deadline(record.created_at), record, key, pulse }
    }
}

impl Record {
    /// A session of Ada's that began at 0 and lasts a day; password only.
    #[cfg(test)]
    #[must_use]
    pub fn for_testing() -> Self {
        let day = Duration::from_secs(24 * 3600);
        Self {
            sid: Sid("sid-of-ada".into()),
            account: AccountId("id-of-ada".into()),
            generation: 0,
            proved: 0,
            username: "ada".into(),
            name: "Ada Lovelace".into(),
            email: Some("ada@example.org".into()),
            groups: vec!["staff".into()],
            factors: vec![Shown { method: Method::Pwd, at: UnixMillis(0) }],
            created_at: UnixMillis(0),
            expires_at: UnixMillis(0).plus(day),
            idle: day,
            remember: false,
            place: Place::default(),
            token: None,
            told: told::Once::default(),
        }
    }
}
