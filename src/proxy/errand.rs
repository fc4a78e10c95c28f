//! A granted request without its body: kept until the answer comes, for it may have to be sent again.
//!
//! Here it becomes the request an upstream gets, in the form of HTTP/1.1 or HTTP/2.

use std::{net::IpAddr, sync::Arc};

use http::{
    HeaderMap, HeaderValue, Method, Request, Uri, Version, header,
    request::Parts,
    uri::{self, PathAndQuery, Scheme},
};
use hyper::{body::Incoming, ext::Protocol, upgrade::OnUpgrade};

use super::{
    Proxy, ProxyError,
    body::{ClientBody, Upload},
    endpoint::Lease,
    fields, forwarded, identity,
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
    parts: Parts,
    uri: Uri,
    peer: IpAddr,
    pub authority: HeaderValue,
    pub upgrade: Option<Upgrade>,
}

impl Errand {
    /// `target`: the origin-form the upstream is asked for; `peer`: who is at the other end of the TCP connection.
    pub fn new(
        request: inbound::Request,
        subject: Subject,
        site: Arc<Site>,
        target: &str,
        peer: IpAddr,
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

    /// A message that this very process has sent comes back by a site that leads here.
    pub fn first_time(&self, proxy: &Proxy) -> Result<(), ProxyError> {
        if proxy.pseudonym.is_in(&self.parts.headers) { Err(ProxyError::Loop) } else { Ok(()) }
    }

    /// The request as the upstream at the other end of `lease` gets it.
    pub fn request(&self, proxy: &Proxy, body: ClientBody, lease: &Lease) -> Result<Request<ClientBody>, ProxyError> {
        let host = match self.site.settings.host_header {
            HostHeader::Original => &self.authority,
            HostHeader::Upstream => lease.authority(),
        };
        match lease.http2() {
            None => self.by_http1(proxy, body, host),
            Some(scheme) => self.by_http2(proxy, body, host, scheme),
        }
    }

    /// The request in the form of HTTP/1.1.
    pub fn by_http1(
        &self,
        proxy: &Proxy,
        body: ClientBody,
        host: &HeaderValue,
    ) -> Result<Request<ClientBody>, ProxyError> {
        let mut fields = self.fields(proxy);
        fields.insert(header::HOST, host.clone());
        if let Some(upgrade) = &self.upgrade {
            web_socket::ask_http1(upgrade, &mut fields);
        } else if fields::grpc_trailers(&self.parts.headers) {
            fields.insert(header::CONNECTION, HeaderValue::from_static("te"));
            fields.insert(header::TE, HeaderValue::from_static("trailers"));
        }
        self.operators(&mut fields);
        fields::frame(&mut fields, &self.view.method, &body);
        let mut request = Request::new(body);
        *request.method_mut() = self.view.method.clone();
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = fields;
        Ok(request)
    }

    /// The request in the form of HTTP/2 (RFC 9113 §8.3.1): no `Host`, its authority stands in the URI.
    fn by_http2(
        &self,
        proxy: &Proxy,
        body: ClientBody,
        host: &HeaderValue,
        scheme: Scheme,
    ) -> Result<Request<ClientBody>, ProxyError> {
        let mut fields = self.fields(proxy);
        let mut method = self.view.method.clone();
        let mut request = Request::new(body);
        if self.upgrade.is_some() {
            method = Method::CONNECT;
            request.extensions_mut().insert(Protocol::from_static(web_socket::PROTOCOL));
            web_socket::ask_http2(&mut fields);
        } else if fields::trailers(&self.parts.headers) {
            fields.insert(header::TE, HeaderValue::from_static("trailers"));
        }
        self.operators(&mut fields);
        let mut uri = uri::Parts::from(self.uri.clone());
        uri.scheme = Some(scheme);
        uri.authority = Some(uri::Authority::try_from(host.as_bytes()).map_err(ProxyError::broken)?);
        *request.method_mut() = method;
        *request.uri_mut() = Uri::from_parts(uri).map_err(ProxyError::broken)?;
        *request.version_mut() = Version::HTTP_2;
        *request.headers_mut() = fields;
        Ok(request)
    }

    fn fields(&self, proxy: &Proxy) -> HeaderMap {
        let received = &self.parts.headers;
        // What the client may say; everything after this line is ours and replaces what stands there.
        let mut fields = proxy.names.end_to_end(received);
        proxy.sessions.strip_cookies(&mut fields);
        fields::join_cookies(&mut fields);
        identity::set(&proxy.names.identity, &proxy.assertions, (&self.subject, &self.site), &mut fields);
        forwarded::set(&self.view, received, self.peer, &mut fields);
        proxy.pseudonym.sign(&mut fields, self.parts.version);
        fields
    }

    /// The operator's fields last: nothing of the client's or ours stands above the configuration.
    fn operators(&self, fields: &mut HeaderMap) {
        let set = &self.site.settings.set_fields;
        fields::remove_spellings(fields, set);
        for (name, value) in set {
            fields.insert(name, value.clone());
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
