//! One request to an upstream and the head of its answer: on which connection, for how long, and whether again.

use std::{
    future::Future,
    net::IpAddr,
    pin::{Pin, pin},
    sync::Arc,
};

use http::{HeaderValue, Method, Request, Response, Uri, Version, header, request::Parts, uri::PathAndQuery};
use hyper::{body::Incoming, client::conn::http1::SendRequest, upgrade::OnUpgrade};
use tokio::time::{Duration, Instant, sleep};

use super::{
    Proxy, ProxyError, TOUCH_EVERY,
    body::{ClientBody, Fault, Upload},
    fields, forwarded, identity,
    pool::{Lease, Pool},
};
use crate::{
    config::site::HostHeader,
    inbound::{self, View, answer::Answer},
    policy::{Site, Subject},
    session::{Live, Sessions},
    world::Clock,
};

/// A granted request without its body: kept until the answer comes, for it may have to be sent again.
pub(super) struct Errand {
    pub view: Arc<View>,
    pub subject: Subject,
    pub site: Arc<Site>,
    parts: Parts,
    uri: Uri,
    peer: IpAddr,
    authority: HeaderValue,
    pub upgrade: Option<Upgrade>,
}

/// A wish to speak something else afterwards.
pub(super) struct Upgrade {
    /// As it may be offered: `websocket`.
    pub offer: HeaderValue,
    /// The client's side.
    pub client: OnUpgrade,
}

impl Errand {
    /// `target`: the origin-form policy decided on; `peer`: who is at the other end of the TCP connection.
    pub fn new(
        request: inbound::Request,
        subject: Subject,
        site: Arc<Site>,
        target: Arc<str>,
        peer: IpAddr,
    ) -> Result<(Self, Incoming), ProxyError> {
        let inbound::Request { view, mut parts, body } = request;
        let broken = |error: http::Error| ProxyError::Broken(error.into());
        let uri = match parts.uri.path_and_query() {
            Some(same) if same.as_str() == &*target => Uri::from(same.clone()),
            _ => Uri::from(PathAndQuery::try_from(&*target).map_err(|error| broken(error.into()))?),
        };
        let authority = HeaderValue::try_from(view.authority.to_string()).map_err(|error| broken(error.into()))?;
        let http1 = parts.version == Version::HTTP_11 && http_body::Body::is_end_stream(&body);
        let upgrade = match (&view.upgrade, parts.extensions.remove::<OnUpgrade>()) {
            (Some(offer), Some(client)) if http1 => {
                HeaderValue::from_str(offer).ok().map(|offer| Upgrade { offer, client })
            }
            _ => None,
        };
        Ok((Self { view, subject, site, parts, uri, peer, authority, upgrade }, body))
    }

    /// Whether a session speaks here.
    pub fn signed_in(&self) -> bool {
        matches!(self.subject, Subject::Session(_))
    }

    /// A WebSocket carries the cookie wherever the page that opened it came from, and no CORS stands in the way: only pages
    /// of this authority may open one with a session (OWASP ASVS 5.0, 4.4.2). Programs send no `Origin`.
    pub fn same_origin(&self) -> Result<(), ProxyError> {
        let Some(origin) = self.view.fetch.origin.as_deref().filter(|_| self.upgrade.is_some() && self.signed_in())
        else {
            return Ok(());
        };
        let authority = &self.view.authority;
        let same = url::Url::parse(origin).is_ok_and(|origin| {
            origin.host_str().is_some_and(|host| host.eq_ignore_ascii_case(&authority.host))
                && origin.port() == authority.port
        });
        if same { Ok(()) } else { Err(ProxyError::ForeignOrigin) }
    }

    /// The request as the upstream gets it.
    pub fn request(&self, proxy: &Proxy, body: ClientBody) -> Request<ClientBody> {
        let received = &self.parts.headers;
        let settings = &self.site.settings;
        // What the client may say; everything after this line is ours and replaces what stands there.
        let mut fields = proxy.names.end_to_end(received);
        proxy.sessions.strip_cookies(&mut fields);
        fields::join_cookies(&mut fields);
        identity::set(&proxy.names.identity, &self.subject, &mut fields);
        forwarded::set(&self.view, received, self.peer, &self.authority, &mut fields);
        let host = match settings.host_header {
            HostHeader::Original => self.authority.clone(),
            HostHeader::Upstream => {
                HeaderValue::try_from(settings.upstream.authority()).unwrap_or_else(|_| self.authority.clone())
            }
        };
        fields.insert(header::HOST, host);
        if let Some(upgrade) = &self.upgrade {
            fields.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
            fields.insert(header::UPGRADE, upgrade.offer.clone());
        } else if fields::grpc_trailers(received) {
            fields.insert(header::CONNECTION, HeaderValue::from_static("te"));
            fields.insert(header::TE, HeaderValue::from_static("trailers"));
        }
        // The operator's fields last: nothing of the client's or ours stands above the configuration.
        fields::remove_spellings(&mut fields, &settings.set_fields);
        for (name, value) in &settings.set_fields {
            fields.insert(name, value.clone());
        }
        fields::frame(&mut fields, &self.parts.method, &body);
        let mut request = Request::new(body);
        *request.method_mut() = self.parts.method.clone();
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = fields;
        request
    }

