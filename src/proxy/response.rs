//! The upstream's answer on its way to the client.
//!
//! Streamed frame by frame. A body that breaks off is an error, so that hyper cuts the client off rather than telling it
//! the body is complete; a body that lasts ends with the session that was granted it.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Version, header};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::sleep;

use super::{
    Proxy, ProxyError, TOUCH_EVERY, endpoint::Lease, errand::Errand, fields, fields::Names, location, stall::Stall,
    tunnel, via,
};
use crate::{
    inbound::answer::{Answer, BodyError, Outgoing},
    policy::Subject,
    session::{Live, Sessions},
    world::Clock,
};

impl Proxy {
    /// hyper has swallowed 100, 102 and 103 by now: this is the answer itself.
    pub(super) fn receive(
        &self,
        errand: &mut Errand,
        response: Response<Incoming>,
        lease: Lease,
    ) -> Result<Answer, ProxyError> {
        let (mut parts, incoming) = response.into_parts();
        let opens = if lease.http2().is_some() && errand.upgrade.is_some() { StatusCode::OK } else { SWITCHING };
        if parts.status == opens {
            return tunnel::open(self, errand, parts, lease);
        }
        if errand.asked_by_connect() && parts.status.is_success() {
            return Err(ProxyError::Broken("an ordinary answer to a WebSocket's handshake".into()));
        }
        decodable(&parts.headers)?;
        clean(&mut parts.headers, &self.sessions);
        location::rewrite(&mut parts.headers, errand, lease.authority());
        via::sign_answer(&mut parts.headers, parts.version);
        if errand.signed_in() && !errand.site.settings.shared_cache {
            keep_private(&mut parts.headers);
        }
        // An HTTP/1.0 upstream says nothing about our client.
        parts.version = Version::HTTP_11;
        parts.extensions.clear();
        let body = if incoming.is_end_stream() {
            lease.release();
            Outgoing::Empty
        } else {
            let watch = match &errand.subject {
                Subject::Session(live) => Watch::Ready(Box::new(Granted {
                    sessions: self.sessions.clone(),
                    live: live.clone(),
                    clock: self.clock.clone(),
                    lasts: lasts(&parts.headers),
                })),
                _ => Watch::Nobody,
            };
            let stall = Stall::new((!lasts(&parts.headers)).then_some(self.limits.upstream_stall));
            Outgoing::stream(AnswerBody { incoming, lease: Some(lease), watch, stall, names: Arc::clone(&self.names) })
        };
        Ok(Response::from_parts(parts, body))
    }
}

/// What of an answer's head belongs to the upstream's connection, or to us, stays behind.
pub(super) fn clean(fields: &mut HeaderMap, sessions: &Sessions) {
    for name in fields::named_by_connection(fields) {
        // Names that frame the message or guard the client are not the upstream's to take away.
        if !KEPT.contains(&name) {
            fields.remove(name);
        }
    }
    for name in HOP_BY_HOP {
        fields.remove(name);
    }
    if fields.get_all(header::SET_COOKIE).iter().any(|cookie| sessions.sets_ours(cookie)) {
        let others: Vec<_> =
            fields.get_all(header::SET_COOKIE).iter().filter(|cookie| !sessions.sets_ours(cookie)).cloned().collect();
        fields.remove(header::SET_COOKIE);
        for cookie in others {
            fields.append(header::SET_COOKIE, cookie);
        }
    }
}

/// hyper took `chunked` away; any other coding is still in the body and nobody would be told.
fn decodable(fields: &HeaderMap) -> Result<(), ProxyError> {
    let mut codings = fields.get_all(header::TRANSFER_ENCODING).iter();
    let plain = match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(one), None) => one.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked"),
        _ => false,
    };
    if plain { Ok(()) } else { Err(ProxyError::Broken("the answer's Transfer-Encoding is not `chunked`".into())) }
}

/// A page made for one person is not stored for others: `public` and `s-maxage` become `private` (RFC 9111 §5.2.2), and
/// what speaks to content delivery networks alone goes (RFC 9213). Neither is needed for a shared cache to keep an answer to
/// a request with cookies (RFC 9111 §3: `max-age`, or a status that is cacheable as such), so `private` is said always; to
/// browsers it changes nothing.
fn keep_private(fields: &mut HeaderMap) {
    for name in [CDN_CACHE_CONTROL, SURROGATE_CONTROL] {
        fields.remove(name);
    }
    let lines: Vec<&[u8]> = fields.get_all(header::CACHE_CONTROL).iter().map(HeaderValue::as_bytes).collect();
    let line = lines.join(&b","[..]);
    let (shared, mut kept): (Vec<&[u8]>, Vec<&[u8]>) = directives(&line).into_iter().partition(|directive| {
        let name = directive.split(|&byte| byte == b'=').next().unwrap_or_default().trim_ascii();
        name.eq_ignore_ascii_case(b"public") || name.eq_ignore_ascii_case(b"s-maxage")
    });
    let says = |name: &[u8]| kept.iter().any(|directive| directive.eq_ignore_ascii_case(name));
    let unshared = says(b"private") || says(b"no-store");
    if unshared && shared.is_empty() {
        return;
    }
    if !unshared {
        kept.insert(0, b"private");
    }
    let private = HeaderValue::from_bytes(&kept.join(&b", "[..])).unwrap_or(HeaderValue::from_static("private"));
    fields.insert(header::CACHE_CONTROL, private);
}

/// Cuts at commas outside quotes.
fn directives(line: &[u8]) -> Vec<&[u8]> {
    let mut quoted = false;
    line.split(|&byte| {
        quoted ^= byte == b'"';
        byte == b',' && !quoted
    })
    .map(<[u8]>::trim_ascii)
    .filter(|directive| !directive.is_empty())
    .collect()
}

