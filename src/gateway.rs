//! Serve one request. The outer half times, logs and turns errors into answers; the inner half is straight `?`.
//!
//! `read → route → resume → decide → forward | page`. Errors become statuses in `gateway/respond.rs` and nowhere else.

mod entry;
mod leftover;
mod respond;

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use futures_util::FutureExt;
use http::{
    HeaderValue, Method, StatusCode,
    header::{CONNECTION, STRICT_TRANSPORT_SECURITY, TRANSFER_ENCODING},
    request::Parts,
};
use tokio::runtime::Handle;

use self::{
    entry::Entry,
    leftover::Leftover,
    respond::{Failure, Responder},
};
use crate::{
    config,
    identity::Identity,
    inbound::{
        Connection, Held, Reader, Received, Request,
        answer::Answer,
        bearer::{self, Brought, Scheme},
    },
    listener::Service,
    policy::{Decision, Grant, Misdirected, Place, Policy, Subject},
    portal::{Portal, Problem},
    proxy::Proxy,
    session::{Resumed, Sessions},
    telemetry::{
        access::Lines,
        metrics::{Board, Outcome},
    },
    world::{Clock, UnixMillis},
};

/// What a gateway stands on. One per data thread; everything but `proxy` is a cheap clone.
#[derive(Debug)]
pub struct Rooms {
    /// Reads requests.
    pub reader: Reader,
    /// Sites and rules.
    pub policy: Arc<Policy>,
    /// Who asks.
    pub sessions: Sessions,
    /// This thread's own.
    pub proxy: Proxy,
    /// Pages.
    pub portal: Portal,
    /// For "last seen".
    pub identity: Identity,
    /// The service runtime, where pages run.
    pub service: Handle,
    /// The time.
    pub clock: Clock,
    /// This thread's own.
    pub access: Lines,
    /// This thread's requests are counted there.
    pub board: Board,
}

/// One data thread's gateway.
#[derive(Debug)]
pub struct Gateway {
    rooms: Rooms,
    /// What a misdirected person should have typed.
    portal_authority: String,
    /// Its members see which upstream does not answer.
    admin_group: String,
    /// Set when people come by https: browsers then never come otherwise again.
    transport_security: Option<HeaderValue>,
}

impl Gateway {
    /// `portal`: for the Strict-Transport-Security of every answer and the host that pages name; `admin_group`: its members see
    /// which upstream does not answer.
    #[must_use]
    pub fn new(rooms: Rooms, portal: &config::portal::Portal, admin_group: &str) -> Self {
        Self {
            rooms,
            portal_authority: portal.url.authority(),
            admin_group: admin_group.to_owned(),
            transport_security: portal.url.secure.then(|| HeaderValue::from_static("max-age=31536000")),
        }
    }

    /// Read, route, recognise, decide, then forward or show a page.
    async fn answer(
        &self,
        received: Received,
        connection: &Connection,
        entry: &mut Entry<'_>,
    ) -> Result<Answer, Failure> {
        let request = self.read(received, connection)?;
        entry.read(&request.view);
        let (request, place) = self.route(request, connection)?;
        entry.routed(&place);
        // On HTTP/2 every success would open the tunnel that was asked for, and no page is one.
        if request.parts.method == Method::CONNECT && matches!(place, Place::Portal(_)) {
            return Err(Failure::Misdirected(Misdirected::NoSuchPage, Box::new(request)));
        }
        let now = self.rooms.clock.now();
        let (request, subject) = if request.view.shows_token() {
            // Boxed: every request would carry the room for it.
            Box::pin(self.by_token(request, &place, now)).await?
        } else {
            let subject = self.by_cookie(&request, &place, now).await;
            (request, subject)
        };
        entry.recognised(&subject);
        let grant = granted(self.rooms.policy.decide(request, place, subject, now))?;
        self.note_seen(grant.subject(), now);
        match grant.place() {
            Place::Site(site) => {
                let site = Arc::clone(site);
                let sees_upstream = self.sees_upstream(grant.subject());
                let forwarded = self.rooms.proxy.forward(grant).await;
                forwarded.map_err(|error| Failure::Upstream { site, sees_upstream, error })
            }
            Place::Portal(_) => self.page(grant, connection).await,
        }
    }

    fn read(&self, Received { parts, body }: Received, connection: &Connection) -> Result<Request, Failure> {
        match self.rooms.reader.read(&parts, connection) {
            Ok(view) => Ok(Request { view: Arc::new(view), parts, body }),
            Err(malformed) => Err(Failure::Malformed(malformed, Leftover::of(&parts, body))),
        }
    }

    fn route(&self, request: Request, connection: &Connection) -> Result<(Request, Place), Failure> {
        match self.rooms.policy.route(&request.view, connection) {
            Ok(place) => Ok((request, place)),
            Err(misdirected) => Err(Failure::Misdirected(misdirected, Box::new(request))),
        }
    }

