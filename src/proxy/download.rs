//! The body of an upstream's answer on its way to the client.
//!
//! Streamed frame by frame. A body that breaks off is an error, so that hyper cuts the client off rather than telling it
//! the body is complete; a body that lasts ends with the session that was granted it.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::sync::mpsc;

use super::{
    endpoint::{Connection, Lease},
    fields::Names,
    http1::Framing,
    watch::Watch,
};
use crate::inbound::answer::BodyError;

/// Where a body comes from.
pub(super) enum Source {
    /// The leased connection.
    Http1(Framing),
    /// A stream.
    Http2(Incoming),
    /// A connection that another task keeps: its upload is still going on.
    Beside(mpsc::Receiver<Result<Frame<Bytes>, BodyError>>),
}

/// See the head of this file.
pub(super) struct Download {
    source: Source,
    /// Given back at the end; dropped on the way, the upstream connection closes or its stream is reset.
    lease: Option<Lease>,
    watch: Watch,
    names: Arc<Names>,
    /// It broke off. Said at the next asking: hyper would throw away what it has still to send.
    broken: Option<BodyError>,
}

impl Source {
    /// All of it, when it is here already.
    pub fn whole(&mut self, lease: &mut Lease) -> Option<Bytes> {
        match (self, &mut lease.connection) {
            (Self::Http1(framing), Connection::Http1(connection, _)) => connection.whole(framing),
            (Self::Http2(incoming), _) => incoming.is_end_stream().then(Bytes::new),
            _ => None,
        }
    }

    /// Lets an upload that is answered before its end go on, however slowly the answer is read: who sends everything before
    /// reading anything would otherwise wait for us, and we for them.
    pub fn beside_upload(self, lease: Lease) -> (Self, Option<Lease>) {
        match self {
            Self::Http1(framing) if lease.uploads() => {
                let (give, take) = mpsc::channel(1);
                tokio::spawn(carry(lease, framing, give));
                (Self::Beside(take), None)
            }
            source => (source, Some(lease)),
        }
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        lease: Option<&mut Lease>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match (self, lease.map(|lease| &mut lease.connection)) {
            (Self::Http1(framing), Some(Connection::Http1(connection, _))) => connection.poll_body(cx, framing),
            // After its end, or its last error.
            (Self::Http1(_), _) => Poll::Ready(None),
            (Self::Http2(incoming), _) => Pin::new(incoming).poll_frame(cx).map_err(Into::into),
            (Self::Beside(frames), _) => frames.poll_recv(cx),
        }
    }

    fn is_over(&self) -> bool {
        match self {
            Self::Http1(framing) => framing.is_over(),
            Self::Http2(incoming) => incoming.is_end_stream(),
            Self::Beside(_) => false,
        }
    }
}

/// Carries an answer's body, and the upload below it, until one of them ends.
async fn carry(mut lease: Lease, mut framing: Framing, frames: mpsc::Sender<Result<Frame<Bytes>, BodyError>>) {
    let Connection::Http1(connection, _) = &mut lease.connection else { return };
    loop {
        let room = tokio::select! {
            biased;
            room = frames.reserve() => room,
            fault = connection.upload() => {
                let _ = frames.send(Err(fault.into())).await;
                return;
            }
        };
        // Whoever waits for the answer may go away.
        let Ok(room) = room else { return };
        let frame = tokio::select! {
            frame = poll_fn(|cx| connection.poll_body(cx, &mut framing)) => frame,
            () = frames.closed() => return,
        };
        match frame {
            Some(frame) => room.send(frame),
            None => break,
        }
    }
    lease.release();
}

impl Download {
    /// `lease`: of the connection the body comes from.
    pub fn new(source: Source, lease: Option<Lease>, watch: Watch, names: &Arc<Names>) -> Self {
        Self { source, lease, watch, names: Arc::clone(names), broken: None }
    }

    /// After the last byte another request may use the connection; after an error nobody.
    fn settle(&mut self, frame: &Poll<Option<Result<Frame<Bytes>, BodyError>>>) {
        match frame {
            Poll::Ready(Some(Err(_))) => self.lease = None,
            Poll::Ready(_) if matches!(frame, Poll::Ready(None)) || self.source.is_over() => {
                if let Some(lease) = self.lease.take() {
                    lease.release();
                }
            }
            _ => {}
        }
    }
}

impl Body for Download {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        if let Some(error) = this.broken.take() {
            return Poll::Ready(Some(Err(error)));
        }
        let mut frame = this.source.poll(cx, this.lease.as_mut());
        match &mut frame {
            Poll::Pending => this.watch.paused(),
            Poll::Ready(Some(Ok(frame))) => {
                this.watch.moved();
                if let Some(trailers) = frame.trailers_mut() {
                    this.names.clean_trailers(trailers);
                }
            }
            Poll::Ready(_) => {}
        }
        if let Some(over) = this.watch.over(cx) {
            this.lease = None;
            return Poll::Ready(Some(Err(over.into())));
        }
        this.settle(&frame);
        if let Poll::Ready(Some(Err(error))) = frame {
            this.broken = Some(error);
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.broken.is_none() && self.source.is_over()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Http1(framing) => framing.size_hint(),
            Source::Http2(incoming) => incoming.size_hint(),
            Source::Beside(_) => SizeHint::default(),
        }
    }
}
