//! A granted request without its body: kept until the answer comes, for it may have to be sent again.
//!
//! Here it becomes the request an upstream gets, in the form of HTTP/1.1 or HTTP/2.

use std::sync::Arc;

use http::{
    HeaderMap, HeaderValue, Method, Request, Uri, Version, header,
    request::Parts,
    uri::{self, PathAndQuery, Scheme},
};
use hyper::{body::Incoming, ext::Protocol, upgrade::OnUpgrade};
use tokio::time::Instant;

use super::{
    Proxy, ProxyError,
    body::{ClientBody, Upload},
    fields::{self, Names, Sink},
    forwarded, identity,
    web_socket::{self, Asked, Upgrade},
};
use crate::{
    config::site::HostHeader,
    inbound::{self, View},
    policy::{Site, Subject},
};

/// See the head of this file.
pub(super) struct Errand {
    pub view: Arc<View>,
    pub subject: Subject,
    pub site: Arc<Site>,
    /// When its answer has to be over (`limits.total`).
    pub end: Option<Instant>,
    /// Towards this site.
    pub names: Arc<Names>,
    parts: Box<Parts>,
    uri: Uri,
    pub authority: HeaderValue,
    pub upgrade: Option<Upgrade>,
}

impl Errand {
    /// `target`: the origin-form the upstream is asked for; `names`: of the site.
    pub fn new(
        request: inbound::Request,
        subject: Subject,
        site: Arc<Site>,
        target: &str,
        names: &Arc<Names>,
        end: Option<Instant>,
    ) -> Result<(Self, Incoming), ProxyError> {
        let inbound::Request { view, mut parts, body } = request;
        let uri = match parts.uri.path_and_query() {
            Some(same) if same.as_str() == target => Uri::from(same.clone()),
            _ => Uri::from(PathAndQuery::try_from(target).map_err(ProxyError::broken)?),
        };
        let authority = view.forwarded.host.clone();
        let empty = http_body::Body::is_end_stream(&body);
        let upgrade = match (&view.upgrade, parts.extensions.remove::<OnUpgrade>()) {
            (Some(offer), Some(client))
                if parts.method == Method::CONNECT || (empty && parts.version == Version::HTTP_11) =>
            {
                Upgrade::new(offer, client, &parts)
            }
            _ => None,
        };
        Ok((Self { view, subject, site, end, names: Arc::clone(names), parts, uri, authority, upgrade }, body))
    }

    /// Whether somebody speaks here, by a session or a token.
    pub fn signed_in(&self) -> bool {
        self.subject.live().is_some()
    }

    /// A WebSocket carries the cookie, or a token that the browser keeps as a password, wherever the page that opened it came
    /// from, and no CORS stands in the way: only pages of this authority may open one with a session (OWASP ASVS 5.0, 4.4.2).
    /// Programs send no `Origin`.
    pub fn same_origin(&self) -> Result<(), ProxyError> {
        let Some(origin) = self.view.fetch.origin.as_deref().filter(|_| self.upgrade.is_some() && self.signed_in())
        else {
            return Ok(());
        };
        let View { authority, secure, .. } = &*self.view;
        let same = url::Url::parse(origin).is_ok_and(|origin| {
            // Behind a proxy that ends TLS we may see http; never the other way round.
            let scheme = origin.scheme() == "https" || (!secure && origin.scheme() == "http");
            scheme
                && origin.host_str().is_some_and(|host| host.eq_ignore_ascii_case(&authority.host))
                && origin.port() == authority.port
        });
        if same { Ok(()) } else { Err(ProxyError::ForeignOrigin) }
    }

    /// A message that this very process has sent comes back by a site that leads here.
    pub fn first_time(&self, proxy: &Proxy) -> Result<(), ProxyError> {
        if proxy.pseudonym.is_in(&self.parts.headers) { Err(ProxyError::Loop) } else { Ok(()) }
    }

    /// What `Host` says to an upstream whose own authority is `upstream`.
    pub fn host<'a>(&'a self, upstream: &'a HeaderValue) -> &'a HeaderValue {
        match self.site.settings.host_header {
            HostHeader::Original => &self.authority,
            HostHeader::Upstream => upstream,
        }
    }

    /// What the upstream is asked for, in origin-form.
    pub fn target(&self) -> &str {
        self.uri.path_and_query().map_or("/", PathAndQuery::as_str)
    }

