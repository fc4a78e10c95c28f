//! Sessions: id, cookie, record, activity; a store trait with two backends; revocation.
//!
//! One lookup decides a request: the record (`s:`) holds everything; activity (`t:`) is its own key. Absent, invalid
//! and unreachable are three answers. OWASP Session Management Cheat Sheet; NIST SP 800-63B-4 §5.

pub mod keys;
pub mod outbox;
pub mod store;

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;

pub use self::{keys::Keys, store::Store};

use crate::{
    config::{self, portal::PortalUrl},
    identity::{
        Authenticated, Shown,
        account::{Account, AccountId},
        challenge::{Challenge, Enrolment},
    },
    world::{Clock, Entropy, UnixMillis},
};

/// The public name of a session: stable when the id rotates; may appear in logs.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sid(pub Arc<str>);

/// Everything a request needs to know of its session. Written only for security reasons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Public name.
    pub sid: Sid,
    /// `sub`
    pub account: AccountId,
    /// The account's generation when these names and groups were read: an older reading never overwrites a newer one.
    pub generation: i64,
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
}

impl Record {
    /// Whether a second factor was shown in this session.
    #[must_use]
    pub fn two_factor(&self) -> bool {
        self.factors.iter().any(|shown| shown.method != crate::identity::Method::Pwd)
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
}

/// SHA-256 of a session id, all that stores ever see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key(pub(crate) [u8; 32]);

/// What a request's cookie turned out to be.
#[derive(Clone, Debug)]
pub enum Resumed {
    /// Signed in.
    Live(Live),
    /// No cookie of ours.
    Absent,
    /// Not made by us, or ended, expired, revoked. `ended` when the MAC was right.
    Invalid {
        /// A cookie we once made: "Your session ended".
        ended: bool,
    },
    /// The store did not answer: 503, and the cookie stays.
    Unreachable,
}

/// The store did not answer.
#[derive(Debug, thiserror::Error)]
#[error("the session store is not reachable")]
pub struct Unreachable(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// Why no session was started or rotated; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum NotStarted {
    /// The session ended, or the account changed, between the proof and its use: sign in again.
    #[error("the session or the account changed meanwhile")]
    Overtaken,
    /// 503.
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
}

/// What waits between two pages of one flow, under the flow cookie.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Pending {
    /// Signing in; the second factor is owed.
    SignIn {
        /// What is owed.
        challenge: Box<Challenge>,
        /// "Stay signed in".
        remember: bool,
        /// Where to go afterwards, as `inbound`/portal parsed it.
        return_to: String,
    },
    /// Enrolling a phone (bound to this session).
    Enrol {
        /// The session that may go on.
        sid: Sid,
        /// The phone.
        enrolment: Box<Enrolment>,
    },
}

/// The flow cookie's value: 32 random bytes. Stores see only its SHA-256.
#[derive(Clone, PartialEq, Eq)]
pub struct FlowId(pub(crate) [u8; 32]);

/// The door of this room. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Sessions {
    shared: Arc<Shared>,
}

#[derive(Debug)]
#[expect(dead_code, reason = "being laid")]
struct Shared {
    settings: config::session::Session,
    keys: Keys,
    store: Store,
    service: Handle,
    clock: Clock,
    entropy: Entropy,
}

#[expect(clippy::todo, clippy::unused_async, unused_variables, reason = "being laid")]
impl Sessions {
    /// Opens the room: store misses, activity, revocation watching and sweeping run on `service`.
    ///
    /// The store need not answer yet.
    #[must_use]
    pub fn new(
        settings: config::session::Session,
        portal: &PortalUrl,
        keys: Keys,
        store: Store,
        service: Handle,
        clock: Clock,
        entropy: Entropy,
    ) -> Self {
        Self { shared: Arc::new(Shared { settings, keys, store, service, clock, entropy }) }
    }