    /// Whether sending it twice does no more than sending it once (RFC 9110 §9.2.2), and there is nothing of it that only
    /// the client has.
    fn replayable(&self, upload: Option<&Upload>) -> bool {
        const IDEMPOTENT: [Method; 5] = [Method::GET, Method::HEAD, Method::OPTIONS, Method::PUT, Method::DELETE];
        upload.is_none() && IDEMPOTENT.contains(&self.parts.method)
    }
}

impl Proxy {
    /// Sends, waits, and turns the answer into the client's.
    pub(super) async fn exchange(
        &self,
        pool: &Arc<Pool>,
        errand: &mut Errand,
        body: ClientBody,
        upload: Option<&Upload>,
    ) -> Result<Answer, ProxyError> {
        let (response, lease) = self.send(pool, errand, body, upload).await?;
        self.receive(errand, response, lease)
    }

    /// A pooled connection may have been closed at the other end a moment ago. Then, once and on a new connection: what was
    /// never sent is sent, and what was sent is repeated when that is harmless.
    async fn send(
        &self,
        pool: &Arc<Pool>,
        errand: &Errand,
        body: ClientBody,
        upload: Option<&Upload>,
    ) -> Result<(Response<Incoming>, Lease), ProxyError> {
        let patience = self.limits.upstream_response;
        let mut request = errand.request(self, body);
        // A tunnel keeps its connection for ever: it gets one of its own.
        if let Some(mut lease) = errand.upgrade.is_none().then(|| pool.reuse()).flatten() {
            request = match attempt(&mut lease.sender, request, upload, patience, self.guard(errand)).await {
                Ok(response) => return Ok((response, lease)),
                Err(Failure::Unsent(request, _)) => *request,
                Err(Failure::Broken(_)) if errand.replayable(upload) => errand.request(self, ClientBody::default()),
                Err(failure) => return Err(failure.into()),
            };
        }
        let mut lease = pool.connect().await?;
        let response = attempt(&mut lease.sender, request, upload, patience, self.guard(errand)).await?;
        Ok((response, lease))
    }

    fn guard<'a>(&'a self, errand: &'a Errand) -> Option<Guard<'a>> {
        match &errand.subject {
            Subject::Session(live) => Some(Guard { sessions: &self.sessions, live, clock: &self.clock }),
            Subject::Anonymous { .. } | Subject::Unknown => None,
        }
    }
}

/// The session a request was granted to, while it waits for its answer.
struct Guard<'a> {
    sessions: &'a Sessions,
    live: &'a Live,
    clock: &'a Clock,
}

enum Failure {
    /// Nothing of it reached the upstream.
    Unsent(Box<Request<ClientBody>>, hyper::Error),
    /// It may have.
    Broken(hyper::Error),
    /// Final, whoever's fault.
    Final(ProxyError),
}

impl From<Failure> for ProxyError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Unsent(_, error) | Failure::Broken(error) => Self::Broken(error.into()),
            Failure::Final(error) => error,
        }
    }
}

async fn attempt(
    sender: &mut SendRequest<ClientBody>,
    request: Request<ClientBody>,
    upload: Option<&Upload>,
    patience: Duration,
    guard: Option<Guard<'_>>,
) -> Result<Response<Incoming>, Failure> {
    // Dropping this future (the client went away) closes the upstream connection: hyper's documented way to cancel.
    let mut answer = pin!(sender.try_send_request(request));
    let began = Instant::now();
    // Most answers begin before the session has to be watched.
    let mut timer = pin!(sleep(if guard.is_some() { patience.min(LONG) } else { patience }));
    let mut session_ends = None;
    let mut touched = began;
    loop {
        tokio::select! {
            biased;
            answered = &mut answer => return answered.map_err(|mut error| match error.take_message() {
                Some(request) => Failure::Unsent(Box::new(request), error.into_error()),
                None => blame(error.into_error(), upload),
            }),
            () = polled(&mut session_ends) => return Err(Failure::Final(ProxyError::Ended)),
            () = &mut timer => {
                // The time runs from the last byte sent: an upload may take as long as it moves.
                let last = upload.map_or(began, Upload::last_moved);
                let (now, until) = (Instant::now(), last + patience);
                if until <= now {
                    return Err(Failure::Final(ProxyError::Silent));
                }
                let Some(guard) = &guard else {
                    timer.as_mut().reset(until);
                    continue;
                };
                session_ends.get_or_insert_with(|| Box::pin(guard.sessions.ended(guard.live)));
                // Bytes of an upload are activity, as those in a tunnel are.
                if last > touched {
                    touched = last;
                    guard.sessions.touch(guard.live, guard.clock.now());
                }
                timer.as_mut().reset(if upload.is_some() { until.min(now + TOUCH_EVERY) } else { until });
            }
        }
    }
}

async fn polled<F: Future<Output = ()>>(future: &mut Option<Pin<Box<F>>>) {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}

/// A request that takes longer than this ends with its session: an upload is a stream, too.
const LONG: Duration = Duration::from_millis(250);

/// hyper says "the body broke off"; the body knows why.
fn blame(error: hyper::Error, upload: Option<&Upload>) -> Failure {
    match upload.and_then(Upload::fault) {
        None => Failure::Broken(error),
        Some(Fault::TooLarge) => Failure::Final(ProxyError::TooLarge),
        Some(Fault::Stalled) => Failure::Final(ProxyError::Stalled),
        Some(Fault::Client) => Failure::Final(ProxyError::Client(error.into())),
    }
}