    /// The fields of the request in the form of HTTP/1.1.
    pub fn put_http1(&self, proxy: &Proxy, body: &ClientBody, host: &HeaderValue, sink: &mut impl Sink) {
        sink.put(&header::HOST, host);
        self.put_fields(proxy, self.asked_by_connect(), sink);
        if let Some(upgrade) = &self.upgrade {
            web_socket::put_question(upgrade, sink);
        } else if fields::grpc_trailers(&self.parts.headers) {
            sink.put_text(&header::CONNECTION, "te");
            sink.put_text(&header::TE, "trailers");
        }
        fields::put_framing(&self.parts.headers, &self.view.method, body, sink);
    }

    /// The request as it would travel over HTTP/1.1.
    pub fn by_http1(&self, proxy: &Proxy, body: ClientBody, host: &HeaderValue) -> Request<ClientBody> {
        let mut fields = HeaderMap::new();
        self.put_http1(proxy, &body, host, &mut fields);
        let mut request = Request::new(body);
        *request.method_mut() = self.view.method.clone();
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = fields;
        request
    }

    /// The request in the form of HTTP/2 (RFC 9113 §8.3.1): no `Host`, its authority stands in the URI.
    pub fn by_http2(
        &self,
        proxy: &Proxy,
        body: ClientBody,
        host: &HeaderValue,
        scheme: Scheme,
    ) -> Result<Request<ClientBody>, ProxyError> {
        let mut fields = HeaderMap::with_capacity(self.parts.headers.len() + OURS);
        self.put_fields(proxy, self.upgrade.is_some(), &mut fields);
        let mut method = self.view.method.clone();
        let mut request = Request::new(body);
        if self.upgrade.is_some() {
            method = Method::CONNECT;
            request.extensions_mut().insert(Protocol::from_static(web_socket::PROTOCOL));
        } else if fields::trailers(&self.parts.headers) {
            fields.put_text(&header::TE, "trailers");
        }
        let mut uri = uri::Parts::from(self.uri.clone());
        uri.scheme = Some(scheme);
        uri.authority = Some(uri::Authority::try_from(host.as_bytes()).map_err(ProxyError::broken)?);
        *request.method_mut() = method;
        *request.uri_mut() = Uri::from_parts(uri).map_err(ProxyError::broken)?;
        *request.version_mut() = Version::HTTP_2;
        *request.headers_mut() = fields;
        Ok(request)
    }

    /// What both forms have in common. Nothing of it is said twice: what the client says under a name of ours, or of the
    /// operator's, stays behind. `keyless`: its key for a WebSocket is of no use.
    fn put_fields(&self, proxy: &Proxy, keyless: bool, sink: &mut impl Sink) {
        let received = &self.parts.headers;
        let except = keyless.then_some(&header::SEC_WEBSOCKET_KEY);
        self.names.put_end_to_end(received, except, sink);
        if let Some(cookies) = proxy.sessions.other_cookies(received) {
            sink.put(&header::COOKIE, &cookies);
        }
        identity::put(&self.names.identity, &proxy.assertions, (&self.subject, &self.site), sink);
        forwarded::put(&self.view, sink);
        let set = &self.site.settings.set_fields;
        if !set.iter().any(|(name, _)| *name == header::VIA) {
            proxy.pseudonym.sign(sink, self.parts.version);
        }
        for (name, value) in set {
            sink.put(name, value);
        }
    }

    /// Whether the client waits for a WebSocket on a stream of HTTP/2: every 2xx would open it.
    pub fn asked_by_connect(&self) -> bool {
        self.upgrade.as_ref().is_some_and(|upgrade| upgrade.asked == Asked::Connect)
    }

    /// Whether sending it twice does no more than sending it once (RFC 9110 §9.2.2), and there is nothing of it that only
    /// the client has.
    pub fn replayable(&self, upload: Option<&Upload>) -> bool {
        const IDEMPOTENT: [Method; 5] = [Method::GET, Method::HEAD, Method::OPTIONS, Method::PUT, Method::DELETE];
        upload.is_none() && self.upgrade.is_none() && IDEMPOTENT.contains(&self.parts.method)
    }
}

/// Room for our own fields.
const OURS: usize = 16;
