//! The portal: one page, one file, with its `get` and its `post`.

mod activity;
mod address;
mod app;
mod assets;
mod change_password_redirect;
mod channel;
mod check;
mod confirm;
mod done;
mod edit;
mod email;
mod export;
mod factors;
mod forgotten;
mod form;
#[cfg(any(test, fuzzing))]
pub mod fuzzed;
mod hops;
mod invitations;
mod jwks;
mod leave;
mod me;
mod page;
mod passkey;
mod password;
mod people;
mod phone;
mod profile;
mod push;
mod recovery;
mod register;
mod reset;
mod respond;
pub mod return_to;
mod route;
mod second_factor;
mod sessions;
mod setup;
mod sign_in;
mod sign_out;
mod stop;
mod tokens;
mod trouble;
mod verify;
mod visit;

use std::sync::Arc;

use http::Method;
use templates::TryingOut;

use self::{return_to::Destinations, visit::Room};
use crate::{
    assertion::Assertions,
    config::{self, site::HostPattern},
    identity::Identity,
    inbound::{Connection, Request, View, answer::Answer, bearer::Scheme},
    policy::{Grant, Place},
    session::{Live, Sessions},
    world::Clock,
};

/// What the pages stand on.
#[derive(Clone, Debug)]
pub struct Portal {
    room: Arc<Room>,
}

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
    /// `accounts.two_factor_groups`: who may not turn their last second factor off.
    pub two_factor_groups: config::accounts::Demanding,
    /// Codes or mails go to the console: pages say so, or a newcomer would wait for their telephone.
    pub trying_out: Option<TryingOut>,
}

/// What an error page says; the gateway and the pages share it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// 400: with what to do.
    BadRequest(String),
    /// 403: who you are, whom the page is for.
    Forbidden {
        /// "Ada", or empty when nobody is signed in.
        name: String,
        /// "group staff"; may be empty.
        wanted: String,
    },
    /// 404
    NotFound,
    /// 405, with `Allow`.
    Method(&'static str),
    /// 408
    Timeout,
    /// 413
    TooLarge,
    /// 421: the host seen, the host of `portal.url`.
    UnknownHost {
        /// As the client named it.
        seen: String,
        /// Of `portal.url`.
        expected: String,
    },
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

impl Portal {
    /// Puts the pages together.
    #[must_use]
    pub fn new(
        settings: Settings,
        identity: Identity,
        (sessions, assertions): (Sessions, Assertions),
        clock: Clock,
    ) -> Self {
        let portal = &settings.portal;
        if check::overruled(&settings) {
            tracing::info!(
                "{}/check answers other gateways with 403: a site.rule asks for more than being signed in (groups, two-factor or \
                 nobody), and forward-auth does not know rules yet",
                portal.path
            );
        }
        let room = Room {
            destinations: Destinations::new(&portal.url, &portal.path, &settings.sites),
            back: back(&settings),
            portal_prefix: format!("{}{}", portal.url.origin(), portal.path),
            assets: format!("{}/assets", portal.path),
            identity,
            sessions,
            assertions,
            clock,
            settings,
        };
        Self { room: Arc::new(room) }
    }

    /// Serves a granted portal page. Runs on the service runtime.
    pub async fn serve(&self, grant: Grant, _connection: &Connection) -> Answer {
        let (request, subject, place) = grant.into_parts();
        match place {
            Place::Portal(page) => route::serve(&self.room, request, subject, &page).await,
            // The gateway sends sites to the proxy.
            Place::Site(_) => self.problem(Some(&request.view), Problem::Internal),
        }
    }

    /// The answer to somebody not signed in who asked for a protected place (DESIGN, "Unauthenticated").
    ///
    /// Whether their session ended is known to the sign-in page by the cookie it is sent.
    #[must_use]
    pub fn sign_in_first(&self, request: &Request, _ended: bool) -> Answer {
        headless(&request.view, self.room.sign_in_first(&request.view, &request.parts.headers))
    }

    /// JSON 401 for a token that is worth nothing, whoever asks.
    #[must_use]
    pub fn no_token(&self, request: &Request, scheme: Scheme) -> Answer {
        headless(&request.view, self.room.no_token(&request.view, scheme))
    }

    /// JSON 403 for a token that is not for this site.
    #[must_use]
    pub fn out_of_scope(&self, request: &Request) -> Answer {
        headless(&request.view, self.room.out_of_scope(&request.view))
    }

    /// 303 to `second-factor`, or JSON 403, for somebody who has no second factor where one is demanded.
    #[must_use]
    pub fn step_up_first(&self, request: &Request, live: &Live) -> Answer {
        headless(&request.view, self.room.step_up_first(&request.view, &live.record.name))
    }

    /// An error page (or JSON for programs).
    #[must_use]
    pub fn problem(&self, view: Option<&View>, problem: Problem) -> Answer {
        let answer = self.room.problem(view, &problem);
        match view {
            Some(view) => headless(view, answer),
            None => answer,
        }
    }
}

/// HEAD is answered like GET, without the body.
fn headless(view: &View, answer: Answer) -> Answer {
    if view.method == Method::HEAD { respond::without_body(answer) } else { answer }
}

/// Where "Back to site" leads: the site on the portal's own host, or the only other one.
fn back(settings: &Settings) -> Option<String> {
    let url = &settings.portal.url;
    let host = |site: &config::site::Site| match &site.host {
        HostPattern::Any => url.host.clone(),
        HostPattern::Exact(host) => host.clone(),
    };
    match settings.sites.as_slice() {
        sites if sites.iter().any(|site| host(site) == url.host) => Some("/".into()),
        [only] => {
            let port = url.authority().strip_prefix(url.host.as_str()).unwrap_or_default().to_owned();
            Some(format!("{}://{}{port}/", url.scheme(), host(only)))
        }
        _ => None,
    }
}