    /// Who asks, where one of our tokens is shown: it decides alone, with a cookie or without. Pages but `me` and `check` know
    /// none.
    async fn by_token(
        &self,
        mut request: Request,
        place: &Place,
        now: UnixMillis,
    ) -> Result<(Request, Subject), Failure> {
        if matches!(place, Place::Portal(page) if !matches!(page.path.as_str(), "me" | "check")) {
            Arc::make_mut(&mut request.view).ignore_token();
            let subject = self.by_cookie(&request, place, now).await;
            return Ok((request, subject));
        }
        let (sealed, scheme) = match bearer::brought(&request.parts.headers) {
            Brought::One(sealed, scheme) => (sealed, scheme),
            Brought::Unclear(scheme) => return Err(Failure::Token(Box::new(request), scheme)),
            // The view says that there is one.
            Brought::Nothing => return Err(Failure::Token(Box::new(request), Scheme::Bearer)),
        };
        // A browser sends a password that was once typed into its dialog from any page.
        if scheme == Scheme::Basic && self.serves_another_site(&request, place) {
            return Err(Failure::Token(Box::new(request), scheme));
        }
        match self.rooms.sessions.resume_token(&sealed, now).await {
            Resumed::Live(live) => Ok((request, Subject::Token(live))),
            Resumed::Unreachable => Ok((request, Subject::Unknown)),
            Resumed::Absent | Resumed::Invalid { .. } => Err(Failure::Token(Box::new(request), scheme)),
        }
    }

    fn serves_another_site(&self, Request { view, parts, .. }: &Request, place: &Place) -> bool {
        let secure = self.transport_security.is_some();
        match place {
            Place::Portal(page) if page.is_check() => {
                view.holds_from_another_site(&Held::of(view, &parts.headers), secure)
            }
            Place::Portal(_) | Place::Site(_) => view.from_another_site(secure),
        }
    }

    /// Who asks, by the cookie.
    async fn by_cookie(&self, request: &Request, place: &Place, now: UnixMillis) -> Subject {
        // Assets are for everyone and cached for a year: no lookup for them.
        if matches!(place, Place::Portal(page) if page.path.starts_with("assets/")) {
            return Subject::Anonymous { ended: false };
        }
        match self.rooms.sessions.resume(&request.parts.headers, now).await {
            Resumed::Live(live) => Subject::Session(live),
            Resumed::Absent => Subject::Anonymous { ended: false },
            Resumed::Invalid { ended } => Subject::Anonymous { ended },
            Resumed::Unreachable => Subject::Unknown,
        }
    }

    /// Pages hash passwords and speak SQL: they run on the service runtime, and go on when the client goes away.
    async fn page(&self, grant: Grant, connection: &Connection) -> Result<Answer, Failure> {
        let (portal, connection) = (self.rooms.portal.clone(), connection.clone());
        let page = self.rooms.service.spawn(async move { portal.serve(grant, &connection).await });
        page.await.map_err(Failure::Page)
    }

    fn sees_upstream(&self, subject: &Subject) -> bool {
        subject.live().is_some_and(|live| live.record.groups.contains(&self.admin_group))
    }

    /// Fire and forget: "last seen" is worth a write a minute, and no waiting.
    fn note_seen(&self, subject: &Subject, now: UnixMillis) {
        let Subject::Session(live) = subject else { return };
        if live.notes(now) {
            let (identity, account) = (self.rooms.identity.clone(), live.record.account.clone());
            self.rooms.service.spawn(async move {
                if let Err(error) = identity.seen(&account, now).await {
                    tracing::debug!(account = %account.0, %error, "last seen was not written");
                }
            });
        }
    }

    fn responder(&self) -> Responder<'_> {
        Responder { portal: &self.rooms.portal, portal_authority: &self.portal_authority }
    }

    /// A panic is our fault and this request's alone.
    fn panicked(&self, entry: &mut Entry<'_>, panic: &(dyn Any + Send)) -> Answer {
        let said = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        entry.ended(Outcome::Failed);
        tracing::error!(id = entry.id(), panic = said.unwrap_or("?"), "serving a request panicked");
        let page = || self.rooms.portal.problem(entry.view(), Problem::Internal);
        // The page may be what panicked.
        catch_unwind(AssertUnwindSafe(page)).unwrap_or_else(|_| {
            let mut bare = Answer::new("Something went wrong here.\n".into());
            *bare.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            bare
        })
    }
}

impl Service for Gateway {
    async fn serve(&self, received: Received, connection: &Connection) -> Answer {
        let mut entry = Entry::begin(received.parts.method.clone(), &self.rooms);
        let version = received.parts.version;
        let ends_connection = may_hide_a_length(&received.parts);
        let served = async {
            match self.answer(received, connection, &mut entry).await {
                Ok(answer) => answer,
                Err(failure) => {
                    entry.ended(failure.outcome());
                    self.responder().respond(failure, &mut entry, version, &self.rooms.reader).await
                }
            }
        };
        let served = AssertUnwindSafe(served).catch_unwind().await;
        let mut answer = served.unwrap_or_else(|panic| self.panicked(&mut entry, &*panic));
        if let Some(transport_security) = &self.transport_security {
            answer.headers_mut().entry(STRICT_TRANSPORT_SECURITY).or_insert_with(|| transport_security.clone());
        }
        if ends_connection && answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        entry.answered(answer.status());
        answer
    }
}

/// RFC 9112 §6.1: a message with both `Transfer-Encoding` and `Content-Length` ends its connection. hyper drops the latter before
/// we could see it, so every chunked HTTP/1 request does.
fn may_hide_a_length(parts: &Parts) -> bool {
    parts.version < http::Version::HTTP_2 && parts.headers.contains_key(TRANSFER_ENCODING)
}

fn granted(decision: Decision) -> Result<Grant, Failure> {
    match decision {
        Decision::Allow(grant) => Ok(grant),
        refusal => Err(Failure::Refused(Box::new(refusal))),
    }
}