    /// Who sent these fields. Never blocks a data thread: misses are answered on the service runtime.
    pub async fn resume(&self, fields: &HeaderMap, now: UnixMillis) -> Resumed {
        todo!()
    }
    /// Starts a session with a new id; `replaces` dies in the same step. Answers the `Set-Cookie` value.
    pub async fn start(
        &self,
        proof: Authenticated,
        remember: bool,
        replaces: Option<&Live>,
        now: UnixMillis,
    ) -> Result<HeaderValue, NotStarted> {
        todo!()
    }
    /// The same session (`sid`) under a new id, with more factors shown (step-up, password change).
    pub async fn rotate(&self, live: &Live, proof: Authenticated, now: UnixMillis) -> Result<HeaderValue, NotStarted> {
        todo!()
    }
    /// Ends one session on every node.
    pub async fn end(&self, live: &Live) -> Result<(), Unreachable> {
        todo!()
    }
    /// Ends an account's sessions, all but `except`; a proof older than `generation` starts none any more.
    pub async fn end_account(
        &self,
        account: &AccountId,
        except: Option<&Sid>,
        generation: i64,
    ) -> Result<(), Unreachable> {
        todo!()
    }
    /// Rewrites names, e-mail and groups in an account's sessions.
    pub async fn rewrite_account(&self, account: &Account) -> Result<(), Unreachable> {
        todo!()
    }
    /// A `Set-Cookie` value that removes our cookie.
    pub fn removal(&self) -> HeaderValue {
        todo!()
    }
    /// Waits until this session is revoked, replaced, idle or past its deadline. For tunnels and streams.
    pub async fn ended(&self, live: &Live) {
        todo!()
    }
    /// Bytes came from the client in a tunnel: activity.
    pub fn touch(&self, live: &Live, now: UnixMillis) {
        todo!()
    }

    /// The flow cookie a request carries.
    pub fn flow(&self, fields: &HeaderMap) -> Option<FlowId> {
        todo!()
    }
    /// A new flow cookie and its `Set-Cookie` value.
    pub fn new_flow(&self) -> Result<(FlowId, HeaderValue), crate::world::NoEntropy> {
        todo!()
    }
    /// CSRF token: MAC(secret, flow ‖ session). Text for a hidden field.
    pub fn form_token(&self, flow: &FlowId, live: Option<&Live>) -> String {
        todo!()
    }
    /// Constant-time check of a token (current and previous secrets).
    pub fn form_token_valid(&self, token: &str, flow: &FlowId, live: Option<&Live>) -> bool {
        todo!()
    }
    /// Keeps what waits between two pages, for `ttl`; replaces what was there.
    pub async fn hold(
        &self,
        flow: &FlowId,
        pending: &Pending,
        ttl: Duration,
        now: UnixMillis,
    ) -> Result<(), Unreachable> {
        todo!()
    }
    /// What waits under this flow.
    pub async fn held(&self, flow: &FlowId, now: UnixMillis) -> Result<Option<Pending>, Unreachable> {
        todo!()
    }
    /// Nothing waits any more. True when something did: exactly one caller gets true.
    pub async fn release(&self, flow: &FlowId) -> Result<bool, Unreachable> {
        todo!()
    }

    /// Whether the store answers.
    pub async fn ready(&self) -> Result<(), Unreachable> {
        todo!()
    }
    /// Waits until an outbox row is applied here (the portal reports success only then), at most a few seconds.
    pub async fn settled(&self, row: crate::identity::outbox::RowId) -> Result<(), Unreachable> {
        todo!()
    }
    /// Whether this request's fields hold our cookie name twice or more, or cookies of ours to strip.
    pub fn strip_cookies(&self, fields: &mut HeaderMap) {
        todo!()
    }
    /// Whether a `Set-Cookie` value from an upstream would set one of our cookies.
    pub fn sets_ours(&self, value: &HeaderValue) -> bool {
        todo!()
    }
}
