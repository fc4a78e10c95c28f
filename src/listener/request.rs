//! One request: from its head to the last byte of its answer.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, Version, header};
use http_body::{Body, Frame, SizeHint};

use super::{Service, thread::Place, watch::Progress};
use crate::inbound::{
    Connection, Received,
    answer::{BodyError, Held, Outgoing},
};

/// What all requests of a connection share.
pub(super) struct Host<S> {
    pub service: Arc<S>,
    pub connection: Connection,
    pub progress: Arc<Progress>,
    pub _place: Place,
}

/// An open request. One reference carries all it needs.
pub(super) struct Serving<S>(Arc<Host<S>>);

impl<S> Serving<S> {
    pub fn begin(host: &Arc<Host<S>>) -> Self {
        host.progress.begin();
        Self(Arc::clone(host))
    }
}

impl<S> Drop for Serving<S> {
    fn drop(&mut self) {
        self.0.progress.end();
    }
}

/// Asks the service, and closes the connection with the answer when it is time to.
pub(super) async fn answer<S: Service>(
    serving: Serving<S>,
    received: Received,
) -> Result<Response<Served<S>>, Infallible> {
    let Host { service, connection, progress, .. } = &*serving.0;
    let version = received.parts.version;
    let mut answer = service.serve(received, connection).await;
    if version < Version::HTTP_2 && progress.closing() && answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if let Some(held) = answer.extensions_mut().remove::<Held>() {
        // A tunnel: the connection serves it until its end, or counts as open where the tunnel has its socket.
        held.keep(Serving::begin(&serving.0));
    }
    // HTTP/1 has one answer at a time, and a blocked write says the same of it.
    let offer = match version >= Version::HTTP_2 && !answer.body().is_end_stream() {
        true => Offer::open(progress),
        false => Offer::None,
    };
    Ok(answer.map(|body| Served { body, rest: Bytes::new(), offer, serving }))
}

/// A body whose request is open until its last byte.
pub(super) struct Served<S> {
    body: Outgoing,
    /// What of the last piece HTTP/2 has still to be given.
    rest: Bytes,
    offer: Offer,
    serving: Serving<S>,
}

/// On HTTP/2 a body is asked for more only when its stream has room: between two askings the client reads, or does not.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Offer {
    /// HTTP/1, or no body.
    None,
    Open,
    Taken,
}

impl Offer {
    fn open(progress: &Progress) -> Self {
        progress.offered();
        Self::Open
    }

    fn take(&mut self, progress: &Progress) {
        if *self == Self::Open {
            *self = Self::Taken;
            progress.taken();
        }
    }
}

impl<S> Drop for Served<S> {
    fn drop(&mut self) {
        self.offer.take(&self.serving.0.progress);
    }
}

impl<S> Body for Served<S> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Self { body, rest, offer, serving } = &mut *self;
        if *offer == Offer::None {
            return Pin::new(body).poll_frame(cx);
        }
        let frame = match rest.is_empty() {
            true => Pin::new(body).poll_frame(cx).map_ok(|frame| piece(frame, rest)),
            false => Poll::Ready(Some(Ok(piece(Frame::data(std::mem::take(rest)), rest)))),
        };
        offer.take(&serving.0.progress);
        if matches!(frame, Poll::Ready(Some(Ok(_)))) {
            *offer = Offer::open(&serving.0.progress);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.rest.is_empty() { self.body.size_hint() } else { SizeHint::default() }
    }
}

/// As much as shows, by the next asking, that a slow client reads: a piece of an upstream's may be half a megabyte.
fn piece(frame: Frame<Bytes>, rest: &mut Bytes) -> Frame<Bytes> {
    match frame.into_data() {
        Ok(mut data) => {
            *rest = data.split_off(data.len().min(PIECE));
            Frame::data(data)
        }
        Err(frame) => frame,
    }
}

const PIECE: usize = 16 << 10;