/// Event streams and gRPC calls are made to last.
fn lasts(fields: &HeaderMap) -> bool {
    fields.get(header::CONTENT_TYPE).is_some_and(|kind| {
        let begins =
            |with: &[u8]| kind.as_bytes().get(..with.len()).is_some_and(|kind| kind.eq_ignore_ascii_case(with));
        begins(b"text/event-stream") || begins(b"application/grpc")
    })
}

struct AnswerBody {
    incoming: Incoming,
    /// Given back at the end; dropped on the way, the upstream connection closes.
    lease: Option<Lease>,
    watch: Watch,
    stall: Stall,
    names: Arc<Names>,
}

/// When a session's body must end.
enum Watch {
    Nobody,
    /// Not looked at yet: most bodies are over before anything has to be watched.
    Ready(Box<Granted>),
    Watching {
        granted: Box<Granted>,
        ended: Pin<Box<dyn Future<Output = ()> + Send>>,
        touched: Instant,
    },
}

/// The session a body was granted to.
struct Granted {
    sessions: Sessions,
    live: Live,
    clock: Clock,
    /// Made to last: watched from the first pause on, and no sign of the person's doing.
    lasts: bool,
}

impl Watch {
    /// Called when the body pauses.
    fn begin(&mut self) {
        match std::mem::replace(self, Self::Nobody) {
            Self::Ready(granted) => {
                let (sessions, live, lasts) = (granted.sessions.clone(), granted.live.clone(), granted.lasts);
                let ended = Box::pin(async move {
                    if !lasts {
                        sleep(LONG).await;
                    }
                    sessions.ended(&live).await;
                });
                *self = Self::Watching { granted, ended, touched: Instant::now() };
            }
            other => *self = other,
        }
    }

    /// A download that moves is activity, as an upload is: it may take longer than a session may idle.
    fn moved(&mut self) {
        if let Self::Watching { granted, touched, .. } = self
            && !granted.lasts
            && touched.elapsed() >= TOUCH_EVERY
        {
            *touched = Instant::now();
            granted.sessions.touch(&granted.live, granted.clock.now());
        }
    }

    fn ended(&mut self, cx: &mut Context<'_>) -> bool {
        match self {
            Self::Watching { ended, .. } => ended.as_mut().poll(cx).is_ready(),
            _ => false,
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let mut frame = Pin::new(&mut this.incoming).poll_frame(cx);
        if frame.is_pending() {
            this.watch.begin();
            if this.stall.over(cx) {
                this.lease = None;
                return Poll::Ready(Some(Err("the upstream's answer stalled".into())));
            }
        } else {
            this.stall.moved();
        }
        if this.watch.ended(cx) {
            this.lease = None;
            return Poll::Ready(Some(Err("the session ended".into())));
        }
        if let Poll::Ready(Some(Ok(frame))) = &mut frame
            && let Some(trailers) = frame.trailers_mut()
        {
            this.names.clean_trailers(trailers);
        }
        if matches!(frame, Poll::Ready(Some(Ok(_)))) {
            this.watch.moved();
        }
        match &frame {
            Poll::Ready(Some(Err(_))) => this.lease = None,
            Poll::Ready(_) if this.incoming.is_end_stream() || matches!(frame, Poll::Ready(None)) => {
                if let Some(lease) = this.lease.take() {
                    lease.release();
                }
            }
            _ => {}
        }
        frame.map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

const SWITCHING: StatusCode = StatusCode::SWITCHING_PROTOCOLS;
const HOP_BY_HOP: [HeaderName; 8] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    HeaderName::from_static("proxy-authentication-info"),
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];
const KEPT: [HeaderName; 4] =
    [header::CONTENT_LENGTH, header::SET_COOKIE, header::CACHE_CONTROL, header::CONTENT_SECURITY_POLICY];
const CDN_CACHE_CONTROL: HeaderName = HeaderName::from_static("cdn-cache-control");
const SURROGATE_CONTROL: HeaderName = HeaderName::from_static("surrogate-control");
/// A body that lasts longer than this ends with its session.
const LONG: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_caching_becomes_private_and_the_rest_stays() {
        for (before, after) in [
            ("public, max-age=60", "private, max-age=60"),
            ("s-maxage=10", "private"),
            ("Public, S-MaxAge=\"5\", no-transform", "private, no-transform"),
            ("private, s-maxage=5", "private"),
            ("max-age=60", "private, max-age=60"),
            ("private=\"set-cookie\", max-age=60", "private, private=\"set-cookie\", max-age=60"),
            ("public, no-store", "no-store"),
            ("no-store", "no-store"),
            ("ext=\"a, public\", max-age=1", "private, ext=\"a, public\", max-age=1"),
        ] {
            let mut fields = HeaderMap::new();
            fields.insert(header::CACHE_CONTROL, HeaderValue::from_static(before));
            fields.insert(CDN_CACHE_CONTROL, HeaderValue::from_static("max-age=60"));
            keep_private(&mut fields);
            assert_eq!(fields[header::CACHE_CONTROL], after);
            assert!(!fields.contains_key(CDN_CACHE_CONTROL));
        }
    }

    #[test]
    fn an_answer_that_says_nothing_is_private() {
        let mut fields = HeaderMap::new();
        keep_private(&mut fields);
        assert_eq!(fields[header::CACHE_CONTROL], "private");
    }

    #[test]
    fn a_coding_besides_chunked_is_not_passed_on() {
        for (coding, good) in [("chunked", true), ("Chunked", true), ("gzip, chunked", false), ("identity", false)] {
            let mut fields = HeaderMap::new();
            fields.insert(header::TRANSFER_ENCODING, HeaderValue::from_static(coding));
            assert_eq!(decodable(&fields).is_ok(), good, "{coding}");
        }
    }
}
