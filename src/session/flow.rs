//! The flow cookie, form tokens, and what waits between two pages of one flow.
//!
//! A form token is MAC(secret, flow cookie ‖ session): worthless in another browser, in another sign-in, after sign-out
//! (OWASP CSRF Prevention Cheat Sheet, signed double submit bound to the session). Pending steps live in a keyspace of
//! their own, so that `resume` never sees one.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};

use super::{
    Sessions, Unreachable,
    cookie::Presented,
    id::{self, ID_LENGTH, Key},
    keys::Purpose,
    record::{Live, Sid},
    store::SessionStore,
};
use crate::{
    identity::{
        AppEnrolment, PasskeyEnrolment, PushEnrolment,
        account::AccountId,
        challenge::{Challenge, Enrolment},
    },
    world::{NoEntropy, UnixMillis},
};

/// The flow cookie's value: 32 random bytes. Stores see only its SHA-256.
#[derive(Clone, PartialEq, Eq)]
pub struct FlowId(pub(crate) [u8; ID_LENGTH]);

impl std::fmt::Debug for FlowId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FlowId(…)")
    }
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
    /// Enrolling an authenticator app (bound to this session).
    EnrolApp {
        /// The session that may go on.
        sid: Sid,
        /// Its secret, sealed.
        enrolment: Box<AppEnrolment>,
    },
    /// Enrolling a passkey (bound to this session).
    EnrolPasskey {
        /// The session that may go on.
        sid: Sid,
        /// What the browser was asked.
        enrolment: Box<PasskeyEnrolment>,
    },
    /// Enrolling a telephone that answers pushes (bound to this session).
    EnrolPush {
        /// The session that may go on.
        sid: Sid,
        /// What there was before.
        enrolment: Box<PushEnrolment>,
    },
    /// Nothing is owed: a password was reset, and the page after it names the factors that stayed.
    WasReset {
        /// Whose.
        account: AccountId,
    },
}

impl Sessions {
    /// The flow cookie a request carries: once, and made by us.
    #[must_use]
    pub fn flow(&self, fields: &HeaderMap) -> Option<FlowId> {
        match self.shared.cookies.flow.read(fields) {
            Presented::Once(value) => id::open(&self.shared.keys, Purpose::Flow, value).map(FlowId),
            Presented::Absent | Presented::Ambiguous => None,
        }
    }

    /// A new flow cookie and its `Set-Cookie` value.
    ///
    /// # Errors
    /// [`NoEntropy`] when the operating system has no random bytes.
    pub fn new_flow(&self) -> Result<(FlowId, HeaderValue), NoEntropy> {
        let flow = FlowId(self.shared.entropy.bytes()?);
        let cookie = self.shared.cookies.flow.set(&id::seal(&self.shared.keys, Purpose::Flow, &flow.0), None);
        Ok((flow, cookie))
    }

    /// CSRF token: MAC(secret, flow ‖ session). Text for a hidden field.
    #[must_use]
    pub fn form_token(&self, flow: &FlowId, live: Option<&Live>) -> String {
        URL_SAFE_NO_PAD.encode(self.shared.keys.sign(Purpose::Form, &form_message(flow, live)))
    }

    /// Constant-time check of a token (current and previous secrets).
    #[must_use]
    pub fn form_token_valid(&self, token: &str, flow: &FlowId, live: Option<&Live>) -> bool {
        let mut mac = [0; TOKEN_BYTES];
        // `decode_slice` needs no more room than 43 characters can fill; longer text is no token.
        token.len() == TOKEN_LENGTH
            && URL_SAFE_NO_PAD.decode_slice(token, &mut mac).is_ok_and(|length| length == TOKEN_BYTES)
            && self.shared.keys.verify(Purpose::Form, &form_message(flow, live), &mac)
    }

    /// Keeps what waits between two pages, for `ttl`; replaces what was there.
    ///
    /// # Errors
    /// [`Unreachable`]: nothing waits.
    pub async fn hold(
        &self,
        flow: &FlowId,
        pending: &Pending,
        ttl: Duration,
        now: UnixMillis,
    ) -> Result<(), Unreachable> {
        let (flow, body) = (Key::of(&flow.0), written(pending)?);
        self.shared.on_service(move |shared| async move { shared.store.hold(flow, body, ttl, now).await }).await
    }

    /// The same where something still waits. False when nothing does: a step that ended the flow is not undone by one that
    /// began before it.
    ///
    /// # Errors
    /// [`Unreachable`]: what waited may still wait.
    pub async fn keep(
        &self,
        flow: &FlowId,
        pending: &Pending,
        ttl: Duration,
        now: UnixMillis,
    ) -> Result<bool, Unreachable> {
        let (flow, body) = (Key::of(&flow.0), written(pending)?);
        self.shared.on_service(move |shared| async move { shared.store.keep(flow, body, ttl, now).await }).await
    }

    /// What waits under this flow.
    ///
    /// # Errors
    /// [`Unreachable`]: nobody knows.
    pub async fn held(&self, flow: &FlowId, now: UnixMillis) -> Result<Option<Pending>, Unreachable> {
        let flow = Key::of(&flow.0);
        let body = self.shared.on_service(move |shared| async move { shared.store.held(flow, now).await }).await?;
        // What cannot be read (another version's) is nothing: the flow starts anew.
        Ok(body.and_then(|body| serde_json::from_str(&body).ok()))
    }

    /// Nothing waits any more. True when something did: exactly one caller gets true.
    ///
    /// # Errors
    /// [`Unreachable`]: it may still wait; make no progress.
    pub async fn release(&self, flow: &FlowId) -> Result<bool, Unreachable> {
        let flow = Key::of(&flow.0);
        self.shared.on_service(move |shared| async move { shared.store.release(flow, shared.clock.now()).await }).await
    }
}

fn written(pending: &Pending) -> Result<String, Unreachable> {
    let body = serde_json::to_string(pending).map_err(|error| Unreachable(Box::new(error)))?;
    if body.len() > LONGEST { Err(Unreachable("more would wait than a flow may hold".into())) } else { Ok(body) }
}

/// The flow id has one length, so that no two pairs give one message.
fn form_message(flow: &FlowId, live: Option<&Live>) -> Vec<u8> {
    let mut message = flow.0.to_vec();
    message.extend_from_slice(live.map_or("-", |live| &live.record.sid.0).as_bytes());
    message
}

/// HMAC-SHA256.
const TOKEN_BYTES: usize = 32;
/// The same as base64url without padding.
const TOKEN_LENGTH: usize = 43;
/// Bytes of JSON that may wait under one flow.
const LONGEST: usize = 48 * 1024;
