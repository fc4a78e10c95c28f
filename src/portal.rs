//! The portal: one page, one file, with its `get` and its `post`.

use crate::{
    config,
    identity::Identity,
    inbound::{Connection, Request, View, answer::Answer},
    policy::Grant,
    session::{Live, Sessions},
    world::Clock,
};

/// What the pages stand on.
#[derive(Clone, Debug)]
pub struct Portal {}

/// What the operator settled for the pages.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `[portal]`
    pub portal: config::portal::Portal,
    /// `[[site]]`: where `return_to` may lead, and who wants a Basic challenge.
    pub sites: Vec<config::site::Site>,
    /// `[identity]`: what `check` answers with.
    pub fields: config::identity::IdentityFields,
    /// `limits.form`, bytes.
    pub form_limit: usize,
    /// `limits.idle_timeout`: how long a form's body may stall.
    pub form_timeout: std::time::Duration,
    /// `session.remember`, for "Stay signed in for …".
    pub remember: std::time::Duration,
    /// Console codes or mail on an address that is not loopback: pages say so.
    pub trying_out: bool,
}

/// What an error page says; the gateway and the pages share it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// 400: with what to do.
    BadRequest(String),
    /// 403: who you are, whom the page is for.
    Forbidden { name: String, wanted: String },
    /// 404
    NotFound,
    /// 405, with `Allow`.
    Method(&'static str),
    /// 408
    Timeout,
    /// 413
    TooLarge,
    /// 421: the host seen, the host of `portal.url`.
    UnknownHost { seen: String, expected: String },
    /// 429
    Throttled(crate::world::UnixMillis),
    /// 500
    Internal,
    /// 502: the site that is not answering.
    BadGateway(String),
    /// 503, with `Retry-After` seconds.
    Resting(u32),
    /// 504
    GatewayTimeout(String),
}

#[expect(clippy::todo, clippy::unused_async, unused_variables, reason = "being laid")]
impl Portal {
    /// Puts the pages together.
    pub fn new(settings: Settings, identity: Identity, sessions: Sessions, clock: Clock) -> Self {
        todo!()
    }
    /// Serves a granted portal page. Runs on the service runtime.
    pub async fn serve(&self, grant: Grant, connection: &Connection) -> Answer {
        todo!()
    }
    /// The answer to somebody not signed in who asked for a protected place (DESIGN, "Unauthenticated").
    pub fn sign_in_first(&self, request: &Request, ended: bool) -> Answer {
        todo!()
    }
    /// 303 to `second-factor`, or JSON 403, for somebody who has no second factor where one is demanded.
    pub fn step_up_first(&self, request: &Request, live: &Live) -> Answer {
        todo!()
    }
    /// An error page (or JSON for programs).
    pub fn problem(&self, view: Option<&View>, problem: Problem) -> Answer {
        todo!()
    }
}
